"""The command's words and options."""

import io
import os
import sys
from contextlib import ExitStack, suppress
from threading import Event

import click

from duvo_async import DuvoError, __version__
from duvo_async.cli.answers import Answers
from duvo_async.cli.job import FAILED, INTERRUPTED, Job, Settings, exit_code, perform
from duvo_async.cli.views import View, make_view


def invoke() -> int:
    """Run the command with the process's arguments.

    Returns:
        The exit code: 0 completed, 1 failed or any other error, 2 authentication, 3 not found, 4 a
        person's answer is needed.
    """
    for stream in (sys.stdout, sys.stderr):
        # What a terminal or pipe cannot show is shown as its code, not lost.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        # Not click's own exit codes: it takes 2 for wrong usage, which here means authentication.
        return int(cli.main(prog_name="duvo-async", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return FAILED
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="duvo-async")
def cli() -> None:
    """Run Duvo assignments from the shell.

    The key is taken from DUVO_API_KEY, the API's place from DUVO_API_BASE_URL.
    """


@cli.command()
@click.argument("agent_id", required=False)
@click.option("--resume", metavar="RUN_ID", help="Go on with this run instead of starting one.")
@click.option("--file", "files", multiple=True, metavar="F", help="Upload a file for the run.")
@click.option("--message", metavar="M", help="What to tell the assignment.")
@click.option("--approve", is_flag=True, help="Say yes to approvals.")
@click.option("--deny", is_flag=True, help="Say no to approvals.")
@click.option(
    "--answer",
    "answers",
    multiple=True,
    metavar="Q=A",
    help="Answer a question; repeat it to choose several options.",
)
@click.option("--ask", is_flag=True, help="Ask at the terminal what no other option answers.")
@click.option("--timeout", type=float, metavar="S", help="Seconds to wait for the run's end.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document at the end.")
@click.option("--local", is_flag=True, help="Use an emulator in this process: needs no key.")
def run(  # noqa: PLR0913 - the command's options
    *,
    agent_id: str | None,
    resume: str | None,
    files: tuple[str, ...],
    message: str | None,
    approve: bool,
    deny: bool,
    answers: tuple[str, ...],
    ask: bool,
    timeout: float | None,
    as_json: bool,
    local: bool,
) -> int:
    """Start a run of AGENT_ID, wait for it, and print what it says.

    With --resume it waits for a run that there is; --message is said to it first, which resumes one
    that is waiting, completed or interrupted.

    Exit code: 0 completed, 1 failed or any other error, 2 authentication, 3 not found, 4 a person's
    answer is needed and no option gives it.
    """
    if [agent_id is not None, resume is not None, local].count(True) != 1:
        raise click.UsageError("give one of AGENT_ID, --resume, and --local (with its own agent)")
    if resume is not None and files:
        raise click.UsageError("files are for a run that starts: --resume takes none")
    if approve and deny:
        raise click.UsageError("give --approve or --deny, not both")
    view = make_view(as_json=as_json, local=local)
    approved = approve if approve or deny else None
    policy = Answers.parse(approved=approved, texts=answers, ask=ask, view=view)
    with ExitStack() as stack:
        settings = _emulated(stack) if local else Settings(agent_id=agent_id, run_id=resume)
        return _work(Job(settings, files, message, timeout, policy, view), view)


def _emulated(stack: ExitStack) -> Settings:
    from duvo_async.emulator import Emulator  # noqa: PLC0415 - loaded only when it is used

    emulator = stack.enter_context(Emulator())
    return Settings(
        agent_id=emulator.demo_agent_id, api_key=emulator.api_key, base_url=emulator.url
    )


def _work(job: Job, view: View) -> int:
    try:
        code = perform(job)
    except (DuvoError, ValueError, TypeError) as error:
        view.failed(error, job.run)
        code = exit_code(error)
    except BrokenPipeError:
        return _unread(job)
    view.close()
    return code


def _unread(job: Job) -> int:
    """Finish when nobody reads any more what is printed, as after `| head`."""
    # Else the interpreter would complain as it flushes at its end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if job.run is not None and not job.run.is_terminal and not job.settings.local:
        job.view.note(f"run {job.run.id} goes on")
    return FAILED


@cli.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 takes a free one.")
def emulate(port: int) -> None:
    """Serve the API on this machine, for trying things out, until Ctrl-C."""
    from duvo_async.emulator import Emulator  # noqa: PLC0415 - loaded only when it is used

    try:
        with Emulator(port=port) as emulator:
            click.echo(f"export DUVO_API_BASE_URL={emulator.url}")
            click.echo(f"export DUVO_API_KEY={emulator.api_key}")
            click.echo(f"# an agent that reports on files: {emulator.demo_agent_id}")
            with suppress(KeyboardInterrupt):
                Event().wait()
    except OSError as error:
        raise click.ClickException(f"cannot serve on port {port}: {error.strerror}") from error
