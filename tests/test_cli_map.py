"""The command's fan-out: its file, its numbers, its output, its exit codes, Ctrl-C."""

import asyncio
import json
import os
import re
import signal
from collections.abc import Generator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import IO, TYPE_CHECKING, Any

import pytest
from attrs import evolve

from duvo_async import AuthenticationError, Duvo, NotFoundError, RateLimit, Run, RunOutcome
from duvo_async.cli.fanout import joint_code, left_text, outcome_code
from duvo_async.cli.inputs import Input, InputError, Lines, Messages, Parser
from duvo_async.cli.outcomes import JSONLines, LiveTable, OutcomeView
from duvo_async.cli.progress import Extent, RateUse, compute, counted, rows, summary
from duvo_async.emulator import (
    AskApproval,
    AskQuestions,
    Emulator,
    Finish,
    Question,
    Say,
    Sleep,
    StartedRun,
    Step,
)
from duvo_async.emulator.exchange import ApiError, Request, Response
from duvo_async.models import HumanRequest, HumanRequestType, RunStatus
from tests.support.shell import piped, shell, terminal

if TYPE_CHECKING:
    import subprocess

pytestmark = pytest.mark.once

NOWHERE = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUN = Run(
    id="r",
    agent_id="a",
    build_id="b",
    status=RunStatus.COMPLETED,
    source=None,
    sandbox_id=None,
    started_at=None,
    completed_at=None,
    created_at=NOW,
    updated_at=NOW,
    human_in_the_loop_enabled=True,
)
WAITING = evolve(RUN, status=RunStatus.WAITING)
REQUEST = HumanRequest(
    id="q", title="Post?\nnow", description=None, created_at=NOW, type=HumanRequestType.APPROVAL
)


def as_told(run: StartedRun) -> Generator[Step, Any, None]:
    """Do what the message says."""
    match run.message:
        case "slow":
            yield Sleep(3600)
        case "ask":
            yield AskApproval("Post \x1b[31mit?")
        case "fail":
            yield Finish("failed")
        case _:
            yield Say("done")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(requests_per_minute=100_000, lists_runs=False) as running:
        yield running


@pytest.fixture
def agent(emulator: Emulator) -> str:
    return emulator.add_agent(as_told)


def written(folder: Path, *lines: str, name: str = "messages.txt") -> str:
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return str(path)


