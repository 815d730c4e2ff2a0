"""What the operations share: checks of arguments, bodies, queries and pages."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

from attrs import frozen

from duvo_async._converter import DecodeProblem, structure, unstructure
from duvo_async._protocol import (
    Page,
    Request,
    Response,
    decoded,
    encoded,
    json_body,
    member,
    parse_json,
)
from duvo_async.models import NOT_GIVEN, NotGiven

_T = TypeVar("_T")
_S = TypeVar("_S", bound=str)
SortOrder: TypeAlias = Literal["asc", "desc"]
ORDERS = ("asc", "desc")
_R = TypeVar("_R")


def get(path: str, query: Mapping[str, object] | None = None) -> Request:
    """Make a request that reads; of the query, None means "not given" and is left out."""
    given = tuple((name, _word(each)) for name, each in (query or {}).items() if each is not None)
    return Request(method="GET", path=path, query=given)


def post(path: str, fields: Mapping[str, object], idempotency_key: str | None) -> Request:
    """Make a request with a JSON body; None means "not given" and is left out."""
    return Request(
        method="POST", path=path, body=json_body(fields), idempotency_key=idempotency_key
    )


def patch(path: str, changes: Mapping[str, object], idempotency_key: str | None) -> Request:
    """Make a request that changes what is given; None is null, `NOT_GIVEN` is left as it is.

    Raises:
        ValueError: Nothing is given.
    """
    given = {name: each for name, each in changes.items() if each is not NOT_GIVEN}
    if not given:
        raise ValueError(f"nothing to change: give at least one of {', '.join(changes)}")
    return Request(
        method="PATCH",
        path=path,
        body=encoded(unstructure(given)),
        idempotency_key=idempotency_key,
    )


def delete(path: str, idempotency_key: str | None) -> Request:
    """Make a request that deletes."""
    return Request(method="DELETE", path=path, idempotency_key=idempotency_key)


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return moment(value) if isinstance(value, datetime) else encodable("a text", str(value))


def encodable(name: str, text: str) -> str:
    """Check for a text that can be sent: half a surrogate pair would be left out silently.

    Raises:
        ValueError: It cannot.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} must be valid Unicode, not {text!r}") from None
    return text


def moment(value: datetime) -> str:
    """Write a time as the API does; one without a zone is this machine's."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


# --- what the answers mean ------------------------------------------------------------------------


@frozen
class _Total:
    """What the API says of a list beside the page of it."""

    total: int | None = None


def one(name: str, kind: type[_T]) -> Callable[[Response], _T]:
    """Read the one member of an object in which the API wraps its answer."""
    return lambda response: member(response.body, name, kind)


def body(kind: type[_T]) -> Callable[[Response], _T]:
    """Read the whole body."""
    return lambda response: decoded(response.body, kind)


def page(name: str, kind: type[_T]) -> Callable[[Response], Page[_T]]:
    """Read a page of a list, and how many items the whole list has where the API says so."""
    items: Any = tuple[kind, ...]  # type: ignore[valid-type] # made at run time

    def read(response: Response) -> Page[_T]:
        found = member(response.body, name, items)
        return Page(found, decoded(response.body, _Total).total)

    return read


def renamed(kind: type[_T], names: Mapping[str, str]) -> Callable[[Response], _T]:
    """Read a whole body whose fields have other names in the API than here.

    Args:
        kind: The model.
        names: The API's names, each with the model's.
    """

    def read(response: Response) -> _T:
        value = parse_json(response.body)
        if not isinstance(value, dict):
            raise DecodeProblem(("expected an object @ $",))
        try:
            return structure({names.get(name, name): each for name, each in value.items()}, kind)
        except DecodeProblem as problem:
            told = list(problem.problems)
        for theirs, ours in names.items():
            told = [each.replace(f"$.{ours}", f"$.{theirs}") for each in told]
        raise DecodeProblem(tuple(told))

    return read


def done(_: Response) -> None:
    """Take a success for an answer: what else the API says then is nothing to know."""


# --- checks of arguments --------------------------------------------------------------------------


def text(name: str, value: str, *, most: int | None = None) -> str:
    """Check for a text of `most` characters at most, which may be empty."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {type(value).__name__}")
    if most is not None and len(value) > most:
        raise ValueError(f"{name} must have at most {most} characters, not {len(value)}")
    return value


def filled(name: str, value: str, *, most: int | None = None) -> str:
    """Check for a text that is not blank, of `most` characters at most."""
    if not text(name, value, most=most).strip():
        raise ValueError(f"{name} must not be empty")
    return value


def web_address(name: str, value: str) -> str:
    """Check for an http or https URL."""
    if not is_web_address(filled(name, value)):
        raise ValueError(f"{name} must be an http or https URL")
    return value


def is_web_address(url: str) -> bool:
    """Tell whether a text is an http or https URL."""
    try:
        place = urlsplit(url)
        return place.scheme in {"http", "https"} and bool(place.hostname)
    except ValueError:
        return False


def whole(name: str, value: int, *, least: int, most: int | None = None) -> int:
    """Check for a whole number within bounds."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if value < least or (most is not None and value > most):
        upper = "" if most is None else f" and at most {most}"
        raise ValueError(f"{name} must be at least {least}{upper}, not {value}")
    return value


def flag(name: str, value: bool) -> bool:  # noqa: FBT001 - what is checked
    """Check for True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return value


def ids(name: str, values: Sequence[str]) -> list[str]:
    """Check for ids, which may be none."""
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise TypeError(f"{name} must be a sequence of ids, not {type(values).__name__}")
    return [filled(f"{name}[{index}]", each) for index, each in enumerate(values)]


def kept(name: str, value: _T | NotGiven, check: Callable[[str, _T], object]) -> object:
    """Check what is given; `NOT_GIVEN` stays what it is."""
    return value if value is NOT_GIVEN else check(name, value)


def or_null(check: Callable[[str, _T], _R]) -> Callable[[str, _T | None], _R | None]:
    """Let a check pass None, too."""
    return lambda name, value: None if value is None else check(name, value)


def choice(name: str, value: _S, choices: Collection[str]) -> _S:
    """Check for one of a few words."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
    return value


def instant(name: str, value: datetime) -> datetime:
    """Check for a time."""
    if not isinstance(value, datetime):
        raise TypeError(f"{name} must be a datetime, not {type(value).__name__}")
    return value
