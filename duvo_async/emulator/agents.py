"""Agents, and their builds: what an agent is told to do, revision by revision."""

from collections.abc import Mapping
from typing import Any

from attrs import define, field

from duvo_async.emulator.exchange import optional_timestamp, timestamp
from duvo_async.emulator.herald import Herald
from duvo_async.emulator.ids import Ids
from duvo_async.emulator.schedules import Schedule
from duvo_async.emulator.script import Player
from duvo_async.emulator.teams import Teams, User


@define(eq=False)
class Build:
    """A build of an agent. Times are in Unix seconds.

    Attributes:
        id: The build's id.
        number: Its place among the builds of its agent, from 1.
        agent_id: The agent's id.
        name: Its name.
        config: Its configuration, exactly as the API shows it; None for none.
        parent_id: The build that it was made from; None for none.
        user: Who made it.
        created_at: When it was made.
        updated_at: When it last changed.
        status: `draft`, `live` or `historic`.
        revision_name: What people call this revision; None for nothing.
        revision_description: What people say of it; None for nothing.
    """

    id: str
    number: int
    agent_id: str
    name: str
    config: Mapping[str, Any] | None
    parent_id: str | None
    user: User
    created_at: float
    updated_at: float
    status: str = "draft"
    revision_name: str | None = None
    revision_description: str | None = None

    def as_shown(self) -> Mapping[str, object]:
        """How the API shows it."""
        return {
            "id": self.id,
            "copilot_id": self.agent_id,
            "agent_id": self.agent_id,
            "name": self.name,
            "revision_name": self.revision_name,
            "revision_description": self.revision_description,
            "config": self.config,
            "status": self.status,
            "revision_number": self.number,
            "parent_build_id": self.parent_id,
            "created_by": self.user.id,
            "created_by_name": self.user.name,
            "created_at": timestamp(self.created_at),
            "updated_at": timestamp(self.updated_at),
        }


@define(eq=False)
class Agent:
    """An agent. Times are in Unix seconds.

    Attributes:
        id: The agent's id.
        name: What the API calls it.
        player: What it does in each run.
        team_id: The team that it belongs to.
        user: Who made it.
        created_at: When it was made.
        updated_at: When it last changed.
        settings: The fields that people set and that nothing here depends on.
        pinned_at: When it was pinned to the top of the list; None while it is not.
        last_run_at: When its last run was started; None before the first.
        live: The build that new runs name; None for none, and then there are no new runs.
        builds: All its builds, oldest first.
        schedules: Its schedules by id, oldest first.
    """

    id: str
    name: str
    player: Player
    team_id: str
    user: User
    created_at: float
    updated_at: float
    settings: dict[str, object] = field(factory=dict[str, object])
    pinned_at: float | None = None
    last_run_at: float | None = None
    live: Build | None = None
    builds: list[Build] = field(factory=list[Build])
    schedules: dict[str, Schedule] = field(factory=dict[str, Schedule])

    @property
    def live_id(self) -> str:
        """The id of its live build.

        Raises:
            LookupError: It has none.
        """
        if self.live is None:
            raise LookupError(self.id)
        return self.live.id

    def as_shown(self) -> Mapping[str, object]:
        """How the API shows it by itself."""
        author = self.user.as_author()
        return {
            "id": self.id,
            "name": self.name,
            "slack_enabled": False,
            "microsoft_teams_enabled": False,
            "agentic_memory_enabled": False,
            "team_id": self.team_id,
            "thread_id": None,
            "folder_id": None,
            "automation_id": None,
            "created_at": timestamp(self.created_at),
            "updated_at": timestamp(self.updated_at),
            "created_by": author,
            "updated_by": author,
            **self.settings,
        }

    def as_listed(self, *, with_schedules: bool) -> Mapping[str, object]:
        """How the API shows it in a list, without what its case trigger adds."""
        return {
            **self.as_shown(),
            "pinned_at": optional_timestamp(self.pinned_at),
            "last_run_at": optional_timestamp(self.last_run_at),
            "latest_build": self._latest_build(with_schedules=with_schedules),
            "integration_configs": [],
            "user_triggers": dict.fromkeys(
                ("slack_mention", "slack_channel", "teams_mention"), False
            ),
        }

    def _latest_build(self, *, with_schedules: bool) -> Mapping[str, object] | None:
        if not self.builds:
            return None
        build = self.builds[-1].as_shown()
        return {**build, "schedules": self.show_schedules()} if with_schedules else build

    def show_schedules(self) -> list[Mapping[str, object]]:
        """How the API shows its schedules, which are for its live build."""
        return [each.as_shown(self.live_id) for each in self.schedules.values()]


