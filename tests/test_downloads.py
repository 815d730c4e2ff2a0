"""Downloads over a network that fails: whole files, or none and a reason, and no secret told."""

import asyncio
import gzip
import hashlib
import logging
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import pytest
from aiohttp import web
from attrs import frozen

from duvo_async import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AsyncDuvo,
    DownloadProgress,
    NotFoundError,
    PermissionDeniedError,
    ResponseDecodeError,
    RetryPolicy,
    ServerError,
)
from duvo_async.emulator import Emulator
from tests.support.discretion import told_by
from tests.support.proxy import Fault, Proxy, proxied
from tests.support.stub import Answer, Stub, answer, hang_up, serve
from tests.support.virtual_time import wall_clock

pytestmark = pytest.mark.anyio
ONCE = RetryPolicy(retries=0)
TWICE = RetryPolicy(retries=1)
ENDLESS = 9
"""More faults than there are attempts."""
DATA = os.urandom(3_000_000)
KEY = "dv_key-that-nobody-may-see"
SIGNED = "X-Signature=abc%2Fdef%20+~&X-Expires=60"


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(autouse=True)
async def _settled() -> AsyncIterator[None]:
    yield
    await asyncio.sleep(0.1)  # virtual: aborted connections close


# --- through a proxy -----------------------------------------------------------------------------


@frozen
class Rig:
    """A client, the proxy that it talks to, and the emulator behind that, which has the file."""

    emulator: Emulator
    proxy: Proxy
    duvo: AsyncDuvo

    def fetched(self) -> list[str | None]:
        """What the storage was asked for: the range of each request."""
        return [
            seen.headers.get("Range")
            for seen in self.proxy.requests("GET", "/data.bin")
            if seen.path.startswith("/storage/")
        ]

    def asked(self) -> int:
        """How many URLs were asked for."""
        return len(self.proxy.requests("GET", "/download-url/data.bin"))


@asynccontextmanager
async def through(*faults: Fault, retry: RetryPolicy | None = None) -> AsyncIterator[Rig]:
    async with (
        Emulator(clock=wall_clock) as emulator,
        proxied(emulator.url) as proxy,
        AsyncDuvo(
            emulator.api_key,
            base_url=proxy.url,
            api_version="v2",
            team_id=emulator.team_id,
            retry=retry,
        ) as duvo,
    ):
        await duvo.files.upload(DATA, name="data.bin")
        proxy.faults += faults
        yield Rig(emulator, proxy, duvo)


def at_storage(kind: Any, after: float = 0.5, **more: Any) -> Fault:  # noqa: ANN401 - a Fault's
    return Fault(kind=kind, method="GET", path="team-files/data.bin", after=after, **more)


BROKEN: dict[str, tuple[Fault, type[APIError]]] = {
    "ended at 0 %": (at_storage("end", 0), APIConnectionError),
    "ended at 50 %": (at_storage("end"), APIConnectionError),
    "ended at 99 %": (at_storage("end", 0.99), APIConnectionError),
    "reset at 0 %": (at_storage("reset", 0), APIConnectionError),
    "reset at 50 %": (at_storage("reset"), APIConnectionError),
    "hung at 0 %": (at_storage("hang", 0), APITimeoutError),
    "hung at 50 %": (at_storage("hang"), APITimeoutError),
    "late": (at_storage("late", seconds=100), APITimeoutError),
    "503": (at_storage("answer", 1, status=503), ServerError),
}
every_fault = pytest.mark.parametrize("fault", BROKEN)


@every_fault
async def test_after_a_fault_the_file_arrives_whole(fault: str, tmp_path: Path) -> None:
    async with through(BROKEN[fault][0]) as rig:
        here = await rig.duvo.files.download("data.bin", tmp_path)
        assert not rig.proxy.faults
        assert rig.asked() == 2
        assert len(rig.fetched()) == 2
        assert len({seen.query for seen in rig.proxy.requests("GET", "team-files/data.bin")}) == 2
    assert sha256(here.path.read_bytes()) == sha256(DATA)
    assert names(tmp_path) == ["data.bin"]


@pytest.mark.parametrize("share", [0.5, 0.99])
@pytest.mark.parametrize("kind", ["end", "hang"])
async def test_another_attempt_asks_for_what_is_missing(
    kind: str, share: float, tmp_path: Path
) -> None:
    seen: list[DownloadProgress] = []
    async with through(at_storage(kind, share)) as rig:
        await rig.duvo.files.download("data.bin", tmp_path, on_progress=seen.append)
        second = next(each for each in seen if each.attempt == 2)
        assert rig.fetched() == [None, f"bytes={second.received}-"]
        assert rig.emulator.requests[-1].status == 206
    assert 0 < second.received <= int(len(DATA) * share)
    assert second.total == len(DATA)
    assert [each.received for each in seen] == sorted(each.received for each in seen)


