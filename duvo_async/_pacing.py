"""The budget of the key: who may send when. No I/O; callers pass `now`."""

from enum import IntEnum
from math import inf

from attrs import define, field

from duvo_async._protocol import Window

DEFAULT_LIMIT = 300
"""Requests a window and key (API documentation, "Rate Limiting")."""
WINDOW_SECONDS = 60.0
"""A window's length (the same section: 300 requests per minute)."""
RESERVE = 0.1
"""The part of a window that only what a user called for may spend."""
_SAME_WINDOW = WINDOW_SECONDS / 2
"""Resets that differ by less are the same one: the headers count whole seconds, and come late."""
_ROUNDING = 1.0
"""How far a reset in whole seconds may be too early."""
_AT_ONCE = 2
"""Requests that each of several processes may have under way. None of them knows of the others'
before a response tells, so that as many of each window are left alone."""
_LONGEST_REQUEST = 5 * WINDOW_SECONDS
"""Seconds after which a request no longer counts as under way: whoever sent it may be gone."""


class Lane(IntEnum):
    """Why a request is sent; the first lane goes first."""

    CALL = 0
    """A user called for it."""
    START = 1
    """A fan-out starts a run."""
    POLL = 2
    """A wait looks how runs are getting on."""


@define
class _Sent:
    """A request that is under way: how many of this window's it was, and when it was sent."""

    place: int
    at: float


