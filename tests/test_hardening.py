"""What a client refuses, and warns of, so that nothing gets out and nothing fills the memory."""

import gzip
import pickle
import ssl
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from duvo_async import (
    AsyncDuvo,
    ClientCredentials,
    ConfigurationError,
    Duvo,
    DuvoSecurityWarning,
    NotFoundError,
    ResponseDecodeError,
    RetryPolicy,
    ServerError,
)
from duvo_async.emulator import Emulator
from tests.support.discretion import told_by
from tests.support.stub import RUN_ID, answer, run_answer, serve

pytestmark = pytest.mark.anyio

KEY = "dv_a_key_that_must_never_be_seen"
ONCE = RetryPolicy(retries=0)


def small(url: str, **how: Any) -> AsyncDuvo:  # noqa: ANN401 - as a client takes them
    return AsyncDuvo(KEY, base_url=url, max_response_bytes=10_000, **how)


# --- sizes ---------------------------------------------------------------------------------------


async def test_an_answer_that_is_too_large_is_refused_and_not_asked_for_again() -> None:
    async with serve(answer(200, b"x" * 10_001)) as stub, small(stub.url) as duvo:
        with pytest.raises(ResponseDecodeError, match=r"more than 10,000 bytes \(max_") as caught:
            await duvo.runs.start("agent", idempotency_key="k")
    assert len(stub.asked) == 1
    assert caught.value.may_have_been_done
    assert caught.value.idempotency_key == "k"
    assert KEY not in told_by(caught.value)


async def test_an_answer_of_just_that_size_is_read() -> None:
    async with serve(answer(200, b"x" * 10_000)) as stub, small(stub.url) as duvo:
        body = await duvo.request("GET", "/x", cast_to=bytes)
        assert len(body) == 10_000


@pytest.mark.parametrize(("status", "kind"), [(404, NotFoundError), (500, ServerError)])
async def test_a_refusal_that_is_too_large_is_the_refusal_that_it_is(
    status: int, kind: type[Exception]
) -> None:
    async with serve(answer(status, b"x" * 50_000)) as stub, small(stub.url, retry=ONCE) as duvo:
        with pytest.raises(kind):
            await duvo.runs.get(RUN_ID)
        stub.answers = [run_answer("completed")]
        assert (await duvo.runs.get(RUN_ID)).succeeded


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress)],
)
async def test_a_bomb_is_unpacked_no_further_than_it_may(
    encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    bomb = pack(bytes(100_000_000))
    assert len(bomb) < 200_000
    async with serve(answer(200, bomb, Content_Encoding=encoding)) as stub, small(stub.url) as duvo:
        tracemalloc.start()
        try:
            with pytest.raises(ResponseDecodeError, match="more than 10,000 bytes"):
                await duvo.runs.get(RUN_ID)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "1", None])
def test_a_size_is_a_count(wrong: Any) -> None:  # noqa: ANN401 - it is wrong
    with pytest.raises((TypeError, ConfigurationError), match="max_response_bytes must be"):
        AsyncDuvo(KEY, max_response_bytes=wrong)


def test_the_blocking_client_has_it_too() -> None:
    with (
        Emulator() as emulator,
        Duvo(emulator.api_key, base_url=emulator.url, max_response_bytes=10) as duvo,
        pytest.raises(ResponseDecodeError, match="more than 10 bytes"),
    ):
        duvo.runs.get(emulator.start_run(emulator.demo_agent_id))


# --- the key and the wire ------------------------------------------------------------------------


@pytest.mark.parametrize("make", [AsyncDuvo, Duvo])
@pytest.mark.parametrize(
    "url", ["http://api.duvo.test", "http://10.0.0.7:8000/v1", "http://localhost.example"]
)
def test_credentials_in_the_open_are_warned_of_at_the_callers_line(
    make: Callable[..., AsyncDuvo | Duvo], url: str
) -> None:
    with pytest.warns(DuvoSecurityWarning, match="over http://") as caught:
        make(KEY, base_url=url)
    (warning,) = caught
    assert warning.filename == __file__
    assert KEY not in str(warning.message)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.duvo.test",
        "http://localhost:1",
        "http://api.localhost",
        "http://127.0.0.9:1",
        "http://[::1]:1",
    ],
)
def test_what_stays_here_or_is_encrypted_is_not(url: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AsyncDuvo(KEY, base_url=url)


def _lax() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    return context


def _blind() -> ssl.SSLContext:
    context = _lax()
    context.verify_mode = ssl.CERT_NONE
    return context


@pytest.mark.parametrize("how", [lambda: False, _lax, _blind])
async def test_a_session_that_believes_any_certificate_is_refused(
    how: Callable[[], ssl.SSLContext | bool],
) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=how())) as session:
        with pytest.raises(ConfigurationError, match="does not verify certificates"):
            AsyncDuvo(KEY, session=session)


