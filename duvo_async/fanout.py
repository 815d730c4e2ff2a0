"""Many runs at once: what became of each, in the order in which they end."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextvars import copy_context
from itertools import takewhile
from math import inf
from typing import Protocol, TypeAlias, TypeVar, cast

from attrs import define

from duvo_async._callbacks import OnHumanRequest, caller, invoke
from duvo_async.answering import Answers
from duvo_async.errors import ClientClosedError, DuvoError, HumanRequestPending, WaitTimeout
from duvo_async.models import HumanAnswer, HumanRequest, Run, RunOutcome, StopResult
from duvo_async.watching import Watcher

_T = TypeVar("_T")
Stop: TypeAlias = Callable[[str], Awaitable[StopResult]]
"""Stops a run."""

_logger = logging.getLogger("duvo_async")


class Feed(Protocol):
    """Where the runs of a batch come from."""

    @property
    def busy(self) -> bool:
        """Whether runs are being started."""
        ...

    async def feed(self, batch: "Batch") -> None:
        """Add the runs."""
        ...

    async def end(self, *, lose_none: bool) -> None:
        """Start no more; wait for the starts that were sent if none may be lost sight of."""
        ...

    async def close(self) -> None:
        """Keep what should outlast the batch. Nothing is told of its runs any more.

        Raises:
            DuvoError: Not all of it is kept.
        """
        ...


@define(eq=False, weakref_slot=False)
class _Slot:
    """One of the runs: a listener that knows its place.

    Attributes:
        batch: Where it belongs.
        index: The position of its input.
        run: The run as it was last seen, or its id.
        open: Whether it is waited for.
    """

    batch: "Batch"
    index: int
    run: Run | str
    open: bool = True

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.run.id if isinstance(self.run, Run) else self.run

    def told(self, run: Run) -> bool:
        """Hear how the run is."""
        self.run = run
        return self.batch.told(self, run)

    def failed(self, error: Exception) -> None:
        """Hear why nothing more will be told."""
        self.batch.finish(self, error=error)


class Batch:
    """Runs that are waited for together.

    Args:
        watcher: Tells how runs are getting on.
        answers: Answers what runs ask.
        timeout: Seconds for each run. None for ever.
        on_human_request: Answers what runs ask. None leaves it to the outcome.
        stop: Stops a run when the outcomes are left early. None lets the runs go on.

    Attributes:
        outstanding: How many runs are waited for.
        blocking: Whether the caller is a thread that waits for each step.
        on_room: Called when a run has ended.
        on_end: Called with the position of its input and a run that is in its last status.
    """

    def __init__(
        self,
        watcher: Watcher,
        answers: Answers,
        *,
        timeout: float | None,
        on_human_request: OnHumanRequest | None,
        stop: Stop | None = None,
    ) -> None:
        self._watcher = watcher
        self._answers = answers
        self._timeout = timeout
        self._on_human_request = on_human_request
        self._stop = stop
        self._outcomes: deque[RunOutcome] = deque()
        self._deadlines: dict[_Slot, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._handlers: dict[_Slot, asyncio.Task[None]] = {}
        self._errands: deque[Callable[[], Awaitable[None]]] = deque()
        self._bell: asyncio.Future[None] | None = None
        self._failure: Exception | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._left: Callable[[], None] = _nothing
        self._late: list[_Slot] = []
        self._context = copy_context()
        self.outstanding: int = 0
        self.blocking: bool = False
        self.on_room: Callable[[], None] | None = None
        self.on_end: Callable[[int, Run], None] | None = None

    # --- the caller's side -----------------------------------------------------------------------

    async def outcomes(self, feed: Feed) -> AsyncGenerator[Sequence[RunOutcome], None]:
        """Give the outcomes as they come.

        Args:
            feed: Adds the runs.
        """
        # Handlers and inputs of a blocking caller are his thread's, which is here during a step.
        self.blocking = caller.get() is not None
        self._context = copy_context()
        self._left = self._watcher.at_close(lambda: self._leave(feed, feeder))
        feeder = asyncio.create_task(self._fill(feed))
        try:
            while True:
                if self._outcomes:
                    outcomes = tuple(self._outcomes)
                    self._outcomes.clear()
                    yield outcomes
                elif self._errands:
                    await self._errands.popleft()()
                elif self.outstanding or feed.busy or not feeder.done():
                    self._bell = asyncio.get_running_loop().create_future()
                    await self._bell
                else:
                    break
        finally:
            await self._leave(feed, feeder)
        if self._failure is not None:
            raise self._failure

    async def in_step(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Do something that is the caller's: for a blocking one, in his thread."""
        if not self.blocking:
            return await work()
        result: asyncio.Future[_T] = asyncio.get_running_loop().create_future()

        async def errand() -> None:
            if result.done():
                return  # who asked for it was cancelled
            try:
                value = await work()
            except Exception as error:  # noqa: BLE001 - it belongs to who asked
                if not result.done():
                    result.set_exception(_as_exception(error))
            else:
                if not result.done():
                    result.set_result(value)

        self._errands.append(errand)
        self.ring()
        return await result

    def ring(self) -> None:
        """Have the caller look whether there is something new."""
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)

    async def _fill(self, feed: Feed) -> None:
        try:
            await feed.feed(self)
        except BaseException as error:  # the caller gets it after the outcomes
            if _was_cancelled() or isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            self._failure = _as_exception(error)
        finally:
            self.ring()

    async def _leave(self, feed: Feed, feeder: "asyncio.Task[None]") -> None:
        """Wait no longer; whoever leaves first, all wait until it is done."""
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._wind_up(feed, feeder))
            self._leaving.add_done_callback(lambda _: self._left())
        await asyncio.shield(self._leaving)

    async def _wind_up(self, feed: Feed, feeder: "asyncio.Task[None]") -> None:
        """End the waits; stop the runs that have not ended, if that was asked for."""
        what = "goes on" if self._stop is None else "was told to stop"
        if not feeder.done():
            self._failure = ClientClosedError(
                "the client was closed before all inputs were read; each run that was started "
                f"and had not ended {what}"
            )
        answering = list(self._handlers)
        tasks = [feeder, *self._handlers.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await feed.end(lose_none=self._stop is not None)
        if self._timer is not None:
            self._timer.cancel()
        # No list of one's own is kept for this: it would cost each run that waits.
        heard = (each for each in self._watcher.listeners() if isinstance(each, _Slot))
        waited = (*answering, *self._late, *(slot for slot in heard if slot.batch is self))
        left = [slot for slot in waited if slot.open]  # time may have run out on the others
        for slot in left:
            self._watcher.forget(slot.run_id, slot)
        if self._stop is not None:
            await _stop_all([slot.run_id for slot in left], self._stop)
        for slot in left:
            self.finish(slot, error=ClientClosedError(f"the client was closed; the run {what}"))
        try:
            await feed.close()
        except DuvoError as error:
            self._failure = self._failure or error

    # --- the runs' side --------------------------------------------------------------------------

    def add(self, index: int, run: Run | str) -> None:
        """Wait for a run."""
        slot = _Slot(self, index, run)
        self.outstanding += 1
        if self._timeout is not None:
            # All have the same time, so that the first to come is the first to be over.
            self._deadlines[slot] = asyncio.get_running_loop().time() + self._timeout
            self._set_timer()
        if self._leaving is not None:
            self._late.append(slot)
            return
        self._listen(slot)

    def _listen(self, slot: _Slot, seen_at: float | None = None) -> None:
        try:
            self._watcher.listen(slot.run, slot, seen_at)
        except Exception as error:  # noqa: BLE001 - as a closed client's, it is the run's outcome
            self.finish(slot, error=error)

    def add_failure(self, index: int, error: Exception) -> None:
        """Tell that there is no run for an input."""
        self._outcomes.append(RunOutcome(index=index, run_id=None, run=None, error=error))
        self.ring()

    def add_ended(self, index: int, run: Run) -> None:
        """Tell of a run that is known to have ended."""
        self._outcomes.append(RunOutcome(index=index, run_id=run.id, run=run))
        self.ring()

    def told(self, slot: _Slot, run: Run) -> bool:
        """Hear how a run is; say whether nothing more needs to be told."""
        if run.is_terminal:
            self.finish(slot)
            return True
        if not self._answers.wanted(run) or self._leaving is not None:
            return False
        if self._on_human_request is None:
            self.finish(slot, human_request=run.pending_human_request)
        else:
            # The handler is the caller's, and so is the context in which it runs.
            self._handlers[slot] = asyncio.get_running_loop().create_task(
                self._answer(slot, run), context=self._context.copy()
            )
        return True

    def finish(
        self,
        slot: _Slot,
        *,
        human_request: HumanRequest | None = None,
        error: Exception | None = None,
    ) -> None:
        """Note what became of a run."""
        if not slot.open:
            return
        slot.open = False
        self._deadlines.pop(slot, None)
        self.outstanding -= 1
        if self.on_room is not None:
            self.on_room()
        run = slot.run if isinstance(slot.run, Run) else None
        if self.on_end is not None and run is not None and run.is_terminal:
            self.on_end(slot.index, run)
        self._outcomes.append(
            RunOutcome(
                index=slot.index,
                run_id=slot.run_id,
                run=run,
                human_request=human_request,
                error=error,
            )
        )
        self.ring()

    async def _answer(self, slot: _Slot, run: Run) -> None:
        async def handler(pending: HumanRequestPending) -> HumanAnswer | None:
            given = self._on_human_request and await invoke(self._on_human_request, pending)
            # An answer that comes too late is no longer this caller's to give.
            return cast("HumanAnswer | None", given if slot.open else None)

        try:
            await self.in_step(lambda: self._answers.bring(run, handler))
        except HumanRequestPending as pending:
            self.finish(slot, human_request=pending.request)
        except BaseException as error:  # one run's trouble never ends the others
            if _was_cancelled() or isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            self.finish(slot, error=_as_exception(error))
        else:
            if slot.open and self._leaving is None:
                self._listen(slot, -inf)
        finally:
            del self._handlers[slot]

    def _set_timer(self) -> None:
        if self._deadlines and self._timer is None:
            deadline = next(iter(self._deadlines.values()))
            self._timer = asyncio.get_running_loop().call_at(deadline, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for slot in list(takewhile(lambda each: self._deadlines[each] <= now, self._deadlines)):
            self._time_out(slot)
        self._set_timer()

    def _time_out(self, slot: _Slot) -> None:
        self._watcher.forget(slot.run_id, slot)
        if slot in self._handlers:
            self._handlers[slot].cancel()
        known = slot.run if isinstance(slot.run, Run) else None
        timeout = self._timeout or 0.0
        self.finish(slot, error=WaitTimeout(slot.run_id, run=known, timeout=timeout))


def _nothing() -> None:
    pass


def _was_cancelled() -> bool:
    """Tell whether the running task was cancelled, rather than something that it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _as_exception(error: BaseException) -> Exception:
    """Make an outcome's error of what a caller's code raised."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return RuntimeError(f"the caller's code raised {error!r}")  # as no future can hold it


async def _stop_all(run_ids: Sequence[str], stop: Stop) -> None:
    results = await asyncio.gather(*map(stop, run_ids), return_exceptions=True)
    for run_id, result in zip(run_ids, results, strict=True):
        if isinstance(result, BaseException):
            _logger.warning("run %s could not be stopped: %s", run_id, result)
        elif not result.success:
            _logger.warning("run %s could not be stopped: %s", run_id, result.message)
