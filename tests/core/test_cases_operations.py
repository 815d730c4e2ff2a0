import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from duvo_async import (
    ApprovalBatch,
    ApprovalDecision,
    ApprovalRow,
    Case,
    CaseDeletion,
    CaseDisplayStatus,
    CaseEvent,
    CaseFilter,
    CaseHistory,
    CasePriority,
    CaseReprocessing,
    CaseRun,
    CaseStatus,
    CaseUpdate,
    Evaluation,
    EvaluationStatus,
    IssueCounts,
    Label,
    MatchSnippet,
    NewCase,
    RunStatus,
)
from duvo_async import _operations as operations
from duvo_async._converter import DecodeProblem
from duvo_async._protocol import Call, Page, Response
from duvo_async._routes import Routes

V1 = Routes("v1")
V2 = Routes("v2", "team-7")
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
STAMP = "2026-07-01T12:00:00.000Z"
LABEL = Label(id="label-1", key="region", value="EU")


def create(case: Any = "t", **given: Any) -> Call[Any]:  # noqa: ANN401
    fields = {"first": 0, "idempotency_key": None, **given}
    return operations.create_cases(V1, "queue-1", [case], **fields)


def list_cases(routes: Routes = V1, **given: Any) -> Call[Any]:  # noqa: ANN401
    names = "status priority search created_at_from updated_at_from sort_by sort_order"
    fields: dict[str, Any] = {**dict.fromkeys(names.split()), "limit": 100, "offset": 0}
    return operations.list_cases(routes, "queue-1", **{**fields, **given})


def search(routes: Routes = V1, **given: Any) -> Call[Any]:  # noqa: ANN401
    fields: dict[str, Any] = {"sort_by": None, "sort_order": None, "limit": 100, "offset": 0}
    fields |= {name: given.pop(name) for name in list(given) if name in fields}
    return operations.search_cases(routes, "queue-1", matching=CaseFilter(**given), **fields)


def which(**given: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"case_ids": None, "all_matching": None, "idempotency_key": None, **given}


BULK: dict[str, tuple[Any, str, dict[str, object]]] = {
    "delete": (operations.bulk_delete_cases, "bulk-delete", {}),
    "reprocess": (operations.bulk_reprocess_cases, "bulk-reprocess", {"agent_id": "agent-1"}),
    "status": (operations.bulk_update_status, "bulk-update-status", {"status": "failed"}),
    "priority": (operations.bulk_update_priority, "bulk-update-priority", {"priority": "high"}),
}


def bulk(name: str, routes: Routes = V1, **given: Any) -> Call[Any]:  # noqa: ANN401
    make, _, fields = BULK[name]
    call: Call[Any] = make(routes, "queue-1", **fields, **which(**given))
    return call


def assign(labels: Any, routes: Routes = V1) -> Call[Any]:  # noqa: ANN401
    return operations.assign_case_labels(
        routes, "queue-1", "case-1", labels=labels, idempotency_key=None
    )


def unlink(ids: Any, routes: Routes = V1) -> Call[Any]:  # noqa: ANN401
    return operations.unlink_case_labels(
        routes, "queue-1", "case-1", label_ids=ids, idempotency_key=None
    )


def messages(routes: Routes = V1, limit: Any = None) -> Call[Any]:  # noqa: ANN401
    return operations.list_recent_messages(routes, "case-1", "run-1", limit=limit)


