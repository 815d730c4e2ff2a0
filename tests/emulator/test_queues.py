from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from duvo_async.emulator import Sleep
from tests.support.queue_api import QueueApi

if TYPE_CHECKING:
    from tests.emulator.conftest import Api

NOBODY = "5f0c1d3e-8a57-4b0e-9a52-d0a7e8a4b6c1"


def names(api: Api, query: str = "") -> list[str]:
    response = api.get(f"/v1/queues?{query}")
    assert response.status == 200, response.body
    return [queue["name"] for queue in response.json()["queues"]]


def test_a_new_queue_is_shown_as_it_was_made(api: Api) -> None:
    body = {"name": "Invoices", "description": "x", "folder_id": NOBODY, "automation_id": NOBODY}
    response = api.post("/v1/queues", body)
    queue = response.json()["queue"]
    assert response.status == 201
    assert queue == {
        **body,
        "id": queue["id"],
        "team_id": api.emulator.team_id,
        "created_at": "2023-11-14T22:13:20.000Z",
        "has_approvals": False,
    }
    assert api.get(f"/v2/queues/{queue['id'].upper()}").json() == {"queue": queue}


def test_queues_are_listed_page_by_page(api: Api) -> None:
    for name in "abc":
        QueueApi.create(api, name)
    assert names(api) == ["a", "b", "c"]
    assert names(api, "limit=1&offset=1") == ["b"]
    page = api.get(f"/v2/teams/{api.emulator.team_id}/queues?limit=2&offset=9").json()
    assert page == {"queues": [], "total": 3, "limit": 2, "offset": 9}


def test_the_queues_of_an_automation_can_be_listed(api: Api) -> None:
    QueueApi.create(api, "a")
    QueueApi.create(api, "b", automation_id=NOBODY.upper())
    assert names(api, f"automation_id={NOBODY}") == ["b"]


def test_no_two_queues_have_the_same_name(api: Api, queue: QueueApi) -> None:
    other = QueueApi.create(api, "Other")
    assert api.post("/v1/queues", {"name": "Invoices"}).status == 409
    assert api.call("PATCH", other.path, {"name": "Invoices"}).status == 409
    assert api.call("PATCH", queue.path, {"name": "Invoices"}).status == 200


def test_an_update_leaves_what_it_does_not_name(api: Api) -> None:
    queue = QueueApi.create(api, "a", description="x", folder_id=NOBODY)
    assert api.call("PATCH", queue.path, {"name": "b"}).json()["queue"]["description"] == "x"
    updated = api.call("PATCH", queue.path, {"description": None, "folder_id": None})
    assert updated.json()["queue"]["name"] == "b"
    assert updated.json()["queue"]["folder_id"] is None
    assert api.call("PATCH", queue.path, {}).json() == updated.json()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": None},
        {"name": ""},
        {"name": "x" * 101},
        {"name": "x", "description": "x" * 501},
        {"name": "x", "folder_id": "x"},
        {"name": "x", "automation_id": 1},
        {"name": "x", "color": "red"},
    ],
)
def test_a_bad_queue_is_refused(api: Api, body: object) -> None:
    assert api.post("/v1/queues", body).status == 400


@pytest.mark.parametrize("query", ["limit=0", "limit=251", "offset=-1", "automation_id=x", "x=1"])
def test_a_bad_query_is_refused(api: Api, query: str) -> None:
    assert api.get(f"/v1/queues?{query}").status == 400


def test_an_automation_cannot_be_changed(api: Api, queue: QueueApi) -> None:
    assert api.call("PATCH", queue.path, {"automation_id": NOBODY}).status == 400


@pytest.mark.parametrize("tail", ["", "/cases", "/labels", "/agents"])
def test_an_unknown_queue_is_not_found(api: Api, tail: str) -> None:
    assert api.get(f"/v2/queues/{NOBODY}{tail}").status == 404
    assert api.get(f"/v2/queues/x{tail}").status == 400


def test_a_deleted_queue_takes_its_cases_and_triggers_along(api: Api, queue: QueueApi) -> None:
    case_ids = queue.add("a", "b", "c")
    agent_id, _ = queue.trigger([Sleep(60)], concurrency=1)
    (run,) = queue.runs(case_ids[0])
    deleted = api.call("DELETE", queue.path).json()
    assert deleted == {
        "success": True,
        "deleted_case_count": 3,
        "interrupted_run_ids": [run["id"]],
    }
    assert api.status(run["id"]) == "interrupted"
    assert api.get(queue.path).status == 404
    assert api.get(f"/v2/cases/{case_ids[0]}").status == 404
    assert api.get(f"/v2/agents/{agent_id}/case-triggers").json() == {"case_triggers": []}
    with pytest.raises(KeyError):
        queue.entries()


def test_another_teams_queues_are_none(api: Api, queue: QueueApi) -> None:
    other = api.emulator.add_team("Other")
    page = api.get(f"/v2/teams/{other}/queues").json()
    assert page == {"queues": [], "total": 0, "limit": 250, "offset": 0}
    assert api.post(f"/v2/teams/{other}/queues", {"name": "x"}).status == 404
    assert api.get(f"/v2/teams/{NOBODY}/queues").status == 404
    assert api.get(queue.path).status == 200


def test_the_agents_of_a_queue_are_its_consumers(api: Api, queue: QueueApi) -> None:
    queue.add("a")
    first, _ = queue.trigger([Sleep(60)], concurrency=1)
    second, _ = queue.trigger(enabled=False)
    shown = api.get(f"{queue.path}/agents").json()
    assert shown == {
        "queue_name": "Invoices",
        "producers": [],
        "consumers": [
            {
                "agent_id": first,
                "agent_name": "Agent 1",
                "case_trigger_enabled": True,
                "is_handover_target": False,
                "problems": [],
                "concurrency_limit": 1,
                "at_concurrency_limit": True,
            },
            {
                "agent_id": second,
                "agent_name": "Agent 2",
                "case_trigger_enabled": False,
                "is_handover_target": False,
                "problems": [],
                "at_concurrency_limit": False,
            },
        ],
    }
    queue.trigger()
    shown = api.get(f"{queue.path}/agents").json()["consumers"]
    assert [each["problems"] for each in shown] == [
        ["multiple_triggers"],
        [],
        ["multiple_triggers"],
    ]
