"""Programs that tests start beside themselves, and that never outlive them."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

_GUARDED = 'exec 3<&0; { read -r _ <&3; kill -KILL 0; } & exec "$@" </dev/null 3<&-'
"""Runs a program, whose group is killed when the input ends, be it with the caller's process."""


def program(name: str) -> str | None:
    """Find a program, beside this Python or on the path."""
    places = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    return shutil.which(name, path=os.pathsep.join(places))


def free_port() -> int:
    """Find a port that nobody listens on."""
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def guarded(
    command: Sequence[str], log: Path, env: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program until the context is left, or this process is no more.

    Args:
        command: The program and its arguments.
        log: The file that what it prints is added to.
        env: Its environment. None gives it this one's.
    """
    with (
        log.open("ab") as out,
        subprocess.Popen(  # noqa: S603 - our own words
            ["/bin/sh", "-c", _GUARDED, "guarded", *command],
            env=env,
            start_new_session=True,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
        ) as process,
    ):
        try:
            yield process
        finally:
            kill(process)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a program as `kill -9` does, with all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
