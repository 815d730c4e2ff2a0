"""The script that decides in Redis for all processes: what it is told, and what it says. No I/O."""

from collections.abc import Sequence
from enum import IntEnum
from hashlib import sha1
from importlib.resources import files
from typing import TypeAlias, cast

from attrs import field, frozen

from duvo_async import _pacing
from duvo_async._pacing import DEFAULT_LIMIT, WINDOW_SECONDS, Lane
from duvo_async._protocol import Window

NOTICED = 5.0
"""Seconds within which every process that is busy has noticed that Redis is back."""
_HEARD = 10.0
"""Seconds for which starts are believed to wait after it was said of any."""
_ROUGHLY = 0.1
"""Seconds by which two clocks that count the same time may differ."""
_REMEMBERED = 24 * 3600
"""Seconds after which a budget is forgotten that nobody asked for."""

Word: TypeAlias = str | int | float
"""What Redis is told."""


class Kind(IntEnum):
    """What became of a request."""

    TOLD = 0
    """It was answered, and the answer tells of the window."""
    ENDED = 1
    """It ended, and nothing was told."""
    UNSENT = 2
    """It was not sent."""
    UNPOLLED = 3
    """It was not sent, and was to be a poll."""


CODES = len(Lane) + 1
"""How many kinds of asks there are."""


def code_of(lane: Lane, *, hurried: bool) -> int:
    """Give the digit by which the script knows a kind of asks: a lane, or polls in a hurry."""
    return lane + 1 if hurried and lane is Lane.POLL else int(lane)


@frozen
class Ask:
    """Somebody who asks to send a request.

    Attributes:
        lane: What it is for.
        hurried: Whether a poll should not be spread over what is left of the window.
    """

    lane: Lane
    hurried: bool = False

    @property
    def code(self) -> int:
        """The digit by which the script knows it."""
        return code_of(self.lane, hurried=self.hurried)


@frozen
class Report:
    """What became of a request.

    Attributes:
        kind: What became of it.
        window: The number of the window in which it was allowed. 0 when Redis was not asked.
        told: What its answer tells. None when there was none.
        at: The moment of the answer, on the loop's clock.
    """

    kind: Kind
    window: int = 0
    told: Window | None = None
    at: float = 0.0


@frozen
class Wishes:
    """What a process wants of the budget.

    Attributes:
        reserve: The part of a window that only calls may spend.
        share: The part of a window that is to be kept for polls while starts wait.
        margin: How many requests of each window are left unused.
        starts_wait: Whether it has starts that wait for their turn.
        quiet: Seconds for which nothing should be sent, because the API said so.
        away: Seconds since Redis last answered this process. Negative when it never did.
    """

    reserve: float
    share: float
    margin: int
    starts_wait: bool = False
    quiet: float = 0.0
    away: float = -1.0


@frozen
class Verdict:
    """What the script says.

    Attributes:
        window: The number of the window.
        narrow: Seconds for which each process is to go by itself. 0 when it is not.
        granted: How many of the asks with each code are granted, the first ones.
        waits: After how many seconds to ask again for the others.
    """

    window: int
    narrow: float
    granted: tuple[int, ...] = field(default=(0, 0, 0, 0))
    waits: tuple[float, ...] = field(default=(0.0, 0.0, 0.0, 0.0))


def words(
    wishes: Wishes, asks: Sequence[Ask], reports: Sequence[Report], now: float, clock: float | None
) -> list[Word]:
    """Say it in the script's words.

    Args:
        wishes: What the process wants.
        asks: Those who ask.
        reports: What became of requests.
        now: The time on the loop's clock.
        clock: The time that all processes have. None for Redis's own.
    """
    said: list[Word] = [
        "" if clock is None else clock,
        wishes.reserve,
        wishes.share,
        wishes.margin,
        int(wishes.starts_wait),
        wishes.quiet,
        wishes.away,
        "".join(str(ask.code) for ask in asks),
    ]
    for report in reports:
        told = report.told
        said += (int(report.kind), report.window)
        if told is None:
            said += (0, 0, 0)
        else:
            said += (told.limit, told.remaining, max(0.0, told.reset_in - (now - report.at)))
    return said


def verdict(reply: object) -> Verdict:
    """Read what the script says.

    Raises:
        ValueError: It is not what the script says.
    """
    try:
        window, narrow, *rest = map(int, cast("bytes", reply).split())
        granted, waits = tuple(rest[::2]), tuple(each / 1000 for each in rest[1::2])
    except (AttributeError, TypeError, ValueError):
        granted = waits = ()
        window = narrow = 0
    if len(granted) != len(waits) or len(granted) != CODES:
        raise ValueError("the script's answer cannot be read")
    return Verdict(window, narrow / 1000, granted, waits)


def _source() -> str:
    constants: dict[str, float] = {
        "DEFAULT": DEFAULT_LIMIT,
        "WINDOW": WINDOW_SECONDS,
        "FARTHEST": _pacing.FARTHEST,
        "SAME": _pacing.SAME_WINDOW,
        "ROUNDING": _pacing.ROUNDING,
        "LONGEST": _pacing.LONGEST_REQUEST,
        "KEPT": int(_pacing.LONGEST_REQUEST / WINDOW_SECONDS) + 1,
        "NOTICED": NOTICED,
        "HEARD": _HEARD,
        "ROUGHLY": _ROUGHLY,
        "REMEMBERED": _REMEMBERED * 1000,
    }
    head = f"local {', '.join(constants)} = {', '.join(map(str, constants.values()))}\n"
    return head + (files("duvo_async._redis") / "budget.lua").read_text("utf-8")


SOURCE: str = _source()
"""The script, which has its constants from where `Budget` has them."""
DIGEST: str = sha1(SOURCE.encode(), usedforsecurity=False).hexdigest()
"""By which Redis knows it."""
