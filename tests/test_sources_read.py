"""How what is uploaded is read: iterables, files that change or hang, and in what blocks."""

import asyncio
import io
import os
import sys
import tempfile
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web

from duvo_async import RetryPolicy, UploadProgress, UploadSourceError, _sources
from duvo_async._inputs import UploadSource
from duvo_async._sources import open_source
from tests.support.files import LARGE, Host, client_of, make, sparse
from tests.support.stub import answer, hang_up

pytestmark = pytest.mark.anyio

Blocks = Callable[[Iterable[bytes]], UploadSource]


@pytest.fixture(autouse=True)
async def _settled(_no_leaked_tasks: None) -> AsyncIterator[None]:
    yield
    await asyncio.sleep(20)  # virtual: answers that nobody waits for are given


def generator(blocks: Iterable[bytes]) -> Iterator[bytes]:
    yield from blocks


async def async_generator(blocks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for block in blocks:
        await asyncio.sleep(0)
        yield block


class _Listing:
    """An iterable that is neither a list nor a generator."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = [*blocks]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._blocks)


KINDS: dict[str, Blocks] = {
    "generator": generator,
    "async generator": async_generator,
    "list": list,
    "tuple": tuple,
    "iterable": _Listing,
    "array": lambda blocks: [bytearray(block) for block in blocks],
    "view": lambda blocks: [memoryview(block) for block in blocks],
}
every_kind = pytest.mark.parametrize("kind", KINDS)


async def taken(source: UploadSource, **settings: Any) -> bytes:  # noqa: ANN401 - as upload takes
    """Upload something, and give what arrived."""
    host = Host()
    async with client_of(host) as duvo:
        uploaded = await duvo.sandboxes.upload("sbx", source, path="x", **settings)
    ((path, data),) = host.contents.items()
    assert (uploaded.path, uploaded.size_bytes) == (path, len(data))
    return data


# --- iterables -----------------------------------------------------------------------------------

PATTERN = bytes(range(251))
BLOCKS: dict[str, list[bytes]] = {
    "none": [],
    "empty ones": [b"", b"", b""],
    "one byte": [b"x"],
    "tiny ones": [PATTERN[number : number + 1] for number in range(251)] * 20,
    "uneven ones": [PATTERN * number for number in range(80)],
    "a megabyte and one": [bytes(1024 * 1024), b"x"],
    "a giant": [PATTERN * 50_000],
}


@every_kind
@pytest.mark.parametrize("blocks", BLOCKS)
async def test_blocks_arrive_as_one(kind: str, blocks: str) -> None:
    assert await taken(KINDS[kind](BLOCKS[blocks])) == b"".join(BLOCKS[blocks])


@every_kind
async def test_an_iterable_is_sent_again_from_its_start(kind: str) -> None:
    tries: list[str] = []

    async def refuse(path: str) -> web.Response | None:
        tries.append(path)
        return answer(503) if len(tries) < 3 else None

    for blocks in ([b"ab", b"cd"], [PATTERN * 5000] * 9):
        tries.clear()
        host = Host(before=refuse)
        async with client_of(host) as duvo:
            await duvo.sandboxes.upload("sbx", KINDS[kind](blocks), path="x")
        assert host.contents == {"/workspace/x": b"".join(blocks)}


async def _failing_async() -> AsyncIterator[bytes]:
    yield b"1"
    raise LookupError("no more")


def _failing() -> Iterator[bytes]:
    yield b"1"
    raise LookupError("no more")


@pytest.mark.parametrize("source", [_failing, _failing_async])
async def test_an_iterable_that_fails_sends_nothing(source: Callable[[], UploadSource]) -> None:
    host = Host()
    async with client_of(host) as duvo:
        with pytest.raises(UploadSourceError, match="cannot read the file: no more") as caught:
            await duvo.sandboxes.upload("sbx", source(), path="x")
    assert isinstance(caught.value.__cause__, LookupError)
    assert not host.asked


@pytest.mark.parametrize("block", ["text", 7, None, ["list"]])
@pytest.mark.parametrize("kind", ["generator", "async generator", "list"])
async def test_blocks_are_bytes(kind: str, block: Any) -> None:  # noqa: ANN401 - the mistakes
    host = Host()
    async with client_of(host) as duvo:
        with pytest.raises(TypeError, match=f"must give bytes, not {type(block).__name__}"):
            await duvo.sandboxes.upload("sbx", KINDS[kind]([b"x", block]), path="x")
    assert not host.asked


@pytest.mark.parametrize("kind", ["generator", "async generator"])
async def test_what_is_copied_does_not_fill_the_memory(kind: str) -> None:
    blocks = (bytes(1_000_000) for _ in range(50))
    tracemalloc.start()
    try:
        source = await open_source(KINDS[kind](blocks))
        async for block in source.blocks(256 * 1024):
            assert block
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    await source.close()
    assert source.size == 50_000_000
    assert peak < 8_000_000


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The temporary files that are made, all of which are closed, and so deleted, at the end."""
    made: list[Any] = []

    def watched(*args: Any, **named: Any) -> Any:  # noqa: ANN401 - as it gives
        made.append(tempfile.SpooledTemporaryFile(*args, **named))  # noqa: SIM115 - it is passed on
        return made[-1]

    monkeypatch.setattr(_sources, "SpooledTemporaryFile", watched)
    yield made
    assert [copy.closed for copy in made] == [True]


@every_kind
async def test_copies_are_deleted(kind: str, copies: list[Any]) -> None:
    assert len(await taken(KINDS[kind]([bytes(1_000_000)] * 3))) == 3_000_000
    assert copies


@pytest.mark.parametrize("source", [_failing, _failing_async])
async def test_copies_are_deleted_when_reading_fails(
    source: Callable[[], UploadSource], copies: list[Any]
) -> None:
    async with client_of(Host()) as duvo:
        with pytest.raises(UploadSourceError):
            await duvo.sandboxes.upload("sbx", source(), path="x")
    assert copies


async def test_copies_are_deleted_when_sending_fails(copies: list[Any]) -> None:
    async def refuse(_: str) -> web.Response:
        return answer(409)

    async with client_of(Host(before=refuse)) as duvo:
        with pytest.raises(Exception, match="409"):
            await duvo.sandboxes.upload("sbx", generator([bytes(1_000_000)] * 3), path="x")
    assert copies


# --- files that cannot be read again -------------------------------------------------------------


class _Once(io.BytesIO):
    """A file that says it can seek, and cannot once it was read."""

    name = "once.csv"
    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        return super().read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if self.reads and offset == 0:
            raise OSError("no way back")
        return super().seek(offset, whence)


@pytest.mark.parametrize("size", [100, LARGE])
async def test_a_file_that_cannot_be_read_again_says_so(size: int) -> None:
    async def refuse(_: str) -> web.Response:
        return answer(503)

    host = Host(before=refuse)
    async with client_of(host) as duvo:
        with pytest.raises(
            UploadSourceError, match=r"cannot read again once\.csv: no way back"
        ) as caught:
            await duvo.sandboxes.upload("sbx", _Once(bytes(size)))
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize("size", [100, LARGE])
async def test_a_file_that_is_closed_meanwhile_says_so(size: int) -> None:
    file = io.BytesIO(bytes(size))

    async def refuse(_: str) -> web.Response:
        file.close()
        return answer(503)

    async with client_of(Host(before=refuse)) as duvo:
        with pytest.raises(UploadSourceError, match=r"cannot read again the file: .*closed file"):
            await duvo.sandboxes.upload("sbx", file, path="x")


class _Slow(io.BytesIO):
    """A file of which one read hangs until somebody says otherwise."""

    def __init__(self, data: bytes, hanging: int) -> None:
        super().__init__(data)
        self.hanging = hanging
        self.reads = 0
        self.hangs = threading.Event()
        self.released = threading.Event()
        self.ended = threading.Event()

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads == self.hanging:
            self.hangs.set()
            assert self.released.wait(30)
            data = super().read(size)
            self.ended.set()
            return data
        return super().read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        position = super().seek(offset, whence)
        if self.hangs.is_set() and not self.released.is_set():  # which nobody should do
            self.released.set()
            assert self.ended.wait(30)
        return position


def _readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "duvo-async-read"]


