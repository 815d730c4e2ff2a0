"""Requests, responses and errors as plain values: what the core takes and gives."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from attrs import field, frozen

_CODES = {
    400: "invalid_request",
    401: "invalid_token",
    403: "insufficient_scope",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "payload_too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
}


def _by_lower_name(headers: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType({name.lower(): value for name, value in headers.items()})


@frozen
class Request:
    """One HTTP request.

    Attributes:
        method: The HTTP method, in capitals.
        path: The path exactly as on the wire, still percent-encoded.
        query: The query exactly as on the wire, without its question mark; empty when absent.
        headers: The headers; their names are lower-cased.
        body: The whole body; empty when absent.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(factory=dict[str, str], converter=_by_lower_name)
    body: bytes = b""


@frozen
class Response:
    """One HTTP response.

    Attributes:
        status: The HTTP status code.
        headers: The headers; their names are lower-cased.
        body: The whole body; empty when absent.
    """

    status: int
    headers: Mapping[str, str] = field(factory=dict[str, str], converter=_by_lower_name)
    body: bytes = b""

    def with_headers(self, headers: Mapping[str, str]) -> "Response":
        """The same response with more headers; the new ones win."""
        return Response(self.status, {**self.headers, **headers}, self.body)

    def json(self) -> dict[str, Any]:
        """The body, decoded from JSON."""
        decoded: dict[str, Any] = json.loads(self.body)
        return decoded


@frozen
class RequestRecord:
    """A request that was answered, for assertions.

    Attributes:
        method: The HTTP method, in capitals.
        path: The path as on the wire.
        query: The query as on the wire, without its question mark; empty when absent.
        status: The status of the answer.
        headers: The request's headers, the API key included; their names are lower-cased.
        idempotency_key: The request's idempotency key; None when it had none.
        at: When it was answered, in Unix seconds of the emulator's clock.
    """

    method: str
    path: str
    query: str
    status: int
    headers: Mapping[str, str]
    idempotency_key: str | None
    at: float


class ApiError(Exception):
    """An operation's refusal, which becomes a JSON response.

    Attributes:
        response: The response that says so.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        data = {"error": _CODES[status], "message": message}
        self.response: Response = json_response(status, data).with_headers(headers or {})


def origin(request: Request) -> str:
    """The URL of this server without a path; only the caller knows by which name it reaches it."""
    host = request.headers.get("host", "localhost").encode(errors="surrogateescape")
    return f"http://{quote(host, safe=':[]')}"


def json_response(status: int, data: object) -> Response:
    """A response with a JSON body."""
    return Response(status, {"content-type": "application/json"}, json.dumps(data).encode())


@lru_cache(1 << 16)  # lists show the same times over and over
def timestamp(at: float) -> str:
    """Unix seconds as the API writes them: ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def optional_timestamp(at: float | None) -> str | None:
    """Like `timestamp`; None stays None."""
    return None if at is None else timestamp(at)
