"""Commands that ask the API something and print what it says: a table, plain lines or JSON."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias, cast

import click
from attrs import define
from rich.console import Console
from rich.table import Table
from rich.text import Text

from duvo_async import AsyncDuvo, Message
from duvo_async._converter import unstructure
from duvo_async.cli.job import COMPLETED, INTERRUPTED, Settings
from duvo_async.cli.output import (
    Output,
    error_document,
    json_text,
    message_lines,
    on_terminal,
    printable,
)

Columns: TypeAlias = Mapping[str, Callable[[object], object]]
"""What a table shows: the head of each column, and what gives its cells."""


class Results(Output):
    """Results as they come.

    Attributes:
        as_json: Whether they are JSON documents, one a line.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json: bool = as_json

    async def show_all(self, items: AsyncIterable[object], columns: Columns) -> None:
        """Print a list: a table on a terminal, else a line an item with tabs between its cells."""
        if self.as_json:
            async for item in items:
                self.document(item)
        elif on_terminal():
            await _draw(items, columns)
        else:
            async for item in items:
                self._line("\t".join(_plain(_cell(read(item))) for read in columns.values()))

    def show(self, item: object, columns: Columns) -> None:
        """Print one thing: a line for each of what is known of it."""
        if self.as_json:
            self.document(item)
            return
        width = max(map(len, columns))
        for head, read in columns.items():
            if text := _cell(read(item)):
                self._line(f"{head:{width}}  {_plain(text)}")

    def document(self, item: object) -> None:
        """Print a JSON document with the API's own names."""
        click.echo(json_text(unstructure(item)))  # as it is: a program reads it

    def message(self, message: Message) -> None:
        """Print what a run said."""
        for line in message_lines(message):
            self._line(line)

    def say(self, text: str) -> None:
        """Print a line of plain text, unless documents are wanted."""
        if not self.as_json:
            self._line(text)

    def failed(self, error: Exception) -> None:
        """Say what went wrong."""
        if self.as_json:
            click.echo(json_text({"error": error_document(error)}))
        for text in (f"duvo-async: {error}", *getattr(error, "__notes__", ())):
            self._trouble(text)


@define
class Asking:
    """A command: what it asks, and where it prints.

    Attributes:
        settings: Which API.
        view: Where it prints.
        ask: Asks and prints; gives the exit code, or None for 0.
    """

    settings: Settings
    view: Results
    ask: Callable[[AsyncDuvo, Results], Awaitable[int | None]]

    def perform(self) -> int:
        """Do it.

        Returns:
            The exit code.

        Raises:
            DuvoError: It could not be done.
            ValueError: An argument is wrong.
        """
        try:
            return asyncio.run(self._perform()) or COMPLETED
        except KeyboardInterrupt:
            return INTERRUPTED

    def failed(self, error: Exception) -> None:
        """Say what went wrong."""
        self.view.failed(error)

    def unread(self) -> None:
        """Leave it at that: nothing goes on."""

    async def _perform(self) -> int | None:
        async with self.settings.client() as duvo:
            return await self.ask(duvo, self.view)


async def _draw(items: AsyncIterable[object], columns: Columns) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    first = next(iter(columns))
    for head in columns:
        # An id is there to be copied, and has no place to be broken at.
        table.add_column(head, overflow="fold", no_wrap=head == first)
    async for item in items:
        table.add_row(*(Text(_plain(_cell(read(item)))) for read in columns.values()))
    Console(highlight=False).print(table)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_cell(each) for each in cast("Sequence[object]", value))
    return str(value)


def _plain(text: str) -> str:
    """Keep a cell in its line."""
    return " ".join(printable(text).split())
