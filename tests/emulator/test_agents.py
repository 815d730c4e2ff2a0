from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from duvo_async.emulator import AskApproval
from tests.support.agent_api import LEAST_CONFIG, AgentApi

if TYPE_CHECKING:
    from tests.emulator.conftest import Api
    from tests.support.queue_api import QueueApi

NOBODY = "5f0c1d3e-8a57-4b0e-9a52-d0a7e8a4b6c1"
START = "2023-11-14T22:13:20.000Z"
LATER = "2023-11-14T22:14:20.000Z"


def page(api: Api, query: str = "") -> dict[str, Any]:
    response = api.get(f"/v1/agents?{query}")
    assert response.status == 200, response.body
    return response.json()


def names(api: Api, query: str = "") -> list[str]:
    return [agent["name"] for agent in page(api, query)["agents"]]


def test_an_agent_is_made_without_a_build(api: Api) -> None:
    response = api.post("/v1/agents", {"name": "Clerk", "automation_id": NOBODY.upper()})
    author = {"id": api.emulator.user_id, "name": "Key Holder", "email": "holder@emulator.test"}
    agent = response.json()["agent"]
    assert response.json() == {
        "agent": {
            "id": agent["id"],
            "name": "Clerk",
            "slack_enabled": False,
            "microsoft_teams_enabled": False,
            "agentic_memory_enabled": False,
            "team_id": api.emulator.team_id,
            "thread_id": None,
            "folder_id": None,
            "automation_id": NOBODY,
            "created_at": START,
            "updated_at": START,
            "created_by": author,
            "updated_by": author,
        }
    }
    shown = api.get(f"/v2/agents/{agent['id']}").json()
    assert shown == {"agent": agent, "user_context": {"pinned_at": None}}


def test_an_agent_without_a_build_runs_nothing(api: Api) -> None:
    agent = AgentApi.create(api)
    response = api.post("/v1/runs", {"agent_id": agent.id})
    assert response.status == 400
    assert "no live build" in response.json()["message"]


def test_an_agent_that_a_request_makes_reports_on_files(api: Api) -> None:
    agent = AgentApi.create_built(api)
    response = api.post("/v1/runs", {"agent_id": agent.id, "message": "go"})
    run = response.json()["run"]
    assert run["build_id"] == agent.builds()[0]["id"]
    assert api.status(run["id"]) == "waiting"
    assert api.texts(run["id"])[:2] == ["go", "You asked: go"]


def test_an_agent_of_a_script_is_listed_with_its_build(api: Api) -> None:
    run_id = api.start([AskApproval("Post?")])
    agent = page(api)["agents"][0]
    run = api.run(run_id)
    assert agent["id"] == run["agent_id"]
    assert agent["latest_build"]["id"] == run["build_id"]
    assert agent["latest_build"]["status"] == "live"
    assert agent["last_run_at"] == run["created_at"]
    assert "schedules" not in agent["latest_build"]


def test_an_agent_of_a_script_can_have_a_name(api: Api) -> None:
    api.emulator.add_agent([], name="Clerk")
    api.emulator.add_agent([])
    assert names(api) == ["Agent 2", "Clerk", "Agent 0"]


def test_agents_come_in_pages(api: Api) -> None:
    for _ in range(23):
        api.emulator.add_agent([])
    assert names(api) == [f"Agent {number}" for number in range(23, 3, -1)]
    assert names(api, "limit=2&offset=22") == ["Agent 1", "Agent 0"]
    assert page(api, "limit=100&offset=24") == {
        "agents": [],
        "total": 24,
        "limit": 100,
        "offset": 24,
    }


def test_agents_are_chosen_by_their_automation(api: Api) -> None:
    AgentApi.create(api, "A", automation_id=NOBODY)
    AgentApi.create(api, "B", automation_id=None)
    assert names(api, f"automation_id={NOBODY.upper()}") == ["A"]
    assert page(api, f"automation_id={NOBODY}")["total"] == 1


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "offset=-1", "include_schedules=1", "automation_id=7", "name=x"],
)
def test_a_bad_query_is_refused(api: Api, query: str) -> None:
    assert api.get(f"/v1/agents?{query}").status == 400


def test_an_agent_is_changed(api: Api) -> None:
    agent = AgentApi.create(api)
    api.clock.advance(60)
    fields = {"name": "Auditor", "slack_enabled": True, "thread_id": NOBODY}
    changed = api.call("PATCH", agent.path, fields).json()["agent"]
    assert fields.items() <= changed.items()
    assert (changed["created_at"], changed["updated_at"]) == (START, LATER)
    cleared = api.call("PATCH", agent.path, {"thread_id": None}).json()["agent"]
    assert {**fields, "thread_id": None}.items() <= cleared.items()


