import json
import math
from collections.abc import AsyncGenerator, Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, TypeAlias

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duvo_async import (
    HumanRequest,
    HumanRequestType,
    Message,
    MessagesPage,
    Question,
    Run,
    RunStatus,
    Sandbox,
    SandboxFile,
    SandboxFileType,
    StopResult,
    UploadUrl,
    models,
)
from duvo_async import _operations as operations
from duvo_async._bodies import ByteStream
from duvo_async._converter import DecodeProblem, GoneProblem, structure
from duvo_async._protocol import Call, Response, member, parse_json
from duvo_async._routes import Routes
from tests.support import bodies
from tests.support.bodies import Anything, Many, Maybe, Place, Thing
from tests.support.properties import unhurried

ROUTES = Routes("v1")


async def no_blocks() -> AsyncGenerator[bytes, None]:
    yield b""


FORM = ByteStream(size=1, content_type="text/plain", blocks=no_blocks, data=b"a")
SUMMARY = Thing(
    {
        name: kind
        for name, kind in bodies.RUN.required.items()
        if name not in {"source", "sandbox_id", "human_in_the_loop_enabled"}
    },
    {"source": Maybe(bodies.Text()), "title": Maybe(bodies.Text())},
)
RUNS_BODY = Thing({"data": Many(SUMMARY)})
CALLS: dict[str, tuple[Call[Any], Thing]] = {
    "start_run": (
        operations.start_run(
            ROUTES,
            agent_id="agent-1",
            message=None,
            sandbox_id=None,
            webhook_url=None,
            idempotency_key=None,
        ),
        bodies.STARTED_BODY,
    ),
    "get_run": (operations.get_run(ROUTES, "r"), bodies.RUN_BODY),
    "list_runs": (
        operations.list_runs(
            ROUTES, since=datetime(2026, 7, 1, 12, tzinfo=UTC), offset=0, limit=100
        ),
        RUNS_BODY,
    ),
    "list_messages": (
        operations.list_messages(ROUTES, "r", limit=50, offset=0),
        bodies.MESSAGES_BODY,
    ),
    "post_message": (
        operations.post_message(ROUTES, "r", message="m", idempotency_key=None),
        bodies.MESSAGE_BODY,
    ),
    "respond": (
        operations.respond(ROUTES, "r", "q", approved=True, answers=None, idempotency_key=None),
        bodies.ANSWERED_BODY,
    ),
    "stop_run": (operations.stop_run(ROUTES, "r", idempotency_key=None), bodies.STOP_BODY),
    "create_sandbox": (
        operations.create_sandbox(ROUTES, idempotency_key=None),
        bodies.SANDBOX_BODY,
    ),
    "create_upload_url": (
        operations.create_upload_url(ROUTES, "s", path="a", idempotency_key=None),
        bodies.UPLOAD_URL_BODY,
    ),
    "list_files": (operations.list_files(ROUTES, "s", path="/workspace"), bodies.FILES_BODY),
    "upload_file": (
        operations.upload_file(ROUTES, "s", FORM),
        bodies.UPLOADED_BODY,
    ),
}
names = st.sampled_from(sorted(CALLS))
Body: TypeAlias = dict[str, Any]

RUN: Body = {
    "id": "run-1",
    "agent_id": "agent-1",
    "build_id": "build-1",
    "status": "running",
    "source": None,
    "sandbox_id": None,
    "started_at": None,
    "completed_at": None,
    "created_at": "2026-07-01T12:00:00Z",
    "updated_at": "2026-07-01T12:00:00Z",
    "human_in_the_loop_enabled": True,
}
HUMAN_REQUEST: Body = {
    "id": "request-1",
    "title": "t",
    "description": None,
    "created_at": "2026-07-01T12:00:00Z",
    "type": "question",
}
MESSAGE: Body = {
    "id": "m",
    "type": "text",
    "role": "user",
    "timestamp": "2026-07-01T12:00:00Z",
}
FILE: Body = {"name": "a", "path": "/workspace/a", "type": "file", "size_bytes": 3}
PAGE: Body = {"messages": [], "total": 0, "limit": 50, "offset": 0}


def answer(body: object) -> Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status=200, reason="OK", headers={}, body=data)


def problems(decode: Callable[[], object]) -> tuple[str, ...]:
    with pytest.raises(DecodeProblem) as caught:
        decode()
    assert caught.value.__cause__ is None
    return caught.value.problems


# --- one value at a time -------------------------------------------------------------------------

