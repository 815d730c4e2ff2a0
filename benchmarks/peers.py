"""Who is compared in the upload benchmark: this package, and what one would write by hand."""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from shutil import which
from time import perf_counter, process_time
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from attrs import frozen

from benchmarks.stub import stats
from duvo_async import AsyncDuvo

SANDBOX = "sbx_1"
BLOCK = 256 * 1024
"""Bytes that each of them reads at a time."""
AT_ONCE = 8
"""How many small files are on their way at a time."""
KEY = "dv_key"
_TYPE = "text/csv"
_AUTHORIZATION = {"Authorization": f"Bearer {KEY}"}

Send = Callable[[Path], Awaitable[None]]
"""Uploads a file, or all files of a folder."""


@frozen
class Peers:
    """The clients, each with connections that are open already after a first use.

    Attributes:
        url: Where the server is.
        duvo: The client of this package.
        session: The session of the hand-written calls.
        httpx: A client of httpx, which need not be installed.
    """

    url: str
    duvo: AsyncDuvo
    session: aiohttp.ClientSession
    httpx: Any

    @property
    def large(self) -> Mapping[str, Send]:
        """Those that send a large file to a presigned URL."""
        found: dict[str, Send] = {
            "raw aiohttp": self._put,
            "duvo_async": self.upload,
            "control": self._put,
        }
        if self.httpx is not None:
            found["httpx"] = self._put_with_httpx
        if which("curl"):
            found["curl -T"] = self._put_with_curl
        return {**found, "bare socket": self._put_bare}

    @property
    def small(self) -> Mapping[str, Send]:
        """Those that send the small files of a folder to the API."""
        found: dict[str, Send] = {
            "raw aiohttp, open files": partial(_each, self._post),
            "duvo_async": self.upload_many,
            "control": partial(_each, self._post),
            "raw aiohttp, read_bytes()": partial(_each, self._post_bytes),
        }
        if self.httpx is not None:
            found["httpx, open files"] = partial(_each, self._post_with_httpx)
        return found

    async def upload(self, path: Path) -> None:
        """Send a file with this package."""
        await self.duvo.sandboxes.upload(SANDBOX, path)

    async def upload_many(self, folder: Path) -> None:
        """Send the files of a folder with this package."""
        outcomes = await self.duvo.sandboxes.upload_many(SANDBOX, [folder], concurrency=AT_ONCE)
        for outcome in outcomes:
            outcome.raise_for_error()

    @property
    def _store(self) -> str:
        return f"{self.url}/store/workspace/large.bin?X-Signature=0123456789abcdef"

    @property
    def _files(self) -> str:
        return f"{self.url}/v1/sandboxes/{SANDBOX}/files"

    async def _put(self, path: Path) -> None:
        headers = _length(path)
        timeout = aiohttp.ClientTimeout(total=None)
        async with self.session.put(
            self._store, data=_blocks(path), headers=headers, timeout=timeout
        ) as response:
            response.raise_for_status()

    async def _put_with_httpx(self, path: Path) -> None:
        answer = await self.httpx.put(self._store, content=_blocks(path), headers=_length(path))
        answer.raise_for_status()

    async def _put_with_curl(self, path: Path) -> None:
        command = ["curl", "-sSf", "--noproxy", "*", "-H", "Expect:", "-T", str(path), self._store]
        process = await asyncio.create_subprocess_exec(*command)
        if await process.wait():
            raise SystemExit("curl failed")

    async def _put_bare(self, path: Path) -> None:
        await asyncio.to_thread(_send_bare, self.url, path.stat().st_size)  # noqa: ASYNC240

    async def _post(self, path: Path) -> None:
        with path.open("rb") as file:
            await self._post_form(path, file)

    async def _post_bytes(self, path: Path) -> None:
        await self._post_form(path, path.read_bytes())  # noqa: ASYNC240 - as above

    async def _post_form(self, path: Path, content: object) -> None:
        form = aiohttp.FormData()
        form.add_field("file", content, filename=path.name, content_type=_TYPE)
        form.add_field("path", f"/workspace/{path.parent.name}/{path.name}")
        async with self.session.post(self._files, data=form, headers=_AUTHORIZATION) as response:
            response.raise_for_status()
            await response.json()

    async def _post_with_httpx(self, path: Path) -> None:
        with path.open("rb") as file:
            answer = await self.httpx.post(
                self._files,
                files={"file": (path.name, file, _TYPE)},
                data={"path": f"/workspace/{path.parent.name}/{path.name}"},
                headers=_AUTHORIZATION,
            )
        answer.raise_for_status().json()


@frozen
class Spent:
    """What an upload took, in seconds.

    Attributes:
        wall: By the clock.
        cpu: Of this process and of the programs that it started.
        server: Of the server's CPU.
        taken: The bytes of all bodies, as the server counted them.
    """

    wall: float
    cpu: float
    server: float
    taken: int


async def spent(url: str, send: Send, path: Path) -> Spent:
    """Measure an upload."""
    before = stats(url)
    cpu, wall = _cpu(), perf_counter()
    await send(path)
    wall, cpu = perf_counter() - wall, _cpu() - cpu
    after = stats(url)
    return Spent(wall, cpu, after.cpu - before.cpu, after.bytes - before.bytes)


def _cpu() -> float:
    others = getrusage(RUSAGE_CHILDREN)
    return process_time() + others.ru_utime + others.ru_stime


@asynccontextmanager
async def peers(url: str) -> AsyncGenerator[Peers, None]:
    """Open all clients."""
    async with aiohttp.ClientSession() as session, client(url) as duvo:
        if find_spec("httpx") is None:
            yield Peers(url, duvo, session, None)
            return
        module: Any = import_module("httpx")
        async with module.AsyncClient(timeout=None, trust_env=False) as other:
            yield Peers(url, duvo, session, other)


@asynccontextmanager
async def client(url: str) -> AsyncGenerator[AsyncDuvo, None]:
    """Open the client of this package, and let it learn how many requests it may make."""
    async with AsyncDuvo(KEY, base_url=url) as duvo:
        await duvo.sandboxes.create()
        yield duvo


def _send_bare(url: str, left: int) -> None:
    """Send so many bytes without reading a file: as fast as the server takes them."""
    place = urlsplit(url)
    block = memoryview(bytes(BLOCK))
    with socket.create_connection((place.hostname, place.port)) as connection:
        head = f"PUT /store/x HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: {left}"
        connection.sendall(f"{head}\r\n\r\n".encode())
        while left:
            connection.sendall(block[:left])
            left -= len(block[:left])
        connection.recv(BLOCK)


def _length(path: Path) -> dict[str, str]:
    return {"Content-Length": str(path.stat().st_size)}


async def _blocks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


async def _each(post: Send, folder: Path) -> None:
    """Send the files of a folder, some at once."""
    paths = iter(sorted(path for path in folder.rglob("*") if path.is_file()))  # noqa: ASYNC240
    await asyncio.gather(*(_work(post, paths) for _ in range(AT_ONCE)))


async def _work(post: Send, paths: Iterator[Path]) -> None:
    for path in paths:
        await post(path)
