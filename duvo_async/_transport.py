"""Sending one request: the only client file that imports aiohttp."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from io import BytesIO
from typing import Protocol, TypeAlias
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from duvo_async._protocol import ByteStream, FileForm, Request, Response
from duvo_async.errors import ClientClosedError, ConfigurationError, DuvoError
from duvo_async.settings import Secret, Settings

HTTPSession: TypeAlias = aiohttp.ClientSession
"""A session of the caller's own."""

_STALL_SECONDS = 60.0
"""How long a streamed upload may go without a block being taken, or without its answer."""
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_SECRET_HEADERS = frozenset({"authorization", "cookie"})


class TransportError(Exception):
    """No response came. Its text holds no URL and no header.

    Attributes:
        timed_out: Whether time ran out.
        sent: Whether the request may have reached the host.
    """

    def __init__(self, reason: str, *, timed_out: bool = False, sent: bool = True) -> None:
        super().__init__(reason)
        self.timed_out = timed_out
        self.sent = sent


class Transport(Protocol):
    """The one seam for network I/O."""

    async def send(
        self, request: Request, headers: Mapping[str, str], authorization: Secret | None
    ) -> Response:
        """Send one request and read its response.

        Args:
            request: What to send.
            headers: Its headers, but for those that describe the body.
            authorization: The value of the Authorization header. None sends none.

        Returns:
            The response, whatever its status. Redirects are not followed.

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
                "the session has credentials of its own, which would also go to the hosts of "
                "presigned URLs: give the key as api_key= instead"
            )
        self._settings = settings
        self._base_path = settings.base_url.raw_path.rstrip("/")
        self._timeout = self._client_timeout(settings.timeout)
        self._session = session
        self._owns_session = session is None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._proxies: dict[str, str | None] = {}
        self._closed = False

    async def send(
        self, request: Request, headers: Mapping[str, str], authorization: Secret | None
    ) -> Response:
        """Send one request and read its response (see `Transport.send`)."""
        session = await self._open_session()
        # The error is raised outside of the handler: aiohttp's own errors, and the frames that they
        # hold, know the URL and the headers.
        try:
            if isinstance(request.body, ByteStream):
                return await self._send_stream(session, request, request.body, headers)
            return await self._exchange(session, request, headers, authorization)
        except DuvoError:
            raise  # the source of an upload failed, not the network
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = _translated(error)
        raise failure

    async def close(self) -> None:
        """Close the session, unless it is the caller's."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None and self._owns_session:
            await session.close()

    async def _open_session(self) -> HTTPSession:
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
        self._session = session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            # The key's budget is the limit. A pool's would let calls time out in its queue.
            connector=aiohttp.TCPConnector(limit=0),
        )
        self._loop = loop
        if stale is not None:
            await stale.close()
        return session

    async def _send_stream(
        self,
        session: HTTPSession,
        request: Request,
        stream: ByteStream,
        headers: Mapping[str, str],
    ) -> Response:
        loop = asyncio.get_running_loop()
        unreadable: list[DuvoError] = []
        described = {
            **headers,
            "Content-Length": str(stream.size),
            "Content-Type": stream.content_type,
        }
        async with asyncio.timeout(_STALL_SECONDS) as stall:

            async def watched() -> AsyncIterator[bytes]:
                try:
                    async for block in stream.blocks():
                        stall.reschedule(loop.time() + _STALL_SECONDS)
                        yield block
                except DuvoError as error:
                    unreadable.append(error)
                    raise

            try:
                return await self._exchange(session, request, described, None, watched())
            except aiohttp.ClientError:
                # aiohttp reports a body that fails as a broken connection.
                if unreadable:
                    raise unreadable[0] from None
                raise

    async def _exchange(
        self,
        session: HTTPSession,
        request: Request,
        headers: Mapping[str, str],
        authorization: Secret | None,
        stream: AsyncIterator[bytes] | None = None,
    ) -> Response:
        url = self._url(request)
        body = request.body
        if isinstance(body, bytes):
            headers = {**headers, "Content-Type": "application/json"}
        async with session.request(
            request.method,
            url,
            data=_form(body) if isinstance(body, FileForm) else stream or body,
            # The one place where the key is in the open, and in no variable of ours.
            headers=_with(headers, authorization),
            timeout=self._timeout_of(request),
            allow_redirects=False,
            raise_for_status=False,
            proxy=self._proxy(url) if self._owns_session else None,
        ) as response:
            return Response(
                status=response.status,
                reason=response.reason or "",
                headers=response.headers,
                body=await response.read(),
            )

    def _url(self, request: Request) -> URL:
        if request.signed_url is not None:
            # Byte for byte: quoting it again would break its signature.
            return URL(request.signed_url, encoded=True)
        url = self._settings.base_url.with_path(self._base_path + request.path, encoded=True)
        return url.with_query(request.query) if request.query else url

    def _proxy(self, url: URL) -> str | None:
        """Find the proxy that the environment names for a host, once a host.

        aiohttp's own way would read the credentials in .netrc as well.
        """
        host = url.host or ""
        if host not in self._proxies:
            direct = host in _LOOPBACK or proxy_bypass(host)
            self._proxies[host] = None if direct else getproxies().get(url.scheme)
        return self._proxies[host]

    def _timeout_of(self, request: Request) -> aiohttp.ClientTimeout:
        if isinstance(request.body, ByteStream):
            return self._client_timeout(None)
        return self._timeout if request.timeout is None else self._client_timeout(request.timeout)

    def _client_timeout(self, total: float | None) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=total, sock_connect=self._settings.connect_timeout)


def _with(headers: Mapping[str, str], authorization: Secret | None) -> Mapping[str, str]:
    if authorization is None:
        return headers
    return {**headers, "Authorization": authorization.reveal()}


def _form(form: FileForm) -> aiohttp.FormData:
    data = aiohttp.FormData()
    # BytesIO is sent in blocks, where bytes of this size would hold up the loop.
    data.add_field(
        "file", BytesIO(form.data), filename=form.filename, content_type=form.content_type
    )
    data.add_field("path", form.path)
    return data


def _translated(error: Exception) -> TransportError:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return TransportError("no connection in time", timed_out=True, sent=False)
    if isinstance(error, TimeoutError):
        return TransportError("no answer in time", timed_out=True)
    if isinstance(error, aiohttp.ClientConnectorError):
        place = f"{error.host}:{error.port}"
        return TransportError(f"cannot connect to {place} ({error.os_error})", sent=False)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return TransportError("the connection was closed before the answer came")
    if isinstance(error, OSError) and not isinstance(error, aiohttp.ClientError):
        return TransportError(f"the connection broke ({error.strerror or type(error).__name__})")
    # The texts of the others may quote the URL, and with it a signature.
    return TransportError(f"the exchange failed ({type(error).__name__})")
