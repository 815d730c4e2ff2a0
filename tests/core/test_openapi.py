"""Holds the operations against the vendor's documents, where there is a copy of them."""

import json
import os
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from duvo_async import APIStatusError
from duvo_async import _operations as operations
from duvo_async._bodies import ByteStream
from duvo_async._converter import DecodeProblem, GoneProblem
from duvo_async._protocol import Call, Response, failure
from duvo_async._routes import Routes
from duvo_async.errors import class_for_status
from tests.support.bodies import json_values
from tests.support.properties import unhurried

FOLDER = os.environ.get("DUVO_OPENAPI_DIR")
pytestmark = [
    pytest.mark.skipif(not FOLDER, reason="DUVO_OPENAPI_DIR is not set"),
    pytest.mark.no_cover,
]

in_short = settings(unhurried, max_examples=20)  # for each operation, in each generation
JSONObject: TypeAlias = dict[str, Any]
RUN = "0f4a1f5e-5d3c-4a61-9a0b-0d9b2f3c4d5e"
AGENT = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
REQUEST = "9b2d6a50-93b5-4c84-b5f5-7e0a4b6d1c22"


async def no_blocks() -> AsyncGenerator[bytes, None]:
    yield b""


FORM = ByteStream(size=1, content_type="text/plain", blocks=no_blocks, data=b"a")
Make: TypeAlias = Callable[[Routes], Call[Any]]


@frozen
class Operation:
    """One call, and where the documents describe it."""

    method: str
    template: str
    make: Make


def start(**given_: str) -> Make:
    fields: dict[str, Any] = {"message": None, "sandbox_id": None, "webhook_url": None, **given_}
    return lambda routes: operations.start_run(
        routes, agent_id=AGENT, idempotency_key="key-1", **fields
    )


def answer(**given_: Any) -> Make:  # noqa: ANN401 - a decision or answers
    fields: JSONObject = {"approved": None, "answers": None, **given_}
    return lambda routes: operations.respond(
        routes, RUN, REQUEST, idempotency_key="key-1", **fields
    )


RUNS, RUN_ = "/runs", "/runs/{run_id}"
MESSAGES, STOP = "/runs/{run_id}/messages", "/runs/{run_id}/stop"
RESPOND = "/runs/{run_id}/human-requests/{request_id}/respond"
FILES, URLS = "/sandboxes/{sandbox_id}/files", "/sandboxes/{sandbox_id}/upload-urls"
OPERATIONS: dict[str, Operation] = {
    "start_run": Operation("post", RUNS, start()),
    "start_run, all fields": Operation(
        "post",
        RUNS,
        start(message="go", sandbox_id="s-1", webhook_url="https://me.test/hook?a=1"),
    ),
    "get_run": Operation("get", RUN_, lambda r: operations.get_run(r, RUN)),
    "list_runs": Operation(
        "get",
        RUNS,
        lambda r: operations.list_runs(
            r, since=datetime(2026, 7, 1, 12, tzinfo=UTC), offset=100, limit=100
        ),
    ),
    "list_messages": Operation(
        "get", MESSAGES, lambda r: operations.list_messages(r, RUN, limit=1, offset=0)
    ),
    "list_messages, far on": Operation(
        "get", MESSAGES, lambda r: operations.list_messages(r, RUN, limit=50, offset=10**6)
    ),
    "post_message": Operation(
        "post",
        MESSAGES,
        lambda r: operations.post_message(r, RUN, message="m", idempotency_key=None),
    ),
    "respond, approve": Operation("post", RESPOND, answer(approved=True)),
    "respond, deny": Operation("post", RESPOND, answer(approved=False)),
    "respond, answers": Operation("post", RESPOND, answer(answers={"Year?": "1", "Unit?": ["a"]})),
    "stop_run": Operation(
        "post", STOP, lambda r: operations.stop_run(r, RUN, idempotency_key=None)
    ),
    "create_sandbox": Operation(
        "post", "/sandboxes", lambda r: operations.create_sandbox(r, idempotency_key=None)
    ),
    "create_upload_url": Operation(
        "post",
        URLS,
        lambda r: operations.create_upload_url(r, "s-1", path="/a", idempotency_key=None),
    ),
    "list_files": Operation(
        "get", FILES, lambda r: operations.list_files(r, "s-1", path="/workspace")
    ),
    "upload_file": Operation("post", FILES, lambda r: operations.upload_file(r, "s-1", FORM)),
}
GENERATIONS = {"v1": Routes("v1"), "v2": Routes("v2", "team-7")}
SECOND_ONLY = {"list_runs"}
"""What only the second document describes."""
FUNCTIONS = {name.split(",")[0]: name for name in reversed(OPERATIONS)}


def in_each_generation(names: Iterable[str]) -> list[tuple[str, str]]:
    return [
        (version, name)
        for name in names
        for version in GENERATIONS
        if version != "v1" or name not in SECOND_ONLY
    ]