@define
class Budget:
    """The requests that are left in this window, as far as this process can tell.

    Requests are counted as they are sent, and each response's headers correct the count. A window
    of which no response has told yet is assumed to be as the documentation says.

    Attributes:
        requests_per_minute: The most that this process sends in a window. None for what the API
            allows.
        processes: How many processes spend this budget together.
        reserve: The part of a window that only `Lane.CALL` may spend.
        share: The part of a window that is kept for polls while starts wait.
    """

    requests_per_minute: int | None = None
    processes: int = 1
    reserve: float = RESERVE
    share: float = 0.0
    _limit: int = DEFAULT_LIMIT
    _told: bool = False
    _remaining: int = DEFAULT_LIMIT
    _reset_at: float = -inf
    _assumed: bool = True
    _used: int = 0
    _polls: int = 0
    _next_poll_at: float = -inf
    _number: int = 0
    _under_way: dict[int, _Sent] = field(factory=dict[int, _Sent])
    _paused_until: float = -inf

    @property
    def limit(self) -> int:
        """How many requests a window has room for."""
        if self.requests_per_minute is None:
            return self._limit
        # What the documentation says is no reason to send less than one was told to.
        return (
            min(self.requests_per_minute, self._limit) if self._told else self.requests_per_minute
        )

    @property
    def number(self) -> int:
        """The number of the request that was last allowed."""
        return self._number

    def acquire(
        self, lane: Lane, now: float, *, starts_wait: bool = False, hurried: bool = False
    ) -> float:
        """Ask to send a request.

        Args:
            lane: What it is for.
            now: Seconds, on a clock that only runs forward.
            starts_wait: Whether starts are waiting for their turn, which leaves polls their share.
            hurried: Whether a poll should not be spread over what is left of the window.

        Returns:
            0 when it may be sent, as `number`; call `release` when it has ended. Else the seconds
            after which to ask again, infinity for when another one has ended.
        """
        if now < self._paused_until:
            return self._paused_until - now
        # A reset that is too far away is one of a clock that was set back.
        if not self._reset_at - 2 * WINDOW_SECONDS <= now < self._reset_at:
            self._open(now)
        if self.processes > 1 and len(self._under_way) >= _AT_ONCE:
            return inf
        left = self._left(lane, starts_wait=starts_wait)
        if left < 1:
            return self._reset_at - now
        if lane is Lane.POLL:
            if now < self._next_poll_at and not hurried:
                return self._next_poll_at - now
            self._polls += 1
            # Evenly over the window, among all that poll.
            others = 1 if self._assumed else self.processes
            self._next_poll_at = now + (self._reset_at - now) / ((left - 1) / others + 1)
        self._remaining -= 1
        self._used += 1
        self._number += 1
        self._under_way[self._number] = _Sent(self._used, now)
        return 0.0

    def release(self, number: int) -> None:
        """Say that a request has ended, with or without a response."""
        self._under_way.pop(number, None)

    def refund(self, number: int, lane: Lane) -> None:
        """Say that a request was not sent after all."""
        if self._under_way.pop(number, None) is None:
            return
        self._remaining += 1
        self._used -= 1
        if lane is Lane.POLL:
            self._polls = max(0, self._polls - 1)
            self._next_poll_at = -inf

    def observe(self, window: Window, now: float, number: int) -> None:
        """Believe what a response says of the window.

        Args:
            window: The rate-limit headers.
            now: The clock of `acquire`.
            number: The number of its request, which is still under way.
        """
        # A window that seems to end later than two of them is a mistake that must not stop us.
        reset_at = now + min(window.reset_in, 2 * WINDOW_SECONDS)
        sent = self._under_way.get(number)
        place = self._used if sent is None else sent.place
        # What was sent after it may not be in the server's count.
        remaining = window.remaining - (self._used - place)
        self._limit, self._told = window.limit, True
        if not self._assumed and abs(reset_at - self._reset_at) < _SAME_WINDOW:
            self._remaining = min(self._remaining, remaining)
            # The response that came fastest knows best when the window ends.
            self._reset_at = max(reset_at, min(self._reset_at, reset_at + _ROUNDING))
        elif self._assumed or reset_at > self._reset_at:
            if not self._assumed:
                self._begin_with(place)
            # Those that were sent before it may have been overtaken: all of one's own count.
            self._remaining = min(window.limit - self._used, remaining)
            self._reset_at = reset_at
            self._assumed = False

    def pause(self, seconds: float, now: float) -> None:
        """Send nothing for a while, because the API said that the budget is spent.

        Args:
            seconds: For how long.
            now: The clock of `acquire`.
        """
        self._paused_until = max(self._paused_until, now + seconds)

    def forget_under_way(self) -> None:
        """Forget the requests that are under way, as after a fork, which leaves them behind."""
        self._under_way.clear()

    def _open(self, now: float) -> None:
        """Begin a window of which nothing is known yet."""
        forgotten = now - _LONGEST_REQUEST
        under_way = {n: sent for n, sent in self._under_way.items() if sent.at > forgotten}
        self._under_way = {
            n: _Sent(place, sent.at) for place, (n, sent) in enumerate(under_way.items(), 1)
        }
        self._used = len(self._under_way)
        self._reset_at = now + WINDOW_SECONDS
        self._remaining = self.limit - self._used
        self._polls = 0
        self._next_poll_at = -inf
        self._assumed = True

    def _begin_with(self, place: int) -> None:
        """Count anew from the first request of a window that began before it was expected to."""
        earlier = place - 1 - sum(sent.place < place for sent in self._under_way.values())
        for sent in self._under_way.values():
            sent.place = max(1, sent.place - earlier)
        self._used -= earlier
        self._polls = 0

    def _left(self, lane: Lane, *, starts_wait: bool) -> int:
        """Count the requests that a lane may still send in this window."""
        room, left = self.limit, self._remaining
        if self.requests_per_minute is not None:
            left = min(left, room - self._used)
        if self.processes > 1:
            left -= min(self.processes * _AT_ONCE, room // 2)
            if self._assumed:  # until a response tells what the others have left
                room = max(_AT_ONCE, room // self.processes)
                left = min(left, room - self._used)
        if lane is Lane.CALL:
            return left
        left -= int(self.reserve * room)
        polls = max(1, int(self.share * room)) - self._polls if self.share and room > 1 else 0
        if lane is Lane.START:
            return left - max(0, polls)
        return min(left, polls) if starts_wait else left
