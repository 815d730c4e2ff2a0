import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duvo_async._schedule import poll_interval
from tests.support.properties import unhurried

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
        (100, 2.0),
        (120, 2.4),
        (300, 6.0),
        (500, 10.0),
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
    assert poll_interval(age, lambda: draw) <= age * 0.022 * (1 + 1e-9)


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
