import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from heapq import heappop, heappush
from itertools import count, cycle
from math import inf
from random import Random
from typing import TypeAlias

import pytest
from attrs import define, field
from hypothesis import assume, given
from hypothesis import strategies as st

from duvo_async._pacing import DEFAULT_LIMIT, RESERVE, WINDOW_SECONDS, Budget, Lane
from duvo_async._protocol import Window
from tests.support.properties import unhurried

LIMIT = 300
CALL, START, POLL = Lane


def spend(budget: Budget, now: float, lane: Lane = CALL, *, starts_wait: bool = False) -> int:
    """Send all that may be sent now, and let it end at once."""
    sent = 0
    while budget.acquire(lane, now, starts_wait=starts_wait, hurried=True) == 0.0:
        budget.release(budget.number)
        sent += 1
        assert sent <= 10_000
    return sent


def room(budget: Budget, now: float, lane: Lane = CALL) -> int:
    """Count what could be sent now."""
    return spend(deepcopy(budget), now, lane)


def observed(
    limit: int, remaining: int, reset_in: float, now: float = 0.0, *, processes: int = 1
) -> Budget:
    budget = Budget(processes=processes)
    budget.observe(Window(limit, remaining, reset_in), now, 0)
    return budget


def sent(requests: int, now: float = 0.0) -> Budget:
    budget = Budget()
    assert [budget.acquire(CALL, now) for _ in range(requests)] == [0.0] * requests
    return budget


# --- before any response -------------------------------------------------------------------------


def test_the_documented_limit_is_assumed() -> None:
    assert (DEFAULT_LIMIT, WINDOW_SECONDS) == (300, 60)
    budget = Budget()
    assert budget.limit == 300
    assert spend(budget, 5.0) == 300
    assert budget.acquire(CALL, 5.0) == 60.0
    assert budget.acquire(CALL, 35.0) == 30.0


def test_a_window_begins_with_its_first_request() -> None:
    budget = Budget()
    assert budget.acquire(CALL, 1_000.0) == 0.0
    budget.release(1)
    assert spend(budget, 1_059.0) == 299
    assert spend(budget, 1_060.0) == 300


@pytest.mark.parametrize(
    ("remaining", "left", "plenty"),
    [
        (300, 60.0, True),
        (180, 60.0, True),  # a tenth is not for polls
        (179, 60.0, False),
        (105, 30.0, True),
        (104, 30.0, False),
        (31, 0.1, True),
        (29, 1.0, False),
    ],
)
def test_polls_need_not_be_spread_while_there_is_half_of_what_the_rest_of_a_window_has(
    remaining: int,
    left: float,
    plenty: bool,  # noqa: FBT001 - drawn from the table
) -> None:
    assert observed(300, remaining, left).plenty(0.0) is plenty
    assert Budget().plenty(0.0)
    assert observed(300, 0, 10.0).plenty(10.0) is False
    assert observed(300, 0, 10.0).plenty(71.0)


def test_requests_count_when_they_are_sent_not_when_they_end() -> None:
    budget = sent(300)
    for number in range(1, 301):
        budget.release(number)
    assert budget.acquire(CALL, 0.0) > 0


def test_what_ends_in_a_later_window_counts_there_as_well() -> None:
    budget = sent(10)
    assert room(budget, 60.0) == 290


@pytest.mark.parametrize("lane", Lane)
def test_requests_are_numbered_from_one(lane: Lane) -> None:
    budget = Budget()
    for number in (1, 2, 3):
        assert budget.acquire(lane, 0.0, hurried=True) == 0.0
        assert budget.number == number
    assert spend(budget, 0.0) == 297
    assert budget.acquire(lane, 0.0) > 0
    assert budget.number == 300  # who must wait has no number


# --- what responses say --------------------------------------------------------------------------


@pytest.mark.parametrize("remaining", [0, 1, 7, 300])
def test_the_first_response_is_believed(remaining: int) -> None:
    budget = observed(LIMIT, remaining, 20.0)
    assert spend(budget, 0.0) == remaining
    assert budget.acquire(CALL, 0.0) == 20.0
    assert budget.acquire(CALL, 19.0) == 1.0
    assert spend(budget, 20.0) == LIMIT


def test_the_limit_is_learned() -> None:
    budget = observed(1_000, 5, 10.0)
    assert budget.limit == 1_000
    assert spend(budget, 10.0) == 1_000
    budget.observe(Window(50, 0, 60.0), 10.0, budget.number)
    assert spend(budget, 70.0) == 50


@pytest.mark.parametrize("number", [1, 9, 10])
@pytest.mark.parametrize(("remaining", "left"), [(100, 91), (9, 0), (10, 1), (0, 0), (299, 290)])
def test_what_has_not_told_may_not_be_in_a_response(number: int, remaining: int, left: int) -> None:
    budget = sent(10)
    budget.observe(Window(LIMIT, remaining, 60.0), 0.5, number)
    assert room(budget, 1.0) == left
    budget.release(number)
    assert spend(budget, 1.0) == left


@pytest.mark.parametrize("ended", [1, 5, 9])
def test_nor_may_what_has_ended_without_telling(ended: int) -> None:
    budget = sent(10)
    budget.observe(Window(LIMIT, 100, 60.0), 0.5, 10)
    for number in range(1, ended + 1):
        budget.release(number)
    assert spend(budget, 1.0) == 91


@pytest.mark.parametrize("told", [False, True])
def test_what_ended_without_telling_is_forgotten_with_its_window(*, told: bool) -> None:
    budget = sent(10)
    budget.observe(Window(LIMIT, 100, 1.0), 0.5, 10)
    for number in range(1, 11):
        budget.release(number)
    if told:
        budget.observe(Window(LIMIT, 200, 60.0), 1.5, 0)
    assert spend(budget, 1.5) == (200 if told else LIMIT)


def test_a_slow_response_takes_nothing_off_twice() -> None:
    budget = observed(LIMIT, LIMIT, 60.0)
    for _ in range(32):
        assert budget.acquire(CALL, 0.0) == 0.0
    # the first reaches the server last
    for place, number in enumerate([*range(2, 33), 1], 1):
        budget.observe(Window(LIMIT, LIMIT - place, 60.0), 0.1, number)
        budget.release(number)
    assert spend(budget, 0.2) == 268


