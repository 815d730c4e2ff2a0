import copy
import pickle
import re
from datetime import UTC, datetime
from inspect import getmembers, isclass
from typing import Any

import pytest

import duvo_async
from duvo_async import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadGatewayError,
    BadRequestError,
    ClientClosedError,
    ConfigurationError,
    ConflictError,
    CredentialsError,
    DownloadTargetError,
    DurableRunError,
    DuvoError,
    HumanRequest,
    HumanRequestPending,
    HumanRequestType,
    JournalError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    Question,
    RateLimitError,
    ResponseDecodeError,
    Run,
    RunError,
    RunFailed,
    RunStatus,
    ServerError,
    UnprocessableEntityError,
    UnsupportedOperation,
    UploadSourceError,
    WaitTimeout,
    WebhookError,
    WebhookPayloadError,
    WebhookVerificationError,
    errors,
)
from duvo_async.errors import class_for_status

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
RUN = Run(
    id="run-1",
    agent_id="agent-1",
    build_id="build-1",
    status=RunStatus("brand_new"),
    source="api",
    sandbox_id=None,
    started_at=NOON,
    completed_at=None,
    created_at=NOON,
    updated_at=NOON,
    human_in_the_loop_enabled=True,
)
APPROVAL = HumanRequest(
    id="request-1",
    title="Post the totals?",
    description=None,
    created_at=NOON,
    type=HumanRequestType.APPROVAL,
)
FORM = HumanRequest(
    id="request-2",
    title="Month end",
    description="More",
    created_at=NOON,
    type=HumanRequestType.QUESTION,
    questions=(Question(question="Which year?"),),
)
STATUS_ERRORS: dict[type[APIStatusError], int] = {
    APIStatusError: 418,
    BadRequestError: 400,
    AuthenticationError: 401,
    PermissionDeniedError: 403,
    NotFoundError: 404,
    ConflictError: 409,
    PayloadTooLargeError: 413,
    UnprocessableEntityError: 422,
    RateLimitError: 429,
    ServerError: 503,
    BadGatewayError: 502,
}


def status_error(kind: type[APIStatusError], **other: Any) -> APIStatusError:  # noqa: ANN401
    facts: dict[str, Any] = {
        "status": STATUS_ERRORS[kind],
        "reason": "Some Reason",
        "method": "POST",
        "path": "/v1/runs",
        "code": "some_code",
        "message": "Some words",
        "request_id": "req-1",
        "details": {"field": ["agent_id", None]},
        "retry_after": 2.5,
        "idempotency_key": "key-1",
        "attempts": 3,
    }
    return kind(**{**facts, **other})


CALL: dict[str, Any] = {
    "method": "POST",
    "path": "/v1/runs",
    "idempotency_key": "key-1",
    "attempts": 3,
}
EXAMPLES: list[DuvoError] = [
    DuvoError("words"),
    ConfigurationError("words"),
    CredentialsError("words"),
    ClientClosedError("words"),
    UnsupportedOperation("teams", version="v2"),
    UploadSourceError("words"),
    DownloadTargetError("words"),
    JournalError("words", path="batch.journal"),
    DurableRunError("Workflow cancelled", workflow_id="invoice-7"),
    APIError("words", **CALL),
    APIConnectionError("words", **CALL),
    APITimeoutError("words", **CALL),
    ResponseDecodeError(("expected a string @ $.run.id", "more"), **CALL, request_id="req-1"),
    *(status_error(kind) for kind in STATUS_ERRORS),
    RunError("words", run_id="run-1"),
    RunFailed(RUN),
    HumanRequestPending(RUN, FORM),
    WaitTimeout("run-1", run=RUN, timeout=900),
    WebhookError("words"),
    WebhookVerificationError("timestamp_too_old", "words"),
    WebhookPayloadError(("required field missing @ $.run_id", "more")),
]
LINE = re.compile(
    r"^(?P<branch>(?:│   |    )*(?:[├└]── )?)(?P<name>[A-Z]\w+)(?: {2,}(?P<note>.*))?$"
)


def drawn_tree() -> dict[str, tuple[str | None, str]]:
    """Read the drawing: each name's parent and the words beside it."""
    drawing = (errors.__doc__ or "").split("\n\n")[1]
    above: list[str] = []
    tree: dict[str, tuple[str | None, str]] = {}
    for line in drawing.splitlines():
        match = LINE.match(line.removeprefix("    "))
        assert match is not None, line
        depth = len(match["branch"]) // 4
        del above[depth:]
        tree[match["name"]] = (above[-1] if above else None, match["note"] or "")
        above.append(match["name"])
    return tree


def error_classes() -> list[type[DuvoError]]:
    return [each for _, each in getmembers(errors, isclass) if issubclass(each, DuvoError)]


# --- the tree ------------------------------------------------------------------------------------


