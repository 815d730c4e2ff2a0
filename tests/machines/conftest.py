"""A real Redis, for those tests that share a budget in one.

Its program is in Debian's package `redis-server`. Where there is none they are skipped, unless
`DUVO_SERVER_TESTS` says that it has to be there.
"""

import os
from collections.abc import Iterator

import pytest

from tests.support.redis_server import RedisServer, program, running
from tests.support.virtual_time import VirtualTimeLoop

REQUIRED = "DUVO_SERVER_TESTS" in os.environ  # which the rig takes away before a test


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    if program() is None:
        if REQUIRED:
            pytest.fail("redis-server is not installed")
        pytest.skip("redis-server is not installed")
    with running(tmp_path_factory.mktemp("redis")) as server:
        yield server