@pytest.mark.parametrize("how", [lambda: True, ssl.create_default_context])
async def test_a_session_with_certificates_of_its_own_is_taken(
    how: Callable[[], ssl.SSLContext | bool],
) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=how())) as session:
        assert AsyncDuvo(KEY, session=session).base_url


@pytest.mark.parametrize(
    ("path", "params"),
    [
        (f"/x?key={KEY}", {}),
        (f"/x/{KEY}", {}),
        (f"/x/{KEY.replace('_', '%5F')}", {}),
        ("/x", {"key": KEY}),
        ("/x", {"a": ["b", f"Bearer {KEY}"]}),
        ("/x", {KEY: "a"}),
    ],
)
async def test_the_key_goes_into_no_url(path: str, params: dict[str, Any]) -> None:
    async with serve(answer(200, {})) as stub, AsyncDuvo(KEY, base_url=stub.url) as duvo:
        with pytest.raises(ValueError, match="must not hold the credentials") as caught:
            await duvo.request("GET", path, params=params)
        assert KEY not in str(caught.value)
    assert stub.asked == []


@pytest.mark.parametrize("url", [f"https://h/{KEY}", f"https://h/{KEY.replace('_', '%5f')}/v1"])
def test_nor_into_the_base_url(url: str) -> None:
    with pytest.raises(ConfigurationError, match="must not hold the credentials") as caught:
        AsyncDuvo(KEY, base_url=url)
    assert KEY not in str(caught.value)
    with pytest.raises(ConfigurationError, match="must not hold the credentials"):
        AsyncDuvo(auth=ClientCredentials("id", KEY), base_url=url)


def test_words_that_a_key_happens_to_be_are_no_secrets() -> None:
    assert AsyncDuvo("test", base_url="https://test.example/test").base_url
    assert AsyncDuvo(KEY, base_url=f"https://{KEY.replace('_', '-')}.example").base_url


HOSTILE = ["a\r\nX-Evil: 1", "a\nb", "a\x00b", "\x7f", "ключ", "a\u2028b"]


@pytest.mark.parametrize("text", HOSTILE)
async def test_nothing_that_goes_into_a_header_ends_it(text: str) -> None:
    async with serve(answer(200, {})) as stub:
        with pytest.raises(ConfigurationError):
            AsyncDuvo(f"dv_{text}", base_url=stub.url)
        async with AsyncDuvo(KEY, base_url=stub.url) as duvo:
            with pytest.raises(ValueError, match="idempotency_key"):
                await duvo.runs.start("agent", idempotency_key=text)
            with pytest.raises(ValueError, match="content_type"):
                await duvo.request("POST", "/x", data=b"", content_type=f"text/{text}")
            with pytest.raises(ValueError, match="method"):
                await duvo.request(f"GET{text}", "/x")
            with pytest.raises(ValueError, match="idempotency_key"):
                await duvo.with_options(idempotency_key=text).runs.start("agent")
        async with AsyncDuvo(auth=lambda: text, base_url=stub.url, retry=ONCE) as duvo:
            with pytest.raises(ConfigurationError):
                await duvo.runs.get(RUN_ID)
    assert stub.asked == []


# --- elsewhere -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_another_host_is_never_asked(status: int) -> None:
    async with serve(run_answer()) as other:
        there = web.Response(status=status, headers={"Location": f"{other.url}/v1/runs/{RUN_ID}"})
        async with serve(there) as stub, AsyncDuvo(KEY, base_url=stub.url, retry=ONCE) as duvo:
            for call in (duvo.runs.get(RUN_ID), duvo.runs.start("agent")):
                with pytest.raises(Exception, match="redirected"):
                    await call
            with pytest.raises(Exception, match="redirected"):
                await duvo.sandboxes.upload("s", b"data", path="a")
        assert len(stub.asked) == 3
        assert other.asked == []


@pytest.mark.parametrize("make", [AsyncDuvo, Duvo])
def test_a_client_is_not_pickled(make: Callable[..., AsyncDuvo | Duvo]) -> None:
    client = make(KEY)
    with pytest.raises(TypeError, match="make one in the process that uses it"):
        pickle.dumps(client)
