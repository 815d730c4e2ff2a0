from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from duvo_async.emulator import AskApproval, Finish, Sleep

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from duvo_async.emulator import StartedRun, Step
    from tests.support.queue_api import QueueApi


def add_one_a_second(queue: QueueApi, *titles: str) -> list[str]:
    case_ids: list[str] = []
    for title in titles:
        case_ids += queue.add(title)
        queue.api.clock.advance(1)
    return case_ids


def test_the_newest_case_comes_first_unless_asked_otherwise(queue: QueueApi) -> None:
    add_one_a_second(queue, "a", "b", "c")
    assert queue.titles("") == queue.titles("sort_order=desc") == ["c", "b", "a"]
    assert queue.titles("sort_by=created_at&sort_order=asc") == ["a", "b", "c"]
    assert queue.titles("sort_by=postponed_to&sort_order=asc") == ["a", "b", "c"]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_the_pages_make_up_the_list(queue: QueueApi, order: str) -> None:
    queue.add(*(str(number) for number in range(45)))
    pages = [queue.page(f"sort_order={order}&offset={offset}") for offset in (0, 20, 40, 60)]
    assert [len(page["cases"]) for page in pages] == [20, 20, 5, 0]
    assert {(page["total"], page["limit"]) for page in pages} == {(45, 20)}
    assert [page["offset"] for page in pages] == [0, 20, 40, 60]
    titles = [case["title"] for page in pages for case in page["cases"]]
    assert titles == sorted(titles, key=int, reverse=order == "desc")


def test_cases_are_sorted_though_the_clock_runs_back(queue: QueueApi) -> None:
    for title, seconds in (("a", -20), ("b", 10), ("c", 10)):
        queue.add(title)
        queue.api.clock.advance(seconds)
    assert queue.titles() == ["b", "c", "a"]
    assert queue.titles("sort_by=updated_at&sort_order=asc") == ["b", "c", "a"]


def test_what_changed_last_comes_first_when_asked(queue: QueueApi) -> None:
    first, *_ = add_one_a_second(queue, "a", "b", "c")
    queue.bulk("update-priority", {"case_ids": [first], "priority": "high"})
    assert queue.titles("sort_by=updated_at") == ["a", "c", "b"]
    assert queue.titles() == ["a", "b", "c"]


def test_changes_since_a_moment_can_be_listed(queue: QueueApi) -> None:
    first, *_ = add_one_a_second(queue, "a", "b", "c")
    queue.bulk("update-status", {"case_ids": [first], "status": "failed"})
    changed = "updated_at_from=2023-11-14T22:13:22Z"
    assert queue.titles(f"{changed}&sort_by=updated_at&sort_order=asc") == ["c", "a"]
    assert queue.titles(f"{changed}&sort_order=asc") == ["a", "c"]
    assert queue.titles(f"{changed}&created_at_from=2023-11-14T22:13:21.000Z") == ["c"]
    shown = queue.case(first)["updated_at"]
    assert queue.titles(f"sort_by=updated_at&updated_at_from={shown}") == ["a"]


def test_cases_created_since_a_moment_can_be_listed(queue: QueueApi) -> None:
    add_one_a_second(queue, "a", "b", "c")
    since = "created_at_from=2023-11-14T23:13:21%2B01:00"
    assert queue.titles(f"{since}&sort_order=asc") == ["b", "c"]
    assert queue.titles(f"{since}&sort_by=updated_at") == ["c", "b"]
    assert queue.titles(f"{since}&status=pending,failed") == ["c", "b"]
    assert queue.titles(f"{since}&status=pending") == ["c", "b"]


def script_by_title(run: StartedRun) -> Generator[Step]:
    title = (run.message or "").partition("\n")[0]
    if title == "asks":
        yield AskApproval("Post?")
    elif title == "runs":
        yield Sleep(60)
    else:
        yield Finish("failed" if title == "fails" else "completed")


@pytest.mark.parametrize(
    ("words", "titles"),
    [
        ("pending", ["waits"]),
        ("claimed", ["runs"]),
        ("needs_input", ["asks"]),
        ("completed", ["succeeds"]),
        ("failed", ["fails"]),
        ("postponed", []),
        ("claimed,needs_input", ["asks", "runs"]),
        ("failed,%20completed", ["fails", "succeeds"]),
    ],
)
def test_cases_can_be_chosen_by_status(queue: QueueApi, words: str, titles: list[str]) -> None:
    queue.add("asks", "runs", "fails", "succeeds")
    agent_id, trigger_id = queue.trigger(script_by_title)
    path = f"/v2/agents/{agent_id}/case-triggers/{trigger_id}"
    queue.api.call("PATCH", path, {"enabled": False})
    queue.add("waits")
    assert queue.titles(f"status={words}&sort_order=asc") == titles
    assert queue.page(f"status={words}&limit=1")["total"] == len(titles)
    statuses = words.replace("%20", "").split(",")
    assert queue.found(filters={"status": statuses}) == titles


def test_cases_can_be_chosen_by_priority(queue: QueueApi) -> None:
    for priority in ("none", "medium", "high"):
        queue.add(priority, priority=priority)
    assert queue.titles("priority=high") == ["high"]
    assert queue.titles("priority=none,high&sort_order=asc") == ["none", "high"]
    assert queue.found(filters={"priority": ["medium"]}) == ["medium"]


