"""The journal of a fan-out as a file: what SQLite is told, and what it tells.

The file is open in one process at a time, and each change is on the disk when its write returns.
All of it blocks.
"""

import json
import os
import sqlite3
import stat
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Final, Self
from weakref import WeakSet

from attrs import asdict, astuple, frozen

from duvo_async._converter import DecodeProblem, structure, unstructure
from duvo_async.errors import JournalError
from duvo_async.models import Run

try:
    import fcntl
except ImportError:  # Windows, where SQLite's own locks will do
    fcntl = None  # type: ignore[assignment]

_APPLICATION: Final = 0x4475766F
"""By which SQLite, and `file`, tell a journal from other databases."""
_VERSION: Final = 1
"""Of the tables. A later version reads and lifts the earlier ones."""
_PAGE: Final = 512
"""Bytes that a database has at least."""
_PATIENCE = 1.0
"""Seconds in which another may still close the file: a loop that was just left does so."""
_LOOK_AGAIN = 0.01
_TABLES = """
    CREATE TABLE batch (
        base_url TEXT NOT NULL,
        api_version TEXT NOT NULL,
        agent_id TEXT NOT NULL,
        sandbox_id TEXT,
        inputs INTEGER
    );
    CREATE TABLE input (
        position INTEGER PRIMARY KEY,
        message TEXT,
        idempotency_key TEXT NOT NULL,
        webhook_url TEXT,
        run_id TEXT,
        run TEXT
    );
"""


@frozen
class JournalBatch:
    """What all runs of a fan-out have in common.

    Attributes:
        base_url: Where the API is.
        api_version: Its generation: a start under the same key on another path is another one.
        agent_id: The assignment.
        sandbox_id: The sandbox of all runs. None when they have none.
    """

    base_url: str
    api_version: str
    agent_id: str
    sandbox_id: str | None


@frozen
class Entry:
    """What is known of one input.

    Attributes:
        position: Its position.
        message: The message.
        idempotency_key: The key with which its run is started.
        webhook_url: What its start says besides: under the same key it must say the same. None for
            nothing.
        run_id: The run. None when no start is known to have been answered.
        run: The run in its last status. None when no end is known.
    """

    position: int
    message: str | None
    idempotency_key: str
    webhook_url: str | None = None
    run_id: str | None = None
    run: Run | None = None


@frozen
class News:
    """What became of an input.

    Attributes:
        position: Its position.
        run_id: The run that was started with it.
        run: The run in its last status. None when it has not ended.
    """

    position: int
    run_id: str
    run: Run | None = None


