"""The journal of a fan-out, kept while its runs are started and end.

What was written before a process died is what the next one goes by: an input's idempotency key is
there before its start is sent, so that to send it again starts no second run.
"""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import TypeVar

from attrs import frozen

from duvo_async._journal_file import Entry, JournalBatch, JournalFile, News
from duvo_async._threads import apart
from duvo_async.errors import DuvoError, JournalError
from duvo_async.models import Run

_T = TypeVar("_T")
_READ_AT_ONCE = 1_000
_LONGEST_WRITE = 30.0
"""Seconds after which a disk that does not answer holds nobody up any more."""


class Journal:
    """The journal that a fan-out keeps.

    What comes while something is written is written next, all of it at once.

    Args:
        path: Where it is, or is made.
        batch: What all runs have in common.
    """

    def __init__(self, path: Path, batch: JournalBatch) -> None:
        self._path = path
        self._batch = batch
        self._file: JournalFile | None = None
        self._inputs: int | None = None
        self._known = 0
        self._entries: dict[int, Entry] = {}
        self._read_to: float = 0
        self._changes: list[_Change] = []
        self._writer: asyncio.Task[None] | None = None
        self._failure: Exception | None = None

    async def open(self) -> None:
        """Open it.

        Raises:
            JournalError: It is in use, of another fan-out, or no journal.
        """
        with self._explained():
            file = await apart(lambda: JournalFile(self._path, self._batch), JournalFile.close)
        self._file = file
        self._inputs, self._known = file.inputs, file.known

    async def enter(
        self,
        position: int,
        message: str | None,
        key: str,
        *,
        webhook_url: str | None,
        own_key: bool,
    ) -> Entry:
        """Tell what is known of an input; keep a new one, before anything is done with it.

        Args:
            position: Its position.
            message: The message.
            key: The idempotency key of a new one.
            webhook_url: What the start of a new one says besides.
            own_key: Whether the caller gave the key, so that no other one will do.

        Raises:
            JournalError: It is another input than is known, or cannot be kept.
        """
        entry = await self._find(position)
        if entry is None:
            if self._inputs is not None and position >= self._inputs:
                raise self._other(f"it has {self._inputs}, and here are more")
            entry = Entry(position, message, key, webhook_url)
            await self._kept(entry)
        elif entry.message != message:
            raise self._other(f"the message at position {position} is not the one that it has")
        elif own_key and key != entry.idempotency_key:
            raise self._other(f"the key at position {position} is not the one that it has")
        return entry

    def started(self, position: int, run_id: str) -> None:
        """Keep which run was started with an input."""
        self._change(_Change(news=News(position, run_id)))

    def ended(self, position: int, run: Run) -> None:
        """Keep how the run of an input ended."""
        self._change(_Change(news=News(position, run.id, run)))

    async def complete(self, inputs: int) -> None:
        """Keep that there are no more inputs.

        Args:
            inputs: How many there were.

        Raises:
            JournalError: It has more.
        """
        if inputs < (self._inputs or self._known):
            raise self._other(f"it has {self._inputs or self._known}, and here are {inputs}")
        if self._inputs is None:
            self._inputs = inputs
            await self._in_thread(lambda file: file.write((), (), inputs))

    async def close(self) -> None:
        """Write what is left, and let others use it.

        Raises:
            JournalError: Something could not be written.
        """
        with self._explained():
            async with asyncio.timeout(_LONGEST_WRITE):
                try:
                    if self._writer is not None:
                        await asyncio.wait([self._writer])
                finally:
                    file, self._file = self._file, None
                    if file is not None:
                        await self._let_go(file)
        if self._failure is not None:
            raise self._failure

    async def _let_go(self, file: JournalFile) -> None:
        try:
            await apart(file.close)
        except RuntimeError:  # no thread can be started: better a short block than a file kept
            file.close()

    async def _find(self, position: int) -> Entry | None:
        if position >= self._read_to:
            found = await self._in_thread(lambda file: tuple(file.entries(position, _READ_AT_ONCE)))
            self._entries = {each.position: each for each in found}
            full = len(found) == _READ_AT_ONCE
            self._read_to = found[-1].position + 1 if full else inf
        return self._entries.pop(position, None)

    async def _kept(self, entry: Entry) -> None:
        written = asyncio.get_running_loop().create_future()
        self._change(_Change(entry=entry, written=written))
        await written

    def _change(self, change: "_Change") -> None:
        self._changes.append(change)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while self._changes:
            changes, self._changes = self._changes, []
            entries = [each.entry for each in changes if each.entry is not None]
            news = [each.news for each in changes if each.news is not None]
            try:
                if self._failure is None:
                    await self._in_thread(lambda file: file.write(entries, news))  # noqa: B023 - it is done before the next
            except Exception as error:  # noqa: BLE001 - nothing that waits may wait for ever
                self._failure = error
            for each in changes:
                each.settle(self._failure)

    async def _in_thread(self, work: Callable[[JournalFile], _T]) -> _T:
        file = self._file
        if file is None:
            raise self._error("is closed")
        with self._explained():
            return await apart(lambda: work(file))

    @contextmanager
    def _explained(self) -> Generator[None, None, None]:
        try:
            yield
        except DuvoError:
            raise
        except TimeoutError:
            raise self._error(f"was not written within {_LONGEST_WRITE:.0f} s") from None
        except Exception as error:
            raise self._error(f"cannot be used ({error})") from error

    def _error(self, text: str) -> JournalError:
        return JournalError(f"the journal {self._path} {text}", path=str(self._path))

    def _other(self, what: str) -> JournalError:
        return self._error(f"is of other inputs: {what}; give each fan-out a journal of its own")


@frozen(eq=False)
class _Change:
    """Something to write.

    Attributes:
        entry: A new input.
        news: What became of one.
        written: Done when it is on the disk. None when nobody waits for that.
    """

    entry: Entry | None = None
    news: News | None = None
    written: "asyncio.Future[None] | None" = None

    def settle(self, failure: Exception | None) -> None:
        """Tell who waits for it that it was written, or why not."""
        if self.written is None or self.written.done():
            return
        if failure is None:
            self.written.set_result(None)
        else:
            self.written.set_exception(failure)
