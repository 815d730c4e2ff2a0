"""Reading in threads: in order, a little ahead, and nobody waits for them in the end."""

import asyncio
import threading
from collections.abc import Iterator
from functools import partial
from itertools import chain

import pytest

from duvo_async._threads import ReadAhead, apart
from tests.support.files import in_thread, join_readers, readers_end

pytestmark = pytest.mark.anyio


async def test_items_come_in_order() -> None:
    ahead = ReadAhead(iter(range(1000)), 3)
    assert [await ahead.next(None) for _ in range(1000)] == [*range(1000)]
    assert [await ahead.next(-1) for _ in range(3)] == [-1] * 3


async def test_they_are_read_in_another_thread() -> None:
    def items() -> Iterator[int]:
        yield threading.get_ident()
        yield threading.get_ident()

    ahead = ReadAhead(items(), 1)
    first, second = await ahead.next(None), await ahead.next(None)
    assert first == second != threading.get_ident()


@pytest.mark.parametrize("depth", [1, 2, 5])
async def test_no_more_than_so_many_are_read_ahead(depth: int) -> None:
    reached = threading.Semaphore(0)
    given = 0

    def items() -> Iterator[int]:
        nonlocal given
        for number in range(100):
            given = number + 1
            reached.release()
            yield number

    ahead = ReadAhead(items(), depth)
    for taken in range(20):
        # Each that is taken makes room for one more, and no more than that.
        for _ in range(depth if taken == 0 else 1):
            await in_thread(reached.acquire)
        assert not await in_thread(partial(reached.acquire, timeout=0.001))
        assert given == taken + depth
        assert await ahead.next(None) == taken
    ahead.close()
    await readers_end()
    assert given <= 20 + depth


async def test_an_error_comes_after_what_was_read_and_once() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise LookupError("no more")

    ahead = ReadAhead(items(), 5)
    assert [await ahead.next(None), await ahead.next(None)] == [1, 2]
    with pytest.raises(LookupError, match="no more"):
        await ahead.next(None)
    assert [await ahead.next(-1), await ahead.next(-1)] == [-1, -1]


async def test_several_may_take() -> None:
    ahead = ReadAhead(iter(range(500)), 4)

    async def take() -> list[int]:
        taken: list[int] = []
        while (item := await ahead.next(None)) is not None:
            taken.append(item)
            await asyncio.sleep(0)
        return taken

    taken = await asyncio.gather(*(take() for _ in range(7)))
    assert sorted(chain(*taken)) == [*range(500)]
    assert all(each == sorted(each) for each in taken)


async def test_one_taker_of_several_gets_the_error() -> None:
    released = threading.Event()

    def items() -> Iterator[int]:
        assert released.wait(30)
        yield 1
        raise LookupError("no more")

    ahead = ReadAhead(items(), 4)
    takers = [asyncio.create_task(ahead.next(-1)) for _ in range(5)]
    await asyncio.sleep(0)
    released.set()
    results = await asyncio.gather(*takers, return_exceptions=True)
    assert sorted(str(result) for result in results) == ["-1", "-1", "-1", "1", "no more"]


async def test_a_taker_that_gives_up_loses_nothing() -> None:
    released = threading.Event()

    def items() -> Iterator[int]:
        assert released.wait(30)
        yield from range(3)

    ahead = ReadAhead(items(), 4)
    impatient = asyncio.create_task(ahead.next(None))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    released.set()
    assert [await ahead.next(None) for _ in range(3)] == [0, 1, 2]
    ahead.close()


async def test_what_nobody_takes_is_discarded() -> None:
    discarded: list[int] = []
    full = threading.Semaphore(0)

    def items() -> Iterator[int]:
        for number in range(100):
            yield number
            full.release()

    ahead = ReadAhead(items(), 4, discarded.append)
    assert await ahead.next(None) == 0
    for _ in range(4):
        await in_thread(full.acquire)
    ahead.close()
    await readers_end()
    assert discarded[:3] == [1, 2, 3]
    assert discarded == [*range(1, 1 + len(discarded))]
    assert len(discarded) <= 5
    assert await ahead.next(-1) == -1


async def test_closing_waits_for_nothing() -> None:
    begun, released = threading.Event(), threading.Event()
    discarded: list[int] = []

    def items() -> Iterator[int]:
        begun.set()
        assert released.wait(30)
        yield 1

    ahead = ReadAhead(items(), 2, discarded.append)
    await in_thread(begun.wait)
    waiting = asyncio.create_task(ahead.next(-1))
    await asyncio.sleep(0)
    ahead.close()  # while the thread is at it
    assert await waiting == -1
    assert not discarded
    released.set()
    await readers_end()
    assert discarded == [1]


async def test_closing_twice_does_no_harm() -> None:
    ahead = ReadAhead(iter([1, 2]), 1)
    assert await ahead.next(None) == 1
    ahead.close()
    ahead.close()
    assert await ahead.next(None) is None
    await readers_end()


def test_a_loop_may_end_before_its_threads() -> None:
    released = threading.Event()
    discarded: list[int] = []

    def items() -> Iterator[int]:
        assert released.wait(30)
        yield 1

    def work() -> int:
        assert released.wait(30)
        return 1

    async def leave() -> None:
        ahead = ReadAhead(items(), 2, discarded.append)
        taker = asyncio.create_task(ahead.next(None))
        worker = asyncio.create_task(apart(work))
        await asyncio.sleep(0)
        taker.cancel()
        worker.cancel()
        await asyncio.gather(taker, worker, return_exceptions=True)
        ahead.close()

    asyncio.run(leave())
    released.set()
    join_readers()
    assert discarded == [1]


# --- apart ---------------------------------------------------------------------------------------


async def test_work_is_done_in_a_thread_of_its_own() -> None:
    threads = {await apart(threading.get_ident), threading.get_ident()}
    assert len(threads) == 2


async def test_what_it_raises_is_raised() -> None:
    def fail() -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await apart(fail)


async def test_work_that_is_given_up_goes_on_alone() -> None:
    begun, released, done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert released.wait(30)
        done.set()
        raise LookupError("nobody listens")

    working = asyncio.create_task(apart(work))
    await in_thread(begun.wait)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert not done.is_set()
    released.set()
    await readers_end()
    assert done.is_set()


async def test_many_work_at_a_time() -> None:
    barrier = threading.Barrier(40)
    numbers = await asyncio.gather(*(apart(lambda: barrier.wait(30)) for _ in range(40)))
    assert sorted(numbers) == [*range(40)]