QUEUE, CASE_ = "/queues/queue-1/cases", "/cases/case-1"
CALLS: dict[str, tuple[Any, str, str]] = {
    "create": (
        lambda r: operations.create_case(r, "queue-1", NewCase(title="t"), idempotency_key=None),
        "POST",
        QUEUE,
    ),
    "create many": (
        lambda r: operations.create_cases(r, "queue-1", ["t"], first=0, idempotency_key=None),
        "POST",
        QUEUE,
    ),
    "list": (list_cases, "GET", QUEUE),
    "search": (search, "POST", f"{QUEUE}/search"),
    "clear": (
        lambda r: operations.clear_cases(r, "queue-1", idempotency_key=None),
        "DELETE",
        QUEUE,
    ),
    "get": (lambda r: operations.get_case(r, "case-1"), "GET", CASE_),
    "delete": (
        lambda r: operations.delete_case(r, "case-1", idempotency_key=None),
        "DELETE",
        CASE_,
    ),
    "runs": (lambda r: operations.list_case_runs(r, "case-1"), "GET", f"{CASE_}/runs"),
    "messages": (messages, "GET", f"{CASE_}/runs/run-1/recent-messages"),
    "assign": (lambda r: assign(["a"], r), "POST", f"{QUEUE}/case-1/labels"),
    "labels": (
        lambda r: operations.list_case_labels(r, "queue-1", "case-1", limit=1000, offset=0),
        "GET",
        f"{QUEUE}/case-1/labels",
    ),
    "unlink": (lambda r: unlink(["label-1"], r), "POST", f"{QUEUE}/case-1/labels/unlink"),
    **{
        f"{name} many": (
            lambda r, name=name: bulk(name, r, case_ids=["case-1"]),
            "POST",
            f"{QUEUE}/{path}",
        )
        for name, (_, path, _) in BULK.items()
    },
}


def body_of(call: Call[Any]) -> Any:  # noqa: ANN401 - JSON
    assert isinstance(call.request.body, bytes)
    return json.loads(call.request.body)


def decoded(call: Call[Any], body: object) -> Any:  # noqa: ANN401
    text = json.dumps(body).encode()
    return call.decode(Response(status=200, reason="", headers={}, body=text))


# --- what is sent --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
def test_an_operation_has_a_method_and_a_path(name: str) -> None:
    make, method, path = CALLS[name]
    first, second = make(V1).request, make(V2).request
    assert (first.method, first.path) == (method, f"/v1{path}")
    assert (second.method, second.path) == (method, f"/v2{path}")
    assert (first.query, first.body) == (second.query, second.body)
    assert first.mutates is (method != "GET" and name != "search")


def test_a_search_may_be_repeated_like_what_it_is() -> None:
    request = search(search="x").request
    assert request.repeatable
    assert not request.mutates
    assert request.idempotency_key is None


def test_a_change_carries_its_key() -> None:
    for call in (
        operations.create_case(V1, "q", NewCase(title="t"), idempotency_key="k"),
        create(idempotency_key="k"),
        operations.delete_case(V1, "c", idempotency_key="k"),
        operations.clear_cases(V1, "q", idempotency_key="k"),
        operations.assign_case_labels(V1, "q", "c", labels=["a"], idempotency_key="k"),
        operations.unlink_case_labels(V1, "q", "c", label_ids=["a"], idempotency_key="k"),
        *(bulk(name, case_ids=["c"], idempotency_key="k") for name in BULK),
    ):
        assert call.request.idempotency_key == "k"


CASES: list[tuple[Any, dict[str, Any]]] = [
    ("t", {"title": "t"}),
    (NewCase(title="t"), {"title": "t"}),
    ({"title": "t"}, {"title": "t"}),
    (NewCase(title="t" * 500, data=""), {"title": "t" * 500, "data": ""}),
    (
        {"title": "t", "data": "d", "priority": CasePriority.HIGH},
        {"title": "t", "data": "d", "priority": "high"},
    ),
    (NewCase(title="t", priority="brand_new"), {"title": "t", "priority": "brand_new"}),
    (
        NewCase(title="t", labels={"region": "EU", "kind": ["a", "b"], "": "urgent"}),
        {
            "title": "t",
            "labels": [
                {"key": "region", "value": "EU"},
                {"key": "kind", "value": "a"},
                {"key": "kind", "value": "b"},
                {"value": "urgent"},
            ],
        },
    ),
    (
        {"title": "t", "labels": ("urgent", LABEL)},
        {"title": "t", "labels": [{"value": "urgent"}, {"key": "region", "value": "EU"}]},
    ),
]