async def test_each_attempt_goes_on_from_there(tmp_path: Path) -> None:
    faults = [at_storage("end", 0.5)] * 4
    async with through(*faults) as rig:
        here = await rig.duvo.files.download("data.bin", tmp_path)
        starts = [int((each or "bytes=0-")[6:-1]) for each in rig.fetched()]
        assert len(starts) == 5
        assert starts == sorted(set(starts))
    assert sha256(here.path.read_bytes()) == sha256(DATA)


async def test_a_file_that_changes_between_attempts_comes_whole(tmp_path: Path) -> None:
    other = os.urandom(2_000_000)
    async with through(at_storage("end")) as rig:

        async def change(progress: DownloadProgress) -> None:
            if progress.attempt == 2 and len(rig.proxy.requests("PUT")) == 1:
                await rig.duvo.files.upload(other, name="data.bin")

        here = await rig.duvo.files.download("data.bin", tmp_path, on_progress=change)
        assert [each is None for each in rig.fetched()] == [True, False]
        assert rig.emulator.requests[-1].status == 200
    assert sha256(here.path.read_bytes()) == sha256(other)
    assert here.size_bytes == len(other)


async def test_a_file_that_becomes_shorter_comes_whole(tmp_path: Path) -> None:
    # A storage that does not understand If-Range says 416.
    short = answer(416, b"<Error><Code>InvalidRange</Code></Error>")
    async with (
        serve(cut_short(100, DATA), short, answer(200, b"less")) as storage,
        team(storage, retry=TWICE) as duvo,
    ):
        here = await duvo.files.download("x", tmp_path)
    assert here.path.read_bytes() == b"less"
    assert ranges(storage) == [None, "bytes=100-", None]


