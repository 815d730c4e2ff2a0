"""What a hint makes the schedule do: values in, decisions out."""

import math
from itertools import count

import pytest

from duvo_async._entries import Entry, Page
from duvo_async._schedule import Schedule
from duvo_async.models import Run, RunSummary
from tests.support.stub import row_made, run_made


class Nobody:
    def told(self, run: Run) -> bool:
        raise AssertionError(run)

    def failed(self, error: Exception) -> None:
        raise AssertionError(error)


class Rig:
    """A schedule with runs that all go on, and the list of them."""

    def __init__(self, *made: float) -> None:
        self.schedule = Schedule(lambda: 0.5)
        self.names = count()
        self.entries: list[Entry] = []
        for created in made:
            self.add(created)

    def add(self, created: float) -> Entry:
        run_id = f"r{next(self.names)}"
        entry = Entry(run_id, Nobody(), run_made(run_id, created), created, created)
        self.entries.append(entry)
        self.schedule.add(entry)
        return entry

    def rows(self, page: Page, **statuses: str) -> list[RunSummary]:
        return [
            row_made(each.run_id, each.created, statuses.get(each.run_id, "running"))
            for each in self.entries[page.offset : page.offset + 100]
        ]

    def look(self, now: float) -> Entry | Page:
        look, _ = self.schedule.next(now)
        assert look is not None
        self.schedule.began(look)
        return look

    def page(self, now: float, **statuses: str) -> Page:
        look = self.look(now)
        assert isinstance(look, Page)
        self.schedule.saw_page(look, self.rows(look, **statuses), now)
        return look

    def single(self, now: float, status: str = "running") -> Entry:
        look = self.look(now)
        assert isinstance(look, Entry)
        run = run_made(look.run_id, look.created, status)
        self.schedule.saw_run(look, run, look.created, now)
        return look


def rest(schedule: Schedule, now: float) -> float:
    look, delay = schedule.next(now)
    assert look is None
    return delay


def swept(*made: float) -> Rig:
    """Runs of which the page was read at 10."""
    rig = Rig(*made)
    rig.page(10.0)
    return rig


def test_the_page_of_a_run_with_news_is_read_at_once() -> None:
    rig = swept(0.0, 1.0, 2.0)
    assert rest(rig.schedule, 11.0) == pytest.approx(1.0)
    rig.schedule.hint(rig.entries[1], 11.0, singly=False)
    page = rig.look(11.0)
    assert isinstance(page, Page)
    assert rig.schedule.has_news(page) is False  # it is being read: the news are asked for


def test_what_is_read_because_of_news_is_known_for_it() -> None:
    rig = swept(0.0, 1.0)
    look, _ = rig.schedule.next(12.0)
    assert look is not None
    assert not rig.schedule.has_news(look)
    rig.schedule.hint(rig.entries[0], 12.0, singly=False)
    look, _ = rig.schedule.next(12.0)
    assert look is not None
    assert rig.schedule.has_news(look)


def test_hints_lead_to_one_read_of_a_page_a_second() -> None:
    rig = swept(0.0, 1.0, 2.0)
    reads: list[float] = []
    for tenth in range(101, 200):
        now = tenth / 10
        rig.schedule.hint(rig.entries[0], now, singly=False)
        look, _ = rig.schedule.next(now)
        if look is not None:
            rig.page(now)
            reads.append(now)
    assert len(reads) == 9
    assert reads == pytest.approx([11.0 + n for n in range(9)])


@pytest.mark.parametrize("singly", [True, False])
def test_hints_lead_to_one_read_of_a_run_a_second(singly: bool) -> None:  # noqa: FBT001
    rig = Rig(0.0)
    rig.single(10.0)
    reads: list[float] = []
    for tenth in range(101, 200):
        now = tenth / 10
        rig.schedule.hint(rig.entries[0], now, singly=singly)
        look, _ = rig.schedule.next(now)
        if look is not None:
            rig.single(now)
            reads.append(now)
    assert reads == pytest.approx([11.0 + n for n in range(9)])


def test_a_request_to_a_person_is_read_singly_since_no_list_has_it() -> None:
    rig = swept(0.0, 1.0, 2.0)
    rig.schedule.hint(rig.entries[1], 11.0, singly=True)
    assert rig.look(11.0) is rig.entries[1]


def test_the_page_with_the_most_news_is_read_first() -> None:
    rig = Rig(*(n / 100 for n in range(200)))
    rig.page(10.0)
    rig.page(10.0)
    rig.schedule.hint(rig.entries[0], 11.0, singly=False)
    for each in rig.entries[150:153]:
        rig.schedule.hint(each, 11.0, singly=False)
    first = rig.look(11.0)
    assert isinstance(first, Page)
    assert first.offset == 100
    second = rig.look(11.0)
    assert isinstance(second, Page)
    assert second.offset == 0