@pytest.mark.parametrize(("case", "sent"), CASES)
def test_a_case_is_sent_as_it_is_given(case: Any, sent: dict[str, Any]) -> None:  # noqa: ANN401
    assert body_of(create(case)) == {"cases": [sent]}
    if isinstance(case, NewCase):
        call = operations.create_case(V1, "queue-1", case, idempotency_key=None)
        assert body_of(call) == {"case": sent}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"status": "failed"}, "failed"),
        ({"status": CaseStatus.FAILED}, "failed"),
        ({"status": ["pending", "claimed"]}, "pending,claimed"),
        ({"priority": ("none", CasePriority.HIGH)}, "none,high"),
        ({"search": "a, b"}, "a, b"),
        ({"created_at_from": NOON}, STAMP),
        ({"updated_at_from": NOON.astimezone(timezone(timedelta(hours=2)))}, STAMP),
        ({"sort_by": "postponed_to"}, "postponed_to"),
        ({"sort_order": "asc"}, "asc"),
        ({"limit": 1}, "1"),
        ({"offset": 7}, "7"),
    ],
)
def test_a_list_asks_for_what_is_given(given: dict[str, Any], sent: str) -> None:
    (name,) = given
    assert dict(list_cases(**given).request.query) == {"limit": "100", "offset": "0", name: sent}


def test_a_search_asks_for_what_is_given() -> None:
    assert body_of(search()) == {"limit": 100, "offset": 0}
    everything = search(
        status={"failed"},
        priority=["none", "high"],
        search="x",
        labels={"region": ["EU", "US"], "": "urgent"},
        created_at_from=NOON,
        updated_at_from=NOON,
        sort_by="updated_at",
        sort_order="desc",
        limit=5,
        offset=10,
    )
    assert body_of(everything) == {
        "filters": {
            "status": ["failed"],
            "priority": ["none", "high"],
            "created_at_from": STAMP,
            "updated_at_from": STAMP,
            "labels": {"region": ["EU", "US"], "": ["urgent"]},
        },
        "search": "x",
        "sort_by": "updated_at",
        "sort_order": "desc",
        "limit": 5,
        "offset": 10,
    }


@pytest.mark.parametrize("name", BULK)
def test_many_cases_are_chosen_by_their_ids(name: str) -> None:
    fields = BULK[name][2]
    case = decoded(create(), {"added_cases": [CASE]})[0]
    assert body_of(bulk(name, case_ids=["a", case])) == {"case_ids": ["a", "case-1"], **fields}


@pytest.mark.parametrize("name", BULK)
def test_many_cases_are_chosen_by_a_filter(name: str) -> None:
    fields = BULK[name][2]
    chosen = CaseFilter(status="failed", search="x", labels=[LABEL])
    assert body_of(bulk(name, all_matching=chosen)) == {
        "all_matching": True,
        "filters": {"status": ["failed"], "labels": {"region": ["EU"]}},
        "search": "x",
        **fields,
    }
    assert body_of(bulk(name, all_matching=CaseFilter(search="x"))) == {
        "all_matching": True,
        "search": "x",
        **fields,
    }


@pytest.mark.parametrize("name", BULK)
def test_all_cases_are_chosen_by_saying_so(name: str) -> None:
    call = bulk(name, all_matching=CaseFilter(everything=True))
    assert body_of(call) == {"all_matching": True, **BULK[name][2]}


def test_reprocessing_may_leave_the_agent_to_the_queue() -> None:
    call = operations.bulk_reprocess_cases(V1, "q", agent_id=None, **which(case_ids=["a"]))
    assert body_of(call) == {"case_ids": ["a"]}


def test_labels_are_given_and_taken() -> None:
    assert body_of(assign({"region": "EU"})) == {"labels": [{"key": "region", "value": "EU"}]}
    assert body_of(assign(["urgent"])) == {"labels": [{"value": "urgent"}]}
    assert body_of(unlink(["a", LABEL])) == {"label_ids": ["a", "label-1"]}


