"""Files on their way to a disk: under another name until they are whole.

Whatever touches the disk is done in threads.
"""

import asyncio
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO
from uuid import uuid4

from duvo_async._threads import apart
from duvo_async.errors import DownloadTargetError

_STEP = 1024 * 1024
"""Bytes written at a time: a thread costs as much as writing fewer."""
_SEPARATORS = ("/", os.sep)
_PATIENCE = 1.0
"""Seconds to wait until what is not wanted is gone."""


class Draft:
    """A file on its way to its place. Kept or dropped, it is done with.

    Args:
        target: Its place.
        location: Where it is until it is whole.
        file: The same, open.
        overwrite: Whether it may take the place of another.

    Attributes:
        target: Its place.
    """

    def __init__(self, target: Path, location: Path, file: BinaryIO, *, overwrite: bool) -> None:
        self.target: Path = target
        self._location = location
        self._file = file
        self._overwrite = overwrite
        self._written = 0
        self._pending = bytearray()
        # The thread of a call that was given up may still be at it.
        self._lock = Lock()

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self._written + len(self._pending)

    async def write(self, block: bytes) -> None:
        """Add bytes.

        Raises:
            DownloadTargetError: They cannot be written.
        """
        self._pending += block
        if len(self._pending) >= _STEP:
            await self._flush()

    def restart(self) -> None:
        """Forget all bytes."""
        self._written = 0
        self._pending.clear()

    async def keep(self) -> None:
        """Put it into its place, where it appears whole.

        Raises:
            DownloadTargetError: That cannot be, or there is another by now.
        """
        await self._flush()
        await apart(self._keep)

    async def discard(self) -> None:
        """Leave nothing behind, unless it is in its place."""
        with suppress(TimeoutError):  # the thread does not need to be waited for
            async with asyncio.timeout(_PATIENCE):
                await apart(self.drop)

    def drop(self) -> None:
        """Do the same here and now, which may block."""
        with self._lock, suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._location.unlink()

    async def _flush(self) -> None:
        data, self._pending = self._pending, bytearray()
        start, self._written = self._written, self._written + len(data)

        def write() -> None:
            with self._lock, _writing(self.target):
                self._file.seek(start)
                self._file.write(data)

        await apart(write)

    def _keep(self) -> None:
        with self._lock, _writing(self.target):
            self._file.truncate(self._written)
            self._file.close()
            if self._overwrite:
                self._location.replace(self.target)
            else:
                _put(self._location, self.target)


def open_draft(to: str, name: str, *, overwrite: bool) -> Draft:
    """Begin a file. It blocks: run it in a thread.

    Args:
        to: Its place, or the folder for it; with a separator at its end it is a folder.
        name: What it is called in a folder.
        overwrite: Whether it may take the place of another.

    Returns:
        The draft; keep it or drop it.

    Raises:
        DownloadTargetError: It cannot be written, or there is another.
    """
    place = Path(to)
    with _writing(place):
        target = place / name if place.is_dir() else place
        if target is place and to.endswith(_SEPARATORS):
            raise DownloadTargetError(f"{to} is no folder")
    with _writing(target):
        if target.is_dir():
            raise DownloadTargetError(f"{target} is a directory")
        with suppress(FileNotFoundError):
            target.lstat()  # which has something against a name that cannot be
            if not overwrite:
                raise FileExistsError
        # Beside it, so that it need not be copied to get there.
        location = target.with_name(f".duvo-{uuid4().hex}.part")
        return Draft(target, location, location.open("xb"), overwrite=overwrite)


def _put(location: Path, target: Path) -> None:
    try:
        os.link(location, target)
    except FileExistsError:
        raise
    except OSError:  # there are no links there
        if os.path.lexists(target):
            raise FileExistsError from None
        location.replace(target)
    else:
        location.unlink()


@contextmanager
def _writing(target: Path) -> Generator[None, None, None]:
    """Turn whatever a disk has against a file into the error that names it."""
    try:
        yield
    except DownloadTargetError:
        raise
    except FileExistsError:
        raise DownloadTargetError(f"{target} exists: overwrite=True replaces it") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DownloadTargetError(f"cannot write {target}: {reason}") from error
    except ValueError as error:  # a closed file, or a name with a null character
        raise DownloadTargetError(f"cannot write {target}: {error}") from error
