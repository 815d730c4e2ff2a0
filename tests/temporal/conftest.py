"""Real servers of Temporal: the dev server on SQLite, and the one that skips time.

Where the extra `servers` is not installed their tests are skipped, or fail where DUVO_SERVER_TESTS
is set.
"""

import os
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
from temporalio.client import Client

from duvo_async import AsyncDuvo
from duvo_async.emulator import Emulator
from duvo_async.temporal import data_converter
from tests.support.programs import free_port, program
from tests.support.temporal_server import DEV_SERVER, TIME_SKIPPING_SERVER, dev_server

REQUIRED = "DUVO_SERVER_TESTS" in os.environ  # asked now: tests see no such variable


def found(name: str) -> str:
    path = program(name)
    if path is None:
        missing = f"{name}, of the extra 'servers', is not installed"
        if REQUIRED:
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    return path


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # real time: the server is another process


@pytest.fixture(scope="session")
def dev_server_program() -> str:
    return found(DEV_SERVER)


@pytest.fixture(scope="session")
def time_skipping_program() -> str:
    return found(TIME_SKIPPING_SERVER)


@pytest.fixture(scope="session")
def address(dev_server_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a dev server is: one in each process of the tests that has a test which asks for it."""
    port = free_port()
    with dev_server(dev_server_program, tmp_path_factory.mktemp("temporal"), port):
        yield f"127.0.0.1:{port}"


@pytest.fixture
async def temporal(address: str) -> Client:
    """A client of the dev server."""
    return await Client.connect(address, data_converter=data_converter)


@pytest.fixture
def queue() -> str:
    """A task queue of the test's own, which is a good name for its workflow, too."""
    return f"duvo-{uuid4().hex}"


@pytest.fixture
async def emulator(_no_leaked_tasks: None) -> AsyncIterator[Emulator]:
    async with Emulator(requests_per_minute=10**6) as running:
        yield running


@pytest.fixture
async def duvo(emulator: Emulator) -> AsyncIterator[AsyncDuvo]:
    async with AsyncDuvo(emulator.api_key, base_url=emulator.url) as client:
        yield client
