"""Fixtures for tests of one's own code: an emulator of the API, and clients of it.

    async def test_orders(duvo_emulator, duvo):
        agent_id = duvo_emulator.add_agent([Say("Posted.")])
        run = await duvo.runs.execute(agent_id)
        assert run.succeeded

pytest loads this by itself, and with it the package; the emulator only when a test asks for it.
"""

from __future__ import annotations

import os
from functools import wraps
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from duvo_async import AsyncDuvo, Duvo
    from duvo_async.emulator import Emulator

_OURS: pytest.StashKey[AsyncDuvo] = pytest.StashKey()
"""The client that this plugin made for a test, and not one that a fixture of the user's gave."""
_OUT_OF_REACH = 1_000_000


@pytest.fixture
def duvo_emulator(monkeypatch: pytest.MonkeyPatch) -> Generator[Emulator, None, None]:
    """An emulator of the API on loopback, for this test alone.

    `DUVO_API_KEY` and `DUVO_API_BASE_URL` lead to it, and no other variable of the SDK is set, so
    that code which makes a client of its own meets it too. Its limit of requests is out of reach;
    `add_agent` writes what agents do, `fail` and `drop` make requests fail, `jump` passes time.

    Yields:
        The emulator, which is serving.
    """
    from duvo_async.emulator import Emulator  # noqa: PLC0415 - only for those who ask for it

    for name in [name for name in os.environ if name.startswith("DUVO_")]:
        monkeypatch.delenv(name)
    with Emulator(requests_per_minute=_OUT_OF_REACH) as emulator:
        monkeypatch.setenv("DUVO_API_KEY", emulator.api_key)
        monkeypatch.setenv("DUVO_API_BASE_URL", emulator.url)
        yield emulator


@pytest.fixture
def duvo(duvo_emulator: Emulator, request: pytest.FixtureRequest) -> AsyncDuvo:
    """An asynchronous client of the emulator, which is closed when the test function has ended.

    It works with the runners of anyio and of pytest-asyncio, in the event loop of the test. A plain
    test that runs a loop itself says `async with duvo`.

    Returns:
        The client.
    """
    from duvo_async import AsyncDuvo  # noqa: PLC0415 - as above

    client = AsyncDuvo(duvo_emulator.api_key, base_url=duvo_emulator.url)
    request.node.stash[_OURS] = client
    return client


@pytest.fixture
def duvo_sync(duvo_emulator: Emulator) -> Generator[Duvo, None, None]:
    """A blocking client of the emulator.

    Yields:
        The client, which is closed after the test.
    """
    from duvo_async import Duvo  # noqa: PLC0415 - as above

    with Duvo(duvo_emulator.api_key, base_url=duvo_emulator.url) as client:
        yield client


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Have an asynchronous test close its client, in the loop that it used.

    No fixture could do that for every runner: each finds its asynchronous fixtures in another way,
    and some loops have ended when a plain fixture's time has come.
    """
    client = item.stash.get(_OURS, None)
    if client is not None and isinstance(item, pytest.Function) and iscoroutinefunction(item.obj):
        item.obj = _closing(item.obj, client)
    return (yield)


def _closing(test: Any, client: AsyncDuvo) -> Any:  # noqa: ANN401 - a test takes and gives anything
    @wraps(test)
    async def closing(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as above
        async with client:
            return await test(*args, **kwargs)

    return closing
