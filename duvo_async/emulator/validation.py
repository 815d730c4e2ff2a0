"""Checks of what a request carries in its body, and what they look for as JSON Schemas."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, NoReturn, TypeAlias, cast
from urllib.parse import urlsplit

from attrs import frozen

from duvo_async.emulator.exchange import ApiError, Request

Schema: TypeAlias = Mapping[str, Any]
"""A JSON Schema."""
Complaint: TypeAlias = str | None
"""What a value must be; None when it is that."""

_UUID_PATTERN = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
_UUID = re.compile(_UUID_PATTERN.strip("^$"))
_URI = re.compile(
    r"[a-z][a-z0-9+.-]*:([a-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9a-f]{2})+", re.IGNORECASE
)
_DEEPEST = 100
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


@frozen
class Check:
    """Looks whether a value is what it must be.

    Attributes:
        find: Finds what it must be, if it is not that.
        schema: What it must be, as a JSON Schema.
    """

    find: Callable[[object], Complaint]
    schema: Schema

    def __call__(self, value: object) -> Complaint:
        """Finds what a value must be, if it is not that."""
        return self.find(value)


def looks_for(**schema: object) -> Callable[[Callable[[object], Complaint]], Check]:
    """Has a function be the check for what a JSON Schema describes."""
    return lambda find: Check(find, schema)


@frozen
class Field:
    """What is known of one field of a body.

    Attributes:
        check: The check of its value.
        required: Whether it must be there.
    """

    check: Check
    required: bool = False


@looks_for(type="string")
def text(value: object) -> Complaint:
    """Checks for a string."""
    if not isinstance(value, str):
        return "a string"
    # JSON can escape half a surrogate pair, which no encoding can carry on.
    return None if _is_encodable(value) else "valid Unicode"


@looks_for(type="string", minLength=1)
def filled_text(value: object) -> Complaint:
    """Checks for a string that is not empty."""
    return text(value) or (None if value else "a non-empty string")


@looks_for(type="string", format="uuid", pattern=_UUID_PATTERN)
def uuid(value: object) -> Complaint:
    """Checks for a UUID as a string."""
    return None if isinstance(value, str) and _UUID.fullmatch(value) else "a UUID"


@looks_for(type="string", format="uri")
def uri(value: object) -> Complaint:
    """Checks for an absolute URI as a string."""
    return None if isinstance(value, str) and _is_uri(value) else "an absolute URI"


@looks_for(type="boolean")
def boolean(value: object) -> Complaint:
    """Checks for true or false."""
    return None if isinstance(value, bool) else "a boolean"


@looks_for(type="string", format="date-time")
def moment(value: object) -> Complaint:
    """Checks for a date and time as a string, with its offset from UTC."""
    complaint = "an ISO 8601 date and time with its offset"
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        return complaint
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return complaint  # such as the 30th of February
    return None


@looks_for(type="object", additionalProperties={"type": "string"})
def text_map(value: object) -> Complaint:
    """Checks for an object whose values are strings."""
    if not isinstance(value, dict):
        return "an object"
    values = cast("dict[str, object]", value).values()
    return "an object of strings" if any(text(each) for each in values) else None


def _is_encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_uri(value: str) -> bool:
    try:
        urlsplit(value)
    except ValueError:
        return False
    return _URI.fullmatch(value) is not None


def read_object(request: Request, fields: Mapping[str, Field]) -> dict[str, Any]:
    """Reads a JSON body that is an object with these fields and no other.

    Raises:
        ApiError: 415 when it is not declared as JSON, 400 for everything else; the message names
            the field.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ApiError(415, "the body must have the content type application/json")
    body = _read_json(request.body)
    if not isinstance(body, dict):
        raise ApiError(400, "the body must be a JSON object")
    values = cast("dict[str, Any]", body)
    for name in values:
        if name not in fields:
            raise ApiError(400, f"body.{name} is not a known field")
    for name, field in fields.items():
        if name in values and (complaint := field.check(values[name])):
            raise ApiError(400, f"body.{name} must be {complaint}")
        if field.required and name not in values:
            raise ApiError(400, f"body.{name} is required")
    return values


def _read_json(body: bytes) -> object:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no JSON")

    def finite(digits: str) -> float:
        number = float(digits)
        return number if math.isfinite(number) else refuse(digits)

    try:
        decoded: object = json.loads(body.decode(), parse_constant=refuse, parse_float=finite)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"the body is no valid JSON: {error}") from error
    if _is_deep(decoded):
        raise ApiError(400, f"the body is nested more than {_DEEPEST} levels deep")
    return decoded


def _is_deep(value: object) -> bool:
    """Whether a value is nested so deep that answers with it in them could not be written."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for each in level for inner in _inner(each)]
        if not level:
            return False
    return True


def _inner(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return cast("dict[str, object]", value).values()
    return cast("list[object]", value) if isinstance(value, list) else ()


def object_schema(fields: Mapping[str, Field]) -> Schema:
    """The JSON Schema of an object that has these fields and no other."""
    required = [name for name, field in fields.items() if field.required]
    return {
        "type": "object",
        "properties": {name: field.check.schema for name, field in fields.items()},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def check_empty(request: Request) -> None:
    """Checks that there is no body.

    Raises:
        ApiError: 400 when there is one.
    """
    if request.body:
        raise ApiError(400, "this operation takes no body")
