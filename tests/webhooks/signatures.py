"""A delivery that is signed by hand, and what verification says of others."""

import hashlib
import hmac
from typing import Any

import pytest

from duvo_async import WebhookVerificationError
from duvo_async.webhooks import Headers, Secrets, verify
from tests.webhooks.posting import SECRET

NOW = 1_700_000_000
BODY = b'{"event": "run_completed", "run_id": "r"}'
DIGEST = hmac.new(SECRET.encode(), b"1700000000." + BODY, hashlib.sha256).digest()
SIGNED = {"X-Duvo-Timestamp": "1700000000", "X-Duvo-Signature": f"sha256={DIGEST.hex()}"}
GOOD = SIGNED["X-Duvo-Signature"]
OLD = "whsec_hush"
OTHER = "sha256=" + "0" * 64


def failed(headers: Headers, body: bytes | str = BODY, secret: Secrets = SECRET, **how: Any) -> str:  # noqa: ANN401 - what verify takes
    with pytest.raises(WebhookVerificationError) as caught:
        verify(body, headers, secret, **{"now": NOW, **how})
    return caught.value.check


def signed_at(timestamp: str, body: bytes = BODY) -> dict[str, str]:
    digest = hmac.new(SECRET.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return {"X-Duvo-Timestamp": timestamp, "X-Duvo-Signature": f"sha256={digest.hexdigest()}"}
