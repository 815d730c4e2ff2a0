"""Turns, on loops whose time is virtual, and on two loops in two threads."""

import asyncio
import gc
import os
import subprocess
import sys
import textwrap
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import permutations
from random import Random
from threading import Event, Lock
from typing import Any
from unittest.mock import Mock
from weakref import ReferenceType, ref

import pytest

from duvo_async import AsyncDuvo, _turns
from duvo_async._pacing import Budget, Lane
from duvo_async._protocol import Window
from duvo_async._turns import Limits, Turns, forget_all, turns_for
from duvo_async.emulator import Emulator, Sleep
from duvo_async.settings import Settings
from tests.support.in_memory import client_of
from tests.support.virtual_time import VirtualTimeLoop

pytestmark = pytest.mark.anyio

KEY = "dv_0123456789abcdefghijABCDEFGHIJ01"
CALL, START, POLL = Lane


def spent(seconds: float = 10.0) -> Turns:
    """Turns of which none is left, for so many seconds."""
    budget = Budget()
    budget.observe(Window(300, 0, seconds), 0.0, 0)
    return Turns(budget)


async def two_under_way(lane: Lane = CALL) -> Turns:
    """Turns of which the next comes when one of two requests has ended."""
    turns = Turns(Budget(processes=2))
    assert [await turns.wait(lane, hurried=True) for _ in range(2)] == [1, 2]
    return turns


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def now() -> float:
    return asyncio.get_running_loop().time()


async def room(turns: Turns) -> int:
    """Send all that may be sent now."""
    sent = 0
    while turns.budget.acquire(CALL, now()) == 0:
        sent += 1
    return sent


def is_idle(turns: Turns) -> bool:
    """Tell whether nobody waits, and no timer is left for who did where a loop still runs."""
    timers = [loop for loop in turns._timers if not loop.is_closed()]  # noqa: SLF001 - what is left
    return not any(turns._lines) and not timers  # noqa: SLF001 - the same


class Queue:
    """Waits for turns, and remembers in which order they came.

    Args:
        turns: Come.
        ends: Whether requests end as soon as they are sent.
    """

    def __init__(self, turns: Turns, *, ends: bool = False) -> None:
        self.turns = turns
        self.ends = ends
        self.came: list[str] = []
        self.tasks: dict[str, asyncio.Task[int]] = {}

    async def join(self, name: str, lane: Lane, *, hurried: bool = False) -> None:
        """Get in line."""

        async def wait() -> int:
            number = await self.turns.wait(lane, hurried=hurried)
            self.came.append(name)
            if self.ends:
                self.turns.release(number)
            return number

        self.tasks[name] = asyncio.ensure_future(wait())
        await asyncio.sleep(0)

    async def all_came(self) -> list[int]:
        return await asyncio.gather(*self.tasks.values())


# --- whose turn it is ----------------------------------------------------------------------------


async def test_a_turn_that_is_free_comes_at_once() -> None:
    turns = Turns(Budget())
    assert [await turns.wait(lane) for lane in Lane] == [1, 2, 3]
    assert now() == 0
    assert is_idle(turns)


async def test_a_turn_comes_when_the_window_opens() -> None:
    turns = spent(10)
    assert await turns.wait(CALL) == 1
    assert now() == 10
    assert is_idle(turns)


@pytest.mark.parametrize("order", list(permutations(Lane)), ids=str)
async def test_calls_go_before_starts_before_polls(order: tuple[Lane, ...]) -> None:
    queue = Queue(spent())
    for number in range(3):
        for lane in order:
            await queue.join(f"{lane.name} {number}", lane, hurried=True)
    numbers = await queue.all_came()
    assert queue.came == [f"{lane.name} {number}" for lane in Lane for number in range(3)]
    assert now() == 10
    assert sorted(numbers) == [*range(1, 10)]
    assert is_idle(queue.turns)


