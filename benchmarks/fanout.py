"""How soon the ends of many runs are known, on one key: `python -m benchmarks.fanout`.

The real client on the emulator's core, in memory and on a virtual clock: all times are those of the
simulated minutes and hours, and come out the same each time. There is no delay on the network
unless a table says so, so that what is measured is the choice of what to read when.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import zip_longest
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeAlias

from attrs import asdict, evolve, field, frozen

from benchmarks import chart, table
from benchmarks.foreground import CALLS, DELAYED, OFFSETS, PHASES, waited
from benchmarks.policies import POLICIES, in_processes, list_sweep
from benchmarks.trials import (
    DURATIONS,
    LATENCY,
    LIMIT,
    Case,
    Figures,
    Play,
    averaged,
    log,
    simulate,
)

NUMBERS = (1, 10, 100, 300, 1000, 3000, 10000)
LOWER_BOUNDS = {100: 4.6, 300: 21.2, 1000: 102.8, 3000: 457.0, 10000: 1851.0}
"""Seconds of mean lag that no policy of single reads can go below if it starts all runs first, with
lognormal durations. One that starts late may: hence the excess beside it."""
BOUNDED = "lognormal"
SEEDS, SEEDS_OF_ONE, SEEDS_OF_MANY = 5, 20, 1
MANY = 10000
"""As many runs show with one seed what there is to see."""
TOGETHER = 1000
"""Runs where several processes share them, and where somebody calls meanwhile."""
PROCESSES = (2, 4, 10)
CHARTS = {
    "mean": "Seconds from a run's end to its being known, on average",
    "excess": "Seconds lost to late starts and late news, on average",
}
CHECKED = Case(BOUNDED, 300, seed=0, latency=True)
HEADS = ("mean", "p50", "p95", "max", "excess", "requests", "429s", "span", "÷ bound")

Row: TypeAlias = dict[str, Any]


def _seeds(runs: int, asked: int | None) -> int:
    if asked is not None:
        return asked
    return SEEDS_OF_ONE if runs == 1 else SEEDS if runs < MANY else SEEDS_OF_MANY


def _bound(durations: str, runs: int) -> float | None:
    return LOWER_BOUNDS.get(runs) if durations == BOUNDED else None


def _cells(figures: Figures, bound: float | None) -> str:
    f = figures
    times = "".join(f"{each:10.2f}" for each in (f.mean, f.p50, f.p95, f.max, f.excess))
    ratio = "-" if bound is None else f"{f.mean / bound:.3f}"
    return f"{times}{_count(f.requests):>10}{_count(f.refused):>10}{f.makespan:10.4f}{ratio:>10}"


def _count(mean: float) -> str:
    return f"{mean:.1f}".removesuffix(".0")


@frozen
class Benchmark:
    """The sections of the command.

    Attributes:
        options: What was asked for.
        pool: Runs trials, each in a fresh state.
        rows: What was found, by section.
    """

    options: argparse.Namespace
    pool: ProcessPoolExecutor
    rows: dict[str, list[Row]] = field(factory=dict[str, list[Row]])

    def policies(self) -> None:
        """Compare the policies."""
        for durations in self.options.durations:
            print(f"\n{durations} durations, times in seconds")
            cases = [
                (name, Case(durations, runs, 0))
                for runs in self.options.runs
                for name in self._named(runs)
            ]
            self._table("policies", cases, lambda name: POLICIES[name].play)
        for name, policy in POLICIES.items():
            if name not in (self.options.policies or ()) and policy.most is not None:
                print(f"{name}: up to {policy.most} runs; --policies asks for more")

    def processes(self) -> None:
        """Share a key among processes that know nothing of each other."""
        for latency in (False, True):
            low, high = (f"{1000 * each:.0f}" for each in LATENCY)
            title = f"{low} to {high} ms a request" if latency else "no latency"
            print(f"\n{TOGETHER} runs in several processes with one key, {title}")
            cases = [
                (f"{each} processes", Case(BOUNDED, TOGETHER, 0, processes=each, latency=latency))
                for each in PROCESSES
            ]
            self._table("processes", cases, lambda _: in_processes)

    def one(self) -> None:
        """Wait for a single run of a known length."""
        print("\na run of 90 s by itself")
        cases = [("the client", Case("constant", 1, 0))]
        self._table("one", cases, lambda _: list_sweep)

    def foreground(self) -> None:
        """Call meanwhile."""
        print(f"\n{CALLS} calls, one a second, while {TOGETHER} runs are mapped: held up by pacing")
        print(f"{'from second':>12}" + "".join(f"{name:>16}" for name in PHASES))
        found: dict[tuple[str, int], list[Future[list[float]]]] = {
            (name, offset): [
                self.pool.submit(waited, Case(BOUNDED, TOGETHER, seed), phase, float(offset))
                for seed in range(_seeds(TOGETHER, self.options.seeds))
            ]
            for offset in OFFSETS
            for name, phase in PHASES.items()
        }
        every: dict[str, list[float]] = {name: [] for name in PHASES}
        for offset in OFFSETS:
            shares: list[float] = []
            for name in PHASES:
                seconds = [each for future in found[name, offset] for each in future.result()]
                every[name] += seconds
                shares.append(_held_up(seconds))
                self._add("foreground", phase=name, offset=offset, held_up=shares[-1])
            print(f"{offset:12d}" + "".join(f"{share:16.2%}" for share in shares), flush=True)
        print(f"{'all':>12}" + "".join(f"{_held_up(each):16.2%}" for each in every.values()))
        print(f"{'longest, s':>12}" + "".join(f"{max(each):16.3f}" for each in every.values()))

    def _named(self, runs: int) -> Iterable[str]:
        asked: list[str] | None = self.options.policies
        return asked or [
            name for name, each in POLICIES.items() if each.most is None or runs <= each.most
        ]

    def _table(
        self, section: str, cases: Iterable[tuple[str, Case]], play: Callable[[str], Play]
    ) -> None:
        """Run all trials, and print a row as soon as those of its seeds have ended."""
        print(f"{'':18}{'runs':>7}{'seeds':>7}" + "".join(f"{head:>10}" for head in HEADS))
        trials = [(name, case, self._submit(play(name), case)) for name, case in cases]
        for name, case, futures in trials:
            figures = averaged([future.result() for future in futures])
            bound = _bound(case.durations, case.runs)
            print(
                f"{name:18}{case.runs:7d}{len(futures):7d}{_cells(figures, bound)}",
                flush=True,
            )
            row = asdict(case) | {"seeds": len(futures)} | asdict(figures)
            del row["seed"]
            self._add(section, policy=name, **row)

    def _submit(self, play: Play, case: Case) -> list[Future[Figures]]:
        return [
            self.pool.submit(simulate, play, evolve(case, seed=seed))
            for seed in range(_seeds(case.runs, self.options.seeds))
        ]

    def _add(self, section: str, **row: object) -> None:
        self.rows.setdefault(section, []).append(row)


def _held_up(seconds: list[float]) -> float:
    return sum(each > DELAYED for each in seconds) / len(seconds)


def rows(*, numbers: Sequence[int] = (10, 100, 300, 1000)) -> Iterable[table.Row]:
    """Measure for the table of all benchmarks, with one seed.

    Args:
        numbers: How many runs are fanned out.

    Yields:
        The figures.
    """
    names = ("list sweep", "naive")
    cases = [(name, Case(BOUNDED, runs, 0)) for runs in numbers for name in names]
    with ProcessPoolExecutor(mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        found = [(*each, pool.submit(simulate, POLICIES[each[0]].play, each[1])) for each in cases]
        for name, case, future in found:
            figures = future.result()
            yield table.Row("fanout", f"mean lag in s, {name}, {case.runs:,} runs", figures.mean)
            yield table.Row("fanout", f"429s, {name}, {case.runs:,} runs", figures.refused)


def _lines(rows: Iterable[Row], durations: str, figure: str) -> dict[str, dict[int, float]]:
    lines: dict[str, dict[int, float]] = {}
    for row in rows:
        if row["durations"] == durations:
            lines.setdefault(row["policy"], {})[row["runs"]] = row[figure]
    return lines


def check(pool: ProcessPoolExecutor) -> None:
    """Run a trial twice; the same requests must be sent at the same times.

    Raises:
        SystemExit: They are not.
    """
    once, again = (pool.submit(log, list_sweep, CHECKED) for _ in range(2))
    for number, (one, other) in enumerate(zip_longest(once.result(), again.result())):
        if one != other:
            raise SystemExit(f"request {number} differs:\n{one}\n{other}")
    print(f"twice the same {len(once.result())} requests")


SECTIONS: dict[str, Callable[[Benchmark], None]] = {
    "policies": Benchmark.policies,
    "processes": Benchmark.processes,
    "foreground": Benchmark.foreground,
    "one": Benchmark.one,
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--section", nargs="+", choices=SECTIONS, default=["policies"])
    parser.add_argument("--runs", type=int, nargs="+", default=NUMBERS, metavar="N")
    parser.add_argument("--seeds", type=int, metavar="K", help="else fewer for more runs")
    parser.add_argument("--durations", nargs="+", choices=DURATIONS, default=[BOUNDED])
    parser.add_argument("--policies", nargs="+", choices=POLICIES)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="of the first durations")
    parser.add_argument("--of", choices=CHARTS, default="mean", help="what the chart shows")
    parser.add_argument("--check", action="store_true", help="whether chance plays no part")
    options = parser.parse_args()
    if options.chart is not None:
        if "policies" not in options.section:
            parser.error("--chart shows the section policies")
        chart.check(options.chart)
    return options


def main() -> None:
    """Print the tables."""
    options = _options()
    # Each trial has an interpreter of its own: what it shows does not hang on those before it.
    with ProcessPoolExecutor(mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        if options.check:
            check(pool)
            return
        benchmark = Benchmark(options, pool)
        for section in options.section:
            SECTIONS[section](benchmark)
    if options.json is not None:
        options.json.write_text(json.dumps(benchmark.rows, indent=1) + "\n")
    if options.chart is not None:
        durations = options.durations[0]
        lines = _lines(benchmark.rows["policies"], durations, options.of)
        bound = {runs: each for runs in options.runs if (each := _bound(durations, runs))}
        subtitle = f"one key, {LIMIT} requests a minute, {durations} durations"
        chart.draw(options.chart, (CHARTS[options.of], subtitle), lines, bound)


if __name__ == "__main__":
    main()
