"""Uploads over a network that fails: they arrive whole, or say why not, and tell no secret."""

import asyncio
import hashlib
import io
import logging
import os
import socket
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import aiohttp
import pytest
from anyio.from_thread import start_blocking_portal
from attrs import evolve, frozen

from duvo_async import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    AsyncDuvo,
    Duvo,
    DuvoError,
    PayloadTooLargeError,
    PermissionDeniedError,
    RateLimitError,
    RetryPolicy,
    ServerError,
)
from duvo_async.emulator import Emulator
from tests.support.proxy import Fault, Proxy, proxied
from tests.support.virtual_time import wall_clock

pytestmark = pytest.mark.no_cover

HERE = Path(__file__).parent
ONCE = RetryPolicy(retries=0)
TWICE = RetryPolicy(retries=1)
ENDLESS = 9
"""More faults than there are attempts."""


# --- what is uploaded, and how -------------------------------------------------------------------


@frozen
class Way:
    """One of the two ways that files go."""

    method: str
    path: str
    data: bytes

    def fault(self, fault: Fault) -> Fault:
        """Have it happen to the request that carries the file."""
        return evolve(fault, method=self.method, path=self.path)


DIRECT = Way("POST", "/files", os.urandom(1_000_000))
PRESIGNED = Way("PUT", "/in/data.csv", os.urandom(10_500_000))
both_ways = pytest.mark.parametrize("way", [DIRECT, PRESIGNED], ids=["direct", "presigned"])


class _Pipe(io.RawIOBase):
    """A file that cannot seek."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        return self._data.read(size)


def _path(data: bytes, folder: Path) -> Path:
    (folder / "data.csv").write_bytes(data)
    return folder / "data.csv"


def _pieces(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), 100_000):
        yield data[start : start + 100_000]


async def _async_pieces(data: bytes) -> AsyncIterator[bytes]:
    for piece in _pieces(data):
        await asyncio.sleep(0)
        yield piece


SOURCES: dict[str, Callable[[bytes, Path], Any]] = {
    "path": _path,
    "bytes": lambda data, _: data,
    "file in memory": lambda data, _: io.BytesIO(data),
    "pipe": lambda data, _: _Pipe(data),
    "generator": lambda data, _: _pieces(data),
    "async generator": lambda data, _: _async_pieces(data),
}
every_source = pytest.mark.parametrize("source", SOURCES)


# --- what goes wrong -----------------------------------------------------------------------------

TRANSIENT: dict[str, tuple[Fault, type[APIError]]] = {
    "cut at 0 %": (Fault(kind="cut", after=0), APIConnectionError),
    "cut at 50 %": (Fault(kind="cut", after=0.5), APIConnectionError),
    "cut at 99 %": (Fault(kind="cut", after=0.99), APIConnectionError),
    "stalled at 0 %": (Fault(kind="stall", after=0), APITimeoutError),
    "stalled at 50 %": (Fault(kind="stall", after=0.5), APITimeoutError),
    "answer lost": (Fault(kind="lose"), APIConnectionError),
    "answer late": (Fault(kind="late", seconds=100), APITimeoutError),
    "500": (Fault(kind="answer", status=500), ServerError),
    "500 early": (Fault(kind="answer", status=500, after=0.1, reads_on=True), ServerError),
    "503, later": (
        Fault(kind="answer", status=503, headers={"Retry-After": "7"}),
        ServerError,
    ),
    "429, later": (
        Fault(kind="answer", status=429, headers={"Retry-After": "7"}),
        RateLimitError,
    ),
}
STORED = {"answer lost", "answer late"}
"""After these the file is there although nobody was told."""
SERIES = ("cut at 50 %", "stalled at 50 %", "503, later", "answer lost")
"""As many as a call has retries."""
every_fault = pytest.mark.parametrize("fault", TRANSIENT)

REFUSED = {
    "late": Fault(kind="answer", status=403),
    "early": Fault(kind="answer", status=403, after=0, reads_on=True),
}
refusals = pytest.mark.parametrize("fault", REFUSED.values(), ids=REFUSED)


# --- the rig -------------------------------------------------------------------------------------


@frozen
class Rig:
    """A client, the proxy that it talks to, the emulator behind that, and a sandbox."""

    emulator: Emulator
    proxy: Proxy
    duvo: AsyncDuvo
    sandbox_id: str

    async def upload(self, source: Any) -> None:  # noqa: ANN401 - anything that can be uploaded
        await self.duvo.sandboxes.upload(self.sandbox_id, source, path="in/data.csv")

    async def held(self) -> list[str]:
        """What the emulator holds: the SHA-256 of each file, as the built-in agent reports it."""
        run = await self.duvo.runs.start(self.emulator.demo_agent_id, sandbox_id=self.sandbox_id)
        said = [message.text_content or "" async for message in self.duvo.runs.messages(run.id)]
        return [text.rpartition(" ")[2] for text in said if "SHA-256" in text]

    def carried(self) -> list[str]:
        """The requests of uploads, in order."""
        paths = ("/files", "/upload-urls", "/in/data.csv")
        return [
            f"{seen.method} {seen.path.rpartition('/')[2]}"
            for seen in self.proxy.seen
            if seen.method != "GET" and seen.path.endswith(paths)
        ]

    def keys(self, path: str) -> list[str | None]:
        """The idempotency keys that came."""
        return [seen.headers.get("Idempotency-Key") for seen in self.proxy.requests("POST", path)]


@asynccontextmanager
async def through(
    *faults: Fault,
    emulator: Emulator | None = None,
    retry: RetryPolicy | None = None,
    buffer: int | None = None,
    session: aiohttp.ClientSession | None = None,
) -> AsyncIterator[Rig]:
    """Talk to an emulator through these faults, and leave nothing behind."""
    before = asyncio.all_tasks()
    async with (
        emulator or Emulator(clock=wall_clock) as running,
        proxied(running.url, *faults, buffer=buffer) as proxy,
        AsyncDuvo(
            running.api_key, base_url=proxy.url, retry=retry or RetryPolicy(), session=session
        ) as duvo,
    ):
        sandbox = await duvo.sandboxes.create()
        yield Rig(running, proxy, duvo, sandbox.sandbox_id)
    await asyncio.sleep(0.1)  # virtual: aborted connections close
    assert asyncio.all_tasks() == before


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and all that hangs on it."""
    yield error
    for other in (error.__cause__, error.__context__):
        if other is not None:
            yield from chain(other)
    if isinstance(error, BaseExceptionGroup):
        for other in error.exceptions:
            yield from chain(other)


