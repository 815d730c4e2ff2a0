"""The memory that an upload takes, measured in a process that does nothing else.

The high-water mark is the kernel's `VmHWM`, set back before the upload by way of `clear_refs`.
`ru_maxrss` will not do: it cannot be set back, and a process begins with that of the process which
it was forked from. The Python heap, as tracemalloc sees it, leaves out threads and connections.
"""

import asyncio
import gc
import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from attrs import asdict, define

from benchmarks.peers import AT_ONCE, SANDBOX, client

STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_DESCRIPTORS = Path("/proc/self/fd")
_SET_BACK = "5"
"""What sets the high-water mark back to what is resident now (proc(5))."""
_EVERY = 0.0005
"""Seconds between looks at the open files."""


@define
class Footprint:
    """What an upload took beyond what the idle client had.

    Attributes:
        memory: Its bytes at the highest.
        descriptors: Its open files and connections, at the most that were seen.
    """

    memory: int = 0
    descriptors: int = 0


def of_upload(url: str, path: Path) -> Footprint:
    """Upload a file, or all files of a folder, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.footprint", url, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - this file
    return Footprint(**json.loads(done.stdout))


def _resident(name: str) -> int:
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(lines[name].removesuffix("kB")) * 1024


@contextmanager
def _watched(found: Footprint) -> Generator[None, None, None]:
    """Look at the open files all the time."""

    def look() -> None:
        while not done.wait(_EVERY):
            found.descriptors = max(found.descriptors, _open() - idle)

    done = Event()
    idle = _open()
    thread = Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _open() -> int:
    return sum(1 for _ in _DESCRIPTORS.iterdir())


async def _measure(url: str, path: Path) -> Footprint:
    found = Footprint()
    async with client(url) as duvo:
        await duvo.sandboxes.upload(SANDBOX, b"tiny", path="tiny.txt")
        with _watched(found):
            gc.collect()
            _CLEAR_REFS.write_text(_SET_BACK)  # noqa: ASYNC240 - nothing else is going on
            idle = _resident("VmRSS")
            if path.is_dir():  # noqa: ASYNC240 - as above
                outcomes = await duvo.sandboxes.upload_many(SANDBOX, [path], concurrency=AT_ONCE)
                for outcome in outcomes:
                    outcome.raise_for_error()
            else:
                await duvo.sandboxes.upload(SANDBOX, path)
            found.memory = _resident("VmHWM") - idle
    return found


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(_measure(sys.argv[1], Path(sys.argv[2]))))))