def test_the_same_holds_for_the_first_response_of_a_window() -> None:
    budget = observed(LIMIT, 200, 5.0)
    for _ in range(10):
        assert budget.acquire(CALL, 4.9) == 0.0
    budget.observe(Window(LIMIT, 299, 60.0), 5.5, 1)
    assert spend(budget, 5.5) == 290


@pytest.mark.parametrize("known", [False, True])
def test_a_request_that_was_overtaken_still_counts(*, known: bool) -> None:
    budget = observed(LIMIT, LIMIT, 1.0) if known else Budget()
    assert [budget.acquire(CALL, 0.9) for _ in range(2)] == [0.0, 0.0]
    budget.observe(Window(LIMIT, 299, 60.0), 1.0, 2)  # the server has seen the second only
    budget.release(2)
    assert spend(budget, 1.0) == 298


def test_what_ended_in_the_window_before_does_not_count_in_a_new_one() -> None:
    budget = observed(LIMIT, LIMIT, 1.0)
    assert [budget.acquire(CALL, 0.5) for _ in range(4)] == [0.0] * 4
    for number in (1, 3):
        budget.observe(Window(LIMIT, 300 - number, 1.0), 0.6, number)
        budget.release(number)
    budget.observe(Window(LIMIT, 299, 60.0), 1.0, 4)
    budget.release(4)
    assert spend(budget, 1.0) == 298  # the second may yet arrive


def test_in_one_window_the_lower_count_holds() -> None:
    budget = observed(LIMIT, 10, 30.0)
    budget.observe(Window(LIMIT, 200, 29.0), 1.0, 0)  # an older response that comes later
    assert spend(budget, 1.0) == 10
    budget = observed(LIMIT, 200, 30.0)
    budget.observe(Window(LIMIT, 10, 29.0), 1.0, 0)  # others use the key as well
    assert spend(budget, 1.0) == 10


@pytest.mark.parametrize("numbers", [(1, 2, 3), (3, 2, 1), (2, 3, 1), (3, 1, 2)])
def test_responses_may_come_in_any_order(numbers: tuple[int, ...]) -> None:
    budget = observed(LIMIT, 300, 60.0)
    for _ in numbers:
        assert budget.acquire(CALL, 0.0) == 0.0
    for heard, number in enumerate(numbers, 1):
        budget.observe(Window(LIMIT, 300 - number, 60.0), 0.5, number)
        assert room(budget, 0.5) == 300 - max(numbers[:heard]) - (3 - heard)
    assert spend(budget, 0.5) == 297


def test_whole_seconds_do_not_make_a_new_window() -> None:
    budget = observed(LIMIT, 0, 30.0)
    for now, reset_in in ((0.4, 30.0), (0.9, 30.0), (1.6, 29.0)):
        budget.observe(Window(LIMIT, 300, reset_in), now, 0)
        assert budget.acquire(CALL, now) > 0


def test_a_later_window_is_a_new_one() -> None:
    budget = observed(LIMIT, 0, 5.0)
    budget.observe(Window(LIMIT, 299, 60.0), 5.5, 0)
    assert spend(budget, 5.5) == 299


def test_a_late_word_of_the_window_before_does_not_stop_the_new_one() -> None:
    budget = observed(LIMIT, 250, 60.0)
    budget.observe(Window(LIMIT, 0, 1.0), 0.1, 0)
    assert spend(budget, 0.2) == 250


def test_a_response_that_was_slow_does_not_hide_the_ones_after_it() -> None:
    budget = observed(LIMIT, 200, 30.0, now=2.0)  # was two seconds under way
    budget.observe(Window(LIMIT, 0, 27.0), 3.0, 0)
    assert budget.acquire(CALL, 3.0) > 0


def test_the_fastest_response_knows_best_when_the_window_ends() -> None:
    budget = observed(LIMIT, 0, 30.0, now=9.0)
    assert budget.acquire(CALL, 9.0) == 30.0
    budget.observe(Window(LIMIT, 0, 28.0), 9.0, 0)
    assert budget.acquire(CALL, 9.0) == 29.0  # whole seconds: it may have been as late as that
    budget.observe(Window(LIMIT, 0, 29.0), 9.5, 0)
    assert budget.acquire(CALL, 9.5) == 29.0


@pytest.mark.parametrize("reset_in", [120.0, 121.0, 3_600.0, 1e9, 1e12])
def test_an_absurd_reset_stops_nobody_for_more_than_two_windows(reset_in: float) -> None:
    budget = observed(LIMIT, 0, reset_in)
    assert budget.acquire(CALL, 0.0) == 120.0
    assert budget.acquire(CALL, 120.0) == 0.0


# --- lanes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("lane", [START, POLL])
@pytest.mark.parametrize(
    ("limit", "remaining", "left"),
    [(300, 300, 270), (300, 31, 1), (300, 30, 0), (300, 0, 0), (20, 20, 18), (2, 2, 2)],
)
def test_only_a_call_may_spend_the_last_tenth(
    lane: Lane, limit: int, remaining: int, left: int
) -> None:
    assert RESERVE == 0.1
    budget = observed(limit, remaining, 20.0)
    assert spend(budget, 0.0, lane) == left
    assert budget.acquire(lane, 5.0, hurried=True) == 15.0
    assert spend(budget, 5.0) == remaining - left


def test_the_reserve_is_the_budgets_own() -> None:
    budget = Budget(reserve=0.5)
    assert spend(budget, 0.0, START) == 150
    assert spend(budget, 0.0) == 150


def test_the_lanes_are_in_the_order_in_which_they_go() -> None:
    assert list(Lane) == sorted(Lane) == [CALL, START, POLL]


@pytest.mark.parametrize(
    ("share", "polls"), [(0.25, 75), (0.1, 30), (1 / 300, 1), (0.001, 1), (0.0, 0), (0.9, 270)]
)
def test_while_starts_wait_polls_have_their_share_and_no_more(share: float, polls: int) -> None:
    budget = Budget(share=share)
    assert spend(budget, 0.0, START) == 270 - polls
    assert spend(budget, 0.0, POLL, starts_wait=True) == polls
    assert budget.acquire(POLL, 20.0, starts_wait=True, hurried=True) == 40.0
    assert spend(budget, 20.0, START) == 0
    assert spend(budget, 20.0) == 30


def test_the_share_that_polls_have_had_is_kept_from_nobody() -> None:
    budget = Budget(share=0.25)
    assert spend(budget, 0.0, POLL, starts_wait=True) == 75
    assert spend(budget, 0.0, START) == 195


