"""Ways to wait for many runs, for the fan-out's benchmark to compare."""

import asyncio

from attrs import frozen

from benchmarks.announced import Announced
from benchmarks.trials import REFUSED, Play, Trial, drawn
from duvo_async import Run
from duvo_async._operations import get_run, start_run
from duvo_async._protocol import Call, Request, Response, retry_after
from duvo_async._routes import Routes
from duvo_async.credentials import Secret
from duvo_async.emulator import Sleep
from tests.support.in_memory import InMemoryTransport

_INTERVAL = 5.0
_SCATTER = 0.001
"""Seconds within which those come back who were told the same, in an order drawn from the seed."""
_FOREIGN = 2
"""Runs of others that are started for each of ours."""
_FOREIGN_SECONDS = 300.0


async def naive(trial: Trial) -> None:
    """Have each run polled by a task of its own, which waits out its own 429s."""
    transport, routes = InMemoryTransport(trial.emulator), Routes("v1")
    authorization = Secret(f"Bearer {trial.emulator.api_key}")
    random = drawn(trial.case.seed, "order")

    async def patiently(call: Call[Run]) -> Run:
        while True:
            response = await transport.send(call.request, {}, authorization)
            if response.status != REFUSED:
                return call.decode(response)
            seconds = retry_after(response.headers)
            if seconds is None:
                raise RuntimeError("a 429 that does not say for how long")
            await asyncio.sleep(seconds + _SCATTER * random.random())

    async def one(index: int) -> None:
        run = await patiently(
            start_run(
                routes,
                agent_id=trial.agent_id,
                message=str(index),
                sandbox_id=None,
                webhook_url=None,
                idempotency_key=None,
            )
        )
        while not run.is_terminal:
            await asyncio.sleep(_INTERVAL)
            run = await patiently(get_run(routes, run.id))
        trial.note(index, run)

    async with asyncio.TaskGroup() as group:
        for index in range(trial.case.runs):
            group.create_task(one(index))


async def list_sweep(trial: Trial) -> None:
    """Let the client do as it does."""
    async with trial.client() as duvo:
        await trial.map(duvo)


async def single_reads(trial: Trial) -> None:
    """Let the client do without a list of runs."""
    trial.emulator.lists_runs = False
    await list_sweep(trial)


async def list_sweep_foreign(trial: Trial) -> None:
    """Have others start two runs for each of ours."""
    others = trial.emulator.add_agent([Sleep(_FOREIGN_SECONDS)])

    async def interleave(request: Request) -> Response | None:
        if request.method == "POST":
            for _ in range(_FOREIGN):
                trial.emulator.start_run(others)
        return None

    async with trial.client(interleave) as duvo:
        await trial.map(duvo)


async def in_processes(trial: Trial) -> None:
    """Have several clients, which know nothing of each other, do a share each."""

    async def one(process: int) -> None:
        async with trial.client(process=process) as duvo:
            await trial.map(duvo, process)

    async with asyncio.TaskGroup() as group:
        for process in range(trial.case.processes):
            group.create_task(one(process))


@frozen
class Policy:
    """A way to wait.

    Attributes:
        play: Does it.
        most: The runs up to which it is tried unless it is asked for. None for any number.
    """

    play: Play
    most: int | None = None


POLICIES: dict[str, Policy] = {
    "naive": Policy(naive, most=3000),
    "single reads": Policy(single_reads),
    "list sweep": Policy(list_sweep),
    "list, 3x foreign": Policy(list_sweep_foreign),
    "webhooks": Policy(Announced()),
    "webhooks, 1% lost": Policy(Announced(lost=0.01), most=1000),
    "webhooks, 10% lost": Policy(Announced(lost=0.1), most=1000),
    "webhooks, all lost": Policy(Announced(lost=1.0), most=1000),
    "webhooks, forged": Policy(Announced(forged=True), most=1000),
    "webhooks, 1/2 looks": Policy(Announced(looks=0.5), most=1000),
    "150 at once": Policy(Announced(outstanding=150, lost=1.0), most=1000),
    "150, webhooks": Policy(Announced(outstanding=150), most=1000),
    "150, 1% lost": Policy(Announced(outstanding=150, lost=0.01), most=1000),
    "150, 10% lost": Policy(Announced(outstanding=150, lost=0.1), most=1000),
}
