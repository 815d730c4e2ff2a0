"""A receiver that listens by itself, in an application, and in a thread."""

import asyncio
import logging
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession, web

from duvo_async.webhooks import (
    WebhookEvent,
    WebhookReceiver,
    sign,
    verify,
)
from tests.webhooks.posting import (
    RUN_ID,
    SECRET,
    Hints,
    collecting,
    nowhere,
    post,
    written,
)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("_no_leaked_tasks")]
# --- by itself -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "hook", "a/b/c?d=e", "%2F%00", "../x"])
async def test_it_listens_at_any_path(path: str) -> None:
    async with WebhookReceiver(SECRET) as receiver:
        assert await post(receiver.url + path, written()) == 200


async def test_it_tells_where_it_listens_while_it_does() -> None:
    receiver = WebhookReceiver(SECRET)
    nowhere(receiver)
    assert repr(receiver) == "WebhookReceiver(not listening)"
    async with receiver as entered:
        assert entered is receiver
        url = receiver.url
        assert urlsplit(url)[:3] == ("http", f"127.0.0.1:{urlsplit(url).port}", "/")
        assert repr(receiver) == f"WebhookReceiver({url})"
    nowhere(receiver)


async def test_it_may_be_entered_again() -> None:
    receiver = WebhookReceiver(SECRET)
    for _ in range(2):
        async with receiver:
            assert await post(receiver.url, written()) == 200
    nowhere(receiver)


async def test_it_listens_at_the_port_that_it_is_given() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    async with WebhookReceiver(SECRET, port=port) as receiver:
        assert receiver.url == f"http://127.0.0.1:{port}/"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_only_posts_are_deliveries(method: str) -> None:
    async with (
        WebhookReceiver(None) as receiver,
        ClientSession() as client,
        client.request(method, receiver.url, data=written()) as answer,
    ):
        assert answer.status == 405


async def test_a_port_in_use_is_an_error_that_leaves_nothing_behind() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        receiver = WebhookReceiver(SECRET, port=held.getsockname()[1])
        with pytest.raises(OSError, match="address already in use"):
            await receiver.__aenter__()
        nowhere(receiver)
        tasks = asyncio.all_tasks()
        assert [each.get_name() for each in tasks if "duvo" in each.get_name()] == []
    async with receiver:  # it is good for another time
        assert await post(receiver.url, written()) == 200


async def test_ages_are_by_the_clock_that_it_is_given() -> None:
    async with WebhookReceiver(SECRET, clock=lambda: 1301.0) as receiver:
        for now, status in ((1001, 200), (1000, 401), (1601, 200), (1602, 401)):
            signed = sign(written(), SECRET, now=now)
            named = {name.replace("-", "_"): value for name, value in signed.items()}
            assert await post(receiver.url, written(), secret=None, **named) == status


@pytest.mark.parametrize("secret", ["new", b"old"])
async def test_several_secrets_are_good_while_they_are_being_changed(secret: str | bytes) -> None:
    async with WebhookReceiver(["new", b"old"]) as receiver:
        text = secret if isinstance(secret, str) else secret.decode()
        assert await post(receiver.url, written(), secret=text) == 200


async def test_settings_are_those_of_verify() -> None:
    how: dict[str, Any] = {"header": "S", "timestamp_header": None, "prefix": ""}
    headers = sign(written(), SECRET, **how)
    verify(written(), headers, SECRET, **how)
    async with WebhookReceiver(SECRET, **how) as receiver:
        assert await post(receiver.url, written(), secret=None, **headers) == 200
        assert await post(receiver.url, written()) == 401


# --- in an application ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status"),
    [("/duvo", 200), ("/duvo/", 200), ("/duvo/a/b", 200), ("/duvox", 404), ("/", 404)],
)
async def test_it_can_be_mounted(path: str, status: int) -> None:
    receiver, seen = WebhookReceiver(SECRET), list[WebhookEvent]()
    receiver.on_event(seen.append)
    app = web.Application()
    app.add_subapp("/duvo/", receiver.app())
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}{path}"
        assert await post(url, written()) == status
        assert await post(url, written(), secret="forged") == (401 if status == 200 else 404)
    finally:
        await runner.cleanup()
    assert [each.name for each in seen] == ["run_completed"] * (status == 200)
    nowhere(receiver)


async def test_an_application_waits_for_the_handlers_at_its_end() -> None:
    receiver, release, seen = WebhookReceiver(SECRET), asyncio.Event(), list[str]()

    @receiver.on_event
    async def slow(event: WebhookEvent) -> None:
        await release.wait()
        seen.append(event.name)

    app = web.Application()
    app.add_subapp("/duvo/", receiver.app())
    runner = web.AppRunner(app)
    await runner.setup()
    assert receiver.receive(written(), sign(written(), SECRET)).status == 200
    asyncio.get_running_loop().call_later(9, release.set)
    await runner.cleanup()
    assert seen == ["run_completed"]


# --- hints ---------------------------------------------------------------------------------------


async def test_whoever_subscribes_is_told_before_the_answer_and_again() -> None:
    hints: Hints = []
    async with WebhookReceiver(SECRET) as receiver:
        receiver.subscribe(collecting(hints))
        for name in ("run_completed", "run_completed", "human_request_created", "run_started"):
            assert await post(receiver.url, written(name)) == 200
        assert hints == [(RUN_ID, False), (RUN_ID, False), (RUN_ID, True)]


async def test_nobody_is_told_of_what_is_refused() -> None:
    hints: Hints = []
    async with WebhookReceiver(SECRET) as receiver:
        receiver.subscribe(collecting(hints))
        assert await post(receiver.url, written(), secret="forged") == 401
        assert await post(receiver.url, b"[]") == 400
        assert await post(receiver.url, written(), Content_Encoding="gzip") == 415
        assert hints == []


async def test_whoever_has_unsubscribed_is_told_no_more() -> None:
    one: Hints = []
    other: Hints = []
    async with WebhookReceiver(SECRET) as receiver:
        end = receiver.subscribe(collecting(one))
        receiver.subscribe(collecting(other))
        assert await post(receiver.url, written()) == 200
        end()
        end()  # which says nothing
        assert await post(receiver.url, written()) == 200
    assert (len(one), len(other)) == (1, 2)


async def test_nothing_holds_the_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with WebhookReceiver([SECRET, b"whsec_old"]) as receiver:
        shown = [repr(receiver), str(receiver)]
        for body, secret in ((written(), SECRET), (written(), "forged"), (b"[]", SECRET)):
            await post(receiver.url, body, secret)
            shown.append(str(receiver.receive(body, sign(body, secret))))
        shown += [repr(receiver.receive(b"", {"X-Duvo-Signature": "sha256=?"})), caplog.text]
    assert "401" in caplog.text
    assert SECRET not in "".join(shown)
    assert "whsec_old" not in "".join(shown)
