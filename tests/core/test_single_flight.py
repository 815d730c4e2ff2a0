"""One fetches, all get what came of it."""

import asyncio
import traceback

import pytest
from attrs import define, field

from duvo_async import APIConnectionError
from duvo_async._single_flight import SingleFlight

pytestmark = pytest.mark.anyio


@define
class Fetching:
    """Fetches numbers, or fails."""

    failure: Exception | None = None
    number: int = 0
    may_land: asyncio.Event = field(factory=asyncio.Event)

    async def __call__(self) -> int:
        self.number += 1
        number = self.number
        await self.may_land.wait()
        if self.failure is not None:
            raise self.failure
        return number


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_all_who_ask_meanwhile_get_the_same() -> None:
    fetching = Fetching()
    flight = SingleFlight(fetching)
    first = [asyncio.create_task(flight.join()) for _ in range(10)]
    await settle()
    later = [asyncio.create_task(flight.join()) for _ in range(10)]
    await settle()
    fetching.may_land.set()
    assert await asyncio.gather(*first, *later) == [1] * 20
    assert fetching.number == 1


async def test_who_asks_afterwards_gets_a_new_one() -> None:
    fetching = Fetching()
    fetching.may_land.set()
    flight = SingleFlight(fetching)
    assert [await flight.join(), await flight.join()] == [1, 2]


async def test_a_failure_is_everybodys_and_each_has_an_error_of_their_own() -> None:
    failure = APIConnectionError("no", method="POST", path="host/path")
    fetching = Fetching(failure)
    flight = SingleFlight(fetching)
    tasks = [asyncio.create_task(flight.join()) for _ in range(5)]
    await settle()
    fetching.may_land.set()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert fetching.number == 1
    assert len({id(end) for end in ends}) == 5
    for end in ends:
        assert isinstance(end, APIConnectionError)
        assert str(end) == str(failure)
        assert end.__context__ is None
        assert len(list(traceback.walk_tb(end.__traceback__))) < 5
    fetching.failure = None
    assert await flight.join() == 2


async def test_when_the_first_is_cancelled_the_next_fetches() -> None:
    fetching = Fetching()
    flight = SingleFlight(fetching)
    first, *others = [asyncio.create_task(flight.join()) for _ in range(5)]
    await settle()
    first.cancel()
    await settle()
    assert first.cancelled()
    fetching.may_land.set()
    assert await asyncio.gather(*others) == [2] * 4


async def test_one_who_waits_may_be_cancelled() -> None:
    fetching = Fetching()
    flight = SingleFlight(fetching)
    first, second, third = [asyncio.create_task(flight.join()) for _ in range(3)]
    await settle()
    second.cancel()
    await settle()
    fetching.may_land.set()
    assert [await first, await third] == [1, 1]
    assert second.cancelled()


async def test_all_may_be_cancelled() -> None:
    fetching = Fetching()
    flight = SingleFlight(fetching)
    tasks = [asyncio.create_task(flight.join()) for _ in range(3)]
    await settle()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    fetching.may_land.set()
    assert await flight.join() == 2


def test_it_outlives_its_loop() -> None:
    numbers = iter(range(9))

    async def fetch() -> int:
        await asyncio.sleep(0)
        return next(numbers)

    flight = SingleFlight(fetch)

    async def several() -> list[int]:
        return await asyncio.gather(*(flight.join() for _ in range(3)))

    assert [asyncio.run(several()) for _ in range(2)] == [[0] * 3, [1] * 3]


def test_a_loop_that_ended_in_the_middle_leaves_nothing_behind() -> None:
    fetching = Fetching()
    flight = SingleFlight(fetching)

    async def begin() -> None:
        tasks = [asyncio.create_task(flight.join()) for _ in range(3)]
        await settle()
        assert not any(task.done() for task in tasks)

    async def again() -> int:
        fetching.may_land = asyncio.Event()
        fetching.may_land.set()
        return await flight.join()

    asyncio.run(begin())
    assert asyncio.run(again()) == fetching.number
