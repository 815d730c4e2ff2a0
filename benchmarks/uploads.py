"""What uploads cost beside hand-written ones: `python -m benchmarks.uploads`.

- throughput: the speed and the CPU of a large file, in units of raw aiohttp that reads the file in
  the event loop. The bare socket reads none: it shows what the server could take.
- small: the CPU of many small files, in units of raw aiohttp. Only duvo_async has to find them.
- memory: what is resident at the highest beyond the idle client, in a process of its own.
- loop: for how long the event loop comes to nothing else, at the longest; also without the time
  in which other processes had all CPUs.

What is compared takes turns, and the server is a process of its own. The control is raw aiohttp
again; 1 is the mean of both, before and after duvo_async, and what they differ from 1 by is noise.
Behind each figure is the range of all rounds.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from itertools import zip_longest
from math import inf
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from attrs import define, field, frozen

from benchmarks import footprint
from benchmarks.gaps import longest_gaps
from benchmarks.peers import AT_ONCE, Peers, Send, Spent, peers, spent
from benchmarks.stub import stub
from benchmarks.table import Row

MB, GB = 10**6, 10**9
SMALL = 5000, 4096
"""How many small files, and the bytes of each."""
TINY = (2000, 20000), 100
"""How many files tell what one more takes, and the bytes of each."""
FOLDERS = 50
"""How many folders they are in."""
LEAST_SPEED, MOST_CPU = 0.95, 1.2
MOST_MEMORY = 8.0
"""MB."""
MOST_OPEN = 2 * AT_ONCE + 2
"""A file and a connection for each upload, and two for finding the files."""
MOST_BLOCKED = 20.0
"""Milliseconds."""
TRIES = 3
"""How often memory is measured, of which the most counts, and the event loop watched, of which the
least does: what else the machine does can only make a gap longer."""


@frozen
class Target:
    """What a figure must be.

    Attributes:
        figure: The figure.
        least: The least that it may be.
        most: The most that it may be.
    """

    figure: float
    least: float = 0.0
    most: float = inf

    @property
    def kept(self) -> bool:
        """Whether it is."""
        return self.least <= self.figure <= self.most

    @property
    def wanted(self) -> str:
        """The bound, to be read."""
        return f">= {self.least:g}" if self.least else f"<= {self.most:g}"


@define
class Benchmark:
    """Measures, prints, and notes what misses its target.

    Attributes:
        url: Where the server is.
        folder: Where files can be made.
        size: The bytes of the large file.
        rounds: How often to compare. None for as often as the section needs.
        targets: The rows that have one.
        missed: The rows that miss theirs.
    """

    url: str
    folder: Path
    size: int
    rounds: int | None
    targets: dict[str, Target] = field(factory=dict[str, Target])
    missed: list[str] = field(factory=list[str])

    def throughput(self) -> None:
        """Compare the ways to send a large file."""
        path = self._large()
        found = self._compared(lambda clients: clients.large, path, path, self.size, 9)
        _head(f"{self.size / GB:g} GB", "speed", "CPU", "GB/s", "server's CPU")
        raw = _raw(found)
        for name, rounds in found.items():
            speeds = [one.wall / each.wall for one, each in zip(raw, rounds, strict=True)]
            costs = [each.cpu / one.cpu for one, each in zip(raw, rounds, strict=True)]
            rate = self.size / GB / min(each.wall for each in rounds)
            target = Target(median(speeds), least=LEAST_SPEED) if name == "duvo_async" else None
            cells = _spread(speeds), _spread(costs), f"{rate:.2f}", _busy(rounds)
            self._row("throughput", name, cells, target)

    def small(self) -> None:
        """Compare the ways to send small files."""
        files, size = SMALL
        tree = self._tree(files, size)
        found = self._compared(lambda clients: clients.small, tree / "00", tree, files * size, 3)
        _head(f"{files:,} files of {size:,} bytes", "CPU", "time", "CPU µs/file", "server's CPU")
        raw = _raw(found)
        for name, rounds in found.items():
            costs = [each.cpu / one.cpu for one, each in zip(raw, rounds, strict=True)]
            times = [each.wall / one.wall for one, each in zip(raw, rounds, strict=True)]
            least = min(each.cpu for each in rounds) / files * 1e6
            target = Target(median(costs), most=MOST_CPU) if name == "duvo_async" else None
            cells = _spread(costs), _spread(times), f"{least:.0f}", _busy(rounds)
            self._row("small", name, cells, target)

    def memory(self) -> None:
        """Measure memory, and how many files are open."""
        if not footprint.STATUS.exists():
            print("\nThere is no /proc file system to tell how much memory is taken.")
            return
        _head("beyond the idle client", "MB at the most")
        for size in (MB, 10 * MB, GB, 8 * GB):
            path = self._sparse(size)
            tries = TRIES if size <= GB else 1
            peaks = [footprint.of_upload(self.url, path).memory / MB for _ in range(tries)]
            target = Target(max(peaks), most=MOST_MEMORY)
            self._row("memory", f"{size // MB:,} MB", [_spread(peaks, max)], target)
            path.unlink()
        (few, many), size = TINY
        less, more = (footprint.of_upload(self.url, self._tree(files, size)) for files in TINY[0])
        _head(f"{many:,} files of {size} bytes")
        each = (more.memory - less.memory) / (many - few)
        self._row("memory", "bytes for one file more", [f"{each:5.0f}"])
        opened = more.descriptors
        target = Target(opened, most=MOST_OPEN)
        self._row("memory", "open files and connections", [f"{opened:5d}"], target)

    def loop(self) -> None:
        """Measure how long the event loop is held up."""
        found = asyncio.run(longest_gaps(self.url, self._large(), self._tree(*SMALL), TRIES))
        _head("the loop's longest wait", "ms", "ms by the clock")
        for name, gaps in found.items():
            held_up = [gap.held_up for gap in gaps]
            by_clock = [gap.by_clock for gap in gaps]
            target = None if name == "idle" else Target(min(held_up), most=MOST_BLOCKED)
            self._row("loop", name, [_spread(held_up, min, 1), _spread(by_clock, min, 1)], target)

    def _compared(
        self,
        sends_of: Callable[[Peers], Mapping[str, Send]],
        first: Path,
        path: Path,
        size: int,
        rounds: int,
    ) -> Mapping[str, list[Spent]]:
        """Let all take turns at the same path, after a first use that does not count."""

        async def compare() -> Mapping[str, list[Spent]]:
            async with peers(self.url) as clients:
                if clients.httpx is None:
                    print("\nhttpx is missing: pip install 'duvo-async[benchmarks]'")
                sends = sends_of(clients)
                for send in sends.values():
                    await send(first)
                found: dict[str, list[Spent]] = {name: [] for name in sends}
                first_ones, others = list(sends)[:3], list(sends)[3:]
                for number in range(self.rounds or rounds):
                    order = others + first_ones if number % 2 else first_ones + others
                    for name in order:
                        one = await spent(self.url, sends[name], path)
                        if one.taken < size:
                            raise SystemExit(f"{name} sent {one.taken:,} bytes of {size:,}")
                        found[name].append(one)
            return found

        return asyncio.run(compare())

    def _row(
        self, section: str, name: str, cells: Sequence[str], target: Target | None = None
    ) -> None:
        line = _line(name, cells)
        if target is not None:
            self.targets[f"{section}, {name}"] = target
            line += target.wanted
            if not target.kept:
                line += " MISSED"
                self.missed.append(f"{section}, {name}: {target.figure:.2f}, not {target.wanted}")
        print(line.rstrip(), flush=True)

    def _large(self) -> Path:
        """Make a file that is not sparse, once."""
        path = self.folder / "large.bin"
        if not path.exists():
            noise = os.urandom(MB)
            with path.open("wb") as file:
                for start in range(0, self.size, MB):
                    file.write(noise[: self.size - start])
                file.flush()
                os.fsync(file.fileno())
        return path

    def _sparse(self, size: int) -> Path:
        path = self.folder / "sparse.bin"
        with path.open("wb") as file:
            file.truncate(size)
        return path

    def _tree(self, files: int, size: int) -> Path:
        """Make a folder of folders of small files, once."""
        tree = self.folder / f"{files}x{size}"
        if not tree.exists():
            for number in range(FOLDERS):
                (tree / f"{number:02}").mkdir(parents=True)
            for number in range(files):
                path = tree / f"{number % FOLDERS:02}" / f"{number:05}.csv"
                path.write_bytes(os.urandom(size))
        return tree


def _raw(found: Mapping[str, Sequence[Spent]]) -> list[Spent]:
    """Take the mean of raw aiohttp and the control, which are measured before and after this."""
    before, _, after, *_ = found.values()
    return [
        Spent((one.wall + other.wall) / 2, (one.cpu + other.cpu) / 2, 0.0, 0)
        for one, other in zip(before, after, strict=True)
    ]


def _spread(
    figures: Sequence[float], of: Callable[[Sequence[float]], float] = median, digits: int = 2
) -> str:
    ends = f"{min(figures):.{digits}f}-{max(figures):.{digits}f}"
    return f"{of(figures):5.{digits}f}  ({ends})"


def _head(title: str, *heads: str) -> None:
    print(f"\n{_line(title, heads)}target")


def _line(name: str, cells: Sequence[str]) -> str:
    """Write a table's line up to the target."""
    widths = (20, 20, 13, 14)
    return f"{name:28}" + "".join(
        f"{cell:{width}}" for cell, width in zip_longest(cells, widths, fillvalue="")
    )


