"""What one more waiting run costs in memory and time: `python -m benchmarks.waiters`.

Memory is what is allocated for each of many waiting runs beyond the runs themselves. Time is the
client's CPU for each page of the list, sent, decoded and joined to the runs that wait.
"""

import argparse
import asyncio
import gc
import tracemalloc
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from time import process_time

from attrs import define

from benchmarks.table import Row
from duvo_async import AsyncDuvo, Run
from duvo_async._pacing import Budget
from duvo_async.emulator import Emulator, Request, Response, Sleep
from tests.support.in_memory import client_of
from tests.support.virtual_time import VirtualTimeLoop, wall_clock

FOREVER = 1e6
"""Seconds; such a run does not end here."""
PLENTY = 10**9
"""Requests a minute; such a budget is never spent."""


@define(kw_only=True, eq=False)
class TimedEmulator(Emulator):
    """Takes the time that it needs itself, to be taken out of the client's."""

    seconds: float = 0.0
    answered: int = 0

    def handle(self, request: Request) -> Response:
        """Answers a request."""
        begun = process_time()
        try:
            return super().handle(request)
        finally:
            self.answered += 1
            self.seconds += process_time() - begun


@asynccontextmanager
async def started(
    runs: int,
) -> AsyncGenerator[tuple[TimedEmulator, AsyncDuvo, list[Run]], None]:
    """Start runs that do not end."""
    async with TimedEmulator(clock=wall_clock, seed=0, requests_per_minute=None) as emulator:
        emulator.keeps_requests = False
        agent_id = emulator.add_agent([Sleep(FOREVER)])
        budget = Budget(requests_per_minute=PLENTY, reserve=0)
        async with client_of(emulator, budget=budget, requests_per_minute=PLENTY) as duvo:
            yield emulator, duvo, [await duvo.runs.start(agent_id) for _ in range(runs)]


async def in_tasks(duvo: AsyncDuvo, runs: list[Run]) -> None:
    """Wait for each run in a task of its own."""
    async with asyncio.TaskGroup() as group:
        for run in runs:
            group.create_task(duvo.runs.wait(run))


async def together(duvo: AsyncDuvo, runs: list[Run]) -> None:
    """Wait for all runs in one iteration."""
    async for _ in duvo.runs.wait_many(runs):
        pass


Wait = Callable[[AsyncDuvo, list[Run]], Awaitable[None]]


async def memory(wait: Wait, runs: int) -> float:
    """Measure the bytes that are allocated for waiting."""
    async with started(runs) as (_, duvo, known):
        gc.collect()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            waiting = asyncio.ensure_future(wait(duvo, known))
            await asyncio.sleep(60)  # until all have found their pages
            gc.collect()
            allocated = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return allocated


async def page_cpu(runs: int) -> float:
    """Measure the CPU seconds of the client for a page of the list."""
    async with started(runs) as (emulator, duvo, known):
        waiting = asyncio.ensure_future(together(duvo, known))
        await asyncio.sleep(60)  # until all have found their pages
        begun, others, answered = process_time(), emulator.seconds, emulator.answered
        await asyncio.sleep(120)
        spent = process_time() - begun - (emulator.seconds - others)
        pages = emulator.answered - answered
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return spent / pages


def measured(measure: Awaitable[float]) -> float:
    """Measure something on virtual time."""

    async def main() -> float:
        return await measure

    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(grace=0)) as runner:
        return runner.run(main())


def rows(*, runs: int = 1000) -> Iterable[Row]:
    """Measure for the table of all benchmarks.

    Args:
        runs: How many wait.

    Yields:
        The figures.
    """
    for name, wait in {"in wait_many": together, "in a task each": in_tasks}.items():
        yield Row("waiters", f"bytes of a waiting run, {runs:,} {name}", of_one_more(wait, runs))
    yield Row("waiters", f"ms a page, {runs:,} waiting", measured(page_cpu(runs)) * 1e3)


def of_one_more(wait: Wait, runs: int) -> float:
    """Measure the bytes of one run more: the difference between many and a tenth of them."""
    few = runs // 10
    return (measured(memory(wait, runs)) - measured(memory(wait, few))) / (runs - few)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="*", default=[1000, 2000, 5000, 10000])
    options = parser.parse_args()
    print(f"{'waiting':>8} {'bytes in wait_many':>20} {'in a task':>12} {'ms a page':>12}")
    for runs in options.runs:
        each = [of_one_more(wait, runs) for wait in (together, in_tasks)]
        print(f"{runs:8d} {each[0]:20.0f} {each[1]:12.0f} {measured(page_cpu(runs)) * 1e3:12.2f}")


if __name__ == "__main__":
    main()