def test_where_no_starts_wait_polls_may_have_it_all() -> None:
    budget = Budget(share=0.1)
    assert spend(budget, 0.0, POLL) == 270
    assert spend(budget, 0.0, START) == 0


def test_calls_do_not_care_about_the_share() -> None:
    assert spend(Budget(share=0.25), 0.0) == 300


def test_the_share_is_one_of_what_is_left() -> None:
    budget = observed(LIMIT, 40, 60.0)
    budget.share = 0.25
    assert spend(budget, 0.0, START) == 0
    assert spend(budget, 0.0, POLL, starts_wait=True) == 10


@pytest.mark.parametrize("told", [False, True])
def test_each_window_has_its_share(*, told: bool) -> None:
    budget = Budget(share=0.1)
    assert spend(budget, 0.0, POLL, starts_wait=True) == 30
    if told:
        budget.observe(Window(LIMIT, 270, 1.0), 0.0, budget.number)
        budget.observe(Window(LIMIT, 300, 60.0), 1.0, budget.number)
    assert spend(budget, 1.0 if told else 60.0, POLL, starts_wait=True) == 30


# --- polls are spread ----------------------------------------------------------------------------


def polled(budget: Budget, now: float, times: int) -> list[float]:
    """Poll as soon as that is allowed."""
    moments: list[float] = []
    while len(moments) < times:
        if (delay := budget.acquire(POLL, now)) == 0:
            budget.release(budget.number)
            moments.append(now)
        now += delay
    return moments


def test_polls_are_spread_evenly_over_the_window() -> None:
    wanted = [number * 60 / 270 for number in range(270)]
    budget = Budget()
    assert polled(budget, 100.0, 271) == pytest.approx([100 + each for each in (*wanted, 60.0)])


@pytest.mark.parametrize(
    ("remaining", "reset_in", "apart"),
    [(300, 60.0, 60 / 270), (130, 60.0, 0.6), (40, 60.0, 6.0), (31, 60.0, 60.0), (130, 5.0, 0.05)],
)
def test_polls_are_spread_over_what_is_left(remaining: int, reset_in: float, apart: float) -> None:
    budget = observed(LIMIT, remaining, reset_in)
    assert budget.acquire(POLL, 0.0) == 0.0
    assert budget.acquire(POLL, 0.0) == pytest.approx(apart)


def test_what_others_spend_makes_polls_rarer() -> None:
    budget = Budget()
    assert polled(budget, 0.0, 2) == pytest.approx([0.0, 60 / 270])
    for _ in range(208):
        assert budget.acquire(START, 0.3) == 0.0
    assert polled(budget, 30.0, 2) == pytest.approx([30.0, 30.5])


def test_the_share_is_spread_as_well() -> None:
    budget = Budget(share=0.1)
    assert budget.acquire(POLL, 0.0, starts_wait=True) == 0.0
    assert budget.acquire(POLL, 0.0, starts_wait=True) == pytest.approx(60 / 30)


def test_the_hurried_do_not_wait_but_make_others_wait() -> None:
    budget = Budget()
    assert budget.acquire(POLL, 0.0, hurried=True) == 0.0
    assert budget.acquire(POLL, 0.0) > 0
    assert budget.acquire(POLL, 0.0, hurried=True) == 0.0
    assert spend(budget, 0.0, POLL) == 268


@pytest.mark.parametrize("lane", [CALL, START])
def test_only_polls_are_spread(lane: Lane) -> None:
    budget = Budget()
    assert budget.acquire(POLL, 0.0) == 0.0
    assert [budget.acquire(lane, 0.0) for _ in range(10)] == [0.0] * 10


def test_the_first_poll_of_a_window_goes_at_once() -> None:
    budget = observed(LIMIT, 31, 60.0)
    assert budget.acquire(POLL, 59.9) == 0.0
    assert budget.acquire(POLL, 60.0) == 0.0


@pytest.mark.parametrize("processes", [2, 4, 8])
def test_several_processes_share_the_spread(processes: int) -> None:
    budget = observed(LIMIT, LIMIT, 60.0, processes=processes)
    left = 270 - 2 * processes
    assert budget.acquire(POLL, 0.0) == 0.0
    assert budget.acquire(POLL, 0.0) == pytest.approx(60 * processes / left)


@pytest.mark.parametrize("processes", [2, 4, 8])
def test_each_spreads_the_whole_part_that_it_has_until_a_response_tells(processes: int) -> None:
    budget = Budget(processes=processes)
    part = LIMIT // processes
    polls = part - int(0.1 * part)
    assert polled(budget, 0.0, 3) == pytest.approx([0.0, 60 / polls, 120 / polls])
    assert len(polled(budget, 60.0, polls)) == polls
    assert budget.acquire(POLL, 120.0 - 1e-6) > 0


# --- a limit of one's own ------------------------------------------------------------------------


def test_a_lower_limit_of_ones_own_holds() -> None:
    budget = Budget(requests_per_minute=100)
    assert budget.limit == 100
    assert room(budget, 0.0) == 100
    assert room(budget, 0.0, START) == room(budget, 0.0, POLL) == 90
    assert budget.acquire(CALL, 0.0) == 0.0
    budget.observe(Window(LIMIT, 299, 60.0), 0.0, 1)
    budget.release(1)
    assert budget.limit == 100
    assert spend(budget, 0.0) == 99
    assert budget.acquire(CALL, 20.0) == 40.0
    assert spend(budget, 60.0) == 100


def test_in_a_window_that_a_response_began_it_holds_as_well() -> None:
    budget = Budget(requests_per_minute=100)
    for _ in range(5):
        assert budget.acquire(CALL, 0.0) == 0.0
    budget.observe(Window(LIMIT, 200, 1.0), 0.0, 2)
    assert room(budget, 0.9) == 95
    budget.release(1)
    budget.release(2)
    budget.observe(Window(LIMIT, 299, 60.0), 1.0, 3)
    assert spend(budget, 1.0) == 97  # the third was the first in it


def test_less_than_ones_own_limit_may_be_left() -> None:
    budget = Budget(requests_per_minute=100)
    budget.observe(Window(LIMIT, 7, 60.0), 0.0, 0)
    assert spend(budget, 0.0) == 7


