import json
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duvo_async import _operations as operations
from duvo_async._bodies import ByteStream
from duvo_async._protocol import Call, Request
from duvo_async._routes import Routes
from tests.support.properties import unhurried

V1 = Routes("v1")
V2 = Routes("v2", "team-7")


async def no_blocks() -> AsyncGenerator[bytes, None]:
    yield b""


FORM = ByteStream(size=1, content_type="text/plain", blocks=no_blocks, data=b"a")
NOON = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
Make: TypeAlias = Callable[..., Call[Any]]


def start_run(routes: Routes = V1, **given_: Any) -> Call[Any]:  # noqa: ANN401
    fields: dict[str, Any] = {
        "agent_id": "agent-1",
        "message": None,
        "sandbox_id": None,
        "webhook_url": None,
        "idempotency_key": None,
    }
    return operations.start_run(routes, **{**fields, **given_})


def list_runs(routes: Routes = V1, **given_: Any) -> Call[Any]:  # noqa: ANN401
    page: dict[str, Any] = {"since": NOON, "offset": 0, "limit": 100}
    return operations.list_runs(routes, **{**page, **given_})


def list_messages(routes: Routes = V1, **given_: Any) -> Call[Any]:  # noqa: ANN401
    return operations.list_messages(routes, "run-1", **{"limit": 50, "offset": 0, **given_})


def post_message(routes: Routes = V1, **given_: Any) -> Call[Any]:  # noqa: ANN401
    fields: dict[str, Any] = {"message": "go on", "idempotency_key": None}
    return operations.post_message(routes, "run-1", **{**fields, **given_})


def respond(routes: Routes = V1, **given_: Any) -> Call[Any]:  # noqa: ANN401
    fields: dict[str, Any] = {"approved": None, "answers": None, "idempotency_key": None}
    return operations.respond(routes, "run-1", "request-1", **{**fields, **given_})


def create_upload_url(routes: Routes = V1, **given_: Any) -> Call[Any]:  # noqa: ANN401
    fields: dict[str, Any] = {"path": "/workspace/a", "idempotency_key": None}
    return operations.create_upload_url(routes, "sandbox-1", **{**fields, **given_})


def list_files(routes: Routes = V1, path: Any = "/workspace") -> Call[Any]:  # noqa: ANN401
    return operations.list_files(routes, "sandbox-1", path=path)


def upload_file(routes: Routes = V1) -> Call[Any]:
    return operations.upload_file(routes, "sandbox-1", FORM)


def stop_run(routes: Routes = V1, idempotency_key: str | None = None) -> Call[Any]:
    return operations.stop_run(routes, "run-1", idempotency_key=idempotency_key)


def create_sandbox(routes: Routes = V1, idempotency_key: str | None = None) -> Call[Any]:
    return operations.create_sandbox(routes, idempotency_key=idempotency_key)


def get_run(routes: Routes = V1) -> Call[Any]:
    return operations.get_run(routes, "run-1")


def health(routes: Routes = V1) -> Call[Any]:
    return operations.health(routes)


def body_of(call: Call[Any]) -> Any:  # noqa: ANN401 - JSON
    assert isinstance(call.request.body, bytes)
    return json.loads(call.request.body)


# --- what is sent --------------------------------------------------------------------------------

PLACES: list[tuple[Make, str, str, str]] = [
    (health, "GET", "/v1/health", "/v1/health"),
    (start_run, "POST", "/v1/runs", "/v2/teams/team-7/runs"),
    (get_run, "GET", "/v1/runs/run-1", "/v2/runs/run-1"),
    (list_runs, "GET", "/v1/runs", "/v2/teams/team-7/runs"),
    (list_messages, "GET", "/v1/runs/run-1/messages", "/v2/runs/run-1/messages"),
    (post_message, "POST", "/v1/runs/run-1/messages", "/v2/runs/run-1/messages"),
    (
        lambda routes: respond(routes, approved=True),
        "POST",
        "/v1/runs/run-1/human-requests/request-1/respond",
        "/v2/runs/run-1/human-requests/request-1/respond",
    ),
    (stop_run, "POST", "/v1/runs/run-1/stop", "/v2/runs/run-1/stop"),
    (create_sandbox, "POST", "/v1/sandboxes", "/v2/sandboxes"),
    (
        create_upload_url,
        "POST",
        "/v1/sandboxes/sandbox-1/upload-urls",
        "/v2/sandboxes/sandbox-1/upload-urls",
    ),
    (list_files, "GET", "/v1/sandboxes/sandbox-1/files", "/v2/sandboxes/sandbox-1/files"),
    (upload_file, "POST", "/v1/sandboxes/sandbox-1/files", "/v2/sandboxes/sandbox-1/files"),
]


