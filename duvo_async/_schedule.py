"""Which waiting run, or which page of the list of runs, to read next and when. No I/O.

A run that was read with others of its page is known for a hundredth of a request, so that waiting
runs are swept page by page. A run is read singly when no other waiting run is on its page, when the
list does not show it, when the API has no list, and when it waits for a person.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from math import inf, sqrt
from operator import itemgetter

from attrs import define, field

from duvo_async._entries import HINT_REST, Entry, Page, worth
from duvo_async._pacing import WINDOW_SECONDS
from duvo_async._sweep import Sweep
from duvo_async.models import Run, RunStatus
from duvo_async.models.runs import FollowedRun

_SHARE_OF_AGE = 0.015
_SHORTEST = 1.0
_LONGEST = 10.0
_JITTER = 0.1
_PATIENCE = 1.2
_NET = 30.0
"""Seconds between two looks at what should be announced when it ends."""
_NET_SHARE = 0.3
"""The most of a window that these looks may take."""
_DOUBTS = 4
"""Looks that are made again, 1, 2, 4 and 8 s later, for news that should be there."""
_LEAST_SHARE = 0.03
_MOST_SHARE = 0.25


def poll_interval(age: float, random: Callable[[], float]) -> float:
    """Decide how long to leave a run alone.

    A young run is looked at often and an old one rarely, so that the delay in noticing its end
    stays small beside its length: 1.5 % of its age, at least 1 s and at most 10 s, with 10 % of
    jitter to either side.

    Args:
        age: Seconds since the run was made; a negative age counts as none.
        random: Gives numbers from 0 to 1.

    Returns:
        Seconds until the next look.
    """
    interval = min(max(age * _SHARE_OF_AGE, _SHORTEST), _LONGEST)
    return interval * (1 + _JITTER * (2 * random() - 1))


@define(eq=False)
class Schedule:
    """The waiting runs, and when each was seen. Times are in seconds, on a clock of the caller's.

    Attributes:
        random: Gives numbers from 0 to 1.
        entries: The waiting runs by their ids.
    """

    random: Callable[[], float]
    entries: dict[str, Entry] = field(factory=dict[str, Entry])
    _sweep: Sweep = field(factory=Sweep)
    _lone: dict[str, Entry] = field(factory=dict[str, Entry])
    _singles: list[tuple[float, int, Entry]] = field(factory=list[tuple[float, int, Entry]])
    _news: list[tuple[float, int, Entry]] = field(factory=list[tuple[float, int, Entry]])
    _number: "count[int]" = field(factory=count)
    _list_from: float = -inf
    _without_list: bool = False
    _had_news: bool = False

    def add(self, entry: Entry) -> None:
        """Take in a waiting run; when it was `seen_at` says how soon it is read."""
        self.entries[entry.run_id] = entry
        if entry.run is None or entry.run.status == RunStatus.WAITING or self._without_list:
            self._read_later(entry)
        else:
            self._sweep.add(entry)
            self._settle()

    def remove(self, entry: Entry) -> None:
        """Let a run go that nobody waits for any more."""
        del self.entries[entry.run_id]
        self._lone.pop(entry.run_id, None)
        entry.due = entry.news_due = inf
        if (last := self._sweep.remove(entry)) is not None:
            self._leave_alone(last)
        if not self.entries:
            self._singles.clear()
            self._news.clear()
            self._sweep = Sweep(rest=self._sweep.rest)

    def hint(self, entry: Entry, now: float, *, singly: bool) -> None:
        """Have a run read next that is said to have news.

        Args:
            entry: The run.
            now: The time.
            singly: Whether the list would not say all of the news.
        """
        entry.hinted = entry.hinted or not singly
        entry.doubts = 0
        if entry.reading:
            entry.again = True
        elif singly or not self._sweep.hint(entry, now):
            self._read_soon(entry, now)

    def _read_soon(self, entry: Entry, now: float) -> None:
        """Have a run read by itself because of a hint, unless it just was."""
        due = max(now, entry.seen_at + HINT_REST, entry.failed_until)
        if entry.news_due > due:
            entry.news_due = due
            heappush(self._news, (due, next(self._number), entry))

    def relax(self, limit: int, *, relaxed: bool) -> None:
        """Choose how long to leave alone what there is no news of.

        Args:
            limit: Requests a window.
            relaxed: Whether ends are announced, so that looking is for those that were not.
        """
        if not relaxed:
            self._sweep.rest = 0.0
            return
        reads = len(self._sweep.pages) + min(len(self._singles), len(self.entries))
        self._sweep.rest = max(_NET, reads * WINDOW_SECONDS / (limit * _NET_SHARE))

    def next(self, now: float) -> tuple[Entry | Page | None, float]:
        """Choose what to read.

        Returns:
            A run to be read singly, or a page of the list; None with the seconds in which there is
            nothing to read, infinity while all is being read.
        """
        self._resume_lists(now)
        if self._had_news:  # whoever makes the most noise gets every other look
            look, _ = self._choose(now, heed=False)
            if look is not None:
                return look, 0.0
        return self._choose(now, heed=True)

    def _choose(self, now: float, *, heed: bool) -> tuple[Entry | Page | None, float]:
        page, value, soonest = None, 0.0, inf
        if now >= self._list_from:
            page, value, soonest = self._sweep.best(now, news=heed)
        entry, news = self._first_single(), self._first_news() if heed else None
        if entry is not None and entry.due == -inf:
            return entry, 0.0
        worthy: list[tuple[float, Entry | Page]] = []
        if entry is not None and entry.due <= now:
            worthy.append((worth(now, entry.created, entry.seen_at), entry))
        if news is not None and news.news_due <= now:
            worthy.append((now - news.news_due + HINT_REST, news))
        if page is not None:
            worthy.append((value, page))
        if worthy:
            return max(worthy, key=itemgetter(0))[1], 0.0
        dues = [soonest, entry.due if entry else inf, news.news_due if news else inf]
        if self._list_from > now:
            dues.append(self._list_from)
        return None, min(dues) - now

    def hurries(self, look: Entry | Page, now: float, limit: int) -> bool:
        """Tell whether to read without spreading the reads over the window.

        That is so for what was never seen, and for a run which was left alone for longer than it
        takes to read all of the others: then a window too small for all is spent as it opens.

        Args:
            look: What is to be read.
            now: The time.
            limit: Requests a window.
        """
        if isinstance(look, Page):
            return self._sweep.unseen
        waiting = len(self._singles)
        cycle = waiting * WINDOW_SECONDS / limit
        if waiting < limit / 2:  # there is room for several reads of each: they stay spread
            cycle *= _PATIENCE
        return now - look.seen_at >= cycle

    def has_news(self, look: Entry | Page) -> bool:
        """Tell whether something is read because of a hint."""
        if isinstance(look, Page):
            return bool(look.hints or self._sweep.hints)
        return look.news_due < inf

    def share(self, limit: int, to_start: float) -> float:
        """Choose the part of each window that is kept for reading while starts wait.

        A request kept for reading delays one start by a window, in each window until the last;
        reads shorten what runs wait to be seen. With n runs on a page that end at a rate h each,
        R reads a second leave a delay of (sum of sqrt(n h))² / 2R, and the sum of both is least at
        R = (sum of sqrt(n h)) / sqrt(2 * window * windows to come).

        Args:
            limit: Requests a window.
            to_start: How many starts are still to come.

        Returns:
            The part, from 3 to 25 %. 0 where runs are read singly: then none is kept, and reads
                take what is left while no start is waiting for its turn.
        """
        if self._without_list:
            return 0.0
        windows = max(to_start / limit, 0.5)
        reads = self._sweep.weight(min(to_start, limit)) * sqrt(WINDOW_SECONDS / (2 * windows))
        return min(max(reads / limit, _LEAST_SHARE), _MOST_SHARE)

    def began(self, look: Entry | Page) -> None:
        """Remember that something is being read."""
        self._had_news = self.has_news(look)
        if isinstance(look, Page):
            self._sweep.began(look)
        else:
            look.asking, look.reading = self._had_news, True
            look.due = look.news_due = inf

    def saw_run(self, entry: Entry, run: Run, created: float, now: float) -> None:
        """Take note of a run that was read singly.

        Args:
            entry: The run, as it waited.
            run: The run, as it is.
            created: When it was made.
            now: The time.
        """
        unplaced = entry.run is None or entry.run.status == RunStatus.WAITING
        entry.run, entry.created, entry.seen_at = run, created, now
        entry.reading, entry.failures = False, 0
        if self.entries.get(entry.run_id) is not entry:
            return
        if run.status == RunStatus.WAITING:
            self._read_later(entry)
        elif unplaced and entry.page is None and not self._without_list:
            self._sweep.add(entry)
            self._settle()
        elif entry.page is None and entry.run_id not in self._sweep.unplaced:
            self._read_later(entry)
        asking, entry.asking = entry.asking, False
        if entry.again:  # what came in meanwhile may not have been told
            entry.again = False
            self._read_soon(entry, now)
        elif asking and run.status != RunStatus.WAITING and self._doubt(entry):
            entry.news_due = now + HINT_REST * 2 ** (entry.doubts - 1)
            heappush(self._news, (entry.news_due, next(self._number), entry))

    def _doubt(self, entry: Entry) -> bool:
        """Note that the news cannot be seen, and tell whether to look again: it may come first."""
        entry.doubts += 1
        if entry.doubts > _DOUBTS:
            entry.hinted = False
            return False
        return True

    def saw_page(self, page: Page, rows: Sequence[FollowedRun], now: float) -> None:
        """Take note of a page of the list."""
        if self._without_list:
            page.reading = False
            return
        lost = self._sweep.read(page, rows, self.entries, now)
        asked, page.asked = page.asked, {}
        for row in rows:
            entry = self.entries.get(row.id)
            if entry is not None and entry.run is not None:
                self._lone.pop(row.id, None)
                self._seen_in_row(entry, row)
                if row.id in asked and not row.status.is_terminal and self._doubt(entry):
                    self._sweep.hint(entry, now + HINT_REST * 2 ** (entry.doubts - 1))
        for entry in lost:
            self.read_singly(entry)
        if (last := self._sweep.last_on(page)) is not None:
            self._leave_alone(last)
        self._settle()

    def heard_page(
        self, since: datetime, offset: int, rows: Sequence[FollowedRun], now: float
    ) -> None:
        """Take note of a page that another process read, as if it were read here.

        Args:
            since: The moment from which on the list was read.
            offset: The rows that were left out.
            rows: Its rows.
            now: The time.
        """
        if self._without_list or not any(row.id in self.entries for row in rows):
            return
        page = self._sweep.page_at(since, offset, rows[-1].created_at)
        reading = page.reading
        self.saw_page(page, rows, now)
        page.reading = reading

    def _seen_in_row(self, entry: Entry, row: FollowedRun) -> None:
        if row.status != RunStatus.WAITING:
            entry.due, entry.failures = inf, 0
        elif entry.reading or entry.failures:
            pass  # it is being read, or will be again
        elif entry.run is None or _differs(entry.run, row):
            self.read_singly(entry)  # the request that it waits for is in no list
        elif entry.due == inf:
            self._read_later(entry)

    def run_failed(self, entry: Entry, until: float) -> None:
        """Leave a run alone for a while that could not be read."""
        entry.reading, entry.failed_until = False, until
        self.read_singly(entry, until)

    def read_singly(self, entry: Entry, due: float = -inf) -> None:
        """Have a run read by itself: before anything else, unless it is said when."""
        entry.due = due
        heappush(self._singles, (due, next(self._number), entry))

    def page_failed(self, page: Page, until: float) -> None:
        """Leave the list alone for a while; waiting runs stay on their pages."""
        page.reading = False
        page.hints, page.asked = page.hints | page.asked, {}
        if not self._without_list:
            self._list_from = until

    def suspend_list(self, until: float) -> None:
        """Read all runs singly, until the list is tried again; infinity for never."""
        self._list_from = until
        self._without_list = True
        news = [each for each in self.entries.values() if self._sweep.has_hint(each)]
        self._sweep.forget()
        self._sweep = Sweep(rest=self._sweep.rest)
        self._lone.clear()
        for entry in self.entries.values():
            if entry.run is not None and entry.due == inf:
                self._read_later(entry)
        for entry in news:
            self._read_soon(entry, entry.seen_at)

    def _first_single(self) -> Entry | None:
        """Find the run that is to be read singly next."""
        while self._singles and self._singles[0][0] != self._singles[0][2].due:
            heappop(self._singles)  # it has ended, or was seen meanwhile
        return self._singles[0][2] if self._singles else None

    def _first_news(self) -> Entry | None:
        """Find the run that is to be read next because of a hint."""
        while self._news and self._news[0][0] != self._news[0][2].news_due:
            heappop(self._news)
        return self._news[0][2] if self._news else None

    def _resume_lists(self, now: float) -> None:
        if self._without_list and now >= self._list_from:
            self._without_list = False
            self._sweep_all(self.entries.values())

    def _read_later(self, entry: Entry) -> None:
        """Have a run read by itself when it has been left alone for long enough."""
        seen_at = entry.seen_at
        if seen_at == -inf:
            self.read_singly(entry)
        else:
            interval = poll_interval(seen_at - entry.created, self.random)
            self.read_singly(entry, seen_at + max(interval, self._sweep.rest))

    def _leave_alone(self, entry: Entry) -> None:
        """Read the only waiting run of its page singly."""
        if entry.page is not None and not entry.page.full:
            self._lone[entry.run_id] = entry  # the next may well be on the same page
        self._single_out(entry)

    def _single_out(self, entry: Entry) -> None:
        has_news = self._sweep.has_hint(entry)
        self._sweep.remove(entry)
        self._read_later(entry)
        if has_news:
            self._read_soon(entry, entry.seen_at)

    def _settle(self) -> None:
        """Sweep for runs when there are two of them, and read the only one singly."""
        unplaced = self._sweep.unplaced
        if unplaced and (self._lone or self._sweep.open):
            self._sweep_all(tuple(self._lone.values()))
            self._lone.clear()
        elif len(unplaced) == 1:
            (entry,) = unplaced.values()
            self._lone[entry.run_id] = entry
            self._single_out(entry)

    def _sweep_all(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if entry.run is not None and entry.run.status != RunStatus.WAITING:
                entry.due = inf
                self._sweep.add(entry)


def _differs(run: Run, row: FollowedRun) -> bool:
    return run.status != row.status or run.updated_at != row.updated_at
