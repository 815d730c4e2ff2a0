"""What is sent about runs, and what the answers mean."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from attrs import evolve, frozen

from duvo_async._converter import DecodeProblem, GoneProblem
from duvo_async._operations._fields import body, filled, moment, one, post, web_address, whole
from duvo_async._protocol import Call, Request, Response, decoded, parse_json
from duvo_async._routes import Routes
from duvo_async.models import (
    AnsweredHumanRequest,
    HumanRequest,
    Message,
    MessagesPage,
    Run,
    StopResult,
)
from duvo_async.models.human_requests import joined
from duvo_async.models.runs import FollowedRun

MAX_PAGE_SIZE = 50
"""Messages a page (API reference, "Get Run Messages"; one guide says 100)."""

# Made once: they are what is read most.
_read_started = one("run", Run)
_read_followed: Callable[[Response], tuple[FollowedRun, ...]] = one("data", tuple[FollowedRun, ...])
_read_messages = body(MessagesPage)


def health(routes: Routes) -> Call[bool]:
    """Ask whether the API is up. Its body is not documented, so any 2xx says yes."""
    return Call(Request(method="GET", path=routes.health()), lambda _: True)


def start_run(  # noqa: PLR0913 - the fields of the body
    routes: Routes,
    *,
    agent_id: str,
    message: str | None,
    sandbox_id: str | None,
    webhook_url: str | None,
    idempotency_key: str | None,
) -> Call[Run]:
    """Start a run."""
    fields = {
        "agent_id": filled("agent_id", agent_id),
        "message": None if message is None else filled("message", message),
        "sandbox_id": None if sandbox_id is None else filled("sandbox_id", sandbox_id),
        "webhook_url": None if webhook_url is None else web_address("webhook_url", webhook_url),
    }
    return Call(
        post(routes.runs(), fields, idempotency_key),
        _read_started,
    )


def get_run(routes: Routes, run_id: str) -> Call[Run]:
    """Read a run with the request that it waits for."""
    return Call(Request("GET", routes.run(run_id)), _read_run)


@frozen(kw_only=True)
class _Answer:
    """A run that is there, and beside it the request that it waits for."""

    run: Run
    pending_human_request: HumanRequest | None = None


def _read_run(response: Response) -> Run:
    try:
        found = decoded(response.body, _Answer)
    except DecodeProblem:
        value = parse_json(response.body)
        if isinstance(value, dict) and "run" in value and value["run"] is None:
            raise GoneProblem(("the run no longer exists (the API sent null for it)",)) from None
        raise
    pending = found.pending_human_request
    return found.run if pending is None else evolve(found.run, pending_human_request=pending)


def list_runs(
    routes: Routes, *, since: datetime, offset: int, limit: int
) -> Call[tuple[FollowedRun, ...]]:
    """Read a page of the list of runs, in the order of their creation, to follow them."""
    query = (
        ("limit", str(limit)),
        ("offset", str(offset)),
        ("sort_by", "created_at"),
        ("sort_order", "asc"),
        ("since", moment(since)),
    )
    request = Request(method="GET", path=routes.runs(), query=query)
    return Call(request, _read_followed)


def list_messages(routes: Routes, run_id: str, *, limit: int, offset: int) -> Call[MessagesPage]:
    """Read a page of a run's messages."""
    whole("limit", limit, least=1, most=MAX_PAGE_SIZE)
    whole("offset", offset, least=0)
    query = (("limit", str(limit)), ("offset", str(offset)))
    return Call(Request("GET", routes.messages(run_id), query), _read_messages)


def post_message(
    routes: Routes, run_id: str, *, message: str, idempotency_key: str | None
) -> Call[Message]:
    """Say something to a run."""
    fields = {"message": filled("message", message)}
    return Call(
        post(routes.messages(run_id), fields, idempotency_key),
        one("message", Message),
    )


def respond(  # noqa: PLR0913 - the parts of the path and the fields of the body
    routes: Routes,
    run_id: str,
    request_id: str,
    *,
    approved: bool | None,
    answers: Mapping[str, str | Sequence[str]] | None,
    idempotency_key: str | None,
) -> Call[AnsweredHumanRequest]:
    """Answer a run's human request."""
    if (approved is None) == (answers is None):
        raise ValueError("give approved or answers: exactly one of them")
    if approved is not None and not isinstance(approved, bool):
        raise TypeError(f"approved must be True or False, not {approved!r}")
    fields = {"approved": approved, "answers": None if answers is None else _texts(answers)}
    return Call(
        post(routes.respond(run_id, request_id), fields, idempotency_key),
        one("human_request", AnsweredHumanRequest),
    )


def _texts(answers: Mapping[str, str | Sequence[str]]) -> dict[str, str]:
    if not isinstance(answers, Mapping):
        raise TypeError("answers must map each question's text to its answer")
    if not answers:
        raise ValueError("answers must not be empty")
    return {filled("a question", text): joined(answer) for text, answer in answers.items()}


def stop_run(routes: Routes, run_id: str, *, idempotency_key: str | None) -> Call[StopResult]:
    """Stop a run."""
    return Call(
        Request(method="POST", path=routes.stop(run_id), idempotency_key=idempotency_key),
        body(StopResult),
    )