def test_the_drawn_tree_is_the_real_one() -> None:
    real = {
        each.__name__: next(
            (base.__name__ for base in each.__bases__ if issubclass(base, DuvoError)), None
        )
        for each in error_classes()
    }
    assert {name: parent for name, (parent, _) in drawn_tree().items()} == real


def test_the_drawing_names_the_builtin_bases() -> None:
    drawn = {
        name: match[1]
        for name, (_, note) in drawn_tree().items()
        if (match := re.search(r"\(also an? (\w+)\)", note))
    }
    real = {
        each.__name__: base.__name__
        for each in error_classes()
        for base in each.__bases__
        if base is not Exception and not issubclass(base, DuvoError)
    }
    assert drawn == real


def test_the_drawing_names_the_statuses() -> None:
    for name, (_, note) in drawn_tree().items():
        if match := re.fullmatch(r"(\d{3}|5xx)", note):
            status = int(match[1].replace("5xx", "599"))
            assert class_for_status(status).__name__ == name
    assert sum(note[:1].isdigit() for _, note in drawn_tree().values()) == 10


def test_every_error_is_exported_and_has_an_example() -> None:
    assert {type(example) for example in EXAMPLES} == set(error_classes())
    for each in error_classes():
        assert getattr(duvo_async, each.__name__) is each
        assert each.__name__ in duvo_async.__all__


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (ConfigurationError, ValueError),
        (CredentialsError, ValueError),
        (UploadSourceError, ValueError),
        (APITimeoutError, TimeoutError),
        (WaitTimeout, TimeoutError),
    ],
)
def test_some_errors_are_builtin_ones_too(kind: type[DuvoError], builtin: type[Exception]) -> None:
    example = next(each for each in EXAMPLES if type(each) is kind)
    with pytest.raises(builtin):
        raise example
    with pytest.raises(DuvoError):
        raise example


# --- errors as data ------------------------------------------------------------------------------


def copies(error: DuvoError) -> list[DuvoError]:
    pickled = [
        pickle.loads(pickle.dumps(error, protocol))  # noqa: S301 - our own
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ]
    return [*pickled, copy.copy(error), copy.deepcopy(error)]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda each: type(each).__name__)
def test_an_error_pickles_and_copies_with_all_it_says(error: DuvoError) -> None:
    for other in copies(error):
        assert type(other) is type(error)
        assert str(other) == str(error)
        assert repr(other) == repr(error)
        assert other.args == error.args
        assert vars(other) == vars(error)
        assert other is not error


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda each: type(each).__name__)
def test_the_notes_of_an_error_go_with_it(error: DuvoError) -> None:
    noted = copy.copy(error)
    noted.add_note("while reconciling")
    for other in copies(noted):
        assert other.__notes__ == ["while reconciling"]
    assert not hasattr(error, "__notes__")


def test_a_copy_can_be_raised_and_copied_again() -> None:
    again = pickle.loads(pickle.dumps(copy.copy(status_error(RateLimitError))))  # noqa: S301
    with pytest.raises(RateLimitError, match="429") as caught:
        raise again
    assert caught.value.retry_after == 2.5


class _OwnError(RunFailed):
    """One of a user's own."""

    def __init__(self, run: Run, team: str) -> None:
        super().__init__(run)
        self.team = team


def test_a_users_subclass_copies() -> None:
    other = copy.copy(_OwnError(RUN, "team-1"))
    assert type(other) is _OwnError
    assert (other.run, other.team) == (RUN, "team-1")


@pytest.mark.parametrize("kind", STATUS_ERRORS)
def test_a_status_error_keeps_its_facts(kind: type[APIStatusError]) -> None:
    assert vars(status_error(kind)) == {
        "method": "POST",
        "path": "/v1/runs",
        "idempotency_key": "key-1",
        "attempts": 3,
        "may_have_been_done": STATUS_ERRORS[kind] >= 500,
        "status": STATUS_ERRORS[kind],
        "code": "some_code",
        "message": "Some words",
        "request_id": "req-1",
        "details": {"field": ["agent_id", None]},
        "retry_after": 2.5,
    }


def test_facts_that_nobody_gave_are_none() -> None:
    error = APIStatusError(status=418, reason="Teapot", method="GET", path="/v1/runs/r")
    facts = ("code", "message", "request_id", "details", "retry_after", "idempotency_key")
    assert {getattr(error, name) for name in facts} == {None}
    assert error.attempts == 1


# --- one class a status --------------------------------------------------------------------------


@pytest.mark.parametrize("status", range(100, 600))
def test_each_status_has_its_class(status: int) -> None:
    own = {number: kind for kind, number in STATUS_ERRORS.items() if number not in {418, 503}}
    fallback = ServerError if status >= 500 else APIStatusError
    assert class_for_status(status) is own.get(status, fallback)


