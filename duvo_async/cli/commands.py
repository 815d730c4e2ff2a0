"""The words and options of the commands that ask the API for one thing each."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import click

from duvo_async import AsyncDuvo
from duvo_async.cli import listing
from duvo_async.cli.answers import Answers, decision
from duvo_async.cli.api import Ask, parse_fields, read_input
from duvo_async.cli.asking import Asking, Results
from duvo_async.cli.cases import KINDS, CaseFile, create_cases
from duvo_async.cli.job import Settings
from duvo_async.cli.listen import listen
from duvo_async.cli.work import finish
from duvo_async.cli.worker import worker
from duvo_async.settings import APIVersion

_F = TypeVar("_F", bound=Callable[..., Any])

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, a document a line.")
_limit = click.option(
    "--limit",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    metavar="N",
    help="So many at most.",
)
_version = click.option(
    "--api-version", type=click.Choice(["v1", "v2"]), help="The generation of the API's paths."
)
_team = click.option("--team", metavar="ID", help="The team, with v2.")


def _of_api(command: _F) -> _F:
    """Give a command the options that choose the API's generation and the team."""
    return _version(_team(command))


def _time(_context: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
    """Read a time as ISO 8601 has it; one without a zone is of this machine's."""
    try:
        return None if text is None else datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{text!r} is not a time such as 2026-07-01T12:00Z") from None


def _ask(
    ask: Callable[[AsyncDuvo, Results], Awaitable[int | None]],
    *,
    as_json: bool,
    api_version: APIVersion | None,
    team: str | None,
) -> int:
    view = Results(as_json=as_json)
    return finish(Asking(Settings(api_version=api_version, team_id=team), view, ask))


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="[METHOD] PATH")
@click.option("-f", "texts", multiple=True, metavar="K=V", help="A field that is text.")
@click.option(
    "-F", "typed", multiple=True, metavar="K=V", help="A typed field: true, 7, null, @FILE."
)
@click.option("--input", "source", metavar="FILE", help="The body; - for the standard input.")
@click.option("-i", "--include", is_flag=True, help="Print the status and headers as well.")
@_of_api
def api(  # noqa: PLR0913 - the command's options
    *,
    words: tuple[str, ...],
    texts: tuple[str, ...],
    typed: tuple[str, ...],
    source: str | None,
    include: bool,
    api_version: APIVersion | None,
    team: str | None,
) -> int:
    """Make any request to the API, and print the answer.

    PATH is as the API documents it, /v2/…; without a version it is of the client's generation, and
    {team_id} in it stands for the team. METHOD is GET, or POST where there are fields or a body.
    Fields are the query of GET, HEAD and DELETE and beside --input, else the JSON body; a[b]=c and
    a[]=c nest.
    """
    *method, path = words
    if len(method) > 1:
        raise click.UsageError("give a method and a path, or a path")
    ask = Ask(
        method=method[0] if method else None,
        path=path,
        fields=parse_fields(texts, typed),
        body=None if source is None else read_input(source),
        include=include,
    )
    return _ask(ask.perform, as_json=False, api_version=api_version, team=team)


@click.group()
def runs() -> None:
    """List, read, answer and stop runs."""


@runs.command("list")
@click.option("--status", metavar="WORD", help="In this status.")
@click.option("--agent", "agent_id", metavar="ID", help="Of this agent.")
@click.option("--queue", "case_queue_id", metavar="ID", help="For the cases of this queue.")
@click.option("--source", metavar="WORD", help="Started by this, for example api.")
@click.option("--search", metavar="TEXT", help="With this in the title.")
@click.option(
    "--since",
    metavar="TIME",
    callback=_time,
    help="Made at this time, such as 2026-07-01T12:00Z, or later.",
)
@_limit
@_json
@_of_api
def list_runs(
    *,
    since: datetime | None,
    as_json: bool,
    api_version: APIVersion | None,
    team: str | None,
    **filters: Any,  # noqa: ANN401 - as RunFilters has them
) -> int:
    """List runs, the newest first."""
    chosen = listing.RunFilters(since=since, **filters)
    return _ask(
        partial(listing.list_runs, filters=chosen),
        as_json=as_json,
        api_version=api_version,
        team=team,
    )


