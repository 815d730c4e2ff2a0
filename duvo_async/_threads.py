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


async def apart(function: Callable[[], _T]) -> _T:
    """Run a function in a thread of its own.

    Args:
        function: The function.

    Returns:
        What it returns, or raises what it raises.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[_T] = loop.create_future()

    def work() -> None:
        try:
            settle = partial(outcome.set_result, function())
        except Exception as error:  # noqa: BLE001 - it is the awaiting task's
            settle = partial(outcome.set_exception, error)
        with suppress(RuntimeError):  # the loop has ended without waiting
            loop.call_soon_threadsafe(_unless_done, outcome, settle)

    Thread(target=work, name="duvo-async-work", daemon=True).start()
    return await arrival(outcome)


def _unless_done(future: "asyncio.Future[_T]", settle: Callable[[], None]) -> None:
    if not future.done():
        settle()


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

    def _work(self) -> None:
        try:
            while self._room.acquire() and not self._closed:
                item = next(self._items, _END)
                if item is _END:
                    break
                self._hand(item)  # type: ignore[arg-type] # not the end
        except Exception as error:  # noqa: BLE001 - it is whoever takes the next item's
            self._error = error
        with self._lock:
            self._ended = True
        self._tell()

    def _hand(self, item: _T) -> None:
        with self._lock:
            late = self._closed
            hungry, self._hungry = self._hungry, False
            if not late:
                self._ready.append(item)
        if late and self._discard is not None:
            self._discard(item)
        if hungry:
            self._tell()

    def _tell(self) -> None:
        with suppress(RuntimeError):  # the loop has ended without waiting
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)
