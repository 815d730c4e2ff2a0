"""The files that a team keeps, and the URLs by which they come and go."""

from datetime import datetime

from attrs import field, frozen

from duvo_async.models._signed import without_query


@frozen(kw_only=True)
class TeamFileMetadata:
    """What the storage knows of a file.

    Attributes:
        mimetype: Its media type. None when it is not known.
        size: Its bytes. None when they are not known.
    """

    mimetype: str | None = None
    size: int | None = None


@frozen(kw_only=True)
class TeamFile:
    """A file that a team keeps.

    Attributes:
        id: Its id.
        name: The last part of its path.
        path: Where it is among the team's files.
        created_at: When it was made. None when the API did not say.
        updated_at: When it was last changed. None when the API did not say.
        metadata: What the storage knows of it. None when the API did not say.
    """

    id: str
    name: str
    path: str
    created_at: datetime | None = None
    updated_at: datetime | None = None
    metadata: TeamFileMetadata | None = None

    @property
    def size_bytes(self) -> int | None:
        """Its bytes. None when the API did not say."""
        return None if self.metadata is None else self.metadata.size


@frozen(kw_only=True)
class TeamFileUploadUrl:
    """A presigned URL that takes one new file by PUT.

    Attributes:
        upload_url: The URL with its signature, which its repr leaves out. Anyone who holds it can
            write the file: do not log it, and send no API key to it.
        path: Where among the team's files it will be.
        expires_at: Until when it is good. None when the API did not say.
    """

    upload_url: str = field(repr=without_query, metadata={"json": "signedUrl"})
    path: str = field(metadata={"json": "filePath"})
    expires_at: datetime | None = field(default=None, metadata={"json": "expiresAt"})


@frozen(kw_only=True)
class TeamFileDownloadUrl:
    """A presigned URL that gives one file by GET.

    Attributes:
        url: The URL with its signature, which its repr leaves out. Anyone who holds it can read the
            file: do not log it, and send no API key to it.
        expires_at: Until when it is good. None when the API did not say.
    """

    url: str = field(repr=without_query)
    expires_at: datetime | None = field(default=None, metadata={"json": "expiresAt"})
