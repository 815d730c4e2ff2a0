"""What can be uploaded: a path, bytes, an open binary file or an iterable of bytes.

All of them become a `Source`, whose size is known and which can be read again.
"""

import io
import mimetypes
import os
import stat
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Iterable,
    Iterator,
)
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import SpooledTemporaryFile
from threading import Lock
from time import monotonic
from typing import TypeGuard, cast

from duvo_async._callbacks import caller, invoke
from duvo_async._inputs import BinaryFile, Buffer, UploadSource
from duvo_async._reading import (
    CHUNK_SIZE,
    SMALL,
    Opened,
    SeekableFile,
    Source,
    changed,
    checked,
    hold,
    read_fully,
    reading,
)
from duvo_async._threads import apart, leave
from duvo_async.errors import UploadSourceError

_BATCH_SECONDS = 0.05
"""How long a blocking caller's iterable is read in one go, as others wait for his thread."""
_SPOOL_SIZE = 1024 * 1024
"""Bytes of what can be read only once that are copied to memory; more go to a temporary file."""


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
        name = name_of(source) or "the file"
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
        return hold(cast("bytes", source))
    if isinstance(source, (str, os.PathLike)):
        if not os.fspath(source):
            raise UploadSourceError("the file's name is empty")
        return await apart(partial(open_path, Path(source)), _shut)
    if isinstance(source, AsyncIterable):
        return await _spool_async(source)
    if callable(getattr(source, "read", None)):
        return await apart(partial(_adopt, cast("BinaryFile", source)), _shut)
    blocks = cast("Iterable[Buffer]", source)
    if caller.get() is not None:
        return await _spool_async(_in_callers_thread(blocks))
    return await apart(partial(_spool, blocks), _shut)


@asynccontextmanager
async def opening(source: UploadSource | Source) -> AsyncGenerator[Source, None]:
    """Get something ready for upload, unless it is, and close it in the end (`open_source`)."""
    opened = source if isinstance(source, Source) else await open_source(source)
    try:
        yield opened
    finally:
        await opened.close()


def _shut(source: Source) -> None:
    source.shut()


def can_wait(source: object) -> bool:
    """Tell whether something can be ready for upload without a copy of it."""
    if isinstance(source, (Source, bytes, bytearray, memoryview)):
        return True
    try:
        return _can_seek(cast("BinaryFile", source))
    except Exception:  # noqa: BLE001 - getting it ready will say what is wrong
        return True


def check_path(path: Path) -> None:
    """Find out whether a file can be opened. It blocks: run it in a thread.

    Raises:
        UploadSourceError: It is missing, a directory, or cannot be opened.
    """
    with reading(str(path)):
        path.open("rb", buffering=0).close()


def open_path(path: Path) -> Source:
    """Get a file ready for upload. It blocks: run it in a thread.

    Raises:
        UploadSourceError: It is missing, a directory, or cannot be read.
    """
    with reading(str(path)), ExitStack() as stack:
        if path.is_dir():
            raise UploadSourceError(f"{path} is a directory: give a file")
        file = stack.enter_context(path.open("rb", buffering=0))
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode):
            if status.st_size > SMALL:
                stack.pop_all()
                return Opened(path.name, status.st_size, file, 0, borrowed=False)
            data = read_fully(file, SMALL + 1)
            if status.st_size and len(data) != status.st_size:
                raise changed(path.name, status.st_size)
            if len(data) <= SMALL:
                return hold(data, path.name)
            file.seek(0)  # a file that does not know its size, as in /proc
        return _spool(_chunks(file), path.name)


def _adopt(file: BinaryFile) -> Source:
    name = name_of(file)
    with reading(name):
        if not _can_seek(file):
            return _spool(_chunks(file), name)
        start = file.tell()
        size = file.seek(0, io.SEEK_END) - start
        file.seek(start)
        return Opened(name, size, file, start, borrowed=True)


def name_of(source: object) -> str:
    """Give the name that a source has by itself; empty when it has none."""
    if isinstance(source, (str, os.PathLike)):
        return Path(cast("str", source)).name
    label = getattr(source, "name", "")
    named = isinstance(label, str) and not label.startswith("<")  # as "<stdin>" is called
    return Path(label).name if named else ""


def _can_seek(file: BinaryFile) -> TypeGuard[SeekableFile]:
    seekable = getattr(file, "seekable", None)
    return callable(seekable) and bool(seekable())


def _chunks(file: BinaryFile) -> Iterator[bytes]:
    return iter(partial(file.read, CHUNK_SIZE), b"")


def _spool(blocks: Iterable[Buffer], name: str = "") -> Source:
    with ExitStack() as stack:
        copy = stack.enter_context(SpooledTemporaryFile(max_size=_SPOOL_SIZE))
        with reading(name):
            for block in blocks:
                copy.write(checked(block))
            return _spooled(copy, name, stack)


async def _spool_async(blocks: AsyncIterable[Buffer]) -> Source:
    copy = SpooledTemporaryFile(max_size=_SPOOL_SIZE)  # noqa: SIM115 - it may have to be left
    turn = Lock()  # a thread whose caller was cancelled may still be at it

    def write(data: bytearray) -> None:
        with turn:
            copy.write(data)

    def finish(rest: bytearray) -> Source:
        with turn:
            return _finish(copy, rest)

    def close() -> None:
        with turn:
            copy.close()

    pending = bytearray()  # blocks may be small, and a thread is not for each of them
    try:
        with reading(""):
            async for block in blocks:
                pending += checked(block)
                if len(pending) >= CHUNK_SIZE:
                    await apart(partial(write, pending))
                    pending = bytearray()
            return await apart(partial(finish, pending))
    except BaseException:
        leave(close)
        raise


def _finish(copy: "SpooledTemporaryFile[bytes]", rest: bytearray) -> Source:
    with ExitStack() as stack:
        stack.push(copy.__exit__)
        copy.write(rest)
        return _spooled(copy, "", stack)


async def _in_callers_thread(blocks: Iterable[Buffer]) -> AsyncGenerator[Buffer, None]:
    """Read a blocking caller's iterable in his own thread, to which handlers go in between."""
    iterator = iter(blocks)
    ended = False

    def batch(_: object) -> bytearray:
        nonlocal ended
        begun = monotonic()
        gathered = bytearray()
        for block in iterator:
            gathered += checked(block)
            if len(gathered) >= CHUNK_SIZE or monotonic() - begun > _BATCH_SECONDS:
                return gathered
        ended = True
        return gathered

    while not ended:
        yield cast("bytearray", await invoke(batch, None))


def _spooled(copy: "SpooledTemporaryFile[bytes]", name: str, stack: ExitStack) -> Source:
    size = copy.tell()
    if size <= SMALL:
        copy.seek(0)
        return hold(copy.read(), name)
    stack.pop_all()
    return Opened(name, size, copy, 0, borrowed=False)
