import math
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duvo_async._pacing import DEFAULT_LIMIT, WINDOW_SECONDS, Budget
from duvo_async._protocol import Window
from tests.support.properties import unhurried

LIMIT = 300


def spend(budget: Budget, now: float) -> int:
    """Send all that may be sent now, and let it end at once."""
    sent = 0
    while budget.acquire(now) == 0.0:
        budget.release()
        sent += 1
        assert sent <= 10_000
    return sent


def observed(limit: int, remaining: int, reset_in: float, now: float = 0.0) -> Budget:
    budget = Budget()
    budget.observe(Window(limit, remaining, reset_in), now)
    return budget


# --- before any response -------------------------------------------------------------------------


def test_the_documented_limit_is_assumed() -> None:
    assert (DEFAULT_LIMIT, WINDOW_SECONDS) == (300, 60)
    budget = Budget()
    assert spend(budget, 5.0) == 300
    assert budget.acquire(5.0) == 60.0
    assert budget.acquire(35.0) == 30.0


def test_a_window_begins_with_its_first_request() -> None:
    budget = Budget()
    assert budget.acquire(1_000.0) == 0.0
    budget.release()
    assert spend(budget, 1_059.0) == 299
    assert spend(budget, 1_060.0) == 300


def test_requests_count_when_they_are_sent_not_when_they_end() -> None:
    budget = Budget()
    assert [budget.acquire(0.0) for _ in range(300)] == [0.0] * 300
    for _ in range(300):
        budget.release()
    assert budget.acquire(0.0) > 0


# --- what responses say --------------------------------------------------------------------------


@pytest.mark.parametrize("remaining", [0, 1, 7, 300])
def test_the_first_response_is_believed(remaining: int) -> None:
    budget = observed(LIMIT, remaining, 20.0)
    assert spend(budget, 0.0) == remaining
    assert budget.acquire(0.0) == 20.0
    assert budget.acquire(19.0) == 1.0
    assert spend(budget, 20.0) == LIMIT


def test_the_limit_is_learned() -> None:
    budget = observed(1_000, 5, 10.0)
    assert spend(budget, 10.0) == 1_000
    budget.observe(Window(50, 0, 60.0), 10.0)
    assert spend(budget, 70.0) == 50


def test_what_is_under_way_is_kept_back() -> None:
    budget = Budget()
    for _ in range(10):
        assert budget.acquire(0.0) == 0.0
    budget.observe(Window(LIMIT, 100, 60.0), 0.5)
    assert spend(budget, 1.0) == 90


def test_in_one_window_the_lower_count_holds() -> None:
    budget = observed(LIMIT, 10, 30.0)
    budget.observe(Window(LIMIT, 200, 29.0), 1.0)  # an older response that comes later
    assert spend(budget, 1.0) == 10
    budget = observed(LIMIT, 200, 30.0)
    budget.observe(Window(LIMIT, 10, 29.0), 1.0)  # others use the key as well
    assert spend(budget, 1.0) == 10


def test_whole_seconds_do_not_make_a_new_window() -> None:
    budget = observed(LIMIT, 0, 30.0)
    for now, reset_in in ((0.4, 30.0), (0.9, 30.0), (1.6, 29.0)):
        budget.observe(Window(LIMIT, 300, reset_in), now)
        assert budget.acquire(now) > 0


def test_a_later_window_is_a_new_one() -> None:
    budget = observed(LIMIT, 0, 5.0)
    budget.observe(Window(LIMIT, 299, 60.0), 5.5)
    assert spend(budget, 5.5) == 299


def test_a_late_word_of_the_window_before_does_not_stop_the_new_one() -> None:
    budget = observed(LIMIT, 250, 60.0)
    budget.observe(Window(LIMIT, 0, 1.0), 0.1)
    assert spend(budget, 0.2) == 250


def test_a_response_that_was_slow_does_not_hide_the_ones_after_it() -> None:
    budget = observed(LIMIT, 200, 30.0, now=2.0)  # was two seconds under way
    budget.observe(Window(LIMIT, 0, 27.0), 3.0)
    assert budget.acquire(3.0) > 0


@pytest.mark.parametrize("reset_in", [120.0, 121.0, 3_600.0, 1e9, 1e12])
def test_an_absurd_reset_stops_nobody_for_more_than_two_windows(reset_in: float) -> None:
    budget = observed(LIMIT, 0, reset_in)
    assert budget.acquire(0.0) == 120.0
    assert budget.acquire(120.0) == 0.0


# --- pauses --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.5, 10.0, 60.0, 120.0])
def test_a_pause_lasts_as_long_as_it_was_asked_for(seconds: float) -> None:
    budget = Budget()
    assert budget.acquire(0.0) == 0.0
    budget.release()
    budget.pause(seconds, 1.0)
    assert budget.acquire(1.0) == seconds
    assert budget.acquire(1.0 + seconds) == 0.0


def test_a_pause_does_not_shorten_what_the_headers_said() -> None:
    budget = observed(LIMIT, 0, 30.0)
    budget.pause(5.0, 0.0)
    assert budget.acquire(5.0) == 25.0


def test_a_longer_pause_outlasts_the_window() -> None:
    budget = observed(LIMIT, 300, 5.0)
    budget.pause(30.0, 0.0)
    assert budget.acquire(5.0) == 25.0
    assert budget.acquire(30.0) == 0.0