def test_a_higher_limit_of_ones_own_is_believed_until_a_response_tells() -> None:
    budget = Budget(requests_per_minute=1_000)
    assert room(budget, 0.0) == 1_000
    assert room(budget, 0.0, START) == 900
    assert budget.acquire(CALL, 0.0) == 0.0
    budget.observe(Window(LIMIT, 299, 60.0), 0.0, 1)
    assert spend(budget, 0.0) == 299


def test_once_a_response_has_told_the_smaller_limit_holds_in_each_window() -> None:
    budget = Budget(requests_per_minute=1_000)
    assert budget.acquire(CALL, 0.0) == 0.0
    budget.observe(Window(LIMIT, 299, 60.0), 0.0, 1)
    budget.release(1)
    assert budget.limit == LIMIT
    assert spend(budget, 60.0) == LIMIT
    budget.observe(Window(2_000, 2_000, 60.0), 120.0, 0)
    assert budget.limit == 1_000
    assert spend(budget, 180.0) == 1_000


def test_the_reserve_is_one_of_the_smaller_limit() -> None:
    budget = Budget(requests_per_minute=5_000)
    budget.observe(Window(LIMIT, LIMIT, 60.0), 0.0, 0)
    assert spend(budget, 0.0, START) == 270
    assert spend(budget, 0.0) == 30


def test_the_share_is_one_of_ones_own_limit() -> None:
    budget = Budget(requests_per_minute=100, share=0.25)
    assert spend(budget, 0.0, POLL, starts_wait=True) == 25
    assert spend(budget, 0.0, START) == 65


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize(("processes", "untold"), [(1, 20), (10, 20), (30, 10)])
def test_it_is_this_processs_own(processes: int, untold: int, *, told: bool) -> None:
    budget = Budget(requests_per_minute=20, processes=processes)
    if told:
        budget.observe(Window(LIMIT, LIMIT, 60.0), 0.0, 0)
    assert spend(budget, 0.0) == (20 if told else untold)


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("requests_per_minute", [1, 2])
def test_starts_get_something_of_the_smallest(requests_per_minute: int, *, told: bool) -> None:
    budget = Budget(requests_per_minute, processes=2, share=0.1)
    for now in (0.0, 60.0, 120.0):
        if told:
            budget.observe(Window(LIMIT, LIMIT, 60.0), now, 0)
        assert spend(budget, now, START) == requests_per_minute


def test_a_limit_that_comes_later_counts_what_was_sent() -> None:
    budget = Budget()
    assert spend(budget, 0.0, START) == 270
    budget.requests_per_minute = 280
    assert room(budget, 0.0) == 10
    budget.requests_per_minute = 100
    assert budget.acquire(CALL, 1.0) == 59.0
    budget.requests_per_minute = None
    assert spend(budget, 1.0) == 30


# --- several processes ---------------------------------------------------------------------------


@pytest.mark.parametrize("lane", Lane)
def test_of_several_processes_each_has_two_requests_under_way(lane: Lane) -> None:
    budget = Budget(processes=2)
    assert [budget.acquire(lane, 0.0, hurried=True) for _ in range(3)] == [0.0, 0.0, 60.0]
    budget.release(2)
    assert [budget.acquire(lane, 0.0, hurried=True) for _ in range(2)] == [0.0, 60.0]
    budget.processes = 1
    assert budget.acquire(lane, 0.0, hurried=True) == 0.0


def test_a_process_alone_has_any_number_under_way() -> None:
    assert sent(300).acquire(CALL, 0.0) == 60.0


@pytest.mark.parametrize(("processes", "part"), [(1, 300), (2, 150), (4, 75), (7, 42), (100, 3)])
def test_until_a_response_tells_each_has_its_part(processes: int, part: int) -> None:
    budget = Budget(processes=processes)
    assert spend(budget, 0.0) == part
    assert budget.acquire(CALL, 10.0) == 50.0
    assert spend(budget, 60.0) == part


def test_what_is_under_way_is_of_that_part() -> None:
    budget = Budget(processes=100)
    assert budget.acquire(CALL, 0.0) == 0.0
    assert spend(budget, 60.0) == 2


@pytest.mark.parametrize("processes", [2, 4, 10])
@pytest.mark.parametrize("remaining", [0, 3, 4, 5, 8, 9, 20, 21, 100, 300])
def test_two_requests_for_each_are_left_alone(processes: int, remaining: int) -> None:
    budget = observed(LIMIT, remaining, 20.0, processes=processes)
    assert spend(budget, 0.0) == max(0, remaining - 2 * processes)
    assert budget.acquire(CALL, 5.0) == 15.0


def test_in_the_next_window_nobody_has_told_yet() -> None:
    budget = observed(LIMIT, 300, 20.0, processes=4)
    assert spend(budget, 0.0) == 292
    assert room(budget, 20.0) == 75
    assert budget.acquire(CALL, 20.0) == 0.0
    budget.observe(Window(LIMIT, 250, 60.0), 20.0, budget.number)
    budget.release(budget.number)
    assert spend(budget, 20.0) == 242


def test_the_margin_comes_before_the_reserve() -> None:
    budget = observed(LIMIT, LIMIT, 60.0, processes=4)
    assert spend(budget, 0.0, POLL) == 262
    assert spend(budget, 0.0) == 30


@pytest.mark.parametrize(("processes", "once_more"), [(1, 0), (2, 4), (37, 74), (38, 0)])
def test_starts_leave_the_margin_once_more_if_that_will_do(processes: int, once_more: int) -> None:
    budget = observed(LIMIT, LIMIT, 60.0, processes=processes)
    budget.share = 0.1
    starts = spend(budget, 0.0, START)
    left = spend(budget, 0.0, POLL)
    assert left == 30 + once_more
    assert starts + left + 30 == LIMIT - (2 * processes if processes > 1 else 0)


def test_a_request_that_never_ends_is_forgotten_with_the_first_window_after_five() -> None:
    budget = Budget(processes=2)
    assert [budget.acquire(CALL, 30.0) for _ in range(3)] == [0.0, 0.0, 60.0]
    for now in (91.0, 151.0, 211.0, 271.0):
        assert budget.acquire(CALL, now) == 60.0  # a window opens
    assert budget.acquire(CALL, 330.0) == 1.0
    assert budget.acquire(CALL, 331.0) == 0.0
    assert spend(budget, 331.0) == 149