WRONG: list[tuple[type, object, str]] = [
    (str, 7, "a string, not a number"),
    (str, 1.5, "a string, not a number"),
    (str, True, "a string, not a boolean"),
    (str, None, "a string, not null"),
    (str, [], "a string, not an array"),
    (str, {}, "a string, not an object"),
    (int, "12", "a whole number, not a string"),
    (int, True, "a whole number, not a boolean"),
    (int, 12.5, "a whole number, not a number"),
    (int, math.nan, "a whole number, not a number"),
    (int, math.inf, "a whole number, not a number"),
    (int, None, "a whole number, not null"),
    (float, "1.5", "a number, not a string"),
    (float, True, "a number, not a boolean"),
    (float, None, "a number, not null"),
    (float, math.nan, "a finite number"),
    (float, math.inf, "a finite number"),
    (float, 10**400, "a finite number"),
    (bool, 1, "a boolean, not a number"),
    (bool, 0.0, "a boolean, not a number"),
    (bool, "true", "a boolean, not a string"),
    (bool, None, "a boolean, not null"),
    (datetime, 1_750_000_000, "a timestamp, not a number"),
    (datetime, None, "a timestamp, not null"),
    (datetime, "", "an ISO 8601 timestamp"),
    (datetime, "yesterday", "an ISO 8601 timestamp"),
    (datetime, "2026-13-01T00:00:00Z", "an ISO 8601 timestamp"),
    (datetime, "2026-02-30T00:00:00Z", "an ISO 8601 timestamp"),
    (datetime, "2026-07-01T25:00:00Z", "an ISO 8601 timestamp"),
    (datetime, "1750000000", "an ISO 8601 timestamp"),
    (RunStatus, 7, "a string, not a number"),
    (RunStatus, None, "a string, not null"),
    (SandboxFileType, ["file"], "a string, not an array"),
    (tuple[str, ...], "abc", "an array, not a string"),
    (tuple[str, ...], {}, "an array, not an object"),
    (tuple[str, ...], None, "an array, not null"),
    (StopResult, [], "an object, not an array"),
    (StopResult, "x", "an object, not a string"),
    (StopResult, None, "an object, not null"),
    (StopResult, 7, "an object, not a number"),
    (StopResult, [["success", True]], "an object, not an array"),
]


@pytest.mark.parametrize(("kind", "value", "text"), WRONG)
def test_a_value_of_another_type_is_a_problem(kind: type, value: Any, text: str) -> None:  # noqa: ANN401
    (problem,) = problems(lambda: structure(value, kind))
    assert problem.startswith(f"expected {text}")
    assert problem.endswith(" @ $")


@pytest.mark.parametrize(
    ("kind", "value", "made"),
    [
        (str, "", ""),
        (str, "text", "text"),
        (int, 12, 12),
        (int, 12.0, 12),
        (int, -0.0, 0),
        (int, 2**60, 2**60),
        (float, 3, 3.0),
        (float, 1.5, 1.5),
        (bool, False, False),
        (RunStatus, "waiting", RunStatus.WAITING),
        (RunStatus, "brand_new", "brand_new"),
        (HumanRequestType, "review", "review"),
        (SandboxFileType, "symlink", "symlink"),
        (tuple[int, ...], [1, 2.0], (1, 2)),
        (tuple[str, ...], [], ()),
    ],
)
def test_a_value_is_made_of_its_own_type(kind: type, value: Any, made: object) -> None:  # noqa: ANN401
    result: object = structure(value, kind)
    assert result == made
    assert type(result) is (kind if isinstance(kind, type) else tuple)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-07-01T12:00:00Z", datetime(2026, 7, 1, 12, tzinfo=UTC)),
        ("2026-07-01T12:00:00+00:00", datetime(2026, 7, 1, 12, tzinfo=UTC)),
        ("2026-07-01T12:00:00.250Z", datetime(2026, 7, 1, 12, 0, 0, 250_000, UTC)),
        ("2026-07-01T12:00:00.123456789Z", datetime(2026, 7, 1, 12, 0, 0, 123_456, UTC)),
        ("2026-07-01T14:00:00+02:00", datetime(2026, 7, 1, 12, tzinfo=UTC)),
        ("2026-07-01T06:30:00-05:30", datetime(2026, 7, 1, 12, tzinfo=UTC)),
        ("2026-07-01T12:00:00", datetime(2026, 7, 1, 12, tzinfo=UTC)),
        ("2026-07-01 12:00:00.5+00", datetime(2026, 7, 1, 12, 0, 0, 500_000, UTC)),
    ],
)
def test_a_timestamp_knows_its_zone(text: str, moment: datetime) -> None:
    made = structure(text, datetime)
    assert made == moment
    assert made.tzinfo is not None


