"""How far many files have come, and what is left of them when somebody gives up."""

import asyncio
import errno
import io
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from duvo_async import UploadProgress, _sources
from duvo_async._reading import Source
from duvo_async._sources import open_path
from tests.support.files import LARGE, Host, client_of, in_thread, make, places, readers_end, sparse
from tests.support.stub import answer

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
async def _settled(_no_leaked_tasks: None) -> AsyncIterator[None]:
    yield
    await asyncio.sleep(20)  # virtual: answers that nobody waits for are given


class Told:
    """A handler that remembers, file by file."""

    def __init__(self) -> None:
        self.of: dict[str, list[UploadProgress]] = defaultdict(list)

    def __call__(self, progress: UploadProgress) -> None:
        self.of[progress.path].append(progress)


def assert_whole(seen: list[UploadProgress], size: int, attempts: int = 1) -> None:
    """Each attempt begins at 0 and rises; the last record, and no other, says that it is there."""
    assert {each.total for each in seen} == {size}
    assert [each.finished for each in seen] == [False] * (len(seen) - 1) + [True]
    assert (seen[-1].sent, seen[-1].attempt) == (size, attempts)
    for attempt in range(1, attempts + 1):
        sent = [each.sent for each in seen if each.attempt == attempt]
        assert sent[0] == 0
        assert sent == sorted(sent)
    assert [each.attempt for each in seen] == sorted(each.attempt for each in seen)


# --- progress ------------------------------------------------------------------------------------


