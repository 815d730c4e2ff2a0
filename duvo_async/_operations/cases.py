"""What is sent about cases one by one and in lists, and what the answers mean."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeAlias

from attrs import evolve, fields_dict

from duvo_async._converter import DecodeProblem, structure
from duvo_async._operations._fields import (
    ORDERS,
    SortOrder,
    choice,
    delete,
    filled,
    get,
    instant,
    moment,
    one,
    or_null,
    page,
    post,
    renamed,
    text,
    whole,
)
from duvo_async._operations.labels import label_fields, label_filter
from duvo_async._protocol import Call, Page, Response, parse_json
from duvo_async._routes import Routes
from duvo_async.models import (
    Case,
    CaseDeletion,
    CaseFilter,
    CaseHistory,
    CaseRun,
    Message,
    NewCase,
)

CaseSort: TypeAlias = Literal["created_at", "updated_at", "postponed_to"]
MAX_CASES = 100
"""Cases a page and a request (API reference, "List Cases", "Create Cases")."""
_LONGEST_TITLE = 500
_MOST_MESSAGES = 10
_SORTS = ("created_at", "updated_at", "postponed_to")
DELETION = {"deletedCount": "deleted_count", "interruptedRunIds": "interrupted_run_ids"}
"""The API's names of what a deletion tells, each with the model's."""
_NEW = frozenset(fields_dict(NewCase))


def create_case(
    routes: Routes, queue_id: str, case: NewCase, *, idempotency_key: str | None
) -> Call[Case]:
    """Make a case."""
    request = post(routes.cases(queue_id), {"case": case_fields(case)}, idempotency_key)
    return Call(request, lambda response: _added(response, 1)[0])


def create_cases(
    routes: Routes,
    queue_id: str,
    cases: Sequence[NewCase | Mapping[str, Any] | str],
    *,
    first: int,
    idempotency_key: str | None,
) -> Call[tuple[Case, ...]]:
    """Make up to a hundred cases; `first` is the index of the first, for errors."""
    whole("the number of cases", len(cases), least=1, most=MAX_CASES)
    fields = {"cases": [_numbered(first + place, each) for place, each in enumerate(cases)]}
    request = post(routes.cases(queue_id), fields, idempotency_key)
    return Call(request, lambda response: _added(response, len(cases)))


def get_case(routes: Routes, case_id: str) -> Call[CaseHistory]:
    """Read a case and what happened to it."""
    read = renamed(CaseHistory, {"approvalBatches": "approval_batches"})
    return Call(get(routes.case(case_id)), read)


def list_cases(  # noqa: PLR0913 - the filters
    routes: Routes,
    queue_id: str,
    *,
    status: str | Collection[str] | None,
    priority: str | Collection[str] | None,
    search: str | None,
    created_at_from: datetime | None,
    updated_at_from: datetime | None,
    sort_by: CaseSort | None,
    sort_order: SortOrder | None,
    limit: int,
    offset: int,
) -> Call[Page[Case]]:
    """Read a page of a queue's cases."""
    query = {
        **_part(limit, offset, sort_by, sort_order),
        "status": _joined("status", status),
        "priority": _joined("priority", priority),
        "search": or_null(filled)("search", search),
        "created_at_from": _time("created_at_from", created_at_from),
        "updated_at_from": _time("updated_at_from", updated_at_from),
    }
    return Call(get(routes.cases(queue_id), query), page("cases", Case))


def search_cases(  # noqa: PLR0913 - the parts of the body
    routes: Routes,
    queue_id: str,
    *,
    matching: CaseFilter,
    sort_by: CaseSort | None,
    sort_order: SortOrder | None,
    limit: int,
    offset: int,
) -> Call[Page[Case]]:
    """Read a page of the cases that fit a filter; a POST that changes nothing."""
    fields = {**filter_fields(matching), **_part(limit, offset, sort_by, sort_order)}
    request = post(routes.search_cases(queue_id), fields, None)
    return Call(evolve(request, only_reads=True), page("cases", Case))


def delete_case(routes: Routes, case_id: str, *, idempotency_key: str | None) -> Call[CaseDeletion]:
    """Delete a case."""
    return Call(delete(routes.case(case_id), idempotency_key), _deleted_one)


def clear_cases(
    routes: Routes, queue_id: str, *, idempotency_key: str | None
) -> Call[CaseDeletion]:
    """Delete all cases of a queue."""
    request = delete(routes.cases(queue_id), idempotency_key)
    return Call(request, renamed(CaseDeletion, DELETION))


