from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from duvo_async.emulator import AskApproval, CallTool, Finish, Say, Sleep

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from duvo_async.emulator import StartedRun, Step
    from tests.emulator.conftest import Api

NOBODY = "5f0c1d3e-8a57-4b0e-9a52-d0a7e8a4b6c1"
START = "2023-11-14T22:13:20.000Z"
LATER = "2023-11-14T22:13:50.250Z"


def test_a_run_is_pending_when_it_is_started(api: Api) -> None:
    agent_id = api.emulator.add_agent([Say("hi")])
    response = api.post("/v1/runs", {"agent_id": agent_id, "message": "go"})
    run = response.json()["run"]
    assert response.status == 201
    assert run == {
        "id": run["id"],
        "agent_id": agent_id,
        "build_id": run["build_id"],
        "status": "pending",
        "source": "api",
        "sandbox_id": None,
        "started_at": None,
        "completed_at": None,
        "created_at": START,
        "updated_at": START,
        "human_in_the_loop_enabled": True,
    }


def test_a_run_of_no_agent_is_not_started(api: Api) -> None:
    assert api.post("/v1/runs", {"agent_id": NOBODY}).status == 404


def test_ids_are_read_in_any_case(api: Api) -> None:
    agent_id = api.emulator.demo_agent_id.upper()
    run_id = api.post("/v1/runs", {"agent_id": agent_id}).json()["run"]["id"]
    assert api.run(run_id.upper())["id"] == run_id


def test_a_script_without_sleep_is_through_at_the_first_look(api: Api) -> None:
    run_id = api.start([Say("hi")], message="go")
    api.clock.advance(99)
    run = api.run(run_id)
    assert run["status"] == "completed"
    assert run["started_at"] == run["completed_at"] == run["updated_at"] == START


def test_steps_happen_at_their_due_time_whenever_they_are_seen(api: Api) -> None:
    run_id = api.start([Sleep(30.25), Say("late"), Sleep(10)])
    api.clock.advance(20)
    assert api.status(run_id) == "running"
    assert api.messages(run_id) == []
    api.clock.advance(20)
    run = api.run(run_id)
    assert run["status"] == "running"
    assert run["updated_at"] == LATER
    assert [each["timestamp"] for each in api.messages(run_id)] == [LATER]
    api.clock.advance(1000)
    assert api.run(run_id)["completed_at"] == "2023-11-14T22:14:00.250Z"


def test_runs_advance_in_the_order_of_their_due_times(api: Api) -> None:
    seen: list[float] = []

    def sleeper(seconds: float) -> Callable[[StartedRun], Generator[Step, Any, None]]:
        def script(_: StartedRun) -> Generator[Step, Any, None]:
            yield Sleep(seconds)
            seen.append(seconds)

        return script

    for seconds in (20.0, 10.0, 30.0):
        api.start(sleeper(seconds))
    api.clock.advance(60)
    api.get("/v1/health")
    assert seen == [10.0, 20.0, 30.0]


def test_the_start_message_comes_first(api: Api) -> None:
    run_id = api.start([Say("hi")], message="go")
    first, second = api.messages(run_id)
    assert first == {
        "id": first["id"],
        "type": "text",
        "role": "user",
        "timestamp": START,
        "text_content": "go",
    }
    assert (second["role"], second["text_content"]) == ("assistant", "hi")
    assert first["id"] != second["id"]


def test_a_tool_call_is_two_messages(api: Api) -> None:
    run_id = api.start([CallTool("add", {"a": 1}, 2), CallTool("fail", error="no"), CallTool("x")])
    call, result, _, failure, bare, nothing = api.messages(run_id)
    assert (call["type"], call["role"]) == ("tool_call", "assistant")
    assert call["tool_call"] == {
        "id": call["tool_call"]["id"],
        "name": "add",
        "arguments": {"a": 1},
    }
    assert (result["type"], result["role"]) == ("tool_result", "tool")
    assert result["tool_result"] == {"tool_call_id": call["tool_call"]["id"], "result": 2}
    assert failure["tool_result"]["error"] == "no"
    assert "result" not in failure["tool_result"]
    assert bare["tool_call"]["arguments"] == {}
    assert nothing["tool_result"]["result"] is None
    assert "text_content" not in call


def test_messages_come_in_pages(api: Api) -> None:
    run_id = api.start([Say(str(n)) for n in range(60)])
    page = api.get(f"/v1/runs/{run_id}/messages").json()
    assert [each["text_content"] for each in page["messages"]] == [str(n) for n in range(20)]
    assert (page["total"], page["limit"], page["offset"]) == (60, 20, 0)
    page = api.get(f"/v1/runs/{run_id}/messages?limit=50&offset=55").json()
    assert [each["text_content"] for each in page["messages"]] == [str(n) for n in range(55, 60)]
    assert (page["total"], page["limit"], page["offset"]) == (60, 50, 55)
    assert api.get(f"/v1/runs/{run_id}/messages?offset=60").json()["messages"] == []


@pytest.mark.parametrize("status", ["completed", "failed", "interrupted", "stopped", "canceled"])
def test_a_terminal_status_has_an_end(api: Api, status: str) -> None:
    run = api.run(api.start([Finish(status)]))
    assert (run["status"], run["completed_at"]) == (status, START)