def test_a_timestamp_keeps_the_offset_it_came_with() -> None:
    made = structure("2026-07-01T14:00:00+02:00", datetime)
    assert made.tzinfo == timezone(timedelta(hours=2))


@unhurried
@given(bodies.moments)
def test_every_timestamp_is_aware(text: str) -> None:
    assert structure(text, datetime).tzinfo is not None


@unhurried
@given(st.text())
def test_any_text_is_a_timestamp_or_a_problem(text: str) -> None:
    try:
        made, found = structure(text, datetime), None
    except DecodeProblem as problem:
        made, found = None, problem.problems
    if made is None:
        assert found == ("expected an ISO 8601 timestamp, not a string @ $",)
    else:
        assert made.tzinfo is not None


# --- models --------------------------------------------------------------------------------------


def test_unknown_fields_are_ignored() -> None:
    grown = {**RUN, "cost": 7, "": None, "is_terminal": "x", "pending": {"deep": []}}
    assert structure(grown, Run) == structure(RUN, Run)


@pytest.mark.parametrize("model", [HumanRequest, Run, Sandbox, UploadUrl, StopResult])
def test_every_missing_field_is_named(model: type) -> None:
    required = [each.name for each in attrs.fields(model) if each.default is attrs.NOTHING]
    assert problems(lambda: structure({}, model)) == tuple(
        f"required field missing @ $.{name}" for name in required
    )


@pytest.mark.parametrize(
    ("model", "body", "field", "empty"),
    [
        (HumanRequest, HUMAN_REQUEST, "questions", ()),
        (Question, {"question": "q"}, "header", None),
        (Question, {"question": "q"}, "options", ()),
        (Question, {"question": "q"}, "multi_select", False),
        (models.QuestionOption, {"label": "l"}, "description", None),
        (Message, MESSAGE, "text_content", None),
        (Message, MESSAGE, "tool_call", None),
        (Message, MESSAGE, "tool_result", None),
        (models.ToolCall, {"id": "c", "name": "n"}, "arguments", {}),
        (models.ToolResult, {"tool_call_id": "c"}, "result", None),
        (models.ToolResult, {"tool_call_id": "c"}, "error", None),
        (StopResult, {"success": True}, "message", None),
    ],
)
def test_null_in_an_optional_field_means_that_there_is_none(
    model: type, body: Body, field: str, empty: object
) -> None:
    assert getattr(structure(body, model), field) == empty
    assert getattr(structure({**body, field: None}, model), field) == empty


def test_what_is_the_users_own_is_left_as_it_is() -> None:
    own: Body = {"deep": [{"a": None}, 1.0, True, ""], "": {}}
    call = structure({"id": "c", "name": "n", "arguments": own}, models.ToolCall)
    assert call.arguments == own
    results: list[Any] = [own, [own], "text", 0, False, None, 12.0]
    for result in results:
        made = structure({"tool_call_id": "c", "result": result}, models.ToolResult)
        assert made.result == result
        assert type(made.result) is type(result)


def test_two_models_share_no_arguments() -> None:
    first, second = (structure({"id": "c", "name": "n"}, models.ToolCall) for _ in range(2))
    assert first.arguments is not second.arguments


@pytest.mark.parametrize("arguments", [[], "x", 7, True])
def test_arguments_are_an_object(arguments: object) -> None:
    body: Body = {"id": "c", "name": "n", "arguments": arguments}
    (problem,) = problems(lambda: structure(body, models.ToolCall))
    assert problem.startswith("expected an object, not ")
    assert problem.endswith(" @ $.arguments")


def test_problems_have_json_paths() -> None:
    page: Body = {
        "messages": [
            MESSAGE,
            {**MESSAGE, "id": 7, "tool_call": {"id": "c", "name": None}},
            {**MESSAGE, "tool_result": {}, "timestamp": "noon"},
            "message",
        ],
        "total": "3",
        "limit": 50,
    }
    assert set(problems(lambda: structure(page, MessagesPage))) == {
        "expected a string, not a number @ $.messages[1].id",
        "expected a string, not null @ $.messages[1].tool_call.name",
        "required field missing @ $.messages[2].tool_result.tool_call_id",
        "expected an ISO 8601 timestamp, not a string @ $.messages[2].timestamp",
        "expected an object, not a string @ $.messages[3]",
        "expected a whole number, not a string @ $.total",
        "required field missing @ $.offset",
    }