def test_the_longest_of_several_pauses_holds() -> None:
    budget = Budget()
    budget.pause(30.0, 0.0)
    budget.pause(5.0, 1.0)
    assert budget.acquire(6.5) > 0
    assert budget.acquire(30.0) == 0.0


@pytest.mark.parametrize("reset_in", [0.0, 1.0, 20.0, 30.0, 31.0, 60.0])
@pytest.mark.parametrize("known", [False, True])
def test_a_response_that_was_under_way_does_not_end_a_pause(
    reset_in: float, *, known: bool
) -> None:
    budget = observed(LIMIT, 260, reset_in) if known else Budget()
    assert budget.acquire(0.0) == 0.0
    assert budget.acquire(0.0) == 0.0
    budget.release()
    budget.pause(30.0, 0.0)
    budget.observe(Window(LIMIT, 250, reset_in), 0.0)
    budget.release()
    assert budget.acquire(29.0) > 0


# --- whatever happens ----------------------------------------------------------------------------

windows = st.builds(
    lambda limit, used, reset_in: Window(limit, max(0, limit - used), reset_in),
    st.integers(1, 20),
    st.integers(0, 20),
    st.floats(0, 1e12),
)
Step: TypeAlias = tuple[str, float, Window, int]
steps: st.SearchStrategy[Step] = st.tuples(
    st.sampled_from(["acquire", "acquire", "release", "observe"]),
    st.floats(0, 70) | st.just(0.0),
    windows,
    st.integers(1, 30),
)


class Driver:
    """Takes steps with a budget, as a session would: nothing ends that was not sent."""

    def __init__(self) -> None:
        self.budget = Budget()
        self.now = 0.0
        self.in_flight = 0
        self.granted = 0
        self.limit = DEFAULT_LIMIT

    def take(self, step: Step) -> None:
        what, seconds, window, times = step
        self.now += seconds
        if what == "observe":
            self.observe(window)
        for _ in range(times):
            if what == "acquire":
                self.acquire()
            elif what == "release":
                self.release()

    def acquire(self) -> float:
        delay = self.budget.acquire(self.now)
        assert delay >= 0
        if delay == 0:
            self.in_flight += 1
            self.granted += 1
        return delay

    def release(self) -> None:
        if self.in_flight:
            self.budget.release()
            self.in_flight -= 1

    def observe(self, window: Window) -> None:
        self.budget.observe(window, self.now)
        self.limit = window.limit


@unhurried
@given(st.lists(steps, max_size=40))
def test_nobody_waits_for_more_than_two_windows(taken: list[Step]) -> None:
    driver = Driver()
    for step in taken:
        driver.take(step)
        assert driver.acquire() <= 2 * WINDOW_SECONDS + 1e-6


@unhurried
@given(st.lists(steps, max_size=40))
def test_who_waits_as_told_may_send(taken: list[Step]) -> None:
    driver = Driver()
    for step in taken:
        driver.take(step)
    while driver.in_flight:
        driver.release()
    delays = []
    for _ in range(3):  # a rounding error may leave a rest, which is then exact
        delays.append(driver.acquire())
        driver.now += delays[-1]
    assert 0.0 in delays


@unhurried
@given(st.lists(steps, max_size=40))
def test_after_the_reset_it_opens_for_the_limit_less_what_is_under_way(taken: list[Step]) -> None:
    driver = Driver()
    for step in taken:
        driver.take(step)
    driver.now += 2 * WINDOW_SECONDS
    under_way, before = driver.in_flight, driver.granted
    while driver.acquire() == 0:
        pass
    assert driver.granted - before == max(0, driver.limit - under_way)


told = st.tuples(
    st.sampled_from(["acquire", "acquire", "release", "observe"]),
    st.floats(0, 10) | st.just(0.0),
    st.integers(0, 20),
    st.integers(1, 30),
)


def reset_of(now: float) -> float:
    """The end of the window of a server whose windows begin with each minute."""
    return (math.floor(now / WINDOW_SECONDS) + 1) * WINDOW_SECONDS


@unhurried
@given(steps=st.lists(told, max_size=60), start=st.floats(0, 60))
def test_no_more_than_what_remains_is_sent_until_the_next_response(
    steps: list[tuple[str, float, int, int]], start: float
) -> None:
    driver = Driver()
    driver.now = start
    reset_at = remaining = None
    granted = 0
    for what, seconds, number, times in steps:
        if what == "observe":
            driver.now += seconds
            reset_at, remaining, granted = reset_of(driver.now), number, driver.granted
            driver.observe(Window(20, number, math.ceil(reset_at - driver.now)))
        else:
            driver.take((what, seconds, Window(1, 1, 1), times))
        if reset_at is not None and driver.now < reset_at:
            assert remaining is not None
            assert driver.granted - granted <= remaining


@unhurried
@given(taken=st.lists(steps.filter(lambda step: step[0] != "observe"), max_size=60))
def test_without_any_response_the_documented_limit_holds_in_each_window(taken: list[Step]) -> None:
    driver = Driver()
    grants: list[float] = []
    for step in taken:
        before = driver.granted
        driver.take(step)
        grants += [driver.now] * (driver.granted - before)
    begun: float | None = None
    counted = 0
    for moment in grants:
        if begun is None or moment >= begun + WINDOW_SECONDS:
            begun, counted = moment, 0
        counted += 1
        assert counted <= DEFAULT_LIMIT
