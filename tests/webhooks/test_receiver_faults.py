"""Deliveries that are too large, too slow, packed, broken or too many."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from aiohttp import ClientSession

from duvo_async.webhooks import WebhookEvent, WebhookReceiver, handling, sign
from tests.webhooks.posting import SECRET, post, sending, warnings_in, written

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("_no_leaked_tasks")]
HEAD = b"POST / HTTP/1.1\r\nHost: hook.test\r\n"


async def post_in_blocks(url: str, blocks: list[bytes]) -> int:
    async def given() -> AsyncIterator[bytes]:
        for block in blocks:
            yield block

    headers = sign(b"".join(blocks), SECRET)
    async with (
        ClientSession() as client,
        client.post(url, data=given(), headers=headers) as answer,
    ):
        return answer.status


def tracebacks_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.exc_info]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"event": "run_completed"}'])
async def test_what_is_no_event_is_a_bad_request(body: bytes) -> None:
    async with WebhookReceiver(SECRET) as receiver:
        assert await post(receiver.url, body) == 400
        assert await post(receiver.url, body, secret="forged") == 401


async def test_an_answer_says_what_the_trouble_was() -> None:
    async with (
        WebhookReceiver(None) as receiver,
        ClientSession() as client,
        client.post(receiver.url, data=b"[]") as answer,
    ):
        assert await answer.text() == "the body is no event: no JSON object @ $"
        assert answer.content_type == "text/plain"


async def test_a_body_may_be_as_large_as_it_is_allowed_to() -> None:
    body = written()
    async with WebhookReceiver(SECRET, max_body_bytes=len(body)) as receiver:
        assert await post(receiver.url, body) == 200
        assert await post_in_blocks(receiver.url, [body[:9], body[9:]]) == 200
        assert await post(receiver.url, body + b" ") == 413
        assert await post_in_blocks(receiver.url, [body, b" "]) == 413


async def test_a_megabyte_is_read_and_no_more() -> None:
    body = written()
    body += b" " * (1024 * 1024 - len(body))
    async with WebhookReceiver(SECRET) as receiver:
        assert await post(receiver.url, body) == 200
        assert await post_in_blocks(receiver.url, [body]) == 200
        assert await post_in_blocks(receiver.url, [body, b" "]) == 413


async def test_a_length_that_is_too_large_is_refused_before_the_body_comes() -> None:
    head = HEAD + b"Content-Length: 1048577\r\n\r\n"
    async with (
        WebhookReceiver(SECRET) as receiver,
        sending(receiver.url, head) as (reader, _),
    ):
        assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
        await reader.read()  # until the server has had enough of it


@pytest.mark.parametrize("first", ["client", "receiver"])
async def test_nothing_is_left_of_a_refused_delivery_whoever_ends_first(first: str) -> None:
    async with AsyncExitStack() as stack:
        async with WebhookReceiver(SECRET) as receiver:
            head = HEAD + b"Content-Length: 1048577\r\n\r\n"
            reader, _ = await stack.enter_async_context(sending(receiver.url, head))
            assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
            if first == "client":
                await stack.aclose()
        await asyncio.sleep(0)
        left = [each for each in asyncio.all_tasks() if "RequestHandler" in str(each.get_coro())]
        for each in left:
            each.cancel()
        await asyncio.gather(*left, return_exceptions=True)
    assert len(left) == 0


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, identity", "x"])
async def test_a_packed_body_is_not_read(coding: str) -> None:
    async with WebhookReceiver(None) as receiver:
        head = f"Content-Encoding: {coding}\r\nContent-Length: 5\r\n\r\n"
        async with sending(receiver.url, HEAD + head.encode() + b"12345") as (reader, _):
            assert (await reader.readline()).startswith(b"HTTP/1.1 415 ")


async def test_what_is_not_packed_may_say_so() -> None:
    async with WebhookReceiver(SECRET) as receiver:
        assert await post(receiver.url, gzip.compress(written())) == 400
        headers = {**sign(written(), SECRET), "Content-Encoding": "identity"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        length = f"Content-Length: {len(written())}\r\n\r\n"
        raw = HEAD + lines.encode() + length.encode() + written()
        async with sending(receiver.url, raw) as (reader, _):
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "rest", [b"Content-Length: 50\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"]
)
async def test_a_body_that_does_not_go_on_is_given_up(
    rest: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        WebhookReceiver(None) as receiver,
        sending(receiver.url, HEAD + rest) as (reader, _),
    ):
        assert await reader.readline() == b"HTTP/1.1 408 Request Timeout\r\n"
        await reader.read()
    line = "a webhook delivery was answered with 408: the body did not arrive within 30 s"
    assert warnings_in(caplog) == [line]
    assert tracebacks_in(caplog) == []


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"Content-Length: 50\r\n\r\n{",
        HEAD + b"Content-Length: 50\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{",
        HEAD,
        b"POST",
        b"",
    ],
)
async def test_a_delivery_that_breaks_off_is_no_trouble(
    data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[WebhookEvent] = []
    async with WebhookReceiver(SECRET) as receiver:
        receiver.on_event(seen.append)
        async with sending(receiver.url, data):
            assert await post(receiver.url, written()) == 200  # by now the other is being read
        assert await post(receiver.url, written(id="1")) == 200
    assert len(seen) == 2
    assert tracebacks_in(caplog) == []


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{x\r\n0\r\n\r\n",
        HEAD + b"Content-Length: -5\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03 somebody speaks TLS\r\n\r\n",
    ],
)
async def test_garbage_is_a_bad_request(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with WebhookReceiver(SECRET) as receiver:
        async with sending(receiver.url, data) as (reader, _):
            assert (await reader.readline()).split()[1:2] == [b"400"]
        assert await post(receiver.url, written()) == 200
    assert {each.name for each in caplog.records if each.exc_info} <= {"aiohttp.server"}


async def test_what_cannot_wait_is_put_off_and_taken_when_there_is_room() -> None:
    working, release, seen = asyncio.Event(), asyncio.Event(), list[str | None]()
    two_are_done = asyncio.Event()
    async with WebhookReceiver(SECRET, max_waiting=1) as receiver:

        @receiver.on_event
        async def slow(event: WebhookEvent) -> None:
            working.set()
            await release.wait()
            seen.append(event.id)
            if len(seen) == 2:
                two_are_done.set()

        assert await post(receiver.url, written(id="1")) == 200
        await working.wait()
        assert await post(receiver.url, written(id="2")) == 200
        assert await post(receiver.url, written(id="3")) == 503
        assert await post(receiver.url, written(id="3")) == 503
        assert await post(receiver.url, written(id="2")) == 200  # it is known, and needs no room
        release.set()
        await two_are_done.wait()
        assert await post(receiver.url, written(id="3")) == 200
        assert await post(receiver.url, written(id="3")) == 200
    assert seen == ["1", "2", "3"]


async def test_what_is_put_off_is_refused_in_the_receipt() -> None:
    release = asyncio.Event()
    receiver = WebhookReceiver(None, max_waiting=1)

    @receiver.on_event
    async def slow(_: WebhookEvent) -> None:
        await release.wait()

    assert receiver.receive(written(id="1"), {}).status == 200
    receipt = receiver.receive(written(id="2"), {})
    assert (receipt.status, receipt.taken, receipt.repeated) == (503, False, False)
    assert receipt.reason == "too many events wait for handlers"
    release.set()
    await receiver.drain()
    assert receipt.event is None  # as for each that was refused


async def test_large_events_that_wait_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert handling.MOST_BYTES == 64 * 1024**2
    release, seen = asyncio.Event(), list[str | None]()
    receiver = WebhookReceiver(None)

    @receiver.on_event
    async def slow(event: WebhookEvent) -> None:
        await release.wait()
        seen.append(event.id)

    bodies = {name: written(id=name, message="m" * 10_000) for name in "1234"}
    monkeypatch.setattr(handling, "MOST_BYTES", 2 * len(bodies["1"]))
    assert [receiver.receive(bodies[name], {}).status for name in "123"] == [200, 200, 503]
    await asyncio.sleep(0)  # the first one is being handled, and waits no longer
    assert [receiver.receive(bodies[name], {}).status for name in "34"] == [200, 503]
    release.set()
    await receiver.drain()
    monkeypatch.setattr(handling, "MOST_BYTES", 1)  # one always may
    assert receiver.receive(bodies["4"], {}).status == 200
    await receiver.drain()
    assert seen == ["1", "2", "3", "4"]


async def test_what_was_given_up_takes_no_room() -> None:
    receiver = WebhookReceiver(None, drain_timeout=0)
    receiver.on_event(lambda _: asyncio.Event().wait())
    waiting = receiver._handling  # noqa: SLF001 - what it counts
    assert [receiver.receive(written(id=name), {}).status for name in "12"] == [200, 200]
    assert waiting._bytes == 2 * len(written(id="1"))  # noqa: SLF001 - as above
    await receiver.drain()
    assert waiting._bytes == 0  # noqa: SLF001 - as above


async def test_without_handlers_nothing_waits() -> None:
    async with WebhookReceiver(SECRET, max_waiting=1) as receiver:
        for number in range(3):
            assert await post(receiver.url, written(id=str(number))) == 200
