"""A receiver where the caller has no event loop: in a thread of its own, or called plainly."""

import asyncio
import http.client
import socket
import threading
from typing import Any
from urllib.parse import urlsplit

import pytest

from duvo_async.webhooks import (
    RunCompletedEvent,
    RunEvent,
    UnknownEvent,
    WebhookEvent,
    WebhookReceiver,
    sign,
)
from tests.webhooks.posting import RUN_ID, SECRET, Hints, collecting, nowhere, warnings_in, written


@pytest.mark.parametrize("name", ["max_body_bytes", "max_waiting", "concurrency", "remembered"])
@pytest.mark.parametrize("count", [0, -1])
def test_a_number_is_positive(name: str, count: int) -> None:
    arguments: dict[str, Any] = {name: count}
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not {count}"):
        WebhookReceiver(SECRET, **arguments)


def test_hints_need_no_event_loop() -> None:
    hints: Hints = []
    receiver = WebhookReceiver(None)
    receiver.subscribe(collecting(hints))
    receipt = receiver.receive(written(), {})
    assert receipt.event == RunCompletedEvent(name="run_completed", run_id=RUN_ID)
    assert hints == [(RUN_ID, False)]


def post_plainly(url: str, body: bytes, headers: dict[str, str]) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 0)
    try:
        connection.request("POST", parts.path, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_it_listens_in_a_thread_of_its_own() -> None:
    threads = threading.active_count()
    seen: list[tuple[str, bool]] = []
    receiver = WebhookReceiver(SECRET)

    @receiver.on_event
    async def note(event: WebhookEvent) -> None:
        await asyncio.sleep(0)
        seen.append((event.name, threading.current_thread() is threading.main_thread()))

    for _ in range(2):
        with receiver as entered:
            assert entered is receiver
            for body in (written(id="1"), written(id="1"), b"[]"):
                status = 400 if body == b"[]" else 200
                assert post_plainly(receiver.url, body, sign(body, SECRET)) == status
            assert post_plainly(receiver.url, written(), {}) == 401
        nowhere(receiver)
    assert seen == [("run_completed", False)]
    assert threading.active_count() == threads


def test_a_port_in_use_leaves_no_thread() -> None:
    threads = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as held:
        receiver = WebhookReceiver(SECRET, port=held.getsockname()[1])
        with pytest.raises(OSError, match="address already in use"):
            receiver.__enter__()
        nowhere(receiver)
    assert threading.active_count() == threads


def test_leaving_the_thread_waits_for_the_handlers() -> None:
    seen: list[str] = []
    with WebhookReceiver(SECRET) as receiver:
        answered = threading.Event()

        @receiver.on_event
        async def slow(event: WebhookEvent) -> None:
            await asyncio.to_thread(answered.wait, 30)
            seen.append(event.name)

        assert post_plainly(receiver.url, written(), sign(written(), SECRET)) == 200
        assert seen == []
        answered.set()
    assert seen == ["run_completed"]


def test_an_error_inside_goes_through_and_ends_the_thread() -> None:
    threads = threading.active_count()
    with pytest.raises(KeyError), WebhookReceiver(SECRET):
        raise KeyError
    assert threading.active_count() == threads


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock to set, as its only element."""
    moment = [1000.0]
    monkeypatch.setattr("duvo_async.webhooks.receiver.monotonic", lambda: moment[0])
    return moment


def test_refusals_are_mentioned_once_a_minute(
    caplog: pytest.LogCaptureFixture, now: list[float]
) -> None:
    receiver = WebhookReceiver(SECRET)
    line = "a webhook delivery was answered with 401: signature_missing: the delivery is not "
    line += "signed: it has no header X-Duvo-Signature"
    for moment in (1000.0, 1001.0, 1059.9):
        now[0] = moment
        receiver.receive(written(), {})
    assert warnings_in(caplog) == [line]
    now[0] = 1060.0
    receiver.receive(written(), {})
    assert warnings_in(caplog)[1:] == [f"{line} (2 others since the last such line)"]
    now[0] = 1120.0
    receiver.receive(b"[]", sign(b"[]", SECRET))
    line = "a webhook delivery was answered with 400: the body is no event: no JSON object @ $"
    assert warnings_in(caplog)[2:] == [line]


def test_what_is_taken_is_not_mentioned(caplog: pytest.LogCaptureFixture) -> None:
    receiver = WebhookReceiver(None)
    receiver.receive(written(), {})
    receiver.receive(written(), {})
    assert warnings_in(caplog) == []


def test_the_first_refusal_is_mentioned_however_young_the_clock(
    caplog: pytest.LogCaptureFixture, now: list[float]
) -> None:
    now[0] = 0.0
    WebhookReceiver(None).receive(b"[]", {})
    assert len(warnings_in(caplog)) == 1


def test_a_receipt_says_what_was_taken() -> None:
    body = b'{"type": "some.day"}'
    receipt = WebhookReceiver(None).receive(body, {"Webhook-Id": "e-1"})
    assert (receipt.status, receipt.taken, receipt.repeated, receipt.reason) == (
        200,
        True,
        False,
        None,
    )
    assert receipt.event == UnknownEvent(name="some.day", id="e-1")


def test_without_a_loop_for_its_handlers_an_event_is_not_taken() -> None:
    seen: list[WebhookEvent] = []
    receiver = WebhookReceiver(None)
    receiver.on_event(RunEvent)(seen.append)
    assert receiver.receive(written("some.day"), {}).status == 200  # no handler is for it
    with pytest.raises(RuntimeError, match="no running event loop"):
        receiver.receive(written(), {})

    async def again() -> tuple[bool, bool]:
        receipts = [receiver.receive(written(), {}) for _ in range(2)]
        await receiver.drain()
        return receipts[0].repeated, receipts[1].repeated

    assert asyncio.run(again()) == (False, True)
    assert [each.name for each in seen] == ["run_completed"]


def test_a_receiver_may_go_from_loop_to_loop() -> None:
    seen: list[str | None] = []
    receiver = WebhookReceiver(None)

    @receiver.on_event
    async def note(event: WebhookEvent) -> None:
        await asyncio.sleep(0)
        seen.append(event.id)

    async def deliver(number: str, *, drained: bool) -> None:
        receiver.receive(written(id=number), {})
        if drained:
            await receiver.drain()

    asyncio.run(deliver("1", drained=True))
    asyncio.run(deliver("2", drained=False))  # whose worker is cancelled with its loop
    asyncio.run(deliver("3", drained=True))
    assert seen[0] == "1"
    assert seen[-1] == "3"
