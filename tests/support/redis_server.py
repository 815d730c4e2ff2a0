"""A Redis server of a test's own."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from attrs import define, field

from tests.support.programs import free_port, guarded
from tests.support.programs import program as program_called

PROGRAM = "redis-server"
_UP_WITHIN = 20.0
"""Real seconds."""


def program() -> str | None:
    """Find the server's program. None where it is not installed."""
    return program_called(PROGRAM)


@define(eq=False)
class RedisServer:
    """A server on loopback, which keeps nothing on disk.

    Attributes:
        folder: Where it may write.
        port: Where it listens.
    """

    folder: Path
    port: int = field(factory=free_port)
    _running: ExitStack = field(factory=ExitStack)

    @property
    def url(self) -> str:
        """Where it is, for a client."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, empty."""
        command = [PROGRAM, "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "no", "--dir", os.fspath(self.folder)]
        self._running.enter_context(guarded(command, self.folder / "redis.log"))
        deadline = time.monotonic() + _UP_WITHIN
        while not self._answers():
            if time.monotonic() > deadline:
                raise TimeoutError("redis-server did not come up")
            time.sleep(0.01)

    def kill(self) -> None:
        """End it at once, and with it all that it knows."""
        self._running.close()

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as asking:
            asking.sendall(b"PING\r\n")
            return asking.recv(7) == b"+PONG\r\n"
        return False


@contextmanager
def running(folder: Path) -> Iterator[RedisServer]:
    """Have a server."""
    server = RedisServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
