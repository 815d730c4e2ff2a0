"""Who is calling: the credentials that go with each request."""

import asyncio
import logging
import random
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from inspect import isawaitable
from typing import Protocol

from attrs import evolve
from yarl import URL

from duvo_async._granting import Granting
from duvo_async._oauth import Token
from duvo_async._retry import Retrying, RetryPolicy
from duvo_async._single_flight import SingleFlight
from duvo_async._transport import Transport
from duvo_async.credentials import ClientCredentials, Secret, TokenSource, flaw
from duvo_async.errors import APIError, APIStatusError, CredentialsError, DuvoError
from duvo_async.settings import Credentials, Settings

_logger = logging.getLogger("duvo_async")
_REMEMBERED = 64
"""Tokens that a late answer may repeat."""


class Auth(Protocol):
    """Credentials."""

    @property
    def fixed(self) -> Secret | None:
        """What `authorization` always gives, where it does. None where it has to be asked."""
        ...

    async def authorization(self) -> Secret:
        """Give the value of the Authorization header."""
        ...

    async def refused(self, authorization: Secret, error: APIStatusError) -> bool:
        """Hear that the API answered with an error to a request that had this header.

        Args:
            authorization: What `authorization` gave for the request.
            error: The API's answer.

        Returns:
            Whether the request should be sent once more: the header is out of date, and the next
            one will be another.
        """
        ...

    def redact(self, data: bytes) -> bytes:
        """Blot the credentials out of what a server sent, should it repeat them."""
        ...


def make_auth(
    credentials: Credentials, settings: Settings, transport: Transport, retry: RetryPolicy
) -> Auth:
    """Make what answers for a client.

    Args:
        credentials: An API key, or what gives tokens.
        settings: Where the API is.
        transport: Sends requests for tokens.
        retry: How often to repeat these.

    Returns:
        The credentials at work.
    """
    if isinstance(credentials, Secret):
        return ApiKey(credentials)
    if isinstance(credentials, ClientCredentials):
        return TokenAuth(credentials, settings.base_url, transport, retry)
    return CallableAuth(credentials)


class ApiKey:
    """A workspace's API key, sent as a bearer token.

    Args:
        key: The key, already checked.
    """

    __slots__ = ("_key", "fixed")

    def __init__(self, key: Secret) -> None:
        self._key = key
        self.fixed: Secret = Secret(f"Bearer {key.reveal()}")

    async def authorization(self) -> Secret:
        """Give the value of the Authorization header."""
        return self.fixed

    async def refused(self, authorization: Secret, error: APIStatusError) -> bool:  # noqa: ARG002 - Auth's
        """Know of no other key."""
        return False

    def redact(self, data: bytes) -> bytes:
        """Blot the key out of what a server sent, should it repeat it."""
        return data.replace(self._key.reveal().encode(), b"[API key]")


class CallableAuth:
    """Tokens that the user's own callable gives, one for each request.

    Args:
        source: Gives them. It is called in the event loop and remembers the token itself; what it
            raises goes to the caller as it is.
    """

    __slots__ = ("_source", "_tokens")

    fixed = None

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._tokens = _Tokens()

    async def authorization(self) -> Secret:
        """Give the value of the Authorization header.

        Raises:
            CredentialsError: The callable gave what is no token.
            TypeError: It gave no text.
        """
        given = self._source()
        text = await given if isawaitable(given) else given
        kind = type(text).__name__
        problem = flaw(text) if isinstance(text, str) else None
        if isinstance(text, str) and problem is None:
            self._tokens.note(Secret(text))
            return Secret(f"Bearer {text}")
        del given, text  # it may be a token all the same, and reports of errors show frames
        if problem is None:
            raise TypeError(f"auth() must return a string, not {kind}")
        raise CredentialsError(
            f"auth() gave what is no token: {problem}. Return the token alone, without 'Bearer'"
        )

    async def refused(self, authorization: Secret, error: APIStatusError) -> bool:
        """Have the request sent once more if the callable gives another token now."""
        return _is_of_the_token(error) and await self.authorization() != authorization

    def redact(self, data: bytes) -> bytes:
        """Blot the tokens out of what a server sent, should it repeat one."""
        return self._tokens.redact(data)


