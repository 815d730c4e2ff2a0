"""Time that passes and requests that fail, because a test wants them to."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from yarl import URL

from duvo_async.emulator import Emulator, Request, Response, Say, Sleep

pytestmark = pytest.mark.anyio


@pytest.fixture
def emulator() -> Emulator:
    return Emulator(clock=lambda: 1_750_000_000.0, requests_per_minute=2)


def ask(emulator: Emulator, method: str, path: str, body: bytes = b"", key: str = "") -> Response:
    headers = {"authorization": f"Bearer {emulator.api_key}", "content-type": "application/json"}
    if key:
        headers["idempotency-key"] = key
    return emulator.handle(Request(method, path, "", headers, body))


def start(emulator: Emulator, agent: str, key: str = "") -> Response:
    return ask(emulator, "POST", "/v1/runs", b'{"agent_id": "%s"}' % agent.encode(), key)


def test_a_jump_lets_a_sleep_end_and_a_window_begin(emulator: Emulator) -> None:
    run = start(emulator, emulator.add_agent([Sleep(3600), Say("done")])).json()["run"]
    path = f"/v1/runs/{run['id']}"
    assert ask(emulator, "GET", path).json()["run"]["status"] == "running"
    assert ask(emulator, "GET", path).status == 429
    emulator.jump(3599)
    assert ask(emulator, "GET", path).json()["run"]["status"] == "running"
    emulator.jump(2)
    answer = ask(emulator, "GET", path)
    assert answer.json()["run"]["status"] == "completed"
    assert answer.headers["date"] == "Sun, 15 Jun 2025 16:06:41 GMT"


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 1e12])
def test_time_goes_forward(emulator: Emulator, seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds must be from 0"):
        emulator.jump(seconds)


def test_a_failure_happens_to_what_fits_so_often_and_does_nothing(emulator: Emulator) -> None:
    agent = emulator.add_agent([Say("done")])
    emulator.fail(503, times=2, method="POST", path="/runs", retry_after=7, headers={"X-Via": "p"})
    assert ask(emulator, "GET", "/v1/health").status == 200
    for _ in range(2):
        answer = start(emulator, agent)
        assert (answer.status, answer.body) == (503, b"<html>failed</html>")
        assert (answer.headers["retry-after"], answer.headers["x-via"]) == ("7", "p")
        assert answer.headers["content-type"] == "text/html"
    assert start(emulator, agent).status == 201
    assert [each.status for each in emulator.requests] == [200, 503, 503, 201]


def test_a_body_that_is_no_text_is_json(emulator: Emulator) -> None:
    emulator.fail(422, body={"error": "no"})
    assert ask(emulator, "GET", "/v1/health").json() == {"error": "no"}


def test_faults_happen_in_their_order_until_they_are_taken_back(emulator: Emulator) -> None:
    emulator.fail(500)
    emulator.fail(502, times=9)
    assert [ask(emulator, "GET", "/v1/health").status for _ in range(2)] == [500, 502]
    emulator.recover()
    assert ask(emulator, "GET", "/v1/health").status == 200


@pytest.mark.parametrize(
    "wrong",
    [
        lambda each: each.fail(200),
        lambda each: each.fail(503.5),
        lambda each: each.fail("503"),
        lambda each: each.fail(times=0),
        lambda each: each.fail(retry_after=-1),
        lambda each: each.fail(retry_after="x"),
        lambda each: each.fail(headers={"a": 1}),
        lambda each: each.fail(headers={"a": "b\nc: d"}),
        lambda each: each.drop(times=0),
    ],
)
def test_what_is_no_failure(emulator: Emulator, wrong: Callable[[Any], None]) -> None:
    with pytest.raises(ValueError, match=r"must be|status is|retry_after is|a header is"):
        wrong(emulator)


def test_what_was_done_though_the_answer_was_lost_is_not_done_again(emulator: Emulator) -> None:
    agent = emulator.add_agent([Say("done")])
    emulator.drop(path="/runs", done=True)
    assert start(emulator, agent, "k").status == 0
    assert start(emulator, agent, "k").headers["idempotent-replayed"] == "true"


async def test_on_a_socket_a_drop_is_a_connection_that_is_closed() -> None:
    async with Emulator() as emulator, aiohttp.ClientSession() as session:
        url, headers = f"{emulator.url}/v1/health", {"Authorization": f"Bearer {emulator.api_key}"}
        emulator.drop()
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.post(url, headers=headers)  # a GET aiohttp would repeat by itself
        async with session.get(url, headers=headers) as answer:
            assert answer.status == 200


@asynccontextmanager
async def signed_url(emulator: Emulator, session: aiohttp.ClientSession) -> AsyncGenerator[URL]:
    headers = {"Authorization": f"Bearer {emulator.api_key}"}
    async with session.post(f"{emulator.url}/v1/sandboxes", headers=headers) as answer:
        sandbox = (await answer.json())["sandbox_id"]
    files = f"{emulator.url}/v1/sandboxes/{sandbox}"
    named = {"path": "/workspace/a"}
    async with session.post(f"{files}/upload-urls", headers=headers, json=named) as answer:
        yield URL((await answer.json())["upload_url"], encoded=True)
    async with session.get(f"{files}/files", headers=headers) as answer:
        assert [each["size_bytes"] for each in (await answer.json())["files"]] == [3]


async def test_a_signed_url_fails_too() -> None:
    async with (
        Emulator() as emulator,
        aiohttp.ClientSession() as session,
        signed_url(emulator, session) as signed,
    ):
        emulator.fail(503, method="PUT")
        async with session.put(signed, data=b"abc") as answer:
            assert answer.status == 503
        async with session.put(signed, data=b"abc") as answer:
            assert answer.status == 200


async def test_what_was_sent_to_one_is_there_though_the_answer_was_lost() -> None:
    async with (
        Emulator() as emulator,
        aiohttp.ClientSession() as session,
        signed_url(emulator, session) as signed,
    ):
        emulator.drop(times=2, method="PUT", done=True)  # a PUT aiohttp repeats once by itself
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.put(signed, data=b"abc")
