"""The emulator as its users meet it."""

from contextlib import AsyncExitStack, ExitStack
from typing import Self

from anyio.from_thread import start_blocking_portal
from attrs import define, field

from duvo_async.emulator.core import Core
from duvo_async.emulator.server import serve


@define(kw_only=True, eq=False)
class Emulator(Core):
    """A server of the Duvo API for tests: strict, and scriptable in what its agents do.

    Use it as an async context in an event loop, or as a plain one, where it runs in a thread of
    its own. It serves once.

    Attributes:
        host: The address to listen on.
        port: The port to listen on; 0 for any free one.
        clock: Gives the time in Unix seconds. Nothing in the emulator knows another time.
        api_key: The key that callers must send; None for a random one.
        requests_per_minute: How many requests are answered in a window of 60 seconds; None for
            any number, and no headers about it.
        sandbox_ttl: Seconds until a sandbox expires.
        upload_url_ttl: Seconds until an upload URL expires.
        download_url_ttl: Seconds until a download URL expires.
        max_direct_bytes: The largest file, in bytes, that a direct upload takes.
        lists_runs: Whether runs can be listed; without it there is no such operation. It may be
            set at any time.
        accepts_202: Whether the start of a run is answered with 202 instead of 201.
        keeps_requests: Whether `requests` is kept, at about a kilobyte for each. It may be set at
            any time.
        keeps_deliveries: Whether `deliveries` is kept. It may be set at any time.
        webhook_secret: What webhooks are signed with; None for a random one. See
            `rotate_webhook_secret`.
        webhook_faults: How badly webhooks are delivered. It may be set at any time.
        seed: All ids are drawn from it, the random keys and secrets and the signatures of URLs
            included: the same requests at the same times are answered with the same bytes. None
            draws them at random.
        client_id: The id of the OAuth client that there is from the start; None for a random one.
        client_secret: That client's secret; None for a random one.
        token_ttl: Seconds until an access token expires. It may be set at any time.
    """

    host: str = "127.0.0.1"
    port: int = 0
    _url: str | None = field(default=None, init=False, repr=False)
    _serving: AsyncExitStack = field(factory=AsyncExitStack, init=False, repr=False)
    _thread: ExitStack = field(factory=ExitStack, init=False, repr=False)

    @property
    def url(self) -> str:
        """Where it listens, without a version at the end.

        Raises:
            RuntimeError: It is not serving.
        """
        if self._url is None:
            raise RuntimeError("the emulator is not serving: enter it as a context first")
        return self._url

    async def __aenter__(self) -> Self:
        """Begins to serve in the running event loop."""
        self._serving.callback(self.close)
        try:
            self._url = await self._serving.enter_async_context(serve(self, self.host, self.port))
        except BaseException:
            await self._serving.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ends all connections and deliveries, and deletes the uploaded files."""
        self._url = None
        await self._serving.aclose()

    def __enter__(self) -> Self:
        """Begins to serve in a thread of its own."""
        with ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal("asyncio"))
            stack.enter_context(portal.wrap_async_context_manager(self))
            self._thread = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Like leaving the async context; the thread has ended when this returns."""
        self._thread.close()
