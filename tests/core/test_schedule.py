import math
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any, TypeAlias

import pytest
from attrs import define, evolve
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from duvo_async._entries import PAGE_SIZE, Entry, Page
from duvo_async._schedule import Schedule, poll_interval
from duvo_async.models import Run, RunSummary
from tests.support.properties import unhurried
from tests.support.stub import NOW, row_made, run_made

ages = st.floats(allow_nan=False)
draws = st.floats(0, 1)


@pytest.mark.parametrize(
    ("age", "interval"),
    [
        (-math.inf, 1.0),
        (-60, 1.0),
        (0, 1.0),
        (30, 1.0),
        (50, 1.0),
        (66, 1.0),
        (100, 1.5),
        (120, 1.8),
        (300, 4.5),
        (600, 9.0),
        (700, 10.0),
        (900, 10.0),
        (86_400, 10.0),
        (math.inf, 10.0),
    ],
)
def test_the_interval_follows_the_age(age: float, interval: float) -> None:
    assert poll_interval(age, lambda: 0.5) == pytest.approx(interval)
    assert poll_interval(age, lambda: 0.0) == pytest.approx(interval * 0.9)
    assert poll_interval(age, lambda: 1.0) == pytest.approx(interval * 1.1)


@unhurried
@given(age=ages, draw=draws)
def test_the_interval_has_bounds(age: float, draw: float) -> None:
    assert 0.9 <= poll_interval(age, lambda: draw) <= 11.0


@unhurried
@given(younger=ages, older=ages, draw=draws)
def test_an_older_run_is_not_looked_at_more_often(
    younger: float, older: float, draw: float
) -> None:
    younger, older = sorted((younger, older))
    assert poll_interval(younger, lambda: draw) <= poll_interval(older, lambda: draw)


@unhurried
@given(age=st.floats(100, 1e9), draw=draws)
def test_the_delay_in_noticing_stays_small_beside_the_age(age: float, draw: float) -> None:
    assert poll_interval(age, lambda: draw) <= age * 0.0165 * (1 + 1e-9)


@unhurried
@given(age=ages, draw=draws)
def test_jitter_goes_to_either_side(age: float, draw: float) -> None:
    middle = poll_interval(age, lambda: 0.5)
    assert poll_interval(age, lambda: draw) == pytest.approx(middle * (0.9 + 0.2 * draw))


@unhurried
@given(age=ages)
def test_each_interval_draws_once(age: float) -> None:
    drawn: list[float] = []

    def draw() -> float:
        drawn.append(0.5)
        return 0.5

    poll_interval(age, draw)
    assert drawn == [0.5]


# --- what is read next ---------------------------------------------------------------------------


class Nobody:
    def told(self, run: Run) -> bool:
        raise AssertionError(run)

    def failed(self, error: Exception) -> None:
        raise AssertionError(error)


def half() -> float:
    return 0.5


def entry(run_id: str, created: float, status: str = "running") -> Entry:
    return Entry(run_id, Nobody(), run_made(run_id, created, status), created, created)


def schedule_of(*entries: Entry) -> Schedule:
    schedule = Schedule(half)
    for each in entries:
        schedule.add(each)
    return schedule


def begin_page(schedule: Schedule, now: float) -> Page:
    look, _ = schedule.next(now)
    assert isinstance(look, Page)
    schedule.began(look)
    return look


def read_page(schedule: Schedule, now: float, *rows: RunSummary) -> Page:
    page = begin_page(schedule, now)
    schedule.saw_page(page, rows, now)
    return page


def read_run(schedule: Schedule, now: float, status: str = "running") -> Entry:
    look, _ = schedule.next(now)
    assert isinstance(look, Entry)
    schedule.began(look)
    schedule.saw_run(look, run_made(look.run_id, 100.0, status), 100.0, now)
    return look


ROWS = [row_made(run_id, 100.0) for run_id in "ab"]


def swept() -> tuple[Schedule, Page]:
    """Two runs, found on a page."""
    schedule = schedule_of(entry("a", 100.0), entry("b", 100.0))
    return schedule, read_page(schedule, 103.0, *ROWS)


def test_nothing_is_read_for_nobody() -> None:
    assert Schedule(half).next(0.0) == (None, math.inf)


def test_one_run_is_read_singly() -> None:
    alone = entry("a", 100.0)
    schedule = schedule_of(alone)
    assert schedule.next(100.5) == (None, 0.5)
    assert read_run(schedule, 101.0) is alone
    assert schedule.next(101.0) == (None, 1.0)
    assert read_run(schedule, 102.0) is alone


