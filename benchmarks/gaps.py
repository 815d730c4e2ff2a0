"""For how long the event loop comes to nothing else while something is uploaded."""

import asyncio
import gc
import os
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from time import perf_counter, sleep

from attrs import frozen

from benchmarks.peers import SANDBOX, Peers, peers

MB = 10**6
_SCHEDULED = Path("/proc/thread-self/schedstat")
_TICK = 0.001
"""Seconds between two looks at whether the event loop is free."""
_SLOW = 0.05
"""Seconds for which a slow disk reads."""
_READ_AHEAD = 512 * 1024
"""The most bytes that it reads in that time."""

_Work = Callable[[], Awaitable[object]]


class SlowFile:
    """A file on a slow disk.

    Args:
        size: How many bytes it has.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._position = 0

    def read(self, size: int = -1, /) -> bytes:
        """Take long, as a system call does: other threads go on."""
        sleep(_SLOW)
        left = self._size - self._position
        data = bytes(min(left if size < 0 else size, left, _READ_AHEAD))
        self._position += len(data)
        return data

    def seekable(self) -> bool:
        """Say that it can be read twice."""
        return True

    def tell(self) -> int:
        """Say where it stands."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go somewhere else."""
        starts = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}
        self._position = starts[whence] + offset
        return self._position


@frozen
class Gap:
    """For how long the event loop came to nothing else, in milliseconds.

    Attributes:
        held_up: Without the time in which the kernel gave it no CPU, because others had them.
        by_clock: With that time.
    """

    held_up: float = 0.0
    by_clock: float = 0.0


async def longest_gaps(url: str, large: Path, tree: Path, tries: int) -> Mapping[str, list[Gap]]:
    """Measure the longest gaps, first of a loop that has nothing to do.

    Args:
        url: Where the server is.
        large: A large file.
        tree: A folder of small files.
        tries: How often.
    """
    async with peers(url) as clients:
        works: Mapping[str, _Work] = {
            "idle": lambda: asyncio.sleep(2),
            "slow file object, 1 MB": lambda: _slowly(clients, MB),
            "slow file object, 12 MB": lambda: _slowly(clients, 12 * MB),
            "path, in the page cache": lambda: clients.upload(large),
            "path, from the disk": lambda: _from_disk(clients, large),
            "upload_many": lambda: clients.upload_many(tree),
        }
        found: dict[str, list[Gap]] = {name: [] for name in works}
        for _ in range(tries):
            for name, work in works.items():
                found[name].append(await _longest_gap(work))
    return found


async def _slowly(clients: Peers, size: int) -> None:
    await clients.duvo.sandboxes.upload(SANDBOX, SlowFile(size), path="slow.bin")


async def _from_disk(clients: Peers, path: Path) -> None:
    await asyncio.to_thread(_forget, path)
    await clients.upload(path)


def _forget(path: Path) -> None:
    """Have the kernel drop a file from its page cache."""
    with path.open("rb") as file, suppress(AttributeError):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


async def _longest_gap(work: _Work) -> Gap:
    loop = asyncio.get_running_loop()
    # What the interpreter takes to look through all modules for garbage is not the uploads'.
    gc.collect()
    gc.freeze()
    with _queued() as queued:
        last, waited, longest = perf_counter(), queued(), Gap()

        def look() -> None:
            nonlocal last, waited, longest
            clock, queue = perf_counter(), queued()
            by_clock = (clock - last) * 1e3
            held_up = by_clock - (queue - waited) * 1e3
            last, waited = clock, queue
            longest = Gap(max(longest.held_up, held_up), max(longest.by_clock, by_clock))

        def tick() -> None:
            if not done:
                look()
                loop.call_later(_TICK, tick)

        done = False
        tick()
        await work()
        look()
        done = True
    gc.unfreeze()
    return longest


@contextmanager
def _queued() -> Generator[Callable[[], float], None, None]:
    """Tell for how many seconds this thread has stood in a queue for a CPU."""
    if not _SCHEDULED.exists():
        yield lambda: 0.0
        return
    with _SCHEDULED.open("rb", buffering=0) as file:
        yield lambda: int(os.pread(file.fileno(), 64, 0).split()[1]) / 1e9
