from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.agent_api import AgentApi

if TYPE_CHECKING:
    from tests.emulator.conftest import Api

NOBODY = "5f0c1d3e-8a57-4b0e-9a52-d0a7e8a4b6c1"
START = "2023-11-14T22:13:20.000Z"
LATER = "2023-11-14T22:14:20.000Z"


@pytest.fixture
def agent(api: Api) -> AgentApi:
    return AgentApi.create_built(api)


def test_a_schedule_is_made(agent: AgentApi) -> None:
    schedule = agent.add_schedule(frequency="monthly", day_of_month=31, time="09:00")
    assert schedule == {
        "id": schedule["id"],
        "build_id": agent.builds()[0]["id"],
        "agent_id": agent.id,
        "user_id": agent.api.emulator.user_id,
        "enabled": True,
        "frequency": "monthly",
        "time": "09:00",
        "timezone": "Europe/Prague",
        "day": None,
        "day_of_month": 31,
        "cron": None,
        "source": None,
        "task": None,
        "recurring": None,
        "auto_disabled_at": None,
        "auto_disabled_reason": None,
        "consecutive_missing_connection_failures": 0,
        "first_missing_connection_failure_at": None,
        "last_missing_connection_failure_at": None,
        "created_at": START,
        "updated_at": START,
        "user_name": "Key Holder",
        "user_email": "holder@emulator.test",
    }


def test_schedules_are_listed(agent: AgentApi) -> None:
    schedules = [agent.add_schedule(time=time) for time in ("09:00", "10:00")]
    assert agent.api.get(f"{agent.path}/schedules").json() == {"schedules": schedules}
    assert agent.api.get(f"/v1/agents/{agent.id}/schedules").json() == {"schedules": schedules}
    query = "/v1/agents?limit=1&include_schedules="
    [listed] = agent.api.get(f"{query}true").json()["agents"]
    assert listed["latest_build"]["schedules"] == schedules
    [listed] = agent.api.get(f"{query}false").json()["agents"]
    assert "schedules" not in listed["latest_build"]


def test_an_agent_without_builds_is_listed_with_none(api: Api) -> None:
    AgentApi.create(api)
    [listed] = api.get("/v1/agents?limit=1&include_schedules=true").json()["agents"]
    assert listed["latest_build"] is None


def test_a_schedule_is_changed(agent: AgentApi) -> None:
    schedule = agent.add_schedule(time="09:00", day="monday")
    agent.api.clock.advance(60)
    path = f"{agent.path}/schedules/{schedule['id']}"
    changed = agent.api.call("PATCH", path, {"enabled": False, "day": None}).json()
    new = {"enabled": False, "day": None, "updated_at": LATER}
    assert changed == {**schedule, **new}


def test_a_schedule_is_for_the_live_build(agent: AgentApi) -> None:
    agent.add_schedule()
    build = agent.add_build()
    agent.api.post(f"/v2/revisions/{build['id']}/promote", {})
    [schedule] = agent.api.get(f"{agent.path}/schedules").json()["schedules"]
    assert schedule["build_id"] == build["id"]


def test_a_schedule_is_deleted(agent: AgentApi) -> None:
    path = f"{agent.path}/schedules/{agent.add_schedule()['id']}"
    assert agent.api.call("DELETE", path).json() == {"success": True}
    assert agent.api.call("DELETE", path).status == 404
    assert agent.api.call("PATCH", path, {}).status == 404
    assert agent.api.get(f"{agent.path}/schedules").json() == {"schedules": []}


def test_a_schedule_belongs_to_one_agent(agent: AgentApi) -> None:
    schedule_id = agent.add_schedule()["id"]
    path = f"/v2/agents/{agent.api.emulator.demo_agent_id}/schedules/{schedule_id}"
    assert agent.api.call("PATCH", path, {}).status == 404


def test_a_schedule_starts_nothing_by_itself(agent: AgentApi) -> None:
    agent.add_schedule(frequency="every_5_minutes")
    agent.api.clock.advance(86_400)
    assert agent.api.emulator.advance() is None
    assert agent.api.get("/v1/runs").json()["total"] == 0


def test_a_schedule_needs_a_build(api: Api) -> None:
    body = {"enabled": True, "frequency": "hourly", "timezone": "UTC"}
    assert api.post(f"{AgentApi.create(api).path}/schedules", body).status == 400


@pytest.mark.parametrize(
    "fields",
    [
        {"frequency": "yearly"},
        {"frequency": None},
        {"enabled": "yes"},
        {"timezone": None},
        {"time": 9},
        {"day": "Monday"},
        {"day_of_month": 0},
        {"day_of_month": 32},
        {"day_of_month": 1.5},
        {"recurring": 1},
        {"task": "x"},
    ],
)
def test_a_bad_schedule_is_refused(agent: AgentApi, fields: dict[str, object]) -> None:
    body = {"enabled": True, "frequency": "hourly", "timezone": "UTC", **fields}
    assert agent.api.post(f"{agent.path}/schedules", body).status == 400
    path = f"{agent.path}/schedules/{agent.add_schedule()['id']}"
    assert agent.api.call("PATCH", path, fields).status == 400


@pytest.mark.parametrize("missing", ["enabled", "frequency", "timezone"])
def test_a_schedule_needs_its_fields(agent: AgentApi, missing: str) -> None:
    body = {"enabled": True, "frequency": "hourly", "timezone": "UTC"}
    del body[missing]
    assert agent.api.post(f"{agent.path}/schedules", body).status == 400
