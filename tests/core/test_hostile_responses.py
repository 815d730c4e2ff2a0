"""Answers that mean harm: whatever comes, it is understood or refused as what it is."""

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

import pytest
from attrs import fields, has
from attrs.exceptions import FrozenInstanceError
from hypothesis import given, settings
from hypothesis import strategies as st

from duvo_async import APIError, DownloadedFile
from duvo_async import _protocol as protocol
from duvo_async._converter import _EXPLAINING, DecodeProblem, structure, unstructure
from duvo_async._protocol import Request, Response
from duvo_async._routes import Routes
from tests.core.test_decoding import CALLS
from tests.core.test_models import EXAMPLES
from tests.core.test_openapi_operations import TYPED, make
from tests.support.properties import unhurried

pytestmark = [pytest.mark.once, pytest.mark.no_cover]

Path: TypeAlias = tuple[str | int, ...]

OPERATIONS = {
    **{name: call for name, (call, _) in CALLS.items()},
    **{name: make(Routes("v2", "team-1"), name, whole=True) for name in TYPED},
}
texts = st.text(st.characters() | st.sampled_from("\ud800\udfff\0\ufeff/."), max_size=12)
keys = texts | st.sampled_from(
    ["id", "data", "run", "items", "total", "__class__", "_extra", "self"]
)
hostile = st.one_of(
    st.none(),
    st.booleans(),
    texts,
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.sampled_from(
        [
            10**400,
            -(10**400),
            1e308,
            float("nan"),
            float("inf"),
            "9999-12-31T23:59:59.999999+23:59",
            "0001-01-01T00:00:00-23:59",
            "2026-01-01T00:00:00.0000000000001Z",
            "+99999-01-01",
            "x" * 70_000,
            "\ud800",
            [],
            {},
            [[[[[[[[]]]]]]]],
        ]
    ),
)
anything = st.recursive(
    hostile,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=8,
)


def places(value: Any, path: Path = ()) -> Iterator[Path]:  # noqa: ANN401 - JSON
    """Find every place in a document."""
    yield path
    members = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for name, each in members:
        yield from places(each, (*path, name))


def changed(value: Any, path: Path, change: str, new: Any) -> Any:  # noqa: ANN401 - JSON
    """Do harm at one place."""
    if not path:
        return {"nest": [value], "wrap": {"data": value}}.get(change, new)
    name, *rest = path
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    if rest or change != "drop":
        copy[name] = changed(value[name], tuple(rest), change, new)
    else:
        del copy[name]
    return copy


@st.composite
def mutated(draw: st.DrawFn, value: Any) -> Any:  # noqa: ANN401 - JSON
    """Do harm at one place or several."""
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([*places(value)]))
        change = draw(st.sampled_from(["drop", "replace", "replace", "nest", "wrap"]))
        value = changed(value, path, change, draw(anything))
    return value


def written(value: object) -> bytes:
    """Write what is no JSON, too: NaN, Infinity and surrogates."""
    return json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")


MODELS = [each for each in EXAMPLES if has(type(each)) and not isinstance(each, DownloadedFile)]
SHAPES: tuple[Callable[[object], object], ...] = (
    lambda each: each,
    lambda each: [each],
    lambda each: {"data": [each]},
    lambda each: {"items": each},
    lambda each: {"run": each},
)


@contextmanager
def refusing() -> Generator[None, None, None]:
    """Let pass what becomes a `ResponseDecodeError`, and says why in few words."""
    found: DecodeProblem | None = None
    try:
        yield
    except DecodeProblem as problem:
        found = problem
    assert found is None or found.problems
    assert found is None or all(len(each) < 2_000 for each in found.problems)


def harm(data: st.DataObject) -> None:
    """Decode one hostile answer of each kind."""
    model = data.draw(st.sampled_from(MODELS))
    document = data.draw(mutated(unstructure(model)))
    with refusing():
        assert type(structure(document, type(model))) is type(model)
    name = data.draw(st.sampled_from(sorted(OPERATIONS)))
    shape = data.draw(st.sampled_from(SHAPES))
    body = written(shape(document)) if data.draw(st.booleans()) else data.draw(st.binary())
    if body and data.draw(st.booleans()):
        body = body[: data.draw(st.integers(0, len(body)))]
    decode(name, body, data.draw(st.sampled_from((302, 404, 429, 500, 599))), data.draw(headers))


headers = st.dictionaries(
    st.sampled_from(
        [
            "date",
            "retry-after",
            "x-ratelimit-limit",
            "x-ratelimit-remaining",
            "x-ratelimit-reset",
            "ratelimit-reset",
            "x-request-id",
            "www-authenticate",
            "deprecation",
            "sunset",
            "content-type",
        ]
    ),
    st.sampled_from(
        [
            "",
            "-1",
            "0",
            "1e30",
            "9" * 400,
            "9999999999",
            "253402300800",
            "Fri, 31 Dec 9999 23:59:59 GMT",
            "Mon, 01 Jan 0001 00:00:00 -2359",
            "Thu, 32 Foo 2026 25:61:61 GMT",
            "@1e400",
            'Bearer error="invalid_token"',
            "\x85٣",
        ]
    )
    | st.text(st.characters(max_codepoint=0xFF), max_size=20),
    max_size=5,
)


def decode(name: str, body: bytes, status: int, fields: dict[str, str]) -> None:
    """Read an answer as the operation does, and as a failure of it."""
    call = OPERATIONS[name]
    response = Response(status=200, reason="OK", headers=fields, body=body)
    # A run that is null, or files without a team, are errors that say so.
    with suppress(APIError), refusing():
        call.decode(response)
    assert protocol.failure(call.request, response, 1) is None
    refusal = Response(status=status, reason="", headers=fields, body=body)
    error = protocol.failure(call.request, refusal, 1)
    assert error is not None
    assert error.status == status
    assert str(error)
    assert error.retry_after is None or error.retry_after >= 0
    told = protocol.window(fields)
    if told is not None:
        assert protocol.rate_limit(told, fields).limit == told.limit


@settings(unhurried, max_examples=20 * settings().max_examples)
@given(st.data())
def test_the_models_own_decoders_do_what_cattrs_does(data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(MODELS))
    document = data.draw(st.just(unstructure(model)) | mutated(unstructure(model)))
    kind: Any = type(model)
    with refusing():
        made = structure(document, kind)
        same = _EXPLAINING.structure(document, kind)
        assert repr(made) == repr(same)
        assert made == same
        assert type(made) is kind
        assert unstructure(made) == unstructure(same)
        with pytest.raises(FrozenInstanceError):
            setattr(made, fields(kind)[0].name, None)


@settings(unhurried, max_examples=20 * settings().max_examples)
@given(st.data())
def test_a_hostile_answer_is_understood_or_refused(data: st.DataObject) -> None:
    harm(data)


@pytest.mark.long
@settings(unhurried, max_examples=100_000)
@given(st.data())
def test_a_hundred_thousand_hostile_answers(data: st.DataObject) -> None:
    harm(data)


def test_a_signed_urls_failure_is_read_as_safely() -> None:
    request = Request(method="PUT", path="storage.test/a", signed_url="https://storage.test/a?s=1")
    for body in (b"", b"<Code>" * 9_999, b"<Code>No</Code>", b"\xff" * 9_999):
        response = Response(status=403, reason="", headers={}, body=body)
        error = protocol.failure(request, response, 1)
        assert error is not None
        assert error.code in {None, "No"}
