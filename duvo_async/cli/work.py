"""How a command is carried out: its trouble becomes words and an exit code."""

from typing import Protocol

import click

from duvo_async import DuvoError
from duvo_async.cli.job import FAILED, exit_code
from duvo_async.cli.output import Output, abandon_output


class Work(Protocol):
    """What a command does."""

    @property
    def view(self) -> Output:
        """Where it prints."""
        ...

    def perform(self) -> int:
        """Do it; give the exit code."""
        ...

    def failed(self, error: Exception) -> None:
        """Say what went wrong."""
        ...

    def unread(self) -> None:
        """Finish when nobody reads any more what is printed, as after `| head`."""
        ...


def finish(work: Work) -> int:
    """Carry a command out; give its exit code."""
    try:
        try:
            code = work.perform()
        except (DuvoError, ValueError, TypeError) as error:
            work.failed(error)
            code = exit_code(error)
        work.view.close()
    except BrokenPipeError:
        abandon_output()
        work.unread()
        return FAILED
    except OSError as error:  # of the output: what is asked and read has errors of its own
        abandon_output()
        click.echo(f"duvo-async: cannot print: {error.strerror}", err=True)
        return FAILED
    return code
