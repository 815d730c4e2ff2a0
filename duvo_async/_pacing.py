"""The budget of the key: who may send when. No I/O; callers pass `now`."""

from enum import IntEnum
from math import inf
from typing import TypeAlias

from attrs import define, field

from duvo_async._protocol import Window

DEFAULT_LIMIT = 300
"""Requests a window and key (API documentation, "Rate Limiting")."""
WINDOW_SECONDS = 60.0
"""A window's length (the same section: 300 requests per minute)."""
RESERVE = 0.1
"""The part of a window that only what a user called for may spend."""
SAME_WINDOW = WINDOW_SECONDS / 2
"""Resets that differ by less are the same one: the headers count whole seconds, and come late."""
FARTHEST = 2 * WINDOW_SECONDS
"""How far away a reset may be: one that seems farther is a mistake, which must not stop us."""
ROUNDING = 1.0
"""How far a reset in whole seconds may be too early."""
AT_ONCE = 2
"""Requests that each of several processes may have under way. None of them knows of the others'
before a response tells, so that as many of each window are left alone."""
_MOST_MARGIN = 0.25
"""The part of a window that, at the most, starts leave alone once more."""
LONGEST_REQUEST = 5 * WINDOW_SECONDS
"""Seconds after which a request no longer counts as under way: whoever sent it may be gone."""


class Lane(IntEnum):
    """Why a request is sent; the first lane goes first."""

    CALL = 0
    """A user called for it."""
    START = 1
    """A fan-out starts a run, or sends one of many files."""
    POLL = 2
    """A wait looks how runs are getting on."""


_CALL, _POLL = Lane.CALL, Lane.POLL  # to look a member up takes as long as to begin a function

_Sent: TypeAlias = tuple[float, Lane, int]
"""A request that is under way: when it was sent, what it is for, and in which window."""


def margin_of(processes: int) -> int:
    """Count what processes leave unused of a window, as none knows what the others have sent."""
    return processes * AT_ONCE if processes > 1 else 0


