"""Workers: what they are made of, and what their waits cost the API."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from attrs import define
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from duvo_async import AsyncDuvo, ConfigurationError, Run
from duvo_async.emulator import Emulator, Sleep
from duvo_async.temporal import DuvoActivities, WaitForRun, duvo_worker
from tests.support.in_memory import client_of
from tests.support.patience import limited
from tests.support.virtual_time import VirtualTimeLoop, wall_clock

MANY = 200


@limited
@pytest.mark.anyio
async def test_a_client_that_cannot_convert_models_is_refused(
    address: str, duvo: AsyncDuvo
) -> None:
    temporal = await Client.connect(address)
    with pytest.raises(ConfigurationError, match="data_converter"):
        duvo_worker(temporal, duvo)


@limited
@pytest.mark.anyio
@pytest.mark.parametrize(
    "wrong", ["max_concurrent_activities", "starts_per_second", "grace", "max_cached_workflows"]
)
async def test_numbers_that_cannot_be_are_refused(
    wrong: str, temporal: Client, duvo: AsyncDuvo
) -> None:
    with pytest.raises(ValueError, match=wrong):
        duvo_worker(temporal, duvo, **{wrong: -1})  # type: ignore[arg-type] # a parameter


@limited
@pytest.mark.anyio
async def test_a_worker_works_until_it_is_told_to_end(
    temporal: Client, duvo: AsyncDuvo, queue: str
) -> None:
    worker = duvo_worker(temporal, duvo, task_queue=queue)
    working = asyncio.create_task(worker.run())
    worker.shutdown()
    await working


@limited
@pytest.mark.anyio
async def test_a_worker_that_cannot_work_says_why(
    address: str, temporal: Client, duvo: AsyncDuvo, queue: str
) -> None:
    nowhere = await Client.connect(
        address, namespace="nowhere", data_converter=temporal.data_converter
    )
    with pytest.raises(RuntimeError, match="nowhere"):
        await duvo_worker(nowhere, duvo, task_queue=queue).run()
    with pytest.raises(RuntimeError, match="nowhere"):
        async with duvo_worker(nowhere, duvo, task_queue=queue):
            await asyncio.Event().wait()  # nobody will ever be told


@limited
@pytest.mark.anyio
async def test_what_is_raised_in_a_workers_context_is_raised_as_it_is(
    temporal: Client, duvo: AsyncDuvo, queue: str
) -> None:
    with pytest.raises(LookupError):
        async with duvo_worker(temporal, duvo, task_queue=queue):
            raise LookupError


@limited
@pytest.mark.anyio
async def test_a_worker_that_is_cancelled_ends_its_work(
    temporal: Client, duvo: AsyncDuvo, queue: str
) -> None:
    working = asyncio.create_task(duvo_worker(temporal, duvo, task_queue=queue).run())
    await asyncio.sleep(0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working


@define(kw_only=True, eq=False)
class CountedEmulator(Emulator):
    """Counts reads."""

    def reads(self) -> int:
        return sum(each.method == "GET" for each in self.requests)


async def durably(duvo: AsyncDuvo, runs: list[Run]) -> None:
    does = DuvoActivities(duvo)
    async with asyncio.TaskGroup() as group:
        for run in runs:
            group.create_task(ActivityEnvironment().run(does.wait, WaitForRun(run_id=run.id)))


async def plainly(duvo: AsyncDuvo, runs: list[Run]) -> None:
    async with asyncio.TaskGroup() as group:
        for run in runs:
            group.create_task(duvo.runs.wait(run.id))


def reads(wait: Callable[[AsyncDuvo, list[Run]], Awaitable[None]]) -> int:
    """Count the reads of many waits, on virtual time."""

    async def main() -> int:
        async with CountedEmulator(clock=wall_clock, seed=0, requests_per_minute=None) as emulator:
            agent_id = emulator.add_agent([Sleep(1800)])
            async with client_of(emulator) as duvo:
                runs = [await duvo.runs.start(agent_id) for _ in range(MANY)]
                await wait(duvo, runs)
                return emulator.reads()

    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(grace=0)) as runner:
        return runner.run(main())


def test_many_durable_waits_read_as_much_as_plain_ones() -> None:
    durable = reads(durably)
    assert durable == reads(plainly)
    assert durable < MANY * 10  # in half an hour, since pages are read, and no run by itself


@limited
@pytest.mark.anyio
async def test_starts_have_a_queue_and_a_rate_of_their_own(
    temporal: Client, duvo: AsyncDuvo
) -> None:
    waits, starts = (each.config() for each in duvo_worker(temporal, duvo)._workers)  # noqa: SLF001 - nothing else tells
    assert (waits["task_queue"], starts["task_queue"]) == ("duvo", "duvo-starts")
    assert waits["max_concurrent_activities"] == 2000
    assert waits["max_task_queue_activities_per_second"] is None
    assert waits["graceful_shutdown_timeout"].total_seconds() == 0
    assert starts["max_task_queue_activities_per_second"] == 4
    assert starts["graceful_shutdown_timeout"].total_seconds() == 10
    told = duvo_worker(temporal, duvo, task_queue="q", starts_per_second=7, grace=1)
    waits, starts = (each.config() for each in told._workers)  # noqa: SLF001 - as above
    assert (waits["task_queue"], starts["task_queue"]) == ("q", "q-starts")
    assert starts["max_task_queue_activities_per_second"] == 7
    assert starts["graceful_shutdown_timeout"].total_seconds() == 1
