from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from duvo_async.emulator import AskApproval, CallTool, Finish, Say, Sleep
from tests.support.queue_api import QueueApi

if TYPE_CHECKING:
    from collections.abc import Generator

    from duvo_async.emulator import StartedRun, Step

START = "2023-11-14T22:13:20.000Z"


def test_a_run_works_a_case_off(queue: QueueApi) -> None:
    (case_id,) = queue.add("4711", data="net 12")
    agent_id, _ = queue.trigger([Sleep(10)])
    queue.api.clock.advance(4)
    case = queue.case(case_id)
    assert (case["status"], case["display_status"]) == ("pending", "in_progress")
    assert case["claimed_at"] == case["updated_at"] == START
    assert (case["agent_run_status"], case["completed_at"]) == ("running", None)
    queue.api.clock.advance(60)
    done = queue.case(case_id)
    assert (done["status"], done["display_status"]) == ("completed", "completed")
    assert done["completed_at"] == done["updated_at"] == "2023-11-14T22:13:30.000Z"
    assert done["claimed_by_run_id"] == case["claimed_by_run_id"]
    assert queue.history(case_id) == ["created", "claimed", "completed"]
    event = queue.events(case_id)[1]
    assert (event["agent_id"], event["agent_run_id"]) == (agent_id, case["claimed_by_run_id"])


def test_a_run_is_told_of_its_case(queue: QueueApi) -> None:
    queue.add("4711", data="net 12")
    queue.add("4712")
    queue.trigger()
    newest, first = queue.api.get(f"/v1/runs?case_queue_id={queue.id}").json()["data"]
    assert queue.api.texts(first["id"]) == ["4711\n\nnet 12"]
    assert queue.api.texts(newest["id"]) == ["4712"]
    entry = queue.entries()[0]
    assert first["source"] == "case_queue"
    assert first["case_queue_item_id"] == entry.id
    assert (first["case_queue_name"], first["case_title"]) == ("Invoices", "4711")


def test_a_case_is_claimed_by_the_next_request(queue: QueueApi) -> None:
    queue.trigger([Sleep(60)])
    body = {"case": {"title": "a"}}
    (case,) = queue.api.post(f"{queue.path}/cases", body).json()["added_cases"]
    assert case["display_status"] == "pending"
    queue.api.clock.advance(5)
    assert queue.case(case["id"])["claimed_at"] == START


def test_the_case_itself_tells_when_something_is_due(queue: QueueApi) -> None:
    queue.trigger([Sleep(60)])
    queue.add("a")
    assert queue.api.emulator.advance() == queue.api.clock.now + 60
    queue.api.clock.advance(60)
    assert queue.api.emulator.advance() is None


def test_a_case_waits_for_a_person_as_its_run_does(queue: QueueApi) -> None:
    (case_id,) = queue.add("a")
    queue.trigger([AskApproval("Post?"), Sleep(10)])
    case = queue.case(case_id)
    run_id = case["claimed_by_run_id"]
    pending = queue.api.pending(run_id)
    assert (case["display_status"], case["agent_run_status"]) == ("needs_input", "waiting")
    assert case["pending_human_request_id"] == pending["id"]
    event = queue.events(case_id)[-1]
    assert (event["type"], event["human_request_title"]) == ("needs_input", "Post?")
    assert event["human_request_id"] == pending["id"]
    (run,) = queue.runs(case_id)
    assert (run["has_pending_human_request"], run["pending_human_request_title"]) == (True, "Post?")
    queue.api.respond(run_id, {"approved": True})
    assert queue.states() == ["in_progress"]
    assert queue.case(case_id)["pending_human_request_id"] is None
    queue.api.clock.advance(10)
    assert queue.history(case_id) == ["created", "claimed", "needs_input", "resumed", "completed"]


@pytest.mark.parametrize("status", ["failed", "interrupted", "canceled", "stopped"])
def test_a_case_fails_as_its_run_does(queue: QueueApi, status: str) -> None:
    (case_id,) = queue.add("a")
    queue.trigger([Finish(status)])
    case = queue.case(case_id)
    assert (case["status"], case["display_status"]) == ("failed", "failed")
    assert case["completed_at"] is None
    event = queue.events(case_id)[-1]
    assert (event["type"], event["reason"]) == ("failed", f"the run ended as {status}")


