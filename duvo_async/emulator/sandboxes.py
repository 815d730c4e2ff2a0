"""Sandboxes: the folders that runs read their files from."""

import posixpath
from typing import BinaryIO, Literal

from attrs import define, field, frozen

from duvo_async.emulator.contents import Content, ContentStore
from duvo_async.emulator.ids import Ids

WORKSPACE = "/workspace"


class BadPathError(ValueError):
    """A path that no file of a sandbox can have."""


class OccupiedPathError(ValueError):
    """A path that collides with a directory, or that has a file above it."""


def resolve(path: str) -> str:
    """The absolute, normalised form of a path; a relative one starts at the workspace.

    Raises:
        BadPathError: It leads out of the workspace.
    """
    # POSIX lets exactly two leading slashes mean something else, so normpath keeps them.
    absolute = "/" + posixpath.normpath(posixpath.join(WORKSPACE, path)).lstrip("/")
    if "\0" in path or not (absolute + "/").startswith(WORKSPACE + "/"):
        raise BadPathError(f"path must stay inside {WORKSPACE}")
    return absolute


def resolve_file(path: str) -> str:
    """Like `resolve`, for a path that must be able to name a file.

    Raises:
        BadPathError: It leads out of the workspace or names a directory.
    """
    absolute = resolve(path)
    if absolute == WORKSPACE or path.endswith("/"):
        raise BadPathError("path must name a file")
    return absolute


@frozen
class SandboxEntry:
    """What a listing says of one file or directory.

    Attributes:
        name: The last segment of its path.
        path: Its absolute path in the sandbox.
        type: `file` or `dir`.
        size_bytes: Its size in bytes; 0 for a directory.
    """

    name: str
    path: str
    type: Literal["file", "dir"]
    size_bytes: int
    _content: Content | None = field(default=None, repr=False)

    def open(self) -> BinaryIO:
        """Opens the file to read its bytes; the caller closes it.

        Raises:
            IsADirectoryError: It is a directory.
        """
        if self._content is None:
            raise IsADirectoryError(self.path)
        return self._content.location.open("rb")


@define
class Sandbox:
    """One sandbox and its files; directories exist because files are in them.

    Attributes:
        id: The sandbox's id.
        expires_at: When the API forgets it, in Unix seconds.
    """

    id: str
    expires_at: float
    _files: dict[str, Content] = field(factory=dict[str, Content])
    _directories: set[str] = field(factory=lambda: {WORKSPACE})

    def check_free(self, path: str) -> None:
        """Checks that a resolved path can hold a file, perhaps in place of an older one.

        Raises:
            OccupiedPathError: It is a directory, or one of its directories is a file.
        """
        if path in self._directories or any(above in self._files for above in _above(path)):
            raise OccupiedPathError(f"{path} collides with what is in the sandbox")

    def put(self, path: str, content: Content) -> None:
        """Adds or replaces the file at a resolved path that `check_free` let pass."""
        replaced = self._files.get(path)
        if replaced is not None:
            replaced.location.unlink(missing_ok=True)
        self._files[path] = content
        self._directories.update(_above(path))

    def read(self, path: str) -> bytes:
        """All bytes of a file.

        Raises:
            BadPathError: The path leads out of the workspace or names a directory.
            FileNotFoundError: There is no such file.
        """
        content = self._files.get(resolve_file(path))
        if content is None:
            raise FileNotFoundError(f"no file at {path}")
        return content.location.read_bytes()

    def entries(self, path: str) -> tuple[SandboxEntry, ...]:
        """What is directly in a directory, by name.

        Raises:
            BadPathError: The path leads out of the workspace.
            FileNotFoundError: There is no such directory.
        """
        parent = resolve(path)
        if parent not in self._directories:
            raise FileNotFoundError(f"no directory at {path}")
        directories = (
            SandboxEntry(posixpath.basename(each), each, "dir", 0)
            for each in self._directories
            if posixpath.dirname(each) == parent
        )
        files = (
            SandboxEntry(posixpath.basename(each), each, "file", content.size, content)
            for each, content in self._files.items()
            if posixpath.dirname(each) == parent
        )
        return tuple(sorted((*directories, *files), key=lambda entry: entry.name))


def _above(path: str) -> list[str]:
    """The directories above a resolved path, up to the workspace."""
    above: list[str] = []
    while path != WORKSPACE:
        path = posixpath.dirname(path)
        above.append(path)
    return above


@define
class Sandboxes:
    """All sandboxes.

    Attributes:
        store: Where their bytes are.
        ttl: Seconds from a sandbox's creation to its expiry.
        ids: Where their ids come from.
    """

    store: ContentStore
    ttl: float
    ids: Ids
    _by_id: dict[str, Sandbox] = field(factory=dict[str, Sandbox])

    def create(self, now: float) -> Sandbox:
        """Makes an empty sandbox."""
        sandbox_id = f"sbx_{self.ids.token('sandbox', len(self._by_id))[:24]}"
        sandbox = Sandbox(sandbox_id, now + self.ttl)
        self._by_id[sandbox.id] = sandbox
        return sandbox

    def find(self, sandbox_id: str, now: float) -> Sandbox | None:
        """The sandbox of that id; None when it never was or has expired."""
        sandbox = self._by_id.get(sandbox_id)
        return sandbox if sandbox is not None and now < sandbox.expires_at else None
