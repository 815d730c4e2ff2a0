import copy
import math
import pickle
from collections.abc import Callable
from typing import Any, cast

import pytest
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from duvo_async import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    RateLimitError,
    ResponseDecodeError,
    RetryPolicy,
    ServerError,
)
from duvo_async._retry import Retrying, is_transient
from duvo_async.errors import class_for_status
from tests.support.properties import unhurried

RETRIED = {408, 429, 500, 502, 503, 504}
BROKEN = APIConnectionError("refused", method="GET", path="/v1/runs/r")
LATE = APITimeoutError("late", method="GET", path="/v1/runs/r")


def status_error(status: int, retry_after: float | None = None) -> APIError:
    return class_for_status(status)(
        status=status, reason="", method="GET", path="/v1/runs/r", retry_after=retry_after
    )


def always(number: float) -> Callable[[], float]:
    return lambda: number


def retrying(policy: RetryPolicy | None = None, draw: float = 1.0, attempts: int = 1) -> Retrying:
    return Retrying(policy or RetryPolicy(), always(draw), attempts)


# --- the policy ----------------------------------------------------------------------------------


def test_the_documented_policy_is_the_default() -> None:
    assert RetryPolicy() == RetryPolicy(
        retries=4, initial_delay=0.5, max_delay=8.0, max_retry_after=120.0
    )


def test_a_policy_is_a_value() -> None:
    policy = RetryPolicy(retries=2)
    assert hash(policy) == hash(RetryPolicy(retries=2))
    assert pickle.loads(pickle.dumps(policy)) == copy.copy(policy) == policy  # noqa: S301
    with pytest.raises(FrozenInstanceError):
        cast("Any", policy).retries = 3


def test_a_policy_is_made_by_keywords_only() -> None:
    with pytest.raises(TypeError):
        cast("Any", RetryPolicy)(4)


