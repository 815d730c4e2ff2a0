"""Uploads that end badly: nothing is left, nothing is shown, and nothing is taken for whole."""

import asyncio
import io
import os
import socket
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from duvo_async import (
    APIConnectionError,
    APITimeoutError,
    AsyncDuvo,
    RetryPolicy,
    UploadProgress,
    UploadSourceError,
)
from duvo_async._reading import Opened, read_fully
from duvo_async._sources import open_path
from tests.support.files import LARGE, Host, client_of, readers_end, sparse

pytestmark = pytest.mark.anyio

ONCE = RetryPolicy(retries=0)
KEY = "dv_hunter2"


@pytest.fixture(autouse=True)
async def _settled(_no_leaked_tasks: None) -> AsyncIterator[None]:
    yield
    await asyncio.sleep(20)  # virtual: answers that nobody waits for are given


@pytest.fixture
def deaf() -> Iterator[str]:
    """A host that is reached and never listens: the system alone takes some bytes."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def open_sockets() -> int:
    found = 0
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # that of the listing itself
            found += str(each.readlink()).startswith("socket")
    return found


def frames_of(error: BaseException | None) -> str:
    """Show all that a reporter of errors could: the chain, with the variables of our frames."""
    shown = ""
    while error is not None:
        frames = traceback.StackSummary.extract(
            traceback.walk_tb(error.__traceback__), capture_locals=True
        )
        inner = [frame for frame in frames if "/tests/" not in frame.filename]
        shown += f"{error!r} {vars(error)} {[(frame.name, frame.locals) for frame in inner]}"
        error = error.__cause__ or error.__context__
    return shown


# --- nothing is left -----------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="it counts by /proc")
async def test_a_connection_that_takes_nothing_is_not_kept(deaf: str) -> None:
    async with AsyncDuvo(KEY, base_url=deaf, retry=ONCE) as duvo:
        with pytest.raises(APITimeoutError, match="nothing was taken for 60 s"):
            await duvo.sandboxes.upload("sbx", bytes(9_500_000), path="x")
        before = open_sockets()
        for _ in range(3):
            with pytest.raises(APITimeoutError):
                await duvo.sandboxes.upload("sbx", bytes(9_500_000), path="x")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(5):
                    await duvo.sandboxes.upload("sbx", bytes(9_500_000), path="x")
        assert open_sockets() == before


async def test_a_file_whose_closing_is_cancelled_is_closed(tmp_path: Path) -> None:
    released = threading.Event()

    class Hanging(io.FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            released.wait(30)
            return super().read(size)

    file = Hanging(sparse(tmp_path / "x"))
    source = Opened("x", LARGE, file, 0, borrowed=False)
    blocks = source.blocks(65_536)
    first = asyncio.ensure_future(anext(blocks))
    await asyncio.sleep(0)
    first.cancel()
    closing = asyncio.create_task(source.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(first, closing, return_exceptions=True)
    assert not file.closed
    released.set()
    await blocks.aclose()
    await readers_end()
    assert file.closed


async def test_whatever_ends_an_iterable_ends_the_upload() -> None:
    def blocks() -> Iterator[bytes]:
        yield b"1"
        raise SystemExit(3)

    async with client_of(Host()) as duvo:
        with pytest.raises(RuntimeError, match="SystemExit"):
            await duvo.sandboxes.upload("sbx", blocks(), path="x")


# --- nothing is shown ----------------------------------------------------------------------------


async def test_a_callers_timeout_shows_neither_key_nor_signature(tmp_path: Path) -> None:
    async def never(_: str) -> web.Response | None:
        await asyncio.sleep(15)
        return None

    host = Host(never)
    async with client_of(host) as duvo:
        for size in (100, LARGE):
            with pytest.raises(TimeoutError) as caught:
                async with asyncio.timeout(10):
                    await duvo.sandboxes.upload("sbx", sparse(tmp_path / "x", size))
            shown = frames_of(caught.value)
            assert "AiohttpTransport" in shown or "send" in shown
            assert "X-Signature" not in shown
            assert "dv_key" not in shown


@pytest.mark.parametrize("error", [TimeoutError("slow"), BrokenPipeError("gone"), LookupError()])
@pytest.mark.parametrize("size", [1_000_000, LARGE])
async def test_what_a_handler_raises_shows_neither_key_nor_signature(
    error: Exception, size: int, tmp_path: Path
) -> None:
    def tell(progress: UploadProgress) -> None:
        if progress.sent:
            raise error

    async with client_of(Host()) as duvo:
        with pytest.raises(type(error)) as caught:
            await duvo.sandboxes.upload("sbx", sparse(tmp_path / "x", size), on_progress=tell)
    assert caught.value is error
    shown = frames_of(error)
    assert "X-Signature" not in shown
    assert "dv_key" not in shown


async def test_a_handler_that_cancels_nobody_ends_the_upload() -> None:
    async def tell(progress: UploadProgress) -> None:
        if progress.sent:
            raise asyncio.CancelledError

    host = Host()
    async with client_of(host) as duvo:
        with pytest.raises(asyncio.CancelledError):
            await duvo.sandboxes.upload("sbx", bytes(3 * LARGE), path="x", on_progress=tell)
        with pytest.raises(asyncio.CancelledError):
            await duvo.sandboxes.upload_many(
                "sbx", {"x": bytes(1_000_000), "y": b"1"}, on_progress=tell
            )
    assert host.asked.count("PUT x") <= 1  # it is not repeated as a broken connection would be


# --- nothing is taken for whole, or for lost -----------------------------------------------------


async def test_a_success_in_the_middle_of_the_only_block_is_none() -> None:
    async def hasty(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 32\r\n\r\n")
        writer.write(b'{"path": "/x", "size_bytes": 99}')
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(hasty, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, AsyncDuvo(KEY, base_url=f"http://127.0.0.1:{port}", retry=ONCE) as duvo:
        with pytest.raises(APIConnectionError):
            await duvo.sandboxes.upload("sbx", bytes(9_900_000), path="x", chunk_size=9_900_000)


async def test_to_wait_for_a_connection_is_no_stall() -> None:
    async def slow(_: str) -> web.Response | None:
        await asyncio.sleep(50)
        return None

    host = Host(slow)
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1))
    async with session, client_of(host, ONCE, session=session) as duvo:
        uploads = (duvo.sandboxes.upload("sbx", b"1", path=name) for name in "abc")
        await asyncio.gather(*uploads)
    assert sorted(host.taken) == ["/workspace/a", "/workspace/b", "/workspace/c"]


async def test_bytes_do_not_wait_behind_large_files(tmp_path: Path) -> None:
    released = asyncio.Event()

    async def hold(path: str) -> web.Response | None:
        if "large" in path:
            await released.wait()
        else:
            released.set()
        return None

    large = {f"large{number}": sparse(tmp_path / f"{number}") for number in range(16)}
    sources: dict[str, Any] = {**large, "small": b"1", "file": io.BytesIO(b"2")}
    host = Host(hold)
    async with client_of(host) as duvo:
        outcomes = await duvo.sandboxes.upload_many("sbx", sources)
    assert all(outcome.succeeded for outcome in outcomes)


class _Sparing(io.FileIO):
    """A file that gives a few bytes at a time, as files on a network may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size, 7) if size and size > 0 else 7)


@pytest.mark.parametrize("size", [0, 6, 7, 8, 1000])
async def test_a_file_that_gives_little_at_a_time_is_read_to_its_end(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(size)
    (tmp_path / "x").write_bytes(content)
    opened: Callable[..., _Sparing] = lambda path, *_, **__: _Sparing(path)  # noqa: E731
    monkeypatch.setattr(Path, "open", opened)
    source = open_path(tmp_path / "x")
    assert (source.size, source.data) == (size, content)


async def test_a_small_file_that_shrinks_as_it_is_opened_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").write_bytes(bytes(1000))
    monkeypatch.setattr("duvo_async._sources.read_fully", lambda file, _: read_fully(file, 900))
    with pytest.raises(UploadSourceError, match="x changed while it was read: it had 1,000 bytes"):
        open_path(tmp_path / "x")
