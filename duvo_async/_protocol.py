"""Requests and responses as values, and what a response means. Nothing here awaits."""

import json
import platform
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from re import compile as regex
from typing import Any, Generic, TypeAlias, TypeVar

from attrs import field

from duvo_async._bodies import ByteStream, Sink
from duvo_async._converter import DecodeProblem, structure
from duvo_async._direct import reader
from duvo_async._json import read_json
from duvo_async._values import value
from duvo_async._version import __version__
from duvo_async.errors import APIStatusError, class_for_status
from duvo_async.models import JSON, RateLimit

USER_AGENT = f"duvo-async/{__version__} python/{platform.python_version()}"
"""What this client calls itself, wherever it sends a request."""

_T = TypeVar("_T")
_READING_METHODS = frozenset({"GET", "HEAD"})
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode

Body: TypeAlias = bytes | ByteStream | None


@value  # not by keyword only: each default would be looked up in a dict
class Request:
    """One HTTP request.

    Attributes:
        method: The method.
        path: The quoted path below the base URL; with `signed_url`, what to call the place in logs.
        query: Names and values, not quoted.
        body: JSON as bytes, a file or nothing.
        content_type: What the bytes of the body are; a file says so itself.
        idempotency_key: Lets the API see that a repeated request is the same one.
        timeout: Seconds for one attempt. None for what the client was told.
        signed_url: An absolute URL on another host, such as a presigned one, used as it is and
            never shown. It is sent no API key.
        only_reads: Whether it changes nothing, although its method says that it may.
        sink: Takes the body of a successful response, whose own body is then empty. None has it
            read to its end.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Body = field(default=None, repr=False)
    content_type: str = "application/json"
    idempotency_key: str | None = None
    timeout: float | None = None
    signed_url: str | None = field(default=None, repr=False)
    only_reads: bool = False
    sink: Sink | None = field(default=None, repr=False)

    @property
    def mutates(self) -> bool:
        """Whether doing it twice could differ from doing it once."""
        return not self.only_reads and self.method not in _READING_METHODS

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent again when nobody knows whether it was done."""
        return not self.mutates or self.idempotency_key is not None

    def with_key(self, key: str) -> "Request":
        """Make the same request with an idempotency key."""
        # Six times as fast as attrs' `evolve`, and every start and answer comes by here.
        return Request(
            self.method,
            self.path,
            self.query,
            self.body,
            self.content_type,
            key,
            self.timeout,
            self.signed_url,
            self.only_reads,
            self.sink,
        )


@value
class Response:
    """One HTTP response, read to its end.

    Attributes:
        status: The status.
        reason: The status in words.
        headers: The headers; names in any case.
        body: The body.
    """

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@value
class Call(Generic[_T]):
    """A request together with the meaning of its answer.

    Attributes:
        request: What to send.
        decode: Makes the result of a response with a 2xx status, or raises `DecodeProblem`.
    """

    request: Request
    decode: Callable[[Response], _T]


@value
class Page(Generic[_T]):
    """A part of a list.

    Attributes:
        items: The items.
        total: How many items the whole list has. None when the API does not say.
    """

    items: tuple[_T, ...]
    total: int | None = None


def json_body(fields: Mapping[str, object]) -> bytes:
    """Encode a body; None means "not given" and is left out."""
    return encoded({name: value for name, value in fields.items() if value is not None})


def encoded(value: object) -> bytes:
    """Write a value as JSON.

    Raises:
        TypeError: It holds what JSON has no form for.
        ValueError: It holds a number that JSON has no form for, or itself.
    """
    return _encode(value).encode()


def parse_json(body: bytes) -> JSON:
    """Decode a body.

    Raises:
        DecodeProblem: It is not JSON.
    """
    try:
        return read_json(body)
    except (ValueError, RecursionError):
        what = "is empty" if not body else f"({len(body):,} bytes) is not JSON"
        raise DecodeProblem((f"the body {what} @ $",)) from None


def decoded(body: bytes, kind: type[_T]) -> _T:
    """Decode a body."""
    found: _T | None = _directly(body, kind, None)
    return structure(parse_json(body), kind) if found is None else found


def member(body: bytes, name: str, kind: type[_T]) -> _T:
    """Decode the one member of an object in which the API wraps its answers."""
    found: _T | None = _directly(body, kind, name)
    if found is not None:
        return found
    value = parse_json(body)
    if not isinstance(value, dict):
        raise DecodeProblem(("expected an object @ $",))
    if name not in value:
        raise DecodeProblem((f"required field missing @ $.{name}",))
    return structure(value[name], kind, f"$.{name}")


def _directly(body: bytes, kind: Any, name: str | None) -> Any:  # noqa: ANN401 - as the kind is
    """Decode a body the fast way. None when that does not do."""
    read = reader(kind, name)
    if read is None:
        return None
    try:
        return read(body)
    except Exception:  # noqa: BLE001 - what is wrong the other way tells
        return None


def failure(request: Request, response: Response, attempts: int) -> APIStatusError | None:
    """Tell what went wrong.

    Args:
        request: What was asked.
        response: What came back.
        attempts: How many requests were sent for this call.

    Returns:
        The error that the response stands for. None for a 2xx.
    """
    if 200 <= response.status < 300:  # noqa: PLR2004 - what HTTP calls success
        return None
    stored = request.signed_url is not None
    facts = _storage_error(response.body) if stored else _error_body(response.body)
    return class_for_status(response.status)(
        status=response.status,
        reason=_reason(request, response),
        method=request.method,
        path=request.path,
        code=_code(facts, response),
        message=_text(facts.get("message")),
        request_id=request_id(response) or _text(facts.get("request_id")),
        details=facts.get("details"),
        retry_after=retry_after(response.headers),
        idempotency_key=request.idempotency_key,
        attempts=attempts,
    )


