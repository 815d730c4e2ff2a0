"""Agents, over the emulator and real sockets."""

from collections.abc import AsyncIterator, Iterator

import pytest

from duvo_async import (
    JSON,
    AgentEditor,
    AsyncDuvo,
    BadRequestError,
    BuildConfig,
    Duvo,
    NewBuild,
    NotFoundError,
    UserTriggers,
)
from duvo_async.emulator import Emulator, Say
from duvo_async.mirrors import Agents
from duvo_async.resources.agents import AsyncAgents
from tests.support.generations import GENERATIONS, blocking_client_of, client_of

CONFIG: dict[str, JSON] = {
    "version": "v2",
    "data": {
        "models": {
            "agent": {"model": "claude-sonnet-5"},
            "browsing": {"provider": "google", "model": "gemini-2.5-pro"},
        },
        "input": "Reconcile",
    },
}
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
def agents(duvo: AsyncDuvo) -> AsyncAgents:
    return duvo.agents


@pytest.fixture
def mirror(blocking: Duvo) -> Agents:
    return blocking.agents


@pytest.mark.anyio
async def test_an_agent_is_made_read_changed_and_deleted(
    agents: AsyncAgents, emulator: Emulator
) -> None:
    made = await agents.create("Clerk")
    assert made.name == "Clerk"
    assert made.build is None
    assert made.team_id == emulator.team_id
    assert made.created_by
    assert isinstance(made.created_by, AgentEditor)
    assert made.created_at

    read = await agents.get(made.id)
    assert read.id == made.id
    assert read.pinned_at is None

    changed = await agents.update(
        made.id,
        name="Bookkeeper",
        slack_enabled=True,
        microsoft_teams_enabled=True,
        agentic_memory_enabled=True,
        thread_id=NOBODY,
        pinned=True,
    )
    assert changed.name == "Bookkeeper"
    assert changed.slack_enabled is True
    assert changed.microsoft_teams_enabled is True
    assert changed.agentic_memory_enabled is True
    assert changed.thread_id == NOBODY
    assert changed.pinned_at
    assert await agents.get(made.id) == changed

    await agents.delete(made.id)
    with pytest.raises(NotFoundError):
        await agents.get(made.id)


@pytest.mark.anyio
async def test_what_is_not_given_stays_and_null_takes_away(agents: AsyncAgents) -> None:
    made = await agents.create("Clerk", thread_id=NOBODY)
    await agents.update(made.id, slack_enabled=True, pinned=True)
    renamed = await agents.update(made.id, name="Bookkeeper")
    assert renamed.slack_enabled is True
    assert renamed.thread_id == NOBODY
    assert renamed.pinned_at
    freed = await agents.update(made.id, thread_id=None, pinned=False)
    assert freed.thread_id is None
    assert freed.pinned_at is None
    assert freed.name == "Bookkeeper"


@pytest.mark.anyio
async def test_an_agent_is_made_with_its_first_build(duvo: AsyncDuvo, agents: AsyncAgents) -> None:
    made = await agents.create("Clerk", build=NewBuild(name="First", config=CONFIG))
    assert made.build
    assert made.build.agent_id == made.id
    assert made.build.name == "First"
    assert made.build.config
    assert made.build.config.data.input == "Reconcile"
    run = await duvo.runs.start(made.id)
    assert run.build_id == made.build.id


@pytest.mark.anyio
async def test_an_agent_is_made_with_the_build_of_another(agents: AsyncAgents) -> None:
    first = await agents.create("Clerk", build=NewBuild(name="First", config=CONFIG))
    assert first.build
    assert isinstance(first.build.config, BuildConfig)
    build = NewBuild(name="Copy", config=first.build.config)
    second = await agents.create("Twin", build=build, source_build_id=first.build.id)
    assert second.build
    assert second.build.config == first.build.config
    assert second.build.config is not None
    assert second.build.config.data.extra == first.build.config.data.extra


