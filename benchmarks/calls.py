"""What one typed call costs beside a hand-written one: `python -m benchmarks.calls`.

CPU time of this process, in interleaved rounds; the server is a process of its own. The control
measures the hand-written call against itself: what it differs from 1 by is noise.
"""

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from statistics import median
from time import process_time

import aiohttp
from aiohttp import web

from duvo_async import AsyncDuvo, Duvo

RUN_ID = "550e8400-e29b-41d4-a716-446655440000"
MOMENT = "2026-01-15T12:00:00.000Z"
RUN = {
    "id": RUN_ID,
    "agent_id": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    "build_id": "16fd2706-8baf-433b-82eb-8c7fada847da",
    "status": "running",
    "source": "api",
    "sandbox_id": None,
    "started_at": MOMENT,
    "completed_at": None,
    "created_at": MOMENT,
    "updated_at": MOMENT,
    "human_in_the_loop_enabled": True,
}
HEADERS = {
    "x-ratelimit-limit": "100000000",
    "x-ratelimit-remaining": "99999999",
    "x-ratelimit-reset": "60",
}


def serve() -> None:
    """Answer every request with the same run, and say where on stdout."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json", headers=HEADERS)

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    body = json.dumps({"run": RUN}).encode()
    asyncio.run(main())


@contextmanager
def server() -> Generator[str, None, None]:
    """Run the server in a process of its own; give its URL."""
    command = [sys.executable, "-m", "benchmarks.calls", "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - this file
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


async def cpu(call: Callable[[], Awaitable[object]], calls: int, at_once: int) -> float:
    """Measure the CPU seconds of one call."""
    begun = process_time()
    for _ in range(calls // at_once):
        await asyncio.gather(*(call() for _ in range(at_once)))
    return (process_time() - begun) / calls


async def compare(url: str, rounds: int, calls: int, at_once: int) -> dict[str, float]:
    """Measure the typed call and the control, in units of the hand-written call."""
    async with aiohttp.ClientSession() as session, AsyncDuvo("dv_key", base_url=url) as duvo:

        async def written() -> object:
            async with session.get(f"{url}/v1/runs/{RUN_ID}") as response:
                return (await response.json())["run"]

        async def typed() -> object:
            return await duvo.runs.get(RUN_ID)

        names = {"by hand": written, "duvo_async": typed, "control": written}
        for call in names.values():
            await cpu(call, at_once, at_once)  # warms up
        ratios: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(rounds):
            spent = {name: await cpu(call, calls, at_once) for name, call in names.items()}
            for name, seconds in spent.items():
                ratios[name].append(seconds / spent["by hand"])
    return {name: median(values) for name, values in ratios.items()}


def blocking(url: str, rounds: int, calls: int) -> float:
    """Measure the blocking call in units of its asynchronous twin."""

    async def twin() -> float:
        async with AsyncDuvo("dv_key", base_url=url) as duvo:
            return await cpu(lambda: duvo.runs.get(RUN_ID), calls, 1)

    ratios: list[float] = []
    with Duvo("dv_key", base_url=url) as duvo:
        for _ in range(rounds):
            begun = process_time()
            for _ in range(calls):
                duvo.runs.get(RUN_ID)
            ratios.append((process_time() - begun) / calls / asyncio.run(twin()))
    return median(ratios)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    with server() as url:
        print(f"{'CPU, raw aiohttp = 1':30}{'duvo_async':>12}{'control':>12}")
        for at_once in (1, 100):
            found = asyncio.run(compare(url, options.rounds, options.calls, at_once))
            title = f"runs.get, {at_once} at once"
            print(f"{title:30}{found['duvo_async']:12.2f}{found['control']:12.2f}")
        print(f"{'Duvo ÷ AsyncDuvo':30}{blocking(url, options.rounds, options.calls):12.2f}")


if __name__ == "__main__":
    main()
