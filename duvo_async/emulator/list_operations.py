"""The operation that lists runs."""

from attrs import frozen

from duvo_async.emulator.exchange import Response, json_response
from duvo_async.emulator.routing import Call, Route
from duvo_async.emulator.run_list import RunList, Selection, Test
from duvo_async.emulator.validation import (
    check_empty,
    read_choice,
    read_integer,
    read_moment,
    read_uuid,
)

_STATUSES = (
    "not_started",
    "pending",
    "starting",
    "running",
    "waiting",
    "completed",
    "failed",
    "interrupted",
    "stopped",
    "needs_attention",
)
_SEVERITIES = ("critical", "medium", "low")
_ORDER = frozenset({"limit", "offset", "sort_by", "sort_order"})
_FILTERS = frozenset({"status", "agent_id", "user_id", "case_queue_id"})
_SEARCH = frozenset({"source", "search", "since"})
_ISSUES = frozenset({"has_issues", "issue_severity", "digest_id"})
_QUERY = _ORDER | _FILTERS | _SEARCH | _ISSUES


@frozen
class ListOperations:
    """The operation that lists runs.

    Attributes:
        runs: The runs.
    """

    runs: RunList

    def routes(self) -> tuple[Route, ...]:
        """Where it is found."""
        return (Route("GET", "/v2/teams/{team_id}/runs", self.list_runs, _QUERY),)

    def list_runs(self, call: Call) -> Response:
        """Shows a page of the runs, newest first unless it is asked otherwise."""
        check_empty(call.request)
        page, total = self.runs.select(_read_selection(call.query))
        return json_response(200, {"data": [run.as_listed() for run in page], "total": total})


def _read_selection(query: dict[str, str]) -> Selection:
    read_choice(query, "sort_by", ("created_at",))
    return Selection(
        since=read_moment(query, "since"),
        tests=(*_read_tests(query), *_read_issue_tests(query)),
        newest_first=read_choice(query, "sort_order", ("asc", "desc")) != "asc",
        offset=read_integer(query, "offset", 0, 0),
        limit=read_integer(query, "limit", 20, 1, 100),
    )


def _read_tests(query: dict[str, str]) -> list[Test]:
    tests: list[Test] = []
    if (status := read_choice(query, "status", _STATUSES)) is not None:
        sought = "waiting" if status == "needs_attention" else status
        tests.append(lambda run: run.status == sought)
    if (agent_id := read_uuid(query, "agent_id")) is not None:
        tests.append(lambda run: run.agent.id == agent_id)
    if (user_id := read_uuid(query, "user_id")) is not None:
        tests.append(lambda run: run.user_id == user_id)
    if (queue_id := read_uuid(query, "case_queue_id")) is not None:
        tests.append(lambda run: run.queue_id == queue_id)
    if (source := query.get("source")) is not None:
        tests.append(lambda run: run.source == source)
    if text := query.get("search", "").casefold():
        tests.append(lambda run: text in run.title.casefold())
    return tests


def _read_issue_tests(query: dict[str, str]) -> list[Test]:
    """The tests of how runs were judged: here none ever is, so none has an issue or a digest."""
    has_issues = read_choice(query, "has_issues", ("true", "false"))
    severity = read_choice(query, "issue_severity", _SEVERITIES)
    digest_id = read_uuid(query, "digest_id")
    judged = has_issues == "true" or severity is not None or digest_id is not None
    return [lambda _: False] if judged else []
