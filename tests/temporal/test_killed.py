"""Processes that are killed, each with -9: a waiting worker, one with a question, the server."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from temporalio.client import Client

from duvo_async import AsyncDuvo, HumanAnswer, HumanRequestPending, RunOutcome
from duvo_async.emulator import AskApproval, Emulator, Say, Sleep
from duvo_async.temporal import data_converter, following, run_many
from tests.support.patience import eventually, limited
from tests.support.programs import free_port, guarded, kill
from tests.support.temporal_server import dev_server

if TYPE_CHECKING:
    import subprocess

pytestmark = pytest.mark.anyio

RUNS = 3
HOUR = 3600.0
SCRIPT = [Sleep(HOUR), AskApproval("Post?"), Sleep(HOUR), Say("Posted.")]
BATCH = "killed"
QUEUE = "duvo"


@contextmanager
def worker(address: str, emulator: Emulator, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the command that is a worker."""
    command = [sys.executable, "-m", "duvo_async.cli", "worker", "--address", address]
    api = {"DUVO_API_KEY": emulator.api_key, "DUVO_API_BASE_URL": emulator.url}
    with guarded(command, folder / "worker.log", {**os.environ, **api}) as process:
        yield process


async def are_looked_at(emulator: Emulator) -> None:
    """Wait until somebody looks how the runs are, again: a worker waits for all of them."""
    since = len(emulator.requests)

    async def look() -> bool:
        return any(each.method == "GET" for each in emulator.requests[since:])

    await eventually(look)


@limited
async def test_nothing_is_done_twice_and_nothing_is_lost(
    dev_server_program: str,
    emulator: Emulator,
    duvo: AsyncDuvo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "_LONGEST", 0.5)
    port, may_answer = free_port(), asyncio.Event()
    address = f"127.0.0.1:{port}"
    asked: list[str] = []

    def serving() -> AbstractContextManager["subprocess.Popen[bytes]"]:
        return dev_server(dev_server_program, tmp_path, port)

    async def answer(pending: HumanRequestPending) -> HumanAnswer:
        asked.append(pending.run_id)
        await may_answer.wait()
        return pending.request.approve()

    async def outcomes() -> list[RunOutcome]:
        temporal = await Client.connect(address, data_converter=data_converter)
        batch = run_many(
            temporal,
            emulator.add_agent(SCRIPT),
            ["go"] * RUNS,
            batch_id=BATCH,
            heartbeat_timeout=1.5,
            on_human_request=answer,
        )
        return [outcome async for outcome in batch]

    with ExitStack() as stack:
        server = stack.enter_context(serving())
        following_all = asyncio.create_task(outcomes())

        first = stack.enter_context(worker(address, emulator, tmp_path))
        await eventually(lambda: _of(_starts(emulator) == RUNS))
        await are_looked_at(emulator)
        kill(first)  # as it waits

        second = stack.enter_context(worker(address, emulator, tmp_path))
        emulator.jump(HOUR)
        await eventually(lambda: _of(len(asked) == RUNS))
        kill(second)  # as a person is asked

        kill(server)
        stack.enter_context(serving())
        stack.enter_context(worker(address, emulator, tmp_path))
        may_answer.set()
        await eventually(lambda: _of(sum(_answers(emulator).values()) >= RUNS))
        emulator.jump(HOUR)
        found = await following_all

    assert sorted(each.index for each in found) == [*range(RUNS)]
    assert all(each.succeeded for each in found)
    runs = [run.id async for run in duvo.runs.list()]
    assert sorted(runs) == sorted(str(each.run_id) for each in found)
    assert _answers(emulator) == dict.fromkeys(runs, 1)


async def _of(seen: bool) -> bool:  # noqa: FBT001 - it is what was seen
    return seen


def _starts(emulator: Emulator) -> int:
    return sum(each.method == "POST" and each.path.endswith("/runs") for each in emulator.requests)


def _answers(emulator: Emulator) -> dict[str, int]:
    """Count the answers that were given, by run."""
    given = [each for each in emulator.requests if each.path.endswith("/respond")]
    return Counter(each.path.split("/runs/")[1].split("/")[0] for each in given)
