"""The person whom the API key stands for, and the teams that this person belongs to."""

from collections.abc import Mapping

from attrs import define, field, frozen

from duvo_async.emulator.exchange import timestamp
from duvo_async.emulator.ids import Ids

FOUNDED = 1_672_531_200.0
"""When all was made that no request makes, in Unix seconds: on the first day of 2023.

The clock is not asked for it, for it may give no time before there is a request.
"""


@frozen
class User:
    """A person.

    Attributes:
        id: The person's id.
        name: The person's name.
        email: The person's e-mail address.
        role: What the person is in a team.
    """

    id: str
    name: str
    email: str
    role: str = "member"

    def as_author(self) -> Mapping[str, object]:
        """How the API shows who did something."""
        return {"id": self.id, "name": self.name, "email": self.email}

    def as_profile(self, team_id: str) -> Mapping[str, object]:
        """How the API shows the caller.

        Args:
            team_id: The team that the caller's key belongs to.
        """
        return {**self.as_author(), "teamId": team_id}

    def as_member(self) -> Mapping[str, object]:
        """How the API shows the person in a team."""
        return {**self.as_author(), "role": self.role, "inheritedFromOrg": False}


@frozen
class Team:
    """A team.

    Attributes:
        id: The team's id.
        name: The team's name.
        members: Its members, in the order of their joining.
    """

    id: str
    name: str
    members: list[User] = field(factory=list[User])

    def as_shown(self) -> Mapping[str, object]:
        """How the API shows it by itself."""
        return {
            **self.as_listed(),
            "created_at": timestamp(FOUNDED),
            "slack_team_id": None,
            "discovery_mode": "request",
        }

    def as_listed(self) -> Mapping[str, object]:
        """How the API shows it in a list."""
        return {"id": self.id, "name": self.name, "organization_id": None}


@define
class Teams:
    """The teams that the API key can act on. One of them has all that there is: its own.

    Attributes:
        ids: Where all ids come from.
        user: The person whom the key stands for, a member of each team.
        own: The team that the key belongs to.
    """

    ids: Ids
    user: User = field(init=False)
    own: Team = field(init=False)
    _teams: dict[str, Team] = field(factory=dict[str, Team], init=False)
    _users: int = 1

    def __attrs_post_init__(self) -> None:
        """Makes the person and the team."""
        self.user = User(self.ids.uuid("user", 0), "Key Holder", "holder@emulator.test", "admin")
        self.own = self.add("Team 0")

    def add(self, name: str) -> Team:
        """Makes another team, which has nothing but the person."""
        team = Team(self.ids.uuid("team", len(self._teams)), name, [self.user])
        self._teams[team.id] = team
        return team

    def add_member(self, name: str, email: str) -> User:
        """Makes another person, a member of the key's own team."""
        member = User(self.ids.uuid("user", self._users), name, email)
        self._users += 1
        self.own.members.append(member)
        return member

    def find(self, team_id: str) -> Team | None:
        """The team of that id; None when there is none."""
        return self._teams.get(team_id)

    def all(self) -> list[Team]:
        """The teams, the key's own first."""
        return list(self._teams.values())
