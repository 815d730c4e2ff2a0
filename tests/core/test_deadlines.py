"""Deadlines: what takes too long is cancelled, and nobody else's cancellation is taken for that."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from duvo_async._deadlines import Deadlines
from tests.support.virtual_time import VirtualTimeLoop

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"debug": True, "loop_factory": lambda: VirtualTimeLoop(grace=0)}


def now() -> float:
    return asyncio.get_running_loop().time()


async def forever() -> None:
    await asyncio.Event().wait()


def cancelling() -> int:
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


async def within(
    deadlines: Deadlines, seconds: float, work: Callable[[], Awaitable[object]]
) -> str:
    """Do something with a deadline; tell how it ended."""
    task = deadlines.begin(asyncio.get_running_loop(), seconds)
    try:
        await work()
    except asyncio.CancelledError:
        if not deadlines.is_why(task):
            raise
        return "late"
    finally:
        deadlines.end(task)
    return "done"


async def test_what_takes_too_long_is_given_up_at_its_time() -> None:
    assert await within(Deadlines(), 7, forever) == "late"
    assert now() == 7
    assert not cancelling()


async def test_what_ends_in_time_is_left_alone() -> None:
    deadlines = Deadlines()
    assert await within(deadlines, 7, lambda: asyncio.sleep(6)) == "done"
    await asyncio.sleep(60)
    assert not cancelling()


async def test_each_has_its_own_time() -> None:
    deadlines = Deadlines()
    ended: list[tuple[float, int]] = []

    async def work(seconds: int) -> None:
        assert await within(deadlines, seconds, forever) == "late"
        ended.append((now(), seconds))

    await asyncio.gather(*map(work, [9, 3, 5, 30, 3, 4]))
    assert ended == [(each, each) for each in [3, 3, 4, 5, 9, 30]]


async def test_one_timer_does_for_many() -> None:
    deadlines, loop = Deadlines(), asyncio.get_running_loop()
    assert isinstance(loop, asyncio.BaseEventLoop)
    for _ in range(100):
        assert await within(deadlines, 30, lambda: asyncio.sleep(0)) == "done"
    timers: list[object] = loop._scheduled  # type: ignore[attr-defined] # noqa: SLF001 - there is no other way to see them
    assert len(timers) == 1


async def test_the_cancellation_of_somebody_else_is_passed_on() -> None:
    task = asyncio.create_task(within(Deadlines(), 7, forever))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("before", [True, False])
async def test_so_is_one_at_the_very_moment(*, before: bool) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(within(Deadlines(), 7, forever))
    if before:
        loop.call_at(7, task.cancel)
    await asyncio.sleep(0)
    if not before:
        loop.call_at(7, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_time_out_around_it_has_its_own_say() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(7):
            await within(Deadlines(), 7, forever)
    assert not cancelling()


async def test_a_cancellation_that_gets_lost_is_taken_back() -> None:
    async def deaf() -> None:
        with suppress(asyncio.CancelledError):
            await forever()

    assert await within(Deadlines(), 7, deaf) == "done"
    assert not cancelling()


async def test_it_works_in_a_task_that_is_being_cancelled() -> None:
    ended: list[str] = []

    async def cleans_up() -> None:
        try:
            await forever()
        finally:
            ended.append(await within(Deadlines(), 7, forever))

    task = asyncio.create_task(cleans_up())
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["late"]
    assert now() == 8


async def test_what_is_closed_rings_no_more() -> None:
    deadlines = Deadlines()
    deadlines.begin(asyncio.get_running_loop(), 7)
    deadlines.close()
    await asyncio.sleep(60)
    assert not cancelling()


async def test_one_that_is_over_as_it_is_closed_is_still_why() -> None:
    deadlines = Deadlines()
    asyncio.get_running_loop().call_at(
        7, lambda: asyncio.get_running_loop().call_soon(deadlines.close)
    )
    assert await within(deadlines, 7, forever) == "late"


def test_it_goes_on_in_the_next_loop() -> None:
    deadlines = Deadlines()

    async def leave() -> None:
        deadlines.begin(asyncio.get_running_loop(), 5)

    ended: str | None = None
    for work in (leave(), within(deadlines, 7, forever)):
        with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(grace=0)) as runner:
            ended = runner.run(work)
    assert ended == "late"  # and the task of the loop before was left alone
