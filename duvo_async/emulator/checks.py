"""Checks made of other checks: for values with bounds, choices, lists and objects in objects."""

from collections.abc import Collection, Mapping
from typing import cast

from duvo_async.emulator.validation import Check, Field, Schema, object_schema, text


def text_of(minimum: int, maximum: int | None = None) -> Check:
    """Makes the check for a string of a certain length."""
    bound = f"at least {minimum}" if maximum is None else f"{minimum} to {maximum}"

    def check(value: object) -> str | None:
        if complaint := text(value):
            return complaint
        length = len(cast("str", value))
        fits = length >= minimum and (maximum is None or length <= maximum)
        return None if fits else f"a string of {bound} characters"

    return Check(check, {"type": "string", **_bounds("Length", minimum, maximum)})


def integer(minimum: int, maximum: int = 2**53 - 1) -> Check:
    """Makes the check for an integer within bounds."""

    def check(value: object) -> str | None:
        # In Python true is an integer, too.
        fits = isinstance(value, int) and not isinstance(value, bool)
        if fits and minimum <= cast("int", value) <= maximum:
            return None
        return f"an integer from {minimum} to {maximum}"

    return Check(check, {"type": "integer", "minimum": minimum, "maximum": maximum})


def one_of(choices: Collection[str]) -> Check:
    """Makes the check for one of some strings."""

    def check(value: object) -> str | None:
        fits = isinstance(value, str) and value in choices
        return None if fits else f"one of: {', '.join(choices)}"

    return Check(check, {"enum": list(choices)})


def or_null(inner: Check) -> Check:
    """Makes the check for null or what another check takes."""

    def check(value: object) -> str | None:
        complaint = None if value is None else inner(value)
        return None if complaint is None else f"null or {complaint}"

    return Check(check, {"anyOf": [inner.schema, {"type": "null"}]})


def list_of(inner: Check, minimum: int = 0, maximum: int | None = None) -> Check:
    """Makes the check for a list of a certain length, each of whose items passes a check."""
    bound = f"at least {minimum}" if maximum is None else f"{minimum} to {maximum}"

    def check(value: object) -> str | None:
        if not isinstance(value, list):
            return "a list"
        items = cast("list[object]", value)
        if len(items) < minimum or (maximum is not None and len(items) > maximum):
            return f"a list of {bound} items"
        complaints = (complaint for item in items if (complaint := inner(item)))
        complaint = next(complaints, None)
        return None if complaint is None else f"a list whose items are each {complaint}"

    bounds = _bounds("Items", minimum, maximum)
    return Check(check, {"type": "array", "items": inner.schema, **bounds})


def map_of(inner: Check) -> Check:
    """Makes the check for an object of any names, each of whose values passes a check."""

    def check(value: object) -> str | None:
        if not isinstance(value, dict):
            return "an object"
        items = cast("dict[str, object]", value).items()
        complaints = (complaint for name, item in items if (complaint := text(name) or inner(item)))
        complaint = next(complaints, None)
        return None if complaint is None else f"an object whose values are each {complaint}"

    return Check(check, {"type": "object", "additionalProperties": inner.schema})


def object_of(fields: Mapping[str, Field]) -> Check:
    """Makes the check for an object that has these fields and no other."""

    def check(value: object) -> str | None:
        if not isinstance(value, dict):
            return "an object"
        values = cast("dict[str, object]", value)
        for name in values:
            if name not in fields:
                return f"an object without {name}"
        for name, field in fields.items():
            if name in values and (complaint := field.check(values[name])):
                return f"an object whose {name} is {complaint}"
            if field.required and name not in values:
                return f"an object with {name}"
        return None

    return Check(check, object_schema(fields))


def _bounds(what: str, minimum: int, maximum: int | None) -> Schema:
    least = {f"min{what}": minimum} if minimum else {}
    return least if maximum is None else {**least, f"max{what}": maximum}
