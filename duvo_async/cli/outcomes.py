"""How the outcomes of a fan-out are printed: as lines, under a table, or as JSON."""

from collections.abc import Callable, Sequence

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from duvo_async import RunOutcome
from duvo_async.cli.output import (
    REDRAWN,
    Output,
    error_document,
    json_text,
    on_terminal,
    printable,
)
from duvo_async.cli.progress import WAITING, Numbers, kind_of, summary, table


def make_outcome_view(*, as_json: bool) -> "OutcomeView":
    """Choose how to print."""
    if as_json:
        return JSONLines()
    return LiveTable() if on_terminal() else OutcomeView()


class OutcomeView(Output):
    """A line for each outcome; the summary goes to stderr."""

    _numbers: Callable[[], Numbers] | None = None

    def open(self, numbers: Callable[[], Numbers]) -> None:
        """Begin.

        Args:
            numbers: Gives where things stand; may be called from another thread.
        """
        self._numbers = numbers

    def outcome(self, outcome: RunOutcome) -> None:
        """Print what became of an input."""
        self._line(_described(outcome))

    def left(self, outcomes: Sequence[RunOutcome]) -> None:
        """Print the runs that were left before their end."""
        for outcome in outcomes:
            self.outcome(outcome)

    def close(self) -> None:
        """Print the summary."""
        if self._numbers is not None:
            self._trouble(summary(self._numbers()))
            self._numbers = None


class LiveTable(OutcomeView):
    """A table that follows, and lines above it for what did not complete."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._live: Live | None = None

    def open(self, numbers: Callable[[], Numbers]) -> None:
        """Show the table."""
        self._live = Live(
            console=self._console,
            refresh_per_second=REDRAWN,
            get_renderable=lambda: table(numbers()),
        )
        self._live.start(refresh=True)

    def outcome(self, outcome: RunOutcome) -> None:
        """Print what did not complete; the table counts the others."""
        if not outcome.succeeded:
            style = "yellow" if kind_of(outcome) == WAITING else "red"
            text = Text(printable(_described(outcome)), style=style)
            self._console.print(text, soft_wrap=True)

    def left(self, outcomes: Sequence[RunOutcome]) -> None:
        """Leave it to the number that is told: so many lines would help nobody."""

    def close(self) -> None:
        """Leave the table as it is at the end."""
        if self._live is not None:
            self._live.stop()

    def _trouble(self, text: str) -> None:
        self.close()
        super()._trouble(text)


class JSONLines(OutcomeView):
    """A JSON document for each outcome, on a line of its own."""

    def outcome(self, outcome: RunOutcome) -> None:
        """Print the document."""
        error = outcome.error
        document = {
            "index": outcome.index,
            "run_id": outcome.run_id,
            "status": None if outcome.run is None else outcome.run.status,
            "human_request": outcome.human_request,
            "error": None if error is None else error_document(error),
            "run": outcome.run,
        }
        click.echo(json_text(document))

    def close(self) -> None:
        """Say nothing more: a program counts for itself."""


def _described(outcome: RunOutcome) -> str:
    if outcome.error is not None or outcome.run is None:
        what = f"error: {outcome.error}"
    elif outcome.human_request is not None:
        what = f"{outcome.run.status}: {outcome.human_request.title}"
    else:
        what = str(outcome.run.status)
    return f"{outcome.index} {outcome.run_id or '-'} {' '.join(what.splitlines())}"
