"""The file of messages, read line by line as runs are started."""

import asyncio
import codecs
import json
import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Self
from uuid import uuid4

from attrs import define, field, frozen

from duvo_async.cli.progress import Extent

if TYPE_CHECKING:
    from duvo_async import JSON

_BLOCK = 1 << 16
_MEMBERS = {"message", "idempotency_key"}
_JSON_LINES = {".jsonl", ".ndjson"}


class InputError(ValueError):
    """The file of messages cannot be read, or has a line that is no message."""


@frozen
class Input:
    """What one run is started with.

    Attributes:
        message: What to tell it.
        key: Its idempotency key. None when the file gives none.
    """

    message: str | None
    key: str | None = None


@define
class Lines:
    """Bytes as they come, cut into lines.

    Attributes:
        ended: Whether nothing more comes.
        taken: Bytes of the lines that were taken.
    """

    ended: bool = False
    taken: int = 0
    _buffer: bytearray = field(factory=bytearray)
    _searched: int = 0

    def add(self, block: bytes) -> None:
        """Add bytes; none at the end."""
        self._buffer += block
        self.ended = not block

    def take(self) -> bytes | None:
        """Take a line without its end; None when there is no whole one."""
        end = self._buffer.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._buffer)
            if not (self.ended and self._buffer):
                return None
            end = len(self._buffer)
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        before = len(self._buffer)
        del self._buffer[: end + 1]
        self.taken += before - len(self._buffer)
        self._searched = 0
        return line


class Parser:
    """Makes inputs of lines.

    Args:
        name: What the file is called in errors.
        as_json: Whether its lines are JSON.
    """

    def __init__(self, name: str, *, as_json: bool) -> None:
        self._name = name
        self._as_json = as_json
        self._number = 0
        self._keyed: bool | None = None

    def parse(self, line: bytes) -> Input | None:
        """Make an input of the next line.

        Returns:
            The input. None when the line is blank.

        Raises:
            InputError: It is none.
        """
        self._number += 1
        if self._number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if not line.strip():
            return None
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise self._wrong("not UTF-8") from error
        return self._parse_json(text) if self._as_json else Input(text)

    def _parse_json(self, text: str) -> Input:
        try:
            value: JSON = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self._wrong(f"not JSON: {error}") from error
        if isinstance(value, str):
            value = {"message": value}
        if not isinstance(value, dict):
            raise self._wrong("neither a string nor an object")
        if unknown := value.keys() - _MEMBERS:
            raise self._wrong(f"unknown member {min(unknown)!r}: there are {sorted(_MEMBERS)}")
        message, key = value.get("message"), value.get("idempotency_key")
        if not isinstance(message, str):
            raise self._wrong("message must be a string")
        keyed = "idempotency_key" in value
        if keyed and not isinstance(key, str):
            raise self._wrong("idempotency_key must be a string")
        if self._keyed not in {None, keyed}:
            raise self._wrong("all lines have an idempotency_key, or none has one")
        self._keyed = keyed
        return Input(message, key if isinstance(key, str) else None)

    def _wrong(self, reason: str) -> InputError:
        return InputError(f"{self._name}, line {self._number}: {reason}")


class _File:
    """The file itself, from which blocks are read.

    Not a buffered one: the interpreter cannot end while a thread that it does not wait for holds
    the lock of its buffer.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor: int | None = None
        self.size: int | None = None

    def read(self) -> bytes:
        """Read what there is, or wait for it. None is left at the end."""
        try:
            if self._descriptor is None:
                self._descriptor = self._open()
            block = os.read(self._descriptor, _BLOCK)
            if not block and self._path != "-":
                os.close(self._descriptor)
        except OSError as error:
            raise InputError(f"cannot read {self._path}: {error.strerror}") from error
        return block

    def _open(self) -> int:
        if self._path != "-":
            descriptor = os.open(self._path, os.O_RDONLY)
        elif sys.stdin is not None:
            descriptor = sys.stdin.fileno()
        else:
            raise InputError("there is no standard input")
        about = os.fstat(descriptor)
        if stat.S_ISREG(about.st_mode):
            self.size = about.st_size - os.lseek(descriptor, 0, os.SEEK_CUR)
        return descriptor


class Messages:
    """The messages of a file: an async iterable that reads as far as it is asked.

    Args:
        path: Where the file is; `-` for the standard input.
        as_json: Whether its lines are JSON. They are also when its name says so.

    Attributes:
        name: What the file is called in what people read.
        keys: The idempotency key of the message that was read last, whenever it is asked.
        given_key: The one that the file gives that message. None when it gives none.
        stopped: Whether it was stopped before its end.
    """

    def __init__(self, path: str, *, as_json: bool) -> None:
        as_json = as_json or Path(path).suffix.lower() in _JSON_LINES
        self.name: str = "standard input" if path == "-" else path
        self._file = _File(path)
        self._lines = Lines()
        self._parser = Parser(self.name, as_json=as_json)
        self._read = 0
        self._key = ""
        self.given_key: str | None = None
        self.stopped: bool = False
        self._block: asyncio.Future[bytes] | None = None
        self.keys: AsyncIterator[str] = self._keys()

    @property
    def extent(self) -> Extent:
        """How much there is, by what was read so far."""
        ended = self.stopped or self._lines.ended
        size, taken = self._file.size, self._lines.taken
        if ended or size is None or not self._read:
            return Extent(self._read, self._read if ended else None, exact=ended)
        return Extent(self._read, max(self._read, round(self._read * size / taken)), exact=False)

    def stop(self) -> None:
        """Give no more."""
        self.stopped = not self._lines.ended
        if self._block is not None and not self._block.done():
            self._block.set_result(b"")

    def __aiter__(self) -> Self:
        """Read on from where it stands."""
        return self

    async def __anext__(self) -> str | None:
        """Read a message.

        Raises:
            InputError: The file cannot be read, or the line is no message.
        """
        while not self.stopped:
            line = self._lines.take()
            if line is not None:
                found = self._parser.parse(line)
                if found is not None:
                    self._read += 1
                    self.given_key = found.key
                    self._key = found.key if found.key is not None else str(uuid4())
                    return found.message
            elif self._lines.ended:
                break
            else:
                self._lines.add(await self._next_block())
        raise StopAsyncIteration

    async def _keys(self) -> AsyncIterator[str]:
        while True:
            yield self._key

    async def _next_block(self) -> bytes:
        """Read in a thread, since a pipe may keep silent, for which nobody waits at the end."""
        loop = asyncio.get_running_loop()
        block: asyncio.Future[bytes] = loop.create_future()
        self._block = block
        Thread(target=self._deliver, args=(loop, block), daemon=True).start()
        return await block

    def _deliver(self, loop: asyncio.AbstractEventLoop, block: "asyncio.Future[bytes]") -> None:
        def settle(data: bytes, error: InputError | None) -> None:
            if block.done():
                return
            if error is not None:
                block.set_exception(error)
            else:
                block.set_result(data)

        data, failure = b"", None
        try:
            data = self._file.read()
        except InputError as error:
            failure = error
        with suppress(RuntimeError):  # the loop has ended without waiting
            loop.call_soon_threadsafe(settle, data, failure)
