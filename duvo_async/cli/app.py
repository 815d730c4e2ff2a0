"""The command's words and options."""

import asyncio
import io
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event
from typing import Any

import click
from attrs import evolve

from duvo_async import DuvoError, __version__
from duvo_async._journal_file import JournalBatch
from duvo_async._places import WORKSPACE
from duvo_async.cli.answers import Answers, decision
from duvo_async.cli.commands import COMMANDS
from duvo_async.cli.fanout import Fanout
from duvo_async.cli.inputs import Messages
from duvo_async.cli.job import FAILED, INTERRUPTED, Job, Settings, exit_code
from duvo_async.cli.journal import Plan, PlannedMessages, all_of, begin, recall
from duvo_async.cli.outcomes import make_outcome_view
from duvo_async.cli.termination import TERMINATED, terminations_as_interrupts
from duvo_async.cli.upload import Upload, make_upload_view
from duvo_async.cli.views import make_view
from duvo_async.cli.work import finish


def invoke() -> int:
    """Run the command with the process's arguments.

    Returns:
        The exit code: 0 completed, 1 failed or any other error, 2 authentication, 3 not found, 4 a
        person's answer is needed, 130 after Ctrl-C, 143 after SIGTERM.
    """
    for stream in (sys.stdout, sys.stderr):
        # What a terminal or pipe cannot show is shown as its code, not lost.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    with terminations_as_interrupts() as termination:
        code = _invoke()
    return TERMINATED if termination.come and code == INTERRUPTED else code


def _invoke() -> int:
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


for _command in COMMANDS:
    cli.add_command(_command)


_agent = click.argument("agent_id", required=False)
_approve = click.option("--approve", is_flag=True, help="Say yes to approvals.")
_deny = click.option("--deny", is_flag=True, help="Say no to approvals.")
_answers = click.option(
    "--answer",
    "answers",
    multiple=True,
    metavar="Q=A",
    help="Answer a question; repeat it to choose several options.",
)
_local = click.option(
    "--local", is_flag=True, help="Use an emulator in this process: needs no key."
)


@cli.command()
@_agent
@click.option("--resume", metavar="RUN_ID", help="Go on with this run instead of starting one.")
@click.option(
    "--file",
    "files",
    multiple=True,
    metavar="F",
    help="Upload a file, a folder or what matches a pattern, for the run.",
)
@click.option("--message", metavar="M", help="What to tell the assignment.")
@_approve
@_deny
@_answers
@click.option("--ask", is_flag=True, help="Ask at the terminal what no other option answers.")
@click.option("--timeout", type=float, metavar="S", help="Seconds to wait for the run's end.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document at the end.")
@_local
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
    approved = decision(approve=approve, deny=deny)
    view = make_view(as_json=as_json, local=local)
    policy = Answers.parse(approved=approved, texts=answers, ask=ask, view=view)
    with ExitStack() as stack:
        settings = _emulated(stack) if local else Settings(agent_id=agent_id, run_id=resume)
        return finish(Job(settings, files, message, timeout, policy, view))


_max_outstanding = click.option(
    "--max-outstanding", type=int, metavar="N", help="How many runs go on at once."
)
_stop_on_exit = click.option(
    "--stop-on-exit", is_flag=True, help="Stop the runs that Ctrl-C leaves."
)
_each_timeout = click.option(
    "--timeout", type=float, metavar="S", help="Seconds to wait for each run's end."
)
_each_json = click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON document a run as it ends."
)


@cli.command("map")
@_agent
@click.option(
    "--messages",
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="A message a line, or JSON Lines; - for the standard input.",
)
@click.option("--jsonl", is_flag=True, help="FILE is JSON Lines, whatever its name ends in.")
@click.option("--sandbox", metavar="ID", help="A sandbox with files, for all runs.")
@click.option(
    "--journal",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="F",
    help="Keep there what is done, to go on after a crash: resume F.",
)
@_max_outstanding
@_stop_on_exit
@_approve
@_deny
@_answers
@_each_timeout
@_each_json
@_local
def map_(  # noqa: PLR0913 - the command's options
    *,
    agent_id: str | None,
    messages: str,
    jsonl: bool,
    sandbox: str | None,
    journal: Path | None,
    local: bool,
    **how: Any,  # noqa: ANN401 - as _fan_out takes them
) -> int:
    """Start a run of AGENT_ID with each message of a file, and wait for all of them.

    FILE has a message a line. In JSON Lines (.jsonl, .ndjson) a line is a string, or an object with
    "message" and, in all lines or none, "idempotency_key". Ctrl-C lets the runs go on.

    With --journal FILE is read to its end first. The same command again, or resume F, goes on where
    a killed one stood: no run is started twice.

    Exit code: 0 all completed, 4 the others need a person's answer, 2 and 3 no start was accepted:
    authentication, not found; else 1.
    """
    if [agent_id is not None, local].count(True) != 1:
        raise click.UsageError("give one of AGENT_ID and --local (with its own agent)")
    if local and journal is not None:
        raise click.UsageError("--journal is for runs that outlast the command: --local has none")
    inputs = Messages(messages, as_json=jsonl)

    def plan(settings: Settings) -> Plan:
        client = settings.client()
        batch = JournalBatch(client.base_url, client.api_version, agent_id or "", sandbox)
        return begin(journal or Path(), batch, inputs.name, asyncio.run(all_of(inputs)))

    with ExitStack() as stack:
        settings = _emulated(stack) if local else Settings(agent_id=agent_id)
        if journal is not None:
            return _fan_out_planned(settings, plan, **how)
        return finish(_fan_out(settings, inputs, sandbox, **how))


