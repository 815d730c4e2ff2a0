"""Generates values by JSON Schemas, and what is like them and breaks them."""

import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

_ANY: SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
_CHARACTERS = st.characters(codec="utf-8")
_FORMATS: Mapping[str, SearchStrategy[str]] = {
    "uuid": st.uuids().map(str),
    "uri": st.sampled_from(["http://127.0.0.1:9/", "https://h.test/a?b=%20#c", "x:y"]),
    "date-time": st.sampled_from(
        ["2026-03-01T12:00:00Z", "1970-01-01T00:00:00.5+02:00", "9999-12-31T23:59:59Z"]
    ),
}


def anything() -> SearchStrategy[object]:
    """Generate any value that JSON can hold, and NaN and infinity, which it cannot."""
    return _ANY


Known: TypeAlias = Mapping[str, list[str]]
"""Values to prefer, by the name of what has them."""


def values(schema: Mapping[str, Any], known: Known, name: str = "") -> SearchStrategy[Any]:
    """Generate what a schema describes.

    Args:
        schema: The schema, in the words that the emulator's description uses.
        known: Values to prefer.
        name: The name of what is to have the value.
    """
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of([values(each, known, name) for each in schema["anyOf"]])
    made = _MAKERS[schema.get("type", "")](schema, known, name)
    if schema.get("type") == "string" and name in known:
        familiar = st.sampled_from(known[name])
        return familiar | familiar | familiar | made
    return made


def _texts(schema: Mapping[str, Any], _: Known, __: str) -> SearchStrategy[str]:
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    if "pattern" in schema:
        return st.from_regex(schema["pattern"].replace("$", r"\Z"), alphabet=string.printable)
    most = schema.get("maxLength", 20)
    texts = st.text(_CHARACTERS, min_size=schema.get("minLength", 0), max_size=min(most, 20))
    longest = st.just("x" * most) if "maxLength" in schema else st.nothing()
    return texts | longest


def _integers(schema: Mapping[str, Any], _: Known, __: str) -> SearchStrategy[int]:
    return st.integers(schema["minimum"], schema["maximum"])


def _numbers(schema: Mapping[str, Any], _: Known, __: str) -> SearchStrategy[float]:
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    return st.floats(
        least,
        schema.get("maximum", 1e9),
        exclude_min="exclusiveMinimum" in schema,
        allow_nan=False,
    )


def _lists(schema: Mapping[str, Any], known: Known, name: str) -> SearchStrategy[Any]:
    least = schema.get("minItems", 0)
    most = min(schema.get("maxItems", least + 3), least + 3)
    return st.lists(values(schema["items"], known, name), min_size=least, max_size=most)


def _objects(schema: Mapping[str, Any], known: Known, _: str) -> SearchStrategy[Any]:
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    fixed = {name: values(properties[name], known, name) for name in required}
    free = {
        name: values(each, known, name) for name, each in properties.items() if name not in required
    }
    objects = st.fixed_dictionaries(fixed, optional=free)
    more = schema.get("additionalProperties", True)
    if more is False:
        return objects
    others = _ANY.filter(_is_json) if more is True else values(more, known)
    names = st.text(_CHARACTERS, max_size=8)
    extra = st.dictionaries(names.filter(lambda name: name not in properties), others, max_size=3)
    return st.builds(lambda one, two: {**two, **one}, objects, extra)


def _is_json(value: object) -> bool:
    if isinstance(value, float):
        return value - value == 0
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
        return all(_is_json(name) and _is_json(each) for name, each in items)
    if isinstance(value, list):
        return all(_is_json(each) for each in cast("list[object]", value))
    return not isinstance(value, str) or not any("\ud800" <= each <= "\udfff" for each in value)


_MAKERS: Mapping[str, Callable[[Mapping[str, Any], Known, str], SearchStrategy[Any]]] = {
    "string": _texts,
    "integer": _integers,
    "number": _numbers,
    "boolean": lambda _, __, ___: st.booleans(),
    "null": lambda _, __, ___: st.none(),
    "array": _lists,
    "object": _objects,
    "": lambda _, __, ___: _ANY.filter(_is_json),
}


@st.composite
def broken(draw: st.DrawFn, value: Any) -> Any:  # noqa: ANN401 - JSON of any kind
    """Generate what a value becomes when something in it, at any depth, is another thing."""
    if isinstance(value, dict) and value and draw(st.integers(0, 3)):
        fields = cast("dict[str, Any]", value)
        name = draw(st.sampled_from(sorted(fields)))
        if draw(st.integers(0, 4)) == 0:
            return {other: each for other, each in fields.items() if other != name}
        return {**fields, name: draw(broken(fields[name]))}
    if isinstance(value, list) and value and draw(st.booleans()):
        items = cast("Sequence[Any]", value)
        place = draw(st.integers(0, len(items) - 1))
        return [*items[:place], draw(broken(items[place])), *items[place + 1 :]]
    if isinstance(value, dict):
        return {**cast("dict[str, Any]", value), draw(st.text(max_size=5)): draw(_ANY)}
    return draw(_ANY)