def test_recent_messages_are_as_many_as_is_said() -> None:
    assert messages().request.query == ()
    assert messages(limit=10).request.query == (("limit", "10"),)


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "error", "text"),
    [
        ("", ValueError, "case 40: title must not be empty"),
        ("t" * 501, ValueError, "case 40: title must have at most 500 characters, not 501"),
        (7, TypeError, "case 40: a case is a NewCase, a mapping or a title, not int"),
        (None, TypeError, "case 40: a case is"),
        ({"title": None}, TypeError, "case 40: title must be a string"),
        ({"data": "d"}, ValueError, "case 40: a case needs a title"),
        ({"title": "t", "colour": 1}, ValueError, "case 40: a case has no 'colour'"),
        ({"title": "t", "data": {}}, TypeError, "case 40: data must be a string"),
        ({"title": "t", "priority": ""}, ValueError, "case 40: priority must not be empty"),
        ({"title": "t", "labels": "urgent"}, TypeError, "case 40: labels must be many"),
        ({"title": "t", "labels": [""]}, ValueError, "case 40: a label must not be empty"),
        ({"title": "t", "labels": {"k": []}}, ValueError, "case 40: .* must have a value"),
        ({"title": "t", "labels": {"k": 7}}, TypeError, "case 40: .* must be many"),
        ({"title": "t", "labels": {7: "v"}}, TypeError, "case 40: the key of a label"),
        ({"title": "t", "labels": ["a"] * 51}, ValueError, "case 40: labels must be at most 50"),
    ],
)
def test_a_wrong_case_is_refused_with_its_index(
    case: Any,  # noqa: ANN401
    error: type[Exception],
    text: str,
) -> None:
    with pytest.raises(error, match=text):
        create(case, first=40)


def test_the_index_counts_from_the_first() -> None:
    with pytest.raises(ValueError, match="case 302: title"):
        operations.create_cases(V1, "q", ["a", "b", ""], first=300, idempotency_key=None)


@pytest.mark.parametrize("number", [0, 101])
def test_a_request_makes_one_to_a_hundred_cases(number: int) -> None:
    with pytest.raises(ValueError, match="at least 1 and at most 100"):
        operations.create_cases(V1, "q", ["t"] * number, first=0, idempotency_key=None)


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"status": ""}, ValueError, "status must not be empty"),
        ({"status": []}, ValueError, "status must not be empty: None is for any"),
        ({"status": [""]}, ValueError, "status must not be empty"),
        ({"status": 7}, TypeError, "status must be a string or several"),
        ({"status": b"failed"}, TypeError, "status must be a string or several"),
        ({"priority": ()}, ValueError, "priority must not be empty"),
        ({"priority": [7]}, TypeError, "priority must be a string"),
        ({"search": " "}, ValueError, "search must not be empty"),
        ({"created_at_from": "2026"}, TypeError, "created_at_from must be a datetime"),
        ({"updated_at_from": 7}, TypeError, "updated_at_from must be a datetime"),
        ({"sort_by": "title"}, ValueError, "sort_by must be one of"),
        ({"sort_order": "up"}, ValueError, "sort_order must be one of asc, desc"),
        ({"limit": 101}, ValueError, "at most 100"),
        ({"limit": 0}, ValueError, "at least 1"),
        ({"offset": -1}, ValueError, "at least 0"),
    ],
)
def test_a_wrong_filter_is_refused(
    given: dict[str, Any], error: type[Exception], text: str
) -> None:
    for make in (list_cases, search):
        with pytest.raises(error, match=text):
            make(**given)


def test_no_labels_are_not_any_labels() -> None:
    nothing: list[Any] = [{}, [], ()]
    for none in nothing:
        with pytest.raises(ValueError, match="labels must not be empty"):
            search(labels=none)


