"""Agents: make them, find them and change them."""

from functools import partial

from duvo_async import _operations
from duvo_async._items import AsyncItems
from duvo_async._paging import listed
from duvo_async._session import Session
from duvo_async.models import NOT_GIVEN, Agent, AgentOverview, NewAgent, NewBuild, NotGiven
from duvo_async.resources.case_triggers import AsyncCaseTriggers
from duvo_async.resources.schedules import AsyncSchedules


class AsyncAgents:
    """The agents of the key's team. What they do is in their builds.

    Every call raises an `APIError` when it does not end well; methods name what they raise beyond
    that.

    Attributes:
        schedules: When they start runs by themselves.
        case_triggers: Which queues they work off.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.schedules: AsyncSchedules = AsyncSchedules(session)
        self.case_triggers: AsyncCaseTriggers = AsyncCaseTriggers(session)

    def list(
        self,
        *,
        include_schedules: bool = False,
        automation_id: str | None = None,
        page_size: int = _operations.MAX_AGENTS,
        limit: int | None = None,
    ) -> AsyncItems[AgentOverview]:
        """List the team's agents: `async for agent in duvo.agents.list()`.

        Args:
            include_schedules: Whether each agent's `latest_build` has the schedules that belong to
                the key's owner; False by default.
            automation_id: The automation whose agents are listed. None for all agents.
            page_size: The agents of a page, which is a request, from 1 to 100, the default (API
                reference, "listAgents").
            limit: The most agents of all. None for all that there are.

        Returns:
            An async iterable of the agents, each with its newest build and what surrounds it.

        Raises:
            ValueError: A number is out of its bounds, or the automation's id is empty.
        """
        ask = partial(
            _operations.list_agents,
            self._session.routes,
            include_schedules=include_schedules,
            automation_id=automation_id,
        )
        return listed(self._session, ask, page_size=page_size, limit=limit)

    async def create(  # noqa: PLR0913 - the fields of an agent
        self,
        name: str,
        *,
        build: NewBuild | None = None,
        source_build_id: str | None = None,
        thread_id: str | None = None,
        automation_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> NewAgent:
        """Make an agent.

        Args:
            name: Its name.
            build: Its first build, whose configuration is of version `v2` (API reference,
                "createAgent"). None makes none yet.
            source_build_id: UUID of a build whose agent's work on a queue is set up for this one,
                too. None sets up none.
            thread_id: UUID of a thread that is to belong to it. None for none.
            automation_id: UUID of the automation that it is to belong to. None leaves it to the
                API, which may make one with the agent's name.
            idempotency_key: Calls with the same key make one agent. None makes a key for this call.

        Returns:
            The agent, with its first build.

        Raises:
            ValueError: An argument is empty, or JSON has no form for a value of the configuration.
        """
        return await self._session.call(
            _operations.create_agent(
                self._session.routes,
                name=name,
                build=build,
                source_build_id=source_build_id,
                thread_id=thread_id,
                automation_id=automation_id,
                idempotency_key=idempotency_key,
            )
        )

    async def get(self, agent_id: str) -> Agent:
        """Read an agent.

        Args:
            agent_id: The agent's UUID.

        Returns:
            The agent, without its builds: `duvo.builds.list` has them.
        """
        return await self._session.call(_operations.get_agent(self._session.routes, agent_id))

    async def update(  # noqa: PLR0913 - the fields of an agent
        self,
        agent_id: str,
        *,
        name: str | NotGiven = NOT_GIVEN,
        slack_enabled: bool | NotGiven = NOT_GIVEN,
        microsoft_teams_enabled: bool | NotGiven = NOT_GIVEN,
        agentic_memory_enabled: bool | NotGiven = NOT_GIVEN,
        thread_id: str | NotGiven | None = NOT_GIVEN,
        pinned: bool | NotGiven = NOT_GIVEN,
        idempotency_key: str | None = None,
    ) -> Agent:
        """Change what is given of an agent. `NOT_GIVEN`, the default, leaves it as it is.

        Args:
            agent_id: The agent's UUID.
            name: Its name.
            slack_enabled: Whether it can be reached over Slack.
            microsoft_teams_enabled: Whether it can be reached over Microsoft Teams.
            agentic_memory_enabled: Whether it remembers things between runs.
            thread_id: UUID of the thread that belongs to it. None takes it away.
            pinned: Whether it is at the top of the list of the key's owner, and of nobody else.
            idempotency_key: None makes a key for this call.

        Returns:
            The agent as it is now.

        Raises:
            ValueError: Nothing is given, or an argument is empty.
        """
        return await self._session.call(
            _operations.update_agent(
                self._session.routes,
                agent_id,
                name=name,
                slack_enabled=slack_enabled,
                microsoft_teams_enabled=microsoft_teams_enabled,
                agentic_memory_enabled=agentic_memory_enabled,
                thread_id=thread_id,
                pinned=pinned,
                idempotency_key=idempotency_key,
            )
        )

    async def delete(self, agent_id: str, *, idempotency_key: str | None = None) -> None:
        """Delete an agent.

        Args:
            agent_id: The agent's UUID.
            idempotency_key: None makes a key for this call.
        """
        await self._session.call(
            _operations.delete_agent(
                self._session.routes, agent_id, idempotency_key=idempotency_key
            )
        )
