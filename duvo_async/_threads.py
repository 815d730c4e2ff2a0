"""Work that may block, in threads that nobody has to wait for.

They are daemon threads: neither a cancelled call nor the interpreter's end waits for a disk that
does not answer, or for a pipe that nobody writes.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from threading import Lock, Semaphore, Thread
from typing import Final, Generic, TypeVar

_T = TypeVar("_T")
_END: Final = object()


async def arrival(future: "asyncio.Future[_T]") -> _T:
    """Wait for what a thread is about to tell. There is no other place that does."""
    return await future


async def apart(function: Callable[[], _T], discard: Callable[[_T], object] | None = None) -> _T:
    """Run a function in a thread of its own.

    Args:
        function: The function.
        discard: Gets, in a thread, what the function returns when nobody waits for it any more.
            None forgets it.

    Returns:
        What it returns, or raises what it raises.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[_T] = loop.create_future()

    def deliver(result: _T) -> None:
        if not outcome.done():
            outcome.set_result(result)
        elif discard is not None:
            leave(partial(discard, result))

    def fail(error: Exception) -> None:
        if not outcome.done():
            outcome.set_exception(error)

    def work() -> None:
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - it is the awaiting task's
            with suppress(RuntimeError):  # the loop has ended without waiting
                loop.call_soon_threadsafe(fail, _carried(error))
            return
        try:
            loop.call_soon_threadsafe(deliver, result)
        except RuntimeError:  # as above
            if discard is not None:
                discard(result)

    Thread(target=work, name="duvo-async-work", daemon=True).start()
    return await arrival(outcome)


def leave(function: Callable[[], object]) -> None:
    """Have a thread do what nobody waits for."""
    Thread(target=function, name="duvo-async-work", daemon=True).start()


def _carried(error: BaseException) -> Exception:
    """Make of anything raised in a thread what can be raised in a task."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return RuntimeError(f"{type(error).__name__} was raised: {error}")


class ReadAhead(Generic[_T]):
    """Runs an iterator in a thread, some items ahead of those who take them.

    Any number of tasks may take items: `await ahead.next(None)`.

    Args:
        items: The iterator. What it raises, it raises once, in place of an item; nothing follows.
        depth: How many items may wait to be taken.
        discard: Gets the items that nobody takes any more. None forgets them.
    """

    def __init__(
        self, items: Iterator[_T], depth: int, discard: Callable[[_T], None] | None = None
    ) -> None:
        self._items = items
        self._discard = discard
        self._loop = asyncio.get_running_loop()
        self._room = Semaphore(depth)
        self._lock = Lock()
        self._ready: deque[_T] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._hungry = False
        self._closed = False
        self._ended = False
        self._error: Exception | None = None
        self._gone: asyncio.Future[None] = self._loop.create_future()
        Thread(target=self._work, name="duvo-async-read", daemon=True).start()

    async def next(self, default: _T | None) -> _T | None:
        """Take the next item.

        Args:
            default: What to give when there are no more.

        Returns:
            The item, or raises what the iterator raised.
        """
        while True:
            with self._lock:
                if self._ready:
                    self._room.release()
                    return self._ready.popleft()
                if self._ended:
                    break
                self._hungry = True
            turn: asyncio.Future[None] = self._loop.create_future()
            self._waiting.append(turn)
            await arrival(turn)
        error, self._error = self._error, None
        if error is not None:
            raise error
        return default

    def close(self) -> None:
        """Read no more, and discard what nobody has taken."""
        with self._lock:
            self._closed = self._ended = True
            left = list(self._ready)
            self._ready.clear()
        self._room.release()
        self._wake()
        if self._discard is not None:
            for item in left:
                self._discard(item)

    async def gone(self) -> None:
        """Wait until the thread reads no more; close it first."""
        await asyncio.shield(self._gone)

    def _work(self) -> None:
        try:
            while self._room.acquire() and not self._closed:
                item = next(self._items, _END)
                if item is _END:
                    break
                self._hand(item)  # type: ignore[arg-type] # not the end
        except BaseException as error:  # noqa: BLE001 - it is whoever takes the next item's
            self._error = _carried(error)
        with self._lock:
            self._ended = True
        self._tell(self._wake)
        self._tell(self._leave)

    def _hand(self, item: _T) -> None:
        with self._lock:
            late = self._closed
            hungry, self._hungry = self._hungry, False
            if not late:
                self._ready.append(item)
        if late and self._discard is not None:
            self._discard(item)
        if hungry:
            self._tell(self._wake)

    def _tell(self, function: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended without waiting
            self._loop.call_soon_threadsafe(function)

    def _leave(self) -> None:
        if not self._gone.done():
            self._gone.set_result(None)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)
