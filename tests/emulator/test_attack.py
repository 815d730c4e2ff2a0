"""The emulator under attack: requests made of its own description, and of anything else."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from attrs import frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duvo_async.emulator import AskApproval, AskQuestions, Emulator, Finish, Question, Request
from duvo_async.emulator.exchange import Response
from tests.emulator.conftest import Api, Clock
from tests.support.described import Operation, check_answer, operations
from tests.support.json_values import anything, broken, values

pytestmark = pytest.mark.no_cover

KEY = "dv_attacked"
NOBODY = "5f0c1d3e-8a57-4b0e-9a52-d0a7e8a4b6c1"
FORM = "multipart/form-data; boundary=limit"
unhurried = settings(deadline=None, suppress_health_check=list(HealthCheck))
STATES = (
    "the agent has no live build",
    "the body must have either",
    "body.answers ",
    "body.approved is required",
    "body.contentType must be able to stand in a header",
    "body.newFilenameOnly must be a name",
    "body.source_build_id is no build",
    "is no text in UTF-8",
    "must not ",
    "path",
    "there is a file at",
)
"""What refuses a request that is well-formed: what is there already, and rules between fields."""


@frozen
class World:
    """An emulator in which much has happened.

    Attributes:
        emulator: The emulator.
        known: The ids of what is there.
    """

    emulator: Emulator
    known: Mapping[str, list[str]]

    def send(self, request: Request) -> Response:
        """Send a request; its answer must be as it is described."""
        response = self.emulator.handle(request)
        check_answer(request, response)
        return response


@contextmanager
def world() -> Iterator[World]:
    """Make the same world each time."""
    clock = Clock()
    with closing(Emulator(api_key=KEY, seed=7, requests_per_minute=None, clock=clock)) as emulator:
        yield World(emulator, fill(Api(emulator, clock)))


def fill(api: Api) -> Mapping[str, list[str]]:
    """Have much happen; give the ids of what is there then."""
    emulator = api.emulator
    approval, asking = [AskApproval("Go?")], [AskQuestions("Well?", (Question("How?"),))]
    runs = [api.start(approval), api.start(asking), api.start([Finish("failed")])]
    requests = [api.pending(run_id)["id"] for run_id in runs[:2]]
    agent_id = emulator.demo_agent_id
    queue_id = api.post("/v1/queues", {"name": "q"}).json()["queue"]["id"]
    label = api.post(f"/v1/queues/{queue_id}/labels", {"value": "l"}).json()["label"]
    case: dict[str, Any] = {"title": "t", "data": "d", "labels": [{"value": "l"}]}
    drafts = {"cases": [case, {**case, "priority": "high"}]}
    cases = api.post(f"/v1/queues/{queue_id}/cases", drafts).json()["added_cases"]
    trigger = {"case_queue_id": queue_id, "enabled": True}
    made = api.post(f"/v1/agents/{agent_id}/case-triggers", trigger).json()["case_trigger"]
    taken = [api.get(f"/v1/cases/{each['id']}/runs").json()["runs"] for each in cases]
    hourly = {"enabled": True, "frequency": "hourly", "timezone": "UTC"}
    schedule = api.post(f"/v1/agents/{agent_id}/schedules", hourly).json()
    build = api.post(f"/v1/agents/{agent_id}/revisions", {"name": "b"}).json()["build"]
    target = f"/v2/teams/{emulator.team_id}/files/create-upload-url"
    named = {"fileName": "data.txt", "contentType": "text/plain"}
    url = api.post(target, named).json()["signedUrl"].removeprefix("http://emulator.test")
    api.put(url, b"text", {"content-type": "text/plain", "content-length": "4"})
    sandbox_id = api.create_sandbox()
    api.upload(sandbox_id, "data.txt", b"text")
    ids = {
        "team_id": [emulator.team_id],
        "agent_id": [agent_id, emulator.add_agent([])],
        "queue_id": [queue_id],
        "case_queue_id": [queue_id],
        "case_id": [each["id"] for each in cases],
        "case_ids": [each["id"] for each in cases],
        "label_id": [label["id"]],
        "label_ids": [label["id"]],
        "trigger_id": [made["id"]],
        "schedule_id": [schedule["id"]],
        "build_id": [build["id"]],
        "source_build_id": [build["id"]],
        "run_id": [*runs, *(run["id"] for runs_of_case in taken for run in runs_of_case)],
        "request_id": requests,
        "sandbox_id": [sandbox_id],
    }
    return {**ids, "path": ["data.txt"], "relativePath": ["data.txt"]}


@cache
def known() -> Mapping[str, list[str]]:
    """The ids of what is there in each world."""
    with world() as there:
        return there.known


HEADERS = {"authorization": f"Bearer {KEY}", "host": "emulator.test"}


@st.composite
def well_formed(draw: st.DrawFn) -> tuple[Operation, Request]:
    """Generate a request that its operation's description allows."""
    operation = draw(st.sampled_from(operations()))
    path = draw(paths(operation))
    parameters = operation.parameters("query")
    query = {
        name: draw(values(schema, known(), name))
        for name, schema in parameters.items()
        if name in operation.needed or draw(st.booleans())
    }
    headers, body = dict(HEADERS), b""
    if operation.takes_form:
        headers["content-type"], body = FORM, draw(forms())
    elif operation.body is not None:
        headers["content-type"] = "application/json"
        body = json.dumps(draw(values(operation.body, known()))).encode()
    return operation, Request(operation.method, path, urlencode(query), headers, body)


