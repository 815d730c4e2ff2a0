"""All that goes wrong, together: a fan-out with uploads and answers, of which nothing is lost."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Generator
from typing import Any

import pytest
from attrs import define, field

from duvo_async import (
    APIError,
    AsyncDuvo,
    DuvoError,
    HumanRequestPending,
    RunError,
    RunOutcome,
)
from duvo_async.emulator import AskApproval, Emulator, Finish, Say, Sleep, StartedRun, Step
from tests.chaos.saboteur import KINDS, by_chance, sabotaged
from tests.chaos.test_each_mode import pooled
from tests.support.proxy import Seen
from tests.support.virtual_time import wall_clock

pytestmark = [pytest.mark.anyio, pytest.mark.no_cover]

SHARE = 0.05
BOUND = 6 * 3600
"""Seconds in which all must have ended: runs take two minutes, a wait gives up after an hour, and a
start is given up after five attempts and four waits of 120 s at most."""
UPLOADS = 40


@define
class Figures:
    """What became of one fan-out. All must be 0.

    Attributes:
        lost: Inputs without exactly one outcome, and outcomes that are not what the API says.
        twice: Inputs that started more than one run.
        unclear: Failed starts of runs that there are, and that do not say that there may be.
        foreign: Exceptions that are no `DuvoError`.
        unlike: Uploads that say that they arrived, and did not.
    """

    lost: int = 0
    twice: int = 0
    unclear: int = 0
    foreign: int = 0
    unlike: int = 0
    kinds: Counter[str] = field(factory=Counter[str])


class Trial:
    """One fan-out under one seed."""

    def __init__(self, runs: int, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - faults
        self.messages = [f"{number} {self._what(number)}" for number in range(runs)]
        self.started: dict[str, set[str]] = defaultdict(set)
        self.figures = Figures()
        self.agent = ""
        self.sandbox = ""

    @staticmethod
    def _what(number: int) -> str:
        return ("say", "ask", "fail", "sleep")[number % 4]

    def play(self, run: StartedRun) -> Generator[Step, Any, None]:
        """Do what the message says."""
        message = run.message or ""
        self.started[message].add(run.run_id)
        if message.endswith("ask"):
            yield AskApproval("Post?", denied=[Finish("stopped")])
        if message.endswith("sleep"):
            yield Sleep(120)
        if message.endswith("fail"):
            yield Finish("failed")
        yield Say("done")

    async def go_through(self) -> Figures:
        """Run it, and count."""
        troubled = True
        choose = by_chance(self.chance, SHARE)

        def chosen(request: Seen) -> str | None:
            return choose(request) if troubled else None

        async with Emulator(
            clock=wall_clock, requests_per_minute=None, sandbox_ttl=1e9
        ) as emulator:
            self.agent = emulator.add_agent(self.play)
            async with (
                sabotaged(emulator.url, chosen, self.chance) as saboteur,
                AsyncDuvo(
                    emulator.api_key, base_url=saboteur.url, requests_per_minute=6000
                ) as duvo,
                asyncio.timeout(BOUND),
            ):
                uploads = asyncio.create_task(self._upload(duvo))
                outcomes = await self._map(duvo)
                arrived = await uploads
                troubled = False
                assert pooled(duvo)
                await self._check(duvo, outcomes)
                await self._check_uploads(duvo, arrived)
            emulator.advance()
            self.figures.twice += sum(len(ids) > 1 for ids in self.started.values())
            assert set(saboteur.seen) > {name for kind in KINDS for name in kind[:1]}
        return self.figures

    async def _map(self, duvo: AsyncDuvo) -> list[RunOutcome]:
        def approve(pending: HumanRequestPending) -> Any:  # noqa: ANN401 - an answer
            return pending.request.approve()

        return [
            each
            async for each in duvo.runs.map(
                self.agent,
                self.messages,
                on_human_request=approve,
                timeout=3600,
                max_outstanding=100,
            )
        ]

    async def _upload(self, duvo: AsyncDuvo) -> dict[str, bytes]:
        arrived: dict[str, bytes] = {}
        for number in range(UPLOADS):
            data = self.chance.randbytes(1000)
            try:
                self.sandbox = self.sandbox or (await duvo.sandboxes.create()).sandbox_id
                await duvo.sandboxes.upload(self.sandbox, data, path=f"{number}.bin")
            except Exception as error:  # noqa: BLE001 - which it is, is the question
                self._note(error)
            else:
                arrived[f"/workspace/{number}.bin"] = data
        return arrived

    async def _check(self, duvo: AsyncDuvo, outcomes: list[RunOutcome]) -> None:
        counted = Counter(each.index for each in outcomes)
        self.figures.lost += sum(counted[index] != 1 for index in range(len(self.messages)))
        for outcome in outcomes:
            message = self.messages[outcome.index]
            if outcome.error is not None:
                self._note(outcome.error)
            if outcome.run_id is None:
                await self._check_failed_start(duvo, message, outcome.error)
                continue
            truth = await duvo.runs.get(outcome.run_id)
            if outcome.error is None:
                assert outcome.run is not None
                self.figures.lost += outcome.run.status != truth.status
            self.started[message].add(outcome.run_id)

    async def _check_failed_start(
        self, duvo: AsyncDuvo, message: str, error: Exception | None
    ) -> None:
        if not isinstance(error, APIError):
            self.figures.lost += 1
            return
        known = set(self.started[message])
        if known and not (error.may_have_been_done and "may have started" in str(error)):
            self.figures.unclear += 1
        # Repeated with its key, it is the run that there is, or the only one.
        run = await duvo.runs.start(
            self.agent, message=message, idempotency_key=error.idempotency_key
        )
        self.started[message].add(run.id)

    async def _check_uploads(self, duvo: AsyncDuvo, arrived: dict[str, bytes]) -> None:
        files = {each.path: each async for each in duvo.sandboxes.files(self.sandbox)}
        for path, data in arrived.items():
            if path not in files or files[path].size_bytes != len(data):
                self.figures.unlike += 1

    def _note(self, error: Exception) -> None:
        self.figures.kinds[type(error).__name__] += 1
        if not isinstance(error, DuvoError):
            self.figures.foreign += 1
        assert isinstance(error, (APIError, RunError))


def nothing(figures: Figures) -> bool:
    return not any((figures.lost, figures.twice, figures.unclear, figures.foreign, figures.unlike))


async def test_nothing_is_lost_and_nothing_starts_twice() -> None:
    figures = await Trial(120, 1).go_through()
    assert nothing(figures), figures
    assert figures.kinds  # something went wrong for good, and was told


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
async def test_a_thousand_runs(seed: int) -> None:
    figures = await Trial(1_000, seed).go_through()
    print(f"seed {seed}: {figures}")  # noqa: T201 - for who asked for it
    assert nothing(figures), figures
