"""Large files on their way to a real object store, by URLs whose signatures it verifies."""

from __future__ import annotations

import asyncio
import hashlib
import io
import logging
import os
import pickle
import re
import traceback
from asyncio import IncompleteReadError
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from functools import cache, partial
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest
from attrs import define, field

from duvo_async import AsyncDuvo, Duvo, PermissionDeniedError, UploadSourceError
from tests.store.conftest import LIFETIME, SECRET_KEY, require_extra
from tests.support.stub import Answer, answer, serve

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path
    from typing import TypeAlias

    from aiohttp import web

    from duvo_async import RetryPolicy
    from duvo_async._inputs import UploadSource
    from tests.store.conftest import ObjectStore

    Mint: TypeAlias = Callable[[str], str]

pytestmark = pytest.mark.anyio
require_extra()

SIZE = 10_000_001
"""The fewest bytes that go by a presigned URL."""


@cache
def content(size: int = SIZE, number: int = 0) -> bytes:  # noqa: ARG001 - another number, others
    """Make bytes in which no block is like another."""
    return os.urandom(size)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@define
class Api:
    """What gives URLs away.

    Attributes:
        url: Where it is.
        given: The presigned URLs, in the order in which they were asked for.
    """

    url: str = ""
    given: list[str] = field(factory=list[str])


@asynccontextmanager
async def giving(*mints: Mint) -> AsyncIterator[Api]:
    """Serve the API. Each way to make a URL is used once, but for the last."""
    api = Api()

    def use(mint: Mint) -> Answer:
        async def give(request: web.Request) -> web.StreamResponse:
            sandbox_id, operation = request.path.split("/")[-2:]
            assert operation == "upload-urls"
            path = (await request.json())["path"]
            api.given.append(mint(sandbox_id + path))
            told = {"upload_url": api.given[-1], "path": path, "expires_in_seconds": LIFETIME}
            return answer(200, told)

        return give

    async with serve(*map(use, mints)) as stub:
        api.url = stub.url
        yield api


@define
class Relay:
    """Leads to the store.

    Attributes:
        port: Where it is.
        takes: How many bytes of the first connection it passes on, before it breaks. None for all.
        gives: How many it passes back. None for all.
        targets: What the first request of each connection asked for.
    """

    port: int = 0
    takes: int | None = None
    gives: int | None = None
    targets: list[str] = field(factory=list[str])

    async def lead(self, to: int, reader: StreamReader, writer: StreamWriter) -> None:
        with closing(writer), suppress(IncompleteReadError, ConnectionError):
            head = await reader.readuntil(b"\r\n")  # some connections carry nothing
            self.targets.append(head.decode().split()[1])
            (takes, gives), self.takes, self.gives = (self.takes, self.gives), None, None
            from_store, to_store = await asyncio.open_connection("127.0.0.1", to)
            with closing(to_store):
                to_store.write(head)
                back = asyncio.ensure_future(pass_on(from_store, writer, gives, writer))
                await pass_on(reader, to_store, takes, writer)
                to_store.write_eof()
                await back  # until the store has done with it


async def pass_on(
    reader: StreamReader, writer: StreamWriter, limit: int | None, breakable: StreamWriter
) -> None:
    """Pass bytes on to the end, or break the client's connection at a limit."""
    with suppress(ConnectionError):
        while block := await reader.read(2**16):
            if limit is not None and (limit := limit - len(block)) < 0:
                breakable.transport.abort()
                return
            writer.write(block)
            await writer.drain()


@asynccontextmanager
async def relayed(
    store: ObjectStore, *, takes: int | None = None, gives: int | None = None
) -> AsyncIterator[Relay]:
    """Run a relay. When this is left, the store has done with all that it was sent."""
    relay = Relay(takes=takes, gives=gives)
    led: list[asyncio.Task[None]] = []

    def lead(reader: StreamReader, writer: StreamWriter) -> None:
        led.append(asyncio.ensure_future(relay.lead(store.port, reader, writer)))

    async with await asyncio.start_server(lead, "127.0.0.1", 0) as server:
        relay.port = server.sockets[0].getsockname()[1]
        yield relay
        await asyncio.gather(*led)


def expired(store: ObjectStore) -> Mint:
    return partial(store.presign, age=LIFETIME + 1)


def client(api: Api, retry: RetryPolicy | None = None) -> AsyncDuvo:
    return AsyncDuvo("dv_key", base_url=api.url, retry=retry)


# --- what arrives --------------------------------------------------------------------------------


def blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(999_999):
            yield block


async def async_blocks(path: Path) -> AsyncIterator[bytes]:
    for block in blocks(path):
        yield block


