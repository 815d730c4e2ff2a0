"""Files on their way into a sandbox."""

import asyncio
import gzip
import hashlib
import io
import logging
import os
import resource
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import IO, cast

import pytest
from aiohttp import web

from duvo_async import (
    APIStatusError,
    APITimeoutError,
    AsyncDuvo,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    ResponseDecodeError,
    RetryPolicy,
    UploadSourceError,
    _operations,
)
from duvo_async._bodies import ByteStream, multipart
from duvo_async._inputs import UploadSource
from duvo_async._routes import Routes
from duvo_async._sources import open_source
from duvo_async.emulator import Emulator
from duvo_async.uploading import DIRECT_LIMIT
from tests.support.stub import Stub, answer, hang_up, serve
from tests.support.virtual_time import wall_clock

pytestmark = pytest.mark.anyio

LARGE = os.urandom(1024) * 10_500  # more than the API takes at once
SMALL = b"id,total\n7,12.50\n"


async def sha256_of(emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str) -> dict[str, str]:
    """Let the built-in agent read the sandbox and report."""
    run = await duvo.runs.start(emulator.demo_agent_id, sandbox_id=sandbox_id)
    said = [message.text_content or "" async for message in duvo.runs.messages(run.id)]
    reports = [text for text in said if "SHA-256" in text]
    return {text.partition(":")[0]: text.rpartition(" ")[2] for text in reports}


@pytest.fixture
async def sandbox_id(duvo: AsyncDuvo) -> str:
    return (await duvo.sandboxes.create()).sandbox_id


class _Pipe(io.RawIOBase):
    """A file that cannot seek."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        return self._data.read(size)


class _OnlyRead:
    """The least that is a file."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1, /) -> bytes:
        return self._data.read(size)


class _Failing(io.BytesIO):
    def tell(self) -> int:
        raise LookupError("nobody reads me")


def _path(data: bytes, folder: Path) -> UploadSource:
    (folder / "on disk.csv").write_bytes(data)
    return folder / "on disk.csv"


def _temporary(data: bytes, folder: Path) -> UploadSource:
    file: IO[bytes] = tempfile.NamedTemporaryFile(dir=folder)  # noqa: SIM115 - the test's end
    file.write(data)
    file.seek(0)
    return file


SOURCES: dict[str, Callable[[bytes, Path], UploadSource]] = {
    "path": _path,
    "text path": lambda data, folder: os.fspath(_path(data, folder)),  # type: ignore[arg-type] # a path
    "bytes": lambda data, _: data,
    "bytearray": lambda data, _: bytearray(data),
    "memoryview": lambda data, _: memoryview(data),
    "file in memory": lambda data, _: io.BytesIO(data),
    "temporary file": _temporary,
    "pipe": lambda data, _: _Pipe(data),
    "reader": lambda data, _: _OnlyRead(data),
}


