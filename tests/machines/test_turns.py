"""Turns that processes share, on virtual time and a real Redis: also one that goes and comes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
import redis as redis_package

from duvo_async._pacing import Lane
from duvo_async._protocol import Window
from duvo_async._redis.link import PATIENCE, Link
from duvo_async._redis.script import Word
from duvo_async._redis.turns import SharedTurns
from duvo_async._turns import Limits
from duvo_async.credentials import Secret
from tests.support.machines import HeldLink, Key
from tests.support.redis_server import RedisServer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("_no_leaked_tasks")]

CALL, START, POLL = Lane
LIMIT = 300


@asynccontextmanager
async def process(
    key: Key, *, processes: int = 2, reserve: float = 0.0
) -> AsyncIterator[SharedTurns]:
    """Be one of several processes."""
    turns, limits = key.turns(reserve=reserve), Limits(processes=processes)
    turns.join(limits)
    try:
        yield turns
    finally:
        turns.leave(limits)
        await turns.close()


def now() -> float:
    return asyncio.get_running_loop().time()


async def told(turns: SharedTurns) -> None:
    """Let all be told that is to be told."""
    while tasks := [desk.task for desk in turns._desks.values() if desk.task]:  # noqa: SLF001 - its own
        await asyncio.wait(tasks)


async def spend(turns: SharedTurns, most: int = 400, lane: Lane = CALL) -> int:
    """Send all that may be sent now, and let it end without telling."""
    waiting = [asyncio.create_task(turns.wait(lane, hurried=True)) for _ in range(most)]
    await asyncio.sleep(0)
    await told(turns)
    await asyncio.sleep(0)
    sent = [task.result() for task in waiting if task.done()]
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    for number in sent:
        turns.release(number)
    await told(turns)
    return len(sent)


@pytest.fixture
def key(redis: RedisServer) -> Key:
    return Key(redis.url)


# --- with Redis ----------------------------------------------------------------------------------


async def test_processes_spend_one_budget(key: Key) -> None:
    async with process(key, processes=1) as one, process(key, processes=1) as other:
        assert await spend(one, 200) == 200
        assert await spend(other) == 100
        assert await spend(one) == await spend(other) == 0
        await asyncio.sleep(60)
        assert await spend(other) == 300


async def test_who_waits_is_let_go_when_the_window_ends(key: Key) -> None:
    async with process(key, processes=1) as one, process(key, processes=1) as other:
        assert await spend(one) == 300
        number = await other.wait(CALL)
        assert now() == pytest.approx(60, abs=0.1)
        other.release(number)


async def test_a_response_tells_all(key: Key) -> None:
    async with process(key, processes=1) as one, process(key, processes=1) as other:
        number = await one.wait(CALL)
        one.release(number, Window(LIMIT, 40, 12.0), now())
        await told(one)
        assert await spend(other) == 40
        await other.wait(CALL)
        assert now() == pytest.approx(12, abs=0.1)


async def test_a_margin_is_left_for_when_redis_fails(key: Key) -> None:
    async with process(key, processes=7) as one:
        assert await spend(one) == 286


async def test_many_ask_at_once(key: Key) -> None:
    questions: list[int] = []

    class Counting(HeldLink):
        async def ask(self, words: Sequence[Word]) -> object:
            questions.append(len(str(words[7])))
            return await super().ask(words)

    counting = Counting(Secret(key.url), key.name)
    async with process(key, processes=1) as turns:
        turns._make_link = lambda: counting  # noqa: SLF001 - to count
        numbers = await asyncio.gather(*(turns.wait(CALL) for _ in range(100)))
        assert len(set(numbers)) == 100
        assert questions in ([1, 99], [100])


async def test_the_lanes_and_those_in_them_keep_their_order(key: Key) -> None:
    went: list[str] = []

    async def go(turns: SharedTurns, lane: Lane, name: str) -> None:
        turns.release(await turns.wait(lane, hurried=True))
        went.append(name)

    async with process(key, processes=1) as one, process(key, processes=1) as other:
        assert await spend(one) == 300
        # Each of these is asked for, and has to wait on.
        tasks = [
            asyncio.create_task(go(other, lane, f"{lane.name} {number}"))
            for lane in (POLL, START, CALL)
            for number in range(4)
        ]
        await asyncio.gather(*tasks)
        assert now() == pytest.approx(60, abs=0.1)
        assert went == [f"{lane.name} {number}" for lane in Lane for number in range(4)]


async def test_one_that_is_cancelled_while_redis_is_asked_costs_nothing(key: Key) -> None:
    async with process(key, processes=1) as one, process(key, processes=1) as other:
        asking = asyncio.create_task(one.wait(CALL))
        await asyncio.sleep(0)
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
        await told(one)
        assert await spend(other) == 300
        await asyncio.sleep(60)
        assert await spend(one) == 300


@pytest.mark.parametrize("lane", Lane)
async def test_what_is_not_sent_is_given_back_to_all(key: Key, lane: Lane) -> None:
    async with process(key, processes=1) as one, process(key, processes=1) as other:
        for _ in range(5):
            one.refund(await one.wait(lane))
            await told(one)
        assert await spend(other) == 300


async def test_one_that_is_told_to_be_quiet_makes_all_quiet(key: Key) -> None:
    async with process(key) as one, process(key) as other:
        one.release(await one.wait(CALL))
        one.pause(7)
        await told(one)
        number = await other.wait(CALL)
        assert now() == pytest.approx(7, abs=0.1)
        other.release(number)


async def test_what_this_process_was_told_counts_too(key: Key) -> None:
    turns, limits = key.turns(), Limits(requests_per_minute=10)
    turns.join(limits)
    assert await spend(turns) == 10
    await turns.close()


async def test_polls_are_spread_over_all(key: Key) -> None:
    went: dict[int, list[float]] = {0: [], 1: []}

    async def poll(turns: SharedTurns, number: int) -> None:
        while now() < 59:
            turns.release(await turns.wait(POLL))
            went[number].append(now())

    async with process(key, processes=1) as one, process(key, processes=1) as other:
        await asyncio.gather(poll(one, 0), poll(other, 1))
    assert 280 <= len(went[0]) + len(went[1]) <= 300
    assert min(len(went[0]), len(went[1])) > 80  # chance decides who is first
    in_a_second = [sum(at // 1 == second for at in went[0] + went[1]) for second in range(58)]
    assert max(in_a_second) <= 8


async def test_redis_may_forget_the_script(key: Key, redis: RedisServer) -> None:
    async with process(key, processes=1) as turns:
        assert await spend(turns, 10) == 10
        with redis_package.Redis(port=redis.port) as client:
            client.script_flush()
        assert await spend(turns) == 290
        assert not turns.narrow


async def test_the_connection_is_given_back(key: Key, redis: RedisServer) -> None:
    async with process(key) as turns:
        turns.release(await turns.wait(CALL))
        await turns.close()
        turns.release(await turns.wait(CALL))  # it is made again
    with redis_package.Redis(port=redis.port) as client:
        assert len(client.client_list()) == 1  # this one


async def test_what_ends_after_the_client_opens_nothing(key: Key, redis: RedisServer) -> None:
    async with process(key) as turns:
        number = await turns.wait(CALL)
    turns.release(number, Window(LIMIT, 100, 30.0), now())
    with redis_package.Redis(port=redis.port) as client:
        assert len(client.client_list()) == 1


async def test_nor_does_one_that_waited(key: Key, redis: RedisServer) -> None:
    async with process(key, processes=1) as turns:
        assert await spend(turns) == 300
        waiting = asyncio.create_task(turns.wait(CALL))
        await asyncio.sleep(1)
    turns.release(await waiting)
    await asyncio.sleep(1)
    with redis_package.Redis(port=redis.port) as client:
        assert len(client.client_list()) == 1


async def test_a_forked_process_leaves_the_connections_to_its_parent(key: Key) -> None:
    async with process(key, processes=1) as turns:
        assert await spend(turns, 10) == 10
        desks = dict(turns._desks)  # noqa: SLF001 - the parent's
        turns.forget_others()
        assert await spend(turns, 10) == 10
        for desk in desks.values():
            assert desk.link not in [each.link for each in turns._desks.values()]  # noqa: SLF001


# --- without -------------------------------------------------------------------------------------


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


async def test_without_redis_it_goes_on_narrowly(
    key: Key, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with process(key, processes=10) as turns:
        turns.release(await turns.wait(CALL), Window(LIMIT, 200, 50.0), now())
        redis.kill()
        numbers = [await turns.wait(CALL) for _ in range(2)]
        third = asyncio.create_task(turns.wait(CALL))
        await asyncio.sleep(1)
        assert turns.narrow
        assert not third.done()  # two at once
        turns.release(numbers[0], Window(LIMIT, 150, 49.0), now())
        turns.release(await third, Window(LIMIT, 22, 49.0), now())
        turns.release(numbers[1], Window(LIMIT, 21, 49.0), now())
        last = await turns.wait(CALL)
        turns.release(last, Window(LIMIT, 20, 49.0), now())
        turns.release(await turns.wait(CALL))  # twenty are left to the others
        assert now() == pytest.approx(50, abs=1)
    (warning,) = warnings(caplog)
    assert "cannot be asked (Connection" in warning
    assert "as one of 10" in warning


async def test_who_waited_when_it_went_goes_on(key: Key, redis: RedisServer) -> None:
    async with process(key, processes=1) as one, process(key) as other:
        assert await spend(one) == 300
        waiting = asyncio.create_task(other.wait(CALL))
        await asyncio.sleep(1)
        assert not waiting.done()
        redis.kill()
        number = await waiting  # at the window's end Redis is asked again, and is not there
        assert other.narrow
        assert now() == pytest.approx(60, abs=1)
        other.release(number)


async def test_it_may_not_be_there_at_first(
    key: Key, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    redis.kill()
    async with process(key, processes=3) as turns:
        assert await spend(turns, 2) == 2
        redis.start()
        await asyncio.sleep(2)
        assert await spend(turns, 2) == 2  # which sees that it is there, and knows nothing of these
        assert turns.narrow
        await asyncio.sleep(60)
        assert await spend(turns, 2) == 2
        assert await spend(turns) == 294  # margin covers what was sent as it was found
        assert not turns.narrow
    assert len(warnings(caplog)) == 1


async def test_one_that_is_back_and_forgot_is_asked_from_the_next_window_on(
    key: Key, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with process(key, processes=3) as turns:
        turns.release(await turns.wait(CALL), Window(LIMIT, 280, 50.0), now())
        await told(turns)
        redis.kill()
        turns.release(await turns.wait(CALL), Window(LIMIT, 270, 50.0), now())
        redis.start()
        await asyncio.sleep(10)
        turns.release(await turns.wait(CALL), Window(LIMIT, 269, 40.0), now())
        await told(turns)
        assert turns.narrow  # what it knows now is little
        turns.release(await turns.wait(CALL), Window(LIMIT, 268, 40.0), now())
        await told(turns)
        assert turns.narrow
        await asyncio.sleep(41)
        turns.release(await turns.wait(CALL), Window(LIMIT, 299, 59.0), now())
        await told(turns)
        assert not turns.narrow
        assert await spend(turns) == 299 - 6
    assert len(warnings(caplog)) == 1


async def test_each_outage_is_told_of_once(
    key: Key, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "duvo_async")
    async with process(key) as turns:
        for _ in range(2):
            turns.release(await turns.wait(CALL))
            redis.kill()
            for _ in range(4):
                turns.release(await turns.wait(CALL))
                await asyncio.sleep(3)
            redis.start()
            turns.release(await turns.wait(CALL))
            await told(turns)
            await asyncio.sleep(120)
    texts = [each.getMessage() for each in caplog.records if each.name == "duvo_async"]
    assert ["again" in text for text in texts] == [False, True, False, True]


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """Take connections, and say nothing."""
    kept: list[asyncio.StreamWriter] = []

    async def take(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kept.append(writer)

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        for writer in kept:
            writer.close()
        server.close()
        await server.wait_closed()


async def test_one_that_says_nothing_holds_up_nobody_for_long(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with silent_server() as port:
        key = Key(f"redis://127.0.0.1:{port}")
        async with process(key) as turns:
            turns._make_link = lambda: Link(Secret(key.url), key.name)  # noqa: SLF001 - time goes on
            turns.release(await turns.wait(CALL))
            assert now() == pytest.approx(PATIENCE, abs=0.1)
            turns.release(await turns.wait(CALL))
            assert now() == pytest.approx(PATIENCE, abs=0.1)
    (warning,) = warnings(caplog)
    assert "(TimeoutError)" in warning


async def test_what_else_is_kept_under_its_name_is_left_alone(
    key: Key, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_package.Redis(port=redis.port) as client:
        client.set(key.name, "something else")
        async with process(key) as turns:
            turns.release(await turns.wait(CALL))
        assert client.get(key.name) == b"something else"
    assert "WRONGTYPE" in warnings(caplog)[0]


async def test_the_password_shows_nowhere(
    redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    password = "correct-horse-battery"
    with redis_package.Redis(port=redis.port) as client:
        client.config_set("requirepass", password)
    wrong = Key(f"redis://:{password}-staple@127.0.0.1:{redis.port}/0")
    async with process(wrong) as turns:
        turns.release(await turns.wait(CALL))
    right = Key(f"redis://:{password}@127.0.0.1:{redis.port}/0")
    async with process(right) as turns:
        turns.release(await turns.wait(CALL))
        assert not turns.narrow
    assert password not in caplog.text
    assert len(warnings(caplog)) == 1
