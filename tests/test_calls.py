"""One call over a real socket: authorize, pace, send, decipher, retry."""

import asyncio
import gc
import logging
import pickle
import traceback
from datetime import timedelta
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web

from duvo_async import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncDuvo,
    AuthenticationError,
    BadGatewayError,
    ClientClosedError,
    ConfigurationError,
    NotFoundError,
    RateLimitError,
    ResponseDecodeError,
    RetryPolicy,
)
from tests.support.stub import (
    AGENT_ID,
    NOW,
    RUN_ID,
    Stub,
    answer,
    hang_up,
    run_answer,
    run_body,
    serve,
)

pytestmark = pytest.mark.anyio

KEY = "dv_a_key_that_must_never_be_seen"
STARTED = answer(201, {"run": run_body("pending")})


def client(stub: Stub, **settings: object) -> AsyncDuvo:
    return AsyncDuvo(KEY, base_url=stub.url, **settings)  # type: ignore[arg-type] # as tests say


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_call_says_who_calls() -> None:
    async with serve(run_answer()) as stub, client(stub) as duvo:
        await duvo.runs.get(RUN_ID)
    (asked,) = stub.asked
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    assert asked.headers["User-Agent"].startswith("duvo-async/")
    assert asked.headers["Accept"] == "application/json"
    assert "Idempotency-Key" not in asked.headers


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_passing_trouble_is_retried_with_one_idempotency_key(status: int) -> None:
    async with serve(answer(status), hang_up, STARTED) as stub, client(stub) as duvo:
        run = await duvo.runs.start(AGENT_ID)
    assert run.id == RUN_ID
    assert len(stub.asked) == 3
    assert len({asked.headers["Idempotency-Key"] for asked in stub.asked}) == 1


async def test_two_calls_have_two_idempotency_keys() -> None:
    async with serve(STARTED) as stub, client(stub) as duvo:
        await duvo.runs.start(AGENT_ID)
        await duvo.runs.start(AGENT_ID)
    assert len({asked.headers["Idempotency-Key"] for asked in stub.asked}) == 2


async def test_the_idempotency_key_can_be_given() -> None:
    async with serve(STARTED) as stub, client(stub) as duvo:
        await duvo.runs.start(AGENT_ID, idempotency_key="order-7")
        with pytest.raises(ValueError, match="idempotency_key"):
            await duvo.runs.start(AGENT_ID, idempotency_key="two\nlines")
    assert [asked.headers["Idempotency-Key"] for asked in stub.asked] == ["order-7"]


@pytest.mark.parametrize("key", [7, b"key", uuid4()])
async def test_an_idempotency_key_is_a_string(key: Any) -> None:  # noqa: ANN401 - wrong ones
    async with serve(STARTED) as stub, client(stub) as duvo:
        with pytest.raises(TypeError, match="idempotency_key"):
            await duvo.runs.start(AGENT_ID, idempotency_key=key)
    assert not stub.asked


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 501])
async def test_lasting_trouble_is_not_retried(status: int) -> None:
    async with serve(answer(status)) as stub, client(stub) as duvo:
        with pytest.raises(APIStatusError) as caught:
            await duvo.runs.get(RUN_ID)
    assert caught.value.status == status
    assert caught.value.attempts == 1
    assert len(stub.asked) == 1


async def test_retries_come_to_an_end() -> None:
    async with serve(answer(502)) as stub, client(stub, retry=RetryPolicy(retries=2)) as duvo:
        with pytest.raises(BadGatewayError) as caught:
            await duvo.runs.get(RUN_ID)
    assert len(stub.asked) == 3
    assert caught.value.attempts == 3


async def test_retry_after_is_waited_for() -> None:
    async with serve(answer(503, retry_after="7"), run_answer()) as stub, client(stub) as duvo:
        await duvo.runs.get(RUN_ID)
        assert 7 <= now() <= 7.6