@pytest.mark.parametrize("data", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
@pytest.mark.parametrize("source", SOURCES)
async def test_every_source_arrives_whole(  # noqa: PLR0913, PLR0917 - fixtures
    source: str,
    data: bytes,
    emulator: Emulator,
    duvo: AsyncDuvo,
    sandbox_id: str,
    tmp_path: Path,
) -> None:
    made = SOURCES[source](data, tmp_path)
    uploaded = await duvo.sandboxes.upload(sandbox_id, made, path="in/data.csv")
    assert (uploaded.path, uploaded.size_bytes) == ("/workspace/in/data.csv", len(data))
    seen = await sha256_of(emulator, duvo, sandbox_id)
    assert [*seen.values()] == [hashlib.sha256(data).hexdigest()]
    if source in {"file in memory", "temporary file", "pipe"}:
        lent = cast("IO[bytes]", made)
        assert not lent.closed
        lent.close()


async def test_up_to_the_limit_a_file_goes_directly(
    emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str
) -> None:
    await duvo.sandboxes.upload(sandbox_id, bytes(DIRECT_LIMIT), path="direct")
    await duvo.sandboxes.upload(sandbox_id, bytes(DIRECT_LIMIT + 1), path="presigned")
    methods = [(request.method, request.path.split("/")[-1]) for request in emulator.requests[1:]]
    assert methods == [("POST", "files"), ("POST", "upload-urls"), ("PUT", "presigned")]


async def test_an_open_file_is_read_from_where_it_stands(
    emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str
) -> None:
    file = io.BytesIO(b"header\nbody\n")
    file.readline()
    uploaded = await duvo.sandboxes.upload(sandbox_id, file, path="body.txt")
    assert uploaded.size_bytes == 5
    seen = await sha256_of(emulator, duvo, sandbox_id)
    assert seen["body.txt"] == hashlib.sha256(b"body\n").hexdigest()


async def test_the_name_of_a_file_is_where_it_goes(
    duvo: AsyncDuvo, sandbox_id: str, tmp_path: Path
) -> None:
    named = tmp_path / "päper & ink.csv"
    named.write_bytes(SMALL)
    uploaded = await duvo.sandboxes.upload(sandbox_id, named)
    assert uploaded.path == "/workspace/päper & ink.csv"
    files = [file async for file in duvo.sandboxes.files(sandbox_id)]
    assert [(file.name, file.type, file.size_bytes) for file in files] == [
        ("päper & ink.csv", "file", len(SMALL))
    ]


@pytest.mark.parametrize(
    ("path", "target"),
    [("a.csv", "/workspace/a.csv"), ("in/a.csv", "/workspace/in/a.csv"), ("/data/a", "/data/a")],
)
async def test_paths_are_relative_to_the_workspace(path: str, target: str) -> None:
    async with serve(answer(201, {"path": target, "size_bytes": 1})) as stub, client(stub) as duvo:
        await duvo.sandboxes.upload("sbx", b"x", path=path)
    assert f'name="path"\r\n\r\n{target}\r\n' in stub.asked[0].body.decode()


@pytest.mark.parametrize(
    ("source", "path"),
    [
        (b"x", None),
        (b"x", ""),
        (b"x", "a/"),
        (b"x", "../a"),
        (b"x", "/workspace/../../etc/a"),
        (b"x", "two\nlines"),
        (b"x", "caf\udce9.csv"),
    ],
)
async def test_a_path_must_name_a_file(
    source: bytes, path: str | None, emulator: Emulator, duvo: AsyncDuvo
) -> None:
    with pytest.raises(ValueError, match="path"):
        await duvo.sandboxes.upload("sbx", source, path=path)
    assert not emulator.requests


async def test_a_path_is_a_string(emulator: Emulator, duvo: AsyncDuvo) -> None:
    with pytest.raises(TypeError, match="path must be a string"):
        await duvo.sandboxes.upload("sbx", b"x", path=Path("a"))  # type: ignore[arg-type] # the mistake
    assert not emulator.requests


async def test_what_cannot_be_read_fails_before_anything_is_sent(
    emulator: Emulator, duvo: AsyncDuvo, tmp_path: Path
) -> None:
    closed = io.BytesIO(b"x")
    closed.close()
    cases: list[tuple[UploadSource, str]] = [
        (tmp_path / "nowhere.csv", "nowhere.csv: No such file"),
        (tmp_path, "is a directory"),
        (closed, "closed file"),
        ("x" * 5000, "too long"),
        (_Failing(), "nobody reads me"),
        (gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(SMALL * 99)[:-20])), "end-of-stream"),
    ]
    for source, text in cases:
        with pytest.raises(UploadSourceError, match=text):
            await duvo.sandboxes.upload("sbx", source, path="x")
        if source != tmp_path:  # of a folder, the files are taken
            with pytest.raises(UploadSourceError, match=text):
                await duvo.runs.execute(emulator.demo_agent_id, files={"x": source})
    assert not emulator.requests


@pytest.mark.parametrize("source", [7, None, io.StringIO("text"), ["a"]])
async def test_what_is_no_file_is_refused(source: UploadSource, duvo: AsyncDuvo) -> None:
    with pytest.raises((TypeError, UploadSourceError)):
        await duvo.sandboxes.upload("sbx", source, path="x")


async def test_a_text_file_is_refused(duvo: AsyncDuvo, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x")
    with (
        (tmp_path / "a.txt").open("r", encoding="utf-8") as file,
        pytest.raises(TypeError, match="'rb'"),
    ):
        await duvo.sandboxes.upload("sbx", file)  # type: ignore[arg-type] # the mistake


async def test_a_single_file_is_no_list(duvo: AsyncDuvo) -> None:
    with pytest.raises(TypeError, match="files must be"):
        await duvo.runs.execute("agent", files="orders.csv")


async def test_two_files_to_one_path_are_refused(
    emulator: Emulator, duvo: AsyncDuvo, tmp_path: Path
) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.csv").write_bytes(b"")
    with pytest.raises(ValueError, match=r"two files would go to /workspace/x.csv"):
        await duvo.runs.execute("agent", files=[tmp_path / "a/x.csv", tmp_path / "b/x.csv"])
    assert not emulator.requests


async def test_files_are_opened_when_their_turn_comes(
    emulator: Emulator, duvo: AsyncDuvo, tmp_path: Path
) -> None:
    files = [tmp_path / f"{number}.csv" for number in range(200)]
    for file in files:
        file.write_bytes(SMALL)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, before[1]))
    try:
        await duvo.runs.execute(emulator.add_agent([]), files=files)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert sum(request.path.endswith("/files") for request in emulator.requests) == 200


