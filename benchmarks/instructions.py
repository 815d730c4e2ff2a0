"""How many instructions a call takes: `python -m benchmarks.instructions`, where valgrind is.

Counts of the processor's instructions hardly differ from one time to the next, so that a change
shows here which is lost in the noise of a time. The kernel's own are not among them. It takes
minutes.
"""

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import product, repeat

import aiohttp

from benchmarks import table
from benchmarks.calls import CALLS, OURS
from benchmarks.clients import AUTHORIZATION, KEY, by_hand, typed
from benchmarks.rounds import RAW, frozen_heap
from benchmarks.stub import stub
from benchmarks.table import Row
from duvo_async import AsyncDuvo

_WARM = 20
"""Calls after which everything is loaded, made and connected."""
_COLLECTED = re.compile(r"Collected : (\d+)")
EACH = 200


def rows(*, each: int = EACH) -> Iterable[Row]:
    """Measure.

    Args:
        each: How many calls are counted.

    Yields:
        The figures; none without valgrind.
    """
    if shutil.which("valgrind") is None:
        print("valgrind is not here, which counts them", file=sys.stderr)
        return
    # Counts of programs that run side by side are those of programs that run alone.
    wanted = list(product(CALLS, (RAW, OURS), (0, each)))
    with stub() as url, ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = pool.map(_counted, repeat(url), *zip(*wanted, strict=True))
        found = dict(zip(wanted, counts, strict=True))
    for name in CALLS:
        # What comes before the calls that are counted, and after them, is in both.
        raw, ours = ((found[name, who, each] - found[name, who, 0]) / each for who in (RAW, OURS))
        yield Row("counts", f"instructions, raw aiohttp: {name}", raw)
        yield Row("counts", f"instructions, {OURS}: {name}", ours)
        yield Row("counts", f"instructions, {OURS} ÷ raw aiohttp: {name}", ours / raw)


def _counted(url: str, name: str, who: str, calls: int) -> int:
    program = [sys.executable, "-m", "benchmarks.instructions", url, name, who, str(calls)]
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={os.devnull}", *program]
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)  # noqa: S603 - this file
    found = _COLLECTED.search(done.stderr)
    if found is None:
        raise ValueError(f"valgrind counted nothing:\n{done.stderr}")
    return int(found[1])


async def _call(url: str, name: str, who: str, calls: int) -> None:
    async with (
        aiohttp.ClientSession(headers=AUTHORIZATION) as session,
        AsyncDuvo(KEY, base_url=url) as duvo,
    ):
        call = CALLS[name](typed(duvo) if who == OURS else by_hand(session, url))
        for _ in range(_WARM):
            await call()
        with frozen_heap():  # else a collection of all that there is comes into some of the counts
            for _ in range(calls):
                await call()


def main() -> None:
    """Print the table, or make calls that are counted."""
    if len(sys.argv) > 2:  # noqa: PLR2004 - as `_counted` asks
        url, name, who, calls = sys.argv[1:]
        asyncio.run(_call(url, name, who, int(calls)))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    table.printed(rows())


if __name__ == "__main__":
    main()