@pytest.mark.parametrize("status", ["dreaming", "running", "waiting"])
def test_any_other_status_has_none(api: Api, status: str) -> None:
    run_id = api.start([Finish(status), Say("no")])
    api.clock.advance(1000)
    run = api.run(run_id)
    assert (run["status"], run["completed_at"]) == (status, None)
    assert api.pending(run_id) is None
    assert api.texts(run_id) == []


@pytest.mark.parametrize("status", ["completed", "interrupted", "waiting"])
def test_a_message_resumes_a_resting_run(api: Api, status: str) -> None:
    run_id = api.start([Finish(status), Sleep(5), Say("again")])
    assert api.status(run_id) == status
    api.clock.advance(10)
    response = api.post(f"/v1/runs/{run_id}/messages", {"message": "more"})
    message = response.json()["message"]
    assert response.status == 201
    assert message == {
        "id": message["id"],
        "type": "text",
        "role": "user",
        "timestamp": "2023-11-14T22:13:30.000Z",
        "text_content": "more",
    }
    run = api.run(run_id)
    assert (run["status"], run["completed_at"]) == ("running", None)
    api.clock.advance(5)
    run = api.run(run_id)
    assert (run["status"], run["completed_at"]) == ("completed", "2023-11-14T22:13:35.000Z")
    assert api.texts(run_id) == ["more", "again"]


def test_a_resumed_run_without_more_steps_acknowledges_the_message(api: Api) -> None:
    run_id = api.start([Say("hi")])
    for text in ("one", "two"):
        api.post(f"/v1/runs/{run_id}/messages", {"message": text})
        assert api.status(run_id) == "completed"
    assert api.texts(run_id) == ["hi", "one", "Noted: one", "two", "Noted: two"]


@pytest.mark.parametrize("status", ["failed", "stopped", "canceled", "dreaming"])
def test_a_message_is_only_kept_in_any_other_status(api: Api, status: str) -> None:
    run_id = api.start([Finish(status), Say("no")])
    assert api.status(run_id) == status
    assert api.post(f"/v1/runs/{run_id}/messages", {"message": "more"}).status == 201
    assert api.status(run_id) == status
    assert api.texts(run_id) == ["more"]


def test_a_message_does_not_disturb_a_running_run(api: Api) -> None:
    run_id = api.start([Sleep(10), Say("done")])
    api.post(f"/v1/runs/{run_id}/messages", {"message": "more"})
    assert api.status(run_id) == "running"
    api.clock.advance(10)
    assert api.texts(run_id) == ["more", "done"]


def test_a_message_withdraws_the_pending_request(api: Api) -> None:
    run_id = api.start([AskApproval("Post?"), Say("posted")])
    request_id = api.pending(run_id)["id"]
    api.post(f"/v1/runs/{run_id}/messages", {"message": "wait"})
    assert api.pending(run_id) is None
    assert api.status(run_id) == "completed"
    assert api.texts(run_id) == ["wait", "Noted: wait"]
    target = f"/v1/runs/{run_id}/human-requests/{request_id}/respond"
    assert api.post(target, {"approved": True}).status == 409


def test_stop_ends_a_run(api: Api) -> None:
    run_id = api.start([Sleep(10), Say("no")])
    assert api.status(run_id) == "running"
    response = api.post(f"/v1/runs/{run_id}/stop")
    assert (response.status, response.json()) == (200, {"success": True})
    api.clock.advance(10)
    run = api.run(run_id)
    assert (run["status"], run["completed_at"], run["updated_at"]) == ("stopped", START, START)
    assert api.messages(run_id) == []


@pytest.mark.parametrize(
    "script", [[AskApproval("Post?")], [Finish("dreaming")], [Sleep(math.inf)]]
)
def test_stop_ends_a_run_in_any_status_but_a_terminal_one(api: Api, script: list[Sleep]) -> None:
    run_id = api.start(script)
    api.post(f"/v1/runs/{run_id}/stop")
    assert api.status(run_id) == "stopped"
    assert api.pending(run_id) is None


def test_stop_leaves_an_ended_run_as_it_is(api: Api) -> None:
    run_id = api.start()
    api.clock.advance(5)
    response = api.post(f"/v1/runs/{run_id}/stop").json()
    assert response == {"success": True, "message": "The run was not running."}
    assert api.run(run_id)["completed_at"] == START


def test_a_deleted_run_is_null(api: Api) -> None:
    run_id = api.start([Sleep(10), Finish("completed")])
    api.emulator.delete_run(run_id)
    api.clock.advance(20)
    response = api.get(f"/v1/runs/{run_id}")
    assert (response.status, response.json()) == (200, {"run": None})
    with pytest.raises(KeyError):
        api.emulator.delete_run(run_id)


def test_an_unknown_run_is_not_found(api: Api) -> None:
    assert api.get(f"/v1/runs/{NOBODY}").status == 404
    with pytest.raises(KeyError):
        api.emulator.delete_run(NOBODY)


@pytest.mark.parametrize("deleted", [True, False])
def test_other_operations_find_neither(api: Api, *, deleted: bool) -> None:
    run_id = api.start() if deleted else NOBODY
    if deleted:
        api.emulator.delete_run(run_id)
    run = f"/v1/runs/{run_id}"
    assert api.get(f"{run}/messages").status == 404
    assert api.post(f"{run}/messages", {"message": "hi"}).status == 404
    assert api.post(f"{run}/stop").status == 404
    assert api.post(f"{run}/human-requests/{NOBODY}/respond", {"approved": True}).status == 404