@runs.command("get")
@click.argument("run_id")
@_json
@_of_api
def get_run(*, run_id: str, **how: Any) -> int:  # noqa: ANN401 - as _ask takes them
    """Show a run."""
    return _ask(partial(listing.show_run, run_id=run_id), **how)


@runs.command()
@click.argument("run_id")
@click.option("--follow", is_flag=True, help="Wait for more until the run has ended.")
@_json
@_of_api
def messages(*, run_id: str, follow: bool, **how: Any) -> int:  # noqa: ANN401 - as above
    """Print the messages of a run."""
    return _ask(partial(listing.show_messages, run_id=run_id, follow=follow), **how)


@runs.command()
@click.argument("run_id")
@click.argument("request_id", required=False)
@click.option("--approve", is_flag=True, help="Say yes to an approval.")
@click.option("--deny", is_flag=True, help="Say no to an approval.")
@click.option(
    "--answer",
    "answers",
    multiple=True,
    metavar="Q=A",
    help="Answer a question; repeat it to choose several options.",
)
@_json
@_of_api
def respond(  # noqa: PLR0913 - the command's options
    *,
    run_id: str,
    request_id: str | None,
    approve: bool,
    deny: bool,
    answers: tuple[str, ...],
    as_json: bool,
    **how: Any,  # noqa: ANN401 - as above
) -> int:
    """Answer what a run waits for.

    Exit code 4 says that no option answers it.
    """
    view = Results(as_json=as_json)
    approved = decision(approve=approve, deny=deny)
    policy = Answers.parse(approved=approved, texts=answers, ask=False, view=view)
    ask = partial(listing.respond, run_id=run_id, request_id=request_id, answers=policy)
    return _ask(ask, as_json=as_json, **how)


@runs.command()
@click.argument("run_id")
@_json
@_of_api
def stop(*, run_id: str, **how: Any) -> int:  # noqa: ANN401 - as above
    """Stop a run."""
    return _ask(partial(listing.stop_run, run_id=run_id), **how)


@click.group()
def cases() -> None:
    """Create and list the cases of queues."""


@cases.command()
@click.argument("queue_id")
@click.option(
    "--from-file",
    "path",
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="CSV, JSON Lines or JSON by its name, else a title a line; - for the standard input.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(list(KINDS)),
    help="What FILE is, whatever its name ends in.",
)
@click.option("--idempotency-key", metavar="K", help="Repeated with it, nothing is made twice.")
@_json
@_of_api
def create(
    *,
    queue_id: str,
    path: str,
    kind: str | None,
    idempotency_key: str | None,
    **how: Any,  # noqa: ANN401 - as above
) -> int:
    """Create a case for each row of FILE, a hundred a request.

    Its columns or members are title, data, labels and priority; in CSV, labels are written
    "month=7; urgent". If it breaks off, the error says how to go on.
    """
    file = CaseFile(path, kind)
    ask = partial(create_cases, queue_id=queue_id, file=file, idempotency_key=idempotency_key)
    return _ask(ask, **how)


@cases.command("list")
@click.argument("queue_id")
@click.option("--status", multiple=True, metavar="WORD", help="In this status; repeat it for more.")
@_limit
@_json
@_of_api
def list_cases(*, queue_id: str, status: tuple[str, ...], limit: int | None, **how: Any) -> int:  # noqa: ANN401
    """List the cases of a queue."""
    return _ask(partial(listing.list_cases, queue_id=queue_id, status=status, limit=limit), **how)


@click.group()
def agents() -> None:
    """List agents."""


@agents.command("list")
@click.option("--schedules", is_flag=True, help="With their schedules.")
@_limit
@_json
@_of_api
def list_agents(*, schedules: bool, limit: int | None, **how: Any) -> int:  # noqa: ANN401 - as above
    """List the agents of the team."""
    return _ask(partial(listing.list_agents, schedules=schedules, limit=limit), **how)


@click.command()
@_json
@_of_api
def whoami(**how: Any) -> int:  # noqa: ANN401 - as above
    """Show whose credentials these are, and on which teams they can act."""
    return _ask(listing.who_am_i, **how)


COMMANDS = (api, runs, cases, agents, whoami, listen, worker)
