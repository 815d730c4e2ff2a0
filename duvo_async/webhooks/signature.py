"""Whether a delivery comes from who knows the secret, and when it was signed. No I/O."""

import binascii
import hmac
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from re import compile as regex
from time import time
from typing import TypeAlias

from duvo_async.errors import WebhookVerificationError
from duvo_async.webhooks.headers import Body, Headers, as_bytes, values_of

SIGNATURE_HEADER = "X-Duvo-Signature"
TIMESTAMP_HEADER = "X-Duvo-Timestamp"
PREFIX = "sha256="
TOLERANCE = 300.0

Secrets: TypeAlias = str | bytes | Iterable[str | bytes]
"""A webhook secret, or several of which one must fit, as while it is being changed."""

_NAME = regex(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A header's name (RFC 9110, 5.1)."""
_DIGEST_BYTES = 32
_DIGEST_HEX = 2 * _DIGEST_BYTES
_MOST_SIGNATURES = 16
_MOST_DIGITS = 15
_MILLISECONDS = 1e11
"""A number beyond this is a time in milliseconds."""


def verify(  # noqa: PLR0913 - the API does not say how it signs: all of that is settings
    body: Body,
    headers: Headers,
    secret: Secrets,
    *,
    header: str = SIGNATURE_HEADER,
    timestamp_header: str | None = TIMESTAMP_HEADER,
    prefix: str = PREFIX,
    tolerance: float = TOLERANCE,
    now: float | None = None,
) -> None:
    """Check that a delivery was signed with the workspace's webhook secret, and lately.

    The API documents an HMAC over the raw body and a timestamp against stale deliveries, and
    neither the headers' names nor the exact format. The defaults are the usual ones: the hex
    HMAC-SHA256 of `<timestamp>.<body>`. Look at a delivery, and set what differs.

    Args:
        body: The request's body exactly as it came: JSON that was read and written again differs.
        headers: The request's headers.
        secret: The webhook secret, or several of which one must fit.
        header: The signature's header. It may have several signatures, with commas or spaces
            between them, of which one must fit. Hex and Base64 are understood.
        timestamp_header: The timestamp's header, in Unix seconds or milliseconds. None if there is
            none: then the body alone is signed, and a delivery that was recorded can be repeated
            for ever.
        prefix: What stands before the signature: `sha256=` by default.
        tolerance: How many seconds old a delivery may be, or from the future: 300 by default.
        now: The time in Unix seconds. None takes this machine's.

    Raises:
        WebhookVerificationError: The delivery failed a check; its `check` says which.
        ValueError: There is no secret, or the tolerance is negative.
    """
    keys, raw = _keys(secret), as_bytes(body)
    if not tolerance >= 0:
        raise ValueError(f"tolerance must be 0 s or more, not {tolerance!r}")
    _check_names(header, timestamp_header, prefix)
    signatures = _signatures(headers, header, prefix)
    timestamp = None if timestamp_header is None else _timestamp(headers, timestamp_header)
    if not _one_fits(keys, signatures, timestamp, raw):
        raise WebhookVerificationError(
            "signature_mismatch",
            f"no signature in {header} is of this body with the secret: is it the workspace's "
            "secret, and the body as it came?",
        )
    if timestamp is not None:  # looked at last: only what is signed is worth a reason
        _check_age(float(timestamp), tolerance, time() if now is None else now)


def sign(  # noqa: PLR0913 - as verify
    body: Body,
    secret: str | bytes,
    *,
    header: str = SIGNATURE_HEADER,
    timestamp_header: str | None = TIMESTAMP_HEADER,
    prefix: str = PREFIX,
    now: float | None = None,
) -> dict[str, str]:
    """Sign a body as the API does, for tests of your own.

    Args:
        body: The body that is sent.
        secret: The webhook secret.
        header: The signature's header.
        timestamp_header: The timestamp's header. None signs the body alone.
        prefix: What stands before the signature.
        now: The time in Unix seconds. None takes this machine's.

    Returns:
        The headers to send, which `verify` accepts with the same settings.

    Raises:
        ValueError: The secret is empty.
    """
    (key,) = _keys(secret)
    _check_names(header, timestamp_header, prefix)
    timestamp = None
    headers: dict[str, str] = {}
    if timestamp_header is not None:
        headers[timestamp_header] = timestamp = str(int(time() if now is None else now))
    headers[header] = f"{prefix}{_digest(key, timestamp, as_bytes(body)).hex()}"
    return headers


def make_check(  # noqa: PLR0913 - what verify takes
    secret: Secrets,
    clock: Callable[[], float],
    *,
    header: str,
    timestamp_header: str | None,
    prefix: str,
    tolerance: float,
) -> Callable[[bytes, Headers], None]:
    """Make a `verify` that has its settings, which are tried out first.

    Raises:
        ValueError: A setting cannot work.
    """
    keys = _keys(secret)

    def check(body: bytes, headers: Headers, now: float | None = None) -> None:
        verify(
            body,
            headers,
            keys,
            header=header,
            timestamp_header=timestamp_header,
            prefix=prefix,
            tolerance=tolerance,
            now=clock() if now is None else now,
        )

    signed = sign(
        b"", keys[0], header=header, timestamp_header=timestamp_header, prefix=prefix, now=0
    )
    check(b"", signed, now=0)
    return check


def _keys(secret: Secrets) -> tuple[bytes, ...]:
    if isinstance(secret, Mapping):
        raise TypeError("secret must be text or bytes, or several, not a mapping")
    several = (secret,) if isinstance(secret, (str, bytes)) else tuple(secret)
    keys = tuple(_encoded(each) if isinstance(each, str) else each for each in several)
    for key in keys:
        if not isinstance(key, bytes):
            raise TypeError(f"secret must be text or bytes, not {type(key).__name__}")
    if not keys or not all(key.strip() for key in keys):
        raise ValueError("secret must not be empty: anybody could sign with it")
    return keys


def _encoded(secret: str) -> bytes:
    try:
        return secret.encode("utf-8", "surrogateescape")  # as the environment decodes odd bytes
    except UnicodeEncodeError:  # which has the secret in it
        pass
    raise ValueError("secret is no text that can be sent")


def _check_names(header: str, timestamp_header: str | None, prefix: str) -> None:
    for name in (header, timestamp_header):
        if name is not None and not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of a header")
    if timestamp_header is not None and header.lower() == timestamp_header.lower():
        raise ValueError("header and timestamp_header must be two")
    if "," in prefix or any(character.isspace() for character in prefix):
        raise ValueError("prefix must have no comma or space: these separate signatures")


def _signatures(headers: Headers, header: str, prefix: str) -> list[bytes]:
    text = " ".join(values_of(headers, header)).replace(",", " ")
    if not text.strip():
        raise WebhookVerificationError(
            "signature_missing", f"the delivery is not signed: it has no header {header}"
        )
    parts = text.split()[:_MOST_SIGNATURES]
    found = [_decoded(part.removeprefix(prefix)) for part in parts if part.startswith(prefix)]
    signatures = [each for each in found if each is not None]
    if not signatures:
        raise WebhookVerificationError(
            "signature_malformed",
            f"the header {header} has no HMAC-SHA256 in hex or Base64 after {prefix!r}",
        )
    return signatures


def _timestamp(headers: Headers, header: str) -> str:
    values = values_of(headers, header)
    if not any(value.strip() for value in values):
        raise WebhookVerificationError(
            "timestamp_missing", f"the delivery does not say when it was signed: no header {header}"
        )
    digits = values[0].strip()
    if len(values) > 1 or not _is_number(digits):
        raise WebhookVerificationError(
            "timestamp_malformed", f"the header {header} has no time in Unix seconds"
        )
    return digits


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def _decoded(text: str) -> bytes | None:
    try:
        raw = bytes.fromhex(text) if len(text) == _DIGEST_HEX else b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
    return raw if len(raw) == _DIGEST_BYTES else None


def _one_fits(
    keys: Iterable[bytes], signatures: Iterable[bytes], timestamp: str | None, raw: bytes
) -> bool:
    """Compare all with all, so that the time it takes says nothing of what fits."""
    fits = False
    for key in keys:
        digest = _digest(key, timestamp, raw)
        for signature in signatures:
            fits |= hmac.compare_digest(digest, signature)
    return fits


def _digest(key: bytes, timestamp: str | None, raw: bytes) -> bytes:
    mac = hmac.new(key, digestmod="sha256")
    if timestamp is not None:
        mac.update(f"{timestamp}.".encode())
    mac.update(raw)
    return mac.digest()


def _check_age(timestamp: float, tolerance: float, now: float) -> None:
    age = now - (timestamp / 1000 if timestamp > _MILLISECONDS else timestamp)
    if abs(age) <= tolerance:
        return
    if age > 0:
        raise WebhookVerificationError(
            "timestamp_too_old",
            f"the delivery was signed {age:.0f} s ago; more than {tolerance:g} s are not accepted",
        )
    raise WebhookVerificationError(
        "timestamp_in_future",
        f"the delivery was signed {-age:.0f} s in the future; more than {tolerance:g} s are not "
        "accepted: is this machine's clock right?",
    )
