"""What a durable wait costs beside a plain one: `python -m benchmarks.durable`.

Temporal's dev server, the emulator and the worker have a process each. Memory is what the worker's
process grows by for each of many waits: workflows, activities and all that Temporal's SDK keeps.
Reads are the requests that look at runs, in a minute, beside those of as many runs that are waited
for by `wait_many` on one client. It needs the extras `temporal` and `servers`.
"""

import argparse
import asyncio
import gc
import os
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import perf_counter
from uuid import uuid4

from aiohttp import ClientSession
from attrs import define, field
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from benchmarks.table import Row, printed
from duvo_async import AsyncDuvo
from duvo_async.emulator import Emulator, Request, Response, Sleep
from duvo_async.temporal import DurableRun, DuvoRunWorkflow, data_converter, duvo_worker
from duvo_async.temporal.worker import SETTLES
from tests.support.programs import free_port, program
from tests.support.temporal_server import DEV_SERVER, TIME_SKIPPING_SERVER, dev_server

FOREVER = 1e6
"""Seconds; such a run does not end here."""
PLENTY = 10**6
"""Requests a minute, and starts a second: such a budget is never spent."""
WARM = 50
"""Waits that there are before memory is measured: what the first ones load is no cost of a wait."""
SETTLED = 5.0
"""Seconds until the plain client has found all pages."""
DAY = 86_400
TASK_QUEUE = "benchmark"
PLAIN = "x-plain"
STATUS = Path("/proc/self/status")


@define(kw_only=True, eq=False)
class CountingEmulator(Emulator):
    """Counts reads: those of the plain client, and the others."""

    reads: "Counter[bool]" = field(factory=Counter[bool])

    def handle(self, request: Request) -> Response:
        """Answers a request."""
        self.reads[PLAIN in request.headers] += request.method == "GET"
        return super().handle(request)


async def work(address: str) -> None:
    """Be the worker. A line on the standard input asks how it is."""
    loop, lines = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    temporal = await Client.connect(address, data_converter=data_converter)
    async with (
        AsyncDuvo() as duvo,
        duvo_worker(temporal, duvo, task_queue=TASK_QUEUE, starts_per_second=PLENTY),
    ):
        watcher = duvo._services.watcher  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - nobody else wants it
        while await lines.readline():
            gc.collect()
            print(watcher.runs, _resident(), flush=True)


def _resident() -> int:
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(lines["VmRSS"].removesuffix("kB")) * 1024


class Worker:
    """The worker's process, as it is seen from outside."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def look(self) -> tuple[int, int]:
        """Ask for how many runs it waits, and how many bytes it has."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise AssertionError("both are pipes")
        stdin.write(b"\n")
        runs, resident = (await stdout.readline()).split()
        return int(runs), int(resident)

    async def waits_for(self, runs: int) -> int:
        """Wait until it waits for so many runs, and all is quiet; tell its bytes."""
        while (await self.look())[0] < runs:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.2)
        await asyncio.sleep(2)
        return (await self.look())[1]


@asynccontextmanager
async def working(address: str, emulator: Emulator) -> AsyncGenerator[Worker, None]:
    """Run a worker in a process of its own."""
    api = {"DUVO_API_KEY": emulator.api_key, "DUVO_API_BASE_URL": emulator.url}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.durable", "--worker", address),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **api},
    )
    try:
        yield Worker(process)
    finally:
        process.kill()
        await process.wait()


async def start(temporal: Client, agent_id: str, runs: int) -> None:
    """Start durable runs."""
    name = uuid4().hex
    for number in range(runs):
        await temporal.start_workflow(
            DuvoRunWorkflow.run,
            DurableRun(agent_id=agent_id),
            id=f"{name}-{number}",
            task_queue=TASK_QUEUE,
        )


