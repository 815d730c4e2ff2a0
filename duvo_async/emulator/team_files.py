"""The files of a team, which stay until they are deleted."""

import posixpath
from collections.abc import Mapping
from mimetypes import MimeTypes

from attrs import define, field, frozen

from duvo_async.emulator.contents import Content, ContentStore
from duvo_async.emulator.exchange import timestamp
from duvo_async.emulator.ids import Ids
from duvo_async.emulator.sandboxes import BadPathError

_KINDS = MimeTypes()  # what Python knows itself, and nothing of this machine's


def check_path(path: str) -> None:
    """Checks that a file of the team can have this path, which is relative and has no detours.

    Raises:
        BadPathError: None can.
    """
    if "\0" in path or any(segment in {"", ".", ".."} for segment in path.split("/")):
        raise BadPathError("a file's path is made of names with single slashes in between")


def guess_kind(path: str) -> str | None:
    """The content type that a file's extension stands for; None when it is not known."""
    return _KINDS.guess_type(path.rpartition("/")[2])[0]


@define
class TeamFile:
    """One file.

    Attributes:
        id: The file's id.
        path: Where it is.
        content_type: What it was declared as.
        content: Its bytes.
        created_at: When it was put there first, in Unix seconds.
        updated_at: When it was put there last, in Unix seconds.
        version: Tells its bytes from all that were put there before.
    """

    id: str
    path: str
    content_type: str
    content: Content
    created_at: float
    updated_at: float
    version: int

    @property
    def etag(self) -> str:
        """What HTTP calls this version of it."""
        return f'"{self.id}-{self.version}"'

    def as_listed(self) -> Mapping[str, object]:
        """How the API shows it in a list."""
        return {
            "id": self.id,
            "name": posixpath.basename(self.path),
            "path": self.path,
            "created_at": timestamp(self.created_at),
            "updated_at": timestamp(self.updated_at),
            "metadata": {"mimetype": self.content_type, "size": self.content.size},
        }


@define
class TeamFiles:
    """All files of the API key's own team.

    Attributes:
        store: Where their bytes are.
        ids: Where their ids come from.
    """

    store: ContentStore
    ids: Ids
    _by_path: dict[str, TeamFile] = field(factory=dict[str, TeamFile])
    _count: int = 0

    def all(self) -> list[TeamFile]:
        """The files, by path."""
        return [self._by_path[path] for path in sorted(self._by_path)]

    def find(self, path: str) -> TeamFile | None:
        """The file at a path; None when there is none."""
        return self._by_path.get(path)

    def put(self, path: str, content_type: str, content: Content, now: float) -> None:
        """Adds a file, or replaces the one that is there, which stays the same file."""
        version = self._count = self._count + 1
        older = self._by_path.get(path)
        if older is not None:
            older.content.location.unlink(missing_ok=True)
        file_id = self.ids.uuid("team file", version) if older is None else older.id
        created_at = now if older is None else older.created_at
        self._by_path[path] = TeamFile(
            file_id, path, content_type, content, created_at, now, version
        )

    def move(self, file: TeamFile, path: str, now: float) -> None:
        """Gives a file another path, where there must be none."""
        del self._by_path[file.path]
        self._by_path[path] = file
        file.path = path
        file.updated_at = now

    def remove(self, file: TeamFile) -> None:
        """Deletes a file."""
        del self._by_path[file.path]
        file.content.location.unlink(missing_ok=True)


@frozen
class TeamFilePlace:
    """Where an upload to the team's files ends.

    Attributes:
        files: The files.
        path: The path that the file is to have.
        content_type: What it is declared as.
    """

    files: TeamFiles
    path: str
    content_type: str

    def check_free(self) -> None:
        """Finds nothing wrong: object storage has no directories to collide with."""

    def put(self, content: Content, now: float) -> None:
        """Puts the file in place."""
        self.files.put(self.path, self.content_type, content, now)