async def test_a_mapping_says_where_files_go(emulator: Emulator, duvo: AsyncDuvo) -> None:
    run = await duvo.runs.execute(
        emulator.demo_agent_id,
        files={"a/x.csv": b"1", "b/x.csv": b"2"},
        on_human_request=lambda pending: pending.request.approve(),
    )
    assert run.sandbox_id is not None
    names = [file.path async for file in duvo.sandboxes.files(run.sandbox_id)]
    assert names == ["/workspace/a", "/workspace/b"]


async def test_the_same_idempotency_key_starts_one_run_with_its_files(
    emulator: Emulator, duvo: AsyncDuvo
) -> None:
    agent = emulator.add_agent([])
    runs = [
        await duvo.runs.execute(agent, files={"x": b"1"}, idempotency_key="order-7")
        for _ in range(2)
    ]
    assert runs[0].id == runs[1].id
    assert runs[0].sandbox_id is not None


async def test_files_can_go_to_a_sandbox_of_the_callers(
    emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str
) -> None:
    run = await duvo.runs.execute(emulator.add_agent([]), files={"x": b"1"}, sandbox_id=sandbox_id)
    assert run.sandbox_id == sandbox_id
    assert [file.name async for file in duvo.sandboxes.files(sandbox_id)] == ["x"]


async def test_an_expired_sandbox_is_not_found(duvo: AsyncDuvo, sandbox_id: str) -> None:
    await asyncio.sleep(4000)
    with pytest.raises(NotFoundError):
        await duvo.sandboxes.upload(sandbox_id, b"x", path="x")


async def test_what_the_api_finds_too_large_goes_to_a_presigned_url() -> None:
    async with (
        Emulator(clock=wall_clock, max_direct_bytes=5_000_000) as strict,
        AsyncDuvo(strict.api_key, base_url=strict.url) as duvo,
    ):
        sandbox = await duvo.sandboxes.create()
        await duvo.sandboxes.upload(sandbox.sandbox_id, bytes(6_000_000), path="x")
        asked = [(request.method, request.status) for request in strict.requests[1:]]
        assert asked == [("POST", 413), ("POST", 200), ("PUT", 200)]
        (file,) = [file async for file in duvo.sandboxes.files(sandbox.sandbox_id)]
        assert file.size_bytes == 6_000_000


async def test_eleven_megabytes_sent_directly_are_refused(duvo: AsyncDuvo, sandbox_id: str) -> None:
    source = await open_source(bytes(11_000_000))
    file = ByteStream(
        size=source.size, content_type="text/plain", blocks=lambda: source.blocks(65_536)
    )
    form = multipart(file, path="/workspace/x", boundary="b")
    call = _operations.upload_file(Routes("v1"), sandbox_id, form)
    with pytest.raises(PayloadTooLargeError, match="413"):
        await duvo._session.call(call)  # noqa: SLF001 - upload() itself would choose the other way


async def test_a_direct_upload_is_repeated_whole_under_one_key() -> None:
    arrived = answer(201, {"path": "/workspace/x", "size_bytes": len(SMALL)})
    async with serve(answer(503), arrived) as stub, client(stub) as duvo:
        await duvo.sandboxes.upload("sbx", SMALL, path="x")
    assert all(SMALL in asked.body for asked in stub.asked)
    assert len({asked.headers["Idempotency-Key"] for asked in stub.asked}) == 1


# --- presigned -----------------------------------------------------------------------------------

SIGNED = "X-Signature=abc%2Fdef%20+~&X-Expires=60"


def client(stub: Stub, **settings: RetryPolicy) -> AsyncDuvo:
    return AsyncDuvo("dv_key", base_url=stub.url, **settings)  # type: ignore[arg-type] # a retry


def signed(storage: Stub, number: int = 1) -> web.Response:
    url = f"{storage.url}/bucket/a%20b%2Bc;{number}?{SIGNED}&n={number}"
    return answer(200, {"upload_url": url, "path": "/workspace/x", "expires_in_seconds": 60})


async def test_the_signed_url_is_used_as_it_is_and_gets_no_key() -> None:
    async with serve(answer(200)) as storage, serve(signed(storage)) as stub, client(stub) as duvo:
        await duvo.sandboxes.upload("sbx", LARGE, path="orders.csv")
    (put,) = storage.asked
    assert put.method == "PUT"
    assert put.raw_path == f"/bucket/a%20b%2Bc;1?{SIGNED}&n=1"
    assert put.body == LARGE
    assert put.headers["Content-Length"] == str(len(LARGE))
    assert put.headers["Content-Type"] == "text/csv"
    assert {"Authorization", "Cookie", "Idempotency-Key", "Transfer-Encoding"}.isdisjoint(
        put.headers
    )


