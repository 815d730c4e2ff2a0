"""Many cases at a time: those with given ids, or those that fit a filter."""

from functools import partial

from duvo_async import _operations
from duvo_async._inputs import Inputs
from duvo_async._session import Session
from duvo_async.batching import changed
from duvo_async.models import (
    Case,
    CaseDeletion,
    CaseFilter,
    CasePriority,
    CaseReprocessing,
    CaseStatus,
    CaseUpdate,
)


class AsyncBulkCases:
    """What `cases` does to many of a queue's cases at a time.

    Each call takes ids or a filter, exactly one of them. Ids are sent a hundred at a time, one
    request after the other; should one of these fail, its error says how many cases were dealt with
    before.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def clear(self, queue_id: str, *, idempotency_key: str | None = None) -> CaseDeletion:
        """Delete all cases of a queue; runs that work on them are interrupted.

        Args:
            queue_id: The queue's UUID.
            idempotency_key: None makes a key for this call.

        Returns:
            How many cases were deleted, and which runs were interrupted.

        Raises:
            NotFoundError: There is no such queue.
            ValueError: The id is empty or has a slash.
        """
        return await self._session.call(
            _operations.clear_cases(self._session.routes, queue_id, idempotency_key=idempotency_key)
        )

    async def delete_many(
        self,
        queue_id: str,
        case_ids: Inputs[str | Case] | None = None,
        *,
        all_matching: CaseFilter | None = None,
        idempotency_key: str | None = None,
    ) -> CaseDeletion:
        """Delete many cases of a queue; runs that work on them are interrupted.

        Args:
            queue_id: The queue's UUID.
            case_ids: The cases, or their UUIDs: any iterable or async iterable, of any length; an
                empty one deletes nothing. None where a filter chooses them.
            all_matching: Which cases. `CaseFilter(everything=True)` says all; a filter without a
                condition is refused. None where ids choose them.
            idempotency_key: Calls with the same key delete once; with ids, each request adds its
                number to it. None makes a key for this call.

        Returns:
            How many cases were deleted, and which runs were interrupted, in all.

        Raises:
            ValueError: Both or neither of `case_ids` and `all_matching` are given, the filter has
                no condition, or an argument is empty.
            TypeError: `case_ids` cannot be iterated over.
        """
        return await changed(
            self._session,
            partial(_operations.bulk_delete_cases, self._session.routes, queue_id),
            case_ids=case_ids,
            all_matching=all_matching,
            idempotency_key=idempotency_key,
            nothing=CaseDeletion(deleted_count=0),
        )

    async def reprocess_many(
        self,
        queue_id: str,
        case_ids: Inputs[str | Case] | None = None,
        *,
        agent_id: str | None = None,
        all_matching: CaseFilter | None = None,
        idempotency_key: str | None = None,
    ) -> CaseReprocessing:
        """Have many cases of a queue worked on again; runs that work on them are interrupted.

        Args:
            queue_id: The queue's UUID.
            case_ids: As in `delete_many`.
            agent_id: UUID of the agent that is to do it, one that works the queue off. None leaves
                it to the queue's case triggers.
            all_matching: As in `delete_many`.
            idempotency_key: As in `delete_many`.

        Returns:
            How many cases wait for a run again, and how many were left as they are, in all.

        Raises:
            ConflictError: The agent does not work the queue off.
            ValueError: As in `delete_many`.
            TypeError: As in `delete_many`.
        """
        return await changed(
            self._session,
            partial(
                _operations.bulk_reprocess_cases, self._session.routes, queue_id, agent_id=agent_id
            ),
            case_ids=case_ids,
            all_matching=all_matching,
            idempotency_key=idempotency_key,
            nothing=CaseReprocessing(reprocessed_count=0),
        )

    async def update_status(
        self,
        queue_id: str,
        status: CaseStatus | str,
        case_ids: Inputs[str | Case] | None = None,
        *,
        all_matching: CaseFilter | None = None,
        idempotency_key: str | None = None,
    ) -> CaseUpdate:
        """Give many cases of a queue a status; runs that work on them are interrupted.

        Args:
            queue_id: The queue's UUID.
            status: `pending`, which has them worked on again, `completed` or `failed`.
            case_ids: As in `delete_many`.
            all_matching: As in `delete_many`.
            idempotency_key: As in `delete_many`.

        Returns:
            How many cases were changed, how many were left as they are, and which runs were
            interrupted, in all.

        Raises:
            ValueError: As in `delete_many`.
            TypeError: As in `delete_many`.
        """
        return await changed(
            self._session,
            partial(_operations.bulk_update_status, self._session.routes, queue_id, status=status),
            case_ids=case_ids,
            all_matching=all_matching,
            idempotency_key=idempotency_key,
            nothing=CaseUpdate(updated_count=0),
        )

    async def update_priority(
        self,
        queue_id: str,
        priority: CasePriority | str,
        case_ids: Inputs[str | Case] | None = None,
        *,
        all_matching: CaseFilter | None = None,
        idempotency_key: str | None = None,
    ) -> CaseUpdate:
        """Give many cases of a queue a priority.

        Args:
            queue_id: The queue's UUID.
            priority: `none`, `medium` or `high`.
            case_ids: As in `delete_many`.
            all_matching: As in `delete_many`.
            idempotency_key: As in `delete_many`.

        Returns:
            How many cases were changed, and how many were left as they are, in all.

        Raises:
            ValueError: As in `delete_many`.
            TypeError: As in `delete_many`.
        """
        return await changed(
            self._session,
            partial(
                _operations.bulk_update_priority,
                self._session.routes,
                queue_id,
                priority=priority,
            ),
            case_ids=case_ids,
            all_matching=all_matching,
            idempotency_key=idempotency_key,
            nothing=CaseUpdate(updated_count=0),
        )
