"""Calling the user's functions: here, or in the thread that waits for a blocking call."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from inspect import isawaitable
from typing import Protocol, TypeVar, cast

_T = TypeVar("_T")


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
