"""What a build may be configured with: checks of both versions of a configuration."""

from collections.abc import Mapping
from typing import Any, cast

from duvo_async.emulator.checks import list_of, object_of, one_of, or_null
from duvo_async.emulator.validation import (
    Check,
    Complaint,
    Field,
    boolean,
    looks_for,
    text,
    uuid,
)

_AGENT_MODELS = (
    "claude-sonnet-5",
    "claude-sonnet-5[1m]",
    "claude-opus-4-8",
    "claude-opus-4-8[1m]",
    "d1-max",
    "duvo-1-max",
    "duvo-1-max-sonnet-1m",
    "duvo-1-max-sonnet-4.5",
    "duvo-1-max-sonnet-4.5-1m",
    "duvo-1-max-opus",
    "duvo-1-max-opus-4.5",
    "gpt-4.1",
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-5",
    "gpt-5.1",
    "claude-sonnet-4-20250514",
    "claude-sonnet-4-20250514[1m]",
    "claude-sonnet-4-5-20250929",
    "claude-sonnet-4-5-20250929[1m]",
    "claude-sonnet-4-6",
    "claude-sonnet-4-6[1m]",
    "claude-opus-4-1-20250805",
    "claude-opus-4-5-20251101",
    "claude-opus-4-6",
    "claude-opus-4-6[1m]",
    "claude-opus-4-7",
    "claude-opus-4-7[1m]",
)
_BROWSING_MODELS = (
    "gemini-2.5-pro",
    "gemini-2.5-flash",
    "gemini-3-pro-preview",
    "claude-haiku-4-5",
    "claude-sonnet-4-5",
    "claude-opus-4-1",
)

PLAIN_CONFIG: Mapping[str, Any] = {
    "version": "v2",
    "data": {
        "models": {
            "agent": {"model": "claude-sonnet-5"},
            "browsing": {"provider": "google", "model": "gemini-2.5-pro"},
        },
        "input": "Do what the script says.",
        "files": None,
        "skills": None,
        "plugins": None,
        "subAgents": None,
    },
}
"""What agents are configured with that come from a script."""


@looks_for()
def _anything(_: object) -> Complaint:
    return None


def _either(first: Check, *others: Check) -> Check:
    """Makes the check for what one of several checks takes."""

    def check(value: object) -> str | None:
        complaints = [each(value) for each in (first, *others)]
        return None if None in complaints else " or ".join(filter(None, complaints))

    return Check(check, {"anyOf": [each.schema for each in (first, *others)]})


def _number(minimum: float, maximum: float) -> Check:
    """Makes the check for a number within bounds."""

    def check(value: object) -> str | None:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        if fits and minimum <= cast("float", value) <= maximum:
            return None
        return f"a number from {minimum} to {maximum}"

    return Check(check, {"type": "number", "minimum": minimum, "maximum": maximum})


@looks_for(type="number", exclusiveMinimum=0)
def _positive(value: object) -> Complaint:
    """Checks for a number above zero."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    return None if fits else "a number above 0"


def _literal(value: str) -> Field:
    return Field(one_of((value,)), required=True)


def _optional_object(check: Check) -> Check:
    """Makes the check for an object with some fields that are known and any others."""

    def check_known(value: object) -> str | None:
        if not isinstance(value, dict):
            return "an object"
        fields = cast("dict[str, object]", value)
        return check({name: item for name, item in fields.items() if name in _OPTIONS})

    return Check(check_known, {**check.schema, "additionalProperties": True})


_IMAGE = {
    "type": _literal("input_image"),
    "detail": Field(or_null(one_of(("low", "high", "auto")))),
    "file_id": Field(or_null(text)),
    "url": Field(or_null(text)),
}
_PART = _either(
    object_of({"type": _literal("input_text"), "text": Field(text, required=True)}),
    object_of(_IMAGE),
    object_of({"type": _literal("input_file"), "file_id": Field(text, required=True)}),
)
_MESSAGE = object_of(
    {
        "role": Field(one_of(("system", "user", "assistant")), required=True),
        "content": Field(_either(text, list_of(_PART)), required=True),
        "type": Field(or_null(one_of(("message",)))),
    }
)
_INPUT = Field(_either(text, list_of(_MESSAGE)), required=True)
_TEXTS = Field(or_null(list_of(text)))
_EXPECTED_OUTCOME = object_of(
    {"description": Field(text, required=True), "criteria": Field(text, required=True)}
)
_OPTIONS = {
    "browserProvider": Field(one_of(("browserbase", "browser-use"))),
    "evaluationSchemaId": Field(text),
    "benchmarkExpectedOutcomes": Field(list_of(_EXPECTED_OUTCOME)),
}
_BROWSING = {
    "provider": Field(one_of(("google", "anthropic")), required=True),
    "model": Field(one_of(_BROWSING_MODELS), required=True),
}
_AGENT = {"model": Field(one_of(_AGENT_MODELS), required=True)}
_MODELS = {
    "agent": Field(object_of(_AGENT), required=True),
    "browsing": Field(object_of(_BROWSING), required=True),
}
_DATA = {
    "models": Field(object_of(_MODELS), required=True),
    "input": _INPUT,
    "files": _TEXTS,
    "skills": _TEXTS,
    "plugins": _TEXTS,
    "subAgents": Field(or_null(list_of(uuid))),
    "options": Field(_optional_object(object_of(_OPTIONS))),
}
_FORMAT = _either(
    object_of({"type": _literal("text")}),
    object_of({"type": _literal("json_object")}),
)
_FIRST_DATA = {
    "model": Field(text, required=True),
    "temperature": Field(or_null(_number(0, 2))),
    "max_output_tokens": Field(or_null(_positive)),
    "top_p": Field(or_null(_number(0, 1))),
    "store": Field(or_null(boolean)),
    "tools": Field(_anything, required=True),
    "input": _INPUT,
    "text": Field(or_null(object_of({"format": Field(or_null(_FORMAT))}))),
    "files": _TEXTS,
    "skills": _TEXTS,
}
_FIRST = object_of(
    {"version": _literal("v1"), "data": Field(object_of(_FIRST_DATA), required=True)}
)

new_config: Check = object_of(
    {"version": _literal("v2"), "data": Field(object_of(_DATA), required=True)}
)
"""Checks what a new build is configured with."""


@looks_for(anyOf=[_FIRST.schema, new_config.schema])
def any_config(value: object) -> Complaint:
    """Checks what a build can be configured with, which older ones have in another form."""
    return _FIRST(value) if _version(value) == "v1" else new_config(value)


def _version(config: object) -> object:
    if not isinstance(config, dict):
        return None
    return cast("dict[str, object]", config).get("version")


def completed(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """A configuration with null for what may be left out by those who send it."""
    later = () if config["version"] == "v1" else ("plugins", "subAgents")
    names = ("files", "skills", *later)
    data: dict[str, Any] = config["data"]
    missing = {name: None for name in names if name not in data}
    return {**config, "data": {**data, **missing}}
