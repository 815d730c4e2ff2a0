"""The command: exit codes, output on a pipe and on a terminal, Ctrl-C."""

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from duvo_async import Duvo
from duvo_async.emulator import (
    AskApproval,
    AskQuestions,
    Emulator,
    Finish,
    Option,
    Question,
    Say,
    Sleep,
)
from tests.support.shell import piped, shell, terminal

README = Path(__file__).parent.parent / "README.md"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(requests_per_minute=100_000) as running:
        yield running


def status_of(emulator: Emulator, run_id: str) -> str:
    with Duvo(emulator.api_key, base_url=emulator.url) as duvo:
        return str(duvo.runs.get(run_id).status)


def test_the_readmes_job_tells_the_truth_about_its_file() -> None:
    done = shell("run", "--local", "--file", str(README), "--message", "Summarise", "--approve")
    data = README.read_bytes()
    lines = data.count(b"\n")
    assert f"{len(data)} bytes, {lines} lines" in done.stdout
    assert hashlib.sha256(data).hexdigest() in done.stdout
    assert "Summarise" in done.stdout
    assert done.stdout.splitlines()[-1].endswith("is completed")
    assert (done.returncode, done.stderr) == (0, "")


def test_plain_lines_on_a_pipe(emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_bytes(b"1234567")
    agent = emulator.add_agent([Say("hi \x1b[31mred\x07")])
    done = shell("run", agent, "--file", str(tmp_path / "orders.csv"), emulator=emulator)
    uploaded, started, said, ended = done.stdout.splitlines()
    assert uploaded == "uploaded /workspace/orders.csv (7 bytes)"
    assert started.endswith("is pending")
    assert said == "assistant: hi \ufffd[31mred\ufffd"
    assert ended.endswith("is completed")


def test_one_json_document(emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_bytes(b"1")
    agent = emulator.add_agent([Say("hi")])
    done = shell("run", agent, "--file", str(tmp_path / "orders.csv"), "--json", emulator=emulator)
    document = json.loads(done.stdout)
    assert document["run"]["status"] == "completed"
    assert document["files"][0]["path"] == "/workspace/orders.csv"
    assert [message["text_content"] for message in document["messages"]] == ["hi"]
    assert "error" not in document


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_a_pipe_cannot_show_is_not_lost(options: tuple[str, ...], emulator: Emulator) -> None:
    agent = emulator.add_agent([Say("Prix: 5 \u20ac \u2713"), Say("fini")])
    done = shell("run", agent, *options, emulator=emulator, env={"PYTHONIOENCODING": "latin-1"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "Prix: 5 \\u20ac \\u2713" in done.stdout
    assert "fini" in done.stdout
    if options:
        assert json.loads(done.stdout)["messages"][0]["text_content"] == "Prix: 5 \u20ac \u2713"


def test_a_reader_that_leaves_is_no_traceback(emulator: Emulator) -> None:
    agent = emulator.add_agent([Say("x" * 100_000)] * 5 + [Sleep(3600)])
    with piped("run", agent, emulator=emulator) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        run_id = process.stdout.readline().split()[1]
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(30) == 1
    assert errors == f"run {run_id} goes on\n"


def test_without_a_key_it_is_authentication() -> None:
    done = shell("run", "7c9e6679-7425-40de-944b-e07fc1f90ae7")
    assert done.returncode == 2
    assert "DUVO_API_KEY" in done.stderr


def test_a_wrong_key_is_authentication(emulator: Emulator) -> None:
    done = shell("run", emulator.demo_agent_id, emulator=emulator, env={"DUVO_API_KEY": "dv_no"})
    assert done.returncode == 2
    assert "401" in done.stderr
    assert "dv_no" not in done.stderr


def test_a_reader_that_leaves_before_the_document_is_no_traceback(emulator: Emulator) -> None:
    agent = emulator.add_agent([Say("hi")])
    with piped("run", agent, "--json", emulator=emulator) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()
        assert (process.wait(30), errors) == (1, "")


def test_an_unknown_agent_is_not_found(emulator: Emulator) -> None:
    done = shell("run", "7c9e6679-7425-40de-944b-e07fc1f90ae7", emulator=emulator)
    assert done.returncode == 3


@pytest.mark.parametrize("options", [(), ("--answer", "Other?=x"), ("--json",)])
def test_an_answer_is_needed(options: tuple[str, ...], emulator: Emulator) -> None:
    agent = emulator.add_agent([Say("the report"), AskApproval("Post?", "Two entries.")])
    done = shell("run", agent, *options, emulator=emulator)
    assert done.returncode == 4
    for text in ("Post?", "Two entries.", "--approve   (or --deny)", "goes on waiting"):
        assert text in done.stderr
    run_id = done.stderr.split("--resume ")[1].split()[0]
    assert shell("run", "--resume", run_id, "--approve", emulator=emulator).returncode == 0
    assert "the report" in done.stdout


def test_a_local_run_cannot_be_gone_on_with() -> None:
    done = shell("run", "--local")
    assert done.returncode == 4
    assert "--approve" in done.stderr
    assert "--resume" not in done.stderr
    assert "goes on" not in done.stderr


def test_a_local_run_shares_no_budget() -> None:
    nowhere = {"DUVO_BUDGET_URL": "redis://127.0.0.1:1"}
    done = shell("run", "--local", "--approve", env=nowhere)
    assert done.returncode == 0
    assert "Redis" not in done.stderr


def test_a_command_shares_the_budget_that_the_environment_names(emulator: Emulator) -> None:
    agent = emulator.add_agent([Say("Posted.")])
    nowhere = {"DUVO_BUDGET_URL": "redis://127.0.0.1:1"}
    done = shell("run", agent, emulator=emulator, env=nowhere)
    assert done.returncode == 0
    assert "the Redis at 127.0.0.1:1, which keeps the key's budget, cannot be asked" in done.stderr


def test_questions_are_shown_with_their_options(emulator: Emulator) -> None:
    questions = [Question("Which?", options=[Option("A"), Option("B")]), Question("Why?")]
    agent = emulator.add_agent([AskQuestions("First", questions)])
    done = shell("run", agent, "--answer", "Which?=A", "--approve", emulator=emulator)
    assert done.returncode == 4
    for text in ("First", "Which?", "- A", "- B", "--answer 'Which?=…' --answer 'Why?=…'"):
        assert text in done.stderr


def test_an_answer_that_does_not_fit_is_an_error(emulator: Emulator) -> None:
    agent = emulator.add_agent([AskQuestions("First", [Question("Which?", options=[Option("A")])])])
    done = shell("run", agent, "--answer", "Which?=C", emulator=emulator)
    assert done.returncode == 1
    assert "'C' is not an option of 'Which?'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["run"], "AGENT_ID"),
        (["run", "x", "--local"], "AGENT_ID"),
        (["run", "x", "--resume", "y"], "AGENT_ID"),
        (["run", "--resume", "y", "--file", "z"], "--resume"),
        (["run", "--local", "--file", ""], "No such file"),
        (["run", "--local", "--timeout", "inf"], "timeout must be"),
        (["run", "--local", "--approve", "--deny"], "not both"),
        (["run", "--local", "--timeout", "0"], "positive"),
        (["run", "--local", "--answer", "nonsense"], "Q=A"),
        (["run", "--nonsense"], "--nonsense"),
        (["nonsense"], "nonsense"),
        (["run", "--local", "--file", "nowhere.csv"], "nowhere.csv"),
        (["run", "--local", "--message", ""], "message must not be empty"),
    ],
)
def test_wrong_words_are_errors(words: list[str], text: str) -> None:
    done = shell(*words)
    assert done.returncode == 1
    assert text in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["run", "--help"],
        ["map", "-h"],
        ["upload", "-h"],
        ["emulate", "-h"],
        ["--version"],
    ],
)
def test_help(words: list[str]) -> None:
    done = shell(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_a_terminal_shows_what_goes_on(emulator: Emulator) -> None:
    with terminal("run", emulator.add_agent([Say("hi")]), emulator=emulator) as screen:
        screen.expect("assistant: hi")
        screen.expect("is completed")
        assert screen.exit_code() == 0


def test_ask_at_the_terminal(emulator: Emulator) -> None:
    questions = [
        Question("Which?", options=[Option("A", "the first"), Option("B")], multi_select=True),
        Question("Why?"),
    ]
    agent = emulator.add_agent([AskQuestions("First", questions), AskApproval("Post?"), Say("ok")])
    with terminal("run", agent, "--ask", emulator=emulator) as screen:
        screen.expect("1. A: the first")
        screen.expect("commas between")
        screen.type("7\n")
        screen.expect("commas between")
        screen.type("2, 1\n")
        screen.expect("Answer")
        screen.type("because\n")
        screen.expect("Approve")
        screen.type("y\n")
        screen.expect("assistant: ok")
        screen.expect("is completed")
        assert screen.exit_code() == 0


def test_ask_asks_only_what_is_left_open(emulator: Emulator) -> None:
    questions = [Question("Which?", options=[Option("A")]), Question("Why?")]
    agent = emulator.add_agent([AskQuestions("First", questions), Say("ok")])
    with terminal("run", agent, "--ask", "--answer", "Which?=A", emulator=emulator) as screen:
        assert "Which?" not in screen.expect("Answer")
        screen.type("because\n")
        screen.expect("is completed")
        assert screen.exit_code() == 0


def test_a_run_is_resumed_by_a_message(emulator: Emulator) -> None:
    agent = emulator.add_agent([Say("1"), Finish("interrupted"), Say("2")])
    document = json.loads(shell("run", agent, "--json", emulator=emulator).stdout)
    done = shell("run", "--resume", document["run"]["id"], "--message", "go on", emulator=emulator)
    assert done.returncode == 0
    said = [line for line in done.stdout.splitlines() if not line.startswith("run ")]
    assert said == ["assistant: 1", "user: go on", "assistant: 2"]


def test_a_wrong_answer_leaves_the_run_waiting_and_says_so(emulator: Emulator) -> None:
    agent = emulator.add_agent([AskQuestions("First", [Question("Which?", options=[Option("A")])])])
    assert "goes on" in shell("run", agent, "--answer", "Which?=C", emulator=emulator).stderr


def test_few_requests_are_spent_on_a_run(emulator: Emulator) -> None:
    shell("run", emulator.add_agent([Sleep(3600)]), "--timeout", "5", emulator=emulator)
    assert len(emulator.requests) < 14


def test_no_answer_at_the_terminal_is_none(emulator: Emulator) -> None:
    with terminal(
        "run", emulator.add_agent([AskApproval("Post?")]), "--ask", emulator=emulator
    ) as s:
        s.expect("Approve")
        s.type("\x04")  # the end of the input
        assert s.exit_code() == 4


@pytest.mark.parametrize(("key", "status"), [("y", "stopped"), ("n", "running")])
def test_ctrl_c_at_a_terminal_asks(key: str, status: str, emulator: Emulator) -> None:
    agent = emulator.add_agent([Sleep(3600)])
    with terminal("run", agent, emulator=emulator) as screen:
        run_id = screen.expect(r"run \S+ is running").split()[-3]
        screen.interrupt("Stop run .* too")
        screen.type(f"{key}\n")
        screen.expect("was stopped" if status == "stopped" else "goes on")
        assert screen.exit_code() == 130
    assert status_of(emulator, run_id) == status


def test_ctrl_c_in_a_question_asks_as_well(emulator: Emulator) -> None:
    with terminal(
        "run", emulator.add_agent([AskApproval("Post?")]), "--ask", emulator=emulator
    ) as s:
        s.expect("Approve")
        s.interrupt("Stop run .* too")
        s.type("n\n")
        s.expect("goes on")
        assert s.exit_code() == 130


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_ctrl_c_on_a_pipe_leaves_the_run_and_names_it(
    options: tuple[str, ...], emulator: Emulator
) -> None:
    agent = emulator.add_agent([Say("hi"), Sleep(3600)])
    with (
        piped("run", agent, *options, emulator=emulator) as process,
        Duvo(emulator.api_key, base_url=emulator.url) as other,
    ):
        while not any(request.path.endswith("/messages") for request in emulator.requests):
            other.health()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    run_id = errors.split()[1]
    assert errors == f"run {run_id} goes on\n"
    assert status_of(emulator, run_id) == "running"
    if options:
        assert json.loads(output)["run"]["id"] == run_id


def test_emulate_serves_until_ctrl_c() -> None:
    with piped("emulate") as process:
        assert process.stdout is not None
        exports = dict(process.stdout.readline()[7:].strip().split("=", 1) for _ in range(2))
        agent = process.stdout.readline().split()[-1]
        done = shell("run", agent, "--approve", env=exports)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert errors == ""


def test_emulate_says_when_the_port_is_taken(emulator: Emulator) -> None:
    done = shell("emulate", "--port", emulator.url.rpartition(":")[2])
    assert done.returncode == 1
    assert "cannot serve on port" in done.stderr


def test_without_the_extra_the_command_names_it() -> None:
    program = "import sys; sys.modules['click'] = None; from duvo_async.cli import main; main()"
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, check=False, text=True
    )
    assert done.returncode == 1
    assert "duvo-async[cli]" in done.stderr
