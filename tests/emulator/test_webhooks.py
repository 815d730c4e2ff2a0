"""What is to be delivered when, and what becomes of it; at the end, over sockets."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest
from aiohttp import ClientSession, web
from attrs import define, field

from duvo_async.emulator import (
    AskApproval,
    AskQuestions,
    Delivery,
    Emulator,
    Finish,
    Question,
    Sleep,
)
from duvo_async.emulator.webhooks import Webhook, sign

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from duvo_async.emulator import Step
    from tests.emulator.conftest import Api, Clock

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


def signature(secret: bytes, moment: bytes, body: bytes) -> str:
    return f"sha256={hmac.new(secret, moment + b'.' + body, hashlib.sha256).hexdigest()}"


@pytest.mark.parametrize("secret", ["whsec_abc", "\u00e9\u2603"])
def test_an_attempt_is_signed(make_api: Callable[..., Api], secret: str) -> None:
    api = make_api(webhook_secret=secret)
    run_id = api.start(webhook_url=HOOK)
    (webhook,) = api.emulator.take_webhooks()
    body, headers = api.emulator.signed(webhook)
    assert json.loads(body) == {
        "event": "run_completed",
        "run_id": run_id,
        "status": "completed",
    }
    assert headers == {
        "Content-Type": "application/json",
        "X-Duvo-Timestamp": "1700000000",
        "X-Duvo-Signature": signature(secret.encode(), b"1700000000", body),
    }


def test_a_signature_is_what_another_program_makes_of_it() -> None:
    event = {"event": "run_completed", "run_id": "r-1", "status": "completed"}
    body, headers = sign(Webhook(HOOK, event, 0.0), 1_700_000_000.9, "whsec_abc")
    assert body == b'{"event": "run_completed", "run_id": "r-1", "status": "completed"}'
    # printf '1700000000.{"event": ...}' | openssl dgst -sha256 -hmac whsec_abc
    digest = "3c61f8aeed7568c195574a8da9d4267c4d2f872508dd13fbc410f32364668972"
    assert headers["X-Duvo-Signature"] == f"sha256={digest}"


def test_each_attempt_is_signed_anew(api: Api) -> None:
    api.start(webhook_url=HOOK)
    (first,) = api.emulator.take_webhooks()
    one = api.emulator.signed(first)
    api.emulator.record_delivery(first, 500)
    api.clock.advance(2.9)  # it is taken later than it is due
    (second,) = api.emulator.take_webhooks()
    two = api.emulator.signed(second)
    assert one[0] == two[0]
    assert (one[1]["X-Duvo-Timestamp"], two[1]["X-Duvo-Timestamp"]) == ("1700000000", "1700000002")
    secret = api.emulator.webhook_secret.encode()
    assert two[1]["X-Duvo-Signature"] == signature(secret, b"1700000002", two[0])


def test_a_new_secret_signs_from_now_on(api: Api) -> None:
    api.start(webhook_url=HOOK)
    (webhook,) = api.emulator.take_webhooks()
    old = api.emulator.webhook_secret
    new = api.emulator.rotate_webhook_secret()
    assert api.emulator.webhook_secret == new != old
    assert new.startswith("whsec_")
    body, headers = api.emulator.signed(webhook)
    assert headers["X-Duvo-Signature"] == signature(new.encode(), b"1700000000", body)
    assert api.emulator.rotate_webhook_secret() not in {old, new}


def secrets(api: Api) -> tuple[str, str]:
    return api.emulator.webhook_secret, api.emulator.rotate_webhook_secret()


def test_secrets_are_drawn_from_the_seed(make_api: Callable[..., Api]) -> None:
    assert secrets(make_api(seed=7)) == secrets(make_api(seed=7))
    drawn = [secrets(make_api(seed=seed)) for seed in (7, 8, None, None)]
    assert len({secret for pair in drawn for secret in pair}) == 8
    assert all(secret.startswith("whsec_") for pair in drawn for secret in pair)


def test_a_secret_is_not_shown(make_api: Callable[..., Api]) -> None:
    emulator = make_api(webhook_secret="whsec_mine").emulator
    assert emulator.webhook_secret == "whsec_mine"
    assert "whsec_" not in repr(emulator)


def test_deliveries_are_kept_only_on_request(make_api: Callable[..., Api]) -> None:
    api = make_api(keeps_deliveries=False)
    api.start(webhook_url=HOOK)
    (webhook,) = api.emulator.take_webhooks()
    api.emulator.record_delivery(webhook, 500)
    before = api.emulator.deliveries
    api.clock.advance(1)
    api.emulator.keeps_deliveries = True
    (again,) = api.emulator.take_webhooks()
    api.emulator.record_delivery(again, 204)
    assert before == ()
    assert [each.status for each in api.emulator.deliveries] == [204]


@define
class Received:
    """A post as it came in."""

    headers: Mapping[str, str]
    body: bytes


@define
class Receiver:
    """Takes posts as they are, and answers with the statuses it is given, then with 204."""

    url: str = ""
    statuses: list[int] = field(factory=list[int])
    received: asyncio.Queue[Received] = field(factory=asyncio.Queue[Received])

    async def take(self) -> Received:
        with anyio.fail_after(30):
            return await self.received.get()

    async def answer(self, request: web.Request) -> web.Response:
        self.received.put_nowait(Received(request.headers, await request.read()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 204)


@asynccontextmanager
async def receiving() -> AsyncGenerator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


def is_signed(received: Received, secret: str, moment: str) -> bool:
    return (
        received.headers["X-Duvo-Timestamp"] == moment
        and received.headers["X-Duvo-Signature"]
        == signature(secret.encode(), moment.encode(), received.body)
        and received.headers["Content-Type"] == "application/json"
    )


@pytest.mark.anyio
async def test_posts_are_signed_on_the_wire(clock: Clock) -> None:
    async with receiving() as receiver, Emulator(clock=clock) as emulator:
        receiver.statuses = [500]
        emulator.subscribe(receiver.url, ["run.message.created"])
        agent_id = emulator.add_agent([])
        emulator.start_run(agent_id, "\u00e9\u2603")
        first = await receiver.take()
        assert is_signed(first, emulator.webhook_secret, "1700000000")
        assert json.loads(first.body)["event"] == "run.message.created"
        with anyio.fail_after(30):
            while not emulator.deliveries:
                await anyio.lowlevel.checkpoint()
        secret = emulator.rotate_webhook_secret()
        clock.advance(1)
        again = await receiver.take()
        assert again.body == first.body
        assert is_signed(again, secret, "1700000001")


@pytest.mark.anyio
async def test_a_run_that_no_request_started_is_told(clock: Clock) -> None:
    async with receiving() as receiver, Emulator(clock=clock) as emulator:
        await anyio.wait_all_tasks_blocked()
        emulator.subscribe(receiver.url, ["run.completed"])
        agent_id = emulator.add_agent([])
        await anyio.wait_all_tasks_blocked()
        run_id = await anyio.to_thread.run_sync(emulator.start_run, agent_id)
        assert json.loads((await receiver.take()).body)["run_id"] == run_id


@pytest.mark.anyio
async def test_an_emulator_in_a_thread_of_its_own_is_roused_from_another(clock: Clock) -> None:
    async with receiving() as receiver:
        with Emulator(clock=clock) as emulator:
            agent_id = emulator.add_agent([])
            emulator.subscribe(receiver.url, ["run.completed"])
            run_id = emulator.start_run(agent_id)
            assert json.loads((await receiver.take()).body)["run_id"] == run_id


@pytest.mark.anyio
async def test_a_run_is_told_to_whom_subscribes_while_it_goes_on(clock: Clock) -> None:
    async with receiving() as receiver, Emulator(clock=clock) as emulator:
        agent_id = emulator.add_agent([Sleep(3600)])
        emulator.start_run(agent_id)
        await anyio.wait_all_tasks_blocked()
        await anyio.to_thread.run_sync(emulator.subscribe, receiver.url)
        await anyio.wait_all_tasks_blocked()
        clock.advance(3600)
        assert json.loads((await receiver.take()).body)["event"] == "run.completed"


@pytest.mark.anyio
async def test_a_case_is_told_of_that_gets_the_place_of_a_deleted_run(clock: Clock) -> None:
    async with receiving() as receiver, Emulator(clock=clock) as emulator:
        agent_id = emulator.add_agent([AskApproval("Post?")])
        headers = {"Authorization": f"Bearer {emulator.api_key}"}
        async with ClientSession(emulator.url, headers=headers) as client:

            async def post(path: str, body: object) -> dict[str, dict[str, str]]:
                async with client.post(path, json=body) as response:
                    assert response.status == 201, await response.text()
                    shown: dict[str, dict[str, str]] = await response.json()
                    return shown

            team = f"/v2/teams/{emulator.team_id}/queues"
            queue_id = (await post(team, {"name": "Invoices"}))["queue"]["id"]
            trigger = {"case_queue_id": queue_id, "enabled": True, "concurrency": 1}
            await post(f"/v2/agents/{agent_id}/case-triggers", trigger)
            emulator.subscribe(receiver.url, ["run.paused"])
            cases = {"cases": [{"title": "a"}, {"title": "b"}]}
            await post(f"/v2/queues/{queue_id}/cases", cases)
            first = json.loads((await receiver.take()).body)["run_id"]
            await anyio.wait_all_tasks_blocked()
            emulator.delete_run(first)
            assert json.loads((await receiver.take()).body)["run_id"] != first


def test_nobody_is_roused_when_the_serving_is_over() -> None:
    with Emulator() as emulator:
        agent_id = emulator.add_agent([])
    emulator.start_run(agent_id)
    assert emulator.subscribe(HOOK)