def said(error: BaseException) -> str:
    """All that an error says, in whatever way it is looked at."""
    texts: list[str] = []
    for each in chain(error):
        texts += [str(each), repr(each), repr(vars(each)), *getattr(each, "__notes__", [])]
        texts += traceback.format_exception(each)
        texts += [
            repr(frame.f_locals)  # as tools that report errors show them
            for frame, _ in traceback.walk_tb(each.__traceback__)
            if not Path(frame.f_code.co_filename).is_relative_to(HERE)  # where all is known
        ]
    return "\n".join(texts)


def assert_discreet(text: str, rig: Rig) -> None:
    """Look for the key, and for any part of the presigned URLs' queries."""
    secrets = {rig.emulator.api_key, "X-Storage"}
    for put in rig.proxy.requests("PUT"):
        secrets.add(put.query)
        for part in put.query.split("&"):
            value = part.partition("=")[2]
            secrets |= {value, unquote_plus(value)}
    assert not [secret for secret in secrets if secret in text]


# --- one fault, and then it works ----------------------------------------------------------------


@both_ways
@every_fault
@pytest.mark.anyio
async def test_after_a_fault_the_file_arrives_whole(way: Way, fault: str, tmp_path: Path) -> None:
    async with through(way.fault(TRANSIENT[fault][0])) as rig:
        await rig.upload(_path(way.data, tmp_path))
        assert not rig.proxy.faults
        assert await rig.held() == [sha256(way.data)]
    if way is DIRECT:
        assert rig.carried() == ["POST files"] * 2
        assert len(set(rig.keys("/files"))) == 1
    else:
        assert rig.carried() == ["POST upload-urls", "PUT data.csv"] * 2
        assert len(set(rig.keys("/upload-urls"))) == 2