def text_of(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def type_line(process: "subprocess.Popen[str]", line: str) -> None:
    text_of(process.stdin).write(f"{line}\n")


def wait_until_looked_at(emulator: Emulator, runs: int) -> list[str]:
    """Wait until the command knows of so many runs; give their ids."""
    with Duvo(emulator.api_key, base_url=emulator.url) as other:
        while True:
            gets = [each.path for each in emulator.requests if each.method == "GET"]
            seen = dict.fromkeys(path for path in gets if re.fullmatch(r"/v1/runs/[^/]+", path))
            if len(seen) >= runs:
                return [path.rpartition("/")[2] for path in seen]
            other.health()


def statuses(emulator: Emulator, run_ids: list[str]) -> list[str]:
    with Duvo(emulator.api_key, base_url=emulator.url) as duvo:
        return [str(duvo.runs.get(run_id).status) for run_id in run_ids]


def starts(emulator: Emulator) -> int:
    return sum((each.method, each.path) == ("POST", "/v1/runs") for each in emulator.requests)


# --- the file ------------------------------------------------------------------------------------


def read(path: str, *, as_json: bool = False) -> tuple[list[str | None], list[str]]:
    async def all_of() -> tuple[list[str | None], list[str]]:
        found, keys = [], []
        messages = Messages(path, as_json=as_json)
        async for message in messages:
            found.append(message)
            keys.append(await anext(messages.keys))
        assert messages.extent == Extent(len(found), len(found), exact=True)
        return found, keys

    return asyncio.run(all_of())


@pytest.mark.parametrize(
    ("data", "messages"),
    [
        (b"", []),
        (b"a\nb\n", ["a", "b"]),
        (b"a\r\n\r\n  \n b ", ["a", " b "]),
        (b"\xef\xbb\xbfa\n\xc3\xa9\xe2\x80\xa8x\n", ["a", "\u00e9\u2028x"]),
        (b'"a"\n', ['"a"']),
        (b"x" * 200_000 + b"\ny", ["x" * 200_000, "y"]),
    ],
)
def test_a_message_a_line(data: bytes, messages: list[str], tmp_path: Path) -> None:
    (tmp_path / "messages.txt").write_bytes(data)
    found, keys = read(str(tmp_path / "messages.txt"))
    assert found == messages
    assert len(set(keys)) == len(messages)


@pytest.mark.parametrize("name", ["m.jsonl", "m.NDJSON", "m.txt"])
def test_json_lines(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, r'"a\nb"', "", '{"message": "c"}', name=name)
    assert read(path, as_json=name == "m.txt")[0] == ["a\nb", "c"]


def test_keys_come_with_their_messages(tmp_path: Path) -> None:
    lines = [json.dumps({"message": f"m{n}", "idempotency_key": f"k{n}"}) for n in range(3)]
    path = written(tmp_path, *lines, name="m.jsonl")
    assert read(path) == (["m0", "m1", "m2"], ["k0", "k1", "k2"])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"\xff", "not UTF-8"),
        (b"nonsense", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"1" * 5000, "not JSON"),
        (b"7", "neither a string nor an object"),
        (b"null", "neither a string nor an object"),
        (b'{"message": "m", "key": "k"}', "unknown member 'key'"),
        (b'{"idempotency_key": "k"}', "message must be a string"),
        (b'{"message": null}', "message must be a string"),
        (b'{"message": "m", "idempotency_key": null}', "idempotency_key must be a string"),
        (b'{"message": "m", "idempotency_key": "k"}', "all lines have an idempotency_key"),
    ],
)
def test_lines_that_are_no_message(line: bytes, reason: str) -> None:
    parser = Parser("m.jsonl", as_json=True)
    assert parser.parse(b'"first"') == Input("first")
    assert parser.parse(b"") is None
    with pytest.raises(InputError, match=rf"^m\.jsonl, line 3: .*{re.escape(reason)}"):
        parser.parse(line)


def test_lines_are_cut_wherever_blocks_end() -> None:
    lines = Lines()
    found = []
    for block in (b"a", b"b\r", b"\n\nc\nd", b""):
        lines.add(block)
        while (line := lines.take()) is not None:
            found.append(line)
    assert found == [b"ab", b"", b"c", b"d"]
    assert (lines.taken, lines.ended) == (8, True)


def test_how_many_there_are_is_estimated_from_the_bytes(tmp_path: Path) -> None:
    async def extents() -> list[Extent]:
        messages = Messages(written(tmp_path, *["x" * 9] * 50_000), as_json=False)
        found = [messages.extent]
        for _ in range(2):
            await anext(messages)
            found.append(messages.extent)
        messages.stop()
        assert [message async for message in messages] == []
        return [*found, messages.extent]

    assert asyncio.run(extents()) == [
        Extent(0, None, exact=False),
        Extent(1, 50_000, exact=False),
        Extent(2, 50_000, exact=False),
        Extent(2, 2, exact=True),
    ]


# --- the numbers ---------------------------------------------------------------------------------


def test_outcomes_are_counted_by_what_they_are() -> None:
    counts: dict[str, int] = {}
    before = counted(counts, RunOutcome(index=0, run_id="r", run=RUN))
    after = counted(before, RunOutcome(index=1, run_id="r", run=RUN))
    after = counted(after, RunOutcome(index=2, run_id="r", run=WAITING, human_request=REQUEST))
    after = counted(after, RunOutcome(index=3, run_id="r", run=RUN, error=ValueError()))
    after = counted(after, RunOutcome(index=4, run_id=None, run=None, error=ValueError()))
    assert (counts, before) == ({}, {"completed": 1})
    assert after == {"completed": 2, "waiting for a person": 1, "in error": 2}


