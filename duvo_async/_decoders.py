"""The models' own decoders: source written from their fields, compiled when a model is first met.

They do what cattrs' do in less than half the time, which counts where a page holds a hundred of
them. A text is looked at where it stands instead of by a hook, and the object is filled field by
field instead of by the `__init__` of a frozen class, which goes past a `__setattr__` that refuses
everybody else. What is wrong with a value is for the hooks to say, as ever.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import NoneType, UnionType
from typing import Any, TypeAlias, Union, get_args, get_origin

from attrs import NOTHING, Attribute, fields

from duvo_async.models._extensible import Extensible
from duvo_async.models._open_enum import OpenEnum

Hook: TypeAlias = Callable[[Any, Any], Any]
"""What makes a value of JSON, given the type that it is to have."""

EXTRA = "_extra"
"""The field of an `Extensible` that holds what has no field."""
_JSON_NAME = "json"
"""The key in a field's metadata under which the API's name for it stands, where it is another."""

MOMENT = "v if (v := moment(v)).tzinfo else v.replace(tzinfo=UTC)"
"""What a timestamp `v` is, as `_converter` reads it."""
_HOOK = "hook{0}(v, kind{0})"
_OURS = __name__.partition(".")[0] + "."
_AT_SIGHT = (str, bool, int)
"""A value whose class is one of these is read already, if that is the class it is to have."""


def json_name(attribute: "Attribute[Any]") -> str:
    """Tell what the API calls a field."""
    return str(attribute.metadata.get(_JSON_NAME, attribute.name))


def without_none(kind: Any) -> Any:  # noqa: ANN401 - a typing construct
    """Tell the one type that a value of an optional type has where it is not None.

    Returns:
        The type. None when the type is not made of one and None.
    """
    members = get_args(kind)
    if get_origin(kind) not in (Union, UnionType) or NoneType not in members:
        return None
    others = [each for each in members if each is not NoneType]
    return others[0] if len(others) == 1 else None


def is_json_object(kind: Any) -> bool:  # noqa: ANN401 - a typing construct
    """Tell whether values of a type are any objects of JSON."""
    return "JSON" in str(kind) and "Mapping" in str(kind)


def is_plain(kind: Any) -> bool:  # noqa: ANN401 - an attrs class
    """Tell whether a class is ours, and its objects are no more than the fields they are given."""
    if not kind.__module__.startswith(_OURS) or hasattr(kind, "__attrs_post_init__"):
        return False
    return all(
        each.init and each.converter is None and each.validator is None for each in fields(kind)
    )


def fillable(kind: Any) -> Any:  # noqa: ANN401 - a plain class
    """Make a subclass of the same layout that lets itself be filled, and so can turn into it."""
    # Both are object's: only then does Python set fields without looking for the one to call.
    own = {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    return type(kind.__name__, (kind,), {"__slots__": (), **own})


def compiled(name: str, source: Sequence[str], names: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a function
    """Make a function of its source.

    Args:
        name: The function's name.
        source: Its lines.
        names: What stands in them.
    """
    known = {"new": object.__new__, "moment": datetime.fromisoformat, "UTC": UTC, **names}
    # The sources are made of the fields of our own models.
    exec(compile("\n".join(source), f"<duvo_async {name}>", "exec"), known)  # noqa: S102
    return known[name]


def make_decoder(
    kind: Any,  # noqa: ANN401 - a plain class
    own_hook: Callable[["Attribute[Any]"], Hook | None],
    hook_of: Callable[[Any], Hook],
) -> Hook:
    """Write the decoder of a model.

    Args:
        kind: A frozen attrs class that is plain.
        own_hook: Gives the hook of a field that its type does not tell. It is asked where the field
            has a value, null included.
        hook_of: Gives the hook of a type.

    Returns:
        The decoder. What it raises says that something is wrong, and not always what.
    """
    names: dict[str, Any] = {
        "Fillable": fillable(kind),
        "kind": kind,
        "known": {json_name(each) for each in fields(kind) if each.name != EXTRA},
    }
    source = [
        "def decode(o, _):",
        " if o.__class__ is not dict: raise ValueError",
        " self = new(Fillable)",
    ]
    for number, each in enumerate(fields(kind)):
        if each.name != EXTRA:
            source += _read(each, number, names, own_hook(each), hook_of)
    if issubclass(kind, Extensible):
        source.append(" self._extra = {n: v for n, v in o.items() if n not in known}")
    source += [" self.__class__ = kind", " return self"]
    decoder: Hook = compiled("decode", source, names)
    return decoder


def _read(
    attribute: "Attribute[Any]",
    number: int,
    names: dict[str, Any],
    own_hook: Hook | None,
    hook_of: Callable[[Any], Hook],
) -> Iterator[str]:
    """Write how one field is filled."""
    name, default, to = json_name(attribute), attribute.default, f"self.{attribute.name} ="
    kind = attribute.type if own_hook else without_none(attribute.type) or attribute.type
    names |= {f"hook{number}": own_hook or hook_of(kind), f"kind{number}": kind}
    value = _any_value(kind, number) if own_hook else _value(kind, number, names)
    if default is NOTHING or default is None:
        yield f" v = o[{name!r}]" if default is NOTHING else f" v = o.get({name!r})"
        may_be_none = default is None or kind is not attribute.type
        yield f" {to} None if v is None else {value}" if may_be_none else f" {to} {value}"
    else:
        is_made = hasattr(default, "factory")
        names[f"default{number}"] = default.factory if is_made else default
        yield f" if {name!r} in o: v = o[{name!r}]; {to} {value}"
        yield f" else: {to} default{number}{'()' if is_made else ''}"


def _any_value(kind: Any, number: int) -> str:  # noqa: ANN401 - a typing construct
    """Write what the value `v` is where a hook of the field's own reads it."""
    hook = _HOOK.format(number)
    return f"v if v.__class__ is dict else {hook}" if is_json_object(kind) else hook


def _value(kind: Any, number: int, names: dict[str, Any]) -> str:  # noqa: ANN401 - a typing construct
    """Write what the value `v` is as one of a type."""
    hook = _HOOK.format(number)
    if kind is datetime:
        return MOMENT
    if kind in _AT_SIGHT:
        return f"v if v.__class__ is {kind.__name__} else {hook}"
    if isinstance(kind, type) and issubclass(kind, OpenEnum):
        names[f"words{number}"] = dict(kind._value2member_map_)
        return f"words{number}.get(v) or {hook}"
    return hook
