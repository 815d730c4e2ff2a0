"""Counts what a call does, in a process of its own: nothing here is measured in seconds."""

import asyncio
import dis
import gc
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import FrameType
from typing import Any

from attrs import AttrsInstance, fields, frozen

import duvo_async
from duvo_async import AsyncDuvo, StopResult, _direct
from duvo_async._decoders import make_decoder

CALLS = 500
RUN_ID = "550e8400-e29b-41d4-a716-446655440000"
MOMENT = "2026-01-15T12:00:00.000Z"
BODY = json.dumps(
    {
        "run": {
            **dict.fromkeys(("id", "agent_id", "build_id"), RUN_ID),
            **dict.fromkeys(("source", "sandbox_id", "started_at", "completed_at")),
            **dict.fromkeys(("created_at", "updated_at"), MOMENT),
            "status": "running",
            "human_in_the_loop_enabled": True,
        }
    }
).encode()
HEAD = f"""HTTP/1.1 200 OK
Content-Type: application/json
Content-Length: {len(BODY)}
Date: Thu, 15 Jan 2026 12:00:00 GMT
x-ratelimit-limit: 1000000
x-ratelimit-remaining: 999999
x-ratelimit-reset: 60

""".replace("\n", "\r\n").encode()
OURS = str(Path(duvo_async.__file__).parent)
MADE_FOR_US = ("<attrs generated", "<cattrs generated", "<duvo_async ")


@frozen
class Model:
    """As those that answers are made of."""

    name: str
    size: int | None = None


class Server(asyncio.Protocol):
    """Answers everything with the same run."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if data:
            self._transport.write(HEAD + BODY)


async def steps(call: Callable[[], Awaitable[object]]) -> int:
    """Count how often a function of ours, or one made for us, is entered."""
    entered: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _: object) -> None:
        where = frame.f_code.co_filename
        if event == "call" and where.startswith((OURS, *MADE_FOR_US)):
            entered[frame.f_code.co_qualname] += 1

    sys.setprofile(note)
    try:
        await call()
    finally:
        sys.setprofile(None)
    return entered.total()


async def made(call: Callable[[], Awaitable[object]]) -> dict[str, float]:
    """Count the tasks and timers that are made for calls, and the blocks that outlive them."""
    loop = asyncio.get_running_loop()
    counts: Counter[str] = Counter(tasks=0, timers=0)
    call_at: Any = loop.call_at

    def make_task(loop: asyncio.AbstractEventLoop, work: Any, **named: Any) -> Any:  # noqa: ANN401
        counts["tasks"] += 1
        return asyncio.Task(work, loop=loop, **named)

    def set_timer(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - as asyncio's
        counts["timers"] += 1
        return call_at(*given, **named)

    loop.set_task_factory(make_task)
    monkey: Any = loop
    monkey.call_at = set_timer
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(CALLS):
        await call()
    gc.collect()
    blocks = sys.getallocatedblocks() - before
    return {**{name: count / CALLS for name, count in counts.items()}, "blocks": blocks / CALLS}


def slow_fields() -> int:
    """Count the fields of a model for which Python looks who sets them, each time."""
    decode = make_decoder(Model, lambda _: None, lambda _: lambda value, _: value)
    _, fill = _direct.struct_of(StopResult)  # what fills a model is made for ours alone
    for _ in range(CALLS):
        decode({"name": "orders.csv", "size": 7}, Model)
        fill(StopResult(success=True, message="stopping"))
    return slow_stores(decode, Model) + slow_stores(fill, StopResult)


def slow_stores(function: Callable[..., object], model: type[AttrsInstance]) -> int:
    names = {each.name for each in fields(model)}
    every = [each for each in dis.get_instructions(function, adaptive=True) if each.argval in names]
    stores = [each.opname for each in every if each.opname.startswith("STORE")]
    assert len(stores) == len(names)
    return sum("SLOT" not in each for each in stores)


async def main() -> None:
    """Print the counts of one call."""
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, AsyncDuvo("dv_key", base_url=url) as duvo:
        for _ in range(CALLS):
            await duvo.runs.get(RUN_ID)
        found = await made(lambda: duvo.runs.get(RUN_ID))
        found["slow_fields"] = slow_fields()
        found["steps"] = await steps(lambda: duvo.runs.get(RUN_ID))
    print(json.dumps(found))  # noqa: T201 - for the test


if __name__ == "__main__":
    asyncio.run(main())
