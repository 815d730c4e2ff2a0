"""Reads which cases a request is about, out of its query or its body."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from duvo_async.emulator.case_list import CaseFilter, CaseSelection
from duvo_async.emulator.cases import PRIORITIES
from duvo_async.emulator.checks import integer, list_of, map_of, object_of, one_of, text_of
from duvo_async.emulator.exchange import ApiError
from duvo_async.emulator.parameters import a_choice, a_moment, a_text, an_integer, some_of
from duvo_async.emulator.queues import CaseDraft
from duvo_async.emulator.validation import (
    Field,
    boolean,
    filled_text,
    moment,
    text,
    uuid,
)

_STATES = {
    "pending": "pending",
    "claimed": "in_progress",
    "completed": "completed",
    "failed": "failed",
    "needs_input": "needs_input",
    "postponed": "postponed",
}
"""The state that each status of a filter stands for."""

_ORDERS = ("created_at", "updated_at", "postponed_to")
_DIRECTIONS = ("asc", "desc")
QUERY = {
    "limit": an_integer(20, 1, 100),
    "offset": an_integer(0, 0, 2**53 - 1),
    "sort_by": a_choice(_ORDERS),
    "sort_order": a_choice(_DIRECTIONS),
    "status": some_of(_STATES),
    "priority": some_of(PRIORITIES),
    "search": a_text(default=""),
    "created_at_from": a_moment,
    "updated_at_from": a_moment,
}
"""The query parameters of a list of cases."""

LABEL = object_of({"key": Field(text), "value": Field(filled_text, required=True)})
"""Checks for a label by its key and value."""

_CASE = object_of(
    {
        "title": Field(text_of(1, 500), required=True),
        "data": Field(text),
        "labels": Field(list_of(LABEL, 0, 50)),
        "priority": Field(one_of(PRIORITIES)),
    }
)
CREATE = {"case": Field(_CASE), "cases": Field(list_of(_CASE, 1, 100))}
"""The body that creates cases."""

_FILTER = object_of(
    {
        "status": Field(list_of(one_of(_STATES))),
        "priority": Field(list_of(one_of(PRIORITIES))),
        "created_at_from": Field(moment),
        "updated_at_from": Field(moment),
        "labels": Field(map_of(list_of(text))),
    }
)
SEARCH = {
    "filters": Field(_FILTER),
    "limit": Field(integer(1, 100)),
    "offset": Field(integer(0)),
    "sort_by": Field(one_of(_ORDERS)),
    "sort_order": Field(one_of(_DIRECTIONS)),
    "search": Field(text),
}
"""The body that searches for cases."""

CHOOSE = {
    "case_ids": Field(list_of(uuid, 1, 100)),
    "all_matching": Field(boolean),
    "filters": Field(_FILTER),
    "search": Field(text),
}
"""The part of a body that chooses the cases of a bulk operation."""


def read_drafts(body: Mapping[str, Any]) -> list[CaseDraft]:
    """The cases that a body creates.

    Raises:
        ApiError: 400 when it has both kinds of them, or neither.
    """
    if len(body) != 1:
        raise ApiError(400, "the body must have either case or cases")
    cases = body["cases"] if "cases" in body else [body["case"]]
    return [
        CaseDraft(
            each["title"],
            each.get("data", ""),
            each.get("priority", "none"),
            read_labels(each.get("labels", [])),
        )
        for each in cases
    ]


def read_labels(labels: list[dict[str, str]]) -> tuple[tuple[str, str], ...]:
    """The keys and values of labels that were checked."""
    return tuple((label.get("key", ""), label["value"]) for label in labels)


def read_listed(query: Mapping[str, Any]) -> CaseSelection:
    """The part of the list that a query asks for."""
    states = query["status"]
    wanted = CaseFilter(
        states=None if states is None else frozenset(_STATES[each] for each in states),
        priorities=query["priority"],
        created_from=query["created_at_from"],
        updated_from=query["updated_at_from"],
        text=query["search"],
    )
    return CaseSelection(
        filter=wanted,
        by_update=query["sort_by"] == "updated_at",
        newest_first=query["sort_order"] != "asc",
        offset=query["offset"],
        limit=query["limit"],
    )


def read_searched(body: Mapping[str, Any]) -> CaseSelection:
    """The part of the list that a body searches for."""
    return CaseSelection(
        filter=read_filter(body),
        by_update=body.get("sort_by") == "updated_at",
        newest_first=body.get("sort_order") != "asc",
        offset=body.get("offset", 0),
        limit=body.get("limit", 25),
    )


def read_filter(body: Mapping[str, Any]) -> CaseFilter:
    """The cases that a body wants by its filters and its search."""
    filters = body.get("filters", {})
    states = [_STATES[each] for each in filters.get("status", ())]
    return CaseFilter(
        states=frozenset(states) or None,
        priorities=frozenset(filters.get("priority", ())) or None,
        created_from=_seconds(filters.get("created_at_from")),
        updated_from=_seconds(filters.get("updated_at_from")),
        labels={key: values for key, values in filters.get("labels", {}).items() if values},
        text=body.get("search", ""),
    )


def _seconds(value: str | None) -> float:
    return -math.inf if value is None else datetime.fromisoformat(value).timestamp()
