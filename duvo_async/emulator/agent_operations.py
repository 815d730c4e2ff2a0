"""The operations on agents."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from duvo_async.emulator.agents import Agent, Agents
from duvo_async.emulator.build_config import completed, new_config
from duvo_async.emulator.checks import object_of, or_null
from duvo_async.emulator.exchange import ApiError, Response, json_response, optional_timestamp
from duvo_async.emulator.parameters import a_choice, an_id, page
from duvo_async.emulator.routing import Call, Route
from duvo_async.emulator.script import Player
from duvo_async.emulator.triggers import Triggers
from duvo_async.emulator.validation import (
    Field,
    boolean,
    filled_text,
    text,
    uuid,
)

_BUILD = {
    "name": Field(filled_text, required=True),
    "config": Field(new_config, required=True),
}
_CREATE = {
    "name": Field(filled_text, required=True),
    "thread_id": Field(or_null(uuid)),
    "source_build_id": Field(or_null(uuid)),
    "automation_id": Field(or_null(uuid)),
    "build": Field(object_of(_BUILD)),
}
_UPDATE = {
    "name": Field(text),
    "slack_enabled": Field(boolean),
    "microsoft_teams_enabled": Field(boolean),
    "agentic_memory_enabled": Field(boolean),
    "thread_id": Field(or_null(uuid)),
    "pinned": Field(boolean),
}
_LIST = {
    **page(20, 100),
    "include_schedules": a_choice(("true", "false")),
    "automation_id": an_id(),
}


def find_agent(agents: Agents, call: Call) -> Agent:
    """The agent that a request's path names.

    Raises:
        ApiError: 404 when there is none.
    """
    agent = agents.find(call.params["agent_id"])
    if agent is None:
        raise ApiError(404, "there is no such agent")
    return agent


@frozen
class AgentOperations:
    """The operations on agents.

    Attributes:
        agents: The agents.
        triggers: Their case triggers.
        player: What those do that are made by a request.
    """

    agents: Agents
    triggers: Triggers
    player: Player

    def routes(self) -> tuple[Route, ...]:
        """Where they are found."""
        agents, agent = "/v2/teams/{team_id}/agents", "/v2/agents/{agent_id}"
        return (
            Route("GET", agents, self.list_agents, _LIST),
            Route("POST", agents, self.create, body=_CREATE),
            Route("GET", agent, self.get),
            Route("PATCH", agent, self.update, body=_UPDATE),
            Route("DELETE", agent, self.delete),
        )

    def list_agents(self, call: Call) -> Response:
        """Shows a page of the agents: the pinned ones first, then the newest first."""
        limit, offset = call.query["limit"], call.query["offset"]
        with_schedules = call.query["include_schedules"] == "true"
        found = self.agents.listed()
        if (automation_id := call.query["automation_id"]) is not None:
            found = [each for each in found if each.settings.get("automation_id") == automation_id]
        shown = [
            self._list_one(each, with_schedules=with_schedules)
            for each in found[offset : offset + limit]
        ]
        data = {"agents": shown, "total": len(found), "limit": limit, "offset": offset}
        return json_response(200, data)

    def create(self, call: Call) -> Response:
        """Makes an agent, with its first build if the body has one."""
        body = call.body
        source = body.get("source_build_id")
        if source is not None and self.agents.find_build(source.lower()) is None:
            raise ApiError(400, "body.source_build_id is no build of an agent")
        agent = self.agents.add(self.player, call.now, body["name"])
        agent.settings = _lowered(body, "thread_id", "automation_id")
        if "build" not in body:
            return json_response(201, {"agent": agent.as_shown()})
        name, config = body["build"]["name"], completed(body["build"]["config"])
        build = self.agents.add_build(agent, name, config, call.now)
        return json_response(201, {"agent": agent.as_shown(), "build": build.as_shown()})

    def get(self, call: Call) -> Response:
        """Shows an agent."""
        return _show(find_agent(self.agents, call))

    def update(self, call: Call) -> Response:
        """Changes the fields of an agent that the body has; a pin is no change of the agent."""
        body = call.body
        agent = find_agent(self.agents, call)
        pinned = body.pop("pinned", None)
        if pinned is not None:
            agent.pinned_at = (agent.pinned_at or call.now) if pinned else None
        if body:
            agent.name = body.pop("name", agent.name)
            agent.settings = {**agent.settings, **body, **_lowered(body, "thread_id")}
            agent.updated_at = call.now
        return _show(agent)

    def delete(self, call: Call) -> Response:
        """Deletes an agent with its case trigger. Its runs stay."""
        agent = find_agent(self.agents, call)
        trigger = self.triggers.of_agent(agent.id)
        if trigger is not None:
            self.triggers.remove(trigger)
        self.agents.remove(agent)
        return json_response(200, {"success": True})

    def _list_one(self, agent: Agent, *, with_schedules: bool) -> Mapping[str, object]:
        trigger = self.triggers.of_agent(agent.id)
        queue = None if trigger is None else trigger.queue
        rivals = [] if queue is None else self.triggers.rivals(agent.id, queue.id)
        return {
            **agent.as_listed(with_schedules=with_schedules),
            "case_trigger_enabled": trigger is not None and trigger.enabled,
            "case_trigger_has_conflict": bool(rivals),
            "case_trigger_conflicting_agents": [
                {"id": rival.id, "name": rival.name} for rival in rivals
            ],
            "case_queue_name": None if queue is None else queue.name,
        }


def _show(agent: Agent) -> Response:
    context = {"pinned_at": optional_timestamp(agent.pinned_at)}
    return json_response(200, {"agent": agent.as_shown(), "user_context": context})


def _lowered(body: Mapping[str, Any], *names: str) -> dict[str, object]:
    """The ids that a body has, in lower case."""
    return {name: body[name] and body[name].lower() for name in names if name in body}
