"""Running coroutines from blocking code: an event loop in a thread of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, suppress
from queue import SimpleQueue
from threading import Event, RLock, Thread, get_ident
from typing import Any, TypeAlias, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from duvo_async._callbacks import caller
from duvo_async.errors import ClientClosedError

_T = TypeVar("_T")
_Errand: TypeAlias = Callable[[], None]

_CLEAN_UP_SECONDS = 5.0
"""How long an interrupted call may take to clean up before it is left to itself."""


class Bridge:
    """An event loop in a thread, started on first use, which any number of threads may use.

    Args:
        close: What to await in the loop before it ends.
    """

    def __init__(self, close: Callable[[], Awaitable[None]]) -> None:
        self._close = close
        self._lock = RLock()  # the garbage collector may come back while it is held
        self._resources = ExitStack()
        self._portal: BlockingPortal | None = None
        self._thread: int | None = None
        self._closed = False

    def run(self, function: Callable[[], Awaitable[_T]]) -> _T:
        """Await something in the loop.

        What the coroutine asks to be called back (see `_callbacks`) runs in the calling thread.
        Should anything interrupt that thread, such as Ctrl-C, the coroutine is cancelled and has
        cleaned up when the interruption goes on its way.

        Args:
            function: Makes the awaitable.

        Returns:
            What it gives, or raises what it raises.

        Raises:
            ClientClosedError: The client is closed, or was closed meanwhile.
        """
        desk: SimpleQueue[_Errand | None] = SimpleQueue()
        cleaned_up = Event()

        async def task() -> _T:
            caller.set(_Caller(desk))
            try:
                return await function()
            finally:
                cleaned_up.set()

        future = self._start(task)
        future.add_done_callback(lambda _: desk.put(None))
        try:
            while (errand := desk.get()) is not None:
                errand()
            return future.result()
        except CancelledError:
            raise ClientClosedError("the client was closed during the call") from None
        finally:
            if not future.done():
                future.cancel()
                cleaned_up.wait(_CLEAN_UP_SECONDS)

    def close(self) -> None:
        """End the loop and its thread; calls that are under way fail. Idempotent."""
        with self._lock:
            self._closed = True
            portal, self._portal = self._portal, None
        if portal is None:
            return
        if get_ident() == self._thread:
            # The garbage collector may run in the loop's own thread, which cannot wait for itself.
            Thread(target=self._shut, args=(portal,), daemon=True).start()
        else:
            self._shut(portal)

    def _shut(self, portal: BlockingPortal) -> None:
        portal.call(self._close)
        portal.call(portal.stop, True)  # noqa: FBT003 - anyio's signature: cancel what remains
        self._resources.close()

    def _start(self, task: Callable[[], Awaitable[_T]]) -> "Future[_T]":
        portal = self._open()
        # Not under the lock: this waits for the loop, whose thread may want the lock, should the
        # garbage collector run there.
        try:
            return portal.start_task_soon(task)
        except RuntimeError:
            if self._closed:
                raise ClientClosedError("the client was closed during the call") from None
            raise

    def _open(self) -> BlockingPortal:
        with self._lock:
            if self._closed:
                raise ClientClosedError("this client is closed: make a new one")
            if self._portal is None:
                self._portal = self._resources.enter_context(
                    start_blocking_portal("asyncio", name="duvo-async")
                )
                self._thread = self._portal.call(get_ident)
            return self._portal


class _Caller:
    """Reaches the thread that waits for a call."""

    def __init__(self, desk: "SimpleQueue[_Errand | None]") -> None:
        self._desk = desk

    async def __call__(self, function: Callable[[], _T], /) -> _T:
        loop = asyncio.get_running_loop()
        result: asyncio.Future[_T] = loop.create_future()

        def errand() -> None:
            try:
                value = function()
            except Exception as error:  # noqa: BLE001 - it belongs to the call, which raises it
                _tell(loop, _settle, result.set_exception, result, error)
            else:
                _tell(loop, _settle, result.set_result, result, value)

        self._desk.put(errand)
        return await result


def _tell(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *args: object) -> None:
    """Run something in the loop, unless the function that was called has closed the client."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *args)


def _settle(how: Callable[[Any], None], result: "asyncio.Future[Any]", outcome: object) -> None:
    if result.done():
        return
    if isinstance(outcome, StopIteration):  # which no future can hold
        outcome = RuntimeError(f"the function raised {outcome!r}")
    how(outcome)
