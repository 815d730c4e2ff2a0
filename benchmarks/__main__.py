"""All benchmarks, in one table: `python -m benchmarks`, or `python -m benchmarks calls imports`.

Those of uploads and of the fan-out have more to tell than fits: `python -m benchmarks.uploads`,
`python -m benchmarks.fanout`. `python -m benchmarks.instructions` takes its time, and `python -m
benchmarks.durable` needs the extra `servers`.
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks import calls, chart, decode, fanout, imports, machines, table, uploads, waiters
from benchmarks.table import Row

SUITES: dict[str, tuple[Callable[[], Iterable[Row]], Callable[[], Iterable[Row]]]] = {
    "calls": (calls.rows, lambda: calls.rows(rounds=2, each=20)),
    "decode": (decode.rows, lambda: decode.rows(rounds=2, each=20)),
    "imports": (imports.rows, lambda: imports.rows(rounds=2)),
    "waiters": (waiters.rows, lambda: waiters.rows(runs=200)),
    "uploads": (uploads.rows, lambda: uploads.rows(size=uploads.MB, rounds=1)),
    "fanout": (fanout.rows, lambda: fanout.rows(numbers=(10,))),
    "machines": (machines.rows, lambda: machines.rows(runs=10, seeds=1, rounds=20, processes=(2,))),
}
"""Each with its quick form, which shows that it works and measures little."""


TITLES = (
    "CPU of a call, raw aiohttp = 1",
    "typed, but for raw aiohttp; one process, by turns, the server in another",
)
_UNIT = " ÷ raw aiohttp: "


def _groups(rows: Iterable[Row]) -> dict[str, dict[str, float]]:
    """Find the ratios to raw aiohttp, by the call."""
    groups: dict[str, dict[str, float]] = {}
    for row in rows:
        name, unit, what = row.measure.partition(_UNIT)
        if unit and row.suite == "calls":
            groups.setdefault(what, {})[name] = row.value
    return groups


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("suites", nargs="*", choices=[*SUITES, []], metavar="SUITE")
    parser.add_argument("--quick", action="store_true", help="see that all works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="of the calls, .svg or .png")
    parser.add_argument("--check", action="store_true", help="fail when a row misses its bound")
    options = parser.parse_args()
    if options.chart is not None:
        chart.check(options.chart)
    names: list[str] = options.suites or list(SUITES)
    rows: list[Row] = []
    for name in names:
        print(f"{name} …", file=sys.stderr, flush=True)
        at_length, quickly = SUITES[name]
        rows.extend(quickly() if options.quick else at_length())
    table.printed(rows)
    if options.json is not None:
        table.keep(options.json, rows)
    if options.chart is not None:
        chart.bars(options.chart, TITLES, _groups(rows))
    if options.check and not all(row.kept for row in rows):
        sys.exit("some rows miss their bounds")


if __name__ == "__main__":
    main()
