"""Without the extra, and for those who do not use it."""

import subprocess
import sys

import pytest

from duvo_async import temporal

HIDDEN = "import sys; sys.modules['temporalio'] = None; "
"""Makes the package one that is not there."""


def run(program: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-W", "error", "-c", program], capture_output=True, check=False, text=True
    )


@pytest.mark.parametrize(
    "how", ["import duvo_async.temporal", "from duvo_async.temporal import duvo_worker"]
)
def test_without_the_extra_an_error_names_it(how: str) -> None:
    done = run(HIDDEN + how)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("duvo_async.errors.ConfigurationError: ")
    assert 'python -m pip install "duvo-async[temporal]"' in last


@pytest.mark.no_cover
def test_who_does_not_ask_for_it_does_not_load_it() -> None:
    done = run(
        "import duvo_async, sys; from duvo_async import AsyncDuvo, Duvo; AsyncDuvo('dv_key'); "
        "import duvo_async.cli.app; "
        "print([each for each in sys.modules if 'temporal' in each])"
    )
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.no_cover
def test_a_workflow_loads_no_client() -> None:
    done = run("import duvo_async.temporal.workflow, sys; print('aiohttp' in sys.modules)")
    assert done.stdout.strip() == "False", done.stderr


def test_all_is_sorted_and_there() -> None:
    assert list(temporal.__all__) == sorted(
        temporal.__all__, key=lambda name: (name.islower(), name)
    )
    assert all(getattr(temporal, name) is not None for name in temporal.__all__)
    with pytest.raises(AttributeError):
        getattr(temporal, "nothing")  # noqa: B009 - mypy knows that there is none
