from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from duvo_async.emulator import AskApproval, Finish, Sleep

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Api

NOBODY = "5f0c1d3e-8a57-4b0e-9a52-d0a7e8a4b6c1"
START = "2023-11-14T22:13:20.000Z"


def page(api: Api, query: str = "") -> dict[str, Any]:
    response = api.get(f"/v1/runs?{query}")
    assert response.status == 200, response.body
    return response.json()


def titles(api: Api, query: str = "") -> list[str]:
    return [row["title"] for row in page(api, query)["data"]]


def start_one_a_second(api: Api, *messages: str) -> None:
    for message in messages:
        api.start(message=message)
        api.clock.advance(1)


def test_a_row_sums_a_run_up(api: Api) -> None:
    run_id = api.start([AskApproval("Post?")], message="go")
    api.clock.advance(60)
    run = api.run(run_id)
    assert page(api)["data"] == [
        {
            "id": run_id,
            "agent_id": run["agent_id"],
            "agent_name": "Agent 1",
            "build_id": run["build_id"],
            "status": "waiting",
            "source": "api",
            "title": "go",
            "run_number": 1,
            "started_at": START,
            "completed_at": None,
            "created_at": START,
            "updated_at": START,
            "user_id": api.emulator.user_id,
            "case_queue_item_id": None,
            "case_queue_id": None,
            "case_queue_name": None,
            "case_title": None,
            "postponed_to": None,
            "submitted_prompt_count": 1,
        }
    ]


def test_the_prompts_of_a_person_are_counted(api: Api) -> None:
    run_id = api.start()
    api.post(f"/v1/runs/{run_id}/messages", {"message": "more"})
    api.post(f"/v1/runs/{run_id}/messages", {"message": "still more"})
    assert [row["submitted_prompt_count"] for row in page(api)["data"]] == [2]


@pytest.mark.parametrize(
    ("message", "title"),
    [(None, "Run 1"), ("", "Run 1"), ("\u00e9" * 81, "\u00e9" * 80)],
)
def test_a_title_is_the_beginning_of_the_message(api: Api, message: str | None, title: str) -> None:
    api.emulator.start_run(api.emulator.demo_agent_id, message)
    assert titles(api) == [title]


def test_there_may_be_no_runs(api: Api) -> None:
    assert page(api) == {"data": [], "total": 0}


@pytest.mark.parametrize("seconds", [1, 0])
def test_the_newest_run_comes_first_unless_asked_otherwise(api: Api, seconds: float) -> None:
    for _ in range(3):
        api.start()
        api.clock.advance(seconds)
    assert titles(api) == titles(api, "sort_order=desc") == ["Run 3", "Run 2", "Run 1"]
    assert titles(api, "sort_by=created_at&sort_order=asc") == ["Run 1", "Run 2", "Run 3"]


def test_runs_are_sorted_though_the_clock_runs_back(api: Api) -> None:
    for seconds in (0, -20, 10, 10):
        api.clock.advance(seconds)
        api.start()
    assert titles(api, "sort_order=asc") == ["Run 2", "Run 3", "Run 1", "Run 4"]
    assert titles(api, f"since={START}") == ["Run 4", "Run 1"]


def test_runs_come_in_pages(api: Api) -> None:
    agent_id = api.emulator.add_agent([])
    for _ in range(123):
        api.emulator.start_run(agent_id)
    assert titles(api) == [f"Run {number}" for number in range(123, 103, -1)]
    assert titles(api, "limit=3&offset=2") == ["Run 121", "Run 120", "Run 119"]
    assert titles(api, "limit=3&offset=121") == ["Run 2", "Run 1"]
    assert titles(api, "limit=3&offset=123&sort_order=asc") == []
    assert titles(api, "limit=2&offset=100&sort_order=asc") == ["Run 101", "Run 102"]
    assert titles(api, "limit=2&offset=1&search=run+12") == ["Run 122", "Run 121"]
    assert len(titles(api, "limit=100")) == 100
    assert page(api, "limit=1&offset=500")["total"] == 123


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("completed", ["Run 1"]),
        ("waiting", ["Run 3", "Run 2"]),
        ("needs_attention", ["Run 3", "Run 2"]),
        ("running", ["Run 4"]),
        ("stopped", ["Run 5"]),
        ("pending", []),
    ],
)
def test_runs_are_chosen_by_their_status(api: Api, status: str, found: list[str]) -> None:
    for script in (
        [],
        [AskApproval("Post?")],
        [Finish("waiting")],
        [Sleep(9)],
        [Finish("stopped")],
    ):
        api.start(script)
    assert titles(api, f"status={status}") == found
    assert page(api, f"status={status}&limit=1")["total"] == len(found)


def test_runs_are_chosen_by_their_agent(api: Api) -> None:
    api.start(message="one")
    agent_id = api.run(api.start(message="two"))["agent_id"]
    assert titles(api, f"agent_id={agent_id}") == ["two"]
    assert titles(api, f"agent_id={agent_id.upper()}") == ["two"]
    assert titles(api, f"agent_id={NOBODY}") == []


def test_runs_are_chosen_by_their_title(api: Api) -> None:
    start_one_a_second(api, "Post the ENTRIES", "post no entries", "Gr\u00fc\u00dfe")
    assert titles(api, "search=The+entries") == ["Post the ENTRIES"]
    assert titles(api, "search=POST") == ["post no entries", "Post the ENTRIES"]
    assert titles(api, "search=GR%C3%9CSSE") == ["Gr\u00fc\u00dfe"]
    assert len(titles(api, "search=")) == 3