@pytest.mark.parametrize(("make", "method", "v1", "v2"), PLACES)
def test_an_operation_has_a_method_and_a_path(make: Make, method: str, v1: str, v2: str) -> None:
    for routes, path in ((V1, v1), (V2, v2)):
        request = make(routes).request
        assert (request.method, request.path) == (method, path)
        assert request.signed_url is None


@pytest.mark.parametrize(("make", "method", "v1", "v2"), PLACES)
def test_the_generations_differ_in_their_paths_alone(
    make: Make, method: str, v1: str, v2: str
) -> None:
    first, second = make(V1).request, make(V2).request
    assert (first.query, first.body) == (second.query, second.body)
    assert first.mutates is second.mutates is (method == "POST")
    assert (v1 == v2) is (make is health)  # which no document has in v2


@pytest.mark.parametrize("make", [health, get_run])
def test_reading_sends_nothing_but_the_path(make: Make) -> None:
    request = make().request
    assert request == Request(method="GET", path=request.path)


@pytest.mark.parametrize("make", [stop_run, create_sandbox])
def test_some_calls_have_no_body(make: Make) -> None:
    request = make(idempotency_key="key-1").request
    assert request == Request(method="POST", path=request.path, idempotency_key="key-1")


@pytest.mark.parametrize(
    "make",
    [
        start_run,
        post_message,
        lambda **given_: respond(approved=True, **given_),
        stop_run,
        create_sandbox,
        create_upload_url,
    ],
)
def test_a_mutating_call_takes_an_idempotency_key(make: Make) -> None:
    assert make(idempotency_key="key-1").request.idempotency_key == "key-1"
    assert make(idempotency_key=None).request.idempotency_key is None
    assert make(idempotency_key="key-1").request.body == make().request.body


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({}, {"agent_id": "agent-1"}),
        ({"message": "go"}, {"agent_id": "agent-1", "message": "go"}),
        ({"sandbox_id": "s"}, {"agent_id": "agent-1", "sandbox_id": "s"}),
        (
            {"webhook_url": "https://me.test/hook"},
            {"agent_id": "agent-1", "webhook_url": "https://me.test/hook"},
        ),
        (
            {"message": " é\n", "sandbox_id": "s", "webhook_url": "https://me.test/"},
            {
                "agent_id": "agent-1",
                "message": " é\n",
                "sandbox_id": "s",
                "webhook_url": "https://me.test/",
            },
        ),
    ],
)
def test_a_run_is_started_with_what_was_given(fields: dict[str, Any], body: dict[str, str]) -> None:
    assert body_of(start_run(**fields)) == body


def test_a_message_is_all_that_is_posted() -> None:
    assert body_of(post_message(message=" two\nlines ")) == {"message": " two\nlines "}


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({"approved": True}, {"approved": True}),
        ({"approved": False}, {"approved": False}),
        ({"answers": {"Year?": "2026"}}, {"answers": {"Year?": "2026"}}),
        ({"answers": {"Unit?": ["EUR"]}}, {"answers": {"Unit?": "EUR"}}),
        (
            {"answers": {"Year?": "2026", "Sheets?": ("B", "A")}},
            {"answers": {"Year?": "2026", "Sheets?": "B,A"}},
        ),
    ],
)
def test_a_response_is_a_decision_or_answers(
    fields: dict[str, Any], body: dict[str, object]
) -> None:
    assert body_of(respond(**fields)) == body


