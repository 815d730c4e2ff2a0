"""The rig: virtual time, no leaks, nothing of the machine's own settings."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator

import pytest
from hypothesis import settings

from duvo_async import AsyncDuvo, RetryPolicy
from duvo_async._turns import forget_all
from duvo_async.emulator import Emulator
from tests.support.sweep import Sweep, look_at_journals, sweeping
from tests.support.virtual_time import VirtualTimeLoop, threads_hold_the_clock, wall_clock

settings.register_profile("quick", max_examples=20)  # --hypothesis-profile quick


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"debug": True, "loop_factory": VirtualTimeLoop}


@pytest.fixture(autouse=True)
def _clean_environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("no_cover"):  # nor in the processes that it starts
        monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    for name in os.environ:
        if (name.startswith("DUVO_") and name != "DUVO_OPENAPI_DIR") or name.lower().endswith(
            "_proxy"
        ):
            monkeypatch.delenv(name)


_SWEEP = pytest.StashKey[Sweep]()


@pytest.fixture(autouse=True)
def _no_secret_shows(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that lets a key, a token or a signature be seen."""
    if request.node.get_closest_marker("unswept"):
        yield
        return
    folder = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    with sweeping() as sweep:
        request.node.stash[_SWEEP] = sweep
        yield
        if folder is not None:
            look_at_journals(sweep, folder)
    assert not sweep.judge()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if _SWEEP in item.stash:
        for name, text in report.sections:
            item.stash[_SWEEP].look(name, text)
    return report


@pytest.fixture(autouse=True)
def _budgets_of_its_own() -> None:
    forget_all()  # each test counts time anew, and ports come again


@pytest.fixture(autouse=True)
def _no_leaked_threads() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = [thread for thread in set(threading.enumerate()) - before if thread.is_alive()]
    for thread in left:  # one that is just ending may do so
        thread.join(5)
    assert not [thread for thread in left if thread.is_alive()]


@pytest.fixture(autouse=True)
def _threads_hold_the_clock() -> Iterator[None]:
    with threads_hold_the_clock():
        yield


@pytest.fixture
async def _no_leaked_tasks() -> AsyncIterator[None]:
    yield
    await asyncio.sleep(0)
    left = [str(task.get_coro()) for task in asyncio.all_tasks() if not task.done()]
    assert not [coroutine for coroutine in left if "TestRunner" not in coroutine]


@pytest.fixture
async def emulator(_no_leaked_tasks: None) -> AsyncIterator[Emulator]:
    """The emulator on the loop's virtual time, reached over real sockets."""
    async with Emulator(clock=wall_clock) as running:
        yield running


@pytest.fixture
async def duvo(emulator: Emulator) -> AsyncIterator[AsyncDuvo]:
    """A client of the emulator."""
    async with AsyncDuvo(emulator.api_key, base_url=emulator.url) as client:
        yield client


@pytest.fixture
def impatient() -> RetryPolicy:
    """Retries at once, for tests on real time."""
    return RetryPolicy(initial_delay=0, max_delay=0)


MakeClient = Callable[..., AsyncDuvo]
