from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from duvo_async.emulator import Say

if TYPE_CHECKING:
    from tests.emulator.conftest import Api

NOBODY = "5f0c1d3e-8a57-4b0e-9a52-d0a7e8a4b6c1"


def test_both_generations_show_the_same(api: Api) -> None:
    agent_id = api.emulator.add_agent([Say("hi")])
    team = f"/v2/teams/{api.emulator.team_id}"
    first = api.post("/v1/runs", {"agent_id": agent_id}).json()["run"]["id"]
    second = api.post(f"{team}/runs", {"agent_id": agent_id}).json()["run"]["id"]
    for tail in (f"/runs/{first}", f"/runs/{second}/messages", "/profile", f"/agents/{agent_id}"):
        assert api.get(f"/v1{tail}").json() == api.get(f"/v2{tail}").json()
        assert api.get(f"/v2{tail}").status == 200
    for tail in ("/runs", "/agents", "/queues"):
        assert api.get(f"/v1{tail}").json() == api.get(f"{team}{tail}").json()
        assert api.get(f"{team}{tail}").status == 200
    assert api.get("/v1/runs").json()["total"] == 2


def test_both_generations_work_on_the_same_sandboxes(api: Api) -> None:
    sandbox_id = api.post("/v2/sandboxes").json()["sandbox_id"]
    assert api.upload(sandbox_id, "a.txt", b"a").status == 201
    response = api.get(f"/v2/sandboxes/{sandbox_id}/files")
    assert [each["name"] for each in response.json()["files"]] == ["a.txt"]


def test_a_run_of_the_second_generation_is_answered_and_stopped(api: Api) -> None:
    run_id = api.start()
    assert api.post(f"/v2/runs/{run_id}/messages", {"message": "more"}).status == 201
    assert api.post(f"/v2/runs/{run_id}/stop").status == 200


@pytest.mark.parametrize(
    "target",
    [
        "/v2/health",
        "/v2/runs",
        "/v2/agents",
        "/v2/teams/{team}/sandboxes",
        "/v2/teams/{team}/profile",
        "/v1/teams",
        "/v1/teams/{team}",
        "/v1/teams/{team}/runs",
        "/v2/revisions/" + NOBODY,
        "/v1/agents/" + NOBODY + "/revisions/" + NOBODY,
        "/v3/profile",
        "/v2",
        "/",
    ],
)
def test_a_path_of_neither_generation_leads_nowhere(api: Api, target: str) -> None:
    response = api.get(target.format(team=api.emulator.team_id))
    assert response.status in {404, 405}


def test_the_run_list_can_be_missing_from_both(api: Api) -> None:
    team = f"/v2/teams/{api.emulator.team_id}"
    api.emulator.lists_runs = False
    assert [api.get(f"{each}/runs").status for each in ("/v1", team)] == [405, 405]
    api.emulator.lists_runs = True
    assert [api.get(f"{each}/runs").status for each in ("/v1", team)] == [200, 200]


@pytest.mark.parametrize("tail", ["runs", "agents", "queues"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_team_has_nothing(api: Api, method: str, tail: str) -> None:
    made = {"agent_id": api.emulator.demo_agent_id} if tail == "runs" else {"name": "n"}
    body = None if method == "GET" else made
    assert api.call(method, f"/v2/teams/{NOBODY}/{tail}", body).status == 404


@pytest.mark.parametrize(
    "target",
    [
        "/v2/teams/17/runs",
        "/v2/teams/17",
        "/v2/runs/17",
        "/v2/agents/17",
        "/v1/revisions/17",
        "/v2/agents/17/schedules",
    ],
)
def test_ids_are_uuids(api: Api, target: str) -> None:
    response = api.get(target)
    assert response.status == 400
    assert "must be a UUID" in response.json()["message"]


def test_ids_are_read_in_any_case(api: Api) -> None:
    agent_id = api.emulator.demo_agent_id
    assert api.get(f"/v2/agents/{agent_id.upper()}").status == 200
    assert api.get(f"/v2/teams/{api.emulator.team_id.upper()}/runs").status == 200


def test_another_team_of_the_key_has_empty_lists(api: Api) -> None:
    api.start()
    team = f"/v2/teams/{api.emulator.add_team('Other')}"
    assert api.get(f"{team}/runs").json() == {"data": [], "total": 0}
    expected = {"agents": [], "total": 0, "limit": 5, "offset": 2}
    assert api.get(f"{team}/agents?limit=5&offset=2").json() == expected
    assert api.get(f"{team}/queues").json()["queues"] == []
    assert api.get(f"{team}/runs?limit=0").status == 400


def test_nothing_can_be_made_in_another_team_of_the_key(api: Api) -> None:
    team = f"/v2/teams/{api.emulator.add_team('Other')}"
    body = {"agent_id": api.emulator.demo_agent_id}
    assert api.post(f"{team}/runs", body).status == 404
    assert api.post(f"{team}/agents", {"name": "A"}).status == 404
    assert api.get("/v1/runs").json()["total"] == 0