def test_an_upload_url_is_asked_for_a_path() -> None:
    assert body_of(create_upload_url(path="/workspace/é b.csv")) == {"path": "/workspace/é b.csv"}


@pytest.mark.parametrize("path", ["/workspace", "a b/ü?&=#", "."])
def test_a_directory_is_listed_by_its_path(path: str) -> None:
    request = list_files(path=path).request
    assert request.query == (("path", path),)
    assert request.body is None


@pytest.mark.parametrize(("limit", "offset"), [(1, 0), (50, 0), (20, 1), (7, 10**9)])
def test_a_page_is_asked_for_by_limit_and_offset(limit: int, offset: int) -> None:
    request = list_messages(limit=limit, offset=offset).request
    assert sorted(request.query) == [("limit", str(limit)), ("offset", str(offset))]
    assert request.body is None


@pytest.mark.parametrize(
    ("since", "text"),
    [
        (NOON, "2026-07-01T12:00:00.000Z"),
        (NOON + timedelta(milliseconds=7), "2026-07-01T12:00:00.007Z"),
        (NOON - timedelta(microseconds=1), "2026-07-01T11:59:59.999Z"),  # never later than asked
        (NOON.astimezone(timezone(timedelta(hours=-9, minutes=-30))), "2026-07-01T12:00:00.000Z"),
    ],
)
def test_runs_are_listed_in_the_order_of_their_creation(since: datetime, text: str) -> None:
    request = list_runs(since=since, offset=200, limit=7).request
    assert dict(request.query) == {
        "since": text,
        "sort_by": "created_at",
        "sort_order": "asc",
        "offset": "200",
        "limit": "7",
    }
    assert len(request.query) == 5
    assert request.body is None


def test_a_file_is_sent_as_a_form() -> None:
    request = upload_file().request
    assert request.body is FORM
    assert request.query == ()


texts = st.text(st.characters(codec="utf-8")).filter(str.strip)


@unhurried
@given(
    agent_id=texts,
    message=st.none() | texts,
    sandbox_id=st.none() | texts,
    answers=st.dictionaries(texts, texts | st.lists(texts, min_size=1), min_size=1),
)
def test_no_body_holds_a_null_or_loses_a_character(
    agent_id: str,
    message: str | None,
    sandbox_id: str | None,
    answers: dict[str, str | list[str]],
) -> None:
    started: dict[str, Any] = {"agent_id": agent_id, "message": message, "sandbox_id": sandbox_id}
    assert body_of(start_run(**started)) == {
        name: text for name, text in started.items() if text is not None
    }
    assert body_of(respond(answers=answers)) == {
        "answers": {
            question: answer if isinstance(answer, str) else ",".join(answer)
            for question, answer in answers.items()
        }
    }


# --- what is refused -----------------------------------------------------------------------------

BLANK = ["", " ", "\n\t"]
NO_TEXT = [7, 1.5, True, b"text", ["text"], {}]


@pytest.mark.parametrize("text", BLANK)
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (start_run, "agent_id"),
        (start_run, "message"),
        (start_run, "sandbox_id"),
        (start_run, "webhook_url"),
        (post_message, "message"),
        (create_upload_url, "path"),
        (list_files, "path"),
    ],
)
def test_a_text_that_is_empty_is_refused(make: Make, name: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must"):
        make(**{name: text})


@pytest.mark.parametrize("value", NO_TEXT)
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (start_run, "agent_id"),
        (start_run, "message"),
        (start_run, "sandbox_id"),
        (start_run, "webhook_url"),
        (post_message, "message"),
        (create_upload_url, "path"),
        (list_files, "path"),
    ],
)
def test_what_is_no_text_is_refused(make: Make, name: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"^{name} must be a string, not"):
        make(**{name: value})


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (start_run, "agent_id"),
        (post_message, "message"),
        (create_upload_url, "path"),
        (list_files, "path"),
    ],
)
def test_what_is_required_is_not_none(make: Make, name: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^{name} must"):
        make(**{name: None})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", 0),
        ("limit", 51),
        ("limit", -1),
        ("limit", 10**9),
        ("offset", -1),
        ("offset", -(10**9)),
    ],
)
def test_a_page_outside_its_bounds_is_refused(name: str, value: int) -> None:
    page: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=rf"^{name} must be at least .* not {value}$"):
        list_messages(**page)