def test_a_run_that_was_never_seen_is_read_at_once() -> None:
    unknown = Entry("a", Nobody())
    schedule = schedule_of(unknown)
    assert schedule.next(0.0) == (unknown, 0.0)
    assert schedule.hurries(unknown, 0.0, 300)


def test_two_runs_are_swept_by_one_page() -> None:
    schedule = schedule_of(entry("b", 100.5), entry("a", 100.0))
    assert schedule.next(101.0) == (None, 1.0)
    page = read_page(schedule, 103.0, *ROWS)
    assert (page.since - NOW).total_seconds() == 99.0
    assert schedule.next(103.0) == (None, 2.0)
    assert schedule.next(105.0) == (page, 0.0)


def test_a_lone_run_is_swept_when_a_second_comes() -> None:
    schedule = schedule_of(entry("a", 100.0))
    read_run(schedule, 101.0)
    schedule.add(entry("b", 101.5))
    page = read_page(schedule, 104.0, *ROWS)
    assert set(page.entries) == {"a", "b"}
    assert schedule.next(104.0) == (None, 2.0)


def test_a_page_left_with_one_run_is_not_read_for_it() -> None:
    schedule, page = swept()
    first, second = schedule.entries.values()
    schedule.remove(first)
    assert schedule.next(104.0) == (second, 0.0)
    read_run(schedule, 104.0)
    assert schedule.next(104.0) == (None, 1.0)
    schedule.add(entry("c", 104.0))  # and is read again for two
    rows = [row_made("b", 100.0), row_made("c", 104.0)]
    assert read_page(schedule, 107.0, *rows) is page


def test_a_run_that_its_page_does_not_show_is_read_singly_until_it_does() -> None:
    schedule = schedule_of(*(entry(run_id, 100.0) for run_id in "abc"))
    rows = [row_made(run_id, 100.0) for run_id in "abc"]
    read_page(schedule, 103.0, *rows)
    lost = schedule.entries["b"]
    read_page(schedule, 105.5, rows[0], rows[2])
    assert read_run(schedule, 105.5) is lost
    assert read_run(schedule, 106.6) is lost
    read_page(schedule, 107.59, *rows)
    assert schedule.next(107.6)[0] is None
    assert lost.due == math.inf


def test_a_new_run_may_be_late_in_the_list() -> None:
    schedule = schedule_of(entry("a", 100.0), entry("b", 100.5))
    read_page(schedule, 103.0, row_made("a", 100.0))
    page, delay = schedule.next(103.0)
    assert (page, delay) == (None, 2.0)
    page = read_page(schedule, 105.0, row_made("a", 100.0), row_made("b", 100.5))
    assert schedule.next(105.0) == (None, 2.0)
    assert set(page.entries) == {"a", "b"}


def test_a_new_run_that_stays_away_is_read_singly() -> None:
    schedule = schedule_of(*(entry(run_id, 100.0) for run_id in "abc"))
    read_page(schedule, 103.0, *ROWS)
    read_page(schedule, 105.1, *ROWS)
    assert read_run(schedule, 105.1) is schedule.entries["c"]
    assert read_run(schedule, 106.2) is schedule.entries["c"]


def test_a_request_is_read_once_and_not_at_every_sweep() -> None:
    schedule, page = swept()
    asks = schedule.entries["a"]
    rows = [row_made("a", 100.0, "waiting"), ROWS[1]]
    read_page(schedule, 105.0, *rows)
    asks.due, due = math.inf, asks.due
    assert due <= 105.0
    schedule.read_singly(asks)
    assert schedule.next(105.0) == (asks, 0.0)
    schedule.began(asks)
    schedule.saw_run(asks, run_made("a", 100.0, "waiting"), 100.0, 105.0)
    due = asks.due
    assert due == 106.0  # as for any run that is read singly
    assert read_run(schedule, 106.0, "waiting") is asks
    schedule.saw_page(page, rows, 106.5)
    assert asks.due == 107.0
    schedule.saw_page(page, ROWS, 106.9)
    assert asks.due == math.inf  # somebody answered


def test_a_waiting_run_is_read_by_itself_from_the_start() -> None:
    schedule, _ = swept()
    asks = entry("w", 100.0, "waiting")
    asks.seen_at = -math.inf
    schedule.add(asks)
    assert schedule.next(103.0) == (asks, 0.0)


