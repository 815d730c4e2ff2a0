"""Reading bodies straight into models: what comes out is the same as by way of dicts."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from attrs import fields
from attrs.exceptions import FrozenInstanceError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from duvo_async import MessagesPage, Run, RunSummary, Sandbox, SandboxFile
from duvo_async import _protocol as protocol
from duvo_async._converter import DecodeProblem, structure, unstructure
from duvo_async._direct import reader
from duvo_async._protocol import Response, decoded, member
from duvo_async.models.runs import FollowedRun
from tests.core.test_hostile_responses import MODELS, OPERATIONS, SHAPES, mutated, written
from tests.support.properties import unhurried

pytest.importorskip("msgspec")
pytestmark = pytest.mark.no_cover

DIRECT: list[Any] = [each for each in MODELS if reader(cast("Any", type(each))) is not None]


def outcome(read: Callable[[], object]) -> object:
    """Tell what reading comes to, in such a way that 1, 1.0 and True differ."""
    try:
        made = read()
    except DecodeProblem as problem:
        return problem.problems
    return type(made), repr(made)


def valid(document: object) -> bytes:
    """Write a document in UTF-8; what is none, is passed over where no model has it (see below)."""
    body = written(document)
    assume(b"\xed" not in body)  # with which surrogates begin
    return body


def both(read: Callable[[], object]) -> Iterator[object]:
    yield outcome(read)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "reader", lambda *_: None)
        yield outcome(read)


def test_what_is_read_most_is_read_directly() -> None:
    assert reader(MessagesPage) is not None
    assert reader(Run, "run") is not None
    assert reader(tuple[FollowedRun, ...], "data") is not None
    assert reader(tuple[RunSummary, ...], "data") is not None
    assert reader(tuple[SandboxFile, ...], "files") is not None
    assert len(DIRECT) > len(MODELS) / 2


@settings(unhurried, max_examples=20 * settings().max_examples)
@given(st.data())
def test_a_model_comes_out_the_same(data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(DIRECT))
    document = data.draw(st.just(unstructure(model)) | mutated(unstructure(model)))
    kind: Any = type(model)
    body = valid(document)
    directly, by_dicts = both(lambda: decoded(body, kind))
    assert directly == by_dicts
    directly, by_dicts = both(lambda: member(b'{"it":' + body + b"}", "it", kind))
    assert directly == by_dicts


@settings(unhurried, max_examples=20 * settings().max_examples)
@given(st.data())
def test_an_operations_answer_comes_out_the_same(data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(MODELS))
    document = data.draw(st.just(unstructure(model)) | mutated(unstructure(model)))
    body = valid(data.draw(st.sampled_from(SHAPES))(document))
    call = OPERATIONS[data.draw(st.sampled_from(sorted(OPERATIONS)))]
    response = Response(status=200, reason="OK", headers={}, body=body)
    directly, by_dicts = both(lambda: call.decode(response))
    assert directly == by_dicts


@pytest.mark.parametrize("model", DIRECT, ids=lambda model: type(model).__name__)
def test_an_example_takes_no_detour(model: object) -> None:
    kind: Any = type(model)
    read = reader(kind)
    assert read is not None
    made = read(written(unstructure(model)))
    assert made == structure(unstructure(model), kind)
    assert type(made) is kind
    with pytest.raises(FrozenInstanceError):
        setattr(made, fields(kind)[0].name, None)


@pytest.mark.parametrize(
    "moment",
    [
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:00",
        "2026-03-01t12:00:00z",
        "2026-03-01T12:00:00.1234567Z",
        "2026-03-01T12:00:00.9999999+02:00",
        "20260301T120000Z",
        "2026-03-01",
        "2026-03-01T24:00:00Z",
        "2026-03-01T12:00:60Z",
        "",
    ],
)
def test_a_timestamp_comes_out_the_same(moment: str) -> None:
    body = written({"sandbox_id": "s", "expires_at": moment})
    directly, by_dicts = both(lambda: decoded(body, Sandbox))
    assert directly == by_dicts


@pytest.mark.parametrize("more", [b'"\xff"', b'"\xed\xa0\x80"', b"9" * 5_000])
def test_what_no_model_has_is_not_looked_at(more: bytes) -> None:
    body = b'{"sandbox_id": "s", "expires_at": "2026-03-01T12:00:00Z", "more": ' + more + b"}"
    directly, by_dicts = both(lambda: decoded(body, Sandbox))
    assert directly == (Sandbox, repr(decoded(body.replace(more, b"7"), Sandbox)))
    assert by_dicts == (f"the body ({len(body):,} bytes) is not JSON @ $",)


def test_without_the_extra_all_is_read_by_way_of_dicts(monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"sandbox_id": "s", "expires_at": "2026-03-01T12:00:00Z"}'
    directly = decoded(body, Sandbox)
    monkeypatch.setattr("duvo_async._direct._msgspec", None)
    reader.cache_clear()
    try:
        assert reader(Sandbox) is None
        assert decoded(body, Sandbox) == directly
    finally:
        reader.cache_clear()
