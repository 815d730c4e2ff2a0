"""The asynchronous client."""

from types import TracebackType
from typing import Self

from duvo_async import _operations
from duvo_async._retry import RetryPolicy
from duvo_async._session import Session
from duvo_async._transport import AiohttpTransport, HTTPSession
from duvo_async._turns import turns_for
from duvo_async.auth import ApiKey
from duvo_async.filling import Filler
from duvo_async.models import RateLimit
from duvo_async.resources.runs import AsyncRuns
from duvo_async.resources.sandboxes import AsyncSandboxes
from duvo_async.settings import DEFAULT_CONNECT_TIMEOUT, DEFAULT_TIMEOUT, APIVersion, Settings
from duvo_async.uploading import Uploader
from duvo_async.watching import Watcher


class AsyncDuvo:
    """A client of the Duvo API: `async with AsyncDuvo() as duvo`.

    One client serves any number of concurrent calls; it keeps its connections and the key's budget
    of requests between them. It connects on its first call, in the event loop of that call.

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
        session: Your own aiohttp session, for proxies or certificates of your own; it is not closed
            with the client. None makes one, which goes through the proxies that the environment
            names (`HTTPS_PROXY`, `NO_PROXY`).

    Attributes:
        runs: Runs.
        sandboxes: Sandboxes.

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
        timeout: float = DEFAULT_TIMEOUT,
        connect_timeout: float = DEFAULT_CONNECT_TIMEOUT,
        requests_per_minute: int | None = None,
        processes: int = 1,
        retry: RetryPolicy | None = None,
        session: HTTPSession | None = None,
    ) -> None:
        settings = Settings.resolve(
            api_key=api_key,
            base_url=base_url,
            api_version=api_version,
            team_id=team_id,
            timeout=timeout,
            connect_timeout=connect_timeout,
            requests_per_minute=requests_per_minute,
            processes=processes,
        )
        if retry is not None and not isinstance(retry, RetryPolicy):
            raise TypeError(f"retry must be a RetryPolicy, not {type(retry).__name__}")
        self._assemble(
            settings,
            Session(
                settings,
                AiohttpTransport(settings, session),
                ApiKey(settings.api_key),
                retry or RetryPolicy(),
                turns_for(settings),
            ),
        )

    def _assemble(self, settings: Settings, session: Session) -> None:
        self._settings = settings
        self._session = session
        self._watcher = Watcher(session)
        uploader = Uploader(session)
        filler = Filler(session, uploader)
        self.sandboxes: AsyncSandboxes = AsyncSandboxes(session, uploader, filler)
        self.runs: AsyncRuns = AsyncRuns(session, filler, self._watcher)

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

    async def close(self) -> None:
        """Give back the connections. Calls after it raise `ClientClosedError`. Idempotent.

        Waits that are under way end with the same error; the runs go on.
        """
        try:
            await self._watcher.close()
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

    def __repr__(self) -> str:
        """Tell where the client goes, and nothing of the key."""
        settings = self._settings
        return f"{type(self).__name__}({str(settings.base_url)!r}, {settings.api_version!r})"


def client_over(settings: Settings, session: Session) -> AsyncDuvo:
    """Make a client of parts of one's own: another transport, budget or randomness.

    Args:
        settings: The settings.
        session: Makes the calls.

    Returns:
        The client.
    """
    client = AsyncDuvo.__new__(AsyncDuvo)
    client._assemble(settings, session)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - its own
    return client
