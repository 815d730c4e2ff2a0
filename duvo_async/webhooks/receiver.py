"""A place where the API's webhooks arrive: in a web application of yours, or by itself."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from math import inf
from threading import RLock
from time import monotonic, time
from typing import Any, Self, TypeAlias, TypeVar, overload

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from anyio import CancelScope
from anyio.from_thread import start_blocking_portal
from attrs import evolve
from yarl import URL

from duvo_async._hints import Hint
from duvo_async.settings import check_count, check_seconds
from duvo_async.webhooks.events import WebhookEvent
from duvo_async.webhooks.handling import Handler, Handling
from duvo_async.webhooks.headers import Body, Headers, as_bytes
from duvo_async.webhooks.intake import OK, SAME_BODY, UNAVAILABLE, Intake, Receipt, Seen, hint_of
from duvo_async.webhooks.signature import (
    PREFIX,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    TOLERANCE,
    Secrets,
    make_check,
)

_A = TypeVar("_A", bound=WebhookEvent)
_B = TypeVar("_B", bound=WebhookEvent)
_C = TypeVar("_C", bound=WebhookEvent)
_R = TypeVar("_R")
_H = TypeVar("_H", bound=Handler[Any])
_T = TypeVar("_T")
_Gives: TypeAlias = Callable[[_T], _R]

_TIMEOUT, _TOO_LARGE, _UNSUPPORTED, _BROKEN_OFF = 408, 413, 415, 400
_READ_SECONDS = 30.0
"""Seconds for a body to arrive: who takes longer holds a connection and delivers nothing."""
_GRACE = 0.05
"""Seconds that a request under way gets at the end; to aiohttp, none would mean any number."""
_QUIET = 60.0
"""Seconds between two warnings: whoever sends forgeries shall not fill the log."""
_MEGABYTE = 1024 * 1024
_MOST_PORT = 65_535
_NONE = "none"
"""What settings are tried out with where there is no secret."""
_UNPACKED = frozenset({"", "identity"})

_logger = logging.getLogger("duvo_async")
_server_logger = logging.getLogger("duvo_async.webhooks.server")
# What is no HTTP is answered with 400, and is nothing that anybody could mend.
_server_logger.addFilter(
    lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
)


class WebhookReceiver:
    """Receives webhooks: checks them, answers at once, and has them handled afterwards.

    By itself, `async with WebhookReceiver(secret, port=8080) as receiver`, or in a thread of its
    own with a plain `with`; in an aiohttp application, `app.add_subapp("/duvo/", receiver.app())`;
    in any other, `receiver.receive(body, headers)`.

    An event may be delivered more than once, late, or never; each is handed to the handlers once. A
    client that has the receiver as `webhooks=` looks at a run as soon as there is an event of it.

    Args:
        secret: The workspace's webhook secret, or several while it is being changed. None believes
            anybody, which is good for trying things out, and for waits: to them an event is a hint,
            and they look for themselves.
        host: The address to listen on, by itself; this machine's own, 127.0.0.1, by default.
        port: The port to listen on, by itself. 0 for any free one.
        header: As in `verify`.
        timestamp_header: As in `verify`.
        prefix: As in `verify`.
        tolerance: As in `verify`.
        max_body_bytes: The largest body that is read: 1 MiB by default.
        max_waiting: How many events may wait for handlers, 10,000 by default. Beyond that, or
            beyond 64 MiB of bodies, deliveries are answered with 503, so that they come again.
        concurrency: How many events are handled at the same time. 1, the default, keeps them in the
            order in which they came.
        remembered: How many events are remembered as taken, 32,768 by default, at some 150 bytes
            each. Those without an id are known by their bodies, for ten minutes.
        drain_timeout: How many seconds handlers get at the end for what was taken: 10 by default.
        clock: Gives the time in Unix seconds. For tests.

    Raises:
        ValueError: An argument cannot work.
    """

    def __init__(  # noqa: PLR0913 - the settings of a receiver
        self,
        secret: Secrets | None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        header: str = SIGNATURE_HEADER,
        timestamp_header: str | None = TIMESTAMP_HEADER,
        prefix: str = PREFIX,
        tolerance: float = TOLERANCE,
        max_body_bytes: int = _MEGABYTE,
        max_waiting: int = 10_000,
        concurrency: int = 1,
        remembered: int = 32_768,
        drain_timeout: float = 10.0,
        clock: Callable[[], float] = time,
    ) -> None:
        if not isinstance(port, int) or not 0 <= port <= _MOST_PORT:
            raise ValueError(f"port must be a number up to {_MOST_PORT}, not {port!r}")
        check = make_check(
            _NONE if secret is None else secret,
            clock,
            header=header,
            timestamp_header=timestamp_header,
            prefix=prefix,
            tolerance=tolerance,
        )
        self._host, self._port = host, port
        self._max_body_bytes = check_count("max_body_bytes", max_body_bytes)
        self._drain_timeout = drain_timeout and check_seconds("drain_timeout", drain_timeout)
        self._intake = Intake(
            None if secret is None else check,
            Seen(check_count("remembered", remembered)),
            # For as long as a recorded delivery would pass the check.
            inf if timestamp_header is None else max(SAME_BODY, 2 * tolerance),
        )
        self._handling = Handling(
            check_count("max_waiting", max_waiting), check_count("concurrency", concurrency)
        )
        self._hints: dict[Hint, None] = {}
        self._lock = RLock()  # a client may be forgotten, and so unsubscribed, at any moment
        self._complained_at = float("-inf")
        self._unmentioned = 0
        self._url: str | None = None
        self._serving = AsyncExitStack()
        self._thread = ExitStack()

    @property
    def url(self) -> str:
        """Where it listens by itself.

        Raises:
            RuntimeError: It does not.
        """
        if self._url is None:
            raise RuntimeError(
                "the receiver does not listen by itself: enter it as a context first"
            )
        return self._url

    @overload
    def on_event(self, handler: _H, /) -> _H: ...

    @overload
    def on_event(self, kind: type[_A], /) -> Callable[[_Gives[_A, _R]], _Gives[_A, _R]]: ...

    @overload
    def on_event(
        self, kind: type[_A], other: type[_B], /
    ) -> Callable[[_Gives[_A | _B, _R]], _Gives[_A | _B, _R]]: ...

    @overload
    def on_event(
        self, kind: type[_A], other: type[_B], third: type[_C], /
    ) -> Callable[[_Gives[_A | _B | _C, _R]], _Gives[_A | _B | _C, _R]]: ...

    @overload
    def on_event(
        self, kind: type[WebhookEvent], /, *kinds: type[WebhookEvent]
    ) -> Callable[[_H], _H]: ...

    def on_event(self, first: Any, /, *kinds: Any) -> Any:
        """Have a function given the events, as a decorator with the kinds of events or without.

        Handlers run after the delivery was answered, in the receiver's event loop; one that raises
        is logged, and the others go on. An event is handed to each handler that is for its kind.

        Args:
            first: The function, for all events; or the kind of events that it is for, `RunEvent`
                and the like meaning all of their kinds.
            *kinds: More kinds.

        Returns:
            The function as it is, or a decorator.

        Raises:
            TypeError: It is neither a function nor kinds of events.
        """
        if not isinstance(first, type) and not kinds:
            return self._add_handler(first, (WebhookEvent,))
        for kind in (first, *kinds):
            if not (isinstance(kind, type) and issubclass(kind, WebhookEvent)):
                raise TypeError(f"on_event takes a function, or kinds of events; not {kind!r}")
        return partial(self._add_handler, kinds=(first, *kinds))

    def subscribe(self, hint: Hint, /) -> Callable[[], None]:
        """Have somebody told of the runs that an event says have ended or wait for a person.

        A client that has this receiver does this by itself.

        Args:
            hint: Gets the run's id, and whether it may wait for a person. It is called before the
                delivery is answered, for repeated ones too, and must be quick.

        Returns:
            Ends it.
        """
        with self._lock:
            self._hints[hint] = None
        return partial(self._unsubscribe, hint)

    def receive(self, body: Body, headers: Headers) -> Receipt:
        """Take a delivery that arrived in a web framework of yours.

        Args:
            body: The request's body exactly as it came.
            headers: The request's headers.

        Returns:
            What became of it; answer with its `status`. Nothing is raised for what is wrong with
            the delivery.

        Raises:
            RuntimeError: There are handlers for the event and no event loop is running to run them.
        """
        now, raw = monotonic(), as_bytes(body)
        with self._lock:
            looked = self._intake.look(raw, headers, now)
            hints = tuple(self._hints)
        if looked.event is not None and (told := hint_of(looked.event)) is not None:
            for hint in hints:
                _tell(hint, *told)
        with self._lock:
            receipt = self._take(looked, raw, now)
        self._mention(receipt, now)
        return receipt

    def app(self) -> web.Application:
        """Make an aiohttp application that takes deliveries at any path, to mount in yours.

        Returns:
            The application, for `add_subapp`. When yours ends, handlers get `drain_timeout` for
            what was taken.
        """
        app = web.Application()
        app.router.add_post("", self._answer)
        app.router.add_post("/{path:.*}", self._answer)

        async def drain(_: web.Application) -> None:
            await self.drain()

        app.on_cleanup.append(drain)
        return app

    async def drain(self) -> None:
        """Wait until the handlers have had all events, for `drain_timeout` at most.

        An application that uses `receive` calls this at its end.
        """
        if left := await self._handling.drain(self._drain_timeout):
            _logger.warning(
                "%d webhook events were taken and not handled to the end within %g s",
                left,
                self._drain_timeout,
            )

    async def __aenter__(self) -> Self:
        """Listen in the running event loop.

        Raises:
            OSError: The address cannot be listened on.
            RuntimeError: It listens already.
        """
        if self._url is not None:
            raise RuntimeError(f"the receiver listens already, on {self._url}")
        runner = web.AppRunner(
            self.app(),
            access_log=None,
            logger=_server_logger,
            auto_decompress=False,
            lingering_time=0,  # aiohttp would let who was refused hold a task for longer than this
            shutdown_timeout=_GRACE,
        )
        async with AsyncExitStack() as stack:
            await runner.setup()
            stack.push_async_callback(_clean_up, runner)
            await web.TCPSite(runner, self._host, self._port).start()
            host, port = self._host or "localhost", runner.addresses[0][1]
            self._url = str(URL.build(scheme="http", host=host, port=port, path="/"))
            self._serving = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Listen no more; handlers get `drain_timeout` for what was taken."""
        self._url = None
        await self._serving.aclose()

    def __enter__(self) -> Self:
        """Listen in a thread with an event loop of its own, which is the handlers' too."""
        with ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal("asyncio"))
            stack.enter_context(portal.wrap_async_context_manager(self))
            self._thread = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Like leaving the async context; the thread has ended when this returns."""
        self._thread.close()

    def __repr__(self) -> str:
        """Tell where it listens, and nothing of the secret."""
        return f"{type(self).__name__}({self._url or 'not listening'})"

    def _add_handler(self, handler: _H, kinds: tuple[type[WebhookEvent], ...]) -> _H:
        if not callable(handler):
            raise TypeError(f"on_event takes a function, or kinds of events; not {handler!r}")
        if self._intake.verify is None:
            _logger.warning("%r has no secret: anybody can have its handlers work", self)
        self._handling.add_handler(handler, kinds)
        return handler

    def _take(self, receipt: Receipt, body: bytes, now: float) -> Receipt:
        event = receipt.event
        if event is None:
            return receipt
        if self._intake.has(event, body, now):
            return evolve(receipt, repeated=True)
        if self._handling.full:
            return Receipt(UNAVAILABLE, reason="too many events wait for handlers")
        self._handling.add(event, len(body))
        self._intake.remember(event, body, now)
        return receipt

    def _unsubscribe(self, hint: Hint) -> None:
        with self._lock:
            self._hints.pop(hint, None)

    async def _answer(self, request: web.Request) -> web.Response:
        receipt = await self._read(request)
        if isinstance(receipt, bytes):
            receipt = self.receive(receipt, request.headers)
        else:
            self._mention(receipt, monotonic())
        return web.Response(status=receipt.status, text=receipt.reason or "")

    async def _read(self, request: web.Request) -> bytes | Receipt:
        most = self._max_body_bytes
        # What is signed are the bytes as they were sent, and what is packed may be of any size.
        if request.headers.get("Content-Encoding", "").strip().lower() not in _UNPACKED:
            return Receipt(_UNSUPPORTED, reason="compressed bodies are not read")
        if (request.content_length or 0) > most:
            return Receipt(_TOO_LARGE, reason=f"more than {most} bytes")
        body = bytearray()
        try:
            async with asyncio.timeout(_READ_SECONDS):
                async for block in request.content.iter_any():
                    body += block
                    if len(body) > most:
                        return Receipt(_TOO_LARGE, reason=f"more than {most} bytes")
        except TimeoutError:
            return Receipt(_TIMEOUT, reason=f"the body did not arrive within {_READ_SECONDS:g} s")
        except (ConnectionError, web.RequestPayloadError):
            return Receipt(_BROKEN_OFF, reason="the body broke off")
        return bytes(body)

    def _mention(self, receipt: Receipt, now: float) -> None:
        """Log a refusal, now and then."""
        if receipt.status == OK:
            return
        if now - self._complained_at < _QUIET:
            self._unmentioned += 1
            return
        others = f" ({self._unmentioned} others since the last such line)"
        _logger.warning(
            "a webhook delivery was answered with %d: %s%s",
            receipt.status,
            receipt.reason,
            others if self._unmentioned else "",
        )
        self._complained_at, self._unmentioned = now, 0


def _tell(hint: Hint, run_id: str, waits: bool) -> None:  # noqa: FBT001 - as a hint is told
    try:
        hint(run_id, waits)
    except Exception:
        _logger.exception("who was told of run %s raised", run_id)


async def _clean_up(runner: web.AppRunner) -> None:
    with CancelScope(shield=True):
        await runner.cleanup()
