"""How soon the ends of many runs are known, on one key: `python -m benchmarks.fanout`.

The real client on the emulator's core, in memory and on a virtual clock: all times are those of the
simulated minutes and hours, and come out the same each time. There is no delay on the network, so
that what is measured is the choice of what to read when.
"""

import argparse
import asyncio
import time
from collections.abc import Callable, Coroutine, Generator
from random import Random
from statistics import fmean, quantiles
from typing import Any, TypeAlias

from attrs import asdict, define, field, frozen

from duvo_async import RunOutcome
from duvo_async._pacing import Budget
from duvo_async._protocol import Request, Response
from duvo_async.emulator import Emulator, Sleep, StartedRun, Step
from tests.support.in_memory import client_of
from tests.support.virtual_time import EPOCH, VirtualTimeLoop, wall_clock

LIMIT, WINDOW = 300, 60.0
NUMBERS = (1, 10, 100, 300, 1000, 3000, 10000)
LOWER_BOUNDS = {100: 4.6, 300: 21.2, 1000: 102.8, 3000: 457.0}
"""Seconds of mean lag that no policy of single reads can go below, lognormal durations."""


def _lognormal(random: Random) -> float:
    return 90 * random.lognormvariate(0, 1)


def _bimodal(random: Random) -> float:
    return (30 if random.random() < 0.7 else 1200) * random.lognormvariate(0, 0.3)


def _pareto(random: Random) -> float:
    return min(30 * random.paretovariate(1.5), 4 * 3600.0)


DURATIONS: dict[str, Callable[[Random], float]] = {
    "lognormal": _lognormal,
    "bimodal": _bimodal,
    "pareto": _pareto,
}


@frozen
class Case:
    """What is simulated: everything is drawn from the seed and a run's index.

    Attributes:
        durations: The name of their distribution.
        runs: How many.
        seed: What they are drawn from.
    """

    durations: str
    runs: int
    seed: int

    def duration(self, index: int) -> float:
        """Draw how long a run takes, in seconds."""
        return DURATIONS[self.durations](Random(f"{self.seed} {self.durations} {index}"))


@define
class Trial:
    """One simulation under way.

    Attributes:
        case: What is simulated.
        emulator: Answers.
        ends: When each run ended, by its input's index.
        known: When that was known.
    """

    case: Case
    emulator: Emulator
    ends: dict[int, float] = field(factory=dict[int, float])
    known: dict[int, float] = field(factory=dict[int, float])
    agent_id: str = ""

    def __attrs_post_init__(self) -> None:
        """Make the agent."""
        self.agent_id = self.emulator.add_agent(self._play)

    def _play(self, run: StartedRun) -> Generator[Step, Any, None]:
        index = int(run.message or "0")
        yield Sleep(self.case.duration(index))

    def note(self, outcome: RunOutcome) -> None:
        """Take the time at which the end of a run is known."""
        assert outcome.succeeded, outcome  # noqa: S101 - else the figures mean nothing
        assert outcome.run is not None  # noqa: S101 - the same
        assert outcome.run.completed_at is not None  # noqa: S101 - the same
        self.ends[outcome.index] = outcome.run.completed_at.timestamp() - EPOCH
        self.known[outcome.index] = asyncio.get_running_loop().time()


Policy: TypeAlias = Callable[[Trial], Coroutine[Any, Any, None]]


async def list_sweep(trial: Trial) -> None:
    """Let the client do as it does."""
    async with client_of(trial.emulator, seed=trial.case.seed, budget=Budget(reserve=0)) as duvo:
        inputs = [str(index) for index in range(trial.case.runs)]
        async for outcome in duvo.runs.map(trial.agent_id, inputs):
            trial.note(outcome)


async def single_reads(trial: Trial) -> None:
    """Let the client do without a list of runs."""
    trial.emulator.lists_runs = False
    await list_sweep(trial)


async def list_sweep_foreign(trial: Trial) -> None:
    """Have others start two runs for each of ours."""
    foreign = trial.emulator.add_agent([Sleep(300)])

    async def interleave(request: Request) -> Response | None:
        if request.method == "POST":
            trial.emulator.start_run(foreign)
            trial.emulator.start_run(foreign)
        return None

    async with client_of(
        trial.emulator, seed=trial.case.seed, budget=Budget(reserve=0), fault=interleave
    ) as duvo:
        inputs = [str(index) for index in range(trial.case.runs)]
        async for outcome in duvo.runs.map(trial.agent_id, inputs):
            trial.note(outcome)


POLICIES: dict[str, Policy] = {
    "single reads": single_reads,
    "list sweep": list_sweep,
    "list, 3x foreign": list_sweep_foreign,
}


@frozen
class Figures:
    """What a trial showed; times in seconds.

    Attributes:
        mean: Mean lag, from a run's end to its being known.
        p50: The median of the lags.
        p95: Their 95th percentile.
        max: The longest.
        excess: Mean of the times at which ends are known, less those of the earliest start and
            immediate knowledge: a late start counts too.
        requests: How many were sent.
        refused: How many of them were answered 429.
        makespan: When the last end was known, as a multiple of the earliest.
        seconds: What the simulation took.
    """

    mean: float
    p50: float
    p95: float
    max: float
    excess: float
    requests: float
    refused: float
    makespan: float
    seconds: float


def simulate(policy: Policy, case: Case) -> Figures:
    """Run one trial."""

    async def main() -> Trial:
        async with Emulator(clock=wall_clock, seed=case.seed) as emulator:
            trial = Trial(case, emulator)
            await policy(trial)
            return trial

    begun = time.perf_counter()
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(grace=0)) as runner:
        trial = runner.run(main())
    ideal = [WINDOW * (index // LIMIT) + case.duration(index) for index in range(case.runs)]
    known = [trial.known[index] for index in range(case.runs)]
    lags = [trial.known[index] - trial.ends[index] for index in range(case.runs)]
    cuts = quantiles(lags, n=100, method="inclusive") if len(lags) > 1 else lags * 99
    requests = trial.emulator.requests
    return Figures(
        mean=fmean(lags),
        p50=cuts[49],
        p95=cuts[94],
        max=max(lags),
        excess=fmean(known) - fmean(ideal),
        requests=len(requests),
        refused=sum(request.status == 429 for request in requests),
        makespan=max(known) / max(ideal),
        seconds=time.perf_counter() - begun,
    )


def averaged(policy: Policy, durations: str, runs: int, seeds: int) -> Figures:
    """Run a trial for each seed, and take the means."""
    found = [asdict(simulate(policy, Case(durations, runs, seed))) for seed in range(seeds)]
    return Figures(**{name: fmean(each[name] for each in found) for name in found[0]})


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="*", default=NUMBERS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--durations", nargs="*", default=["lognormal"])
    parser.add_argument("--policies", nargs="*", default=list(POLICIES))
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    for durations in options.durations:
        print(
            f"{durations:>10}     n     mean      p50      p95      max   excess requests 429s span"
        )
        for runs in options.runs:
            for name in options.policies:
                figures = averaged(POLICIES[name], durations, runs, options.seeds)
                f = figures
                print(
                    f"{name:>16} {runs:5d} {f.mean:8.2f} {f.p50:8.2f} {f.p95:8.2f} {f.max:8.2f} {f.excess:8.2f} {f.requests:8.0f} {f.refused:4.0f} {f.makespan:.4f} [{f.seconds:.1f} s]",
                    flush=True,
                )


if __name__ == "__main__":
    main()
