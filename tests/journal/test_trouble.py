"""A journal whose disk or threads fail: what waits is let go, and told why."""

import asyncio
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from duvo_async import AsyncDuvo, JournalError, RunOutcome, journaling
from duvo_async._journal_file import Entry, JournalFile, News
from duvo_async.emulator import Emulator, Sleep
from tests.support.in_memory import client_of
from tests.support.virtual_time import wall_clock

pytestmark = pytest.mark.anyio


@pytest.fixture
def api() -> Emulator:
    return Emulator(clock=wall_clock, requests_per_minute=None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "batch.journal"


def asked(api: Emulator, path: str) -> int:
    return sum(each.method == "POST" and each.path.endswith(path) for each in api.requests)


async def test_no_start_is_sent_before_its_key_is_written(
    api: Emulator, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, held = JournalFile.write, threading.Event()
    loop, begun = asyncio.get_running_loop(), asyncio.Event()

    def write(
        self: JournalFile, entries: Iterable[Entry], news: Iterable[News], inputs: int | None = None
    ) -> None:
        loop.call_soon_threadsafe(begun.set)
        held.wait()
        whole(self, entries, news, inputs)

    monkeypatch.setattr(JournalFile, "write", write)
    async with client_of(api) as duvo:
        pages = duvo.runs.map(api.add_agent([]), ["a"], journal=path).pages()
        page = asyncio.ensure_future(anext(pages))
        try:
            await begun.wait()
            for _ in range(100):  # as many turns as a start would take
                await asyncio.sleep(0)
            assert asked(api, "/runs") == 0
        finally:
            held.set()
        await page
        await pages.aclose()
    assert asked(api, "/runs") == 1


async def begin(duvo: AsyncDuvo, api: Emulator, path: Path) -> "asyncio.Task[object]":
    """Start two runs that go on, and be told when both are waited for."""
    agent = api.add_agent([Sleep(3600)])
    pages = duvo.runs.map(agent, ["a", "b"], journal=path, stop_on_exit=True).pages()
    outcomes: list[RunOutcome] = []

    async def read() -> None:
        async for page in pages:
            outcomes.extend(page)

    task: asyncio.Task[object] = asyncio.ensure_future(read())
    await asyncio.sleep(10)  # of the clock that the tests have
    assert len(list(duvo._services.watcher.listeners())) == 2  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - ours
    return task


@pytest.mark.parametrize("how", ["fails", "hangs"])
async def test_whatever_becomes_of_the_journal_the_runs_are_let_go(
    api: Emulator, path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    async def bad(work: Callable[[], Any], *_: object) -> None:
        if how == "fails":
            raise RuntimeError("can't start new thread")
        stuck.append(work)
        await asyncio.get_running_loop().create_future()

    stuck: list[Callable[[], Any]] = []
    async with client_of(api) as duvo:
        task = await begin(duvo, api, path)
        monkeypatch.setattr(journaling, "apart", bad)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asked(api, "/stop") == 2
        assert not list(duvo._services.watcher.listeners())  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - ours
    for work in stuck:
        work()
    JournalFile(path).close()  # nobody has it any more


async def test_what_is_no_error_of_the_disk_is_told_as_the_journals(
    api: Emulator, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def bad(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(journaling, "apart", bad)
    async with client_of(api) as duvo:
        with pytest.raises(JournalError, match=r"cannot be used \(can't start new thread\)"):
            async for _ in duvo.runs.map(api.add_agent([]), ["a"], journal=path):
                pass
    assert asked(api, "/runs") == 0
