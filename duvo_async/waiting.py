"""Waiting for one run: until it ends, or for each of its changes."""

import asyncio
from collections.abc import AsyncGenerator
from math import inf
from typing import TypeVar

from attrs import define, field

from duvo_async import _operations
from duvo_async._callbacks import OnHumanRequest, OnUpdate, invoke
from duvo_async._pacing import Lane
from duvo_async._protocol import Call, Response, server_time
from duvo_async._schedule import poll_interval
from duvo_async._session import Session
from duvo_async.answering import Answers, news
from duvo_async.errors import RateLimitError, WaitTimeout
from duvo_async.models import Run
from duvo_async.watching import Watcher

_T = TypeVar("_T")


@define(eq=False)
class _Wait:
    """What one caller was told of a run and has not taken in yet.

    Attributes:
        answers: Tells whether a run asks a person, which ends the telling. None goes on then.
        changes: Whether to hear of each change. Else only of the end, and of what a run asks.
        seen: The run as it was last told. None before the first time.
        told_at: When something was last heard, on the loop's clock.
        enough: Whether nothing more will be told.
        unheard: What was told and not taken in.
    """

    answers: Answers | None
    changes: bool
    seen: Run | None = None
    told_at: float | None = None
    enough: bool = False
    unheard: list[Run] = field(factory=list[Run])
    _error: Exception | None = None
    _bell: "asyncio.Future[None] | None" = None

    def told(self, run: Run) -> bool:
        """Hear how the run is."""
        before, self.seen = self.seen, run
        asks = self.answers is not None and self.answers.wanted(run)
        self.enough = run.is_terminal or asks
        if self.enough or (self.changes and (before is None or news(before) != news(run))):
            self.told_at = asyncio.get_running_loop().time()
            self.unheard.append(run)
            self._ring()
        return self.enough

    def failed(self, error: Exception) -> None:
        """Hear why nothing more will be told."""
        self._error = error
        self._ring()

    def bell(self) -> "asyncio.Future[None]":
        """Give what is done when there is something to take."""
        self._bell = asyncio.get_running_loop().create_future()
        if self.unheard or self._error is not None:
            self._bell.set_result(None)
        return self._bell

    def take(self) -> tuple[Run, bool]:
        """Take in the next run, and whether it is the last; raise why there will be no more."""
        if self.unheard:
            run = self.unheard.pop(0)
            return run, self.enough and not self.unheard
        error, self._error = self._error, None
        if error is None:
            raise AssertionError("nothing was told")  # pragma: no cover
        raise error

    def _ring(self) -> None:
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)


class Waits:
    """The waits of one client.

    Args:
        session: Makes the calls.
        watcher: Tells how runs are getting on.
        answers: Answers what runs ask.
    """

    def __init__(self, session: Session, watcher: Watcher, answers: Answers) -> None:
        self._session = session
        self._watcher = watcher
        self._answers = answers

    async def until_ended(
        self,
        run: str | Run,
        timeout: float | None,
        on_human_request: OnHumanRequest | None,
        on_update: OnUpdate | None,
        seen: Run | None = None,
    ) -> Run:
        """Wait until a run ends (see `AsyncRuns.wait`); what was `seen` is no update."""
        run_id, known = _known(run)
        wait = _Wait(self._answers, on_update is not None, seen)
        scope = asyncio.timeout(timeout)
        try:
            async with scope:
                self._watcher.listen(run, wait)
                while True:
                    await wait.bell()
                    current, last = wait.take()
                    if on_update is not None:
                        await invoke(on_update, current)
                    if current.is_terminal:
                        return current
                    if last:
                        if self._answers.wanted(current):
                            await self._answers.bring(current, on_human_request)
                        self._watcher.listen(current, wait, seen_at=-inf)
        except TimeoutError:
            if timeout is None or not scope.expired():
                raise
        finally:
            self._watcher.forget(run_id, wait)
        # Raised outside of the handler: what was cut short would hang on it, down to aiohttp's
        # frames, which know the key.
        raise WaitTimeout(run_id, run=wait.seen or known, timeout=timeout)

    async def changes(
        self, run: str | Run, timeout: float | None
    ) -> AsyncGenerator[tuple[Run], None]:
        """Give a run each time that it says something new (see `AsyncRuns.watch`)."""
        run_id, known = _known(run)
        wait = _Wait(None, changes=True)
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        ended = False
        while not ended:
            # Neither the time limit nor the looking spans a yield: who takes no step wants none.
            scope = asyncio.timeout_at(deadline)
            try:
                async with scope:
                    if not wait.unheard:
                        self._watcher.listen(wait.seen or run, wait, wait.told_at)
                    await wait.bell()
            except TimeoutError:
                if timeout is None or not scope.expired():
                    raise
            finally:
                self._watcher.forget(run_id, wait)
            if timeout is not None and scope.expired():
                raise WaitTimeout(run_id, run=wait.seen or known, timeout=timeout)
            current, ended = wait.take()
            yield (current,)

    async def pause(self, run_id: str) -> bool:
        """Wait for as long as a run should be left alone.

        Returns:
            Whether the run had ended before.
        """
        get_run = _operations.get_run(self._session.routes, run_id)

        def decode(response: Response) -> tuple[Run, float]:
            run = get_run.decode(response)
            return run, (server_time(response.headers) - run.created_at).total_seconds()

        run, age = await self.patiently(Call(get_run.request, decode))
        if not run.is_terminal:
            await asyncio.sleep(poll_interval(age, self._session.random))
        return run.is_terminal

    async def patiently(self, call: Call[_T]) -> _T:
        """Make a call that looks how a run is getting on.

        A 429 says that others spend the key's budget, which is no news of the run. The next look
        waits for its turn, unless the API asked for more patience than the retry policy has.
        """
        while True:
            try:
                return await self._session.call(call, Lane.POLL)
            except RateLimitError as error:
                if not self._session.retry.accepts(error.retry_after):
                    raise
            await asyncio.sleep(poll_interval(0, self._session.random))


def _known(run: str | Run) -> tuple[str, Run | None]:
    return (run.id, run) if isinstance(run, Run) else (run, None)