def _busy(rounds: Sequence[Spent]) -> str:
    return f"{median(each.server / each.wall for each in rounds):.0%}"


def rows(*, size: int = GB // 4, rounds: int = 5) -> Iterable[Row]:
    """Measure for the table of all benchmarks.

    Args:
        size: The bytes of the large file.
        rounds: How often to compare.

    Yields:
        The figures.
    """
    with TemporaryDirectory() as folder, stub() as url:
        benchmark = Benchmark(url, Path(folder), size, rounds)
        with redirect_stdout(StringIO()):
            benchmark.throughput()
            benchmark.small()
    for name, target in benchmark.targets.items():
        yield Row("uploads", name, target.figure, target.most, target.least or -inf)


SECTIONS: dict[str, Callable[[Benchmark], None]] = {
    "throughput": Benchmark.throughput,
    "small": Benchmark.small,
    "memory": Benchmark.memory,
    "loop": Benchmark.loop,
}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--section", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--rounds", type=int, metavar="N", help="else 9 large ones, 3 small ones")
    parser.add_argument("--size", type=int, default=GB, metavar="BYTES", help="of the large file")
    parser.add_argument("--check", action="store_true", help="fail when a row misses its target")
    options = parser.parse_args()
    with TemporaryDirectory() as folder, stub() as url:
        benchmark = Benchmark(url, Path(folder), options.size, options.rounds)
        for section in options.section:
            SECTIONS[section](benchmark)
    if options.check and benchmark.missed:
        sys.exit("\n".join(benchmark.missed))


if __name__ == "__main__":
    main()
