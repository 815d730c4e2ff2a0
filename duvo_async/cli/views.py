"""What the command prints: for a terminal, for a pipe, or as JSON for a program."""

import json
import os
import sys
import unicodedata
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import click
from attrs import asdict
from rich.console import Console
from rich.prompt import Confirm
from rich.text import Text

from duvo_async import (
    HumanRequestPending,
    Message,
    QuestionOption,
    Run,
    RunError,
    UploadedFile,
)


def make_view(*, as_json: bool, local: bool) -> "View":
    """Choose how to print; `local` runs end with the command, and cannot be gone on with."""
    if as_json:
        return JSONView(local=local)
    terminal = sys.stdout is not None and sys.stdout.isatty()
    return TerminalView(local=local) if terminal else View(local=local)


def printable(text: str) -> str:
    """Take out what could move the cursor, recolour a terminal or turn the direction of writing.

    Agents write these texts, and people approve what they read.
    """
    return "".join(
        character if character in "\n\t" or not _misleads(character) else "\ufffd"
        for character in text
    )


def abandon_output() -> None:
    """Print no more, since nobody reads it; else the interpreter would complain at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _misleads(character: str) -> bool:
    return unicodedata.category(character) == "Cc" or character in _DIRECTIONS


_DIRECTIONS = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


class Output:
    """Plain lines, results to stdout and trouble to stderr."""

    @contextmanager
    def paused(self) -> Generator[None, None, None]:
        """Keep quiet while something else uses the terminal."""
        yield

    def note(self, text: str) -> None:
        """Say something that is no result."""
        self._trouble(text)

    def close(self) -> None:
        """Finish."""

    def _line(self, text: str) -> None:
        click.echo(printable(text))

    def _trouble(self, text: str) -> None:
        click.echo(printable(text), err=True)


class View(Output):
    """What a run does, line by line."""

    def __init__(self, *, local: bool) -> None:
        self._local = local

    @contextmanager
    def uploading(self, _file: str) -> Generator[None, None, None]:
        """Show that a file is under way."""
        yield

    def uploaded(self, file: str, uploaded: UploadedFile) -> None:
        """Say that a file has arrived."""
        self._line(f"uploaded {file} to {uploaded.path} ({uploaded.size_bytes:,} bytes)")

    def status(self, run: Run) -> None:
        """Say what the run does now; its end is told by `ended`, after its last words."""
        if not run.is_terminal:
            self._line(f"run {run.id} is {run.status}")

    def message(self, message: Message) -> None:
        """Print what the run said."""
        if message.text_content:
            self._line(f"{message.role}: {message.text_content}")
        if message.tool_call:
            arguments = json.dumps(message.tool_call.arguments, ensure_ascii=False)
            self._line(f"{message.role}: calls {message.tool_call.name} {arguments}")
        if message.tool_result and message.tool_result.error:
            self._line(f"{message.role}: failed: {message.tool_result.error}")

    def ended(self, run: Run) -> None:
        """Say how the run ended."""
        self._line(f"run {run.id} is {run.status}")

    def failed(self, error: Exception, run: Run | None) -> None:
        """Say what went wrong and what to do."""
        if isinstance(error, HumanRequestPending):
            self._trouble(_how_to_answer(error, local=self._local))
            return
        self._trouble(f"duvo-async: {error}")
        going_on = run is not None and not run.is_terminal and not isinstance(error, RunError)
        if run is not None and going_on and not self._local:
            self.note(f"run {run.id} goes on")

    def wants_stopped(self, run: Run) -> bool:
        """Ask, after Ctrl-C, whether to stop the run; where nobody can be asked it goes on."""
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
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
    def uploading(self, file: str) -> Generator[None, None, None]:
        """Show that a file is under way."""
        self._going_on(f"uploading {file}")
        yield

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
        self._document: dict[str, Any] = {"run": None, "files": [], "messages": []}

    def uploaded(self, file: str, uploaded: UploadedFile) -> None:
        """Keep the file for the document."""
        self._document["files"].append({"source": file, **asdict(uploaded)})

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
        message = str(error)
        if isinstance(error, HumanRequestPending):
            message = _how_to_answer(error, local=self._local)
        self._document["error"] = {"type": type(error).__name__, "message": message}

    def interrupted(self) -> None:
        """Say so in the document."""
        self._document["error"] = {"type": "KeyboardInterrupt", "message": "interrupted"}

    def close(self) -> None:
        """Print the document."""
        click.echo(json.dumps(self._document, default=plain, ensure_ascii=False, indent=2))


def plain(value: Any) -> object:  # noqa: ANN401 - what json cannot write by itself
    """Give what `json` can write in place of a value that it cannot."""
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "__attrs_attrs__"):
        return asdict(value, recurse=False)
    raise TypeError(f"{type(value).__name__} has no JSON form")


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