SOURCES: dict[str, Callable[[Path, ExitStack], UploadSource]] = {
    "path": lambda path, _: path,
    "open file": lambda path, stack: stack.enter_context(path.open("rb")),
    "bytes": lambda path, _: path.read_bytes(),
    "memoryview": lambda path, _: memoryview(path.read_bytes()),
    "blocks": lambda path, _: blocks(path),
    "async blocks": lambda path, _: async_blocks(path),
}


@pytest.mark.parametrize("kind", SOURCES)
async def test_a_large_file_arrives_whole(
    kind: str, store: ObjectStore, sandbox_id: str, tmp_path: Path
) -> None:
    (tmp_path / "orders.csv").write_bytes(content())
    with ExitStack() as stack:
        source = SOURCES[kind](tmp_path / "orders.csv", stack)
        async with giving(store.presign) as api, client(api) as duvo:
            uploaded = await duvo.sandboxes.upload(sandbox_id, source, path="in/orders.csv")
    assert (uploaded.path, uploaded.size_bytes) == ("/workspace/in/orders.csv", SIZE)
    assert store.keys(sandbox_id) == [f"{sandbox_id}/workspace/in/orders.csv"]
    assert store.sha256(f"{sandbox_id}/workspace/in/orders.csv") == digest(content())
    assert len(api.given) == 1


async def test_an_open_file_is_sent_from_where_it_stands(
    store: ObjectStore, sandbox_id: str, tmp_path: Path
) -> None:
    (tmp_path / "orders.csv").write_bytes(b"header\n" + content())
    with (tmp_path / "orders.csv").open("rb") as file:
        file.readline()
        async with giving(expired(store), store.presign) as api, client(api) as duvo:
            await duvo.sandboxes.upload(sandbox_id, file)
    assert store.sha256(f"{sandbox_id}/workspace/orders.csv") == digest(content())
    assert len(api.given) == 2


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("orders.csv", "text/csv"),
        ("orders.tsv", "text/tab-separated-values"),
        ("orders.zip", "application/zip"),
        ("orders.unheard-of", "application/octet-stream"),
        ("orders", "application/octet-stream"),
    ],
)
async def test_the_content_type_arrives(
    name: str, content_type: str, store: ObjectStore, sandbox_id: str
) -> None:
    async with giving(store.presign) as api, client(api) as duvo:
        await duvo.sandboxes.upload(sandbox_id, content(), path=name)
    assert store.content_type(f"{sandbox_id}/workspace/{name}") == content_type


NAMES = [
    "two words.csv",
    " a ",
    "a+b",
    "100%",
    "%41",
    "a%2Fb",
    "a#b",
    "a?b=c&d",
    "~a",
    "caf\u00e9",  # composed
    "cafe\u0301",  # decomposed
    "\N{FOX FACE}.csv",
    "\u6ce8\u6587.csv",
    "-rf",
    ".hidden",
    "...",
    "a;b,c:d@e!f$g*h",
    "\"a'b`[c](d){e}<f>|^",
    "n" * 255,
    "\u00e9" * 127,
    "/".join(["deep"] * 100),
]


@pytest.mark.parametrize("name", NAMES, ids=[ascii(name)[:24] for name in NAMES])
async def test_a_name_arrives_as_it_is(name: str, store: ObjectStore, sandbox_id: str) -> None:
    async with (
        relayed(store) as relay,
        giving(partial(store.presign, port=relay.port)) as api,
        client(api) as duvo,
    ):
        uploaded = await duvo.sandboxes.upload(sandbox_id, content(), path=name)
    assert uploaded.path == f"/workspace/{name}"
    assert store.keys(sandbox_id) == [f"{sandbox_id}/workspace/{name}"]
    assert store.sha256(f"{sandbox_id}/workspace/{name}") == digest(content())
    # Stores read more than one spelling of a URL. Others may not.
    assert [f"http://127.0.0.1:{relay.port}{target}" for target in relay.targets] == api.given


async def test_names_that_look_alike_stay_apart(store: ObjectStore, sandbox_id: str) -> None:
    names = ["caf\u00e9", "cafe\u0301", "caf%C3%A9", "a b", "a+b", "a%20b", "A b"]
    async with giving(store.presign) as api, client(api) as duvo:
        for number, name in enumerate(names):
            await duvo.sandboxes.upload(sandbox_id, content(number=number), path=name)
    stored = {name: store.sha256(f"{sandbox_id}/workspace/{name}") for name in names}
    assert stored == {name: digest(content(number=n)) for n, name in enumerate(names)}
    assert len(store.keys(sandbox_id)) == len(names)


