from __future__ import annotations

from typing import Any

import pytest

from tests.support.queue_api import QueueApi

NOBODY = "5f0c1d3e-8a57-4b0e-9a52-d0a7e8a4b6c1"
START = "2023-11-14T22:13:20.000Z"


def triggers(queue: QueueApi, agent_id: str) -> list[dict[str, Any]]:
    shown = queue.api.get(f"/v1/agents/{agent_id}/case-triggers").json()
    listed: list[dict[str, Any]] = shown["case_triggers"]
    return listed


def test_a_new_trigger_is_shown_as_it_was_made(queue: QueueApi) -> None:
    agent_id, trigger_id = queue.trigger(enabled=False, concurrency=1)
    profile = queue.api.get("/v2/profile").json()["profile"]
    shown = {
        "id": trigger_id,
        "agent_id": agent_id,
        "case_queue_id": queue.id,
        "case_queue_name": "Invoices",
        "user_id": profile["id"],
        "enabled": False,
        "concurrency": 1,
        "created_at": START,
        "updated_at": START,
        "creator_display_name": profile["name"],
        "can_disable": True,
        "has_conflict": False,
        "conflicting_agents": [],
    }
    assert triggers(queue, agent_id) == [shown]
    path = f"/v2/agents/{agent_id}/case-triggers/{trigger_id}"
    assert queue.api.get(path).json() == {"case_trigger": shown}


def test_an_agent_has_one_trigger_at_most(queue: QueueApi) -> None:
    agent_id, trigger_id = queue.trigger()
    path = f"/v2/agents/{agent_id}/case-triggers"
    body = {"case_queue_id": queue.id, "enabled": True}
    assert queue.api.post(path, body).status == 409
    assert queue.api.call("DELETE", f"{path}/{trigger_id}").json() == {"success": True}
    assert triggers(queue, agent_id) == []
    assert queue.api.get(f"{path}/{trigger_id}").status == 404
    assert queue.api.post(path, body).status == 201


def test_an_agent_without_a_trigger_has_an_empty_list(queue: QueueApi) -> None:
    assert triggers(queue, queue.api.emulator.demo_agent_id) == []


def test_an_update_leaves_what_it_does_not_name(queue: QueueApi) -> None:
    trigger = queue.trigger(enabled=False, concurrency=1)
    other = QueueApi.create(queue.api, "Other")
    queue.api.clock.advance(5)
    assert queue.update_trigger(trigger, enabled=True)["concurrency"] == 1
    moved = queue.update_trigger(trigger, case_queue_id=other.id.upper(), concurrency=None)
    assert (moved["case_queue_name"], moved["enabled"]) == ("Other", True)
    assert moved["concurrency"] is None
    assert moved["updated_at"] == "2023-11-14T22:13:25.000Z"


def test_enabled_triggers_on_one_queue_are_in_conflict(queue: QueueApi) -> None:
    first, second = queue.trigger(), queue.trigger()
    third = queue.trigger(enabled=False)
    (shown,) = triggers(queue, first[0])
    assert shown["has_conflict"]
    assert shown["conflicting_agents"] == [{"id": second[0], "name": "Agent 2"}]
    assert len(triggers(queue, third[0])[0]["conflicting_agents"]) == 2
    queue.update_trigger(second, enabled=False)
    assert not triggers(queue, first[0])[0]["has_conflict"]


def test_conflicts_can_be_looked_at_before(queue: QueueApi) -> None:
    agent_id, _ = queue.trigger()
    path = f"/v2/agents/{queue.api.emulator.demo_agent_id}/case-triggers/conflict-preview"
    shown = queue.api.get(f"{path}?case_queue_id={queue.id}").json()
    agents = [{"id": agent_id, "name": "Agent 1"}]
    assert shown == {"has_conflict": True, "conflicting_agents": agents}
    other = QueueApi.create(queue.api, "Other")
    shown = queue.api.get(f"{path}?case_queue_id={other.id}").json()
    assert shown == {"has_conflict": False, "conflicting_agents": []}
    assert queue.api.get(path).status == 400
    assert queue.api.get(f"{path}?case_queue_id=x").status == 400
    assert queue.api.get(f"{path}?case_queue_id={NOBODY}").status == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"case_queue_id": "x"},
        {"case_queue_id": None},
        {"enabled": "true"},
        {"enabled": None},
        {"concurrency": 0},
        {"concurrency": 2},
        {"concurrency": True},
        {"name": "x"},
    ],
)
def test_a_bad_trigger_is_refused(queue: QueueApi, fields: dict[str, object]) -> None:
    path = f"/v2/agents/{queue.api.emulator.demo_agent_id}/case-triggers"
    body = {"case_queue_id": queue.id, "enabled": True, **fields}
    assert queue.api.post(path, body).status == 400
    agent_id, trigger_id = queue.trigger()
    response = queue.api.call("PATCH", f"/v2/agents/{agent_id}/case-triggers/{trigger_id}", fields)
    assert response.status == 400


def test_what_a_trigger_needs_must_be_there(queue: QueueApi) -> None:
    path = f"/v2/agents/{queue.api.emulator.demo_agent_id}/case-triggers"
    assert queue.api.post(path, {"enabled": True}).status == 400
    assert queue.api.post(path, {"case_queue_id": queue.id}).status == 400
    assert queue.api.post(path, {"case_queue_id": NOBODY, "enabled": True}).status == 404
    body = {"case_queue_id": queue.id, "enabled": True}
    assert queue.api.post(f"/v2/agents/{NOBODY}/case-triggers", body).status == 404
    assert queue.api.get(f"/v2/agents/{NOBODY}/case-triggers").status == 404
