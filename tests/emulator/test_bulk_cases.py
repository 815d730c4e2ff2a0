from __future__ import annotations

import pytest

from duvo_async.emulator import AskApproval, Sleep
from tests.support.queue_api import QueueApi

NOBODY = "5f0c1d3e-8a57-4b0e-9a52-d0a7e8a4b6c1"
EXTRAS = {
    "delete": {},
    "reprocess": {},
    "update-status": {"status": "failed"},
    "update-priority": {"priority": "high"},
}
each_operation = pytest.mark.parametrize("operation", EXTRAS)


def test_chosen_cases_are_deleted(queue: QueueApi) -> None:
    first, second, _ = queue.add("a", "b", "c")
    queue.trigger([Sleep(60)], concurrency=1)
    (run,) = queue.runs(first)
    deleted = queue.bulk("delete", {"case_ids": [first, second.upper(), NOBODY]}).json()
    assert deleted == {"deletedCount": 2, "interruptedRunIds": [run["id"]]}
    assert queue.api.status(run["id"]) == "interrupted"
    assert queue.titles() == ["c"]


def test_all_that_matches_is_deleted(queue: QueueApi) -> None:
    queue.add("an a", "a b", priority="high")
    queue.add("an a", "a c")
    body = {"all_matching": True, "filters": {"priority": ["high"]}, "search": "an"}
    assert queue.bulk("delete", body).json()["deletedCount"] == 1
    assert queue.titles() == ["a b", "an a", "a c"]
    assert queue.bulk("delete", {"all_matching": True}).json()["deletedCount"] == 3
    assert queue.entries() == ()


def test_a_status_is_given_to_many(queue: QueueApi) -> None:
    case_ids = queue.add("a", "b", "c")
    queue.api.clock.advance(5)
    body = {"case_ids": [*case_ids[:2], NOBODY], "status": "completed"}
    done = queue.bulk("update-status", body).json()
    assert done == {"updatedCount": 2, "skippedCount": 1, "interruptedRunIds": []}
    again = queue.bulk("update-status", body).json()
    assert again == {"updatedCount": 0, "skippedCount": 3, "interruptedRunIds": []}
    assert queue.states() == ["completed", "completed", "pending"]
    case = queue.case(case_ids[0])
    assert case["completed_at"] == case["updated_at"] == "2023-11-14T22:13:25.000Z"
    event = queue.events(case_ids[0])[-1]
    assert (event["type"], event["user_id"]) == ("completed", queue.api.emulator.user_id)


def test_a_person_ends_a_case_that_a_run_has(queue: QueueApi) -> None:
    (case_id,) = queue.add("a")
    queue.trigger([Sleep(60)])
    (run,) = queue.runs(case_id)
    body = {"case_ids": [case_id], "status": "completed"}
    assert queue.bulk("update-status", body).json()["interruptedRunIds"] == [run["id"]]
    case = queue.case(case_id)
    assert (case["display_status"], case["claimed_by_run_id"]) == ("completed", None)
    assert queue.api.status(run["id"]) == "interrupted"
    queue.api.clock.advance(100)
    assert queue.states() == ["completed"]


def test_what_an_ended_case_asked_can_still_be_answered(queue: QueueApi) -> None:
    (case_id,) = queue.add("a")
    queue.trigger([AskApproval("Post?")])
    (run,) = queue.runs(case_id)
    queue.bulk("update-status", {"case_ids": [case_id], "status": "failed"})
    assert queue.api.status(run["id"]) == "interrupted"
    assert queue.api.respond(run["id"], {"approved": True}).status == 200
    assert queue.api.status(run["id"]) == "completed"
    assert queue.states() == ["failed"]


def test_a_case_set_back_to_pending_is_claimed_again(queue: QueueApi) -> None:
    (case_id,) = queue.add("a")
    queue.trigger()
    assert queue.states() == ["completed"]
    body = {"case_ids": [case_id], "status": "pending"}
    assert queue.bulk("update-status", body).json()["updatedCount"] == 1
    assert queue.states() == ["completed"]
    assert len(queue.runs(case_id)) == 2
    assert queue.history(case_id) == [
        "created",
        "claimed",
        "completed",
        "pending",
        "claimed",
        "completed",
    ]


def test_an_ended_case_does_not_wait_any_more(queue: QueueApi) -> None:
    (case_id,) = queue.add("a")
    queue.bulk("update-status", {"case_ids": [case_id], "status": "completed"})
    queue.trigger()
    assert queue.runs(case_id) == []


def test_a_priority_is_given_to_many(queue: QueueApi) -> None:
    case_ids = queue.add("a", "b", "c")
    body = {"case_ids": [case_ids[1], NOBODY], "priority": "high"}
    assert queue.bulk("update-priority", body).json() == {"updatedCount": 1, "skippedCount": 1}
    everything = {"all_matching": True, "priority": "high"}
    changed = queue.bulk("update-priority", everything).json()
    assert changed == {"updatedCount": 2, "skippedCount": 1}
    assert {entry.priority for entry in queue.entries()} == {"high"}


def test_a_new_priority_moves_a_case_to_the_front(queue: QueueApi) -> None:
    first, _, third = queue.add("a", "b", "c")
    queue.bulk("update-priority", {"case_ids": [third], "priority": "high"})
    queue.bulk("update-priority", {"case_ids": [first], "priority": "medium"})
    queue.trigger([Sleep(60)], concurrency=1)
    assert queue.states() == ["pending", "pending", "in_progress"]
    queue.api.clock.advance(60)
    assert queue.states() == ["in_progress", "pending", "completed"]


