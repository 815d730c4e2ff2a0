"""Servers of Temporal on loopback. Their programs come in the extra `servers`."""

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.programs import free_port, guarded

if TYPE_CHECKING:
    import subprocess

DEV_SERVER = "temporal"
TIME_SKIPPING_SERVER = "temporal-test-server"

_START_SECONDS = 60.0


@contextmanager
def dev_server(server: str, folder: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the dev server, which keeps what it knows in a file.

    Args:
        server: The program.
        folder: Where the file is, or will be.
        port: Where it listens, on loopback.
    """
    http = free_port()
    command = [server, "server", "start-dev", "--headless", "--ip", "127.0.0.1"]
    command += ["--port", str(port), "--http-port", str(http)]
    command += ["--db-filename", str(folder / "temporal.db"), "--log-level", "error"]
    log = folder / "server.log"
    env = {"HOME": str(folder), "PATH": os.defpath}
    with guarded(command, log, env) as process:
        _wait_for(http, process, log)
        yield process


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until a server is well, which is some time after it takes connections."""
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        asking = HTTPConnection("127.0.0.1", port, timeout=5)
        with closing(asking), suppress(OSError, HTTPException):
            asking.request("GET", "/api/v1/namespaces/default")
            if asking.getresponse().status == HTTPStatus.OK:
                return
        time.sleep(0.02)
    raise AssertionError(f"no server: {log.read_text('utf-8', 'replace')[-2000:]}")