def list_case_runs(routes: Routes, case_id: str) -> Call[tuple[CaseRun, ...]]:
    """Read the runs that had a case."""
    return Call(get(routes.case_runs(case_id)), one("runs", tuple[CaseRun, ...]))


def list_recent_messages(
    routes: Routes, case_id: str, run_id: str, *, limit: int | None
) -> Call[tuple[Message, ...]]:
    """Read the last messages of a case's run."""
    if limit is not None:
        whole("limit", limit, least=1, most=_MOST_MESSAGES)
    request = get(routes.case_run_messages(case_id, run_id), {"limit": limit})
    return Call(request, one("messages", tuple[Message, ...]))


# --- cases and filters as the user writes them ----------------------------------------------------


def case_fields(case: NewCase | Mapping[str, Any] | str) -> dict[str, object]:
    """Write a case that is to be made."""
    if isinstance(case, str):
        case = NewCase(title=case)
    if isinstance(case, Mapping):
        if unknown := [name for name in case if name not in _NEW]:
            raise ValueError(f"a case has no {unknown[0]!r}: it has {', '.join(sorted(_NEW))}")
        if "title" not in case:
            raise ValueError("a case needs a title")
        case = NewCase(**case)
    if not isinstance(case, NewCase):
        raise TypeError(f"a case is a NewCase, a mapping or a title, not {type(case).__name__}")
    labels = label_fields(case.labels)
    fields = {
        "title": filled("title", case.title, most=_LONGEST_TITLE),
        "data": or_null(text)("data", case.data),
        "labels": labels or None,
        "priority": or_null(filled)("priority", case.priority),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _numbered(index: int, case: NewCase | Mapping[str, Any] | str) -> dict[str, object]:
    try:
        return case_fields(case)
    except (TypeError, ValueError) as error:
        raise type(error)(f"case {index}: {error}") from None


def filter_fields(matching: CaseFilter) -> dict[str, object]:
    """Write a filter: its search stands beside the rest."""
    if not isinstance(matching, CaseFilter):
        raise TypeError(f"a filter must be a CaseFilter, not {type(matching).__name__}")
    filters = {
        "status": _words("status", matching.status),
        "priority": _words("priority", matching.priority),
        "created_at_from": _time("created_at_from", matching.created_at_from),
        "updated_at_from": _time("updated_at_from", matching.updated_at_from),
        "labels": None if matching.labels is None else label_filter(matching.labels),
    }
    given = {name: value for name, value in filters.items() if value is not None}
    search = or_null(filled)("search", matching.search)
    fields: dict[str, object] = {"filters": given} if given else {}
    return fields if search is None else {**fields, "search": search}


def _words(name: str, value: str | Collection[str] | None) -> list[str] | None:
    """Check for one or several words; none at all would say "any", which nobody meant."""
    if value is None:
        return None
    if not isinstance(value, Collection) or isinstance(value, bytes):
        raise TypeError(f"{name} must be a string or several, not {type(value).__name__}")
    words = [filled(name, each) for each in ((value,) if isinstance(value, str) else value)]
    if not words:
        raise ValueError(f"{name} must not be empty: None is for any")
    return words


def _joined(name: str, value: str | Collection[str] | None) -> str | None:
    words = _words(name, value)
    return None if words is None else ",".join(words)


def _time(name: str, value: datetime | None) -> str | None:
    return None if value is None else moment(instant(name, value))


def _part(
    limit: int, offset: int, sort_by: CaseSort | None, sort_order: SortOrder | None
) -> dict[str, object]:
    return {
        "limit": whole("limit", limit, least=1, most=MAX_CASES),
        "offset": whole("offset", offset, least=0),
        "sort_by": None if sort_by is None else choice("sort_by", sort_by, _SORTS),
        "sort_order": None if sort_order is None else choice("sort_order", sort_order, ORDERS),
    }


# --- what the answers mean ------------------------------------------------------------------------


def _added(response: Response, count: int) -> tuple[Case, ...]:
    """Read the cases that were made, as many as were sent."""
    cases = one("added_cases", tuple[Case, ...])(response)
    if len(cases) != count:
        raise DecodeProblem((f"expected {count} cases, not {len(cases)} @ $.added_cases",))
    return cases


def _deleted_one(response: Response) -> CaseDeletion:
    value = parse_json(response.body)
    runs = value.get("interruptedRunIds") if isinstance(value, dict) else None
    ids = () if runs is None else structure(runs, tuple[str, ...], "$.interruptedRunIds")
    return CaseDeletion(deleted_count=1, interrupted_run_ids=ids)