def test_so_it_is_where_responses_tell_of_each_window_before_it_opens() -> None:
    budget = Budget()
    assert budget.acquire(CALL, 0.0) == 0.0  # never ends
    for now in range(1, 422):
        assert budget.acquire(CALL, float(now)) == 0.0
        ends = (now + 0.5) // 60 * 60 + 60
        budget.observe(Window(LIMIT, 299 - now % 60, ends - now), now + 0.5, budget.number)
        budget.release(budget.number)
        if now in {299, 421}:
            assert room(budget, now + 0.5) == 299 - now % 60 - (now < 300)


def test_what_ends_after_it_was_forgotten_changes_nothing() -> None:
    budget = sent(10)
    assert room(budget, 301.0) == 300
    assert budget.acquire(CALL, 301.0) == 0.0
    for number in range(1, 11):
        budget.release(number)
        budget.refund(number)
    assert room(budget, 301.0) == 299
    budget.observe(Window(LIMIT, 200, 60.0), 302.0, 5)
    assert room(budget, 302.0) == 199


def test_after_a_fork_nothing_is_under_way() -> None:
    budget = Budget(processes=2)
    assert [budget.acquire(CALL, 0.0) for _ in range(3)] == [0.0, 0.0, 60.0]
    budget.forget_under_way()
    assert spend(budget, 0.0) == 148  # though it was spent


# --- what was not sent ---------------------------------------------------------------------------


@pytest.mark.parametrize("lane", Lane)
@pytest.mark.parametrize("budget", [Budget(), Budget(requests_per_minute=100), Budget(share=0.1)])
def test_what_was_not_sent_costs_nothing(lane: Lane, budget: Budget) -> None:
    budget = deepcopy(budget)
    before = {each: room(budget, 0.0, each) for each in Lane}
    for _ in range(400):
        assert budget.acquire(lane, 0.0) == 0.0
        budget.refund(budget.number)
    assert {each: room(budget, 0.0, each) for each in Lane} == before
    assert spend(budget, 60.0) == before[CALL]


def test_what_was_not_sent_is_not_under_way() -> None:
    budget = Budget(processes=2)
    assert [budget.acquire(CALL, 0.0) for _ in range(3)] == [0.0, 0.0, 60.0]
    budget.refund(1)
    assert [budget.acquire(CALL, 0.0) for _ in range(2)] == [0.0, 60.0]


def test_a_poll_that_was_not_sent_leaves_its_share() -> None:
    budget = Budget(share=0.1)
    assert spend(budget, 0.0, POLL, starts_wait=True) == 30
    budget = Budget(share=0.1)
    for _ in range(30):
        assert budget.acquire(POLL, 0.0, starts_wait=True, hurried=True) == 0.0
    assert budget.acquire(POLL, 0.0, starts_wait=True, hurried=True) == 60.0
    budget.refund(7)
    assert spend(budget, 0.0, POLL, starts_wait=True) == 1


def test_a_call_that_was_not_sent_hurries_no_poll() -> None:
    budget = Budget()
    assert budget.acquire(POLL, 0.0) == 0.0
    assert budget.acquire(CALL, 0.0) == 0.0
    budget.refund(2)
    assert budget.acquire(POLL, 0.0) > 0


def test_a_turn_that_is_given_back_after_a_response_counts_once() -> None:
    budget = sent(2)
    budget.observe(Window(LIMIT, 299, 60.0), 1.0, 2)
    budget.release(2)
    budget.refund(1)
    assert spend(budget, 1.0) == 299


def test_what_was_sent_before_a_turn_was_given_back_still_counts() -> None:
    budget = sent(3)
    budget.refund(1)
    budget.observe(Window(LIMIT, 199, 60.0), 0.1, 2)  # others had 100; the third is not in it
    budget.release(2)
    budget.release(3)
    assert spend(budget, 0.2) == 198


def test_a_turn_that_is_given_back_adds_nothing_to_what_a_later_request_was_told() -> None:
    budget = sent(2)
    budget.observe(Window(LIMIT, 199, 60.0), 0.1, 2)  # others had 100
    budget.release(2)
    budget.refund(1)
    assert spend(budget, 0.2) == 199


@pytest.mark.parametrize("times", [1, 300])
def test_what_was_given_back_was_not_sent_after_a_request(times: int) -> None:
    budget = Budget()
    assert budget.acquire(CALL, 0.0) == 0.0
    for _ in range(times):
        assert budget.acquire(POLL, 0.0) == 0.0
        budget.refund(budget.number)
    budget.observe(Window(LIMIT, 299, 60.0), 1.0, 1)
    budget.release(1)
    assert spend(budget, 1.0) == 299


@pytest.mark.parametrize("lane", Lane)
def test_what_has_ended_is_not_given_back(lane: Lane) -> None:
    budget = Budget()
    for number in (1, 2):
        assert budget.acquire(lane, 0.0, hurried=True) == 0.0
        budget.release(number)
        budget.refund(number)
    budget.refund(99)
    assert spend(budget, 0.0) == 298


def test_a_poll_of_the_window_before_that_is_given_back_is_none_of_this_ones() -> None:
    budget = Budget(share=0.1)
    assert budget.acquire(POLL, 59.0) == 0.0
    assert budget.acquire(CALL, 119.0) == 0.0
    budget.refund(1)
    assert spend(budget, 119.0, POLL, starts_wait=True) == 30


def test_nor_where_this_one_has_had_polls() -> None:
    budget = Budget(share=0.1)
    assert budget.acquire(POLL, 59.0) == 0.0
    assert budget.acquire(POLL, 119.0, starts_wait=True, hurried=True) == 0.0
    budget.refund(1)
    assert spend(budget, 119.0, POLL, starts_wait=True) == 29


# --- pauses --------------------------------------------------------------------------------------


@pytest.mark.parametrize("lane", Lane)
@pytest.mark.parametrize("seconds", [0.5, 10.0, 60.0, 120.0])
def test_a_pause_lasts_as_long_as_it_was_asked_for(seconds: float, lane: Lane) -> None:
    budget = Budget()
    assert budget.acquire(CALL, 0.0) == 0.0
    budget.release(1)
    budget.pause(seconds, 1.0)
    assert budget.acquire(lane, 1.0, hurried=True) == seconds
    assert budget.acquire(lane, 1.0 + seconds, hurried=True) == 0.0


def test_a_pause_does_not_shorten_what_the_headers_said() -> None:
    budget = observed(LIMIT, 0, 30.0)
    budget.pause(5.0, 0.0)
    assert budget.acquire(CALL, 5.0) == 25.0


