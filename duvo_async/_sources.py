"""What can be uploaded: a path, bytes or an open binary file, read in blocks off the event loop."""

import io
import mimetypes
import os
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from tempfile import SpooledTemporaryFile
from typing import Protocol, TypeAlias, runtime_checkable

from anyio import to_thread
from attrs import define

from duvo_async.errors import UploadSourceError

BLOCK_SIZE = 256 * 1024
"""Bytes read at a time."""
SPOOL_SIZE = 10_000_000
"""Bytes of a file that cannot seek which are kept in memory."""
WORKSPACE = "/workspace"
"""Where a run looks for its files (API reference, "Get Upload URLs for a Sandbox")."""


@runtime_checkable
class BinaryFile(Protocol):
    """An open file that gives bytes."""

    def read(self, size: int = ..., /) -> bytes:
        """Read at most `size` bytes; none at the end."""
        ...


@runtime_checkable
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
    """

    name: str
    size: int
    file: _Seekable
    start: int
    borrowed: bool

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
        await to_thread.run_sync(self._guarded, self.file.seek, self.start)
        while block := await to_thread.run_sync(self._guarded, self.file.read, BLOCK_SIZE):
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
            await to_thread.run_sync(self.file.close)

    def _guarded(self, function: "_Step", number: int) -> bytes:
        try:
            result = function(number)
        except (OSError, ValueError) as error:
            raise UploadSourceError(f"cannot read {self.name or 'the file'}: {error}") from error
        return result if isinstance(result, bytes) else b""


class _Step(Protocol):
    def __call__(self, number: int, /) -> bytes | int: ...


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
        return await to_thread.run_sync(_open_path, Path(source))
    if isinstance(source, BinaryFile):
        return await to_thread.run_sync(_adopt, source)
    raise TypeError(f"cannot upload {type(source).__name__}: give a path, bytes or an open file")


def _open_path(path: Path) -> Source:
    if path.is_dir():
        raise UploadSourceError(f"{path} is a directory: give a file")
    try:
        file = path.open("rb")
    except OSError as error:
        raise UploadSourceError(f"cannot read {path}: {error.strerror or error}") from error
    if not file.seekable():
        with file:
            return _spool(file, path.name)
    return Source(path.name, os.fstat(file.fileno()).st_size, file, 0, borrowed=False)


def _adopt(file: BinaryFile) -> Source:
    label = getattr(file, "name", "")
    name = Path(label).name if isinstance(label, str) else ""
    if hasattr(file, "encoding"):
        raise TypeError(f"{name or 'the file'} is open as text: open it with mode 'rb'")
    try:
        if not isinstance(file, _Seekable) or not file.seekable():
            return _spool(file, name)
        start = file.tell()
        size = file.seek(0, io.SEEK_END) - start
        file.seek(start)
    except (OSError, ValueError) as error:
        raise UploadSourceError(f"cannot read {name or 'the file'}: {error}") from error
    return Source(name, size, file, start, borrowed=True)


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
        ValueError: There is neither a path nor a name, or the path leaves its folder.
    """
    wanted = name if path is None else path
    if not wanted.strip():
        raise ValueError("what is uploaded has no name of its own: give path=")
    pure = PurePosixPath(wanted)
    if ".." in pure.parts or wanted.endswith("/") or not pure.name:
        raise ValueError(f"path {wanted!r} must name a file, without '..'")
    return str(PurePosixPath(WORKSPACE) / pure)