def test_a_run_seen_meanwhile_is_not_read_for_its_old_date() -> None:
    schedule, page = swept()
    first = schedule.entries["a"]
    schedule.read_singly(first, 104.0)
    schedule.saw_page(page, ROWS, 103.5)
    assert schedule.next(105.0) == (None, 0.5)
    schedule.read_singly(first, 104.0)
    schedule.read_singly(first, 105.2)
    look, delay = schedule.next(105.0)
    assert look is None
    assert delay == pytest.approx(0.2)
    schedule.remove(first)
    assert schedule.next(105.3)[0] is schedule.entries["b"]


def test_a_failed_page_lets_the_list_rest() -> None:
    schedule, page = swept()
    assert begin_page(schedule, 106.0) is page
    schedule.page_failed(page, 109.0)
    assert schedule.next(106.0) == (None, 3.0)
    assert begin_page(schedule, 109.0) is page


def test_without_the_list_all_are_read_singly_and_with_it_swept_again() -> None:
    schedule, page = swept()
    begin_page(schedule, 106.0)
    schedule.suspend_list(166.0)
    assert {read_run(schedule, 106.0).run_id for _ in "ab"} == {"a", "b"}
    assert schedule.share(300, 1000.0) == 0.0
    schedule.saw_page(page, ROWS, 107.0)  # it was under way
    assert not page.reading
    assert {read_run(schedule, 107.5).run_id for _ in "ab"} == {"a", "b"}
    schedule.add(entry("c", 107.5))
    assert {read_run(schedule, 165.0).run_id for _ in "abc"} == {"a", "b", "c"}
    again = begin_page(schedule, 168.0)
    assert again is not page
    assert schedule.share(300, 1000.0) > 0.0


def test_without_the_list_for_good_no_page_is_read() -> None:
    schedule, _ = swept()
    schedule.suspend_list(math.inf)
    for now in range(105, 1000, 20):
        assert {read_run(schedule, float(now)).run_id for _ in "ab"} == {"a", "b"}
        assert not isinstance(schedule.next(float(now))[0], Page)


def test_a_run_that_went_while_it_was_read_stays_away() -> None:
    gone = entry("a", 100.0)
    schedule = schedule_of(gone)
    schedule.began(gone)
    schedule.remove(gone)
    schedule.saw_run(gone, run_made("a", 100.0), 100.0, 102.0)
    assert schedule.next(200.0) == (None, math.inf)
    again = entry("a", 100.0)
    schedule.add(again)
    schedule.saw_run(gone, run_made("a", 100.0), 100.0, 200.0)
    assert schedule.next(200.0) == (again, 0.0)


def test_a_run_left_alone_for_longer_than_a_round_takes_hurries() -> None:
    schedule = schedule_of(entry("a", 100.0))
    schedule.suspend_list(math.inf)
    for n in range(99):
        schedule.add(entry(f"r{n}", 100.0))
    look, _ = schedule.next(130.0)
    assert isinstance(look, Entry)
    assert not schedule.hurries(look, 123.0, 300)  # a hundred take twenty seconds, and a fifth
    assert schedule.hurries(look, 125.0, 300)
    assert not schedule.hurries(look, 129.0, 200)  # the window is small: thirty, and no more
    assert schedule.hurries(look, 131.0, 200)


def test_a_page_hurries_for_runs_that_were_never_seen() -> None:
    schedule, page = swept()
    assert not schedule.hurries(page, 200.0, 300)
    stale = entry("c", 50.0)
    stale.seen_at = -math.inf
    schedule.add(stale)
    look, _ = schedule.next(103.0)
    assert isinstance(look, Page)
    assert schedule.hurries(look, 103.0, 300)


# --- answers that cross --------------------------------------------------------------------------

SHOWN = [row_made("a", 100.0), row_made("c", 100.0), row_made("b", 100.0)]


def test_a_run_known_by_its_id_is_read_although_a_page_under_way_shows_it() -> None:
    schedule, page = swept()
    begin_page(schedule, 105.5)
    unknown = Entry("c", Nobody())
    schedule.add(unknown)
    schedule.saw_page(page, SHOWN, 105.6)
    assert schedule.next(105.6) == (unknown, 0.0)


