"""Queues and their labels, over real sockets, in both generations of paths."""

from collections.abc import AsyncIterator, Iterator

import pytest

from duvo_async import AsyncDuvo, ConflictError, Duvo, NotFoundError, Queue, QueueDeletion
from duvo_async.emulator import Emulator
from duvo_async.mirrors import Queues
from duvo_async.resources.cases import AsyncCases
from duvo_async.resources.queues import AsyncQueues
from duvo_async.settings import APIVersion
from tests.support.virtual_time import wall_clock

pytestmark = pytest.mark.anyio
VERSIONS: tuple[APIVersion, ...] = ("v1", "v2")


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> APIVersion:
    found: APIVersion = request.param
    return found


@pytest.fixture
async def emulator(_no_leaked_tasks: None) -> AsyncIterator[Emulator]:
    async with Emulator(clock=wall_clock, requests_per_minute=None) as running:
        yield running


@pytest.fixture
async def duvo(emulator: Emulator, version: APIVersion) -> AsyncIterator[AsyncDuvo]:
    async with AsyncDuvo(emulator.api_key, base_url=emulator.url, api_version=version) as client:
        yield client


@pytest.fixture
def queues(duvo: AsyncDuvo) -> AsyncQueues:
    return AsyncQueues(duvo._session)  # noqa: SLF001 - its calls


@pytest.fixture
def cases(duvo: AsyncDuvo) -> AsyncCases:
    return AsyncCases(duvo._session)  # noqa: SLF001 - its calls


async def test_a_queue_is_made_and_read(
    queues: AsyncQueues, emulator: Emulator, version: APIVersion
) -> None:
    queue = await queues.create("Invoices", description="To be checked")
    assert (queue.name, queue.description, queue.folder_id) == ("Invoices", "To be checked", None)
    assert await queues.get(queue.id) == queue
    assert {record.path.split("/")[1] for record in emulator.requests} == {version}


async def test_a_queue_is_made_once_with_a_key(queues: AsyncQueues) -> None:
    first = await queues.create("Invoices", idempotency_key="key-1")
    assert await queues.create("Invoices", idempotency_key="key-1") == first
    with pytest.raises(ConflictError):
        await queues.create("Invoices")


async def test_a_queue_is_changed_in_what_is_given(queues: AsyncQueues) -> None:
    queue = await queues.create("Invoices", description="d")
    renamed = await queues.update(queue.id, name="Bills")
    assert (renamed.name, renamed.description) == ("Bills", "d")
    emptied = await queues.update(queue.id, description=None)
    assert (emptied.name, emptied.description) == ("Bills", None)
    assert await queues.get(queue.id) == emptied


async def test_queues_are_listed_page_by_page(queues: AsyncQueues, emulator: Emulator) -> None:
    made = [await queues.create(f"Queue {number}") for number in range(5)]
    before = len(emulator.requests)
    listed = [queue async for queue in queues.list(page_size=2)]
    assert sorted(listed, key=lambda each: each.name) == made
    assert len(emulator.requests) - before == 3
    assert len([queue async for queue in queues.list(limit=3)]) == 3
    assert [queue async for queue in queues.list(automation_id=made[0].id)] == []


async def test_a_queue_is_deleted_with_its_cases(queues: AsyncQueues, cases: AsyncCases) -> None:
    queue = await queues.create("Invoices")
    await cases.create(queue.id, "One")
    await cases.create(queue.id, "Two")
    assert await queues.delete(queue.id) == QueueDeletion(deleted_case_count=2)
    with pytest.raises(NotFoundError):
        await queues.get(queue.id)


async def test_the_agents_of_a_queue_are_told(
    queues: AsyncQueues, duvo: AsyncDuvo, emulator: Emulator, version: APIVersion
) -> None:
    queue = await queues.create("Invoices")
    agents = await queues.agents(queue.id)
    assert (agents.queue_name, agents.producers, agents.consumers) == ("Invoices", (), ())
    agent_id = emulator.add_agent(())
    await duvo.request(
        "POST",
        f"/{version}/agents/{agent_id}/case-triggers",
        json={"case_queue_id": queue.id, "enabled": True},
    )
    (consumer,) = (await queues.agents(queue.id)).consumers
    assert (consumer.agent_id, consumer.case_trigger_enabled) == (agent_id, True)


async def test_labels_are_made_changed_and_deleted(queues: AsyncQueues) -> None:
    queue = await queues.create("Invoices")
    label = await queues.labels.create(queue.id, "EU", key="region", color_hue=200)
    assert (label.key, label.value, label.color_hue, label.case_count) == ("region", "EU", 200, 0)
    plain = await queues.labels.create(queue.id, "urgent")
    assert (plain.key, plain.value) == ("", "urgent")
    changed = await queues.labels.update(queue.id, label.id, value="Europe")
    assert (changed.key, changed.value, changed.color_hue) == ("region", "Europe", 200)
    moved = await queues.labels.update(queue.id, label.id, value="EU", key="area", color_hue=0)
    assert (moved.key, moved.value, moved.color_hue) == ("area", "EU", 0)
    await queues.labels.delete(queue.id, plain.id)
    assert [each.id async for each in queues.labels.list(queue.id)] == [label.id]
    with pytest.raises(NotFoundError):
        await queues.labels.delete(queue.id, plain.id)


async def test_labels_are_listed_page_by_page(queues: AsyncQueues, emulator: Emulator) -> None:
    queue = await queues.create("Invoices")
    values = [f"label {number}" for number in range(5)]
    for value in values:
        await queues.labels.create(queue.id, value)
    before = len(emulator.requests)
    found = [label.value async for label in queues.labels.list(queue.id, page_size=2)]
    assert sorted(found) == values
    assert len(emulator.requests) - before == 3
    assert len([label async for label in queues.labels.list(queue.id, limit=2)]) == 2


async def test_wrong_arguments_of_a_list_fail_at_once(queues: AsyncQueues) -> None:
    with pytest.raises(ValueError, match="limit must be at least 1 and at most 250"):
        queues.list(page_size=251)
    with pytest.raises(ValueError, match="is not an id"):
        queues.labels.list("a/b")


# --- blocking ------------------------------------------------------------------------------------


@pytest.fixture
def blocking(version: APIVersion) -> Iterator[Queues]:
    with (
        Emulator(requests_per_minute=None) as emulator,
        Duvo(emulator.api_key, base_url=emulator.url, api_version=version) as duvo,
    ):
        mirrored = AsyncQueues(duvo._mirrored._session)  # noqa: SLF001 - its calls
        yield Queues(duvo._bridge, mirrored)  # noqa: SLF001 - its loop


def test_queues_and_labels_block_too(blocking: Queues) -> None:
    queue = blocking.create("Invoices")
    assert isinstance(queue, Queue)
    assert blocking.update(queue.id, name="Bills").name == "Bills"
    assert [each.id for each in blocking.list()] == [queue.id]
    assert blocking.get(queue.id).name == "Bills"
    assert blocking.agents(queue.id).queue_name == "Bills"
    label = blocking.labels.create(queue.id, "EU")
    assert blocking.labels.update(queue.id, label.id, value="US").value == "US"
    assert [each.value for each in blocking.labels.list(queue.id)] == ["US"]
    blocking.labels.delete(queue.id, label.id)
    assert blocking.delete(queue.id).deleted_case_count == 0