@pytest.mark.parametrize("name", ["limit", "offset"])
@pytest.mark.parametrize("value", [True, False, 1.0, "1", None, b"1", [1]])
def test_a_page_is_counted_in_whole_numbers(name: str, value: object) -> None:
    page: dict[str, Any] = {name: value}
    with pytest.raises(TypeError, match=f"^{name} must be a whole number"):
        list_messages(**page)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"approved": True, "answers": {"Year?": "2026"}},
        {"approved": False, "answers": {"Year?": "2026"}},
        {"approved": True, "answers": {}},
        {"answers": {}},
        {"answers": {"Year?": ""}},
        {"answers": {"Year?": " "}},
        {"answers": {"Year?": []}},
        {"answers": {"Year?": ["2026", ""]}},
        {"answers": {"Year?": "2026", "Unit?": ()}},
    ],
)
def test_a_response_says_one_thing_and_says_it_in_full(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"exactly one of them|must not be empty"):
        respond(**fields)


@pytest.mark.parametrize("value", [0, 1, "yes", "true", 1.0, b"", []])
def test_a_decision_is_true_or_false(value: object) -> None:
    with pytest.raises(TypeError, match="approved must be True or False"):
        respond(approved=value)


@pytest.mark.parametrize("answer", [None, 2026, True, b"2026", [2026], ["2026", None], {"2026"}])
def test_an_answer_is_a_text_or_several(answer: object) -> None:
    with pytest.raises(TypeError, match="a text or a sequence of texts"):
        respond(answers={"Year?": answer})


@pytest.mark.parametrize("answers", ["Year?", ["Year?"], ("Year?",), {"Year?"}, 7, True])
def test_answers_are_a_mapping(answers: object) -> None:
    with pytest.raises(TypeError, match="answers"):
        respond(answers=answers)


@pytest.mark.parametrize("question", [1, None, True, 1.5, b"Year?", ("Year?",)])
def test_a_question_is_a_text(question: object) -> None:
    with pytest.raises(TypeError):
        respond(answers={question: "2026"})


@pytest.mark.parametrize("text", ["", "a/b", ".."])
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda text: operations.get_run(V1, text), "run_id"),
        (lambda text: operations.list_messages(V1, text, limit=1, offset=0), "run_id"),
        (
            lambda text: operations.post_message(V1, text, message="m", idempotency_key=None),
            "run_id",
        ),
        (
            lambda text: operations.respond(
                V1, text, "q", approved=True, answers=None, idempotency_key=None
            ),
            "run_id",
        ),
        (
            lambda text: operations.respond(
                V1, "r", text, approved=True, answers=None, idempotency_key=None
            ),
            "request_id",
        ),
        (lambda text: operations.stop_run(V1, text, idempotency_key=None), "run_id"),
        (
            lambda text: operations.create_upload_url(V1, text, path="a", idempotency_key=None),
            "sandbox_id",
        ),
        (lambda text: operations.list_files(V1, text, path="/workspace"), "sandbox_id"),
        (lambda text: operations.upload_file(V1, text, FORM), "sandbox_id"),
    ],
)
def test_an_id_that_is_none_is_refused_by_name(make: Make, name: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} .*is not an id"):
        make(text)


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
@pytest.mark.parametrize(
    "make",
    [
        lambda text: start_run(message=text),
        lambda text: post_message(message=text),
        lambda text: respond(answers={"Year?": text}),
        lambda text: create_upload_url(path=text),
        lambda text: operations.get_run(V1, text),
    ],
)
def test_what_has_no_utf_8_is_refused_before_it_is_sent(make: Make, text: str) -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        make(text)
