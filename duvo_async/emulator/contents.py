"""The bytes of uploaded files, in a temporary folder, never whole in memory."""

import tempfile
from pathlib import Path
from typing import BinaryIO, Self
from uuid import uuid4

from attrs import define, frozen


@frozen
class Content:
    """The bytes of one complete file.

    Attributes:
        location: Where they are on this machine.
        size: How many they are.
    """

    location: Path
    size: int


@define
class Draft:
    """A file on its way in: write to it, then keep it. Left as a context unkept, it is deleted."""

    location: Path
    _file: BinaryIO
    size: int = 0
    _kept: bool = False

    def write(self, chunk: bytes) -> None:
        """Appends a chunk."""
        self.size += self._file.write(chunk)

    def keep(self) -> Content:
        """Completes the file."""
        self._file.close()
        self._kept = True
        return Content(self.location, self.size)

    def __enter__(self) -> Self:
        """Gives the draft itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Deletes the file, unless it was kept."""
        self._file.close()
        if not self._kept:
            self.location.unlink(missing_ok=True)


@define
class ContentStore:
    """The temporary folder: made when the first byte needs it, deleted by `close`."""

    _folder: tempfile.TemporaryDirectory[str] | None = None

    def draft(self) -> Draft:
        """Opens a new empty file."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="duvo-emulator-")
        location = Path(self._folder.name) / uuid4().hex
        return Draft(location, location.open("wb"))

    def add(self, data: bytes) -> Content:
        """Stores bytes that are in memory already."""
        with self.draft() as draft:
            draft.write(data)
            return draft.keep()

    def close(self) -> None:
        """Deletes the folder and all that is in it."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
