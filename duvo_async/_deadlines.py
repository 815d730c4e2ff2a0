"""Giving up what takes too long, with one timer for all that is under way.

A timer for each request, as aiohttp and asyncio set it, takes a tenth of the time of a call: it is
put in order among the others, and nearly always cancelled.
"""

import asyncio
from math import inf

from attrs import define


@define(eq=False)
class Deadline:
    """When one task is to be done with what it does.

    Attributes:
        task: The task.
        at: When, on the loop's clock.
        cancelling: How often it was being cancelled when it began.
        passed: Whether it was cancelled because the time is over, and nobody has asked yet.
    """

    task: "asyncio.Task[object]"
    at: float
    cancelling: int
    passed: bool = False

    def is_why(self) -> bool:
        """Tell, once and after a cancellation, whether the deadline alone is behind it."""
        if not self.passed:
            return False
        self.passed = False
        return self.task.uncancel() <= self.cancelling


class Deadlines:
    """The deadlines of the tasks that use one event loop."""

    __slots__ = ("_ahead", "_loop", "_rings_at", "_timer")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ahead: set[Deadline] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = inf

    def begin(self, seconds: float) -> Deadline:
        """Have the current task cancelled after so many seconds, unless `end` comes first."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # the one before has ended
            self.close()
            self._loop = loop
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - no coroutine runs here without one
        at = loop.time() + seconds
        deadline = Deadline(task, at, task.cancelling())
        self._ahead.add(deadline)
        if at < self._rings_at:
            self._set_timer(loop, at)
        return deadline

    def end(self, deadline: Deadline) -> None:
        """Forget a deadline: what it was for has ended."""
        self._ahead.discard(deadline)
        deadline.is_why()  # whatever came in the cancellation's way, it counts no more

    def close(self) -> None:
        """Forget them all."""
        self._ahead.clear()
        self._rings_at = inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._rings_at = loop.call_at(at, self._ring, loop), at

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer, self._rings_at = None, inf
        now = loop.time()
        for deadline in [each for each in self._ahead if each.at <= now]:
            self._ahead.discard(deadline)
            deadline.passed = True
            deadline.task.cancel()
        # Nearly all have ended long ago, so that it rings but once in that many seconds.
        if self._ahead:
            self._set_timer(loop, min(each.at for each in self._ahead))
