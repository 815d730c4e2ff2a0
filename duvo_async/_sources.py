"""What can be uploaded: a path, bytes, an open binary file or an iterable of bytes.

All of them become a `Source`, whose size is known and which can be read again. Files are read off
the event loop, a step ahead of what is sent.
"""

import io
import mimetypes
import os
import stat
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Generator,
    Iterable,
    Iterator,
)
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import SpooledTemporaryFile
from threading import Lock
from typing import Protocol, TypeAlias, TypeGuard, cast

from attrs import define, field

from duvo_async._callbacks import caller, invoke
from duvo_async._threads import ReadAhead, apart
from duvo_async.errors import UploadSourceError

CHUNK_SIZE = 256 * 1024
"""Bytes that are given to the network at a time, unless the caller says otherwise."""
_STEP = 1024 * 1024
"""Bytes read at a time: a thread's waking the event loop costs as much as sending a block."""
_DEPTH = 2
"""Steps that are read ahead of what is sent."""
_SMALL = 256 * 1024
"""Files up to this size are read when they are opened, and held in memory."""
_SPOOL_SIZE = 1024 * 1024
"""Bytes of what can be read only once that are copied to memory; more go to a temporary file."""


class BinaryFile(Protocol):
    """An open file that gives bytes."""

    def read(self, size: int = ..., /) -> bytes:
        """Read at most `size` bytes; none at the end."""
        ...


class _Seekable(BinaryFile, Protocol):
    def seekable(self) -> bool: ...
    def tell(self) -> int: ...
    def seek(self, offset: int, whence: int = ..., /) -> int: ...
    def close(self) -> None: ...


_Buffer: TypeAlias = bytes | bytearray | memoryview
UploadSource: TypeAlias = (
    str | os.PathLike[str] | _Buffer | BinaryFile | Iterable[_Buffer] | AsyncIterable[_Buffer]
)
"""A path, bytes, an open binary file, which is read from where it stands, or an iterable of bytes,
asynchronous or not."""


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
class _Held(Source):
    """Bytes in memory."""

    view: memoryview

    @property
    def data(self) -> bytes | None:
        return bytes(self.view) if self.size <= _SMALL else None

    async def blocks(self, chunk_size: int) -> AsyncGenerator[bytes | memoryview, None]:
        for start in range(0, self.size, chunk_size):
            yield self.view[start : start + chunk_size]