async def test_every_file_is_told_of(tmp_path: Path) -> None:
    make(tmp_path / "in", {"empty": b"", "small": b"1", "medium": bytes(1_000_000)})
    sparse(tmp_path / "in/large")
    told = Told()
    async with client_of(Host()) as duvo:
        outcomes = await duvo.sandboxes.upload_many("sbx", [tmp_path / "in"], on_progress=told)
    sizes = {each.path: each.raise_for_error().size_bytes for each in outcomes}
    assert told.of.keys() == sizes.keys()
    for path, seen in told.of.items():
        assert_whole(seen, sizes[path or ""])
    assert len(told.of["/workspace/in/large"]) == 1 + -(-LARGE // (256 * 1024))
    assert len(told.of["/workspace/in/medium"]) == 1 + 4


async def test_blocks_are_as_large_as_was_said(tmp_path: Path) -> None:
    sparse(tmp_path / "large")
    make(tmp_path, {"small": bytes(2500)})
    told = Told()
    async with client_of(Host()) as duvo:
        await duvo.sandboxes.upload_many(
            "sbx",
            [tmp_path / "large", tmp_path / "small"],
            on_progress=told,
            chunk_size=3_000_000,
        )
        seen = [each.sent for each in told.of["/workspace/large"]]
        assert seen == [0, 3_000_000, 6_000_000, 9_000_000, LARGE]
        told.of.clear()
        await duvo.sandboxes.upload_many(
            "sbx", [tmp_path / "small"], on_progress=told, chunk_size=1000
        )
    seen = [each.sent for each in told.of["/workspace/small"]]
    assert seen == [0, 1000, 2000, 2500]


async def test_each_attempt_is_told_of(tmp_path: Path) -> None:
    refused: list[str] = []

    async def refuse(path: str) -> web.Response | None:
        refused.append(path)
        return answer(503) if refused.count(path) < 3 else None

    make(tmp_path / "in", {"small": b"1"})
    sparse(tmp_path / "in/large")
    told = Told()
    async with client_of(Host(before=refuse)) as duvo:
        await duvo.sandboxes.upload_many("sbx", [tmp_path / "in"], on_progress=told)
    assert_whole(told.of["/workspace/in/small"], 1, attempts=3)
    assert_whole(told.of["/workspace/in/large"], LARGE, attempts=3)


async def test_handlers_may_be_asynchronous(tmp_path: Path) -> None:
    told = Told()

    async def tell(progress: UploadProgress) -> None:
        await asyncio.sleep(1)
        told(progress)

    make(tmp_path, {"small": b"1"})
    sparse(tmp_path / "large")
    async with client_of(Host()) as duvo:
        outcomes = await duvo.sandboxes.upload_many(
            "sbx", [tmp_path / "small", tmp_path / "large"], on_progress=tell
        )
    assert places(outcomes) == ["small", "large"]
    assert_whole(told.of["/workspace/small"], 1)
    assert_whole(told.of["/workspace/large"], LARGE)


ERRORS = [LookupError("mine"), OSError(errno.EIO, "mine"), ValueError("mine"), TimeoutError("mine")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("when", ["begun", "sent", "finished"])
async def test_a_handler_that_fails_ends_it(tmp_path: Path, when: str, error: Exception) -> None:
    def fail(progress: UploadProgress) -> None:
        moment = "finished" if progress.finished else "sent" if progress.sent else "begun"
        if progress.path.endswith("large") and moment == when:
            raise error

    for number in range(200):
        make(tmp_path / "in", [f"{number:03}"])
    sparse(tmp_path / "in/large")
    host = Host(before=_never)
    async with client_of(host) as duvo:
        with pytest.raises(type(error)) as caught:
            await duvo.sandboxes.upload_many("sbx", [tmp_path / "in"], on_progress=fail)
    assert caught.value is error
    assert len(host.asked) < 40
    assert host.asked.count("PUT large") == (when != "begun")


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("size", [1, LARGE])
async def test_a_handler_that_fails_ends_a_single_upload(size: int, error: Exception) -> None:
    async def fail(progress: UploadProgress) -> None:
        if progress.sent == size:
            raise error

    host = Host()
    async with client_of(host) as duvo:
        with pytest.raises(type(error)) as caught:
            await duvo.sandboxes.upload("sbx", bytes(size), path="x", on_progress=fail)
    assert caught.value is error
    assert len(host.asked) <= 2


# --- giving up -----------------------------------------------------------------------------------


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The files that the client opens, all of which it has closed at the end."""
    files: list[Any] = []
    original = Path.open

    def watched(self: Path, *args: Any, **named: Any) -> Any:  # noqa: ANN401 - as it gives
        file = original(self, *args, **named)
        files.append(file)
        return file

    monkeypatch.setattr(Path, "open", watched)
    yield files
    assert files
    assert [file.name for file in files if not file.closed] == []


async def give_up(host: Host, when: Callable[[], bool], sources: Any, **named: Any) -> None:  # noqa: ANN401
    """Upload until something is true, then cancel; nothing may be left after it."""
    async with client_of(host) as duvo:
        before = asyncio.all_tasks()
        sending = asyncio.create_task(duvo.sandboxes.upload_many("sbx", sources, **named))
        while not when():
            assert not sending.done()
            await asyncio.sleep(0.01)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        client = {
            task for task in asyncio.all_tasks() - before if "RequestHandler" not in repr(task)
        }
        assert not client


async def _never(_: str) -> None:
    await asyncio.sleep(5)


async def test_cancelling_closes_what_is_open(tmp_path: Path, opened: list[Any]) -> None:
    for number in range(60):
        sparse(tmp_path / f"{number:02}", LARGE if number < 10 else 300_000)
    opened.clear()
    host = Host(before=_never)
    await give_up(host, lambda: host.under_way == 8, [tmp_path])
    assert 8 <= len(opened) < 60
    await readers_end()


async def test_an_error_closes_what_is_open(tmp_path: Path, opened: list[Any]) -> None:
    async def refuse(path: str) -> web.Response | None:
        if path.endswith("05"):
            return answer(409)
        await _never(path)
        return None

    for number in range(60):
        sparse(tmp_path / f"{number:02}", LARGE if number > 50 else 300_000)
    opened.clear()
    async with client_of(Host(before=refuse)) as duvo:
        outcomes = asyncio.create_task(
            duvo.sandboxes.upload_many("sbx", [tmp_path], fail_fast=True)
        )
        with pytest.raises(Exception, match="409"):
            await outcomes
    await readers_end()


async def test_files_of_the_callers_stay_open() -> None:
    host = Host(before=_never)
    file = io.BytesIO(bytes(LARGE))
    await give_up(host, lambda: host.under_way == 1, {"x": file})
    assert not file.closed


async def test_a_file_that_opens_too_late_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, released = threading.Event(), threading.Event()
    found: list[Any] = []

    def slow(path: Path) -> Source:
        source = open_path(path)
        found.append(source)
        asked.set()
        assert released.wait(30)
        return source

    monkeypatch.setattr(_sources, "open_path", slow)
    sparse(tmp_path / "large")
    host = Host()
    async with client_of(host) as duvo:
        sending = asyncio.create_task(duvo.sandboxes.upload("sbx", tmp_path / "large"))
        await in_thread(asked.wait)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        released.set()
        await readers_end()
    assert not host.asked
    (source,) = found
    try:
        assert source.file.closed
    finally:
        source.shut()


async def test_the_clients_end_ends_it(tmp_path: Path) -> None:
    sparse(make(tmp_path / "in", [f"{number:03}" for number in range(300)]) / "large")
    host = Host(before=_never)
    async with client_of(host) as duvo:
        sending = asyncio.create_task(duvo.sandboxes.upload_many("sbx", [tmp_path / "in"]))
        while host.under_way < 8:  # noqa: ASYNC110 - on virtual time
            await asyncio.sleep(0.01)
        await duvo.close()
        outcomes = await sending
    assert not any(each.succeeded for each in outcomes)
    assert len(host.asked) <= 9
    assert len(outcomes) == 301
