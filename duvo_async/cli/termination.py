"""SIGTERM, with which supervisors end a command: Ctrl-C to it, but for the exit code."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from attrs import define

TERMINATED: Final = 128 + signal.SIGTERM


@define
class Termination:
    """Whether SIGTERM has come.

    Attributes:
        come: Whether it has.
    """

    come: bool = False


_termination = Termination()


def terminated() -> bool:
    """Tell whether SIGTERM has come, so that nobody is there to be asked anything."""
    return _termination.come


@contextmanager
def terminations_as_interrupts() -> Generator[Termination, None, None]:
    """Have SIGTERM do what Ctrl-C does, which gives things back and says what goes on.

    Where Ctrl-C does nothing, SIGTERM ends the process as ever.
    """
    _termination.come = False
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # as in a script's background
    if ignored or threading.current_thread() is not threading.main_thread():
        yield _termination
        return

    def terminate(_number: int, _frame: FrameType | None) -> None:
        _termination.come = True
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield _termination
    finally:
        signal.signal(signal.SIGTERM, before)
