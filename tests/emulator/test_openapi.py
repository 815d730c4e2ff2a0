"""Holds the emulator's responses against the vendor's document, where there is a copy of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attrs import define, field

from duvo_async.emulator import (
    AskApproval,
    AskQuestions,
    CallTool,
    Finish,
    Option,
    Question,
    Request,
    Say,
)

if TYPE_CHECKING:
    from duvo_async.emulator import Emulator, Response
    from tests.emulator.conftest import Api

FOLDER = os.environ.get("DUVO_OPENAPI_DIR")
NOBODY = "5f0c1d3e-8a57-4b0e-9a52-d0a7e8a4b6c1"
SCRIPT = [
    Say("hi"),
    CallTool("x", {"a": [1, None]}, {"b": 2}),
    CallTool("y", error="no"),
    AskApproval("Post?"),
    AskQuestions(
        "More",
        [
            Question("Year?"),
            Question("Unit?", "Unit", [Option("EUR", "euros"), Option("USD")], multi_select=True),
        ],
        "details",
    ),
    Finish("interrupted"),
]

pytestmark = pytest.mark.skipif(not FOLDER, reason="DUVO_OPENAPI_DIR is not set")


def translated(schema: Any) -> Any:  # noqa: ANN401 - JSON of any kind
    """OpenAPI 3.0's `nullable` in the words of JSON Schema."""
    if isinstance(schema, list):
        return [translated(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: translated(value) for name, value in schema.items() if name != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") else plain


@define
class Contract:
    """Validates each response of an API that is called through it."""

    api: Api
    paths: dict[str, Any]
    seen: set[tuple[str, str, int]] = field(factory=set[tuple[str, str, int]])

    def call(
        self, method: str, template: str, body: object = None, query: str = "", **params: str
    ) -> dict[str, Any]:
        path = template.format(**params)
        response = self.api.call(method, path + query, body)
        return self.check(method, template, response)

    def check(self, method: str, template: str, response: Response) -> dict[str, Any]:
        jsonschema = pytest.importorskip("jsonschema")
        described = self.paths[template][method.lower()]["responses"]
        if str(response.status) in described:
            schema = described[str(response.status)]["content"]["application/json"]["schema"]
        else:  # what the document leaves out is an error like all others
            assert response.status in {400, 401, 409, 413, 415, 429}
            schema = self.paths["/v1/runs"]["post"]["responses"]["400"]
            schema = schema["content"]["application/json"]["schema"]
        checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
        jsonschema.Draft202012Validator(translated(schema), format_checker=checker).validate(
            response.json()
        )
        self.seen.add((method, template, response.status))
        return response.json()


@pytest.fixture
def contract(api: Api) -> Contract:
    paths, later = (
        json.loads((Path(FOLDER or "") / f"{version}.openapi.json").read_text())["paths"]
        for version in ("v1", "v2")
    )
    # The document on v1 leaves out the list, which is the same in v2.
    paths["/v1/runs"]["get"] = later["/v2/teams/{teamId}/runs"]["get"]
    return Contract(api, paths)


RUN = "/v1/runs/{run_id}"
MESSAGES = "/v1/runs/{run_id}/messages"
RESPOND = "/v1/runs/{run_id}/human-requests/{request_id}/respond"
STOP = "/v1/runs/{run_id}/stop"
FILES = "/v1/sandboxes/{sandbox_id}/files"
UPLOAD_URLS = "/v1/sandboxes/{sandbox_id}/upload-urls"


def use_runs(contract: Contract, emulator: Emulator) -> None:
    sandbox_id = contract.call("POST", "/v1/sandboxes")["sandbox_id"]
    body = {"agent_id": emulator.add_agent(SCRIPT), "message": "go", "sandbox_id": sandbox_id}
    run_id = contract.call("POST", "/v1/runs", body)["run"]["id"]
    emulator.start_run(emulator.add_agent([]))
    assert len(contract.call("GET", "/v1/runs", query="?sort_order=asc")["data"]) == 2
    contract.call("GET", "/v1/runs", query="?limit=0")
    for answer in ({"approved": True}, {"answers": {"Year?": "1", "Unit?": "EUR,USD"}}):
        request_id = contract.call("GET", RUN, run_id=run_id)["pending_human_request"]["id"]
        ids = {"run_id": run_id, "request_id": request_id}
        contract.call("POST", RESPOND, {}, **ids)
        contract.call("POST", RESPOND, answer, **ids)
        contract.call("POST", RESPOND, answer, **ids)
    assert contract.call("GET", RUN, run_id=run_id)["run"]["status"] == "interrupted"
    assert contract.call("GET", "/v1/runs", query="?status=interrupted")["total"] == 1
    contract.call("POST", MESSAGES, {"message": "more"}, run_id=run_id)
    contract.call("POST", MESSAGES, {}, run_id=run_id)
    assert len(contract.call("GET", MESSAGES, query="?limit=50", run_id=run_id)["messages"]) == 8
    contract.call("GET", MESSAGES, query="?limit=0", run_id=run_id)
    contract.call("POST", STOP, run_id=run_id)
    emulator.delete_run(run_id)
    contract.call("GET", RUN, run_id=run_id)


def use_sandboxes(contract: Contract) -> None:
    sandbox_id = contract.call("POST", "/v1/sandboxes")["sandbox_id"]
    for size, status in ((3, 201), (10_000_001, 413)):
        response = contract.api.upload(sandbox_id, "a/b.txt", b"x" * size)
        assert response.status == status
        contract.check("POST", FILES, response)
    assert contract.call("GET", FILES, sandbox_id=sandbox_id)["files"]
    assert contract.call("GET", FILES, query="?path=a", sandbox_id=sandbox_id)["files"]
    contract.call("POST", UPLOAD_URLS, {"path": "c.txt"}, sandbox_id=sandbox_id)
    contract.call("POST", UPLOAD_URLS, {}, sandbox_id=sandbox_id)


def miss_everything(contract: Contract) -> None:
    ids = {"run_id": NOBODY, "request_id": NOBODY, "sandbox_id": "none"}
    contract.call("POST", "/v1/runs", {"agent_id": NOBODY})
    contract.call("GET", RUN, **ids)
    contract.call("GET", RUN, run_id="17")
    contract.call("GET", MESSAGES, **ids)
    contract.call("POST", MESSAGES, {"message": "x"}, **ids)
    contract.call("POST", RESPOND, {"approved": True}, **ids)
    contract.call("POST", STOP, **ids)
    contract.call("GET", FILES, **ids)
    contract.call("POST", UPLOAD_URLS, {"path": "x"}, **ids)
    contract.check("POST", FILES, contract.api.upload("none", "a", b"a"))


def test_every_response_is_as_the_document_says(contract: Contract) -> None:
    emulator = contract.api.emulator
    use_runs(contract, emulator)
    use_sandboxes(contract)
    miss_everything(contract)
    contract.check("POST", "/v1/runs", emulator.handle(Request("POST", "/v1/runs")))
    described = {
        (method.upper(), path) for path, methods in contract.paths.items() for method in methods
    }
    succeeded = {(method, path) for method, path, status in contract.seen if status < 300}
    assert succeeded == described
    assert len(described) == 11