async def test_each_request_that_ends_lets_the_next_one_go() -> None:
    queue = Queue(await two_under_way())
    for name, lane in (("p", POLL), ("s1", START), ("s2", START), ("c1", CALL), ("c2", CALL)):
        await queue.join(name, lane, hurried=True)
    came = ["c1", "c2", "s1", "s2", "p"]
    for ended in range(6):
        await settle()
        assert queue.came == came[:ended]
        queue.turns.release(ended + 1)
    assert await queue.all_came() == [7, 5, 6, 3, 4]
    assert is_idle(queue.turns)


async def test_who_comes_later_in_a_lane_does_not_go_first() -> None:
    queue = Queue(await two_under_way())
    await queue.join("first", CALL)
    queue.turns.release(1)  # its turn has come, and it has not heard of it
    await queue.join("second", CALL)
    queue.turns.release(2)
    await queue.all_came()
    assert queue.came == ["first", "second"]


@pytest.mark.parametrize("lane", Lane)
async def test_nor_does_who_comes_as_the_window_opens(lane: Lane) -> None:
    queue = Queue(spent(10))
    await queue.join("first", lane, hurried=True)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop.now = 10  # it was busy: the timer has yet to ring
    await queue.join("second", lane, hurried=True)
    assert await queue.all_came() == [1, 2]


@pytest.mark.parametrize(("first", "later"), [(CALL, START), (CALL, POLL), (START, POLL)])
async def test_nor_does_who_comes_then_in_a_later_lane(first: Lane, later: Lane) -> None:
    queue = Queue(spent(10))
    await queue.join("first", first)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop.now = 10  # it was busy: the timer has yet to ring
    await queue.join("later", later)
    assert await queue.all_came() == [1, 2]


@pytest.mark.parametrize("lane", [CALL, START])
async def test_a_lane_is_first_come_first_served(lane: Lane) -> None:
    queue = Queue(spent(), ends=True)
    for number in range(1_000):
        await queue.join(str(number), lane)
    await queue.all_came()
    assert queue.came == [str(number) for number in range(1_000)]
    assert now() == 190  # three windows and some of 300 or 270, after the one that was spent


async def test_while_starts_wait_polls_have_their_share() -> None:
    queue = Queue(spent(), ends=True)
    queue.turns.budget.share = 0.105  # 31.5 requests
    for number in range(300):
        await queue.join(f"s{number}", START)
    for number in range(32):
        await queue.join(f"p{number}", POLL, hurried=True)
    await queue.tasks["p30"]
    assert now() == 10
    await settle()
    assert queue.came[:239] == [f"s{number}" for number in range(239)]
    assert queue.came[239:] == [f"p{number}" for number in range(31)]
    await queue.all_came()
    assert now() == 70
    assert queue.came[-1] == "p31"


async def test_polls_come_evenly_and_the_hurried_at_once() -> None:
    turns = Turns(Budget())
    moments: list[float] = []
    for hurried in (False, False, False, True, True):
        await turns.wait(POLL, hurried=hurried)
        moments.append(now())
    apart = 60 / 270
    assert moments == pytest.approx([0, apart, 2 * apart, 2 * apart, 2 * apart])


async def test_who_may_go_sooner_does_not_wait_for_the_timer_of_others() -> None:
    queue = Queue(Turns(Budget(share=0.1)))
    for number in range(241):
        await queue.join(f"s{number}", START)
    for number in range(3):
        await queue.join(f"p{number}", POLL)
    await queue.tasks["p2"]
    assert now() == pytest.approx(4)  # of thirty in a minute the third
    assert not queue.tasks.pop("s240").done()


async def test_a_call_passes_polls_that_are_spread() -> None:
    queue = Queue(Turns(Budget()))
    for name in ("p1", "p2", "p3"):
        await queue.join(name, POLL)
    await queue.join("c", CALL)
    await settle()
    assert queue.came == ["p1", "c"]
    await queue.all_came()
    assert queue.came == ["p1", "c", "p2", "p3"]


async def test_a_pause_stops_those_who_come_and_those_who_wait() -> None:
    turns = spent(10)
    queue = Queue(turns)
    await queue.join("waits", CALL)
    turns.pause(25)
    await queue.join("comes", CALL)
    await queue.all_came()
    assert now() == 25
    assert is_idle(turns)


