"""SIGTERM and Ctrl-C: the command gives things back, says what goes on, and ends as it should."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from duvo_async.emulator import Emulator, Say, Sleep
from tests.support.shell import COMMAND, environment, piped, terminal

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


def ended(process: "subprocess.Popen[str]", number: signal.Signals) -> tuple[int, str]:
    """Send a signal, and wait for the end; give the exit code and stderr."""
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert "Traceback" not in errors
    assert "never retrieved" not in errors
    assert "Unclosed" not in errors
    return process.returncode, errors


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_run_goes_on(emulator: Emulator, number: signal.Signals, code: int) -> None:
    agent = emulator.add_agent([Say("begun"), Sleep(3600)])
    with piped("run", agent, emulator=emulator) as process:
        assert process.stdout is not None
        while "begun" not in process.stdout.readline():
            pass
        returned, errors = ended(process, number)
    assert returned == code
    assert "goes on" in errors


@pytest.mark.parametrize(("number", "code"), SIGNALS)
@pytest.mark.parametrize("stop", [False, True])
def test_a_fan_out_says_what_becomes_of_its_runs(
    emulator: Emulator, number: signal.Signals, code: int, *, stop: bool
) -> None:
    def as_told(run: object) -> Iterator[Sleep | Say]:
        yield Sleep(3600 if getattr(run, "message", None) == "slow" else 0)

    agent = emulator.add_agent(as_told)  # type: ignore[arg-type] # a generator, simply typed
    words = ["map", agent, "--messages", "-", "--json", *(["--stop-on-exit"] if stop else [])]
    with piped(*words, emulator=emulator) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("slow\nquick\n")
        process.stdin.close()
        process.stdin = None
        assert json.loads(process.stdout.readline())["index"] == 1
        returned, errors = ended(process, number)
    assert returned == code
    assert ("1 run was told to stop" if stop else "1 run was left to go on") in errors


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_an_upload_ends(
    emulator: Emulator, number: signal.Signals, code: int, tmp_path: Path
) -> None:
    emulator.fail(503, times=1000, path="/sandboxes", retry_after=100)
    (tmp_path / "a.csv").write_text("a")
    with piped("upload", str(tmp_path / "a.csv"), emulator=emulator) as process:
        while not emulator.requests:
            assert process.poll() is None
        returned, _ = ended(process, number)
    assert returned == code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_emulator_ends_well(number: signal.Signals) -> None:
    with piped("emulate") as process:
        assert process.stdout is not None
        while "# an agent" not in process.stdout.readline():
            pass
        assert ended(process, number) == (0, "")


def test_on_a_terminal_it_asks_nothing(emulator: Emulator) -> None:
    agent = emulator.add_agent([Say("begun"), Sleep(3600)])
    with terminal("run", agent, emulator=emulator) as screen:
        screen.expect("begun")
        screen.process.send_signal(signal.SIGTERM)
        assert "too?" not in screen.expect("goes on")
        assert screen.exit_code() == 143


@pytest.mark.parametrize("words", [("emulate",), ("run", "{agent}")])
def test_where_ctrl_c_is_ignored_sigterm_ends_it_all_the_same(
    emulator: Emulator, words: tuple[str, ...]
) -> None:
    agent = emulator.add_agent([Say("begun"), Sleep(3600)])
    command = [*COMMAND, *(word.format(agent=agent) for word in words)]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # which children take over
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(emulator))  # noqa: S603 - ours
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == -signal.SIGTERM
