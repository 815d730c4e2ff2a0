"""The operations on runs."""

from attrs import frozen

from duvo_async.emulator.answers import read_answer
from duvo_async.emulator.engine import Engine, Start
from duvo_async.emulator.exchange import ApiError, Response, json_response
from duvo_async.emulator.parameters import page
from duvo_async.emulator.routing import Call, Route
from duvo_async.emulator.runs import HumanRequest, Run
from duvo_async.emulator.sandboxes import Sandbox, Sandboxes
from duvo_async.emulator.teams import User
from duvo_async.emulator.validation import (
    Field,
    boolean,
    filled_text,
    text,
    text_map,
    uri,
    uuid,
)

_START = {
    "agent_id": Field(uuid, required=True),
    "message": Field(text),
    "sandbox_id": Field(text),
    "webhook_url": Field(uri),
}
_POST_MESSAGE = {"message": Field(filled_text, required=True)}
_RESPOND = {"approved": Field(boolean), "answers": Field(text_map)}


@frozen
class RunOperations:
    """The operations on runs.

    Attributes:
        engine: The runs.
        sandboxes: The sandboxes that they may be started with.
        user: The person who starts them.
        start_status: The status that a start is answered with.
    """

    engine: Engine
    sandboxes: Sandboxes
    user: User
    start_status: int = 201

    def routes(self) -> tuple[Route, ...]:
        """Where they are found."""
        run = "/v2/runs/{run_id}"
        return (
            Route("POST", "/v2/teams/{team_id}/runs", self.start, body=_START),
            Route("GET", run, self.get),
            Route("GET", f"{run}/messages", self.list_messages, page(20, 50)),
            Route("POST", f"{run}/messages", self.post_message, body=_POST_MESSAGE),
            Route(
                "POST", f"{run}/human-requests/{{request_id}}/respond", self.respond, body=_RESPOND
            ),
            Route("POST", f"{run}/stop", self.stop),
        )

    def start(self, call: Call) -> Response:
        """Starts a run, which is `pending` until the next request."""
        body = call.body
        sandbox = self._find_sandbox(body.get("sandbox_id"), call.now)
        agent_id = body["agent_id"].lower()
        start = Start(
            agent_id,
            body.get("message"),
            sandbox,
            body.get("webhook_url"),
            user_id=self.user.id,
        )
        run = self.engine.start(start, call.now)
        if run is None:
            if self.engine.find_agent(agent_id) is not None:
                raise ApiError(400, "the agent has no live build")
            raise ApiError(404, "there is no such agent")
        return json_response(self.start_status, {"run": run.as_shown()})

    def get(self, call: Call) -> Response:
        """Shows a run and the request that it waits for; a deleted run is null."""
        if self.engine.is_deleted(call.params["run_id"]):
            return json_response(200, {"run": None})
        run = self._find(call)
        pending = None if run.pending is None else run.pending.as_pending()
        return json_response(200, {"run": run.as_shown(), "pending_human_request": pending})

    def list_messages(self, call: Call) -> Response:
        """Shows a page of a run's messages, oldest first."""
        limit, offset = call.query["limit"], call.query["offset"]
        messages = self._find(call).messages
        shown = messages[offset : offset + limit]
        data = {"messages": shown, "total": len(messages), "limit": limit, "offset": offset}
        return json_response(200, data)

    def post_message(self, call: Call) -> Response:
        """Adds a message; a run that rests or waits is resumed, its pending request withdrawn."""
        message = call.body["message"]
        run = self._find(call)
        return json_response(201, {"message": self.engine.post_message(run, message, call.now)})

    def respond(self, call: Call) -> Response:
        """Answers the request that a run waits for."""
        body = call.body
        if len(body) != 1:
            raise ApiError(400, "the body must have either approved or answers")
        run = self._find(call)
        request = _pending_request(run, call.params["request_id"])
        self.engine.respond(run, request, read_answer(request.ask, body), call.now)
        return json_response(200, {"human_request": request.as_answered()})

    def stop(self, call: Call) -> Response:
        """Stops a run. One that had ended stays as it is: success, with a message saying so."""
        if self.engine.stop(self._find(call), call.now):
            return json_response(200, {"success": True})
        return json_response(200, {"success": True, "message": "The run was not running."})

    def _find(self, call: Call) -> Run:
        run = self.engine.find(call.params["run_id"])
        if run is None:
            raise ApiError(404, "there is no such run")
        return run

    def _find_sandbox(self, sandbox_id: str | None, now: float) -> Sandbox | None:
        if sandbox_id is None:
            return None
        sandbox = self.sandboxes.find(sandbox_id, now)
        if sandbox is None:
            raise ApiError(404, "there is no such sandbox, or it has expired")
        return sandbox


def _pending_request(run: Run, request_id: str) -> HumanRequest:
    if request_id not in run.requests:
        raise ApiError(404, "the run has no such request")
    if run.pending is None or run.pending.id != request_id:
        raise ApiError(409, "the request no longer waits for an answer")
    return run.pending
