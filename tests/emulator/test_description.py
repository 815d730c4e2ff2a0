"""The emulator's description of itself."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator

from duvo_async.emulator import Emulator, Request
from duvo_async.emulator.outcomes import OUTCOMES
from duvo_async.emulator.shapes import SHAPES
from tests.emulator.conftest import Api
from tests.support.described import operations


def described(emulator: Emulator) -> Mapping[str, Any]:
    answer = emulator.handle(Request("GET", "/openapi.json"))
    assert answer.status == 200
    return answer.json()


def parts(value: object) -> Iterator[Mapping[str, Any]]:
    """All objects in a document."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        yield fields
        for each in fields.values():
            yield from parts(each)
    elif isinstance(value, list):
        for each in cast("Sequence[Any]", value):
            yield from parts(each)


def test_anybody_may_read_it_and_it_costs_nothing(api: Api) -> None:
    answer = api.emulator.handle(Request("GET", "/openapi.json"))
    assert answer.status == 200
    assert answer.json()["openapi"] == "3.1.0"
    assert "x-ratelimit-remaining" not in answer.headers
    assert api.get("/v1/health").headers["x-ratelimit-remaining"] == "299"
    refused = api.emulator.handle(Request("POST", "/openapi.json"))
    assert (refused.status, refused.headers["allow"]) == (405, "GET")


def test_all_routes_are_in_it_and_nothing_else(api: Api) -> None:
    told = {str(operation) for operation in operations()}
    assert len(told) == len(operations()) == 129
    for operation in operations():
        path = operation.template.format_map(dict.fromkeys(operation.parameters("path"), "x"))
        others = {each.method for each in operations() if each.template == operation.template}
        answer = api.emulator.handle(Request("TRACE", path, headers=bearer(api)))
        assert answer.status == 405
        assert others <= set(answer.headers["allow"].split(", "))
    routes = api.emulator._routes.routes  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - the list
    assert {f"{each.method} {each.template.replace('{*}', '{path}')}" for each in routes} == told


def test_it_leaves_out_what_is_switched_off(api: Api) -> None:
    assert "get" in described(api.emulator)["paths"]["/v1/runs"]
    api.emulator.lists_runs = False
    assert "get" not in described(api.emulator)["paths"]["/v1/runs"]


def bearer(api: Api) -> Mapping[str, str]:
    return {"authorization": f"Bearer {api.emulator.api_key}"}


def test_its_schemas_are_schemas_and_its_references_lead_somewhere(api: Api) -> None:
    document = described(api.emulator)
    schemas = [part["schema"] for part in parts(document["paths"]) if "schema" in part]
    for schema in [*schemas, *document["components"]["schemas"].values()]:
        Draft202012Validator.check_schema(schema)
    for part in parts(document):
        place: Any = document
        for step in part.get("$ref", "#").split("/")[1:]:
            place = place[step]
        assert place


def test_names_are_given_once_and_parameters_are_those_of_the_path() -> None:
    names = [operation.told["operationId"] for operation in operations()]
    assert len(names) == len(set(names))
    for operation in operations():
        in_path = set(operation.parameters("path"))
        assert operation.template.format_map(dict.fromkeys(in_path, "")).count("{") == 0
        assert all(f"{{{name}}}" in operation.template for name in in_path)
        assert operation.told["summary"], operation


def test_everything_that_is_told_of_answers_is_of_use() -> None:
    told = {(operation.method, operation.template) for operation in operations()}
    assert {(method, path.replace("{*}", "{path}")) for method, path in OUTCOMES} <= told
    used = {
        part["$ref"].rpartition("/")[2] for part in parts(list(OUTCOMES.values())) if "$ref" in part
    }
    assert used | {"Refusal"} == set(SHAPES)


@pytest.mark.parametrize(
    ("path", "place", "schema"),
    [
        ("/v1/agents", "limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
        ("/v1/queues", "automation_id", {"format": "uuid"}),
        ("/v1/runs", "sort_order", {"enum": ["asc", "desc"]}),
    ],
)
def test_the_limits_of_a_query_are_told(
    api: Api, path: str, place: str, schema: Mapping[str, object]
) -> None:
    told = described(api.emulator)["paths"][path]["get"]["parameters"]
    (found,) = [each for each in told if each["name"] == place]
    assert schema.items() <= found["schema"].items()
    assert (found["in"], found["required"]) == ("query", False)


def test_the_limits_of_a_body_are_told(api: Api) -> None:
    told = described(api.emulator)["paths"]["/v1/queues"]["post"]["requestBody"]
    schema = told["content"]["application/json"]["schema"]
    assert (schema["required"], schema["additionalProperties"]) == (["name"], False)
    assert schema["properties"]["name"] == {"type": "string", "minLength": 1, "maxLength": 100}
