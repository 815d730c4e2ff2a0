"""Teams, over the emulator and real sockets."""

from collections.abc import AsyncIterator, Iterator

import pytest

from duvo_async import (
    AsyncDuvo,
    ConfigurationError,
    Duvo,
    NotFoundError,
    TeamDiscoveryMode,
    UnsupportedOperation,
)
from duvo_async.emulator import Emulator
from duvo_async.settings import APIVersion
from tests.support.generations import GENERATIONS, blocking_client_of, client_of

NOBODY = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


@pytest.fixture
async def duvo(emulator: Emulator) -> AsyncIterator[AsyncDuvo]:
    async with client_of(emulator, "v2") as client:
        yield client


@pytest.fixture
def served() -> Iterator[Emulator]:
    with Emulator(requests_per_minute=100_000) as running:
        yield running


@pytest.mark.anyio
async def test_the_teams_that_a_key_can_act_on_are_listed(
    emulator: Emulator, duvo: AsyncDuvo
) -> None:
    other = emulator.add_team("Finance")
    teams = [team async for team in duvo.teams.list()]
    assert [team.id for team in teams] == [emulator.team_id, other]
    assert teams[1].name == "Finance"
    assert len(emulator.requests) == 1


@pytest.mark.anyio
async def test_a_team_is_the_clients_own_unless_said(emulator: Emulator, duvo: AsyncDuvo) -> None:
    other = emulator.add_team("Finance")
    assert (await duvo.teams.get()).id == emulator.team_id
    team = await duvo.teams.get(other)
    assert (team.id, team.name) == (other, "Finance")
    assert team.created_at is not None
    assert isinstance(team.discovery_mode, TeamDiscoveryMode)
    with pytest.raises(NotFoundError):
        await duvo.teams.get(NOBODY)


@pytest.mark.anyio
async def test_members_come_page_by_page(emulator: Emulator, duvo: AsyncDuvo) -> None:
    added = [emulator.add_member(f"Ann {n}", f"ann{n}@example.test") for n in range(7)]
    everybody = [emulator.user_id, *added]
    members = [member async for member in duvo.teams.members(page_size=3)]
    assert [member.id for member in members] == everybody
    assert (members[1].name, members[1].email) == ("Ann 0", "ann0@example.test")
    assert [request.query for request in emulator.requests] == [
        "limit=3&offset=0",
        "limit=3&offset=3",
        "limit=3&offset=6",
    ]
    some = [member.id async for member in duvo.teams.members(emulator.team_id, limit=4)]
    assert some == everybody[:4]
    sought = [member.id async for member in duvo.teams.members(search="ANN5@")]
    assert sought == [added[5]]


@pytest.mark.anyio
async def test_the_members_of_another_team_are_its_own(emulator: Emulator, duvo: AsyncDuvo) -> None:
    emulator.add_member("Ann", "ann@example.test")
    other = emulator.add_team("Finance")
    assert [member.id async for member in duvo.teams.members(other)] == [emulator.user_id]


@pytest.mark.anyio
async def test_wrong_arguments_fail_before_anything_is_sent(
    emulator: Emulator, duvo: AsyncDuvo
) -> None:
    with pytest.raises(ValueError, match="limit must be at least 1 and at most 100"):
        duvo.teams.members(page_size=101)
    with pytest.raises(ValueError, match="search must not be empty"):
        duvo.teams.members(search="")
    with pytest.raises(ValueError, match="limit must be at least 1"):
        duvo.teams.members(limit=0)
    assert not emulator.requests


@pytest.mark.anyio
async def test_v1_has_no_teams(emulator: Emulator) -> None:
    async with client_of(emulator, "v1") as duvo:
        for ask in (duvo.teams.list, duvo.teams.members):
            with pytest.raises(UnsupportedOperation, match="api_version='v2'"):
                ask()
        with pytest.raises(UnsupportedOperation, match="teams"):
            await duvo.teams.get(emulator.team_id)
    assert not emulator.requests


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.anyio
async def test_a_profile_says_whose_key_it_is(emulator: Emulator, generation: APIVersion) -> None:
    async with client_of(emulator, generation) as duvo:
        profile = await duvo.teams.profile()
    assert (profile.id, profile.team_id) == (emulator.user_id, emulator.team_id)
    assert [request.path for request in emulator.requests] == [f"/{generation}/profile"]


@pytest.mark.anyio
async def test_the_team_need_not_be_told(emulator: Emulator) -> None:
    async with AsyncDuvo(emulator.api_key, base_url=emulator.url, api_version="v2") as duvo:
        assert (await duvo.teams.get()).id == emulator.team_id
        emulator.add_team("Finance")
    async with AsyncDuvo(emulator.api_key, base_url=emulator.url, api_version="v2") as duvo:
        assert len([team async for team in duvo.teams.list()]) == 2
        with pytest.raises(ConfigurationError, match="Finance"):
            await duvo.teams.get()
        with pytest.raises(ConfigurationError, match="Finance"):
            [member async for member in duvo.teams.members()]


def test_a_blocking_client_has_the_same(served: Emulator) -> None:
    served.add_member("Ann", "ann@example.test")
    with blocking_client_of(served, "v2") as duvo:
        assert [team.id for team in duvo.teams.list()] == [served.team_id]
        assert duvo.teams.get().id == served.team_id
        assert [member.name for member in duvo.teams.members()][1:] == ["Ann"]
        assert duvo.teams.profile().id == served.user_id


def test_a_blocking_client_of_v1_has_a_profile_and_no_teams(served: Emulator) -> None:
    with Duvo(served.api_key, base_url=served.url) as duvo:
        assert duvo.teams.profile().id == served.user_id
        with pytest.raises(UnsupportedOperation):
            duvo.teams.get()
