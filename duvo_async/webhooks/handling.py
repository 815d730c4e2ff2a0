"""Events on their way to a user's handlers: taken quickly, worked on afterwards."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context
from inspect import isawaitable
from typing import Any, TypeAlias, TypeVar, cast

from attrs import frozen

from duvo_async.webhooks.events import WebhookEvent

_E = TypeVar("_E", bound=WebhookEvent)

Handler: TypeAlias = Callable[[_E], object]
"""Is given an event. It may be asynchronous; what it returns does not matter."""

MOST_BYTES = 64 * 1024 * 1024
"""Bytes of bodies that may wait in memory. One always may, however large."""
_CANCELLING = 1.0
"""Seconds that a cancelled handler gets."""
_RAISED = "a handler of webhooks raised on %r (id %r)"
_logger = logging.getLogger("duvo_async")


@frozen
class _Registered:
    """A handler, and the kinds of events that it is for."""

    handler: Handler[WebhookEvent]
    kinds: tuple[type[WebhookEvent], ...]


class Handling:
    """The events that wait for handlers. There is a task only while there is an event.

    Args:
        most: How many events may wait.
        at_once: How many are worked on at the same time.
    """

    def __init__(self, most: int, at_once: int) -> None:
        self._most = most
        self._at_once = at_once
        self._handlers: list[_Registered] = []
        self._waiting: deque[tuple[WebhookEvent, int]] = deque()
        self._bytes = 0
        self._workers: set[asyncio.Task[None]] = set()

    @property
    def full(self) -> bool:
        """Whether no event can be taken."""
        return len(self._waiting) >= self._most or self._bytes >= MOST_BYTES

    def add_handler(
        self, handler: Handler[WebhookEvent], kinds: tuple[type[WebhookEvent], ...]
    ) -> None:
        """Have a handler given the events of some kinds."""
        self._handlers.append(_Registered(handler, kinds))

    def add(self, event: WebhookEvent, size: int) -> None:
        """Have an event handled, after those that came before.

        Args:
            event: The event.
            size: The bytes of its body.
        """
        if not any(isinstance(event, each.kinds) for each in self._handlers):
            return
        loop = asyncio.get_running_loop()
        self._waiting.append((event, size))
        self._bytes += size
        # A loop that was left in the middle of its work takes its tasks along.
        self._workers = {each for each in self._workers if each.get_loop() is loop}
        if len(self._workers) < self._at_once:
            self._start_worker(loop)

    async def drain(self, seconds: float) -> int:
        """Wait until all events are handled.

        Args:
            seconds: For how long at most. Then the handlers that are working are cancelled.

        Returns:
            How many events were not handled, or not to the end.
        """
        loop = asyncio.get_running_loop()
        # A handler that has the receiver end is not waited for by itself.
        others = {each for each in self._workers if each.get_loop() is loop}
        others.discard(cast("asyncio.Task[None]", asyncio.current_task()))
        if self._waiting and not others:
            others.add(self._start_worker(loop))
        working = (await asyncio.wait(others, timeout=seconds))[1] if others else set[Any]()
        left = len(working) + len(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        for worker in working:
            worker.cancel()
        if working:  # one that heeds no cancellation is left behind
            await asyncio.wait(working, timeout=_CANCELLING)
        return left

    def _start_worker(self, loop: asyncio.AbstractEventLoop) -> "asyncio.Task[None]":
        # In a context of its own: what was set for one delivery is nothing to the next.
        worker = loop.create_task(self._work(), name="duvo-async webhooks", context=Context())
        self._workers.add(worker)
        worker.add_done_callback(self._ended)
        return worker

    def _ended(self, worker: "asyncio.Task[None]") -> None:
        self._workers.discard(worker)
        loop = worker.get_loop()
        if worker.cancelled() and self._waiting and loop.is_running():
            self._start_worker(loop)  # a handler had its task cancelled

    async def _work(self) -> None:
        while self._waiting:
            event, size = self._waiting.popleft()
            self._bytes -= size
            for each in tuple(self._handlers):
                if isinstance(event, each.kinds):
                    await _hand(event, each.handler)


async def _hand(event: WebhookEvent, handler: Handler[WebhookEvent]) -> None:
    try:
        result = handler(event)
        if isawaitable(result):
            await cast("Awaitable[object]", result)
    except Exception:
        _logger.exception(_RAISED, event.name, event.id)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        _logger.exception(_RAISED, event.name, event.id)  # something that it waited for was