def test_the_numbers() -> None:
    numbers = compute(
        Extent(30, 100, exact=False),
        {"completed": 16, "stopped": 4},
        elapsed=60.0,
        rate_limit=RateLimit(limit=300, remaining=260, reset_at=NOW + timedelta(seconds=42)),
        now=NOW,
    )
    assert numbers.under_way == 10
    assert numbers.left == 240.0
    assert numbers.rate == RateUse(40, 300, 42.0)
    assert rows(numbers) == [
        ("inputs", "30 of about 100"),
        ("under way", "10"),
        ("completed", "16"),
        ("failed", "0"),
        ("stopped", "4"),
        ("waiting for a person", "0"),
        ("in error", "0"),
        ("requests used", "40 of 300, anew in 42 s"),
        ("elapsed", "0:01:00"),
        ("estimated end", "in 0:04:00"),
    ]
    assert summary(numbers) == (
        "30 inputs in 0:01:00: 16 completed, 4 stopped, 10 without an outcome"
    )


def test_what_is_not_known_is_not_guessed() -> None:
    numbers = compute(Extent(5, None, exact=False), {}, elapsed=1.0, rate_limit=None, now=NOW)
    shown = dict(rows(numbers))
    assert (shown["inputs"], shown["under way"]) == ("5 so far", "5")
    assert (shown["requests used"], shown["estimated end"]) == ("?", "?")
    counts = {"completed": 5}
    open_end = compute(Extent(5, None, exact=False), counts, elapsed=1, rate_limit=None, now=NOW)
    assert open_end.left is None
    ended = compute(Extent(5, 5, exact=True), counts, elapsed=1, rate_limit=None, now=NOW)
    assert (ended.left, dict(rows(ended))["inputs"]) == (0, "5 of 5")
    past = RateLimit(limit=300, remaining=300, reset_at=NOW - timedelta(hours=1))
    late = compute(Extent(1, 1, exact=True), {}, elapsed=1, rate_limit=past, now=NOW)
    assert late.rate == RateUse(0, 300, 0.0)
    assert summary(late) == "1 input in 0:00:01: 1 without an outcome"


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        (set[int](), 0),
        ({0}, 0),
        ({2}, 2),
        ({3}, 3),
        ({4}, 4),
        ({0, 4}, 4),
        ({1}, 1),
        ({0, 2}, 1),
        ({2, 3}, 1),
        ({0, 1, 4}, 1),
    ],
)
def test_exit_codes_of_many(codes: set[int], code: int) -> None:
    assert joint_code(codes) == code


def test_exit_codes_of_one() -> None:
    refused = AuthenticationError(status=401, reason="no", method="POST", path="/v1/runs")
    missing = NotFoundError(status=404, reason="no", method="POST", path="/v1/runs")
    failed = evolve(RUN, status=RunStatus.FAILED)
    assert outcome_code(RunOutcome(index=0, run_id="r", run=RUN)) == 0
    assert outcome_code(RunOutcome(index=0, run_id="r", run=failed)) == 1
    assert outcome_code(RunOutcome(index=0, run_id=None, run=None, error=refused)) == 2
    assert outcome_code(RunOutcome(index=0, run_id=None, run=None, error=missing)) == 3
    assert outcome_code(RunOutcome(index=0, run_id="r", run=WAITING, human_request=REQUEST)) == 4
    assert outcome_code(RunOutcome(index=0, run_id="r", run=RUN, error=missing)) == 1


@pytest.mark.parametrize(
    ("left", "unsure", "stopped", "unstopped", "text"),
    [
        (0, 0, False, 0, ""),
        (1, 0, False, 0, "1 run was left to go on"),
        (2, 3, False, 0, "2 runs were left to go on; up to 3 more may have been started"),
        (0, 3, False, 0, "up to 3 may have been started"),
        (2, 3, True, 0, "2 runs were told to stop"),
        (1200, 0, True, 1, "1,199 runs were told to stop; 1 run was left to go on"),
    ],
)
def test_what_becomes_of_runs_that_are_left(
    *, left: int, unsure: int, stopped: bool, unstopped: int, text: str
) -> None:
    assert left_text(left, unsure=unsure, stopped=stopped, unstopped=unstopped) == text


# --- what is printed -----------------------------------------------------------------------------


