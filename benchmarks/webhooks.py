"""How fast webhooks are answered beside a bare aiohttp server: `python -m benchmarks.webhooks`.

The receiver checks signatures, remembers events and has a handler count them; the bare server reads
the body and answers 200. Each is a process of its own, and they take the same deliveries in turns,
block by block. The control is a second bare server: what it differs from 1 by is noise. Times are
of a client that has one request under way on each of its connections.
"""

import argparse
import asyncio
import gc
import json
import subprocess
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import quantiles
from time import perf_counter
from urllib.parse import urlsplit

from aiohttp import web
from attrs import define, field

from benchmarks.answers import RUN_ID
from duvo_async.webhooks import WebhookEvent, WebhookReceiver, sign

SECRET = "whsec_of_a_benchmark"  # noqa: S105 - opens nothing
BLOCKS = 50
REPEATED = 5
"""One delivery of so many was made before."""
LATELY = 10_000
"""A delivery that is repeated is among so many events before."""
BARE, RECEIVER, CONTROL = "bare aiohttp", "WebhookReceiver", "control"


# --- the servers, each in a process of its own ------------------------------------------------


async def receive(events: int) -> None:
    """Take deliveries; say at the end how many events were handled, and how many not once."""
    handled = bytearray(events)
    receiver = WebhookReceiver(SECRET)

    @receiver.on_event
    def count(event: WebhookEvent) -> None:
        handled[int(event.id or "")] += 1

    async with receiver:
        print(receiver.url, flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await receiver.drain()
    print(json.dumps({"handled": sum(handled), "wrong": events - handled.count(1)}), flush=True)


async def answer() -> None:
    """Read what comes, and answer 200."""

    async def handle(request: web.Request) -> web.Response:
        await request.read()
        return web.Response()

    app = web.Application()
    app.router.add_post("/", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}/", flush=True)
    await asyncio.Event().wait()


@define
class Server:
    """A server, and the answer times that it had."""

    process: "subprocess.Popen[str]"
    url: str
    seconds: list[float] = field(factory=list[float])
    connections: list[tuple[StreamReader, StreamWriter]] = field(
        factory=list[tuple[StreamReader, StreamWriter]]
    )

    async def connect(self, connections: int) -> None:
        """Open connections that are kept."""
        parts = urlsplit(self.url)
        for _ in range(connections):
            self.connections.append(await asyncio.open_connection(parts.hostname, parts.port))

    async def take(self, requests: Sequence[bytes]) -> None:
        """Send requests on all connections, each after the answer to the one before."""
        waiting = iter(requests)
        await asyncio.gather(*(self._send(*each, waiting) for each in self.connections))

    async def _send(
        self, reader: StreamReader, writer: StreamWriter, waiting: Iterator[bytes]
    ) -> None:
        for request in waiting:
            begun = perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            self.seconds.append(perf_counter() - begun)
            if not head.startswith(b"HTTP/1.1 200 ") or b"\r\nContent-Length: 0\r\n" not in head:
                raise SystemExit(f"{self.url} answered {head!r}")

    def close(self) -> None:
        """Close the connections."""
        for _, writer in self.connections:
            writer.close()

    def peak(self) -> int:
        """Look at the process's high-water mark of resident bytes."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(dict(line.split(":", 1) for line in lines)["VmHWM"].removesuffix("kB")) * 1024

    def result(self) -> dict[str, int]:
        """Have the process end, and say what it found."""
        output, _ = self.process.communicate("\n")
        found: dict[str, int] = json.loads(output)
        return found


@contextmanager
def server(*options: str) -> Generator[Server, None, None]:
    """Run a server."""
    command = [sys.executable, "-m", "benchmarks.webhooks", *options]
    with subprocess.Popen(  # noqa: S603 - this file
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        try:
            yield Server(process, process.stdout.readline().strip())
        finally:
            process.kill()


# --- the load -------------------------------------------------------------------------------------


def blocks(deliveries: int) -> Iterator[list[bytes]]:
    """Write the requests, a block at a time; signatures are of now."""
    chance, events = Random(0), 0  # noqa: S311 - a mixture, no secret
    for block in range(BLOCKS):
        size = deliveries * (block + 1) // BLOCKS - deliveries * block // BLOCKS
        new = range(events, events + size - size // REPEATED)
        events = new.stop
        known = range(max(0, events - LATELY), events)
        numbers = [*new, *chance.choices(known, k=size // REPEATED)]
        chance.shuffle(numbers)
        yield [_request(number) for number in numbers]


def count_events(deliveries: int) -> int:
    """Count the events that are delivered: those that are no repetition."""
    ends = [deliveries * block // BLOCKS for block in range(BLOCKS + 1)]
    sizes = [end - begin for begin, end in pairwise(ends)]
    return sum(size - size // REPEATED for size in sizes)


def _request(number: int) -> bytes:
    body = json.dumps(
        {
            "id": str(number),
            "event": "run.completed",
            "created_at": "2026-01-15T12:00:00.000Z",
            "run_id": RUN_ID,
            "status": "completed",
        }
    ).encode()
    headers = {
        "Host": "127.0.0.1",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **sign(body, SECRET),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST / HTTP/1.1\r\n{lines}\r\n".encode() + body


async def load(servers: dict[str, Server], deliveries: int, connections: int) -> int:
    """Deliver all to each server; give by how many bytes the receiver's peak grew after a tenth."""
    order, early = list(servers.values()), 0
    for each in order:
        await each.connect(connections)
    for number, requests in enumerate(blocks(deliveries)):
        if number == BLOCKS // 10:
            early = servers[RECEIVER].peak()
        for each in (*order[number % 3 :], *order[: number % 3]):
            gc.collect()
            gc.disable()  # the pauses would be this process's, not the server's
            await each.take(requests)
            gc.enable()
    growth = servers[RECEIVER].peak() - early
    for each in order:
        each.close()
    return growth


def measure(deliveries: int, connections: int) -> None:
    """Print the table, after a check that each event was handled once."""
    events = count_events(deliveries)
    with ExitStack() as stack:
        servers = {
            BARE: stack.enter_context(server("--serve", "bare")),
            RECEIVER: stack.enter_context(server("--serve", "receiver", "--events", str(events))),
            CONTROL: stack.enter_context(server("--serve", "bare")),
        }
        growth = asyncio.run(load(servers, deliveries, connections))
        found = servers[RECEIVER].result()
    if found != {"handled": events, "wrong": 0}:
        raise SystemExit(f"not each of {events} events was handled once: {found}")
    print(f"{deliveries} deliveries of {events} events to each, {connections} connections")
    print(f"{'ms':18}{'p50':>8}{'p99':>8}{'p50 ÷ bare':>13}{'p99 ÷ bare':>13}")
    base = _percentiles(servers[BARE])
    for name, each in servers.items():
        p50, p99 = _percentiles(each)
        print(
            f"{name:18}{p50 * 1e3:8.2f}{p99 * 1e3:8.2f}{p50 / base[0]:13.2f}{p99 / base[1]:13.2f}"
        )
    print(
        f"each event was handled once; peak memory grew by {growth / 2**20:.1f} MiB after a tenth"
    )


def _percentiles(each: Server) -> tuple[float, float]:
    cuts = quantiles(each.seconds, n=100)
    return cuts[49], cuts[98]


def main() -> None:
    """Measure, or be one of the servers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deliveries", type=int, default=50_000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--serve", choices=["bare", "receiver"], help=argparse.SUPPRESS)
    parser.add_argument("--events", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve == "bare":
        asyncio.run(answer())
    elif options.serve == "receiver":
        asyncio.run(receive(options.events))
    else:
        measure(options.deliveries, options.concurrency)


if __name__ == "__main__":
    main()
