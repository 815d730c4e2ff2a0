"""How far a fan-out has come: the numbers, and the table that shows them."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from attrs import frozen
from rich.table import Table
from rich.text import Text

from duvo_async import RateLimit, RunOutcome
from duvo_async.cli.output import printable

COMPLETED = "completed"
WAITING = "waiting for a person"
IN_ERROR = "in error"
_ALWAYS = (COMPLETED, "failed", WAITING, IN_ERROR)
_COLOURS = {COMPLETED: "green", WAITING: "yellow"}


@frozen
class Extent:
    """How many inputs there are.

    Attributes:
        read: How many were read.
        total: How many there are in all. None while unknown.
        exact: Whether `total` was counted; else it is estimated.
    """

    read: int
    total: int | None
    exact: bool


@frozen
class RateUse:
    """How much of the key's budget is used.

    Attributes:
        used: Requests in this window.
        limit: What the window allows.
        resets_in: Seconds until it starts anew.
    """

    used: int
    limit: int
    resets_in: float


@frozen
class Numbers:
    """Where a fan-out stands at one moment.

    Attributes:
        extent: How many inputs there are.
        under_way: Inputs that were read and have no outcome: their runs go on, or are being
            started.
        counts: How many outcomes there are of each kind.
        elapsed: Seconds since the start.
        left: Seconds until the end, at the rate of outcomes so far. None while unknown.
        rate: How much of the budget is used. None while unknown.
    """

    extent: Extent
    under_way: int
    counts: Mapping[str, int]
    elapsed: float
    left: float | None
    rate: RateUse | None


def kind_of(outcome: RunOutcome) -> str:
    """Tell what an outcome is counted as: a status, `WAITING` or `IN_ERROR`."""
    if outcome.error is not None or outcome.run is None:
        return IN_ERROR
    return WAITING if outcome.human_request is not None else str(outcome.run.status)


def counted(counts: Mapping[str, int], outcome: RunOutcome) -> Mapping[str, int]:
    """Count an outcome; what was counted before stays as it is, for a thread may be drawing it."""
    kind = kind_of(outcome)
    return {**counts, kind: counts.get(kind, 0) + 1}


def compute(
    extent: Extent,
    counts: Mapping[str, int],
    *,
    elapsed: float,
    rate_limit: RateLimit | None,
    now: datetime,
) -> Numbers:
    """Compute the numbers.

    Args:
        extent: How many inputs there are.
        counts: The outcomes so far.
        elapsed: Seconds since the start.
        rate_limit: What the last response said of the budget.
        now: The time.
    """
    outcomes = sum(counts.values())
    left = None
    if extent.total is not None and outcomes:
        left = max(0, extent.total - outcomes) * elapsed / outcomes
    rate = None
    if rate_limit is not None:
        resets_in = max(0.0, (rate_limit.reset_at - now).total_seconds())
        rate = RateUse(rate_limit.limit - rate_limit.remaining, rate_limit.limit, resets_in)
    under_way = max(0, extent.read - outcomes)
    return Numbers(extent, under_way, counts, elapsed, left, rate)


def rows(numbers: Numbers) -> list[tuple[str, str]]:
    """Put the numbers into words, each under its name."""
    counts = dict.fromkeys(_ALWAYS, 0) | dict(numbers.counts)
    others = [kind for kind in counts if kind not in _ALWAYS]
    order = [*_ALWAYS[:2], *others, *_ALWAYS[2:]]
    rate = numbers.rate
    used = f"{rate.used:,} of {rate.limit:,}, anew in {rate.resets_in:.0f} s" if rate else "?"
    return [
        ("inputs", _extent(numbers.extent)),
        ("under way", f"{numbers.under_way:,}"),
        *((kind, f"{counts[kind]:,}") for kind in order),
        ("requests used", used),
        ("elapsed", _span(numbers.elapsed)),
        ("estimated end", "?" if numbers.left is None else f"in {_span(numbers.left)}"),
    ]


def table(numbers: Numbers) -> Table:
    """Draw the numbers."""
    grid = Table.grid(padding=(0, 2))
    for name, text in rows(numbers):
        counted = numbers.counts.get(name, 0)
        style = _COLOURS.get(name, "red") if counted else ""
        grid.add_row(Text(printable(name), style="dim"), Text(text, style=style))
    return grid


def summary(numbers: Numbers) -> str:
    """Put the end into a line."""
    inputs = sum(numbers.counts.values()) + numbers.under_way
    kinds = [f"{count:,} {kind}" for kind, count in numbers.counts.items()]
    if numbers.under_way:
        kinds.append(f"{numbers.under_way:,} without an outcome")
    of = ", ".join(kinds) or "nothing to start"
    noun = "input" if inputs == 1 else "inputs"
    return f"{inputs:,} {noun} in {_span(numbers.elapsed)}: {of}"


def _extent(extent: Extent) -> str:
    if extent.total is None:
        return f"{extent.read:,} so far"
    return f"{extent.read:,} of {'' if extent.exact else 'about '}{extent.total:,}"


def _span(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