async def reads(emulator: CountingEmulator, agent_id: str, seconds: float) -> tuple[int, int]:
    """Count the requests that look at the worker's runs, and those of a plain client's waits.

    Both wait for the same runs at the same time.
    """
    headers = {PLAIN: "yes"}
    async with (
        ClientSession(headers=headers) as session,
        AsyncDuvo(emulator.api_key, base_url=emulator.url, session=session) as duvo,
    ):
        waiting = asyncio.ensure_future(_wait_for_all(duvo, agent_id))
        await asyncio.sleep(SETTLED)
        durable, plain = emulator.reads[False], emulator.reads[True]
        await asyncio.sleep(seconds)
        found = emulator.reads[False] - durable, emulator.reads[True] - plain
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    return found


async def _wait_for_all(duvo: AsyncDuvo, agent_id: str) -> None:
    runs = [run.id async for run in duvo.runs.list(agent_id=agent_id)]
    async for _ in duvo.runs.wait_many(runs):
        pass


async def a_day(server: str) -> tuple[float, float]:
    """Have the API ask a wait to come again in a day, with the server that skips time.

    Returns:
        The days that passed at the server, and the seconds that they took.
    """
    async with (
        await WorkflowEnvironment.start_time_skipping(
            test_server_existing_path=server, data_converter=data_converter
        ) as skipping,
        Emulator(requests_per_minute=PLENTY) as emulator,
        AsyncDuvo(emulator.api_key, base_url=emulator.url) as duvo,
        duvo_worker(skipping.client, duvo, task_queue=TASK_QUEUE, max_cached_workflows=0),
    ):
        agent_id = emulator.add_agent([])
        emulator.fail(503, method="GET", retry_after=DAY)
        begun = perf_counter()
        handle = await skipping.client.start_workflow(
            DuvoRunWorkflow.run,
            DurableRun(agent_id=agent_id),
            id="day",
            task_queue=TASK_QUEUE,
        )
        (await handle.result()).raise_for_status()
        took, ended = perf_counter() - begun, await handle.describe()
        if ended.close_time is None:
            raise AssertionError("it has ended")
        return (ended.close_time - ended.start_time).total_seconds() / DAY, took


async def measure(waits: int, seconds: float) -> list[Row]:
    """Measure all."""
    server, skipping = program(DEV_SERVER), program(TIME_SKIPPING_SERVER)
    if server is None or skipping is None:
        sys.exit("the extra 'servers' is not installed")
    async with AsyncExitStack() as stack:
        folder, port = Path(stack.enter_context(tempfile.TemporaryDirectory())), free_port()
        stack.enter_context(dev_server(server, folder, port))
        temporal = await Client.connect(f"127.0.0.1:{port}", data_converter=data_converter)
        emulator = await stack.enter_async_context(CountingEmulator(requests_per_minute=PLENTY))
        agent_id = emulator.add_agent([Sleep(FOREVER)])
        worker = await stack.enter_async_context(working(f"127.0.0.1:{port}", emulator))
        await start(temporal, agent_id, WARM)
        before = await worker.waits_for(WARM)
        await start(temporal, agent_id, waits)
        after = await worker.waits_for(WARM + waits)
        durable, plain = await reads(emulator, agent_id, seconds)
    days, took = await a_day(skipping)
    await asyncio.sleep(SETTLES)
    return [
        Row("durable", f"KB of a wait, {waits:,} in a worker", (after - before) / waits / 1024, 60),
        Row("durable", f"reads of {WARM + waits:,} durable waits in {seconds:g} s", durable),
        Row("durable", f"reads of {WARM + waits:,} plain waits in {seconds:g} s", plain),
        Row("durable", "days that a wait was put off by the API", days, least=1),
        Row("durable", "seconds that it took, time being skipped", took, 1),
    ]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waits", type=int, default=1000, help="how many runs are waited for")
    parser.add_argument("--seconds", type=float, default=60.0, help="while reads are counted")
    parser.add_argument("--worker", metavar="ADDRESS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        asyncio.run(work(options.worker))
    else:
        printed(asyncio.run(measure(options.waits, options.seconds)))


if __name__ == "__main__":
    main()
