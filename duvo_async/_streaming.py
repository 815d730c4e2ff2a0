"""Files on their way over the network, in memory only in part, given up when nothing moves."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from typing import NoReturn, Protocol

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import StreamWriter

from duvo_async._bodies import ByteStream, Sink

if sys.platform == "linux":
    import fcntl
    import termios

STALL_SECONDS = 60.0
"""How long the network may take or give no byte of a file, and how long the answer to one that was
sent may take after that."""
_LOOK_SECONDS = 1.0
"""How often it is looked whether bytes were taken."""
_TLS_SIZE = 64 * 1024
"""Bytes written to TLS at a time: what it holds back is not seen until it has taken all of it."""
_REDIRECTION = 300
_FORWARDED = 10_000_000
"""Bytes for which the answer may take a second more: a proxy may pass them on at the very end."""


class Moving(Protocol):
    """A file on its way, there or here.

    Attributes:
        failure: What went wrong with reading or taking it here. None when nothing did.
    """

    failure: Exception | None

    @property
    def payload(self) -> "FileBody | None":
        """What is sent. None when it comes."""
        ...

    def asks(self) -> Mapping[str, str]:
        """Tell the headers with which to ask for it."""
        ...

    async def take(self, response: aiohttp.ClientResponse) -> bool:
        """Take the body of a response, if the file is in it; tell whether it was."""
        ...

    def let_go(self) -> bool:
        """Have no more to do with the connection; tell whether all has moved."""
        ...

    def trouble(self, error: Exception) -> str | None:
        """Explain what can only go wrong with a file; None for anything else."""
        ...

    def taken(self) -> int | None:
        """Tell how many bytes have moved; None while it is not the network's turn."""
        ...

    def patience(self) -> float:
        """Tell for how many seconds nothing may move."""
        ...


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
    def payload(self) -> "FileBody":
        """What is sent."""
        return self

    def asks(self) -> Mapping[str, str]:
        """Ask for nothing: aiohttp describes it."""
        return {}

    async def take(self, response: aiohttp.ClientResponse) -> bool:  # noqa: ARG002 - Moving's
        """Leave the answer to others."""
        return False

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

    def trouble(self, error: Exception) -> str | None:
        """Explain what can only go wrong with a file; None for anything else."""
        if isinstance(error, aiohttp.ClientPayloadError):
            return "the answer came before the whole file was sent, or was cut off"
        if _is_stall(error):
            what = "no answer came" if self.complete else "nothing was taken"
            return f"{what} for {self.patience():.0f} s"
        return None

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


class FileArrival:
    """A file as it comes.

    Args:
        sink: Takes it.

    Attributes:
        failure: What went wrong with taking it. None when nothing did.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.failure: Exception | None = None
        self._received = 0
        self._writing = False
        self._refused = False

    @property
    def payload(self) -> None:
        """Nothing is sent."""
        return None

    def let_go(self) -> bool:
        """Have no more to do with the connection: all of it was taken."""
        return True

    def asks(self) -> Mapping[str, str]:
        """Tell what to ask for: the file as it is stored, of which the sizes are known."""
        return {"Accept-Encoding": "identity", **self._sink.headers()}

    def taken(self) -> int | None:
        """Tell how many bytes have come; None while it is not the network's turn."""
        return None if self._writing else self._received

    def patience(self) -> float:
        """Tell for how many seconds nothing may come."""
        return STALL_SECONDS

    def trouble(self, error: Exception) -> str | None:
        """Explain what can only go wrong with a file; None for anything else."""
        if self._refused:
            return "the storage sent another part of the file than was asked for"
        if isinstance(error, aiohttp.ClientPayloadError):
            return "the connection was closed before the whole file had come"
        if _is_stall(error):
            return f"nothing came for {self.patience():.0f} s"
        return None

    async def take(self, response: aiohttp.ClientResponse) -> bool:
        """Take the body of a response, unless that says that there is no file in it."""
        if response.status >= _REDIRECTION:
            return False
        if not self._sink.begin(response.status, response.headers):
            self._refused = True
            raise aiohttp.ClientPayloadError
        async for block in response.content.iter_any():
            self._received += len(block)
            await self._give(block)
        if not self._sink.end():
            raise aiohttp.ClientPayloadError
        return True

    async def _give(self, block: bytes) -> None:
        self._writing = True
        try:
            await self._sink.write(block)
        except Exception as error:  # noqa: BLE001 - it is raised by whoever fetches the file
            self.failure = error
        finally:
            self._writing = False
        if self.failure is not None:  # as above, where a file is read
            raise ConnectionResetError


def moving(body: ByteStream | None, sink: Sink | None) -> Moving:
    """Find the file that a request sends or fetches.

    Args:
        body: What it sends. None when it sends none.
        sink: What takes what it fetches; with a body there is none.
    """
    if body is not None:
        return FileBody(body)
    assert sink is not None  # noqa: S101 - else nobody would ask
    return FileArrival(sink)


def _is_stall(error: Exception) -> bool:
    """Tell whether `while_it_moves` lost its patience."""
    return isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError)


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
async def while_it_moves(file: Moving) -> AsyncGenerator[None, None]:
    """Give an exchange as long as the network takes or gives bytes of the file.

    Args:
        file: The file.

    Raises:
        TimeoutError: For 60 s none moved; or after the last that was sent no answer came, for which
            a large file is given longer.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as deadline:
        taken: int | None = 0
        moved_at = loop.time()
        timer: asyncio.TimerHandle | None = None

        def look() -> None:
            nonlocal taken, moved_at, timer
            now, before = loop.time(), taken
            taken = file.taken()
            if taken is None or taken != before:
                moved_at = now
            if now - moved_at >= file.patience():
                deadline.reschedule(now)
            else:
                timer = loop.call_later(_LOOK_SECONDS, look)

        look()
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()
