"""The operations on the schedules of agents."""

from attrs import define

from duvo_async.emulator.agent_operations import find_agent
from duvo_async.emulator.agents import Agent, Agents
from duvo_async.emulator.checks import integer, one_of, or_null
from duvo_async.emulator.exchange import ApiError, Response, json_response
from duvo_async.emulator.routing import Call, Route
from duvo_async.emulator.schedules import Schedule
from duvo_async.emulator.validation import Field, boolean, text

_FREQUENCIES = (
    "every_5_minutes",
    "every_15_minutes",
    "hourly",
    "daily",
    "workday",
    "weekly",
    "monthly",
    "custom",
)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_UPDATE = {
    "enabled": Field(boolean),
    "frequency": Field(one_of(_FREQUENCIES)),
    "time": Field(or_null(text)),
    "timezone": Field(text),
    "day": Field(or_null(one_of(_DAYS))),
    "day_of_month": Field(or_null(integer(1, 31))),
    "cron": Field(or_null(text)),
    "recurring": Field(or_null(boolean)),
}
_CREATE = {
    **_UPDATE,
    "enabled": Field(boolean, required=True),
    "frequency": Field(one_of(_FREQUENCIES), required=True),
    "timezone": Field(text, required=True),
}


@define
class ScheduleOperations:
    """The operations on schedules, which are kept and shown, but start nothing by themselves.

    Attributes:
        agents: The agents, who have the schedules.
    """

    agents: Agents
    _made: int = 0

    def routes(self) -> tuple[Route, ...]:
        """Where they are found."""
        schedules = "/v2/agents/{agent_id}/schedules"
        schedule = f"{schedules}/{{schedule_id}}"
        return (
            Route("GET", schedules, self.list_schedules),
            Route("POST", schedules, self.create, body=_CREATE),
            Route("PATCH", schedule, self.update, body=_UPDATE),
            Route("DELETE", schedule, self.delete),
        )

    def list_schedules(self, call: Call) -> Response:
        """Lists an agent's schedules, oldest first."""
        return json_response(200, {"schedules": self._find_agent(call).show_schedules()})

    def create(self, call: Call) -> Response:
        """Makes a schedule of an agent, which must have a live build."""
        body = call.body
        agent = self._find_agent(call)
        if agent.live is None:
            raise ApiError(400, "the agent has no live build")
        schedule_id = self.agents.ids.uuid("schedule", self._made)
        self._made += 1
        user = self.agents.teams.user
        schedule = Schedule(schedule_id, agent.id, user, body, call.now, call.now)
        agent.schedules[schedule.id] = schedule
        return json_response(200, schedule.as_shown(agent.live_id))

    def update(self, call: Call) -> Response:
        """Changes the fields of a schedule that the body has."""
        body = call.body
        agent = self._find_agent(call)
        schedule = _find(agent, call)
        schedule.change(body, call.now)
        return json_response(200, schedule.as_shown(agent.live_id))

    def delete(self, call: Call) -> Response:
        """Deletes a schedule."""
        agent = self._find_agent(call)
        del agent.schedules[_find(agent, call).id]
        return json_response(200, {"success": True})

    def _find_agent(self, call: Call) -> Agent:
        return find_agent(self.agents, call)


def _find(agent: Agent, call: Call) -> Schedule:
    schedule = agent.schedules.get(call.params["schedule_id"])
    if schedule is None:
        raise ApiError(404, "the agent has no such schedule")
    return schedule
