"""The user's functions: called here, or in the thread that waits for a blocking call."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from inspect import isawaitable
from typing import Protocol, TypeAlias, TypeVar, cast

from duvo_async.errors import HumanRequestPending
from duvo_async.models import HumanAnswer, Run, UploadProgress
from duvo_async.settings import check_seconds

_T = TypeVar("_T")


OnHumanRequest: TypeAlias = Callable[
    [HumanRequestPending], HumanAnswer | Awaitable[HumanAnswer | None] | None
]
"""Answers a run's request; None means "raise it". It may be asynchronous."""

OnUpdate: TypeAlias = Callable[[Run], object]
"""Is told of a run's new status. It may be asynchronous; what it returns does not matter."""

OnProgress: TypeAlias = Callable[[UploadProgress], object]
"""Is told how far a file has come. It may be asynchronous."""


def check_wait(timeout: float | None, **handlers: object) -> None:
    """Refuse what cannot be waited for, before anything is sent.

    Args:
        timeout: Seconds, or None.
        handlers: The functions to be called, by their arguments' names, or None.

    Raises:
        ValueError: The time is not positive.
        TypeError: It is no number, or a handler cannot be called.
    """
    if timeout is not None:
        check_seconds("timeout", timeout)
    for name, handler in handlers.items():
        if handler is not None and not callable(handler):
            raise TypeError(f"{name} must be a function, not {type(handler).__name__}")


class Caller(Protocol):
    """Runs a function somewhere else and waits for it."""

    async def __call__(self, function: Callable[[], _T], /) -> _T:
        """Run the function."""
        ...


caller: ContextVar[Caller | None] = ContextVar("duvo_async_caller", default=None)
"""How to reach the thread that made a blocking call. None in asynchronous use."""


async def invoke(function: Callable[[_T], object], argument: _T) -> object:
    """Call a function of the user's, which may be asynchronous.

    Args:
        function: The function. In blocking use it runs in the thread that made the call, so that it
            may block, ask at the terminal and use the same client.
        argument: What it gets.

    Returns:
        What it returns, awaited if need be.
    """
    elsewhere = caller.get()
    if elsewhere is None:
        result = function(argument)
    else:
        result = await elsewhere(lambda: function(argument))
    return await cast("Awaitable[object]", result) if isawaitable(result) else result


class HandlerFailed(Exception):  # noqa: N818 - it is not what anybody gets to see
    """What a handler of progress raised, which is no file's trouble: it ends the call.

    Attributes:
        error: What it raised.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


async def tell(handler: Callable[[_T], object] | None, progress: _T) -> None:
    """Tell a handler how far something has come.

    Args:
        handler: The handler. None tells nobody.
        progress: How far it has come.

    Raises:
        HandlerFailed: The handler raised something.
    """
    if handler is None:
        return
    try:
        await invoke(handler, progress)
    except (Exception, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task and task.cancelling():
            raise
        raise HandlerFailed(error) from None
