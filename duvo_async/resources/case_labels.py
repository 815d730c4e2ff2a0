"""Labels of cases: what a case is sorted by."""

from collections.abc import Sequence
from functools import partial

from duvo_async import _operations
from duvo_async._items import AsyncItems
from duvo_async._paging import listed
from duvo_async._session import Session
from duvo_async.models import Label, Labels


class AsyncCaseLabels:
    """The labels of cases.

    Every call raises an `APIError` when it does not end well; methods name what they raise beyond
    that.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(
        self,
        queue_id: str,
        case_id: str,
        *,
        page_size: int = _operations.MAX_LABELS,
        limit: int | None = None,
    ) -> AsyncItems[Label]:
        """List a case's labels: `async for label in duvo.cases.labels.list(queue_id, case_id)`.

        Args:
            queue_id: UUID of the case's queue.
            case_id: The case's UUID.
            page_size: Labels to ask for at a time, at most 1,000 (API reference, "List Case
                Labels").
            limit: The most labels to give. None for all.

        Returns:
            An async iterable of the labels.

        Raises:
            ValueError: An argument is empty or out of range.
        """
        ask = partial(_operations.list_case_labels, self._session.routes, queue_id, case_id)
        return listed(self._session, ask, page_size=page_size, limit=limit)

    async def assign(
        self,
        queue_id: str,
        case_id: str,
        labels: Labels,
        *,
        idempotency_key: str | None = None,
    ) -> tuple[Label, ...]:
        """Give labels to a case. Those that its queue lacks are made.

        Args:
            queue_id: UUID of the case's queue.
            case_id: The case's UUID.
            labels: The labels, 1 to 50 (API reference, "Assign Case Labels"): for each key its
                value or values; or a sequence of values without a key, or of labels.
            idempotency_key: None makes a key for this call.

        Returns:
            The labels that the API tells of then.

        Raises:
            NotFoundError: There is no such case in the queue.
            ValueError: There are no labels or too many, or one is empty.
        """
        return await self._session.call(
            _operations.assign_case_labels(
                self._session.routes,
                queue_id,
                case_id,
                labels=labels,
                idempotency_key=idempotency_key,
            )
        )

    async def unlink(
        self,
        queue_id: str,
        case_id: str,
        label_ids: Sequence[str | Label],
        *,
        idempotency_key: str | None = None,
    ) -> None:
        """Take labels from a case. The queue keeps them.

        Args:
            queue_id: UUID of the case's queue.
            case_id: The case's UUID.
            label_ids: The labels, or their UUIDs; at least one.
            idempotency_key: None makes a key for this call.

        Raises:
            NotFoundError: There is no such case in the queue.
            ValueError: There are no labels, or an id is empty.
        """
        await self._session.call(
            _operations.unlink_case_labels(
                self._session.routes,
                queue_id,
                case_id,
                label_ids=label_ids,
                idempotency_key=idempotency_key,
            )
        )
