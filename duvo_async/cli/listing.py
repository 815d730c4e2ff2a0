"""What the commands about agents, runs and teams ask and show."""

from contextlib import suppress
from datetime import datetime
from operator import attrgetter
from typing import Any, cast

from attrs import frozen

from duvo_async import (
    AsyncDuvo,
    ConfigurationError,
    HumanRequestPending,
    NotFoundError,
    TeamSummary,
    UnsupportedOperation,
)
from duvo_async._converter import unstructure
from duvo_async.cli.answers import Answers
from duvo_async.cli.asking import Columns, Results
from duvo_async.cli.job import ANSWER_NEEDED

_RUN: Columns = {
    "run": attrgetter("id"),
    "status": attrgetter("status"),
    "created": attrgetter("created_at"),
    "completed": attrgetter("completed_at"),
}
_RUNS: Columns = {
    **_RUN,
    "agent": lambda run: _of(run, "agent_name") or _of(run, "agent_id"),
    "title": attrgetter("title"),
}
_ONE_RUN: Columns = {
    **_RUN,
    "agent": attrgetter("agent_id"),
    "build": attrgetter("build_id"),
    "sandbox": attrgetter("sandbox_id"),
    "source": attrgetter("source"),
    "waits for": lambda run: _of(run, "pending_human_request.title"),
}
_AGENTS: Columns = {
    "agent": attrgetter("id"),
    "name": attrgetter("name"),
    "last run": attrgetter("last_run_at"),
}
_SCHEDULED: Columns = {
    **_AGENTS,
    "schedules": lambda agent: [
        f"{each.frequency} {each.time or each.cron or ''}{'' if each.enabled else ' (off)'}"
        for each in (_of(agent, "latest_build.schedules") or ())
    ],
}
_CASES: Columns = {
    "case": attrgetter("id"),
    "status": lambda case: _of(case, "display_status") or _of(case, "status"),
    "priority": attrgetter("priority"),
    "title": attrgetter("title"),
}


@frozen(kw_only=True)
class RunFilters:
    """Which runs are listed; None for any.

    Attributes:
        status: In which status.
        agent_id: Of which agent.
        case_queue_id: For the cases of which queue.
        source: Started by what.
        search: What their titles have.
        since: Started when at the earliest.
        limit: How many at most.
    """

    status: str | None = None
    agent_id: str | None = None
    case_queue_id: str | None = None
    source: str | None = None
    search: str | None = None
    since: datetime | None = None
    limit: int | None = None


async def list_runs(duvo: AsyncDuvo, view: Results, filters: RunFilters) -> None:
    """List runs, the newest first."""
    items = duvo.runs.list(
        status=filters.status,
        agent_id=filters.agent_id,
        case_queue_id=filters.case_queue_id,
        source=filters.source,
        search=filters.search,
        since=filters.since,
        limit=filters.limit,
    )
    await view.show_all(items, _RUNS)


async def show_run(duvo: AsyncDuvo, view: Results, run_id: str) -> None:
    """Show what is known of a run."""
    view.show(await duvo.runs.get(run_id), _ONE_RUN)


async def show_messages(duvo: AsyncDuvo, view: Results, run_id: str, *, follow: bool) -> None:
    """Print a run's messages, as they come if that is wanted."""
    async for message in duvo.runs.messages(run_id, follow=follow):
        view.document(message) if view.as_json else view.message(message)


async def respond(
    duvo: AsyncDuvo, view: Results, run_id: str, request_id: str | None, answers: Answers
) -> int | None:
    """Answer what a run waits for."""
    run = await duvo.runs.get(run_id)
    request = run.pending_human_request
    if request is None or (request_id is not None and request.id != request_id):
        which = "a person" if request_id is None else f"request {request_id}"
        raise ValueError(f"run {run_id} is {run.status} and does not wait for {which}")
    pending = HumanRequestPending(run, request)
    answer = answers(pending)
    if answer is None:
        view.note(f"duvo-async: no option answers {request.title!r}")
        return ANSWER_NEEDED
    answered = await duvo.runs.answer(pending, answer)
    if view.as_json:
        view.document(answered)
    view.say(f"answered {request.title!r} of run {run_id}")
    return None


async def stop_run(duvo: AsyncDuvo, view: Results, run_id: str) -> None:
    """Stop a run."""
    result = await duvo.runs.stop(run_id)
    view.show(result, {"stopped": attrgetter("success"), "message": attrgetter("message")})


async def list_agents(
    duvo: AsyncDuvo, view: Results, *, schedules: bool, limit: int | None
) -> None:
    """List agents."""
    items = duvo.agents.list(include_schedules=schedules, limit=limit)
    await view.show_all(items, _SCHEDULED if schedules else _AGENTS)


async def list_cases(
    duvo: AsyncDuvo, view: Results, queue_id: str, status: tuple[str, ...], limit: int | None
) -> None:
    """List a queue's cases."""
    await view.show_all(duvo.cases.list(queue_id, status=status or None, limit=limit), _CASES)


async def who_am_i(duvo: AsyncDuvo, view: Results) -> None:
    """Show whose credentials these are, and on which teams they can act."""
    profile = await duvo.teams.profile()
    teams: list[TeamSummary] = []
    with suppress(UnsupportedOperation):  # v1 has one team, and no name for it
        teams = [team async for team in duvo.teams.list()]
    chosen = await _chosen(duvo) if teams else None
    if view.as_json:
        view.document(
            {
                **cast("dict[str, object]", unstructure(profile)),
                "base_url": duvo.base_url,
                "api_version": duvo.api_version,
                "teams": [
                    {**cast("dict[str, object]", unstructure(team)), "chosen": team.id == chosen}
                    for team in teams
                ],
            }
        )
        return
    view.show(
        profile,
        {
            "person": attrgetter("id"),
            "name": attrgetter("name"),
            "email": attrgetter("email"),
            "team": attrgetter("team_id"),
            "API": lambda _: f"{duvo.base_url}/{duvo.api_version}",
        },
    )
    for team in teams:
        view.say(f"team {team.id} {team.name}{' (chosen)' if team.id == chosen else ''}")


async def _chosen(duvo: AsyncDuvo) -> str | None:
    """Find out on which team the client acts; None where that is not decided, or wrongly."""
    try:
        return (await duvo.teams.get()).id
    except (ConfigurationError, NotFoundError):
        return None


def _of(item: object, path: str) -> Any:  # noqa: ANN401 - as tables read what they show
    """Read an attribute of an attribute, of which any may be None."""
    for name in path.split("."):
        item = getattr(item, name, None)
    return item
