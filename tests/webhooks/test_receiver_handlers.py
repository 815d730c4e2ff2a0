"""How events get to the handlers: each once, afterwards, in order."""

import asyncio
import random
from contextvars import ContextVar
from functools import partial
from typing import Any

import anyio
import pytest

from duvo_async.webhooks import (
    CaseEvent,
    HumanRequestCreatedEvent,
    RunEvent,
    RunFailedEvent,
    UnknownEvent,
    WebhookEvent,
    WebhookReceiver,
    sign,
)
from tests.webhooks.posting import SECRET, post, warnings_in, written

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("_no_leaked_tasks")]
NAMES = ("run_completed", "run.failed", "human_request_created", "queue.case.created", "some.day")
LEFT = "webhook events were taken and not handled to the end within"


@pytest.mark.parametrize(
    ("kinds", "names"),
    [
        ((WebhookEvent,), NAMES),
        ((RunEvent,), NAMES[:3]),
        ((RunFailedEvent,), NAMES[1:2]),
        ((RunFailedEvent, HumanRequestCreatedEvent), NAMES[1:3]),
        ((RunEvent, RunFailedEvent), NAMES[:3]),
        ((CaseEvent, UnknownEvent), NAMES[3:]),
        ((), NAMES),
    ],
)
@pytest.mark.parametrize("kind_of_function", ["sync", "async"])
async def test_a_handler_gets_the_kinds_that_it_is_for(
    kinds: tuple[type[WebhookEvent], ...], names: tuple[str, ...], kind_of_function: str
) -> None:
    seen: list[str] = []

    def note(event: WebhookEvent) -> None:
        seen.append(event.name)

    async def note_later(event: WebhookEvent) -> None:
        await asyncio.sleep(0)
        seen.append(event.name)

    handler: Any = note if kind_of_function == "sync" else note_later
    async with WebhookReceiver(SECRET) as receiver:
        registered = receiver.on_event(*kinds)(handler) if kinds else receiver.on_event(handler)
        assert registered is handler
        for name in NAMES:
            assert await post(receiver.url, written(name)) == 200
    assert tuple(seen) == names


async def test_every_handler_gets_an_event_in_the_order_of_registration() -> None:
    seen: list[str] = []

    def note(number: int, _: WebhookEvent) -> None:
        seen.append(f"handler {number}")

    async with WebhookReceiver(SECRET) as receiver:
        for number in range(3):
            receiver.on_event(partial(note, number))
        assert await post(receiver.url, written()) == 200
    assert seen == ["handler 0", "handler 1", "handler 2"]


async def test_an_answer_does_not_wait_for_the_handler() -> None:
    began, release, seen = asyncio.Event(), asyncio.Event(), list[str]()
    async with WebhookReceiver(SECRET) as receiver:

        @receiver.on_event
        async def slow(event: WebhookEvent) -> None:
            began.set()
            await release.wait()
            seen.append(event.name)

        assert await post(receiver.url, written()) == 200
        await began.wait()
        assert seen == []
        release.set()
    assert seen == ["run_completed"]


async def test_an_event_is_handled_once_however_often_it_is_delivered() -> None:
    seen: list[str | None] = []
    async with WebhookReceiver(SECRET) as receiver:
        receiver.on_event(lambda event: seen.append(event.id))
        for _ in range(3):
            assert await post(receiver.url, written(id="1")) == 200
            assert await post(receiver.url, written(), Webhook_Id="2") == 200
        assert await post(receiver.url, written(), Webhook_Id="3") == 200  # the same body
    assert seen == ["1", "2"]


async def test_what_is_refused_is_not_handled_and_not_remembered() -> None:
    seen: list[str | None] = []
    async with WebhookReceiver(SECRET) as receiver:
        receiver.on_event(lambda event: seen.append(event.id))
        assert await post(receiver.url, written(id="1"), secret="forged") == 401
        assert await post(receiver.url, written(id="1")) == 200
    assert seen == ["1"]


@pytest.mark.parametrize("kind_of_function", ["sync", "async"])
@pytest.mark.parametrize("error", [KeyError("boom"), asyncio.CancelledError("boom")])
async def test_a_handler_that_raises_is_logged_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture, kind_of_function: str, error: BaseException
) -> None:
    seen: list[str | None] = []

    def broken(_: WebhookEvent) -> None:
        raise error

    async def broken_later(_: WebhookEvent) -> None:
        await asyncio.sleep(0)
        raise error

    async with WebhookReceiver(SECRET) as receiver:
        receiver.on_event(broken if kind_of_function == "sync" else broken_later)
        receiver.on_event(lambda event: seen.append(event.id))
        for number in ("1", "2"):
            assert await post(receiver.url, written(id=number)) == 200
    assert seen == ["1", "2"]
    assert warnings_in(caplog) == [
        f"a handler of webhooks raised on 'run_completed' (id '{number}')" for number in ("1", "2")
    ]
    assert [each.exc_info[1] for each in caplog.records if each.exc_info] == [error, error]


