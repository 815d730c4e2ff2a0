"""What it costs to import this package: `python -m benchmarks.imports`.

Each import is one of a fresh interpreter, by turns; time is CPU time from the first line on,
without that of the interpreter's own start. Modules are those beyond the ones that aiohttp loads.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from math import inf
from statistics import median
from tempfile import TemporaryDirectory

from attrs import frozen

from benchmarks import table
from benchmarks.rounds import CONTROL
from benchmarks.stub import stub
from benchmarks.table import Row

AIOHTTP = "import aiohttp"
OURS = "import duvo_async"
FIRST_CALL = "a first call"
PROGRAMS = {
    AIOHTTP: "import aiohttp",
    OURS: "import aiohttp; import duvo_async",
    CONTROL: "import aiohttp",
    "from duvo_async import AsyncDuvo": "from duvo_async import AsyncDuvo; AsyncDuvo",
    "from duvo_async import Duvo": "from duvo_async import Duvo; Duvo",
    "httpx and pydantic": "import httpx, pydantic; pydantic.BaseModel",
    "openai": "from openai import AsyncOpenAI",
}
"""`import duvo_async` is measured together with aiohttp, which it may load later."""
_FIRST_CALL = """
import asyncio
from duvo_async import AsyncDuvo
async def main():
    async with AsyncDuvo("dv_key", base_url="{url}") as duvo:
        await duvo.runs.get("550e8400-e29b-41d4-a716-446655440000")
asyncio.run(main())
"""
_MEASURED = """
import json, sys
from time import process_time
begun = process_time()
exec(sys.argv[1])
spent, modules = process_time() - begun, sorted(sys.modules)
from pathlib import Path
status = Path("/proc/self/status")
lines = status.read_text().splitlines() if status.exists() else []
peak = next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)
print(json.dumps([spent, modules, peak]))
"""
MOST_TIME, MOST_MODULES = 1.12, 60
NOISE = 0.07
ROUNDS = 15


@frozen
class Import:
    """One import.

    Attributes:
        seconds: Its CPU time.
        modules: What was loaded after it.
        memory: What was resident at the most, in kB. 0 where there is no /proc to tell it.
    """

    seconds: float
    modules: frozenset[str]
    memory: int


def rows(*, rounds: int = ROUNDS) -> Iterable[Row]:
    """Measure.

    Args:
        rounds: How many turns each import has.

    Yields:
        The figures.
    """
    with stub() as url, TemporaryDirectory() as compiled:
        programs = {name: each for name, each in PROGRAMS.items() if _is_here(name)}
        programs[FIRST_CALL] = _FIRST_CALL.format(url=url)
        found: dict[str, list[Import]] = {name: [] for name in programs}
        for program in programs.values():
            _imported(program, compiled)  # as after an installation, nothing is left to compile
        for _ in range(rounds):
            for name, program in programs.items():
                found[name].append(_imported(program, compiled))
    units = [
        (one.seconds + other.seconds) / 2
        for one, other in zip(found[AIOHTTP], found[CONTROL], strict=True)
    ]
    known = found[AIOHTTP][0].modules
    base = median(each.memory for each in found[AIOHTTP])
    for name, each in found.items():
        if name == AIOHTTP:
            continue
        ratio = median(one.seconds / unit for one, unit in zip(each, units, strict=True))
        if name == CONTROL:
            yield Row("imports", f"control ÷ {AIOHTTP}: CPU", ratio, 1 + NOISE, 1 - NOISE)
            continue
        modules = len(each[0].modules - known)
        is_ours = name == OURS
        yield Row("imports", f"{name} ÷ {AIOHTTP}: CPU", ratio, MOST_TIME if is_ours else inf)
        most = MOST_MODULES if is_ours else inf
        yield Row("imports", f"{name}: modules beyond aiohttp's", modules, most)
        if base:
            memory = median(one.memory for one in each) / base
            yield Row("imports", f"{name} ÷ {AIOHTTP}: memory", memory)


def _is_here(name: str) -> bool:
    wanted = {"httpx and pydantic": ("httpx", "pydantic"), "openai": ("openai",)}.get(name, ())
    return all(map(find_spec, wanted))


def _imported(program: str, compiled: str) -> Import:
    command = [sys.executable, "-c", _MEASURED, program]
    # An empty text is as good as none.
    environment = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": compiled}
    done = subprocess.run(  # noqa: S603 - as above
        command, check=True, capture_output=True, text=True, env=os.environ | environment
    )
    seconds, modules, memory = json.loads(done.stdout)
    return Import(seconds, frozenset(modules), memory)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    table.printed(rows(rounds=options.rounds))


if __name__ == "__main__":
    main()