def test_a_longer_pause_outlasts_the_window() -> None:
    budget = observed(LIMIT, 300, 5.0)
    budget.pause(30.0, 0.0)
    assert budget.acquire(CALL, 5.0) == 25.0
    assert budget.acquire(CALL, 30.0) == 0.0


def test_the_longest_of_several_pauses_holds() -> None:
    budget = Budget()
    budget.pause(30.0, 0.0)
    budget.pause(5.0, 1.0)
    assert budget.acquire(CALL, 6.5) > 0
    assert budget.acquire(CALL, 30.0) == 0.0


@pytest.mark.parametrize("reset_in", [0.0, 1.0, 20.0, 30.0, 31.0, 60.0])
@pytest.mark.parametrize("known", [False, True])
def test_a_response_that_was_under_way_does_not_end_a_pause(
    reset_in: float, *, known: bool
) -> None:
    budget = observed(LIMIT, 260, reset_in) if known else Budget()
    assert budget.acquire(CALL, 0.0) == 0.0
    assert budget.acquire(CALL, 0.0) == 0.0
    budget.release(2)
    budget.pause(30.0, 0.0)
    budget.observe(Window(LIMIT, 250, reset_in), 0.0, 1)
    budget.release(1)
    assert budget.acquire(CALL, 29.0) > 0


# --- a clock that is set back --------------------------------------------------------------------


@pytest.mark.parametrize("now", [0.0, 500.0, 939.0])
def test_a_clock_that_is_set_back_begins_a_new_window(now: float) -> None:
    budget = Budget()
    assert spend(budget, 1_000.0) == 300
    assert spend(budget, now) == 300
    assert budget.acquire(CALL, now) == 60.0


@pytest.mark.parametrize("now", [941.0, 999.0])
def test_set_back_a_little_it_stops_nobody_for_more_than_two_windows(now: float) -> None:
    budget = Budget()
    assert spend(budget, 1_000.0) == 300
    assert budget.acquire(CALL, now) == 1_060.0 - now


def test_polls_go_on_after_a_clock_was_set_back() -> None:
    budget = observed(LIMIT, 31, 60.0, now=1_000.0)
    assert budget.acquire(POLL, 1_000.0) == 0.0
    assert budget.acquire(POLL, 0.0) == 0.0


# --- whatever happens ----------------------------------------------------------------------------

windows = st.builds(
    lambda limit, used, reset_in: Window(limit, max(0, limit - used), reset_in),
    st.integers(2, 20),
    st.integers(0, 20),
    st.floats(0, 1e12),
)
Step: TypeAlias = tuple[str, float, Window, int]
steps: st.SearchStrategy[Step] = st.tuples(
    st.sampled_from(["acquire", "acquire", "start", "poll", "release", "refund", "observe"]),
    st.floats(0, 70) | st.just(0.0),
    windows,
    st.integers(1, 30),
)


class Driver:
    """Takes steps with a budget, as a session would: nothing ends that was not sent."""

    def __init__(self, budget: Budget | None = None) -> None:
        self.budget = budget or Budget()
        self.now = 0.0
        self.under_way: deque[int] = deque()
        self.sent_at: dict[int, float] = {}
        self.granted = 0
        self.limit = DEFAULT_LIMIT

    def take(self, step: Step) -> None:
        what, seconds, window, times = step
        self.now += seconds
        if what == "observe":
            self.observe(window, times)
        lane = {"start": START, "poll": POLL}.get(what, CALL)
        for _ in range(times):
            if what in {"release", "refund"}:
                self.end(refund=what == "refund")
            elif what != "observe":
                self.acquire(lane)

    def acquire(self, lane: Lane = CALL) -> float:
        delay = self.budget.acquire(lane, self.now)
        assert delay >= 0
        if delay == 0:
            self.under_way.append(self.budget.number)
            self.sent_at[self.budget.number] = self.now
            self.granted += 1
        return delay

    def end(self, *, refund: bool = False) -> None:
        if not self.under_way:
            return
        number = self.under_way.popleft()
        if refund:
            self.budget.refund(number)
        else:
            self.budget.release(number)

    def observe(self, window: Window, which: int) -> None:
        """Let one of those under way be answered."""
        number = 0
        if self.under_way:
            place = -min(which, len(self.under_way))
            number = self.under_way[place]
            del self.under_way[place]
        self.budget.observe(window, self.now, number)
        self.budget.release(number)
        self.limit = window.limit


@unhurried
@given(st.lists(steps, max_size=40), st.sampled_from(Lane))
def test_nobody_waits_for_more_than_two_windows(taken: list[Step], lane: Lane) -> None:
    driver = Driver()
    for step in taken:
        driver.take(step)
        assert driver.acquire(lane) <= 2 * WINDOW_SECONDS + 1e-6


@unhurried
@given(st.lists(steps, max_size=40), st.sampled_from(Lane), st.integers(1, 5))
def test_who_waits_as_told_may_send(taken: list[Step], lane: Lane, processes: int) -> None:
    driver = Driver(Budget(processes=processes, requests_per_minute=30))
    for step in taken:
        driver.take(step)
    while driver.under_way:
        driver.end()
    driver.budget.processes = 1  # what too many of them may do with so few requests is another tale
    delays = []
    for _ in range(4):  # a rounding error may leave a rest, which is then exact
        delays.append(driver.acquire(lane))
        driver.now += delays[-1]
    assert 0.0 in delays


@unhurried
@given(st.lists(steps, max_size=40))
def test_after_the_reset_it_opens_for_the_limit_less_what_is_under_way(taken: list[Step]) -> None:
    driver = Driver()
    for step in taken:
        driver.take(step)
    driver.now += 2 * WINDOW_SECONDS
    forgotten = driver.now - 5 * WINDOW_SECONDS
    under_way = sum(driver.sent_at[number] >= forgotten for number in driver.under_way)
    before = driver.granted
    while driver.acquire() == 0:
        pass
    assert driver.granted - before == max(0, driver.limit - under_way)


