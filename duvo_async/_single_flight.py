"""One at a time for everybody: many ask at once, one fetches, all get what came of it."""

import asyncio
from collections.abc import Awaitable, Callable
from copy import copy
from typing import Generic, NoReturn, TypeVar

_T = TypeVar("_T")


class SingleFlight(Generic[_T]):
    """Fetches something on behalf of all who ask for it meanwhile.

    There is no task behind it: the first to ask fetches, the others wait. If the first is
    cancelled, one of the others fetches.

    Args:
        fetch: Fetches it.
    """

    __slots__ = ("_fetch", "_flights", "_lock", "_loop", "_outcome")

    def __init__(self, fetch: Callable[[], Awaitable[_T]]) -> None:
        self._fetch = fetch
        self._flights = 0
        self._outcome: Callable[[], _T] | None = None
        self._lock = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def join(self) -> _T:
        """Fetch it, or wait for the fetch that is under way.

        Returns:
            What was fetched.

        Raises:
            Exception: What the fetch raised, to each who waited for it.
        """
        lock = self._lock_of_this_loop()
        flight = self._flights
        async with lock:
            if self._flights == flight or self._outcome is None:
                await self._fly()
            outcome = self._outcome
        if outcome is None:
            raise AssertionError("a flight that landed has an outcome")  # pragma: no cover
        return outcome()

    async def _fly(self) -> None:
        try:
            found = await self._fetch()
        except Exception as error:  # noqa: BLE001 - it is raised to all who wait
            self._outcome = _raising(error)
        else:
            self._outcome = lambda: found
        self._flights += 1

    def _lock_of_this_loop(self) -> asyncio.Lock:
        # A client may outlive its loop, and a lock may not.
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._lock = loop, asyncio.Lock()
        return self._lock


def _raising(error: Exception) -> Callable[[], NoReturn]:
    def outcome() -> NoReturn:
        raise copy(error) from None  # one each: a raised error collects the frames it came through

    return outcome
