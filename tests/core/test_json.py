"""Reading JSON: with the extra `speed` and without it the same comes out."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duvo_async import _json
from duvo_async.models import JSON

numbers = st.from_regex(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
SCRAPS = [*'{}[],:"a1é', r"\u0000", r"\ud83d\ude00", r"\ud800", r"\n", r"\x", "-0", "0.1", "1e5"]
SCRAPS += ["null", "true", "false", "NaN", "Infinity", "-Infinity"]
scraps = st.lists(
    st.sampled_from(SCRAPS) | numbers | st.characters(max_codepoint=0x7F),
    max_size=8,
).map("".join)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
texts = st.one_of(
    scraps.map(str.encode),
    numbers.map(str.encode),
    st.binary(max_size=8),
    values.map(lambda value: json.dumps(value).encode()),
    values.map(lambda value: json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")),
)


def read(body: bytes) -> object:
    """Read JSON, or tell that it is none."""
    try:
        return _json.read_json(body)
    except ValueError:
        return ValueError


def shown(value: object) -> str:
    """Write a value such that 1, 1.0 and True differ, and nan is nan."""
    return repr(value)


@given(texts)
def test_both_decoders_read_the_same(body: bytes) -> None:
    fast = read(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_json, "_fast", None)
        careful = read(body)
    assert shown(fast) == shown(careful)


def test_the_extra_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def fast(body: bytes) -> JSON:
        asked.append(body)
        return "fast"

    monkeypatch.setattr(_json, "_fast", fast)
    assert _json.read_json(b"[]") == "fast"
    assert asked == [b"[]"]


@pytest.mark.parametrize("is_fast", [True, False])
def test_nothing_is_lost_of_a_number(monkeypatch: pytest.MonkeyPatch, *, is_fast: bool) -> None:
    if not is_fast:
        monkeypatch.setattr(_json, "_fast", None)
    assert _json.read_json(b"123456789012345678901234567890") == 123456789012345678901234567890
    assert _json.read_json(b"1E400") == math.inf


@pytest.mark.parametrize("is_fast", [True, False])
def test_what_is_too_deep_is_refused(monkeypatch: pytest.MonkeyPatch, *, is_fast: bool) -> None:
    if not is_fast:
        monkeypatch.setattr(_json, "_fast", None)
    with pytest.raises(RecursionError):
        _json.read_json(b"[" * 200_000)
