from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from duvo_async.emulator import CaseEntry, Sleep
from tests.support.queue_api import QueueApi

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Api

NOBODY = "5f0c1d3e-8a57-4b0e-9a52-d0a7e8a4b6c1"
START = "2023-11-14T22:13:20.000Z"


def test_a_new_case_is_pending(api: Api, queue: QueueApi) -> None:
    case = {
        "title": "4711",
        "data": "net 12",
        "labels": [{"key": "year", "value": "2023"}, {"value": "late"}],
        "priority": "high",
    }
    response = api.post(f"{queue.path}/cases", {"case": case})
    assert response.status == 201
    (added,) = response.json()["added_cases"]
    user = api.get("/v2/profile").json()["profile"]
    hues = [label.pop("color_hue") for label in added["labels"]]
    ids = [label.pop("id") for label in added["labels"]]
    assert all(0 <= hue <= 360 for hue in hues)
    assert len(set(ids)) == 2
    assert added == {
        "id": added["id"],
        "queue_id": queue.id,
        "title": "4711",
        "data": "net 12",
        "status": "pending",
        "priority": "high",
        "display_status": "pending",
        "claimed_at": None,
        "claimed_by_run_id": None,
        "completed_at": None,
        "postponed_to": None,
        "created_at": START,
        "updated_at": START,
        "created_by_user_id": user["id"],
        "created_by_user_name": user["name"],
        "created_by_user_email": user["email"],
        "agent_run_status": None,
        "agent_run_user_id": None,
        "pending_human_request_id": None,
        "pending_approval_batch_id": None,
        "pending_approval_assignee_user_ids": [],
        "approval_approved_count": 0,
        "approval_rejected_count": 0,
        "eval_summary": None,
        "labels": [{"key": "year", "value": "2023"}, {"key": "", "value": "late"}],
    }


def test_a_case_has_a_history_and_no_approvals(api: Api, queue: QueueApi) -> None:
    (case_id,) = queue.add("a")
    shown = api.get(f"/v1/cases/{case_id.upper()}").json()
    assert shown["case"]["id"] == case_id
    assert shown["approvalBatches"] == []
    (event,) = shown["events"]
    assert (event["type"], event["case_queue_item_id"]) == ("created", case_id)
    assert (event["created_at"], event["user_id"]) == (START, api.emulator.user_id)
    assert queue.events(case_id) == [event]


def test_the_cases_can_be_looked_at_from_outside(queue: QueueApi) -> None:
    (case_id,) = queue.add("a", data="d", priority="medium")
    assert queue.entries() == (CaseEntry(case_id, "a", "d", "pending", "medium", "pending"),)


@pytest.mark.parametrize("count", [1, 100])
def test_cases_are_created_in_the_order_given(queue: QueueApi, count: int) -> None:
    titles = [f"case {number}" for number in range(count)]
    case_ids = queue.add(*titles)
    assert [entry.id for entry in queue.entries()] == case_ids
    assert [entry.title for entry in queue.entries()] == titles


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"case": {"title": "x"}, "cases": [{"title": "x"}]},
        {"case": {}},
        {"case": {"title": ""}},
        {"case": {"title": "x" * 501}},
        {"case": {"title": "x", "data": {}}},
        {"case": {"title": "x", "priority": "low"}},
        {"case": {"title": "x", "labels": [{"key": "k"}]}},
        {"case": {"title": "x", "labels": [{"value": ""}]}},
        {"case": {"title": "x", "labels": [{"value": "v"}] * 51}},
        {"case": {"title": "x", "status": "pending"}},
        {"cases": []},
        {"cases": [{"title": "x"}] * 101},
        {"cases": [{"title": "x"}, {"title": 1}]},
        {"cases": {"title": "x"}},
        {"cases": ["x"]},
    ],
)
def test_a_bad_case_is_refused_with_all_that_came_along(queue: QueueApi, body: object) -> None:
    assert queue.api.post(f"{queue.path}/cases", body).status == 400
    assert queue.entries() == ()


def test_a_refusal_names_the_field(queue: QueueApi) -> None:
    body = {"cases": [{"title": "x"}, {"title": ""}]}
    message = queue.api.post(f"{queue.path}/cases", body).json()["message"]
    assert message == (
        "body.cases must be a list whose items are each an object"
        " whose title is a string of 1 to 500 characters"
    )


