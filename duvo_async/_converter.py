"""JSON values to models: the only file that imports cattrs.

Two converters with the same rules. The fast one says only that something is wrong; what is wrong is
found by the explaining one, which costs a multiple and so runs only after a failure.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache, partial
from math import isfinite
from types import GenericAlias
from typing import Any, TypeVar, Union, cast, get_args

from attrs import NOTHING, Attribute, fields, has, resolve_types
from cattrs import Converter, transform_error
from cattrs.gen import make_dict_structure_fn, override

from duvo_async._decoders import (
    EXTRA,
    Hook,
    is_json_object,
    is_plain,
    json_name,
    make_decoder,
    without_none,
)
from duvo_async.models import JSON, NOT_GIVEN, NotGiven
from duvo_async.models._extensible import Extensible
from duvo_async.models._open_enum import OpenEnum

_T = TypeVar("_T")


class DecodeProblem(Exception):  # noqa: N818 - it is turned into a ResponseDecodeError
    """Why a value is not what it should be.

    Attributes:
        problems: What is wrong, each with its JSON path.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(*problems)
        self.problems = problems


class GoneProblem(DecodeProblem):
    """The API says that what was asked for is no more: it is turned into a `NotFoundError`."""


def structure(value: JSON, kind: type[_T], path: str = "$") -> _T:
    """Make a model of a decoded JSON value.

    Args:
        value: The JSON value.
        kind: The model's class.
        path: Where the value stands in its document, for the error.

    Returns:
        The model. Unknown fields and unknown words of open enumerations are accepted.

    Raises:
        DecodeProblem: A required field is missing or a value has another type.
    """
    try:
        return cast("_T", _fast_hook(kind)(value, kind))
    except Exception:  # noqa: BLE001 - cattrs lets through what the value provoked
        problems = _explain(value, kind, path)
    raise DecodeProblem(problems)


def check_kind(kind: Any) -> None:  # noqa: ANN401 - any class
    """Insist that values can be made of JSON.

    Raises:
        TypeError: There is no way to make them.
    """
    try:
        _fast_hook(kind)
    except Exception:  # noqa: BLE001 - cattrs has several for this
        raise TypeError(f"cast_to: there is no way to make {kind!r} of JSON") from None


def unstructure(value: object) -> JSON:
    """Make the JSON of a model: what was not given is left out, and unknown fields are kept."""
    kind: Any = type(value)
    if has(kind):
        given = {
            json_name(each): unstructure(held)
            for each in fields(kind)
            if each.name != EXTRA and (held := getattr(value, each.name)) is not NOT_GIVEN
        }
        return {**value.extra, **given} if isinstance(value, Extensible) else given
    if isinstance(value, Mapping):
        members = cast("Mapping[str, object]", value)
        return {name: unstructure(each) for name, each in members.items()}
    if isinstance(value, (list, tuple)):
        return [unstructure(each) for each in cast("Sequence[object]", value)]
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, OpenEnum) else value  # type: ignore[return-value] # json.dumps refuses the rest


def _explain(value: JSON, kind: type[Any], path: str) -> tuple[str, ...]:
    try:
        _EXPLAINING.structure(value, kind)
    except Exception as error:  # noqa: BLE001 - as above
        return tuple(transform_error(error, path, _describe))
    raise AssertionError("the two converters disagree")  # pragma: no cover


def _describe(error: BaseException, _kind: type[Any] | None) -> str:
    if isinstance(error, KeyError):
        return "required field missing"
    if isinstance(error, _Mismatch):
        return str(error)
    return "expected an object"


class _Mismatch(ValueError):  # noqa: N818 - as above
    """A value of another type than the documents say. Its text never holds the value itself."""

    def __init__(self, expected: str, value: object) -> None:
        super().__init__(f"expected {expected}, not {_JSON_NAMES.get(type(value), 'another')}")


