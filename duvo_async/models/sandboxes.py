"""Sandboxes: the places where a run finds its files."""

from datetime import datetime

from attrs import field, frozen

from duvo_async.models._open_enum import OpenEnum
from duvo_async.models._signed import without_query


@frozen(kw_only=True)
class Sandbox:
    """A place for files that a run can be started with.

    Attributes:
        sandbox_id: Its id.
        expires_at: When the API forgets it, and its files with it.
    """

    sandbox_id: str
    expires_at: datetime


@frozen(kw_only=True)
class UploadUrl:
    """A presigned URL that takes one file by PUT.

    Attributes:
        upload_url: The URL with its signature, which its repr leaves out. Anyone who holds it can
            write the file: do not log it, and send no API key to it.
        path: Where in the sandbox the file will be.
        expires_in_seconds: For how long it is good.
    """

    upload_url: str = field(repr=without_query)
    path: str
    expires_in_seconds: float


class SandboxFileType(OpenEnum):
    """Kinds of entries in a sandbox's directory."""

    FILE = "file"
    DIR = "dir"


@frozen(kw_only=True)
class SandboxFile:
    """An entry of a sandbox's directory.

    Attributes:
        name: Its name in the directory.
        path: Its whole path.
        type: A file or a directory.
        size_bytes: Its size.
    """

    name: str
    path: str
    type: SandboxFileType
    size_bytes: int


@frozen(kw_only=True)
class UploadedFile:
    """A file that has arrived: in a sandbox, or among the team's files.

    Attributes:
        path: Where it is.
        size_bytes: How much arrived.
    """

    path: str
    size_bytes: int
