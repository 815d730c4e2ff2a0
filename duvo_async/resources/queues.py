"""Queues: where cases wait for runs."""

from functools import partial

from duvo_async import _operations
from duvo_async._items import AsyncItems
from duvo_async._paging import listed
from duvo_async._session import Session
from duvo_async.models import NOT_GIVEN, NotGiven, Queue, QueueAgents, QueueDeletion
from duvo_async.resources.queue_labels import AsyncQueueLabels


class AsyncQueues:
    """The queues of the team.

    Every call raises an `APIError` when it does not end well; methods name what they raise beyond
    that.

    Attributes:
        labels: The labels of queues.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.labels: AsyncQueueLabels = AsyncQueueLabels(session)

    async def create(
        self,
        name: str,
        *,
        description: str | None = None,
        folder_id: str | None = None,
        automation_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Queue:
        """Make a queue.

        Args:
            name: Its name, of 100 characters at most (API reference, "Create Queue").
            description: What it is for, in 500 characters at most (as above). None for nothing.
            folder_id: UUID of the folder that it goes into. None for none.
            automation_id: UUID of the automation that it belongs to. None for none.
            idempotency_key: Calls with the same key make one queue. None makes a key for this call.

        Returns:
            The queue.

        Raises:
            ConflictError: There is a queue of that name.
            ValueError: An argument is empty or too long.
        """
        return await self._session.call(
            _operations.create_queue(
                self._session.routes,
                name=name,
                description=description,
                folder_id=folder_id,
                automation_id=automation_id,
                idempotency_key=idempotency_key,
            )
        )

    async def get(self, queue_id: str) -> Queue:
        """Read a queue.

        Args:
            queue_id: The queue's UUID.

        Returns:
            The queue.

        Raises:
            NotFoundError: There is no such queue.
            ValueError: The id is empty or has a slash.
        """
        return await self._session.call(_operations.get_queue(self._session.routes, queue_id))

    def list(
        self,
        *,
        automation_id: str | None = None,
        page_size: int = _operations.MAX_QUEUES,
        limit: int | None = None,
    ) -> AsyncItems[Queue]:
        """List the queues: `async for queue in duvo.queues.list()`.

        Args:
            automation_id: UUID of the automation that they belong to. None for any, or none.
            page_size: Queues to ask for at a time, at most 250 (API reference, "List Queues").
            limit: The most queues to give. None for all.

        Returns:
            An async iterable of the queues.

        Raises:
            ValueError: An argument is empty or out of range.
        """
        ask = partial(_operations.list_queues, self._session.routes, automation_id=automation_id)
        return listed(self._session, ask, page_size=page_size, limit=limit)

    async def update(
        self,
        queue_id: str,
        *,
        name: str | NotGiven = NOT_GIVEN,
        description: str | NotGiven | None = NOT_GIVEN,
        folder_id: str | NotGiven | None = NOT_GIVEN,
        idempotency_key: str | None = None,
    ) -> Queue:
        """Change a queue; what is not given stays as it is.

        Args:
            queue_id: The queue's UUID.
            name: Its new name, of 100 characters at most (API reference, "Update Queue").
            description: Its new description, of 500 characters at most (as above). None takes it
                away.
            folder_id: UUID of the folder that it goes into. None takes it out of its folder.
            idempotency_key: Calls with the same key change it once. None makes a key for this call.

        Returns:
            The queue as it is then.

        Raises:
            NotFoundError: There is no such queue.
            ValueError: Nothing is given, or an argument is empty or too long.
        """
        return await self._session.call(
            _operations.update_queue(
                self._session.routes,
                queue_id,
                name=name,
                description=description,
                folder_id=folder_id,
                idempotency_key=idempotency_key,
            )
        )

    async def delete(self, queue_id: str, *, idempotency_key: str | None = None) -> QueueDeletion:
        """Delete a queue with all of its cases; runs that work on them are interrupted.

        Args:
            queue_id: The queue's UUID.
            idempotency_key: None makes a key for this call.

        Returns:
            How many cases went with it, and which runs were interrupted.

        Raises:
            NotFoundError: There is no such queue.
            ValueError: The id is empty or has a slash.
        """
        return await self._session.call(
            _operations.delete_queue(
                self._session.routes, queue_id, idempotency_key=idempotency_key
            )
        )

    async def agents(self, queue_id: str) -> QueueAgents:
        """Read which agents put cases into a queue, and which work them off.

        Args:
            queue_id: The queue's UUID.

        Returns:
            The agents.

        Raises:
            NotFoundError: There is no such queue.
            ValueError: The id is empty or has a slash.
        """
        return await self._session.call(
            _operations.list_queue_agents(self._session.routes, queue_id)
        )
