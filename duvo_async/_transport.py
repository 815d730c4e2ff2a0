"""Sending one request. This and `_streaming` are the only client files that import aiohttp."""

import asyncio
import ssl
from collections.abc import Awaitable, Mapping
from math import inf
from typing import TYPE_CHECKING, Protocol, TypeAlias
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from duvo_async._bodies import ByteStream
from duvo_async._deadlines import Deadlines
from duvo_async._protocol import USER_AGENT, Request, Response
from duvo_async.credentials import Secret
from duvo_async.errors import ClientClosedError, ConfigurationError
from duvo_async.settings import Settings

if TYPE_CHECKING:
    from duvo_async._streaming import Moving

HTTPSession: TypeAlias = aiohttp.ClientSession
"""A session of the caller's own."""

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_REDIRECTION = 300
_LATER = 0.01
"""Seconds by which a deadline comes after aiohttp's own for a connection that cannot be made, which
knows that nothing was sent."""
_SECRET_HEADERS = frozenset({"authorization", "cookie"})
_API_HEADERS: Mapping[str, str] = {"User-Agent": USER_AGENT, "Accept": "application/json"}
"""What every request to the API has."""


class TransportError(Exception):
    """No response came. Its text holds no URL and no header.

    Attributes:
        timed_out: Whether time ran out.
        sent: Whether the request may have reached the host.
        too_large: Whether there was an answer, which is larger than was to be read.
    """

    def __init__(
        self,
        reason: str,
        *,
        timed_out: bool = False,
        sent: bool = True,
        too_large: bool = False,
    ) -> None:
        super().__init__(reason)
        self.timed_out = timed_out
        self.sent = sent
        self.too_large = too_large


class Transport(Protocol):
    """The one seam for network I/O."""

    async def send(
        self, request: Request, headers: Mapping[str, str], authorization: Secret | None
    ) -> Response:
        """Send one request and read its response.

        Args:
            request: What to send.
            headers: Its headers, but for those that describe the body and, without a signed URL,
                those that every request to the API has.
            authorization: The value of the Authorization header. None sends none.

        Returns:
            The response, whatever its status; the body of a success is in the request's sink, if it
            has one. Redirects are not followed.

        Raises:
            TransportError: No response came.
        """
        ...

    async def close(self) -> None:
        """Give back the connections. Later sends fail."""
        ...


