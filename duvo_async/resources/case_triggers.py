"""Case triggers: let an agent work off a queue."""

from duvo_async import _operations
from duvo_async._items import AsyncItems
from duvo_async._paging import unpaged
from duvo_async._session import Session
from duvo_async.models import NOT_GIVEN, CaseTrigger, CaseTriggerConflicts, NotGiven


class AsyncCaseTriggers:
    """The case triggers of agents.

    Every call raises an `APIError` when it does not end well; methods name what they raise beyond
    that.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(self, agent_id: str) -> AsyncItems[CaseTrigger]:
        """List an agent's triggers: `async for trigger in duvo.agents.case_triggers.list(id)`.

        They come with one request.

        Args:
            agent_id: The agent's UUID.

        Returns:
            An async iterable of its triggers.
        """
        return unpaged(
            self._session, _operations.list_case_triggers(self._session.routes, agent_id)
        )

    async def create(
        self,
        agent_id: str,
        queue_id: str,
        *,
        enabled: bool = True,
        concurrency: int | None = None,
        idempotency_key: str | None = None,
    ) -> CaseTrigger:
        """Let an agent work off a queue: its cases start runs.

        Args:
            agent_id: The agent's UUID.
            queue_id: The queue's UUID.
            enabled: Whether cases start runs; True by default.
            concurrency: 1 for one run at a time; the API takes no other number yet (API reference,
                "createAgentCaseTrigger"). None for any number.
            idempotency_key: Calls with the same key make one trigger. None makes a key for this
                call.

        Returns:
            The trigger.

        Raises:
            ValueError: An argument is empty or out of its bounds.
        """
        return await self._session.call(
            _operations.create_case_trigger(
                self._session.routes,
                agent_id,
                queue_id=queue_id,
                enabled=enabled,
                concurrency=concurrency,
                idempotency_key=idempotency_key,
            )
        )

    async def get(self, agent_id: str, trigger_id: str) -> CaseTrigger:
        """Read a trigger.

        Args:
            agent_id: The agent's UUID.
            trigger_id: The trigger's id.

        Returns:
            The trigger, with the other agents that work off its queue.
        """
        return await self._session.call(
            _operations.get_case_trigger(self._session.routes, agent_id, trigger_id)
        )

    async def update(  # noqa: PLR0913 - the fields of a trigger
        self,
        agent_id: str,
        trigger_id: str,
        *,
        queue_id: str | NotGiven = NOT_GIVEN,
        enabled: bool | NotGiven = NOT_GIVEN,
        concurrency: int | NotGiven | None = NOT_GIVEN,
        idempotency_key: str | None = None,
    ) -> CaseTrigger:
        """Change what is given of a trigger. `NOT_GIVEN`, the default, leaves it as it is.

        Args:
            agent_id: The agent's UUID.
            trigger_id: The trigger's id.
            queue_id: UUID of the queue that the agent works off.
            enabled: Whether cases start runs.
            concurrency: 1 for one run at a time; the API takes no other number yet (API reference,
                "updateAgentCaseTrigger"). None for any number.
            idempotency_key: None makes a key for this call.

        Returns:
            The trigger as it is now.

        Raises:
            ValueError: Nothing is given, or an argument is empty or out of its bounds.
        """
        return await self._session.call(
            _operations.update_case_trigger(
                self._session.routes,
                agent_id,
                trigger_id,
                queue_id=queue_id,
                enabled=enabled,
                concurrency=concurrency,
                idempotency_key=idempotency_key,
            )
        )

    async def delete(
        self, agent_id: str, trigger_id: str, *, idempotency_key: str | None = None
    ) -> None:
        """Delete a trigger.

        Args:
            agent_id: The agent's UUID.
            trigger_id: The trigger's id.
            idempotency_key: None makes a key for this call.
        """
        await self._session.call(
            _operations.delete_case_trigger(
                self._session.routes, agent_id, trigger_id, idempotency_key=idempotency_key
            )
        )

    async def conflicts(self, agent_id: str, queue_id: str) -> CaseTriggerConflicts:
        """Ask which other agents work off a queue, before an agent is let do so.

        Args:
            agent_id: UUID of the agent that would.
            queue_id: The queue's UUID.

        Returns:
            The others.

        Raises:
            ValueError: An id is empty.
        """
        return await self._session.call(
            _operations.find_case_trigger_conflicts(self._session.routes, agent_id, queue_id)
        )
