import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duvo_async._entries import PAGE_SIZE, Entry, Page, worth
from duvo_async._sweep import Sweep
from duvo_async.models import Run, RunSummary
from tests.support.properties import unhurried
from tests.support.stub import NOW, row_made, run_made


class Nobody:
    def told(self, run: Run) -> bool:
        raise AssertionError(run)

    def failed(self, error: Exception) -> None:
        raise AssertionError(error)


def entry(run_id: str, created: float, seen_at: float | None = None) -> Entry:
    seen = created if seen_at is None else seen_at
    return Entry(run_id, Nobody(), run_made(run_id, created), created, seen)


class Rig:
    """A sweep, its runs, and a list that shows what it is told to."""

    def __init__(self) -> None:
        self.sweep = Sweep()
        self.entries: dict[str, Entry] = {}
        self.rows: dict[str, RunSummary] = {}

    def add(
        self, run_id: str, created: float, seen_at: float | None = None, *, listed: bool = True
    ) -> Entry:
        self.entries[run_id] = entry(run_id, created, seen_at)
        self.sweep.add(self.entries[run_id])
        if listed:
            self.show(run_id, created)
        return self.entries[run_id]

    def show(self, run_id: str, created: float) -> None:
        self.rows[run_id] = row_made(run_id, created)

    def page_of(self, page: Page) -> list[RunSummary]:
        rows = [row for row in self.rows.values() if row.created_at >= page.since]
        rows.sort(key=lambda row: row.created_at)
        return rows[page.offset : page.offset + PAGE_SIZE]

    def best(self, now: float) -> Page:
        page, value, _ = self.sweep.best(now)
        assert page is not None
        assert value > 0
        return page

    def read(self, now: float) -> tuple[Page, list[Entry]]:
        page = self.best(now)
        self.sweep.began(page)
        return page, self.sweep.read(page, self.page_of(page), self.entries, now)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def since(page: Page) -> float:
    return (page.since - NOW).total_seconds()


# --- which page ----------------------------------------------------------------------------------


def test_nothing_is_read_for_nobody(rig: Rig) -> None:
    assert rig.sweep.best(0) == (None, 0.0, math.inf)
    assert not rig.sweep.open
    assert not rig.sweep.unseen


def test_fresh_runs_are_on_a_page_that_begins_a_second_before_the_oldest(rig: Rig) -> None:
    for run_id, created in (("b", 10.5), ("a", 10.0), ("c", 11.0)):
        rig.add(run_id, created)
    page, lost = rig.read(13)
    assert (since(page), page.offset, lost) == (9.0, 0, [])
    assert set(page.entries) == {"a", "b", "c"}
    assert all(each.seen_at == 13 and each.page is page for each in rig.entries.values())
    assert not rig.sweep.unplaced
    assert rig.sweep.open


def test_a_run_that_was_just_seen_waits_for_its_cycle(rig: Rig) -> None:
    rig.add("a", 10.0)
    rig.add("b", 10.5)
    assert rig.sweep.best(11.9) == (None, 0.0, 12.0)
    assert since(rig.best(12.1)) == 9.0


def test_a_run_that_is_read_singly_meanwhile_holds_up_no_other(rig: Rig) -> None:
    rig.add("a", 10.0).seen_at = 11.5
    rig.add("b", 10.5)
    page, value, _ = rig.sweep.best(12.0)
    assert page is not None
    assert value > 0


def test_a_run_that_was_never_seen_is_looked_for_at_once(rig: Rig) -> None:
    rig.add("a", 10.0, -math.inf)
    page, value, _ = rig.sweep.best(10.0)
    assert page is not None
    assert value == math.inf
    assert rig.sweep.unseen


@pytest.mark.parametrize(
    ("age", "cycle"), [(3, 2.0), (400, 2.0), (1_000, 5.0), (2_000, 10.0), (90_000, 10.0)]
)
def test_the_cycle_follows_the_age(age: float, cycle: float, rig: Rig) -> None:
    rig.add("a", 0.0)
    rig.add("b", 0.0)
    page, _ = rig.read(age)
    assert page.due() == pytest.approx(age + cycle)
    early, _, due = rig.sweep.best(age + cycle - 0.01)
    assert (early, due) == (None, page.due())
    assert rig.best(age + cycle) is page


