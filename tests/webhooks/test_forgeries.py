"""What a forger can change, and what an error tells."""

import hashlib
import hmac
import itertools
import math
import pickle
import traceback
from typing import Any

import pytest

from duvo_async import WebhookVerificationError
from duvo_async.webhooks import WebhookReceiver, sign, verify
from tests.webhooks.posting import SECRET
from tests.webhooks.signatures import BODY, DIGEST, GOOD, NOW, OLD, OTHER, SIGNED, failed, signed_at

# --- forgeries and secrets -----------------------------------------------------------------------


def flipped(raw: bytes) -> list[bytes]:
    number, size = int.from_bytes(raw, "big"), len(raw)
    return [(number ^ 1 << bit).to_bytes(size, "big") for bit in range(8 * size)]


def test_one_bit_of_the_body_makes_another() -> None:
    assert {failed(SIGNED, body) for body in flipped(BODY)} == {"signature_mismatch"}


def test_one_bit_of_the_secret_makes_another() -> None:
    wrong = flipped(SECRET.encode())
    assert {failed(SIGNED, secret=each) for each in wrong} == {"signature_mismatch"}


def test_one_bit_of_the_timestamp_makes_another() -> None:
    for each in flipped(b"1700000000"):
        headers = {**SIGNED, "X-Duvo-Timestamp": each.decode("latin-1")}
        check = "signature_mismatch" if each.strip().isdigit() else "timestamp_malformed"
        assert failed(headers, tolerance=math.inf) == check


def test_one_bit_of_the_signature_makes_another() -> None:
    for each in flipped(DIGEST):
        headers = {**SIGNED, "X-Duvo-Signature": f"sha256={each.hex()}"}
        assert failed(headers) == "signature_mismatch"


@pytest.mark.parametrize("position", [0, 1, 2])
def test_all_are_compared_in_constant_time_even_when_the_first_fits(
    monkeypatch: pytest.MonkeyPatch, position: int
) -> None:
    compared: list[tuple[bytes, bytes]] = []
    compare = hmac.compare_digest

    def spy(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return compare(one, other)

    monkeypatch.setattr("duvo_async.webhooks.signature.hmac.compare_digest", spy)
    digests = [bytes(32), b"\x01" * 32]
    digests.insert(position, DIGEST)
    text = ",".join(f"sha256={each.hex()}" for each in digests)
    verify(BODY, {**SIGNED, "X-Duvo-Signature": text}, [SECRET, "old"], now=NOW)
    old = hmac.new(b"old", b"1700000000." + BODY, hashlib.sha256).digest()
    assert compared == list(itertools.product([DIGEST, old], digests))


EMPTY: list[Any] = ["", b"", [], (), [""], ["a", ""], [b"", b"a"], iter(())]


@pytest.mark.parametrize("secret", EMPTY)
def test_an_empty_secret_is_refused(secret: Any) -> None:  # noqa: ANN401 - any secret
    secrets = list(secret) if isinstance(secret, (list, tuple)) else secret
    for use in (
        lambda: verify(BODY, SIGNED, secrets, now=NOW),
        lambda: WebhookReceiver(secrets),
    ):
        with pytest.raises(ValueError, match="secret must not be empty"):
            use()


@pytest.mark.parametrize("secret", ["", b""])
def test_nothing_is_signed_with_an_empty_secret(secret: str | bytes) -> None:
    with pytest.raises(ValueError, match="secret must not be empty"):
        sign(BODY, secret)


@pytest.mark.parametrize("secret", [[7], [None], bytearray(b"a"), [bytearray(b"a")]])
def test_a_secret_is_text_or_bytes(secret: Any) -> None:  # noqa: ANN401 - any secret
    with pytest.raises(TypeError, match="secret must be text or bytes, not"):
        verify(BODY, SIGNED, secret, now=NOW)


@pytest.mark.parametrize("body", [None, 7, {}])
def test_a_body_is_bytes_or_text(body: Any) -> None:  # noqa: ANN401 - any body
    with pytest.raises(TypeError, match="body must be bytes or text, not"):
        verify(body, SIGNED, SECRET, now=NOW)


def told_by(error: BaseException) -> str:
    shown = [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
    return "\n".join(shown) + pickle.dumps(error, protocol=0).decode("latin-1")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {**SIGNED, "X-Duvo-Signature": "?"},
        {**SIGNED, "X-Duvo-Signature": OTHER},
        {"X-Duvo-Signature": GOOD},
        {**SIGNED, "X-Duvo-Timestamp": "?"},
        signed_at("1"),
        signed_at("1800000000"),
    ],
)
def test_no_error_holds_the_secret_or_its_digest(headers: dict[str, str]) -> None:
    with pytest.raises(WebhookVerificationError) as caught:
        verify(BODY, headers, [SECRET, OLD], now=NOW)
    told = told_by(caught.value)
    assert SECRET not in told
    assert OLD not in told
    assert DIGEST.hex() not in told


def test_a_secret_that_is_no_unicode_is_not_told() -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - any text but the secret
        verify(BODY, SIGNED, f"{SECRET}\udcff", now=NOW)
    assert SECRET not in told_by(caught.value)


def test_an_error_pickles() -> None:
    with pytest.raises(WebhookVerificationError) as caught:
        verify(BODY, {}, SECRET)
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    assert type(copy) is WebhookVerificationError
    assert (str(copy), copy.check) == (str(caught.value), "signature_missing")