def test_plain_lines_and_a_summary_on_a_pipe(
    emulator: Emulator, agent: str, tmp_path: Path
) -> None:
    path = written(tmp_path, "quick", "", "fail", "ask")
    done = shell("map", agent, "--messages", path, emulator=emulator)
    lines = sorted(re.sub(r" \S{36} ", " ID ", line) for line in done.stdout.splitlines())
    assert lines == ["0 ID completed", "1 ID failed", "2 ID waiting: Post \ufffd[31mit?"]
    assert re.match(r"3 inputs in \d:\d\d:\d\d: ", done.stderr)
    for text in ("1 completed", "1 failed", "1 waiting for a person"):
        assert text in done.stderr
    assert done.returncode == 1


def test_a_json_document_a_line(emulator: Emulator, agent: str, tmp_path: Path) -> None:
    path = written(tmp_path, '"quick"', '"ask"', '""', name="m.jsonl")
    done = shell("map", agent, "--messages", path, "--json", emulator=emulator)
    documents = {each["index"]: each for each in map(json.loads, done.stdout.splitlines())}
    names = {"index", "run_id", "status", "human_request", "error", "run"}
    assert [set(each) for each in documents.values()] == [names] * 3
    assert documents[0]["status"] == documents[0]["run"]["status"] == "completed"
    assert documents[0]["run_id"] == documents[0]["run"]["id"]
    assert (documents[0]["human_request"], documents[0]["error"]) == (None, None)
    assert documents[1]["human_request"]["title"] == "Post \x1b[31mit?"
    assert documents[2] == dict.fromkeys(names) | {
        "index": 2,
        "error": {"type": "ValueError", "message": "message must not be empty"},
    }
    assert (done.returncode, done.stderr) == (1, "")


def test_one_outcome_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    error = ValueError("two\nlines\x1b")
    OutcomeView().outcome(RunOutcome(index=7, run_id=None, run=None, error=error))
    OutcomeView().outcome(RunOutcome(index=8, run_id="r", run=WAITING, human_request=REQUEST))
    JSONLines().outcome(RunOutcome(index=9, run_id=None, run=None, error=error))
    LiveTable().left([RunOutcome(index=10, run_id="r", run=RUN)])
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == "7 - error: two lines\ufffd"
    assert second == "8 r waiting: Post? now"
    assert json.loads(third)["error"] == {"type": "ValueError", "message": "two\nlines\x1b"}


def test_a_table_on_a_terminal(emulator: Emulator, agent: str, tmp_path: Path) -> None:
    path = written(tmp_path, "quick", "quick", "ask")
    with terminal("map", agent, "--messages", path, emulator=emulator) as screen:
        screen.expect(r"inputs +0 so far")
        screen.expect(r"2 \S{36} waiting: Post \ufffd\[31mit\?")
        screen.expect(r"completed +2")
        screen.expect(r"waiting for a person +1")
        screen.expect(r"requests used +\d+ of 100,000, anew in \d+ s")
        screen.expect(r"estimated end +in 0:00:00")
        assert screen.exit_code() == 4


# --- exit codes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("options", "code"), [((), 4), (("--approve",), 0), (("--deny",), 0)])
def test_local_runs_ask_for_approval(options: tuple[str, ...], code: int, tmp_path: Path) -> None:
    done = shell("map", "--local", "--messages", written(tmp_path, "a", "b"), *options)
    assert done.returncode == code
    assert done.stdout.count("completed" if options else "waiting: ") == 2


def test_answers_are_given_to_all(emulator: Emulator, tmp_path: Path) -> None:
    agent = emulator.add_agent([AskQuestions("First", [Question("Why?")]), Say("ok")])
    path = written(tmp_path, "a", "b")
    done = shell("map", agent, "--messages", path, "--answer", "Why?=so", emulator=emulator)
    assert (done.returncode, done.stdout.count("completed")) == (0, 2)


def test_no_message_starts_nothing(emulator: Emulator, agent: str, tmp_path: Path) -> None:
    done = shell("map", agent, "--messages", written(tmp_path, ""), emulator=emulator)
    assert (done.returncode, done.stdout) == (0, "")
    assert "nothing to start" in done.stderr
    assert not emulator.requests


