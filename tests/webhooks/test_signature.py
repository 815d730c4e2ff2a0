"""Whether a delivery is believed: who signed it, and when."""

import base64
import hashlib
import hmac
import math
from collections.abc import Callable
from typing import Any

import pytest

from duvo_async import WebhookVerificationError
from duvo_async.webhooks import Secrets, WebhookReceiver, sign, verify
from tests.webhooks.posting import SECRET
from tests.webhooks.signatures import BODY, DIGEST, GOOD, NOW, OTHER, SIGNED, failed

# --- what fits -----------------------------------------------------------------------------------


def test_a_signature_is_the_hex_hmac_of_the_time_and_the_body() -> None:
    assert sign(BODY, SECRET, now=NOW + 0.9) == SIGNED
    verify(BODY, SIGNED, SECRET, now=NOW)


@pytest.mark.parametrize("secret", ["a", b"a", "\u00e9\u2603\U0001f600", b"\x00\xff", "x" * 1000])
@pytest.mark.parametrize("body", [b"", b"\x00\xff\xfe", "", "\u00e9\u2603", "\ud800", b"x" * 10**6])
def test_what_was_signed_verifies(body: bytes | str, secret: str | bytes) -> None:
    verify(body, sign(body, secret), secret)  # with this machine's clock
    assert failed(sign(body, secret, now=NOW), body) == "signature_mismatch"


def test_text_is_signed_as_its_utf_8() -> None:
    text = "\u00e9\u2603"
    assert sign(text, text, now=NOW) == sign(text.encode(), text.encode(), now=NOW)


@pytest.mark.parametrize("form", [bytes.hex, lambda raw: raw.hex().upper(), base64.b64encode])
def test_hex_and_base64_are_understood(form: Callable[[bytes], str | bytes]) -> None:
    digest = form(DIGEST)
    text = digest if isinstance(digest, str) else digest.decode()
    verify(BODY, {**SIGNED, "X-Duvo-Signature": f"sha256={text}"}, SECRET, now=NOW)


@pytest.mark.parametrize(
    "secrets",
    [
        [SECRET],
        [SECRET, "old"],
        ["old", b"older", SECRET.encode()],
        ("old", SECRET),
        {SECRET, "old"},
        iter(["old", SECRET]),
    ],
)
def test_one_of_several_secrets_fits(secrets: Secrets) -> None:
    verify(BODY, SIGNED, secrets, now=NOW)


def test_none_of_several_secrets_fits() -> None:
    assert failed(SIGNED, secret=["old", "older"]) == "signature_mismatch"


@pytest.mark.parametrize(
    "text",
    [
        f"{GOOD},{OTHER}",
        f"{OTHER},{GOOD}",
        f"{OTHER} {GOOD}",
        f"  {OTHER} ,, {GOOD} ",
        f"v0=abc,{GOOD}",
        f"sha256=?? {GOOD}",
        ",".join([*[OTHER] * 15, GOOD]),
    ],
)
def test_one_of_several_signatures_fits(text: str) -> None:
    verify(BODY, {**SIGNED, "X-Duvo-Signature": text}, SECRET, now=NOW)


def test_only_so_many_signatures_are_looked_at() -> None:
    text = ",".join([*[OTHER] * 16, GOOD])
    assert failed({**SIGNED, "X-Duvo-Signature": text}) == "signature_mismatch"


# --- the settings --------------------------------------------------------------------------------

SETTINGS: list[dict[str, Any]] = [
    {"header": "Signature"},
    {"timestamp_header": "Signed-At"},
    {"timestamp_header": None},
    {"prefix": "v1="},
    {"prefix": ""},
    {"header": "S", "timestamp_header": "T", "prefix": "hmac-"},
]


@pytest.mark.parametrize("how", SETTINGS)
def test_settings_are_the_same_for_both(how: dict[str, Any]) -> None:
    headers = sign(BODY, SECRET, now=NOW, **how)
    verify(BODY, headers, SECRET, now=NOW, **how)
    assert failed(headers, b"x", **how) == "signature_mismatch"
    with pytest.raises(WebhookVerificationError):
        verify(BODY, headers, SECRET, now=NOW)


def test_without_a_timestamp_the_body_alone_is_signed() -> None:
    digest = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
    headers = {"X-Duvo-Signature": f"sha256={digest}"}
    assert sign(BODY, SECRET, timestamp_header=None) == headers
    verify(BODY, headers, SECRET, timestamp_header=None, now=10**12)
    unread = {**headers, "X-Duvo-Timestamp": "never"}
    verify(BODY, unread, SECRET, timestamp_header=None, tolerance=0)


def test_a_prefix_must_be_there_as_it_is() -> None:
    bare = {**SIGNED, "X-Duvo-Signature": DIGEST.hex()}
    assert failed(bare) == "signature_malformed"
    verify(BODY, bare, SECRET, prefix="", now=NOW)
    upper = {**SIGNED, "X-Duvo-Signature": f"SHA256={DIGEST.hex()}"}
    assert failed(upper) == "signature_malformed"


@pytest.mark.parametrize("tolerance", [-1, -0.001, -math.inf, math.nan])
def test_a_tolerance_is_not_negative(tolerance: float) -> None:
    with pytest.raises(ValueError, match="tolerance must be 0 s or more, not"):
        verify(BODY, SIGNED, SECRET, tolerance=tolerance, now=NOW)
    with pytest.raises(ValueError, match="tolerance must be 0 s or more, not"):
        WebhookReceiver(SECRET, tolerance=tolerance)


@pytest.mark.parametrize(
    "how", [{"prefix": "v1,"}, {"prefix": "v 1"}, {"header": "S", "timestamp_header": "S"}]
)
def test_a_receiver_refuses_settings_that_cannot_work(how: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"header|prefix"):
        WebhookReceiver(SECRET, **how)
