"""The parameters of queries: how each is read, and what it may be as a JSON Schema."""

import math
import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from attrs import frozen

from duvo_async.emulator.exchange import ApiError, Request
from duvo_async.emulator.validation import Schema, moment, uuid


class _WrongError(Exception):
    """A parameter's text is not what it must be; says what that is."""


@frozen
class Parameter:
    """What is known of one parameter of a query.

    Attributes:
        read: Gives the value of its text.
        schema: What it may be, as a JSON Schema.
        default: Its value when it is absent.
        required: Whether it must be there.
    """

    read: Callable[[str], object]
    schema: Schema
    default: object = None
    required: bool = False


Parameters = Mapping[str, Parameter]


def read_query(request: Request, parameters: Parameters) -> dict[str, Any]:
    """Reads a query that has these parameters, each once at most, and no other.

    Returns:
        The value of each parameter, those that are absent too.

    Raises:
        ApiError: 400; the message names the parameter.
    """
    values: dict[str, Any] = {}
    for name, text in parse_qsl(request.query, keep_blank_values=True):
        if name not in parameters:
            raise ApiError(400, f"query.{name} is not a known parameter")
        if name in values:
            raise ApiError(400, f"query.{name} must be given once")
        try:
            values[name] = parameters[name].read(text)
        except _WrongError as error:
            raise ApiError(400, f"query.{name} must {error}") from None
    for name, parameter in parameters.items():
        if parameter.required and name not in values:
            raise ApiError(400, f"query.{name} is required")
    return {name: parameter.default for name, parameter in parameters.items()} | values


def an_integer(default: int, minimum: int, maximum: int = 10**15 - 1) -> Parameter:
    """Makes the parameter that is an integer within bounds."""

    def read(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,16}", text):
            raise _WrongError(f"be an integer from {minimum} to {maximum}")
        number = int(text)
        if not minimum <= number <= maximum:
            raise _WrongError(f"be from {minimum} to {maximum}")
        return number

    schema = {"type": "integer", "minimum": minimum, "maximum": maximum, "default": default}
    return Parameter(read, schema, default)


def page(limit: int, maximum: int) -> Parameters:
    """Makes the parameters of a list that is given in pages.

    Args:
        limit: How many items a page has, unless the request says how many.
        maximum: How many it has at most.
    """
    return {"limit": an_integer(limit, 1, maximum), "offset": an_integer(0, 0)}


def a_choice(choices: Collection[str]) -> Parameter:
    """Makes the parameter that is one of some words."""

    def read(text: str) -> str:
        if text not in choices:
            raise _WrongError(f"be one of: {', '.join(choices)}")
        return text

    return Parameter(read, {"enum": list(choices)})


def some_of(choices: Collection[str]) -> Parameter:
    """Makes the parameter that is some of some words, with commas between them."""

    def read(text: str) -> frozenset[str]:
        words = frozenset(word.strip() for word in text.split(","))
        if not words <= frozenset(choices):
            raise _WrongError(f"be some of: {', '.join(choices)}")
        return words

    word = "|".join(re.escape(each) for each in choices)
    return Parameter(read, {"type": "string", "pattern": f"^({word})(,({word}))*$"})


def a_text(minimum: int = 0, maximum: int | None = None, default: str | None = None) -> Parameter:
    """Makes the parameter that is any text of a certain length.

    Args:
        minimum: How many characters it has at least.
        maximum: How many it has at most; None for no limit.
        default: What it is when it is absent.
    """

    def read(text: str) -> str:
        if len(text) < minimum or (maximum is not None and len(text) > maximum):
            bound = f"at least {minimum}" if maximum is None else f"{minimum} to {maximum}"
            raise _WrongError(f"have {bound} characters")
        return text

    most = {} if maximum is None else {"maxLength": maximum}
    return Parameter(read, {"type": "string", "minLength": minimum, **most}, default)


def an_id(*, required: bool = False) -> Parameter:
    """Makes the parameter that is a UUID; its value is in lower case."""

    def read(text: str) -> str:
        if complaint := uuid(text):
            raise _WrongError(f"be {complaint}")
        return text.lower()

    return Parameter(read, uuid.schema, required=required)


def _read_moment(text: str) -> float:
    if complaint := moment(text):
        raise _WrongError(f"be {complaint}")
    return datetime.fromisoformat(text).timestamp()


a_moment: Parameter = Parameter(_read_moment, moment.schema, -math.inf)
"""The parameter that is a date and time; its value is in Unix seconds, long ago when absent."""
