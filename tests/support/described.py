"""Holds requests and answers against the emulator's own description of them."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote

from attrs import define, field
from jsonschema import Draft202012Validator

from duvo_async.emulator import Emulator, Request
from duvo_async.emulator.exchange import Response


@define
class Operation:
    """An operation as it is described.

    Attributes:
        method: Its HTTP method.
        template: Its path.
        told: What is told of it.
        components: The schemas that it may refer to.
    """

    method: str
    template: str
    told: Mapping[str, Any] = field(repr=False)
    components: Mapping[str, Any] = field(repr=False)
    _validators: dict[str, Draft202012Validator] = field(
        factory=dict[str, Draft202012Validator], init=False, repr=False
    )

    def __str__(self) -> str:
        return f"{self.method} {self.template}"

    def match(self, path: str) -> re.Match[str] | None:
        """Its parameters in a path, if it is one of its paths."""
        return _pattern(self.template).fullmatch(path)

    def parameters(self, place: str) -> Mapping[str, Any]:
        """Its parameters in the path or in the query, with their schemas."""
        told = [each for each in self.told["parameters"] if each["in"] == place]
        return {each["name"]: each["schema"] for each in told}

    @property
    def needed(self) -> frozenset[str]:
        """The parameters that must be there."""
        return frozenset(each["name"] for each in self.told["parameters"] if each["required"])

    @property
    def body(self) -> Mapping[str, Any] | None:
        """The schema of the JSON that it takes; None for none."""
        schema: Mapping[str, Any] | None = self._content.get("application/json", {}).get("schema")
        return schema

    @property
    def takes_form(self) -> bool:
        """Whether it takes a form."""
        return "multipart/form-data" in self._content

    def takes(self, body: object) -> bool:
        """Whether a body is one that it takes."""
        return self.body is not None and self._validator("body", self.body).is_valid(body)

    def check(self, response: Response) -> None:
        """Fail when an answer is none of its answers."""
        answers, status = self.told["responses"], str(response.status)
        if status not in answers:
            check_refusal(response)
        elif "content" in answers[status]:
            schema = answers[status]["content"]["application/json"]["schema"]
            assert response.headers["content-type"] == "application/json"
            self._validator(status, schema).validate(response.json())
        else:
            assert response.body == b""

    @property
    def _content(self) -> Mapping[str, Any]:
        content: Mapping[str, Any] = self.told.get("requestBody", {}).get("content", {})
        return content

    def _validator(self, name: str, schema: Mapping[str, Any]) -> Draft202012Validator:
        if name not in self._validators:
            self._validators[name] = Draft202012Validator(
                {**schema, "components": {"schemas": self.components}},
                format_checker=Draft202012Validator.FORMAT_CHECKER,
            )
        return self._validators[name]


def check_refusal(response: Response) -> None:
    """Fail when an answer does not refuse in the one form that refusals have."""
    assert 400 <= response.status < 500, response
    assert response.headers["content-type"] == "application/json"
    told = response.json()
    assert set(told) == {"error", "message"}
    assert all(isinstance(text, str) and text for text in told.values())


@cache
def operations() -> tuple[Operation, ...]:
    """All operations that an emulator describes."""
    with Emulator() as emulator:
        told = emulator.handle(Request("GET", "/openapi.json")).json()
    schemas = told["components"]["schemas"]
    return tuple(
        Operation(method.upper(), template, operation, schemas)
        for template, methods in told["paths"].items()
        for method, operation in methods.items()
    )


def operation_of(request: Request) -> Operation | None:
    """The operation that a request is for, if there is one.

    Of a path that could be a name or a parameter it is the name.
    """
    path = unquote(request.path)
    found = [each for each in operations() if each.method == request.method and each.match(path)]
    return min(found, key=lambda each: each.template.count("{"), default=None)


def check_answer(request: Request, response: Response) -> None:
    """Fail when the answer to a request of the API is not as it is described."""
    operation = operation_of(request)
    if operation is None:
        check_refusal(response)
    else:
        operation.check(response)


@cache
def _pattern(template: str) -> re.Pattern[str]:
    text = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template))
    return re.compile(text.replace("(?P<path>[^/]+)", "(?P<path>.+)"), re.DOTALL)
