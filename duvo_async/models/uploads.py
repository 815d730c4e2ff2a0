"""Uploads: how far a file has come, and what became of it."""

from attrs import frozen

from duvo_async.models.sandboxes import UploadedFile


@frozen(kw_only=True)
class UploadProgress:
    """How far a file on its way to Duvo has come.

    Attributes:
        path: Where it goes: its path in the sandbox, or its name among the team's files.
        sent: The bytes of it that were given to the network in this attempt.
        total: How many bytes it has.
        attempt: The number of this attempt, from 1. Each begins again at the first byte.
        finished: Whether it has arrived.
    """

    path: str
    sent: int
    total: int
    attempt: int
    finished: bool


@frozen(kw_only=True)
class UploadOutcome:
    """What became of one file of `upload_many` or `sync`.

    Attributes:
        index: Its position among the outcomes, from 0.
        source: What it is called on this machine; empty when it has no name there. Of a folder that
            cannot be read, or a pattern that nothing matches, that.
        path: Where in the sandbox it goes. None when that is not known.
        file: The file as it arrived. None when it did not.
        error: Why it did not. None when it did.
        skipped: Whether it was in the sandbox already, so that nothing was sent (`sync` only).
    """

    index: int
    source: str
    path: str | None
    file: UploadedFile | None = None
    error: Exception | None = None
    skipped: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether the file is in the sandbox."""
        return self.file is not None

    def raise_for_error(self) -> UploadedFile:
        """Insist that the file arrived.

        Returns:
            The file.

        Raises:
            Exception: Why it did not.
        """
        if self.error is not None:
            raise self.error
        if self.file is None:
            raise AssertionError("an outcome has a file or an error")  # pragma: no cover
        return self.file