def test_a_priority_does_not_disturb_a_run(queue: QueueApi) -> None:
    (case_id,) = queue.add("a")
    queue.trigger([Sleep(60)])
    queue.bulk("update-priority", {"case_ids": [case_id], "priority": "high"})
    assert queue.states() == ["in_progress"]
    assert len(queue.runs(case_id)) == 1


def test_cases_are_processed_again(queue: QueueApi) -> None:
    first, second = queue.add("a", "b")
    agent_id, _ = queue.trigger([Sleep(60)], concurrency=1)
    (run,) = queue.runs(first)
    body = {"case_ids": [first, second, NOBODY], "agent_id": agent_id.upper()}
    assert queue.bulk("reprocess", body).json() == {
        "reprocessedCount": 2,
        "delegatedCount": 2,
        "retriedCount": 2,
        "skippedCount": 1,
    }
    assert queue.api.status(run["id"]) == "interrupted"
    assert queue.history(first) == ["created", "claimed", "reprocessed", "claimed"]
    assert len(queue.runs(first)) == 2


def test_an_agent_gets_what_is_assigned_to_it_though_its_trigger_is_off(queue: QueueApi) -> None:
    queue.trigger([Sleep(60)])
    agent_id, _ = queue.trigger([], enabled=False)
    first, second = queue.add("a", "b")
    assert queue.states() == ["in_progress", "in_progress"]
    queue.bulk("reprocess", {"case_ids": [second], "agent_id": agent_id})
    assert queue.states() == ["in_progress", "completed"]
    assert queue.runs(second)[0]["agent_id"] == agent_id
    assert queue.runs(first)[0]["agent_id"] != agent_id


def test_without_an_agent_any_that_is_triggered_processes_again(queue: QueueApi) -> None:
    (case_id,) = queue.add("a")
    body = {"case_ids": [case_id]}
    assert queue.bulk("reprocess", body).status == 409
    queue.trigger([])
    assert queue.bulk("reprocess", body).json()["reprocessedCount"] == 1
    assert queue.states() == ["completed"]


def test_an_agent_must_belong_to_the_queue(queue: QueueApi) -> None:
    queue.trigger()
    case_ids = queue.add("a")
    agent_id = queue.api.emulator.add_agent([])
    body = {"case_ids": case_ids, "agent_id": agent_id}
    assert queue.bulk("reprocess", body).status == 409


@pytest.mark.parametrize("operation", ["delegate", "retry"])
def test_older_operations_send_the_caller_on(queue: QueueApi, operation: str) -> None:
    agent_id, _ = queue.trigger()
    (case_id,) = queue.add("a")
    assert queue.states() == ["completed"]
    agent = {"agent_id": agent_id} if operation == "delegate" else {}
    body = {"case_ids": [case_id], **agent}
    key = {"idempotency-key": "k"}
    response = queue.api.post(f"{queue.path}/cases/bulk-{operation}", body, key)
    assert response.status == 308
    target = response.headers["location"]
    assert target == f"{queue.path}/cases/bulk-reprocess"
    assert response.headers["deprecation"].startswith("@")
    assert response.headers["sunset"].endswith("GMT")
    assert response.headers["link"].startswith(f"<{target}>")
    assert queue.history(case_id) == ["created", "claimed", "completed"]
    assert queue.api.post(target, body, key).json()["reprocessedCount"] == 1


def test_older_operations_take_fewer_fields(queue: QueueApi) -> None:
    queue.trigger()
    case_ids = queue.add("a")
    assert queue.bulk("delegate", {"case_ids": case_ids}).status == 400
    assert queue.bulk("retry", {"all_matching": True}).status == 400
    path = f"/v2/queues/{NOBODY}/cases/bulk-retry"
    assert queue.api.post(path, {"case_ids": case_ids}).status == 404


@each_operation
def test_cases_of_another_queue_are_left_alone(queue: QueueApi, operation: str) -> None:
    other = QueueApi.create(queue.api, "Other")
    case_ids = other.add("a")
    queue.trigger()
    other.trigger(enabled=False)
    before = other.entries()
    counts = queue.bulk(operation, {"case_ids": case_ids, **EXTRAS[operation]}).json()
    assert counts.get("skippedCount", 1) == 1
    assert counts.get("deletedCount", 0) == 0
    assert other.entries() == before


@each_operation
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"all_matching": False},
        {"case_ids": []},
        {"case_ids": [NOBODY] * 101},
        {"case_ids": ["x"]},
        {"case_ids": [NOBODY], "all_matching": True},
        {"all_matching": True, "filters": {"status": ["running"]}},
        {"all_matching": True, "limit": 1},
    ],
)
def test_a_bad_choice_is_refused(queue: QueueApi, operation: str, body: dict[str, object]) -> None:
    queue.trigger()
    assert queue.bulk(operation, {**body, **EXTRAS[operation]}).status == 400


@pytest.mark.parametrize(
    ("operation", "extra"),
    [
        ("reprocess", {"agent_id": "x"}),
        ("update-status", {}),
        ("update-status", {"status": "needs_input"}),
        ("update-priority", {}),
        ("update-priority", {"priority": "low"}),
        ("delete", {"status": "failed"}),
    ],
)
def test_a_bad_change_is_refused(queue: QueueApi, operation: str, extra: dict[str, object]) -> None:
    case_ids = queue.add("a")
    assert queue.bulk(operation, {"case_ids": case_ids, **extra}).status == 400
    assert queue.states() == ["pending"]
