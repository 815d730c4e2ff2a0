"""A client that lives for long: what it keeps after a month is what it kept after a day."""

import asyncio
import gc
import random
import sys
from collections.abc import Generator
from typing import Any

import pytest
from attrs import frozen

from duvo_async import AsyncDuvo, RetryPolicy
from duvo_async._protocol import Request, Response
from duvo_async._transport import TransportError
from duvo_async.emulator import AskApproval, Emulator, Finish, Sleep, StartedRun, Step
from duvo_async.emulator.exchange import timestamp
from tests.support.in_memory import InMemoryTransport, client_of
from tests.support.virtual_time import VirtualTimeLoop, wall_clock

DAY = 86_400.0
pytestmark = pytest.mark.no_cover

KEY = "dv_soak"


def as_told(run: StartedRun) -> Generator[Step, Any, None]:
    """Do one of a few things."""
    number = int(run.message or "0")
    yield Sleep(number % 7 * 60)
    if number % 5 == 0:
        yield AskApproval("Post?")
    yield Finish("failed" if number % 11 == 0 else "completed")


@frozen
class Kept:
    """What there is after a day.

    Attributes:
        blocks: How many blocks of memory are in use.
        objects: How many objects the garbage collector looks after.
    """

    blocks: int
    objects: int


def kept() -> Kept:
    timestamp.cache_clear()  # the API's own
    for _ in range(2):
        gc.collect()
    return Kept(sys.getallocatedblocks(), len(gc.get_objects()))


def fresh() -> Emulator:
    """Make an API with no past."""
    return Emulator(clock=wall_clock, api_key=KEY, requests_per_minute=300, keeps_requests=False)


class Soak:
    """A client that does the same every day.

    Args:
        batches: How many fan-outs there are a day.
        runs: How many runs there are in each.
    """

    def __init__(self, batches: int, runs: int) -> None:
        self._batches = batches
        self._runs = runs
        self._chance = random.Random(3)  # noqa: S311 - faults
        self.ended = 0

    async def trouble(self, _: Request) -> Response | None:
        """Have one request in twenty fail."""
        kind = self._chance.random()
        if kind < 0.02:
            raise TransportError("the connection broke")
        if kind < 0.04:
            return Response(status=503, reason="Unavailable", headers={}, body=b"<html>")
        if kind < 0.05:
            return Response(status=429, reason="", headers={"retry-after": "3"}, body=b"")
        return None

    async def live(self, days: int) -> list[Kept]:
        """Live so many days; tell what there is after each."""
        found: list[Kept] = []
        retry = RetryPolicy(retries=8)
        async with client_of(fresh(), retry=retry, fault=self.trouble) as duvo:
            for _ in range(days):
                await self._day(duvo)
                found.append(kept())
        return found

    async def _day(self, duvo: AsyncDuvo) -> None:
        transport = duvo._session._transport  # noqa: SLF001 - to give the API no past
        assert isinstance(transport, InMemoryTransport)
        transport.emulator = emulator = fresh()
        agent = emulator.add_agent(as_told)
        loop = asyncio.get_running_loop()
        for batch in range(self._batches):
            begun = loop.time()
            outcomes = duvo.runs.map(
                agent,
                (str(number) for number in range(self._runs)),
                idempotency_keys=(f"{batch} {number}" for number in range(self._runs)),
                on_human_request=lambda pending: pending.request.approve(),
                timeout=3600,
            )
            async for outcome in outcomes:
                assert outcome.error is None, outcome
                self.ended += 1
            await asyncio.sleep(max(0.0, DAY / self._batches - (loop.time() - begun)))
        emulator.close()


def live(soak: Soak, days: int) -> tuple[Kept, Kept]:
    """Live so many days; tell what there was after the first and after the last."""
    with (
        pytest.MonkeyPatch.context() as patch,
        asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(grace=0)) as runner,
    ):
        # What is remembered of answers has an end, which is to come within the first day.
        patch.setattr("duvo_async.answering._REMEMBERED_ANSWERS", 10)
        found = runner.run(soak.live(days))
    return found[0], found[-1]


@pytest.mark.unswept
def test_four_days_keep_what_one_does() -> None:
    soak = Soak(batches=2, runs=40)
    first, last = live(soak, 4)
    assert soak.ended == 320
    assert last.objects - first.objects < 24, "an object for each tenth of the 240 runs"
    assert last.blocks / first.blocks < 1.01


@pytest.mark.unswept
@pytest.mark.long
def test_a_month_keeps_what_a_day_does() -> None:
    soak = Soak(batches=8, runs=100)
    first, last = live(soak, 30)
    blocks, objects = last.blocks / first.blocks - 1, last.objects / first.objects - 1
    print(f"{soak.ended} runs in 30 days: blocks {blocks:+.2%}, objects {objects:+.2%}")  # noqa: T201
    assert max(blocks, objects) < 0.01
