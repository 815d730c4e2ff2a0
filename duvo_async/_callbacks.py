"""Calling the user's functions: here, or in the thread that waits for a blocking call."""

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