def test_a_run_that_takes_too_long(emulator: Emulator, agent: str, tmp_path: Path) -> None:
    path = written(tmp_path, "slow")
    done = shell("map", agent, "--messages", path, "--timeout", "0.5", emulator=emulator)
    assert done.returncode == 1
    assert "did not end within 0.5 s" in done.stdout


def test_without_a_key_it_is_authentication(tmp_path: Path) -> None:
    done = shell("map", NOWHERE, "--messages", written(tmp_path, "a"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "DUVO_API_KEY" in done.stderr


@pytest.mark.parametrize(("key", "code"), [("dv_no", 2), (None, 3)])
def test_what_is_refused_alike_is_not_tried_for_ever(
    key: str | None, code: int, emulator: Emulator, tmp_path: Path
) -> None:
    path = written(tmp_path, *["a"] * 1000)
    env = {"DUVO_API_KEY": key} if key else {}
    done = shell("map", NOWHERE, "--messages", path, emulator=emulator, env=env)
    assert done.returncode == code
    assert len(done.stdout.splitlines()) == len(emulator.requests) < 100
    assert "was not read to its end" in done.stderr
    assert "dv_no" not in done.stdout + done.stderr


def test_a_refusal_is_told_while_the_input_keeps_silent(emulator: Emulator) -> None:
    with piped("map", NOWHERE, "--messages", "-", emulator=emulator) as process:
        type_line(process, "a")
        assert process.wait(30) == 3


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["map", "x"], "--messages"),
        (["map", "--messages", "{file}"], "AGENT_ID"),
        (["map", "x", "--local", "--messages", "{file}"], "AGENT_ID"),
        (["map", "--local", "--messages", "nowhere.txt"], "nowhere.txt"),
        (["map", "--local", "--messages", "."], "is a directory"),
        (["map", "--local", "--messages", "{file}", "--approve", "--deny"], "not both"),
        (["map", "--local", "--messages", "{file}", "--answer", "nonsense"], "Q=A"),
        (["map", "--local", "--messages", "{file}", "--timeout", "0"], "positive"),
        (["map", "--local", "--messages", "{file}", "--max-outstanding", "0"], "max_outstanding"),
        (["map", "--local", "--messages", "{file}", "--sandbox", ""], "sandbox_id"),
        (["map", "--local", "--messages", "{file}", "--jsonl"], "messages.txt, line 1: not JSON"),
    ],
)
def test_wrong_words_are_errors(words: list[str], text: str, tmp_path: Path) -> None:
    path = written(tmp_path, "a")
    done = shell(*(word.format(file=path) for word in words))
    assert (done.returncode, done.stdout) == (1, "")
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_a_line_that_is_wrong_is_told_after_the_outcomes(
    emulator: Emulator, agent: str, tmp_path: Path
) -> None:
    (tmp_path / "m.txt").write_bytes(b"quick\nquick\n\xff\nquick\n")
    done = shell("map", agent, "--messages", str(tmp_path / "m.txt"), emulator=emulator)
    assert (done.returncode, done.stdout.count("completed")) == (1, 2)
    assert done.stderr.endswith(f"duvo-async: {tmp_path}/m.txt, line 3: not UTF-8\n")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="Linux has such a file")
def test_a_file_that_cannot_be_read_sends_nothing(emulator: Emulator, agent: str) -> None:
    # It is there, and is no directory, but its first byte cannot be read.
    done = shell("map", agent, "--messages", "/proc/self/mem", emulator=emulator)
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot read /proc/self/mem: Input/output error" in done.stderr
    assert not emulator.requests


# --- what is sent --------------------------------------------------------------------------------


def test_keys_start_each_message_once(emulator: Emulator, agent: str, tmp_path: Path) -> None:
    lines = [f'{{"message": "quick", "idempotency_key": "order-{n}"}}' for n in range(3)]
    path = written(tmp_path, *lines, name="m.jsonl")
    first, second = (
        shell("map", agent, "--messages", path, emulator=emulator).stdout.splitlines()
        for _ in range(2)
    )
    assert sorted(first) == sorted(second)
    sent = [each.idempotency_key for each in emulator.requests if each.method == "POST"]
    assert sorted(filter(None, sent)) == [f"order-{n}" for n in (0, 0, 1, 1, 2, 2)]


