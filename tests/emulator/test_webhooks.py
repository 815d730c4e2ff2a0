"""What is to be delivered when, and what becomes of it; test_server.py really delivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from duvo_async.emulator import AskApproval, AskQuestions, Delivery, Finish, Question, Sleep

if TYPE_CHECKING:
    from duvo_async.emulator import Step
    from tests.emulator.conftest import Api

HOOK = "http://hook.test/x?y=%20"


@pytest.mark.parametrize(
    "ask",
    [AskApproval("Post?", "12 entries"), AskQuestions("Post?", [Question("?")], "12 entries")],
)
def test_a_request_to_a_person_is_announced(api: Api, ask: Step) -> None:
    run_id = api.start([Sleep(30), ask], webhook_url=HOOK)
    assert api.emulator.take_webhooks() == []
    api.clock.advance(45)
    (webhook,) = api.emulator.take_webhooks()
    assert webhook.url == HOOK
    assert webhook.due == 1_700_000_030
    assert webhook.body == {
        "event": "human_request_created",
        "run_id": run_id,
        "request_id": api.pending(run_id)["id"],
        "title": "Post?",
        "description": "12 entries",
        "created_at": "2023-11-14T22:13:50.000Z",
    }
    assert api.emulator.take_webhooks() == []


@pytest.mark.parametrize("status", ["completed", "failed", "interrupted"])
def test_an_end_is_announced(api: Api, status: str) -> None:
    run_id = api.start([Finish(status)], webhook_url=HOOK)
    (webhook,) = api.emulator.take_webhooks()
    assert webhook.body == {"event": f"run_{status}", "run_id": run_id, "status": status}


@pytest.mark.parametrize("status", ["stopped", "canceled", "waiting", "dreaming"])
def test_any_other_status_is_not_announced(api: Api, status: str) -> None:
    api.start([Finish(status)], webhook_url=HOOK)
    assert api.emulator.take_webhooks() == []


def test_a_run_without_a_webhook_url_announces_nothing(api: Api) -> None:
    api.start([AskApproval("Post?")])
    assert api.emulator.take_webhooks() == []


def test_webhooks_are_taken_in_the_order_of_their_due_times(api: Api) -> None:
    slow = api.start([Sleep(20)], webhook_url=HOOK)
    fast = api.start([Sleep(10)], webhook_url=HOOK)
    api.clock.advance(30)
    assert [each.body["run_id"] for each in api.emulator.take_webhooks()] == [fast, slow]


def test_the_next_due_time_is_known(api: Api) -> None:
    assert api.emulator.advance() is None
    run_id = api.start([Sleep(20)], webhook_url=HOOK)
    assert api.emulator.advance() == 1_700_000_020
    api.start([Sleep(10)])
    assert api.emulator.advance() == 1_700_000_010
    api.post(f"/v1/runs/{run_id}/stop")
    api.clock.advance(10)
    assert api.emulator.advance() is None


@pytest.mark.parametrize("status", [None, 500, 503])
def test_a_failed_delivery_is_tried_again_a_few_times(api: Api, status: int | None) -> None:
    run_id = api.start(webhook_url=HOOK)
    for delay in (1.0, 5.0, 30.0):
        (webhook,) = api.emulator.take_webhooks()
        api.emulator.record_delivery(webhook, status)
        assert api.emulator.advance() == api.clock.now + delay
        api.clock.advance(delay - 0.5)
        assert api.emulator.take_webhooks() == []
        api.clock.advance(0.5)
    (webhook,) = api.emulator.take_webhooks()
    api.emulator.record_delivery(webhook, status)
    assert api.emulator.advance() is None
    body = {"event": "run_completed", "run_id": run_id, "status": "completed"}
    assert api.emulator.deliveries == tuple(
        Delivery(HOOK, "run_completed", body, status, 1_700_000_000 + at) for at in (0, 1, 6, 36)
    )


@pytest.mark.parametrize("status", [200, 204, 302, 404])
def test_any_other_answer_is_the_last(api: Api, status: int) -> None:
    api.start(webhook_url=HOOK)
    (webhook,) = api.emulator.take_webhooks()
    api.emulator.record_delivery(webhook, status)
    assert api.emulator.advance() is None
    assert [each.status for each in api.emulator.deliveries] == [status]
