"""Servers of Temporal on loopback. Their programs come in the extra `servers`."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

DEV_SERVER = "temporal"
TIME_SKIPPING_SERVER = "temporal-test-server"

_START_SECONDS = 60.0
_GUARDED = 'exec 3<&0; { read -r _ <&3; kill -KILL 0; } & exec "$@" </dev/null 3<&-'
"""Runs a program, whose group is killed when the input ends, be it with the caller's process."""


def program(name: str) -> str | None:
    """Find a program, beside this Python or on the path."""
    places = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    return shutil.which(name, path=os.pathsep.join(places))


def free_port() -> int:
    """Find a port that nobody listens on."""
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def guarded(
    command: Sequence[str], log: Path, env: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program until the context is left, or this process is no more.

    Args:
        command: The program and its arguments.
        log: The file that what it prints is added to.
        env: Its environment. None gives it this one's.
    """
    with (
        log.open("ab") as out,
        subprocess.Popen(  # noqa: S603 - our own words
            ["/bin/sh", "-c", _GUARDED, "guarded", *command],
            env=env,
            start_new_session=True,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
        ) as process,
    ):
        try:
            yield process
        finally:
            kill(process)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a program as `kill -9` does, with all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


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
