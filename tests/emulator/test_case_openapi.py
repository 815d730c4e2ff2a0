"""Holds the answers on queues and cases against the vendor's document, where there is a copy."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from duvo_async.emulator import AskApproval, CallTool, Say, Sleep
from tests.support.contract import Contract
from tests.support.queue_api import QueueApi

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Api

FOLDER = os.environ.get("DUVO_OPENAPI_DIR", "")
WORDS = ("/queues", "/cases/", "/case-triggers")
OTHERS = ("/revisions/", "bulk-delegate", "bulk-retry")
TEAM_QUEUES = "/v2/teams/{teamId}/queues"
QUEUE = "/v2/queues/{queue_id}"
LABELS = f"{QUEUE}/labels"
LABEL = f"{LABELS}/{{label_id}}"
CASES = f"{QUEUE}/cases"
CASE_LABELS = f"{CASES}/{{case_id}}/labels"
CASE = "/v2/cases/{case_id}"
TRIGGERS = "/v2/agents/{agent_id}/case-triggers"
TRIGGER = f"{TRIGGERS}/{{trigger_id}}"

pytestmark = pytest.mark.skipif(not FOLDER, reason="DUVO_OPENAPI_DIR is not set")


@pytest.fixture
def contract(make_api: Callable[..., Api]) -> Contract:
    return Contract.load(make_api(requests_per_minute=None), FOLDER)


def use_queues(contract: Contract) -> None:
    body = {"name": "Returns", "description": "x", "folder_id": contract.ids["teamId"]}
    created = contract.call("POST", TEAM_QUEUES, body)
    contract.ids["queue_id"] = created["queue"]["id"]
    contract.call("POST", TEAM_QUEUES, body)
    contract.call("POST", TEAM_QUEUES, {})
    contract.call("GET", TEAM_QUEUES, query="?limit=1")
    contract.call("GET", QUEUE)
    contract.call("PATCH", QUEUE, {"description": None, "folder_id": None})
    contract.call("PATCH", QUEUE, {"name": ""})


def use_labels(contract: Contract) -> None:
    contract.call("POST", LABELS, {"value": "plain"})
    label = contract.call("POST", LABELS, {"key": "a", "value": "b", "color_hue": 360})["label"]
    contract.ids["label_id"] = label["id"]
    contract.call("PATCH", LABEL, {"value": "c"})
    contract.call("PATCH", LABEL, {"key": "", "value": "plain"})
    contract.call("GET", LABELS, query="?limit=1")
    contract.call("POST", CASE_LABELS, {"labels": [{"value": "plain"}, {"value": "x"}]})
    contract.call("GET", CASE_LABELS)
    contract.call("POST", f"{CASE_LABELS}/unlink", {"label_ids": [contract.ids["label_id"]]})
    contract.call("DELETE", LABEL)


def use_cases(contract: Contract) -> None:
    case = {"title": "t", "data": "some data", "labels": [{"value": "v"}], "priority": "high"}
    contract.ids["case_id"] = contract.call("POST", CASES, {"case": case})["added_cases"][0]["id"]
    contract.call("POST", CASES, {"cases": [case] * 3})
    contract.call("POST", CASES, {})
    query = "?status=pending,claimed&priority=high&sort_by=updated_at&search=DATA"
    assert contract.call("GET", CASES, query=query)["total"] == 4
    body = {"filters": {"labels": {"": ["v"]}}, "search": "data"}
    assert contract.call("POST", f"{CASES}/search", body)["total"] == 4
    contract.call("GET", CASE)


def use_triggers(contract: Contract) -> None:
    emulator = contract.api.emulator
    rival = QueueApi(contract.api, contract.ids["queue_id"]).trigger([Sleep(60)], concurrency=1)
    script = [Say("hi"), CallTool("x", {"a": 1}, {"b": 2}), AskApproval("Post?")]
    contract.ids["agent_id"] = emulator.add_agent(script)
    queue_id = contract.ids["queue_id"]
    contract.call("GET", f"{TRIGGERS}/conflict-preview", query=f"?case_queue_id={queue_id}")
    body = {"case_queue_id": queue_id, "enabled": True}
    trigger = contract.call("POST", TRIGGERS, body)["case_trigger"]
    assert [each["id"] for each in trigger["conflicting_agents"]] == [rival[0]]
    contract.ids["trigger_id"] = trigger["id"]
    contract.call("POST", TRIGGERS, body)
    contract.call("POST", TRIGGERS, {})
    contract.call("GET", TRIGGERS)
    contract.call("GET", TRIGGER)
    contract.call("PATCH", TRIGGER, {"concurrency": 1})
    contract.call("PATCH", TRIGGER, {"concurrency": None})
    contract.call("GET", f"{QUEUE}/agents")


def use_runs(contract: Contract) -> None:
    queue_id = contract.ids["queue_id"]
    api = QueueApi(contract.api, queue_id)
    entries = [entry for entry in api.entries() if entry.display_status == "needs_input"]
    contract.ids["case_id"] = entries[0].id
    assert len(contract.call("GET", CASE)["events"]) == 3
    run = contract.call("GET", f"{CASE}/runs")["runs"][0]
    assert run["has_pending_human_request"]
    contract.ids["run_id"] = run["id"]
    recent = contract.call("GET", f"{CASE}/runs/{{run_id}}/recent-messages", query="?limit=10")
    assert [each["type"] for each in recent["messages"]] == ["text", "tool_call"]


def work_in_bulk(contract: Contract) -> None:
    ids = {"case_ids": [contract.ids["case_id"]]}
    agent = {"agent_id": contract.ids["agent_id"]}
    contract.call("POST", f"{CASES}/bulk-reprocess", {**ids, **agent})
    contract.call("POST", f"{CASES}/bulk-reprocess", {**ids, "agent_id": contract.ids["queue_id"]})
    contract.call("POST", f"{CASES}/bulk-update-status", {"all_matching": True, "status": "failed"})
    contract.call("GET", CASES)
    contract.call("POST", f"{CASES}/bulk-update-priority", {**ids, "priority": "none"})
    contract.call("POST", f"{CASES}/bulk-delete", ids)
    contract.call("GET", CASE)


def delete_everything(contract: Contract) -> None:
    contract.ids["case_id"] = contract.call("GET", CASES)["cases"][0]["id"]
    contract.call("DELETE", CASE)
    contract.call("DELETE", TRIGGER)
    contract.call("GET", TRIGGER)
    contract.call("DELETE", CASES)
    contract.call("DELETE", QUEUE)
    contract.call("GET", QUEUE)


def test_every_answer_is_as_the_document_says(contract: Contract) -> None:
    use_queues(contract)
    use_cases(contract)
    use_labels(contract)
    use_triggers(contract)
    use_runs(contract)
    work_in_bulk(contract)
    delete_everything(contract)
    described = {
        (method.upper(), path)
        for path, methods in contract.paths.items()
        for method in methods
        if any(word in path for word in WORDS) and not any(word in path for word in OTHERS)
    }
    assert contract.seen == described
    assert len(described) == 31
