"""The checks of a delivery by name, each at its border, and headers of any framework."""

import base64
import math
from collections.abc import Callable, Mapping
from typing import cast

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from duvo_async import WebhookError, WebhookVerificationError
from duvo_async.webhooks import Headers, verify
from tests.webhooks.posting import SECRET
from tests.webhooks.signatures import BODY, DIGEST, GOOD, NOW, OTHER, SIGNED, failed, signed_at

# --- the checks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, "", " ", ",", " , "])
def test_a_signature_is_missing(value: str | None) -> None:
    headers = {"X-Duvo-Timestamp": "1700000000", "Other": GOOD}
    assert failed(headers if value is None else {**headers, "X-Duvo-Signature": value}) == (
        "signature_missing"
    )


@pytest.mark.parametrize(
    "value",
    [
        "sha256=",
        "sha256= " + DIGEST.hex(),
        "sha256=" + DIGEST.hex()[:-1],
        "sha256=" + DIGEST.hex() + "0",
        "sha256=" + DIGEST.hex()[:-1] + "g",
        "sha256=" + "\u0661" * 64,
        "sha256=" + base64.b64encode(DIGEST[:-1]).decode(),
        "sha256=" + base64.b64encode(DIGEST + b"0").decode(),
        "sha256=" + base64.b64encode(DIGEST).decode().rstrip("="),
        "sha1=" + DIGEST.hex(),
        "sha256:" + DIGEST.hex(),
        "\ud800\0",
    ],
)
def test_a_signature_is_malformed(value: str) -> None:
    assert failed({**SIGNED, "X-Duvo-Signature": value}) == "signature_malformed"


def test_a_signature_is_of_something_else() -> None:
    assert failed(SIGNED, BODY + b" ") == "signature_mismatch"
    assert failed(SIGNED, secret=SECRET.upper()) == "signature_mismatch"
    assert failed({**SIGNED, "X-Duvo-Timestamp": "1700000001"}) == "signature_mismatch"
    assert failed({**SIGNED, "X-Duvo-Timestamp": "01700000000"}) == "signature_mismatch"


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_timestamp_is_missing(value: str | None) -> None:
    headers = {"X-Duvo-Signature": GOOD, "Other": "1700000000"}
    assert failed(headers if value is None else {**headers, "X-Duvo-Timestamp": value}) == (
        "timestamp_missing"
    )


@pytest.mark.parametrize(
    "value",
    [
        "now",
        "-1",
        "+1700000000",
        "1700000000.5",
        "1e9",
        "1 700",
        "1_700",
        "0x10",
        "\u0661\u0667",
        "\u00b2",
        "NaN",
        "inf",
        "1" * 16,
        "1" * 10_000,
        "2026-01-15T12:00:00Z",
        "\ud800",
    ],
)
def test_a_timestamp_is_malformed(value: str) -> None:
    assert failed({**SIGNED, "X-Duvo-Timestamp": value}) == "timestamp_malformed"


@pytest.mark.parametrize("unit", [1, 1000])
@pytest.mark.parametrize(
    ("age", "check"),
    [
        (0, None),
        (300, None),
        (-300, None),
        (301, "timestamp_too_old"),
        (-301, "timestamp_in_future"),
    ],
)
def test_five_minutes_are_accepted_either_way(age: int, check: str | None, unit: int) -> None:
    headers = signed_at(str((NOW - age) * unit))
    if check is None:
        verify(BODY, headers, SECRET, now=NOW)
    else:
        assert failed(headers) == check


@pytest.mark.parametrize(
    ("age", "check"), [(300_001, "timestamp_too_old"), (-300_001, "timestamp_in_future")]
)
def test_a_millisecond_too_much_is_too_much(age: int, check: str) -> None:
    assert failed(signed_at(str(NOW * 1000 - age))) == check


@pytest.mark.parametrize(("tolerance", "age"), [(0, 1), (0, 0.5), (9.5, 10), (0.25, 0.5)])
def test_another_tolerance_is_exact_too(tolerance: float, age: float) -> None:
    verify(BODY, SIGNED, SECRET, tolerance=tolerance, now=NOW + tolerance)
    verify(BODY, SIGNED, SECRET, tolerance=tolerance, now=NOW - tolerance)
    assert failed(SIGNED, tolerance=tolerance, now=NOW + age) == "timestamp_too_old"
    assert failed(SIGNED, tolerance=tolerance, now=NOW - age) == "timestamp_in_future"


