"""What every way of printing shares: plain lines, safe texts and JSON."""

import json
import os
import sys
import unicodedata
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import click
from attrs import asdict

from duvo_async import Message

REDRAWN = 4
"""Times a second that a terminal is drawn anew, at most."""


def on_terminal() -> bool:
    """Tell whether results go to a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


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


def json_text(value: object, *, indent: int | None = None) -> str:
    """Write a JSON document, which stays one whatever the output's encoding cannot show."""
    encoding = getattr(sys.stdout, "encoding", None) or ""
    whole = encoding.lower() in {"utf-8", "utf8"}
    return json.dumps(value, default=_plain, ensure_ascii=not whole, indent=indent)


def message_lines(message: Message) -> Iterator[str]:
    """Put what a run said into lines."""
    if message.text_content:
        yield f"{message.role}: {message.text_content}"
    if message.tool_call:
        arguments = json.dumps(message.tool_call.arguments, ensure_ascii=False)
        yield f"{message.role}: calls {message.tool_call.name} {arguments}"
    if message.tool_result and message.tool_result.error:
        yield f"{message.role}: failed: {message.tool_result.error}"


def error_document(error: BaseException) -> dict[str, str]:
    """Put an error into a document."""
    return {"type": type(error).__name__, "message": str(error)}


def _plain(value: Any) -> object:  # noqa: ANN401 - what json cannot write by itself
    """Give what `json` can write in place of a value that it cannot."""
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "__attrs_attrs__"):
        return asdict(value, recurse=False)
    raise TypeError(f"{type(value).__name__} has no JSON form")
