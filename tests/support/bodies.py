"""The bodies of the API's answers, described field by field, to make good and bad ones of.

The descriptions are written down here a second time, apart from the models, so that the models can
be held against them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, TypeAlias

from attrs import field, frozen
from hypothesis import strategies as st


@frozen
class Text:
    """Any string."""


@frozen
class Url:
    """An http or https URL."""


@frozen
class Moment:
    """A timestamp."""


@frozen
class Flag:
    """A boolean."""


@frozen
class Count:
    """A whole number, written as 12 or 12.0."""


@frozen
class Number:
    """Any finite number."""


@frozen
class Anything:
    """Any JSON value."""


@frozen
class AnyObject:
    """An object with whatever in it."""


@frozen
class Maybe:
    """Something, or null."""

    kind: "Kind"


@frozen
class Many:
    """An array."""

    kind: "Kind"


@frozen
class Thing:
    """An object with known fields."""

    required: dict[str, "Kind"]
    optional: dict[str, "Kind"] = field(factory=dict[str, "Kind"])


Kind: TypeAlias = (
    Text | Url | Moment | Flag | Count | Number | Anything | AnyObject | Maybe | Many | Thing
)

RUN = Thing(
    {
        "id": Text(),
        "agent_id": Text(),
        "build_id": Text(),
        "status": Text(),
        "source": Maybe(Text()),
        "sandbox_id": Maybe(Text()),
        "started_at": Maybe(Moment()),
        "completed_at": Maybe(Moment()),
        "created_at": Moment(),
        "updated_at": Moment(),
        "human_in_the_loop_enabled": Flag(),
    }
)
OPTION = Thing({"label": Text()}, {"description": Text()})
QUESTION = Thing(
    {"question": Text()}, {"header": Text(), "options": Many(OPTION), "multi_select": Flag()}
)
HUMAN_REQUEST = Thing(
    {
        "id": Text(),
        "title": Text(),
        "description": Maybe(Text()),
        "created_at": Moment(),
        "type": Text(),
    },
    {"questions": Many(QUESTION)},
)
ANSWERED = Thing(
    {
        "id": Text(),
        "run_id": Text(),
        "title": Text(),
        "description": Maybe(Text()),
        "response": Maybe(Text()),
        "responded_at": Maybe(Moment()),
        "created_at": Moment(),
    }
)
TOOL_CALL = Thing({"id": Text(), "name": Text()}, {"arguments": AnyObject()})
TOOL_RESULT = Thing({"tool_call_id": Text()}, {"result": Anything(), "error": Text()})
MESSAGE = Thing(
    {"id": Text(), "type": Text(), "role": Text(), "timestamp": Moment()},
    {"text_content": Text(), "tool_call": TOOL_CALL, "tool_result": TOOL_RESULT},
)
POSTED_MESSAGE = Thing(MESSAGE.required, {"text_content": Text()})
FILE = Thing({"name": Text(), "path": Text(), "type": Text(), "size_bytes": Count()})

STARTED_BODY = Thing({"run": RUN})
RUN_BODY = Thing({"run": RUN}, {"pending_human_request": Maybe(HUMAN_REQUEST)})
MESSAGES_BODY = Thing(
    {"messages": Many(MESSAGE), "total": Count(), "limit": Count(), "offset": Count()}
)
MESSAGE_BODY = Thing({"message": POSTED_MESSAGE})
ANSWERED_BODY = Thing({"human_request": ANSWERED})
STOP_BODY = Thing({"success": Flag()}, {"message": Text()})
SANDBOX_BODY = Thing({"sandbox_id": Text(), "expires_at": Moment()})
UPLOAD_URL_BODY = Thing(
    {"upload_url": Url(), "path": Text(), "expires_in_seconds": Number()},
)
FILES_BODY = Thing({"files": Many(FILE)})
UPLOADED_BODY = Thing({"path": Text(), "size_bytes": Count()})


# --- good ones -----------------------------------------------------------------------------------

finite = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers() | finite | st.text(max_size=8)
json_values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


def _written(moment: datetime, *, short: bool) -> str:
    text = moment.isoformat()
    return text.replace("+00:00", "Z") if short else text


zones = st.sampled_from([UTC, None]) | st.integers(-1439, 1439).map(
    lambda minutes: timezone(timedelta(minutes=minutes))
)
moments = st.builds(_written, st.datetimes(timezones=zones), short=st.booleans())
urls = st.builds(
    "{}://{}/{}?X-Signature={}".format,
    st.sampled_from(["http", "https"]),
    st.sampled_from(["storage.test", "127.0.0.1:9000", "[::1]:9000"]),
    st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=8),
    st.integers(0, 9),
)
counts = st.integers(0, 2**53)
_SIMPLE: dict[type, st.SearchStrategy[Any]] = {
    Text: st.text(max_size=12),
    Url: urls,
    Moment: moments,
    Flag: st.booleans(),
    Count: counts | counts.map(float),
    Number: finite | st.integers(-(2**53), 2**53),
    Anything: json_values,
    AnyObject: st.dictionaries(st.text(max_size=8), json_values, max_size=3),
}
_unknown_fields = st.dictionaries(st.text(max_size=6).map("new_".__add__), json_values, max_size=2)


def good(kind: Kind) -> st.SearchStrategy[Any]:
    """Values as documented: optional fields come and go, and unknown ones come on top."""
    if isinstance(kind, Maybe):
        return st.none() | good(kind.kind)
    if isinstance(kind, Many):
        return st.lists(good(kind.kind), max_size=3)
    if isinstance(kind, Thing):
        required = {name: good(inner) for name, inner in kind.required.items()}
        optional = {name: good(inner) for name, inner in kind.optional.items()}
        known = st.fixed_dictionaries(required, optional=optional)
        return st.builds(lambda new, old: {**new, **old}, _unknown_fields, known)
    return _SIMPLE[type(kind)]


# --- bad ones ------------------------------------------------------------------------------------


@frozen
class Place:
    """Where a documented value stands in a body."""

    container: Any
    key: str | int
    path: str
    kind: Kind
    required: bool


def places(kind: Kind, value: Any, path: str = "$") -> Iterator[Place]:  # noqa: ANN401 - JSON
    """Find all documented values in a body."""
    inside: list[tuple[Place, Any]] = []
    if isinstance(kind, Maybe):
        if value is not None:
            yield from places(kind.kind, value, path)
    elif isinstance(kind, Many):
        inside = [
            (Place(value, index, f"{path}[{index}]", kind.kind, required=False), each)
            for index, each in enumerate(value)
        ]
    elif isinstance(kind, Thing):
        inside = [
            (Place(value, name, f"{path}.{name}", each, name in kind.required), value[name])
            for name, each in {**kind.required, **kind.optional}.items()
            if name in value
        ]
    for place, each in inside:
        yield place
        yield from places(place.kind, each, place.path)


_ACCEPTED: dict[type, tuple[type, ...]] = {
    Text: (str,),
    Url: (str,),
    Moment: (str,),
    Flag: (bool,),
    Count: (int, float),
    Number: (int, float),
    Many: (list,),
    Thing: (dict,),
    AnyObject: (dict,),
}


def wrong_values(place: Place) -> st.SearchStrategy[Any]:
    """Values of JSON types that the documents do not have in a place.

    Null is left out where an optional field stands, for it may well mean that there is none.
    """
    kind = place.kind
    types: tuple[type, ...] = ()
    if isinstance(kind, Maybe) or not (place.required or isinstance(place.key, int)):
        types = (type(None),)
    accepted = (*types, *_ACCEPTED[type(kind.kind if isinstance(kind, Maybe) else kind)])
    return json_values.filter(lambda value: type(value) not in accepted)