class AiohttpTransport:
    """Sends requests with aiohttp.

    The session is made on first use, in the event loop that uses it; a client that outlives its
    loop, as one that is used in several `asyncio.run` calls does, gets another.

    Args:
        settings: Where the API is, and time-outs.
        session: The caller's own session, which is left open. None makes one.
    """

    def __init__(self, settings: Settings, session: HTTPSession | None = None) -> None:
        if session is not None and (
            session.auth is not None
            or not _SECRET_HEADERS.isdisjoint({name.lower() for name in session.headers})
        ):
            raise ConfigurationError(
                "the session has credentials of its own beside the API key: give the key as "
                "api_key= and leave them out"
            )
        if session is not None and not _verifies(session):
            raise ConfigurationError(
                "the session does not verify certificates, so that anybody could take the key: to "
                "trust one of your own, load it into an ssl.SSLContext with "
                "ssl.create_default_context(cafile=…) and give that to the session's connector"
            )
        self._settings = settings
        self._most = settings.max_response_bytes
        self._base_url = settings.base_url
        self._base_path = settings.base_url.raw_path.rstrip("/")
        self._deadlines = Deadlines()
        self._timeout = self._connect_timeout(settings.timeout)
        self._file_timeout = self._connect_timeout(None)
        self._session = session
        self._owns_session = session is None
        self._bare_session: HTTPSession | None = None
        self._carried: Secret | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._proxies: dict[str, str | None] = {}
        self._api_proxy: str | None = None
        self._closed = False

    async def send(
        self, request: Request, headers: Mapping[str, str], authorization: Secret | None
    ) -> Response:
        """Send one request and read its response (see `Transport.send`)."""
        session, loop = self._session, asyncio.get_running_loop()
        if session is None or self._loop is not loop:
            session = await self._open_session(authorization)
        if authorization is None or request.signed_url is not None:
            session = self._without_secrets(session)
        if request.sink is not None or isinstance(request.body, ByteStream):
            return await self._move_file(session, request, headers, authorization)
        if request.body is not None:
            headers = {**headers, "Content-Type": request.content_type}
        seconds = self._settings.timeout if request.timeout is None else request.timeout
        task = self._deadlines.begin(loop, seconds + _LATER)
        # The error is raised outside of the handler: aiohttp's own errors, and the frames that they
        # hold, know the URL and the headers.
        failure: BaseException
        response: aiohttp.ClientResponse | None = None
        try:
            response = await self._ask(session, request, headers, authorization)
            if response.closed and response.content.is_eof():
                # As most answers it came in one piece, and has given its connection back.
                return self._answer(response, response.content.read_nowait())
            async with response:
                return self._answer(response, await self._read(response.content))
        except asyncio.CancelledError as error:
            late = self._deadlines.is_why(task)
            failure = _no_answer() if late else asyncio.CancelledError(*error.args)
        except Exception as error:  # noqa: BLE001 - aiohttp has some beside its own
            failure = _translated(error)
        finally:
            self._deadlines.end(task)
            response = None  # it knows them, too
        raise failure

    async def close(self) -> None:
        """Close the session, unless it is the caller's."""
        self._closed = True
        self._deadlines.close()
        session, self._session = self._session, None
        bare, self._bare_session = self._bare_session, None
        if bare is not None:
            await bare.close()
        if session is not None and self._owns_session:
            await session.close()

    async def _open_session(self, authorization: Secret | None) -> HTTPSession:
        if self._closed:
            raise ClientClosedError("this client is closed: make a new one")
        loop = asyncio.get_running_loop()
        if self._session is not None and not self._owns_session:
            if self._session.closed:
                raise ClientClosedError("the session that this client was given is closed")
            return self._session
        if self._session is not None and self._loop is loop:
            return self._session
        stale, stale_loop = self._session, self._loop
        if stale_loop is not None and not stale_loop.is_closed():
            raise ConfigurationError(
                "this client is in use in another event loop that is still running: make one "
                "client a loop, or use duvo_async.Duvo from several threads"
            )
        self._api_proxy = self._environments_proxy(self._base_url)
        # What all requests have is put in order once. An API key is the same for all; but to a
        # proxy aiohttp tells what is a session's own.
        is_fixed = self._api_proxy is None and isinstance(self._settings.credentials, Secret)
        self._carried = authorization if is_fixed else None
        self._session = session = aiohttp.ClientSession(
            headers=_with(_API_HEADERS, self._carried),
            cookie_jar=aiohttp.DummyCookieJar(),
            # The key's budget is the limit. A pool's would let calls time out in its queue.
            connector=aiohttp.TCPConnector(limit=0),
        )
        self._loop = loop
        if stale is not None:
            await stale.close()
        return session

    async def _move_file(
        self,
        session: HTTPSession,
        request: Request,
        headers: Mapping[str, str],
        authorization: Secret | None,
    ) -> Response:
        from duvo_async._streaming import moving, while_it_moves  # noqa: PLC0415 - not all have files

        body = request.body if isinstance(request.body, ByteStream) else None
        file = moving(body, request.sink)
        headers = {**headers, **file.asks()}
        failure: BaseException
        try:
            async with while_it_moves(file):
                return await self._moved(
                    self._ask(session, request, headers, authorization, file), file
                )
        except asyncio.CancelledError as error:
            failure = asyncio.CancelledError(*error.args)
        except Exception as error:  # noqa: BLE001 - as above
            failure = file.failure or _of_file(error, file) or _translated(error)
        finally:
            file.let_go()
        raise failure

    async def _moved(self, asked: Awaitable[aiohttp.ClientResponse], file: "Moving") -> Response:
        async with await asked as response:
            taken = await file.take(response)
            answer = self._answer(response, b"" if taken else await self._read(response.content))
            # Before the connection is given back, and may be another request's.
            if not file.let_go() and answer.status < _REDIRECTION:
                raise aiohttp.ClientPayloadError
            return answer

    def _without_secrets(self, session: HTTPSession) -> HTTPSession:
        """Share the connections of a session, and none of its cookies and headers."""
        bare = self._bare_session
        if bare is None or bare.closed or bare.connector is not session.connector:
            self._bare_session = bare = aiohttp.ClientSession(
                connector=session.connector,
                connector_owner=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                proxy=getattr(session, "_default_proxy", None),  # there is no other way to it
                proxy_auth=getattr(session, "_default_proxy_auth", None),
            )
        return bare

    def _ask(
        self,
        session: HTTPSession,
        request: Request,
        headers: Mapping[str, str],
        authorization: Secret | None,
        file: "Moving | None" = None,
    ) -> Awaitable[aiohttp.ClientResponse]:
        if request.signed_url is not None:
            # Byte for byte: quoting it again would break its signature.
            url = URL(request.signed_url, encoded=True)
            headers, proxy = _with(headers, authorization), self._proxy(url, session)
        else:
            url = self._base_url.with_path(self._base_path + request.path, encoded=True)
            proxy = self._api_proxy
            if request.query:
                url = url.with_query(request.query)
            if authorization is None or authorization is not self._carried:
                headers = _with({**_API_HEADERS, **headers}, authorization)
        if file is not None:
            timeout = self._file_timeout
        elif request.timeout is None:
            timeout = self._timeout
        else:
            timeout = self._connect_timeout(request.timeout)
        return session.request(
            request.method,
            url,
            data=request.body if file is None else file.payload,
            headers=headers,
            timeout=timeout,
            allow_redirects=False,
            raise_for_status=False,
            proxy=proxy,
        )

    def _answer(self, response: aiohttp.ClientResponse, body: bytes) -> Response:
        if len(body) > self._most and response.status < _REDIRECTION:
            raise TransportError(f"the body has more than {self._most:,} bytes", too_large=True)
        return Response(response.status, response.reason or "", response.headers, body)

    async def _read(self, content: aiohttp.StreamReader) -> bytes:
        """Read a body until it is larger than it may be; aiohttp unpacks it in pieces."""
        blocks: list[bytes] = []
        size = 0
        async for block in content.iter_any():
            blocks.append(block)
            size += len(block)
            if size > self._most:
                break
        return b"".join(blocks)

    def _connect_timeout(self, seconds: float | None) -> aiohttp.ClientTimeout:
        """Limit what comes before anything is sent; for the rest there is a deadline."""
        return aiohttp.ClientTimeout(
            total=None,
            connect=seconds,
            sock_connect=self._settings.connect_timeout,
            ceil_threshold=inf,  # else it would come up to a second late
        )

    def _proxy(self, url: URL, session: HTTPSession) -> str | None:
        """Find the proxy for a signed URL. A session of the caller's own knows that of the API."""
        own = self._session
        if not self._owns_session and (session is own or own is None or not own.trust_env):
            return None
        return self._environments_proxy(url)

    def _environments_proxy(self, url: URL) -> str | None:
        """Find the proxy that the environment names for a host, once a host.

        aiohttp's own way would read the credentials in .netrc as well.
        """
        host = url.host or ""
        if host not in self._proxies:
            direct = host in _LOOPBACK or proxy_bypass(host)
            self._proxies[host] = None if direct else getproxies().get(url.scheme)
        return self._proxies[host]