@pytest.mark.parametrize("trouble", [answer(503), answer(403), answer(500), hang_up])
async def test_every_attempt_has_a_new_url_and_starts_again(trouble: web.Response) -> None:
    async with (
        serve(trouble, answer(200)) as storage,
        serve(signed(storage, 1), signed(storage, 2)) as stub,
        client(stub) as duvo,
    ):
        await duvo.sandboxes.upload("sbx", io.BytesIO(LARGE), path="x")
    assert [asked.raw_path[-3:] for asked in storage.asked] == ["n=1", "n=2"]
    assert storage.asked[1].body == LARGE
    assert len({asked.headers["Idempotency-Key"] for asked in stub.asked}) == 2


async def test_a_storage_that_keeps_refusing_is_an_error() -> None:
    async with serve(answer(403)) as storage, serve(signed(storage)) as stub, client(stub) as duvo:
        with pytest.raises(PermissionDeniedError) as caught:
            await duvo.sandboxes.upload("sbx", LARGE, path="x")
    assert caught.value.method == "PUT"
    assert len(storage.asked) == 2


async def test_a_storage_that_redirects_is_not_followed() -> None:
    async with (
        serve(answer(200)) as elsewhere,
        serve(answer(307, location=elsewhere.url)) as storage,
        serve(signed(storage)) as stub,
        client(stub) as duvo,
    ):
        with pytest.raises(APIStatusError):
            await duvo.sandboxes.upload("sbx", LARGE, path="x")
    assert not elsewhere.asked


async def test_a_storage_that_repeats_the_url_shows_nothing_of_it() -> None:
    async def repeat(request: web.Request) -> web.StreamResponse:
        await request.read()
        return answer(404, {"error": "no", "message": f"cannot store {request.raw_path}"})

    async with serve(repeat) as storage, serve(signed(storage)) as stub, client(stub) as duvo:
        with pytest.raises(NotFoundError) as caught:
            await duvo.sandboxes.upload("sbx", LARGE, path="x")
    assert "X-Signature" not in f"{caught.value} {vars(caught.value)}"


async def test_nothing_shows_the_signature(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with (
        serve(hang_up, answer(404)) as storage,
        serve(signed(storage)) as stub,
        client(stub) as duvo,
    ):
        url = await duvo.sandboxes.create_upload_url("sbx", "x")
        with pytest.raises(NotFoundError) as caught:
            await duvo.sandboxes.upload("sbx", LARGE, path="x")
    for text in (caplog.text, str(caught.value), repr(vars(caught.value)), repr(url)):
        assert "X-Signature" not in text
        assert "abc%2Fdef" not in text
    assert "/bucket/" in str(caught.value)


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://host/x?X-Signature=s", "http://[::1"])
async def test_a_signed_url_that_makes_no_sense_is_an_error(url: str) -> None:
    told = answer(200, {"upload_url": url, "path": "/x", "expires_in_seconds": 60})
    async with serve(told) as stub, client(stub) as duvo:
        with pytest.raises(ResponseDecodeError, match="upload_url") as caught:
            await duvo.sandboxes.upload("sbx", LARGE, path="x")
    assert "X-Signature" not in str(caught.value)


async def test_a_storage_that_stalls_is_given_up() -> None:
    async def stall(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(3600)
        return web.Response()

    none = RetryPolicy(retries=0)
    async with (
        serve(stall) as storage,
        serve(signed(storage)) as stub,
        client(stub, retry=none) as duvo,
    ):
        with pytest.raises(APITimeoutError):
            await duvo.sandboxes.upload("sbx", LARGE, path="x")
        assert asyncio.get_running_loop().time() >= 60


@pytest.mark.parametrize("size", [len(LARGE) - 1, len(LARGE) + 1, 0])
async def test_a_file_that_changes_while_it_is_read_is_an_error(size: int, tmp_path: Path) -> None:
    path = tmp_path / "growing.log"
    path.write_bytes(LARGE)

    def change_and_sign() -> web.Response:
        path.write_bytes(bytes(size))
        return signed(storage)

    async def sign(_: web.Request) -> web.StreamResponse:
        return change_and_sign()

    async with serve(answer(200)) as storage, serve(sign) as stub, client(stub) as duvo:
        with pytest.raises(UploadSourceError, match=r"growing\.log changed"):
            await duvo.sandboxes.upload("sbx", path)
    assert len(stub.asked) == 1


async def test_a_file_is_read_off_the_event_loop(emulator: Emulator, duvo: AsyncDuvo) -> None:
    readers: set[int] = set()

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            readers.add(threading.get_ident())
            return super().read(size)

    sandbox = await duvo.sandboxes.create()
    await duvo.sandboxes.upload(sandbox.sandbox_id, Watched(LARGE), path="x")
    assert readers
    assert threading.get_ident() not in readers
    assert emulator.requests[-1].status == 200


@pytest.fixture(autouse=True)
async def _settled() -> AsyncIterator[None]:
    yield
    await asyncio.sleep(0.1)  # virtual: aborted connections close