@pytest.mark.parametrize(
    ("since", "found"),
    [
        ("2023-11-14T22:13:20Z", ["c", "b", "a"]),
        ("2023-11-14T22:13:20.001Z", ["c", "b"]),
        ("2023-11-14T23:13:21.000000%2B01:00", ["c", "b"]),
        ("2023-11-14T22:13:22.0001Z", []),
        ("0001-01-01T00:00:00%2B14:00", ["c", "b", "a"]),
    ],
)
def test_runs_are_chosen_by_their_creation(api: Api, since: str, found: list[str]) -> None:
    start_one_a_second(api, "a", "b", "c")
    assert titles(api, f"since={since}") == found
    assert titles(api, f"since={since}&sort_order=asc") == found[::-1]
    assert page(api, f"since={since}&limit=1")["total"] == len(found)


def test_a_run_is_not_older_than_it_is_shown(api: Api) -> None:
    api.clock.now = 1_700_000_000.1229997  # shown as .123, for times are rounded on the way
    created_at = api.run(api.start())["created_at"]
    assert created_at == "2023-11-14T22:13:20.123Z"
    assert titles(api, f"since={created_at}") == ["Run 1"]


def test_choices_can_be_combined(api: Api) -> None:
    start_one_a_second(api, "old red", "red", "green")
    api.start([Sleep(9)], message="red")
    query = "since=2023-11-14T22:13:21Z&search=red&status=completed&source=api"
    assert [row["run_number"] for row in page(api, query)["data"]] == [2]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=x",
        "limit=1&limit=2",
        "offset=-1",
        "offset=",
        "sort_by=title",
        "sort_by=",
        "sort_order=DESC",
        "status=canceled",
        "status=",
        "status=running&status=waiting",
        "agent_id=17",
        "agent_id=",
        "since=",
        "since=1700000000",
        "since=2023-11-14",
        "since=2023-11-14T22:13:20",
        "since=2023-11-14T22:13:20+00:00",
        "since=2023-02-30T22:13:20Z",
        "since=2023-11-14T25:13:20Z",
        "since=\u0662023-11-14T22:13:20Z",
        "user_id=17",
        "case_queue_id=",
        "has_issues=1",
        "issue_severity=high",
        "digest_id=17",
        "automation_id=" + NOBODY,
        "page=2",
    ],
)
def test_a_bad_query_is_refused(api: Api, query: str) -> None:
    api.start()
    response = api.get(f"/v1/runs?{query}")
    assert response.status == 400
    assert f"query.{query.partition('=')[0]}" in response.json()["message"]


def test_a_list_takes_no_body(api: Api) -> None:
    assert api.call("GET", "/v1/runs", {}).status == 400


def test_a_deleted_run_is_not_listed(api: Api) -> None:
    start_one_a_second(api, "a", "b", "c")
    api.emulator.delete_run(page(api)["data"][1]["id"])
    assert titles(api) == ["c", "a"]
    assert page(api)["total"] == 2
    api.start()
    assert titles(api)[0] == "Run 4"


def test_runs_of_a_schedule_are_listed_as_such(api: Api) -> None:
    agent_id = api.emulator.add_agent([])
    run_id = api.emulator.start_run(agent_id, "nightly")
    assert api.emulator.requests == ()
    api.start()
    assert api.run(run_id)["source"] == "schedule"
    assert api.status(run_id) == "completed"
    assert api.texts(run_id) == ["nightly"]
    assert titles(api, "source=schedule") == ["nightly"]
    assert titles(api, "source=api") == ["Run 2"]
    assert titles(api, "source=") == []


def test_a_run_of_a_schedule_uses_up_nothing(make_api: Callable[..., Api]) -> None:
    api = make_api(requests_per_minute=1)
    for _ in range(3):
        api.emulator.start_run(api.emulator.demo_agent_id)
    assert page(api)["total"] == 3


def test_a_schedule_needs_an_agent(api: Api) -> None:
    with pytest.raises(KeyError):
        api.emulator.start_run(NOBODY)
    assert page(api)["total"] == 0


def test_the_list_can_be_taken_away(api: Api) -> None:
    assert api.call("DELETE", "/v1/runs").headers["allow"] == "GET, POST"
    api.emulator.lists_runs = False
    response = api.get("/v1/runs?limit=0")
    assert (response.status, response.headers["allow"]) == (405, "POST")
    run_id = api.start()
    assert api.status(run_id) == "completed"
    api.emulator.lists_runs = True
    assert [row["id"] for row in page(api)["data"]] == [run_id]


@pytest.mark.no_cover
def test_a_page_of_many_runs_is_quick(make_api: Callable[..., Api]) -> None:
    api = make_api(requests_per_minute=None)
    agent_id = api.emulator.add_agent([Sleep(3600)])

    def fastest() -> float:
        times: list[float] = []
        for _ in range(20):
            begin = time.perf_counter()
            page(api, "limit=100&since=2023-11-14T22:13:20Z")
            times.append(time.perf_counter() - begin)
        return min(times)

    for _ in range(100):
        api.emulator.start_run(agent_id)
    few = fastest()
    for _ in range(9_900):
        api.emulator.start_run(agent_id)
    assert page(api)["total"] == 10_000
    assert fastest() < 3 * few
