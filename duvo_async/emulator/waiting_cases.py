"""The cases of a queue that wait for a run, the one that comes first always at hand."""

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterator
from typing import TypeAlias

from attrs import define, field

from duvo_async.emulator.cases import PRIORITIES, Case

_Line: TypeAlias = list[tuple[int, int, int, Case]]


def _lines() -> defaultdict[str | None, _Line]:
    return defaultdict(list)


@define(eq=False)
class WaitingCases:
    """The cases that wait: higher priority comes first, then what was created first."""

    _lines: defaultdict[str | None, _Line] = field(factory=_lines)
    _count: Iterator[int] = field(factory=itertools.count)

    def add(self, case: Case) -> None:
        """Takes in a case, or gives one that waits already the place that it should have now."""
        case.ticket = next(self._count)
        place = (-PRIORITIES.index(case.priority), case.number, case.ticket, case)
        heapq.heappush(self._lines[case.assignee], place)

    def remove(self, case: Case) -> None:
        """Leaves out a case, whether it waits or not."""
        case.ticket = None

    def take(self, agent_id: str, *, unassigned: bool) -> Case | None:
        """Takes out the case that comes first for an agent; None when none waits for it.

        Args:
            agent_id: The agent: what is assigned to it comes before all else.
            unassigned: Whether it takes cases that are assigned to no agent, too.
        """
        case = self._pop(agent_id)
        return self._pop(None) if case is None and unassigned else case

    def _pop(self, assignee: str | None) -> Case | None:
        line = self._lines.get(assignee, [])
        while line:
            _, _, ticket, case = heapq.heappop(line)
            if case.ticket == ticket:  # else it was taken, deleted or moved meanwhile
                case.ticket = None
                return case
        return None