@define
class Agents:
    """All agents that are not deleted, and their builds.

    Attributes:
        ids: Where all ids come from.
        teams: Who makes them, and for which team.
        herald: Tells of the builds that go live.
    """

    ids: Ids
    teams: Teams
    herald: Herald
    _agents: dict[str, Agent] = field(factory=dict[str, Agent])
    _builds: dict[str, Build] = field(factory=dict[str, Build])
    _made: int = 0
    _built: int = 0

    def add(self, player: Player, now: float, name: str | None = None) -> Agent:
        """Makes an agent without a build.

        Args:
            player: What it does in each run.
            now: The time, in Unix seconds.
            name: What the API calls it; None for its number.
        """
        number = self._made
        self._made += 1
        title = f"Agent {number}" if name is None else name
        team_id, user = self.teams.own.id, self.teams.user
        agent_id = self.ids.uuid("agent", number)
        agent = Agent(agent_id, title, player, team_id, user, now, now)
        self._agents[agent.id] = agent
        return agent

    def add_build(
        self,
        agent: Agent,
        name: str,
        config: Mapping[str, Any] | None,
        now: float,
        parent_id: str | None = None,
    ) -> Build:
        """Makes a build: a draft, unless it is the agent's first, which is live at once."""
        build = self._make_build(agent, name, config, now, parent_id)
        if agent.live is None:
            self.promote(agent, build, now)
        return build

    def equip(self, agent: Agent, name: str, config: Mapping[str, Any]) -> None:
        """Gives an agent a build that is live since the agent was made; nobody is told."""
        build = self._make_build(agent, name, config, agent.created_at, None)
        _make_live(agent, build, agent.created_at)

    def promote(self, agent: Agent, build: Build, now: float) -> None:
        """Makes a build of an agent the one that new runs name."""
        _make_live(agent, build, now)
        event = "assignment.build.published"
        self.herald.tell(event, now, agent_id=agent.id, build_id=build.id)

    def find(self, agent_id: str) -> Agent | None:
        """The agent of that id; None when it never was or is deleted."""
        return self._agents.get(agent_id)

    def find_build(self, build_id: str) -> Build | None:
        """The build of that id; None when it never was or its agent is deleted."""
        return self._builds.get(build_id)

    def remove(self, agent: Agent) -> None:
        """Deletes an agent with its builds and schedules. Its runs go on, but no new one starts."""
        del self._agents[agent.id]
        for build in agent.builds:
            del self._builds[build.id]

    def listed(self) -> list[Agent]:
        """The agents as the API orders them: the pinned ones first, then the newest first."""
        newest_first = reversed(self._agents.values())
        return sorted(newest_first, key=lambda agent: agent.pinned_at is None)

    def _make_build(
        self,
        agent: Agent,
        name: str,
        config: Mapping[str, Any] | None,
        now: float,
        parent_id: str | None,
    ) -> Build:
        build_id = self.ids.uuid("build", self._built)
        self._built += 1
        number, user = len(agent.builds) + 1, self.teams.user
        build = Build(build_id, number, agent.id, name, config, parent_id, user, now, now)
        self._builds[build.id] = build
        agent.builds.append(build)
        return build


def _make_live(agent: Agent, build: Build, now: float) -> None:
    if agent.live is not None:
        agent.live.status = "historic"
        agent.live.updated_at = now
    agent.live = build
    build.status = "live"
    build.updated_at = now
