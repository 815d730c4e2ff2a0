"""How uploads are told: a line a file as it arrives, a summary, or entries of a JSON document."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeAlias

from attrs import define, field, frozen

from duvo_async import UploadedFile, UploadOutcome, UploadProgress, UploadSourceError
from duvo_async._planning import plan
from duvo_async._threads import apart
from duvo_async.cli.output import Output, error_document

OnProgress: TypeAlias = Callable[[UploadProgress], None]


@frozen
class Extent:
    """What is to be uploaded.

    Attributes:
        files: How many files there are.
        size: Their bytes, as far as they are known.
    """

    files: int
    size: int


async def look_at(sources: Sequence[str], to: str, *, strict: bool) -> Extent:
    """Look at what is to be uploaded, before anything is made or sent.

    Args:
        sources: Files, folders and patterns.
        to: Where they go.
        strict: Whether each of them has to be readable.

    Returns:
        How much it is.

    Raises:
        UploadSourceError: There is no file, as in an empty folder, or one cannot be read.
        ValueError: Two files would go to one path.
    """
    planned = await apart(partial(plan, list(sources), to))
    if not planned:
        raise UploadSourceError(f"there is no file in {', '.join(sources)}")
    for each in planned:
        if strict and each.error is not None:
            raise each.error
    return Extent(len(planned), sum(each.size for each in planned))


class Uploads(Output):
    """A line a file, as it arrives."""

    @contextmanager
    def uploading(self, _extent: Extent | None, /) -> Generator[OnProgress, None, None]:
        """Show how files come along, which the function that it gives is told.

        It is given what is to be sent, or None while that is unknown.
        """
        yield self._progress

    def uploaded(self, outcomes: Sequence[UploadOutcome]) -> None:
        """Take what became of the files, one at least."""

    def _progress(self, progress: UploadProgress) -> None:
        if progress.finished:
            self._line(_arrived(progress.path, progress.total))


def summary(outcomes: Sequence[UploadOutcome]) -> str:
    """Put what became of files into a line."""
    there = sum(outcome.skipped for outcome in outcomes)
    failed = sum(not outcome.succeeded for outcome in outcomes)
    sent = [each.file for each in outcomes if each.file is not None and not each.skipped]
    if len(outcomes) == len(sent) == 1:
        return _arrived(sent[0].path, sent[0].size_bytes)
    parts = [f"{len(sent):,} uploaded ({sum(file.size_bytes for file in sent):,} bytes)"]
    parts += [f"{there:,} there already"] if there else []
    parts += [f"{failed:,} failed"] if failed else []
    return f"{counted_files(len(outcomes))}: {', '.join(parts)}"


def failures(outcomes: Sequence[UploadOutcome]) -> list[str]:
    """Put what failed into a line a file; what one error befell is in one line."""
    befell: dict[int, list[UploadOutcome]] = {}
    for outcome in outcomes:
        if outcome.error is not None:
            befell.setdefault(id(outcome.error), []).append(outcome)
    return [_failed(first, len(others)) for first, *others in befell.values()]


def counted_files(count: int) -> str:
    """Say how many files there are."""
    return "1 file" if count == 1 else f"{count:,} files"


@define
class FileEntries:
    """What a JSON document says of files, also of an upload that was cut off."""

    entries: list[dict[str, object]] = field(factory=list[dict[str, object]], init=False)

    def progress(self, progress: UploadProgress) -> None:
        """Keep a file that has arrived until its outcome says more."""
        if progress.finished:
            file = UploadedFile(path=progress.path, size_bytes=progress.total)
            self.entries.append(_entry(None, progress.path, file))

    def outcomes(self, outcomes: Sequence[UploadOutcome]) -> None:
        """Keep the outcomes, in place of what arrived."""
        self.entries = [
            _entry(each.source, each.path, each.file, skipped=each.skipped, error=each.error)
            for each in outcomes
        ]


def _entry(
    source: str | None,
    path: str | None,
    file: UploadedFile | None,
    *,
    skipped: bool = False,
    error: Exception | None = None,
) -> dict[str, object]:
    return {
        "source": source,
        "path": path,
        "size_bytes": None if file is None else file.size_bytes,
        "skipped": skipped,
        "error": None if error is None else error_document(error),
    }


def _failed(first: UploadOutcome, others: int) -> str:
    names = (first.source or "''") + (f" and {counted_files(others)} more" if others else "")
    reason = str(first.error).removeprefix(f"cannot read {first.source}: ")
    return " ".join(f"failed {names}: {reason}".splitlines())


def _arrived(path: str, size: int) -> str:
    return f"uploaded {path} ({size:,} bytes)"