async def test_a_loop_may_give_handles_that_only_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    """As uvloop does for what is due at once."""
    loop = asyncio.get_running_loop()
    call_at = loop.call_at
    handles: list[Mock] = []

    def mute(*given: Any) -> Mock:  # noqa: ANN401 - as asyncio takes them
        handles.append(Mock(spec=["cancel"], cancel=call_at(*given).cancel))
        return handles[-1]

    monkeypatch.setattr(loop, "call_at", mute)
    turns = spent()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(turns.wait(CALL))
        await settle()
        assert len(handles) == 1
        turns.pause(20)
    assert now() == 20


async def test_what_responses_say_counts() -> None:
    turns = Turns(Budget())
    number = await turns.wait(CALL)
    await turns.wait(CALL)
    turns.release(number, Window(300, 1, 20), now())  # which the second has taken
    await turns.wait(CALL)
    assert now() == 20


# --- turns that are given back -------------------------------------------------------------------


@pytest.mark.no_cover
async def test_cancelled_waiters_leave_nothing() -> None:
    turns = spent(10)
    tasks = [asyncio.ensure_future(turns.wait(list(Lane)[number % 3])) for number in range(2_000)]
    await asyncio.sleep(0)
    assert not is_idle(turns)
    Random(1).shuffle(tasks)  # noqa: S311 - an order
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(each) for each in ended} == {asyncio.CancelledError}
    assert is_idle(turns)
    assert turns.budget.number == 0
    assert now() == 0
    await turns.wait(CALL)
    assert now() == 10
    assert await room(turns) == 299


async def test_the_timer_of_who_still_waits_stays() -> None:
    turns = spent(10)
    queue = Queue(turns)
    await queue.join("leaves", START)
    await queue.join("stays", POLL)
    queue.tasks.pop("leaves").cancel()
    await queue.all_came()
    assert now() == 10


@pytest.mark.parametrize("lane", Lane)
async def test_a_waiter_cancelled_as_its_turn_comes_gives_it_to_the_next(lane: Lane) -> None:
    turns = await two_under_way(lane)
    queue = Queue(turns)
    await queue.join("leaves", lane, hurried=True)
    await queue.join("next", lane, hurried=True)
    turns.release(1)
    queue.tasks["leaves"].cancel()
    assert await queue.tasks["next"] == 4
    assert queue.came == ["next"]
    assert queue.tasks["leaves"].cancelled()
    assert is_idle(turns)
    turns.release(2)
    turns.release(4)
    assert await room(turns) == 2


@pytest.mark.parametrize("lane", Lane)
async def test_a_turn_that_comes_as_its_waiter_is_cancelled_goes_to_the_next(lane: Lane) -> None:
    turns = await two_under_way(lane)
    queue = Queue(turns)
    await queue.join("leaves", lane, hurried=True)
    await queue.join("next", lane, hurried=True)
    queue.tasks["leaves"].cancel()
    turns.release(1)
    assert await queue.tasks["next"] == 4
    assert queue.came == ["next"]
    assert queue.tasks["leaves"].cancelled()
    await settle()
    assert is_idle(turns)
    turns.release(2)
    turns.release(4)
    assert await room(turns) == 2


async def test_turns_of_many_who_were_cancelled_as_they_came_go_to_others() -> None:
    queue = Queue(spent(10))

    async def first() -> None:
        await queue.turns.wait(CALL)
        for number in range(299):
            queue.tasks[str(number)].cancel()

    cancelling = asyncio.ensure_future(first())
    await asyncio.sleep(0)
    for number in range(299 * 2):
        await queue.join(str(number), CALL)
    await asyncio.gather(cancelling, *queue.tasks.values(), return_exceptions=True)
    assert queue.came == [str(number) for number in range(299, 299 * 2)]
    assert now() == 10
    assert is_idle(queue.turns)
    assert await room(queue.turns) == 0


@pytest.mark.parametrize("lane", Lane)
async def test_what_was_not_sent_lets_the_next_one_go(lane: Lane) -> None:
    turns = await two_under_way(lane)
    queue = Queue(turns)
    await queue.join("next", CALL)
    turns.refund(1)
    assert await queue.all_came() == [3]
    assert now() == 0
    assert is_idle(turns)