def test_titles_and_data_are_searched(queue: QueueApi) -> None:
    queue.add("An INVOICE")
    queue.add("b", data="the invoice of May")
    queue.add("c", data="nothing")
    assert queue.titles("search=Invoice&sort_order=asc") == ["An INVOICE", "b"]
    assert queue.found(search="Invoice") == ["An INVOICE", "b"]
    assert queue.titles("search=&sort_order=asc") == ["An INVOICE", "b", "c"]
    first, second = queue.search(search="INVOICE", sort_order="asc")["cases"]
    assert "search_match_data_snippet" not in first
    snippet = {"before": "the ", "match": "invoice", "after": " of May"}
    assert second["search_match_data_snippet"] == snippet


def test_a_snippet_is_short(queue: QueueApi) -> None:
    queue.add("a", data=f"{'b' * 100}(x){'c' * 100}")
    (case,) = queue.search(search="(X)")["cases"]
    assert case["search_match_data_snippet"] == {
        "before": "b" * 40,
        "match": "(x)",
        "after": "c" * 40,
    }


def test_labels_choose_cases_by_all_keys_and_any_value(queue: QueueApi) -> None:
    def labels(**values: str) -> list[dict[str, str]]:
        return [{"key": key, "value": value} for key, value in values.items()]

    queue.add("a", labels=labels(year="2022", unit="EUR"))
    queue.add("b", labels=labels(year="2023", unit="EUR"))
    queue.add("c", labels=labels(year="2023"))
    assert queue.found(filters={"labels": {"year": ["2023"]}}) == ["b", "c"]
    assert queue.found(filters={"labels": {"year": ["2022", "2023"]}}) == ["a", "b", "c"]
    assert queue.found(filters={"labels": {"year": ["2023"], "unit": ["EUR"]}}) == ["b"]
    assert queue.found(filters={"labels": {"year": []}}) == ["a", "b", "c"]
    assert queue.found(filters={"labels": {"": ["2023"]}}) == []


def test_a_search_has_pages_of_its_own_length(queue: QueueApi) -> None:
    queue.add(*(str(number) for number in range(30)))
    page = queue.search()
    assert (page["total"], page["limit"], page["offset"]) == (30, 25, 0)
    assert len(page["cases"]) == 25
    assert queue.found(limit=2, offset=28) == ["28", "29"]
    since = {"created_at_from": "2023-11-14T22:13:20Z", "updated_at_from": "2023-11-14T22:13:21Z"}
    assert queue.found(filters=since, sort_by="updated_at") == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "offset=-1",
        "status=",
        "status=running",
        "status=pending,",
        "priority=low",
        "sort_by=title",
        "sort_order=up",
        "created_at_from=yesterday",
        "updated_at_from=2023-02-30T00:00:00Z",
        "labels=x",
    ],
)
def test_a_bad_query_is_refused(queue: QueueApi, query: str) -> None:
    assert queue.api.get(f"{queue.path}/cases?{query}").status == 400


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": True},
        {"limit": "1"},
        {"offset": -1},
        {"sort_by": "title"},
        {"sort_order": 1},
        {"search": None},
        {"filters": []},
        {"filters": {"status": "pending"}},
        {"filters": {"status": ["running"]}},
        {"filters": {"priority": [None]}},
        {"filters": {"created_at_from": "2023-11-14"}},
        {"filters": {"labels": []}},
        {"filters": {"labels": {"a": "b"}}},
        {"filters": {"labels": {"a": [1]}}},
        {"filters": {"search": "x"}},
        {"status": ["pending"]},
    ],
)
def test_a_bad_search_is_refused(queue: QueueApi, body: object) -> None:
    assert queue.api.post(f"{queue.path}/cases/search", body).status == 400


def test_any_page_of_any_order_is_a_part_of_the_whole(
    queue: QueueApi, make_cases: Callable[[QueueApi], None]
) -> None:
    make_cases(queue)
    everything = queue.page("limit=100&sort_order=asc")["cases"]
    for sort, key in (("created_at", "created_at"), ("updated_at", "updated_at")):
        listed = queue.page(f"limit=100&sort_by={sort}&sort_order=asc")["cases"]
        assert [case[key] for case in listed] == sorted(case[key] for case in everything)
        assert {case["id"] for case in listed} == {case["id"] for case in everything}
    for status, state in (("pending", "pending"), ("failed", "failed"), ("completed", "completed")):
        wanted = [case["id"] for case in everything if case["display_status"] == state]
        listed = queue.page(f"limit=100&status={status}&sort_order=asc")["cases"]
        assert [case["id"] for case in listed] == wanted


@pytest.fixture
def make_cases() -> Callable[[QueueApi], None]:
    def make(queue: QueueApi) -> None:
        case_ids = add_one_a_second(queue, *"abcdefgh")
        for place, status in ((3, "failed"), (0, "completed"), (3, "pending"), (5, "failed")):
            queue.bulk("update-status", {"case_ids": [case_ids[place]], "status": status})
            queue.api.clock.advance(1)
        queue.api.call("DELETE", f"/v2/cases/{case_ids[1]}")

    return make
