"""Case triggers: which queue an agent works off."""

from datetime import datetime

from attrs import frozen

from duvo_async.models.agents import AgentReference


@frozen(kw_only=True)
class CaseTrigger:
    """A queue whose cases start runs of an agent.

    Attributes:
        id: The trigger's id.
        agent_id: UUID of the agent.
        case_queue_id: UUID of the queue.
        enabled: Whether new cases start runs.
        case_queue_name: The queue's name. None when the API does not say.
        concurrency: How many of its runs may go on at a time. None for any number.
        user_id: Who made it. None when the API does not say.
        creator_display_name: The name of who made it. None when the API does not say.
        can_disable: Whether the key's owner may disable it. None when the API does not say.
        has_conflict: Whether other agents work off the same queue. None when the API does not say.
        conflicting_agents: Those others.
        created_at: When it was made. None when the API does not say.
        updated_at: When it last changed. None when the API does not say.
    """

    id: str
    agent_id: str
    case_queue_id: str
    enabled: bool
    case_queue_name: str | None = None
    concurrency: int | None = None
    user_id: str | None = None
    creator_display_name: str | None = None
    can_disable: bool | None = None
    has_conflict: bool | None = None
    conflicting_agents: tuple[AgentReference, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None


@frozen(kw_only=True)
class CaseTriggerConflicts:
    """The other agents that work off a queue.

    Attributes:
        has_conflict: Whether there are any.
        conflicting_agents: Those.
    """

    has_conflict: bool
    conflicting_agents: tuple[AgentReference, ...] = ()
