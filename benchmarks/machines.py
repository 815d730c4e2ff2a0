"""What it costs to share a key's budget through Redis: `python -m benchmarks.machines`.

The processes of the lag are clients in one process, each with connections of its own to a real
Redis, on a virtual clock that waits for what Redis says.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from tempfile import TemporaryDirectory
from pathlib import Path
from typing import TypeVar

from attrs import evolve, frozen

from benchmarks.trials import Case, Figures, Trial, simulate
from duvo_async._pacing import Budget
from duvo_async._shared.link import Link
from duvo_async._shared.peers import RedisPeers
from duvo_async._shared.script import Word
from duvo_async._shared.turns import SharedTurns
from duvo_async.credentials import Secret
from tests.support.redis_server import running
from tests.support.virtual_time import VirtualTimeLoop, wall_clock

_T = TypeVar("_T")


class HeldLink(Link):
    """A connection to Redis that holds the virtual clock while Redis is asked."""

    async def ask(self, words: Sequence[Word]) -> object:
        return await _held(super().ask(words))

    async def publish(self, channel: str, message: bytes) -> None:
        await _held(super().publish(channel, message))


async def _held(asking: Awaitable[_T]) -> _T:
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualTimeLoop):
        return await asking
    loop.threads += 1
    try:
        return await asking
    finally:
        loop.threads -= 1


@frozen
class Together:
    url: str
    peers: bool = True

    async def __call__(self, trial: Trial) -> None:
        async def one(process: int) -> None:
            name = f"duvo:{{{trial.case.seed} {trial.case.processes} {trial.case.latency}}}"
            make_link = lambda: HeldLink(Secret(self.url), name)
            turns = SharedTurns(
                Budget(reserve=0), make_link, "here", random.Random(process).random, wall_clock
            )
            peers = RedisPeers(make_link, f"{name}:pages", b"benchmark") if self.peers else None
            async with trial.client(process=process, turns=turns, peers=peers) as duvo:
                await trial.map(duvo, process)

        async with asyncio.TaskGroup() as group:
            for process in range(trial.case.processes):
                group.create_task(one(process))


if __name__ == "__main__":
    import sys, time
    runs = int(sys.argv[1]); seeds=int(sys.argv[2])
    with TemporaryDirectory() as folder, running(Path(folder)) as server:
        import subprocess
        for latency in (True,):
            for processes in (1, 2, 4, 10):
              for peers in (True,):
                for seed in range(seeds):
                    t=time.time()
                    import redis; redis.Redis(port=server.port).flushall()
                    f = simulate(Together(server.url, peers), Case("lognormal", runs, seed, processes, latency), 0.001)
                    print(latency, processes, peers, seed, f"mean {f.mean:.2f} p95 {f.p95:.1f} max {f.max:.1f} excess {f.excess:.2f} req {f.requests} 429 {f.refused} span {f.makespan:.3f}  {time.time()-t:.0f} s", flush=True)
