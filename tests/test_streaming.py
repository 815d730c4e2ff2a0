"""The exchange that carries a file: once, whole, over TLS as well, and with nothing beside it."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from duvo_async import APIConnectionError, AsyncDuvo, RetryPolicy
from tests.support.files import LARGE, Host, client_of, running, sparse
from tests.support.stub import hang_up

pytestmark = pytest.mark.anyio

ONCE = RetryPolicy(retries=0)


@pytest.fixture(autouse=True)
async def _settled(_no_leaked_tasks: None) -> AsyncIterator[None]:
    yield
    await asyncio.sleep(20)  # virtual: answers that nobody waits for are given


# --- once, and whole -----------------------------------------------------------------------------


async def test_a_put_is_not_repeated_behind_our_back() -> None:
    class Breaking(Host):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            answered = await super().answer(request)
            # A connection that was used before may be closed at any time, so that aiohttp
            # repeats what goes over it.
            return await hang_up(request) if request.method == "PUT" else answered

    host = Breaking()
    async with client_of(host, ONCE) as duvo:
        await duvo.sandboxes.upload("sbx", b"so that there is a connection", path="x")
        with pytest.raises(APIConnectionError):
            await duvo.sandboxes.upload("sbx", bytes(LARGE), path="x")
    assert host.asked == ["POST files", "POST upload-urls", "PUT x"]


@pytest.mark.parametrize("size", [100, 1_000_000])
async def test_a_post_is_not_repeated_behind_our_back(size: int) -> None:
    class Breaking(Host):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            answered = await super().answer(request)
            return answered if len(self.asked) == 1 else await hang_up(request)

    host = Breaking()
    async with client_of(host, ONCE) as duvo:
        await duvo.sandboxes.upload("sbx", b"so that there is a connection", path="x")
        with pytest.raises(APIConnectionError):
            await duvo.sandboxes.upload("sbx", bytes(size), path="x")
    assert host.asked == ["POST files"] * 2


class Hasty(Host):
    """A storage that says yes to its first file before it has seen all of it."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.method == "PUT" and "PUT x" not in self.asked:
            self.asked.append("PUT x")
            await request.content.read(100)
            return web.Response(headers={"Connection": "close"})
        return await super().answer(request)


async def test_a_success_before_the_files_end_is_none(tmp_path: Path) -> None:
    path = sparse(tmp_path / "large", 3 * LARGE)
    async with client_of(Hasty(), ONCE) as duvo:
        with pytest.raises(APIConnectionError):
            await duvo.sandboxes.upload("sbx", path, path="x")


async def test_and_is_tried_again(tmp_path: Path) -> None:
    path = sparse(tmp_path / "large", 3 * LARGE)
    host = Hasty()
    async with client_of(host) as duvo:
        await duvo.sandboxes.upload("sbx", path, path="x")
    assert host.asked == ["POST upload-urls", "PUT x"] * 2
    assert host.contents["/workspace/x"] == bytes(3 * LARGE)


# --- nothing beside it ---------------------------------------------------------------------------


async def test_nothing_of_the_callers_session_goes_to_the_storage() -> None:
    api, storage = Host(), Host()
    session = aiohttp.ClientSession(
        headers={"X-Mine": "hunter2"},
        cookies={"mine": "hunter2"},
        cookie_jar=aiohttp.CookieJar(unsafe=True),
    )
    async with running(storage) as elsewhere, session:
        api.storage = elsewhere.replace("127.0.0.1", "localhost")
        session.cookie_jar.update_cookies({"its": "hunter2"}, URL(api.storage))
        session.cookie_jar.update_cookies({"its": "hunter2"}, URL(elsewhere))
        async with client_of(api, session=session) as duvo:
            await duvo.sandboxes.upload("sbx", bytes(LARGE), path="x")
        assert not session.closed
    assert [name for name in api.headers[0] if name in {"X-Mine", "Cookie"}] == ["X-Mine", "Cookie"]
    (headers,) = storage.headers
    assert "hunter2" not in str(headers)
    assert {"Authorization", "Idempotency-Key", "X-Mine", "Cookie"}.isdisjoint(headers)
    assert storage.contents == {"/workspace/x": bytes(LARGE)}


async def test_a_clients_own_session_tells_the_storage_nothing() -> None:
    api, storage = Host(), Host()
    async with running(storage) as elsewhere, client_of(api) as duvo:
        api.storage = elsewhere
        await duvo.sandboxes.upload("sbx", bytes(LARGE), path="x")
        await duvo.sandboxes.upload("sbx", bytes(LARGE), path="y")
    for asked in api.headers:
        assert asked["Authorization"] == "Bearer dv_key"
        assert asked["Accept"] == "application/json"
    assert len(api.headers) == len(storage.headers) == 2
    for given in storage.headers:
        assert {"Authorization", "Idempotency-Key", "Cookie"}.isdisjoint(given)
        assert given["Accept"] == "*/*"
        assert given["User-Agent"].startswith("duvo-async/")


async def test_a_clients_own_session_keeps_no_cookies() -> None:
    class Baking(Host):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            answered = await super().answer(request)
            assert isinstance(answered, web.Response)
            answered.set_cookie("yours", "hunter2")
            return answered

    host = Baking()
    async with client_of(host) as duvo:
        for _ in range(2):
            await duvo.sandboxes.upload("sbx", bytes(LARGE), path="x")
            await duvo.sandboxes.upload("sbx", b"1", path="y")
    assert len(host.headers) == 6
    assert not [headers for headers in host.headers if "Cookie" in headers]


# --- TLS -----------------------------------------------------------------------------------------


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """A certificate that nobody has signed."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("there is no openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    what = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test"
    place = ("-addext", "subjectAltName=IP:127.0.0.1")
    subprocess.run(  # noqa: S603 - fixed arguments
        [program, *what.split(), *place, "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


async def test_over_tls_files_arrive_whole(tmp_path: Path, tls: ssl.SSLContext) -> None:
    trusting = ssl.create_default_context(cafile=str(tmp_path / "certificate.pem"))
    pattern = bytes(range(251)) * 60_000
    (tmp_path / "large").write_bytes(pattern)
    host = Host()
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting))
    async with (
        running(host, tls) as url,
        session,
        AsyncDuvo("dv_key", base_url=url, session=session) as duvo,
    ):
        await duvo.sandboxes.upload("sbx", tmp_path / "large")
        await duvo.sandboxes.upload("sbx", pattern[:5_000_000], path="medium")
        await duvo.sandboxes.upload("sbx", [pattern], path="one block", chunk_size=len(pattern))
    assert host.contents == {
        "/workspace/large": pattern,
        "/workspace/medium": pattern[:5_000_000],
        "/workspace/one block": pattern,
    }