def test_news_wait_no_longer_than_others_before_they_go_first() -> None:
    rig = Rig(*(n / 100 for n in range(200)))
    rig.page(10.0)
    rig.page(10.0)
    rig.schedule.hint(rig.entries[0], 11.0, singly=False)
    for each in rig.entries[150:153]:
        rig.schedule.hint(each, 15.9, singly=False)
    look = rig.look(16.0)
    assert isinstance(look, Page)
    assert look.offset == 0


def test_a_run_that_was_never_on_a_page_is_looked_for_on_the_next() -> None:
    rig = Rig(*(n / 100 for n in range(50)))
    rig.schedule.hint(rig.entries[7], 0.6, singly=False)
    look, _ = rig.schedule.next(0.6)
    assert isinstance(look, Page)
    assert rig.schedule.has_news(look)


def test_news_that_come_while_their_page_is_read_are_read_for_again() -> None:
    rig = swept(0.0, 1.0, 2.0)
    rig.schedule.hint(rig.entries[0], 12.0, singly=False)
    page = rig.look(12.0)
    assert isinstance(page, Page)
    rig.schedule.hint(rig.entries[2], 12.1, singly=False)
    rig.schedule.saw_page(page, rig.rows(page), 12.2)
    assert rest(rig.schedule, 12.2) == pytest.approx(1.0)
    again = rig.look(13.2)
    assert again is page


def test_news_that_come_while_a_run_is_read_are_read_for_again() -> None:
    rig = Rig(0.0)
    look = rig.look(5.0)
    assert isinstance(look, Entry)
    rig.schedule.hint(look, 5.1, singly=False)
    rig.schedule.saw_run(look, run_made(look.run_id, 0.0), 0.0, 5.2)
    assert rest(rig.schedule, 5.2) == pytest.approx(1.0)


def test_news_that_a_page_does_not_show_are_looked_for_again_for_a_while() -> None:
    rig = swept(0.0, 1.0, 2.0)
    rig.schedule.relax(300, relaxed=True)
    now = 12.0
    rig.schedule.hint(rig.entries[0], now, singly=False)
    rig.page(now)
    for pause in (1.0, 2.0, 4.0, 8.0):
        assert rig.entries[0].hinted
        assert rest(rig.schedule, now) == pytest.approx(pause)
        now += pause
        rig.page(now)
    assert not rig.entries[0].hinted  # it was no announcement
    assert rest(rig.schedule, now) == pytest.approx(30.0)


def test_news_that_a_run_does_not_show_are_looked_for_again_for_a_while() -> None:
    rig = Rig(0.0)
    rig.schedule.relax(300, relaxed=True)
    rig.single(10.0) if rig.schedule.next(10.0)[0] else None
    now = 40.0
    rig.schedule.hint(rig.entries[0], now, singly=False)
    rig.single(now)
    for pause in (1.0, 2.0, 4.0, 8.0):
        assert rig.entries[0].hinted
        assert rest(rig.schedule, now) == pytest.approx(pause)
        now += pause
        rig.single(now)
    assert not rig.entries[0].hinted
    assert rest(rig.schedule, now) == pytest.approx(30.0)


def test_a_pause_announces_no_end() -> None:
    rig = Rig(0.0)
    rig.schedule.hint(rig.entries[0], 5.0, singly=True)
    assert not rig.entries[0].hinted


def test_whoever_makes_noise_gets_every_other_look() -> None:
    rig = Rig(*(float(n) for n in range(12)))
    rig.schedule.suspend_list(math.inf)
    for n in range(12):
        rig.single(1_000.0 + n / 100)
    now, noisy = 1_020.0, rig.entries[:10]
    looks: list[Entry] = []
    for _ in range(20):
        for each in noisy:
            rig.schedule.hint(each, now, singly=False)
        looks.append(rig.single(now))
        now += 0.2
    quiet = [each for each in looks if each in rig.entries[10:]]
    assert {each.run_id for each in quiet} == {"r10", "r11"}
    assert len([each for each in looks if each in noisy]) >= 10


