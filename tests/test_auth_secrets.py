"""Secrets and tokens are in nothing that anybody gets to see."""

import asyncio
import logging
import pickle
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from urllib.parse import quote_plus

import aiohttp
import pytest
from aiohttp import web

from duvo_async import (
    APIError,
    BadRequestError,
    CredentialsError,
    RetryPolicy,
)
from tests.support.discretion import told_by
from tests.support.issuer import CLIENT_ID, CLIENT_SECRET, client, issue
from tests.support.stub import RUN_ID, answer, hang_up

pytestmark = pytest.mark.anyio

ONCE = RetryPolicy(retries=0)
PARTS = (
    "that-nobody-may-see",
    "never",
    quote_plus(CLIENT_SECRET),
    b64encode(f"{CLIENT_ID}:{quote_plus(CLIENT_SECRET)}".encode()).decode(),
)


@contextmanager
def discreet_logs(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.DEBUG, "duvo_async"):
        yield
    assert caplog.records
    told = "\n".join(f"{each.getMessage()} {each.args!r}" for each in caplog.records)
    assert [part for part in PARTS if part in told] == []


def assert_discreet(error: BaseException) -> None:
    text = told_by(error)
    assert [part for part in PARTS if part in text] == []
    if isinstance(error, APIError):
        pickled = pickle.dumps(error)
        assert [part for part in PARTS if part.encode() in pickled] == []


def echo(status: int, code: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Repeat all that was sent, as no server should."""

    async def repeat(request: web.Request) -> web.StreamResponse:
        sent = f"{request.headers.get('Authorization')} {(await request.read()).decode()}"
        said = {"error": code, "error_description": f"{sent} {CLIENT_SECRET}"}
        return answer(status, said)

    return repeat


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize(
    "trouble",
    [
        echo(401, "invalid_client"),
        echo(400, "invalid_scope"),
        echo(503, "temporarily_unavailable"),
        echo(200, "none"),
        answer(200, {"access_token": CLIENT_SECRET, "token_type": "Bearer"}),
        answer(200, {"access_token": "that-nobody-may-see", "token_type": "DPoP"}),
        answer(200, {"access_token": "that-nobody-may-see\n", "token_type": "Bearer"}),
        answer(200, "access_token=that-nobody-may-see"),
        answer(400, {"error": CLIENT_SECRET}),
        hang_up,
    ],
)
async def test_no_error_tells_a_secret(
    method: str, trouble: web.Response, caplog: pytest.LogCaptureFixture
) -> None:
    how = {"token_endpoint_auth_methods_supported": [method]}
    retry = RetryPolicy(retries=1)
    with discreet_logs(caplog):
        async with (
            issue(troubles=[trouble] * 2, server_metadata=how) as issuer,
            client(issuer, retry=retry) as duvo,
        ):
            with pytest.raises((APIError, CredentialsError)) as caught:
                await duvo.runs.get(RUN_ID)
            assert_discreet(caught.value)
            assert CLIENT_SECRET not in repr(duvo)


async def test_no_error_of_the_api_tells_a_token(caplog: pytest.LogCaptureFixture) -> None:
    async def repeat(request: web.Request) -> web.StreamResponse:
        return answer(400, {"message": f"{request.headers['Authorization']} {first[0]}"})

    with discreet_logs(caplog):
        async with issue() as issuer, client(issuer, retry=ONCE) as duvo:
            await duvo.runs.get(RUN_ID)
            first = list(issuer.tokens)
            issuer.revoke()
            issuer.api_troubles = [None, repeat]
            with pytest.raises(BadRequestError) as caught:
                await duvo.runs.get(RUN_ID)
            assert caught.value.message == "Bearer [access token] [access token]"
            assert_discreet(caught.value)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_cancelled_call_tells_no_secret(method: str) -> None:
    how = {"token_endpoint_auth_methods_supported": [method]}
    async with issue(takes=9, server_metadata=how) as issuer, client(issuer) as duvo:
        call = asyncio.create_task(duvo.runs.get(RUN_ID))
        await issuer.asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await call
        assert_discreet(caught.value)


async def test_the_callers_own_session_tells_the_authorization_server_nothing() -> None:
    headers = {"X-Api-Gateway": "for the API alone"}
    async with (
        issue() as issuer,
        aiohttp.ClientSession(headers=headers) as session,
        client(issuer, session=session) as duvo,
    ):
        await duvo.runs.get(RUN_ID)
        assert not session.closed
    assert all("X-Api-Gateway" not in headers for headers in issuer.headers)
