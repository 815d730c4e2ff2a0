"""The same program in both generations of the API's paths."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import pytest

from duvo_async import (
    AsyncDuvo,
    ClientCredentials,
    ConfigurationError,
    Duvo,
    HumanRequestPending,
    UnsupportedOperation,
)
from duvo_async.emulator import AskApproval, Emulator, Say, Sleep
from duvo_async.settings import APIVersion

pytestmark = pytest.mark.anyio
Ask: TypeAlias = Callable[[AsyncDuvo], Awaitable[object]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # real time: the emulator's agents work in it


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(requests_per_minute=10_000) as running:
        yield running


@pytest.fixture(params=["v1", "v2", "v2 without a team"])
async def duvo(emulator: Emulator, request: pytest.FixtureRequest) -> AsyncIterator[AsyncDuvo]:
    version: APIVersion = request.param[:2]
    team_id = emulator.team_id if request.param == "v2" else None
    async with AsyncDuvo(
        emulator.api_key, base_url=emulator.url, api_version=version, team_id=team_id
    ) as client:
        yield client


async def test_a_run_with_a_file_and_an_approval(emulator: Emulator, duvo: AsyncDuvo) -> None:
    agent = emulator.add_agent([Say("a"), AskApproval("Post?"), Say("b")])
    with pytest.raises(HumanRequestPending) as pending:
        await duvo.runs.execute(agent, message="go", files={"in.txt": b"x"})
    await duvo.runs.answer(pending.value, pending.value.request.approve())
    run = await duvo.runs.wait(pending.value.run)
    assert run.succeeded
    assert [each.text_content async for each in duvo.runs.messages(run.id)] == ["go", "a", "b"]


async def test_the_key_of_a_light_client_is_for_the_start_of_the_run(
    emulator: Emulator, duvo: AsyncDuvo
) -> None:
    light = duvo.with_options(idempotency_key="order-7")
    run = await light.runs.execute(emulator.add_agent([]), files={"in.txt": b"x"})
    assert run.succeeded
    (start,) = (each for each in emulator.requests if each.idempotency_key == "order-7")
    assert start.path.endswith("/runs")


async def test_a_fan_out_is_watched_by_the_list(emulator: Emulator, duvo: AsyncDuvo) -> None:
    agent = emulator.add_agent([Sleep(1.5)])
    outcomes = [each async for each in duvo.runs.map(agent, [str(n) for n in range(30)])]
    assert all(each.succeeded for each in outcomes)
    asked = [each.path for each in emulator.requests if each.method == "GET"]
    lists = [path for path in asked if path.endswith("/runs")]
    assert lists
    assert len(asked) < 30  # else each run was looked at by itself


async def test_health_is_in_one_place(emulator: Emulator, duvo: AsyncDuvo) -> None:
    assert await duvo.health() is True
    assert emulator.requests[-1].path == "/v1/health"


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_start_may_be_accepted_before_it_is_made(version: APIVersion) -> None:
    async with (
        Emulator(accepts_202=True) as emulator,
        AsyncDuvo(emulator.api_key, base_url=f"{emulator.url}/{version}") as duvo,
    ):
        agent = emulator.add_agent([Say("a")])
        started = await duvo.with_response(duvo.runs.start, agent)
        assert started.status == 202
        assert (await duvo.runs.wait(started.value)).succeeded


async def _first(items: AsyncIterator[object]) -> object:
    async for item in items:
        return item
    return None


SECOND_ONLY: list[Ask] = [
    lambda duvo: _first(aiter(duvo.teams.list())),
    lambda duvo: duvo.teams.get(),
    lambda duvo: _first(aiter(duvo.teams.members())),
    lambda duvo: _first(aiter(duvo.files.list())),
    lambda duvo: duvo.files.upload(b"x", name="x"),
    lambda duvo: duvo.files.download("x", "."),
    lambda duvo: duvo.files.rename("x", "y"),
    lambda duvo: duvo.files.delete("x"),
    lambda duvo: duvo.files.read_text("x"),
    lambda duvo: duvo.files.write_text("x", "y"),
]


@pytest.mark.parametrize("ask", SECOND_ONLY)
async def test_what_v1_lacks_says_so_before_anything_is_sent(emulator: Emulator, ask: Ask) -> None:
    async with AsyncDuvo(emulator.api_key, base_url=emulator.url) as duvo:
        with pytest.raises(UnsupportedOperation, match="only API v2 has this"):
            await ask(duvo)
    assert emulator.requests == ()


def test_the_blocking_client_has_the_same_credentials_and_generations() -> None:
    with Emulator() as emulator:
        credentials = ClientCredentials(emulator.client_id, emulator.client_secret)
        for version in ("v1", "v2"):
            with Duvo(auth=credentials, base_url=f"{emulator.url}/{version}") as duvo:
                agent = emulator.add_agent([Say("a")])
                assert all(each.succeeded for each in duvo.runs.map(agent, ["1", "2"]))
                emulator.expire_tokens()
                assert duvo.teams.profile().id == emulator.user_id
                assert (duvo.api_version, duvo.base_url) == (version, emulator.url)
        assert emulator.tokens_issued == 4


@pytest.mark.no_cover
@pytest.mark.once
async def test_tokens_that_end_in_the_middle_of_a_fan_out_fail_no_run(emulator: Emulator) -> None:
    credentials = ClientCredentials(emulator.client_id, emulator.client_secret)
    agent = emulator.add_agent([Sleep(0.5)])
    async with AsyncDuvo(auth=credentials, base_url=f"{emulator.url}/v2") as duvo:
        done = 0
        async for outcome in duvo.runs.map(agent, map(str, range(100)), max_outstanding=20):
            assert outcome.succeeded
            done += 1
            if done == 50:
                emulator.expire_tokens()
    assert done == 100
    assert emulator.tokens_issued == 2


async def test_several_teams_are_told_apart(emulator: Emulator) -> None:
    other = emulator.add_team("Another")
    agent = emulator.add_agent([])
    async with AsyncDuvo(emulator.api_key, base_url=f"{emulator.url}/v2") as duvo:
        with pytest.raises(ConfigurationError, match=rf"{other} \(Another\)"):
            await duvo.runs.start(agent)
        outcomes = [each async for each in duvo.runs.map(agent, ["1", "2", "3"])]
        assert all(isinstance(each.error, ConfigurationError) for each in outcomes)
        assert duvo._session.turns.budget._under_way == {}  # noqa: SLF001 - no slot is lost
    assert [each.path for each in emulator.requests] == ["/v2/teams"]  # they are as they were


async def test_runs_are_waited_for_though_nobody_knows_of_which_team(emulator: Emulator) -> None:
    emulator.add_team("Another")
    agent = emulator.add_agent([Sleep(1.5)])
    runs = [emulator.start_run(agent) for _ in range(20)]
    async with AsyncDuvo(emulator.api_key, base_url=f"{emulator.url}/v2") as duvo:
        outcomes = [each async for each in duvo.runs.wait_many(runs)]
    assert all(each.succeeded for each in outcomes)
    assert not any(each.path.endswith("/runs") for each in emulator.requests)


async def test_several_processes_find_the_team_though_each_sends_little(
    emulator: Emulator,
) -> None:
    agent = emulator.add_agent([])
    async with AsyncDuvo(emulator.api_key, base_url=f"{emulator.url}/v2", processes=4) as duvo:
        outcomes = [each async for each in duvo.runs.map(agent, map(str, range(9)))]
    assert all(each.succeeded for each in outcomes)