@pytest.mark.parametrize("name", BULK)
@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({}, ValueError, "give case_ids or all_matching: exactly one"),
        (
            {"case_ids": ["a"], "all_matching": CaseFilter(everything=True)},
            ValueError,
            "give case_ids or all_matching: exactly one",
        ),
        ({"case_ids": []}, ValueError, "case_ids must be 1 to 100, not 0"),
        ({"case_ids": ["a"] * 101}, ValueError, "case_ids must be 1 to 100, not 101"),
        ({"case_ids": [""]}, ValueError, "must not be empty"),
        ({"case_ids": [7]}, TypeError, "must be a string"),
        ({"all_matching": CaseFilter()}, ValueError, "has no condition"),
        ({"all_matching": CaseFilter(status=[])}, ValueError, "status must not be empty"),
        ({"all_matching": CaseFilter(labels={})}, ValueError, "labels must not be empty"),
        (
            {"all_matching": CaseFilter(everything=True, search="x")},
            ValueError,
            "chooses everything and has conditions",
        ),
        ({"all_matching": True}, TypeError, "must be a CaseFilter"),
        ({"all_matching": {"status": "failed"}}, TypeError, "must be a CaseFilter"),
    ],
)
def test_nothing_chooses_cases_by_accident(
    name: str, given: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        bulk(name, **given)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: assign([]), ValueError, "labels must not be empty"),
        (lambda: assign({}), ValueError, "labels must not be empty"),
        (lambda: assign("urgent"), TypeError, "labels must be many"),
        (lambda: assign(["a"] * 51), ValueError, "at most 50"),
        (lambda: unlink([]), ValueError, "label_ids must not be empty"),
        (lambda: unlink("label-1"), TypeError, "label_ids must be many"),
        (lambda: unlink([""]), ValueError, "must not be empty"),
        (lambda: messages(limit=0), ValueError, "at least 1 and at most 10"),
        (lambda: messages(limit=11), ValueError, "at least 1 and at most 10"),
        (
            lambda: operations.bulk_update_status(V1, "q", status="", **which(case_ids=["a"])),
            ValueError,
            "status must not be empty",
        ),
        (
            lambda: operations.bulk_update_priority(V1, "q", priority="", **which(case_ids=["a"])),
            ValueError,
            "priority must not be empty",
        ),
        (
            lambda: operations.bulk_reprocess_cases(V1, "q", agent_id="", **which(case_ids=["a"])),
            ValueError,
            "agent_id must not be empty",
        ),
        (lambda: operations.get_case(V1, "a/b"), ValueError, "case_id 'a/b' is not an id"),
        (lambda: operations.clear_cases(V1, "", idempotency_key=None), ValueError, "queue_id ''"),
    ],
)
def test_what_cannot_be_is_refused(make: Any, error: type[Exception], text: str) -> None:  # noqa: ANN401
    with pytest.raises(error, match=text):
        make()


# --- what the answers mean -----------------------------------------------------------------------

