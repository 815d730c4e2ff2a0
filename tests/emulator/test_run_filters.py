from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from duvo_async.emulator import Sleep

if TYPE_CHECKING:
    from tests.emulator.conftest import Api
    from tests.support.queue_api import QueueApi

NOBODY = "5f0c1d3e-8a57-4b0e-9a52-d0a7e8a4b6c1"


def rows(api: Api, query: str) -> list[dict[str, Any]]:
    response = api.get(f"/v1/runs?{query}")
    assert response.status == 200, response.body
    data: list[dict[str, Any]] = response.json()["data"]
    assert response.json()["total"] == len(data)
    return data


def test_runs_are_chosen_by_who_started_them(api: Api) -> None:
    run_id = api.start()
    api.emulator.start_run(api.emulator.demo_agent_id)
    assert [row["id"] for row in rows(api, f"user_id={api.emulator.user_id}")] == [run_id]
    assert rows(api, f"user_id={NOBODY}") == []
    assert [row["user_id"] for row in rows(api, "source=schedule")] == [None]


def test_runs_are_chosen_by_the_queue_of_their_case(api: Api, queue: QueueApi) -> None:
    api.start()
    queue.trigger([Sleep(9)])
    [case_id] = queue.add("Invoice 17")
    [row] = rows(api, f"case_queue_id={queue.id}")
    case = {name: value for name, value in row.items() if name.startswith("case_")}
    assert case == {
        "case_queue_item_id": case_id,
        "case_queue_id": queue.id,
        "case_queue_name": "Invoices",
        "case_title": "Invoice 17",
    }
    assert rows(api, f"case_queue_id={NOBODY}") == []


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("has_issues=false", 1),
        ("has_issues=true", 0),
        ("issue_severity=critical", 0),
        ("issue_severity=low&has_issues=false", 0),
        (f"digest_id={NOBODY}", 0),
    ],
)
def test_no_run_is_ever_judged(api: Api, query: str, count: int) -> None:
    api.start()
    assert len(rows(api, query)) == count