def test_a_sandbox_for_all(emulator: Emulator, tmp_path: Path) -> None:
    with Duvo(emulator.api_key, base_url=emulator.url) as duvo:
        sandbox = duvo.sandboxes.create()
        duvo.sandboxes.upload(sandbox.sandbox_id, b"1", path="orders.csv")
    options = ("--sandbox", sandbox.sandbox_id, "--approve", "--json")
    path = written(tmp_path, "a", "b")
    done = shell("map", emulator.demo_agent_id, "--messages", path, *options, emulator=emulator)
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["run"]["sandbox_id"] for each in documents] == [sandbox.sandbox_id] * 2


def test_messages_are_read_as_runs_are_started(emulator: Emulator, agent: str) -> None:
    with piped("map", agent, "--messages", "-", emulator=emulator) as process:
        for index in range(3):
            type_line(process, "quick")
            line = text_of(process.stdout).readline()
            assert line.startswith(f"{index} ")
            assert starts(emulator) == index + 1
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (0, "")
    assert errors.endswith("3 completed\n")


def test_a_fifo_is_read_as_it_fills(emulator: Emulator, agent: str, tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    os.mkfifo(path)
    words = ("map", agent, "--messages", str(path), "--max-outstanding", "1")
    with piped(*words, emulator=emulator) as process:
        with path.open("w", buffering=1) as fifo:
            for index in range(2):
                fifo.write('"quick"\n')
                assert text_of(process.stdout).readline().startswith(f"{index} ")
        assert process.wait(30) == 0


# --- leaving -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "status", "told"),
    [
        ((), "running", "2 runs were left to go on\n"),
        (
            ("--stop-on-exit",),
            "stopped",
            (
                "stopping the runs; Ctrl-C again lets them go on\n"
                "3 inputs in TIME: 1 completed, 2 without an outcome\n"
                "2 runs were told to stop\n"
            ),
        ),
        (("--json",), "running", "2 runs were left to go on\n"),
    ],
)
def test_ctrl_c_on_a_pipe(
    options: tuple[str, ...], status: str, told: str, emulator: Emulator, agent: str
) -> None:
    with piped("map", agent, "--messages", "-", *options, emulator=emulator) as process:
        for message in ("slow", "slow", "quick"):
            type_line(process, message)
        text_of(process.stdout).readline()
        run_ids = wait_until_looked_at(emulator, 3)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert re.sub(r"\d:\d\d:\d\d", "TIME", errors).endswith(told)
    assert "Traceback" not in errors
    assert "destroyed" not in errors
    assert sorted(statuses(emulator, run_ids)) == sorted([status] * 2 + ["completed"])
    if "--json" in options:
        left = [json.loads(line) for line in output.splitlines()]
        assert {each["index"] for each in left} == {0, 1}
        assert left[0]["error"]["message"] == "interrupted; the run goes on"
    elif options:
        assert output.count("error: interrupted; the run was told to stop") == 2


@pytest.mark.parametrize("options", [(), ("--stop-on-exit",)])
def test_ctrl_c_on_a_terminal(
    options: tuple[str, ...], emulator: Emulator, agent: str, tmp_path: Path
) -> None:
    path = written(tmp_path, "slow", "slow")
    with terminal("map", agent, "--messages", path, *options, emulator=emulator) as screen:
        screen.expect(r"under way +2")
        run_ids = wait_until_looked_at(emulator, 2)
        screen.type("\x03")
        shown = screen.expect("told to stop" if options else "2 runs were left to go on")
        assert screen.exit_code() == 130
    assert "Traceback" not in shown
    assert statuses(emulator, run_ids) == ["stopped" if options else "running"] * 2


def test_ctrl_c_while_the_input_keeps_silent(emulator: Emulator, agent: str) -> None:
    with piped("map", agent, "--messages", "-", emulator=emulator) as process:
        type_line(process, "quick")
        text_of(process.stdout).readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        errors = text_of(process.stderr).read()
    assert re.fullmatch(r"1 input in \S+: 1 completed\n", errors)


