"""How far uploads have come, drawn on a terminal."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column

from duvo_async import UploadProgress
from duvo_async.cli.output import REDRAWN, printable
from duvo_async.cli.uploads import Extent, counted_files

_MOST = 8
"""Bars at once. Nobody says when a file is given up, so that its bar goes when others need room."""
_BAR = 12
_BESIDES = 50
"""Cells of a line that its file's name cannot have: the bar, the numbers and the gaps."""


@contextmanager
def bars(
    console: Console, extent: Extent | None
) -> Generator[Callable[[UploadProgress], None], None, None]:
    """Draw a bar for each file while it is under way, and one for all of them.

    Args:
        console: Where to draw.
        extent: What is to be sent. None while that is unknown.

    Yields:
        The function that is told how files come along.
    """
    drawn = Bars(console.width, extent)
    with Live(drawn.lines, console=console, refresh_per_second=REDRAWN, transient=True):
        yield drawn.take


class Bars:
    """The bars of the files under way, and the numbers of all.

    Args:
        width: Cells of a line.
        extent: What is to be sent. None while that is unknown.

    Attributes:
        lines: The picture.
    """

    def __init__(self, width: int, extent: Extent | None) -> None:
        name = Column(no_wrap=True, overflow="ellipsis", ratio=1)
        self._files = Progress(
            TextColumn("{task.description}", markup=False, table_column=name),
            BarColumn(_BAR),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            expand=True,
        )
        self._total = Progress(
            TextColumn("{task.description} arrived", table_column=name),
            BarColumn(_BAR),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            expand=True,
        )
        self._extent = extent
        self.lines: Group = Group(self._files, self._total)
        self._room = width - _BESIDES
        self._all = self._total.add_task("", total=None)
        self._tasks: dict[str, TaskID] = {}
        self._sent: dict[str, int] = {}
        self._arrived = 0
        self._bytes = 0
        self._draw_total()

    def take(self, progress: UploadProgress) -> None:
        """Draw how far a file has come."""
        self._bytes += progress.sent - self._sent.pop(progress.path, 0)
        task = self._tasks.pop(progress.path, None)
        if not progress.finished:
            self._sent[progress.path] = progress.sent
            self._tasks[progress.path] = self._draw(task, progress)
        else:
            self._arrived += 1
            if task is not None:
                self._files.remove_task(task)
        self._draw_total()

    def _draw_total(self) -> None:
        arrived, total = counted_files(self._arrived), None
        if self._extent is not None:
            arrived = f"{self._arrived:,} of {counted_files(self._extent.files)}"
            total = max(self._extent.size, self._bytes)  # of a pipe nobody knew
        self._total.update(self._all, description=arrived, completed=self._bytes, total=total)

    def _draw(self, task: TaskID | None, progress: UploadProgress) -> TaskID:
        if task is None:
            if len(self._tasks) >= _MOST:
                stalled = next(iter(self._tasks))  # what was told of last is at the end
                self._files.remove_task(self._tasks.pop(stalled))
            return self._files.add_task(
                self._label(progress), total=progress.total, completed=progress.sent
            )
        if not progress.sent:  # another attempt, whose rate is its own
            self._files.reset(task, description=self._label(progress))
        self._files.update(task, completed=progress.sent)
        return task

    def _label(self, progress: UploadProgress) -> str:
        again = f" (attempt {progress.attempt})" if progress.attempt > 1 else ""
        return _end_of(printable(progress.path) + again, self._room)


def _end_of(text: str, room: int) -> str:
    """Shorten a path from its start, since files of one folder differ at the end."""
    if cell_len(text) <= room:
        return text
    while text and cell_len(text) >= room:
        text = text[1:]
    return f"\u2026{text}"