async def test_what_was_not_sent_makes_room_in_the_window() -> None:
    turns = Turns(Budget())
    for _ in range(300):
        await turns.wait(CALL)
    queue = Queue(turns)
    await queue.join("next", CALL)
    turns.refund(7)
    await queue.all_came()
    assert now() == 0


# --- several loops -------------------------------------------------------------------------------


def test_a_release_in_one_loop_wakes_the_other() -> None:
    turns = Turns(Budget(processes=2))
    in_line = Event()

    async def other() -> int:
        task = asyncio.ensure_future(turns.wait(CALL))
        await asyncio.sleep(0)
        in_line.set()
        return await asyncio.wait_for(task, 30)

    async def both() -> int:
        assert [await turns.wait(CALL) for _ in range(2)] == [1, 2]
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(asyncio.run, other())
            assert in_line.wait(30)
            turns.release(1)
            return waiting.result(30)

    assert asyncio.run(both()) == 3
    assert is_idle(turns)


def test_many_loops_share_the_turns() -> None:
    turns = Turns(Budget(processes=2, requests_per_minute=100_000))
    guard = Lock()
    under_way: list[int] = []
    most: list[int] = []
    numbers: list[int] = []

    async def send(seed: int) -> None:
        random = Random(seed)  # noqa: S311 - an order
        for _ in range(20):
            wait = asyncio.ensure_future(turns.wait(random.choice(list(Lane)), hurried=True))
            await asyncio.sleep(0)
            if random.random() < 0.2 and wait.cancel():
                with suppress(asyncio.CancelledError):
                    await wait
                continue
            number = await wait
            with guard:
                numbers.append(number)
                under_way.append(number)
                most.append(len(under_way))
            await asyncio.sleep(0)
            with guard:
                under_way.remove(number)
            turns.release(number)

    async def loop(first: int) -> None:
        sends = asyncio.gather(*(send(first + number) for number in range(8)))
        await asyncio.wait_for(sends, 30)

    with ThreadPoolExecutor(4) as pool:
        for ended in [pool.submit(asyncio.run, loop(number * 8)) for number in range(4)]:
            ended.result(60)
    assert len(numbers) == len(set(numbers)) > 300
    assert max(most) <= 2
    assert is_idle(turns)

    async def end() -> int:
        return await room(turns)

    assert asyncio.run(end()) == 2  # none of them is thought to be under way


def park(loop: asyncio.AbstractEventLoop, wait: Coroutine[object, object, int]) -> None:
    """Let somebody get in line in a loop that then stands still."""

    async def step() -> None:
        wait.send(None)

    loop.run_until_complete(step())


@pytest.mark.parametrize("lane", Lane)
def test_a_closed_loops_waiter_swallows_no_turn(lane: Lane) -> None:
    turns = Turns(Budget(processes=2))
    gone = turns.wait(lane)
    with closing(VirtualTimeLoop(0)) as loop:
        assert [loop.run_until_complete(turns.wait(CALL)) for _ in range(2)] == [1, 2]
        with closing(VirtualTimeLoop(0)) as other:
            park(other, gone)

        async def go_on() -> int:
            turns.release(1)
            return await turns.wait(lane, hurried=True)

        assert loop.run_until_complete(go_on()) == 4
        assert is_idle(turns)

        async def left() -> int:
            return await room(turns)

        assert loop.run_until_complete(left()) == 0
        turns.budget.release(2)
        turns.budget.release(4)
        assert loop.run_until_complete(left()) == 2
    gone.close()


def test_each_loop_has_a_timer_of_its_own() -> None:
    turns = spent(10)
    gone = turns.wait(CALL)
    with closing(VirtualTimeLoop(0)) as other:
        park(other, gone)
    with closing(VirtualTimeLoop(0)) as loop:
        assert loop.run_until_complete(turns.wait(CALL)) == 2
        assert loop.time() == 10
    gone.close()


