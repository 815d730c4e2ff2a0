"""Clients that share a budget, over real sockets."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from random import random

import pytest
import redis as redis_package

from duvo_async import AsyncDuvo, ClientCredentials, Duvo
from duvo_async._pacing import Budget, Lane
from duvo_async._redis.link import Link
from duvo_async._redis.turns import SharedTurns
from duvo_async._turns import Limits
from duvo_async.credentials import Secret
from duvo_async.emulator import Emulator, Say
from tests.support.redis_server import RedisServer


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"debug": True}  # on the time of the processes that are spoken to


@pytest.fixture
async def emulator(_no_leaked_tasks: None) -> AsyncIterator[Emulator]:
    async with Emulator() as running:
        yield running


@pytest.fixture
def outside() -> Iterator[Emulator]:
    """An emulator in a thread of its own."""
    with Emulator() as running:
        yield running


def under_way(redis: RedisServer) -> dict[str, int]:
    """Tell what Redis knows of each budget."""
    with redis_package.Redis(port=redis.port, decode_responses=True) as client:
        budgets = [name for name in client.scan_iter() if client.type(name) == "hash"]
        return {name: int(client.hget(name, "under_way") or 0) for name in budgets}


@pytest.mark.anyio
async def test_two_clients_of_a_key_have_one_budget(redis: RedisServer, emulator: Emulator) -> None:
    agent_id = emulator.add_agent([Say("Posted.")])
    others = ClientCredentials(*emulator.add_client())
    async with (
        AsyncDuvo(emulator.api_key, base_url=emulator.url, budget=redis.url) as one,
        AsyncDuvo(emulator.api_key, base_url=emulator.url, budget=redis.url) as same,
        AsyncDuvo(auth=others, base_url=emulator.url, budget=redis.url) as other,
    ):
        run = await one.runs.execute(agent_id)
        await asyncio.gather(*(same.runs.get(run.id) for _ in range(20)))
        await other.runs.get(run.id)
    known = under_way(redis)
    assert len(known) == 2
    assert [*known.values()] == [0, 0]
    assert emulator.api_key not in str(known)


@pytest.mark.anyio
async def test_credentials_of_a_client_have_one_too(redis: RedisServer, emulator: Emulator) -> None:
    agent_id = emulator.add_agent([Say("Posted.")])
    auth = ClientCredentials(emulator.client_id, emulator.client_secret)
    async with AsyncDuvo(auth=auth, base_url=emulator.url, budget=redis.url) as duvo:
        assert (await duvo.runs.execute(agent_id)).succeeded
    assert len(under_way(redis)) == 1


def test_a_blocking_client_shares_it(redis: RedisServer, outside: Emulator) -> None:
    agent_id = outside.add_agent([Say("Posted.")])
    with Duvo(outside.api_key, base_url=outside.url, budget=redis.url, processes=2) as duvo:
        outcomes = [*duvo.runs.map(agent_id, ["one", "two", "three"])]
    assert all(outcome.succeeded for outcome in outcomes)
    assert [*under_way(redis).values()] == [0]


def test_turns_may_be_taken_in_one_loop_after_another(redis: RedisServer) -> None:
    turns = SharedTurns(Budget(), lambda: Link(Secret(redis.url), "duvo:{test}"), "here", random)
    turns.join(limits := Limits())

    async def take() -> None:
        turns.release(await turns.wait(Lane.CALL))
        assert not turns.narrow
        await turns.close()

    asyncio.run(take())
    asyncio.run(take())
    turns.leave(limits)
    assert [*under_way(redis).values()] == [0]


@pytest.mark.no_cover
def test_without_the_extra_the_error_names_it() -> None:
    program = """
import sys
sys.modules["redis"] = None
import duvo_async
try:
    duvo_async.AsyncDuvo("dv_key", budget="redis://127.0.0.1")
except duvo_async.ConfigurationError as error:
    print(error)
"""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-W", "error", "-c", program], capture_output=True, check=True, text=True
    )
    assert 'pip install "duvo-async[redis]"' in done.stdout
