"""How a receiver ends, whatever its handlers do; and what it cannot be told."""

import asyncio
import gc
from typing import Any

import pytest

from duvo_async import AsyncDuvo
from duvo_async.webhooks import RunEvent, WebhookEvent, WebhookReceiver, sign
from tests.webhooks.posting import SECRET, warnings_in, written

pytestmark = pytest.mark.anyio


def take(receiver: WebhookReceiver, number: int) -> None:
    body = written(id=str(number))
    assert receiver.receive(body, sign(body, SECRET)).taken


async def test_a_handler_whose_task_is_cancelled_takes_no_other_event_along() -> None:
    seen: list[str | None] = []
    receiver = WebhookReceiver(SECRET)

    @receiver.on_event
    async def cancels(event: WebhookEvent) -> None:
        seen.append(event.id)
        if event.id == "1":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)

    for number in range(4):
        take(receiver, number)
    await asyncio.sleep(1)
    await receiver.drain()
    assert seen == ["0", "1", "2", "3"]


async def test_what_another_loop_left_is_handled_by_drain() -> None:
    seen: list[str | None] = []
    receiver = WebhookReceiver(SECRET)
    receiver.on_event(lambda event: seen.append(event.id))

    async def take_one() -> None:
        take(receiver, 1)

    def in_a_thread() -> None:
        loop = asyncio.SelectorEventLoop()
        task = loop.create_task(take_one())
        while not task.done():
            loop.call_soon(loop.stop)
            loop.run_forever()
        for each in asyncio.all_tasks(loop):
            each.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    await asyncio.to_thread(in_a_thread)
    await receiver.drain()
    assert seen == ["1"]


async def test_a_handler_may_have_the_receiver_end() -> None:
    ended = asyncio.Event()
    receiver = WebhookReceiver(SECRET)

    @receiver.on_event
    async def end(_: WebhookEvent) -> None:
        await receiver.drain()
        ended.set()

    take(receiver, 1)
    await ended.wait()
    await receiver.drain()


async def test_a_handler_that_heeds_no_cancellation_is_left_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    let_go = asyncio.Event()
    receiver = WebhookReceiver(SECRET, drain_timeout=0.5)

    @receiver.on_event
    async def stubborn(_: WebhookEvent) -> None:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue

    take(receiver, 1)
    await asyncio.sleep(0)
    began = asyncio.get_running_loop().time()
    await receiver.drain()
    assert asyncio.get_running_loop().time() - began == pytest.approx(1.5)
    assert warnings_in(caplog) == [
        "1 webhook events were taken and not handled to the end within 0.5 s"
    ]
    let_go.set()
    await asyncio.sleep(1)


async def test_a_receiver_listens_once_at_a_time() -> None:
    receiver = WebhookReceiver(SECRET)
    for _ in range(2):
        async with receiver:
            url = receiver.url
            with pytest.raises(RuntimeError, match="listens already"):
                async with receiver:
                    pass
            assert receiver.url == url


async def test_waits_are_told_even_if_no_handler_can_run() -> None:
    told: list[tuple[str, bool]] = []
    receiver = WebhookReceiver(None)
    receiver.on_event(lambda _: None)
    receiver.subscribe(lambda run_id, waits: told.append((run_id, waits)))

    def in_a_thread() -> None:
        with pytest.raises(RuntimeError):
            receiver.receive(b'{"event": "run_completed", "run_id": "r-1"}', {})

    await asyncio.to_thread(in_a_thread)
    assert told == [("r-1", False)]


async def test_whoever_is_told_and_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []

    def raises(_: str, waits: bool) -> None:  # noqa: FBT001 - as a hint is told
        raise ValueError(waits)

    receiver = WebhookReceiver(None)
    receiver.subscribe(raises)
    receiver.subscribe(lambda run_id, _: told.append(run_id))
    assert receiver.receive(b'{"event": "run_completed", "run_id": "r-1"}', {}).taken
    assert told == ["r-1"]
    assert warnings_in(caplog) == ["who was told of run r-1 raised"]


async def test_forgotten_clients_leave_nothing_behind() -> None:
    receiver = WebhookReceiver(None)
    for _ in range(10):
        AsyncDuvo("dv_x", webhooks=receiver)
    gc.collect()
    assert not receiver._hints  # noqa: SLF001


def test_handlers_without_a_secret_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    WebhookReceiver(None).on_event(print)
    assert warnings_in(caplog) == [
        "WebhookReceiver(not listening) has no secret: anybody can have its handlers work"
    ]


@pytest.mark.parametrize("what", [("run.completed",), (None,), (int,), (RunEvent, print)])
def test_on_event_takes_functions_and_kinds(what: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError, match="on_event takes a function, or kinds of events"):
        WebhookReceiver(SECRET).on_event(*what)


def test_only_functions_are_handlers() -> None:
    with pytest.raises(TypeError, match="on_event takes a function, or kinds of events"):
        WebhookReceiver(SECRET).on_event(RunEvent)("x")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": 65_536},
        {"port": -1},
        {"port": "80"},
        {"drain_timeout": -1},
        {"drain_timeout": float("nan")},
        {"header": ""},
        {"header": "X Sig"},
        {"header": "X", "timestamp_header": "x"},
        {"secret": " \n"},
        {"secret": None, "tolerance": -1},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        WebhookReceiver(**{"secret": SECRET, **wrong})


def test_a_mapping_is_no_secret() -> None:
    with pytest.raises(TypeError, match="not a mapping"):
        WebhookReceiver({SECRET: 1})


def test_what_passes_the_check_for_long_is_remembered_as_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("duvo_async.webhooks.receiver.monotonic", lambda: now[0])
    for settings, forgotten in ({"tolerance": 3_600}, 7_200.0), ({"timestamp_header": None}, None):
        receiver = WebhookReceiver(SECRET, clock=lambda: 0.0, **settings)
        names = {"timestamp_header": None} if forgotten is None else {}
        signed = sign(written(), SECRET, now=0, **names)  # type: ignore[arg-type]
        now[0] = 0.0
        assert not receiver.receive(written(), signed).repeated
        now[0] = 7_199.0
        assert receiver.receive(written(), signed).repeated
        now[0] = 7_201.0
        assert receiver.receive(written(), signed).repeated is (forgotten is None)
