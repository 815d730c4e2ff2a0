"""Lists in pages: each item once, none forgotten, while the list shifts."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

import pytest
from attrs import define, field, frozen
from hypothesis import given
from hypothesis import strategies as st

from duvo_async import AsyncItems
from duvo_async._paging import listed
from duvo_async._protocol import Call, Page, Request
from tests.support.properties import unhurried

if TYPE_CHECKING:
    from duvo_async._session import Session

pytestmark = pytest.mark.anyio


@frozen
class Item:
    id: int


def call_for(*, limit: int, offset: int) -> Call[Page[Item]]:
    assert limit > 0
    assert offset >= 0
    query = (("limit", str(limit)), ("offset", str(offset)))
    return Call(Request(method="GET", path="/v1/things", query=query), lambda _: Page(()))


@define
class Server:
    """A list that changes between the pages, in the place of a session."""

    things: list[int]
    changes: list[Callable[[list[int]], None]] = field(factory=list[Callable[[list[int]], None]])
    tells_total: bool = True
    most: int = 10**6
    asked: list[tuple[int, int]] = field(factory=list[tuple[int, int]])

    async def call(self, call: Call[Any]) -> Page[Item]:
        known = dict(call.request.query)
        limit, offset = int(known["limit"]), int(known["offset"])
        self.asked.append((limit, offset))
        total = len(self.things)
        page = self.things[offset : offset + min(limit, self.most)]
        if self.changes:
            self.changes.pop(0)(self.things)
        return Page(tuple(map(Item, page)), total if self.tells_total else None)

    def read(self, page_size: int = 3, limit: int | None = None) -> AsyncItems[Item]:
        return listed(cast("Session", self), call_for, page_size=page_size, limit=limit)


async def ids(items: AsyncItems[Item]) -> list[int]:
    return [item.id async for item in items]


def remove(*gone: int) -> Callable[[list[int]], None]:
    def change(things: list[int]) -> None:
        things[:] = [each for each in things if each not in gone]

    return change


def insert(*new: int) -> Callable[[list[int]], None]:
    return lambda things: things.__setitem__(slice(0, 0), new)


@pytest.mark.parametrize("tells_total", [True, False])
@pytest.mark.parametrize("size", range(8))
async def test_a_list_is_read_to_its_end(size: int, tells_total: bool) -> None:  # noqa: FBT001
    server = Server([*range(size)], tells_total=tells_total)
    assert await ids(server.read()) == [*range(size)]
    needed = max(1, -(-size // 3)) if tells_total else size // 3 + 1
    assert len(server.asked) == needed


async def test_each_loop_begins_anew() -> None:
    items = Server([1, 2, 3, 4]).read()
    assert await ids(items) == await ids(items) == [1, 2, 3, 4]


async def test_pages_are_as_they_come() -> None:
    pages = [page async for page in Server([*range(7)]).read().pages()]
    assert [[item.id for item in page] for page in pages] == [[0, 1, 2], [3, 4, 5], [6]]


@pytest.mark.parametrize("limit", range(1, 9))
async def test_a_limit_asks_for_no_more(limit: int) -> None:
    server = Server([*range(7)])
    assert await ids(server.read(limit=limit)) == [*range(min(limit, 7))]
    assert sum(asked for asked, _ in server.asked) == min(limit, 9)


async def test_a_page_that_is_smaller_than_asked_for_is_not_the_end() -> None:
    assert await ids(Server([*range(7)], most=2).read()) == [*range(7)]


async def test_what_comes_in_before_gives_no_item_twice() -> None:
    server = Server([1, 2, 3, 4, 5, 6, 7], [insert(-1, 0)])
    assert await ids(server.read()) == [1, 2, 3, 4, 5, 6, 7]


async def test_what_leaves_before_hides_no_item() -> None:
    server = Server([*range(1, 10)], [remove(1, 2), remove(3)])
    assert sorted(await ids(server.read())) == [*range(1, 10)]


async def test_a_list_that_is_emptied_as_it_is_read_is_read_whole() -> None:
    server = Server([*range(10)])
    seen: list[int] = []
    async for item in server.read():
        seen.append(item.id)
        server.things.remove(item.id)
    assert sorted(seen) == [*range(10)]


async def test_only_what_is_read_is_asked_for() -> None:
    server = Server([*range(100)])
    assert server.asked == []
    async for _ in server.read():
        break
    assert server.asked == [(3, 0)]


@unhurried
@given(
    changes=st.lists(
        st.tuples(
            st.lists(st.integers(0, 20), max_size=4), st.lists(st.integers(100, 120), max_size=4)
        ),
        max_size=6,
    ),
    page_size=st.integers(1, 6),
)
async def test_whatever_happens_each_item_comes_once(
    changes: list[tuple[list[int], list[int]]], page_size: int
) -> None:
    def change(gone: Iterable[int], new: Iterable[int]) -> Callable[[list[int]], None]:
        def apply(things: list[int]) -> None:
            remove(*gone)(things)
            insert(*(each for each in new if each not in things))(things)

        return apply

    server = Server([*range(20)], [change(set(gone), set(new)) for gone, new in changes])
    found = await ids(server.read(page_size))
    assert len(set(found)) == len(found)
    if not any(new for _, new in changes):  # no newcomer hides from the total that another left
        assert set(server.things) <= set(found)


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "3"])
def test_a_limit_that_is_none_is_refused_at_once(limit: Any) -> None:  # noqa: ANN401
    with pytest.raises((TypeError, ValueError), match="limit must be"):
        Server([]).read(limit=limit)
