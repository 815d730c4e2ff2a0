"""Reading waiting runs by pages of the list of all runs. No I/O.

A page is a hundred runs in the order of their creation, from a moment on. New runs only append, so
that a page shows the same runs each time, and one without waiting runs need not be read again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from math import inf, sqrt
from operator import attrgetter

from attrs import define, field

from duvo_async._entries import (
    CYCLE,
    PAGE_SIZE,
    Entry,
    Page,
    hazard,
    hinted_due,
    hinted_worth,
    worth,
)
from duvo_async.models.runs import FollowedRun

_EARLIER = timedelta(seconds=1)
"""How much earlier than its first run a page begins: what `since` compares is not documented."""
_SHOWN_AFTER = 5.0
"""Seconds after which a run that was started must be in the list, else it is read singly."""


@define(eq=False)
class Sweep:
    """The waiting runs that are read by pages.

    Attributes:
        pages: The pages on which there are waiting runs, and the last page.
        unplaced: The waiting runs of which it is not known on which page they are.
        hints: Those of them that are said to have news, and since when.
        rest: The least seconds between two reads of a page of which there is no news.
    """

    pages: dict[Page, None] = field(factory=dict[Page, None])
    unplaced: dict[str, Entry] = field(factory=dict[str, Entry])
    hints: dict[str, float] = field(factory=dict[str, float])
    rest: float = 0.0
    _tail: Page | None = None
    _newest: float = -inf
    _in_order: bool = True

    @property
    def open(self) -> bool:
        """Whether new runs will be on a page that is read anyway."""
        return self._tail is not None and not self._tail.full and bool(self._tail.entries)

    @property
    def unseen(self) -> bool:
        """Whether a run is looked for that was never seen."""
        return any(entry.seen_at == -inf for entry in islice(self.unplaced.values(), 1))

    def add(self, entry: Entry) -> None:
        """Look for a run on the pages to come."""
        self._in_order = self._in_order and entry.created >= self._newest
        self._newest = max(self._newest, entry.created)
        entry.sought = entry.seen_at
        self.unplaced[entry.run_id] = entry

    def remove(self, entry: Entry) -> Entry | None:
        """Let a run go.

        Returns:
            The last waiting run on its page. None when there are more, or none.
        """
        self.unplaced.pop(entry.run_id, None)
        self.hints.pop(entry.run_id, None)
        page, entry.page = entry.page, None
        if page is None:
            return None
        del page.entries[entry.run_id]
        page.hints.pop(entry.run_id, None)
        page.asked.pop(entry.run_id, None)
        self._drop(page)
        return self.last_on(page)

    def last_on(self, page: Page) -> Entry | None:
        """Give the only waiting run of a page, which is read as cheaply by itself."""
        if len(page.entries) != 1 or (page is self._tail and self.unplaced and not page.full):
            return None
        return next(iter(page.entries.values()))

    def best(self, now: float, *, news: bool = True) -> tuple[Page | None, float, float]:
        """Choose a page.

        Args:
            now: The time.
            news: Whether to heed hints.

        Returns:
            The page, None when none is due; what reading it is worth; when the next is due.
        """
        best, most, soonest = None, 0.0, inf
        ahead = self._ahead()
        for page in self.pages:
            if page.reading or page is ahead or not page.entries:
                continue
            due = page.due(self.rest)
            if news and page.hints:
                due = min(due, hinted_due(page.hints, page.seen_at))
            if due > now:
                soonest = min(soonest, due)
                continue
            value = len(page.entries) * worth(now, page.created, page.seen_at)
            if news:
                value += hinted_worth(page.hints, now)
            if best is None or value > most:
                best, most = page, value
        if ahead is not None and not ahead.reading:
            due, value = self._judge(ahead, now, news=news)
            if due > now:
                soonest = min(soonest, due)
            elif best is None or value > most:
                best, most = ahead, value
        return best, most, soonest

    def hint(self, entry: Entry, now: float) -> bool:
        """Have the page of a run read.

        Returns:
            Whether there is such a page, now or soon.
        """
        if entry.page is not None:
            hints = entry.page.hints
        elif entry.run_id in self.unplaced:
            hints = self.hints
        else:
            return False
        hints[entry.run_id] = min(now, hints.get(entry.run_id, now))
        return True

    def has_hint(self, entry: Entry) -> bool:
        """Tell whether a run is said to have news that were not read yet."""
        if entry.page is None:
            return entry.run_id in self.hints
        return entry.run_id in entry.page.hints or entry.run_id in entry.page.asked

    def weight(self, to_come: float = 0.0) -> float:
        """Sum up, over the pages, the roots of the rates at which runs end on them.

        Args:
            to_come: How many more runs are about to be started.
        """
        seen = sum(
            sqrt(len(page.entries) * hazard(page.seen_at - page.created))
            for page in self.pages
            if page.entries
        )
        ahead = len(self.unplaced) + to_come
        pages = ahead * self._dilution() / PAGE_SIZE
        return seen + sqrt(pages * ahead * hazard(0.0))

    def forget(self) -> None:
        """Forget which runs are on which pages, also of those that are being read."""
        for page in self.pages:
            for entry in page.entries.values():
                entry.page = None
            page.entries.clear()
            page.hints, page.asked = {}, {}

    def began(self, page: Page) -> None:
        """Remember that a page is being read."""
        page.reading = True
        page.asked, page.hints = page.hints, {}
        self.pages[page] = None
        if page is not self._tail and not page.rows:
            previous, self._tail = self._tail, page
            if previous is not None:
                self._drop(previous)

    def page_at(self, since: datetime, offset: int, ends: datetime) -> Page:
        """Find a page that was read elsewhere, or take it over.

        Args:
            since: The moment from which on the list was read.
            offset: The rows that were left out.
            ends: When its last run was made.
        """
        for page in self.pages:
            if page.offset == offset and page.since == since:
                return page
        page = Page(since, offset)
        if self._tail is None or ends > self._tail.ends:
            previous, self._tail = self._tail, page
            if previous is not None:
                self._drop(previous)
        return page

    def read(
        self, page: Page, rows: Sequence[FollowedRun], entries: Mapping[str, Entry], now: float
    ) -> list[Entry]:
        """Take note of what a page shows.

        Args:
            page: The page.
            rows: Its rows.
            entries: All waiting runs.
            now: The time.

        Returns:
            The runs that it should show and does not.
        """
        self.pages[page] = None
        page.reading = False
        page.seen_at = now
        page.rows = len(rows)
        if rows:
            page.begins = min(page.begins, rows[0].created_at)
            page.ends = rows[-1].created_at
        for row in rows:
            entry = entries.get(row.id)
            if entry is not None and entry.run is not None:
                self._place(entry, page)
                entry.seen_at = now
        if not self.unplaced:
            self.unplaced = {}  # a dict that was large keeps its size
        lost = [entry for entry in page.entries.values() if entry.seen_at != now]
        lost += self._overdue(page, now)
        for entry in lost:
            self.remove(entry)
        self._drop(page)
        return lost

    def _place(self, entry: Entry, page: Page) -> None:
        if entry.page is not page:
            before = self.hints if entry.page is None else entry.page.hints
            hinted_at = before.get(entry.run_id)
            self.remove(entry)
            entry.page = page
            page.entries[entry.run_id] = entry
            page.own += 1
            if hinted_at is not None:  # it may be younger than what was read
                page.hints[entry.run_id] = hinted_at

    def _drop(self, page: Page) -> None:
        if not page.entries and page is not self._tail and not page.reading:
            self.pages.pop(page, None)

    def _overdue(self, page: Page, now: float) -> list[Entry]:
        """Find the runs that are not on a page although they belong there by their age."""
        overdue: list[Entry] = []
        for entry in self._sorted():
            created_at = _created_at(entry)
            if created_at >= page.ends and page.full:
                break
            late = created_at < page.ends or now - entry.created > _SHOWN_AFTER
            if created_at >= page.begins and late:
                overdue.append(entry)
        return overdue

    def _sorted(self) -> Sequence[Entry]:
        if not self._in_order:
            ordered = sorted(self.unplaced.values(), key=attrgetter("created"))
            self.unplaced = {entry.run_id: entry for entry in ordered}
            self._in_order = True
        return tuple(self.unplaced.values())

    def _ahead(self) -> Page | None:
        """Find the page on which the oldest unplaced run should be."""
        if not self.unplaced:
            return None
        if not self._in_order:
            self._sorted()
        first = _created_at(next(iter(self.unplaced.values())))
        tail = self._tail
        since = first - _EARLIER
        if tail is None or first < tail.begins:
            return Page(since, 0)
        if not tail.full:
            return tail
        if tail.own <= 1 and since > tail.ends:
            return Page(since, 0)  # what is between is not ours
        # It begins where the last one ends: what neither shows is in no list.
        return Page(tail.since, tail.offset + PAGE_SIZE, begins=tail.ends)

    def _judge(self, page: Page, now: float, *, news: bool) -> tuple[float, float]:
        """Tell when a page may be read on which unplaced runs should be, and what it is worth."""
        first = next(iter(self.unplaced.values()))
        cycle = max(CYCLE, self.rest)
        room = (PAGE_SIZE - page.rows) / self._dilution()
        # Not since it was last seen: who reads it singly must not hold up the others.
        value = max(1.0, min(room, len(self.unplaced))) * worth(now, first.created, first.sought)
        due = first.sought + cycle
        if page.seen_at != -inf:
            due = page.seen_at + cycle
            value += len(page.entries) * worth(now, page.created, page.seen_at)
        hints = {**page.hints, **self.hints}
        if not (hints and news):
            return due, value
        return min(due, hinted_due(hints, page.seen_at)), value + hinted_worth(hints, now)

    def _dilution(self) -> float:
        """Guess how many runs the list has for one of ours."""
        return 1.0 if self._tail is None else max(1.0, self._tail.rows / max(1, self._tail.own))


def _created_at(entry: Entry) -> datetime:
    if entry.run is None:
        raise AssertionError("a run that was never read cannot be found in the list")
    return entry.run.created_at
