"""Asking an authorization server for a token.

What goes wrong is given back and not raised, so that no frame of an error has seen a token.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from yarl import URL

from duvo_async import _discovery, _oauth
from duvo_async._blotting import blotted
from duvo_async._converter import DecodeProblem
from duvo_async._discovery import TokenServer
from duvo_async._oauth import Asking, Token
from duvo_async._transport import Transport, TransportError
from duvo_async.credentials import ClientCredentials
from duvo_async.errors import APIConnectionError, APITimeoutError, DuvoError

_T = TypeVar("_T")
_logger = logging.getLogger("duvo_async")


class Granting:
    """Gets tokens for client credentials.

    Args:
        credentials: Whose.
        base_url: Where the API is.
        transport: Sends the requests.
        random: Gives numbers from 0 to 1.
    """

    def __init__(
        self,
        credentials: ClientCredentials,
        base_url: URL,
        transport: Transport,
        random: Callable[[], float],
    ) -> None:
        self._credentials = credentials
        self._base_url = base_url
        self._transport = transport
        self._random = random
        self._given_server = _discovery.given_server(credentials, base_url)
        self._server = self._given_server

    async def ask(self, attempts: int) -> Token | DuvoError:
        """Ask for a token, and before the first one where to ask.

        Args:
            attempts: The number of this attempt, from 1.

        Returns:
            The token, or why there is none.

        Raises:
            ConfigurationError: There is no safe way to find out where to ask.
        """
        if self._server is None:
            found = await self._discover(attempts)
            if isinstance(found, DuvoError):
                return found
            self._server = found
        asking = _oauth.token_request(self._server, self._credentials)
        asked_at, draw = asyncio.get_running_loop().time(), self._random()
        return await self._exchange(
            asking, attempts, lambda body: _oauth.read_token(body, asked_at, draw)
        )

    def look_again(self) -> None:
        """Find out anew where to ask, as it may have moved."""
        self._server = self._given_server

    def redact(self, data: bytes) -> bytes:
        """Blot the client's secret out of what a server sent, should it repeat it."""
        for spelling in _oauth.spellings(self._credentials):
            data = data.replace(spelling, b"[client secret]")
        return data

    async def _discover(self, attempts: int) -> TokenServer | DuvoError:
        base_url = self._base_url
        resource = await self._exchange(
            (_discovery.resource_request(base_url), None),
            attempts,
            lambda body: _discovery.read_resource(body, base_url),
        )
        if isinstance(resource, DuvoError):
            return resource
        return await self._exchange(
            (_discovery.server_request(resource.issuer), None),
            attempts,
            lambda body: _discovery.read_server(body, resource),
        )

    async def _exchange(
        self, asking: Asking, attempts: int, read: Callable[[bytes], _T]
    ) -> _T | DuvoError:
        request, authorization = asking
        try:
            response = await self._transport.send(request, _oauth.HEADERS, authorization)
        except TransportError as problem:
            _logger.debug("%s %s -> %s", request.method, request.path, problem)
            kind = APITimeoutError if problem.timed_out else APIConnectionError
            return kind(
                str(problem),
                method=request.method,
                path=request.path,
                attempts=attempts,
                may_have_been_done=False,
            )
        _logger.debug("%s %s -> %s", request.method, request.path, response.status)
        told = blotted(response, self.redact)
        if (error := _oauth.failure(request, told, attempts)) is not None:
            return error
        try:
            return read(response.body)
        except DecodeProblem as problem:
            return _oauth.unreadable(request, response, problem.problems, attempts)
