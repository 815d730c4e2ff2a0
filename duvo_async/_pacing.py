"""The budget of the key: when the next request may be sent. No I/O; callers pass `now`."""

from attrs import define

from duvo_async._protocol import Window

DEFAULT_LIMIT = 300
"""Requests a window and key (API documentation, "Rate Limiting")."""
WINDOW_SECONDS = 60.0
"""A window's length (the same section: 300 requests per minute)."""
_SAME_WINDOW = WINDOW_SECONDS / 2
"""Resets that differ by less are the same one: the headers count whole seconds, and come late."""
_ROUNDING = 1.0
"""How far a reset in whole seconds may be too early."""


@define
class Budget:
    """The requests that are left in this window, as far as this process can tell.

    Requests are counted as they are sent, and each response's headers correct the count. A window
    of which no response has told yet is assumed to be as the documentation says.
    """

    _limit: int = DEFAULT_LIMIT
    _remaining: int = DEFAULT_LIMIT
    _reset_at: float = float("-inf")
    _assumed: bool = True
    _in_flight: int = 0
    _paused_until: float = float("-inf")

    def acquire(self, now: float) -> float:
        """Ask to send a request.

        Args:
            now: Seconds, on a clock that only runs forward.

        Returns:
            0 when it may be sent, which counts it; call `release` when it has ended. Else the
            seconds after which to ask again.
        """
        if now < self._paused_until:
            return self._paused_until - now
        if now >= self._reset_at:
            self._remaining = self._limit - self._in_flight
            self._reset_at = now + WINDOW_SECONDS
            self._assumed = True
        if self._remaining <= 0:
            return self._reset_at - now
        self._remaining -= 1
        self._in_flight += 1
        return 0.0

    def release(self) -> None:
        """Say that a request has ended, with or without a response."""
        self._in_flight -= 1

    def observe(self, window: Window, now: float) -> None:
        """Believe what a response says of the window.

        Args:
            window: The rate-limit headers.
            now: The clock of `acquire`.
        """
        # A window that seems to end later than two of them is a mistake that must not stop us.
        reset_at = now + min(window.reset_in, 2 * WINDOW_SECONDS)
        self._limit = window.limit
        if not self._assumed and abs(reset_at - self._reset_at) < _SAME_WINDOW:
            self._remaining = min(self._remaining, window.remaining)
            # The response that came fastest knows best when the window ends.
            self._reset_at = max(reset_at, min(self._reset_at, reset_at + _ROUNDING))
        elif self._assumed or reset_at > self._reset_at:
            # Requests still under way may not be in the server's count yet.
            self._remaining = window.remaining - self._in_flight
            self._reset_at = reset_at
            self._assumed = False

    def pause(self, seconds: float, now: float) -> None:
        """Send nothing for a while, because the API said that the budget is spent.

        Args:
            seconds: For how long.
            now: The clock of `acquire`.
        """
        self._paused_until = max(self._paused_until, now + seconds)
