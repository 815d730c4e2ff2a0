"""The asynchronous client."""

import warnings
from collections.abc import Awaitable, Callable
from functools import cached_property
from inspect import isawaitable
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, Self, TypeVar, overload
from urllib.parse import unquote

from duvo_async import _operations
from duvo_async._deprecation import frames_of_ours
from duvo_async._hints import HintSource, Peers
from duvo_async._operations import Data, Params
from duvo_async._options import Options
from duvo_async._protocol import Request
from duvo_async._recording import check_call, recording
from duvo_async._retry import RetryPolicy
from duvo_async._services import Services
from duvo_async._session import Session
from duvo_async._transport import AiohttpTransport, HTTPSession
from duvo_async._turns import Turns, turns_for
from duvo_async.auth import make_auth
from duvo_async.credentials import ClientCredentials, TokenSource
from duvo_async.errors import ConfigurationError, DuvoSecurityWarning
from duvo_async.models import JSON, APIResponse, RateLimit
from duvo_async.resources.runs import AsyncRuns
from duvo_async.settings import (
    DEFAULT_CONNECT_TIMEOUT,
    DEFAULT_MAX_RESPONSE_BYTES,
    DEFAULT_TIMEOUT,
    APIVersion,
    Settings,
    check_seconds,
)

if TYPE_CHECKING:
    from duvo_async.resources.agents import AsyncAgents
    from duvo_async.resources.builds import AsyncBuilds
    from duvo_async.resources.cases import AsyncCases
    from duvo_async.resources.files import AsyncFiles
    from duvo_async.resources.mcp import AsyncMCP
    from duvo_async.resources.queues import AsyncQueues
    from duvo_async.resources.sandboxes import AsyncSandboxes
    from duvo_async.resources.teams import AsyncTeams

_P = ParamSpec("_P")
_T = TypeVar("_T")


