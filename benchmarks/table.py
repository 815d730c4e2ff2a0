"""What the benchmarks found: rows, printed as one table and kept as JSON."""

import json
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from math import inf
from pathlib import Path

from attrs import asdict, frozen

COMPARED = (
    *("aiohttp", "attrs", "cattrs", "duvo-async", "httpx", "msgspec", "openai"),
    *("openapi-python-client", "pydantic", "requests", "yarl"),
)


@frozen
class Row:
    """One figure.

    Attributes:
        suite: The benchmark.
        measure: What is measured.
        value: The figure: a ratio, unless the measure says otherwise.
        most: The most that it may be.
        least: The least that it may be.
    """

    suite: str
    measure: str
    value: float
    most: float = inf
    least: float = -inf

    @property
    def kept(self) -> bool:
        """Whether it is within its bounds."""
        return self.least <= self.value <= self.most

    @property
    def bound(self) -> str:
        """The bounds, to be read."""
        bounds = [f">= {self.least:g}" if self.least > -inf else ""]
        bounds.append(f"<= {self.most:g}" if self.most < inf else "")
        return ", ".join(filter(None, bounds)) + ("" if self.kept else "  MISSED")


def printed(rows: Iterable[Row]) -> None:
    """Print a table."""
    print(f"\n{'suite':10}{'measure':64}{'value':>10}  must be")
    for row in rows:
        print(f"{row.suite:10}{row.measure:64}{row.value:10.4g}  {row.bound}".rstrip())


def environment() -> dict[str, str]:
    """Tell on what the figures were taken."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in COMPARED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def keep(file: Path, rows: Sequence[Row]) -> None:
    """Write rows to a file, with what they were taken on."""
    # JSON has no infinity: a bound that is none is left out.
    kept = [
        {name: each for name, each in asdict(row).items() if each not in (inf, -inf)}
        for row in rows
    ]
    document = {"environment": environment(), "rows": kept}
    file.write_text(json.dumps(document, indent=1) + "\n")


def kept_in(file: Path) -> list[Row]:
    """Read the rows of a file."""
    return [Row(**row) for row in json.loads(file.read_text())["rows"]]