def test_a_pin_holds_an_agent_at_the_top(api: Api) -> None:
    agent = AgentApi.create(api)
    api.emulator.add_agent([])
    api.clock.advance(60)
    for _ in range(2):
        shown = api.call("PATCH", agent.path, {"pinned": True}).json()
        assert shown["user_context"] == {"pinned_at": LATER}
        assert shown["agent"]["updated_at"] == START
        api.clock.advance(60)
    assert names(api) == ["Clerk", "Agent 2", "Agent 0"]
    shown = api.call("PATCH", agent.path, {"pinned": False}).json()
    assert shown["user_context"] == {"pinned_at": None}
    assert names(api) == ["Agent 2", "Clerk", "Agent 0"]


def test_a_deleted_agent_is_gone_and_its_runs_are_not(api: Api) -> None:
    run_id = api.start([AskApproval("Post?")])
    agent_id = api.run(run_id)["agent_id"]
    build_id = api.run(run_id)["build_id"]
    assert api.call("DELETE", f"/v2/agents/{agent_id}").json() == {"success": True}
    assert api.call("DELETE", f"/v2/agents/{agent_id}").status == 404
    assert api.get(f"/v2/agents/{agent_id}").status == 404
    assert api.get(f"/v1/revisions/{build_id}").status == 404
    assert names(api) == ["Agent 0"]
    assert api.post("/v1/runs", {"agent_id": agent_id}).status == 404
    assert api.respond(run_id, {"approved": True}).status == 200
    assert api.status(run_id) == "completed"
    assert api.get("/v1/runs").json()["data"][0]["agent_name"] == "Agent 1"
    with pytest.raises(KeyError):
        api.emulator.start_run(agent_id)


def test_a_list_tells_of_case_triggers(api: Api, queue: QueueApi) -> None:
    first, _ = queue.trigger([])
    second, _ = queue.trigger([])
    listed = {agent["id"]: agent for agent in page(api)["agents"]}
    assert listed[first]["case_trigger_enabled"]
    assert listed[first]["case_trigger_has_conflict"]
    assert listed[first]["case_queue_name"] == "Invoices"
    rivals = listed[first]["case_trigger_conflicting_agents"]
    assert rivals == [{"id": second, "name": listed[second]["name"]}]
    demo = listed[api.emulator.demo_agent_id]
    assert not demo["case_trigger_enabled"]
    assert demo["case_queue_name"] is None


def test_a_deleted_agent_works_off_no_queue(api: Api, queue: QueueApi) -> None:
    agent_id, _ = queue.trigger([])
    api.call("DELETE", f"/v2/agents/{agent_id}")
    queue.add("Invoice 17")
    assert [entry.status for entry in queue.entries()] == ["pending"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": None},
        {"name": "A", "thread_id": "17"},
        {"name": "A", "build": None},
        {"name": "A", "build": {"name": "B"}},
        {"name": "A", "build": {"name": "", "config": LEAST_CONFIG}},
        {"name": "A", "build": {"name": "B", "config": LEAST_CONFIG, "more": 1}},
        {"name": "A", "source_build_id": NOBODY},
        {"name": "A", "pinned": True},
    ],
)
def test_a_bad_agent_is_refused(api: Api, body: object) -> None:
    assert api.post("/v1/agents", body).status == 400
    assert names(api) == ["Agent 0"]


@pytest.mark.parametrize(
    "body", [{"name": None}, {"pinned": None}, {"slack_enabled": 1}, {"automation_id": NOBODY}]
)
def test_a_bad_change_is_refused(api: Api, body: object) -> None:
    assert api.call("PATCH", f"/v2/agents/{api.emulator.demo_agent_id}", body).status == 400


def test_a_repeated_request_makes_one_agent(api: Api) -> None:
    headers = {"idempotency-key": "k"}
    answers = [api.post("/v1/agents", {"name": "A"}, headers).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert names(api) == ["A", "Agent 0"]


def test_an_unknown_agent_is_missed(api: Api) -> None:
    for method, tail, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "A"}),
        ("DELETE", "", None),
        ("GET", "/revisions", None),
        ("POST", "/revisions", {"name": "B"}),
        ("GET", "/schedules", None),
    ):
        assert api.call(method, f"/v2/agents/{NOBODY}{tail}", body).status == 404
