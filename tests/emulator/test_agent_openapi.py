"""Holds the answers on teams and agents against the vendor's document, where there is a copy."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from duvo_async.emulator import AskApproval
from tests.support.agent_api import FULL_CONFIG, LEAST_CONFIG, OLD_CONFIG
from tests.support.contract import Contract
from tests.support.queue_api import QueueApi

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Api

FOLDER = os.environ.get("DUVO_OPENAPI_DIR", "")
NOBODY = "5f0c1d3e-8a57-4b0e-9a52-d0a7e8a4b6c1"
TEAM = "/v2/teams/{teamId}"
AGENTS, RUNS = f"{TEAM}/agents", f"{TEAM}/runs"
AGENT = "/v2/agents/{agent_id}"
BUILDS, BUILD = f"{AGENT}/revisions", "/v2/revisions/{build_id}"
SCHEDULES = f"{AGENT}/schedules"
SCHEDULE = f"{SCHEDULES}/{{schedule_id}}"
OPERATIONS = {
    *(("GET", path) for path in ("/v2/teams", TEAM, f"{TEAM}/members", "/v2/profile")),
    *((method, path) for method in ("GET", "POST") for path in (AGENTS, BUILDS, SCHEDULES, RUNS)),
    *((method, AGENT) for method in ("GET", "PATCH", "DELETE")),
    *((method, SCHEDULE) for method in ("PATCH", "DELETE")),
    ("GET", f"{BUILDS}/{{build_id}}"),
    ("PATCH", BUILD),
    ("POST", f"{BUILD}/promote"),
}

pytestmark = pytest.mark.skipif(not FOLDER, reason="DUVO_OPENAPI_DIR is not set")


@pytest.fixture
def contract(make_api: Callable[..., Api]) -> Contract:
    return Contract.load(make_api(requests_per_minute=None), FOLDER)


def use_teams(contract: Contract) -> None:
    own = contract.ids["teamId"]
    contract.api.emulator.add_member("Ada", "ada@books.test")
    contract.ids["teamId"] = contract.api.emulator.add_team("Other")
    for _ in range(2):
        contract.call("GET", "/v2/teams")
        contract.call("GET", TEAM)
        contract.call("GET", f"{TEAM}/members", query="?limit=1")
        contract.call("GET", f"{TEAM}/members", query="?limit=0")
        contract.call("GET", AGENTS)
        contract.call("GET", RUNS)
        contract.ids["teamId"] = own
    contract.call("GET", "/v2/profile")


def use_agents(contract: Contract) -> None:
    contract.call("POST", AGENTS, {"name": "Bare", "thread_id": NOBODY})
    body = {"name": "Clerk", "build": {"name": "First", "config": FULL_CONFIG}}
    created = contract.call("POST", AGENTS, body)
    contract.ids["agent_id"] = created["agent"]["id"]
    contract.ids["build_id"] = created["build"]["id"]
    contract.call("POST", AGENTS, {})
    contract.call("GET", AGENT)
    contract.call("PATCH", AGENT, {"pinned": True, "thread_id": NOBODY})
    contract.call("PATCH", AGENT, {"name": None})


def use_schedules(contract: Contract) -> None:
    body = {"enabled": True, "frequency": "weekly", "timezone": "UTC", "day": "monday"}
    contract.ids["schedule_id"] = contract.call("POST", SCHEDULES, body)["id"]
    contract.call("POST", SCHEDULES, {})
    contract.call("GET", SCHEDULES)
    contract.call("PATCH", SCHEDULE, {"time": "09:00", "day_of_month": 3, "recurring": True})
    listed = contract.call("GET", AGENTS, query="?include_schedules=true")["agents"]
    assert len(listed[0]["latest_build"]["schedules"]) == 1


def use_builds(contract: Contract) -> None:
    contract.call("PATCH", BUILD, {"config": OLD_CONFIG, "revision_name": "Old"})
    contract.call("GET", f"{BUILDS}/{{build_id}}")
    contract.call("POST", BUILDS, {"name": "Empty", "source_build_id": contract.ids["build_id"]})
    build = contract.call("POST", BUILDS, {"name": "Next", "config": LEAST_CONFIG})["build"]
    contract.ids["build_id"] = build["id"]
    contract.call("POST", f"{BUILD}/promote", {"revision_description": None})
    contract.call("POST", f"{BUILD}/promote", {})
    contract.call("PATCH", BUILD, {"config": {}})
    assert contract.call("GET", BUILDS)["total"] == 3


def use_runs(contract: Contract) -> None:
    queue = QueueApi.create(contract.api)
    queue.trigger([AskApproval("Post?")])
    queue.add("Invoice 17")
    contract.call("POST", RUNS, {"agent_id": contract.ids["agent_id"]})
    rows = contract.call("GET", RUNS)["data"]
    assert {row["case_title"] for row in rows} == {None, "Invoice 17"}
    contract.call("GET", AGENTS)


def delete_everything(contract: Contract) -> None:
    for path in (SCHEDULE, AGENT):
        contract.call("DELETE", path)
        contract.call("DELETE", path)
    contract.call("GET", f"{BUILDS}/{{build_id}}")


def test_every_answer_is_as_the_document_says(contract: Contract) -> None:
    use_teams(contract)
    use_agents(contract)
    use_schedules(contract)
    use_builds(contract)
    use_runs(contract)
    delete_everything(contract)
    assert contract.seen == OPERATIONS
