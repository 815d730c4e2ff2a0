"""Holds an emulator's answers against the vendor's document, where there is a copy of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attrs import define, field

if TYPE_CHECKING:
    from tests.emulator.conftest import Api


def translated(schema: Any, *, part: bool = False) -> Any:  # noqa: ANN401 - JSON of any kind
    """The document's schema in the words of JSON Schema.

    The parts of an `allOf` each rule out the fields of the others, which nothing could satisfy.
    """
    if isinstance(schema, list):
        return [translated(each, part=part) for each in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {
        name: translated(value, part=part or name == "allOf")
        for name, value in schema.items()
        if name != "nullable"
        and not (part and (name, value) == ("additionalProperties", False))
        and not (name == "exclusiveMinimum" and value is True)
    }
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") else plain


@define
class Contract:
    """Validates each answer to a call that is made through it."""

    api: Api
    paths: dict[str, Any]
    ids: dict[str, str]
    seen: set[tuple[str, str]] = field(factory=set[tuple[str, str]])

    @classmethod
    def load(cls, api: Api, folder: str) -> Contract:
        paths = json.loads((Path(folder) / "v2.openapi.json").read_text())["paths"]
        return cls(api, paths, {"teamId": api.emulator.team_id})

    def call(
        self, method: str, template: str, body: object = None, query: str = ""
    ) -> dict[str, Any]:
        jsonschema = pytest.importorskip("jsonschema")
        response = self.api.call(method, template.format(**self.ids) + query, body)
        described = self.paths[template][method.lower()]["responses"]
        assert str(response.status) in described, response
        schema = described[str(response.status)]["content"]["application/json"]["schema"]
        checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
        jsonschema.Draft202012Validator(translated(schema), format_checker=checker).validate(
            response.json()
        )
        if response.status < 300:
            self.seen.add((method, template))
        return response.json()
