"""Listing runs, over real sockets, in both generations of paths."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from duvo_async import AsyncDuvo, BadRequestError, Duvo, RunStatus
from duvo_async.emulator import Emulator, Finish, Say
from duvo_async.settings import APIVersion

pytestmark = pytest.mark.anyio
VERSIONS: tuple[APIVersion, ...] = ("v1", "v2")


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> APIVersion:
    found: APIVersion = request.param
    return found


@pytest.fixture
async def duvo(emulator: Emulator, version: APIVersion) -> AsyncIterator[AsyncDuvo]:
    async with AsyncDuvo(emulator.api_key, base_url=emulator.url, api_version=version) as client:
        yield client


async def test_runs_are_listed_the_newest_first(duvo: AsyncDuvo, emulator: Emulator) -> None:
    agent_id = emulator.add_agent((Say("hi"),))
    started = [(await duvo.runs.start(agent_id)).id for _ in range(5)]
    before = len(emulator.requests)
    runs = [run async for run in duvo.runs.list(page_size=2)]
    assert [run.id for run in runs] == started[::-1]
    assert len(emulator.requests) - before == 3
    assert {run.agent_id for run in runs} == {agent_id}
    assert all(run.run_number is not None and run.agent_name for run in runs)
    oldest = [run.id async for run in duvo.runs.list(sort_order="asc", limit=2)]
    assert oldest == started[:2]


async def test_runs_are_found_by_what_they_are(duvo: AsyncDuvo, emulator: Emulator) -> None:
    good, bad = emulator.add_agent((Say("hi"),)), emulator.add_agent((Finish("failed"),))
    well = await duvo.runs.wait(await duvo.runs.start(good))
    badly = await duvo.runs.wait(await duvo.runs.start(bad))
    for given, found in (
        ({"status": "failed"}, [badly.id]),
        ({"status": RunStatus.COMPLETED}, [well.id]),
        ({"agent_id": good}, [well.id]),
        ({"source": "schedule"}, []),
        ({"since": badly.created_at + timedelta(days=1)}, []),
        ({"has_issues": True}, []),
        ({"has_issues": False, "sort_order": "asc"}, [well.id, badly.id]),
    ):
        assert [run.id async for run in duvo.runs.list(**given)] == found, given


async def test_the_api_has_the_last_word_on_a_status(duvo: AsyncDuvo) -> None:
    with pytest.raises(BadRequestError):
        [run async for run in duvo.runs.list(status="on_holiday")]


async def test_wrong_arguments_fail_at_once(duvo: AsyncDuvo) -> None:
    with pytest.raises(ValueError, match="limit must be at least 1 and at most 100"):
        duvo.runs.list(page_size=0)
    with pytest.raises(ValueError, match="limit must be at least 1"):
        duvo.runs.list(limit=0)


def test_runs_are_listed_blocking_too(version: APIVersion) -> None:
    with (
        Emulator() as emulator,
        Duvo(emulator.api_key, base_url=emulator.url, api_version=version) as duvo,
    ):
        run = duvo.runs.start(emulator.demo_agent_id)
        assert [each.id for each in duvo.runs.list(limit=1)] == [run.id]
