"""An event loop whose clock jumps to the next timer when nothing else is left to do.

Real sockets work on it, since both ends of a test live in one loop: what one end has sent can be
read by the other at once. Work in threads holds the clock.
"""

import asyncio
import selectors
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, TypeVar, TypeVarTuple

import pytest

from duvo_async import _threads

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")

_GRACE = 0.002
_STUCK = 30.0
"""Real seconds after which a test that waits for nothing in particular is given up."""
EPOCH = 1_750_000_000.0
"""The Unix time at which these loops begin."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio loop on virtual time.

    Args:
        grace: Real seconds in which a socket may still turn out readable before the clock jumps. 0
            where nothing goes over sockets.
    """

    def __init__(self, grace: float = _GRACE) -> None:
        self.now = 0.0
        self.threads = 0
        self.grace = grace
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self.now

    def run_in_executor(
        self,
        executor: Executor | None,
        func: Callable[[*_Ts], _T],
        *args: *_Ts,
    ) -> "asyncio.Future[_T]":
        self.threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_done)
        return future

    async def shutdown_default_executor(self, *timeout: Any) -> None:  # noqa: ANN401 - a time-out from Python 3.12 on
        self.threads += 1  # no jump may make it expire
        try:
            await super().shutdown_default_executor(*timeout)
        finally:
            self.threads -= 1

    def _thread_done(self, _: object) -> None:
        self.threads -= 1


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return super().select(0)
        if self._loop.threads or timeout is None:
            events = super().select(_STUCK)
            if not events:
                raise TimeoutError(f"nothing happened for {_STUCK} real seconds")
            return events
        if events := super().select(self._loop.grace):
            return events
        self._loop.now += timeout
        return []


def wall_clock() -> float:
    """The Unix time of the running loop."""
    return EPOCH + asyncio.get_running_loop().time()


@contextmanager
def threads_hold_the_clock() -> Iterator[None]:
    """Let no clock jump while a thread works for the client."""
    original = _threads.arrival

    async def counted(future: "asyncio.Future[_T]") -> _T:
        loop = asyncio.get_running_loop()
        if not isinstance(loop, VirtualTimeLoop):
            return await original(future)
        loop.threads += 1
        try:
            return await original(future)
        finally:
            loop.threads -= 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_threads, "arrival", counted)
        yield
