"""Teams, who is in them, and whose credentials these are."""

from datetime import datetime

from attrs import field, frozen

from duvo_async.models._open_enum import OpenEnum


@frozen(kw_only=True)
class TeamSummary:
    """A team as lists show it.

    Attributes:
        id: Its id.
        name: What it is called.
        organization_id: The organization that it belongs to. None for a team of its own.
    """

    id: str
    name: str
    organization_id: str | None = None


class TeamDiscoveryMode(OpenEnum):
    """What has to happen before a team's agents are found."""

    REQUEST = "request"
    AUTO = "auto"


@frozen(kw_only=True)
class Team:
    """A team.

    Attributes:
        id: Its id.
        name: What it is called.
        created_at: When it was made. None when the API did not say.
        organization_id: The organization that it belongs to. None for a team of its own.
        slack_team_id: The Slack workspace that it is linked to. None when there is none.
        discovery_mode: What has to happen before its agents are found. None when the API did not
            say.
    """

    id: str
    name: str
    created_at: datetime | None = None
    organization_id: str | None = None
    slack_team_id: str | None = None
    discovery_mode: TeamDiscoveryMode | None = None


@frozen(kw_only=True)
class TeamMember:
    """A person in a team.

    Attributes:
        id: The person's id.
        email: The person's e-mail address.
        name: The person's name. None when the person gave none.
        role: What the person is in the team. None when the API did not say.
        inherited_from_org: Whether the person is in the team by being in its organization.
    """

    id: str
    email: str
    name: str | None = None
    role: str | None = None
    inherited_from_org: bool = field(default=False, metadata={"json": "inheritedFromOrg"})


@frozen(kw_only=True)
class Profile:
    """The person whom the credentials stand for.

    Attributes:
        id: The person's id.
        email: The person's e-mail address.
        name: The person's name. None when the person gave none.
        team_id: The team that the credentials belong to. None when they belong to the person.
    """

    id: str
    email: str
    name: str | None = None
    team_id: str | None = field(default=None, metadata={"json": "teamId"})