def test_a_path_starts_where_the_value_stands() -> None:
    assert problems(lambda: structure({"success": 1}, StopResult, "$.data[3]")) == (
        "expected a boolean, not a number @ $.data[3].success",
    )


def test_paths_go_through_nested_arrays() -> None:
    body = {**HUMAN_REQUEST, "questions": [{"question": "q", "options": [{"label": "a"}, {}]}]}
    assert problems(lambda: structure(body, HumanRequest)) == (
        "required field missing @ $.questions[0].options[1].label",
    )


# --- the member of an object ---------------------------------------------------------------------


def test_a_member_is_taken_out_of_its_object() -> None:
    assert member(b'{"n": 12.0, "more": []}', "n", int) == 12
    files = member(json.dumps({"files": [FILE]}).encode(), "files", tuple[SandboxFile, ...])
    assert [file.name for file in files] == ["a"]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "the body is empty @ $"),
        (b"<html>", "the body (6 bytes) is not JSON @ $"),
        (b'{"run": ', "the body (8 bytes) is not JSON @ $"),
        (b"\xff\xfe", "the body (2 bytes) is not JSON @ $"),
        (b"[]", "expected an object @ $"),
        (b"null", "expected an object @ $"),
        (b'"run"', "expected an object @ $"),
        (b"7", "expected an object @ $"),
        (b"{}", "required field missing @ $.run"),
        (b'{"Run": {}}', "required field missing @ $.run"),
        (b'{"run": null}', "expected an object, not null @ $.run"),
        (b'{"run": []}', "expected an object, not an array @ $.run"),
    ],
)
def test_an_object_without_its_member_is_a_problem(body: bytes, problem: str) -> None:
    assert problems(lambda: member(body, "run", Run)) == (problem,)


def test_the_path_of_a_members_problem_names_the_member() -> None:
    body = json.dumps({"run": {**RUN, "id": None}}).encode()
    assert problems(lambda: member(body, "run", Run)) == ("expected a string, not null @ $.run.id",)


def test_the_size_of_what_is_not_json_is_told() -> None:
    assert problems(lambda: parse_json(b"x" * 12_345)) == (
        "the body (12,345 bytes) is not JSON @ $",
    )


# --- operations ----------------------------------------------------------------------------------


def decode_run(body: object) -> Run:
    return operations.get_run(ROUTES, "run-1").decode(answer(body))


def test_a_run_carries_its_pending_request() -> None:
    run = decode_run({"run": RUN, "pending_human_request": HUMAN_REQUEST})
    assert run.pending_human_request == structure(HUMAN_REQUEST, HumanRequest)


@pytest.mark.parametrize("body", [{"run": RUN}, {"run": RUN, "pending_human_request": None}])
def test_a_run_may_have_no_pending_request(body: Body) -> None:
    assert decode_run(body).pending_human_request is None


@pytest.mark.parametrize("pending", [False, 0, "", [], {}, True, "x"])
def test_a_pending_request_of_another_type_is_a_problem(pending: object) -> None:
    found = problems(lambda: decode_run({"run": RUN, "pending_human_request": pending}))
    assert all(" @ $.pending_human_request" in problem for problem in found)


@pytest.mark.parametrize("more", [{}, {"pending_human_request": None}, {"error": "gone"}])
def test_a_run_that_is_null_is_gone(more: Body) -> None:
    with pytest.raises(GoneProblem, match="no longer exists"):
        operations.get_run(ROUTES, "run-1").decode(answer({"run": None, **more}))


@pytest.mark.parametrize("name", [name for name in CALLS if name != "get_run"])
@pytest.mark.parametrize("body", [None, [], {}, "x", 7, True])
def test_an_answer_of_another_shape_is_a_problem(name: str, body: object) -> None:
    call, _ = CALLS[name]
    assert problems(lambda: call.decode(answer(body)))


@pytest.mark.parametrize(
    "url",
    ["", "a.csv", "/a.csv", "ftp://s.test/a", "https://", "https:///a", "file:///a", "http://["],
)
def test_an_upload_url_that_leads_nowhere_is_a_problem(url: str) -> None:
    body = {"upload_url": url, "path": "a", "expires_in_seconds": 60}
    call, _ = CALLS["create_upload_url"]
    assert problems(lambda: call.decode(answer(body))) == (
        "expected an http or https URL @ $.upload_url",
    )


