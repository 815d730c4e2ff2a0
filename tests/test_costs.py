"""What a call costs, in counts that are the same on a busy machine and on an idle one."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.no_cover  # which would be counted

ROOT = Path(__file__).parents[1]


@pytest.fixture  # for each test: what is set up for a module still has the environment of coverage
def found() -> Mapping[str, float]:
    command = [sys.executable, str(ROOT / "tests/support/costs.py")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)  # noqa: S603 - this folder's
    counts: Mapping[str, float] = json.loads(done.stdout)
    return counts


def test_a_call_makes_no_task(found: Mapping[str, float]) -> None:
    assert found["tasks"] == 0


def test_a_call_sets_no_timer(found: Mapping[str, float]) -> None:
    assert found["timers"] == 0


def test_nothing_outlives_a_call(found: Mapping[str, float]) -> None:
    assert found["blocks"] < 0.05


def test_a_call_takes_few_steps(found: Mapping[str, float]) -> None:
    """A step more is no harm by itself; it should be known."""
    assert found["steps"] <= 36


def test_a_model_lets_itself_be_filled(found: Mapping[str, float]) -> None:
    """Frozen as it is: to ask who sets each field takes as long as all else about a model."""
    assert found["slow_fields"] == 0
