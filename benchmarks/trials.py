"""What the fan-out's benchmark simulates: runs of drawn lengths, on one key and a virtual clock."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager, closing
from random import Random
from statistics import fmean, quantiles
from typing import Any, TypeAlias

from attrs import asdict, define, field, frozen

from duvo_async import AsyncDuvo, Run, RunOutcome
from duvo_async._hints import Peers
from duvo_async._pacing import Budget
from duvo_async._protocol import Request, Response
from duvo_async._turns import Turns
from duvo_async.emulator import Emulator, RequestRecord, Sleep, StartedRun, Step
from duvo_async.webhooks import WebhookReceiver
from tests.support.in_memory import Fault, client_of
from tests.support.virtual_time import EPOCH, VirtualTimeLoop, wall_clock

LIMIT, WINDOW = 300, 60.0
LATENCY = 0.05, 0.25
"""Seconds that a request takes, at least and at most, where there is a delay on the network."""
REFUSED = 429
_SHORT = 0.7
"""The share of short runs among the bimodal ones."""


def _lognormal(random: Random) -> float:
    return 90 * random.lognormvariate(0, 1)


def _bimodal(random: Random) -> float:
    return (30 if random.random() < _SHORT else 1200) * random.lognormvariate(0, 0.3)


def _pareto(random: Random) -> float:
    return min(30 * random.paretovariate(1.5), 4 * 3600.0)


def _constant(_: Random) -> float:
    return 90.0


DURATIONS: dict[str, Callable[[Random], float]] = {
    "lognormal": _lognormal,
    "bimodal": _bimodal,
    "pareto": _pareto,
    "constant": _constant,
}


def drawn(*what: object) -> Random:
    """Make the chance that belongs to something, whatever else is drawn before it."""
    return Random(" ".join(map(str, what)))  # noqa: S311 - durations, delays and turns


@frozen
class Case:
    """What is simulated: everything is drawn from the seed and a run's index.

    Attributes:
        durations: The name of their distribution.
        runs: How many.
        seed: What they are drawn from.
        processes: How many processes share the runs and the key.
        latency: Whether requests take time.
    """

    durations: str
    runs: int
    seed: int
    processes: int = 1
    latency: bool = False

    def duration(self, index: int) -> float:
        """Draw how long a run takes, in seconds."""
        return DURATIONS[self.durations](drawn(self.seed, self.durations, index))


@define
class Trial:
    """One simulation under way.

    Attributes:
        case: What is simulated.
        emulator: Answers.
        ends: When each run ended, by its input's index.
        known: When that was known.
        run_ids: The runs that were started.
    """

    case: Case
    emulator: Emulator
    ends: dict[int, float] = field(factory=dict[int, float])
    known: dict[int, float] = field(factory=dict[int, float])
    run_ids: list[str] = field(factory=list[str])
    agent_id: str = ""

    def __attrs_post_init__(self) -> None:
        """Make the agent."""
        self.agent_id = self.emulator.add_agent(self._play)

    def _play(self, run: StartedRun) -> Generator[Step, Any, None]:
        self.run_ids.append(run.run_id)
        index = int(run.message or "0")
        yield Sleep(self.case.duration(index))

    def client(  # noqa: PLR0913 - what a client is made of
        self,
        fault: Fault | None = None,
        *,
        process: int = 0,
        budget: Budget | None = None,
        webhooks: WebhookReceiver | None = None,
        turns: Turns | None = None,
        peers: Peers | None = None,
    ) -> AbstractAsyncContextManager[AsyncDuvo]:
        """Make a client, with no reserve unless it gets another budget.

        Args:
            fault: What happens to its requests on their way.
            process: Its number, among several on one key.
            budget: What it may send.
            webhooks: Where it hears of runs. None for nowhere.
            turns: Lets it send, in the place of a budget of its own.
            peers: The other processes. None when it knows of none.
        """

        async def on_the_way(request: Request) -> Response | None:
            if delay is not None:
                await delay(request)
            return None if fault is None else await fault(request)

        delay = delays(self.case.seed, process) if self.case.latency else None
        return client_of(
            self.emulator,
            seed=self.case.seed * self.case.processes + process,
            budget=budget or Budget(reserve=0),
            fault=on_the_way,
            processes=self.case.processes,
            webhooks=webhooks,
            turns=turns,
            peers=peers,
        )

    async def map(
        self, duvo: AsyncDuvo, process: int = 0, *, max_outstanding: int | None = None
    ) -> None:
        """Start a process's share of the runs, and note when each is known to have ended."""
        share = range(process, self.case.runs, self.case.processes)
        messages = [str(index) for index in share]
        async for outcome in duvo.runs.map(
            self.agent_id, messages, max_outstanding=max_outstanding
        ):
            self.note(share[outcome.index], _completed(outcome))

    def note(self, index: int, run: Run) -> None:
        """Take the time at which the end of a run is known."""
        if not run.succeeded or run.completed_at is None:
            raise RuntimeError(f"the figures would mean nothing: {run}")
        self.ends[index] = run.completed_at.timestamp() - EPOCH
        self.known[index] = asyncio.get_running_loop().time()


def _completed(outcome: RunOutcome) -> Run:
    if outcome.run is None or outcome.error is not None:
        raise RuntimeError(f"the figures would mean nothing: {outcome}")
    return outcome.run


def delays(seed: int, process: int) -> Fault:
    """Let each request take a while, drawn from what it is and not from when it comes."""
    counts: Counter[str] = Counter()

    async def delay(request: Request) -> None:
        what = f"{process} {request.method} {request.path}"
        counts[what] += 1
        await asyncio.sleep(drawn(seed, what, counts[what]).uniform(*LATENCY))

    return delay


Play: TypeAlias = Callable[[Trial], Coroutine[Any, Any, None]]
"""Starts the runs of a trial and waits for them."""


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
    """

    mean: float
    p50: float
    p95: float
    max: float
    excess: float
    requests: float
    refused: float
    makespan: float


def played(play: Play, case: Case, grace: float = 0) -> Trial:
    """Run one trial.

    Args:
        play: Does it.
        case: What is simulated.
        grace: Real seconds for what comes over sockets. 0 where nothing does.
    """

    async def main() -> Trial:
        trial = Trial(case, emulator)
        await play(trial)
        return trial

    with (
        closing(Emulator(clock=wall_clock, seed=case.seed)) as emulator,
        asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(grace)) as runner,
    ):
        return runner.run(main())


def simulate(play: Play, case: Case, grace: float = 0) -> Figures:
    """Run one trial, and measure (see `played`)."""
    trial = played(play, case, grace)
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
        refused=sum(request.status == REFUSED for request in requests),
        makespan=max(known) / max(ideal),
    )


def averaged(found: list[Figures]) -> Figures:
    """Take the means over several seeds."""
    each = [asdict(figures) for figures in found]
    return Figures(**{name: fmean(figures[name] for figures in each) for name in each[0]})


def log(play: Play, case: Case) -> list[tuple[object, ...]]:
    """Run one trial; tell which requests came when. Their idempotency keys are left to chance."""

    def shown(request: RequestRecord) -> tuple[object, ...]:
        return request.at, request.method, request.path, request.query, request.status

    return [shown(request) for request in played(play, case).emulator.requests]
