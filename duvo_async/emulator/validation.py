"""Checks of what a request carries: its body's fields and its query."""

import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, NoReturn, TypeAlias, cast
from urllib.parse import parse_qsl, urlsplit

from attrs import frozen

from duvo_async.emulator.exchange import ApiError, Request

Check: TypeAlias = Callable[[object], str | None]
"""Says what a value must be, or None when it is that."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_URI = re.compile(
    r"[a-z][a-z0-9+.-]*:([a-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9a-f]{2})+", re.IGNORECASE
)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


@frozen
class Field:
    """What is known of one field of a body.

    Attributes:
        check: The check of its value.
        required: Whether it must be there.
    """

    check: Check
    required: bool = False


def text(value: object) -> str | None:
    """Checks for a string."""
    if not isinstance(value, str):
        return "a string"
    # JSON can escape half a surrogate pair, which no encoding can carry on.
    return None if _is_encodable(value) else "valid Unicode"


def filled_text(value: object) -> str | None:
    """Checks for a string that is not empty."""
    return text(value) or (None if value else "a non-empty string")


def uuid(value: object) -> str | None:
    """Checks for a UUID as a string."""
    return None if isinstance(value, str) and _UUID.fullmatch(value) else "a UUID"


def uri(value: object) -> str | None:
    """Checks for an absolute URI as a string."""
    return None if isinstance(value, str) and _is_uri(value) else "an absolute URI"


def boolean(value: object) -> str | None:
    """Checks for true or false."""
    return None if isinstance(value, bool) else "a boolean"


def moment(value: object) -> str | None:
    """Checks for a date and time as a string, with its offset from UTC."""
    complaint = "an ISO 8601 date and time with its offset"
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        return complaint
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return complaint  # such as the 30th of February
    return None


def text_map(value: object) -> str | None:
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

    try:
        decoded: object = json.loads(body.decode(), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"the body is no valid JSON: {error}") from error
    return decoded


def check_empty(request: Request) -> None:
    """Checks that there is no body.

    Raises:
        ApiError: 400 when there is one.
    """
    if request.body:
        raise ApiError(400, "this operation takes no body")


def read_query(request: Request, names: Collection[str]) -> dict[str, str]:
    """Reads a query that has these parameters, each once at most, and no other.

    Raises:
        ApiError: 400; the message names the parameter.
    """
    values: dict[str, str] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        if name not in names:
            raise ApiError(400, f"query.{name} is not a known parameter")
        if name in values:
            raise ApiError(400, f"query.{name} must be given once")
        values[name] = value
    return values


def read_integer(
    query: Mapping[str, str], name: str, default: int, minimum: int, maximum: int | None = None
) -> int:
    """Reads an integer parameter.

    Args:
        query: The query's parameters.
        name: The parameter's name.
        default: Its value when it is absent.
        minimum: Its least value.
        maximum: Its greatest value; None for no limit.

    Raises:
        ApiError: 400 when it is no integer or out of its bounds.
    """
    value = query.get(name, str(default))
    bound = f"at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"
    if not re.fullmatch(r"-?[0-9]{1,15}", value):
        raise ApiError(400, f"query.{name} must be an integer {bound}")
    number = int(value)
    if number < minimum or (maximum is not None and number > maximum):
        raise ApiError(400, f"query.{name} must be {bound}")
    return number


def read_choice(query: Mapping[str, str], name: str, choices: Collection[str]) -> str | None:
    """Reads a parameter that has one of some values; None when it is absent.

    Raises:
        ApiError: 400 when it has another value.
    """
    value = query.get(name)
    if value is not None and value not in choices:
        raise ApiError(400, f"query.{name} must be one of: {', '.join(choices)}")
    return value


def read_text(
    query: Mapping[str, str], name: str, minimum: int = 0, maximum: int | None = None
) -> str | None:
    """Reads a parameter that is any text of a certain length; None when it is absent.

    Args:
        query: The query's parameters.
        name: The parameter's name.
        minimum: How many characters it has at least.
        maximum: How many it has at most; None for no limit.

    Raises:
        ApiError: 400 when it is shorter or longer.
    """
    value = query.get(name)
    if value is None:
        return None
    if len(value) < minimum or (maximum is not None and len(value) > maximum):
        bound = f"at least {minimum}" if maximum is None else f"{minimum} to {maximum}"
        raise ApiError(400, f"query.{name} must have {bound} characters")
    return value


def read_id(name: str, value: str) -> str:
    """Reads a parameter of the path that is a UUID, in lower case.

    Raises:
        ApiError: 400 when it is none.
    """
    if complaint := uuid(value):
        raise ApiError(400, f"path.{name} must be {complaint}")
    return value.lower()


def read_uuid(query: Mapping[str, str], name: str) -> str | None:
    """Reads a parameter that is a UUID, in lower case; None when it is absent.

    Raises:
        ApiError: 400 when it is none.
    """
    value = query.get(name)
    if value is None:
        return None
    if complaint := uuid(value):
        raise ApiError(400, f"query.{name} must be {complaint}")
    return value.lower()


def read_moment(query: Mapping[str, str], name: str) -> float:
    """Reads a parameter that is a date and time, in Unix seconds; minus infinity when absent.

    Raises:
        ApiError: 400 when it is none, or without an offset from UTC.
    """
    value = query.get(name)
    if value is None:
        return -math.inf
    if complaint := moment(value):
        raise ApiError(400, f"query.{name} must be {complaint}")
    return datetime.fromisoformat(value).timestamp()
