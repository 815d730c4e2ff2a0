"""The tests' own loop on virtual time: what works in threads holds its clock."""

import asyncio
import threading

import pytest

from tests.support.virtual_time import VirtualTimeLoop

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"debug": True, "loop_factory": lambda: VirtualTimeLoop(grace=0)}


async def test_a_thread_holds_the_clock() -> None:
    loop, released = asyncio.get_running_loop(), threading.Event()
    release = threading.Timer(0.02, released.set)
    release.start()
    async with asyncio.timeout(1):
        assert await loop.run_in_executor(None, released.wait)
    assert loop.time() == 0
    release.join()


async def test_so_do_threads_that_end_with_the_loop() -> None:
    loop, released = asyncio.get_running_loop(), threading.Event()
    loop.run_in_executor(None, released.wait).cancel()  # given up, and at work nevertheless
    await asyncio.sleep(0)
    release = threading.Timer(0.02, released.set)
    release.start()
    async with asyncio.timeout(300):  # what the runner gives them from Python 3.12 on
        await loop.shutdown_default_executor()
    assert loop.time() == 0
    release.join()


async def test_nothing_else_does() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(300):
            await asyncio.Event().wait()
    assert asyncio.get_running_loop().time() == 300
