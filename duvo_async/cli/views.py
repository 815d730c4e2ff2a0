"""What a run of the command prints: for a terminal, for a pipe, or as JSON for a program."""

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.prompt import Confirm
from rich.text import Text

from duvo_async import (
    HumanRequestPending,
    Message,
    QuestionOption,
    Run,
    RunError,
    UploadOutcome,
)
from duvo_async.cli.bars import bars
from duvo_async.cli.output import (
    error_document,
    json_text,
    message_lines,
    on_terminal,
    printable,
)
from duvo_async.cli.termination import terminated
from duvo_async.cli.uploads import Extent, FileEntries, OnProgress, Uploads, summary


def make_view(*, as_json: bool, local: bool) -> "View":
    """Choose how to print; `local` runs end with the command, and cannot be gone on with."""
    if as_json:
        return JSONView(local=local)
    return TerminalView(local=local) if on_terminal() else View(local=local)


class View(Uploads):
    """What a run does, line by line."""

    def __init__(self, *, local: bool) -> None:
        self._local = local

    def status(self, run: Run) -> None:
        """Say what the run does now; its end is told by `ended`, after its last words."""
        if not run.is_terminal:
            self._line(f"run {run.id} is {run.status}")

    def message(self, message: Message) -> None:
        """Print what the run said."""
        for line in message_lines(message):
            self._line(line)

    def ended(self, run: Run) -> None:
        """Say how the run ended."""
        self._line(f"run {run.id} is {run.status}")

    def failed(self, error: Exception, run: Run | None) -> None:
        """Say what went wrong and what to do."""
        if isinstance(error, HumanRequestPending):
            self._trouble(_how_to_answer(error, local=self._local))
            return
        for text in (f"duvo-async: {error}", *getattr(error, "__notes__", ())):
            self._trouble(text)
        going_on = run is not None and not run.is_terminal and not isinstance(error, RunError)
        if run is not None and going_on and not self._local:
            self.note(f"run {run.id} goes on")

    def wants_stopped(self, run: Run) -> bool:
        """Ask, after Ctrl-C, whether to stop the run; where nobody can be asked it goes on."""
        if terminated() or not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        try:
            return Confirm.ask(
                f"\nStop run {run.id} too?", console=Console(stderr=True), default=False
            )
        except (EOFError, KeyboardInterrupt):
            return False

    def interrupted(self) -> None:
        """Remember that Ctrl-C ended it."""


class TerminalView(View):
    """Colours, and a line at the bottom that says what is going on."""

    def __init__(self, *, local: bool) -> None:
        super().__init__(local=local)
        self._console = Console(highlight=False)
        self._status = self._console.status("")

    @contextmanager
    def uploading(self, extent: Extent | None, /) -> Generator[OnProgress, None, None]:
        """Draw how far the files have come."""
        with bars(self._console, extent) as show:
            yield show

    def uploaded(self, outcomes: Sequence[UploadOutcome]) -> None:
        """Say what became of the files."""
        self._line(summary(outcomes))

    @contextmanager
    def paused(self) -> Generator[None, None, None]:
        """Take the bottom line away meanwhile."""
        self._status.stop()
        yield
        self._status.start()

    def status(self, run: Run) -> None:
        """Say what the run does now."""
        if not run.is_terminal:
            self._going_on(f"run {run.id} is {run.status}")

    def message(self, message: Message) -> None:
        """Print what the run said, with the speaker in colour."""
        colour = "cyan" if message.role == "user" else "green"
        if message.text_content:
            text = Text.assemble((f"{message.role}: ", colour), printable(message.text_content))
            self._console.print(text, soft_wrap=True)
        else:
            super().message(message)

    def ended(self, run: Run) -> None:
        """Say how the run ended."""
        self._status.stop()
        colour = "green" if run.succeeded else "red"
        self._console.print(Text(f"run {run.id} is {run.status}", style=f"bold {colour}"))

    def wants_stopped(self, run: Run) -> bool:
        """Ask what should become of the run."""
        self._status.stop()
        return super().wants_stopped(run)

    def close(self) -> None:
        """Take the bottom line away."""
        self._status.stop()

    def _going_on(self, text: str) -> None:
        self._status.update(Text(printable(text), style="dim"))
        self._status.start()

    def _line(self, text: str) -> None:
        self._console.print(Text(printable(text), style="dim"), soft_wrap=True)

    def _trouble(self, text: str) -> None:
        self._status.stop()
        super()._trouble(text)


class JSONView(View):
    """One document at the end, whatever the end is."""

    def __init__(self, *, local: bool) -> None:
        super().__init__(local=local)
        self._files = FileEntries()
        self._document: dict[str, Any] = {"run": None, "files": [], "messages": []}

    @contextmanager
    def uploading(self, _extent: Extent | None, /) -> Generator[OnProgress, None, None]:
        """Keep what arrives for the document."""
        yield self._files.progress

    def uploaded(self, outcomes: Sequence[UploadOutcome]) -> None:
        """Keep the files for the document."""
        self._files.outcomes(outcomes)

    def status(self, run: Run) -> None:
        """Keep the run for the document."""
        self._document["run"] = run

    def ended(self, run: Run) -> None:
        """Keep the run for the document."""
        self._document["run"] = run

    def message(self, message: Message) -> None:
        """Keep the message for the document."""
        self._document["messages"].append(message)

    def failed(self, error: Exception, run: Run | None) -> None:
        """Keep the error for the document."""
        super().failed(error, run)
        self._document["error"] = error_document(error)
        if isinstance(error, HumanRequestPending):
            self._document["error"]["message"] = _how_to_answer(error, local=self._local)

    def interrupted(self) -> None:
        """Say so in the document."""
        self._document["error"] = error_document(KeyboardInterrupt("interrupted"))

    def close(self) -> None:
        """Print the document."""
        self._document["files"] = self._files.entries
        click.echo(json_text(self._document, indent=2))


def _how_to_answer(pending: HumanRequestPending, *, local: bool) -> str:
    request = pending.request
    lines = [f"A person's answer is needed: {request.title}"]
    if request.description:
        lines.append(request.description)
    for question in request.questions:
        lines.append(f"  {question.question}")
        lines += [_option(option) for option in question.options]
    if request.questions:
        ways = " ".join(f"--answer {question.question + '=…'!r}" for question in request.questions)
    else:
        ways = "--approve   (or --deny)"
    if local:
        lines += ["The run ends here, with its emulator. Start it again with", f"  {ways}"]
    else:
        lines.append(f"run {pending.run_id} goes on waiting. Answer it with")
        lines.append(f"  duvo-async run --resume {pending.run_id} {ways}")
    lines.append("or with --ask at the terminal.")
    return "\n".join(lines)


def _option(option: QuestionOption) -> str:
    return f"    - {option.label}" + (f": {option.description}" if option.description else "")