@cli.command()
@click.argument(
    "journal", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="F"
)
@_max_outstanding
@_stop_on_exit
@_approve
@_deny
@_answers
@_each_timeout
@_each_json
def resume(*, journal: Path, **how: Any) -> int:  # noqa: ANN401 - as _fan_out takes them
    """Go on with the map that keeps the journal F.

    Runs that have ended are printed again, the others are waited for, and what was not started is
    started. What failed to start, or asked what nobody answered, is tried again. Options and exit
    code are those of map.
    """
    return _fan_out_planned(Settings(), lambda _: recall(journal), **how)


@cli.command()
@click.argument("sources", nargs=-1, required=True, metavar="PATH...")
@click.option("--sandbox", metavar="ID", help="The sandbox to upload to; else a new one is made.")
@click.option(
    "--to", default=WORKSPACE, show_default=True, metavar="DIR", help="The folder to put it in."
)
@click.option(
    "--sync", is_flag=True, help="Upload of one folder what is not there yet at its size."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document at the end.")
def upload(
    *, sources: tuple[str, ...], sandbox: str | None, to: str, sync: bool, as_json: bool
) -> int:
    """Upload files, folders and what matches patterns to a sandbox.

    A folder keeps its tree: the file invoices/a.csv of the folder invoices goes to
    /workspace/invoices/a.csv. Quote a pattern, such as 'data/**/*.csv', to have it read here.

    Exit code: 0 all arrived, 1 a file failed or there was none, 2 authentication, 3 no such
    sandbox.
    """
    if sync and len(sources) > 1:
        raise click.UsageError("--sync takes one folder")
    view = make_upload_view(as_json=as_json, sandbox_id=sandbox)
    return finish(Upload(Settings(), sources, sandbox, to, sync, view))


def _fan_out(  # noqa: PLR0913 - what map and resume are told
    settings: Settings,
    messages: Messages | PlannedMessages,
    sandbox_id: str | None,
    journal: Path | None = None,
    *,
    approve: bool,
    deny: bool,
    answers: tuple[str, ...],
    as_json: bool,
    **how: Any,  # noqa: ANN401 - as Fanout takes them
) -> Fanout:
    approved = decision(approve=approve, deny=deny)
    view = make_outcome_view(as_json=as_json)
    policy = Answers.parse(approved=approved, texts=answers, ask=False, view=view)
    return Fanout(
        settings=settings,
        messages=messages,
        sandbox_id=sandbox_id,
        answers=policy,
        view=view,
        journal=journal,
        **how,
    )


def _fan_out_planned(
    settings: Settings,
    plan: Callable[[Settings], Plan],
    **how: Any,  # noqa: ANN401 - as _fan_out takes them
) -> int:
    try:
        found = plan(settings)
    except (DuvoError, ValueError) as error:
        click.echo(f"duvo-async: {error}", err=True)
        return exit_code(error)
    settings = evolve(settings, agent_id=found.batch.agent_id)
    return finish(_fan_out(settings, found.messages, found.batch.sandbox_id, found.path, **how))


def _emulated(stack: ExitStack) -> Settings:
    from duvo_async.emulator import Emulator  # noqa: PLC0415 - loaded only when it is used

    emulator = stack.enter_context(Emulator())
    return Settings(
        agent_id=emulator.demo_agent_id, api_key=emulator.api_key, base_url=emulator.url
    )


@cli.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 takes a free one.")
def emulate(port: int) -> None:
    """Serve the API on this machine, for trying things out, until Ctrl-C."""
    from duvo_async.emulator import Emulator  # noqa: PLC0415 - loaded only when it is used

    try:
        with Emulator(port=port) as emulator, suppress(KeyboardInterrupt):
            click.echo(f"export DUVO_API_BASE_URL={emulator.url}")
            click.echo(f"export DUVO_API_KEY={emulator.api_key}")
            click.echo(f"# an agent that reports on files: {emulator.demo_agent_id}")
            Event().wait()
    except OSError as error:
        raise click.ClickException(f"cannot serve on port {port}: {error.strerror}") from error