@pytest.mark.parametrize("stood_in_line", [False, True])
@pytest.mark.parametrize("lane", [CALL, POLL])
def test_a_waiter_is_woken_though_the_loop_has_ended_that_would_have_done_it(
    lane: Lane, *, stood_in_line: bool
) -> None:
    turns = Turns(Budget(processes=2))

    async def get_in_line() -> asyncio.Task[int]:
        task = asyncio.ensure_future(turns.wait(lane))
        await asyncio.sleep(0)
        return task

    async def wait_in_vain() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(turns.wait(lane), 0.01)

    async def end() -> None:
        if lane is CALL:  # while a poll waits because polls are spread
            turns.pause(5)
        turns.release(1)
        turns.release(2)

    with closing(VirtualTimeLoop(0)) as other:
        with closing(VirtualTimeLoop(0)) as loop:
            for _ in range(2):
                loop.run_until_complete(turns.wait(lane, hurried=True))
            if stood_in_line:
                loop.run_until_complete(wait_in_vain())
            task = other.run_until_complete(get_in_line())
            loop.run_until_complete(end())
        assert other.run_until_complete(asyncio.wait_for(task, 100_000)) == 3
        assert 0 < other.time() <= 60  # at the latest with the next window
    assert is_idle(turns)


def test_turns_that_a_loop_never_heard_of_are_given_anew_to_who_comes_later() -> None:
    turns = Turns(Budget(processes=2))
    gone = [turns.wait(CALL) for _ in range(2)]
    with closing(VirtualTimeLoop(0)) as loop:
        with closing(VirtualTimeLoop(0)) as other:
            for _ in range(2):
                loop.run_until_complete(turns.wait(CALL))
            for each in gone:
                park(other, each)

            async def end() -> None:
                turns.release(1)
                turns.release(2)

            loop.run_until_complete(end())
        loop.now = 301
        assert loop.run_until_complete(asyncio.wait_for(turns.wait(CALL), 1)) == 5
        assert loop.run_until_complete(asyncio.wait_for(turns.wait(CALL), 1)) == 6
    for each in gone:
        each.close()


def test_who_stands_in_line_gets_the_turns_that_a_loop_never_heard_of() -> None:
    turns = Turns(Budget(processes=2))
    gone = [turns.wait(CALL) for _ in range(2)]
    with closing(VirtualTimeLoop(0)) as loop:
        with closing(VirtualTimeLoop(0)) as other:
            for _ in range(2):
                loop.run_until_complete(turns.wait(CALL))
            for each in gone:
                park(other, each)

            async def end() -> None:
                turns.release(1)
                turns.release(2)

            loop.run_until_complete(end())
        assert loop.run_until_complete(asyncio.wait_for(turns.wait(CALL), 100_000)) == 5
        assert 300 <= loop.time() <= 360
        assert is_idle(turns)
    for each in gone:
        each.close()


def test_loops_that_have_ended_are_let_go() -> None:
    turns = spent(100)
    loops: list[ReferenceType[VirtualTimeLoop]] = []

    async def get_in_line() -> asyncio.Task[int]:
        task = asyncio.ensure_future(turns.wait(CALL))
        await asyncio.sleep(0)
        return task

    async def wait_in_vain() -> None:
        task = await get_in_line()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def come_and_go() -> None:
        with closing(VirtualTimeLoop(0)) as loop:
            loop.run_until_complete(wait_in_vain())
            loops.append(ref(loop))

    with closing(VirtualTimeLoop(0)) as stays:
        task = stays.run_until_complete(get_in_line())
        for _ in range(20):
            come_and_go()
        gc.collect()
        assert sum(each() is not None for each in loops) <= 1
        assert stays.run_until_complete(task) == 1
        gc.collect()
        assert not any(each() for each in loops)


