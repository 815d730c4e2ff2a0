"""A proxy in front of a server, which lets everything through but what a test tells it not to."""

import asyncio
import io
import socket
import struct
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from http.client import HTTPMessage, parse_headers
from typing import Literal
from urllib.parse import urlsplit

from attrs import define, field, frozen

_PIECE = 64 * 1024
_AT_ONCE = struct.pack("ii", 1, 0)
"""What SO_LINGER is told, so that a socket resets its connection when it is closed."""


@frozen(kw_only=True)
class Fault:
    """What happens to one request, once a part of its body has come, or of the answer's body.

    - `cut` passes that part on, and resets the connections to the client and to the server.
    - `stall` passes it on, takes no more and says nothing, on a connection that stays open.
    - `slow` passes the rest on as well, and waits before each piece.
    - `late` passes all of it on, and waits before it gives the answer back.
    - `lose` passes all of it on, waits for the answer, and resets the connection to the client.
    - `end` passes on that part of the answer's body, and ends the connection to the client.
    - `reset` passes it on too, and resets that connection.
    - `hang` passes it on too, and says no more, on a connection that stays open.
    - `answer` says what it was told, and passes nothing on. Before the end of the body it closes
      the connection then.

    Attributes:
        kind: What happens.
        method: Of which requests.
        path: How their paths end.
        after: The part of the body that comes before it happens, from 0 to 1: of the answer's for
            `end`, `reset` and `hang`.
        seconds: How long `slow` and `late` wait.
        status: What `answer` says.
        headers: What else it says; there is no body.
        reads_on: Whether `answer` lets the client send the rest before it closes the connection.
    """

    kind: Literal["none", "cut", "stall", "slow", "late", "lose", "end", "reset", "hang", "answer"]
    method: str = "PUT"
    path: str = ""
    after: float = 1.0
    seconds: float = 0.0
    status: int = 500
    headers: Mapping[str, str] = field(factory=dict[str, str])
    reads_on: bool = False

    def answer(self) -> bytes:
        """Write the answer as it goes over the wire."""
        closing = {"Connection": "close"} if self.after < 1 else {}
        fields = {**self.headers, **closing, "Content-Length": "0"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"HTTP/1.1 {self.status} Told\r\n{lines}\r\n".encode()


@define
class Seen:
    """A request that came: its head, how much of its body came, and what happened to it."""

    method: str
    path: str
    query: str
    headers: HTTPMessage
    size: int
    taken: int = 0
    kind: str = "none"

    @classmethod
    def read(cls, head: bytes) -> "Seen":
        """Understand as much of a head as is needed here."""
        line, _, fields = head.partition(b"\r\n")
        method, target, _ = line.decode().split(" ")
        path, _, query = target.partition("?")
        headers = parse_headers(io.BytesIO(fields))
        return cls(method, path, query, headers, int(headers.get("Content-Length", "0")))


@define(eq=False)
class Proxy:
    """The proxy.

    Attributes:
        server: The URL of the server behind it.
        faults: What is going to happen. The first that fits a request happens to it, and is gone.
        url: Where the proxy is.
        seen: The requests that came.
    """

    server: str
    faults: list[Fault]
    url: str = ""
    seen: list[Seen] = field(factory=list[Seen])
    _tasks: set[asyncio.Task[None]] = field(factory=set[asyncio.Task[None]])

    def requests(self, method: str, path: str = "") -> list[Seen]:
        """Give those of a method whose paths end so."""
        return [each for each in self.seen if each.method == method and each.path.endswith(path)]

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a client until it leaves."""
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Leave the clients that are still there."""
        left = [*self._tasks]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with closing_writer(writer):
            try:
                while await self._exchange(reader, writer):
                    pass
            except (ConnectionError, asyncio.IncompleteReadError):  # a fault, or the client left
                reset(writer)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; tell whether the connection is good for another."""
        head = await reader.readuntil(b"\r\n\r\n")
        seen = Seen.read(head)
        fault = self._next(seen)
        seen.kind = fault.kind
        self.seen.append(seen)
        if fault.kind == "answer":
            await _take(reader, seen, fault)
            answer = fault.answer()
        else:
            answer = await self._ask(head, reader, seen, fault)
        if fault.kind in {"end", "reset", "hang"}:
            answer = _part(answer, fault.after)
        writer.write(answer)
        await writer.drain()
        if fault.kind == "reset":
            raise ConnectionResetError
        if fault.kind == "hang":
            await asyncio.get_running_loop().create_future()  # until the proxy is closed
        if fault.kind == "end":
            return False
        if fault.kind != "answer" or fault.after == 1:
            return True
        writer.write_eof()
        while fault.reads_on and await reader.read(_PIECE):
            pass
        return False

    async def _ask(
        self, head: bytes, reader: asyncio.StreamReader, seen: Seen, fault: Fault
    ) -> bytes:
        """Pass a request on, over a connection of its own, and wait for the whole answer."""
        place = urlsplit(self.server)
        answers, server = await asyncio.open_connection(place.hostname, place.port)
        async with closing_writer(server):
            server.write(head.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n")
            await _take(reader, seen, fault, server)
            if fault.kind == "cut":
                reset(server)
                raise ConnectionResetError
            if fault.kind == "stall":
                await asyncio.get_running_loop().create_future()  # until the proxy is closed
            answer = await answers.read()
        if fault.kind == "lose":
            raise ConnectionResetError
        await asyncio.sleep(fault.seconds if fault.kind == "late" else 0)
        return answer.replace(b"Connection: close\r\n", b"", 1)  # that was the other connection

    def _next(self, seen: Seen) -> Fault:
        if "Transfer-Encoding" in seen.headers:  # where such a body ends is not understood here
            return Fault(kind="answer", after=0.0, status=411)
        for position, fault in enumerate(self.faults):
            if fault.method == seen.method and seen.path.endswith(fault.path):
                return self.faults.pop(position)
        return Fault(kind="none")


@asynccontextmanager
async def proxied(
    server: str, *faults: Fault, buffer: int | None = None
) -> AsyncGenerator[Proxy, None]:
    """Run a proxy in front of the server at this URL, with as small a buffer for what comes."""
    proxy = Proxy(server, [*faults])
    listener = socket.create_server(("127.0.0.1", 0))
    if buffer is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    async with await asyncio.start_server(proxy.accept, sock=listener, limit=buffer or _PIECE):
        proxy.url = "http://{}:{}".format(*listener.getsockname())
        try:
            yield proxy
        finally:
            await proxy.close()


async def _take(
    reader: asyncio.StreamReader,
    seen: Seen,
    fault: Fault,
    server: asyncio.StreamWriter | None = None,
) -> None:
    """Take a body, up to where the fault is, and pass it on."""
    turn = int(seen.size * fault.after)
    end = seen.size if fault.kind == "slow" else turn
    while seen.taken < end:
        if seen.taken >= turn:
            await asyncio.sleep(fault.seconds)
        piece = await reader.readexactly(min(_PIECE, end - seen.taken))
        seen.taken += len(piece)
        if server is not None:
            server.write(piece)
            await server.drain()


def _part(answer: bytes, share: float) -> bytes:
    """Give the head of an answer and a part of its body."""
    head, blank, body = answer.partition(b"\r\n\r\n")
    return head + blank + body[: int(len(body) * share)]


@asynccontextmanager
async def closing_writer(writer: asyncio.StreamWriter) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def reset(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):  # the client has left already
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    writer.transport.abort()