def test_a_case_fails_when_its_run_is_stopped_or_deleted(queue: QueueApi) -> None:
    first, second = queue.add("a", "b")
    queue.trigger([Sleep(60)])
    (run,), (other,) = queue.runs(first), queue.runs(second)
    queue.api.post(f"/v1/runs/{run['id']}/stop")
    queue.api.emulator.delete_run(other["id"])
    assert queue.states() == ["failed", "failed"]
    assert queue.runs(first)[0]["status"] == "interrupted"
    assert queue.runs(second) == []
    assert queue.case(second)["claimed_by_run_id"] is None


def test_a_run_that_goes_on_after_its_end_leaves_the_case_alone(queue: QueueApi) -> None:
    (case_id,) = queue.add("a")
    queue.trigger([Finish("completed"), Finish("failed")])
    run_id = queue.case(case_id)["claimed_by_run_id"]
    queue.api.post(f"/v1/runs/{run_id}/messages", {"message": "more"})
    assert queue.api.status(run_id) == "failed"
    assert queue.states() == ["completed"]


def test_a_status_that_nobody_knows_is_progress(queue: QueueApi) -> None:
    queue.add("a")
    queue.trigger([Finish("dreaming")])
    assert queue.states() == ["in_progress"]


def test_one_run_at_a_time_takes_one_case_after_another(queue: QueueApi) -> None:
    case_ids = queue.add("a", "b", "c")
    queue.trigger([Sleep(10)], concurrency=1)
    assert queue.states() == ["in_progress", "pending", "pending"]
    queue.api.clock.advance(25)
    assert queue.states() == ["completed", "completed", "in_progress"]
    claimed = [queue.case(case_id)["claimed_at"] for case_id in case_ids]
    assert [moment[17:19] for moment in claimed] == ["20", "30", "40"]


def test_without_a_limit_all_cases_are_claimed_at_once(queue: QueueApi) -> None:
    queue.add(*"abcdefgh")
    queue.trigger([Sleep(10)])
    assert set(queue.states()) == {"in_progress"}


def test_a_waiting_run_keeps_its_place(queue: QueueApi) -> None:
    queue.add("a", "b")
    trigger = queue.trigger([AskApproval("Post?")], concurrency=1)
    assert queue.states() == ["needs_input", "pending"]
    queue.update_trigger(trigger, concurrency=None)
    assert queue.states() == ["needs_input", "needs_input"]


def test_higher_priority_comes_first_then_age(queue: QueueApi) -> None:
    claimed: list[str | None] = []

    def script(run: StartedRun) -> Generator[Step]:
        claimed.append(run.message)
        yield Sleep(1)

    for title, priority in (("a", "none"), ("b", "high"), ("c", "medium"), ("d", "high")):
        queue.add(title, priority=priority)
    queue.trigger(script, concurrency=1)
    queue.api.clock.advance(9)
    assert set(queue.states()) == {"completed"}
    assert claimed == ["b", "d", "c", "a"]


def test_triggers_share_a_queue(queue: QueueApi) -> None:
    case_ids = queue.add("a", "b", "c", "d")
    agents = [queue.trigger([Sleep(10)], enabled=False) for _ in range(2)]
    for trigger in agents:
        queue.update_trigger(trigger, enabled=True)
    (first, _), (second, _) = agents
    queue.add("e", "f")
    workers = [queue.runs(entry.id)[0]["agent_id"] for entry in queue.entries()]
    assert workers[:4] == [first] * 4
    assert workers[4:] == [first, second]
    assert len(case_ids) == 4


def test_a_disabled_trigger_claims_nothing_until_it_is_enabled(queue: QueueApi) -> None:
    queue.add("a")
    trigger = queue.trigger(enabled=False)
    assert queue.states() == ["pending"]
    queue.update_trigger(trigger, enabled=True)
    assert queue.states() == ["completed"]
    queue.update_trigger(trigger, enabled=False)
    queue.add("b")
    assert queue.states() == ["completed", "pending"]


def test_a_deleted_trigger_leaves_its_run_to_end(queue: QueueApi) -> None:
    queue.add("a", "b")
    agent_id, trigger_id = queue.trigger([Sleep(10)], concurrency=1)
    assert queue.states() == ["in_progress", "pending"]
    queue.api.call("DELETE", f"/v2/agents/{agent_id}/case-triggers/{trigger_id}")
    queue.api.clock.advance(20)
    assert queue.states() == ["completed", "pending"]


