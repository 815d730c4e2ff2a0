"""Files on their way over the network: written as they are read, given up when nothing moves."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import NoReturn

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import StreamWriter

from duvo_async._bodies import ByteStream

if sys.platform == "linux":
    import fcntl
    import termios

STALL_SECONDS = 60.0
"""How long the network may take no byte of a file, and how long its answer may take after that."""
_LOOK_SECONDS = 1.0
"""How often it is looked whether bytes were taken."""
_TLS_SIZE = 64 * 1024
"""Bytes written to TLS at a time: what it holds back is not seen until it has taken all of it."""
_FORWARDED = 10_000_000
"""Bytes for which the answer may take a second more: a proxy may pass them on at the very end."""


class FileBody(aiohttp.Payload):
    """A file as aiohttp sends it, once: for another attempt there is another presigned URL.

    Args:
        stream: The file.

    Attributes:
        failure: What went wrong with reading the file. None when nothing did.
    """

    _autoclose = True  # there is nothing to close: reading ends with writing
    _value: ByteStream

    def __init__(self, stream: ByteStream) -> None:
        super().__init__(stream, content_type=stream.content_type)
        self._size = stream.size
        self.failure: Exception | None = None
        self._given = 0
        self._written = 0
        self._reading = False
        self._begun = False
        # Kept here, as aiohttp forgets it when it closes the connection.
        self._transport: asyncio.WriteTransport | None = None

    @property
    def consumed(self) -> bool:
        """Whether it was sent, so that aiohttp does not repeat it by itself."""
        return self._begun

    @property
    def complete(self) -> bool:
        """Whether the network has taken all of it."""
        waiting = 0 if self._transport is None else self._transport.get_write_buffer_size()
        return self._begun and self._written == self._value.size and not waiting

    def let_go(self) -> bool:
        """Have no more to do with the connection; tell whether it has taken the file.

        If it has not, it is broken: closed with care it would stay for as long as nothing is taken.
        """
        complete = self.complete
        transport, self._transport = self._transport, None
        if transport is not None and not complete and _is_open(transport):
            transport.abort()
        return complete

    def taken(self) -> int | None:
        """Tell how many bytes the network has taken; None while it is not the network's turn."""
        if self._reading or self._transport is None:
            return None
        return self._given - _held_back(self._transport)

    def patience(self) -> float:
        """Tell for how many seconds nothing may move."""
        return STALL_SECONDS + (self._value.size / _FORWARDED if self.complete else 0.0)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> NoReturn:  # noqa: ARG002 - aiohttp's
        """Refuse: aiohttp asks for it where a body should be shown."""
        raise TypeError("a file is not shown")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Read the file and write it."""
        if self._begun:  # before it asked, aiohttp repeated it nevertheless
            raise ConnectionResetError
        self._begun = True
        self._transport = writer.transport if isinstance(writer, StreamWriter) else None
        stream = self._value
        if stream.data is not None:
            await self._put(b"".join((stream.head, stream.data, stream.tail)), writer)
            return
        if stream.head:
            await self._put(stream.head, writer)
        async with aclosing(stream.blocks()) as blocks:
            while (block := await self._read(blocks)) is not None:
                await self._put(block, writer)
        if stream.tail:
            await self._put(stream.tail, writer)

    async def _read(
        self, blocks: AsyncGenerator[bytes | memoryview, None]
    ) -> bytes | memoryview | None:
        self._reading = True
        try:
            return await anext(blocks, None)
        except Exception as error:  # noqa: BLE001 - it is raised by whoever sends the file
            self.failure = error
        finally:
            self._reading = False
        # The error itself stays here: on its way through aiohttp it would be lost, and collect
        # frames that know the URL and the headers.
        raise ConnectionResetError

    async def _put(self, block: bytes | memoryview, writer: AbstractStreamWriter) -> None:
        transport = self._transport
        tls = transport is not None and transport.get_extra_info("sslcontext") is not None
        size = _TLS_SIZE if tls else max(1, len(block))
        view = memoryview(block)
        for start in range(0, len(block), size):
            piece = view[start : start + size]
            self._given += len(piece)
            await writer.write(piece)
            self._written += len(piece)


def _is_open(transport: asyncio.WriteTransport) -> bool:
    """Tell whether there is a connection to break: asyncio fails to break one that is lost."""
    socket = transport.get_extra_info("socket")
    return socket is None or socket.fileno() >= 0


def _held_back(transport: asyncio.WriteTransport) -> int:
    """Count the bytes that wait here and, where the system tells (Linux), in the kernel.

    The kernel takes megabytes at once, and then says for minutes nothing, if the line is slow.
    """
    waiting = transport.get_write_buffer_size()
    socket = transport.get_extra_info("socket")
    if sys.platform == "linux" and socket is not None:
        with suppress(OSError, ValueError):  # it is closed
            queued = fcntl.ioctl(socket.fileno(), termios.TIOCOUTQ, bytes(4))
            waiting += int.from_bytes(queued, sys.byteorder)
    return waiting


@asynccontextmanager
async def while_it_moves(body: FileBody) -> AsyncGenerator[None, None]:
    """Give an exchange as long as the network takes bytes of the file.

    Args:
        body: The file.

    Raises:
        TimeoutError: For 60 s it took none; or after the last no answer came, for which a large
            file is given longer.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as deadline:
        taken: int | None = 0
        moved_at = loop.time()
        timer: asyncio.TimerHandle | None = None

        def look() -> None:
            nonlocal taken, moved_at, timer
            now, before = loop.time(), taken
            taken = body.taken()
            if taken is None or taken != before:
                moved_at = now
            if now - moved_at >= body.patience():
                deadline.reschedule(now)
            else:
                timer = loop.call_later(_LOOK_SECONDS, look)

        look()
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()