class JournalFile:
    """An open journal.

    Args:
        path: Where it is.
        batch: The fan-out that it must be of; a new one becomes so. None takes the one that it is
            of.

    Attributes:
        path: Where it is.
        batch: What it is of.
        inputs: How many inputs there are in all. None when they were not read to their end.
        known: Up to which position inputs were known as it was opened: 0 when none was.

    Raises:
        JournalError: It is in use, of another fan-out, or no journal.
    """

    def __init__(self, path: Path, batch: JournalBatch | None = None) -> None:
        self.path: Path = path
        self._lock = Lock()  # what was cancelled may still be at it
        self._process = os.getpid()
        with self._explained():
            self._held = self._hold(make=batch is not None)
            try:
                self._database = self._connect()
                try:
                    self._check_kind()
                    self._prepare()
                    self.batch: JournalBatch = self._claim(batch)
                    self.inputs: int | None = self._value("SELECT inputs FROM batch")
                    self.known: int = self._value("SELECT max(position) + 1 FROM input") or 0
                except BaseException:
                    self._database.close()
                    raise
            except BaseException:
                os.close(self._held)
                raise
        _open.add(self)

    def close(self) -> None:
        """Let others use the file."""
        if os.getpid() != self._process:
            return  # a fork's copy: the file is its parent's
        with self._explained():
            try:
                self._database.close()
                self._check_there()
            finally:
                self.let_go()

    def let_go(self) -> None:
        """Hold the file no longer."""
        held, self._held = self._held, -1
        if held >= 0:
            os.close(held)

    def __enter__(self) -> Self:
        """Use the file."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let others use the file."""
        self.close()

    def entries(self, first: int = 0, most: int = -1) -> Iterator[Entry]:
        """Read entries in order.

        Args:
            first: The position of the first.
            most: How many. -1 for all.
        """
        query = (
            "SELECT position, message, idempotency_key, webhook_url, run_id, run FROM input "
            "WHERE position >= ? ORDER BY position LIMIT ?"
        )
        with self._explained():
            rows = self._database.execute(query, (first, most)).fetchall()
        for position, message, key, webhook_url, run_id, run in rows:
            ended = None if run is None else self._run(position, run)
            yield Entry(position, message, key, webhook_url, run_id, ended)

    def write(
        self, entries: Iterable[Entry], news: Iterable[News], inputs: int | None = None
    ) -> None:
        """Keep all of this, or none of it.

        Args:
            entries: Inputs that were not known.
            news: What became of inputs that are known, or are among these.
            inputs: How many inputs there are in all. None leaves what is known.
        """
        begun = [
            (each.position, each.message, each.idempotency_key, each.webhook_url)
            for each in entries
        ]
        told = [(each.run_id, _text(each.run), each.position) for each in news]
        with self._explained(), self._transaction():
            self._database.executemany(
                "INSERT INTO input (position, message, idempotency_key, webhook_url) "
                "VALUES (?, ?, ?, ?)",
                begun,
            )
            self._database.executemany(
                "UPDATE input SET run_id = ?, run = ? WHERE position = ?", told
            )
            if inputs is not None:
                self._database.execute("UPDATE batch SET inputs = ?", (inputs,))

    def _hold(self, *, make: bool) -> int:
        """Take the file, so that no other process and no other fan-out has it until it is closed.

        SQLite's own lock is no such thing: this process would lose it by opening and closing the
        file once more, in whatever way.
        """
        held = os.open(self.path, os.O_RDWR | (os.O_CREAT if make else 0), 0o600)
        try:
            self._take(held)
        except BaseException:
            os.close(held)
            raise
        return held

    def _take(self, held: int) -> None:
        found = os.fstat(held)
        if not stat.S_ISREG(found.st_mode) or 0 < found.st_size < _PAGE:
            raise self._error("is no journal")  # SQLite would write over it
        self._lock_file(held)
        if not os.fstat(held).st_size:
            with suppress(AttributeError):  # Windows has no such thing
                os.fchmod(held, 0o600)  # whoever made it: only the owner reads the messages

    def _lock_file(self, held: int) -> None:
        if fcntl is None:
            return
        tries = round(_PATIENCE / _LOOK_AGAIN)
        for left in reversed(range(tries)):
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not left:
                    raise self._error(_CAUSES["SQLITE_BUSY"]) from None
                time.sleep(_LOOK_AGAIN)
            else:
                return

    def _check_there(self) -> None:
        """Tell of a file that was removed or replaced: what it kept is nowhere now."""
        try:
            there = self._held < 0 or os.path.samestat(self.path.stat(), os.fstat(self._held))
        except FileNotFoundError:
            there = False
        if not there:
            raise self._error("was removed or replaced meanwhile, and what it kept is lost")

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self.path.as_uri()}?mode=rw",
            timeout=_PATIENCE,
            isolation_level=None,
            check_same_thread=False,
            uri=True,
        )

    def _check_kind(self) -> None:
        """Refuse what is not a journal, or another version's, before anything of it is changed."""
        application = self._value("PRAGMA application_id")
        version = self._value("PRAGMA user_version")
        if not application and not self._value("SELECT count(*) FROM sqlite_master"):
            return  # empty
        if application != _APPLICATION:
            raise self._error("is a database of another kind")
        if version != _VERSION:
            raise self._error(
                f"has version {version} of its tables, and this duvo-async reads version "
                f"{_VERSION}: use the duvo-async that wrote it, or a newer one"
            )

    def _prepare(self) -> None:
        if fcntl is None:
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        if not self._value("PRAGMA application_id"):
            self._database.executescript(
                f"BEGIN EXCLUSIVE; PRAGMA application_id = {_APPLICATION}; "
                f"PRAGMA user_version = {_VERSION}; {_TABLES} COMMIT;"
            )

    def _claim(self, batch: JournalBatch | None) -> JournalBatch:
        """Find what the journal is of; make a new one be of this fan-out."""
        row = self._database.execute(
            "SELECT base_url, api_version, agent_id, sandbox_id FROM batch"
        ).fetchone()
        if row is None:
            if batch is None:
                raise self._error("is empty: nothing was begun with it")
            self._database.execute(
                "INSERT INTO batch (base_url, api_version, agent_id, sandbox_id) "
                "VALUES (?, ?, ?, ?)",
                astuple(batch),
            )
            return batch
        known = JournalBatch(*row)
        for name, was in asdict(known).items():
            given = getattr(batch or known, name)
            if was != given:
                raise self._error(
                    f"is of another fan-out: its {name} is {was!r}, not {given!r}; give each "
                    "fan-out a journal of its own"
                )
        return known

    def _value(self, query: str) -> int | None:
        row: tuple[int | None] | None = self._database.execute(query).fetchone()
        return None if row is None else row[0]

    def _run(self, position: int, text: str) -> Run:
        try:
            return structure(json.loads(text), Run, f"$.input[{position}].run")
        except (DecodeProblem, ValueError) as error:
            raise self._error(f"is damaged: {error}") from None

    @contextmanager
    def _transaction(self) -> Generator[None, None, None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._database.in_transaction:  # some errors have ended it already
                self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    @contextmanager
    def _explained(self) -> Generator[None, None, None]:
        try:
            with self._lock:
                yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            raise self._error(_CAUSES.get(name, f"cannot be used ({error})")) from None
        except OSError as error:
            raise self._error(f"cannot be opened ({error.strerror})") from None
        except UnicodeEncodeError:
            raise self._error("cannot hold a message that is no Unicode text") from None
        except UnicodeDecodeError as error:
            raise self._error(f"is damaged: {error.reason}") from None

    def _error(self, text: str) -> JournalError:
        return JournalError(f"the journal {self.path} {text}", path=str(self.path))


_open: "WeakSet[JournalFile]" = WeakSet()


def _let_go_of_all() -> None:
    """Leave the files to the parent: a child that outlives it must not keep them from others."""
    for file in _open:
        file.let_go()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_of_all)

_CAUSES: Mapping[str, str] = {
    "SQLITE_BUSY": "is in use by another process, or another fan-out of this one",
    "SQLITE_NOTADB": "is no journal",
    "SQLITE_FULL": "cannot be written: the disk is full",
}


def _text(run: Run | None) -> str | None:
    return None if run is None else json.dumps(unstructure(run), separators=(",", ":"))
