"""Builds, over the emulator and real sockets."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import attrs
import pytest

from duvo_async import (
    AsyncDuvo,
    Build,
    ConflictError,
    Duvo,
    NotFoundError,
)
from duvo_async.emulator import Emulator, Say
from duvo_async.mirrors import Builds
from duvo_async.resources.builds import AsyncBuilds
from tests.support.generations import GENERATIONS, blocking_client_of, client_of

NOBODY = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
V2: dict[str, Any] = {
    "version": "v2",
    "data": {
        "models": {
            "agent": {"model": "claude-sonnet-5"},
            "browsing": {"provider": "anthropic", "model": "claude-haiku-4-5"},
        },
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "go"}]}],
        "files": None,
        "skills": ["s"],
        "plugins": ["p"],
        "subAgents": [NOBODY],
        "options": {"browserProvider": "browserbase", "of_tomorrow": {"a": [1.5]}},
    },
}
V1: dict[str, Any] = {
    "version": "v1",
    "data": {
        "model": "old",
        "temperature": None,
        "top_p": 0.5,
        "tools": [{"any": "thing"}],
        "input": "go",
        "text": {"format": {"type": "text"}},
        "files": None,
        "skills": [],
    },
}


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
def builds(duvo: AsyncDuvo) -> AsyncBuilds:
    return duvo.builds


@pytest.fixture
def mirror(blocking: Duvo) -> Builds:
    return blocking.builds


@pytest.fixture
def agent_id(emulator: Emulator) -> str:
    return emulator.add_agent([Say("hi")], "Clerk")


async def live(duvo: AsyncDuvo, agent_id: str) -> str:
    """The build that a new run uses."""
    return (await duvo.runs.start(agent_id)).build_id


async def kept(duvo: AsyncDuvo, agent_id: str, build_id: str) -> Any:  # noqa: ANN401 - JSON
    """The configuration as the API has it, all of it."""
    found: Any = await duvo.request("GET", f"/v2/agents/{agent_id}/revisions/{build_id}")
    return found["build"]["config"]


@pytest.mark.anyio
async def test_a_build_is_made_read_and_changed(builds: AsyncBuilds, agent_id: str) -> None:
    made = await builds.create(agent_id, "Second", config=V2, handover_target_ids=[NOBODY])
    assert made.agent_id == agent_id
    assert made.name == "Second"
    assert made.config
    assert made.config.data.skills == ("s",)
    assert made.created_at
    assert await builds.get(agent_id, made.id) == made

    changed = await builds.update(
        made.id, revision_name="r", revision_description="d", handover_target_ids=[]
    )
    assert (changed.revision_name, changed.revision_description) == ("r", "d")
    assert changed.config == made.config
    freed = await builds.update(made.id, revision_name=None)
    assert (freed.revision_name, freed.revision_description) == (None, "d")


@pytest.mark.anyio
async def test_a_build_is_made_from_another(builds: AsyncBuilds, agent_id: str) -> None:
    (first,) = [each async for each in builds.list(agent_id)]
    second = await builds.create(agent_id, "Second", config=first.config, source_build_id=first.id)
    assert second.parent_build_id == first.id
    assert second.config == first.config


@pytest.mark.anyio
@pytest.mark.parametrize("config", [V1, V2], ids=["v1", "v2"])
async def test_a_configuration_is_sent_back_as_it_was_read(
    duvo: AsyncDuvo, builds: AsyncBuilds, agent_id: str, config: dict[str, Any]
) -> None:
    source = await builds.create(agent_id, "Source")
    await builds.update(source.id, config=config)
    source = await builds.get(agent_id, source.id)
    assert source.config
    build = await builds.create(agent_id, "Second")
    build = await builds.update(build.id, config=source.config)
    assert await kept(duvo, agent_id, build.id) == config
    assert build.config == source.config

    data = attrs.evolve(source.config.data, input="stop")
    await builds.update(build.id, config=attrs.evolve(source.config, data=data))
    changed = {**config, "data": {**config["data"], "input": "stop"}}
    assert await kept(duvo, agent_id, build.id) == changed


@pytest.mark.anyio
async def test_new_runs_use_the_build_that_was_promoted(
    duvo: AsyncDuvo, builds: AsyncBuilds, agent_id: str
) -> None:
    first = await live(duvo, agent_id)
    draft = await builds.create(agent_id, "Second", config=V2)
    assert await live(duvo, agent_id) == first
    assert await builds.promote(draft.id, revision_name="r", revision_description="d") is True
    assert await live(duvo, agent_id) == draft.id
    promoted = await builds.get(agent_id, draft.id)
    assert (promoted.revision_name, promoted.revision_description) == ("r", "d")
    with pytest.raises(ConflictError):
        await builds.promote(draft.id)

    assert await builds.promote(first) is True
    assert await builds.promote(draft.id, revision_description=None) is True
    promoted = await builds.get(agent_id, draft.id)
    assert (promoted.revision_name, promoted.revision_description) == ("r", None)


@pytest.mark.anyio
async def test_builds_are_listed_page_by_page(
    builds: AsyncBuilds, agent_id: str, emulator: Emulator
) -> None:
    made = [await builds.create(agent_id, f"Build {number}") for number in range(6)]
    before = len(emulator.requests)
    found = [each async for each in builds.list(agent_id, page_size=3)]
    assert len(emulator.requests) - before == 3
    assert {each.id for each in made} < {each.id for each in found}
    assert len(found) == 7
    before = len(emulator.requests)
    assert [each async for each in builds.list(agent_id, limit=2)] == found[:2]
    assert len(emulator.requests) - before == 1


@pytest.mark.anyio
async def test_a_build_is_made_once_for_a_key(builds: AsyncBuilds, agent_id: str) -> None:
    first = await builds.create(agent_id, "Second", idempotency_key="second-1")
    assert await builds.create(agent_id, "Second", idempotency_key="second-1") == first
    assert len([each async for each in builds.list(agent_id)]) == 2


@pytest.mark.anyio
async def test_a_build_that_is_not_there_is_an_error(builds: AsyncBuilds, agent_id: str) -> None:
    with pytest.raises(NotFoundError):
        await builds.get(agent_id, NOBODY)
    with pytest.raises(NotFoundError):
        await builds.update(NOBODY, revision_name="r")
    with pytest.raises(NotFoundError):
        await builds.promote(NOBODY)
    with pytest.raises(NotFoundError):
        _ = [each async for each in builds.list(NOBODY)]


@pytest.mark.anyio
async def test_a_wrong_argument_is_refused_before_anything_is_sent(
    builds: AsyncBuilds, agent_id: str, emulator: Emulator
) -> None:
    before = len(emulator.requests)
    with pytest.raises(ValueError, match="page_size"):
        builds.list(agent_id, page_size=101)
    with pytest.raises(ValueError, match="nothing to change"):
        await builds.update(NOBODY)
    with pytest.raises(ValueError, match="at most 80"):
        await builds.promote(NOBODY, revision_name="n" * 81)
    assert len(emulator.requests) == before


def test_the_blocking_face_does_the_same(mirror: Builds, served: Emulator) -> None:
    agent_id = served.add_agent([Say("hi")], "Clerk")
    made = mirror.create(agent_id, "Second", config=V2)
    assert made.config
    assert mirror.update(made.id, config=made.config).config == made.config
    assert mirror.promote(made.id) is True
    found: list[Build] = list(mirror.list(agent_id, page_size=1))
    assert [each.id for each in found if each.id == made.id] == [made.id]
    assert mirror.get(agent_id, made.id).name == "Second"
