"""A run: its status, its messages and its requests to a person, and how the API shows them."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from attrs import define, field

from duvo_async.emulator.exchange import optional_timestamp, timestamp
from duvo_async.emulator.sandboxes import Sandbox
from duvo_async.emulator.script import AskApproval, AskQuestions, CallTool, Play, Question

TERMINAL = frozenset({"completed", "failed", "interrupted", "stopped", "canceled"})
RESUMABLE = frozenset({"waiting", "completed", "interrupted"})


@define
class HumanRequest:
    """A run's request to a person.

    Attributes:
        run_id: The run that asks.
        ask: What it asks.
        created_at: When it asked, in Unix seconds.
        response: The answer as text; None while there is none.
        responded_at: When it was answered, in Unix seconds; None while it is not.
        id: The request's id.
    """

    run_id: str
    ask: AskApproval | AskQuestions
    created_at: float
    response: str | None = None
    responded_at: float | None = None
    id: str = field(factory=lambda: str(uuid4()))

    def as_pending(self) -> dict[str, object]:
        """How it is shown with a waiting run."""
        shown = {
            "id": self.id,
            "title": self.ask.title,
            "description": self.ask.description,
            "created_at": timestamp(self.created_at),
        }
        if isinstance(self.ask, AskApproval):
            return {**shown, "type": "approval"}
        questions = [_question(question) for question in self.ask.questions]
        return {**shown, "type": "question", "questions": questions}

    def as_answered(self) -> dict[str, object]:
        """How it is shown to the person who answered."""
        return {
            "id": self.id,
            "run_id": self.run_id,
            "title": self.ask.title,
            "description": self.ask.description,
            "response": self.response,
            "responded_at": optional_timestamp(self.responded_at),
            "created_at": timestamp(self.created_at),
        }

    def as_event(self) -> dict[str, object]:
        """How a webhook announces it."""
        return {
            "event": "human_request_created",
            "run_id": self.run_id,
            "request_id": self.id,
            "title": self.ask.title,
            "description": self.ask.description,
            "created_at": timestamp(self.created_at),
        }


def _question(question: Question) -> dict[str, object]:
    options = [
        _present(label=each.label, description=each.description) for each in question.options
    ]
    return _present(
        question=question.question,
        header=question.header,
        options=options or None,
        multi_select=question.multi_select,
    )


def _present(**fields: object) -> dict[str, object]:
    """The fields that have a value: the API leaves out optional ones without."""
    return {name: value for name, value in fields.items() if value is not None}


@define(eq=False)
class Run:
    """One run. Times are in Unix seconds.

    Attributes:
        id: The run's id.
        agent_id: The agent that runs.
        build_id: The agent's build.
        sandbox: Its files; None when it was started without. It outlives the sandbox's expiry.
        webhook_url: Where its events go; None for nowhere.
        created_at: When it was started by the caller.
        updated_at: When it last changed.
        play: Its script, being played.
        status: Its status.
        started_at: When it began to execute; None before.
        completed_at: When it ended; None while it has not.
        messages: Its messages as the API shows them, oldest first.
        requests: All its requests to a person, by id.
        pending: The request that it waits for; None for none.
        result: What the script gets for its latest step.
        unacknowledged: The message that resumed it, until a step follows; None for none.
        turn: Its place in the engine's queue; None when nothing is due.
    """

    id: str
    agent_id: str
    build_id: str
    sandbox: Sandbox | None
    webhook_url: str | None
    created_at: float
    updated_at: float
    play: Play
    status: str = "pending"
    started_at: float | None = None
    completed_at: float | None = None
    messages: list[dict[str, Any]] = field(factory=list[dict[str, Any]])
    requests: dict[str, HumanRequest] = field(factory=dict[str, HumanRequest])
    pending: HumanRequest | None = None
    result: object = None
    unacknowledged: str | None = None
    turn: int | None = None

    def take_status(self, status: str, at: float) -> None:
        """Changes the status and the times that follow from it; no request stays pending."""
        self.status = status
        self.updated_at = at
        self.completed_at = at if status in TERMINAL else None
        self.pending = None

    def ask(self, ask: AskApproval | AskQuestions, at: float) -> HumanRequest:
        """Begins to wait for a person."""
        self.take_status("waiting", at)
        self.pending = HumanRequest(self.id, ask, at)
        self.requests[self.pending.id] = self.pending
        return self.pending

    def add_text(self, role: str, text: str, at: float) -> dict[str, Any]:
        """Adds a text message and gives it as the API shows it."""
        return self._add_message("text", role, at, text_content=text)

    def add_tool_call(self, call: CallTool, at: float) -> None:
        """Adds the messages of a tool call and of its result."""
        call_id = f"call_{uuid4().hex}"
        tool_call = {"id": call_id, "name": call.name, "arguments": dict(call.arguments)}
        self._add_message("tool_call", "assistant", at, tool_call=tool_call)
        outcome = {"result": call.result} if call.error is None else {"error": call.error}
        tool_result = {"tool_call_id": call_id, **outcome}
        self._add_message("tool_result", "tool", at, tool_result=tool_result)

    def _add_message(self, kind: str, role: str, at: float, **content: object) -> dict[str, Any]:
        message = {"id": f"msg_{uuid4().hex}", "type": kind, "role": role}
        self.messages.append({**message, "timestamp": timestamp(at), **content})
        self.updated_at = at
        return self.messages[-1]

    def as_shown(self) -> Mapping[str, object]:
        """How the API shows the run."""
        return {
            "id": self.id,
            "agent_id": self.agent_id,
            "build_id": self.build_id,
            "status": self.status,
            "source": "api",
            "sandbox_id": None if self.sandbox is None else self.sandbox.id,
            "started_at": optional_timestamp(self.started_at),
            "completed_at": optional_timestamp(self.completed_at),
            "created_at": timestamp(self.created_at),
            "updated_at": timestamp(self.updated_at),
            "human_in_the_loop_enabled": True,
        }
