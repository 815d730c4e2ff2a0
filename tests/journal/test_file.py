"""The journal's file: whose it is, what it holds, what is wrong with it."""

import os
import sqlite3
import stat
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attrs import evolve

from duvo_async import HumanRequest, HumanRequestType, JournalError, Run, RunStatus
from duvo_async._journal_file import Entry, JournalBatch, JournalFile, News

BATCH = JournalBatch("https://api.duvo.ai", "v1", "agent", None)
NOW = datetime(2026, 1, 1, 12, 30, 15, 123456, tzinfo=UTC)
RUN = Run(
    id="r",
    agent_id="agent",
    build_id="b",
    status=RunStatus("a word of next year"),
    source=None,
    sandbox_id=None,
    started_at=NOW,
    completed_at=None,
    created_at=NOW,
    updated_at=NOW,
    human_in_the_loop_enabled=True,
    pending_human_request=HumanRequest(
        id="q", title="Post?", description=None, created_at=NOW, type=HumanRequestType.APPROVAL
    ),
)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    entries = [
        Entry(0, "a\x00b 𝄞\n", "k0"),
        Entry(1, None, "k1", "https://h/hook"),
        Entry(5, "c", "k5"),
    ]
    with JournalFile(tmp_path / "j", BATCH) as file:
        assert (file.inputs, file.known, list(file.entries())) == (None, 0, [])
        file.write(entries, [News(1, "r1"), News(5, "r", RUN)], 6)
    with JournalFile(tmp_path / "j") as file:
        assert (file.batch, file.inputs, file.known) == (BATCH, 6, 6)
        ended = evolve(entries[2], run_id="r", run=RUN)
        assert list(file.entries()) == [entries[0], evolve(entries[1], run_id="r1"), ended]
        assert list(file.entries(1, 1)) == [evolve(entries[1], run_id="r1")]


def test_all_of_a_write_or_nothing(tmp_path: Path) -> None:
    with JournalFile(tmp_path / "j", BATCH) as file:
        file.write([Entry(0, "a", "k")], ())
        with pytest.raises(JournalError, match="UNIQUE"):
            file.write([Entry(1, "b", "k1"), Entry(0, "a", "k")], ())
        assert [each.position for each in file.entries()] == [0]