@pytest.mark.parametrize("timestamp", ["0", "1700000000", "999999999999999"])
@pytest.mark.parametrize("now", [0, NOW, 10**15])
def test_any_age_may_be_accepted(timestamp: str, now: float) -> None:
    verify(BODY, signed_at(timestamp), SECRET, tolerance=math.inf, now=now)


def test_a_number_too_large_for_seconds_is_in_milliseconds() -> None:
    verify(BODY, signed_at("100000000000"), SECRET, tolerance=0, now=100_000_000_000)
    verify(BODY, signed_at("100000000001"), SECRET, tolerance=0, now=100_000_000.001)


def test_spaces_around_a_timestamp_are_none_of_it() -> None:
    verify(BODY, {**SIGNED, "X-Duvo-Timestamp": " 1700000000 "}, SECRET, now=NOW)


def test_the_age_is_told_only_of_what_is_signed() -> None:
    assert failed(SIGNED, b"x", now=NOW + 999) == "signature_mismatch"
    assert failed({"X-Duvo-Timestamp": "?"}) == "signature_missing"


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (301, "the delivery was signed 301 s ago; more than 300 s are not accepted"),
        (
            -301,
            (
                "the delivery was signed 301 s in the future; more than 300 s are not accepted: is "
                "this machine's clock right?"
            ),
        ),
    ],
)
def test_an_age_is_told_in_words(age: int, told: str) -> None:
    with pytest.raises(WebhookVerificationError) as caught:
        verify(BODY, SIGNED, SECRET, now=NOW + age)
    assert str(caught.value) == told
    assert isinstance(caught.value, WebhookError)
    assert isinstance(caught.value, ValueError)


# --- headers -------------------------------------------------------------------------------------


def as_werkzeug(headers: Mapping[str, str]) -> Headers:
    return cast("Headers", pytest.importorskip("werkzeug.datastructures").Headers(headers))


def as_starlette(headers: Mapping[str, str]) -> Headers:
    return cast("Headers", pytest.importorskip("starlette.datastructures").Headers(headers))


def as_proxy(headers: Mapping[str, str]) -> Headers:
    return CIMultiDictProxy(CIMultiDict(headers))


@pytest.mark.parametrize("kind", [dict, CIMultiDict, as_proxy, as_werkzeug, as_starlette])
@pytest.mark.parametrize("case", [str, str.lower, str.upper, str.swapcase])
def test_headers_of_any_framework_do(
    kind: Callable[[Mapping[str, str]], Headers], case: Callable[[str], str]
) -> None:
    verify(BODY, kind({case(name): value for name, value in SIGNED.items()}), SECRET, now=NOW)
    assert failed(kind({"X-Other": "1"})) == "signature_missing"


def test_a_header_may_be_asked_for_in_any_case() -> None:
    verify(
        BODY,
        SIGNED,
        SECRET,
        now=NOW,
        header="x-duvo-signature",
        timestamp_header="X-DUVO-TIMESTAMP",
    )


@pytest.mark.parametrize("values", [[GOOD, OTHER], [OTHER, GOOD], ["", GOOD]])
def test_a_signature_header_may_come_twice(values: list[str]) -> None:
    headers = CIMultiDict({"X-Duvo-Timestamp": "1700000000"})
    for value in values:
        headers.add("X-Duvo-Signature", value)
    verify(BODY, headers, SECRET, now=NOW)


@pytest.mark.parametrize("value", ["1700000000", "1", ""])
def test_a_timestamp_header_comes_once(value: str) -> None:
    headers = CIMultiDict(SIGNED)
    headers.add("x-duvo-timestamp", value)
    assert failed(headers) == "timestamp_malformed"


def test_headers_that_are_no_text_are_not_there() -> None:
    headers = cast("Headers", {b"X-Duvo-Signature": GOOD, "X-Duvo-Signature": GOOD.encode(), 7: 8})
    assert failed(headers) == "signature_missing"
