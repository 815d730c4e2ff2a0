"""Waiting runs, their pages of the list, and what it is worth to look at them. No I/O."""

from collections.abc import Mapping
from copy import copy
from datetime import datetime
from math import inf, log1p
from typing import Protocol

from attrs import Factory, define, field

from duvo_async._pacing import WINDOW_SECONDS
from duvo_async.models import Run

PAGE_SIZE = 100
"""Runs on a page (API reference, "List Runs")."""
CYCLE = 2.0
_LONGEST_CYCLE = 10.0
_SHARE_OF_AGE = 0.005
"""A page is read again after this share of its runs' age, within the bounds above, in seconds."""
HINT_REST = 1.0
"""Seconds after a look at a run before a hint leads to another: hints may be forged."""
_SMALL = 1e-6
_YOUNG = 60.0
"""Seconds added to an age: of runs this old, as many end in the next minute as later."""


class Listener(Protocol):
    """Somebody who waits for a run."""

    def told(self, run: Run) -> bool:
        """Hear how a run is; say whether that is all that was waited for."""
        ...

    def failed(self, error: Exception) -> None:
        """Hear why nothing more will be told."""
        ...


@define(eq=False)
class Several:
    """Several who wait for one run."""

    listeners: dict[Listener, None]

    def told(self, run: Run) -> bool:
        """Tell all of them; those who have heard enough are told no more."""
        self.listeners = {each: None for each in self.listeners if not each.told(run)}
        return not self.listeners

    def failed(self, error: Exception) -> None:
        """Tell all of them why nothing more will be told."""
        for each in self.listeners:
            each.failed(_copied(error))  # each is raised elsewhere, and grows its own traceback


def _copied(error: Exception) -> Exception:
    try:
        return copy(error)
    except Exception:  # noqa: BLE001 - not ours: their constructors may take anything
        return error


@define(eq=False, weakref_slot=False)
class Entry:
    """A waiting run.

    Attributes:
        run_id: Its id.
        listener: Who waits for it.
        run: What is known of it. None before it was first read.
        created: When it was made, on the caller's clock.
        seen_at: When it was last seen. Minus infinity for never.
        sought: What that was when the list began to be looked through for it.
        due: When to read it singly. Infinity for not at all.
        page: Where the list shows it. None when that is not known.
        reading: Whether it is being read by itself.
        again: Whether there was news of it while it was being read.
        hinted: Whether it is said to have ended, which no look has shown to be wrong.
        asking: Whether it is being read by itself because of a hint.
        doubts: How many looks, since the last hint, did not show the news that there should be.
        news_due: When to read it singly because of a hint. Infinity for not at all.
        failures: How often reading it has failed since it was last seen.
        failed_until: Until when to leave it alone since reading it failed.
    """

    run_id: str
    listener: Listener
    run: Run | None = None
    created: float = -inf
    seen_at: float = -inf
    sought: float = -inf
    due: float = inf
    page: "Page | None" = None
    reading: bool = False
    again: bool = False
    hinted: bool = False
    asking: bool = False
    doubts: int = 0
    news_due: float = inf
    failures: int = 0
    failed_until: float = -inf


@define(eq=False)
class Page:
    """A page of the list.

    Attributes:
        since: The moment from which on the list is read.
        offset: The rows that are left out.
        entries: The waiting runs on it.
        seen_at: When it was last read.
        reading: Whether it is being read.
        begins: When its first run was made, by the server's clock, or the last of the page before.
        ends: When its last run was made.
        hints: The runs on it that are said to have news, and since when.
        asked: Those of them that a read under way will tell of.
        rows: How many runs it had.
        own: How many of them were waited for when they were first seen.
    """

    since: datetime
    offset: int
    entries: dict[str, Entry] = field(factory=dict[str, Entry])
    seen_at: float = -inf
    reading: bool = False
    begins: datetime = field(default=Factory(lambda page: page.since, takes_self=True))
    ends: datetime = field(default=Factory(lambda page: page.since, takes_self=True))
    hints: dict[str, float] = field(factory=dict[str, float])
    asked: dict[str, float] = field(factory=dict[str, float])
    rows: int = 0
    own: int = 0

    @property
    def full(self) -> bool:
        """Whether no run can be added to it."""
        return self.rows >= PAGE_SIZE

    @property
    def created(self) -> float:
        """When the first of its waiting runs was made."""
        return next(iter(self.entries.values())).created if self.entries else self.seen_at

    def due(self, rest: float = 0.0) -> float:
        """When it may be read again.

        Args:
            rest: The least seconds to leave it alone.
        """
        age = max(self.seen_at - self.created, 0.0)
        return self.seen_at + max(rest, min(max(age * _SHARE_OF_AGE, CYCLE), _LONGEST_CYCLE))


def hinted_due(hints: Mapping[str, float], seen_at: float) -> float:
    """Tell when to look because of hints: at once, but for who sends them every moment."""
    return max(min(hints.values()), seen_at + HINT_REST)


def hinted_worth(hints: Mapping[str, float], now: float) -> float:
    """Tell what reading runs is worth that are said to have ended: the waiting that it ends."""
    return sum(max(0.0, now - at + HINT_REST) for at in hints.values())


def hazard(age: float) -> float:
    """Guess the rate, per second, at which runs of an age will end in the window to come."""
    return 1 / (max(age, 0.0) + WINDOW_SECONDS / 2 + _YOUNG)


def worth(now: float, created: float, seen_at: float) -> float:
    """Tell what reading a run is worth: the waiting that it is likely to end.

    It grows with the square of the time since the run was seen and with the rate at which runs of
    its age end; taking the greatest each time keeps the sum of all delays least.

    Args:
        now: The time.
        created: When the run was made.
        seen_at: When it was last seen.
    """
    since = now - seen_at
    if since <= 0:
        return 0.0
    if since == inf:
        return inf
    growth = since / (max(seen_at - created, 0.0) + _YOUNG)
    if growth < _SMALL:  # what follows would be lost in rounding
        return since * growth / 2
    return since * (growth / log1p(growth) - 1)
