from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.agent_api import FULL_CONFIG, INPUT, LEAST_CONFIG, MODELS, OLD_CONFIG, AgentApi

if TYPE_CHECKING:
    from tests.emulator.conftest import Api

NOBODY = "5f0c1d3e-8a57-4b0e-9a52-d0a7e8a4b6c1"
START = "2023-11-14T22:13:20.000Z"
LATER = "2023-11-14T22:14:20.000Z"


@pytest.fixture
def agent(api: Api) -> AgentApi:
    return AgentApi.create_built(api)


def test_a_first_build_is_live(agent: AgentApi) -> None:
    [build] = agent.builds()
    data = {**LEAST_CONFIG["data"], "files": None, "skills": None}
    assert build == {
        "id": build["id"],
        "copilot_id": agent.id,
        "agent_id": agent.id,
        "name": "First",
        "revision_name": None,
        "revision_description": None,
        "config": {"version": "v2", "data": {**data, "plugins": None, "subAgents": None}},
        "status": "live",
        "revision_number": 1,
        "parent_build_id": None,
        "created_by": agent.api.emulator.user_id,
        "created_by_name": "Key Holder",
        "created_at": START,
        "updated_at": START,
    }


def test_a_later_build_is_a_draft(agent: AgentApi) -> None:
    [first] = agent.builds()
    build = agent.add_build(source_build_id=first["id"].upper(), handover_target_ids=[NOBODY])
    assert (build["status"], build["revision_number"]) == ("draft", 2)
    assert (build["parent_build_id"], build["config"]) == (first["id"], None)
    assert [each["status"] for each in agent.builds()] == ["draft", "live"]


def test_an_agent_without_a_build_gets_a_live_one(api: Api) -> None:
    agent = AgentApi.create(api)
    assert agent.builds() == []
    build = agent.add_build(config=LEAST_CONFIG)
    assert build["status"] == "live"
    response = api.post("/v1/runs", {"agent_id": agent.id})
    assert response.json()["run"]["build_id"] == build["id"]


def test_builds_come_in_pages_newest_first(agent: AgentApi) -> None:
    for number in range(22):
        agent.add_build(f"B{number}")
    assert [build["name"] for build in agent.builds()][:2] == ["B21", "B20"]
    assert len(agent.builds()) == 20
    assert [build["name"] for build in agent.builds("limit=2&offset=21")] == ["B0", "First"]
    page = agent.api.get(f"{agent.path}/revisions?limit=1").json()
    assert (page["total"], page["limit"], page["offset"]) == (23, 1, 0)
    assert agent.api.get(f"{agent.path}/revisions?limit=101").status == 400


def test_a_build_is_shown_in_both_generations(agent: AgentApi) -> None:
    [build] = agent.builds()
    for target in (f"/v1/revisions/{build['id']}", f"{agent.path}/revisions/{build['id']}"):
        assert agent.api.get(target).json() == {"build": build}
    other = AgentApi.create(agent.api)
    assert agent.api.get(f"{other.path}/revisions/{build['id']}").status == 404
    assert agent.api.get(f"/v1/revisions/{NOBODY}").status == 404


def test_a_promoted_build_is_the_one_of_new_runs(agent: AgentApi) -> None:
    api = agent.api
    runs = [api.post("/v1/runs", {"agent_id": agent.id}).json()["run"]]
    build = agent.add_build()
    api.clock.advance(60)
    path = f"/v2/revisions/{build['id']}/promote"
    assert api.post(path, {"revision_name": "Two"}).json() == {"success": True}
    runs.append(api.post("/v1/runs", {"agent_id": agent.id}).json()["run"])
    second, first = agent.builds()
    assert [second["status"], first["status"]] == ["live", "historic"]
    assert (second["revision_name"], second["updated_at"]) == ("Two", LATER)
    assert [run["build_id"] for run in runs] == [first["id"], second["id"]]
    assert api.run(runs[0]["id"])["build_id"] == first["id"]
    assert api.post(path, {}).status == 409
    assert api.post(f"/v1/revisions/{first['id']}/promote", {}).status == 200
    assert [each["status"] for each in agent.builds()] == ["historic", "live"]


def test_a_build_is_described(agent: AgentApi) -> None:
    path = f"/v2/revisions/{agent.builds()[0]['id']}"
    body = {"revision_name": "One", "revision_description": "d", "handoverTargetIds": []}
    agent.api.call("PATCH", path, body)
    agent.api.clock.advance(60)
    changed = agent.api.call("PATCH", path, {"revision_name": None}).json()["build"]
    assert (changed["revision_name"], changed["revision_description"]) == (None, "d")
    assert changed["updated_at"] == LATER


