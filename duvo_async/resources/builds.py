"""Builds: the revisions of an agent's configuration."""

from collections.abc import Mapping, Sequence
from functools import partial

from duvo_async import _operations
from duvo_async._items import AsyncItems
from duvo_async._paging import listed
from duvo_async._session import Session
from duvo_async.models import JSON, NOT_GIVEN, Build, BuildConfig, NotGiven


class AsyncBuilds:
    """The builds of agents.

    Every call raises an `APIError` when it does not end well; methods name what they raise beyond
    that.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(
        self, agent_id: str, *, page_size: int = _operations.MAX_BUILDS, limit: int | None = None
    ) -> AsyncItems[Build]:
        """List an agent's builds: `async for build in duvo.builds.list(agent_id)`.

        Args:
            agent_id: The agent's UUID.
            page_size: The builds of a page, which is a request, from 1 to 100, the default (API
                reference, "listAgentRevisions").
            limit: The most builds of all. None for all that there are.

        Returns:
            An async iterable of its builds, with their configurations.

        Raises:
            ValueError: A number is out of its bounds.
        """
        ask = partial(_operations.list_builds, self._session.routes, agent_id)
        return listed(self._session, ask, page_size=page_size, limit=limit)

    async def create(  # noqa: PLR0913 - the fields of a build
        self,
        agent_id: str,
        name: str,
        *,
        config: BuildConfig | Mapping[str, JSON] | None = None,
        handover_target_ids: Sequence[str] | None = None,
        source_build_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Build:
        """Make a build. `promote` makes it the one that new runs use.

        Args:
            agent_id: The agent's UUID.
            name: Its name.
            config: Its configuration, of version `v2` (API reference, "createRevision"): one that
                was read from another build, or JSON. None leaves it to the API.
            handover_target_ids: UUIDs of the agents to which it may hand work over. None names
                none.
            source_build_id: UUID of the build that it is made from. None for none.
            idempotency_key: Calls with the same key make one build. None makes a key for this call.

        Returns:
            The build.

        Raises:
            ValueError: An argument is empty, or JSON has no form for a value of `config`.
        """
        return await self._session.call(
            _operations.create_build(
                self._session.routes,
                agent_id,
                name=name,
                config=config,
                handover_target_ids=handover_target_ids,
                source_build_id=source_build_id,
                idempotency_key=idempotency_key,
            )
        )

    async def get(self, agent_id: str, build_id: str) -> Build:
        """Read a build.

        Args:
            agent_id: UUID of the build's agent, which v2 asks for.
            build_id: The build's UUID.

        Returns:
            The build, with its configuration.
        """
        return await self._session.call(
            _operations.get_build(self._session.routes, agent_id, build_id)
        )

    async def update(  # noqa: PLR0913 - the fields of a build
        self,
        build_id: str,
        *,
        config: BuildConfig | Mapping[str, JSON] | NotGiven = NOT_GIVEN,
        handover_target_ids: Sequence[str] | NotGiven = NOT_GIVEN,
        revision_name: str | NotGiven | None = NOT_GIVEN,
        revision_description: str | NotGiven | None = NOT_GIVEN,
        idempotency_key: str | None = None,
    ) -> Build:
        """Change what is given of a build. `NOT_GIVEN`, the default, leaves it as it is.

        Args:
            build_id: The build's UUID.
            config: The whole configuration: what was read of a build, changed with `attrs.evolve`,
                or JSON. What this SDK has no name for is sent as it was read.
            handover_target_ids: UUIDs of the agents to which it may hand work over.
            revision_name: What to call the revision, of at most 80 characters (API reference,
                "updateRevision"). None takes it away.
            revision_description: What to say about it, of at most 500 characters (the same). None
                takes it away.
            idempotency_key: None makes a key for this call.

        Returns:
            The build as it is now.

        Raises:
            ValueError: Nothing is given, an argument is empty or too long, or JSON has no form for
                a value of `config`.
        """
        return await self._session.call(
            _operations.update_build(
                self._session.routes,
                build_id,
                config=config,
                handover_target_ids=handover_target_ids,
                revision_name=revision_name,
                revision_description=revision_description,
                idempotency_key=idempotency_key,
            )
        )

    async def promote(
        self,
        build_id: str,
        *,
        revision_name: str | None = None,
        revision_description: str | NotGiven | None = NOT_GIVEN,
        idempotency_key: str | None = None,
    ) -> bool:
        """Make a build the live one, which new runs use. One that is live already is an error.

        Args:
            build_id: The build's UUID.
            revision_name: What to call the revision, of at most 80 characters (API reference,
                "promoteRevision"). None leaves it as it is.
            revision_description: What to say about it, of at most 500 characters (the same). None
                takes it away; `NOT_GIVEN`, the default, leaves it as it is.
            idempotency_key: None makes a key for this call.

        Returns:
            Whether the API says that it did so.

        Raises:
            ValueError: An argument is empty or too long.
        """
        return await self._session.call(
            _operations.promote_build(
                self._session.routes,
                build_id,
                revision_name=revision_name,
                revision_description=revision_description,
                idempotency_key=idempotency_key,
            )
        )