@both_ways
@every_source
@pytest.mark.anyio
async def test_every_source_outlives_faults(way: Way, source: str, tmp_path: Path) -> None:
    faults = [TRANSIENT[fault][0] for fault in SERIES]
    if way is PRESIGNED:
        faults.append(REFUSED["late"])  # which is no retry
    async with through(*map(way.fault, faults)) as rig:
        await rig.upload(SOURCES[source](way.data, tmp_path))
        assert not rig.proxy.faults
        assert await rig.held() == [sha256(way.data)]


@both_ways
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.anyio
async def test_a_later_attempt_comes_when_it_was_asked_to(way: Way, status: int) -> None:
    told = Fault(kind="answer", status=status, headers={"Retry-After": "7"})
    async with through(way.fault(told)) as rig:
        before = asyncio.get_running_loop().time()
        await rig.upload(way.data)
        assert 7 <= asyncio.get_running_loop().time() - before < 60


@pytest.mark.parametrize("fault", ["cut at 0 %", "answer lost", "429, later"])
@pytest.mark.anyio
async def test_asking_for_a_url_is_repeated_too(fault: str) -> None:
    asking = evolve(TRANSIENT[fault][0], method="POST", path="/upload-urls")
    async with through(asking) as rig:
        await rig.upload(PRESIGNED.data)
        assert await rig.held() == [sha256(PRESIGNED.data)]
        assert rig.carried() == ["POST upload-urls"] * 2 + ["PUT data.csv"]


# --- nothing but faults --------------------------------------------------------------------------


