"""Cases from files, as the shell creates them: odd files, and what breaks off in the middle."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from duvo_async import Duvo
from duvo_async.cli.cases import CaseFile
from duvo_async.cli.inputs import InputError
from duvo_async.emulator import Emulator
from tests.support.shell import piped, shell


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(requests_per_minute=100_000) as running:
        yield running


@pytest.fixture
def queue(emulator: Emulator) -> str:
    with Duvo(emulator.api_key, base_url=emulator.url) as duvo:
        return duvo.queues.create("Invoices").id


def written(folder: Path, text: str | bytes, name: str = "cases.csv") -> str:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def titles(emulator: Emulator, queue: str) -> list[str]:
    return [case.title for case in emulator.cases(queue)]


def key_in(errors: str) -> str:
    return errors.split("--idempotency-key ")[1].split(maxsplit=1)[0]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_has_the_delimiter_of_its_first_row(tmp_path: Path, delimiter: str) -> None:
    rows = [["title", "data"], ["One", '"a\nb"'], ["Two", ""]]
    text = "\r\n".join(delimiter.join(row) for row in rows)
    first, second = CaseFile(written(tmp_path, text))
    assert (first.title, first.data, second.title, second.data) == ("One", "a\nb", "Two", None)


def test_a_cell_may_be_long(tmp_path: Path) -> None:
    (case,) = CaseFile(written(tmp_path, f"title,data\nOne,{'x' * 200_000}\n"))
    assert case.data == "x" * 200_000


def test_data_may_be_an_object(tmp_path: Path) -> None:
    (case,) = CaseFile(written(tmp_path, '{"title": "One", "data": {"a": ["č"]}}', "cases.jsonl"))
    assert case.data == '{"a": ["č"]}'


def test_a_title_may_look_like_anything(tmp_path: Path) -> None:
    assert [case.title for case in CaseFile(written(tmp_path, "{draft} 1\n[x]\n", "a.txt"))] == [
        "{draft} 1",
        "[x]",
    ]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.csv", f'title,data\nA,"\n\n"\n{"x" * 501},\n', "line 5: title must"),
        ("a.csv", 'title\nA\n"x\n', "line 3: unexpected end"),
        ("a.csv", "title,title\nA,B\n", "first row"),
        ("a.csv", "", "first row"),
        ("a.jsonl", '"A"\n\n{"title": "B", "priority": 7}\n', "line 3: priority must"),
        ("a.jsonl", '{"title": "B", "data": 7}\n', "line 1: data must"),
        ("a.jsonl", '{"title": "B", "labels": 7}\n', "line 1: labels must"),
        ("a.txt", f"A\n{'x' * 501}\n", "line 2: title must"),
    ],
)
def test_a_row_that_the_api_would_refuse_has_its_number(
    tmp_path: Path, name: str, text: str, problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        list(CaseFile(written(tmp_path, text, name)))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("csv", "\ufefftitle,data\nČ,x\n"),
        ("jsonl", '{"title": "Č", "data": "x"}\n'),
        ("json", '[{"title": "Č", "data": "x"}]'),
        ("lines", "Č\n"),
    ],
)
def test_the_standard_input_is_what_it_is_said_to_be(
    emulator: Emulator, queue: str, kind: str, text: str
) -> None:
    words = ("cases", "create", queue, "--from-file", "-", "--format", kind)
    with piped(*words, emulator=emulator) as process:
        _, errors = process.communicate(text, timeout=30)
    assert (process.returncode, errors) == (0, "1 case created\n")
    assert titles(emulator, queue) == ["Č"]


def test_what_breaks_off_can_be_gone_on_with(
    emulator: Emulator, queue: str, tmp_path: Path
) -> None:
    rows = "".join(f"Case {number},\n" for number in range(150))
    path = written(tmp_path, f"title,data\n{rows},\n")
    words = ("cases", "create", queue, "--from-file", path)
    broken = shell(*words, emulator=emulator)
    assert (broken.returncode, broken.stdout.count("\n")) == (1, 100)
    assert broken.stderr.startswith("100 cases created\n")
    assert "line 152: title must" in broken.stderr
    assert "repeat the call" not in broken.stderr
    written(tmp_path, f"title,data\n{rows}Last,\n")
    done = shell(*words, "--idempotency-key", key_in(broken.stderr), emulator=emulator)
    assert (done.returncode, done.stderr) == (0, "151 cases created\n")
    assert titles(emulator, queue) == [*(f"Case {number}" for number in range(150)), "Last"]


def test_nothing_is_said_of_going_on_where_nothing_was_created(
    emulator: Emulator, queue: str, tmp_path: Path
) -> None:
    for queue_id, text, code in ((queue, "name\n", 1), (emulator.user_id, "title\nA\n", 3)):
        path = written(tmp_path, text)
        done = shell("cases", "create", queue_id, "--from-file", path, emulator=emulator)
        assert done.returncode == code
        assert done.stderr.startswith("0 cases created\n")
        assert "idempotency" not in done.stderr


def test_ctrl_c_while_a_pipe_is_silent_ends_it_and_says_how_to_go_on(
    emulator: Emulator, queue: str
) -> None:
    words = ("cases", "create", queue, "--from-file", "-", "--json")
    with piped(*words, emulator=emulator) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("".join(f"Case {number}\n" for number in range(130)))
        process.stdin.flush()
        made = [json.loads(process.stdout.readline())["title"] for _ in range(100)]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr is not None
        errors = process.stderr.read()
    assert made == [f"Case {number}" for number in range(100)]
    assert key_in(errors)
    assert "100 cases created" in errors


def test_a_reader_that_leaves_is_told_how_to_go_on(emulator: Emulator, queue: str) -> None:
    words = ("cases", "create", queue, "--from-file", "-")
    with piped(*words, emulator=emulator) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write("".join(f"Case {number}\n" for number in range(100)))
        process.stdin.close()
        errors = process.stderr.read()
        assert process.wait(30) == 1
    assert "100 cases created" in errors
    assert key_in(errors)
    assert "Traceback" not in errors