class TokenAuth:
    """Tokens that an authorization server gives for client credentials.

    There is one token for all callers, and one request for the next. Before the token expires, the
    first caller who notices that its time has come asks for the next one; others go on with what
    there is, and so does everybody if there is no new one to be had yet.

    Args:
        credentials: Whose tokens.
        base_url: Where the API is.
        transport: Sends the requests.
        retry: How often to repeat them.
        random: Gives numbers from 0 to 1.
    """

    fixed = None

    def __init__(
        self,
        credentials: ClientCredentials,
        base_url: URL,
        transport: Transport,
        retry: RetryPolicy,
        *,
        random: Callable[[], float] = random.random,
    ) -> None:
        self._granting = Granting(credentials, base_url, transport, random)
        self._retry = retry
        self._random = random
        self._token: Token | None = None
        self._tokens = _Tokens()
        self._next: SingleFlight[Token] = SingleFlight(self._fetch)
        self._renewing = False

    async def authorization(self) -> Secret:
        """Give the value of the Authorization header.

        Raises:
            CredentialsError: The authorization server does not know the client.
            APIError: There is no token to be had. The call was not sent.
        """
        token, now = self._good_token(), _now()
        if token is not None and now >= token.renew_at and not self._renewing:
            await self._renew()
            token = self._good_token()
        if token is None:
            token = await self._next.join()
        return token.header

    async def refused(self, authorization: Secret, error: APIStatusError) -> bool:
        """Drop a token that the API does not take any more, unless there is another already."""
        if not _is_of_the_token(error):
            return False
        # The very one: a server may give the same text again.
        if self._token is not None and self._token.header is authorization:
            self._token = None
        return True

    def redact(self, data: bytes) -> bytes:
        """Blot tokens and the client's secret out of what a server sent, should it repeat them."""
        return self._granting.redact(self._tokens.redact(data))

    def _good_token(self) -> Token | None:
        token = self._token
        return token if token is not None and _now() < token.expires_at else None

    async def _renew(self) -> None:
        self._renewing = True
        try:
            await self._next.join()
        except DuvoError as error:
            _logger.warning("no new access token yet, the one there is goes on: %s", error)
            self._put_off()
        finally:
            self._renewing = False

    def _put_off(self) -> None:
        """Try to renew again when half of the time has passed that is left."""
        if (token := self._token) is not None:
            left = token.expires_at - _now()
            self._token = evolve(token, renew_at=token.expires_at - left / 2)

    async def _fetch(self) -> Token:
        state = Retrying(self._retry, self._random)
        while True:
            outcome = await self._granting.ask(state.attempts)
            if isinstance(outcome, Token):
                self._token = outcome
                self._tokens.note(outcome.text)
                return outcome
            # Nobody waits for a renewal that is not needed yet.
            delay = None if self._good_token() else _delay(state, outcome)
            if delay is None:
                self._granting.look_again()
                raise outcome
            _logger.debug("asking for a token again in %.2f s: %s", delay, outcome)
            await asyncio.sleep(delay)


class _Tokens:
    """The tokens of late, which servers may repeat."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def note(self, token: Secret) -> None:
        """Remember a token."""
        text = token.reveal().encode()
        self._known[text] = None
        self._known.move_to_end(text)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def redact(self, data: bytes) -> bytes:
        """Blot them out."""
        for token in sorted(self._known, key=len, reverse=True):  # one may hold another
            data = data.replace(token, b"[access token]")
        return data


def _is_of_the_token(error: APIStatusError) -> bool:
    return error.status == HTTPStatus.UNAUTHORIZED and error.code == "invalid_token"


def _delay(state: Retrying, error: DuvoError) -> float | None:
    return state.delay(error, repeatable=True) if isinstance(error, APIError) else None


def _now() -> float:
    return asyncio.get_running_loop().time()
