"""The benchmarks run, and their figures can be compared; how good these are is not asked."""

import json
import subprocess
import sys
from math import isfinite
from pathlib import Path

import pytest

from benchmarks import compare
from benchmarks.table import Row, keep, kept_in
from tests.support import redis_server

ROOT = Path(__file__).parents[1]
SUITES = {
    "calls": "duvo_async ÷ raw aiohttp: get a run, 100 at once",
    "decode": "duvo_async ÷ json.loads: a page of 50 messages",
    "imports": "import duvo_async: modules beyond aiohttp's",
    "waiters": "in wait_many",
    "uploads": "throughput, duvo_async",
    "fanout": "429s, list sweep",
    "machines": "an acquire ÷ a PING round trip",
}
"""Each with something that it must tell."""


@pytest.mark.once
@pytest.mark.no_cover
@pytest.mark.parametrize(("suite", "told"), SUITES.items(), ids=SUITES)
def test_each_suite_measures(suite: str, told: str, tmp_path: Path) -> None:
    if suite == "machines" and redis_server.program() is None:
        pytest.skip("redis-server is not installed")
    file = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", suite, "--quick", "--json", str(file)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)  # noqa: S603 - this folder's
    rows = kept_in(file)
    assert {row.suite for row in rows} == {suite}
    assert any(told in row.measure for row in rows)
    assert all(isfinite(row.value) for row in rows)
    assert all(row.measure in done.stdout for row in rows)
    assert json.loads(file.read_text())["environment"]["aiohttp"]


def test_figures_are_set_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    keep(old, [Row("calls", "control", 0.9), Row("calls", "same", 2), Row("calls", "gone", 1)])
    keep(new, [Row("calls", "same", 2.1), Row("calls", "worse", 3), Row("calls", "control", 1)])
    monkeypatch.setattr(sys, "argv", ["compare", str(old), str(new)])
    compare.main()
    told = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "calls same 2 2.1 1.05" in told
    assert "calls worse - 3" in told
    assert "calls gone 1 -" in told
    assert told[-1] == "Up to 10% more or less is noise."


@pytest.mark.parametrize(("value", "mark"), [(1.06, ""), (1.2, "more"), (0.8, "less")])
def test_a_change_beyond_the_noise_is_marked(
    value: float,
    mark: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    keep(old, [Row("calls", "get", 1)])
    keep(new, [Row("calls", "get", value)])
    monkeypatch.setattr(sys, "argv", ["compare", str(old), str(new)])
    compare.main()
    row = capsys.readouterr().out.splitlines()[1]
    assert row.split(f"{value:.2f}")[-1].strip() == mark


def test_a_row_tells_whether_it_is_within_its_bounds() -> None:
    assert Row("calls", "get", 1.1, most=1.2, least=1).kept
    assert "MISSED" in Row("calls", "get", 1.3, most=1.2).bound
    assert "MISSED" in Row("calls", "get", 0.9, least=1).bound