class AsyncDuvo:
    """A client of the Duvo API: `async with AsyncDuvo() as duvo`.

    One client serves any number of concurrent calls; it keeps its connections and the key's budget
    of requests between them. It connects on its first call, in the event loop of that call.

    Args:
        api_key: The key. None takes the environment variable `DUVO_API_KEY`.
        base_url: Where the API is, with or without its version at the end. None takes
            `DUVO_API_BASE_URL`, then `DUVO_BASE_URL`, then `https://api.duvo.ai`.
        api_version: `v1` or `v2`. None takes what the base URL ends in, else `v1`.
        team_id: The team that v2 paths name. None takes `DUVO_TEAM_ID`, else asks the API once for
            the team that the credentials can act on; if there are several, calls that need one
            raise a `ConfigurationError` that lists them. v1 needs none.
        auth: Credentials in the key's place: `ClientCredentials`, or a plain or asynchronous
            callable that returns a bearer token, which is called for each request and remembers
            the token itself. None takes, where there is no key, `DUVO_CLIENT_ID` and
            `DUVO_CLIENT_SECRET`.
        timeout: Seconds for one attempt of one request; 30 by default. Uploads are given up after
            60 s without progress instead.
        connect_timeout: Seconds for making a connection; 10 by default.
        requests_per_minute: The most that this process sends in a minute. None sends what the API
            allows: 300 before it has said how many (API documentation, "Rate Limiting"). All
            clients of a process with the same key and origin share one budget; of what they are
            told, the most careful counts.
        processes: How many processes use the key at the same time, other machines' included. With
            several, each has at most two requests under way and leaves twice their number of each
            window unused, so that none of them earns a 429. With a `budget` any number may be under
            way for as long as its Redis answers. None for 1, or for 10 with a `budget`.
        budget: Where the Redis is in which the processes of several machines share the key's
            budget, `redis://:password@host:6379/0`, `rediss://…` or `unix://…`: with the extra
            `redis`. They also share what they read of the list of runs. It needs a key or
            `ClientCredentials`, and all must name the API by the same origin. None takes
            `DUVO_BUDGET_URL`; without that, or empty, the budget is kept in this process.
        retry: How often and how patiently to repeat. None takes `RetryPolicy()`.
        session: Your own aiohttp session, for proxies or certificates of your own; it is not closed
            with the client. None makes one, which goes through the proxies that the environment
            names (`HTTPS_PROXY`, `NO_PROXY`).
        webhooks: A `duvo_async.webhooks.WebhookReceiver`: a wait looks at its run as soon as there
            is an event of it, and looks less often for itself, as long as the events prove to come.
            `watch` and `on_update` then hear less of what is between a run's start and its end.
            What counts is what it sees: no event, true or forged, ends a wait. The receiver is not
            closed with the client. None looks by itself.
        public_url: Where the API reaches that receiver. `start`, `execute` and `map` give it to the
            API with each run that names no other `webhook_url`. None leaves it to these, or to a
            webhook of the workspace.
        max_response_bytes: The largest body of an answer that is read, in bytes after it was
            decompressed; 64 MiB by default. A larger one is a `ResponseDecodeError`, and read no
            further. Downloads to files have no limit.

    Attributes:
        runs: Runs: start them, wait for them, answer them.
        sandboxes: Sandboxes and the files in them.
        agents: Agents (assignments), with their schedules and case triggers.
        builds: Builds, the versions of an agent.
        queues: Queues of cases, with their labels.
        cases: Cases, with their labels.
        teams: Teams and their members. v2 only, but for `teams.profile`.
        files: Files of the team. v2 only.
        mcp: The MCP server, with the extra `mcp`.

    Raises:
        ConfigurationError: An argument or a variable is missing or cannot work.
    """

    def __init__(  # noqa: PLR0913 - the settings of a client
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        api_version: APIVersion | None = None,
        team_id: str | None = None,
        auth: ClientCredentials | TokenSource | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        connect_timeout: float = DEFAULT_CONNECT_TIMEOUT,
        requests_per_minute: int | None = None,
        processes: int | None = None,
        budget: str | None = None,
        retry: RetryPolicy | None = None,
        session: HTTPSession | None = None,
        webhooks: HintSource | None = None,
        public_url: str | None = None,
        max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES,
    ) -> None:
        if webhooks is not None and not callable(getattr(webhooks, "subscribe", None)):
            raise TypeError(f"webhooks must be a WebhookReceiver, not {type(webhooks).__name__}")
        if public_url is not None and webhooks is None:
            raise ConfigurationError("public_url is where webhooks= is reached: give both")
        settings = Settings.resolve(
            api_key=api_key,
            auth=auth,
            base_url=base_url,
            api_version=api_version,
            team_id=team_id,
            timeout=timeout,
            connect_timeout=connect_timeout,
            requests_per_minute=requests_per_minute,
            processes=processes,
            budget=budget,
            public_url=public_url,
            max_response_bytes=max_response_bytes,
        )
        if settings.in_the_open:
            warnings.warn(
                f"the credentials go to {settings.base_url.origin()} over http://, where everybody "
                "on the way can read them: use https://",
                DuvoSecurityWarning,
                stacklevel=frames_of_ours(),
            )
        policy = _checked(retry) or RetryPolicy()
        transport = AiohttpTransport(settings, session)
        auth_ = make_auth(settings.credentials, settings, transport, policy)
        turns, peers = _turns_of(settings)
        calls = Session(settings, transport, auth_, policy, turns)
        self._assemble(settings, Services(calls, webhooks, peers))

    def _assemble(self, settings: Settings, services: Services, *, light: bool = False) -> None:
        self._settings = settings
        self._services = services
        self._session = services.session
        self._is_light = light
        self.runs: AsyncRuns = AsyncRuns(services, settings)

    # What not everybody uses is loaded by those who do.

    @cached_property
    def sandboxes(self) -> "AsyncSandboxes":
        """Sandboxes and the files in them."""
        from duvo_async.resources.sandboxes import AsyncSandboxes  # noqa: PLC0415 - as above

        return AsyncSandboxes(self._services)

    @cached_property
    def agents(self) -> "AsyncAgents":
        """Agents (assignments), with their schedules and case triggers."""
        from duvo_async.resources.agents import AsyncAgents  # noqa: PLC0415

        return AsyncAgents(self._session)

    @cached_property
    def builds(self) -> "AsyncBuilds":
        """Builds, the versions of an agent."""
        from duvo_async.resources.builds import AsyncBuilds  # noqa: PLC0415

        return AsyncBuilds(self._session)

    @cached_property
    def queues(self) -> "AsyncQueues":
        """Queues of cases, with their labels."""
        from duvo_async.resources.queues import AsyncQueues  # noqa: PLC0415

        return AsyncQueues(self._session)

    @cached_property
    def cases(self) -> "AsyncCases":
        """Cases, with their labels."""
        from duvo_async.resources.cases import AsyncCases  # noqa: PLC0415

        return AsyncCases(self._session)

    @cached_property
    def teams(self) -> "AsyncTeams":
        """Teams and their members. v2 only, but for `teams.profile`."""
        from duvo_async.resources.teams import AsyncTeams  # noqa: PLC0415

        return AsyncTeams(self._session)

    @cached_property
    def files(self) -> "AsyncFiles":
        """Files of the team. v2 only."""
        from duvo_async.resources.files import AsyncFiles  # noqa: PLC0415

        return AsyncFiles(self._services)

    @cached_property
    def mcp(self) -> "AsyncMCP":
        """The MCP server, with the extra `mcp`."""
        from duvo_async.resources.mcp import AsyncMCP  # noqa: PLC0415

        return AsyncMCP(self._session, self._settings.base_url)

    @property
    def base_url(self) -> str:
        """Where the API is, without its version."""
        return str(self._settings.base_url)

    @property
    def api_version(self) -> APIVersion:
        """The generation of the API's paths."""
        return self._settings.api_version

    @property
    def rate_limit(self) -> RateLimit | None:
        """What the last response said of the key's budget. None before the first that said it."""
        return self._session.rate_limit

    async def health(self) -> bool:
        """Ask whether the API is up and takes the key.

        Returns:
            True. The API documents nothing of the answer's body, so any 2xx will do.

        Raises:
            APIError: It is not up, or refuses the key.
        """
        return await self._session.call(_operations.health(self._session.routes))

    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: object = None,
        data: Data | None = None,
        content_type: str | None = None,
        cast_to: None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> JSON: ...

    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: object = None,
        data: Data | None = None,
        content_type: str | None = None,
        cast_to: type[_T],
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> _T: ...

    async def request(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: object = None,
        data: Data | None = None,
        content_type: str | None = None,
        cast_to: type[Any] | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Make a request that has no call of its own.

        It has the credentials, pace, retries and errors of every other call.

        Args:
            method: The HTTP method.
            path: The path as the API documents it, `/v2/…`; one without a version is of the
                client's own generation, and `{team_id}` in it stands for the client's team. Quote
                what you put into it. A whole URL must be the API's.
            params: The query; of several values for a name each is sent, None is left out.
            json: The body: what JSON can hold, or models. None sends none.
            data: A body that is no JSON: bytes or text as they are, a mapping as a form. None sends
                none.
            content_type: What the body is. None tells by its kind: JSON, a form, text in UTF-8, or
                `application/octet-stream` for bytes.
            cast_to: What the answer is read as: a model of this SDK's or an attrs or data class of
                your own; `str` or `bytes` for the body as it is. None reads it as JSON, and an
                empty one as None.
            idempotency_key: Repeating a mutating request with the same key does nothing twice. None
                makes a key for this call.
            timeout: Seconds for one attempt. None for what the client was told.

        Returns:
            The answer.

        Raises:
            APIError: It did not end well.
            ValueError: The path leads to another host, or an argument cannot work.
        """
        session = self._session
        call = _operations.any_request(
            session.routes,
            self._settings.base_url,
            method,
            path,
            params=params,
            json=json,
            data=data,
            content_type=content_type,
            cast_to=cast_to,
            idempotency_key=idempotency_key,
            timeout=None if timeout is None else check_seconds("timeout", timeout),
        )
        _check_no_secret(session, call.request)
        return await session.call(call)

    async def with_response(
        self, call: Callable[_P, Awaitable[_T]], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> APIResponse[_T]:
        """Make a call, and keep what the response said beside its value.

        Args:
            call: A call of this client, such as `duvo.runs.get`.
            *args: Its arguments.
            **kwargs: Its named arguments.

        Returns:
            The value with the status, headers, request id and number of attempts.

        Raises:
            APIError: As the call does; the error has these facts itself.
            TypeError: It is no such call: a list, or a call that was made already.
        """
        check_call(call)
        with recording() as recorded:
            made = call(*args, **kwargs)
            if not isawaitable(made):
                raise TypeError("with_response() takes calls that are awaited; a list is none")
            value = await made
        return recorded.beside(value)

    def with_options(
        self,
        *,
        timeout: float | None = None,
        retry: RetryPolicy | None = None,
        idempotency_key: str | None = None,
    ) -> Self:
        """Make a light client that differs in a few things and shares all else with this one.

        It has the same connections, credentials, budget and waits, costs next to nothing, and need
        not be closed.

        Args:
            timeout: Seconds for one attempt of one request, but for uploads and the polls of
                waits. None for as it is.
            retry: How often and how patiently to repeat, but for the polls of waits. None for as
                it is.
            idempotency_key: The key of the one mutating request that is made with this client, as
                `duvo.with_options(idempotency_key="order-7").request(…)`. Another one raises
                ValueError: the API would take it for the first. Uploads and fan-outs have keys of
                their own. None makes a key for each request.

        Returns:
            The client.
        """
        options = Options(
            timeout=self._session.options.timeout
            if timeout is None
            else check_seconds("timeout", timeout),
            idempotency_key=idempotency_key,
        )
        light = type(self).__new__(type(self))
        session = self._session.with_options(options, _checked(retry))
        services = Services(session, of=self._services)
        light._assemble(self._settings, services, light=True)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - its own
        return light

    async def close(self) -> None:
        """Give back the connections. Calls after it raise `ClientClosedError`. Idempotent.

        Waits that are under way end with the same error; the runs go on. A client made by
        `with_options` has nothing of its own to give back.
        """
        if self._is_light:
            return
        try:
            await self._services.close()
        finally:
            await self._session.close()

    async def __aenter__(self) -> Self:
        """Use the client."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the client."""
        await self.close()

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: its connections and its budget are this process's."""
        raise TypeError("a client cannot be pickled: make one in the process that uses it")

    def __repr__(self) -> str:
        """Tell where the client goes, and nothing of the key."""
        settings = self._settings
        return f"{type(self).__name__}({str(settings.base_url)!r}, {settings.api_version!r})"


def client_over(
    settings: Settings,
    session: Session,
    webhooks: HintSource | None = None,
    peers: Peers | None = None,
) -> AsyncDuvo:
    """Make a client of parts of one's own: another transport, budget or randomness.

    Args:
        settings: The settings.
        session: Makes the calls.
        webhooks: Tells which runs have news. None if nobody does.
        peers: The other processes that use the key. None when they are not known.

    Returns:
        The client.
    """
    client = AsyncDuvo.__new__(AsyncDuvo)
    client._assemble(settings, Services(session, webhooks, peers))  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - its own
    return client


def _turns_of(settings: Settings) -> tuple[Turns, Peers | None]:
    if settings.budget is None:
        return turns_for(settings), None
    from duvo_async._redis import shared  # noqa: PLC0415 - only for those who have one

    return shared(settings, settings.budget)


def _check_no_secret(session: Session, request: Request) -> None:
    """Refuse a URL with the credentials in it: it would be in the logs of all who pass it on."""
    parts = (unquote(request.path), *(text for pair in request.query for text in pair))
    text = "\n".join(parts).encode(errors="surrogatepass")
    if session.auth.redact(text) != text:
        raise ValueError("path and params must not hold the credentials: they go in a header")


def _checked(retry: RetryPolicy | None) -> RetryPolicy | None:
    if retry is not None and not isinstance(retry, RetryPolicy):
        raise TypeError(f"retry must be a RetryPolicy, not {type(retry).__name__}")
    return retry
