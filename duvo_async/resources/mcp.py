"""Duvo's MCP server, spoken to with the official `mcp` package."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from yarl import URL

from duvo_async._pacing import Lane
from duvo_async._protocol import Request, Response, failure
from duvo_async._session import Session
from duvo_async.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    ConfigurationError,
)

if TYPE_CHECKING:
    from mcp import ClientSession


class AsyncMCP:
    """The tools that Duvo offers to other agents, over the Model Context Protocol."""

    def __init__(self, session: Session, base_url: URL) -> None:
        self._session = session
        self._base_url = base_url

    @property
    def url(self) -> str:
        """Where the MCP server is: streamable HTTP, with this client's bearer token."""
        base = self._base_url
        path = base.raw_path.rstrip("/") + self._session.routes.mcp()
        return str(base.with_path(path, encoded=True))

    def session(
        self,
        **options: Any,  # noqa: ANN401 - the other package's
    ) -> "AbstractAsyncContextManager[ClientSession]":
        """Open a session: `async with duvo.mcp.session() as session`.

        It has this client's credentials, renewed as they expire, and its requests count against the
        key's budget like all others; they are not retried. It needs the extra `mcp`
        (`pip install "duvo-async[mcp]"`), and `Duvo` has none: a `ClientSession` is asynchronous.

        Args:
            **options: More for `mcp.ClientSession`, such as `read_timeout_seconds` or
                `elicitation_callback`.

        Returns:
            A context that gives the `mcp.ClientSession`, initialized.

        Raises:
            ConfigurationError: The package is not installed.
            APIError: The session cannot be opened. Later errors are the `mcp` package's own.
        """
        try:
            import_module("mcp")
        except ImportError as error:
            raise ConfigurationError(
                'MCP needs the official package: pip install "duvo-async[mcp]"'
            ) from error
        return self._opened(options)

    @asynccontextmanager
    async def _opened(self, options: dict[str, Any]) -> "AsyncGenerator[ClientSession, None]":
        import httpx2  # noqa: PLC0415 - an extra's
        from mcp import ClientSession  # noqa: PLC0415 - an extra
        from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415

        credentials = _credentials(self._session, str(self._base_url.origin()))
        opened = False
        try:
            async with (
                # The package's own time-outs: an answer may stream for long.
                httpx2.AsyncClient(auth=credentials, timeout=httpx2.Timeout(30, read=300)) as http,
                streamable_http_client(self.url, http_client=http) as (incoming, outgoing),
                ClientSession(incoming, outgoing, **options) as session,
            ):
                await session.initialize()
                opened = True
                yield session
        except Exception as error:  # noqa: BLE001 - the package wraps whatever it is in groups
            problem = _lone(error)
            if not opened:
                problem = credentials.failure or self._explained(problem)
            failure = problem
        else:
            return
        raise failure

    def _explained(self, error: Exception) -> Exception:
        import httpx2  # noqa: PLC0415 - an extra's

        if not isinstance(error, httpx2.TransportError):
            return error
        kind = APITimeoutError if isinstance(error, httpx2.TimeoutException) else APIConnectionError
        what = str(error) or type(error).__name__
        return kind(what, method="POST", path=self._session.routes.mcp(), may_have_been_done=False)


def _lone(error: Exception) -> Exception:
    """Take an error out of the groups that task groups put it into."""
    if not isinstance(error, ExceptionGroup):
        return error
    inner = cast("ExceptionGroup[Exception]", error).exceptions
    return _lone(inner[0]) if len(inner) == 1 else cast("Exception", error)


def _credentials(session: Session, origin: str) -> Any:  # noqa: ANN401 - a class that is made here
    import httpx2  # noqa: PLC0415 - an extra's

    class Credentials(httpx2.Auth):
        """Sends each request in its turn and with credentials; a refused one once more."""

        failure: APIStatusError | None = None

        async def async_auth_flow(
            self, request: httpx2.Request
        ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
            url = request.url
            if str(URL.build(scheme=url.scheme, host=url.host, port=url.port)) != origin:
                raise httpx2.RequestError("the key goes nowhere but to the API")
            asked = Request(method=request.method, path=session.routes.mcp())
            for _ in range(2):
                turn = await session.turns.wait(Lane.CALL)
                try:
                    sent_as = await session.auth.authorization()
                    request.headers["Authorization"] = sent_as.reveal()
                    response = yield request
                    answer = Response(
                        status=response.status_code,
                        reason=response.reason_phrase,
                        headers=response.headers,
                        body=b"",
                    )
                    session.received(asked, answer, turn, asyncio.get_running_loop().time())
                finally:
                    session.turns.release(turn)
                self.failure = failure(asked, answer, 1)
                if self.failure is None or not await session.auth.refused(sent_as, self.failure):
                    return

    return Credentials()
