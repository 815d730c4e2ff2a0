"""The blocking client: a mirror of the asynchronous one, with no logic of its own."""

import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from functools import partial, wraps
from types import TracebackType
from typing import Any, Concatenate, Final, Generic, ParamSpec, Self, TypeVar

from duvo_async._bridge import Bridge
from duvo_async._items import AsyncItems
from duvo_async._retry import RetryPolicy
from duvo_async.client import AsyncDuvo
from duvo_async.models import RateLimit
from duvo_async.resources.runs import AsyncRuns
from duvo_async.resources.sandboxes import AsyncSandboxes
from duvo_async.settings import DEFAULT_CONNECT_TIMEOUT, DEFAULT_TIMEOUT, APIVersion

_P = ParamSpec("_P")
_T = TypeVar("_T")
_A = TypeVar("_A")


class Items(Generic[_T]):
    """An iterable of items that arrive in batches: `for item in items`.

    Each `for` starts from the beginning.
    """

    __slots__ = ("_bridge", "_items")

    def __init__(self, bridge: Bridge, items: AsyncItems[_T]) -> None:
        self._bridge = bridge
        self._items = items

    def __iter__(self) -> Iterator[_T]:
        """Read the items one by one."""
        for batch in self.pages():
            yield from batch

    def pages(self) -> Iterator[Sequence[_T]]:
        """Read the items in the batches in which they arrive."""
        batches = self._items.pages()
        try:
            while (batch := self._bridge.run(partial(_step, batches))) is not None:
                yield batch
        finally:
            self._bridge.discard(batches.aclose)


async def _step(batches: AsyncGenerator[_T, None]) -> _T | None:
    return await anext(batches, None)


class _Mirror(Generic[_A]):
    """The blocking face of an asynchronous object."""

    __slots__ = ("_bridge", "_mirrored")

    def __init__(self, bridge: Bridge, mirrored: _A) -> None:
        self._bridge = bridge
        self._mirrored = mirrored


def blocking(
    method: Callable[Concatenate[_A, _P], Coroutine[Any, Any, _T]],
) -> Callable[Concatenate["_Mirror[_A]", _P], _T]:
    """Mirror a coroutine method: the same name, parameters and docstring."""

    @wraps(method)
    def call(self: "_Mirror[_A]", /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return self._bridge.run(partial(method, self._mirrored, *args, **kwargs))  # pyright: ignore[reportPrivateUsage] - one family

    return call


def blocking_items(
    method: Callable[Concatenate[_A, _P], AsyncItems[_T]],
) -> Callable[Concatenate["_Mirror[_A]", _P], Items[_T]]:
    """Mirror a method that gives an async iterable: the same, to be read with `for`."""

    @wraps(method)
    def call(self: "_Mirror[_A]", /, *args: _P.args, **kwargs: _P.kwargs) -> Items[_T]:
        return Items(self._bridge, method(self._mirrored, *args, **kwargs))  # pyright: ignore[reportPrivateUsage] - one family

    _show_items(call, method)
    return call


def _show_items(call: Any, method: Callable[..., Any]) -> None:  # noqa: ANN401 - a function
    """Let the mirror's signature and docstring speak of `Items` and `for`."""
    signature = inspect.signature(method)
    returned = Items.__class_getitem__(signature.return_annotation.__args__)  # type: ignore[attr-defined] # Generic's
    del call.__wrapped__  # else the mirrored signature would be shown
    call.__signature__ = signature.replace(return_annotation=returned)
    call.__annotations__ = {**method.__annotations__, "return": returned}
    call.__doc__ = (method.__doc__ or "").replace("async for", "for").replace("An async", "An")


class Runs(_Mirror[AsyncRuns]):
    """The runs of the key's team: `AsyncRuns`, blocking."""

    __slots__ = ()

    start: Final = blocking(AsyncRuns.start)
    get: Final = blocking(AsyncRuns.get)
    wait: Final = blocking(AsyncRuns.wait)
    execute: Final = blocking(AsyncRuns.execute)
    watch: Final = blocking_items(AsyncRuns.watch)
    wait_many: Final = blocking_items(AsyncRuns.wait_many)
    map: Final = blocking_items(AsyncRuns.map)
    messages: Final = blocking_items(AsyncRuns.messages)
    messages_page: Final = blocking(AsyncRuns.messages_page)
    post_message: Final = blocking(AsyncRuns.post_message)
    respond: Final = blocking(AsyncRuns.respond)
    answer: Final = blocking(AsyncRuns.answer)
    stop: Final = blocking(AsyncRuns.stop)


class Sandboxes(_Mirror[AsyncSandboxes]):
    """The sandboxes of the key's team: `AsyncSandboxes`, blocking."""

    __slots__ = ()

    create: Final = blocking(AsyncSandboxes.create)
    upload: Final = blocking(AsyncSandboxes.upload)
    upload_many: Final = blocking(AsyncSandboxes.upload_many)
    sync: Final = blocking(AsyncSandboxes.sync)
    create_upload_url: Final = blocking(AsyncSandboxes.create_upload_url)
    files: Final = blocking_items(AsyncSandboxes.files)


class Duvo(_Mirror[AsyncDuvo]):
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
        team_id: The team that v2 paths name. None takes `DUVO_TEAM_ID`; v1 needs none.
        timeout: Seconds for one attempt of one request; 30 by default. Uploads are given up after
            60 s without progress instead.
        connect_timeout: Seconds for making a connection; 10 by default.
        requests_per_minute: The most that this process sends in a minute. None sends what the API
            allows: 300 before it has said how many (API documentation, "Rate Limiting"). All
            clients of a process with the same key and origin share one budget; of what they are
            told, the most careful counts.
        processes: How many processes use the key at the same time, other machines' included; 1 by
            default. With several, each has at most two requests under way and leaves twice their
            number of each window unused, so that none of them earns a 429.
        retry: How often and how patiently to repeat. None takes `RetryPolicy()`.

    Attributes:
        runs: Runs.
        sandboxes: Sandboxes.

    Raises:
        ConfigurationError: An argument or a variable is missing or cannot work.
    """

    __slots__ = ("runs", "sandboxes")

    def __init__(  # noqa: PLR0913 - the settings of a client
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        api_version: APIVersion | None = None,
        team_id: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        connect_timeout: float = DEFAULT_CONNECT_TIMEOUT,
        requests_per_minute: int | None = None,
        processes: int = 1,
        retry: RetryPolicy | None = None,
    ) -> None:
        mirrored = AsyncDuvo(
            api_key,
            base_url=base_url,
            api_version=api_version,
            team_id=team_id,
            timeout=timeout,
            connect_timeout=connect_timeout,
            requests_per_minute=requests_per_minute,
            processes=processes,
            retry=retry,
        )
        bridge = Bridge(mirrored.close)
        super().__init__(bridge, mirrored)
        self.runs: Runs = Runs(bridge, mirrored.runs)
        self.sandboxes: Sandboxes = Sandboxes(bridge, mirrored.sandboxes)

    health: Final = blocking(AsyncDuvo.health)

    @property
    def rate_limit(self) -> RateLimit | None:
        """What the last response said of the key's budget. None before the first that said it."""
        return self._mirrored.rate_limit

    def close(self) -> None:
        """Give back the connections. Calls after it raise `ClientClosedError`. Idempotent.

        Waits that are under way end with the same error; the runs go on.
        """
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