told = st.tuples(
    st.sampled_from(["acquire", "acquire", "start", "poll", "release", "observe"]),
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
    reset_at, may_send, granted = 0.0, 0, 0
    for what, seconds, remaining, times in steps:
        if what == "observe":
            driver.now += seconds
            reset_at, granted = reset_of(driver.now), driver.granted
            window = Window(20, remaining, math.ceil(reset_at - driver.now))
            driver.observe(window, times)
            may_send = max(0, remaining - len(driver.under_way))
        else:
            driver.take((what, seconds, Window(1, 1, 1), times))
        if driver.now < reset_at:
            assert driver.granted - granted <= may_send


@unhurried
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["send", "send", "tell", "release", "refund"]),
            st.integers(1, 20),
            st.integers(0, 40),
            st.floats(0, 3),
        ),
        max_size=60,
    )
)
def test_left_is_the_lowest_count_less_what_has_not_told(
    taken: list[tuple[str, int, int, float]],
) -> None:
    budget = observed(40, 40, 60.0)
    now, lowest, silent = 0.0, 40, 0
    under_way: set[int] = set()
    heard: set[int] = set()
    for what, which, remaining, later in taken:
        now = min(now + later, 59.0)
        number = min(under_way, key=lambda each: abs(each - which), default=None)
        if what == "send":
            if budget.acquire(CALL, now) == 0:
                under_way.add(budget.number)
        elif number is None:
            continue
        elif what == "tell":
            budget.observe(Window(40, remaining, math.ceil(60 - now)), now, number)
            lowest = min(lowest, remaining)
            heard.add(number)
        elif what == "release" or number in heard:  # an answered request was sent
            budget.release(number)
            silent += number not in heard
            under_way.remove(number)
        else:
            budget.refund(number)
            under_way.remove(number)
        assert room(budget, now) == max(0, lowest - silent - len(under_way - heard))


@unhurried
@given(taken=st.lists(steps.filter(lambda step: step[0] != "observe"), max_size=60))
def test_without_any_response_the_documented_limit_holds_in_each_window(taken: list[Step]) -> None:
    driver = Driver()
    grants: list[float] = []
    for step in taken:
        if step[0] != "refund":
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


limits = st.integers(1, 40) | st.sampled_from([100, LIMIT, 1_000])
own_limits = st.none() | limits
shares = st.sampled_from([0.0, 1 / LIMIT, 0.1, 0.25])
telling = st.sampled_from(["each window", "one window", "no window"])


def two_windows(budget: Budget, limit: int, told: str) -> Iterator[float]:
    """Go through two windows, of which responses tell or not."""
    if told != "no window":
        budget.observe(Window(limit, limit, 60.0), 0.0, 0)
    yield 0.0
    if told == "each window":
        budget.observe(Window(limit, limit, 60.0), 60.0, 0)
    yield 60.0


@unhurried
@given(
    limit=limits,
    requests_per_minute=own_limits,
    processes=st.integers(1, 12) | st.sampled_from([50, 150, 1_000]),
    reserve=st.sampled_from([0.0, RESERVE]),
    share=shares,
    told=telling,
    lane=st.sampled_from(Lane),
)
def test_each_lane_gets_something_within_two_windows(  # noqa: PLR0913, PLR0917 - all that decides
    limit: int,
    requests_per_minute: int | None,
    processes: int,
    reserve: float,
    share: float,
    told: str,
    lane: Lane,
) -> None:
    budget = Budget(requests_per_minute, processes, reserve, share)
    assert any(spend(budget, now, lane) for now in two_windows(budget, limit, told))


