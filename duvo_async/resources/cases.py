"""Cases: the items of work in queues."""

from collections.abc import AsyncGenerator, Collection, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from duvo_async import _operations
from duvo_async._inputs import Inputs, check_inputs
from duvo_async._items import AsyncItems
from duvo_async._operations import CaseSort, SortOrder
from duvo_async._paging import listed
from duvo_async._session import Session
from duvo_async.batching import check_key, created
from duvo_async.models import (
    Case,
    CaseDeletion,
    CaseFilter,
    CaseHistory,
    CasePriority,
    CaseRun,
    Labels,
    Message,
    NewCase,
)
from duvo_async.resources.bulk_cases import AsyncBulkCases
from duvo_async.resources.case_labels import AsyncCaseLabels


class AsyncCases(AsyncBulkCases):
    """The cases of the team's queues.

    Every call raises an `APIError` when it does not end well; methods name what they raise beyond
    that.

    Attributes:
        labels: The labels of cases.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.labels: AsyncCaseLabels = AsyncCaseLabels(session)

    async def create(  # noqa: PLR0913 - the fields of a case
        self,
        queue_id: str,
        title: str,
        *,
        data: str | None = None,
        labels: Labels = (),
        priority: CasePriority | str | None = None,
        idempotency_key: str | None = None,
    ) -> Case:
        """Make a case. Case triggers of its queue start a run for it.

        Args:
            queue_id: The queue's UUID.
            title: Its title, of 500 characters at most (API reference, "Create Cases").
            data: What an agent is to know of it. None for nothing.
            labels: Its labels, 50 at most (as above): for each key its value or values; or a
                sequence of values without a key, or of labels. Those that the queue lacks are made.
            priority: `none`, `medium` or `high`. None leaves it to the API.
            idempotency_key: Calls with the same key make one case. None makes a key for this call.

        Returns:
            The case.

        Raises:
            NotFoundError: There is no such queue.
            ValueError: An argument is empty or too long.
        """
        case = NewCase(title=title, data=data, labels=labels, priority=priority)
        return await self._session.call(
            _operations.create_case(
                self._session.routes, queue_id, case, idempotency_key=idempotency_key
            )
        )

    def create_many(
        self,
        queue_id: str,
        cases: Inputs[NewCase | Mapping[str, Any] | str],
        *,
        idempotency_key: str | None = None,
    ) -> AsyncItems[Case]:
        """Make any number of cases: `async for case in duvo.cases.create_many(queue_id, cases)`.

        They are read and sent a hundred at a time (API reference, "Create Cases"), the next hundred
        once the last was taken: leaving the loop early makes no more. Each hundred is made once,
        however often its request has to be repeated. The requests leave a part of the key's budget
        to other calls.

        Args:
            queue_id: The queue's UUID.
            cases: What is to be made: any iterable or async iterable, of any length, of `NewCase`,
                mappings with its fields, or plain titles. With `Duvo` a plain iterable is read in
                the caller's thread.
            idempotency_key: Calls with the same key and the same cases make them once, so that one
                that failed can be repeated. Each request adds its number to the key. None makes a
                key each time that the cases are iterated over.

        Returns:
            An async iterable of the cases, in the order in which they were given; its `pages()`
            gives them by the hundred. Stepping through it raises what goes wrong, and the error
            says how many cases were made before and with which key to repeat the call: an
            `APIError`, also when the API tells of another number of cases than it was sent; a
            ValueError or TypeError for a wrong case, with its index, before anything of its hundred
            is sent; or what reading the cases raised.

        Raises:
            ValueError: An id or the key is empty.
            TypeError: `cases` cannot be iterated over.
        """
        self._session.routes.cases(queue_id)  # checks the id
        check_inputs("cases", cases)
        check_key(self._session, idempotency_key)
        return AsyncItems(lambda: created(self._session, queue_id, cases, idempotency_key))

    def list(  # noqa: PLR0913 - the filters
        self,
        queue_id: str,
        *,
        status: str | Collection[str] | None = None,
        priority: str | Collection[str] | None = None,
        search: str | None = None,
        created_at_from: datetime | None = None,
        updated_at_from: datetime | None = None,
        sort_by: CaseSort | None = None,
        sort_order: SortOrder | None = None,
        page_size: int = _operations.MAX_CASES,
        limit: int | None = None,
    ) -> AsyncItems[Case]:
        """List a queue's cases: `async for case in duvo.cases.list(queue_id)`.

        Args:
            queue_id: The queue's UUID.
            status: One of `pending`, `claimed`, `completed`, `failed`, `needs_input` and
                `postponed`, or several of them. None for any.
            priority: One of `none`, `medium` and `high`, or several of them. None for any.
            search: What their title or data has. None for anything.
            created_at_from: The earliest time at which they were made. None for any.
            updated_at_from: The earliest time at which they last changed. None for any.
            sort_by: `created_at`, `updated_at` or `postponed_to`. None for the API's default, the
                first (API reference, "List Cases").
            sort_order: `asc` or `desc`. None for the API's default, `desc`: the newest first.
            page_size: Cases to ask for at a time, at most 100 (as above).
            limit: The most cases to give. None for all.

        Returns:
            An async iterable of the cases.

        Raises:
            ValueError: An argument is empty or out of range.
        """
        ask = partial(
            _operations.list_cases,
            self._session.routes,
            queue_id,
            status=status,
            priority=priority,
            search=search,
            created_at_from=created_at_from,
            updated_at_from=updated_at_from,
            sort_by=sort_by,
            sort_order=sort_order,
        )
        return listed(self._session, ask, page_size=page_size, limit=limit)

    def search(  # noqa: PLR0913 - the filters
        self,
        queue_id: str,
        *,
        status: str | Collection[str] | None = None,
        priority: str | Collection[str] | None = None,
        search: str | None = None,
        labels: Labels | None = None,
        created_at_from: datetime | None = None,
        updated_at_from: datetime | None = None,
        sort_by: CaseSort | None = None,
        sort_order: SortOrder | None = None,
        page_size: int = _operations.MAX_CASES,
        limit: int | None = None,
    ) -> AsyncItems[Case]:
        """List a queue's cases by their labels, too: `async for case in duvo.cases.search(…)`.

        It finds what the same `CaseFilter` chooses for the calls that change many cases.

        Args:
            queue_id: The queue's UUID.
            status: As in `list`.
            priority: As in `list`.
            search: As in `list`.
            labels: For each key its value, or the values of which they have one. None for any.
            created_at_from: As in `list`.
            updated_at_from: As in `list`.
            sort_by: As in `list`.
            sort_order: As in `list`.
            page_size: Cases to ask for at a time, at most 100 (API reference, "Search Cases").
            limit: The most cases to give. None for all.

        Returns:
            An async iterable of the cases.

        Raises:
            ValueError: An argument is empty or out of range.
        """
        matching = CaseFilter(
            status=status,
            priority=priority,
            search=search,
            labels=labels,
            created_at_from=created_at_from,
            updated_at_from=updated_at_from,
        )
        ask = partial(
            _operations.search_cases,
            self._session.routes,
            queue_id,
            matching=matching,
            sort_by=sort_by,
            sort_order=sort_order,
        )
        return listed(self._session, ask, page_size=page_size, limit=limit)

    async def get(self, case_id: str) -> CaseHistory:
        """Read a case and what happened to it.

        Args:
            case_id: The case's UUID.

        Returns:
            The case, its events, and the approvals that it waits for or waited for.

        Raises:
            NotFoundError: There is no such case.
            ValueError: The id is empty or has a slash.
        """
        return await self._session.call(_operations.get_case(self._session.routes, case_id))

    async def delete(self, case_id: str, *, idempotency_key: str | None = None) -> CaseDeletion:
        """Delete a case; a run that works on it is interrupted.

        Args:
            case_id: The case's UUID.
            idempotency_key: None makes a key for this call.

        Returns:
            Which runs were interrupted.

        Raises:
            NotFoundError: There is no such case.
            ValueError: The id is empty or has a slash.
        """
        return await self._session.call(
            _operations.delete_case(self._session.routes, case_id, idempotency_key=idempotency_key)
        )

    def runs(self, case_id: str) -> AsyncItems[CaseRun]:
        """List the runs that had a case: `async for run in duvo.cases.runs(case_id)`.

        Args:
            case_id: The case's UUID.

        Returns:
            An async iterable of the last 50 of them at most, the newest first (API reference, "List
            Case Runs").

        Raises:
            ValueError: The id is empty or has a slash.
        """
        call = _operations.list_case_runs(self._session.routes, case_id)

        async def batches() -> AsyncGenerator[tuple[CaseRun, ...], None]:
            yield await self._session.call(call)

        return AsyncItems(batches)

    async def recent_messages(
        self, case_id: str, run_id: str, *, limit: int | None = None
    ) -> tuple[Message, ...]:
        """Read what a run that had a case said and called last.

        Args:
            case_id: The case's UUID.
            run_id: The run's UUID.
            limit: The most messages, 1 to 10 (API reference, "List Case Run Recent Messages"). None
                for the API's default, 3.

        Returns:
            The messages, the newest last.

        Raises:
            NotFoundError: There is no such case, or no such run of it.
            ValueError: The limit is out of range, or an id is empty or has a slash.
        """
        return await self._session.call(
            _operations.list_recent_messages(self._session.routes, case_id, run_id, limit=limit)
        )