def _verifies(session: HTTPSession) -> bool:
    """Tell whether a session looks at certificates and at the names in them."""
    if session.connector is None:
        return True  # it is closed
    chosen: object = getattr(session.connector, "_ssl", False)  # there is no other way to it
    if isinstance(chosen, ssl.SSLContext):
        return chosen.verify_mode is ssl.CERT_REQUIRED and chosen.check_hostname
    return chosen is not False


def _with(headers: Mapping[str, str], authorization: Secret | None) -> Mapping[str, str]:
    if authorization is None:
        return headers
    # The one place where a secret is in the open, and in no variable of ours.
    return {**headers, "Authorization": authorization.reveal()}


def _of_file(error: Exception, file: "Moving") -> TransportError | None:
    """Explain what can only go wrong with a file."""
    what = file.trouble(error)
    return None if what is None else TransportError(what, timed_out=isinstance(error, TimeoutError))


def _no_connection() -> TransportError:
    return TransportError("no connection in time", timed_out=True, sent=False)


def _no_answer() -> TransportError:
    return TransportError("no answer in time", timed_out=True)


def _translated(error: Exception) -> TransportError:
    if isinstance(error, TransportError):
        return error.with_traceback(None)
    if isinstance(error, TimeoutError):
        unconnected = isinstance(error, aiohttp.ConnectionTimeoutError)
        return _no_connection() if unconnected else _no_answer()
    if isinstance(error, aiohttp.ClientConnectorError):
        place = f"{error.host}:{error.port}"
        return TransportError(f"cannot connect to {place} ({error.os_error})", sent=False)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return TransportError("the connection was closed before the answer came")
    if isinstance(error, OSError) and not isinstance(error, aiohttp.ClientError):
        return TransportError(f"the connection broke ({error.strerror or type(error).__name__})")
    # The texts of the others may quote the URL, and with it a signature.
    return TransportError(f"the exchange failed ({type(error).__name__})")