CASE: dict[str, Any] = {
    "id": "case-1",
    "queue_id": "queue-1",
    "title": "t",
    "status": "pending",
    "created_at": STAMP,
    "updated_at": STAMP,
}
MINIMAL = Case(
    id="case-1",
    queue_id="queue-1",
    title="t",
    status=CaseStatus.PENDING,
    created_at=NOON,
    updated_at=NOON,
)
TEXTS = (
    "claimed_by_run_id",
    "created_by_user_id",
    "created_by_user_name",
    "created_by_user_email",
    "agent_run_status",
    "agent_run_user_id",
    "pending_human_request_id",
    "pending_approval_batch_id",
)
TIMES = ("claimed_at", "completed_at", "postponed_to")
EVALUATION: dict[str, Any] = {
    "passed": 1,
    "total": 2,
    "final_comment": "so so",
    "status": "ready",
    "severityCounts": {"critical": 1, "medium": 2, "low": 3},
}
JUDGED = Evaluation(
    status=EvaluationStatus.READY,
    passed=1.0,
    total=2.0,
    final_comment="so so",
    severity_counts=IssueCounts(critical=1, medium=2, low=3),
)
FULL: dict[str, Any] = {
    **CASE,
    **{name: name for name in TEXTS},
    **dict.fromkeys(TIMES, STAMP),
    "data": "d",
    "priority": "high",
    "display_status": "needs_input",
    "pending_approval_assignee_user_ids": ["user-1"],
    "approval_approved_count": 1,
    "approval_rejected_count": 2,
    "eval_summary": EVALUATION,
    "search_match_data_snippet": {"before": "a", "match": "b", "after": "c"},
    "labels": [{"id": "label-1", "key": "region", "value": "EU"}],
}
WHOLE: dict[str, Any] = {
    **{name: name for name in TEXTS},
    **dict.fromkeys(TIMES, NOON),
    "data": "d",
    "priority": CasePriority.HIGH,
    "display_status": CaseDisplayStatus.NEEDS_INPUT,
    "pending_approval_assignee_user_ids": ("user-1",),
    "approval_approved_count": 1,
    "approval_rejected_count": 2,
    "eval_summary": JUDGED,
    "search_match_data_snippet": MatchSnippet(before="a", match="b", after="c"),
    "labels": (LABEL,),
}


def test_a_case_is_understood() -> None:
    (case,) = decoded(create(), {"added_cases": [FULL]})
    expected = Case(
        id="case-1",
        queue_id="queue-1",
        title="t",
        status=CaseStatus.PENDING,
        created_at=NOON,
        updated_at=NOON,
        **WHOLE,
    )
    assert case == expected
    assert decoded(CALLS["create"][0](V1), {"added_cases": [FULL]}) == expected
    page = {"cases": [FULL], "total": 3, "limit": 100, "offset": 0}
    assert decoded(list_cases(), page) == decoded(search(), page) == Page((expected,), 3)


@pytest.mark.parametrize(
    "case", [CASE, {**CASE, "new": {}}, {**dict.fromkeys(FULL), **CASE}], ids=["min", "new", "null"]
)
def test_what_a_case_lacks_is_its_default(case: dict[str, Any]) -> None:
    assert decoded(list_cases(), {"cases": [case]}) == Page((MINIMAL,), None)


@pytest.mark.parametrize("missing", CASE)
def test_a_case_has_an_identity(missing: str) -> None:
    case = {name: value for name, value in CASE.items() if name != missing}
    with pytest.raises(DecodeProblem) as caught:
        decoded(list_cases(), {"cases": [case]})
    assert caught.value.problems == (f"required field missing @ $.cases[0].{missing}",)


def test_new_words_are_kept() -> None:
    (case,) = decoded(create(), {"added_cases": [{**CASE, "status": "s", "priority": "p"}]})
    assert (case.status, case.priority) == ("s", "p")
    assert not case.status.is_known


@pytest.mark.parametrize(("sent", "told"), [(1, 0), (1, 2), (3, 2), (3, 4)])
def test_another_number_of_cases_than_was_sent_is_a_problem(sent: int, told: int) -> None:
    call = operations.create_cases(V1, "q", ["t"] * sent, first=0, idempotency_key=None)
    with pytest.raises(DecodeProblem) as caught:
        decoded(call, {"added_cases": [CASE] * told})
    assert caught.value.problems == (f"expected {sent} cases, not {told} @ $.added_cases",)


def test_one_case_that_was_not_made_is_a_problem() -> None:
    with pytest.raises(DecodeProblem, match="expected 1 cases, not 0"):
        decoded(CALLS["create"][0](V1), {"added_cases": []})


