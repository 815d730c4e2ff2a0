"""Waiting for the budget of the key, which all clients of a process share."""

import asyncio
import hashlib
import logging
import os
from collections import OrderedDict, deque
from collections.abc import Callable
from math import inf
from threading import Lock
from typing import TypeAlias
from weakref import WeakSet, WeakValueDictionary

from attrs import define

from duvo_async._pacing import Budget, Lane
from duvo_async._protocol import Window
from duvo_async.credentials import ClientCredentials, Secret
from duvo_async.settings import Credentials, Settings

_logger = logging.getLogger("duvo_async")
_REMEMBERED = 64
"""Keys whose budget is remembered when no client uses it any more."""


_Line: TypeAlias = OrderedDict["asyncio.Future[int]", bool]
"""Those who wait, each with whether it hurries."""


def _no_lines() -> tuple[_Line, ...]:
    return tuple(OrderedDict() for _ in Lane)  # by the lanes' numbers


@define(eq=False)
class Limits:
    """What one client was told of the budget, and wants of it.

    Attributes:
        requests_per_minute: The most that is sent in a minute. None for what the API allows.
        processes: How many processes use the key.
        share: The part of a window that it wants kept for polls while starts wait.
    """

    requests_per_minute: int | None = None
    processes: int = 1
    share: float = 0.0


class Turns:
    """Gives requests their turn: the lanes in their order, each first come, first served.

    Its methods may be called from any thread with a running event loop; all of these loops count
    time alike.

    Args:
        budget: Decides.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._lock = Lock()
        self._lines = _no_lines()
        # With the times at which they ring: not every loop's handles tell.
        self._timers: dict[asyncio.AbstractEventLoop, tuple[float, asyncio.TimerHandle]] = {}
        self._clients: WeakSet[Limits] = WeakSet()

    def take(self, lane: Lane, now: float) -> int:
        """Let a request be sent if it need not wait. Call `release` when it has ended.

        Args:
            lane: What it is for.
            now: The running loop's time.

        Returns:
            The request's number. 0 when it has to `wait`.
        """
        budget = self.budget
        with self._lock:
            return 0 if any(self._lines) or budget.acquire(lane, now) else budget.number

    async def wait(self, lane: Lane, *, hurried: bool = False) -> int:
        """Wait until a request may be sent. Call `release` when it has ended.

        Args:
            lane: What it is for.
            hurried: Whether a poll should not be spread over what is left of the window.

        Returns:
            The request's number.
        """
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._go(lane, loop.time(), hurried=hurried):
                return self.budget.number
            turn: asyncio.Future[int] = loop.create_future()
            self._lines[lane][turn] = hurried
            self._admit(loop)
        try:
            return await turn
        except asyncio.CancelledError:
            self._give_up(turn, lane, loop)
            raise

    def release(self, number: int, window: Window | None = None, now: float = 0.0) -> None:
        """Say that a request has ended; the next may take its place.

        Args:
            number: Its number. To release it once more changes nothing.
            window: The rate-limit headers of its response. None when there were none.
            now: The running loop's time, where there is a window.
        """
        with self._lock:
            if window is not None:
                self.budget.observe(window, now, number)
            else:
                self.budget.release(number)
            if self._timers or any(self._lines):
                self._admit(asyncio.get_running_loop())

    def refund(self, number: int) -> None:
        """Say that a request was not sent after all; the next may take its place."""
        with self._lock:
            self._take_back(number)
            self._admit(asyncio.get_running_loop())

    def pause(self, seconds: float) -> None:
        """Send nothing for a while, because the API said that the budget is spent."""
        with self._lock:
            self.budget.pause(seconds, asyncio.get_running_loop().time())

    def join(self, limits: Limits) -> None:
        """Take a client in: of what clients were told, the most careful counts."""
        with self._lock:
            self._clients.add(limits)
            self._agree()

    def leave(self, limits: Limits) -> None:
        """Let a client go."""
        with self._lock:
            self._clients.discard(limits)
            self._agree()

    async def close(self) -> None:
        """Give back what was opened in the running loop; it is opened again when it is needed."""

    def keep_share(self, limits: Limits, share: float) -> None:
        """Keep a part of each window for polls: of what clients want, the most."""
        if limits.share != share:
            with self._lock:
                limits.share = share
                self.budget.share = max((each.share for each in self._clients), default=0.0)

    def forget_others(self) -> None:
        """Begin anew after a fork, with the threads and loops that were left behind."""
        self._lock = Lock()
        self._lines = _no_lines()
        self._timers = {}
        self.budget.forget_under_way()

    def _agree(self) -> None:
        told = [each.requests_per_minute for each in self._clients]
        self.budget.requests_per_minute = min((each for each in told if each), default=None)
        self.budget.processes = max((each.processes for each in self._clients), default=1)

    def _go(self, lane: Lane, now: float, *, hurried: bool) -> bool:
        """Let a request go that need not wait for others."""
        return not any(self._lines) and self._ask(lane, now, hurried=hurried) == 0

    def _ask(self, lane: Lane, now: float, *, hurried: bool = False) -> float:
        starts_wait = bool(self._lines[Lane.START])
        return self.budget.acquire(lane, now, starts_wait=starts_wait, hurried=hurried)

    def _admit(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let those go whose turn it is, and set the timer for the next."""
        delay = inf
        for lane, line in zip(Lane, self._lines, strict=True):
            while line:
                turn, hurried = next(iter(line.items()))
                if (wait := self._ask(lane, loop.time(), hurried=hurried)) > 0:
                    delay = min(delay, wait)
                    break
                del line[turn]
                self._grant(turn, lane, loop, hurried=hurried)
        self._set_timer(loop, delay)

    def _grant(
        self,
        turn: "asyncio.Future[int]",
        lane: Lane,  # noqa: ARG002 - for those who ask further
        loop: asyncio.AbstractEventLoop,
        *,
        hurried: bool,  # noqa: ARG002 - the same
    ) -> None:
        number = self.budget.number
        if turn.get_loop() is loop and not turn.done():
            turn.set_result(number)
            return
        try:
            turn.get_loop().call_soon_threadsafe(self._set, turn, number)
        except RuntimeError:  # that loop has ended, and with it the one who waited
            self._take_back(number)

    def _take_back(self, number: int) -> None:
        self.budget.refund(number)

    def _set(self, turn: "asyncio.Future[int]", number: int) -> None:
        if turn.done():
            self.refund(number)
        else:
            turn.set_result(number)

    def _give_up(
        self, turn: "asyncio.Future[int]", lane: Lane, loop: asyncio.AbstractEventLoop
    ) -> None:
        with self._lock:
            self._lines[lane].pop(turn, None)
            if turn.done() and not turn.cancelled():
                self._take_back(turn.result())  # its turn had come as it was cancelled
            self._admit(loop)

    def _set_timer(self, loop: asyncio.AbstractEventLoop, delay: float) -> None:
        for other in [each for each in self._timers if each.is_closed()]:
            del self._timers[other]
        rings_at, timer = self._timers.get(loop, (inf, None))
        if delay == inf:
            if timer is not None:
                timer.cancel()
                del self._timers[loop]
            return
        due = loop.time() + delay
        # One that is too early looks again, which is cheaper than to set it anew each time.
        if rings_at > due:
            if timer is not None:
                timer.cancel()
            elif delay > 1:
                _logger.debug("the key's requests are spent: waiting %.1f s", delay)
            self._timers[loop] = due, loop.call_at(due, self._ring, loop)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._timers.pop(loop, None)
            self._admit(loop)