@pytest.mark.anyio
async def test_an_agent_is_made_once_for_a_key(agents: AsyncAgents) -> None:
    first = await agents.create("Clerk", idempotency_key="clerk-1")
    again = await agents.create("Clerk", idempotency_key="clerk-1")
    assert again == first
    assert len([each async for each in agents.list() if each.name == "Clerk"]) == 1


@pytest.mark.anyio
async def test_agents_are_listed_page_by_page(agents: AsyncAgents, emulator: Emulator) -> None:
    made = {emulator.add_agent([Say("hi")], f"Clerk {number}") for number in range(7)}
    before = len(emulator.requests)
    found = [each async for each in agents.list(page_size=3)]
    asked = emulator.requests[before:]
    assert {each.id for each in found} == made | {emulator.demo_agent_id}
    assert len(found) == 8
    assert len(asked) == 3

    before = len(emulator.requests)
    some = [each async for each in agents.list(page_size=3, limit=4)]
    assert [each.id for each in some] == [each.id for each in found[:4]]
    assert len(emulator.requests[before:]) == 2

    before = len(emulator.requests)
    assert len([each async for each in agents.list()]) == 8
    assert len(emulator.requests[before:]) == 1


@pytest.mark.anyio
async def test_a_list_shows_what_surrounds_an_agent(
    duvo: AsyncDuvo, agents: AsyncAgents, emulator: Emulator
) -> None:
    agent_id = emulator.add_agent([Say("hi")], "Clerk")
    (clerk,) = [each async for each in agents.list() if each.id == agent_id]
    assert clerk.latest_build
    assert clerk.latest_build.config
    assert clerk.latest_build.schedules is None
    assert clerk.last_run_at is None
    assert clerk.user_triggers == UserTriggers()
    assert clerk.case_trigger_enabled is False

    await duvo.runs.start(agent_id)
    await agents.schedules.create(agent_id, frequency="hourly", timezone="UTC")
    listed = agents.list(include_schedules=True)
    (clerk,) = [each async for each in listed if each.id == agent_id]
    assert clerk.last_run_at
    assert clerk.latest_build
    assert clerk.latest_build.schedules
    assert clerk.latest_build.schedules[0].frequency == "hourly"


@pytest.mark.anyio
async def test_a_list_is_of_one_automation(agents: AsyncAgents) -> None:
    made = await agents.create("Clerk", automation_id=NOBODY)
    assert made.automation_id == NOBODY
    await agents.create("Other")
    assert [each.id async for each in agents.list(automation_id=NOBODY)] == [made.id]


@pytest.mark.anyio
async def test_what_the_api_refuses_is_an_error(agents: AsyncAgents) -> None:
    with pytest.raises(BadRequestError):
        await agents.create("Clerk", build=NewBuild(name="First", config={"version": "v1"}))
    with pytest.raises(NotFoundError):
        await agents.update(NOBODY, name="Clerk")
    with pytest.raises(NotFoundError):
        await agents.delete(NOBODY)


@pytest.mark.anyio
async def test_a_wrong_argument_is_refused_before_anything_is_sent(
    agents: AsyncAgents, emulator: Emulator
) -> None:
    before = len(emulator.requests)
    with pytest.raises(ValueError, match="page_size"):
        agents.list(page_size=101)
    with pytest.raises(ValueError, match="limit must be at least 1"):
        agents.list(limit=0)
    with pytest.raises(ValueError, match="nothing to change"):
        await agents.update(emulator.demo_agent_id)
    with pytest.raises(ValueError, match="name must not be empty"):
        await agents.create(" ")
    assert len(emulator.requests) == before


def test_the_blocking_face_does_the_same(mirror: Agents) -> None:
    made = mirror.create("Clerk", build=NewBuild(name="First", config=CONFIG))
    assert made.build
    assert mirror.update(made.id, pinned=True).pinned_at
    assert mirror.get(made.id).pinned_at
    assert made.id in [each.id for each in mirror.list(page_size=1)]
    mirror.delete(made.id)
    with pytest.raises(NotFoundError):
        mirror.get(made.id)