def test_a_page_that_is_being_read_is_not_read_again(rig: Rig) -> None:
    rig.add("a", 10.0)
    rig.add("b", 10.5)
    rig.sweep.began(rig.best(13))
    assert rig.sweep.best(100) == (None, 0.0, math.inf)


def fill(rig: Rig, ours: int, foreign: int, begin: float = 10.0, name: str = "") -> None:
    """Ours first, then the others', 10 ms apart."""
    for n in range(ours + foreign):
        run_id = f"{name}{n:03}"
        if n < ours:
            rig.add(run_id, begin + n / 100)
        else:
            rig.show(f"foreign {run_id}", begin + n / 100)


def test_the_pages_go_on_by_offset_while_they_have_runs_of_ours(rig: Rig) -> None:
    fill(rig, 250, 0)
    pages = [rig.read(20 + n)[0] for n in range(3)]
    assert [(since(page), page.offset, len(page.entries)) for page in pages] == [
        (9.0, 0, 100),
        (9.0, 100, 100),
        (9.0, 200, 50),
    ]
    assert not rig.sweep.unplaced


@pytest.mark.parametrize(
    ("own", "begin", "offset"), [(0, 999.0, 0), (1, 999.0, 0), (2, 9.0, 100), (99, 9.0, 100)]
)
def test_a_full_page_with_one_of_ours_or_none_is_jumped_over(
    own: int, begin: float, offset: int, rig: Rig
) -> None:
    fill(rig, own, 300 - own)
    gone = None if own else rig.add("gone", 10.0, listed=False)
    first, _ = rig.read(20)
    assert gone is None or gone.page is None
    rig.add("new", 1000.0)
    first.seen_at = 1003  # it was read just before
    page = rig.best(1003)
    assert (since(page), page.offset) == (begin, offset)


def test_what_is_within_a_second_of_a_full_page_is_found_by_offset(rig: Rig) -> None:
    for n in range(250):  # others start a burst in the second before ours
        rig.show(f"foreign {n:03}", 10.0 + n / 1000)
    rig.add("ours", 10.5)
    offsets = []
    for n in range(3):
        page, lost = rig.read(20 + 3 * n)
        offsets.append(page.offset)
        assert lost == []
    assert offsets == [0, 100, 200]
    assert rig.entries["ours"].seen_at == 26


def test_an_older_run_gets_a_page_of_its_own(rig: Rig) -> None:
    rig.add("a", 100.0)
    rig.add("b", 100.5)
    young, _ = rig.read(103)
    rig.add("old", 50.0)
    old, _ = rig.read(104)
    assert old is not young
    assert (since(old), set(old.entries)) == (49.0, {"old", "a", "b"})
    assert young not in rig.sweep.pages


def test_a_far_older_run_leaves_the_others_on_their_page(rig: Rig) -> None:
    fill(rig, 0, 150, begin=50.0)
    rig.add("a", 100.0)
    rig.add("b", 100.5)
    young, _ = rig.read(103)
    rig.add("old", 50.0)
    old, _ = rig.read(104)
    assert (set(old.entries), set(young.entries)) == ({"old"}, {"a", "b"})
    assert set(rig.sweep.pages) == {young, old}
    assert rig.sweep.last_on(old) is rig.entries["old"]


def test_the_page_on_which_more_is_to_be_learnt_goes_first(rig: Rig) -> None:
    fill(rig, 120, 0)
    many, _ = rig.read(20)
    few, _ = rig.read(21)
    assert [len(many.entries), len(few.entries)] == [100, 20]
    assert rig.best(24) is many
    few.seen_at = 10.0  # it waits for three times as long, with a fifth of the runs
    assert rig.best(24) is few


def test_full_pages_without_waiting_runs_are_not_read_again(rig: Rig) -> None:
    fill(rig, 120, 0)
    first, _ = rig.read(20)
    second, _ = rig.read(21)
    for each in tuple(first.entries.values()):
        rig.sweep.remove(each)
        del rig.entries[each.run_id]
    assert set(rig.sweep.pages) == {second}
    for now in range(24, 100, 3):
        assert rig.read(now)[0] is second


