"""Giving up what takes too long, with one timer for all that is under way.

A timer for each request, as aiohttp and asyncio set it, takes a tenth of the time of a call: it is
put in order among the others, and nearly always cancelled.
"""

import asyncio
from math import inf
from typing import Any, TypeAlias

_Task: TypeAlias = "asyncio.Task[Any]"


class Deadlines:
    """When each of the tasks that use one event loop is to be done with what it does."""

    __slots__ = ("_ahead", "_loop", "_passed", "_rings_at", "_timer")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        # With the times, how often each was being cancelled when it began.
        self._ahead: dict[_Task, tuple[float, int]] = {}
        self._passed: dict[_Task, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = inf

    def begin(self, loop: asyncio.AbstractEventLoop, seconds: float) -> _Task:
        """Have the current task cancelled after so many seconds, unless `end` comes first.

        Args:
            loop: The running loop.
            seconds: For how long it may take; a task has but one deadline at a time.

        Returns:
            The task.
        """
        if loop is not self._loop:  # the one before has ended
            self.close()
            self._passed.clear()
            self._loop = loop
        task = asyncio.current_task(loop)
        assert task is not None  # noqa: S101 - no coroutine runs here without one
        at = loop.time() + seconds
        self._ahead[task] = at, task.cancelling()
        if at < self._rings_at:
            self._set_timer(loop, at)
        return task

    def is_why(self, task: _Task) -> bool:
        """Tell, once and after a cancellation, whether the deadline alone is behind it."""
        cancelling = self._passed.pop(task, None)
        return cancelling is not None and task.uncancel() <= cancelling

    def end(self, task: _Task) -> None:
        """Forget a deadline: what it was for has ended."""
        self._ahead.pop(task, None)
        if self._passed:
            self.is_why(task)  # whatever came in the cancellation's way, it counts no more

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
        for task in [each for each, (at, _) in self._ahead.items() if at <= now]:
            _, self._passed[task] = self._ahead.pop(task)
            task.cancel()
        # Nearly all have ended long ago, so that it rings but once in that many seconds.
        if self._ahead:
            self._set_timer(loop, min(at for at, _ in self._ahead.values()))
