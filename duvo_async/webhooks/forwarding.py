"""Deliveries passed on as they came, for trying out a receiver: what `duvo-async listen` does."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from functools import partial
from time import monotonic, time
from typing import Any, Protocol, Self

from aiohttp import ClientError, ClientResponseError, ClientSession, ClientTimeout, TCPConnector
from aiohttp import DummyCookieJar as NoCookies
from attrs import frozen
from yarl import URL

from duvo_async.webhooks.handling import MOST_BYTES
from duvo_async.webhooks.headers import Body, Headers, as_bytes, values_of
from duvo_async.webhooks.intake import UNAVAILABLE, Receipt
from duvo_async.webhooks.receiver import WebhookReceiver
from duvo_async.webhooks.signature import Secrets

MOST_WAITING = 1000
_ANSWER_SECONDS = 30.0
"""Seconds for an answer to what was forwarded: the others wait meanwhile."""
_DRAIN_SECONDS = 5.0
"""Seconds at the end for what still waits."""
_OF_ONE_CONNECTION = frozenset(
    {
        "connection",
        "content-length",
        "expect",  # it was met when the delivery was received
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_OF_AIOHTTP = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


@frozen
class Forwarded:
    """What became of a delivery that was passed on.

    Attributes:
        status: The HTTP status of the answer. None for no answer.
        reason: Why there was no answer. None if there was one.
    """

    status: int | None = None
    reason: str | None = None


class Audience(Protocol):
    """Is told of each delivery."""

    def arrived(self, receipt: Receipt, *, forwarding: bool) -> None:
        """Hear what became of a delivery, and whether it is passed on."""
        ...

    def forwarded(self, receipt: Receipt, at: float, outcome: Forwarded) -> None:
        """Hear what became of passing on a delivery that came at a time, in Unix seconds."""
        ...


@frozen
class _Parcel:
    body: bytes
    headers: list[tuple[str, str]]
    done: Callable[[Forwarded], None]


class Forwarder:
    """Posts deliveries to a URL, one after the other, in the order in which they came.

    Args:
        url: Where to.

    Raises:
        ValueError: The URL is none to post to.
    """

    def __init__(self, url: str) -> None:
        self._url = _checked(url)
        self._waiting: asyncio.Queue[_Parcel] = asyncio.Queue(MOST_WAITING)
        self._bytes = 0
        self._contexts = AsyncExitStack()

    @property
    def place(self) -> str:
        """Where it posts to, without the query, in which there may be a key."""
        return str(self._url.with_query(None).with_fragment(None))

    @property
    def full(self) -> bool:
        """Whether nothing more can wait."""
        return self._waiting.full() or self._bytes >= MOST_BYTES

    def add(self, body: bytes, headers: Headers, done: Callable[[Forwarded], None]) -> None:
        """Have a delivery posted, after those that came before.

        Args:
            body: The body as it came.
            headers: The headers as they came; those of the connection stay behind.
            done: Is told what became of it.

        Raises:
            asyncio.QueueFull: As many wait as may.
        """
        self._waiting.put_nowait(_Parcel(body, end_to_end(headers), done))
        self._bytes += len(body)

    async def __aenter__(self) -> Self:
        """Begin to post."""
        session = ClientSession(
            # A server that is being worked on is started anew now and then.
            connector=TCPConnector(force_close=True),
            cookie_jar=NoCookies(),
            timeout=ClientTimeout(total=_ANSWER_SECONDS),
            skip_auto_headers=_OF_AIOHTTP,
        )
        await self._contexts.enter_async_context(session)
        worker = asyncio.create_task(self._work(session), name="duvo-async forwarding")
        self._contexts.push_async_callback(self._end, worker)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Post what waits, for 5 seconds at most."""
        await self._contexts.aclose()

    async def _end(self, worker: "asyncio.Task[None]") -> None:
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN_SECONDS):
                    await self._waiting.join()
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
            while not self._waiting.empty():
                self._waiting.get_nowait().done(_ENDED)

    async def _work(self, session: ClientSession) -> None:
        while True:
            parcel = await self._waiting.get()
            self._bytes -= len(parcel.body)
            outcome = _ENDED
            try:
                outcome = await self._post(session, parcel)
            finally:
                parcel.done(outcome)
                self._waiting.task_done()

    async def _post(self, session: ClientSession, parcel: _Parcel) -> Forwarded:
        try:
            async with session.post(
                self._url, data=parcel.body, headers=parcel.headers, allow_redirects=False
            ) as answer:
                return Forwarded(answer.status)
        except TimeoutError:
            return Forwarded(reason=f"no answer within {_ANSWER_SECONDS:g} s")
        except ClientResponseError as error:  # its text has the whole URL in it
            return Forwarded(reason=f"no HTTP answer: {error.message}")
        except (ClientError, OSError, ValueError) as error:
            return Forwarded(reason=str(error) or type(error).__name__)


class ForwardingReceiver(WebhookReceiver):
    """A receiver that tells of each delivery, and passes on those that were taken.

    Args:
        secret: As in `WebhookReceiver`.
        audience: Is told. Nothing is logged.
        forwarder: Passes on. None for nobody.
        **settings: As in `WebhookReceiver`.
    """

    def __init__(
        self,
        secret: Secrets | None,
        audience: Audience,
        forwarder: Forwarder | None = None,
        **settings: Any,  # noqa: ANN401 - those of the receiver
    ) -> None:
        super().__init__(secret, **settings)
        self._audience = audience
        self._forwarder = forwarder

    def receive(self, body: Body, headers: Headers) -> Receipt:
        """Take a delivery, and have it passed on.

        Args:
            body: The request's body exactly as it came.
            headers: The request's headers.

        Returns:
            What became of it. While too much waits to be passed on it is 503 for whatever comes, so
            that it comes again and is new then.
        """
        forwarder = self._forwarder
        if forwarder is not None and forwarder.full:
            full = Receipt(UNAVAILABLE, reason="too many deliveries wait to be forwarded")
            self._mention(full, monotonic())
            return full
        receipt = super().receive(body, headers)
        if forwarder is not None and receipt.taken:
            told = partial(self._audience.forwarded, receipt, time())
            forwarder.add(as_bytes(body), headers, told)
        return receipt

    def _mention(self, receipt: Receipt, now: float) -> None:  # noqa: ARG002 - as in the receiver
        """Tell of a delivery, also of one whose body was not read."""
        forwarding = receipt.taken and self._forwarder is not None
        self._audience.arrived(receipt, forwarding=forwarding)


def end_to_end(headers: Headers) -> list[tuple[str, str]]:
    """Leave out the headers that are of one connection (RFC 9110, 7.6.1)."""
    named = ",".join(values_of(headers, "connection")).lower().split(",")
    dropped = _OF_ONE_CONNECTION.union(name.strip() for name in named)
    return [(name, value) for name, value in headers.items() if name.lower() not in dropped]


def _checked(text: str) -> URL:
    # No error quotes the URL: what is wrong with it may be a password in it.
    try:
        url = URL(text)
        host, _ = url.host, url.port
    except ValueError:
        raise ValueError(
            "the URL to forward to cannot be read: is it http(s)://host/path?"
        ) from None
    if url.scheme not in {"http", "https"} or not host:
        raise ValueError("the URL to forward to must begin with http://host or https://host")
    if url.user is not None or url.password is not None:
        raise ValueError("the URL to forward to must not hold a user or password")
    return url


_ENDED = Forwarded(reason="the command ended")
