"""Records the histories that tests replay: `python -m tests.support.record_histories FOLDER`.

They are kept as each version wrote them: give those of a new version a folder of their own, and
leave the others as they are.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from temporalio.client import Client, WorkflowHandle

from duvo_async import AsyncDuvo, HumanRequest, Run
from duvo_async.emulator import AskApproval, AskQuestions, Emulator, Option, Question, Say, Sleep
from duvo_async.emulator import Step as Does
from duvo_async.temporal import DurableRun, DuvoRunWorkflow, data_converter, duvo_worker
from tests.support.patience import eventually
from tests.support.programs import free_port, program
from tests.support.temporal_server import DEV_SERVER, dev_server

Handle: TypeAlias = WorkflowHandle[DuvoRunWorkflow, Run]
TASK_QUEUE = "duvo"
FOREVER = [Sleep(1e6)]
ASKING = [AskApproval("Post?"), AskQuestions("Which?", [Question("Book?", options=[Option("A")])])]


async def _asked(handle: Handle, title: str) -> HumanRequest:
    async def look() -> HumanRequest | None:
        request = await handle.query(DuvoRunWorkflow.pending_request)
        return request if request is not None and request.title == title else None

    return await eventually(look)


async def _nothing(_: Handle) -> None:
    pass


async def _answer(handle: Handle) -> None:
    request = await _asked(handle, "Post?")
    await handle.execute_update(DuvoRunWorkflow.answer, args=[request.id, request.approve()])
    request = await _asked(handle, "Which?")
    await handle.execute_update(DuvoRunWorkflow.answer, args=[request.id, {"Book?": "A"}])


async def _stop(handle: Handle) -> None:
    await handle.execute_update(DuvoRunWorkflow.stop)


async def _cancel(handle: Handle) -> None:
    await _asked(handle, "Post?")
    await handle.cancel()


SCENES: dict[str, tuple[Sequence[Does], dict[str, Any], Callable[[Handle], Awaitable[None]]]] = {
    "plain": ([Say("Done.")], {}, _nothing),
    "files": ([Say("Done.")], {"files": ["LICENSE"]}, _nothing),
    "answered": (ASKING, {}, _answer),
    "stopped": (FOREVER, {}, _stop),
    "cancelled": (ASKING, {}, _cancel),
    "left": (ASKING, {"on_cancel": "leave"}, _cancel),
    "failed": (FOREVER, {"agent_id": "no-uuid"}, _nothing),
    "late": (FOREVER, {"timeout": 0.5}, _nothing),
}


async def _record(temporal: Client, emulator: Emulator, name: str, folder: Path) -> None:
    script, durable, play = SCENES[name]
    handle = await temporal.start_workflow(
        DuvoRunWorkflow.run,
        DurableRun(**{"agent_id": emulator.add_agent(script), **durable}),
        id=name,
        task_queue=TASK_QUEUE,
    )
    await play(handle)
    await asyncio.gather(handle.result(), return_exceptions=True)
    history = json.loads((await handle.fetch_history()).to_json())
    text = json.dumps(_without_places(history), indent=1) + "\n"
    (folder / f"{name}.json").write_text(text, "utf-8")


def _without_places(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Take out where on this machine the code was."""
    if isinstance(value, dict):
        kept = {name: each for name, each in value.items() if name != "stackTrace"}
        return {name: _without_places(each) for name, each in kept.items()}
    return [_without_places(each) for each in value] if isinstance(value, list) else value


async def _record_all(folder: Path) -> None:
    server = program(DEV_SERVER)
    if server is None:
        sys.exit("the extra 'servers' is not installed")
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - as above
    port = free_port()
    with tempfile.TemporaryDirectory() as data, dev_server(server, Path(data), port):
        temporal = await Client.connect(
            f"127.0.0.1:{port}", data_converter=data_converter, identity="recorder"
        )
        async with (
            Emulator(requests_per_minute=None) as emulator,
            AsyncDuvo(emulator.api_key, base_url=emulator.url) as duvo,
            duvo_worker(temporal, duvo, task_queue=TASK_QUEUE, starts_per_second=1000),
        ):
            for name in SCENES:
                await _record(temporal, emulator, name, folder)


if __name__ == "__main__":
    asyncio.run(_record_all(Path(sys.argv[1])))