@pytest.mark.parametrize("fails", ["suspended", "fails", "singled out"])
def test_news_that_were_asked_for_outlast_a_list_that_fails(fails: str) -> None:
    rig = swept(0.0, 1.0, 2.0)
    rig.schedule.relax(300, relaxed=True)
    rig.schedule.hint(rig.entries[1], 12.0, singly=False)
    page = rig.look(12.0)
    assert isinstance(page, Page)
    if fails == "suspended":
        rig.schedule.suspend_list(math.inf)
    elif fails == "singled out":
        rig.schedule.remove(rig.entries[0])
        rig.schedule.remove(rig.entries[2])
    if fails != "suspended":
        rig.schedule.page_failed(page, 12.5)
    look = rig.look(12.5)
    assert look is (page if fails == "fails" else rig.entries[1])


def test_a_page_that_could_not_be_read_still_has_its_news() -> None:
    rig = swept(0.0, 1.0, 2.0)
    rig.schedule.hint(rig.entries[0], 12.0, singly=False)
    page = rig.look(12.0)
    assert isinstance(page, Page)
    rig.schedule.page_failed(page, 12.5)
    assert rig.look(12.5) is page


def test_the_last_run_of_a_page_takes_its_news_along() -> None:
    rig = swept(0.0, 1.0)
    rig.schedule.relax(300, relaxed=True)
    rig.schedule.hint(rig.entries[1], 10.5, singly=False)
    rig.schedule.remove(rig.entries[0])
    assert rig.look(11.0) is rig.entries[1]


def test_a_run_that_has_left_is_not_read_for_its_news() -> None:
    rig = swept(0.0, 1.0, 2.0)
    rig.schedule.hint(rig.entries[1], 10.5, singly=False)
    rig.schedule.remove(rig.entries[1])
    rig.schedule.hint(rig.entries[2], 10.5, singly=True)
    rig.schedule.remove(rig.entries[2])
    rig.single(11.0)
    assert rest(rig.schedule, 11.0) == pytest.approx(1.0)


def test_without_a_list_news_go_before_what_is_overdue() -> None:
    rig = Rig(*(float(n) for n in range(50)))
    rig.schedule.suspend_list(math.inf)
    for now in range(50):
        rig.single(100.0 + now / 100)
    assert rig.entries[49].due < 102.0
    rig.schedule.hint(rig.entries[49], 103.0, singly=False)
    assert rig.look(103.0) is rig.entries[49]


def test_hints_do_not_wear_out_a_run_that_cannot_be_read() -> None:
    rig = Rig(0.0)
    look = rig.look(5.0)
    assert isinstance(look, Entry)
    look.failures += 1
    rig.schedule.run_failed(look, 9.0)
    for tenth in range(51, 90):
        rig.schedule.hint(look, tenth / 10, singly=True)
        assert rest(rig.schedule, tenth / 10) == pytest.approx(9.0 - tenth / 10)
    assert rig.look(9.0) is look


def test_news_outlast_a_list_that_is_no_longer_read() -> None:
    rig = swept(0.0, 1.0, 2.0)
    rig.schedule.relax(300, relaxed=True)
    rig.schedule.hint(rig.entries[1], 10.5, singly=False)
    rig.schedule.suspend_list(math.inf)
    assert rig.look(11.0) is rig.entries[1]


# --- looking less often ---------------------------------------------------------------------------


def test_pages_without_news_are_read_each_30_s_while_ends_are_announced() -> None:
    rig = swept(0.0, 1.0, 2.0)
    rig.schedule.relax(300, relaxed=True)
    assert rest(rig.schedule, 10.0) == pytest.approx(30.0)
    rig.schedule.relax(300, relaxed=False)
    assert rest(rig.schedule, 10.0) == pytest.approx(2.0)


def test_a_single_run_without_news_is_read_each_30_s_while_ends_are_announced() -> None:
    rig = Rig(0.0)
    rig.schedule.relax(300, relaxed=True)
    rig.single(5.0)
    assert rest(rig.schedule, 5.0) == pytest.approx(30.0)


@pytest.mark.once
def test_looking_without_news_takes_at_most_30_percent_of_the_budget() -> None:
    rig = Rig(*(n / 1000 for n in range(10_000)))
    while isinstance(rig.schedule.next(10.0)[0], Page):
        rig.page(10.0)
    rig.schedule.relax(300, relaxed=True)
    reads, now = 0, 10.0
    while now < 310.0:
        look, delay = rig.schedule.next(now)
        if look is None:
            now += delay + 1e-6
        else:
            rig.page(now)
            reads += 1
            rig.schedule.relax(300, relaxed=True)
    assert 5 * 80 <= reads <= 5 * 90 + 1


def test_the_rest_outlasts_a_list_that_begins_anew() -> None:
    rig = swept(0.0, 1.0, 2.0)
    rig.schedule.relax(300, relaxed=True)
    rig.schedule.suspend_list(math.inf)
    assert rest(rig.schedule, 20.0) == pytest.approx(20.0)
