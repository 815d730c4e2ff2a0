"""The journal of a fan-out as the command begins it and goes on with it."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Self
from uuid import uuid4

from attrs import frozen

from duvo_async import JournalError
from duvo_async._journal_file import Entry, JournalBatch, JournalFile
from duvo_async.cli.inputs import Input, InputError, Messages
from duvo_async.cli.progress import Extent


class PlannedMessages:
    """Messages that are all known, and are read as runs are started.

    Args:
        name: What they are called in what people read.
        inputs: The messages, and their keys if they have any.

    Attributes:
        name: What they are called in what people read.
        keys: Their idempotency keys. None leaves them to the journal.
        stopped: Whether they were stopped before their end.
    """

    def __init__(self, name: str, inputs: Sequence[Input]) -> None:
        self.name: str = name
        self._messages = [each.message for each in inputs]
        keys = [each.key for each in inputs if each.key is not None]
        self.keys: list[str] | None = keys or None
        self.stopped: bool = False
        self._read = 0

    @property
    def extent(self) -> Extent:
        """How much there is."""
        total = self._read if self.stopped else len(self._messages)
        return Extent(self._read, total, exact=True)

    def stop(self) -> None:
        """Give no more."""
        self.stopped = self._read < len(self._messages)

    def __aiter__(self) -> Self:
        """Read on from where it stands."""
        return self

    async def __anext__(self) -> str | None:
        """Read a message.

        Raises:
            InputError: They were stopped. Their end it is not, which the journal would keep.
        """
        if self.stopped:
            raise InputError(f"{self.name} was stopped")
        if self._read == len(self._messages):
            raise StopAsyncIteration
        self._read += 1
        return self._messages[self._read - 1]


@frozen
class Plan:
    """What a journal says that there is to do.

    Attributes:
        path: Where the journal is.
        batch: What all runs have in common.
        messages: The messages.
    """

    path: Path
    batch: JournalBatch
    messages: PlannedMessages


async def all_of(messages: Messages) -> Sequence[Input]:
    """Read a file of messages to its end.

    Raises:
        InputError: It cannot be read, or a line is no message.
    """
    return [each async for each in _each(messages)]


async def _each(messages: Messages) -> AsyncIterator[Input]:
    async for message in messages:
        yield Input(message, messages.given_key)


def begin(path: Path, batch: JournalBatch, name: str, inputs: Sequence[Input]) -> Plan:
    """Keep all inputs before anything is done with them, so that nothing else is needed to go on.

    A journal that has some is left as it is: the fan-out insists that they are the same.

    Raises:
        JournalError: The journal cannot be used for this.
    """
    with JournalFile(path, batch) as file:
        if not file.known and file.inputs is None:
            entries = [
                Entry(position, each.message, str(uuid4()) if each.key is None else each.key)
                for position, each in enumerate(inputs)
            ]
            file.write(entries, (), len(entries))
    return Plan(path, batch, PlannedMessages(name, inputs))


def recall(path: Path) -> Plan:
    """Read what a journal says that there is to do.

    Raises:
        JournalError: It cannot be read, or does not have all inputs.
    """
    with JournalFile(path) as file:
        if file.inputs is None:
            raise JournalError(
                f"the journal {path} does not have all inputs, since they were not read to their "
                "end: go on with the program that began it",
                path=str(path),
            )
        entries = list(file.entries())
        if [each.position for each in entries] != list(range(file.inputs)):
            raise JournalError(
                f"the journal {path} lacks inputs that were wrong: go on with the program that "
                "began it",
                path=str(path),
            )
        inputs = [Input(each.message, each.idempotency_key) for each in entries]
        return Plan(path, file.batch, PlannedMessages(str(path), inputs))
