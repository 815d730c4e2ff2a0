"""What it takes to share a key's budget through Redis: `python -m benchmarks.machines`.

The processes are clients in one process, each with connections of its own to a real Redis, on a
virtual clock that waits for what Redis says. What an acquire costs is measured on real time.
"""

import argparse
import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory
from time import perf_counter

from attrs import frozen

from benchmarks import table
from benchmarks.policies import list_sweep
from benchmarks.table import Row
from benchmarks.trials import Case, Figures, Trial, simulate
from duvo_async._pacing import Lane
from duvo_async._redis.link import Link
from duvo_async._redis.script import Ask, Wishes, words
from duvo_async.credentials import Secret
from tests.support.machines import GRACE, Key
from tests.support.redis_server import RedisServer, running

PROCESSES = (2, 4, 10)
RUNS = 1000
SEEDS = 3
GONE_AT = (50.0, 100.0, 181.0)
"""When Redis is killed: while starts wait, between windows, and while runs are only watched."""
GONE_FOR = 60.0
_MOST_LAG = 1.3
_MOST_COST = 1.5
_ROUNDS = 2000


@frozen
class Together:
    """Processes that share the runs and the budget of a key.

    Attributes:
        server: Where Redis is.
        name: The name of the budget.
        gone_at: When Redis is killed, to come back empty. None for never.
    """

    server: RedisServer
    name: str
    gone_at: float | None = None

    async def __call__(self, trial: Trial) -> None:
        """Start the runs of a trial and wait for them."""
        key = Key(self.server.url, self.name)

        async def one(process: int) -> None:
            turns, peers = key.turns(seed=process), key.peers()
            async with trial.client(process=process, turns=turns, peers=peers) as duvo:
                await trial.map(duvo, process)

        async with asyncio.TaskGroup() as group:
            for process in range(trial.case.processes):
                group.create_task(one(process))
            if self.gone_at is not None:
                group.create_task(self._outage(self.gone_at))

    async def _outage(self, at: float) -> None:
        await asyncio.sleep(at)
        self.server.kill()
        await asyncio.sleep(GONE_FOR)
        self.server.start()


def _case(runs: int, seed: int, processes: int = 1) -> Case:
    return Case("lognormal", runs, seed, processes, latency=True)


def _together(server: RedisServer, case: Case, gone_at: float | None = None) -> Figures:
    name = f"duvo:{{{case.processes} {case.seed} {gone_at}}}"
    return simulate(Together(server, name, gone_at), case, GRACE)


def lag(server: RedisServer, runs: int, seeds: int, processes: Sequence[int]) -> Iterable[Row]:
    """Compare how soon ends are known, in one process and in several."""
    alone = [simulate(list_sweep, _case(runs, seed)) for seed in range(seeds)]
    yield Row("machines", f"mean lag in s, one process, {runs:,} runs", fmean(_means(alone)))
    yield Row("machines", "mean excess in s, one process", fmean(_excess(alone)))
    for number in processes:
        found = [_together(server, _case(runs, seed, number)) for seed in range(seeds)]
        ratio = fmean(_means(found)) / fmean(_means(alone))
        refused = sum(each.refused for each in found)
        yield Row("machines", f"mean lag, {number} processes ÷ one", ratio, most=_MOST_LAG)
        yield Row("machines", f"mean excess in s, {number} processes", fmean(_excess(found)))
        yield Row("machines", f"429s, {number} processes", refused, most=0)


def outage(server: RedisServer, runs: int, processes: Sequence[int]) -> Iterable[Row]:
    """Kill Redis for a minute, and have it come back empty."""
    for number in processes:
        for at in GONE_AT:
            # A trial whose runs do not all complete, each known, ends with an error.
            figures = _together(server, _case(runs, 0, number), at)
            measure = f"429s, Redis gone from {at:.0f} s for {GONE_FOR:.0f} s, {number} processes"
            yield Row("machines", measure, figures.refused, most=0)


def _means(figures: Iterable[Figures]) -> list[float]:
    return [each.mean for each in figures]


def _excess(figures: Iterable[Figures]) -> list[float]:
    return [each.excess for each in figures]


async def _seconds(each: int, calls: Sequence[Callable[[], Awaitable[object]]]) -> list[float]:
    """Time calls by turns."""
    found: list[list[float]] = [[] for _ in calls]
    for _ in range(each):
        for call, seconds in zip(calls, found, strict=True):
            begun = perf_counter()
            await call()
            seconds.append(perf_counter() - begun)
    return [median(seconds) for seconds in found]


class _Pinging(Link):
    """A connection over which Redis can be asked for nothing, too."""

    async def ping(self) -> None:
        """Ask whether it is there."""
        await self._connected().ping()


async def cost(server: RedisServer, rounds: int) -> Row:
    """Compare an acquire with the round trip of a PING, over the same connection."""
    link = _Pinging(Secret(server.url), "duvo:{cost}")
    wishes, asks = Wishes(0.1, 0.03, 4), [Ask(Lane.CALL)]

    async def acquire() -> object:
        return await link.ask(words(wishes, asks, [], 0.0, None))

    await acquire()
    ping, asked = await _seconds(rounds, [link.ping, acquire])
    await link.close()
    return Row("machines", "an acquire ÷ a PING round trip", asked / ping, most=_MOST_COST)


def rows(
    *,
    runs: int = RUNS,
    seeds: int = SEEDS,
    rounds: int = _ROUNDS,
    processes: Sequence[int] = PROCESSES,
) -> Iterable[Row]:
    """Measure for the table of all benchmarks.

    Args:
        runs: How many runs are shared.
        seeds: How many trials.
        rounds: How often an acquire is timed.
        processes: Among how many.

    Yields:
        The figures.
    """
    logging.getLogger("duvo_async").setLevel(logging.ERROR)  # each process tells of each outage
    with TemporaryDirectory() as folder, running(Path(folder)) as server:
        yield asyncio.run(cost(server, rounds))
        yield from lag(server, runs, seeds, processes)
        yield from outage(server, runs, processes)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, metavar="N")
    parser.add_argument("--seeds", type=int, default=SEEDS, metavar="K")
    options = parser.parse_args()
    table.printed(list(rows(runs=options.runs, seeds=options.seeds)))


if __name__ == "__main__":
    main()