@pytest.mark.parametrize("name", ["initial_delay", "max_delay", "max_retry_after"])
@pytest.mark.parametrize("value", [-1, -0.001, math.nan, math.inf, -math.inf])
def test_a_delay_is_a_number_that_is_not_negative(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        RetryPolicy(**cast("Any", {name: value}))


@pytest.mark.parametrize("name", ["initial_delay", "max_delay", "max_retry_after"])
@pytest.mark.parametrize("value", ["1", None, pytest.param(10**400, id="huge")])
def test_a_delay_that_is_no_number_is_a_wrong_argument(name: str, value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        RetryPolicy(**cast("Any", {name: value}))


@pytest.mark.parametrize("value", [-1, -100, math.nan, "4", None, 1.5])
def test_retries_are_counted_in_whole_numbers(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        RetryPolicy(retries=cast("int", value))


@pytest.mark.parametrize(
    ("asked", "accepted"),
    [(None, True), (0.0, True), (1.5, True), (120.0, True), (120.001, False), (1e9, False)],
)
def test_a_wait_is_accepted_up_to_two_minutes(asked: float | None, *, accepted: bool) -> None:
    assert RetryPolicy().accepts(asked) is accepted


def test_the_longest_wait_is_a_setting() -> None:
    assert RetryPolicy(max_retry_after=600).accepts(600)
    assert not RetryPolicy(max_retry_after=0).accepts(0.001)
    assert RetryPolicy(max_retry_after=0).accepts(0)


# --- what may pass by itself ---------------------------------------------------------------------


@pytest.mark.parametrize("status", range(100, 600))
def test_a_few_statuses_are_transient(status: int) -> None:
    assert is_transient(status_error(status)) is (status in RETRIED)


def test_no_answer_is_transient_and_a_strange_one_is_not() -> None:
    assert is_transient(BROKEN)
    assert is_transient(LATE)
    assert not is_transient(APIError("x", method="GET", path="/"))
    assert not is_transient(ResponseDecodeError(("p",), method="GET", path="/"))


# --- one call ------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [BROKEN, LATE, *map(status_error, sorted(RETRIED))])
def test_what_is_transient_is_tried_again_if_that_is_safe(error: APIError) -> None:
    state = retrying()
    assert state.delay(error, repeatable=False) is None
    assert state.attempts == 1
    assert state.delay(error, repeatable=True) == 0.5
    assert state.attempts == 2


@pytest.mark.parametrize("status", [300, 400, 401, 403, 404, 409, 413, 422, 501])
def test_what_is_final_is_not_tried_again(status: int) -> None:
    state = retrying()
    assert state.delay(status_error(status, retry_after=1), repeatable=True) is None
    assert state.attempts == 1


@pytest.mark.parametrize("retries", [0, 1, 4, 7])
def test_a_call_is_repeated_as_often_as_the_policy_says(retries: int) -> None:
    state = retrying(RetryPolicy(retries=retries))
    delays = [state.delay(BROKEN, repeatable=True) for _ in range(retries + 2)]
    assert [delay is not None for delay in delays] == [True] * retries + [False, False]
    assert state.attempts == retries + 1


def test_attempts_that_getting_a_token_took_count_too() -> None:
    tried = APIConnectionError("refused", method="POST", path="host/token", attempts=5)
    assert retrying(RetryPolicy(retries=4)).delay(tried, repeatable=True) is None
    assert retrying(RetryPolicy(retries=5)).delay(tried, repeatable=True) is not None


def test_the_ceiling_doubles_up_to_its_limit() -> None:
    state = retrying(RetryPolicy(retries=8, initial_delay=0.5, max_delay=8))
    delays = [state.delay(BROKEN, repeatable=True) for _ in range(8)]
    assert delays == [0.5, 1, 2, 4, 8, 8, 8, 8]


def test_a_small_limit_holds_from_the_start() -> None:
    assert retrying(RetryPolicy(max_delay=0.1)).delay(BROKEN, repeatable=True) == 0.1


@pytest.mark.parametrize("attempts", [1_023, 1_024, 1_025, 1_026, 5_000])
def test_a_call_may_be_repeated_thousands_of_times(attempts: int) -> None:
    state = retrying(RetryPolicy(retries=10_000), attempts=attempts)
    assert state.delay(BROKEN, repeatable=True) == 8.0


policies = st.builds(
    RetryPolicy,
    retries=st.integers(0, 2_000),
    initial_delay=st.floats(0, 1e6),
    max_delay=st.floats(0, 1e6),
    max_retry_after=st.floats(0, 1e6),
)
draws = st.floats(0, 1)


@unhurried
@given(policy=policies, draw=draws, attempts=st.integers(1, 1_000))
def test_backoff_is_between_nothing_and_its_ceiling(
    policy: RetryPolicy, draw: float, attempts: int
) -> None:
    delay = retrying(policy, draw, attempts).delay(BROKEN, repeatable=True)
    if attempts > policy.retries:
        assert delay is None
        return
    assert delay is not None
    assert 0 <= delay <= policy.max_delay
    assert delay <= policy.initial_delay * 2.0 ** (attempts - 1)


@unhurried
@given(policy=policies, attempts=st.integers(1, 1_000), draw=draws)
def test_jitter_is_full(policy: RetryPolicy, attempts: int, draw: float) -> None:
    if attempts > policy.retries:
        return
    longest = retrying(policy, 1.0, attempts).delay(BROKEN, repeatable=True)
    assert longest is not None
    assert retrying(policy, 0.0, attempts).delay(BROKEN, repeatable=True) == 0.0
    drawn = retrying(policy, draw, attempts).delay(BROKEN, repeatable=True)
    assert drawn == pytest.approx(draw * longest)


# --- Retry-After ---------------------------------------------------------------------------------


@pytest.mark.parametrize("status", sorted(RETRIED))
@pytest.mark.parametrize("asked", [0, 0.25, 7, 119.5, 120])
def test_the_wait_that_was_asked_for_is_kept(status: int, asked: float) -> None:
    delay = retrying(draw=0.0).delay(status_error(status, asked), repeatable=True)
    assert delay == asked


@pytest.mark.parametrize("asked", [120.001, 121, 3_600, 1e9])
def test_a_longer_wait_is_left_to_the_caller(asked: float) -> None:
    state = retrying()
    error = status_error(429, asked)
    assert isinstance(error, RateLimitError)
    assert error.retry_after == asked
    assert state.delay(error, repeatable=True) is None
    assert state.attempts == 1


def test_a_wait_that_was_asked_for_counts_as_an_attempt() -> None:
    state = retrying(RetryPolicy(retries=2))
    delays = [state.delay(status_error(429, 1), repeatable=True) for _ in range(3)]
    assert [delay is not None for delay in delays] == [True, True, False]


def test_retry_after_does_not_make_a_call_repeatable() -> None:
    error = status_error(503, 1)
    assert isinstance(error, ServerError)
    assert retrying().delay(error, repeatable=False) is None


@unhurried
@given(policy=policies, draw=draws, asked=st.floats(0, 2e6))
def test_no_attempt_comes_sooner_than_asked_nor_much_later(
    policy: RetryPolicy, draw: float, asked: float
) -> None:
    delay = retrying(policy, draw).delay(status_error(429, asked), repeatable=True)
    if policy.retries and asked <= policy.max_retry_after:
        assert delay is not None
        assert asked <= delay <= asked + policy.initial_delay
    else:
        assert delay is None
