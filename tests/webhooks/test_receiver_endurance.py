"""A receiver that is used for long: nothing is left behind, and what it remembers is bounded."""

import asyncio
import gc
import random
import threading
import weakref
from pathlib import Path

import pytest
from aiohttp import ClientSession

from duvo_async.webhooks import WebhookEvent, WebhookReceiver, sign
from tests.webhooks.posting import SECRET, post, written

pytestmark = pytest.mark.anyio
DESCRIPTORS = Path("/proc/self/fd")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # real time: nothing here waits for a timer


def shuffled(count: int, distance: int, seed: int) -> list[str]:
    """Name each event twice, with fewer than two distances of others in between."""
    rng = random.Random(seed)  # noqa: S311 - an order
    twice = [number for number in range(count) for _ in range(2)]
    twice.sort(key=lambda number: number + distance * rng.random())
    return [f"e-{number}" for number in twice]


def in_use() -> tuple[int, int, int]:
    """Count open files, tasks and threads."""
    return len([*DESCRIPTORS.iterdir()]), len(asyncio.all_tasks()), threading.active_count()


@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="there is no /proc to count open files in")
async def test_starting_and_stopping_leaves_nothing_behind() -> None:
    alive: weakref.WeakSet[WebhookReceiver] = weakref.WeakSet()
    seen: list[WebhookEvent] = []

    async def once(number: int) -> None:
        async with WebhookReceiver(SECRET) as receiver:
            alive.add(receiver)
            receiver.on_event(seen.append)
            body = written(id=str(number))
            assert receiver.receive(body, sign(body, SECRET)).status == 200
            if number % 100 == 0:
                assert await post(receiver.url, body) == 200

    await once(0)
    before = in_use()
    for number in range(1, 1000):
        await once(number)
    gc.collect()
    assert in_use() == before
    assert len(alive) == 0
    assert [each.id for each in seen] == [str(number) for number in range(1000)]


async def test_memory_is_bounded_and_each_event_is_handled_once() -> None:
    receiver = WebhookReceiver(None, remembered=1000)
    remembered = receiver._intake.seen  # noqa: SLF001 - its length
    handled: list[str | None] = []
    receiver.on_event(lambda event: handled.append(event.id))
    order = shuffled(10_000, 400, seed=7)
    repeated = 0
    for number, name in enumerate(order):
        receipt = receiver.receive(written(id=name), {})
        assert receipt.status == 200
        repeated += receipt.repeated
        assert len(remembered) <= 1000
        if number % 100 == 0:
            await asyncio.sleep(0)
    await receiver.drain()
    assert (len(order), repeated, len(remembered)) == (20_000, 10_000, 1000)
    assert handled == list(dict.fromkeys(order))


@pytest.mark.long
async def test_fifty_thousand_deliveries_over_sockets() -> None:
    handled: list[str | None] = []
    order = iter(shuffled(25_000, 2000, seed=11))
    statuses: list[int] = []
    async with WebhookReceiver(SECRET, remembered=5000) as receiver, ClientSession() as client:
        remembered = receiver._intake.seen  # noqa: SLF001 - its length
        receiver.on_event(lambda event: handled.append(event.id))

        async def deliver() -> None:
            for name in order:
                body = written(id=name)
                async with client.post(
                    receiver.url, data=body, headers=sign(body, SECRET)
                ) as answer:
                    statuses.append(answer.status)
                assert len(remembered) <= 5000

        async with asyncio.TaskGroup() as group:
            for _ in range(32):
                group.create_task(deliver())
    assert statuses == [200] * 50_000
    assert len(handled) == len(set(handled)) == 25_000
