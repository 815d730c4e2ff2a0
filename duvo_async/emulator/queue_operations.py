"""The operations on queues."""

from typing import Any

from attrs import frozen

from duvo_async.emulator.case_desk import CaseDesk
from duvo_async.emulator.checks import or_null, text_of
from duvo_async.emulator.exchange import ApiError, Response, json_response
from duvo_async.emulator.parameters import an_id, page
from duvo_async.emulator.queue_lookup import QueueLookup
from duvo_async.emulator.queues import Queue
from duvo_async.emulator.routing import Call, Route
from duvo_async.emulator.validation import (
    Field,
    uuid,
)

_UPDATE = {
    "name": Field(text_of(1, 100)),
    "description": Field(or_null(text_of(0, 500))),
    "folder_id": Field(or_null(uuid)),
}
_CREATE = {
    **_UPDATE,
    "name": Field(text_of(1, 100), required=True),
    "automation_id": Field(or_null(uuid)),
}
_LIST = {**page(250, 250), "automation_id": an_id()}


@frozen
class QueueOperations:
    """The operations on queues.

    Attributes:
        desk: The queues, and the runs that work them off.
        lookup: Finds the queues and cases that paths name.
    """

    desk: CaseDesk
    lookup: QueueLookup

    def routes(self) -> tuple[Route, ...]:
        """Where they are found."""
        queues, queue = "/v2/teams/{team_id}/queues", "/v2/queues/{queue_id}"
        return (
            Route("GET", queues, self.list_queues, _LIST),
            Route("POST", queues, self.create, body=_CREATE),
            Route("GET", queue, self.get),
            Route("PATCH", queue, self.update, body=_UPDATE),
            Route("DELETE", queue, self.delete),
            Route("GET", f"{queue}/agents", self.list_agents),
        )

    def list_queues(self, call: Call) -> Response:
        """Shows a page of the queues, oldest first."""
        limit, offset = call.query["limit"], call.query["offset"]
        automation_id = call.query["automation_id"]
        queues = self.desk.queues.all()
        if automation_id is not None:
            queues = [each for each in queues if each.automation_id == automation_id]
        shown = [queue.as_shown() for queue in queues[offset : offset + limit]]
        data = {"queues": shown, "total": len(queues), "limit": limit, "offset": offset}
        return json_response(200, data)

    def create(self, call: Call) -> Response:
        """Makes an empty queue."""
        body = call.body
        self._check_name(body["name"])
        queue = self.desk.queues.create(
            body["name"],
            call.now,
            description=body.get("description"),
            folder_id=_lower(body.get("folder_id")),
            automation_id=_lower(body.get("automation_id")),
        )
        return json_response(201, {"queue": queue.as_shown()})

    def get(self, call: Call) -> Response:
        """Shows a queue."""
        return json_response(200, {"queue": self.lookup.queue(call).as_shown()})

    def update(self, call: Call) -> Response:
        """Changes the fields of a queue that the body has."""
        body: dict[str, Any] = call.body
        queue = self.lookup.queue(call)
        if body.get("name", queue.name) != queue.name:
            self._check_name(body["name"])
            queue.name = body["name"]
        queue.description = body.get("description", queue.description)
        queue.folder_id = _lower(body.get("folder_id", queue.folder_id))
        return json_response(200, {"queue": queue.as_shown()})

    def delete(self, call: Call) -> Response:
        """Deletes a queue with its cases and triggers; the live runs that have cases end."""
        queue = self.lookup.queue(call)
        count = len(queue.cases)
        interrupted = self.desk.remove_queue(queue, call.now)
        data = {"success": True, "deleted_case_count": count, "interrupted_run_ids": interrupted}
        return json_response(200, data)

    def list_agents(self, call: Call) -> Response:
        """Shows the agents that work a queue off; none puts cases into it by itself."""
        queue = self.lookup.queue(call)
        consumers = self._show_consumers(queue)
        data = {"queue_name": queue.name, "producers": [], "consumers": consumers}
        return json_response(200, data)

    def _show_consumers(self, queue: Queue) -> list[object]:
        triggers = self.desk.triggers
        return [
            trigger.as_consumer(
                has_rivals=trigger.enabled and bool(triggers.rivals(trigger.agent.id, queue.id))
            )
            for trigger in triggers.of_queue(queue.id)
        ]

    def _check_name(self, name: str) -> None:
        if self.desk.queues.is_taken(name):
            raise ApiError(409, "there is a queue of that name already")


def _lower(given: str | None) -> str | None:
    return None if given is None else given.lower()
