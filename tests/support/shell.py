"""The command as a user runs it: a process of its own, on a pipe or on a terminal."""

import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from typing import cast

import pytest
from attrs import define, field

from duvo_async.emulator import Emulator

# Not in development mode: on a busy machine asyncio would remark on slow callbacks.
COMMAND = [sys.executable, "-W", "error", "-m", "duvo_async.cli"]
_PATIENCE = 30.0
"""Real seconds after which a command that says nothing is given up."""


def environment(emulator: Emulator | None) -> dict[str, str]:
    """Give the environment of a command that talks to an emulator."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("DUVO_")}
    kept |= {"TERM": "xterm", "COLUMNS": "120", "NO_COLOR": "1"}
    if emulator is not None:
        kept |= {"DUVO_API_KEY": emulator.api_key, "DUVO_API_BASE_URL": emulator.url}
    return kept


def shell(
    *words: str, emulator: Emulator | None = None, env: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run the command on a pipe."""
    return subprocess.run(  # noqa: S603 - our own command
        [*COMMAND, *words],
        capture_output=True,
        check=False,
        env=environment(emulator) | dict(env or {}),
        text=True,
        timeout=_PATIENCE,
        stdin=subprocess.DEVNULL,
    )


@contextmanager
def piped(*words: str, emulator: Emulator | None = None) -> Iterator["subprocess.Popen[str]"]:
    """Run the command between pipes, while the test looks on."""
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(emulator),
        text=True,
        bufsize=1,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout = output = _Watched(cast("TextIOWrapper", process.stdout).detach())
        process.stderr = errors = _Watched(cast("TextIOWrapper", process.stderr).detach())
        try:
            yield process
        finally:
            process.kill()
            for pipe in (output, errors):
                if not pipe.closed:
                    pipe.read()  # what the test did not care for


class _Watched(TextIOWrapper):
    """A pipe that tells what comes out of it."""

    def read(self, size: int | None = -1, /) -> str:
        text = super().read(size)
        shown(text)
        return text

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]  # as its base does
        text = super().readline(size)
        shown(text)
        return text


def shown(text: str, /) -> None:
    """Do nothing with what a command shows; a sweep looks at it here."""


@define
class Terminal:
    """A command that believes to be on a terminal."""

    process: "subprocess.Popen[bytes]"
    master: int
    seen: str = field(default="", init=False)

    def expect(self, pattern: str) -> str:
        """Read until something shows up; give all that was shown before and with it."""
        assert self._shows(pattern, _PATIENCE), f"{pattern!r} did not show up in:\n{self.seen}"
        match = re.search(pattern, self.seen)
        assert match is not None
        shown, self.seen = self.seen[: match.end()], self.seen[match.end() :]
        return shown

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.master, text.encode())

    def interrupt(self, pattern: str) -> None:
        """Press Ctrl-C, and again if need be, as people do, until something shows up.

        Once is not always enough: CPython notices a signal late that comes as it begins to wait for
        a line of input.
        """
        for _ in range(10):
            self.type("\x03")
            if self._shows(pattern, _PATIENCE / 10):
                self.expect(pattern)
                return
        pytest.fail(f"{pattern!r} did not show up in:\n{self.seen}")

    def _shows(self, pattern: str, seconds: float) -> bool:
        while not re.search(pattern, self.seen):
            ready, _, _ = select.select([self.master], [], [], seconds)
            if not ready:
                return False
            try:
                block = os.read(self.master, 65536)
            except OSError:  # how Linux says that the other end is closed
                block = b""
            assert block, f"ended without {pattern!r}:\n{self.seen}"
            text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", block.decode())
            shown(text)
            self.seen += text
        return True

    def exit_code(self) -> int:
        """Wait for the end."""
        return self.process.wait(_PATIENCE)


@contextmanager
def terminal(*words: str, emulator: Emulator) -> Iterator[Terminal]:
    """Run the command on a terminal."""
    master, slave = pty.openpty()
    try:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment(emulator),
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - nothing but an ioctl
        )
        os.close(slave)
        with process:
            try:
                yield Terminal(process, master)
            finally:
                process.kill()
    finally:
        os.close(master)


def _take_terminal() -> None:
    """Make the terminal the process's own, so that Ctrl-C reaches it."""
    import fcntl  # noqa: PLC0415 - POSIX, in the child
    import termios  # noqa: PLC0415 - as above

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
