"""The limit on requests a minute, and the memory of idempotency keys."""

import hashlib
import math

from attrs import define, field, frozen

from duvo_async.emulator.exchange import ApiError, Request, Response
from duvo_async.emulator.multipart import boundary

_WINDOW = 60.0


@frozen
class Quota:
    """What the limit says of one request.

    Attributes:
        exceeded: Whether the request is one too many.
        headers: The headers that tell the caller where it stands.
    """

    exceeded: bool
    headers: dict[str, str]


@define
class RateLimit:
    """A fixed window of 60 seconds, which begins with the first request in it.

    Attributes:
        requests_per_minute: How many requests a window has room for; None for any number.
    """

    requests_per_minute: int | None
    _window_end: float = -math.inf
    _used: int = 0

    def take(self, now: float) -> Quota:
        """Counts one request."""
        if self.requests_per_minute is None:
            return Quota(exceeded=False, headers={})
        if now >= self._window_end:
            self._window_end = now + _WINDOW
            self._used = 0
        self._used += 1
        exceeded = self._used > self.requests_per_minute
        headers = self._headers(self.requests_per_minute, now)
        if exceeded:
            headers["retry-after"] = headers["ratelimit-reset"]
        return Quota(exceeded, headers)

    def _headers(self, limit: int, now: float) -> dict[str, str]:
        remaining = str(max(limit - self._used, 0))
        return {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": remaining,
            "x-ratelimit-reset": str(math.ceil(self._window_end)),
            "ratelimit-limit": str(limit),
            "ratelimit-remaining": remaining,
            "ratelimit-reset": str(math.ceil(self._window_end - now)),
        }


@define
class IdempotencyKeys:
    """The first successful answer to each key, to be given again instead of acting twice."""

    _answers: dict[str, tuple[str, Response]] = field(factory=dict[str, tuple[str, Response]])

    def recall(self, request: Request) -> Response | None:
        """The answer to the same request with the same key; None when there is none.

        Raises:
            ApiError: 400 for an empty key, 409 when the key came with another request.
        """
        key = _key(request)
        if key == "":
            raise ApiError(400, "the header Idempotency-Key must not be empty")
        if key is None or key not in self._answers:
            return None
        fingerprint, response = self._answers[key]
        if fingerprint != _fingerprint(request):
            raise ApiError(409, "the idempotency key was used for another request")
        return response.with_headers({"idempotent-replayed": "true"})

    def remember(self, request: Request, response: Response) -> None:
        """Keeps the successful answer to a request that has a key."""
        key = _key(request)
        if key is not None and response.status < 300:  # a redirect did nothing yet
            self._answers[key] = (_fingerprint(request), response)


def _key(request: Request) -> str | None:
    return request.headers.get("idempotency-key") if request.method == "POST" else None


def _fingerprint(request: Request) -> str:
    """Tells requests apart by what they say, which the boundary of a form is no part of."""
    separator = boundary(request)
    body = request.body if separator is None else request.body.replace(separator, b"")
    head = f"{request.method} {request.path}?{request.query}\n".encode(errors="surrogateescape")
    return hashlib.sha256(head + body).hexdigest()
