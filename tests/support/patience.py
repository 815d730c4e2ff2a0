"""For tests with servers in other processes: waiting for them, and no longer than so."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

_LIMIT = 90.0
"""Real seconds after which a test is given up."""
_PAUSE = 0.02


def limited(test: Callable[_P, Coroutine[Any, Any, None]]) -> Callable[_P, Awaitable[None]]:
    """Give a test up that takes too long."""

    @wraps(test)
    async def within(*args: _P.args, **kwargs: _P.kwargs) -> None:
        async with asyncio.timeout(_LIMIT):
            await test(*args, **kwargs)

    return within


async def eventually(look: Callable[[], Awaitable[_T | None]]) -> _T:
    """Look again and again, until there is something to see."""
    while not (seen := await look()):  # noqa: ASYNC110 - what it looks at is elsewhere
        await asyncio.sleep(_PAUSE)
    return seen