async def test_several_files_at_once_arrive_each_in_its_place(
    store: ObjectStore, sandbox_id: str
) -> None:
    async with giving(store.presign) as api, client(api) as duvo, asyncio.TaskGroup() as group:
        for number in range(4):
            upload = duvo.sandboxes.upload(sandbox_id, content(number=number), path=str(number))
            group.create_task(upload)
    stored = [store.sha256(f"{sandbox_id}/workspace/{number}") for number in range(4)]
    assert stored == [digest(content(number=number)) for number in range(4)]


async def test_the_blocking_client_uploads_as_well(
    store: ObjectStore, sandbox_id: str, tmp_path: Path
) -> None:
    (tmp_path / "two words+.csv").write_bytes(content())

    def upload(url: str) -> str:
        with Duvo("dv_key", base_url=url) as duvo:
            return duvo.sandboxes.upload(sandbox_id, tmp_path / "two words+.csv").path

    async with giving(expired(store), store.presign) as api:
        assert await asyncio.to_thread(upload, api.url) == "/workspace/two words+.csv"
    assert store.sha256(f"{sandbox_id}/workspace/two words+.csv") == digest(content())
    assert len(api.given) == 2


# --- what the store refuses ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", SOURCES)
async def test_an_expired_url_is_replaced(
    kind: str, store: ObjectStore, sandbox_id: str, tmp_path: Path
) -> None:
    (tmp_path / "orders.csv").write_bytes(content(24_000_000))
    with ExitStack() as stack:
        source = SOURCES[kind](tmp_path / "orders.csv", stack)
        async with giving(expired(store), store.presign) as api, client(api) as duvo:
            await duvo.sandboxes.upload(sandbox_id, source, path="orders.csv")
    assert len(api.given) == 2
    assert store.keys(sandbox_id) == [f"{sandbox_id}/workspace/orders.csv"]
    assert store.sha256(f"{sandbox_id}/workspace/orders.csv") == digest(content(24_000_000))


def another_signature(store: ObjectStore, key: str) -> str:
    url = store.presign(key)
    return url[:-1] + ("1" if url[-1] == "0" else "0")


def another_path(store: ObjectStore, key: str) -> str:
    return store.presign(f"{key}.signed").replace(".signed?", "?")


def another_query(store: ObjectStore, key: str) -> str:
    return f"{store.presign(key)}&x-id=PutObject"


def a_longer_life(store: ObjectStore, key: str) -> str:
    return store.presign(key, age=LIFETIME + 1).replace(f"Expires={LIFETIME}", "Expires=3600")


def no_signature(store: ObjectStore, key: str) -> str:
    return store.presign(key).partition("?")[0]


def its_life_is_over(store: ObjectStore, key: str) -> str:
    return store.presign(key, age=LIFETIME + 1)


REFUSED = [
    (another_signature, "SignatureDoesNotMatch"),
    (another_path, "SignatureDoesNotMatch"),
    (another_query, "SignatureDoesNotMatch"),
    (a_longer_life, "SignatureDoesNotMatch"),
    (no_signature, "AccessDenied"),
    (its_life_is_over, "AccessDenied"),
]


@pytest.mark.parametrize(("mint", "code"), REFUSED, ids=[mint.__name__ for mint, _ in REFUSED])
async def test_what_is_not_signed_is_not_stored(
    mint: Callable[[ObjectStore, str], str], code: str, store: ObjectStore, sandbox_id: str
) -> None:
    async with giving(partial(mint, store)) as api, client(api) as duvo:
        with pytest.raises(PermissionDeniedError) as caught:
            await duvo.sandboxes.upload(sandbox_id, content(24_000_000), path="orders.csv")
    assert (caught.value.method, caught.value.status, caught.value.code) == ("PUT", 403, code)
    assert caught.value.path == f"127.0.0.1/sandboxes/{sandbox_id}/workspace/orders.csv"
    assert store.keys(sandbox_id) == []
    assert len(api.given) == 2


@pytest.mark.parametrize("mint", [another_signature, its_life_is_over])
async def test_a_refusal_shows_nothing_of_the_query(
    mint: Callable[[ObjectStore, str], str],
    store: ObjectStore,
    sandbox_id: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "botocore")  # which signs here, and tells of it
    caplog.set_level(logging.DEBUG)
    async with giving(partial(mint, store)) as api, client(api) as duvo:
        with pytest.raises(PermissionDeniedError) as caught:
            await duvo.sandboxes.upload(sandbox_id, content(), path="orders.csv")
    assert f"PUT 127.0.0.1/sandboxes/{sandbox_id}/workspace/orders.csv" in caplog.text
    told = f"{everything_about(caught.value)}\n{caplog.text}"
    for url in api.given:
        for part in (url, *re.split("[&=]", urlsplit(url).query)):
            if part not in {"host", str(LIFETIME)}:
                assert part not in told
                assert unquote(part) not in told
    assert SECRET_KEY not in told


