"""A run: its status, its messages and its requests to a person, and how the API shows them."""

from collections.abc import Mapping
from typing import Any

from attrs import define, field

from duvo_async.emulator.agents import Agent
from duvo_async.emulator.exchange import optional_timestamp, timestamp
from duvo_async.emulator.herald import Herald
from duvo_async.emulator.ids import Ids
from duvo_async.emulator.sandboxes import Sandbox
from duvo_async.emulator.script import AskApproval, AskQuestions, CallTool, Play, Question

TERMINAL = frozenset({"completed", "failed", "interrupted", "stopped", "canceled"})
RESUMABLE = frozenset({"waiting", "completed", "interrupted"})
_EVENTS = {"waiting": "run.paused", "completed": "run.completed", "failed": "run.failed"}


@define
class HumanRequest:
    """A run's request to a person.

    Attributes:
        id: The request's id.
        run_id: The run that asks.
        ask: What it asks.
        created_at: When it asked, in Unix seconds.
        response: The answer as text; None while there is none.
        responded_at: When it was answered, in Unix seconds; None while it is not.
    """

    id: str
    run_id: str
    ask: AskApproval | AskQuestions
    created_at: float
    response: str | None = None
    responded_at: float | None = None

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
        number: Its place among all runs that ever were, from 1.
        agent: The agent that runs.
        build_id: The build of the agent that was live when the run was started.
        title: What lists call it.
        source: Who started it.
        sandbox: Its files; None when it was started without. It outlives the sandbox's expiry.
        webhook_url: Where its events go; None for nowhere.
        created_at: When it was started by the caller.
        updated_at: When it last changed.
        play: Its script, being played.
        ids: Where the ids of its messages and requests come from.
        herald: Tells the subscribers what happens to it.
        user_id: The person who started it; None for none.
        case_id: The case that it works on; None for none.
        queue_id: The queue of that case.
        queue_name: The name of that queue.
        case_title: The title of that case.
        status: Its status.
        started_at: When it began to execute; None before.
        completed_at: When it ended; None while it has not.
        prompt_count: How many messages people sent it.
        messages: Its messages as the API shows them, oldest first.
        requests: All its requests to a person, by id.
        pending: The request that it waits for; None for none.
        result: What the script gets for its latest step.
        unacknowledged: The message that resumed it, until a step follows; None for none.
        turn: Its place in the engine's queue; None when nothing is due.
    """

    id: str
    number: int
    agent: Agent
    build_id: str
    title: str
    source: str
    sandbox: Sandbox | None
    webhook_url: str | None
    created_at: float
    updated_at: float
    play: Play
    ids: Ids
    herald: Herald
    user_id: str | None = None
    case_id: str | None = None
    queue_id: str | None = None
    queue_name: str | None = None
    case_title: str | None = None
    status: str = "pending"
    started_at: float | None = None
    completed_at: float | None = None
    prompt_count: int = 0
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
        if status in _EVENTS:
            self.tell_status(_EVENTS[status], at)

    def tell(self, event: str, at: float, **fields: str | None) -> None:
        """Tells the subscribers of something that happened to it."""
        if self.herald.subscriptions:  # else this is to cost nothing, for it comes with each step
            self.herald.tell(event, at, run_id=self.id, **fields)

    def tell_status(self, event: str, at: float) -> None:
        """Tells the subscribers of the status that it took."""
        self.tell(event, at, agent_id=self.agent.id, status=self.status)

    def ask(self, ask: AskApproval | AskQuestions, at: float) -> HumanRequest:
        """Begins to wait for a person."""
        self.take_status("waiting", at)
        request_id = self.ids.uuid("request", self.number, len(self.requests))
        self.pending = HumanRequest(request_id, self.id, ask, at)
        self.requests[request_id] = self.pending
        said = {"title": ask.title, "description": ask.description}
        self.tell("human_request.created", at, request_id=request_id, **said)
        return self.pending

    def add_prompt(self, text: str, at: float) -> dict[str, Any]:
        """Adds a person's message and gives it as the API shows it."""
        self.prompt_count += 1
        return self._add_message("text", "user", at, text_content=text)

    def add_text(self, text: str, at: float) -> None:
        """Adds a message of the agent."""
        self._add_message("text", "assistant", at, text_content=text)

    def add_tool_call(self, call: CallTool, at: float) -> None:
        """Adds the messages of a tool call and of its result."""
        call_id = f"call_{self._token('call')}"
        tool_call = {"id": call_id, "name": call.name, "arguments": dict(call.arguments)}
        self._add_message("tool_call", "assistant", at, tool_call=tool_call)
        outcome = {"result": call.result} if call.error is None else {"error": call.error}
        tool_result = {"tool_call_id": call_id, **outcome}
        self._add_message("tool_result", "tool", at, tool_result=tool_result)
        self.tell("run.tool_call.completed", at, tool_name=call.name)

    def _add_message(self, kind: str, role: str, at: float, **content: object) -> dict[str, Any]:
        message = {"id": f"msg_{self._token('message')}", "type": kind, "role": role}
        self.messages.append({**message, "timestamp": timestamp(at), **content})
        self.updated_at = at
        self.tell("run.message.created", at, message_id=message["id"])
        return self.messages[-1]

    def _token(self, kind: str) -> str:
        """An id's part that tells the next message, or what comes with it, from all others."""
        return self.ids.token(kind, self.number, len(self.messages))

    def as_shown(self) -> Mapping[str, object]:
        """How the API shows the run by itself."""
        return {
            **self._outline(),
            "sandbox_id": None if self.sandbox is None else self.sandbox.id,
            "human_in_the_loop_enabled": True,
        }

    def as_listed(self) -> Mapping[str, object]:
        """How the API shows the run in a list."""
        return {
            **self._outline(),
            "title": self.title,
            "run_number": self.number,
            "agent_name": self.agent.name,
            "user_id": self.user_id,
            "case_queue_item_id": self.case_id,
            "case_queue_id": self.queue_id,
            "case_queue_name": self.queue_name,
            "case_title": self.case_title,
            "postponed_to": None,
            "submitted_prompt_count": self.prompt_count,
        }

    def _outline(self) -> Mapping[str, object]:
        return {
            "id": self.id,
            "agent_id": self.agent.id,
            "build_id": self.build_id,
            "status": self.status,
            "source": self.source,
            "started_at": optional_timestamp(self.started_at),
            "completed_at": optional_timestamp(self.completed_at),
            "created_at": timestamp(self.created_at),
            "updated_at": timestamp(self.updated_at),
        }
