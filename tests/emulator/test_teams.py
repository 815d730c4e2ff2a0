from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from duvo_async.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Api

NOBODY = "5f0c1d3e-8a57-4b0e-9a52-d0a7e8a4b6c1"


@pytest.fixture
def members(api: Api) -> str:
    return f"/v2/teams/{api.emulator.team_id}/members"


def names(api: Api, target: str) -> list[str]:
    response = api.get(target)
    assert response.status == 200, response.body
    return [member["name"] for member in response.json()["members"]]


def test_a_key_has_one_team(api: Api) -> None:
    teams = [{"id": api.emulator.team_id, "name": "Team 0", "organization_id": None}]
    assert api.get("/v2/teams").json() == {"teams": teams}


def test_a_key_can_have_several_teams(api: Api) -> None:
    other = api.emulator.add_team("Other")
    teams = api.get("/v2/teams").json()["teams"]
    assert [team["id"] for team in teams] == [api.emulator.team_id, other]
    assert teams[1]["name"] == "Other"
    assert api.get(f"/v2/teams/{other}/members").json()["total"] == 1


def test_a_team_is_shown(api: Api) -> None:
    assert api.get(f"/v2/teams/{api.emulator.team_id}").json()["team"] == {
        "id": api.emulator.team_id,
        "name": "Team 0",
        "created_at": "2023-01-01T00:00:00.000Z",
        "organization_id": None,
        "slack_team_id": None,
        "discovery_mode": "request",
    }


def test_an_unknown_team_is_not_shown(api: Api) -> None:
    assert api.get(f"/v2/teams/{NOBODY}").status == 404
    assert api.get(f"/v2/teams/{NOBODY}/members").status == 404


def test_a_key_stands_for_a_person_of_its_team(api: Api, members: str) -> None:
    profile = api.get("/v2/profile").json()["profile"]
    assert profile["id"] == api.emulator.user_id
    assert profile["teamId"] == api.emulator.team_id
    [member] = api.get(members).json()["members"]
    assert {name: profile[name] for name in ("id", "name", "email")}.items() <= member.items()
    assert (member["role"], member["inheritedFromOrg"]) == ("admin", False)


def test_members_are_paged_and_sought(api: Api, members: str) -> None:
    for name in ("Ada", "Bob", "Cid"):
        api.emulator.add_member(name, f"{name.lower()}@books.test")
    assert names(api, f"{members}?limit=2&offset=1") == ["Ada", "Bob"]
    assert names(api, f"{members}?search=BOB") == ["Bob"]
    assert names(api, f"{members}?search=books.&limit=1&offset=2") == ["Cid"]
    page = api.get(f"{members}?search=books.&limit=1").json()
    assert (page["total"], page["limit"], page["offset"]) == (3, 1, 0)
    assert api.get(members).json()["limit"] == 50


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "offset=-1", "search=", "search=" + "x" * 201, "role=admin"]
)
def test_a_bad_query_is_refused(api: Api, members: str, query: str) -> None:
    assert api.get(f"{members}?{query}").status == 400


def test_a_seed_makes_the_team_and_the_person(make_api: Callable[..., Api]) -> None:
    ones, same, others = (make_api(seed=seed).emulator for seed in (1, 1, 2))
    assert (ones.team_id, ones.user_id) == (same.team_id, same.user_id)
    assert ones.team_id != others.team_id
    assert ones.user_id != others.user_id


def test_no_clock_is_needed_before_a_request() -> None:
    def unreadable() -> float:
        raise RuntimeError

    emulator = Emulator(clock=unreadable)
    emulator.add_agent([])
    emulator.add_team("Other")
    emulator.add_member("Ada", "ada@books.test")
    emulator.close()
