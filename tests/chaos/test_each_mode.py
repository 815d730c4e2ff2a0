"""Each thing that goes wrong, alone and always: the call succeeds, or fails as what it is."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from attrs import frozen

from duvo_async import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    AsyncDuvo,
    BadGatewayError,
    RateLimitError,
    ResponseDecodeError,
    Run,
    ServerError,
    WaitTimeout,
)
from duvo_async.emulator import AskApproval, Emulator, Say, StartedRun, Step
from tests.chaos.saboteur import KINDS, MODES, Saboteur, sabotaged
from tests.support.proxy import Seen
from tests.support.virtual_time import wall_clock

pytestmark = [pytest.mark.anyio, pytest.mark.once, pytest.mark.no_cover]

EXPECTED: dict[str, type[APIError] | None] = {
    "refused": APIConnectionError,
    "closed": APIConnectionError,
    "lost": APIConnectionError,
    "reset before": APIConnectionError,
    "reset during": APIConnectionError,
    "closed idle": None,
    "truncated": APIConnectionError,
    "garbage": ResponseDecodeError,
    "stalled": APITimeoutError,
    "dripping": None,
    "too long": APIConnectionError,
    "too short": APIConnectionError,  # as more comes than was announced
    "429 seconds": RateLimitError,
    "429 date": RateLimitError,
    "429": RateLimitError,
    "429 absurd": RateLimitError,
    "429 nonsense": RateLimitError,
    "500": ServerError,
    "502": BadGatewayError,
    "503": ServerError,
}
AT_ONCE = {"garbage", "429 absurd"}
"""What repeating is no remedy for: the answer came, or asks for more patience than there is."""
ATTEMPTS, TIMEOUT, STALL = 5, 30, 61
BACKOFF = 0.5 + 1 + 2 + 4
ASKED = 4 * (3 + 1 + 0.5)
"""Seconds that an attempt may take, and those between attempts: by the policy, and by what is asked
for with the spread of those who were asked at once."""
WAIT = 60


@frozen
class World:
    """What calls are made on.

    Attributes:
        duvo: The client, behind the saboteur.
        emulator: The API.
        agent_id: An agent.
        sandbox_id: A sandbox.
        run: A run that asks.
        ended: A run that has ended.
        started: The runs that were started with an agent's id.
    """

    duvo: AsyncDuvo
    emulator: Emulator
    agent_id: str
    sandbox_id: str
    run: Run
    ended: Run
    started: set[str]


@asynccontextmanager
async def world_of(mode: str | None, times: int) -> AsyncGenerator[tuple[World, Saboteur], None]:
    """Make a world in which this happens to so many requests."""
    chance = random.Random(mode)  # noqa: S311 - what is garbage
    left = times

    def choose(_: Seen) -> str | None:
        nonlocal left
        left -= 1
        return mode if left >= 0 else None

    started: set[str] = set()

    def note(run: StartedRun) -> Generator[Step, Any, None]:
        started.add(run.run_id)
        yield Say("done")

    async with Emulator(clock=wall_clock) as emulator:
        agent = emulator.add_agent(note)
        async with AsyncDuvo(emulator.api_key, base_url=emulator.url) as direct:
            sandbox = await direct.sandboxes.create()
            asking = await direct.runs.start(emulator.add_agent([AskApproval("Post?")]))
            ended = await direct.runs.execute(emulator.add_agent([Say("done")]))
            run = await direct.runs.get(asking.id)
        assert run.pending_human_request is not None
        async with (
            sabotaged(emulator.url, choose, chance) as saboteur,
            AsyncDuvo(emulator.api_key, base_url=saboteur.url) as duvo,
        ):
            yield World(duvo, emulator, agent, sandbox.sandbox_id, run, ended, started), saboteur


async def answer(world: World) -> None:
    request = world.run.pending_human_request
    assert request is not None
    await world.duvo.runs.answer(world.run, request.approve())


CALLS: dict[str, tuple[Callable[[World], Awaitable[Any]], float]] = {
    "get": (lambda world: world.duvo.runs.get(world.run.id), TIMEOUT),
    "start": (lambda world: world.duvo.runs.start(world.agent_id, message="m"), TIMEOUT),
    "answer": (answer, TIMEOUT),
    "wait": (lambda world: world.duvo.runs.wait(world.ended.id, timeout=WAIT), WAIT),
    "upload": (
        lambda world: world.duvo.sandboxes.upload(world.sandbox_id, b"data", path="a.csv"),
        STALL,
    ),
}


async def within(seconds: float, call: Awaitable[Any]) -> APIError | WaitTimeout | None:
    """Give what a call raised; insist that it ends in time."""
    begun = asyncio.get_running_loop().time()
    try:
        await call
    except (APIError, WaitTimeout) as error:
        raised: APIError | WaitTimeout | None = error
    else:
        raised = None
    assert asyncio.get_running_loop().time() - begun <= seconds
    return raised


def patience(seconds: float, attempts: int = ATTEMPTS) -> float:
    """Tell how long a call may take: each attempt its time, and what is waited between them."""
    return attempts * seconds + max(BACKOFF, ASKED) + 1


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("mode", MODES)
async def test_always(mode: str, name: str) -> None:
    call, seconds = CALLS[name]
    async with world_of(mode, 10_000) as (world, saboteur):
        error = await within(WAIT + 1 if name == "wait" else patience(seconds), call(world))
        expected = EXPECTED[mode]
        if name == "wait" and isinstance(error, WaitTimeout):
            assert expected is not None  # it was patient, as it may
        elif expected is None:
            assert error is None
        else:
            assert type(error) is expected
        if mode in AT_ONCE and name != "wait":
            assert saboteur.seen[mode] == 1
        if name == "start" and isinstance(error, APIError):
            await settled(world, error)
        await asyncio.sleep(TIMEOUT)  # a look that nobody waits for any more may still end
        assert pooled(world.duvo)
        if expected is not None:
            assert isinstance(error, (APIError, WaitTimeout))
            assert world.emulator.api_key not in str(error)


async def settled(world: World, error: APIError) -> None:
    """Insist that a failed start is cleared up with its key, and that it knew what it said."""
    assert len(world.started) <= 1
    world.emulator.advance()
    if world.started:
        assert error.may_have_been_done
        assert "The run may have started" in str(error)
        assert repr(error.idempotency_key) in str(error)
    async with AsyncDuvo(world.emulator.api_key, base_url=world.emulator.url) as direct:
        run = await direct.runs.start(
            world.agent_id, message="m", idempotency_key=error.idempotency_key
        )
        assert (await direct.runs.wait(run)).succeeded
    assert world.started == {run.id}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("mode", [each for each in MODES if each not in AT_ONCE])
async def test_once(mode: str, name: str) -> None:
    call, seconds = CALLS[name]
    async with world_of(mode, 1) as (world, saboteur):
        error = await within(patience(seconds, 2), call(world))
        assert error is None
        assert saboteur.seen[mode] == 1
        assert pooled(world.duvo)
        assert len(world.started) <= 1
        assert (await world.duvo.runs.get(world.ended.id)).succeeded


def pooled(duvo: AsyncDuvo) -> bool:
    """Tell whether no connection is in use, so that none can be lost."""
    session = duvo._session._transport._session  # type: ignore[attr-defined]  # noqa: SLF001
    return not session.connector._acquired  # noqa: SLF001 - there is no other way to see it


async def test_nobody_there() -> None:
    url = "http://127.0.0.1:9"  # discard, which nobody serves
    async with AsyncDuvo("dv_key", base_url=url) as duvo:
        error = await within(patience(TIMEOUT), duvo.runs.start("agent"))
        assert type(error) is APIConnectionError
        assert not error.may_have_been_done
        assert "may have" not in str(error)


def test_every_mode_has_its_expectation_and_is_among_the_kinds() -> None:
    assert EXPECTED.keys() == MODES.keys() == {name for kind in KINDS for name in kind}
