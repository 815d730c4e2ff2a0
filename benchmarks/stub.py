"""The server of the benchmarks, in a process of its own: it answers what is prepared.

It speaks just enough HTTP for the clients that are compared, and takes the bodies of uploads and
forgets them. What it spends itself is told by `GET /stats`, so that a benchmark can say whether it
was the limit.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.client import HTTPConnection
from time import process_time

from attrs import define

from benchmarks import answers

EXPIRES_AT = "2030-01-01T00:00:00.000Z"
_RECEIVED = 1 << 20
"""The most bytes that are taken from a connection at a time."""
_HEAD_END = b"\r\n\r\n"
_RUN = answers.response(answers.encoded({"run": answers.RUN}))
_STARTED = answers.response(answers.encoded({"run": answers.RUN}), "201 Created")
_MESSAGES = answers.response(answers.encoded(answers.MESSAGES))


@define
class Totals:
    """What has arrived.

    Attributes:
        connections: How many have been made.
        requests: How many have been answered.
        bytes: How many bodies' bytes have been taken.
    """

    connections: int = 0
    requests: int = 0
    bytes: int = 0


class Stub(asyncio.BufferedProtocol):
    """One connection. The bytes of a PUT go nowhere, other bodies are read.

    Args:
        totals: Where to count.
    """

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self._scratch = memoryview(bytearray(_RECEIVED))
        self._pending = bytearray()
        self._answer: Callable[[bytes], bytes] | None = None
        self._left = 0
        self._keeps = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what a TCP server gives
        self._transport = transport
        self._totals.connections += 1

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - there is one buffer
        """Give the place for what comes next."""
        return self._scratch

    def buffer_updated(self, nbytes: int) -> None:
        """Take what came."""
        if self._answer is not None and not self._keeps and nbytes <= self._left:
            self._left -= nbytes  # the body of a PUT, not copied
            self._finish(b"")
            return
        if self._answer is None and not self._pending and self._answered_at_once(nbytes):
            return
        self._pending += self._scratch[:nbytes]
        while self._pending and self._advance():
            pass

    def _answered_at_once(self, size: int) -> bool:
        """Answer a GET that came in one piece."""
        received = bytes(self._scratch[:size])
        if not received.startswith(b"GET /v1/") or not received.endswith(_HEAD_END):
            return False
        path = received[: received.index(b" HTTP/")]
        self._totals.requests += 1
        self._transport.write(_MESSAGES if b"/messages" in path else _RUN)
        return True

    def _advance(self) -> bool:
        """Read a head or a body, and say whether there may be more to read."""
        if self._answer is None:
            end = self._pending.find(_HEAD_END)
            if end < 0:
                return False
            head = bytes(self._pending[:end])
            del self._pending[: end + len(_HEAD_END)]
            self._begin(head)
            self._finish(b"")
            return True
        if not self._keeps:
            taken = min(self._left, len(self._pending))
            self._left -= taken
            del self._pending[:taken]
            self._finish(b"")
            return True
        if len(self._pending) < self._left:
            return False
        body = bytes(self._pending[: self._left])
        del self._pending[: self._left]
        self._left = 0
        self._finish(body)
        return True

    def _begin(self, head: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
        self._left = int(headers.get("content-length", 0))
        self._totals.bytes += self._left
        self._keeps = method == "POST" and self._left > 0
        self._answer = lambda body: self._respond(method, target, headers["host"], body)

    def _finish(self, body: bytes) -> None:
        if self._answer is not None and not self._left:
            answer, self._answer = self._answer, None
            self._totals.requests += 1
            self._transport.write(answer(body))

    def _respond(self, method: str, target: str, host: str, body: bytes) -> bytes:
        if method == "PUT":
            return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        if method == "GET":
            seen = self._totals
            return _json(
                {
                    "connections": seen.connections,
                    "requests": seen.requests,
                    "bytes": seen.bytes,
                    "cpu": process_time(),
                }
            )
        if target.endswith("/runs"):
            return _STARTED
        if target.endswith("/upload-urls"):
            path = json.loads(body)["path"]
            url = f"http://{host}/store{path}?X-Signature=0123456789abcdef"
            return _json({"upload_url": url, "path": path, "expires_in_seconds": 900})
        if target.endswith("/files"):
            fields = _fields(body)
            path = fields["path"].decode()
            return _json({"path": path, "size_bytes": len(fields["file"])})
        return _json({"sandbox_id": "sbx_1", "expires_at": EXPIRES_AT})


def _fields(body: bytes) -> dict[str, bytes]:
    """Read a multipart form."""
    boundary, _, rest = body.partition(b"\r\n")
    found: dict[str, bytes] = {}
    for part in rest.split(b"\r\n" + boundary)[:-1]:
        head, _, value = part.partition(_HEAD_END)
        found["file" if b'name="file"' in head else "path"] = value
    return found


def _json(answer: dict[str, object]) -> bytes:
    return answers.response(answers.encoded(answer), "201 Created")


def serve() -> None:
    """Take whatever is sent, and say where on stdout."""

    async def main() -> None:
        totals = Totals()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Stub(totals), "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(main())


@contextmanager
def stub() -> Generator[str, None, None]:
    """Run the server in a process of its own; give its URL."""
    command = [sys.executable, "-m", "benchmarks.stub"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - this file
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


@define
class Stats(Totals):
    """What has arrived, and what it cost.

    Attributes:
        cpu: The seconds of CPU that the server has spent.
    """

    cpu: float = 0.0


def stats(url: str) -> Stats:
    """Ask a server what it has done."""
    connection = HTTPConnection(url.removeprefix("http://"))
    try:
        connection.request("GET", "/stats")
        return Stats(**json.load(connection.getresponse()))
    finally:
        connection.close()


if __name__ == "__main__":
    serve()