def test_a_loop_that_stands_still_is_sent_its_turn_and_nothing_else() -> None:
    turns = spent(100)
    waiting = turns.wait(CALL)
    woken: list[object] = []

    class Still(VirtualTimeLoop):
        def call_soon_threadsafe(self, *_: object, **__: object) -> asyncio.Handle:
            woken.append(self)
            return asyncio.Handle(lambda: None, (), self)

    async def come_and_go() -> None:
        tasks = [asyncio.ensure_future(turns.wait(CALL)) for _ in range(1_000)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    with closing(VirtualTimeLoop(0)) as loop, closing(Still(0)) as still:
        park(still, waiting)
        loop.run_until_complete(come_and_go())
        assert not woken
        assert loop.run_until_complete(turns.wait(CALL)) == 2
        assert len(woken) == 1
    waiting.close()


# --- clients come and go -------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_the_most_careful_client_counts_while_it_is_there(order: tuple[int, ...]) -> None:
    turns = Turns(Budget())
    clients = [Limits(), Limits(100, 1), Limits(200, 4)]
    for number in order:
        turns.join(clients[number])
    assert (turns.budget.requests_per_minute, turns.budget.processes) == (100, 4)
    turns.leave(clients[1])
    turns.leave(clients[1])
    assert (turns.budget.requests_per_minute, turns.budget.processes) == (200, 4)
    turns.leave(clients[2])
    assert (turns.budget.requests_per_minute, turns.budget.processes) == (None, 1)
    turns.leave(clients[0])
    assert (turns.budget.requests_per_minute, turns.budget.processes) == (None, 1)


def test_who_was_told_the_same_leaves_the_other_behind() -> None:
    turns = Turns(Budget())
    one, other = Limits(100, 2), Limits(100, 2)
    turns.join(one)
    turns.join(other)
    turns.leave(one)
    assert (turns.budget.requests_per_minute, turns.budget.processes) == (100, 2)


def test_a_client_that_was_dropped_counts_no_more() -> None:
    turns = Turns(Budget())
    turns.join(Limits(100, 2))  # which nobody holds
    gc.collect()
    one = Limits(200)
    turns.join(one)
    assert (turns.budget.requests_per_minute, turns.budget.processes) == (200, 1)


async def test_clients_join_when_they_are_made_and_leave_when_they_close() -> None:
    budget = turns_for(settings()).budget
    async with (
        AsyncDuvo(KEY, requests_per_minute=50, processes=2),
        AsyncDuvo(KEY, requests_per_minute=20),
        AsyncDuvo("dv_other", requests_per_minute=1, processes=9),
    ):
        assert (budget.requests_per_minute, budget.processes) == (20, 2)
    assert (budget.requests_per_minute, budget.processes) == (None, 1)


@pytest.mark.parametrize("processes", [10, 100])
async def test_a_wait_ends_whatever_the_number_of_processes(
    emulator: Emulator, processes: int
) -> None:
    async with client_of(emulator) as other:
        run = await other.runs.start(emulator.add_agent([Sleep(90)]))
    async with client_of(emulator, processes=processes) as duvo:
        assert (await duvo.runs.wait(run.id, timeout=86_400)).succeeded


# --- one budget a key ----------------------------------------------------------------------------


def settings(key: str = KEY, base_url: str = "https://api.duvo.ai") -> Settings:
    return Settings.resolve(api_key=key, base_url=base_url, team_id="team", environ={})


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.duvo.ai/",
        "https://api.duvo.ai/v1",
        "https://api.duvo.ai/v2",
        "https://api.duvo.ai/proxy/v2",
        "https://api.duvo.ai:443/v1",
        "HTTPS://API.DUVO.AI",
    ],
)
def test_clients_of_one_key_and_origin_share_their_turns(base_url: str) -> None:
    assert turns_for(settings(base_url=base_url)) is turns_for(settings())


@pytest.mark.parametrize(
    ("key", "base_url"),
    [
        (KEY + "1", "https://api.duvo.ai"),
        (KEY.lower(), "https://api.duvo.ai"),
        (KEY, "http://api.duvo.ai"),
        (KEY, "https://api.duvo.ai:8443"),
        (KEY, "https://eu.api.duvo.ai"),
        (KEY, "http://localhost"),
    ],
)
def test_other_keys_and_origins_have_turns_of_their_own(key: str, base_url: str) -> None:
    mine = turns_for(settings())
    other = turns_for(settings(key, base_url))
    assert other is not mine
    assert turns_for(settings(key, base_url)) is other
    assert turns_for(settings()) is mine