# --- messages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", STATUS_ERRORS)
def test_a_status_error_says_what_happened(kind: type[APIStatusError]) -> None:
    text = str(status_error(kind))
    assert text.startswith(f"POST /v1/runs: {STATUS_ERRORS[kind]} some_code: Some words")
    assert "req-1" in text
    assert "3 attempts" in text


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "some_code: Some words"),
        ({"code": None}, "Some words"),
        ({"message": None}, "some_code"),
        ({"code": "", "message": ""}, "Some Reason"),
        ({"code": None, "message": None}, "Some Reason"),
        ({"code": "Same", "message": "Same"}, "Same"),
    ],
)
def test_a_status_error_says_the_most_that_is_known(facts: dict[str, Any], said: str) -> None:
    error = status_error(BadRequestError, **facts, request_id=None, attempts=1)
    assert str(error) == f"POST /v1/runs: 400 {said}"


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda each: type(each).__name__)
def test_attempts_are_told_when_there_were_several(error: DuvoError) -> None:
    if not isinstance(error, APIError):
        assert "attempts" not in str(error)
        return
    once = copy.copy(error)
    once.attempts = 1
    assert "3 attempts" in str(error)
    assert "attempts" not in str(once)


@pytest.mark.parametrize(
    "kind", [APIConnectionError, APITimeoutError, ServerError, BadGatewayError]
)
def test_what_may_have_been_done_says_how_to_repeat_it(kind: type[APIError]) -> None:
    error = next(each for each in EXAMPLES if type(each) is kind)
    assert "The run may have started all the same" in str(error)
    assert "idempotency_key='key-1'" in str(error)
    error = copy.copy(error)
    error.method = "PUT"
    assert "It may have been done all the same" in str(error)


@pytest.mark.parametrize("path", ["/v1/runs", "/v2/teams/t/runs"])
def test_of_a_start_it_says_that_the_run_may_have_started(path: str) -> None:
    start = APIConnectionError("gone", method="POST", path=path, idempotency_key="key-1")
    assert "The run may have started all the same" in str(start)
    assert "idempotency_key='key-1'" in str(start)
    start.may_have_been_done = False
    assert "may have" not in str(start)


def test_an_answer_that_cannot_be_read_says_how_to_repeat_the_call() -> None:
    text = str(ResponseDecodeError(("p",), **CALL))
    assert "idempotency_key='key-1'" in text


@pytest.mark.parametrize(
    "kind", [APIConnectionError, APITimeoutError, ServerError, BadGatewayError, ResponseDecodeError]
)
def test_a_call_without_a_key_does_not_speak_of_one(kind: type[APIError]) -> None:
    error = copy.copy(next(each for each in EXAMPLES if type(each) is kind))
    error.idempotency_key = None
    assert "idempotency" not in str(error)
    assert "may have been done" not in str(error)


@pytest.mark.parametrize("kind", [k for k in STATUS_ERRORS if not issubclass(k, ServerError)])
def test_what_was_refused_was_not_done(kind: type[APIStatusError]) -> None:
    assert "may have been done" not in str(status_error(kind))


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        (AuthenticationError, "DUVO_API_KEY"),
        (PermissionDeniedError, "scope"),
        (RateLimitError, "same key"),
    ],
)
def test_some_statuses_say_what_to_do(kind: type[APIStatusError], advice: str) -> None:
    assert advice in str(status_error(kind))


def test_an_answer_that_cannot_be_read_names_every_problem() -> None:
    error = ResponseDecodeError(("first @ $.run.id", "second @ $.run.status"), **CALL)
    assert str(error).startswith("POST /v1/runs: ")
    assert "first @ $.run.id" in str(error)
    assert "second @ $.run.status" in str(error)
    assert error.problems == ("first @ $.run.id", "second @ $.run.status")


def test_an_answer_that_cannot_be_read_shows_its_request_id() -> None:
    error = ResponseDecodeError(("p",), **CALL, request_id="req-1")
    assert error.request_id == "req-1"
    assert "req-1" in str(error)


def test_a_connection_error_says_what_was_asked() -> None:
    error = APIConnectionError("connection refused", method="GET", path="/v1/runs/r")
    assert str(error) == "GET /v1/runs/r: connection refused"


@pytest.mark.parametrize(
    ("request_", "way"),
    [(APPROVAL, "pending.request.approve()"), (FORM, "pending.request.answer({")],
)
def test_a_pending_request_says_how_to_answer_it(request_: HumanRequest, way: str) -> None:
    error = HumanRequestPending(RUN, request_)
    assert (error.run, error.request, error.run_id) == (RUN, request_, "run-1")
    assert "run-1" in str(error)
    assert request_.title in str(error)
    assert way in str(error)
    assert "on_human_request" in str(error)


@pytest.mark.parametrize(("run", "state"), [(RUN, "brand_new"), (None, "nothing is known")])
def test_a_wait_timeout_says_that_the_run_goes_on(run: Run | None, state: str) -> None:
    error = WaitTimeout("run-1", run=run, timeout=900)
    assert (error.run_id, error.run, error.timeout) == ("run-1", run, 900)
    assert "run-1 did not end within 900 s" in str(error)
    assert state in str(error)
    assert "goes on" in str(error)
