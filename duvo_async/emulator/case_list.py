"""The cases of a queue in the orders that are asked for, so that a page costs its rows only."""

import itertools
import math
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from attrs import define, evolve, field, frozen

from duvo_async.emulator.cases import Case

_Key: TypeAlias = Callable[[Case], tuple[float, int]]
_Test: TypeAlias = Callable[[Case], bool]


@frozen
class CaseFilter:
    """Which cases are wanted.

    Attributes:
        states: The states that they may have; None for any.
        priorities: The priorities that they may have; None for any.
        created_from: The earliest time of creation, in Unix seconds.
        updated_from: The earliest time of the last change, in Unix seconds.
        labels: For each key the values of which they have one.
        text: What their title or data has; empty for anything.
    """

    states: frozenset[str] | None = None
    priorities: frozenset[str] | None = None
    created_from: float = -math.inf
    updated_from: float = -math.inf
    labels: Mapping[str, Sequence[str]] = field(factory=dict[str, Sequence[str]])
    text: str = ""


@frozen
class CaseSelection:
    """Which part of the list is wanted, and in which order.

    Attributes:
        filter: Which cases are wanted.
        by_update: Whether the order is that of their last changes, not of their creation.
        newest_first: Whether the last one comes first.
        offset: How many of them are left out at the beginning.
        limit: How many of them are given at most.
    """

    filter: CaseFilter
    by_update: bool
    newest_first: bool
    offset: int
    limit: int


@define
class _Order:
    """Cases in the order of a key, which tells each from all others."""

    key: _Key
    cases: list[Case] = field(factory=list[Case])

    def add(self, case: Case) -> None:
        insort(self.cases, case, key=self.key)

    def remove(self, case: Case) -> None:
        del self.cases[bisect_left(self.cases, self.key(case), key=self.key)]

    def since(self, moment: float) -> list[Case]:
        first = bisect_left(self.cases, (moment, -1), key=self.key)
        return self.cases[first:] if first else self.cases


@define(eq=False)
class CaseList:
    """The cases of one queue."""

    _by_creation: _Order = field(factory=lambda: _Order(_creation))
    _by_update: _Order = field(factory=lambda: _Order(_last_change))
    _by_state: dict[str, _Order] = field(factory=dict[str, _Order])
    _count: Iterator[int] = field(factory=itertools.count)

    def __len__(self) -> int:
        """How many they are."""
        return len(self._by_creation.cases)

    def all(self) -> list[Case]:
        """All cases, oldest first."""
        return list(self._by_creation.cases)

    def add(self, case: Case) -> None:
        """Takes in a case."""
        case.change = next(self._count)
        for order in self._orders(case):
            order.add(case)

    def remove(self, case: Case) -> None:
        """Leaves out a case that is in the list."""
        for order in self._orders(case):
            order.remove(case)

    def change(self, case: Case, at: float, state: str | None = None) -> None:
        """Notes that a case changed, and gives it another state; None leaves it the one it has."""
        self._by_update.remove(case)
        case.updated_at, case.change = at, next(self._count)
        self._by_update.add(case)
        if state is not None and state != case.state:
            self._with_state(case.state).remove(case)
            case.state = state
            self._with_state(state).add(case)

    def select(self, selection: CaseSelection) -> tuple[list[Case], int]:
        """Gives the cases of a page, and how many there are on all its pages."""
        cases = self.matching(selection.filter, by_update=selection.by_update)
        total, first = len(cases), selection.offset
        if not selection.newest_first:
            return cases[first : first + selection.limit], total
        last = max(total - first, 0)
        return cases[max(last - selection.limit, 0) : last][::-1], total

    def matching(self, wanted: CaseFilter, *, by_update: bool = False) -> list[Case]:
        """All cases that are wanted, oldest first; the list is to be read only, and at once."""
        cases, rest = self._narrow(wanted, by_update=by_update)
        for test in _tests(rest):
            cases = [case for case in cases if test(case)]
        return cases

    def _narrow(self, wanted: CaseFilter, *, by_update: bool) -> tuple[list[Case], CaseFilter]:
        """The shortest list that is in order and has all cases wanted, and what is left to test."""
        if by_update:
            return self._by_update.since(wanted.updated_from), wanted
        if wanted.updated_from > -math.inf:
            return sorted(self._by_update.since(wanted.updated_from), key=_creation), wanted
        rest = evolve(wanted, created_from=-math.inf)
        if wanted.states is not None and len(wanted.states) == 1:
            (state,) = wanted.states
            return self._with_state(state).since(wanted.created_from), evolve(rest, states=None)
        return self._by_creation.since(wanted.created_from), rest

    def _orders(self, case: Case) -> tuple[_Order, ...]:
        return self._by_creation, self._by_update, self._with_state(case.state)

    def _with_state(self, state: str) -> _Order:
        return self._by_state.setdefault(state, _Order(_creation))


def _creation(case: Case) -> tuple[float, int]:
    # A case is never older than the time that is shown of it, which begins with this rounding.
    return round(case.created_at, 6), case.number


def _last_change(case: Case) -> tuple[float, int]:
    return round(case.updated_at, 6), case.change


def _tests(wanted: CaseFilter) -> list[_Test]:
    tests: list[_Test] = []
    states, priorities, text = wanted.states, wanted.priorities, wanted.text.casefold()
    if states is not None:
        tests.append(lambda case: case.state in states)
    if priorities is not None:
        tests.append(lambda case: case.priority in priorities)
    if wanted.created_from > -math.inf:
        earliest = (wanted.created_from, -1)
        tests.append(lambda case: _creation(case) >= earliest)
    if wanted.labels:
        tests.append(lambda case: _has_labels(case, wanted.labels))
    if text:
        tests.append(lambda case: text in case.title.casefold() or text in case.data.casefold())
    return tests


def _has_labels(case: Case, wanted: Mapping[str, Sequence[str]]) -> bool:
    return all(
        any(label.key == key and label.value in values for label in case.labels)
        for key, values in wanted.items()
    )