@every_fault
async def test_faults_without_end_are_an_error_and_leave_nothing(
    fault: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    what, kind = BROKEN[fault]
    async with through(*[what] * ENDLESS, retry=TWICE) as rig:
        with pytest.raises(kind) as caught:
            await rig.duvo.files.download("data.bin", tmp_path)
        assert len(rig.fetched()) == 2
    assert names(tmp_path) == []
    assert caught.value.method == "GET"
    assert not caught.value.path.startswith("/")
    secrets = {rig.emulator.api_key, "X-Storage"}
    for seen in rig.proxy.requests("GET", "team-files/data.bin"):
        secrets |= {seen.query, *(part.partition("=")[2] for part in seen.query.split("&"))}
    told = told_by(caught.value) + caplog.text
    assert not [secret for secret in secrets if secret in told]


async def test_without_retries_a_fault_is_an_error(tmp_path: Path) -> None:
    async with through(at_storage("end"), retry=ONCE) as rig:
        with pytest.raises(APIConnectionError, match="before the whole file had come"):
            await rig.duvo.files.download("data.bin", tmp_path)
    assert names(tmp_path) == []


async def test_asking_for_a_url_is_repeated_too(tmp_path: Path) -> None:
    asking = Fault(kind="answer", method="GET", path="/download-url/data.bin", status=503)
    async with through(asking) as rig:
        await rig.duvo.files.download("data.bin", tmp_path)
        assert (rig.asked(), rig.fetched()) == (2, [None])


async def test_a_url_that_expires_on_its_way_is_replaced(tmp_path: Path) -> None:
    late = Fault(kind="late", method="GET", path="/download-url/data.bin", seconds=20)
    async with (
        Emulator(clock=wall_clock, download_url_ttl=10) as brief,
        proxied(brief.url, late) as proxy,
        AsyncDuvo(
            brief.api_key,
            base_url=proxy.url,
            api_version="v2",
            team_id=brief.team_id,
            retry=ONCE,
        ) as duvo,
    ):
        await duvo.files.upload(DATA, name="data.bin")
        here = await duvo.files.download("data.bin", tmp_path)
        assert sha256(here.path.read_bytes()) == sha256(DATA)
    fetched = [each.status for each in brief.requests if each.path.startswith("/storage/")]
    assert fetched == [200, 403, 200]


async def test_nothing_for_a_minute_is_the_end(tmp_path: Path) -> None:
    async with through(at_storage("hang"), retry=ONCE) as rig:
        begun = asyncio.get_running_loop().time()
        with pytest.raises(APITimeoutError, match="nothing came for 60 s"):
            await rig.duvo.files.download("data.bin", tmp_path)
        assert 60 <= asyncio.get_running_loop().time() - begun < 65


# --- with a storage that does as it is told ------------------------------------------------------

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def team(
    storage: Stub,
    *,
    retry: RetryPolicy | None = None,
    session: aiohttp.ClientSession | None = None,
) -> AsyncIterator[AsyncDuvo]:
    """Make a client of an API whose files are in this storage; each URL is another one."""
    given: list[str] = []

    async def sign(_: web.Request) -> web.StreamResponse:
        given.append(f"{storage.url}/bucket/a%20b%2Bc;1?{SIGNED}&n={len(given) + 1}")
        return answer(200, {"url": given[-1], "expiresAt": "2026-07-01T12:00:00Z"})

    async with (
        serve(sign) as api,
        AsyncDuvo(
            KEY, base_url=api.url, api_version="v2", team_id="t", retry=retry, session=session
        ) as duvo,
    ):
        yield duvo


def cut_short(size: int, data: bytes, **headers: str) -> Handler:
    """Say that all of it comes, give so many bytes, and hang up."""
    named = {"ETag": '"e1"', **{name.replace("_", "-"): value for name, value in headers.items()}}

    async def give(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={**named, "Content-Length": str(len(data))})
        if not named["ETag"]:
            del response.headers["ETag"]
        await response.prepare(request)
        await response.write(data[:size])
        assert request.transport is not None
        request.transport.close()
        return response

    return give


def ranges(storage: Stub) -> list[str | None]:
    return [asked.headers.get("Range") for asked in storage.asked]


async def test_the_signed_url_is_used_as_it_is_and_gets_no_key(tmp_path: Path) -> None:
    async with serve(answer(200, b"data")) as storage, team(storage) as duvo:
        await duvo.files.download("x", tmp_path)
    (got,) = storage.asked
    assert (got.method, got.raw_path) == ("GET", f"/bucket/a%20b%2Bc;1?{SIGNED}&n=1")
    assert {"Authorization", "Cookie", "Idempotency-Key", "Range"}.isdisjoint(got.headers)
    assert got.headers["Accept-Encoding"] == "identity"


async def test_the_callers_own_session_gives_nothing_away(tmp_path: Path) -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    jar.update_cookies({"c": "own"})
    async with (
        aiohttp.ClientSession(headers={"X-Own": "own"}, cookie_jar=jar) as own,
        serve(answer(200, b"data")) as storage,
        team(storage, session=own) as duvo,
    ):
        await duvo.files.download("x", tmp_path)
    assert "own" not in storage.asked[0].headers.values()
    assert "Cookie" not in storage.asked[0].headers


async def test_a_storage_that_knows_no_parts_is_asked_for_all(tmp_path: Path) -> None:
    seen: list[DownloadProgress] = []
    async with (
        serve(cut_short(1_000_000, DATA, ETag=""), answer(200, DATA)) as storage,
        team(storage) as duvo,
    ):
        here = await duvo.files.download("x", tmp_path, on_progress=seen.append)
    assert ranges(storage) == [None, None]
    assert here.path.read_bytes() == DATA
    again = [each.received for each in seen if each.attempt == 2]
    assert again[0] > again[1]
    assert again[1:] == sorted(again[1:])


@pytest.mark.parametrize(
    "other",
    [
        answer(206, DATA[200:], content_range="bytes 200-2999999/3000000", etag='"e1"'),
        answer(206, DATA[100:], content_range="bytes 100-2999999/3000000", etag='"e2"'),
        answer(206, DATA[100:], etag='"e1"'),
        answer(204),
    ],
)
async def test_another_part_than_was_asked_for_is_not_taken(
    other: web.Response, tmp_path: Path
) -> None:
    async with (
        serve(cut_short(100, DATA), other, answer(200, DATA)) as storage,
        team(storage) as duvo,
    ):
        here = await duvo.files.download("x", tmp_path)
    assert ranges(storage) == [None, "bytes=100-", None]
    assert here.path.read_bytes() == DATA


async def test_a_part_that_ends_early_is_not_the_rest(tmp_path: Path) -> None:
    early = answer(206, DATA[100:200], content_range="bytes 100-2999999/3000000", etag='"e1"')
    rest = answer(206, DATA[200:], content_range="bytes 200-2999999/3000000", etag='"e1"')
    async with serve(cut_short(100, DATA), early, rest) as storage, team(storage) as duvo:
        here = await duvo.files.download("x", tmp_path)
    assert ranges(storage) == [None, "bytes=100-", "bytes=200-"]
    assert here.path.read_bytes() == DATA


async def test_a_part_instead_of_the_whole_is_an_error(tmp_path: Path) -> None:
    part = answer(206, b"part", content_range="bytes 0-3/9")
    async with serve(part) as storage, team(storage, retry=ONCE) as duvo:
        with pytest.raises(APIConnectionError, match="another part of the file"):
            await duvo.files.download("x", tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "trouble",
    [answer(503, b"nothing of a file"), answer(403, b"no"), answer(500), answer(429)],
)
async def test_nothing_of_an_error_gets_into_the_file(trouble: Answer, tmp_path: Path) -> None:
    async with serve(trouble, answer(200, b"data")) as storage, team(storage) as duvo:
        here = await duvo.files.download("x", tmp_path)
    assert here.path.read_bytes() == b"data"
    assert [asked.raw_path[-3:] for asked in storage.asked] == ["n=1", "n=2"]


async def test_a_storage_that_hangs_up_is_asked_again(tmp_path: Path) -> None:
    # Twice, as aiohttp repeats a GET by itself once.
    async with serve(hang_up, hang_up, answer(200, b"data")) as storage, team(storage) as duvo:
        here = await duvo.files.download("x", tmp_path)
    assert here.path.read_bytes() == b"data"
    assert storage.asked[-1].raw_path.endswith("n=2")


@pytest.mark.parametrize(
    "refusal", [answer(403), answer(400, b"<Error><Code>ExpiredToken</Code></Error>")]
)
async def test_a_storage_that_keeps_refusing_is_an_error(
    refusal: web.Response, tmp_path: Path
) -> None:
    async with serve(refusal) as storage, team(storage) as duvo:
        with pytest.raises(APIStatusError) as caught:
            await duvo.files.download("x", tmp_path)
    assert caught.value.status == refusal.status
    assert len(storage.asked) == 2
    assert names(tmp_path) == []


async def test_a_refusal_of_the_apis_is_not_asked_again(tmp_path: Path) -> None:
    async with (
        serve(answer(403, {"error": "insufficient_scope"})) as api,
        AsyncDuvo(KEY, base_url=api.url, api_version="v2", team_id="t") as duvo,
    ):
        with pytest.raises(PermissionDeniedError):
            await duvo.files.download("x", tmp_path)
    assert len(api.asked) == 1


async def test_what_the_storage_has_not_is_not_found(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def repeat(request: web.Request) -> web.StreamResponse:
        said = f"<Error><Code>NoSuchKey</Code><Message>{request.raw_path}</Message></Error>"
        return answer(404, said.encode())

    async with serve(repeat) as storage, team(storage) as duvo:
        with pytest.raises(NotFoundError, match="NoSuchKey") as caught:
            await duvo.files.download("x", tmp_path)
    assert len(storage.asked) == 1
    assert names(tmp_path) == []
    told = told_by(caught.value) + caplog.text
    assert not [part for part in ("X-Signature", "abc%2Fdef", KEY) if part in told]


async def test_a_storage_that_redirects_is_not_followed(tmp_path: Path) -> None:
    async with (
        serve(answer(200, b"elsewhere")) as elsewhere,
        serve(answer(307, b"moved", location=elsewhere.url)) as storage,
        team(storage) as duvo,
    ):
        with pytest.raises(APIStatusError):
            await duvo.files.download("x", tmp_path)
    assert not elsewhere.asked
    assert names(tmp_path) == []


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://host/x?X-Signature=s", "http://[::1"])
async def test_a_signed_url_that_makes_no_sense_is_an_error(url: str, tmp_path: Path) -> None:
    async with (
        serve(answer(200, {"url": url})) as api,
        AsyncDuvo(KEY, base_url=api.url, api_version="v2", team_id="t") as duvo,
    ):
        with pytest.raises(ResponseDecodeError, match="url") as caught:
            await duvo.files.download("x", tmp_path)
    assert "X-Signature" not in told_by(caught.value)
    assert names(tmp_path) == []


async def test_what_a_storage_encodes_is_decoded_and_never_joined(tmp_path: Path) -> None:
    packed = gzip.compress(DATA)
    whole = answer(200, packed, content_encoding="gzip", etag='"e1"')
    async with (
        serve(cut_short(1_000_000, packed, Content_Encoding="gzip"), whole) as storage,
        team(storage) as duvo,
    ):
        here = await duvo.files.download("x", tmp_path)
    assert ranges(storage) == [None, None]
    assert here.path.read_bytes() == DATA


async def test_a_file_of_unknown_length_comes_whole(tmp_path: Path) -> None:
    seen: list[DownloadProgress] = []

    async def chunked(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for start in range(0, len(DATA), 500_000):
            await response.write(DATA[start : start + 500_000])
        await response.write_eof()
        return response

    async def unfinished(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(DATA[:500_000])
        assert request.transport is not None
        request.transport.close()
        return response

    async with serve(unfinished, chunked) as storage, team(storage) as duvo:
        here = await duvo.files.download("x", tmp_path, on_progress=seen.append)
    assert here.path.read_bytes() == DATA
    assert len(storage.asked) == 2
    assert {each.total for each in seen[:-1]} == {None}
    assert seen[-1].total == len(DATA)


async def test_a_slow_file_is_waited_for(tmp_path: Path) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "10"})
        await response.prepare(request)
        for number in range(10):
            await asyncio.sleep(50)
            await response.write(b"%d" % number)
        return response

    async with serve(drip) as storage, team(storage, retry=ONCE) as duvo:
        here = await duvo.files.download("x", tmp_path)
        assert asyncio.get_running_loop().time() >= 500
    assert here.path.read_bytes() == b"0123456789"


async def test_a_slow_handler_is_no_stall(tmp_path: Path) -> None:
    async def think(_: DownloadProgress) -> None:
        await asyncio.sleep(100)

    async with serve(answer(200, DATA)) as storage, team(storage, retry=ONCE) as duvo:
        here = await duvo.files.download("x", tmp_path, on_progress=think)
    assert here.path.read_bytes() == DATA


async def test_what_a_handler_raises_knows_no_secret(tmp_path: Path) -> None:
    def fail(progress: DownloadProgress) -> None:
        if progress.received:
            raise LookupError("no more")

    async with serve(answer(200, DATA)) as storage, team(storage) as duvo:
        with pytest.raises(LookupError, match="no more") as caught:
            await duvo.files.download("x", tmp_path, on_progress=fail)
    told = told_by(caught.value)
    assert not [part for part in ("X-Signature", "abc%2Fdef", KEY) if part in told]
    assert names(tmp_path) == []


async def test_a_cancelled_download_leaves_nothing(tmp_path: Path) -> None:
    begun = asyncio.Event()
    left = asyncio.Event()

    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(DATA))})
        await response.prepare(request)
        await response.write(DATA[:2_000_000])
        begun.set()
        with suppress(ConnectionError, asyncio.CancelledError):
            while True:
                await asyncio.sleep(1)
                if request.transport is None or request.transport.is_closing():
                    break
        left.set()
        return response

    async with serve(half) as storage, team(storage) as duvo:
        task = asyncio.create_task(duvo.files.download("x", tmp_path))
        await begun.wait()
        assert names(tmp_path)[0].startswith(".duvo-")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert names(tmp_path) == []
        await left.wait()


