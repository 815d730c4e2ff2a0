"""Uploads as the command does them, and what it prints of them."""

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import click
from attrs import define, field
from rich.console import Console
from rich.text import Text

from duvo_async import Sandbox, UploadOutcome, UploadProgress
from duvo_async.cli.bars import bars
from duvo_async.cli.fanout import joint_code
from duvo_async.cli.job import COMPLETED, INTERRUPTED, Settings, exit_code
from duvo_async.cli.output import error_document, json_text, on_terminal, printable
from duvo_async.cli.uploads import (
    Extent,
    FileEntries,
    OnProgress,
    Uploads,
    counted_files,
    failures,
    look_at,
    summary,
)
from duvo_async.resources.sandboxes import AsyncSandboxes


def make_upload_view(*, as_json: bool, sandbox_id: str | None) -> "UploadView":
    """Choose how to print; a document also names the sandbox that was given."""
    if as_json:
        return UploadDocument(sandbox_id)
    return UploadBars() if on_terminal() else UploadView()


class UploadView(Uploads):
    """A line a file as it arrives; what failed and the summary go to stderr."""

    def sandbox(self, sandbox: Sandbox) -> None:
        """Say which sandbox was made."""
        expiry = sandbox.expires_at.isoformat(timespec="seconds")
        self._line(f"sandbox {sandbox.sandbox_id} expires at {expiry}")

    def uploaded(self, outcomes: Sequence[UploadOutcome]) -> None:
        """Say what failed, and sum up; of a single file that has arrived all was said."""
        for text in failures(outcomes):
            self._trouble(text)
        if len(outcomes) > 1 or outcomes[0].skipped:
            self._trouble(summary(outcomes))

    def failed(self, error: Exception) -> None:
        """Say what went wrong with all of it."""
        self._trouble(f"duvo-async: {error}")

    def interrupted(self) -> None:
        """Remember that Ctrl-C ended it."""


class UploadBars(UploadView):
    """Bars while files are under way, and in the end what became of them."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)

    @contextmanager
    def uploading(self, extent: Extent | None, /) -> Generator[OnProgress, None, None]:
        """Draw how far the files have come."""
        with bars(self._console, extent) as show:
            yield show

    def uploaded(self, outcomes: Sequence[UploadOutcome]) -> None:
        """Say what failed, and sum up, a single file as well, since its bar has gone."""
        for text in failures(outcomes):
            self._console.print(Text(printable(text), style="red"), soft_wrap=True)
        if len(outcomes) > 1 or outcomes[0].succeeded:
            self._line(summary(outcomes))


class UploadDocument(UploadView):
    """One document at the end, whatever the end is."""

    def __init__(self, sandbox_id: str | None) -> None:
        self._files = FileEntries()
        self._document: dict[str, object] = {
            "sandbox_id": sandbox_id,
            "expires_at": None,
            "files": [],
        }

    def sandbox(self, sandbox: Sandbox) -> None:
        """Keep the sandbox for the document."""
        self._document |= {"sandbox_id": sandbox.sandbox_id, "expires_at": sandbox.expires_at}

    @contextmanager
    def uploading(self, _extent: Extent | None, /) -> Generator[OnProgress, None, None]:
        """Keep what arrives for the document."""
        yield self._files.progress

    def uploaded(self, outcomes: Sequence[UploadOutcome]) -> None:
        """Keep the files for the document."""
        self._files.outcomes(outcomes)

    def failed(self, error: Exception) -> None:
        """Keep the error for the document."""
        super().failed(error)
        self._document["error"] = error_document(error)

    def interrupted(self) -> None:
        """Say so in the document."""
        self._document["error"] = error_document(KeyboardInterrupt("interrupted"))

    def close(self) -> None:
        """Print the document."""
        self._document["files"] = self._files.entries
        click.echo(json_text(self._document, indent=2))


@define
class Upload:
    """What the user asked for, and how much of it has arrived so far."""

    settings: Settings
    sources: tuple[str, ...]
    sandbox_id: str | None
    to: str
    sync: bool
    view: UploadView
    _arrived: int = field(default=0, init=False)

    def perform(self) -> int:
        """Upload.

        Returns:
            The exit code.

        Raises:
            DuvoError: It could not be done, or there is no file at all, as in an empty folder.
            ValueError: An argument is wrong, or two files would go to one path.
            BrokenPipeError: Nobody reads any more what is printed.
        """
        try:
            outcomes = asyncio.run(self._perform())
        except KeyboardInterrupt:
            self._tell_arrived()
            self.view.interrupted()
            return INTERRUPTED
        self.view.uploaded(outcomes)
        return joint_code({_code(outcome) for outcome in outcomes})

    def failed(self, error: Exception) -> None:
        """Say what went wrong."""
        self.view.failed(error)

    def unread(self) -> None:
        """Say how far it came when nobody reads any more what is printed."""
        self._tell_arrived()

    async def _perform(self) -> Sequence[UploadOutcome]:
        extent = await look_at(self.sources, self.to, strict=False)
        async with self.settings.client() as duvo:
            if self.sandbox_id is None:
                sandbox = await duvo.sandboxes.create()
                self.sandbox_id = sandbox.sandbox_id
                self.view.sandbox(sandbox)
            # How much of a folder is there already is not known yet.
            with self.view.uploading(None if self.sync else extent) as show:

                def count(progress: UploadProgress) -> None:
                    self._arrived += progress.finished
                    show(progress)

                return await self._upload(duvo.sandboxes, self.sandbox_id, count)

    async def _upload(
        self, sandboxes: AsyncSandboxes, sandbox_id: str, show: OnProgress
    ) -> Sequence[UploadOutcome]:
        if self.sync:
            return await sandboxes.sync(sandbox_id, self.sources[0], to=self.to, on_progress=show)
        return await sandboxes.upload_many(sandbox_id, self.sources, to=self.to, on_progress=show)

    def _tell_arrived(self) -> None:
        where = "" if self.sandbox_id is None else f" in sandbox {self.sandbox_id}"
        self.view.note(f"{counted_files(self._arrived)} had arrived{where}")


def _code(outcome: UploadOutcome) -> int:
    return COMPLETED if outcome.error is None else exit_code(outcome.error)