_lock = Lock()
_by_key: WeakValueDictionary[str, Turns] = WeakValueDictionary()
_recent: deque[Turns] = deque(maxlen=_REMEMBERED)
"""What a closed client has spent is still spent when the next one comes."""


def _identity(credentials: Credentials) -> str:
    if isinstance(credentials, Secret):
        return f"key {credentials.reveal()}"
    if isinstance(credentials, ClientCredentials):
        return f"client {credentials.client_id}"
    return f"source {id(credentials)}"


def digest_of(settings: Settings) -> str:
    """Give what tells keys and origins apart, and shows neither."""
    what = f"{settings.base_url.origin()} {_identity(settings.credentials)}"
    return hashlib.sha256(what.encode()).hexdigest()


def _alone() -> Turns:
    return Turns(Budget())


def turns_for(settings: Settings, make: Callable[[], Turns] = _alone) -> Turns:
    """Find the turns that all clients of this process share which use the same key and origin.

    Args:
        settings: Tell the key and the origin.
        make: Makes them for the first client; those of this process alone by default.
    """
    digest = digest_of(settings)
    if settings.budget is not None:
        digest += settings.budget.reveal()
    with _lock:
        turns = _by_key.get(digest)
        if turns is None:
            turns = _by_key[digest] = make()
        if turns not in _recent:
            _recent.append(turns)
        return turns


def forget_all() -> None:
    """Forget what every key has spent, as tests do that count time anew."""
    _by_key.clear()
    _recent.clear()


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - another thread may have held it
    _lock = Lock()
    for turns in tuple(_by_key.values()):
        turns.forget_others()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
