"""A proxy that does to requests what networks, proxies and servers do at their worst, by a seed."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import TypeAlias
from urllib.parse import urlsplit

from attrs import define, field, frozen

from tests.support.proxy import Seen, closing_writer, reset
from tests.support.virtual_time import wall_clock

_LARGEST_HEAD = 64 * 1024
_DRIPS = 8
_HTML = b"<html><body><h1>Something went wrong</h1></body></html>"


@frozen
class Exchange:
    """A request that came whole.

    Attributes:
        ask: Passes it on, and gives the whole answer.
        writer: Where the client is.
        chance: Gives what is left to chance.
    """

    ask: Callable[[], Awaitable[bytes]]
    writer: asyncio.StreamWriter
    chance: random.Random


Mode: TypeAlias = Callable[[Exchange], Awaitable[bool]]
"""Answers in some way; tells whether the connection is good for another request."""


async def well(exchange: Exchange) -> bool:
    """Do nothing wrong."""
    exchange.writer.write(await exchange.ask())
    return True


async def refused(exchange: Exchange) -> bool:
    """Break the connection as soon as there is one to speak of."""
    reset(exchange.writer)
    return False


async def closed(_: Exchange) -> bool:
    """Take the request, do nothing, and close the connection."""
    return False


async def lost(exchange: Exchange) -> bool:
    """Have it done, and close the connection before the answer."""
    await exchange.ask()
    return False


async def reset_before(exchange: Exchange) -> bool:
    """Have it done, and break the connection before the answer."""
    await exchange.ask()
    reset(exchange.writer)
    return False


async def reset_during(exchange: Exchange) -> bool:
    """Break the connection in the middle of the answer."""
    answer = await exchange.ask()
    exchange.writer.write(answer[: len(answer) * 2 // 3])
    await exchange.writer.drain()
    await asyncio.sleep(0)  # some of it arrives
    reset(exchange.writer)
    return False


async def closed_idle(exchange: Exchange) -> bool:
    """Answer, and close the connection when it seems good for more."""
    exchange.writer.write(await exchange.ask())
    return False


async def truncated(exchange: Exchange) -> bool:
    """Close the connection in the middle of the answer's body."""
    head, body = _parts(await exchange.ask())
    exchange.writer.write(head + body[: len(body) // 2])
    return False


async def garbage(exchange: Exchange) -> bool:
    """Answer with as many bytes that mean nothing."""
    head, body = _parts(await exchange.ask())
    exchange.writer.write(head + exchange.chance.randbytes(len(body)))
    return True


async def stalled(exchange: Exchange) -> bool:
    """Have it done, and say nothing for ever."""
    await exchange.ask()
    await asyncio.get_running_loop().create_future()
    return False


async def dripping(exchange: Exchange) -> bool:
    """Answer a little at a time."""
    answer = await exchange.ask()
    size = -(-len(answer) // _DRIPS)
    for start in range(0, len(answer), size):
        exchange.writer.write(answer[start : start + size])
        await asyncio.sleep(1)
    return True


async def too_long(exchange: Exchange) -> bool:
    """Announce more than comes."""
    head, body = _parts(await exchange.ask())
    exchange.writer.write(_with_length(head, len(body) + 10) + body)
    return False


async def too_short(exchange: Exchange) -> bool:
    """Announce less than comes."""
    head, body = _parts(await exchange.ask())
    exchange.writer.write(_with_length(head, max(0, len(body) - 10)) + body)
    return True


def answering(status: int, retry_after: Callable[[], str] | None = None) -> Mode:
    """Make the mode that answers so, and does nothing."""

    async def answer(exchange: Exchange) -> bool:
        wait = "" if retry_after is None else f"Retry-After: {retry_after()}\r\n"
        head = f"HTTP/1.1 {status} Failed\r\nContent-Type: text/html\r\n{wait}"
        exchange.writer.write(f"{head}Content-Length: {len(_HTML)}\r\n\r\n".encode() + _HTML)
        return True

    return answer


MODES: Mapping[str, Mode] = {
    "refused": refused,
    "closed": closed,
    "lost": lost,
    "reset before": reset_before,
    "reset during": reset_during,
    "closed idle": closed_idle,
    "truncated": truncated,
    "garbage": garbage,
    "stalled": stalled,
    "dripping": dripping,
    "too long": too_long,
    "too short": too_short,
    "429 seconds": answering(429, lambda: "2"),
    "429 date": answering(429, lambda: formatdate(wall_clock() + 3, usegmt=True)),
    "429": answering(429),
    "429 absurd": answering(429, lambda: "1" + "0" * 30),
    "429 nonsense": answering(429, lambda: "-soon"),
    "500": answering(500),
    "502": answering(502),
    "503": answering(503),
}
KINDS: Sequence[Sequence[str]] = (
    *([name] for name in MODES if not name[0].isdigit() and not name.startswith("too")),
    ["too long", "too short"],
    [name for name in MODES if name.startswith("429")],
    ["500"],
    ["502"],
    ["503"],
)
"""The modes, as they are counted when they come together."""


@define(eq=False)
class Saboteur:
    """The proxy.

    Attributes:
        server: The URL of the server behind it.
        choose: Gives the mode for each request.
        chance: Gives what else is left to chance.
        url: Where the proxy is.
        seen: How often there was each mode.
    """

    server: str
    choose: Callable[[Seen], str | None]
    chance: random.Random
    url: str = ""
    seen: Counter[str] = field(factory=Counter[str])
    _tasks: set[asyncio.Task[None]] = field(factory=set[asyncio.Task[None]])

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
                    await writer.drain()
            except (ConnectionError, asyncio.IncompleteReadError):
                reset(writer)  # the client has left

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        request = Seen.read(head)
        name = self.choose(request)
        self.seen[name or "well"] += 1
        # Who is refused has sent nothing that anybody took.
        body = b"" if name == "refused" else await reader.readexactly(request.size)

        async def ask() -> bytes:
            return await self._ask(head, body)

        mode = well if name is None else MODES[name]
        return await mode(Exchange(ask, writer, self.chance))

    async def _ask(self, head: bytes, body: bytes) -> bytes:
        """Pass a request on, over a connection of its own, and wait for the whole answer."""
        place = urlsplit(self.server)
        answers, server = await asyncio.open_connection(place.hostname, place.port)
        async with closing_writer(server):
            server.write(head.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n" + body)
            answer = await answers.read()
        return answer.replace(b"Connection: close\r\n", b"", 1)  # that was the other connection


@asynccontextmanager
async def sabotaged(
    server: str, choose: Callable[[Seen], str | None], chance: random.Random
) -> AsyncGenerator[Saboteur, None]:
    """Run a saboteur in front of the server at this URL."""
    saboteur = Saboteur(server, choose, chance)
    listener = await asyncio.start_server(saboteur.accept, "127.0.0.1", 0, limit=_LARGEST_HEAD)
    async with listener:
        saboteur.url = "http://{}:{}".format(*listener.sockets[0].getsockname())
        try:
            yield saboteur
        finally:
            await saboteur.close()


def by_chance(chance: random.Random, share: float) -> Callable[[Seen], str | None]:
    """Choose each kind of mode for this part of the requests."""

    def choose(_: Seen) -> str | None:
        kind = int(chance.random() / share)
        return chance.choice(KINDS[kind]) if kind < len(KINDS) else None

    return choose


def _parts(answer: bytes) -> tuple[bytes, bytes]:
    head, blank, body = answer.partition(b"\r\n\r\n")
    return head + blank, body


def _with_length(head: bytes, length: int) -> bytes:
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
    return b"\r\n".join([lines[0], b"Content-Length: %d" % length, *lines[1:]])