@define
class _Opened(Source):
    """An open file.

    Attributes:
        file: Where it is read.
        start: Where in the file it starts.
        borrowed: Whether the file is the caller's, to be left open.
    """

    file: _Seekable
    start: int
    borrowed: bool
    _begun: bool = False
    _lock: Lock = field(factory=Lock)

    async def blocks(self, chunk_size: int) -> AsyncGenerator[bytes | memoryview, None]:
        verb, self._begun = "read again" if self._begun else "read", True
        step = max(chunk_size, _STEP // chunk_size * chunk_size)
        ahead = ReadAhead(self._steps(step, verb), _DEPTH)
        try:
            while (data := await ahead.next(None)) is not None:
                view = memoryview(data)
                for begin in range(0, len(view), chunk_size):
                    yield view[begin : begin + chunk_size]
        finally:
            ahead.close()

    async def close(self) -> None:
        if not self.borrowed:
            await apart(self.shut)

    def shut(self) -> None:
        if not self.borrowed:
            self.file.close()

    def _steps(self, step: int, verb: str) -> Iterator[bytes]:
        offset = 0
        while True:
            expected = min(step, self.size - offset)
            last = offset + expected == self.size
            # One byte more at the end, which a file that has grown would have.
            data = self._read(offset, expected + last, verb)
            if len(data) != expected:
                raise UploadSourceError(
                    f"{self.name or 'the file'} changed while it was read: "
                    f"it had {self.size:,} bytes"
                )
            yield data
            if last:
                return
            offset += expected

    def _read(self, offset: int, wanted: int, verb: str) -> bytes:
        # The thread of an attempt that was given up may still be at it, when the next one begins.
        with self._lock, _reading(self.name, verb):
            self.file.seek(self.start + offset)
            block = data = self.file.read(wanted)
            while block and len(data) < wanted:
                block = self.file.read(wanted - len(data))
                data += block
            return data


def content_type(name: str) -> str:
    """Guess a file's media type from its name."""
    guessed, encoding = mimetypes.guess_type(name)
    if encoding is not None:  # the type would be that of what is in it
        guessed = "application/gzip" if encoding == "gzip" else None
    return guessed or "application/octet-stream"


def check_source(source: object) -> None:
    """Find out whether something can be uploaded, without touching it.

    Raises:
        TypeError: It is none of the things that can be uploaded.
    """
    if isinstance(source, (str, os.PathLike, bytes, bytearray, memoryview, AsyncIterable)):
        return
    if hasattr(source, "encoding") and callable(getattr(source, "read", None)):
        name = _name_of(source) or "the file"
        raise TypeError(f"{name} is open as text: open it with mode 'rb'")
    # Not by the protocol, which does not see what a wrapper passes on.
    if not callable(getattr(source, "read", None)) and not isinstance(source, Iterable):
        kind = type(source).__name__
        raise TypeError(
            f"cannot upload {kind}: give a path, bytes, an open file or an iterable of bytes"
        )


async def open_source(source: UploadSource) -> Source:
    """Get something ready for upload.

    Args:
        source: What to upload. What can be read only once is copied first, to memory while it is
            small and to a temporary file from 1 MiB on.

    Returns:
        The source; close it.

    Raises:
        UploadSourceError: It is missing, a directory, or cannot be read.
        TypeError: It is none of the things that can be uploaded.
    """
    check_source(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _hold(cast("bytes", source))
    if isinstance(source, (str, os.PathLike)):
        if not os.fspath(source):
            raise UploadSourceError("the file's name is empty")
        return await apart(partial(open_path, Path(source)))
    if isinstance(source, AsyncIterable):
        return await _spool_async(source)
    if callable(getattr(source, "read", None)):
        return await apart(partial(_adopt, cast("BinaryFile", source)))
    blocks = cast("Iterable[_Buffer]", source)
    if caller.get() is not None:  # a blocking caller's code runs in his own thread
        return cast("Source", await invoke(_spool, blocks))
    return await apart(partial(_spool, blocks))


@contextmanager
def _reading(name: str, verb: str = "read") -> Generator[None, None, None]:
    """Turn whatever a file object raises into the error that names it."""
    try:
        yield
    except (UploadSourceError, TypeError):
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UploadSourceError(f"cannot {verb} {name or 'the file'}: {reason}") from error


def _hold(data: _Buffer, name: str = "") -> Source:
    view = memoryview(data)
    view = view.cast("B") if view.c_contiguous else memoryview(bytes(view))
    return _Held(name, len(view), view)


def open_path(path: Path) -> Source:
    """Get a file ready for upload. It blocks: run it in a thread.

    Raises:
        UploadSourceError: It is missing, a directory, or cannot be read.
    """
    with _reading(str(path)), ExitStack() as stack:
        if path.is_dir():
            raise UploadSourceError(f"{path} is a directory: give a file")
        file = stack.enter_context(path.open("rb", buffering=0))
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode):
            if status.st_size > _SMALL:
                stack.pop_all()
                return _Opened(path.name, status.st_size, file, 0, borrowed=False)
            data = file.read(_SMALL + 1)
            if len(data) <= _SMALL:
                return _hold(data, path.name)
            file.seek(0)  # a file that does not know its size, as in /proc
        return _spool(_chunks(file), path.name)


def _adopt(file: BinaryFile) -> Source:
    name = _name_of(file)
    with _reading(name):
        if not _can_seek(file):
            return _spool(_chunks(file), name)
        start = file.tell()
        size = file.seek(0, io.SEEK_END) - start
        file.seek(start)
        return _Opened(name, size, file, start, borrowed=True)


def _name_of(file: object) -> str:
    label = getattr(file, "name", "")
    return Path(label).name if isinstance(label, str) else ""


def _can_seek(file: BinaryFile) -> TypeGuard[_Seekable]:
    seekable = getattr(file, "seekable", None)
    return callable(seekable) and bool(seekable())


def _chunks(file: BinaryFile) -> Iterator[bytes]:
    return iter(partial(file.read, CHUNK_SIZE), b"")


def _spool(blocks: Iterable[_Buffer], name: str = "") -> Source:
    with ExitStack() as stack:
        copy = stack.enter_context(SpooledTemporaryFile(max_size=_SPOOL_SIZE))
        with _reading(name):
            for block in blocks:
                copy.write(_checked(block))
            return _spooled(copy, name, stack)


async def _spool_async(blocks: AsyncIterable[_Buffer]) -> Source:
    with ExitStack() as stack:
        copy = stack.enter_context(SpooledTemporaryFile(max_size=_SPOOL_SIZE))
        pending = bytearray()  # blocks may be small, and a thread is not for each of them
        with _reading(""):
            async for block in blocks:
                pending += _checked(block)
                if len(pending) >= CHUNK_SIZE:
                    await apart(partial(copy.write, pending))
                    pending = bytearray()
            copy.write(pending)
            return _spooled(copy, "", stack)


def _checked(block: _Buffer) -> _Buffer:
    if not isinstance(block, (bytes, bytearray, memoryview)):
        raise TypeError(f"what is uploaded must give bytes, not {type(block).__name__}")
    return block


def _spooled(copy: "SpooledTemporaryFile[bytes]", name: str, stack: ExitStack) -> Source:
    size = copy.tell()
    if size <= _SMALL:
        copy.seek(0)
        return _hold(copy.read(), name)
    stack.pop_all()
    return _Opened(name, size, copy, 0, borrowed=False)