def test_a_page_that_shows_a_run_leaves_it_the_read_that_it_waits_for() -> None:
    schedule, page = swept()
    unknown = Entry("c", Nobody())
    schedule.add(unknown)
    schedule.began(unknown)
    unknown.failures = 1
    schedule.run_failed(unknown, 106.0)
    read_page(schedule, 105.5, *SHOWN)
    assert read_run(schedule, 106.0) is unknown
    assert read_page(schedule, 107.7, *SHOWN) is page
    assert set(page.entries) == {"a", "b", "c"}


def test_a_page_read_while_the_list_rested_brings_nobody_back() -> None:
    schedule, page = swept()
    gone = schedule.entries["a"]
    begin_page(schedule, 105.5)
    schedule.suspend_list(166.0)
    schedule.remove(gone)
    schedule.next(167.0)
    schedule.saw_page(page, ROWS[1:], 170.0)
    for now in range(170, 200):
        look, _ = schedule.next(float(now))
        assert look is not gone
        if isinstance(look, Page):
            assert gone not in look.entries.values()
            read_page(schedule, float(now), ROWS[1])
        elif look is not None:
            read_run(schedule, float(now))


def test_a_page_that_fails_late_brings_no_refused_list_back() -> None:
    schedule, page = swept()
    begin_page(schedule, 105.5)
    schedule.suspend_list(math.inf)
    schedule.page_failed(page, 106.0)
    for now in range(107, 200, 15):
        assert not isinstance(read_run(schedule, float(now)), Page)
        read_run(schedule, float(now))
        assert schedule.next(float(now))[0] is None


def test_a_request_whose_read_is_slow_is_not_read_twice() -> None:
    schedule, page = swept()
    rows = [row_made("a", 100.0, "waiting"), ROWS[1]]
    read_page(schedule, 105.5, *rows)
    look, _ = schedule.next(105.5)
    assert look is schedule.entries["a"]
    schedule.began(look)
    for now in (107.6, 109.7):
        assert read_page(schedule, now, *rows) is page
        assert schedule.next(now)[0] is None


def test_a_request_leaves_a_failed_read_its_patience() -> None:
    schedule, page = swept()
    rows = [row_made("a", 100.0, "waiting"), ROWS[1]]
    read_page(schedule, 105.5, *rows)
    asks = schedule.entries["a"]
    schedule.began(asks)
    asks.failures = 1
    schedule.run_failed(asks, 113.5)
    assert read_page(schedule, 107.6, *rows) is page
    assert schedule.next(107.6)[0] is None
    read_page(schedule, 113.4, *rows)
    assert schedule.next(113.5)[0] is asks


def test_failures_are_forgotten_when_a_run_is_seen() -> None:
    schedule, _ = swept()
    first = schedule.entries["a"]
    first.failures = 3
    read_page(schedule, 105.5, *ROWS)
    assert first.failures == 0


# --- the share of reads --------------------------------------------------------------------------


def test_the_share_has_bounds() -> None:
    schedule = Schedule(half)
    assert schedule.share(300, 0.0) == 0.03
    assert schedule.share(300, math.inf) == 0.03
    for n in range(5_000):
        schedule.add(entry(f"r{n}", 100.0))
    assert schedule.share(1, 0.0) == 0.25


def test_more_pages_get_more_and_more_starts_leave_less() -> None:
    few, many = Schedule(half), Schedule(half)
    for n in range(100):
        few.add(entry(f"r{n}", 100.0))
    for n in range(1_000):
        many.add(entry(f"r{n}", 100.0))
    assert 0.03 < few.share(300, 300.0) < many.share(300, 300.0) <= 0.25
    assert many.share(300, 30_000.0) < many.share(300, 3_000.0) < many.share(300, 300.0)


@unhurried
@given(runs=st.integers(0, 300), limit=st.integers(1, 10_000), to_start=st.floats(0, 1e9))
def test_the_share_is_within_its_bounds(runs: int, limit: int, to_start: float) -> None:
    schedule = schedule_of(*(entry(f"r{n}", float(n)) for n in range(runs)))
    assert 0.03 <= schedule.share(limit, to_start) <= 0.25
    schedule.suspend_list(math.inf)
    assert schedule.share(limit, to_start) == 0.0


# --- nobody is forgotten -------------------------------------------------------------------------

BOUND = 120.0
"""Seconds after which everybody has been told again, with requests to spare."""
MOST = 300


@define(eq=False)
class Real:
    """A run of the server's.

    Attributes:
        run_id: Its id.
        created: When it was made.
        shown_from: From when on the list shows it.
        status: What it is doing.
        listed: Whether the list shows it at all.
        told_at: When who waits for it was last told.
    """

    run_id: str
    created: float
    shown_from: float
    status: str = "running"
    listed: bool = True
    told_at: float = 0.0


