"""Case triggers, over the emulator and real sockets."""

from collections.abc import AsyncIterator, Iterator

import pytest

from duvo_async import (
    AgentReference,
    AsyncDuvo,
    CaseTriggerConflicts,
    ConflictError,
    Duvo,
    NotFoundError,
)
from duvo_async.emulator import Emulator, Say
from duvo_async.mirrors import CaseTriggers
from duvo_async.resources.case_triggers import AsyncCaseTriggers
from tests.support.generations import GENERATIONS, blocking_client_of, client_of

NOBODY = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


@pytest.fixture(params=GENERATIONS)
async def duvo(emulator: Emulator, request: pytest.FixtureRequest) -> AsyncIterator[AsyncDuvo]:
    async with client_of(emulator, request.param) as client:
        yield client


@pytest.fixture
def served() -> Iterator[Emulator]:
    with Emulator(requests_per_minute=100_000) as running:
        yield running


@pytest.fixture(params=GENERATIONS)
def blocking(served: Emulator, request: pytest.FixtureRequest) -> Iterator[Duvo]:
    with blocking_client_of(served, request.param) as client:
        yield client


@pytest.fixture
def triggers(duvo: AsyncDuvo) -> AsyncCaseTriggers:
    return duvo.agents.case_triggers


@pytest.fixture
def mirror(blocking: Duvo) -> CaseTriggers:
    return blocking.agents.case_triggers


@pytest.fixture
def agent_id(emulator: Emulator) -> str:
    return emulator.add_agent([Say("hi")], "Clerk")


@pytest.fixture
async def queue_id(duvo: AsyncDuvo, emulator: Emulator) -> str:
    return await make_queue(duvo, emulator, "In")


async def make_queue(duvo: AsyncDuvo, emulator: Emulator, name: str) -> str:
    path = f"/v2/teams/{emulator.team_id}/queues"
    made = await duvo.request("POST", path, json={"name": name})
    assert isinstance(made, dict)
    assert isinstance(made["queue"], dict)
    return str(made["queue"]["id"])


@pytest.mark.anyio
async def test_a_trigger_is_made_read_changed_and_deleted(
    duvo: AsyncDuvo,
    triggers: AsyncCaseTriggers,
    emulator: Emulator,
    agent_id: str,
    queue_id: str,
) -> None:
    made = await triggers.create(agent_id, queue_id, enabled=False, concurrency=1)
    assert made.agent_id == agent_id
    assert made.case_queue_id == queue_id
    assert made.case_queue_name == "In"
    assert made.enabled is False
    assert made.concurrency == 1
    assert made.user_id == emulator.user_id
    assert made.has_conflict is False
    assert made.conflicting_agents == ()
    assert made.created_at
    assert await triggers.get(agent_id, made.id) == made
    assert [each async for each in triggers.list(agent_id)] == [made]

    enabled = await triggers.update(agent_id, made.id, enabled=True)
    assert (enabled.enabled, enabled.concurrency) == (True, 1)
    freed = await triggers.update(agent_id, made.id, concurrency=None)
    assert (freed.enabled, freed.concurrency) == (True, None)
    other = await make_queue(duvo, emulator, "Out")
    moved = await triggers.update(agent_id, made.id, queue_id=other)
    assert (moved.case_queue_id, moved.case_queue_name) == (other, "Out")

    await triggers.delete(agent_id, made.id)
    assert [each async for each in triggers.list(agent_id)] == []
    with pytest.raises(NotFoundError):
        await triggers.get(agent_id, made.id)


@pytest.mark.anyio
async def test_a_trigger_is_enabled_and_unbounded_by_default(
    triggers: AsyncCaseTriggers, agent_id: str, queue_id: str
) -> None:
    made = await triggers.create(agent_id, queue_id)
    assert (made.enabled, made.concurrency) == (True, None)


@pytest.mark.anyio
async def test_agents_that_work_off_the_same_queue_conflict(
    triggers: AsyncCaseTriggers, emulator: Emulator, agent_id: str, queue_id: str
) -> None:
    nobody = CaseTriggerConflicts(has_conflict=False)
    assert await triggers.conflicts(agent_id, queue_id) == nobody
    rival_id = emulator.add_agent([Say("hi")], "Rival")
    await triggers.create(rival_id, queue_id)
    rivals = (AgentReference(id=rival_id, name="Rival"),)
    found = await triggers.conflicts(agent_id, queue_id)
    assert found == CaseTriggerConflicts(has_conflict=True, conflicting_agents=rivals)

    made = await triggers.create(agent_id, queue_id)
    assert made.has_conflict is True
    assert made.conflicting_agents == rivals


@pytest.mark.anyio
async def test_a_trigger_is_made_once_for_a_key(
    triggers: AsyncCaseTriggers, agent_id: str, queue_id: str
) -> None:
    first = await triggers.create(agent_id, queue_id, idempotency_key="in-1")
    assert await triggers.create(agent_id, queue_id, idempotency_key="in-1") == first
    with pytest.raises(ConflictError):
        await triggers.create(agent_id, queue_id)


@pytest.mark.anyio
async def test_what_is_not_there_is_an_error(
    triggers: AsyncCaseTriggers, agent_id: str, queue_id: str
) -> None:
    with pytest.raises(NotFoundError):
        await triggers.create(agent_id, NOBODY)
    with pytest.raises(NotFoundError):
        await triggers.create(NOBODY, queue_id)
    with pytest.raises(NotFoundError):
        await triggers.update(agent_id, NOBODY, enabled=False)
    with pytest.raises(NotFoundError):
        await triggers.delete(agent_id, NOBODY)
    with pytest.raises(NotFoundError):
        await triggers.conflicts(agent_id, NOBODY)
    with pytest.raises(NotFoundError):
        _ = [each async for each in triggers.list(NOBODY)]


@pytest.mark.anyio
async def test_a_wrong_argument_is_refused_before_anything_is_sent(
    triggers: AsyncCaseTriggers, agent_id: str, emulator: Emulator
) -> None:
    before = len(emulator.requests)
    with pytest.raises(ValueError, match="concurrency must be at least 1 and at most 1"):
        await triggers.create(agent_id, NOBODY, concurrency=2)
    with pytest.raises(ValueError, match="nothing to change"):
        await triggers.update(agent_id, NOBODY)
    with pytest.raises(ValueError, match="queue_id must not be empty"):
        await triggers.conflicts(agent_id, "")
    assert len(emulator.requests) == before


def test_the_blocking_face_does_the_same(
    blocking: Duvo, mirror: CaseTriggers, served: Emulator
) -> None:
    agent_id = served.add_agent([Say("hi")], "Clerk")
    path = f"/v2/teams/{served.team_id}/queues"
    queue = blocking.request("POST", path, json={"name": "In"})
    assert isinstance(queue, dict)
    assert isinstance(queue["queue"], dict)
    queue_id = str(queue["queue"]["id"])
    assert mirror.conflicts(agent_id, queue_id).has_conflict is False
    made = mirror.create(agent_id, queue_id)
    assert mirror.get(agent_id, made.id) == made
    assert mirror.update(agent_id, made.id, enabled=False).enabled is False
    assert [each.id for each in mirror.list(agent_id)] == [made.id]
    mirror.delete(agent_id, made.id)
    assert list(mirror.list(agent_id)) == []