async def test_one_after_the_other_keeps_the_order() -> None:
    steps: list[tuple[str | None, str]] = []
    async with WebhookReceiver(SECRET) as receiver:

        @receiver.on_event
        async def work(event: WebhookEvent) -> None:
            steps.append((event.id, "begins"))
            for _ in range(random.Random(event.id).randrange(5)):  # noqa: S311 - some have more to do
                await asyncio.sleep(0)
            steps.append((event.id, "ends"))

        for number in range(20):
            body = written(id=str(number))
            assert receiver.receive(body, sign(body, SECRET)).status == 200
    assert steps == [(str(number), step) for number in range(20) for step in ("begins", "ends")]


async def test_two_are_handled_at_the_same_time_and_no_more() -> None:
    release, begun, working, most = asyncio.Event(), asyncio.Event(), set[str | None](), [0]
    async with WebhookReceiver(SECRET, concurrency=2) as receiver:

        @receiver.on_event
        async def work(event: WebhookEvent) -> None:
            working.add(event.id)
            most[0] = max(most[0], len(working))
            if len(working) == 2:
                begun.set()
            await release.wait()
            working.discard(event.id)

        for number in range(5):
            assert await post(receiver.url, written(id=str(number))) == 200
        with anyio.fail_after(30):
            await begun.wait()
        assert working == {"0", "1"}
        release.set()
    assert (working, most) == (set(), [2])


async def test_a_handler_may_be_added_later() -> None:
    seen: list[str | None] = []
    async with WebhookReceiver(SECRET) as receiver:
        assert await post(receiver.url, written(id="1")) == 200
        receiver.on_event(lambda event: seen.append(event.id))
        assert await post(receiver.url, written(id="2")) == 200
        assert await post(receiver.url, written(id="1")) == 200  # it was taken before
    assert seen == ["2"]


# --- the end -------------------------------------------------------------------------------------


async def test_the_end_waits_for_handlers(caplog: pytest.LogCaptureFixture) -> None:
    release, seen = asyncio.Event(), list[str | None]()
    async with WebhookReceiver(SECRET) as receiver:

        @receiver.on_event
        async def slow(event: WebhookEvent) -> None:
            await release.wait()
            seen.append(event.id)

        for number in range(3):
            assert await post(receiver.url, written(id=str(number))) == 200
        asyncio.get_running_loop().call_later(9, release.set)
    assert seen == ["0", "1", "2"]
    assert warnings_in(caplog) == []


@pytest.mark.parametrize(("concurrency", "events"), [(1, 1), (1, 3), (2, 1), (2, 3)])
async def test_the_end_does_not_wait_for_ever(
    caplog: pytest.LogCaptureFixture, concurrency: int, events: int
) -> None:
    cancelled: list[str | None] = []
    async with WebhookReceiver(SECRET, concurrency=concurrency, drain_timeout=2.5) as receiver:

        @receiver.on_event
        async def stuck(event: WebhookEvent) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(event.id)
                raise

        for number in range(events):
            assert await post(receiver.url, written(id=str(number))) == 200
    assert sorted(filter(None, cancelled)) == [
        str(number) for number in range(min(concurrency, events))
    ]
    assert warnings_in(caplog) == [f"{events} {LEFT} 2.5 s"]


async def test_a_receiver_that_gave_up_begins_anew() -> None:
    seen: list[str | None] = []
    receiver = WebhookReceiver(SECRET, drain_timeout=0)

    @receiver.on_event
    async def first_is_stuck(event: WebhookEvent) -> None:
        if event.id == "1":
            await asyncio.Event().wait()
        seen.append(event.id)

    async with receiver:
        assert await post(receiver.url, written(id="1")) == 200
        assert await post(receiver.url, written(id="2")) == 200
    async with receiver:
        assert await post(receiver.url, written(id="3")) == 200
        await receiver.drain()
    assert seen == ["3"]


async def test_draining_without_work_is_nothing(caplog: pytest.LogCaptureFixture) -> None:
    await WebhookReceiver(SECRET).drain()
    assert warnings_in(caplog) == []


# --- contexts and loops --------------------------------------------------------------------------

who: ContextVar[str] = ContextVar("who", default="nobody")


async def test_a_handler_has_nothing_of_a_requests_context() -> None:
    seen: list[str] = []
    receiver = WebhookReceiver(None)

    @receiver.on_event
    async def note(event: WebhookEvent) -> None:
        seen.append(who.get())
        who.set(event.name)

    who.set("a request")
    receiver.receive(written(id="1"), {})
    await receiver.drain()
    receiver.receive(written(id="2"), {})
    await receiver.drain()
    assert seen == ["nobody", "nobody"]
    assert who.get() == "a request"