@pytest.mark.parametrize("body", [b"", b"ok", b"<html>", b'{"status": "ok"}', b"\xff"])
def test_health_takes_any_body(body: bytes) -> None:
    assert operations.health(ROUTES).decode(answer(body)) is True


def unwrapped(name: str, body: Body) -> Any:  # noqa: ANN401 - JSON
    wrappers = {
        "start_run": "run",
        "get_run": "run",
        "list_runs": "data",
        "post_message": "message",
        "respond": "human_request",
        "list_files": "files",
    }
    return body[wrappers[name]] if name in wrappers else body


def holds(model: Any, body: Any) -> None:  # noqa: ANN401 - a model and JSON
    """Assert that a model says what a body says."""
    if isinstance(model, tuple):
        for each, inner in zip(model, body, strict=True):
            holds(each, inner)
    elif attrs.has(type(model)):
        for name in attrs.fields_dict(type(model)):
            if body.get(name) is not None:
                holds(getattr(model, name), body[name])
    elif isinstance(model, datetime):
        assert model.replace(tzinfo=None).isoformat() in body
    else:
        assert model == body


@pytest.mark.no_cover
@unhurried
@given(data=st.data(), name=names)
def test_every_documented_answer_is_understood(data: st.DataObject, name: str) -> None:
    call, kind = CALLS[name]
    body = data.draw(bodies.good(kind))
    made = call.decode(answer(body))
    holds(made, unwrapped(name, body))
    if name == "get_run" and body.get("pending_human_request"):
        holds(made.pending_human_request, body["pending_human_request"])


def strict_places(kind: Thing, body: Body) -> list[Place]:
    return [place for place in bodies.places(kind, body) if not isinstance(place.kind, Anything)]


@unhurried
@given(data=st.data(), name=names)
def test_a_required_field_that_is_missing_is_named(data: st.DataObject, name: str) -> None:
    call, kind = CALLS[name]
    body = data.draw(bodies.good(kind))
    place = data.draw(
        st.sampled_from([place for place in bodies.places(kind, body) if place.required])
    )
    del place.container[place.key]
    assert problems(lambda: call.decode(answer(body))) == (
        f"required field missing @ {place.path}",
    )


@unhurried
@given(data=st.data(), name=names)
def test_a_value_of_another_type_is_located(data: st.DataObject, name: str) -> None:
    call, kind = CALLS[name]
    body = data.draw(bodies.good(kind))
    place = data.draw(st.sampled_from(strict_places(kind, body)))
    wrong = data.draw(bodies.wrong_values(place))
    place.container[place.key] = wrong
    if place.path == "$.run" and name == "get_run" and wrong is None:
        with pytest.raises(GoneProblem):
            call.decode(answer(body))
        return
    (problem,) = problems(lambda: call.decode(answer(body)))
    assert problem.startswith("expected ")
    assert problem.endswith(f" @ {place.path}")


@unhurried
@given(data=st.data(), name=names)
def test_a_problem_never_quotes_a_value(data: st.DataObject, name: str) -> None:
    call, kind = CALLS[name]
    body = data.draw(bodies.good(kind))
    secret = "hunter2"
    for place in data.draw(st.lists(st.sampled_from(strict_places(kind, body)), max_size=4)):
        wrong: object = {secret: secret} if isinstance(place.kind, Many) else [secret]
        place.container[place.key] = deepcopy(wrong)
    body[secret] = secret
    place = data.draw(st.sampled_from([p for p in bodies.places(kind, body) if p.required]))
    place.container[place.key] = secret if isinstance(place.kind, Thing | Many) else [secret]
    found = problems(lambda: call.decode(answer(body)))
    assert found
    assert secret not in repr(found)


@unhurried
@given(data=st.data(), name=names)
def test_an_answer_that_was_cut_off_is_a_problem(data: st.DataObject, name: str) -> None:
    call, kind = CALLS[name]
    whole = json.dumps(data.draw(bodies.good(kind))).encode()
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    (problem,) = problems(lambda: call.decode(answer(cut)))
    assert problem.startswith("the body ")


def decodes_or_is_a_problem(call: Call[Any], body: bytes) -> None:
    found = ["none @ $"]
    try:
        call.decode(answer(body))
    except GoneProblem:
        assert json.loads(body)["run"] is None
    except DecodeProblem as problem:
        found = [*problem.problems]
    assert found
    assert all(" @ $" in each for each in found)