async def test_the_final_name_appears_with_the_whole_file(tmp_path: Path) -> None:
    found: list[list[str]] = []

    def look(progress: DownloadProgress) -> None:
        found.append([name for name in names(tmp_path) if not name.startswith(".duvo-")])
        if progress.finished:
            assert (tmp_path / "x").read_bytes() == DATA

    async with serve(answer(200, DATA)) as storage, team(storage) as duvo:
        await duvo.files.download("x", tmp_path, on_progress=look)
    assert len(found) > 3
    assert found == [*([[]] * (len(found) - 1)), ["x"]]


async def test_the_disk_is_touched_in_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[int] = set()
    original = Path.open

    def opening(path: Path, *args: Any, **named: Any) -> Any:  # noqa: ANN401 - as it gives
        threads.add(threading.get_ident())
        file = original(path, *args, **named)
        if path.name.startswith(".duvo-"):
            write = file.write

            class Watched:
                def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the file's
                    threads.add(threading.get_ident())
                    return getattr(file, name) if name != "write" else write

            return Watched()
        return file

    monkeypatch.setattr(Path, "open", opening)
    async with serve(answer(200, DATA)) as storage, team(storage) as duvo:
        here = await duvo.files.download("x", tmp_path)
    monkeypatch.undo()
    assert here.path.read_bytes() == DATA
    assert threads
    assert threading.get_ident() not in threads