async def test_retry_after_as_a_date_is_read_by_the_servers_clock() -> None:
    later = format_datetime(NOW + timedelta(seconds=20), usegmt=True)
    async with serve(answer(503, retry_after=later), run_answer()) as stub, client(stub) as duvo:
        await duvo.runs.get(RUN_ID)
        assert 20 <= now() <= 20.6


async def test_retry_after_beyond_the_limit_is_refused() -> None:
    async with serve(answer(429, retry_after="121")) as stub, client(stub) as duvo:
        with pytest.raises(RateLimitError) as caught:
            await duvo.runs.get(RUN_ID)
        assert now() < 1
    assert caught.value.retry_after == 121
    assert len(stub.asked) == 1


async def test_a_429_pauses_all_calls_of_the_client() -> None:
    slow_down = answer(429, {"error": "rate_limited"}, retry_after="30")
    none = RetryPolicy(retries=0)
    async with serve(slow_down, run_answer()) as stub, client(stub, retry=none) as duvo:
        with pytest.raises(RateLimitError):
            await duvo.runs.get(RUN_ID)
        await asyncio.gather(*(duvo.runs.get(RUN_ID) for _ in range(5)))
        assert 30 <= now() < 31


async def test_a_spent_window_is_waited_for_instead_of_earning_a_429() -> None:
    spent = run_answer()
    spent.headers.update(
        {"x-ratelimit-limit": "300", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "25"}
    )
    async with serve(spent, run_answer()) as stub, client(stub) as duvo:
        await duvo.runs.get(RUN_ID)
        assert now() < 1
        await duvo.runs.get(RUN_ID)
        assert 25 <= now() < 26


async def test_what_remains_of_a_window_is_used_to_the_last() -> None:
    told = run_answer()
    told.headers.update(
        {"x-ratelimit-limit": "9", "x-ratelimit-remaining": "3", "x-ratelimit-reset": "25"}
    )
    async with serve(told, run_answer()) as stub, client(stub) as duvo:
        for _ in range(4):
            await duvo.runs.get(RUN_ID)
        assert now() < 1
        await duvo.runs.get(RUN_ID)
        assert 25 <= now() < 26


@pytest.mark.parametrize(
    ("prefix", "reset"), [("x-ratelimit-", str(int(NOW.timestamp()) + 40)), ("RateLimit-", "40")]
)
async def test_both_families_of_headers_are_shown_as_rate_limit(prefix: str, reset: str) -> None:
    told = run_answer()
    told.headers.update(
        {f"{prefix}limit": "300", f"{prefix}remaining": "17", f"{prefix}reset": reset}
    )
    async with serve(told) as stub, client(stub) as duvo:
        assert duvo.rate_limit is None
        await duvo.runs.get(RUN_ID)
        assert duvo.rate_limit is not None
        assert (duvo.rate_limit.limit, duvo.rate_limit.remaining) == (300, 17)
        assert duvo.rate_limit.reset_at == NOW + timedelta(seconds=40)


async def test_an_error_has_the_facts() -> None:
    body = {
        "code": "insufficient_scope",
        "message": "runs:write is needed",
        "request_id": "req_1",
        "details": {"scope": "runs:write"},
    }
    async with serve(answer(404, body, retry_after="3")) as stub, client(stub) as duvo:
        with pytest.raises(NotFoundError) as caught:
            await duvo.runs.stop(RUN_ID, idempotency_key="k")
    error = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own bytes
    assert (error.status, error.code, error.message) == (404, *list(body.values())[:2])
    assert (error.request_id, error.details, error.retry_after) == ("req_1", body["details"], 3)
    assert (error.method, error.path) == ("POST", f"/v1/runs/{RUN_ID}/stop")
    assert error.idempotency_key == "k"
    assert "runs:write is needed" in str(error)
    assert "req_1" in str(error)