async def test_a_late_reader_does_not_disturb_the_next_attempt() -> None:
    data = os.urandom(LARGE + 100)
    file = _Slow(data, hanging=4)

    class Breaking(Host):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            if request.method == "PUT" and "broken" not in self.asked:
                self.asked.append("broken")
                while not file.hangs.is_set():  # noqa: ASYNC110 - a thread's
                    await asyncio.sleep(0)
                return await hang_up(request)
            return await super().answer(request)

    async def release() -> None:
        while len(_readers()) < 2:  # noqa: ASYNC110 - threads
            await asyncio.sleep(0)
        for _ in range(2000):  # so that the second comes as far as it can
            await asyncio.sleep(0)
        file.released.set()

    host = Breaking()
    at_once = RetryPolicy(initial_delay=0)
    async with client_of(host, at_once) as duvo:
        releasing = asyncio.create_task(release())
        await duvo.sandboxes.upload("sbx", file, path="x")
        await releasing
    assert host.contents == {"/workspace/x": data}
    assert host.asked == ["POST upload-urls", "broken", "POST upload-urls", "PUT x"]


# --- blocks --------------------------------------------------------------------------------------


async def _sizes(source: UploadSource, chunk_size: int) -> set[int]:
    sent: list[int] = []

    def tell(progress: UploadProgress) -> None:
        sent.append(progress.sent)

    data = await taken(source, chunk_size=chunk_size, on_progress=tell)
    assert sent[-1] == len(data)
    steps = [after - before for before, after in pairwise(sent)]
    assert all(step == chunk_size for step in steps[:-1])
    return {*steps}


