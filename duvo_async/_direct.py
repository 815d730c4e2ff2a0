"""Answers read from bytes into models without dicts between, where the extra `speed` is installed.

msgspec reads into structs that have the fields of the models, and looks at the types on the way;
then the models are filled from them, which takes two thirds of what it takes by way of dicts. The
same comes out. What is refused here `_converter` reads once more: it takes more, and says what is
wrong. (Members that no model has are passed over, even those that are no UTF-8.)
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from types import GenericAlias
from typing import Any, TypeAlias, get_args, get_origin

from attrs import NOTHING, Attribute, field, fields, frozen, has, resolve_types

from duvo_async._decoders import (
    MOMENT,
    compiled,
    fillable,
    is_json_object,
    is_plain,
    json_name,
    without_none,
)
from duvo_async.models import NOT_GIVEN
from duvo_async.models._extensible import Extensible
from duvo_async.models._open_enum import OpenEnum

_msgspec: Any
try:
    import msgspec
except ImportError:
    _msgspec = None
else:
    _msgspec = msgspec

Reader: TypeAlias = Callable[[bytes], Any]

_AS_READ = (str, bool, int, float)


class _Unfit(Exception):  # noqa: N818 - it says no more than that
    """msgspec has no type whose values are those of a type."""


@frozen
class _Way:
    """How a value is read.

    Attributes:
        kind: As what msgspec reads it.
        source: What is made of the value `v` that msgspec gives.
        names: What else stands in the source.
    """

    kind: Any
    source: str = "v"
    names: dict[str, Any] = field(factory=dict[str, Any])


@cache
def reader(kind: Any, member: str | None = None) -> Reader | None:  # noqa: ANN401 - a type
    """Find what reads a body.

    Args:
        kind: What the body holds: a model, or a tuple of any number of them.
        member: The one member of the body's object that is read. None reads the whole body.

    Returns:
        The reader, which raises for what `_converter` has to look at. None when that has to look at
        all bodies.
    """
    if _msgspec is None:
        return None
    try:
        way = _way(kind, 0)
    except _Unfit:
        return None
    struct, found = way.kind, ""
    if member is not None:
        wrapped = [("found", way.kind, _msgspec.field(name=member))]
        struct, found = _msgspec.defstruct("Answer", wrapped, gc=False), ".found"
    names = {**way.names, "decode": _msgspec.json.Decoder(struct).decode}
    source = ["def read(body):", f" v = decode(body){found}", f" return {way.source}"]
    read: Reader = compiled("read", source, names)
    return read


def _way(kind: Any, number: int) -> _Way:  # noqa: ANN401 - a type
    if kind in _AS_READ:
        return _Way(kind)
    if kind is datetime:
        return _Way(str, MOMENT)
    if (other := without_none(kind)) is not None:
        way = _way(other, number)
        return _Way(way.kind | None, f"None if v is None else {way.source}", way.names)
    if get_origin(kind) is tuple and get_args(kind)[1:] == (...,):
        return _way_of_many(get_args(kind)[0], number)
    if has(kind) and is_plain(kind) and not issubclass(kind, Extensible):
        struct, fill = struct_of(kind)
        return _Way(struct, f"fill{number}(v)", {f"fill{number}": fill})
    if isinstance(kind, type) and issubclass(kind, OpenEnum):
        names = {f"words{number}": dict(kind._value2member_map_), f"read{number}": kind.read}
        return _Way(str, f"words{number}.get(v) or read{number}(v)", names)
    raise _Unfit


def _way_of_many(kind: Any, number: int) -> _Way:  # noqa: ANN401 - a type
    way = _way(kind, number)
    if ":=" in way.source:  # which cannot stand in there
        raise _Unfit
    source = "tuple(v)" if way.source == "v" else f"tuple([{way.source} for v in v])"
    return _Way(GenericAlias(list, way.kind), source, way.names)


@cache
def struct_of(kind: Any) -> tuple[Any, Callable[[Any], Any]]:  # noqa: ANN401 - one of our models
    """Make the struct of a model, and what fills the model from one.

    Raises:
        _Unfit: There is none.
    """
    resolve_types(kind)
    names: dict[str, Any] = {"Fillable": fillable(kind), "kind": kind}
    source = ["def fill(o):", " self = new(Fillable)"]
    members: list[tuple[str, Any, Any]] = []
    for number, each in enumerate(fields(kind)):
        way = _way_of_field(each, number)
        names |= way.names
        source += [f" v = o.{each.name}", f" self.{each.name} = {way.source}"]
        default: Any = {} if each.default is NOTHING else {"default": None}
        members.append((each.name, way.kind, _msgspec.field(name=json_name(each), **default)))
    source += [" self.__class__ = kind", " return self"]
    # They are gone as soon as the models are there, and nothing in them leads back to them.
    struct = _msgspec.defstruct(kind.__name__, members, kw_only=True, gc=False)
    return struct, compiled("fill", source, names)


def _way_of_field(attribute: "Attribute[Any]", number: int) -> _Way:
    default: Any = attribute.default
    is_object = is_json_object(attribute.type)
    if default is NOT_GIVEN:
        raise _Unfit
    if "JSON" in str(attribute.type) and not is_object:
        if default is not NOTHING and default is not None:
            raise _Unfit
        return _Way(Any)
    way = _Way(dict[str, Any]) if is_object else _way(attribute.type, number)
    if default is NOTHING:
        return way
    if default is None:
        return _Way(way.kind | None, way.source, way.names) if is_object else way
    is_made = hasattr(default, "factory")
    names = {**way.names, f"default{number}": default.factory if is_made else default}
    absent = f"default{number}{'()' if is_made else ''}"
    return _Way(way.kind | None, f"{absent} if v is None else {way.source}", names)
