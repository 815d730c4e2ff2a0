"""Schedules: let an agent start runs by itself."""

from duvo_async import _operations
from duvo_async._items import AsyncItems
from duvo_async._paging import unpaged
from duvo_async._session import Session
from duvo_async.models import NOT_GIVEN, NotGiven, Schedule, ScheduleFrequency, Weekday


class AsyncSchedules:
    """The schedules of agents, of those that belong to the key's owner.

    Every call raises an `APIError` when it does not end well; methods name what they raise beyond
    that.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(self, agent_id: str) -> AsyncItems[Schedule]:
        """List an agent's schedules: `async for schedule in duvo.agents.schedules.list(agent_id)`.

        They come with one request.

        Args:
            agent_id: The agent's UUID.

        Returns:
            An async iterable of its schedules.
        """
        return unpaged(self._session, _operations.list_schedules(self._session.routes, agent_id))

    async def create(  # noqa: PLR0913 - the fields of a schedule
        self,
        agent_id: str,
        *,
        frequency: ScheduleFrequency | str,
        timezone: str,
        enabled: bool = True,
        time: str | None = None,
        day: Weekday | str | None = None,
        day_of_month: int | None = None,
        cron: str | None = None,
        recurring: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Schedule:
        """Make a schedule. It runs the build that is live then, in the name of the key's owner.

        Args:
            agent_id: The agent's UUID.
            frequency: How often it starts a run.
            timezone: The time zone in which the times are meant, for example `Europe/Prague`.
            enabled: Whether it starts runs; True by default.
            time: The time of day, for example `09:30`. None for a frequency that needs none.
            day: The day of the week. None for a frequency that needs none.
            day_of_month: The day of the month, from 1 to 31 (API reference, "createSchedule"). None
                for a frequency that needs none.
            cron: The cron expression for `custom`. None for the others.
            recurring: Whether it goes on after its first run. None leaves it to the API.
            idempotency_key: Calls with the same key make one schedule. None makes a key for this
                call.

        Returns:
            The schedule.

        Raises:
            ValueError: An argument is empty or out of its bounds.
        """
        return await self._session.call(
            _operations.create_schedule(
                self._session.routes,
                agent_id,
                frequency=frequency,
                timezone=timezone,
                enabled=enabled,
                time=time,
                day=day,
                day_of_month=day_of_month,
                cron=cron,
                recurring=recurring,
                idempotency_key=idempotency_key,
            )
        )

    async def update(  # noqa: PLR0913 - the fields of a schedule
        self,
        agent_id: str,
        schedule_id: str,
        *,
        frequency: ScheduleFrequency | str | NotGiven = NOT_GIVEN,
        timezone: str | NotGiven = NOT_GIVEN,
        enabled: bool | NotGiven = NOT_GIVEN,
        time: str | NotGiven | None = NOT_GIVEN,
        day: Weekday | str | NotGiven | None = NOT_GIVEN,
        day_of_month: int | NotGiven | None = NOT_GIVEN,
        cron: str | NotGiven | None = NOT_GIVEN,
        recurring: bool | NotGiven | None = NOT_GIVEN,
        idempotency_key: str | None = None,
    ) -> Schedule:
        """Change what is given of a schedule. `NOT_GIVEN`, the default, leaves it as it is.

        Args:
            agent_id: The agent's UUID.
            schedule_id: The schedule's id.
            frequency: How often it starts a run.
            timezone: The time zone in which the times are meant.
            enabled: Whether it starts runs.
            time: The time of day. None takes it away.
            day: The day of the week. None takes it away.
            day_of_month: The day of the month, from 1 to 31 (API reference, "updateSchedule"). None
                takes it away.
            cron: The cron expression. None takes it away.
            recurring: Whether it goes on after its first run. None leaves it to the API.
            idempotency_key: None makes a key for this call.

        Returns:
            The schedule as it is now.

        Raises:
            ValueError: Nothing is given, or an argument is empty or out of its bounds.
        """
        return await self._session.call(
            _operations.update_schedule(
                self._session.routes,
                agent_id,
                schedule_id,
                frequency=frequency,
                timezone=timezone,
                enabled=enabled,
                time=time,
                day=day,
                day_of_month=day_of_month,
                cron=cron,
                recurring=recurring,
                idempotency_key=idempotency_key,
            )
        )

    async def delete(
        self, agent_id: str, schedule_id: str, *, idempotency_key: str | None = None
    ) -> None:
        """Delete a schedule.

        Args:
            agent_id: The agent's UUID.
            schedule_id: The schedule's id.
            idempotency_key: None makes a key for this call.
        """
        await self._session.call(
            _operations.delete_schedule(
                self._session.routes, agent_id, schedule_id, idempotency_key=idempotency_key
            )
        )
