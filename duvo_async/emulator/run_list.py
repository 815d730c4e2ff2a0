"""All runs by the time of their creation, so that a page of them costs no more than its rows."""

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from typing import TypeAlias

from attrs import define, field, frozen

from duvo_async.emulator.runs import Run

Test: TypeAlias = Callable[[Run], bool]
"""Says whether a run is wanted."""


@frozen
class Selection:
    """Which part of the list is wanted, and in which order.

    Attributes:
        since: The earliest time of creation, in Unix seconds.
        tests: What else the runs must be.
        newest_first: Whether the last one to be created comes first.
        offset: How many of them are left out at the beginning.
        limit: How many of them are given at most.
    """

    since: float = -math.inf
    tests: tuple[Test, ...] = ()
    newest_first: bool = True
    offset: int = 0
    limit: int = 20


@define
class RunList:
    """The runs that are not deleted."""

    _runs: list[Run] = field(factory=list[Run])

    def add(self, run: Run) -> None:
        """Takes in a run."""
        insort(self._runs, run, key=_created_at)

    def remove(self, run: Run) -> None:
        """Leaves out a run that is in the list."""
        self._runs.remove(run)

    def select(self, selection: Selection) -> tuple[list[Run], int]:
        """Gives the runs of a page, and how many there are on all its pages."""
        first = bisect_left(self._runs, selection.since, key=_created_at)
        places: Sequence[int] = range(first, len(self._runs))
        if selection.newest_first:
            places = places[::-1]
        for test in selection.tests:
            places = [place for place in places if test(self._runs[place])]
        page = places[selection.offset : selection.offset + selection.limit]
        return [self._runs[place] for place in page], len(places)


def _created_at(run: Run) -> float:
    # A run is never older than the time that is shown of it, which begins with this rounding.
    return round(run.created_at, 6)
