"""The OpenAPI description of what the emulator serves, made of what its routes say."""

from collections.abc import Iterable, Mapping
from typing import Any

from duvo_async.emulator.generations import first_template
from duvo_async.emulator.outcomes import OUTCOMES, Answers
from duvo_async.emulator.parameters import Parameter
from duvo_async.emulator.routing import TAIL, Route, is_uuid
from duvo_async.emulator.shapes import SHAPES
from duvo_async.emulator.validation import Schema, object_schema, text, uuid

PATH = "/openapi.json"
"""Where it is found."""


def describe(routes: Iterable[Route]) -> Mapping[str, Any]:
    """Makes the description of some routes.

    A parameter for what is left of a path, which OpenAPI has no name for, is called `path`; its
    slashes are not to be escaped.
    """
    paths: dict[str, dict[str, object]] = {}
    for route in routes:
        template = route.template.replace(TAIL, "{path}")
        paths.setdefault(template, {})[route.method.lower()] = _operation(route, template)
    refusal = {"schema": {"$ref": "#/components/schemas/Refusal"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Emulator of the Duvo API", "version": "1"},
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": SHAPES,
            "responses": {
                "Refusal": {
                    "description": "Why it was not done.",
                    "content": {"application/json": refusal},
                }
            },
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, template: str) -> Mapping[str, object]:
    name = "_".join(segment.strip("{}") for segment in template.split("/")[1:])
    path = [_path_parameter(each.strip("{}")) for each in template.split("/") if each[:1] == "{"]
    query = [_query_parameter(name, each) for name, each in route.query.items()]
    body = _body(route)
    return {
        "operationId": f"{route.method.lower()}_{name}",
        "summary": (route.operation.__doc__ or "").partition("\n")[0],
        "parameters": [*path, *query],
        **({} if body is None else {"requestBody": body}),
        "responses": {
            **{str(status): _answer(schema) for status, schema in _outcomes(route).items()},
            "4XX": {"$ref": "#/components/responses/Refusal"},
        },
    }


def _path_parameter(name: str) -> Mapping[str, object]:
    schema = uuid.schema if is_uuid(name) else {**text.schema, "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameter(name: str, parameter: Parameter) -> Mapping[str, object]:
    return {
        "name": name,
        "in": "query",
        "required": parameter.required,
        "schema": parameter.schema,
    }


def _body(route: Route) -> Mapping[str, object] | None:
    if route.body is not None:
        return _content("application/json", object_schema(route.body))
    if route.form:
        parts: Schema = {
            "type": "object",
            "properties": {part: {"type": "string"} for part in sorted(route.form)},
            "required": sorted(route.form),
            "additionalProperties": False,
        }
        return _content("multipart/form-data", parts)
    return None


def _content(media_type: str, schema: Schema) -> Mapping[str, object]:
    return {"required": True, "content": {media_type: {"schema": schema}}}


def _outcomes(route: Route) -> Answers:
    for (method, template), answers in OUTCOMES.items():
        if method == route.method and route.template in {template, first_template(template)}:
            return answers
    raise LookupError(f"nobody says what {route.method} {route.template} answers")


def _answer(schema: Schema | None) -> Mapping[str, object]:
    if schema is None:
        return {"description": "It is done elsewhere."}
    return {"description": "It is done.", "content": {"application/json": {"schema": schema}}}