def test_the_last_page_is_kept_for_new_runs(rig: Rig) -> None:
    rig.add("a", 10.0)
    rig.add("b", 10.5)
    page, _ = rig.read(13)
    for run_id in ("a", "b"):
        rig.sweep.remove(rig.entries.pop(run_id))
    assert not rig.sweep.open
    assert rig.sweep.best(100) == (None, 0.0, math.inf)
    rig.add("c", 90.0)
    assert rig.best(100) is page


# --- runs that are not where they should be ------------------------------------------------------


@pytest.mark.parametrize(("now", "late"), [(11.0, False), (14.9, False), (15.1, True)])
def test_a_run_too_new_for_a_short_page_is_not_given_up(now: float, *, late: bool) -> None:
    rig = Rig()
    new = rig.add("new", 10.0, -math.inf, listed=False)
    page, lost = rig.read(now)
    assert lost == ([new] if late else [])
    assert ("new" in rig.sweep.unplaced) is not late
    assert page.rows == 0


def test_a_run_that_the_list_has_gone_past_is_given_up_however_new(rig: Rig) -> None:
    missing = rig.add("missing", 10.0, listed=False)
    rig.add("a", 10.1)
    rig.add("b", 10.2)
    _, lost = rig.read(12.5)
    assert lost == [missing]
    assert "missing" not in rig.sweep.unplaced


def test_a_run_after_a_full_page_is_not_given_up(rig: Rig) -> None:
    fill(rig, 100, 0)
    rig.add("late", 12.0, listed=False)
    _, lost = rig.read(30)
    assert lost == []
    assert list(rig.sweep.unplaced) == ["late"]
    page, lost = rig.read(31)
    assert (page.offset, lost) == (100, [rig.entries["late"]])


def test_a_run_older_than_the_page_is_not_given_up_by_it(rig: Rig) -> None:
    rig.add("a", 100.0)
    rig.add("b", 100.5)
    page = rig.best(103)
    rig.sweep.began(page)
    old = rig.add("old", 50.0)
    assert rig.sweep.read(page, rig.page_of(page), rig.entries, 103) == []
    assert list(rig.sweep.unplaced) == ["old"]
    assert rig.read(104)[0].entries["old"] is old


def test_a_run_that_leaves_its_page_is_lost_once(rig: Rig) -> None:
    for run_id in "abc":
        rig.add(run_id, 10.0)
    page, _ = rig.read(13)
    del rig.rows["b"]
    _, lost = rig.read(15.5)
    assert lost == [rig.entries["b"]]
    assert rig.entries["b"].page is None
    assert set(page.entries) == {"a", "c"}
    assert rig.read(18)[1] == []


def test_a_run_that_comes_back_has_its_place_again(rig: Rig) -> None:
    for run_id in "abc":
        rig.add(run_id, 10.0)
    page, _ = rig.read(13)
    row = rig.rows.pop("b")
    rig.read(15.5)
    rig.rows["b"] = row
    rig.read(18)
    assert rig.entries["b"].page is page
    assert rig.entries["b"].seen_at == 18


def test_a_run_moves_to_the_page_that_shows_it(rig: Rig) -> None:
    fill(rig, 120, 0)
    first, _ = rig.read(20)
    second, _ = rig.read(21)
    del rig.rows["050"]  # the runs behind it move up
    rig.sweep.began(first)
    lost = rig.sweep.read(first, rig.page_of(first), rig.entries, 23)
    assert lost == [rig.entries["050"]]
    assert rig.entries["100"].page is first
    assert "100" not in second.entries
    assert (len(first.entries), len(second.entries)) == (100, 19)


def test_rows_of_nobody_are_passed_over(rig: Rig) -> None:
    fill(rig, 3, 50)
    page, _ = rig.read(20)
    assert (page.rows, page.own, len(page.entries)) == (53, 3, 3)
    assert not page.full


# --- letting runs go -----------------------------------------------------------------------------


def test_a_run_may_go_before_it_was_found(rig: Rig) -> None:
    gone = rig.add("a", 10.0)
    assert rig.sweep.remove(gone) is None
    assert rig.sweep.remove(gone) is None
    assert rig.sweep.best(100) == (None, 0.0, math.inf)


def test_the_last_of_a_page_is_told(rig: Rig) -> None:
    for run_id in "abc":
        rig.add(run_id, 10.0)
    page, _ = rig.read(13)
    assert rig.sweep.last_on(page) is None
    assert rig.sweep.remove(rig.entries["a"]) is None
    assert rig.sweep.remove(rig.entries["c"]) is rig.entries["b"]
    assert rig.sweep.last_on(page) is rig.entries["b"]
    assert rig.sweep.remove(rig.entries["b"]) is None


