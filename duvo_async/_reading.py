"""Reading what is uploaded: things of known size, as often as there are attempts.

Files are read off the event loop, some steps ahead of what is sent.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Protocol

from attrs import define, field

from duvo_async._inputs import BinaryFile, Buffer
from duvo_async._threads import ReadAhead, apart, leave
from duvo_async.errors import UploadSourceError

CHUNK_SIZE = 256 * 1024
"""Bytes that are given to the network at a time, unless the caller says otherwise."""
_STEP = 1024 * 1024
"""Bytes read at a time: a thread's waking the event loop costs as much as sending a block."""
_DEPTH = 2
"""Steps that are read ahead of what is sent."""
_RUN = 8 * 1024 * 1024
"""Bytes after which others may go on: where disk and network are fast, nothing else lets them."""
SMALL = 256 * 1024
"""Files up to this size are read when they are opened, and held in memory."""
_PATIENCE = 1.0
"""Seconds to wait for a read that is under way when a file is closed."""


class SeekableFile(BinaryFile, Protocol):
    """An open file that can be read again."""

    def seekable(self) -> bool: ...
    def tell(self) -> int: ...
    def seek(self, offset: int, whence: int = ..., /) -> int: ...
    def close(self) -> None: ...


@define
class Source:
    """Something to upload, of known size, which can be read from its start any number of times.

    Attributes:
        name: What it is called; empty when it has no name.
        size: Its bytes.
    """

    name: str
    size: int

    @property
    def data(self) -> bytes | None:
        """All of it, where it is small and in memory. None to read it."""
        return None

    def blocks(self, chunk_size: int) -> AsyncGenerator[bytes | memoryview, None]:
        """Read it from its start, in blocks of this many bytes.

        Raises:
            UploadSourceError: It cannot be read, or has another size than before. The last block is
                given only when that is known, so that no one takes the rest for the whole.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Close what was opened here; a file of the caller's stays open."""

    def shut(self) -> None:
        """Close it here and now, which may block."""


@define
class Held(Source):
    """Bytes in memory."""

    view: memoryview

    @property
    def data(self) -> bytes | None:
        return bytes(self.view) if self.size <= SMALL else None

    async def blocks(self, chunk_size: int) -> AsyncGenerator[bytes | memoryview, None]:
        for start in range(0, self.size, chunk_size):
            if start % _RUN < chunk_size:
                await asyncio.sleep(0)
            yield self.view[start : start + chunk_size]


@define
class Opened(Source):
    """An open file.

    Attributes:
        file: Where it is read.
        start: Where in the file it starts.
        borrowed: Whether the file is the caller's, to be left open.
    """

    file: SeekableFile
    start: int
    borrowed: bool
    _ahead: ReadAhead[bytes] | None = None
    _lock: Lock = field(factory=Lock)

    async def blocks(self, chunk_size: int) -> AsyncGenerator[bytes | memoryview, None]:
        verb = "read" if self._ahead is None else "read again"
        step = max(chunk_size, _STEP // chunk_size * chunk_size)
        ahead = self._ahead = ReadAhead(self._steps(step, verb), _DEPTH)
        try:
            sent = 0
            while (data := await ahead.next(None)) is not None:
                if (sent := sent + len(data)) >= _RUN:
                    sent = 0
                    await asyncio.sleep(0)
                view = memoryview(data)
                for begin in range(0, len(view), chunk_size):
                    yield view[begin : begin + chunk_size]
        finally:
            ahead.close()

    async def close(self) -> None:
        # The caller may go on with his file at once, and a disk may not answer for hours.
        try:
            async with asyncio.timeout(_PATIENCE):
                if self._ahead is not None:
                    await self._ahead.gone()
                if not self.borrowed:
                    await apart(self.shut)
        except (TimeoutError, asyncio.CancelledError) as error:
            leave(self.shut)
            if isinstance(error, asyncio.CancelledError):
                raise

    def shut(self) -> None:
        if not self.borrowed:
            with self._lock:
                self.file.close()

    def _steps(self, step: int, verb: str) -> Iterator[bytes]:
        offset = 0
        while True:
            expected = min(step, self.size - offset)
            last = offset + expected == self.size
            # One byte more at the end, which a file that has grown would have.
            data = self._read(offset, expected + last, verb)
            if len(data) != expected:
                raise changed(self.name, self.size)
            yield data
            if last:
                return
            offset += expected

    def _read(self, offset: int, wanted: int, verb: str) -> bytes:
        # The thread of an attempt that was given up may still be at it, when the next one begins.
        with self._lock, reading(self.name, verb):
            self.file.seek(self.start + offset)
            return read_fully(self.file, wanted)


def read_fully(file: BinaryFile, wanted: int) -> bytes:
    """Read so many bytes, or to the end: a file may give fewer at a time."""
    data = checked(file.read(wanted))
    if not 0 < len(data) < wanted:
        return bytes(data)
    gathered = bytearray(data)
    while len(gathered) < wanted and (data := checked(file.read(wanted - len(gathered)))):
        gathered += data
    return bytes(gathered)


def checked(block: Buffer) -> Buffer:
    if not isinstance(block, (bytes, bytearray, memoryview)):
        raise TypeError(f"what is uploaded must give bytes, not {type(block).__name__}")
    return block


def hold(data: Buffer, name: str = "") -> Source:
    view = memoryview(data)
    view = view.cast("B") if view.c_contiguous else memoryview(bytes(view))
    return Held(name, len(view), view)


@contextmanager
def reading(name: str, verb: str = "read") -> Generator[None, None, None]:
    """Turn whatever a file object raises into the error that names it."""
    try:
        yield
    except (UploadSourceError, TypeError):
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UploadSourceError(f"cannot {verb} {name or 'the file'}: {reason}") from error


def changed(name: str, size: int) -> UploadSourceError:
    return UploadSourceError(
        f"{name or 'the file'} changed while it was read: it had {size:,} bytes"
    )
