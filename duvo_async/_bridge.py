"""Running coroutines from blocking code: an event loop in a thread of its own."""

import asyncio
import os
import sys
import warnings
import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from threading import Event, RLock, Thread, get_ident
from time import monotonic
from typing import Any, Generic, TypeVar

from duvo_async._callbacks import caller
from duvo_async._loops import loop_factory
from duvo_async.errors import ClientClosedError, ConfigurationError

_T = TypeVar("_T")

_SIGNAL_SECONDS = 1.0
"""How long Ctrl-C may go unnoticed."""
_CLEAN_UP_SECONDS = 5.0
"""How long an interrupted call, or the loop at its end, may take to clean up."""


class Bridge:
    """An event loop in a thread, started on first use, which any number of threads may use.

    It ends when it is closed, when nothing refers to it any more, or with the interpreter. Once
    started it does not outlive a fork: in the child there is no such thread.

    Args:
        close: What to await in the loop before it ends.
    """

    __slots__ = ("__weakref__", "_loop")

    def __init__(self, close: Callable[[], Awaitable[None]]) -> None:
        self._loop = _Loop(close)
        # Not on the client: its resources and iterators may be kept when the client is not.
        weakref.finalize(self, self._loop.stop)

    def __del__(self) -> None:
        """Tell of a client that nobody closed."""
        if self._loop.is_running_here() and not sys.is_finalizing():
            try:
                warnings.warn(
                    "unclosed blocking client: use it in a with statement, or close() it",
                    ResourceWarning,
                    source=self,  # with tracemalloc, where it was made
                    stacklevel=2,
                )
            finally:
                self._loop.stop()  # who keeps the warning keeps this alive

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
            ConfigurationError: This is the loop's own thread.
        """
        if self._loop.is_here():
            raise ConfigurationError(
                "an asynchronous handler runs in the client's own event loop, where a blocking "
                "call would wait for itself: make the handler a plain function"
            )
        call = _Call(function)
        loop = self._loop.started()
        self._loop.calls.add(call)
        try:
            self._loop.post(loop, call.start)
            while (errand := call.errand()) is not None:
                errand()
        finally:
            if not call.ended:
                self._loop.post(loop, call.cancel)
                call.wait(_CLEAN_UP_SECONDS)
            self._loop.calls.discard(call)
        return call.result()

    def discard(self, function: Callable[[], Awaitable[None]]) -> None:
        """Await something's end in the loop, if there still is one.

        The garbage collector may call, in any thread: in the loop's own, nothing is waited for.
        """
        with suppress(ClientClosedError):
            if self._loop.is_here():
                self._loop.post(self._loop.started(), _Call(function).start)
            else:
                self.run(function)

    def close(self) -> None:
        """End the loop and its thread; calls that are under way fail. Idempotent."""
        self._loop.stop()


class _Loop:
    """The loop and its thread. Nothing in it refers to the `Bridge`."""

    def __init__(self, close: Callable[[], Awaitable[None]]) -> None:
        self.calls: set[_Call[Any]] = set()
        self._close = close
        self._lock = RLock()  # the garbage collector may come back while it is held
        self._process = os.getpid()
        self._thread: Thread | None = None
        self._ready = Event()
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._stopped = False

    def started(self) -> asyncio.AbstractEventLoop:
        """Give the loop, started if need be."""
        running = self._running
        if running is not None and self.is_running_here():
            return running[0]
        if os.getpid() != self._process:
            if self._thread is not None:
                raise ClientClosedError("this client was used before a fork: make a new one here")
            self._process = os.getpid()  # unused, it has nothing that a fork takes away
        with self._lock:
            if self._stopped:
                raise ClientClosedError("this client is closed: make a new one")
            if self._thread is None:
                # An interruption can come at any moment from here on, and loses nothing: whoever
                # comes next finds the thread.
                self._thread = Thread(target=self._serve, name="duvo-async", daemon=True)
                try:
                    self._thread.start()
                except RuntimeError as error:  # no more threads, or the interpreter's end
                    self._thread = None  # that never was: nobody waits for it
                    raise ClientClosedError(
                        f"this client cannot start its thread: {error}"
                    ) from error
        self._ready.wait()
        if self._running is None:
            raise ClientClosedError("this client was closed as it started")
        return self._running[0]

    def is_running_here(self) -> bool:
        """Tell whether this process has the thread, and nobody has told it to end."""
        return self._thread is not None and not self._stopped and os.getpid() == self._process

    def is_here(self) -> bool:
        """Tell whether this is the loop's thread."""
        return self._thread is not None and self._thread.ident == get_ident()

    def post(self, loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
        """Run something in the loop soon; without waiting, so that nothing can get stuck here."""
        try:
            loop.call_soon_threadsafe(function)
        except RuntimeError:  # it has ended
            raise ClientClosedError("the client was closed during the call") from None

    def stop(self) -> None:
        """End the loop; wait for its thread, unless this is it."""
        if os.getpid() != self._process:
            return
        with self._lock:
            self._stopped = True
            thread = self._thread
        if thread is None:
            return
        own = self.is_here()
        if not own:
            self._ready.wait()
        if self._running is not None:
            loop, end = self._running
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(end.set)
        if not own:
            thread.join(_CLEAN_UP_SECONDS)

    def _serve(self) -> None:
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(self._main())
        finally:
            self._ready.set()
            for call in tuple(self.calls):  # those that came too late to be started
                call.finish()

    async def _main(self) -> None:
        end = asyncio.Event()
        self._running = asyncio.get_running_loop(), end
        self._ready.set()
        await end.wait()
        try:
            await self._close()  # which tells those who wait what becomes of their runs
        finally:
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class _Call(Generic[_T]):
    """A call on its way: made by one thread, done by the loop's.

    Attributes:
        desk: What the calling thread is asked to do; None when nothing more will come.
        ended: Whether the coroutine has ended, or never will begin.
    """

    __slots__ = ("_begun", "_error", "_function", "_task", "_value", "desk", "ended")

    def __init__(self, function: Callable[[], Awaitable[_T]]) -> None:
        self.desk: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self.ended = False
        self._function = function
        self._task: asyncio.Task[None] | None = None
        self._begun = False
        self._value: list[_T] = []
        self._error: BaseException | None = None

    def errand(self) -> Callable[[], None] | None:
        """Wait for what the calling thread is asked to do.

        Not in one go: a signal that comes just before a wait does not end it.
        """
        while True:
            try:
                return self.desk.get(timeout=_SIGNAL_SECONDS)
            except Empty:
                pass

    def wait(self, seconds: float) -> None:
        """Wait until it has ended, and do nothing more that it asks for."""
        until = monotonic() + seconds
        with suppress(Empty):
            while self.desk.get(timeout=max(0.0, until - monotonic())) is not None:
                pass

    def start(self) -> None:
        """Begin, in the loop."""
        if not self.ended:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def cancel(self) -> None:
        """Give up, in the loop."""
        if self._task is not None:
            self._task.cancel()
        if not self._begun:  # and never will
            self.finish()

    def finish(self) -> None:
        """Let the calling thread go on."""
        self.ended = True
        self.desk.put(None)

    def result(self) -> _T:
        """Give what the coroutine gave, or raise what it raised."""
        if self._value:
            return self._value[0]
        if self._error is None or isinstance(self._error, asyncio.CancelledError):
            raise ClientClosedError("the client was closed during the call")
        try:
            raise self._error
        finally:
            self._error = None  # an error and the frame that it was raised in would be a cycle

    async def _run(self) -> None:
        self._begun = True
        caller.set(self._call_back)
        try:
            self._value.append(await self._function())
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the caller raises it
            self._error = error
        finally:
            self.finish()

    async def _call_back(self, function: Callable[[], Any], /) -> Any:  # noqa: ANN401 - as it gives
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Any] = loop.create_future()

        def errand() -> None:
            try:
                outcome = function()
            except Exception as error:  # noqa: BLE001 - it belongs to the call, which raises it
                tell = partial(_set_exception, result, error)
            else:
                tell = partial(_set_result, result, outcome)
            with suppress(RuntimeError):  # the function has closed the client, and with it the loop
                loop.call_soon_threadsafe(tell)

        self.desk.put(errand)
        return await result


def _set_result(future: "asyncio.Future[Any]", value: object) -> None:
    if not future.done():
        future.set_result(value)


def _set_exception(future: "asyncio.Future[Any]", error: Exception) -> None:
    if isinstance(error, StopIteration):  # which no future can hold
        error = RuntimeError(f"the function raised {error!r}")
    if not future.done():
        future.set_exception(error)
