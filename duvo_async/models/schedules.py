"""Schedules: when an agent starts runs by itself."""

from datetime import datetime

from attrs import frozen

from duvo_async.models._open_enum import OpenEnum


class ScheduleFrequency(OpenEnum):
    """How often a schedule starts a run."""

    EVERY_5_MINUTES = "every_5_minutes"
    EVERY_15_MINUTES = "every_15_minutes"
    HOURLY = "hourly"
    DAILY = "daily"
    WORKDAY = "workday"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    CUSTOM = "custom"


class Weekday(OpenEnum):
    """The days of a week."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


@frozen(kw_only=True)
class Schedule:
    """When an agent starts runs by itself. They run the build that is live then.

    Attributes:
        id: The schedule's id.
        agent_id: UUID of the agent.
        enabled: Whether it starts runs.
        frequency: How often.
        timezone: The time zone in which the times are meant, for example `Europe/Prague`.
        time: The time of day, as the API writes it. None when the frequency needs none.
        day: The day of the week. None when the frequency needs none.
        day_of_month: The day of the month, from 1 to 31. None when the frequency needs none.
        cron: The cron expression of a `custom` one. None for the others.
        recurring: Whether it goes on after its first run. None when the API does not say.
        build_id: UUID of a build of the agent's. None when the API does not say.
        user_id: Whose it is. None when the API does not say.
        user_name: The owner's name. None when the API does not say.
        user_email: The owner's e-mail address. None when the API does not say.
        source: The API's word for where it comes from. None when it has none.
        task: What its runs are told to do. None when they are told nothing.
        auto_disabled_at: When the API disabled it. None when it did not.
        auto_disabled_reason: Why it did. None when it did not.
        consecutive_missing_connection_failures: How many of its last runs in a row lacked a
            connection.
        first_missing_connection_failure_at: When the first of them did. None when none did.
        last_missing_connection_failure_at: When the last of them did. None when none did.
        created_at: When it was made. None when the API does not say.
        updated_at: When it last changed. None when the API does not say.
    """

    id: str
    agent_id: str
    enabled: bool
    frequency: ScheduleFrequency
    timezone: str
    time: str | None = None
    day: Weekday | None = None
    day_of_month: int | None = None
    cron: str | None = None
    recurring: bool | None = None
    build_id: str | None = None
    user_id: str | None = None
    user_name: str | None = None
    user_email: str | None = None
    source: str | None = None
    task: str | None = None
    auto_disabled_at: datetime | None = None
    auto_disabled_reason: str | None = None
    consecutive_missing_connection_failures: int = 0
    first_missing_connection_failure_at: datetime | None = None
    last_missing_connection_failure_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