def test_the_last_of_a_page_stays_while_new_runs_are_looked_for_there(rig: Rig) -> None:
    rig.add("a", 10.0)
    rig.add("b", 10.0)
    page, _ = rig.read(13)
    rig.add("c", 14.0)
    assert rig.sweep.remove(rig.entries["a"]) is None
    assert rig.best(16) is page


def test_a_run_may_go_while_its_page_is_read(rig: Rig) -> None:
    for run_id in "abc":
        rig.add(run_id, 10.0)
    page, _ = rig.read(13)
    rig.sweep.began(page)
    rows = rig.page_of(page)
    for run_id in "abc":
        rig.sweep.remove(rig.entries.pop(run_id))
    assert rig.sweep.read(page, rows, rig.entries, 16) == []
    assert not page.entries


# --- what reading is worth -----------------------------------------------------------------------

TIMES = st.floats(0, 1e7)


def test_a_run_that_was_never_seen_is_worth_most() -> None:
    assert worth(10.0, 0.0, -math.inf) == math.inf
    assert worth(10.0, -math.inf, -math.inf) == math.inf


@pytest.mark.parametrize("created", [-math.inf, 0.0, 9.0, 10.0, 11.0])
def test_what_was_just_seen_is_worth_nothing(created: float) -> None:
    assert worth(10.0, created, 10.0) == 0.0
    assert worth(10.0, created, 11.0) == 0.0


def test_a_young_run_is_worth_more_than_an_old_one() -> None:
    assert worth(1_010.0, 990.0, 1_000.0) > 5 * worth(1_010.0, 0.0, 1_000.0) > 0


def test_worth_grows_with_the_square_of_the_time() -> None:
    assert worth(1_004.0, 0.0, 1_000.0) == pytest.approx(4 * worth(1_002.0, 0.0, 1_000.0), rel=0.01)


@unhurried
@given(seen_at=TIMES, age=st.floats(-10, 1e6), wait=st.floats(1, 1e5), more=st.floats(1, 1e5))
def test_worth_grows_with_the_time_since_a_run_was_seen(
    seen_at: float, age: float, wait: float, more: float
) -> None:
    created = seen_at - age
    soon = worth(seen_at + wait, created, seen_at)
    assert 0 < soon < worth(seen_at + wait + more, created, seen_at)


EXTREMES = st.floats(allow_nan=False)


@unhurried
@given(now=EXTREMES, created=EXTREMES, seen_at=EXTREMES)
def test_worth_is_a_number_and_not_negative(now: float, created: float, seen_at: float) -> None:
    if now != seen_at:  # two infinities have no distance
        assert worth(now, created, seen_at) >= 0.0


@unhurried
@given(seen_at=TIMES, age=st.floats(0, 1e12), wait=st.floats(1e-9, 1e5))
def test_worth_is_not_negative_for_what_was_seen_a_moment_ago(
    seen_at: float, age: float, wait: float
) -> None:
    assert worth(seen_at + wait, seen_at - age, seen_at) >= 0.0


# --- how much there is to read -------------------------------------------------------------------


def test_without_runs_nothing_weighs(rig: Rig) -> None:
    assert rig.sweep.weight() == 0.0


def test_runs_weigh_before_and_after_they_are_found(rig: Rig) -> None:
    fill(rig, 50, 0)
    assert rig.sweep.weight() > 0
    assert rig.sweep.weight(100) > rig.sweep.weight()
    rig.read(20)
    found = rig.sweep.weight()
    assert found > 0
    fill(rig, 100, 0, begin=30.0, name="more")
    rig.read(40)
    rig.read(41)
    assert rig.sweep.weight() > found


def test_runs_among_others_weigh_more() -> None:
    alone, among = Rig(), Rig()
    fill(alone, 10, 0)
    fill(among, 10, 80)
    for rig in (alone, among):
        rig.read(20)
    assert among.sweep.weight(100) > 1.5 * alone.sweep.weight(100)


def test_a_page_begins_where_it_says() -> None:
    page = Page(NOW + timedelta(seconds=3), 0)
    assert (page.begins, page.ends) == (page.since, page.since)
    assert not page.full
