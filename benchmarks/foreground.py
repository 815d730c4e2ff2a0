"""How long a user's own call waits while the client watches a thousand runs on the same key."""

import asyncio

from attrs import frozen

from benchmarks.trials import WINDOW, Case, Trial, played
from duvo_async._pacing import Budget
from duvo_async._protocol import Request, Response

CALLS = 30
"""One a second: as many as the reserve of a window."""
DELAYED = 0.001
"""Seconds after which a call counts as held up."""
OFFSETS = tuple(range(0, int(WINDOW), 5))


@frozen
class Phase:
    """A time at which a user calls.

    Attributes:
        window: The number of the window in which he begins, from 0.
        lists_runs: Whether the API has a list of runs.
    """

    window: int
    lists_runs: bool = True


PHASES: dict[str, Phase] = {
    "starts wait": Phase(window=2),
    "pages are read": Phase(window=6),
    "single reads": Phase(window=6, lists_runs=False),
}


def waited(case: Case, phase: Phase, offset: float) -> list[float]:
    """Run one trial in which a user calls once a second.

    Args:
        case: What is mapped meanwhile.
        phase: When he begins.
        offset: At which second of the window.

    Returns:
        The seconds that each call waited before it was sent.
    """
    found: list[float] = []

    async def play(trial: Trial) -> None:
        trial.emulator.lists_runs = phase.lists_runs
        found.extend(await _called(trial, phase.window * WINDOW + offset))

    played(play, case)
    return found


async def _called(trial: Trial, begin: float) -> list[float]:
    loop = asyncio.get_running_loop()
    run_id = trial.emulator.start_run(
        trial.agent_id
    )  # nobody waits for it: each read is the user's
    sent: list[float] = []

    async def note(request: Request) -> Response | None:
        if request.path.endswith(run_id):
            sent.append(loop.time())
        return None

    async def call(number: int) -> float:
        called = loop.time()
        await duvo.runs.get(run_id)
        return sent[number] - called  # calls are sent in their order

    async with trial.client(note, budget=Budget()) as duvo:
        mapping = asyncio.create_task(trial.map(duvo))
        await asyncio.sleep(begin)
        calls: list[asyncio.Task[float]] = []
        for number in range(CALLS):
            calls.append(asyncio.create_task(call(number)))
            await asyncio.sleep(1)
        if mapping.done():
            raise RuntimeError("the runs had ended before the calls were made")
        seconds = await asyncio.gather(*calls)
        mapping.cancel()
        await asyncio.gather(mapping, return_exceptions=True)
    return seconds
