"""Iterators over items that arrive in batches, such as the pages of a list."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Generic, TypeVar

_T = TypeVar("_T")


class AsyncItems(Generic[_T]):
    """An async iterable of items: `async for item in items`.

    Each `async for` starts from the beginning.

    Args:
        batches: Starts reading, a batch at a time.
    """

    __slots__ = ("_batches",)

    def __init__(self, batches: Callable[[], AsyncGenerator[Sequence[_T], None]]) -> None:
        self._batches = batches

    async def __aiter__(self) -> AsyncIterator[_T]:
        """Read the items one by one."""
        async with aclosing(self._batches()) as batches:
            async for batch in batches:
                for item in batch:
                    yield item

    def pages(self) -> AsyncGenerator[Sequence[_T], None]:
        """Read the items in the batches in which they arrive."""
        return self._batches()
