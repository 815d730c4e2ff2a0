"""Many runs as the command starts and waits for them: one for each line of a file."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Collection, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from attrs import define, evolve, field

from duvo_async import AsyncDuvo, ClientClosedError, RunOutcome
from duvo_async.cli.answers import Answers
from duvo_async.cli.inputs import Messages
from duvo_async.cli.job import (
    ANSWER_NEEDED,
    COMPLETED,
    FAILED,
    INTERRUPTED,
    NOT_FOUND,
    UNAUTHENTICATED,
    Settings,
    exit_code,
)
from duvo_async.cli.outcomes import OutcomeView
from duvo_async.cli.progress import Numbers, Tally, compute
from duvo_async.cli.views import Output, abandon_output

_HOPELESS = {UNAUTHENTICATED, NOT_FOUND}


def outcome_code(outcome: RunOutcome) -> int:
    """Choose the exit code that an outcome by itself stands for."""
    if outcome.succeeded:
        return COMPLETED
    if outcome.human_request is not None:
        return ANSWER_NEEDED
    # What is wrong with one run says nothing of the key or of the agent.
    return FAILED if outcome.run_id or outcome.error is None else exit_code(outcome.error)


def joint_code(codes: Collection[int]) -> int:
    """Choose the exit code for all outcomes by the codes of each."""
    if set(codes) <= {COMPLETED}:
        return COMPLETED
    if set(codes) <= {COMPLETED, ANSWER_NEEDED}:
        return ANSWER_NEEDED
    only = next(iter(codes))
    return only if only in _HOPELESS and len(codes) == 1 else FAILED


@define
class Fanout:
    """What the user asked for, and what has become of it so far."""

    settings: Settings
    messages: Messages
    sandbox_id: str | None
    max_outstanding: int | None
    timeout: float | None
    stop_on_exit: bool
    answers: Answers
    view: OutcomeView
    _began: float = field(factory=time.monotonic, init=False)
    _counts: Mapping[str, int] = field(factory=dict[str, int], init=False)
    _codes: set[int] = field(factory=set[int], init=False)
    _duvo: AsyncDuvo | None = field(default=None, init=False)
    _step: "asyncio.Future[Sequence[RunOutcome]] | None" = field(default=None, init=False)
    _unread: bool = field(default=False, init=False)
    _left: list[RunOutcome] = field(factory=list[RunOutcome], init=False)
    _stopped: bool = field(default=False, init=False)
    _unstopped: int = field(default=0, init=False)

    def perform(self) -> int:
        """Start the runs, and wait for them.

        Returns:
            The exit code.

        Raises:
            DuvoError: It could not be done.
            ValueError: An argument is wrong, or the file cannot be read.
            BrokenPipeError: Nobody reads any more what is printed.
        """
        try:
            asyncio.run(self._perform())
        except KeyboardInterrupt:
            self._tell_left()
            return INTERRUPTED
        if self.messages.stopped:
            self.view.note(f"the rest of {self.messages.name} was not read: no run can be started")
        return joint_code(self._codes)

    def failed(self, error: Exception) -> None:
        """Say what went wrong."""
        self.view.note(f"duvo-async: {error}")

    def unread(self) -> None:
        """Say what becomes of the runs when nobody reads any more what is printed."""
        self._tell_left()

    def numbers(self) -> Numbers:
        """Tell where things stand."""
        return compute(
            self.messages.extent,
            self._counts,
            elapsed=time.monotonic() - self._began,
            rate_limit=None if self._duvo is None else self._duvo.rate_limit,
            now=datetime.now(UTC),
        )

    async def _perform(self) -> None:
        async with self.settings.client() as duvo:
            self._duvo = duvo
            outcomes = duvo.runs.map(
                self.settings.agent_id or "",
                self.messages,
                sandbox_id=self.sandbox_id,
                max_outstanding=self.max_outstanding,
                timeout=self.timeout,
                on_human_request=self.answers,
                idempotency_keys=self.messages.keys,
                stop_on_exit=self.stop_on_exit,
            ).pages()
            self.view.open(self.numbers)
            try:
                await self._take_all(outcomes)
            except asyncio.CancelledError:
                await self._leave(duvo, outcomes)
                raise
            if self._unread:
                await self._leave(duvo, outcomes)
                raise BrokenPipeError

    async def _take_all(self, outcomes: _Pages) -> None:
        while not self._unread and (page := await self._next(outcomes)):
            for outcome in page:
                self._take(outcome)

    async def _next(self, outcomes: _Pages) -> Sequence[RunOutcome]:
        """Wait for outcomes; cancelling it loses none of them."""
        if self._step is None:
            self._step = asyncio.ensure_future(anext(outcomes, ()))
        await asyncio.wait([self._step])
        step, self._step = self._step, None
        return step.result()

    def _take(self, outcome: RunOutcome) -> None:
        if isinstance(outcome.error, ClientClosedError):
            self._left.append(outcome)
            return
        self._counts = counted(self._counts, outcome)
        self._codes.add(outcome_code(outcome))
        if len(self._codes) == 1 and self._codes <= _HOPELESS:
            self.messages.stop()
        self._show(outcome)

    def _show(self, outcome: RunOutcome) -> None:
        try:
            self.view.outcome(outcome)
        except BrokenPipeError:
            abandon_output()
            self._unread = True

    async def _leave(self, duvo: AsyncDuvo, outcomes: _Pages) -> None:
        """End early: a client that closes gives an outcome to each run that it leaves."""
        if self.stop_on_exit and not self.settings.local and self.numbers().under_way:
            self.view.note("stopping the runs; Ctrl-C again lets them go on")
        with _heard(self._not_stopped):
            await duvo.close()
        self._stopped = self.stop_on_exit
        self._unread = False  # what there still is goes nowhere, and does no harm
        with suppress(ClientClosedError):
            await self._take_all(outcomes)

    def _not_stopped(self, text: str) -> None:
        self._unstopped += 1
        self.view.note(text)

    def _tell_left(self) -> None:
        if self.settings.local:
            return
        if self._stopped:
            does = "was told to stop"
            count = len(self._left) - self._unstopped
            self.view.note(f"{_runs(count)} told to stop")
        ...