@unhurried
@given(
    limit=limits.filter(lambda limit: limit > 2),
    requests_per_minute=own_limits.filter(lambda limit: limit is None or limit > 2),
    processes=st.integers(1, 12) | st.sampled_from([50, 150, 1_000]),
    share=shares.filter(bool),
    told=telling,
)
def test_starts_and_polls_that_both_wait_get_something_within_two_windows(
    limit: int, requests_per_minute: int | None, processes: int, share: float, told: str
) -> None:
    # Of two or fewer, polls have no share.
    assume(told != "no window" or DEFAULT_LIMIT // processes > 2)
    budget = Budget(requests_per_minute, processes, share=share)
    starts = polls = 0
    for now in two_windows(budget, limit, told):
        starts += spend(budget, now, START)
        polls += spend(budget, now, POLL, starts_wait=True)
    assert starts
    assert polls


# --- against a server that counts ----------------------------------------------------------------


@define
class Server:
    """Counts in fixed windows, and tells their end in whole seconds, rounded up.

    Attributes:
        limit: Requests a window; one more is a 429, which fails the test.
        begins: When a window begins, and with it one in each minute. None for with the first
            request after the last window.
    """

    limit: int
    begins: float | None
    ends: float = -inf
    used: int = 0
    before: list[int] = field(factory=list[int])

    def take(self, now: float) -> Window:
        if now >= self.ends:
            begun = now if self.begins is None else now - (now - self.begins) % WINDOW_SECONDS
            self.before.append(self.used)
            self.ends, self.used = begun + WINDOW_SECONDS, 0
        self.used += 1
        assert self.used <= self.limit, f"429 at {now}"
        return Window(self.limit, self.limit - self.used, math.ceil(self.ends - now))


Latency: TypeAlias = tuple[float, float]
"""Seconds to the server, and back."""
Demand: TypeAlias = tuple[float, int, Lane, int]
"""Seconds after the last one, which process wants to send, in which lane, and how much."""


class Processes:
    """Processes that send what they are asked to as soon as their budgets let them.

    Args:
        server: Counts.
        processes: How many.
        latencies: Each request's, over and over.
        in_order: Whether requests reach the server in the order in which they were sent.
        at_once: How many requests each process has under way at most.
    """

    def __init__(
        self,
        server: Server,
        processes: int,
        latencies: Iterable[Latency],
        *,
        in_order: bool,
        at_once: int = 10_000,
    ) -> None:
        limit = server.limit
        self.server = server
        self.budgets = [Budget(processes=processes) for _ in range(processes)]
        if limit != DEFAULT_LIMIT:
            self.budgets = [Budget(processes=processes, limit=limit) for _ in self.budgets]
        self.wanted: list[deque[Lane]] = [deque() for _ in self.budgets]
        self.now = 0.0
        self._latencies = cycle(latencies)
        self._in_order = in_order
        self._at_once = at_once
        self._sent = [0] * processes
        self._last_arrival = 0.0
        self._wakes = [inf] * processes
        self._numbers = count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []

    def want(self, process: int, lane: Lane, times: int) -> None:
        self.wanted[process].extend([lane] * times)
        self._send(process)

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self._events and self._events[0][0] <= until:
            self.now, _, happen = heappop(self._events)
            happen()
        self.now = until

    def _at(self, moment: float, happen: Callable[[], None]) -> None:
        heappush(self._events, (moment, next(self._numbers), happen))

    def _send(self, process: int) -> None:
        budget, wanted = self.budgets[process], self.wanted[process]
        while wanted and self._sent[process] < self._at_once:
            if (delay := budget.acquire(wanted[0], self.now, hurried=True)) > 0:
                if self.now + delay < self._wakes[process]:
                    self._wakes[process] = self.now + delay
                    self._at(self.now + delay, lambda: self._wake(process))
                return
            wanted.popleft()
            self._under_way(process, budget.number)

    def _wake(self, process: int) -> None:
        self._wakes[process] = inf
        self._send(process)

    def _under_way(self, process: int, number: int) -> None:
        self._sent[process] += 1
        there, back = next(self._latencies)
        arrival = self.now + there
        if self._in_order:
            arrival = self._last_arrival = max(arrival, self._last_arrival)

        def arrive() -> None:
            window = self.server.take(self.now)
            self._at(self.now + back, lambda: self._answer(process, window, number))

        self._at(arrival, arrive)

    def _answer(self, process: int, window: Window, number: int) -> None:
        self.budgets[process].observe(window, self.now, number)
        self.budgets[process].release(number)
        self._sent[process] -= 1
        self._send(process)


def seconds(most: float) -> st.SearchStrategy[float]:
    """Times without rounding errors."""
    return st.integers(0, int(most * 16)).map(lambda sixteenths: sixteenths / 16)


begins = st.none() | seconds(60).map(lambda late: late - 60)
demands = st.lists(
    st.tuples(
        st.just(0.0) | seconds(2) | seconds(70),
        st.integers(0, 9),
        st.sampled_from([CALL, CALL, START, POLL]),
        st.integers(1, 40),
    ),
    max_size=30,
)
latencies = st.lists(st.tuples(seconds(14), seconds(14)), min_size=1, max_size=8)


def live(world: Processes, demands: list[Demand]) -> None:
    for gap, process, lane, times in demands:
        world.run(gap)
        world.want(process % len(world.budgets), lane, times)
    world.run(200)


@unhurried
@given(limit=st.integers(1, 20), begins=begins, demands=demands)
def test_a_process_alone_earns_no_429(
    limit: int, begins: float | None, demands: list[Demand]
) -> None:
    live(Processes(Server(limit, begins), 1, [(0.0, 0.0)], in_order=True), demands)


@unhurried
@given(limit=st.integers(1, 20), begins=begins, demands=demands, latencies=latencies)
def test_nor_when_its_requests_and_responses_come_late_and_in_any_order(
    limit: int, begins: float | None, demands: list[Demand], latencies: list[Latency]
) -> None:
    live(Processes(Server(limit, begins), 1, latencies, in_order=False), demands)


@unhurried
@pytest.mark.parametrize("processes", [2, 4, 10])
@given(room=st.integers(1, 20), begins=begins, demands=demands)
def test_nor_do_several_processes(
    processes: int, room: int, begins: float | None, demands: list[Demand]
) -> None:
    server = Server(4 * processes + room, begins)
    live(Processes(server, processes, [(0.0, 0.0)], in_order=True), demands)


@unhurried
@pytest.mark.parametrize("processes", [2, 4, 10])
@given(room=st.integers(1, 20), begins=begins, demands=demands, latencies=latencies)
def test_nor_when_theirs_come_late_and_in_any_order(
    processes: int,
    room: int,
    begins: float | None,
    demands: list[Demand],
    latencies: list[Latency],
) -> None:
    server = Server(4 * processes + room, begins)
    live(Processes(server, processes, latencies, in_order=False), demands)


@pytest.mark.parametrize(
    ("processes", "begins"), [(1, None), (1, -20.0), (4, None), (4, -20.0), (10, -59.0)]
)
def test_what_a_window_has_room_for_is_sent_but_for_the_margin(
    processes: int, begins: float | None
) -> None:
    server = Server(LIMIT, begins)
    world = Processes(server, processes, [(0.25, 0.25)], in_order=True)
    for process in range(processes):
        world.want(process, CALL, 1_000)
    world.run(35)  # and half a second for one exchange
    assert server.used >= LIMIT - 2 * processes
    world.run(60)
    assert server.used >= LIMIT - 2 * processes


@unhurried
@given(
    limit=st.integers(1, 40),
    begins=begins,
    latency=st.tuples(seconds(0.5), seconds(0.5)),
    at_once=st.sampled_from([32, 10_000]),
)
def test_a_process_alone_whose_requests_keep_their_order_wastes_nothing(
    limit: int, begins: float | None, latency: Latency, at_once: int
) -> None:
    server = Server(limit, begins)
    world = Processes(server, 1, [latency], in_order=True, at_once=at_once)
    world.want(0, CALL, 1_000)
    world.run(300)
    assert len(server.before) >= 4
    assert set(server.before[2:]) == {limit}  # the first is the one before any


@pytest.mark.parametrize("at_once", [1, 32, LIMIT])
@pytest.mark.parametrize("begins", [None, -20.0])
@pytest.mark.parametrize("seed", range(4))
def test_requests_that_overtake_each_other_waste_next_to_nothing(
    at_once: int, begins: float | None, seed: int
) -> None:
    random = Random(seed)  # noqa: S311 - latencies
    latencies = [(random.uniform(0.025, 0.125), random.uniform(0.025, 0.125)) for _ in range(9_999)]
    server = Server(LIMIT, begins)
    world = Processes(server, 1, latencies, in_order=False, at_once=at_once)
    world.want(0, CALL, 4_000)
    world.run(600)
    assert len(server.before) >= 9
    assert min(server.before[2:]) >= LIMIT - 2


def test_polls_are_spread_over_ones_own_limit() -> None:
    budget = Budget(requests_per_minute=20, processes=10)
    budget.observe(Window(300, 300, 60.0), 0.0, 0)
    assert budget.acquire(POLL, 0.0) == 0.0
    budget.release(budget.number)
    assert budget.acquire(POLL, 0.0) == pytest.approx(60 / 18)


def test_what_was_under_way_at_a_fork_was_spent() -> None:
    budget = observed(LIMIT, LIMIT, 60.0)
    assert [budget.acquire(CALL, 0.0) for _ in range(32)] == [0.0] * 32
    budget.forget_under_way()
    assert spend(budget, 0.0, CALL) == LIMIT - 32
