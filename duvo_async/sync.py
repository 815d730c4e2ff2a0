"""The blocking client: a mirror of the asynchronous one, with no logic of its own."""

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Final, ParamSpec, Self, TypeVar, overload

from duvo_async._bridge import Bridge
from duvo_async._hints import HintSource
from duvo_async._mirror import Mirror, blocking
from duvo_async._operations import Data, Params
from duvo_async._recording import check_call, recording
from duvo_async._retry import RetryPolicy
from duvo_async.client import AsyncDuvo
from duvo_async.credentials import ClientCredentials, TokenSource
from duvo_async.mirrors import (
    Agents,
    Builds,
    Cases,
    Files,
    Queues,
    Runs,
    Sandboxes,
    Teams,
)
from duvo_async.models import JSON, APIResponse, RateLimit
from duvo_async.settings import (
    DEFAULT_CONNECT_TIMEOUT,
    DEFAULT_MAX_RESPONSE_BYTES,
    DEFAULT_TIMEOUT,
    APIVersion,
)

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Duvo(Mirror[AsyncDuvo]):
    """A blocking client of the Duvo API: `with Duvo() as duvo`.

    It has the calls of `AsyncDuvo`, under the same names and with the same arguments, and runs them
    in an event loop in a thread of its own. It works from any number of threads, and where a loop
    is running already, as in a notebook. Handlers run in the thread that made the call and may use
    the client themselves. Ctrl-C cancels the call that is under way, which cleans up first.

    Args:
        api_key: The key. None takes the environment variable `DUVO_API_KEY`.
        base_url: Where the API is, with or without its version at the end. None takes
            `DUVO_API_BASE_URL`, then `DUVO_BASE_URL`, then `https://api.duvo.ai`.
        api_version: `v1` or `v2`. None takes what the base URL ends in, else `v1`.
        team_id: The team that v2 paths name. None takes `DUVO_TEAM_ID`, else asks the API once for
            the team that the credentials can act on; if there are several, calls that need one
            raise a `ConfigurationError` that lists them. v1 needs none.
        auth: Credentials in the key's place: `ClientCredentials`, or a plain or asynchronous
            callable that returns a bearer token, which is called for each request in the client's
            own thread and remembers the token itself. None takes, where there is no key,
            `DUVO_CLIENT_ID` and `DUVO_CLIENT_SECRET`.
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
        webhooks: A `duvo_async.webhooks.WebhookReceiver`: a wait looks at its run as soon as there
            is an event of it, and looks less often for itself, as long as the events prove to come.
            `watch` and `on_update` then hear less of what is between a run's start and its end.
            What counts is what it sees: no event, true or forged, ends a wait. A receiver in a
            plain `with` listens in a thread of its own. It is not closed with the client. None
            looks by itself.
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

    Raises:
        ConfigurationError: An argument or a variable is missing or cannot work.
    """

    __slots__ = (
        "_is_light",
        "agents",
        "builds",
        "cases",
        "files",
        "queues",
        "runs",
        "sandboxes",
        "teams",
    )

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
        webhooks: HintSource | None = None,
        public_url: str | None = None,
        max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES,
    ) -> None:
        mirrored = AsyncDuvo(
            api_key,
            base_url=base_url,
            api_version=api_version,
            team_id=team_id,
            auth=auth,
            timeout=timeout,
            connect_timeout=connect_timeout,
            requests_per_minute=requests_per_minute,
            processes=processes,
            budget=budget,
            retry=retry,
            webhooks=webhooks,
            public_url=public_url,
            max_response_bytes=max_response_bytes,
        )
        self._mirror(Bridge(mirrored.close), mirrored)

    def _mirror(self, bridge: Bridge, mirrored: AsyncDuvo, *, light: bool = False) -> None:
        super().__init__(bridge, mirrored)
        self._is_light = light
        self.runs: Runs = Runs(bridge, mirrored.runs)
        self.sandboxes: Sandboxes = Sandboxes(bridge, mirrored.sandboxes)
        self.agents: Agents = Agents(bridge, mirrored.agents)
        self.builds: Builds = Builds(bridge, mirrored.builds)
        self.queues: Queues = Queues(bridge, mirrored.queues)
        self.cases: Cases = Cases(bridge, mirrored.cases)
        self.teams: Teams = Teams(bridge, mirrored.teams)
        self.files: Files = Files(bridge, mirrored.files)

    health: Final = blocking(AsyncDuvo.health)

    @property
    def base_url(self) -> str:
        """Where the API is, without its version."""
        return self._mirrored.base_url

    @property
    def api_version(self) -> APIVersion:
        """The generation of the API's paths."""
        return self._mirrored.api_version

    @property
    def rate_limit(self) -> RateLimit | None:
        """What the last response said of the key's budget. None before the first that said it."""
        return self._mirrored.rate_limit

    @overload
    def request(
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
    def request(
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

    def request(  # noqa: PLR0913 - the parts of a request
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
        """Mirror `AsyncDuvo.request`."""
        mirrored: Any = self._mirrored  # whose overloads know no class that may be None
        return self._bridge.run(
            partial(
                mirrored.request,
                method,
                path,
                params=params,
                json=json,
                data=data,
                content_type=content_type,
                cast_to=cast_to,
                idempotency_key=idempotency_key,
                timeout=timeout,
            )
        )

    request.__doc__ = AsyncDuvo.request.__doc__

    def with_response(
        self, call: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> APIResponse[_T]:
        """Mirror `AsyncDuvo.with_response`."""
        check_call(call)
        with recording() as recorded:
            value = call(*args, **kwargs)
        return recorded.beside(value)

    with_response.__doc__ = AsyncDuvo.with_response.__doc__

    def with_options(
        self,
        *,
        timeout: float | None = None,
        retry: RetryPolicy | None = None,
        idempotency_key: str | None = None,
    ) -> Self:
        """Mirror `AsyncDuvo.with_options`."""
        mirrored = self._mirrored.with_options(
            timeout=timeout, retry=retry, idempotency_key=idempotency_key
        )
        light = type(self).__new__(type(self))
        light._mirror(self._bridge, mirrored, light=True)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - its own
        return light

    with_options.__doc__ = AsyncDuvo.with_options.__doc__

    def close(self) -> None:
        """Give back the connections. Calls after it raise `ClientClosedError`. Idempotent.

        Waits that are under way end with the same error; the runs go on. A client made by
        `with_options` has nothing of its own to give back.
        """
        if self._is_light:
            return
        self._bridge.close()

    def __enter__(self) -> Self:
        """Use the client."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the client."""
        self.close()

    def __repr__(self) -> str:
        """Tell where the client goes, and nothing of the key."""
        return repr(self._mirrored).replace("AsyncDuvo", "Duvo", 1)