@pytest.mark.parametrize("chunk_size", [1000, 65_536, 262_144, 3_000_001])
async def test_blocks_are_as_large_as_was_said(tmp_path: Path, chunk_size: int) -> None:
    path = sparse(tmp_path / "zeros")
    last = LARGE % chunk_size
    for source in (path, bytes(LARGE), io.BytesIO(bytes(LARGE)), [bytes(1_000_000)] * 10 + [b"x"]):
        assert await _sizes(cast("UploadSource", source), chunk_size) == {chunk_size, last}


async def test_blocks_may_be_larger_than_the_file(tmp_path: Path) -> None:
    path = sparse(tmp_path / "zeros")
    assert await taken(path, chunk_size=2**40) == bytes(LARGE)


async def test_a_small_file_has_small_blocks_if_they_are_wanted(tmp_path: Path) -> None:
    make(tmp_path, {"a": bytes(2500)})
    assert await _sizes(tmp_path / "a", 1000) == {1000, 500}
    assert await _sizes(bytes(2500), 1) == {1}


@pytest.mark.parametrize("chunk_size", [0, -1, True, False, "x", 1.5, None])
async def test_the_size_of_blocks_is_a_number(chunk_size: Any) -> None:  # noqa: ANN401
    host = Host()
    async with client_of(host) as duvo:
        with pytest.raises((TypeError, ValueError), match="chunk_size"):
            await duvo.sandboxes.upload("sbx", b"x", path="x", chunk_size=chunk_size)
        with pytest.raises((TypeError, ValueError), match="chunk_size"):
            await duvo.sandboxes.upload_many("sbx", {"x": b"x"}, chunk_size=chunk_size)
        with pytest.raises((TypeError, ValueError), match="chunk_size"):
            await duvo.sandboxes.sync("sbx", ".", chunk_size=chunk_size)
    assert not host.asked


# --- files that do not know their size -----------------------------------------------------------

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")


@linux
@pytest.mark.parametrize("path", ["/proc/self/status", "/proc/kallsyms"])
async def test_a_file_that_does_not_know_its_size_is_copied(path: str) -> None:
    assert os.stat(path).st_size == 0  # noqa: PTH116 - it blocks nobody
    data = await taken(Path(path))
    assert data.count(b"\n") > 10


@linux
async def test_many_files_may_not_know_their_size() -> None:
    host = Host()
    async with client_of(host) as duvo:
        outcomes = await duvo.sandboxes.upload_many("sbx", ["/proc/self/status"])
    assert outcomes[0].raise_for_error().size_bytes > 100


async def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(PATTERN * 9000,))
    writer.start()
    try:
        assert await taken(tmp_path / "pipe") == PATTERN * 9000
    finally:
        writer.join(10)
