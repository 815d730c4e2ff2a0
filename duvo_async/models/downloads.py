"""Downloads: how far a file has come, and where it is."""

from pathlib import Path

from attrs import frozen


@frozen(kw_only=True)
class DownloadProgress:
    """How far a file on its way to this machine has come.

    Attributes:
        path: Where among the team's files it is.
        received: How many of its bytes are here.
        total: How many bytes it has. None while that is not known.
        attempt: The number of this attempt, from 1. Another one goes on from what is here, where
            the storage lets it, else it begins again at the first byte.
        finished: Whether it is in its place.
    """

    path: str
    received: int
    total: int | None
    attempt: int
    finished: bool


@frozen(kw_only=True)
class DownloadedFile:
    """A file that has arrived on this machine.

    Attributes:
        path: Where it is.
        size_bytes: How much arrived.
    """

    path: Path
    size_bytes: int
