"""Tokens for client credentials: fetched when there is need, and renewed ahead."""

import asyncio
import logging
import random
from collections.abc import Callable

from attrs import evolve
from yarl import URL

from duvo_async._granting import Granting
from duvo_async._oauth import Token
from duvo_async._retry import Retrying, RetryPolicy
from duvo_async._single_flight import SingleFlight
from duvo_async._tokens import Tokens, is_of_the_token
from duvo_async._transport import Transport
from duvo_async.credentials import ClientCredentials, Secret
from duvo_async.errors import APIError, APIStatusError, DuvoError

_logger = logging.getLogger("duvo_async")


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
        self._tokens = Tokens()
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
        if not is_of_the_token(error):
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


def _delay(state: Retrying, error: DuvoError) -> float | None:
    return state.delay(error, repeatable=True) if isinstance(error, APIError) else None


def _now() -> float:
    return asyncio.get_running_loop().time()
