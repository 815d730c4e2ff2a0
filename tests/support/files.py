"""Files to upload, what an emulator holds of them, and a host that takes them as a test says."""

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, unquote

from aiohttp import ClientSession, web
from attrs import define, field

from duvo_async import AsyncDuvo, RetryPolicy, UploadOutcome, _threads
from duvo_async.emulator import Emulator, ListFiles, ReadFile, Request, Script, StartedRun
from duvo_async.emulator.multipart import read_form
from duvo_async.emulator.script import Play
from duvo_async.uploading import DIRECT_LIMIT
from tests.support.stub import answer

_T = TypeVar("_T")

LARGE = DIRECT_LIMIT + 1
"""Bytes that the API does not take at once."""


def make(folder: Path, files: Mapping[str, bytes] | Iterable[str]) -> Path:
    """Put files into a folder; those without content get their path as one."""
    contents = files if isinstance(files, Mapping) else {name: name.encode() for name in files}
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def sparse(path: Path, size: int = LARGE) -> Path:
    """Make a file of zeros, which takes no time and no disk."""
    with path.open("wb") as file:
        file.truncate(size)
    return path


def reader(found: dict[str, bytes]) -> Script:
    """Write an agent that reads its whole workspace."""

    def read(_: StartedRun) -> Play:
        folders = ["/workspace"]
        while folders:
            for entry in (yield ListFiles(folders.pop())):
                if entry.type == "dir":
                    folders.append(entry.path)
                else:
                    name = entry.path.removeprefix("/workspace/")
                    found[name] = yield ReadFile(entry.path)

    return read


async def held(emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str) -> dict[str, bytes]:
    """Read what a sandbox holds: the paths below its workspace, and the bytes."""
    found: dict[str, bytes] = {}
    await duvo.runs.execute(emulator.add_agent(reader(found)), sandbox_id=sandbox_id)
    return found


def places(outcomes: Iterable[UploadOutcome]) -> list[str | None]:
    """Tell where files went, below the workspace; None for those that did not arrive."""
    return [
        outcome.file.path.removeprefix("/workspace/") if outcome.file is not None else None
        for outcome in outcomes
    ]


async def in_thread(function: Callable[[], _T]) -> _T:
    """Run a function in a thread, which holds the clock. The loop's own threads outlast tests."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[_T] = loop.create_future()

    def work() -> None:
        try:
            tell = partial(outcome.set_result, function())
        except Exception as error:  # noqa: BLE001 - it is the test's
            tell = partial(outcome.set_exception, error)
        loop.call_soon_threadsafe(tell)

    threading.Thread(target=work).start()
    return await _threads.arrival(outcome)


def join_readers() -> None:
    """Wait until no thread reads or opens files any more."""
    while readers := [each for each in threading.enumerate() if each.name in _READERS]:
        for reader in readers:
            with suppress(RuntimeError):  # it is about to start
                reader.join(10)
                assert not reader.is_alive()


_READERS = ("duvo-async-read", "duvo-async-work")


async def readers_end() -> None:
    """Wait until no thread reads or opens files, and what they had to tell is told."""
    for _ in range(2):  # what comes too late is closed by another
        await in_thread(join_readers)
        await asyncio.sleep(0)


Before = Callable[[str], Awaitable[web.Response | None]]


async def _at_once(_: str) -> None:
    return None


@define
class Host:
    """The API and its storage in one; they take any file.

    Attributes:
        before: Awaited with a file's path, when all of it is here; may give another answer.
        taken: The paths of the files that were taken, in order.
        contents: What was in those.
        storage: Where presigned URLs lead to; empty for here.
        headers: The headers of every request.
        asked: The method and the last part of the path of every request.
        under_way: How many files are here and not answered.
        most: The most that were under way at a time.
    """

    before: Before = _at_once
    taken: list[str] = field(factory=list[str])
    contents: dict[str, bytes] = field(factory=dict[str, bytes])
    storage: str = ""
    headers: list[Mapping[str, str]] = field(factory=list[Mapping[str, str]])
    asked: list[str] = field(factory=list[str])
    under_way: int = 0
    most: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path.rpartition('/')[2]}")
        self.headers.append(request.headers.copy())
        if request.path.endswith("/upload-urls"):
            path = (await request.json())["path"]
            told = {"path": path, "expires_in_seconds": 60}
            origin = self.storage or f"{request.scheme}://{request.host}"
            url = f"{origin}/storage{quote(path)}?X-Signature=s"
            return answer(200, {"upload_url": url, **told})
        data = await request.read()
        if request.method == "PUT":
            path = unquote(request.path.removeprefix("/storage"))
        else:
            form = read_form(
                Request("POST", request.path, "", request.headers, data),
                frozenset(["path", "file"]),
            )
            path, data = form["path"].decode(), form["file"]
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            said = await self.before(path)
        finally:
            self.under_way -= 1
        if said is not None:
            return said
        self.taken.append(path)
        self.contents[path] = data
        if request.method == "PUT":
            return answer(200)
        return answer(201, {"path": path, "size_bytes": len(data)})


@asynccontextmanager
async def running(host: Host, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Run a host, and give its URL. It sees a request as soon as its headers are there."""
    app = web.Application(client_max_size=2**30)
    app.router.add_route("*", "/{path:.*}", host.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        place, port = runner.addresses[0][:2]
        yield f"{'http' if tls is None else 'https'}://{place}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def client_of(
    host: Host, retry: RetryPolicy | None = None, session: ClientSession | None = None
) -> AsyncIterator[AsyncDuvo]:
    """Run a host, and a client that talks to it."""
    async with (
        running(host) as url,
        AsyncDuvo("dv_key", base_url=url, retry=retry, session=session) as duvo,
    ):
        yield duvo