@unhurried
@given(name=names, body=st.binary(max_size=200))
def test_bytes_are_understood_or_a_problem(name: str, body: bytes) -> None:
    decodes_or_is_a_problem(CALLS[name][0], body)


@unhurried
@given(data=st.data(), name=names)
def test_broken_bytes_are_understood_or_a_problem(data: st.DataObject, name: str) -> None:
    call, kind = CALLS[name]
    body = bytearray(json.dumps(data.draw(bodies.good(kind))).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    decodes_or_is_a_problem(call, bytes(body))


@unhurried
@given(data=st.data(), name=names, body=bodies.json_values)
def test_any_json_is_understood_or_a_problem(data: st.DataObject, name: str, body: object) -> None:
    call, kind = CALLS[name]
    wrapped = dict.fromkeys(data.draw(st.sets(st.sampled_from(sorted(kind.required)))), body)
    decodes_or_is_a_problem(call, json.dumps(body).encode())
    decodes_or_is_a_problem(call, json.dumps(wrapped).encode())


@pytest.mark.parametrize("depth", [10, 500, 900, 1_000, 5_000, 200_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"run":', b"}")])
@pytest.mark.parametrize("name", CALLS)
def test_deep_nesting_is_understood_or_a_problem(
    name: str, opening: bytes, closing: bytes, depth: int
) -> None:
    call, kind = CALLS[name]
    deep = opening * depth + b"1" + closing * depth
    decodes_or_is_a_problem(call, deep)
    for field in kind.required:
        decodes_or_is_a_problem(call, b'{"%s": %s}' % (field.encode(), deep))
    decodes_or_is_a_problem(call, opening * depth)


@pytest.mark.parametrize("depth", [10, 500, 100_000])
def test_deep_nesting_in_what_is_ignored_is_no_trouble_until_json_gives_up(depth: int) -> None:
    body = json.dumps({"success": True}).encode()[:-1]
    body += b', "new": ' + b"[" * depth + b"]" * depth + b"}"
    if depth <= 500:
        stopped = operations.stop_run(ROUTES, "r", idempotency_key=None).decode(answer(body))
        assert stopped == StopResult(success=True)
    else:
        call = operations.stop_run(ROUTES, "r", idempotency_key=None)
        decodes_or_is_a_problem(call, body)


@pytest.mark.parametrize("digits", [400, 5_000, 100_000])
@pytest.mark.parametrize("name", ["list_messages", "upload_file", "create_upload_url"])
def test_a_number_of_any_length_is_understood_or_a_problem(name: str, digits: int) -> None:
    call, kind = CALLS[name]
    body: Body = {field: field for field in kind.required} | {"messages": []}
    for field in kind.required:
        text = json.dumps({**body, field: 0}).replace(": 0", ": " + "9" * digits)
        decodes_or_is_a_problem(call, text.encode())


def test_every_operation_is_listed_above() -> None:
    public = {
        name
        for module in (operations.runs, operations.sandboxes)  # the others have their own tests
        for name, each in vars(module).items()
        if getattr(each, "__module__", None) == module.__name__ and name[0] != "_"
    }
    assert public == {*CALLS, "health"}


def test_the_descriptions_know_every_field_of_the_models() -> None:
    for model, kind in {
        Run: bodies.RUN,
        models.runs.FollowedRun: SUMMARY,
        HumanRequest: bodies.HUMAN_REQUEST,
        Question: bodies.QUESTION,
        models.QuestionOption: bodies.OPTION,
        models.AnsweredHumanRequest: bodies.ANSWERED,
        Message: bodies.MESSAGE,
        models.ToolCall: bodies.TOOL_CALL,
        models.ToolResult: bodies.TOOL_RESULT,
        MessagesPage: bodies.MESSAGES_BODY,
        StopResult: bodies.STOP_BODY,
        Sandbox: bodies.SANDBOX_BODY,
        UploadUrl: bodies.UPLOAD_URL_BODY,
        models.UploadedFile: bodies.UPLOADED_BODY,
        SandboxFile: bodies.FILE,
    }.items():
        required = {each.name for each in attrs.fields(model) if each.default is attrs.NOTHING}
        optional = {each.name for each in attrs.fields(model)} - required
        assert required == set(kind.required)
        assert optional - {"pending_human_request"} == set(kind.optional)
        for name, inner in kind.required.items():
            nullable = "None" in str(attrs.fields_dict(model)[name].type)
            assert nullable is isinstance(inner, Maybe)
