"""Servers that do not speak HTTP well: a typed error each time, and nothing of the key in it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from duvo_async import APIConnectionError, AsyncDuvo, ResponseDecodeError, RetryPolicy
from tests.support.stub import RUN_ID

pytestmark = pytest.mark.anyio

KEY = "dv_a_key_that_must_never_be_seen"


@asynccontextmanager
async def serving(answer: bytes) -> AsyncIterator[str]:
    """Send these bytes to whoever asks, and hang up."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 abc nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nbad\x00header: 1\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_no_answer_worth_the_name(answer: bytes) -> None:
    none = RetryPolicy(retries=0)
    async with serving(answer) as url, AsyncDuvo(KEY, base_url=url, retry=none) as duvo:
        with pytest.raises(APIConnectionError) as caught:
            await duvo.runs.get(RUN_ID)
    error: BaseException | None = caught.value
    assert str(error).startswith(f"GET /v1/runs/{RUN_ID}: ")
    while error is not None:
        assert KEY not in f"{error!r} {vars(error)!r}"
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"run": 7}', b"\xff\xfe", b"[" * 9999]
)
async def test_no_json_worth_the_name(body: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    async with serving(answer) as url, AsyncDuvo(KEY, base_url=url) as duvo:
        with pytest.raises(ResponseDecodeError):
            await duvo.runs.get(RUN_ID)
