"""Lists that come in pages: read page by page, each item once, however they shift meanwhile."""

from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from operator import attrgetter
from typing import Any, Protocol, TypeVar

from duvo_async._items import AsyncItems
from duvo_async._protocol import Call, Page
from duvo_async._session import Session

_T = TypeVar("_T")


class Ask(Protocol[_T]):
    """Makes the call for a page."""

    def __call__(self, *, limit: int, offset: int) -> Call[Page[_T]]:
        """Ask for `limit` items after `offset` others."""
        ...


def listed(
    session: Session,
    ask: Ask[_T],
    *,
    page_size: int,
    limit: int | None,
    identity: Callable[[_T], Hashable] = attrgetter("id"),
) -> AsyncItems[_T]:
    """Read a list by offsets, a page at a time, as it is iterated.

    Items that come into the list before the place where it is read make others appear on two pages:
    those are given once. Items that leave it would make others slip to a page that was read: as
    many are read again as the total says have left, so that these come later than in their order.
    Where others come in behind as these leave, the total does not tell of it, and some may slip by:
    in the order in which the API puts newcomers first, none do.

    Args:
        session: Makes the calls.
        ask: Makes the call for a page. It is tried at once, so that wrong arguments fail here.
        page_size: The most items of a page.
        limit: The most items of all. None for the whole list.
        identity: Tells items apart.

    Returns:
        The items.
    """
    check_limit(limit)
    ask(limit=page_size, offset=0)

    async def batches() -> AsyncGenerator[Sequence[_T], None]:
        seen: set[Hashable] = set()
        offset, total = 0, None
        while limit is None or len(seen) < limit:
            size = page_size if limit is None else min(page_size, limit - len(seen))
            page = await session.call(ask(limit=size, offset=offset))
            fresh = _unseen(page.items, seen, identity)
            if fresh:
                yield fresh
            gone = 0 if total is None or page.total is None else total - page.total
            total = page.total
            if gone > 0 and offset > 0:
                offset = max(0, offset - gone)
                continue
            offset += len(page.items)
            if not page.items or (len(page.items) < size if total is None else offset >= total):
                return

    return AsyncItems(batches)


def unpaged(session: Session, call: Call[Page[_T]]) -> AsyncItems[_T]:
    """Read a list that comes at once, as it is iterated.

    Args:
        session: Makes the call.
        call: The call.

    Returns:
        The items.
    """

    async def batches() -> AsyncGenerator[Sequence[_T], None]:
        page = await session.call(call)
        if page.items:
            yield page.items

    return AsyncItems(batches)


def _unseen(
    items: Sequence[_T], seen: set[Hashable], identity: Callable[[_T], Hashable]
) -> tuple[_T, ...]:
    fresh: list[_T] = []
    for item in items:
        if (known_by := identity(item)) not in seen:
            seen.add(known_by)
            fresh.append(item)
    return tuple(fresh)


def check_limit(limit: Any) -> None:  # noqa: ANN401 - as the caller gave it
    """Insist on a number of items, or None for all."""
    if limit is None:
        return
    if not isinstance(limit, int) or isinstance(limit, bool):
        raise TypeError(f"limit must be a whole number, not {limit!r}")
    if limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
