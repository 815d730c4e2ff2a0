"""What is sent about schedules, and what the answers mean."""

from duvo_async._operations._fields import (
    body,
    delete,
    done,
    filled,
    flag,
    get,
    kept,
    or_null,
    page,
    patch,
    post,
    whole,
)
from duvo_async._protocol import Call, Page
from duvo_async._routes import Routes
from duvo_async.models import NotGiven, Schedule, ScheduleFrequency, Weekday


def list_schedules(routes: Routes, agent_id: str) -> Call[Page[Schedule]]:
    """Read an agent's schedules, all at once."""
    return Call(get(routes.schedules(agent_id)), page("schedules", Schedule))


def create_schedule(  # noqa: PLR0913 - the fields of the body
    routes: Routes,
    agent_id: str,
    *,
    frequency: ScheduleFrequency | str,
    timezone: str,
    enabled: bool,
    time: str | None,
    day: Weekday | str | None,
    day_of_month: int | None,
    cron: str | None,
    recurring: bool | None,
    idempotency_key: str | None,
) -> Call[Schedule]:
    """Make a schedule."""
    fields = {
        "enabled": flag("enabled", enabled),
        "frequency": filled("frequency", frequency),
        "time": or_null(filled)("time", time),
        "timezone": filled("timezone", timezone),
        "day": or_null(filled)("day", day),
        "day_of_month": or_null(_day_of_month)("day_of_month", day_of_month),
        "cron": or_null(filled)("cron", cron),
        "recurring": or_null(flag)("recurring", recurring),
    }
    return Call(post(routes.schedules(agent_id), fields, idempotency_key), body(Schedule))


def update_schedule(  # noqa: PLR0913 - the fields of the body
    routes: Routes,
    agent_id: str,
    schedule_id: str,
    *,
    enabled: bool | NotGiven,
    frequency: ScheduleFrequency | str | NotGiven,
    time: str | NotGiven | None,
    timezone: str | NotGiven,
    day: Weekday | str | NotGiven | None,
    day_of_month: int | NotGiven | None,
    cron: str | NotGiven | None,
    recurring: bool | NotGiven | None,
    idempotency_key: str | None,
) -> Call[Schedule]:
    """Change what is given of a schedule."""
    changes = {
        "enabled": kept("enabled", enabled, flag),
        "frequency": kept("frequency", frequency, filled),
        "time": kept("time", time, or_null(filled)),
        "timezone": kept("timezone", timezone, filled),
        "day": kept("day", day, or_null(filled)),
        "day_of_month": kept("day_of_month", day_of_month, or_null(_day_of_month)),
        "cron": kept("cron", cron, or_null(filled)),
        "recurring": kept("recurring", recurring, or_null(flag)),
    }
    request = patch(routes.schedule(agent_id, schedule_id), changes, idempotency_key)
    return Call(request, body(Schedule))


def delete_schedule(
    routes: Routes, agent_id: str, schedule_id: str, *, idempotency_key: str | None
) -> Call[None]:
    """Delete a schedule."""
    return Call(delete(routes.schedule(agent_id, schedule_id), idempotency_key), done)


def _day_of_month(name: str, value: int) -> int:
    return whole(name, value, least=1, most=31)