each_call = pytest.mark.parametrize(("version", "name"), in_each_generation(OPERATIONS))
each_function = pytest.mark.parametrize(("version", "name"), in_each_generation(FUNCTIONS.values()))


# --- the documents -------------------------------------------------------------------------------


@cache
def document(version: str) -> JSONObject:
    text = (Path(FOLDER or "") / f"{version}.openapi.json").read_text()
    loaded: JSONObject = json.loads(text)
    return loaded


def template_of(version: str, operation: Operation) -> str:
    if version == "v2" and operation.template == RUNS:
        return "/v2/teams/{teamId}/runs"
    return f"/{version}{operation.template}"


def described(version: str, name: str) -> JSONObject:
    operation = OPERATIONS[name]
    found: JSONObject = document(version)["paths"][template_of(version, operation)][
        operation.method
    ]
    return found


def translated(schema: Any) -> Any:  # noqa: ANN401 - JSON
    """Put OpenAPI 3.0's `nullable` in the words of JSON Schema."""
    if isinstance(schema, list):
        return [translated(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    assert "$ref" not in schema
    plain = {name: translated(value) for name, value in schema.items() if name != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain


checker = jsonschema.FormatChecker()


@checker.checks("uri")
def is_uri(value: object) -> bool:
    """Tell whether a string is an absolute URI: jsonschema has no such check of its own."""
    if not isinstance(value, str):
        return True
    parts = urlsplit(value)
    return bool(parts.scheme and parts.netloc) and re.search(r"[\s<>\"{}|\\^`]", value) is None


def validate(value: object, schema: JSONObject) -> None:
    kind = jsonschema.Draft202012Validator
    kind.check_schema(translated(schema))
    kind(translated(schema), format_checker=checker).validate(value)


def test_the_format_check_can_fail() -> None:
    for kind, bad in (("uri", "not a uri"), ("uuid", "run-1")):
        with pytest.raises(jsonschema.ValidationError):
            validate(bad, {"type": "string", "format": kind})
    validate(None, {"type": "string", "nullable": True})


# --- requests ------------------------------------------------------------------------------------


def test_every_operation_of_the_first_document_is_here() -> None:
    paths = document("v1")["paths"]
    documented = {(method, path) for path, methods in paths.items() for method in methods}
    here = {
        (each.method, template_of("v1", each))
        for name, each in OPERATIONS.items()
        if name not in SECOND_ONLY
    }
    assert here == documented


def test_every_function_is_here() -> None:
    public = {
        name
        for module in (operations.runs, operations.sandboxes)  # the others are held elsewhere
        for name, each in vars(module).items()
        if getattr(each, "__module__", None) == module.__name__ and name[0] != "_"
    }
    assert {name.split(",")[0] for name in OPERATIONS} == public - {"health"}


@each_call
def test_the_path_is_the_documented_one(version: str, name: str) -> None:
    request = OPERATIONS[name].make(GENERATIONS[version]).request
    template = template_of(version, OPERATIONS[name])
    pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template))
    match = re.fullmatch(pattern, request.path)
    assert match is not None
    assert request.method.lower() == OPERATIONS[name].method
    parameters = described(version, name).get("parameters", [])
    in_path = {each["name"]: each["schema"] for each in parameters if each["in"] == "path"}
    assert set(in_path) == set(match.groupdict())
    for parameter, value in match.groupdict().items():
        validate(unquote(value), in_path[parameter])


@each_call
def test_the_query_is_as_documented(version: str, name: str) -> None:
    request = OPERATIONS[name].make(GENERATIONS[version]).request
    parameters = described(version, name).get("parameters", [])
    known = {each["name"]: each for each in parameters if each["in"] == "query"}
    assert {parameter for parameter, _ in request.query} <= set(known)
    assert len(dict(request.query)) == len(request.query)
    for parameter, text in request.query:
        schema = known[parameter]["schema"]
        number = schema["type"] in {"integer", "number"}
        validate(int(text) if number else text, schema)
    required = {each["name"] for each in known.values() if each.get("required")}
    assert required <= set(dict(request.query))


@each_call
def test_the_body_is_as_documented(version: str, name: str) -> None:
    request = OPERATIONS[name].make(GENERATIONS[version]).request
    body = described(version, name).get("requestBody")
    if name == "upload_file":  # the documents say nothing of the form
        assert request.body is FORM
        return
    if body is None:
        assert request.body is None
        return
    assert isinstance(request.body, bytes)
    sent = json.loads(request.body)
    schema = body["content"]["application/json"]["schema"]
    validate(sent, {**schema, "additionalProperties": False})


# --- responses -----------------------------------------------------------------------------------


def examples(schema: JSONObject) -> st.SearchStrategy[Any]:
    """Make values of what the documents' responses use of JSON Schema, unknown fields added."""
    if schema.get("nullable") is True:
        return st.none() | examples({**schema, "nullable": False})
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if kind == "object":
        return _objects(schema)
    if kind == "array":
        return st.lists(examples(schema["items"]), max_size=3)
    if kind == "string":
        return _strings(schema)
    return {
        "boolean": st.booleans(),
        "integer": st.integers(0, 2**53 - 1),
        "number": st.integers(0, 2**53 - 1) | st.integers(0, 10**6).map(float),
        None: json_values,
    }[kind]


def _objects(schema: JSONObject) -> st.SearchStrategy[JSONObject]:
    properties = schema.get("properties", {})
    required = set(schema.get("required", []))
    strategies = {name: examples(each) for name, each in properties.items()}
    known = st.fixed_dictionaries(
        {name: each for name, each in strategies.items() if name in required},
        optional={name: each for name, each in strategies.items() if name not in required},
    )
    new = st.dictionaries(st.text(max_size=4).map("new_".__add__), json_values, max_size=1)
    return st.builds(lambda more, told: {**more, **told}, new, known)


moments = st.datetimes().map(lambda moment: f"{moment.isoformat()}Z")


def _strings(schema: JSONObject) -> st.SearchStrategy[str]:
    # Timestamps are plain strings in the documents; a field's name tells them apart.
    return {
        "uuid": st.uuids().map(str),
        "uri": st.integers(0).map("https://storage.test/a?X-Signature={}".format),
        "moment": moments,
        "date-time": moments,
        None: st.text(min_size=schema.get("minLength", 0), max_size=8),
    }[schema.get("format")]


def with_moments(schema: Any, name: str = "") -> Any:  # noqa: ANN401 - JSON
    """Mark the strings that are timestamps."""
    if isinstance(schema, list):
        return [with_moments(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "string" and (name.endswith("_at") or name == "timestamp"):
        return {**schema, "format": "moment"}
    return {key: with_moments(value, key) for key, value in schema.items()}


def opened(schema: Any) -> Any:  # noqa: ANN401 - JSON
    """Let a schema take unknown fields, which the documents rule out and time brings."""
    if isinstance(schema, list):
        return [opened(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: opened(value)
        for name, value in schema.items()
        if (name, value) != ("additionalProperties", False)
    }


def responses(version: str, name: str) -> Iterator[tuple[int, JSONObject]]:
    for status, response in described(version, name)["responses"].items():
        yield int(status), response["content"]["application/json"]["schema"]


def response(status: int, body: object) -> Response:
    return Response(status=status, reason="Reason", headers={}, body=json.dumps(body).encode())


@each_function
@in_short
@given(data=st.data())
def test_every_documented_answer_is_understood(
    version: str, name: str, data: st.DataObject
) -> None:
    call = OPERATIONS[name].make(GENERATIONS[version])
    good = [(status, schema) for status, schema in responses(version, name) if status < 300]
    assert good
    for status, schema in good:
        body = data.draw(examples(with_moments(schema)))
        if name == "get_run" and body["run"] is None:
            with pytest.raises(GoneProblem, match="no longer exists"):
                call.decode(response(status, body))
        else:
            assert failure(call.request, response(status, body), 1) is None
            assert call.decode(response(status, body)) is not None


@each_function
@in_short
@given(data=st.data())
def test_the_examples_are_what_the_documents_say(
    version: str, name: str, data: st.DataObject
) -> None:
    _, schema = data.draw(st.sampled_from([*responses(version, name)]))
    validate(data.draw(examples(with_moments(schema))), opened(schema))


@each_function
@in_short
@given(data=st.data())
def test_a_documented_required_field_is_required(
    version: str, name: str, data: st.DataObject
) -> None:
    call = OPERATIONS[name].make(GENERATIONS[version])
    for status, schema in responses(version, name):
        if status >= 300:
            continue
        body = data.draw(examples(with_moments(schema)))
        needed = [each for each in schema["required"] if (name, each) != ("list_runs", "total")]
        missing = data.draw(st.sampled_from(needed))
        del body[missing]
        with pytest.raises(DecodeProblem, match=rf"required field missing @ \$\.{missing}$"):
            call.decode(response(status, body))


@each_function
@in_short
@given(data=st.data())
def test_every_documented_error_has_its_class(version: str, name: str, data: st.DataObject) -> None:
    call = OPERATIONS[name].make(GENERATIONS[version])
    errors = [(status, schema) for status, schema in responses(version, name) if status >= 300]
    status, schema = data.draw(st.sampled_from(errors))
    body = data.draw(examples(schema))
    error = failure(call.request, response(status, body), 1)
    assert type(error) is class_for_status(status)
    assert type(error) is not APIStatusError
    assert error.status == status
    assert (error.code or "") == body["error"]
    assert (error.message or "") == body.get("message", "")


def test_these_errors_are_documented() -> None:
    statuses = set(
        chain.from_iterable(
            (status for status, _ in responses(version, name) if status >= 300)
            for version, name in in_each_generation(OPERATIONS)
        )
    )
    assert statuses == {400, 401, 403, 404, 413, 500, 502}
