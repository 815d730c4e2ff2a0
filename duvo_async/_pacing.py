"""The budget of the key: who may send when. No I/O; callers pass `now`."""

from enum import IntEnum
from math import inf

from attrs import define

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
before a response tells, so that a window is left alone for the last of all of them."""


class Lane(IntEnum):
    """Why a request is sent; the first lane goes first."""

    CALL = 0
    """A user called for it."""
    START = 1
    """A fan-out starts a run."""
    POLL = 2
    """A wait looks how runs are getting on."""


@define
class Budget:
    """The requests that are left in this window, as far as this process can tell.

    Requests are counted as they are sent, and each response's headers correct the count. A window
    of which no response has told yet is assumed to be as the documentation says.

    Attributes:
        requests_per_minute: The most that is sent in a window. None for what the API allows.
        processes: How many processes spend this budget together.
        reserve: The part of a window that only `Lane.CALL` may spend.
        share: The part of a window that is kept for polls while starts wait.
        sent: Requests sent so far, the last one's number.
    """

    requests_per_minute: int | None = None
    processes: int = 1
    reserve: float = RESERVE
    share: float = 0.0
    sent: int = 0
    _limit: int = DEFAULT_LIMIT
    _remaining: float = DEFAULT_LIMIT
    _reset_at: float = -inf
    _assumed: bool = True
    _used: int = 0
    _polls: int = 0
    _next_poll_at: float = -inf
    _in_flight: int = 0
    _paused_until: float = -inf

    @property
    def limit(self) -> int:
        """How many requests a window has room for."""
        return self._limit if self.requests_per_minute is None else self.requests_per_minute

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
            0 when it may be sent, which counts it; call `release` when it has ended. Else the
            seconds after which to ask again, infinity for when another one has ended.
        """
        if now < self._paused_until:
            return self._paused_until - now
        # A reset that is too far away is one of a clock that was set back.
        if not self._reset_at - 2 * WINDOW_SECONDS <= now < self._reset_at:
            self._open(now)
        if self.processes > 1 and self._in_flight >= _AT_ONCE:
            return inf
        left = self._left(lane, starts_wait=starts_wait)
        if left < 1:
            return self._reset_at - now
        if lane is Lane.POLL:
            if now < self._next_poll_at and not hurried:
                return self._next_poll_at - now
            self._polls += 1
            # Evenly over the window, among all that poll.
            self._next_poll_at = now + (self._reset_at - now) / ((left - 1) / self.processes + 1)
        self._remaining -= 1
        self._used += 1
        self._in_flight += 1
        self.sent += 1
        return 0.0

    def release(self) -> None:
        """Say that a request has ended, with or without a response."""
        self._in_flight -= 1

    def refund(self, lane: Lane) -> None:
        """Say that a request was not sent after all."""
        self._in_flight -= 1
        self._remaining += 1
        self._used -= 1
        if lane is Lane.POLL:
            self._polls -= 1
            self._next_poll_at = -inf

    def observe(self, window: Window, now: float, number: int) -> None:
        """Believe what a response says of the window.

        Args:
            window: The rate-limit headers.
            now: The clock of `acquire`.
            number: What `sent` was when its request was sent.
        """
        # A window that seems to end later than two of them is a mistake that must not stop us.
        reset_at = now + min(window.reset_in, 2 * WINDOW_SECONDS)
        # What was sent after it may not be in the server's count.
        remaining = window.remaining - (self.sent - number)
        self._limit = window.limit
        if not self._assumed and abs(reset_at - self._reset_at) < _SAME_WINDOW:
            self._remaining = min(self._remaining, remaining)
            # The response that came fastest knows best when the window ends.
            self._reset_at = max(reset_at, min(self._reset_at, reset_at + _ROUNDING))
        elif self._assumed or reset_at > self._reset_at:
            if not self._assumed:
                self._used = self.sent - number + 1
                self._polls = 0
            self._remaining = remaining
            self._reset_at = reset_at
            self._assumed = False

    def pause(self, seconds: float, now: float) -> None:
        """Send nothing for a while, because the API said that the budget is spent.

        Args:
            seconds: For how long.
            now: The clock of `acquire`.
        """
        self._paused_until = max(self._paused_until, now + seconds)

    def _open(self, now: float) -> None:
        """Begin a window of which nothing is known yet."""
        self._reset_at = now + WINDOW_SECONDS
        self._remaining = self.limit - self._in_flight
        self._used = self._in_flight
        self._polls = 0
        self._next_poll_at = -inf
        self._assumed = True

    def _left(self, lane: Lane, *, starts_wait: bool) -> float:
        """Count the requests that a lane may still send in this window."""
        left = self._remaining
        if self.requests_per_minute is not None:
            left = min(left, self.requests_per_minute - self._used)
        if self.processes > 1:
            left -= self.processes * _AT_ONCE
            if self._assumed:  # until a response tells what the others have left
                left = min(left, self.limit / self.processes - self._used)
        if lane is Lane.CALL:
            return left
        left -= self.reserve * self.limit
        polls = max(1.0, self.share * self.limit) - self._polls if self.share else 0.0
        if lane is Lane.START:
            return left - max(0.0, polls)
        return min(left, polls) if starts_wait else left
