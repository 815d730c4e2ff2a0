"""Tokens that a callable of the user's own gives."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from duvo_async import (
    AsyncDuvo,
    AuthenticationError,
    BadRequestError,
    CredentialsError,
)
from duvo_async.auth import CallableAuth
from tests.support.discretion import told_by
from tests.support.stub import RUN_ID, answer, run_answer, serve

pytestmark = pytest.mark.anyio

REFUSED = answer(401, {"error": "invalid_token"})


def source_of(*given: object) -> Callable[[], Any]:
    """Give one after the other, and the last again and again."""
    left = list(given)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def waited_for(source: Callable[[], Any]) -> Callable[[], Awaitable[Any]]:
    async def give() -> object:
        await asyncio.sleep(1)
        return source()

    return give


@pytest.mark.parametrize("wrap", [lambda source: source, waited_for])
async def test_a_callable_is_asked_for_each_request(wrap: Callable[[Any], Any]) -> None:
    auth = wrap(source_of("one", "two", "three"))
    async with (
        serve(answer(503), run_answer()) as stub,
        AsyncDuvo(auth=auth, base_url=stub.url) as duvo,
    ):
        await duvo.runs.get(RUN_ID)
        await duvo.runs.get(RUN_ID)
    sent = [asked.headers["Authorization"] for asked in stub.asked]
    assert sent == ["Bearer one", "Bearer two", "Bearer three"]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("", "nothing in it"),
        (" ", "nothing in it"),
        ("secret-1\n", "newline at position 8"),
        ("Bearer secret-1", "without 'Bearer'"),
        ("secr\u00e9t-1", "position 4"),
    ],
)
async def test_what_a_callable_gives_is_checked(given: str, problem: str) -> None:
    async with (
        serve(run_answer()) as stub,
        AsyncDuvo(auth=lambda: given, base_url=stub.url) as duvo,
    ):
        with pytest.raises(CredentialsError, match=problem) as caught:
            await duvo.runs.get(RUN_ID)
    assert not stub.asked
    assert "secr" not in told_by(caught.value)


@pytest.mark.parametrize("given", [None, b"secret-1", 7])
async def test_what_a_callable_gives_is_text(given: object) -> None:
    async with AsyncDuvo(auth=source_of(given), base_url="https://duvo.invalid") as duvo:
        with pytest.raises(TypeError, match="must return a string") as caught:
            await duvo.runs.get(RUN_ID)
    assert "secret" not in told_by(caught.value)


async def test_what_a_callable_raises_goes_through() -> None:
    def fail() -> str:
        raise LookupError("the vault is closed")

    async with AsyncDuvo(auth=fail, base_url="https://duvo.invalid") as duvo:
        with pytest.raises(LookupError, match="vault"):
            await duvo.runs.get(RUN_ID)


async def test_a_refused_token_of_a_callable_is_not_sent_again() -> None:
    async with serve(REFUSED) as stub, AsyncDuvo(auth=lambda: "t", base_url=stub.url) as duvo:
        with pytest.raises(AuthenticationError):
            await duvo.runs.get(RUN_ID)
    assert len(stub.asked) == 1


async def test_a_refused_token_that_was_replaced_meanwhile_is() -> None:
    auth = source_of("old", "new")

    async def refuse_slowly(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return answer(401, {"error": "invalid_token"})

    async with (
        serve(refuse_slowly, run_answer()) as stub,
        AsyncDuvo(auth=auth, base_url=stub.url) as duvo,
    ):
        slow = asyncio.create_task(duvo.runs.get(RUN_ID))
        await asyncio.sleep(1)
        await duvo.runs.get(RUN_ID)
        await slow
    sent = [asked.headers["Authorization"] for asked in stub.asked]
    assert sent == ["Bearer old", "Bearer new", "Bearer new"]


async def test_a_token_of_a_callable_that_is_repeated_is_blotted_out() -> None:
    echo = answer(400, {"error": "bad", "message": "what is old-secret to me?"})
    auth = source_of("old-secret", "new-secret")
    async with serve(echo) as stub, AsyncDuvo(auth=auth, base_url=stub.url) as duvo:
        for _ in range(2):
            with pytest.raises(BadRequestError) as caught:
                await duvo.runs.get(RUN_ID)
            assert caught.value.message == "what is [access token] to me?"


async def test_tokens_are_not_remembered_for_ever() -> None:
    numbers = iter(range(1000))
    auth = CallableAuth(lambda: f"token-{next(numbers)}-end")
    for _ in range(100):
        await auth.authorization()
    assert auth.redact(b"token-99-end token-50-end") == b"[access token] [access token]"
    assert auth.redact(b"token-1-end") == b"token-1-end"