def test_a_trigger_can_move_to_another_queue(queue: QueueApi) -> None:
    other = QueueApi.create(queue.api, "Other")
    other.add("x")
    queue.add("a", "b")
    trigger = queue.trigger([Sleep(10)], concurrency=1)
    queue.update_trigger(trigger, case_queue_id=other.id)
    assert (queue.states(), other.states()) == (["in_progress", "pending"], ["pending"])
    queue.api.clock.advance(10)
    assert (queue.states(), other.states()) == (["completed", "pending"], ["in_progress"])


def test_a_case_may_wait_for_an_agent_that_is_deleted(queue: QueueApi) -> None:
    agent_id, _ = queue.trigger()
    assert queue.api.call("DELETE", f"/v2/agents/{agent_id}").status == 200
    queue.add("a")
    assert queue.states() == ["pending"]
    assert queue.api.get(f"{queue.path}/agents").json()["consumers"] == []
    queue.trigger()
    assert queue.states() == ["completed"]


def test_cases_wait_until_their_agent_has_a_live_build(queue: QueueApi) -> None:
    team = f"/v2/teams/{queue.api.emulator.team_id}"
    agent_id = queue.api.post(f"{team}/agents", {"name": "Clerk"}).json()["agent"]["id"]
    body = {"case_queue_id": queue.id, "enabled": True}
    queue.api.post(f"/v2/agents/{agent_id}/case-triggers", body)
    queue.add("a")
    assert queue.states() == ["pending"]
    queue.api.post(f"/v2/agents/{agent_id}/revisions", {"name": "First"})
    assert queue.states() == ["needs_input"]


def test_the_runs_of_a_case_are_listed_newest_first(queue: QueueApi) -> None:
    (case_id,) = queue.add("a")
    agent_id, _ = queue.trigger([Sleep(10)])
    queue.api.clock.advance(20)
    for _ in range(51):
        queue.bulk("reprocess", {"case_ids": [case_id]})
        queue.api.clock.advance(10)
    runs = queue.runs(case_id)
    assert len(runs) == 50
    assert [run["created_at"] for run in runs] == sorted(
        (run["created_at"] for run in runs), reverse=True
    )
    evaluation = {"passed": 0, "total": 0, "status": "unavailable"}
    newest = runs[0]
    assert newest == {
        "id": queue.case(case_id)["claimed_by_run_id"],
        "case_queue_item_id": case_id,
        "agent_id": agent_id,
        "agent_name": "Agent 1",
        "status": "completed",
        "source": "case_queue",
        "created_at": newest["claimed_at"],
        "started_at": newest["claimed_at"],
        "completed_at": newest["completed_at"],
        "claimed_at": newest["claimed_at"],
        "has_pending_human_request": False,
        "pending_human_request_title": None,
        "evaluation": evaluation,
        "user_id": None,
        "user_name": None,
        "user_email": None,
    }


def test_the_latest_messages_of_a_run_are_shown(queue: QueueApi) -> None:
    (case_id,) = queue.add("a")
    calls = [CallTool("look", {"at": number}, number) for number in range(3)]
    queue.trigger([Say("hi"), *calls, Say("bye")])
    (run,) = queue.runs(case_id)
    path = f"/v2/cases/{case_id}/runs/{run['id']}/recent-messages"
    messages = queue.api.get(path).json()["messages"]
    assert [message["type"] for message in messages] == ["tool_call", "tool_call", "text"]
    assert messages[0]["tool_call"]["arguments"] == {"at": 1}
    assert (messages[2]["text_content"], messages[2]["runtime"]) == ("bye", "terminal-agent")
    assert len(queue.api.get(f"{path}?limit=10").json()["messages"]) == 5
    assert queue.api.get(f"{path}?limit=11").status == 400
    assert queue.api.get(f"{path}?limit=0").status == 400


def test_the_messages_of_another_run_are_none_of_a_case(queue: QueueApi) -> None:
    (case_id,) = queue.add("a")
    run_id = queue.api.start()
    assert queue.api.get(f"/v2/cases/{case_id}/runs/{run_id}/recent-messages").status == 404