def test_ctrl_c_before_anybody_writes_to_the_fifo(
    emulator: Emulator, agent: str, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "fifo")
    words = ("map", agent, "--messages", str(tmp_path / "fifo"))
    with terminal(*words, emulator=emulator) as screen:
        screen.expect("inputs +0 so far")
        screen.type("\x03")
        assert screen.exit_code() == 130
    assert not emulator.requests


class Unstoppable(Emulator):
    """Lets no run be stopped, and says so when it is told to."""

    asked: Event
    says_so: Event

    def handle(self, request: Request) -> Response:
        if not request.path.endswith("/stop"):
            return super().handle(request)
        self.asked.set()
        self.says_so.wait()
        return ApiError(409, "not \x1byou").response


@pytest.fixture
def unstoppable() -> Iterator[Unstoppable]:
    with Unstoppable(requests_per_minute=100_000, lists_runs=False) as running:
        running.asked, running.says_so = Event(), Event()
        yield running
        running.says_so.set()


def test_a_run_that_cannot_be_stopped_is_named(unstoppable: Unstoppable) -> None:
    unstoppable.says_so.set()
    words = ("map", unstoppable.add_agent(as_told), "--messages", "-", "--stop-on-exit")
    with piped(*words, emulator=unstoppable) as process:
        type_line(process, "slow")
        (run_id,) = wait_until_looked_at(unstoppable, 1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"run {run_id} could not be stopped: " in errors
    assert "not \ufffdyou" in errors
    assert errors.endswith("\n1 run was left to go on\n")


def test_ctrl_c_again_waits_for_no_stop(unstoppable: Unstoppable) -> None:
    words = ("map", unstoppable.add_agent(as_told), "--messages", "-", "--stop-on-exit")
    with piped(*words, emulator=unstoppable) as process:
        type_line(process, "slow")
        wait_until_looked_at(unstoppable, 1)
        process.send_signal(signal.SIGINT)
        assert text_of(process.stderr).readline().startswith("stopping the runs")
        assert unstoppable.asked.wait(30)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "destroyed" not in errors
    assert errors.splitlines()[1] == "up to 1 may have been started"


def test_a_reader_that_leaves(emulator: Emulator, agent: str) -> None:
    with piped("map", agent, "--messages", "-", emulator=emulator) as process:
        for message in ("slow", "quick"):
            type_line(process, message)
        text_of(process.stdout).readline()
        run_ids = wait_until_looked_at(emulator, 2)
        text_of(process.stdout).close()
        type_line(process, "quick")
        errors = text_of(process.stderr).read()
        assert process.wait(30) == 1
    assert errors.endswith("1 run was left to go on\n")
    assert "Traceback" not in errors
    assert sorted(statuses(emulator, run_ids)) == ["completed", "running"]


def test_local_runs_end_with_the_command() -> None:
    with piped("map", "--local", "--messages", "-") as process:
        type_line(process, "a")
        text_of(process.stdout).readline()
        type_line(process, "b")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "go on" not in errors
    assert "Traceback" not in errors


def test_a_journal_is_gone_on_with(emulator: Emulator, agent: str, tmp_path: Path) -> None:
    path, journal = written(tmp_path, "a", "fail", "b"), str(tmp_path / "my journal")
    words = ("map", agent, "--messages", path, "--journal", journal, "--json")
    first = shell(*words, emulator=emulator)
    assert (first.returncode, first.stderr) == (1, "")
    asked = len(emulator.requests)
    for again in (words, ("resume", journal, "--json")):
        done = shell(*again, emulator=emulator)
        assert (done.returncode, done.stderr) == (1, "")
        assert sorted(done.stdout.splitlines()) == sorted(first.stdout.splitlines())
    assert len(emulator.requests) == asked


def test_a_journal_keeps_all_messages_before_the_first_start(
    emulator: Emulator, agent: str, tmp_path: Path
) -> None:
    journal = tmp_path / "j"
    words = ("map", agent, "--messages", "-", "--journal", str(journal), "--max-outstanding", "1")
    with piped(*words, emulator=emulator) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("a\nslow\nb\n")
        process.stdin.close()
        assert process.stdout.readline().startswith("0 ")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr is not None
        assert f"to go on: duvo-async resume {journal}" in process.stderr.read()
    done = shell("resume", str(journal), "--timeout", "3", "--json", emulator=emulator)
    documents = {each["index"]: each for each in map(json.loads, done.stdout.splitlines())}
    assert [documents[index]["status"] for index in (0, 2)] == ["completed", "completed"]
    assert documents[1]["error"]["type"] == "WaitTimeout"
    runs = [each for each in emulator.requests if each.method == "POST"]
    assert len({each.idempotency_key for each in runs}) == 3


def test_a_second_process_is_told_that_the_journal_is_in_use(
    emulator: Emulator, agent: str, tmp_path: Path
) -> None:
    journal = str(tmp_path / "j")
    words = ("map", agent, "--messages", written(tmp_path, "a", "slow"), "--journal", journal)
    with piped(*words, emulator=emulator) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("0 ")
        second = shell("resume", journal, emulator=emulator)
    assert (second.returncode, second.stdout) == (1, "")
    assert "is in use by another process" in second.stderr


def test_a_journal_that_lacks_an_input_is_left_as_it_is(
    emulator: Emulator, agent: str, tmp_path: Path
) -> None:
    journal = tmp_path / "j"
    with Duvo(emulator.api_key, base_url=emulator.url) as duvo:
        assert len(list(duvo.runs.map(agent, ["a", "", "c"], journal=journal))) == 3
    before = journal.read_bytes()
    done = shell("resume", str(journal), emulator=emulator)
    assert (done.returncode, done.stdout) == (1, "")
    assert "lacks inputs that were wrong: go on with the program" in done.stderr
    assert journal.read_bytes() == before


def test_keys_of_a_file_are_those_of_its_journal(
    emulator: Emulator, agent: str, tmp_path: Path
) -> None:
    file, journal = tmp_path / "m.jsonl", str(tmp_path / "j")
    file.write_text('{"message": "a", "idempotency_key": "k1"}\n')
    words = ("map", agent, "--messages", str(file), "--journal", journal)
    assert shell(*words, emulator=emulator).returncode == 0
    assert shell("resume", journal, emulator=emulator).returncode == 0
    assert [each.idempotency_key for each in emulator.requests if each.method == "POST"] == ["k1"]
    file.write_text('{"message": "a", "idempotency_key": "k2"}\n')
    done = shell(*words, emulator=emulator)
    assert (done.returncode, "is of other inputs" in done.stderr) == (1, True)


def test_starts_that_are_all_refused_end_a_journalled_fan_out_as_any(
    emulator: Emulator, tmp_path: Path
) -> None:
    path, journal = written(tmp_path, *"abcdefghij" * 20), str(tmp_path / "j")
    words = ("map", NOWHERE, "--messages", path, "--journal", journal)
    done = shell(*words, emulator=emulator)
    assert done.returncode == 3
    assert "was not read to its end: starts were refused" in done.stderr
    assert "Traceback" not in done.stderr
    assert shell("resume", journal, emulator=emulator).returncode == 3


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["map", "--local", "--messages", "{file}", "--journal", "{new}"], 1, "--local has none"),
        (["map", NOWHERE, "--messages", "{file}", "--journal", "{file}"], 1, "is no journal"),
        (
            ["map", NOWHERE, "--messages", "{file}", "--journal", "/nowhere/j"],
            1,
            "cannot be opened",
        ),
        (["map", "", "--messages", "{file}", "--journal", "{new}"], 1, "agent_id"),
        (["resume", "{file}"], 1, "is no journal"),
        (["resume", "{new}"], 1, "does not exist"),
        (["resume"], 1, "Missing argument"),
    ],
)
def test_what_is_no_journal(
    emulator: Emulator, tmp_path: Path, words: list[str], code: int, text: str
) -> None:
    places = {"file": written(tmp_path, "a"), "new": str(tmp_path / "new")}
    done = shell(*(word.format(**places) for word in words), emulator=emulator)
    assert done.returncode == code
    assert text in done.stderr
    assert "Traceback" not in done.stderr
