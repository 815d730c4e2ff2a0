import json
from datetime import UTC, datetime
from typing import Any

import pytest

from duvo_async import Evaluation, EvaluationStatus, IssueCounts, RunStatus, RunSummary
from duvo_async import _operations as operations
from duvo_async._converter import DecodeProblem
from duvo_async._protocol import Call, Page, Response
from duvo_async._routes import Routes

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
FILTERS: dict[str, Any] = {
    "status": None,
    "agent_id": None,
    "user_id": None,
    "case_queue_id": None,
    "source": None,
    "search": None,
    "has_issues": None,
    "issue_severity": None,
    "since": None,
    "digest_id": None,
    "sort_order": None,
}


def find_runs(routes: Routes | None = None, **given: Any) -> Call[Any]:  # noqa: ANN401
    fields: dict[str, Any] = {**FILTERS, "limit": 100, "offset": 0, **given}
    return operations.find_runs(routes or Routes("v1"), **fields)


def decoded(body: object) -> Any:  # noqa: ANN401
    text = json.dumps(body).encode()
    return find_runs().decode(Response(status=200, reason="", headers={}, body=text))


def test_runs_are_where_the_generation_has_them() -> None:
    for routes, path in (
        (Routes("v1"), "/v1/runs"),
        (Routes("v2", "team-7"), "/v2/teams/team-7/runs"),
    ):
        request = find_runs(routes).request
        assert (request.method, request.path, request.body) == ("GET", path, None)
        assert request.query == (("limit", "100"), ("offset", "0"))


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"status": "needs_attention"}, "needs_attention"),
        ({"status": RunStatus.FAILED}, "failed"),
        ({"agent_id": "agent-1"}, "agent-1"),
        ({"user_id": "user-1"}, "user-1"),
        ({"case_queue_id": "queue-1"}, "queue-1"),
        ({"source": "api"}, "api"),
        ({"search": "month end"}, "month end"),
        ({"has_issues": True}, "true"),
        ({"has_issues": False}, "false"),
        ({"issue_severity": "critical"}, "critical"),
        ({"since": NOON}, "2026-07-01T12:00:00.000Z"),
        ({"digest_id": "digest-1"}, "digest-1"),
        ({"sort_order": "asc"}, "asc"),
        ({"limit": 7}, "7"),
        ({"offset": 9}, "9"),
    ],
)
def test_what_is_given_is_asked_for(given: dict[str, Any], sent: str) -> None:
    (name,) = given
    query = dict(find_runs(**given).request.query)
    assert query == {"limit": "100", "offset": "0", name: sent}


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        *(({name: ""}, ValueError, f"{name} must not be empty") for name in list(FILTERS)[:6]),
        ({"status": ["failed"]}, TypeError, "status must be a string"),
        ({"issue_severity": ""}, ValueError, "issue_severity must not be empty"),
        ({"digest_id": " "}, ValueError, "digest_id must not be empty"),
        ({"has_issues": "yes"}, TypeError, "has_issues must be True or False"),
        ({"since": "2026-07-01"}, TypeError, "since must be a datetime"),
        ({"sort_order": "up"}, ValueError, "sort_order must be one of asc, desc"),
        ({"limit": 0}, ValueError, "at least 1 and at most 100"),
        ({"limit": 101}, ValueError, "at least 1 and at most 100"),
        ({"offset": -1}, ValueError, "at least 0"),
    ],
)
def test_what_cannot_be_is_refused(
    given: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        find_runs(**given)


ROW: dict[str, Any] = {
    "id": "run-1",
    "agent_id": "agent-1",
    "build_id": "build-1",
    "status": "running",
    "started_at": None,
    "completed_at": None,
    "created_at": "2026-07-01T12:00:00Z",
    "updated_at": "2026-07-01T12:00:00Z",
}
MINIMAL = RunSummary(
    id="run-1",
    agent_id="agent-1",
    build_id="build-1",
    status=RunStatus.RUNNING,
    started_at=None,
    completed_at=None,
    created_at=NOON,
    updated_at=NOON,
)
MORE: dict[str, Any] = {
    "source": "api",
    "title": "Month end",
    "run_number": 7,
    "agent_name": "Clerk",
    "user_id": "user-1",
    "case_queue_item_id": "case-1",
    "case_title": "Invoice 1",
    "case_queue_id": "queue-1",
    "case_queue_name": "Invoices",
    "postponed_to": "2026-07-01T12:00:00Z",
    "submitted_prompt_count": 2,
    "eval_summaries": {
        "passed": 1,
        "total": 2,
        "final_comment": "so so",
        "status": "ready",
        "severityCounts": {"critical": 1, "medium": 0, "low": 3},
    },
}


def test_a_run_of_the_list_is_understood() -> None:
    expected = RunSummary(
        id="run-1",
        agent_id="agent-1",
        build_id="build-1",
        status=RunStatus.RUNNING,
        started_at=None,
        completed_at=None,
        created_at=NOON,
        updated_at=NOON,
        source="api",
        title="Month end",
        run_number=7,
        agent_name="Clerk",
        user_id="user-1",
        case_queue_item_id="case-1",
        case_title="Invoice 1",
        case_queue_id="queue-1",
        case_queue_name="Invoices",
        postponed_to=NOON,
        submitted_prompt_count=2,
        eval_summaries=Evaluation(
            status=EvaluationStatus.READY,
            passed=1.0,
            total=2.0,
            final_comment="so so",
            severity_counts=IssueCounts(critical=1, low=3),
        ),
    )
    assert decoded({"data": [{**ROW, **MORE}], "total": 3}) == Page((expected,), 3)


@pytest.mark.parametrize("row", [ROW, {**ROW, "new": [1]}, {**ROW, **dict.fromkeys(MORE)}])
def test_what_a_run_of_the_list_lacks_is_none(row: dict[str, Any]) -> None:
    assert decoded({"data": [row], "more": 1}) == Page((MINIMAL,), None)


@pytest.mark.parametrize("missing", ROW)
def test_a_run_of_the_list_has_an_identity(missing: str) -> None:
    row = {name: value for name, value in ROW.items() if name != missing}
    with pytest.raises(DecodeProblem) as caught:
        decoded({"data": [row]})
    assert caught.value.problems == (f"required field missing @ $.data[0].{missing}",)


def test_a_followed_run_is_read_no_further_than_it_is_needed() -> None:
    call = operations.list_runs(Routes("v1"), since=NOON, offset=0, limit=100)
    body = json.dumps({"data": [{**ROW, "run_number": "no number"}]}).encode()
    (row,) = call.decode(Response(status=200, reason="", headers={}, body=body))
    assert row.id == "run-1"
