"""A Redis server of a test's own."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from attrs import define, field

_UP_WITHIN = 20.0
_GUARDED = '"$@" & read -r _; kill -9 $!'
"""Ends the server when who started it has ended, however: then its pipe has no other end."""


def program() -> str | None:
    """Find the server's program. None where it is not installed."""
    return shutil.which("redis-server")


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@define(eq=False)
class RedisServer:
    """A server on loopback, which keeps nothing on disk.

    Attributes:
        folder: Where it may write.
        port: Where it listens.
    """

    folder: Path
    port: int = field(factory=_free_port)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Where it is, for a client."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, empty."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "no", "--dir", os.fspath(self.folder)]
        self._process = subprocess.Popen(  # noqa: S603 - our own words
            ["/bin/sh", "-c", _GUARDED, "redis", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + _UP_WITHIN
        while not self._answers():
            if time.monotonic() > deadline:
                raise TimeoutError("redis-server did not come up")
            time.sleep(0.01)

    def kill(self) -> None:
        """End it at once, and with it all that it knows."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            process.wait(_UP_WITHIN)

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as asking:
            asking.sendall(b"PING\r\n")
            return asking.recv(7) == b"+PONG\r\n"
        return False


@contextmanager
def running(folder: Path) -> Iterator[RedisServer]:
    """Have a server."""
    server = RedisServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
