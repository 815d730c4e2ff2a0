"""Many runs as the command starts and waits for them: one for each line of a file."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import TypeAlias

from attrs import define, evolve, field

from duvo_async import AsyncDuvo, ClientClosedError, RunOutcome
from duvo_async.cli.answers import Answers
from duvo_async.cli.inputs import InputError, Messages
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
from duvo_async.cli.journal import PlannedMessages
from duvo_async.cli.outcomes import OutcomeView
from duvo_async.cli.output import abandon_output
from duvo_async.cli.progress import Numbers, compute, counted

_HOPELESS = frozenset({UNAUTHENTICATED, NOT_FOUND})
"""What goes wrong with one start in these ways goes wrong with every other."""
_Pages: TypeAlias = AsyncGenerator[Sequence[RunOutcome], None]


def outcome_code(outcome: RunOutcome) -> int:
    """Choose the exit code that an outcome by itself stands for."""
    if outcome.succeeded:
        return COMPLETED
    if outcome.human_request is not None:
        return ANSWER_NEEDED
    # What is wrong with one run says nothing of the key or of the agent.
    return FAILED if outcome.run_id or outcome.error is None else exit_code(outcome.error)


def joint_code(codes: AbstractSet[int]) -> int:
    """Choose the exit code for all outcomes by the codes of each."""
    if codes <= {COMPLETED}:
        return COMPLETED
    if codes <= {COMPLETED, ANSWER_NEEDED}:
        return ANSWER_NEEDED
    return max(codes) if len(codes) == 1 and codes <= _HOPELESS else FAILED


def left_text(left: int, *, unsure: int, stopped: bool, unstopped: int) -> str:
    """Say what becomes of the runs that were left before their end.

    Args:
        left: How many there are.
        unsure: Starts that were cut off, of which it is not known whether they were done.
        stopped: Whether the runs were stopped.
        unstopped: With how many of them that did not succeed.

    Returns:
        The text; empty when there is nothing to say.
    """
    told, going_on = (left - unstopped, unstopped) if stopped else (0, left)
    parts = [f"{_runs(told)} told to stop"] if told else []
    if going_on:
        parts.append(f"{_runs(going_on)} left to go on")
    if unsure and not stopped:
        more = "more " if left else ""
        parts.append(f"up to {unsure:,} {more}may have been started")
    return "; ".join(parts)


def _runs(count: int) -> str:
    return "1 run was" if count == 1 else f"{count:,} runs were"


@define
class Fanout:
    """What the user asked for, and what has become of it so far."""

    settings: Settings
    messages: Messages | PlannedMessages
    sandbox_id: str | None
    max_outstanding: int | None
    timeout: float | None
    stop_on_exit: bool
    answers: Answers
    view: OutcomeView
    journal: Path | None = None
    _began: float = field(factory=time.monotonic, init=False)
    _counts: Mapping[str, int] = field(factory=dict[str, int], init=False)
    _codes: set[int] = field(factory=set[int], init=False)
    _duvo: AsyncDuvo | None = field(default=None, init=False)
    _step: "asyncio.Task[Sequence[RunOutcome]] | None" = field(default=None, init=False)
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
        interrupted = False
        try:
            asyncio.run(self._perform())
        except KeyboardInterrupt:
            interrupted = True
        finally:
            self.view.close()  # the terminal is given back, whatever has happened
        if interrupted:
            self._tell_left()
            return INTERRUPTED
        if self.messages.stopped:
            self.view.note(f"{self.messages.name} was not read to its end: starts were refused")
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
                journal=self.journal,
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
        try:
            while not self._unread and (page := await self._next(outcomes)):
                self._take(page)
        except InputError:
            if not self.messages.stopped:
                raise

    async def _next(self, outcomes: _Pages) -> Sequence[RunOutcome]:
        """Wait for outcomes; cancelling it loses none of them."""
        if self._step is None:
            self._step = asyncio.create_task(_page(outcomes))
        await asyncio.wait([self._step])
        step, self._step = self._step, None
        return step.result()

    def _take(self, page: Sequence[RunOutcome]) -> None:
        for outcome in page:
            if isinstance(outcome.error, ClientClosedError):
                self._left.append(outcome)
                continue
            self._counts = counted(self._counts, outcome)
            self._codes.add(outcome_code(outcome))
            self._show(outcome)
        if len(self._codes) == 1 and self._codes <= _HOPELESS:
            self.messages.stop()

    def _show(self, outcome: RunOutcome) -> None:
        try:
            self.view.outcome(outcome)
        except BrokenPipeError:
            abandon_output()
            self._unread = True

    async def _leave(self, duvo: AsyncDuvo, outcomes: _Pages) -> None:
        """End early: a client that closes gives an outcome to each run that it leaves."""
        if self.stop_on_exit and self.numbers().under_way and not self.settings.local:
            self.view.note("stopping the runs; Ctrl-C again lets them go on")
        with _warnings_to(self._not_stopped):
            await duvo.close()
        self._stopped = self.stop_on_exit
        with suppress(ClientClosedError, InputError):
            while page := await self._next(outcomes):
                self._take(page)

    def _not_stopped(self, text: str) -> None:
        self._unstopped += 1
        self.view.note(text)

    def _tell_left(self) -> None:
        if self.settings.local:
            return  # they have ended with their emulator
        text = left_text(
            len(self._left),
            unsure=self.numbers().under_way - len(self._left),
            stopped=self._stopped,
            unstopped=self._unstopped,
        )
        if text:
            self.view.note(text)
        if self.journal is not None:
            self.view.note(f"to go on: duvo-async resume {quote(str(self.journal))}")
        what = "was told to stop" if self._stopped else "goes on"
        error = ClientClosedError(f"interrupted; the run {what}")
        try:
            self.view.left([evolve(outcome, error=error) for outcome in self._left])
        except BrokenPipeError:  # as when Ctrl-C has ended the reader, too
            abandon_output()


async def _page(outcomes: _Pages) -> Sequence[RunOutcome]:
    """Read a page; an empty one at the end."""
    async for page in outcomes:
        return page
    return ()


class _Listener(logging.Handler):
    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self._tell(record.getMessage())


@contextmanager
def _warnings_to(tell: Callable[[str], None]) -> Generator[None, None, None]:
    """Take what the client warns of, such as a run that it could not stop."""
    logger, listener = logging.getLogger("duvo_async"), _Listener(tell)
    logger.addHandler(listener)
    try:
        yield
    finally:
        logger.removeHandler(listener)
