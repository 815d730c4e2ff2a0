"""Fan-outs of several processes on one key, on virtual time, with a real Redis."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis as redis_package
from attrs import define, evolve, field

from duvo_async import AsyncDuvo, Run, RunOutcome, RunStatus
from duvo_async._hints import SeenPage
from duvo_async._protocol import Request, Response
from duvo_async._redis import pages
from duvo_async.emulator import Emulator, Sleep, StartedRun, Step
from duvo_async.models.runs import FollowedRun
from tests.support.in_memory import Fault, client_of
from tests.support.machines import GRACE, Key
from tests.support.redis_server import RedisServer
from tests.support.virtual_time import VirtualTimeLoop, wall_clock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("_no_leaked_tasks")]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": lambda: VirtualTimeLoop(GRACE)}


@pytest.fixture
def key(redis: RedisServer) -> Key:
    return Key(redis.url)


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(clock=wall_clock) as running:
        yield running


async def through(_: Request) -> Response | None:
    return None


async def blind(request: Request) -> Response | None:
    """Let nobody read."""
    if request.method == "GET":
        await asyncio.sleep(1e6)
    return None


@asynccontextmanager
async def machine(
    key: Key, emulator: Emulator, number: int = 0, *, processes: int = 1, fault: Fault = through
) -> AsyncIterator[AsyncDuvo]:
    """Be a process on a machine."""
    async with client_of(
        emulator,
        seed=number,
        turns=key.turns(seed=number),
        peers=key.peers(),
        processes=processes,
        fault=fault,
    ) as duvo:
        yield duvo


@define
class Batch:
    """Runs of many processes.

    Attributes:
        emulator: Runs them.
        outcomes: What became of them.
    """

    emulator: Emulator
    outcomes: list[RunOutcome] = field(factory=list[RunOutcome])
    agent_id: str = ""

    def __attrs_post_init__(self) -> None:
        """Make the agent."""
        self.agent_id = self.emulator.add_agent(self._play)

    @staticmethod
    def _play(run: StartedRun) -> Generator[Step, Any, None]:
        yield Sleep(20 + 7 * int(run.message or 0) % 150)  # from 20 to 169 s

    async def map(self, duvo: AsyncDuvo, messages: range) -> None:
        """Be one process."""
        async for outcome in duvo.runs.map(self.agent_id, [str(each) for each in messages]):
            self.outcomes.append(outcome)

    def check(self, runs: int) -> None:
        """Insist that nothing was lost, and nothing refused."""
        statuses = Counter(each.status for each in self.emulator.requests)
        assert statuses[429] == 0
        assert statuses[201] == runs
        assert all(outcome.succeeded for outcome in self.outcomes)
        assert len({outcome.run_id for outcome in self.outcomes}) == runs


async def apart(key: Key, batch: Batch, processes: int, runs: int) -> None:
    """Share runs among processes."""

    async def one(number: int) -> None:
        async with machine(key, batch.emulator, number, processes=processes) as duvo:
            await batch.map(duvo, range(number, runs, processes))

    async with asyncio.TaskGroup() as group:
        for number in range(processes):
            group.create_task(one(number))


def reads(emulator: Emulator) -> int:
    return sum(request.method == "GET" for request in emulator.requests)


async def test_processes_share_what_they_read(key: Key, emulator: Emulator) -> None:
    batch = Batch(emulator)
    await apart(key, batch, 1, 200)
    alone = reads(emulator)
    async with Emulator(clock=wall_clock) as other:
        shared = Batch(other)
        await apart(evolve(key, name="duvo:{other}"), shared, 4, 200)
        assert reads(other) < 1.5 * alone
    batch.check(200)
    shared.check(200)


async def test_redis_may_be_gone_for_a_minute_and_come_back_empty(
    key: Key, emulator: Emulator, redis: RedisServer
) -> None:
    batch = Batch(emulator)

    async def outage() -> None:
        await asyncio.sleep(50)
        redis.kill()
        await asyncio.sleep(60)
        redis.start()

    async with asyncio.TaskGroup() as group:
        group.create_task(outage())
        group.create_task(apart(key, batch, 4, 400))
    batch.check(400)


async def test_one_that_cannot_read_learns_from_one_that_can(key: Key, emulator: Emulator) -> None:
    batch = Batch(emulator)
    async with machine(key, emulator) as seeing, machine(key, emulator, 1, fault=blind) as other:
        # Those of the one that sees end last.
        await asyncio.gather(batch.map(seeing, range(10, 20)), batch.map(other, range(10)))
        assert asyncio.get_running_loop().time() < 200
    batch.check(20)


async def test_nobody_else_is_believed(key: Key, emulator: Emulator, redis: RedisServer) -> None:
    agent_id = emulator.add_agent([Sleep(100)])

    def forged(run: Run) -> SeenPage:
        row = FollowedRun(
            id=run.id,
            agent_id=agent_id,
            build_id=run.build_id,
            status=RunStatus.COMPLETED,
            started_at=run.created_at,
            completed_at=run.created_at,
            created_at=run.created_at,
            updated_at=run.created_at,
        )
        return SeenPage(run.created_at, 0, (row,), "there")

    async with machine(key, emulator) as duvo:
        run = await duvo.runs.start(agent_id)
        for secret, ends_at in ((b"another key", 100), (key.secret, 30)):
            waiting = asyncio.create_task(duvo.runs.wait(run))
            await asyncio.sleep(30)
            with redis_package.Redis(port=redis.port) as client:
                client.publish(f"{key.name}:pages", pages.written(forged(run), secret))
            started = asyncio.get_running_loop().time() - 30
            assert (await waiting).succeeded
            assert asyncio.get_running_loop().time() - started == pytest.approx(ends_at, abs=3)
            run = await duvo.runs.start(agent_id)


async def test_who_listens_listens_again(key: Key, emulator: Emulator, redis: RedisServer) -> None:
    batch = Batch(emulator)
    async with machine(key, emulator) as seeing, machine(key, emulator, 1, fault=blind) as other:
        both = asyncio.gather(batch.map(seeing, range(10, 20)), batch.map(other, range(10)))
        await asyncio.sleep(5)
        redis.kill()
        redis.start()
        await both
        assert asyncio.get_running_loop().time() < 200
    batch.check(20)


async def test_another_loop_closes_nothing_of_this_one(key: Key) -> None:
    peers = key.peers()
    peers.listen(lambda _: None)
    assert peers._listener is not None  # noqa: SLF001 - which belongs to this loop

    def elsewhere() -> None:
        async def close() -> None:
            await peers.close()  # which is not its to close

        asyncio.run(close())

    await asyncio.to_thread(elsewhere)
    assert not peers._listener.done()  # noqa: SLF001 - as above
    await peers.close()
    assert peers._listener.done()  # noqa: SLF001 - as above
