"""What can be uploaded: a path, bytes or an open binary file, read in blocks off the event loop."""

import asyncio
import io
import mimetypes
import os
import unicodedata
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path, PurePosixPath
from tempfile import SpooledTemporaryFile
from threading import Thread
from typing import Protocol, TypeAlias, TypeGuard, TypeVar

from anyio import to_thread
from attrs import define

from duvo_async.errors import UploadSourceError

_T = TypeVar("_T")

BLOCK_SIZE = 256 * 1024
"""Bytes read at a time."""
SPOOL_SIZE = 10_000_000
"""Bytes of a file that cannot seek which are kept in memory."""
WORKSPACE = "/workspace"
"""Where a run looks for its files (API reference, "Get Upload URLs for a Sandbox")."""


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


UploadSource: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryFile"
"""A path, bytes, or an open binary file, which is read from where it stands."""


@define
class Source:
    """Something to upload, of known size, which can be read from its start any number of times.

    Attributes:
        name: What the file is called; empty when the source has no name.
        size: Its bytes.
        file: Where they are read.
        start: Where in the file they start.
        borrowed: Whether the file is the caller's, to be left open.
        can_reopen: Whether the path that it was opened by can be opened again.
    """

    name: str
    size: int
    file: _Seekable
    start: int
    borrowed: bool
    can_reopen: bool = False

    @property
    def content_type(self) -> str:
        """Its media type, guessed from its name."""
        return mimetypes.guess_type(self.name)[0] or "application/octet-stream"

    async def read(self) -> bytes:
        """Read it whole.

        Raises:
            UploadSourceError: It cannot be read, or has another size than before.
        """
        return b"".join([block async for block in self.blocks()])

    async def blocks(self) -> AsyncIterator[bytes]:
        """Read it from its start, in blocks.

        Raises:
            UploadSourceError: It cannot be read, or has another size than before.
        """
        left = self.size
        await self._step(self.file.seek, self.start)
        while block := await self._step(self.file.read, BLOCK_SIZE):
            left -= len(block)
            if left < 0:
                break
            yield block
        if left:
            raise UploadSourceError(
                f"{self.name or 'the file'} changed while it was read: it had {self.size:,} bytes"
            )

    async def close(self) -> None:
        """Close what was opened here; a file of the caller's stays open."""
        if not self.borrowed:
            await to_thread.run_sync(self.file.close, abandon_on_cancel=True)

    async def _step(self, function: Callable[[int], bytes | int], number: int) -> bytes:
        def guarded() -> bytes:
            with _reading(self.name):
                result = function(number)
            return result if isinstance(result, bytes) else b""

        return await to_thread.run_sync(guarded, abandon_on_cancel=True)


async def open_source(source: UploadSource) -> Source:
    """Get something ready for upload.

    Args:
        source: What to upload. A file that cannot seek is copied first, to memory while it is small
            and to a temporary file from 10 MB on.

    Returns:
        The source; close it.

    Raises:
        UploadSourceError: It is missing, a directory, or cannot be read.
        TypeError: It is none of the things that can be uploaded.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
        return Source("", len(data), io.BytesIO(data), 0, borrowed=False)
    if isinstance(source, (str, os.PathLike)):
        if not os.fspath(source):
            raise UploadSourceError("the file's name is empty")
        path = Path(source)
        return await _apart(lambda: _open_path(path))
    # Not by the protocol, which does not see what a wrapper passes on.
    if callable(getattr(source, "read", None)):
        return await _apart(lambda: _adopt(source))
    raise TypeError(f"cannot upload {type(source).__name__}: give a path, bytes or an open file")


async def _apart(function: Callable[[], _T]) -> _T:
    """Run what may block for ever, as opening a pipe does.

    It gets a daemon thread, for which neither a cancelled call nor the interpreter's end waits.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[_T] = loop.create_future()

    def deliver(settle: Callable[[], None]) -> None:
        if not outcome.done():
            settle()

    def work() -> None:
        try:
            result = function()
        except Exception as error:  # noqa: BLE001 - it is the awaiting task's
            settle = partial(outcome.set_exception, error)
        else:
            settle = partial(outcome.set_result, result)
        with suppress(RuntimeError):  # the loop has ended without waiting
            loop.call_soon_threadsafe(deliver, settle)

    Thread(target=work, name="duvo-async-open", daemon=True).start()
    return await outcome


@contextmanager
def _reading(name: str) -> Generator[None, None, None]:
    """Turn whatever a file object raises into the error that names it."""
    try:
        yield
    except (UploadSourceError, TypeError):
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UploadSourceError(f"cannot read {name or 'the file'}: {reason}") from error


def _open_path(path: Path) -> Source:
    with _reading(str(path)):
        if path.is_dir():
            raise UploadSourceError(f"{path} is a directory: give a file")
        file = path.open("rb")
        if not file.seekable():
            with file:
                return _spool(file, path.name)
        size = os.fstat(file.fileno()).st_size
        return Source(path.name, size, file, 0, borrowed=False, can_reopen=True)


def _adopt(file: BinaryFile) -> Source:
    label = getattr(file, "name", "")
    name = Path(label).name if isinstance(label, str) else ""
    if hasattr(file, "encoding"):
        raise TypeError(f"{name or 'the file'} is open as text: open it with mode 'rb'")
    with _reading(name):
        if not _can_seek(file):
            return _spool(file, name)
        start = file.tell()
        size = file.seek(0, io.SEEK_END) - start
        file.seek(start)
        return Source(name, size, file, start, borrowed=True)


def _can_seek(file: BinaryFile) -> TypeGuard[_Seekable]:
    seekable = getattr(file, "seekable", None)
    return callable(seekable) and bool(seekable())


def _spool(file: BinaryFile, name: str) -> Source:
    copy = SpooledTemporaryFile(max_size=SPOOL_SIZE)  # noqa: SIM115 - Source closes it
    try:
        while block := file.read(BLOCK_SIZE):
            copy.write(block)
    except BaseException:
        copy.close()
        raise
    return Source(name, copy.tell(), copy, 0, borrowed=False)


def remote_path(path: str | None, name: str) -> str:
    """Decide where in a sandbox a file goes.

    Args:
        path: What the caller said: absolute, or relative to `/workspace`. None for the file's name.
        name: The file's name; empty when it has none.

    Returns:
        The absolute path.

    Raises:
        ValueError: There is neither a path nor a name, the path leaves its folder, or it has
            control characters or bytes that are no text.
        TypeError: The path is no string.
    """
    wanted = name if path is None else path
    if not isinstance(wanted, str):
        raise TypeError(f"path must be a string, not {type(wanted).__name__}")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in wanted):
        raise ValueError(f"path {wanted!r} has characters that cannot be sent: give another path=")
    if not wanted.strip():
        raise ValueError("what is uploaded has no name of its own: give path=")
    pure = PurePosixPath(wanted)
    if ".." in pure.parts or wanted.endswith("/") or not pure.name:
        raise ValueError(f"path {wanted!r} must name a file, without '..'")
    return str(PurePosixPath(WORKSPACE) / pure)
