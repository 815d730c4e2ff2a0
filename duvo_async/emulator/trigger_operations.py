"""The operations on case triggers."""

from typing import Any

from attrs import frozen

from duvo_async.emulator.agents import Agent
from duvo_async.emulator.case_desk import CaseDesk
from duvo_async.emulator.exchange import ApiError, Response, json_response
from duvo_async.emulator.parameters import an_id
from duvo_async.emulator.queue_lookup import QueueLookup
from duvo_async.emulator.routing import Call, Route
from duvo_async.emulator.triggers import Trigger, show_conflict
from duvo_async.emulator.validation import (
    Complaint,
    Field,
    boolean,
    looks_for,
    uuid,
)


@looks_for(enum=[None, 1])
def _concurrency(value: object) -> Complaint:
    """Checks for what can be set over the API: one run at a time, or any number."""
    is_one = isinstance(value, int | float) and not isinstance(value, bool) and value == 1
    return None if value is None or is_one else "null or 1"


_UPDATE = {
    "case_queue_id": Field(uuid),
    "enabled": Field(boolean),
    "concurrency": Field(_concurrency),
}
_CREATE = {
    **_UPDATE,
    "case_queue_id": Field(uuid, required=True),
    "enabled": Field(boolean, required=True),
}


@frozen
class TriggerOperations:
    """The operations on case triggers.

    Attributes:
        desk: The triggers, and what they work off.
        lookup: Finds the queues and cases that paths name.
    """

    desk: CaseDesk
    lookup: QueueLookup

    def routes(self) -> tuple[Route, ...]:
        """Where they are found."""
        triggers = "/v2/agents/{agent_id}/case-triggers"
        trigger = f"{triggers}/{{trigger_id}}"
        query = {"case_queue_id": an_id(required=True)}
        return (
            Route("GET", triggers, self.list_triggers),
            Route("POST", triggers, self.create, body=_CREATE),
            # It comes before the path that would take its name for an id.
            Route("GET", f"{triggers}/conflict-preview", self.preview_conflicts, query),
            Route("GET", trigger, self.get),
            Route("PATCH", trigger, self.update, body=_UPDATE),
            Route("DELETE", trigger, self.delete),
        )

    def list_triggers(self, call: Call) -> Response:
        """Shows the triggers of an agent, which are one at most."""
        trigger = self.desk.triggers.of_agent(self._agent(call).id)
        shown = [] if trigger is None else [self._show(trigger)]
        return json_response(200, {"case_triggers": shown})

    def create(self, call: Call) -> Response:
        """Makes the trigger of an agent; an enabled one claims cases from the next request on."""
        body = call.body
        agent = self._agent(call)
        queue = self.lookup.queue_of(body["case_queue_id"])
        if self.desk.triggers.of_agent(agent.id) is not None:
            raise ApiError(409, "the agent has a case trigger already")
        concurrency = None if body.get("concurrency") is None else 1
        trigger = self.desk.triggers.create(
            agent, queue, call.now, enabled=body["enabled"], concurrency=concurrency
        )
        self.desk.wake(queue, call.now)
        return json_response(201, {"case_trigger": self._show(trigger)})

    def preview_conflicts(self, call: Call) -> Response:
        """Shows which other agents would share a queue with an agent."""
        agent, queue = self._agent(call), self.lookup.queue_of(call.query["case_queue_id"])
        return json_response(200, show_conflict(self.desk.triggers.rivals(agent.id, queue.id)))

    def get(self, call: Call) -> Response:
        """Shows a trigger."""
        return json_response(200, {"case_trigger": self._show(self._find(call))})

    def update(self, call: Call) -> Response:
        """Changes the fields of a trigger that the body has; its live runs go on."""
        body: dict[str, Any] = call.body
        trigger = self._find(call)
        if "case_queue_id" in body:
            trigger.queue = self.lookup.queue_of(body["case_queue_id"])
        trigger.enabled = body.get("enabled", trigger.enabled)
        if "concurrency" in body:
            trigger.concurrency = None if body["concurrency"] is None else 1
        trigger.updated_at = call.now
        self.desk.wake(trigger.queue, call.now)
        return json_response(200, {"case_trigger": self._show(trigger)})

    def delete(self, call: Call) -> Response:
        """Deletes a trigger; its live runs go on."""
        self.desk.triggers.remove(self._find(call))
        return json_response(200, {"success": True})

    def _agent(self, call: Call) -> Agent:
        agent = self.desk.engine.find_agent(call.params["agent_id"])
        if agent is None:
            raise ApiError(404, "there is no such agent")
        return agent

    def _find(self, call: Call) -> Trigger:
        trigger = self.desk.triggers.of_agent(self._agent(call).id)
        if trigger is None or trigger.id != call.params["trigger_id"]:
            raise ApiError(404, "the agent has no such case trigger")
        return trigger

    def _show(self, trigger: Trigger) -> object:
        rivals = self.desk.triggers.rivals(trigger.agent.id, trigger.queue.id)
        return trigger.as_shown(rivals)