class World:
    """A server with a list, and what a watcher does with a schedule, on made-up time."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - jitter
        self.schedule = Schedule(self.random.random)
        self.now = 1_000.0
        self.runs: dict[str, Real] = {}
        self.waiting: dict[str, Entry] = {}
        self.flying: list[tuple[float, int, Entry | Page]] = []
        self.number = count()
        self.list_faults: list[str] = []
        self.run_faults = 0
        self.latency = 0.1

    def make(self, age: float = 0.0, lag: float = 0.0, *, listed: bool = True) -> Real:
        real = Real(f"r{next(self.number)}", self.now - age, self.now + lag, listed=listed)
        self.runs[real.run_id] = real
        return real

    def wait(self, real: Real, how: str) -> None:
        if len(self.waiting) >= MOST:
            return
        waiting = Entry(real.run_id, Nobody())
        if how != "by id":
            waiting.run = run_made(real.run_id, real.created)
            waiting.created = real.created
            waiting.seen_at = real.created if how == "fresh" else -math.inf
        real.told_at = self.now
        self.waiting[real.run_id] = waiting
        self.schedule.add(waiting)

    def leave(self, run_id: str) -> None:
        self.schedule.remove(self.waiting.pop(run_id))

    def go_on(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            while self.flying and self.flying[0][0] <= self.now:
                self.answer(heappop(self.flying)[2])
            for run_id in self.waiting:
                assert self.now - self.runs[run_id].told_at <= BOUND, f"{run_id} is forgotten"
            if self.now >= end:
                return
            soon = min(end, self.flying[0][0] if self.flying else end)
            self.now = soon if len(self.flying) == 16 else self.look(soon)

    def look(self, soon: float) -> float:
        """Send what is to be read; give the time of the next step."""
        look, delay = self.schedule.next(self.now)
        if look is None:
            assert delay > 0
            assert delay < math.inf or self.flying or not self.waiting
            return min(soon, self.now + delay + 1e-6)
        known = look.entries.values() if isinstance(look, Page) else [look]
        assert all(self.waiting.get(each.run_id) is each for each in known)
        self.schedule.began(look)
        answered_at = self.now + self.latency * (0.5 + self.random.random())
        heappush(self.flying, (answered_at, next(self.number), look))
        return min(soon, self.now + 0.02)

    def answer(self, look: Entry | Page) -> None:
        if isinstance(look, Page):
            self.answer_page(look)
            return
        waited = self.waiting.get(look.run_id) is look
        if self.run_faults:
            self.run_faults -= 1
            if waited:
                look.failures += 1
                self.schedule.run_failed(look, self.now + 0.5)
            return
        real = self.runs[look.run_id]
        run = run_made(real.run_id, real.created, real.status)
        self.schedule.saw_run(look, run, real.created, self.now)
        if waited:
            real.told_at = self.now

    def answer_page(self, page: Page) -> None:
        fault = self.list_faults.pop() if self.list_faults else ""
        if fault == "fails":
            self.schedule.page_failed(page, self.now + 0.5)
        elif fault:
            rest = 60.0 if fault == "rests" else math.inf
            self.schedule.suspend_list(self.now + rest)
        else:
            rows = self.rows(page)
            self.schedule.saw_page(page, rows, self.now)
            for row in rows:
                waited = self.waiting.get(row.id)
                if waited is not None and waited.run is not None and row.status != "waiting":
                    waited.run = evolve(waited.run, status=row.status)
                    self.runs[row.id].told_at = self.now

    def rows(self, page: Page) -> list[RunSummary]:
        since = (page.since - NOW).total_seconds()
        shown = [
            each
            for each in self.runs.values()
            if each.listed and each.shown_from <= self.now and each.created >= since
        ]
        shown.sort(key=lambda each: each.created)
        return [
            row_made(each.run_id, each.created, each.status)
            for each in shown[page.offset : page.offset + PAGE_SIZE]
        ]


Event: TypeAlias = tuple[Any, ...]


def start(world: World, many: int, lag: float, listed: bool) -> None:  # noqa: FBT001 - drawn
    for _ in range(many):
        world.wait(world.make(lag=lag, listed=listed or many > 9), "fresh")
        world.now += 0.003 if many > 9 else 0.3


def others_start(world: World, many: int, lag: float) -> None:
    for _ in range(many):
        world.make(lag=lag)
        world.now += 0.003


def start_among_others(world: World, many: int, others: int) -> None:
    for _ in range(many):
        others_start(world, others, 0.0)
        world.wait(world.make(), "fresh")


def take_in(world: World, many: int, age: float, how: str) -> None:
    for n in range(many):
        world.wait(world.make(age=age - n / 100), how)


def leave(world: World, many: int, chance: int) -> None:
    chosen = sorted(world.waiting)
    for run_id in Random(chance).sample(chosen, min(many, len(chosen))):  # noqa: S311 - which
        world.leave(run_id)


def hide(world: World, many: int, chance: int) -> None:
    chosen = sorted(world.runs)
    for run_id in Random(chance).sample(chosen, min(many, len(chosen))):  # noqa: S311 - which
        world.runs[run_id].listed = False


def become(world: World, status: str, chance: int) -> None:
    for real in Random(chance).sample([*world.runs.values()], len(world.runs) // 3):  # noqa: S311
        real.status = status


def list_fails(world: World, fault: str, times: int) -> None:
    world.list_faults += [fault] * times


def runs_fail(world: World, times: int) -> None:
    world.run_faults += times


def be_slow(world: World, seconds: float) -> None:
    world.latency = seconds


def announce(world: World, many: int, chance: int, singly: bool) -> None:  # noqa: FBT001 - drawn
    chosen = sorted(world.waiting)
    for run_id in Random(chance).sample(chosen, min(many, len(chosen))):  # noqa: S311 - which
        world.schedule.hint(world.waiting[run_id], world.now, singly=singly)


def relax(world: World, relaxed: bool) -> None:  # noqa: FBT001 - drawn
    world.schedule.relax(300, relaxed=relaxed)


LAGS = st.floats(0, 3)
CHANCES = st.integers(0, 2**32)
HOWS = st.sampled_from(["stale", "by id"])
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.tuples(st.just(start), st.integers(1, 150), LAGS, st.booleans()),
    st.tuples(st.just(start_among_others), st.integers(1, 30), st.integers(0, 30)),
    st.tuples(st.just(others_start), st.integers(1, 250), LAGS),
    st.tuples(st.just(take_in), st.integers(1, 40), st.floats(0, 5_000), HOWS),
    st.tuples(st.just(leave), st.integers(1, MOST), CHANCES),
    st.tuples(st.just(hide), st.integers(1, 30), CHANCES),
    st.tuples(st.just(become), st.sampled_from(["waiting", "running"]), CHANCES),
    st.tuples(st.just(list_fails), st.sampled_from(["fails", "rests", "ends"]), st.integers(1, 3)),
    st.tuples(st.just(runs_fail), st.integers(1, 5)),
    st.tuples(st.just(be_slow), st.sampled_from([0.01, 0.1, 1.0, 5.0])),
    st.tuples(st.just(announce), st.integers(1, MOST), CHANCES, st.booleans()),
    st.tuples(st.just(relax), st.booleans()),
    st.tuples(st.just(World.go_on), st.floats(0, 70)),
)


BETWEEN_PAGES: list[Event] = [
    (list_fails, "fails", 1),
    (take_in, 11, 3530.0, "by id"),
    (start, 150, 0.0, True),
    (take_in, 38, 4375.0, "stale"),
    (list_fails, "fails", 1),
    (be_slow, 0.01),
    (leave, 267, 357978450),
    (start, 150, 0.0, True),
    (start_among_others, 4, 30),
    (hide, 20, 4_294_967_295),
]
"""A run that is not listed was made between the last of a page and the first of the next."""
ONE_ASKS: list[Event] = [
    (start, 2, 0.0, False),
    (announce, 1, 1, True),
    (start_among_others, 1, 0),
    (become, "waiting", 1),
]
"""A run that no page shows yet waits for a person, so that it is read by itself each second."""


@pytest.mark.no_cover
@settings(
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(events=st.lists(EVENTS, max_size=12), seed=st.integers(0, 3))
@example(events=BETWEEN_PAGES, seed=3)
@example(events=ONE_ASKS, seed=0)
def test_no_run_is_forgotten_whatever_happens(events: list[Event], seed: int) -> None:
    world = World(seed)
    for happens, *what in events:
        happens(world, *what)
        world.go_on(0.0)
    world.latency, world.list_faults, world.run_faults = 0.1, [], 0
    world.go_on(BOUND + 10)