@pytest.mark.parametrize("body", [b"", b"<html><h1>oops</h1></html>", b"[]", b'{"error": 7}'])
async def test_any_error_body_gives_a_typed_error(body: bytes) -> None:
    none = RetryPolicy(retries=0)
    async with serve(answer(502, body)) as stub, client(stub, retry=none) as duvo:
        with pytest.raises(BadGatewayError) as caught:
            await duvo.runs.get(RUN_ID)
    assert caught.value.code is None
    assert caught.value.message is None


async def test_an_answer_that_cannot_be_understood_names_the_path() -> None:
    broken = answer(200, {"run": run_body(created_at="yesterday")})
    async with serve(broken) as stub, client(stub) as duvo:
        with pytest.raises(ResponseDecodeError) as caught:
            await duvo.runs.get(RUN_ID)
    assert "$.run.created_at" in str(caught.value)
    assert "yesterday" not in str(caught.value)


async def test_a_run_whose_record_is_null_is_not_found() -> None:
    async with serve(answer(200, {"run": None})) as stub, client(stub) as duvo:
        with pytest.raises(NotFoundError, match="no longer exists"):
            await duvo.runs.get(RUN_ID)


async def test_no_answer_in_time() -> None:
    async def stall(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(3600)
        return web.Response()

    once = RetryPolicy(retries=1)
    async with serve(stall) as stub, client(stub, timeout=5, retry=once) as duvo:
        with pytest.raises(APITimeoutError) as caught:
            await duvo.runs.start(AGENT_ID, idempotency_key="order-7")
        assert 10 <= now() <= 12
    assert isinstance(caught.value, TimeoutError)
    assert "order-7" in str(caught.value)


async def test_no_connection_in_time() -> None:
    class Resolver(aiohttp.abc.AbstractResolver):
        async def resolve(self, *_: object, **__: object) -> list[aiohttp.abc.ResolveResult]:
            await asyncio.sleep(3600)
            return []

        async def close(self) -> None:
            pass

    connector = aiohttp.TCPConnector(resolver=Resolver())
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        AsyncDuvo(
            KEY,
            base_url="https://api.test",
            timeout=5,
            session=session,
            retry=RetryPolicy(retries=0),
        ) as duvo,
    ):
        with pytest.raises(APITimeoutError, match="no connection in time") as caught:
            await duvo.runs.start(AGENT_ID)
    assert now() == 5
    assert not caught.value.may_have_been_done


async def test_nobody_there() -> None:
    async with serve(run_answer()) as stub:
        pass
    async with client(stub, retry=RetryPolicy(retries=0)) as duvo:
        with pytest.raises(APIConnectionError, match="cannot connect to 127") as caught:
            await duvo.runs.start(AGENT_ID)
    assert not caught.value.may_have_been_done
    assert "may have been done" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


async def test_no_frame_of_an_error_holds_the_key() -> None:
    async with serve(hang_up) as stub, client(stub, retry=RetryPolicy(retries=0)) as duvo:
        with pytest.raises(APIConnectionError) as caught:
            await duvo.runs.get(RUN_ID)
    frames = [frame for frame, _ in traceback.walk_tb(caught.tb)]
    ours = [frame for frame in frames if "duvo_async" in frame.f_globals["__name__"]]
    assert len(ours) > 3
    assert all(KEY not in repr(frame.f_locals) for frame in ours)


async def test_a_client_cannot_be_pickled() -> None:
    async with AsyncDuvo(KEY) as duvo:
        with pytest.raises(TypeError, match="make one in the process that uses it"):
            pickle.dumps(duvo)