@define
class Budget:
    """The requests that are left in this window, as far as this process can tell.

    Before a response has told of a window, it is assumed to be as the last one. Afterwards there is
    left what the lowest count told of it leaves, without the requests that may not be in that count
    yet: those under way, and those that ended without telling.

    Attributes:
        requests_per_minute: The most that this process sends in a window. None for what the API
            allows.
        processes: How many processes spend this budget together.
        reserve: The part of a window that only `Lane.CALL` may spend.
        share: The part of a window that is kept for polls while starts wait.
        number: The number of the request that was last allowed.
    """

    requests_per_minute: int | None = None
    processes: int = 1
    reserve: float = RESERVE
    share: float = 0.0
    number: int = 0
    _limit: int | None = None
    _window: int = 0
    _reset_at: float = -inf
    _lowest: int | None = None
    _used: int = 0
    _silent: int = 0
    _polls: int = 0
    _next_poll_at: float = -inf
    _under_way: dict[int, _Sent] = field(factory=dict[int, _Sent])
    _paused_until: float = -inf

    @property
    def limit(self) -> int:
        """How many requests a window has room for."""
        own, told = self.requests_per_minute, self._limit
        if own is None:
            return DEFAULT_LIMIT if told is None else told
        return own if told is None else min(own, told)

    def plenty(self, now: float) -> bool:
        """Tell whether polls need not be spread: for what is left of the window, half is there."""
        left = self._left(Lane.POLL, starts_wait=False)
        return left >= self._room() / 2 * (self._reset_at - now) / WINDOW_SECONDS

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
            after which to ask again, at the latest; also ask when another one has ended.
        """
        if now < self._paused_until:
            return self._paused_until - now
        # A reset that is too far away is one of a clock that was set back.
        if not self._reset_at - FARTHEST <= now < self._reset_at:
            self._begin(now + WINDOW_SECONDS, now)
        lowest, alone = self._lowest, self.processes == 1
        if lane is _CALL and alone and lowest is not None and self.requests_per_minute is None:
            # What `_left` comes to for nearly every call, in fewer steps.
            left = lowest - self._silent - len(self._under_way)
        else:
            left = self._left(lane, starts_wait=starts_wait)
        if left < 1 or not (alone or len(self._under_way) < AT_ONCE):
            return self._reset_at - now
        if lane is _POLL:
            if now < self._next_poll_at and not hurried:
                return self._next_poll_at - now
            self._polls += 1
            # Evenly over the window, each process its part of what all have.
            polls: float = left
            if lowest is not None:
                room = self._room()
                shared = self._shared(room) - int(self.reserve * room)
                polls = min(left, shared / self.processes)
            self._next_poll_at = now + (self._reset_at - now) / max(polls, 1)
        self._used += 1
        self.number += 1
        self._under_way[self.number] = now, lane, self._window
        return 0.0

    def release(self, number: int) -> None:
        """Say that a request has ended; without a response, if none was observed."""
        if self._under_way.pop(number, None) is not None:
            self._silent += 1

    def refund(self, number: int) -> Lane | None:
        """Say that a request was not sent after all.

        Returns:
            What it was for. None when that was said already.
        """
        sent = self._under_way.pop(number, None)
        if sent is None:
            return None
        _, lane, window = sent
        self._used -= 1
        if lane is Lane.POLL and window == self._window:
            self._polls -= 1
            self._next_poll_at = -inf
        return lane

    def observe(self, window: Window, now: float, number: int) -> None:
        """Believe what a response says of the window.

        Args:
            window: The rate-limit headers.
            now: The clock of `acquire`.
            number: The number of its request, which is under way no longer.
        """
        reset_in, lowest = window.reset_in, self._lowest
        reset_at = now + (reset_in if reset_in < FARTHEST else FARTHEST)  # noqa: FURB136 - `min` is slow
        self._limit = window.limit
        if lowest is None:
            self._lowest, self._reset_at = window.remaining, reset_at
        elif -SAME_WINDOW < (later := reset_at - self._reset_at) < SAME_WINDOW:
            if window.remaining < lowest:
                self._lowest = window.remaining
            # The response that came fastest knows best when the window ends.
            if later > 0:
                self._reset_at = reset_at
            elif later < -ROUNDING:
                self._reset_at = reset_at + ROUNDING
        elif later > 0:
            self._begin(reset_at, now)
            self._lowest = window.remaining
        self._under_way.pop(number, None)

    def pause(self, seconds: float, now: float) -> None:
        """Send nothing for a while, because the API said that the budget is spent.

        Args:
            seconds: For how long.
            now: The clock of `acquire`.
        """
        self._paused_until = max(self._paused_until, now + seconds)

    def forget_under_way(self) -> None:
        """Forget the requests that are under way, as after a fork, which leaves them behind."""
        self._silent += len(self._under_way)
        self._under_way.clear()

    def _begin(self, reset_at: float, now: float) -> None:
        """Begin a window of which nothing is known yet."""
        lost = [n for n, (at, *_) in self._under_way.items() if at < now - LONGEST_REQUEST]
        for number in lost:
            del self._under_way[number]
        self._window += 1
        self._reset_at = reset_at
        self._lowest = None
        self._used = len(self._under_way)  # they may come to be counted in this one
        self._silent = self._polls = 0
        self._next_poll_at = -inf

    def _room(self) -> int:
        """How many requests the API has room for in a window."""
        if self._limit is not None:
            return self._limit
        return max(self.requests_per_minute or 0, DEFAULT_LIMIT)

    def _shared(self, room: int) -> int:
        """Count what is left for all processes."""
        margin = self._margin(room)
        if self._lowest is None:
            return room - self._used - margin
        return self._lowest - self._silent - len(self._under_way) - margin

    def _margin(self, room: int) -> int:
        """Count what is left unused for the requests of other processes."""
        return min(margin_of(self.processes), room // 2)

    def _left(self, lane: Lane, *, starts_wait: bool) -> int:
        """Count the requests that a lane may still send in this window."""
        own, room = self.requests_per_minute, self._limit or self._room()
        left = self._shared(room)
        if self.processes > 1 and self._lowest is None:  # what the others have left
            room = max(AT_ONCE, room // self.processes)
            left = min(left, room - self._used)
        if own is not None:
            room, left = min(room, own), min(left, own - self._used)
        if lane is _CALL:
            return left
        left -= int(self.reserve * room)
        kept = max(1, int(self.share * room)) if self.share and room > AT_ONCE else 0
        polls = kept - self._polls
        if lane is Lane.START:
            # Those of the others come at once, too, and must not take what is kept for other lanes.
            margin = self._margin(self._room())
            return left - max(0, polls) - (margin if margin <= room * _MOST_MARGIN else 0)
        return min(left, polls) if starts_wait else left