def test_what_was_written_is_on_the_disk(tmp_path: Path) -> None:
    with JournalFile(tmp_path / "j", BATCH) as file:
        ask = file._database.execute  # noqa: SLF001 - what no test without a power cut shows
        assert ask("PRAGMA synchronous").fetchone() == (2,)  # FULL: each commit is
        assert ask("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_one_that_is_taken_away_is_missed(tmp_path: Path, how: str) -> None:
    file = JournalFile(tmp_path / "j", BATCH)
    file.write([Entry(0, "a", "k")], ())
    (tmp_path / "j").rename(tmp_path / "k")
    if how == "replaced":
        (tmp_path / "j").touch()
    with pytest.raises(JournalError, match="was removed or replaced meanwhile"):
        file.close()


def test_text_that_is_none_is_told(tmp_path: Path) -> None:
    with (
        JournalFile(tmp_path / "j", BATCH) as file,
        pytest.raises(JournalError, match="cannot hold a message that is no Unicode text"),
    ):
        file.write([Entry(0, "\ud800", "k")], ())


def test_another_generations_is_another(tmp_path: Path) -> None:
    JournalFile(tmp_path / "j", BATCH).close()
    with pytest.raises(JournalError, match="its api_version is 'v1', not 'v2'"):
        JournalFile(tmp_path / "j", evolve(BATCH, api_version="v2"))


def test_what_is_not_there_is_not_made_to_go_on_with(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be opened"):
        JournalFile(tmp_path / "j")
    assert not (tmp_path / "j").exists()


def test_one_with_nothing_in_it_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    (tmp_path / "j").touch()
    with pytest.raises(JournalError, match="nothing was begun with it"):
        JournalFile(tmp_path / "j")
    with JournalFile(tmp_path / "j", BATCH) as file:
        assert file.batch == BATCH


@pytest.mark.parametrize("content", [b"no journal at all\n" * 100, b"x", b"x" * 512])
def test_another_file_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "j").write_bytes(content)
    with pytest.raises(JournalError, match="is no journal"):
        JournalFile(tmp_path / "j", BATCH)
    assert (tmp_path / "j").read_bytes() == content


def test_another_database_is_left_as_it_is(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "j")
    other.execute("CREATE TABLE mine (x)")
    other.close()
    before = (tmp_path / "j").read_bytes()
    with pytest.raises(JournalError, match="is a database of another kind"):
        JournalFile(tmp_path / "j", BATCH)
    assert (tmp_path / "j").read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["j"]


def test_one_of_a_later_version_is_left_to_it(tmp_path: Path) -> None:
    JournalFile(tmp_path / "j", BATCH).close()
    other = sqlite3.connect(tmp_path / "j")
    other.execute("PRAGMA user_version = 2")
    other.close()
    with pytest.raises(JournalError, match="has version 2 of its tables"):
        JournalFile(tmp_path / "j", BATCH)


def test_a_damaged_run_is_told(tmp_path: Path) -> None:
    with JournalFile(tmp_path / "j", BATCH) as file:
        file.write([Entry(0, "a", "k")], [News(0, "r", RUN)])
        file._database.execute("UPDATE input SET run = '{}'")  # noqa: SLF001 - as a disk might
        with pytest.raises(JournalError, match=r"is damaged: .*input\[0\]"):
            list(file.entries())


def test_damaged_text_is_told(tmp_path: Path) -> None:
    with JournalFile(tmp_path / "j", BATCH) as file:
        file.write([Entry(0, "a", "k")], ())
        file._database.execute("UPDATE input SET message = CAST(x'ff' AS TEXT)")  # noqa: SLF001 - as above
        with pytest.raises(JournalError, match="decode"):
            list(file.entries())


@pytest.mark.skipif(sys.platform == "win32", reason="its files are locked in another way")
class TestOneAtATime:
    """Whatever happens to the file meanwhile, nobody else has it, and it stays whole."""

    PROGRAM = """
import os, sys
from pathlib import Path
from duvo_async import JournalError
from duvo_async._journal_file import Entry, JournalBatch, JournalFile
path, batch = Path(sys.argv[1]), JournalBatch("https://api.duvo.ai", "v1", "agent", None)
"""

    def run(self, path: Path, program: str) -> str:
        """Run a program that is another process; give what it prints."""
        command = [sys.executable, "-c", self.PROGRAM + textwrap.dedent(program), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - ours
        return done.stdout

    @pytest.mark.parametrize("meanwhile", ["nothing", "refused", "read"])
    def test_no_other_process_has_it(self, tmp_path: Path, meanwhile: str) -> None:
        path = tmp_path / "j"
        with JournalFile(path, BATCH):
            if meanwhile == "refused":
                with pytest.raises(JournalError, match="is in use"):
                    JournalFile(path, BATCH)
            elif meanwhile == "read":
                path.read_bytes()
            told = self.run(
                path,
                """
                try:
                    JournalFile(path, batch)
                except JournalError as error:
                    print(error)
                """,
            )
            assert "is in use by another process" in told
        assert self.run(path, "print(JournalFile(path, batch).known)") == "0\n"

    def test_the_end_of_a_forked_child_takes_nothing_from_it(self, tmp_path: Path) -> None:
        told = self.run(
            tmp_path / "j",
            """
            file = JournalFile(path, batch)
            file.write([Entry(0, "a", "k0")], ())
            if not os.fork():
                file.close()
                sys.exit()
            os.wait()
            file.write([Entry(1, "b", "k1")], ())
            print(file.known, flush=True)
            os._exit(0)  # as if it were killed
            """,
        )
        assert told == "0\n"
        with JournalFile(tmp_path / "j") as file:
            assert [each.idempotency_key for each in file.entries()] == ["k0", "k1"]

    def test_a_forked_child_that_lives_on_does_not_keep_it(self, tmp_path: Path) -> None:
        told = self.run(
            tmp_path / "j",
            """
            file = JournalFile(path, batch)
            reader, writer = os.pipe()
            if not os.fork():
                os.read(reader, 1)
                os._exit(0)
            file.close()
            with JournalFile(path, batch):
                print("again")
            os.write(writer, b".")
            os.wait()
            """,
        )
        assert told == "again\n"


def test_a_file_that_others_could_read_is_for_its_owner(tmp_path: Path) -> None:
    (tmp_path / "j").touch(0o644)
    (tmp_path / "j").chmod(0o644)
    with JournalFile(tmp_path / "j", BATCH):
        modes = {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    assert modes == {0o600}


@pytest.mark.skipif(sys.platform == "win32", reason="there are none")
def test_what_is_no_file_is_no_journal(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "j")
    with pytest.raises(JournalError, match="is no journal"):
        JournalFile(tmp_path / "j", BATCH)


@pytest.mark.parametrize("place", ["nowhere/j", "."])
def test_a_place_where_none_can_be(tmp_path: Path, place: str) -> None:
    with pytest.raises(JournalError, match="cannot be opened"):
        JournalFile(tmp_path / place, BATCH)


def test_names_that_mean_something_to_sqlite_are_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (":memory:", "a?mode=memory", "b#c", "d%20e"):
        JournalFile(Path(name).absolute(), BATCH).close()
        assert (tmp_path / name).stat().st_size