@pytest.mark.parametrize("config", [FULL_CONFIG, OLD_CONFIG])
def test_a_config_is_given_back_as_it_was_sent(agent: AgentApi, config: object) -> None:
    path = f"/v2/revisions/{agent.builds()[0]['id']}"
    for _ in range(2):
        build = agent.api.call("PATCH", path, {"config": config}).json()["build"]
        assert build["config"] == config
        config = build["config"]


def test_a_config_of_a_script_can_be_sent_back(api: Api) -> None:
    agent = AgentApi(api, api.emulator.demo_agent_id)
    [build] = agent.builds()
    response = api.call("PATCH", f"/v1/revisions/{build['id']}", {"config": build["config"]})
    assert response.json()["build"] == {**build, "updated_at": START}


def changed(config: dict[str, Any], **fields: object) -> dict[str, Any]:
    data = {**deepcopy(config["data"]), **fields}
    kept = {name: value for name, value in data.items() if value is not ...}
    return {**config, "data": kept}


BAD_CONFIGS: list[object] = [
    None,
    [],
    {},
    {"version": "v2"},
    {"version": "v3", "data": LEAST_CONFIG["data"]},
    changed(LEAST_CONFIG, model="gpt-4o"),
    changed(LEAST_CONFIG, models=...),
    changed(LEAST_CONFIG, models={**MODELS, "agent": {"model": "gpt-2"}}),
    changed(LEAST_CONFIG, models={"agent": MODELS["agent"]}),
    changed(LEAST_CONFIG, models={**MODELS, "browsing": {"provider": "google"}}),
    changed(LEAST_CONFIG, input=...),
    changed(LEAST_CONFIG, input=None),
    changed(LEAST_CONFIG, input=[{"role": "tool", "content": ""}]),
    changed(LEAST_CONFIG, input=[{"role": "user"}]),
    changed(LEAST_CONFIG, input=[{"role": "user", "content": [{"type": "input_text"}]}]),
    changed(LEAST_CONFIG, input=[{"role": "user", "content": [{"text": "hi"}]}]),
    changed(LEAST_CONFIG, input=[{**INPUT[0], "type": "text"}]),
    changed(LEAST_CONFIG, files="a.csv"),
    changed(LEAST_CONFIG, subAgents=["17"]),
    changed(LEAST_CONFIG, options=None),
    changed(LEAST_CONFIG, options={"browserProvider": "netscape"}),
    changed(LEAST_CONFIG, options={"benchmarkExpectedOutcomes": [{"criteria": "c"}]}),
]


@pytest.mark.parametrize("config", BAD_CONFIGS)
def test_a_bad_config_is_refused(agent: AgentApi, config: object) -> None:
    body = {"name": "B", "config": config}
    assert agent.api.post(f"{agent.path}/revisions", body).status == 400
    path = f"/v2/revisions/{agent.builds()[0]['id']}"
    response = agent.api.call("PATCH", path, {"config": config})
    assert response.status == 400
    assert response.json()["message"].startswith("body.config must be ")


@pytest.mark.parametrize(
    "config",
    [
        OLD_CONFIG | {"more": 1},
        changed(OLD_CONFIG, tools=...),
        changed(OLD_CONFIG, temperature=2.1),
        changed(OLD_CONFIG, temperature=True),
        changed(OLD_CONFIG, max_output_tokens=0),
        changed(OLD_CONFIG, text={"format": {"type": "xml"}}),
        changed(OLD_CONFIG, plugins=None),
    ],
)
def test_a_bad_old_config_is_refused(agent: AgentApi, config: object) -> None:
    path = f"/v2/revisions/{agent.builds()[0]['id']}"
    assert agent.api.call("PATCH", path, {"config": config}).status == 400


def test_a_new_build_has_no_old_config(agent: AgentApi) -> None:
    body = {"name": "B", "config": OLD_CONFIG}
    assert agent.api.post(f"{agent.path}/revisions", body).status == 400


@pytest.mark.parametrize(
    ("tail", "body"),
    [
        ("", {"revision_name": ""}),
        ("", {"revision_name": "x" * 81}),
        ("", {"revision_description": "x" * 501}),
        ("", {"handoverTargetIds": None}),
        ("", {"name": "B"}),
        ("/promote", {"revision_name": None}),
        ("/promote", {"revision_description": "x" * 501}),
        ("/promote", {"config": LEAST_CONFIG}),
    ],
)
def test_a_bad_body_is_refused(agent: AgentApi, tail: str, body: object) -> None:
    path = f"/v2/revisions/{agent.add_build()['id']}{tail}"
    assert agent.api.call("POST" if tail else "PATCH", path, body).status == 400


def test_an_unknown_build_is_missed(agent: AgentApi) -> None:
    api = agent.api
    assert api.call("PATCH", f"/v2/revisions/{NOBODY}", {}).status == 404
    assert api.post(f"/v2/revisions/{NOBODY}/promote", {}).status == 404
    body = {"name": "B", "source_build_id": NOBODY}
    assert api.post(f"{agent.path}/revisions", body).status == 404