def _code(facts: dict[str, JSON], response: Response) -> str | None:
    """Find the word for the error; of a token, the standard one in the header is the clearest."""
    challenge = _challenge(response)
    if challenge == "invalid_token":
        return challenge
    return _text(facts.get("code")) or _text(facts.get("error")) or challenge


def _challenge(response: Response) -> str | None:
    """Read the code that refused credentials are challenged with (RFC 6750, 3)."""
    found = _CHALLENGE.search(response.headers.get("www-authenticate", ""))
    return found[1] if found else None


_CHALLENGE = regex(r'\berror="([a-z_]{1,64})"')


def _storage_error(body: bytes) -> dict[str, JSON]:
    """Read the code of an object storage's error.

    And no more of it: the rest of its XML may repeat the URL, and with it the signature.
    """
    found = _STORAGE_CODE.search(body[:_XML_HEAD])
    return {"code": found[1].decode()} if found else {}


_STORAGE_CODE = regex(rb"<Code>([A-Za-z]{1,64})</Code>")
_XML_HEAD = 4096


def _error_body(body: bytes) -> dict[str, JSON]:
    """Read both documented forms of an error; a proxy's HTML or an empty body has no facts."""
    try:
        value = parse_json(body)
    except DecodeProblem:
        return {}
    if not isinstance(value, dict):
        return {}
    inner = value.get("error")
    return {**value, **inner} if isinstance(inner, dict) else value


def _reason(request: Request, response: Response) -> str:
    if request.signed_url is not None:
        return response.reason or "no reason given"
    if 300 <= response.status < 400:  # noqa: PLR2004 - what HTTP calls redirection
        return "the API redirected the call, which would take the key elsewhere: check the base URL"
    if not response.body:
        return f"{response.reason or 'no reason given'} (the body is empty)"
    return f"{response.reason or 'no reason given'} (the body has no error of the API's)"


def _text(value: JSON) -> str | None:
    return value if isinstance(value, str) and value else None


def request_id(response: Response) -> str | None:
    """Find the API's id of a request, for logs and its support."""
    return response.headers.get("x-request-id")


# --- time in headers -----------------------------------------------------------------------------
# The server's times are compared with the server's own Date header, so that a wrong clock on this
# machine changes nothing.


def server_time(headers: Mapping[str, str]) -> datetime:
    """Tell the server's time. Without a Date header it is taken to be this machine's."""
    return http_date(headers.get("date", "")) or datetime.now(UTC)


@lru_cache(maxsize=16)
def http_date(text: str) -> datetime | None:
    """Read a date in a header. None when it is none."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def unix_moment(text: str) -> datetime | None:
    """Read Unix seconds. None when they are none."""
    if not _COUNT.fullmatch(text):
        return None
    try:
        return datetime.fromtimestamp(int(text), UTC)
    except (OverflowError, ValueError, OSError):
        return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After`: seconds, or an HTTP date (RFC 9110, 10.2.3). None when it is neither."""
    text = headers.get("retry-after", "").strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    moment = http_date(text)
    return max(0.0, (moment - server_time(headers)).total_seconds()) if moment else None


_NUMBER = regex(r"[0-9]+(\.[0-9]+)?")
_COUNT = regex(r"[0-9]{1,12}")
_UNIX_TIME = 10**9
"""A reset above it is a Unix time, one below it is seconds from now (the API's sources differ)."""


@value
class Window:
    """The rate-limit headers of one response.

    Attributes:
        limit: Requests that the window allows.
        remaining: Requests left in it.
        reset_in: Seconds until the next window.
    """

    limit: int
    remaining: int
    reset_in: float


def window(headers: Mapping[str, str]) -> Window | None:
    """Read the rate limit in either of its two spellings.

    Args:
        headers: A response's headers.

    Returns:
        The window. None when the headers are absent or make no sense.
    """
    for limit_name, remaining_name, reset_name in _WINDOW_HEADERS:
        limit = _count(headers.get(limit_name))
        if not limit:
            continue
        remaining, reset = _count(headers.get(remaining_name)), _count(headers.get(reset_name))
        if remaining is not None and reset is not None:
            reset_in = reset if reset < _UNIX_TIME else _seconds_until(reset, headers)
            remaining = remaining if remaining < limit else limit  # noqa: FURB136 - `min` is slow
            return Window(limit, remaining, reset_in)
    return None


_WINDOW_HEADERS = tuple(
    (f"{prefix}-limit", f"{prefix}-remaining", f"{prefix}-reset")
    for prefix in ("x-ratelimit", "ratelimit")
)


@lru_cache(maxsize=1024)
def _count(text: str | None) -> int | None:
    """Read the digits at the beginning, as `300, 300;w=60` has them."""
    found = None if text is None else _COUNT.match(text)
    return int(found[0]) if found else None


def _seconds_until(reset: int, headers: Mapping[str, str]) -> float:
    return max(0.0, reset - server_time(headers).timestamp())


def rate_limit(reading: Window, headers: Mapping[str, str]) -> RateLimit:
    """Say to the user what the headers said."""
    try:
        reset_at = server_time(headers) + timedelta(seconds=reading.reset_in)
    except OverflowError:
        reset_at = datetime.max.replace(tzinfo=UTC)
    return RateLimit(limit=reading.limit, remaining=reading.remaining, reset_at=reset_at)