def everything_about(error: BaseException) -> str:
    """Put together what an error, and those that led to it, say in any way."""
    texts = [*traceback.format_exception(error), str(pickle.dumps(error))]
    chain = [error]
    for link in chain:
        texts += [str(link), repr(link), str(vars(link)), *getattr(link, "__notes__", ())]
        led_to_it = (link.__cause__, link.__context__)
        chain += [more for more in led_to_it if more is not None and more not in chain]
    return "\n".join(texts)


# --- what is signed beside the host --------------------------------------------------------------


@pytest.mark.parametrize(
    "signed", [{"ContentType": "text/csv"}, {"ContentLength": SIZE}], ids=["type", "length"]
)
async def test_a_header_that_was_signed_is_sent(
    signed: dict[str, object], store: ObjectStore, sandbox_id: str, tmp_path: Path
) -> None:
    (tmp_path / "orders.csv").write_bytes(content())
    async with giving(partial(store.presign, headers=signed)) as api, client(api) as duvo:
        await duvo.sandboxes.upload(sandbox_id, tmp_path / "orders.csv")
    assert "%3Bhost&" in api.given[0]
    assert store.sha256(f"{sandbox_id}/workspace/orders.csv") == digest(content())


@pytest.mark.parametrize(
    "signed", [{"ContentType": "text/plain"}, {"ContentLength": SIZE + 1}], ids=["type", "length"]
)
async def test_what_was_signed_for_another_file_is_refused(
    signed: dict[str, object], store: ObjectStore, sandbox_id: str, tmp_path: Path
) -> None:
    (tmp_path / "orders.csv").write_bytes(content())
    async with giving(partial(store.presign, headers=signed)) as api, client(api) as duvo:
        with pytest.raises(PermissionDeniedError) as caught:
            await duvo.sandboxes.upload(sandbox_id, tmp_path / "orders.csv")
    assert caught.value.code == "SignatureDoesNotMatch"
    assert store.keys(sandbox_id) == []


# --- connections ---------------------------------------------------------------------------------


async def test_one_upload_after_another_keeps_the_connection(
    store: ObjectStore, sandbox_id: str
) -> None:
    async with (
        relayed(store) as relay,
        giving(partial(store.presign, port=relay.port)) as api,
        client(api) as duvo,
    ):
        for number in range(4):
            await duvo.sandboxes.upload(sandbox_id, content(number=number), path=str(number))
    stored = [store.sha256(f"{sandbox_id}/workspace/{number}") for number in range(4)]
    assert stored == [digest(content(number=number)) for number in range(4)]
    assert len(relay.targets) == 1


@pytest.mark.parametrize(
    "breaks", [{"takes": 6_000_000}, {"gives": 0}], ids=["half of it", "only its answer"]
)
async def test_what_a_broken_connection_lost_is_sent_to_a_new_url(
    breaks: dict[str, int], store: ObjectStore, sandbox_id: str, impatient: RetryPolicy
) -> None:
    async with (
        relayed(store, **breaks) as relay,
        giving(partial(store.presign, port=relay.port)) as api,
        client(api, impatient) as duvo,
    ):
        await duvo.sandboxes.upload(sandbox_id, io.BytesIO(content()), path="orders.csv")
    assert store.keys(sandbox_id) == [f"{sandbox_id}/workspace/orders.csv"]
    assert store.sha256(f"{sandbox_id}/workspace/orders.csv") == digest(content())
    assert [f"http://127.0.0.1:{relay.port}{target}" for target in relay.targets] == api.given
    assert len(api.given) == 2


async def test_a_file_that_became_shorter_is_not_stored(
    store: ObjectStore, sandbox_id: str, tmp_path: Path
) -> None:
    growing = tmp_path / "growing.log"
    growing.write_bytes(content())

    def shorten_and_sign(key: str) -> str:
        os.truncate(growing, SIZE - 1)
        return store.presign(key, port=relay.port)

    async with relayed(store) as relay, giving(shorten_and_sign) as api, client(api) as duvo:
        with pytest.raises(UploadSourceError, match="changed while it was read"):
            await duvo.sandboxes.upload(sandbox_id, growing)
    assert len(relay.targets) == 1
    assert store.keys(sandbox_id) == []
