"""The benchmark of durable waits runs; how good its figures are is not asked."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.once
@pytest.mark.no_cover
@pytest.mark.usefixtures("dev_server_program", "time_skipping_program")
def test_it_measures() -> None:
    command = [sys.executable, "-m", "benchmarks.durable", "--waits", "5", "--seconds", "0.1"]
    done = subprocess.run(  # noqa: S603 - this folder's
        command, check=True, capture_output=True, text=True, cwd=ROOT, timeout=90
    )
    for measure in ("KB of a wait", "durable waits", "plain waits", "days", "seconds"):
        assert measure in done.stdout