@pytest.mark.no_cover
async def test_more_calls_than_a_pool_would_hold_do_not_time_out() -> None:
    async def slow(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(2)
        return web.Response(headers={"RateLimit-Limit": "999", "RateLimit-Remaining": "900"})

    async with serve(slow) as stub, client(stub, timeout=3) as duvo:
        assert all(await asyncio.gather(*(duvo.health() for _ in range(250))))


async def test_callers_are_served_in_the_order_in_which_they_came() -> None:
    spent = run_answer()
    spent.headers.update(
        {"RateLimit-Limit": "2", "RateLimit-Remaining": "0", "RateLimit-Reset": "9"}
    )
    served: list[int] = []

    async def call(number: int) -> None:
        await duvo.runs.get(RUN_ID)
        served.append(number)

    async with serve(spent, run_answer()) as stub, client(stub) as duvo:
        await duvo.runs.get(RUN_ID)
        await asyncio.gather(*(call(number) for number in range(7)))
        assert now() > 180  # two a window
    assert [number // 2 for number in served] == [0, 0, 1, 1, 2, 2, 3]


async def test_what_any_attempt_may_have_done_is_remembered() -> None:
    async with serve(hang_up, answer(429), answer(429)) as stub:
        once_more = RetryPolicy(retries=1, initial_delay=0)
        async with client(stub, retry=once_more) as duvo:
            with pytest.raises(RateLimitError) as caught:
                await duvo.runs.start(AGENT_ID, idempotency_key="order-7")
    assert caught.value.may_have_been_done
    assert "order-7" in str(caught.value)


async def test_a_redirect_is_not_followed() -> None:
    async with serve(run_answer()) as elsewhere:
        moved = answer(307, location=f"{elsewhere.url}/v1/runs/{RUN_ID}")
        async with serve(moved) as stub, client(stub) as duvo:
            with pytest.raises(APIStatusError, match="redirected"):
                await duvo.runs.get(RUN_ID)
    assert not elsewhere.asked


async def test_health_takes_any_2xx() -> None:
    async with serve(answer(204), answer(200, b"fine")) as stub, client(stub) as duvo:
        assert await duvo.health()
        assert await duvo.health()
    assert {asked.path for asked in stub.asked} == {"/v1/health"}


async def test_nothing_shows_the_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "duvo_async")
    echo = {"error": "unauthorized", "message": f"no such key: {KEY}", "details": {"key": KEY}}
    async with serve(answer(500, echo), answer(401, echo)) as stub, client(stub) as duvo:
        with pytest.raises(AuthenticationError) as caught:
            await duvo.runs.get(RUN_ID)
        seen = repr((duvo, vars(duvo), vars(duvo._session)))  # noqa: SLF001 - everything it has
    error = caught.value
    for text in (caplog.text, str(error), repr(vars(error)), repr(error), seen):
        assert KEY not in text
    assert "[API key]" in str(error)


async def test_the_log_tells_of_each_attempt(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "duvo_async")
    told = run_answer()
    told.headers["x-request-id"] = "req_9"
    async with serve(answer(503), told) as stub, client(stub) as duvo:
        await duvo.runs.get(RUN_ID)
    first, _, second = [record.getMessage() for record in caplog.records]
    assert first.startswith(f"GET /v1/runs/{RUN_ID} -> 503, attempt 1, ")
    assert second.startswith(f"GET /v1/runs/{RUN_ID} -> 200, attempt 2, ")
    assert second.endswith("request id req_9")


async def test_a_closed_client_says_so() -> None:
    async with serve(run_answer()) as stub:
        duvo = client(stub)
        await duvo.runs.get(RUN_ID)
        await duvo.close()
        await duvo.close()
        with pytest.raises(ClientClosedError):
            await duvo.runs.get(RUN_ID)


async def test_a_session_of_the_callers_own_is_used_and_left_open() -> None:
    async with serve(run_answer()) as stub, aiohttp.ClientSession(headers={"X-Mine": "1"}) as own:
        async with client(stub, session=own) as duvo:
            await duvo.runs.get(RUN_ID)
        assert not own.closed
    assert stub.asked[0].headers["X-Mine"] == "1"


async def test_a_closed_session_of_the_callers_own_is_said_to_be_closed() -> None:
    async with aiohttp.ClientSession() as own:
        duvo = AsyncDuvo(KEY, session=own)
    with pytest.raises(ClientClosedError, match="was given"):
        await duvo.runs.get(RUN_ID)


async def test_a_session_that_raises_for_statuses_changes_nothing() -> None:
    async with (
        serve(answer(404)) as stub,
        aiohttp.ClientSession(raise_for_status=True) as own,
        client(stub, session=own) as duvo,
    ):
        with pytest.raises(NotFoundError):
            await duvo.runs.get(RUN_ID)


async def test_a_session_with_credentials_of_its_own_is_refused() -> None:
    async with aiohttp.ClientSession(headers={"authorization": "Basic eA=="}) as own:
        with pytest.raises(ConfigurationError, match="credentials"):
            AsyncDuvo(KEY, session=own)


async def test_a_retry_policy_is_one() -> None:
    with pytest.raises(TypeError, match="RetryPolicy"):
        AsyncDuvo(KEY, retry=3)  # type: ignore[arg-type] # the mistake


async def test_cancelling_a_call_leaves_the_client_usable() -> None:
    arrived = asyncio.Event()

    async def stall(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await asyncio.sleep(3600)
        return web.Response()

    async with serve(stall, run_answer()) as stub, client(stub) as duvo:
        call = asyncio.create_task(duvo.runs.get(RUN_ID))
        await arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert duvo._session.turns.budget._under_way == {}  # noqa: SLF001 - no slot is lost
        assert (await duvo.runs.get(RUN_ID)).id == RUN_ID


@pytest.mark.filterwarnings("ignore::duvo_async.DuvoSecurityWarning")
async def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(run_answer()) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        async with AsyncDuvo(KEY, base_url="http://api.example") as duvo:
            await duvo.runs.get(RUN_ID)
    assert proxy.asked[0].raw_path.startswith("http://api.example/v1/runs/")
    assert proxy.asked[0].headers["Authorization"] == f"Bearer {KEY}"
    assert "Proxy-Authorization" not in proxy.asked[0].headers


async def test_a_proxy_that_tunnels_sees_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    monkeypatch.setenv("https_proxy", f"http://{host}:{port}")
    async with (
        server,
        AsyncDuvo(KEY, base_url="https://api.example", retry=RetryPolicy(retries=0)) as duvo,
    ):
        for _ in range(2):
            with pytest.raises(APIConnectionError):
                await duvo.runs.get(RUN_ID)
    assert len(heard) == 2
    assert all(each.startswith(b"CONNECT api.example:443 ") for each in heard)
    assert not [each for each in heard if KEY.encode() in each or b"uthorization" in each]


async def test_loopback_needs_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with serve(run_answer()) as stub, client(stub) as duvo:
        assert (await duvo.runs.get(RUN_ID)).id == RUN_ID


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # left by the loops that have ended
def test_a_client_outlives_its_event_loop() -> None:
    async def once(duvo: AsyncDuvo) -> str:
        return (await duvo.runs.get(RUN_ID)).id

    async def in_two_loops() -> None:
        async with serve(run_answer()) as stub:
            duvo = client(stub)
            first = await asyncio.to_thread(asyncio.run, once(duvo))
            second = await asyncio.to_thread(asyncio.run, once(duvo))
            assert first == second == RUN_ID
            await asyncio.to_thread(asyncio.run, duvo.close())

    asyncio.run(in_two_loops())
    gc.collect()


def test_a_client_serves_one_running_loop_at_a_time() -> None:
    async def use(duvo: AsyncDuvo) -> None:
        with pytest.raises(ConfigurationError, match="another event loop"):
            await duvo.runs.get(RUN_ID)

    async def main() -> None:
        async with serve(run_answer()) as stub, client(stub) as duvo:
            await duvo.runs.get(RUN_ID)
            await asyncio.to_thread(asyncio.run, use(duvo))

    asyncio.run(main())
