"""The operation that lists runs."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from duvo_async.emulator.exchange import Response, json_response
from duvo_async.emulator.parameters import a_choice, a_moment, a_text, an_id, page
from duvo_async.emulator.routing import Call, Route
from duvo_async.emulator.run_list import RunList, Selection, Test

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
_QUERY = {
    **page(20, 100),
    "sort_by": a_choice(("created_at",)),
    "sort_order": a_choice(("asc", "desc")),
    "status": a_choice(_STATUSES),
    "agent_id": an_id(),
    "user_id": an_id(),
    "case_queue_id": an_id(),
    "source": a_text(),
    "search": a_text(default=""),
    "since": a_moment,
    "has_issues": a_choice(("true", "false")),
    "issue_severity": a_choice(_SEVERITIES),
    "digest_id": an_id(),
}


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
        page, total = self.runs.select(_read_selection(call.query))
        return json_response(200, {"data": [run.as_listed() for run in page], "total": total})


def _read_selection(query: Mapping[str, Any]) -> Selection:
    return Selection(
        since=query["since"],
        tests=(*_read_tests(query), *_read_issue_tests(query)),
        newest_first=query["sort_order"] != "asc",
        offset=query["offset"],
        limit=query["limit"],
    )


def _read_tests(query: Mapping[str, Any]) -> list[Test]:
    tests: list[Test] = []
    if (status := query["status"]) is not None:
        sought = "waiting" if status == "needs_attention" else status
        tests.append(lambda run: run.status == sought)
    if (agent_id := query["agent_id"]) is not None:
        tests.append(lambda run: run.agent.id == agent_id)
    if (user_id := query["user_id"]) is not None:
        tests.append(lambda run: run.user_id == user_id)
    if (queue_id := query["case_queue_id"]) is not None:
        tests.append(lambda run: run.queue_id == queue_id)
    if (source := query["source"]) is not None:
        tests.append(lambda run: run.source == source)
    if text := query["search"].casefold():
        tests.append(lambda run: text in run.title.casefold())
    return tests


def _read_issue_tests(query: Mapping[str, Any]) -> list[Test]:
    """The tests of how runs were judged: here none ever is, so none has an issue or a digest."""
    has_issues = query["has_issues"]
    severity = query["issue_severity"]
    digest_id = query["digest_id"]
    judged = has_issues == "true" or severity is not None or digest_id is not None
    return [lambda _: False] if judged else []