_JSON_NAMES: dict[type, str] = {
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


# The hooks are strict where cattrs converts by default: str(7) would hide a broken answer.


def _string(value: object, _: object) -> str:
    if type(value) is not str:
        raise _Mismatch("a string", value)
    return value


def _boolean(value: object, _: object) -> bool:
    if type(value) is not bool:
        raise _Mismatch("a boolean", value)
    return value


def _count(value: object, _: object) -> int:
    # The API types its counts as JSON numbers, and some encoders write 12 as 12.0.
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is not int:
        raise _Mismatch("a whole number", value)
    return value


def _number(value: object, _: object) -> float:
    if type(value) not in (int, float):
        raise _Mismatch("a number", value)
    try:
        number = float(value)  # type: ignore[arg-type] # an int or a float, as just seen
    except OverflowError:
        number = float("inf")
    if not isfinite(number):
        raise _Mismatch("a finite number", value)
    return number


def _timestamp(value: object, _: object) -> datetime:
    if type(value) is not str:
        raise _Mismatch("a timestamp", value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise _Mismatch("an ISO 8601 timestamp", value) from None
    # The API writes UTC; a timestamp without a zone can only mean that.
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _open_enum(value: object, kind: type[OpenEnum]) -> OpenEnum:
    if type(value) is not str:
        raise _Mismatch("a string", value)
    return kind.read(value)


def _as_is(value: Any, _: object) -> Any:  # noqa: ANN401 - the user's own JSON
    return value


def _object(value: Any, _: object) -> Any:  # noqa: ANN401 - any object
    if type(value) is not dict:
        raise _Mismatch("an object", value)
    return cast("Any", value)


def _make_converter(*, detailed: bool) -> Converter:
    converter = Converter(detailed_validation=detailed)
    converter.register_structure_hook(str, _string)
    converter.register_structure_hook(bool, _boolean)
    converter.register_structure_hook(int, _count)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(datetime, _timestamp)
    converter.register_structure_hook(OpenEnum, _open_enum)
    converter.register_structure_hook_factory(_is_optional, _make_optional_factory(converter))
    converter.register_structure_hook_factory(_is_tuple, _make_tuple_factory(converter))
    converter.register_structure_hook_factory(has, _make_model_factory(converter))
    return converter


def _is_optional(kind: object) -> bool:
    return without_none(kind) is not None


def _make_optional_factory(converter: Converter) -> Callable[[Any], Hook]:
    # cattrs' own looks for the hook each time.
    def factory(kind: Any) -> Hook:  # noqa: ANN401 - a typing construct
        other = without_none(kind)
        hook = converter.get_structure_hook(other)
        return lambda value, _: None if value is None else hook(value, other)

    return factory


def _is_tuple(kind: object) -> bool:
    return getattr(kind, "__origin__", None) is tuple and get_args(kind)[1:] == (...,)


def _make_tuple_factory(converter: Converter) -> Callable[[Any], Hook]:
    def factory(kind: Any) -> Hook:  # noqa: ANN401 - a typing construct
        of: Any = kind.__args__[0]
        as_list: Any = GenericAlias(list, of)
        structure_list = converter.get_structure_hook(as_list)
        hook = converter.get_structure_hook(of)

        def structure_tuple(value: Any, _: object) -> tuple[Any, ...]:  # noqa: ANN401 - any value
            if value.__class__ is not list:
                raise _Mismatch("an array", value)
            if converter.detailed_validation:  # where in the list it went wrong
                return tuple(structure_list(value, as_list))
            return tuple([hook(each, of) for each in value])

        return structure_tuple

    return factory


def _make_model_factory(converter: Converter) -> Callable[[Any], Hook]:
    def factory(kind: Any) -> Hook:  # noqa: ANN401 - any attrs class
        with suppress(NameError):  # a user's class may have its annotations as texts
            resolve_types(kind)
        if is_plain(kind) and not converter.detailed_validation:
            return make_decoder(kind, partial(_field_hook, converter), converter.get_structure_hook)
        special = {
            attribute.name: override(struct_hook=hook, rename=json_name(attribute))
            for attribute in fields(kind)
            if (hook := _field_hook(converter, attribute)) is not None
            or json_name(attribute) != attribute.name
        }
        extensible = issubclass(kind, Extensible)
        if extensible:
            special[EXTRA] = override(omit=True)
        structure_fields = make_dict_structure_fn(kind, converter, **special)  # type: ignore[arg-type] # overrides only

        def structure_model(value: Any, kind: Any) -> Any:  # noqa: ANN401 - any attrs class
            if value.__class__ is not dict:
                raise _Mismatch("an object", value)
            return structure_fields(value, kind)

        return _keeping_extra(kind, structure_model) if extensible else structure_model

    return factory


def _keeping_extra(kind: Any, structure_model: Hook) -> Hook:  # noqa: ANN401 - an attrs class
    known = {json_name(each) for each in fields(kind) if each.name != EXTRA}

    def structure_extensible(value: Any, kind: Any) -> Any:  # noqa: ANN401 - as the hook gives
        model = structure_model(value, kind)
        extra = {name: each for name, each in value.items() if name not in known}
        object.__setattr__(model, EXTRA, extra)  # it is new: nobody has seen it yet
        return model

    return structure_extensible


def _field_hook(converter: Converter, attribute: "Attribute[Any]") -> Hook | None:
    """Give the few fields their own hook whose annotation does not say how to read them."""
    annotation = str(attribute.type)
    if attribute.default is NOT_GIVEN and "JSON" not in annotation:
        return _given_hook(converter, attribute.type)
    if "JSON" in annotation:
        return _lenient(attribute, _object) if is_json_object(attribute.type) else _as_is
    if attribute.default is NOTHING or attribute.default is None or attribute.type is None:
        return None
    return _lenient(attribute, converter.get_structure_hook(attribute.type))


def _given_hook(converter: Converter, annotation: Any) -> Hook:  # noqa: ANN401 - a typing construct
    kinds = tuple(each for each in get_args(annotation) if each != NotGiven)
    kind: Any = Union[kinds]  # noqa: UP007 - made at run time
    hook = converter.get_structure_hook(kind)
    return lambda value, _: hook(value, kind)


def _lenient(attribute: "Attribute[Any]", hook: Hook) -> Hook:
    """Read the null of an optional field as the default that its absence means."""
    default: Any = attribute.default

    def read(value: object, kind: Any) -> Any:  # noqa: ANN401 - as the hook gives
        if value is None:
            return default.factory() if hasattr(default, "factory") else default
        return hook(value, kind)

    return read


_fast_hook: Callable[[Any], Hook] = cache(_make_converter(detailed=False).get_structure_hook)
_EXPLAINING = _make_converter(detailed=True)