@st.composite
def paths(draw: st.DrawFn, operation: Operation) -> str:
    """Generate one of an operation's paths."""
    path = operation.template
    for name, schema in operation.parameters("path").items():
        text = draw(values(schema, known(), name).filter(lambda text: text not in {".", ".."}))
        path = path.replace(f"{{{name}}}", quote(text, safe="/" if name == "path" else ""))
    return path


@st.composite
def forms(draw: st.DrawFn) -> bytes:
    """Generate a form with a file and its path."""
    path = draw(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1)).encode()
    parts = {b"file": draw(st.binary(max_size=50)), b"path": path}
    head = b'--limit\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    return b"".join(head % part for part in parts.items()) + b"--limit--\r\n"


@st.composite
def misshapen(draw: st.DrawFn) -> tuple[Operation, Request]:
    """Generate a request whose body is hardly what its operation takes."""
    operation = draw(st.sampled_from([each for each in operations() if each.body is not None]))
    body = draw(values(operation.body or {}, known()).flatmap(broken) | anything())
    headers = {**HEADERS, "content-type": "application/json"}
    text = json.dumps(body).encode()
    return operation, Request(operation.method, draw(paths(operation)), "", headers, text)


@st.composite
def anything_else(draw: st.DrawFn) -> Request:
    """Generate what may be no request at all."""
    texts = st.text(st.characters(max_codepoint=255))
    known = st.sampled_from(operations()).flatmap(paths)
    path = draw(known | known.map(lambda path: f"{path}%2") | texts.map(lambda text: f"/v2/{text}"))
    queries = ["limit=" + "9" * 99, "limit=-1", "a=%ff", "a&a&a", "path=%00", "search=%ud800"]
    names = ["authorization", "content-type", "idempotency-key", "host", "x"]
    contents = [HEADERS["authorization"], "application/json", FORM, "", "x" * 9000]
    bodies = [b"[" * 100_000, b"NaN", b'{"limit": 1e999}', b"\xff", b'"\\ud800"', b"{}" * 2]
    headers = st.dictionaries(st.sampled_from(names), st.sampled_from(contents) | texts)
    return Request(
        draw(st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "X"])),
        path,
        draw(texts | st.sampled_from(queries)),
        {**HEADERS, **draw(headers)},
        draw(st.binary() | st.sampled_from(bodies)),
    )


def understands(sent: Sequence[tuple[Operation, Request]]) -> None:
    with world() as there:
        for operation, request in sent:
            response = there.send(request)
            if response.status in {400, 415}:
                told = response.json()["message"]
                assert any(each in told for each in STATES), (operation, request, response)


def refuses(sent: Sequence[tuple[Operation, Request]]) -> None:
    with world() as there:
        for operation, request in sent:
            response = there.send(request)
            if not operation.takes(json.loads(request.body)):
                assert 400 <= response.status < 500, (operation, request, response)


def survives(sent: Sequence[Request]) -> None:
    with world() as there:
        for request in sent:
            there.send(request)
        assert there.send(Request("GET", "/v1/health", headers=HEADERS)).status == 200


@settings(unhurried, max_examples=40)
@given(st.lists(well_formed(), min_size=3, max_size=8))
def test_what_is_described_is_understood(sent: Sequence[tuple[Operation, Request]]) -> None:
    understands(sent)


@settings(unhurried, max_examples=40)
@given(st.lists(misshapen(), min_size=3, max_size=8))
def test_what_is_not_described_is_refused(sent: Sequence[tuple[Operation, Request]]) -> None:
    refuses(sent)


@settings(unhurried, max_examples=40)
@given(st.lists(anything_else(), min_size=3, max_size=8))
def test_anything_is_answered(sent: Sequence[Request]) -> None:
    survives(sent)


@pytest.mark.long
@settings(unhurried, max_examples=10_000)
@given(
    st.lists(well_formed(), min_size=3, max_size=8),
    st.lists(misshapen(), min_size=3, max_size=8),
    st.lists(anything_else(), min_size=3, max_size=8),
)
def test_a_long_attack(
    described: Sequence[tuple[Operation, Request]],
    other: Sequence[tuple[Operation, Request]],
    anything_at_all: Sequence[Request],
) -> None:
    understands(described)
    refuses(other)
    survives(anything_at_all)


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_a_query_and_ids_are_what_is_described(operation: Operation) -> None:
    path = operation.template.format_map(dict.fromkeys(operation.parameters("path"), NOBODY))
    names = operation.parameters("query")
    with world() as there:
        for query in ("unknown=1", *(f"{name}=a&{name}=a" for name in names)):
            assert there.send(Request(operation.method, path, query, HEADERS)).status == 400
        for schema in operation.parameters("path").values():
            if schema.get("format") == "uuid":
                wrong = path.replace(NOBODY, "x", 1)
                assert there.send(Request(operation.method, wrong, "", HEADERS)).status == 400
                break