@both_ways
@every_fault
@pytest.mark.anyio
async def test_faults_without_end_are_an_error(
    way: Way, fault: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    what, kind = TRANSIENT[fault]
    async with through(*[way.fault(what)] * ENDLESS, retry=TWICE) as rig:
        with pytest.raises(kind) as caught:
            await rig.upload(_path(way.data, tmp_path))
        assert await rig.held() == ([sha256(way.data)] if fault in STORED else [])
    assert len(rig.proxy.requests(way.method, way.path)) == 2
    assert caught.value.method == way.method
    assert_discreet(said(caught.value), rig)
    assert_discreet(caplog.text, rig)


@both_ways
@pytest.mark.anyio
async def test_there_are_four_retries(way: Way) -> None:
    async with through(*[way.fault(TRANSIENT["cut at 0 %"][0])] * ENDLESS) as rig:
        with pytest.raises(APIConnectionError):
            await rig.upload(way.data)
    assert len(rig.proxy.requests(way.method, way.path)) == 5


@both_ways
@every_source
@pytest.mark.anyio
async def test_without_retries_a_fault_is_an_error(way: Way, source: str, tmp_path: Path) -> None:
    async with through(way.fault(TRANSIENT["cut at 50 %"][0]), retry=ONCE) as rig:
        with pytest.raises(APIConnectionError):
            await rig.upload(SOURCES[source](way.data, tmp_path))
        assert await rig.held() == []


# --- refusals ------------------------------------------------------------------------------------


@refusals
@pytest.mark.anyio
async def test_a_refused_url_is_replaced_once(fault: Fault) -> None:
    async with through(fault, retry=ONCE) as rig:
        await rig.upload(PRESIGNED.data)
        assert await rig.held() == [sha256(PRESIGNED.data)]
        assert rig.carried() == ["POST upload-urls", "PUT data.csv"] * 2


@both_ways
@refusals
@pytest.mark.anyio
async def test_refusals_without_end_are_an_error(
    way: Way, fault: Fault, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with through(*[way.fault(fault)] * ENDLESS) as rig:
        with pytest.raises(PermissionDeniedError) as caught:
            await rig.upload(_path(way.data, tmp_path))
        assert await rig.held() == []
    assert len(rig.proxy.requests(way.method, way.path)) == (1 if way is DIRECT else 2)
    assert_discreet(said(caught.value), rig)
    assert_discreet(caplog.text, rig)


@pytest.mark.anyio
async def test_a_url_that_expires_on_its_way_is_replaced() -> None:
    delayed = Fault(kind="late", method="POST", path="/upload-urls", seconds=20)
    brief = Emulator(clock=wall_clock, upload_url_ttl=10)
    async with through(delayed, emulator=brief) as rig:
        await rig.upload(PRESIGNED.data)
        assert await rig.held() == [sha256(PRESIGNED.data)]
    puts = [request.status for request in brief.requests if request.method == "PUT"]
    assert puts == [403, 200]


@pytest.mark.anyio
async def test_urls_that_are_never_good_are_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with through(emulator=Emulator(clock=wall_clock, upload_url_ttl=0)) as rig:
        with pytest.raises(PermissionDeniedError) as caught:
            await rig.upload(_path(PRESIGNED.data, tmp_path))
        assert await rig.held() == []
    assert rig.carried() == ["POST upload-urls", "PUT data.csv"] * 2
    assert_discreet(said(caught.value), rig)
    assert_discreet(caplog.text, rig)


@every_source
@pytest.mark.anyio
async def test_too_much_for_the_api_goes_to_the_storage(source: str, tmp_path: Path) -> None:
    strict = Emulator(clock=wall_clock, max_direct_bytes=500_000)
    async with through(emulator=strict) as rig:
        await rig.upload(SOURCES[source](DIRECT.data, tmp_path))
        assert await rig.held() == [sha256(DIRECT.data)]
        assert rig.carried() == ["POST files", "POST upload-urls", "PUT data.csv"]


@pytest.mark.parametrize(
    ("way", "status"),
    [(DIRECT, 413), (DIRECT, 500), (PRESIGNED, 403), (PRESIGNED, 500)],
    ids=["direct-413", "direct-500", "presigned-403", "presigned-500"],
)
@pytest.mark.anyio
async def test_a_connection_that_breaks_may_hide_an_early_answer(way: Way, status: int) -> None:
    # Whether the client still reads it is a matter of luck. All is well either way.
    async with through(way.fault(Fault(kind="answer", status=status, after=0.1))) as rig:
        await rig.upload(way.data)
        assert await rig.held() == [sha256(way.data)]


@pytest.mark.anyio
async def test_too_much_may_be_said_before_all_was_sent() -> None:
    too_much = Fault(kind="answer", status=413, after=0.1, reads_on=True)
    async with through(*[DIRECT.fault(too_much)] * ENDLESS) as rig:
        await rig.upload(DIRECT.data)
        assert await rig.held() == [sha256(DIRECT.data)]
        assert rig.carried() == ["POST files", "POST upload-urls", "PUT data.csv"]


@pytest.mark.anyio
async def test_a_success_that_comes_too_early_is_none() -> None:
    early = PRESIGNED.fault(Fault(kind="answer", status=200, after=0.1))
    async with through(early) as rig:
        await rig.upload(PRESIGNED.data)
        assert await rig.held() == [sha256(PRESIGNED.data)]


@pytest.mark.anyio
async def test_on_the_other_way_things_go_wrong_too() -> None:
    strict = Emulator(clock=wall_clock, max_direct_bytes=500_000)
    faults = [
        DIRECT.fault(TRANSIENT["500"][0]),
        PRESIGNED.fault(TRANSIENT["cut at 50 %"][0]),
        PRESIGNED.fault(REFUSED["late"]),
    ]
    async with through(*faults, emulator=strict) as rig:
        await rig.upload(DIRECT.data)
        assert await rig.held() == [sha256(DIRECT.data)]
        assert rig.carried() == ["POST files"] * 2 + ["POST upload-urls", "PUT data.csv"] * 3


@pytest.mark.anyio
async def test_too_much_for_the_storage_as_well_is_an_error() -> None:
    too_much = Fault(kind="answer", status=413)
    async with through(DIRECT.fault(too_much), PRESIGNED.fault(too_much)) as rig:
        with pytest.raises(PayloadTooLargeError) as caught:
            await rig.upload(DIRECT.data)
        assert await rig.held() == []
        assert caught.value.method == "PUT"


# --- time ----------------------------------------------------------------------------------------

SMALL_BUFFER = 8 * 1024


def _small_socket(address: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER)
    return made


@asynccontextmanager
async def small_sockets() -> AsyncIterator[aiohttp.ClientSession]:
    """A session whose sockets take little that the other end has not read."""
    connector = aiohttp.TCPConnector(socket_factory=_small_socket)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        yield session


@both_ways
@pytest.mark.parametrize("after", [0, 0.5])
@pytest.mark.parametrize("buffer", [None, SMALL_BUFFER])
@pytest.mark.anyio
async def test_a_stalled_upload_is_given_up_after_a_minute(
    way: Way, after: float, buffer: int | None
) -> None:
    stall = way.fault(Fault(kind="stall", after=after))
    async with through(stall, retry=ONCE, buffer=buffer) as rig:
        before = asyncio.get_running_loop().time()
        with pytest.raises(APITimeoutError):
            await rig.upload(way.data)
        # On a busy machine the clock runs ahead while bytes are on their way.
        assert 60 <= asyncio.get_running_loop().time() - before < 300


@both_ways
@pytest.mark.anyio
async def test_an_answer_is_waited_for_for_a_minute(way: Way) -> None:
    answers = [way.fault(Fault(kind="late", seconds=seconds)) for seconds in (55, 65)]
    async with through(*answers, retry=ONCE) as rig:
        await rig.upload(way.data)
        before = asyncio.get_running_loop().time()
        with pytest.raises(APITimeoutError):
            await rig.upload(way.data)
        # On a busy machine the clock runs ahead while bytes are on their way.
        assert 60 <= asyncio.get_running_loop().time() - before < 300


@both_ways
@pytest.mark.anyio
async def test_an_upload_may_take_any_time_while_it_moves(way: Way) -> None:
    # The last half megabyte comes at 64 KiB each half minute.
    slow = way.fault(Fault(kind="slow", seconds=30, after=1 - 500_000 / len(way.data)))
    async with (
        small_sockets() as session,
        through(slow, retry=ONCE, buffer=SMALL_BUFFER, session=session) as rig,
    ):
        before = asyncio.get_running_loop().time()
        await rig.upload(way.data)
        assert asyncio.get_running_loop().time() - before > 200
        assert await rig.held() == [sha256(way.data)]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell what they hold")
@pytest.mark.anyio
async def test_what_the_kernel_took_is_not_taken_for_sent() -> None:
    # It takes megabytes at once, and then none for as long as it takes to send a third of them.
    slow = Fault(method="PUT", kind="slow", after=0.5, seconds=1)
    async with through(slow, retry=ONCE) as rig:
        await rig.upload(PRESIGNED.data)
        assert await rig.held() == [sha256(PRESIGNED.data)]


# --- blocking ------------------------------------------------------------------------------------


@contextmanager
def blocking(*faults: Fault) -> Iterator[tuple[Emulator, Proxy]]:
    with (
        Emulator() as emulator,
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(proxied(emulator.url, *faults)) as proxy,
    ):
        yield emulator, proxy


@both_ways
@pytest.mark.parametrize("source", ["path", "generator"])
@pytest.mark.parametrize("fault", ["cut at 50 %", "answer lost", "500"])
def test_the_blocking_client_outlives_a_fault(
    way: Way, fault: str, source: str, tmp_path: Path, impatient: RetryPolicy
) -> None:
    with (
        blocking(way.fault(TRANSIENT[fault][0])) as (emulator, proxy),
        Duvo(emulator.api_key, base_url=proxy.url, retry=impatient) as duvo,
    ):
        sandbox = duvo.sandboxes.create()
        made = SOURCES[source](way.data, tmp_path)
        duvo.sandboxes.upload(sandbox.sandbox_id, made, path="in/data.csv")
        run = duvo.runs.start(emulator.demo_agent_id, sandbox_id=sandbox.sandbox_id)
        texts = [message.text_content or "" for message in duvo.runs.messages(run.id)]
    assert sum(text.endswith(sha256(way.data)) for text in texts) == 1
    assert not proxy.faults


@both_ways
def test_the_blocking_client_gives_up(way: Way, impatient: RetryPolicy) -> None:
    cut = way.fault(TRANSIENT["cut at 50 %"][0])
    with (
        blocking(*[cut] * ENDLESS) as (emulator, proxy),
        Duvo(emulator.api_key, base_url=proxy.url, retry=impatient) as duvo,
    ):
        sandbox = duvo.sandboxes.create()
        with pytest.raises(DuvoError):
            duvo.sandboxes.upload(sandbox.sandbox_id, way.data, path="in/data.csv")
        assert list(duvo.sandboxes.files(sandbox.sandbox_id)) == []
    assert len(proxy.requests(way.method, way.path)) == 5