def test_the_longest_title_and_the_most_labels_are_taken(queue: QueueApi) -> None:
    labels = [{"value": str(number)} for number in range(50)]
    (case_id,) = queue.add("\u00e9" * 500, labels=labels)
    assert len(queue.case(case_id)["labels"]) == 50


def test_a_repeated_request_creates_nothing_twice(queue: QueueApi) -> None:
    body = {"cases": [{"title": "a"}, {"title": "b"}]}
    key = {"idempotency-key": "k1"}
    first, second = (queue.api.post(f"{queue.path}/cases", body, key) for _ in range(2))
    assert second.json() == first.json()
    assert second.headers["idempotent-replayed"] == "true"
    assert len(queue.entries()) == 2
    other = queue.api.post(f"{queue.path}/cases", {"cases": [{"title": "c"}]}, key)
    assert other.status == 409


@pytest.mark.no_cover
def test_the_answers_to_many_requests_are_kept(make_api: Callable[..., Api]) -> None:
    queue = QueueApi.create(make_api(requests_per_minute=None))
    body = {"cases": [{"title": f"case {number}"} for number in range(100)]}

    def create(key: int) -> list[str]:
        headers = {"idempotency-key": f"key {key}"}
        response = queue.api.post(f"{queue.path}/cases", body, headers)
        return [case["id"] for case in response.json()["added_cases"]]

    ids = [create(key) for key in range(50)]
    assert [create(key) for key in range(50)] == ids
    assert len({case_id for each in ids for case_id in each}) == len(queue.entries()) == 5000


@pytest.mark.parametrize("tail", ["", "/runs", f"/runs/{NOBODY}/recent-messages"])
def test_an_unknown_case_is_not_found(api: Api, tail: str) -> None:
    assert api.get(f"/v2/cases/{NOBODY}{tail}").status == 404
    assert api.get(f"/v2/cases/x{tail}").status == 400


def test_a_deleted_case_is_gone(api: Api, queue: QueueApi) -> None:
    first, second = queue.add("a", "b", labels=[{"value": "v"}])
    deleted = api.call("DELETE", f"/v2/cases/{first}")
    assert deleted.json() == {"success": True, "interruptedRunIds": []}
    assert api.get(f"/v2/cases/{first}").status == 404
    assert api.call("DELETE", f"/v2/cases/{first}").status == 404
    assert [entry.id for entry in queue.entries()] == [second]
    (label,) = api.get(f"{queue.path}/labels").json()["labels"]
    assert label["case_count"] == 1


def test_a_deleted_case_interrupts_its_run(api: Api, queue: QueueApi) -> None:
    first, second = queue.add("a", "b")
    queue.trigger([Sleep(60)])
    (run,), (other,) = queue.runs(first), queue.runs(second)
    deleted = api.call("DELETE", f"/v2/cases/{first}").json()
    assert deleted == {"success": True, "interruptedRunIds": [run["id"]]}
    assert [api.status(each["id"]) for each in (run, other)] == ["interrupted", "running"]


def test_a_deleted_case_is_never_claimed(api: Api, queue: QueueApi) -> None:
    first, _ = queue.add("a", "b")
    api.call("DELETE", f"/v2/cases/{first}")
    queue.trigger([])
    assert queue.states() == ["completed"]
    assert api.get("/v1/runs").json()["total"] == 1


def test_clearing_deletes_all_cases_of_the_queue_only(api: Api, queue: QueueApi) -> None:
    other = QueueApi.create(api, "Other")
    other.add("x")
    case_ids = queue.add("a", "b", "c")
    queue.trigger([Sleep(60)], concurrency=1)
    (run,) = queue.runs(case_ids[0])
    cleared = api.call("DELETE", f"{queue.path}/cases").json()
    assert cleared == {"success": True, "deletedCount": 3, "interruptedRunIds": [run["id"]]}
    assert queue.entries() == ()
    assert len(other.entries()) == 1
    assert api.get(queue.path).status == 200


def test_with_a_seed_the_ids_are_the_same_every_time(make_api: Callable[..., Api]) -> None:
    made: list[object] = []
    for _ in range(2):
        queue = QueueApi.create(make_api(seed=7))
        case_ids = queue.add("a", "b", labels=[{"value": "v"}])
        agent_id, trigger_id = queue.trigger()
        made.append((queue.id, case_ids, trigger_id, agent_id, queue.events(case_ids[0])))
    assert made[0] == made[1]
