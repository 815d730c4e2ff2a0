"""The sockets: a real client, a real receiver of webhooks, a real thread."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from contextlib import asynccontextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.request import Request as UrlRequest
from urllib.request import urlopen

import anyio
import pytest
from aiohttp import ClientConnectionError, ClientSession, FormData, web
from attrs import define, field
from yarl import URL

from duvo_async.emulator import AskApproval, Emulator, Say, Sleep

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from pathlib import Path

    from tests.emulator.conftest import Clock

pytestmark = pytest.mark.anyio


@pytest.fixture
async def emulator(clock: Clock) -> AsyncIterator[Emulator]:
    async with Emulator(clock=clock) as emulator:
        yield emulator


@pytest.fixture
async def client(emulator: Emulator) -> AsyncIterator[ClientSession]:
    headers = {"Authorization": f"Bearer {emulator.api_key}"}
    async with ClientSession(emulator.url, headers=headers) as session:
        yield session


@pytest.fixture
async def outsider() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


async def call(client: ClientSession, method: str, path: str, **options: Any) -> dict[str, Any]:  # noqa: ANN401 - as aiohttp's
    async with client.request(method, path, **options) as response:
        assert response.ok, await response.text()
        data: dict[str, Any] = await response.json()
        return data


async def until(condition: Callable[[], object]) -> None:
    with anyio.fail_after(30):
        while not condition():
            await anyio.lowlevel.checkpoint()


def is_empty(folder: Path) -> bool:
    return not list(folder.iterdir())


async def create_upload_url(client: ClientSession, path: str = "a~b c.bin") -> tuple[str, str]:
    sandbox = await call(client, "POST", "/v1/sandboxes")
    base = f"/v1/sandboxes/{sandbox['sandbox_id']}"
    upload = await call(client, "POST", f"{base}/upload-urls", json={"path": path})
    return f"{base}/files", upload["upload_url"]


async def test_a_run_is_driven_over_the_wire(emulator: Emulator, client: ClientSession) -> None:
    agent_id = emulator.add_agent([AskApproval("Post?"), Say("posted")])
    run = (await call(client, "POST", "/v1/runs", json={"agent_id": agent_id}))["run"]
    path = f"/v1/runs/{run['id']}"
    request_id = (await call(client, "GET", path))["pending_human_request"]["id"]
    answer = {"approved": True}
    await call(client, "POST", f"{path}/human-requests/{request_id}/respond", json=answer)
    assert (await call(client, "GET", path))["run"]["status"] == "completed"
    messages = await call(client, "GET", f"{path}/messages", params={"limit": 1})
    assert [each["text_content"] for each in messages["messages"]] == ["posted"]


async def test_the_headers_come_from_the_core(client: ClientSession) -> None:
    async with client.get("/v1/health") as response:
        assert response.headers.getall("Date") == ["Tue, 14 Nov 2023 22:13:20 GMT"]
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["X-RateLimit-Remaining"] == "299"
    async with client.head("/v1/health") as response:
        assert (response.status, response.headers["Allow"]) == (405, "GET")


async def test_a_form_is_uploaded(emulator: Emulator, client: ClientSession) -> None:
    sandbox = await call(client, "POST", "/v1/sandboxes")
    form = FormData()
    form.add_field("file", b"\x00\r\n", filename="\u00e9.bin")
    form.add_field("path", "/workspace/\u00e9.bin")
    path = f"/v1/sandboxes/{sandbox['sandbox_id']}/files"
    uploaded = await call(client, "POST", path, data=form)
    assert uploaded == {"path": "/workspace/\u00e9.bin", "size_bytes": 3}
    assert emulator.requests[-1].status == 201


async def test_a_body_that_is_far_too_large_is_refused(clock: Clock) -> None:
    async with Emulator(clock=clock, max_direct_bytes=10) as emulator:
        headers = {"Authorization": f"Bearer {emulator.api_key}"}
        async with ClientSession(emulator.url, headers=headers) as client:
            for _ in range(2):
                async with client.post("/v1/runs", data=BytesIO(b"x" * 5_000_000)) as response:
                    assert response.status == 413


async def test_a_file_is_put_to_its_upload_url(
    client: ClientSession, outsider: ClientSession
) -> None:
    files, url = await create_upload_url(client)
    data = b"0123456789abcdef" * 200_000
    headers = {"Content-Encoding": "gzip", "Expect": "100-continue"}
    raw = URL(url, encoded=True)
    async with outsider.put(raw, data=BytesIO(data), headers=headers) as response:
        assert (response.status, await response.read()) == (200, b"")
    listed = await call(client, "GET", files)
    assert [each["size_bytes"] for each in listed["files"]] == [len(data)]


async def test_an_upload_url_is_checked_as_it_was_on_the_wire(
    client: ClientSession, outsider: ClientSession
) -> None:
    _, url = await create_upload_url(client)
    async with outsider.put(url, data=b"abc") as response:
        assert response.status == 403
        assert (await response.read()).startswith(b"<?xml")


async def test_a_refused_upload_is_read_to_its_end(
    client: ClientSession, outsider: ClientSession
) -> None:
    _, url = await create_upload_url(client)

    async def chunks() -> AsyncGenerator[bytes]:
        for _ in range(100):
            yield b"x" * 65536

    async with outsider.put(URL(url, encoded=True), data=chunks()) as response:
        assert response.status == 411


async def test_an_upload_cut_short_leaves_no_file(
    client: ClientSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    files, url = await create_upload_url(client)
    target = URL(url, encoded=True)
    _, writer = await asyncio.open_connection(target.host, target.port)
    head = f"PUT {target.raw_path_qs} HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n"
    writer.write(head.encode() + b"x" * 1_000_000)
    await until(lambda: [file for file in tmp_path.glob("*/*") if file.stat().st_size])
    writer.close()
    await until(lambda: not list(tmp_path.glob("*/*")))
    assert (await call(client, "GET", files))["files"] == []


@define
class Receiver:
    """Takes webhooks and answers with the statuses it is given, then with 204."""

    url: str = ""
    statuses: list[int] = field(factory=list[int])
    received: asyncio.Queue[dict[str, Any]] = field(factory=asyncio.Queue[dict[str, Any]])
    open: asyncio.Event = field(factory=asyncio.Event)

    async def take(self) -> dict[str, Any]:
        with anyio.fail_after(30):
            return await self.received.get()

    async def answer(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/json"
        self.received.put_nowait(await request.json())
        await self.open.wait()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 204)


@asynccontextmanager
async def receiving() -> AsyncGenerator[Receiver]:
    receiver = Receiver()
    receiver.open.set()
    app = web.Application()
    app.router.add_post("/hook", receiver.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        receiver.open.set()
        await runner.cleanup()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def start(emulator: Emulator, client: ClientSession, url: str, *steps: Sleep) -> str:
    body = {"agent_id": emulator.add_agent(steps), "webhook_url": url}
    run_id: str = (await call(client, "POST", "/v1/runs", json=body))["run"]["id"]
    return run_id


async def test_a_webhook_is_delivered_though_nobody_asks(
    emulator: Emulator, client: ClientSession, receiver: Receiver, clock: Clock
) -> None:
    run_id = await start(emulator, client, receiver.url, Sleep(3600))
    clock.advance(3600)
    event = await receiver.take()
    assert event == {"event": "run_completed", "run_id": run_id, "status": "completed"}
    await until(lambda: emulator.deliveries)
    (delivery,) = emulator.deliveries
    assert (delivery.url, delivery.status, delivery.at) == (receiver.url, 204, clock.now)


async def test_a_webhook_is_delivered_again_after_an_error(
    emulator: Emulator, client: ClientSession, receiver: Receiver, clock: Clock
) -> None:
    receiver.statuses = [500]
    await start(emulator, client, receiver.url)
    first = await receiver.take()
    await until(lambda: emulator.deliveries)
    clock.advance(1)
    assert await receiver.take() == first
    await until(lambda: len(emulator.deliveries) == 2)
    assert [each.status for each in emulator.deliveries] == [500, 204]


async def test_a_slow_receiver_holds_up_no_other(
    emulator: Emulator, client: ClientSession, receiver: Receiver
) -> None:
    receiver.open.clear()
    runs = [await start(emulator, client, receiver.url) for _ in range(2)]
    assert [(await receiver.take())["run_id"] for _ in runs] == runs
    assert emulator.deliveries == ()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "mailto:nobody", "http://", "http://a..b/"])
async def test_a_receiver_that_cannot_be_reached_is_no_trouble(
    emulator: Emulator, client: ClientSession, receiver: Receiver, url: str
) -> None:
    await start(emulator, client, url)
    await until(lambda: emulator.deliveries)
    assert emulator.deliveries[0].status is None
    run_id = await start(emulator, client, receiver.url)
    assert (await receiver.take())["run_id"] == run_id


async def test_deliveries_under_way_are_cancelled_at_the_end(receiver: Receiver) -> None:
    receiver.open.clear()
    async with Emulator() as emulator, ClientSession(emulator.url) as client:
        client.headers["Authorization"] = f"Bearer {emulator.api_key}"
        await start(emulator, client, receiver.url)
        await receiver.take()
    assert emulator.deliveries == ()


@pytest.mark.parametrize("is_upload", [True, False])
async def test_a_request_under_way_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_upload: bool
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with anyio.fail_after(30):
        async with Emulator() as emulator, ClientSession(emulator.url) as client:
            client.headers["Authorization"] = f"Bearer {emulator.api_key}"
            target = URL((await create_upload_url(client))[1], encoded=True)
            path = target.raw_path_qs if is_upload else "/v1/runs"
            reader, writer = await asyncio.open_connection(target.host, target.port)
            head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n"
            writer.write(f"{head}Expect: 100-continue\r\n\r\nabc".encode())
            assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert b"HTTP/1.1" not in await reader.read()
        writer.close()
    assert is_empty(tmp_path)


async def test_headers_come_as_they_are(emulator: Emulator) -> None:
    target = URL(emulator.url)
    reader, writer = await asyncio.open_connection(target.host, target.port)
    head = b"GET /v1/health HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\r\n"
    writer.write(head + b"X-Twice: a\r\nX-Twice: b\r\nConnection: close\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 401")
    writer.close()
    assert emulator.requests[-1].headers["x-twice"] == "a, b"


async def test_an_emulator_listens_only_inside_its_context() -> None:
    emulator = Emulator()
    with pytest.raises(RuntimeError, match="not serving"):
        _ = emulator.url
    async with emulator, ClientSession() as client:
        url = emulator.url
        assert URL(url).path == "/"
        assert not url.endswith("/")
        async with client.get(url) as response:
            assert response.status == 401
    with pytest.raises(RuntimeError, match="not serving"):
        _ = emulator.url
    async with ClientSession() as client:
        with pytest.raises(ClientConnectionError):
            await client.get(url)
    assert [each.status for each in emulator.requests] == [401]


async def test_an_emulator_listens_where_it_is_told() -> None:
    async with Emulator(host="localhost") as one:
        assert one.url.startswith("http://localhost:")
        port = URL(one.url).port
        assert port is not None
        with pytest.raises(OSError, match="address"):
            async with Emulator(host="localhost", port=port):
                pass


async def test_an_emulator_closes_under_cancellation() -> None:
    with anyio.CancelScope() as scope:
        async with Emulator() as emulator:
            url = emulator.url
            scope.cancel()
            await anyio.lowlevel.checkpoint()
    async with ClientSession() as client:
        with pytest.raises(ClientConnectionError):
            await client.get(url)


def test_a_blocking_emulator_runs_in_a_thread_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = set(threading.enumerate())
    with Emulator() as emulator:
        assert len(set(threading.enumerate()) - before) == 1
        agent_id = emulator.add_agent([Say("hi")])
        headers = {"Authorization": f"Bearer {emulator.api_key}"}
        body = f'{{"agent_id": "{agent_id}"}}'.encode()
        request = UrlRequest(  # noqa: S310 - the emulator's own URL
            f"{emulator.url}/v1/runs", body, {**headers, "Content-Type": "application/json"}
        )
        with urlopen(request) as response:  # noqa: S310 - the same
            assert response.status == 201
        assert [each.path for each in emulator.requests] == ["/v1/runs"]
    assert set(threading.enumerate()) == before
    assert list(tmp_path.iterdir()) == []


def test_a_blocking_emulator_that_cannot_start_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    with Emulator() as emulator:
        port = URL(emulator.url).port
        assert port is not None
        with pytest.raises(OSError, match="address"), Emulator(port=port):
            pass
    assert set(threading.enumerate()) == before
