"""Agents: what a run runs, also called assignments."""

from datetime import datetime

from attrs import frozen

from duvo_async.models.builds import Build


@frozen(kw_only=True)
class AgentEditor:
    """Who made an agent or changed it.

    Attributes:
        id: The person's id.
        name: The person's name. None when the API does not say.
        email: The person's e-mail address. None when the API does not say.
    """

    id: str
    name: str | None = None
    email: str | None = None


@frozen(kw_only=True)
class AgentReference:
    """An agent in brief.

    Attributes:
        id: The agent's UUID.
        name: Its name.
    """

    id: str
    name: str


@frozen(kw_only=True)
class AgentIntegration:
    """A connection of an agent to another service.

    Attributes:
        id: The connection's id.
        integration_id: The service's id.
        integration_name: The service's name.
        integration_type: The API's word for its kind. None when the API does not say.
        icon_url: A picture of it. None when it has none.
        is_connected: Whether it is connected. None when the API does not say.
        linked_queue_names: The queues that it is for. None when it is for none.
        created_at: When it was made. None when the API does not say.
    """

    id: str
    integration_id: str
    integration_name: str
    integration_type: str | None = None
    icon_url: str | None = None
    is_connected: bool | None = None
    linked_queue_names: tuple[str, ...] | None = None
    created_at: datetime | None = None


@frozen(kw_only=True)
class UserTriggers:
    """How a person starts an agent from a chat.

    Attributes:
        slack_mention: By a mention in Slack.
        slack_channel: By a message in a Slack channel.
        teams_mention: By a mention in Microsoft Teams.
    """

    slack_mention: bool = False
    slack_channel: bool = False
    teams_mention: bool = False


@frozen(kw_only=True)
class Agent:
    """An agent. What it does is in its builds.

    Attributes:
        id: The agent's UUID.
        name: Its name.
        slack_enabled: Whether it can be reached over Slack. None when the API does not say.
        microsoft_teams_enabled: Whether it can be reached over Microsoft Teams. None when the API
            does not say.
        agentic_memory_enabled: Whether it remembers things between runs. None when the API does not
            say.
        team_id: The team that it belongs to. None when the API does not say.
        thread_id: The thread that belongs to it. None when there is none.
        folder_id: The folder that it is in. None when it is in none.
        automation_id: The automation that it belongs to. None when it belongs to none.
        pinned_at: When the key's owner pinned it. None when it is not pinned, and when it has just
            been made.
        created_at: When it was made. None when the API does not say.
        updated_at: When it last changed. None when the API does not say.
        created_by: Who made it. None when the API does not say.
        updated_by: Who last changed it. None when the API does not say.
    """

    id: str
    name: str
    slack_enabled: bool | None = None
    microsoft_teams_enabled: bool | None = None
    agentic_memory_enabled: bool | None = None
    team_id: str | None = None
    thread_id: str | None = None
    folder_id: str | None = None
    automation_id: str | None = None
    pinned_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    created_by: AgentEditor | None = None
    updated_by: AgentEditor | None = None


@frozen(kw_only=True)
class NewAgent(Agent):
    """An agent that has just been made: an `Agent`, with its first build.

    Attributes:
        build: The first build. None when none was made with it.
        id: As in `Agent`, and so are the rest.
        name: As in `Agent`.
        slack_enabled: As in `Agent`.
        microsoft_teams_enabled: As in `Agent`.
        agentic_memory_enabled: As in `Agent`.
        team_id: As in `Agent`.
        thread_id: As in `Agent`.
        folder_id: As in `Agent`.
        automation_id: As in `Agent`.
        pinned_at: As in `Agent`.
        created_at: As in `Agent`.
        updated_at: As in `Agent`.
        created_by: As in `Agent`.
        updated_by: As in `Agent`.
    """

    build: Build | None = None


@frozen(kw_only=True)
class AgentOverview(Agent):
    """An agent as a list of agents shows it: an `Agent`, with what surrounds it.

    Attributes:
        latest_build: The newest build; with `include_schedules`, it has the `schedules` of the
            key's owner. None when there is none.
        last_run_at: When it last ran. None before its first run.
        integration_configs: Its connections to other services.
        user_triggers: How a person starts it from a chat. None when the API does not say.
        case_trigger_enabled: Whether it works off a queue. None when the API does not say.
        case_trigger_has_conflict: Whether others work off the same queue. None when the API does
            not say.
        case_trigger_conflicting_agents: Those others.
        case_queue_name: The queue's name. None when it works off none.
        id: As in `Agent`, and so are the rest.
        name: As in `Agent`.
        slack_enabled: As in `Agent`.
        microsoft_teams_enabled: As in `Agent`.
        agentic_memory_enabled: As in `Agent`.
        team_id: As in `Agent`.
        thread_id: As in `Agent`.
        folder_id: As in `Agent`.
        automation_id: As in `Agent`.
        pinned_at: As in `Agent`.
        created_at: As in `Agent`.
        updated_at: As in `Agent`.
        created_by: As in `Agent`.
        updated_by: As in `Agent`.
    """

    latest_build: Build | None = None
    last_run_at: datetime | None = None
    integration_configs: tuple[AgentIntegration, ...] = ()
    user_triggers: UserTriggers | None = None
    case_trigger_enabled: bool | None = None
    case_trigger_has_conflict: bool | None = None
    case_trigger_conflicting_agents: tuple[AgentReference, ...] = ()
    case_queue_name: str | None = None
