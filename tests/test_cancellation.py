"""Calls that are cancelled at every moment: nothing is left, and they can be made again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from duvo_async import AsyncDuvo
from duvo_async.emulator import AskApproval, Emulator, Say, Sleep, StartedRun, Step
from tests.support.virtual_time import VirtualTimeLoop, wall_clock

pytestmark = [pytest.mark.anyio, pytest.mark.no_cover]

_MOST_STEPS = 5_000
"""Steps of a loop after which a call should have ended."""
_SETTLED = 100.0
"""Virtual seconds after which what was cut off has ended: connections, looks that are under way."""


class SteppingLoop(VirtualTimeLoop):
    """A loop that can be looked into before each of its steps."""

    def __init__(self) -> None:
        self.steps = 0
        self.before_step: Callable[[int], None] | None = None
        super().__init__()

    def _run_once(self) -> None:
        self.steps += 1
        if self.before_step is not None:
            self.before_step(self.steps)
        super()._run_once()  # type: ignore[misc] # which is how asyncio calls a step


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"debug": False, "loop_factory": SteppingLoop}


@define(eq=False)
class World:
    """What calls are made on.

    Attributes:
        emulator: The API.
        duvo: The client, the same for all calls.
        folder: Where files are.
        started: The runs that were started with each message.
        agent: An agent.
        number: The number of the call.
    """

    emulator: Emulator
    duvo: AsyncDuvo
    folder: Path
    started: dict[str | None, set[str]] = field(factory=dict[str | None, set[str]])
    agent: str = ""
    number: int = 0
    sandbox: str = ""

    def play(self, run: StartedRun) -> Generator[Step, Any, None]:
        """Do what the message says."""
        self.started.setdefault(run.message, set()).add(run.run_id)
        if "ask" in (run.message or ""):
            yield AskApproval("Post?")
        yield Sleep(2)
        yield Say("done")

    def leaks(self, tasks: set["asyncio.Task[Any]"]) -> dict[str, object]:
        """Find what is left of a call."""
        session, watcher = self.duvo._session, self.duvo._services.watcher  # noqa: SLF001 - nothing else tells
        turns = session.turns
        transport: Any = session._transport  # noqa: SLF001 - as above
        http = transport._session  # noqa: SLF001 - as above
        found: dict[str, object] = {
            "tasks": [
                str(each)
                for each in asyncio.all_tasks() - tasks
                if "RequestHandler" not in str(each)  # of the server's connections
            ],
            "requests under way": dict(turns.budget._under_way),  # noqa: SLF001 - as above
            "waiting for a turn": [turn for line in turns._lines for turn in line],  # noqa: SLF001
            "connections in use": set() if http is None else set(http.connector._acquired),  # noqa: SLF001
            "listeners": list(watcher.listeners()),
            "starters": list(watcher._starters),  # noqa: SLF001 - as above
            "those to be told of the close": list(watcher._leaves),  # noqa: SLF001 - as above
        }
        return {name: each for name, each in found.items() if each}


@pytest.fixture
async def world(tmp_path: Path, _no_leaked_tasks: None) -> AsyncIterator[World]:
    emulator = Emulator(clock=wall_clock, requests_per_minute=None, sandbox_ttl=1e9)
    async with (
        emulator,
        AsyncDuvo(emulator.api_key, base_url=emulator.url, requests_per_minute=1_000_000) as duvo,
    ):
        world = World(emulator, duvo, tmp_path)
        world.agent = emulator.add_agent(world.play)
        world.sandbox = (await duvo.sandboxes.create()).sandbox_id
        yield world


Operation = Callable[[World], Awaitable[object]]


async def start(world: World) -> None:
    key = f"start {world.number}"
    await world.duvo.runs.start(world.agent, message=key, idempotency_key=key)


async def wait(world: World) -> None:
    run_id = world.emulator.start_run(world.agent, "wait")
    assert (await world.duvo.runs.wait(run_id)).succeeded


async def answer(world: World) -> None:
    run_id = world.emulator.start_run(world.agent, "ask")
    run = await world.duvo.runs.wait(
        run_id, on_human_request=lambda pending: pending.request.approve()
    )
    assert run.succeeded


async def upload(world: World) -> None:
    await world.duvo.sandboxes.upload(world.sandbox, b"x" * 1_000, path="small.bin")


async def upload_presigned(world: World) -> None:
    await world.duvo.sandboxes.upload(world.sandbox, blocks(), path="large.bin")


async def blocks() -> AsyncIterator[bytes]:
    for _ in range(3):
        yield b"x" * 4_000_000


async def watch(world: World) -> None:
    run_id = world.emulator.start_run(world.agent, "watch")
    seen = [run async for run in world.duvo.runs.watch(run_id)]
    assert seen[-1].succeeded


async def fan_out(world: World) -> None:
    messages = _messages(world)
    await _map(world, messages, idempotency_keys=messages)


async def fan_out_with_journal(world: World) -> None:
    # Without keys of its own: nothing but the journal starts once.
    await _map(world, _messages(world), journal=world.folder / f"{world.number}.journal")


def _messages(world: World) -> list[str]:
    return [f"{what} {world.number}" for what in ("a", "ask", "b")]


async def _map(world: World, messages: list[str], **how: Any) -> None:  # noqa: ANN401 - as map takes them
    outcomes = [
        outcome
        async for outcome in world.duvo.runs.map(
            world.agent,
            messages,
            on_human_request=lambda pending: pending.request.approve(),
            **how,
        )
    ]
    assert all(outcome.succeeded for outcome in outcomes)
    assert len(outcomes) == 3


async def cancelled_at(step: int, call: Awaitable[object]) -> bool:
    """Make a call, and cancel it at this step of the loop; tell whether it lived so long."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SteppingLoop)
    task = asyncio.ensure_future(call)
    cancel_at = loop.steps + step
    reached = False

    def look(now: int) -> None:
        nonlocal reached
        if now == cancel_at and not task.done():
            reached = True
            task.cancel()

    loop.before_step = look
    try:
        with suppress(asyncio.CancelledError):
            await task
    finally:
        loop.before_step = None
    assert not reached or task.cancelled() or task.exception() is None
    return reached


@pytest.mark.parametrize(
    "operation",
    [start, wait, answer, upload, upload_presigned, watch, fan_out, fan_out_with_journal],
)
async def test_cancelled_at_any_step_it_leaves_nothing(world: World, operation: Operation) -> None:
    await operation(world)  # what is made once is there
    await asyncio.sleep(_SETTLED)
    tasks = asyncio.all_tasks()
    cancelled = 0
    for step in range(1, _MOST_STEPS):
        world.number += 1
        reached = await cancelled_at(step, operation(world))
        await asyncio.sleep(_SETTLED)
        assert world.leaks(tasks) == {}, f"cancelled at step {step}"
        if not reached:
            break
        cancelled += 1
        await operation(world)  # again, with the same keys
    else:
        pytest.fail("the call did not end")
    assert cancelled > 3
    world.emulator.advance()
    keyed = {message: runs for message, runs in world.started.items() if " " in (message or "")}
    assert all(len(runs) == 1 for runs in keyed.values()), "started twice"
