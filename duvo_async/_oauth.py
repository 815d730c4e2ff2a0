"""Tokens for OAuth 2 client credentials: the asking, and what the answers mean. Nothing awaits."""

from base64 import b64encode
from math import inf, isfinite
from typing import TypeAlias
from urllib.parse import quote_plus, urlencode

from attrs import evolve, frozen

from duvo_async import _protocol
from duvo_async._converter import DecodeProblem
from duvo_async._discovery import TokenServer, asking, facts_in, text_in
from duvo_async._protocol import Request, Response
from duvo_async.credentials import ClientCredentials, Secret, flaw
from duvo_async.errors import (
    APIStatusError,
    CredentialsError,
    ResponseDecodeError,
    class_for_status,
)
from duvo_async.models import JSON

HEADERS = {"User-Agent": _protocol.USER_AGENT, "Accept": "application/json"}
"""What goes with each of these requests."""

_MARGIN = 60.0
_SHARE = 0.1
"""A token is renewed this many seconds before it expires, or this part of its life, which is less;
at most twice as early, so that processes which began together do not ask together."""


@frozen
class Token:
    """An access token.

    Attributes:
        text: The token.
        header: The value of the Authorization header.
        renew_at: The loop's time from which on the next one should be asked for.
        expires_at: The loop's time at which it is good for nothing.
    """

    text: Secret
    header: Secret
    renew_at: float
    expires_at: float


Asking: TypeAlias = tuple[Request, Secret | None]
"""A request and its Authorization header."""


def token_request(server: TokenServer, credentials: ClientCredentials) -> Asking:
    """Ask for a token (RFC 6749, 4.4.2 and 2.3.1).

    Args:
        server: Where.
        credentials: Whose.

    Returns:
        The request and its Authorization header, if it has one.
    """
    form = {"grant_type": "client_credentials"}
    if credentials.scopes:
        form["scope"] = " ".join(credentials.scopes)
    form["audience"] = credentials.audience or server.audience
    request = evolve(asking("POST", server.url), content_type="application/x-www-form-urlencoded")
    if server.takes_basic:
        return evolve(request, body=urlencode(form).encode()), Secret(_basic(credentials))
    form["client_id"] = credentials.client_id
    form["client_secret"] = credentials.client_secret.reveal()
    return evolve(request, body=urlencode(form).encode()), None


def _basic(credentials: ClientCredentials) -> str:
    secret = credentials.client_secret.reveal()
    pair = f"{quote_plus(credentials.client_id)}:{quote_plus(secret)}"
    return f"Basic {b64encode(pair.encode()).decode()}"


def spellings(credentials: ClientCredentials) -> tuple[bytes, ...]:
    """Write a client's secret in each way in which a server may repeat it."""
    secret = credentials.client_secret.reveal()
    in_json = secret.replace("\\", "\\\\").replace('"', '\\"')
    basic = _basic(credentials).removeprefix("Basic ")
    return tuple(each.encode() for each in (basic, in_json, quote_plus(secret), secret))


def read_token(body: bytes, asked_at: float, draw: float) -> Token:
    """Read the answer to a request for a token (RFC 6749, 5.1).

    The frames of its errors know the body: they are for nobody to see.

    Args:
        body: The answer.
        asked_at: The loop's time when it was asked for.
        draw: A number from 0 to 1.

    Returns:
        The token.

    Raises:
        DecodeProblem: There is no bearer token in it.
    """
    facts = facts_in(body)
    text = text_in(facts, "access_token")
    if flaw(text) is not None:
        raise DecodeProblem(("expected a token that a header can hold @ $.access_token",))
    if text_in(facts, "token_type").lower() != "bearer":
        raise DecodeProblem(("expected 'Bearer' @ $.token_type",))
    life = _seconds(facts.get("expires_in"))
    expires_at = asked_at + life
    renew_at = inf if life == inf else expires_at - min(_MARGIN, life * _SHARE) * (1 + draw)
    return Token(Secret(text), Secret(f"Bearer {text}"), renew_at, expires_at)


def _seconds(value: JSON) -> float:
    """Read a lifetime, a number or its text. What is none is unknown, and ends with a refusal."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return inf
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return inf
    return max(0.0, seconds) if isfinite(seconds) else inf


# --- errors --------------------------------------------------------------------------------------

_NO_DISCOVERY = (
    "Where tokens come from cannot be found out there: give ClientCredentials a token_url="
)
_NO_GRANT = "Is this where tokens come from? Check the token_url= of ClientCredentials"
_ADVICE = {
    "invalid_scope": "Check the scopes= of ClientCredentials: the client has not all of them",
    "invalid_target": "Check the audience= of ClientCredentials: it is not the API's",
    "access_denied": "Check the audience= and scopes= of ClientCredentials",
    "unauthorized_client": "Have client credentials allowed for this client",
}


def failure(
    request: Request, response: Response, attempts: int
) -> APIStatusError | CredentialsError | None:
    """Tell what went wrong (RFC 6749, 5.2).

    Args:
        request: What was asked.
        response: What came back.
        attempts: How many requests were sent for this token.

    Returns:
        The error that the response stands for. None for a 2xx.
    """
    if 200 <= response.status < 300:  # noqa: PLR2004 - what HTTP calls success
        return None
    code, message = _said(response.body)
    asks_token = request.method == "POST"
    if asks_token and (code == "invalid_client" or response.status == 401):  # noqa: PLR2004 - RFC 6749's
        said = ": ".join(filter(None, (code, message))) or response.reason
        request_id = _protocol.request_id(response)
        suffix = f" [request id {request_id}]" if request_id else ""
        return CredentialsError(
            f"{request.method} {request.path}: {response.status} {said}{suffix}. Check client_id "
            "and client_secret (DUVO_CLIENT_ID and DUVO_CLIENT_SECRET): there is no such client, "
            "or its secret is another"
        )
    error = class_for_status(response.status)(
        status=response.status,
        reason=_reason(response),
        method=request.method,
        path=request.path,
        code=code,
        message=message,
        request_id=_protocol.request_id(response),
        retry_after=_protocol.retry_after(response.headers),
        attempts=attempts,
    )
    error.advice = _advice(code, response.status) if asks_token else _NO_DISCOVERY
    error.may_have_been_done = False
    return error


def unreadable(
    request: Request, response: Response, problems: tuple[str, ...], attempts: int
) -> ResponseDecodeError:
    """Tell that an answer was not understood.

    Args:
        request: What was asked.
        response: What came back.
        problems: What is wrong with it.
        attempts: How many requests were sent for this token.

    Returns:
        The error.
    """
    error = ResponseDecodeError(
        problems,
        method=request.method,
        path=request.path,
        attempts=attempts,
        request_id=_protocol.request_id(response),
    )
    error.advice = _NO_GRANT if request.method == "POST" else _NO_DISCOVERY
    error.may_have_been_done = False
    return error


def _advice(code: str | None, status: int) -> str | None:
    if code is None and status < 500:  # noqa: PLR2004 - what may pass
        return _NO_GRANT
    return _ADVICE.get(code or "")


def _reason(response: Response) -> str:
    reason = response.reason or "no reason given"
    if 300 <= response.status < 400:  # noqa: PLR2004 - what HTTP calls redirection
        return f"{reason} (redirections are not followed: they would take secrets elsewhere)"
    return reason


def _said(body: bytes) -> tuple[str | None, str | None]:
    try:
        facts = facts_in(body)
    except DecodeProblem:
        return None, None
    code, message = facts.get("error"), facts.get("error_description")
    return (
        code if isinstance(code, str) and code else None,
        message if isinstance(message, str) and message else None,
    )
