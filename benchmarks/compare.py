"""Sets two outputs side by side: `python -m benchmarks.compare OLD.json NEW.json`.

A change is marked that is larger than what the controls of both differ from 1 by, and than 7 %.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.table import Row, kept_in

NOISE = 0.07
CONTROL = "control"


def noise(rows: Sequence[Row]) -> float:
    """Tell by what part figures may differ that should be the same."""
    found = [abs(row.value - 1) for row in rows if row.measure.startswith(CONTROL)]
    return max([NOISE, *found])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    options = parser.parse_args()
    old, new = kept_in(options.old), kept_in(options.new)
    most = max(noise(old), noise(new))
    before = {(row.suite, row.measure): row.value for row in old}
    print(f"{'suite':10}{'measure':64}{'old':>10}{'new':>10}{'new ÷ old':>11}")
    for row in new:
        value = before.pop((row.suite, row.measure), None)
        if value is None:
            print(f"{row.suite:10}{row.measure:64}{'-':>10}{row.value:10.4g}")
            continue
        ratio = row.value / value if value else float(row.value == value)
        mark = "" if abs(ratio - 1) <= most else "  more" if ratio > 1 else "  less"
        print(f"{row.suite:10}{row.measure:64}{value:10.4g}{row.value:10.4g}{ratio:11.2f}{mark}")
    for (suite, measure), value in before.items():
        print(f"{suite:10}{measure:64}{value:10.4g}{'-':>10}")
    print(f"\nUp to {most:.0%} more or less is noise.")


if __name__ == "__main__":
    main()
