"""What is sent to find runs, and what the answer means."""

from datetime import datetime

from duvo_async._operations._fields import (
    ORDERS,
    SortOrder,
    choice,
    filled,
    flag,
    get,
    instant,
    page,
    whole,
)
from duvo_async._protocol import Call, Page
from duvo_async._routes import Routes
from duvo_async.models import RunSummary

MAX_RUNS = 100
"""Runs a page (API reference, "List Runs")."""


def find_runs(  # noqa: PLR0913 - the filters
    routes: Routes,
    *,
    status: str | None,
    agent_id: str | None,
    user_id: str | None,
    case_queue_id: str | None,
    source: str | None,
    search: str | None,
    has_issues: bool | None,
    issue_severity: str | None,
    since: datetime | None,
    digest_id: str | None,
    sort_order: SortOrder | None,
    limit: int,
    offset: int,
) -> Call[Page[RunSummary]]:
    """Read a page of the runs that fit what is given; `list_runs` is for following them."""
    words = {
        "status": status,
        "agent_id": agent_id,
        "user_id": user_id,
        "case_queue_id": case_queue_id,
        "source": source,
        "search": search,
        "issue_severity": issue_severity,
        "digest_id": digest_id,
    }
    query = {
        **{name: None if each is None else filled(name, each) for name, each in words.items()},
        "has_issues": None if has_issues is None else flag("has_issues", has_issues),
        "since": None if since is None else instant("since", since),
        "sort_order": None if sort_order is None else choice("sort_order", sort_order, ORDERS),
        "limit": whole("limit", limit, least=1, most=MAX_RUNS),
        "offset": whole("offset", offset, least=0),
    }
    return Call(get(routes.runs(), query), page("data", RunSummary))
