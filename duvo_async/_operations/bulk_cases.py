"""What is sent about many cases of a queue at a time, and what the answers mean.

Each takes ids, a hundred at most, or a filter; what neither chooses is left alone.
"""

from collections.abc import Sequence

from duvo_async._operations._fields import filled, or_null, post, renamed
from duvo_async._operations.cases import DELETION, MAX_CASES, filter_fields
from duvo_async._protocol import Call
from duvo_async._routes import Routes
from duvo_async.models import Case, CaseDeletion, CaseFilter, CaseReprocessing, CaseUpdate

_REPROCESSING = {"reprocessedCount": "reprocessed_count", "skippedCount": "skipped_count"}
_UPDATE = {
    "updatedCount": "updated_count",
    "skippedCount": "skipped_count",
    "interruptedRunIds": "interrupted_run_ids",
}


def bulk_delete_cases(
    routes: Routes,
    queue_id: str,
    *,
    case_ids: Sequence[str | Case] | None,
    all_matching: CaseFilter | None,
    idempotency_key: str | None,
) -> Call[CaseDeletion]:
    """Delete cases."""
    fields = _chosen(case_ids, all_matching)
    request = post(routes.bulk_cases(queue_id, "delete"), fields, idempotency_key)
    return Call(request, renamed(CaseDeletion, DELETION))


def bulk_reprocess_cases(  # noqa: PLR0913 - the fields of the body
    routes: Routes,
    queue_id: str,
    *,
    agent_id: str | None,
    case_ids: Sequence[str | Case] | None,
    all_matching: CaseFilter | None,
    idempotency_key: str | None,
) -> Call[CaseReprocessing]:
    """Have cases worked on again."""
    fields = {
        **_chosen(case_ids, all_matching),
        "agent_id": or_null(filled)("agent_id", agent_id),
    }
    request = post(routes.bulk_cases(queue_id, "reprocess"), fields, idempotency_key)
    return Call(request, renamed(CaseReprocessing, _REPROCESSING))


def bulk_update_status(  # noqa: PLR0913 - the fields of the body
    routes: Routes,
    queue_id: str,
    *,
    status: str,
    case_ids: Sequence[str | Case] | None,
    all_matching: CaseFilter | None,
    idempotency_key: str | None,
) -> Call[CaseUpdate]:
    """Give cases a status."""
    fields = {**_chosen(case_ids, all_matching), "status": filled("status", status)}
    request = post(routes.bulk_cases(queue_id, "update-status"), fields, idempotency_key)
    return Call(request, renamed(CaseUpdate, _UPDATE))


def bulk_update_priority(  # noqa: PLR0913 - the fields of the body
    routes: Routes,
    queue_id: str,
    *,
    priority: str,
    case_ids: Sequence[str | Case] | None,
    all_matching: CaseFilter | None,
    idempotency_key: str | None,
) -> Call[CaseUpdate]:
    """Give cases a priority."""
    fields = {**_chosen(case_ids, all_matching), "priority": filled("priority", priority)}
    request = post(routes.bulk_cases(queue_id, "update-priority"), fields, idempotency_key)
    return Call(request, renamed(CaseUpdate, _UPDATE))


def _chosen(
    case_ids: Sequence[str | Case] | None, all_matching: CaseFilter | None
) -> dict[str, object]:
    """Say which cases are meant; nothing chooses all of them by itself."""
    if (case_ids is None) == (all_matching is None):
        raise ValueError("give case_ids or all_matching: exactly one of them")
    if all_matching is not None:
        return {"all_matching": True, **_conditions(all_matching)}
    ids = [each.id if isinstance(each, Case) else each for each in case_ids or ()]
    if not 1 <= len(ids) <= MAX_CASES:
        raise ValueError(f"case_ids must be 1 to {MAX_CASES}, not {len(ids)}")
    return {"case_ids": [filled("an id of case_ids", each) for each in ids]}


def _conditions(matching: CaseFilter) -> dict[str, object]:
    fields = filter_fields(matching)
    if matching.everything is not (not fields):
        raise ValueError(
            "all_matching has no condition: CaseFilter(everything=True) chooses all cases"
            if not fields
            else "all_matching chooses everything and has conditions: one of them is wrong"
        )
    return fields