async def test_what_closed_clients_have_spent_is_still_spent() -> None:
    async with AsyncDuvo(KEY):
        await turns_for(settings()).wait(CALL)
    gc.collect()
    assert turns_for(settings()).budget.number == 1
    forget_all()
    gc.collect()
    assert turns_for(settings()).budget.number == 0


@pytest.mark.parametrize(("others", "remembered"), [(63, 1), (64, 0)])
async def test_sixty_four_keys_are_remembered(others: int, remembered: int) -> None:
    await turns_for(settings()).wait(CALL)
    for number in range(others):
        turns_for(settings(f"dv_{number}"))
    gc.collect()
    assert turns_for(settings()).budget.number == remembered


async def test_a_key_in_use_is_remembered_for_as_long_as_it_is() -> None:
    turns = turns_for(settings())
    for number in range(1_000):
        turns_for(settings(f"dv_{number}"))
    assert turns_for(settings()) is turns


async def test_the_key_shows_nowhere() -> None:
    turns = turns_for(settings())
    waiting = asyncio.ensure_future(spent().wait(CALL))
    await turns.wait(CALL)
    shown = [turns, vars(turns), turns.budget, dict(_turns._by_key), list(_turns._recent)]  # noqa: SLF001 - what is kept
    assert KEY not in repr(shown)
    assert KEY.removeprefix("dv_") not in repr(shown)
    waiting.cancel()


# --- after a fork --------------------------------------------------------------------------------


def forked(body: str) -> str:
    """Run a program in which a child uses what it was forked with, and give what it prints."""
    program = """
        import asyncio, os, signal
        from threading import Event, Thread
        from time import monotonic
        from duvo_async._pacing import Budget, Lane
        from duvo_async._protocol import Window
        from duvo_async._turns import turns_for
        from duvo_async.settings import Settings

        turns = turns_for(Settings.resolve(api_key="dv_key", environ={}))

        def in_child(turns):
            if (child := os.fork()) == 0:
                signal.alarm(20)  # a child that hangs must not stay
                try:
                    print(asyncio.run(turns.wait(Lane.CALL)), flush=True)
                finally:
                    os._exit(0)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)

    """
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program) + textwrap.dedent(body)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stderr == ""
    return ended.stdout


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


@needs_fork
def test_after_a_fork_the_lock_is_free_that_another_thread_held() -> None:
    program = """
        held, forked = Event(), Event()
        def hold():
            with turns._lock:
                held.set()
                forked.wait(60)
        thread = Thread(target=hold)
        thread.start()
        held.wait(60)
        in_child(turns)
        print(turns._lock.locked(), flush=True)
        forked.set()
        thread.join()
    """
    assert forked(program).split() == ["1", "0", "True"]


@needs_fork
def test_after_a_fork_nobody_waits_who_was_left_behind() -> None:
    program = """
        turns.budget.observe(Window(300, 0, 60.0), monotonic(), 0)
        behind = turns.wait(Lane.CALL)
        async def park():
            behind.send(None)
        loop = asyncio.new_event_loop()
        loop.run_until_complete(park())
        if (child := os.fork()) == 0:
            turns.budget = Budget()
            signal.alarm(20)
            print(asyncio.run(turns.wait(Lane.CALL)), flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print(*map(len, turns._lines), flush=True)
        behind.close()
        loop.close()
    """
    assert forked(program).split() == ["1", "1", "0", "0"]


@needs_fork
def test_after_a_fork_the_child_knows_what_was_spent() -> None:
    program = """
        for _ in range(7):
            assert turns.budget.acquire(Lane.CALL, monotonic()) == 0
            turns.budget.release(turns.budget.number)
        in_child(turns)
    """
    assert forked(program).split() == ["8", "0"]


@needs_fork
def test_after_a_fork_nothing_is_under_way_that_the_parent_sent() -> None:
    program = """
        turns.budget.processes = 2
        for _ in range(2):
            assert turns.budget.acquire(Lane.CALL, monotonic()) == 0
        in_child(turns)
        print(turns.budget.acquire(Lane.CALL, monotonic()))
    """
    child, code, parent = forked(program).split()
    assert (child, code) == ("3", "0")
    assert 0 < float(parent) <= 60  # there, both are