EVENT: dict[str, Any] = {"id": "event-1", "type": "claimed", "created_at": STAMP}
EVENT_TEXTS = (
    "case_queue_item_id",
    "agent_run_id",
    "agent_id",
    "agent_name",
    "human_request_id",
    "human_request_title",
    "reason",
    "user_id",
    "user_name",
    "user_email",
)
ROW: dict[str, Any] = {"id": "row-1", "assignee_user_id": "user-1", "prompt": "Pay?"}
ROW_TEXTS = (
    "assignee_name",
    "assignee_email",
    "responded_by_user_id",
    "responded_by_name",
    "responded_by_email",
    "cancellation_reason",
)
BATCH: dict[str, Any] = {
    "id": "batch-1",
    "agent_run_id": "run-1",
    "title": "t",
    "created_at": STAMP,
}
get_case = CALLS["get"][0](V1)


def test_a_history_is_understood() -> None:
    row = {**ROW, **{name: name for name in ROW_TEXTS}, "decision": "approved"}
    body = {
        "case": CASE,
        "events": [{**EVENT, **{name: name for name in EVENT_TEXTS}}],
        "approvalBatches": [
            {
                **BATCH,
                "case_queue_item_id": "case-1",
                "resolved_at": STAMP,
                "cancelled_at": STAMP,
                "cancellation_reason": "why",
                "rows": [{**row, "responded_at": STAMP, "cancelled_at": STAMP}],
            }
        ],
    }
    texts: dict[str, Any] = {name: name for name in ROW_TEXTS}
    more: dict[str, Any] = {name: name for name in EVENT_TEXTS}
    assert decoded(get_case, body) == CaseHistory(
        case=MINIMAL,
        events=(CaseEvent(id="event-1", type="claimed", created_at=NOON, **more),),
        approval_batches=(
            ApprovalBatch(
                id="batch-1",
                agent_run_id="run-1",
                title="t",
                created_at=NOON,
                case_queue_item_id="case-1",
                resolved_at=NOON,
                cancelled_at=NOON,
                cancellation_reason="why",
                rows=(
                    ApprovalRow(
                        id="row-1",
                        assignee_user_id="user-1",
                        prompt="Pay?",
                        decision=ApprovalDecision.APPROVED,
                        responded_at=NOON,
                        cancelled_at=NOON,
                        **texts,
                    ),
                ),
            ),
        ),
    )


@pytest.mark.parametrize(
    "body",
    [
        {"case": CASE},
        {"case": CASE, "events": None, "approvalBatches": None},
        {"case": CASE, "events": [], "approvalBatches": [], "new": 1},
    ],
)
def test_a_short_history_is_understood(body: dict[str, Any]) -> None:
    assert decoded(get_case, body) == CaseHistory(case=MINIMAL)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, "required field missing @ $.case"),
        ({"case": CASE, "events": [{**EVENT, "id": 7}]}, "$.events[0].id"),
        ({"case": CASE, "approvalBatches": [{}]}, "@ $.approvalBatches[0].id"),
        (
            {"case": CASE, "approvalBatches": [{**BATCH, "rows": [{**ROW, "prompt": None}]}]},
            "@ $.approvalBatches[0].rows[0].prompt",
        ),
        ([], "expected an object @ $"),
    ],
)
def test_a_broken_history_is_a_problem(body: object, problem: str) -> None:
    with pytest.raises(DecodeProblem) as caught:
        decoded(get_case, body)
    assert any(problem in each for each in caught.value.problems)


def test_deletions_are_understood() -> None:
    body = {"success": True, "deletedCount": 2, "interruptedRunIds": ["run-1"], "new": 1}
    expected = CaseDeletion(deleted_count=2, interrupted_run_ids=("run-1",))
    assert decoded(CALLS["delete"][0](V1), body) == CaseDeletion(
        deleted_count=1, interrupted_run_ids=("run-1",)
    )
    assert decoded(CALLS["clear"][0](V1), body) == expected
    assert decoded(bulk("delete", case_ids=["a"]), body) == expected
    assert decoded(bulk("delete", case_ids=["a"]), {"deletedCount": 0}) == CaseDeletion(
        deleted_count=0
    )


