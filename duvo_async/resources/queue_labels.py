"""Labels of queues: what their cases can be sorted by."""

from functools import partial

from duvo_async import _operations
from duvo_async._items import AsyncItems
from duvo_async._paging import listed
from duvo_async._session import Session
from duvo_async.models import NOT_GIVEN, Label, NotGiven


class AsyncQueueLabels:
    """The labels of queues.

    Every call raises an `APIError` when it does not end well; methods name what they raise beyond
    that.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(
        self,
        queue_id: str,
        *,
        page_size: int = _operations.MAX_LABELS,
        limit: int | None = None,
    ) -> AsyncItems[Label]:
        """List a queue's labels: `async for label in duvo.queues.labels.list(queue_id)`.

        Args:
            queue_id: The queue's UUID.
            page_size: Labels to ask for at a time, at most 1,000 (API reference, "List Queue
                Labels").
            limit: The most labels to give. None for all.

        Returns:
            An async iterable of the labels, each with the number of cases that have it.

        Raises:
            ValueError: An argument is empty or out of range.
        """
        ask = partial(_operations.list_queue_labels, self._session.routes, queue_id)
        return listed(self._session, ask, page_size=page_size, limit=limit)

    async def create(
        self,
        queue_id: str,
        value: str,
        *,
        key: str = "",
        color_hue: int | None = None,
        idempotency_key: str | None = None,
    ) -> Label:
        """Make a label. Cases that are given labels make those that are missing by themselves.

        Args:
            queue_id: The queue's UUID.
            value: What it says.
            key: What it says that of; empty for a value alone.
            color_hue: The hue in which it is shown, 0 to 360. None leaves it to the API.
            idempotency_key: Calls with the same key make one label. None makes a key for this call.

        Returns:
            The label.

        Raises:
            ConflictError: The queue has the label already.
            ValueError: An argument is empty or out of range.
        """
        return await self._session.call(
            _operations.create_queue_label(
                self._session.routes,
                queue_id,
                value=value,
                key=key,
                color_hue=color_hue,
                idempotency_key=idempotency_key,
            )
        )

    async def update(  # noqa: PLR0913 - the fields of a label
        self,
        queue_id: str,
        label_id: str,
        *,
        value: str,
        key: str | NotGiven = NOT_GIVEN,
        color_hue: int | NotGiven = NOT_GIVEN,
        idempotency_key: str | None = None,
    ) -> Label:
        """Change a label, and with it what all cases say that have it.

        Args:
            queue_id: The queue's UUID.
            label_id: The label's UUID.
            value: What it says from now on; the API wants it in any case.
            key: What it says that of; empty for a value alone. Not given, it stays as it is.
            color_hue: The hue in which it is shown, 0 to 360. Not given, it stays as it is.
            idempotency_key: Calls with the same key change it once. None makes a key for this call.

        Returns:
            The label as it is then.

        Raises:
            NotFoundError: There is no such label.
            ValueError: An argument is empty or out of range.
        """
        return await self._session.call(
            _operations.update_queue_label(
                self._session.routes,
                queue_id,
                label_id,
                value=value,
                key=key,
                color_hue=color_hue,
                idempotency_key=idempotency_key,
            )
        )

    async def delete(
        self, queue_id: str, label_id: str, *, idempotency_key: str | None = None
    ) -> None:
        """Delete a label, and take it from all cases that have it.

        Args:
            queue_id: The queue's UUID.
            label_id: The label's UUID.
            idempotency_key: None makes a key for this call.

        Raises:
            NotFoundError: There is no such label.
            ValueError: An id is empty or has a slash.
        """
        await self._session.call(
            _operations.delete_queue_label(
                self._session.routes, queue_id, label_id, idempotency_key=idempotency_key
            )
        )
