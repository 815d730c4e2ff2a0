"""The command's uploads: what goes where, its output, its exit codes, Ctrl-C."""

import io
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest
from rich.console import Console

from duvo_async import Duvo, UploadedFile, UploadOutcome, UploadProgress
from duvo_async.cli.bars import Bars
from duvo_async.cli.uploads import Extent, summary
from duvo_async.emulator import Emulator
from tests.support.shell import piped, shell, terminal

if TYPE_CHECKING:
    import subprocess


pytestmark = pytest.mark.once


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(requests_per_minute=100_000) as running:
        yield running


@pytest.fixture
def sandbox_id(emulator: Emulator) -> str:
    with Duvo(emulator.api_key, base_url=emulator.url) as duvo:
        return duvo.sandboxes.create().sandbox_id


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make `invoices`, with a file, a folder with a file, and an empty folder."""
    folder = tmp_path / "invoices"
    (folder / "2025").mkdir(parents=True)
    (folder / "none").mkdir()
    (folder / "a.csv").write_bytes(b"1")
    (folder / "2025" / "b.csv").write_bytes(b"22")
    return folder


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """Make a file that is opened only once somebody writes to it."""
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


def written(folder: Path, name: str, data: bytes = b"123") -> str:
    (folder / name).write_bytes(data)
    return str(folder / name)


def text_of(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def tree(emulator: Emulator, sandbox_id: str, path: str = "/workspace") -> dict[str, int]:
    """Tell the size of each file of a sandbox."""
    found: dict[str, int] = {}
    with Duvo(emulator.api_key, base_url=emulator.url) as duvo:
        entries = list(duvo.sandboxes.files(sandbox_id, path))
    for entry in entries:
        if entry.type == "dir":
            found |= tree(emulator, sandbox_id, entry.path)
        else:
            found[entry.path] = entry.size_bytes
    return found


@contextmanager
def open_when_read(fifo: str, process: "subprocess.Popen[str]") -> Iterator[None]:
    """Open a FIFO as soon as the command has opened it."""
    descriptor = None
    while descriptor is None:
        assert process.poll() is None
        with suppress(OSError):  # nobody reads it
            descriptor = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    yield
    os.close(descriptor)


def uploads(emulator: Emulator) -> int:
    return sum(each.path.endswith("/files") for each in emulator.requests if each.method == "POST")


# --- what is printed -----------------------------------------------------------------------------


def test_a_file_in_a_new_sandbox(emulator: Emulator, tmp_path: Path) -> None:
    done = shell("upload", written(tmp_path, "a.csv"), emulator=emulator)
    made, uploaded = done.stdout.splitlines()
    _, sandbox_id, *expires = made.split()
    assert expires[:2] == ["expires", "at"]
    assert uploaded == "uploaded /workspace/a.csv (3 bytes)"
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(emulator, sandbox_id) == {"/workspace/a.csv": 3}


def test_files_folders_and_patterns(
    emulator: Emulator, sandbox_id: str, folder: Path, tmp_path: Path
) -> None:
    written(tmp_path, "x.txt")
    words = ("upload", "--sandbox", sandbox_id, "--to", "in", str(folder), f"{tmp_path}/*.txt")
    done = shell(*words, emulator=emulator)
    arrived = {
        "/workspace/in/invoices/2025/b.csv": 2,
        "/workspace/in/invoices/a.csv": 1,
        "/workspace/in/x.txt": 3,
    }
    assert tree(emulator, sandbox_id) == arrived
    lines = [f"uploaded {path} ({size} bytes)" for path, size in arrived.items()]
    assert sorted(done.stdout.splitlines()) == lines
    assert (done.returncode, done.stderr) == (0, "3 files: 3 uploaded (6 bytes)\n")


def test_one_json_document(emulator: Emulator, tmp_path: Path) -> None:
    source = written(tmp_path, "a.csv")
    done = shell("upload", "--json", source, f"{tmp_path}/b.csv", emulator=emulator)
    document = json.loads(done.stdout)
    assert set(document) == {"sandbox_id", "expires_at", "files"}
    assert document["expires_at"]
    error = document["files"][1].pop("error")
    assert document["files"] == [
        {
            "source": source,
            "path": "/workspace/a.csv",
            "size_bytes": 3,
            "skipped": False,
            "error": None,
        },
        {"source": f"{tmp_path}/b.csv", "path": None, "size_bytes": None, "skipped": False},
    ]
    assert error["type"] == "UploadSourceError"
    assert "b.csv" in error["message"]
    assert (done.returncode, done.stderr) == (1, "")
    assert tree(emulator, document["sandbox_id"]) == {"/workspace/a.csv": 3}


def test_a_document_names_the_sandbox_that_was_given(
    emulator: Emulator, sandbox_id: str, tmp_path: Path
) -> None:
    words = ("upload", "--json", "--sandbox", sandbox_id, written(tmp_path, "a.csv"))
    document = json.loads(shell(*words, emulator=emulator).stdout)
    assert (document["sandbox_id"], document["expires_at"]) == (sandbox_id, None)


def test_a_document_is_json_in_any_encoding(emulator: Emulator, tmp_path: Path) -> None:
    source = written(tmp_path, "caf\u00e9 \U0001f600.csv")
    env = {"PYTHONIOENCODING": "latin-1"}
    done = shell("upload", "--json", source, emulator=emulator, env=env)
    assert json.loads(done.stdout)["files"][0]["source"] == source


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_name_that_cannot_be_sent(
    options: tuple[str, ...], emulator: Emulator, sandbox_id: str, folder: Path
) -> None:
    sources = [written(folder, name) for name in ("b\udcff", "c\x1b[31m", "d\u202e")]
    done = shell("upload", "--sandbox", sandbox_id, *options, str(folder), emulator=emulator)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    arrived = ["2025/b.csv", "a.csv", "d\u202e"]
    assert list(tree(emulator, sandbox_id)) == [f"/workspace/invoices/{name}" for name in arrived]
    if options:
        failed = [each for each in json.loads(done.stdout)["files"] if each["error"]]
        assert [each["source"] for each in failed] == sources[:2]
    else:
        assert "uploaded /workspace/invoices/d\ufffd (3 bytes)\n" in done.stdout
        first, second, _ = done.stderr.splitlines()
        assert first.startswith(f"failed {folder}/b\\udcff: ")
        assert second.startswith(f"failed {folder}/c\ufffd[31m: ")


@pytest.mark.parametrize(
    ("outcomes", "text"),
    [
        ([("a", 1200, False)], "uploaded /a (1,200 bytes)"),
        ([("a", 1, True)], "1 file: 0 uploaded (0 bytes), 1 there already"),
        (
            [("a", 1200, False), ("b", 5, False), ("c", 7, True), ("d", None, False)],
            "4 files: 2 uploaded (1,205 bytes), 1 there already, 1 failed",
        ),
        ([("a", 1, False)] * 1200, "1,200 files: 1,200 uploaded (1,200 bytes)"),
    ],
)
def test_summaries(outcomes: list[tuple[str, int | None, bool]], text: str) -> None:
    made = [
        UploadOutcome(
            index=index,
            source=name,
            path=f"/{name}",
            file=None if size is None else UploadedFile(path=f"/{name}", size_bytes=size),
            error=ValueError() if size is None else None,
            skipped=skipped,
        )
        for index, (name, size, skipped) in enumerate(outcomes)
    ]
    assert summary(made) == text


# --- on a terminal -------------------------------------------------------------------------------


def drawn(*steps: UploadProgress, extent: Extent | None = None) -> str:
    """Draw what is on the screen after the last step."""
    bars = Bars(80, extent)
    for each in steps:
        bars.take(each)
    console = Console(file=io.StringIO(), color_system=None, width=80)
    with console.capture() as capture:
        console.print(bars.lines)
    return capture.get()


def step(path: str, sent: int, *, attempt: int = 1, finished: bool = False) -> UploadProgress:
    return UploadProgress(path=path, sent=sent, total=4000, attempt=attempt, finished=finished)


def test_a_bar_a_file_while_it_is_under_way() -> None:
    shown = drawn(
        step("/workspace/done", 0),
        step("/workspace/[red]\x1b", 0),
        step("/workspace/[red]\x1b", 1000),
        step("/workspace/done", 4000, finished=True),
    )
    assert "/workspace/[red]\ufffd" in shown
    assert "1.0/4.0 kB" in shown
    assert "done" not in shown
    assert "1 file arrived" in shown
    assert "5.0/? kB" in shown


def test_the_total_is_known_where_the_files_are() -> None:
    steps = (step("/a", 0), step("/a", 4000, finished=True))
    shown = drawn(*steps, extent=Extent(files=3, size=10_000))
    assert "1 of 3 files arrived" in shown
    assert "4.0/10.0 kB" in shown
    shown = drawn(*steps, extent=Extent(files=1, size=0))  # of a pipe
    assert "4.0/4.0 kB" in shown


def test_an_attempt_begins_anew() -> None:
    shown = drawn(step("/a", 0), step("/a", 3000), step("/a", 0, attempt=2))
    assert "/a (attempt 2)" in shown
    assert "0.0/4.0 kB" in shown
    assert "0 files arrived" in shown
    assert "0/? bytes" in shown


def test_long_names_keep_their_ends() -> None:
    shown = drawn(step("/workspace/" + "\u5b57" * 100 + "/end.csv", 0))
    assert "/end.csv" in shown
    assert "/workspace" not in shown


def test_files_that_are_given_up_take_no_room() -> None:
    shown = drawn(*(step(f"/{name}", 0) for name in "abcdefgha"), step("/i", 0), step("/b", 10))
    assert [name for name in "abcdefghi" if f"/{name} " in shown] == list("abdefghi")


def test_a_terminal_shows_how_far_it_is(emulator: Emulator, tmp_path: Path, fifo: Path) -> None:
    words = ("upload", written(tmp_path, "a.csv"), str(fifo), f"{tmp_path}/no\n\udcff")
    with terminal(*words, emulator=emulator) as screen:
        screen.expect(r"sandbox \S+ expires at")
        screen.expect(r"1 of 3 files arrived")
        fifo.write_bytes(b"1")
        screen.expect(rf"failed {tmp_path}/no \\udcff: ")
        screen.expect(r"3 files: 2 uploaded \(4 bytes\), 1 failed")
        assert screen.exit_code() == 1


def test_a_terminal_says_where_a_single_file_is(emulator: Emulator, tmp_path: Path) -> None:
    with terminal("upload", written(tmp_path, "a.csv"), emulator=emulator) as screen:
        screen.expect(r"uploaded /workspace/a.csv \(3 bytes\)")
        assert screen.exit_code() == 0


# --- only what is lacking ------------------------------------------------------------------------


def test_what_is_there_already_is_not_sent_again(
    emulator: Emulator, sandbox_id: str, folder: Path
) -> None:
    words = ("upload", "--sync", "--sandbox", sandbox_id, str(folder))
    assert shell(*words, emulator=emulator).returncode == 0
    there = tree(emulator, sandbox_id)
    sent = uploads(emulator)
    (folder / "a.csv").write_bytes(b"333")
    done = shell(*words, emulator=emulator)
    assert len(done.stdout.splitlines()) == 1
    assert done.stdout.endswith("a.csv (3 bytes)\n")
    assert done.stderr == "2 files: 1 uploaded (3 bytes), 1 there already\n"
    assert uploads(emulator) == sent + 1
    again = json.loads(shell(*words, "--json", emulator=emulator).stdout)
    assert [file["skipped"] for file in again["files"]] == [True, True]
    assert sorted(file["path"] for file in again["files"]) == sorted(there)


# --- the files of a run --------------------------------------------------------------------------


def test_a_run_gets_folders_and_patterns(emulator: Emulator, folder: Path) -> None:
    files = ("--file", str(folder), "--file", f"{folder}/20*/*.csv")
    done = shell("run", emulator.demo_agent_id, *files, "--approve", emulator=emulator)
    assert (done.returncode, done.stderr) == (0, "")
    lines = sorted(line for line in done.stdout.splitlines() if line.startswith("uploaded "))
    assert lines == [
        "uploaded /workspace/2025/b.csv (2 bytes)",
        "uploaded /workspace/invoices/2025/b.csv (2 bytes)",
        "uploaded /workspace/invoices/a.csv (1 bytes)",
    ]
    assert "2025/b.csv: 2 bytes" in done.stdout


def test_the_files_of_a_run_are_in_its_document(emulator: Emulator, folder: Path) -> None:
    words = ("run", emulator.demo_agent_id, "--file", str(folder), "--approve", "--json")
    files = json.loads(shell(*words, emulator=emulator).stdout)["files"]
    assert [(file["source"], file["size_bytes"]) for file in files] == [
        (f"{folder}/2025/b.csv", 2),
        (f"{folder}/a.csv", 1),
    ]


def test_a_terminal_sums_up_the_files_of_a_run(emulator: Emulator, folder: Path) -> None:
    words = ("run", emulator.demo_agent_id, "--file", str(folder), "--approve")
    with terminal(*words, emulator=emulator) as screen:
        screen.expect(r"2 files: 2 uploaded \(3 bytes\)")
        screen.expect("is completed")
        assert screen.exit_code() == 0


@pytest.mark.parametrize(
    ("files", "text"),
    [
        (["{}/none"], "there is no file in {}/none"),
        (["{}/*.txt"], "cannot read {}/*.txt: no file matches it"),
        (["{}/a.csv", "{}/2025/a.csv"], "two files would go to /workspace/a.csv"),
    ],
)
def test_no_run_is_started_without_its_files(
    files: list[str], text: str, emulator: Emulator, folder: Path
) -> None:
    written(folder / "2025", "a.csv")
    options = [word for file in files for word in ("--file", file.format(folder))]
    done = shell("run", emulator.demo_agent_id, *options, emulator=emulator)
    assert (done.returncode, done.stdout) == (1, "")
    assert text.format(folder) in done.stderr
    assert not emulator.requests


@pytest.mark.skipif(sys.platform != "linux", reason="it needs a file that cannot be read by root")
def test_a_run_names_the_file_that_cannot_be_read(emulator: Emulator, folder: Path) -> None:
    options = ("--file", str(folder), "--file", "/proc/self/mem")
    done = shell("run", emulator.demo_agent_id, *options, emulator=emulator)
    assert done.returncode == 1
    assert "cannot read /proc/self/mem" in done.stderr
    assert re.search(r"[0-9] of [0-9] files had arrived before\n$", done.stderr)
    assert not any(each.path.startswith("/v1/runs") for each in emulator.requests)


def test_a_mistyped_file_makes_no_sandbox(emulator: Emulator, folder: Path) -> None:
    options = ("--file", str(folder), "--file", f"{folder}/nowhere.csv")
    done = shell("run", emulator.demo_agent_id, *options, emulator=emulator)
    assert (done.returncode, done.stdout) == (1, "")
    assert "nowhere.csv" in done.stderr
    assert not emulator.requests


# --- exit codes ----------------------------------------------------------------------------------


def test_what_fails_is_named_and_the_others_arrive(
    emulator: Emulator, sandbox_id: str, tmp_path: Path
) -> None:
    sources = (f"{tmp_path}/a.csv", written(tmp_path, "b.csv"), f"{tmp_path}/*.txt")
    done = shell("upload", "--sandbox", sandbox_id, *sources, emulator=emulator)
    assert (done.returncode, done.stdout) == (1, "uploaded /workspace/b.csv (3 bytes)\n")
    first, second, last = done.stderr.splitlines()
    assert first.startswith(f"failed {sources[0]}: ")
    assert second.startswith(f"failed {sources[2]}: ")
    assert last == "3 files: 1 uploaded (3 bytes), 2 failed"


def test_an_unknown_sandbox_is_not_found(emulator: Emulator, tmp_path: Path) -> None:
    sources = [written(tmp_path, f"{number}.csv") for number in range(30)]
    done = shell("upload", "--sandbox", "nowhere", *sources, emulator=emulator)
    assert (done.returncode, done.stdout) == (3, "")
    *failed, last = done.stderr.splitlines()
    assert uploads(emulator) == len(failed) < 30
    assert all("404" in line for line in failed)
    assert any(f" and {30 - len(failed)} files more: POST " in line for line in failed)
    assert last == "30 files: 0 uploaded (0 bytes), 30 failed"


def test_without_a_key_it_is_authentication(tmp_path: Path) -> None:
    done = shell("upload", written(tmp_path, "a.csv"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "DUVO_API_KEY" in done.stderr


@pytest.mark.parametrize("sandbox", [(), ("--sandbox", "any")])
def test_a_wrong_key_is_authentication(
    sandbox: tuple[str, ...], emulator: Emulator, tmp_path: Path
) -> None:
    words = ("upload", "--json", *sandbox, written(tmp_path, "a.csv"))
    done = shell(*words, emulator=emulator, env={"DUVO_API_KEY": "dv_no"})
    assert done.returncode == 2
    document = json.loads(done.stdout)
    errors = [document["error"]] if not sandbox else [each["error"] for each in document["files"]]
    assert [error["type"] for error in errors] == ["AuthenticationError"]
    assert "dv_no" not in done.stdout + done.stderr


@pytest.mark.parametrize("options", [(), ("--sync",)])
def test_no_file_at_all_is_an_error(
    options: tuple[str, ...], emulator: Emulator, folder: Path
) -> None:
    done = shell("upload", "--json", *options, str(folder / "none"), emulator=emulator)
    assert done.returncode == 1
    assert f"there is no file in {folder}/none" in done.stderr
    document = json.loads(done.stdout)
    assert (document["files"], document["error"]["type"]) == ([], "UploadSourceError")


def test_two_files_to_one_path_send_nothing(
    emulator: Emulator, sandbox_id: str, folder: Path
) -> None:
    sources = (str(folder / "a.csv"), written(folder / "2025", "a.csv"))
    done = shell("upload", "--sandbox", sandbox_id, *sources, emulator=emulator)
    assert (done.returncode, done.stdout) == (1, "")
    assert "/workspace/a.csv" in done.stderr
    assert tree(emulator, sandbox_id) == {}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["upload"], "PATH"),
        (["upload", "--nonsense"], "--nonsense"),
        (["upload", "--sandbox", "sbx", "--to", "../up", "README.md"], "'..'"),
        (["upload", "--sandbox", "sbx", "--", "--sync"], "failed --sync: "),
        (["upload", "--sandbox", "sbx", ""], "failed '': "),
        (["upload", "--sandbox", "sbx", "b\udcff"], "b\\udcff"),
        (["upload", "--sandbox", "sbx", "--sync", "README.md"], "README.md"),
        (["upload", "--sandbox", "sbx", "--sync", "duvo_async", "tests"], "one folder"),
    ],
)
def test_wrong_words_are_errors(words: list[str], text: str, emulator: Emulator) -> None:
    done = shell(*words, emulator=emulator)
    assert (done.returncode, done.stdout) == (1, "")
    assert text in done.stderr
    assert "Traceback" not in done.stderr


# --- leaving -------------------------------------------------------------------------------------


def test_ctrl_c_on_a_pipe(emulator: Emulator, sandbox_id: str, tmp_path: Path, fifo: Path) -> None:
    sources = (written(tmp_path, "a.csv"), str(fifo))
    with piped("upload", "--sandbox", sandbox_id, *sources, emulator=emulator) as process:
        assert text_of(process.stdout).readline() == "uploaded /workspace/a.csv (3 bytes)\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (130, "")
    assert errors == f"1 file had arrived in sandbox {sandbox_id}\n"


def test_ctrl_c_leaves_a_document(emulator: Emulator, sandbox_id: str, tmp_path: Path) -> None:
    fifos = [str(tmp_path / f"fifo{number}") for number in range(8)]
    for each in fifos:
        os.mkfifo(each)
    sources = (written(tmp_path, "a.csv"), *fifos)
    words = ("upload", "--json", "--sandbox", sandbox_id, *sources)
    # Eight at once: the last is begun when another has arrived, and none but the first can.
    with (
        piped(*words, emulator=emulator) as process,
        open_when_read(fifos[-1], process),
    ):
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors == f"1 file had arrived in sandbox {sandbox_id}\n"
    document = json.loads(output)
    assert document["error"] == {"type": "KeyboardInterrupt", "message": "interrupted"}
    (file,) = document["files"]
    assert (file["source"], file["path"], file["size_bytes"]) == (None, "/workspace/a.csv", 3)


def test_ctrl_c_while_a_run_gets_its_files(emulator: Emulator, tmp_path: Path, fifo: Path) -> None:
    words = ("run", emulator.demo_agent_id, "--file", written(tmp_path, "a"), "--file", str(fifo))
    with piped(*words, emulator=emulator) as process:
        assert text_of(process.stdout).readline() == "uploaded /workspace/a (3 bytes)\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 130


def test_ctrl_c_on_a_terminal(emulator: Emulator, tmp_path: Path, fifo: Path) -> None:
    words = ("upload", written(tmp_path, "a.csv"), str(fifo))
    with terminal(*words, emulator=emulator) as screen:
        screen.expect("1 of 2 files arrived")
        screen.type("\x03")
        shown = screen.expect("1 file had arrived in sandbox sbx_")
        assert screen.exit_code() == 130
    assert "Traceback" not in shown


def test_a_reader_that_leaves(
    emulator: Emulator, sandbox_id: str, tmp_path: Path, fifo: Path
) -> None:
    sources = (written(tmp_path, "a.csv"), str(fifo))
    with piped("upload", "--sandbox", sandbox_id, *sources, emulator=emulator) as process:
        text_of(process.stdout).readline()
        text_of(process.stdout).close()
        fifo.write_bytes(b"1")
        errors = text_of(process.stderr).read()
        assert process.wait(30) == 1
    assert errors == f"2 files had arrived in sandbox {sandbox_id}\n"


def test_a_reader_that_leaves_while_a_run_gets_its_files(
    emulator: Emulator, tmp_path: Path, fifo: Path
) -> None:
    words = ("run", emulator.demo_agent_id, "--file", written(tmp_path, "a"), "--file", str(fifo))
    with piped(*words, emulator=emulator) as process:
        text_of(process.stdout).readline()
        text_of(process.stdout).close()
        fifo.write_bytes(b"1")
        errors = text_of(process.stderr).read()
        assert (process.wait(30), errors) == (1, "")
    assert not any(each.path.startswith("/v1/runs") for each in emulator.requests)