@pytest.mark.parametrize("body", [{"success": True}, {"interruptedRunIds": None}, [], "done"])
def test_a_deleted_case_is_one_case(body: object) -> None:
    assert decoded(CALLS["delete"][0](V1), body) == CaseDeletion(deleted_count=1)


def test_changes_of_many_cases_are_understood() -> None:
    body = {"updatedCount": 2, "skippedCount": 1, "interruptedRunIds": ["run-1"]}
    assert decoded(bulk("status", case_ids=["a"]), body) == CaseUpdate(
        updated_count=2, skipped_count=1, interrupted_run_ids=("run-1",)
    )
    assert decoded(bulk("priority", case_ids=["a"]), {"updatedCount": 2}) == CaseUpdate(
        updated_count=2
    )
    body = {"reprocessedCount": 2, "skippedCount": 1, "retriedCount": 2, "delegatedCount": 2}
    assert decoded(bulk("reprocess", case_ids=["a"]), body) == CaseReprocessing(
        reprocessed_count=2, skipped_count=1
    )


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("delete", "deletedCount"),
        ("reprocess", "reprocessedCount"),
        ("status", "updatedCount"),
        ("priority", "updatedCount"),
    ],
)
def test_a_count_is_never_made_up(name: str, needed: str) -> None:
    with pytest.raises(DecodeProblem) as caught:
        decoded(bulk(name, case_ids=["a"]), {"skippedCount": 0})
    assert caught.value.problems == (f"required field missing @ $.{needed}",)


RUN: dict[str, Any] = {
    "id": "run-1",
    "agent_id": "agent-1",
    "status": "waiting",
    "created_at": STAMP,
}
RUN_TEXTS = (
    "agent_name",
    "case_queue_item_id",
    "source",
    "pending_human_request_title",
    "user_id",
    "user_name",
    "user_email",
)
RUN_TIMES = ("started_at", "completed_at", "claimed_at")


def test_the_runs_of_a_case_are_understood() -> None:
    call = CALLS["runs"][0](V1)
    texts: dict[str, Any] = {name: name for name in RUN_TEXTS}
    run = {**RUN, **texts, **dict.fromkeys(RUN_TIMES, STAMP), "evaluation": EVALUATION}
    times: dict[str, Any] = dict.fromkeys(RUN_TIMES, NOON)
    full = CaseRun(
        id="run-1",
        agent_id="agent-1",
        status=RunStatus.WAITING,
        created_at=NOON,
        has_pending_human_request=True,
        evaluation=JUDGED,
        **texts,
        **times,
    )
    assert decoded(call, {"runs": [{**run, "has_pending_human_request": True}]}) == (full,)
    minimal = CaseRun(id="run-1", agent_id="agent-1", status=RunStatus.WAITING, created_at=NOON)
    assert decoded(call, {"runs": [RUN, {**RUN, "new": 1}]}) == (minimal, minimal)
    with pytest.raises(DecodeProblem, match=r"\$.runs\[0\].agent_id"):
        decoded(call, {"runs": [{"id": "r", "status": "s", "created_at": STAMP}]})


def test_messages_of_every_kind_are_understood() -> None:
    common = {"id": "m", "runtime": "responses", "timestamp": STAMP, "raw_message": {}}
    said = {**common, "role": "assistant"}
    body = {
        "messages": [
            {**said, "type": "text", "text_content": "hi", "metadata": {}},
            {**said, "type": "tool_call", "tool_call": {"id": "c", "name": "n"}},
            {**said, "type": "tool_result", "tool_result": {"tool_call_id": "c", "result": [1]}},
            {**common, "role": "duvo", "type": "session_error", "error": "oh"},
        ]
    }
    text, called, result, error = decoded(messages(), body)
    assert (text.text_content, text.timestamp) == ("hi", NOON)
    assert called.tool_call.name == "n"
    assert result.tool_result.result == [1]
    assert (error.role, error.type) == ("duvo", "session_error")
