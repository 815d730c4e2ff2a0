import json
from datetime import UTC, datetime
from typing import Any

import pytest

from duvo_async import (
    Profile,
    Team,
    TeamDiscoveryMode,
    TeamMember,
    TeamSummary,
    UnsupportedOperation,
)
from duvo_async import _operations as operations
from duvo_async._converter import DecodeProblem
from duvo_async._protocol import Call, Page, Response
from duvo_async._routes import Routes

V1 = Routes("v1")
V2 = Routes("v2", "team-7")
UNTOLD = Routes("v2")


def list_members(routes: Routes = V2, team_id: str | None = None, **given: Any) -> Call[Any]:  # noqa: ANN401
    page: dict[str, Any] = {"search": None, "limit": 100, "offset": 0}
    return operations.list_members(routes, team_id, **{**page, **given})


def decoded(call: Call[Any], body: object) -> Any:  # noqa: ANN401 - a model
    data = json.dumps(body).encode()
    return call.decode(Response(status=200, reason="OK", headers={}, body=data))


# --- what is sent --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (operations.list_teams(V2), "/v2/teams"),
        (operations.get_team(V2, None), "/v2/teams/team-7"),
        (operations.get_team(V2, "team-8"), "/v2/teams/team-8"),
        (operations.get_team(UNTOLD, None), "/v2/teams/{team_id}"),
        (list_members(), "/v2/teams/team-7/members"),
        (list_members(team_id="team-8"), "/v2/teams/team-8/members"),
        (operations.get_profile(V1), "/v1/profile"),
        (operations.get_profile(V2), "/v2/profile"),
    ],
)
def test_each_operation_has_its_place(call: Call[Any], path: str) -> None:
    assert (call.request.method, call.request.path) == ("GET", path)
    assert call.request.body is None


@pytest.mark.parametrize(
    "make",
    [
        operations.list_teams,
        lambda routes: operations.get_team(routes, None),
        lambda routes: operations.get_team(routes, "team-8"),
        list_members,
    ],
)
def test_only_v2_has_teams(make: Any) -> None:  # noqa: ANN401 - makes a call
    with pytest.raises(UnsupportedOperation, match="teams"):
        make(V1)


def test_a_page_of_members_is_asked_for() -> None:
    assert list_members().request.query == (("limit", "100"), ("offset", "0"))
    sought = list_members(search="ann@", limit=7, offset=14)
    assert sought.request.query == (("limit", "7"), ("offset", "14"), ("search", "ann@"))
    assert list_members(search="x" * 200).request.query[2][1] == "x" * 200


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"limit": 0}, ValueError, "limit must be at least 1 and at most 100, not 0"),
        ({"limit": 101}, ValueError, "limit must be at least 1 and at most 100, not 101"),
        ({"limit": True}, TypeError, "limit must be a whole number"),
        ({"offset": -1}, ValueError, "offset must be at least 0"),
        ({"search": " "}, ValueError, "search must not be empty"),
        ({"search": "x" * 201}, ValueError, "search must have at most 200 characters, not 201"),
        ({"search": 7}, TypeError, "search must be a string"),
        ({"team_id": ""}, ValueError, "team_id '' is not an id"),
        ({"team_id": "a/b"}, ValueError, "team_id 'a/b' is not an id"),
    ],
)
def test_wrong_arguments_are_refused(
    given: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        list_members(**given)


def test_a_team_is_named_by_an_id() -> None:
    with pytest.raises(ValueError, match=r"team_id '\.\.' is not an id"):
        operations.get_team(V2, "..")


# --- what the answers mean -----------------------------------------------------------------------

TEAM: dict[str, object] = {
    "id": "team-7",
    "name": "Finance",
    "created_at": "2026-07-01T12:00:00.000Z",
    "organization_id": "org-1",
    "slack_team_id": "T1",
    "discovery_mode": "auto",
}
MEMBER: dict[str, object] = {
    "id": "user-1",
    "name": "Ann",
    "email": "ann@example.test",
    "role": "admin",
    "inheritedFromOrg": True,
}
PROFILE: dict[str, object] = {
    "id": "user-1",
    "name": "Ann",
    "email": "ann@example.test",
    "teamId": "team-7",
}
NEW = {"brand_new": [1]}


def test_teams_are_understood() -> None:
    full = {"id": "team-7", "name": "Finance", "organization_id": "org-1"}
    body = {"teams": [{**full, **NEW}, {"id": "team-8", "name": "HR"}], **NEW}
    assert decoded(operations.list_teams(V2), body) == Page(
        (
            TeamSummary(id="team-7", name="Finance", organization_id="org-1"),
            TeamSummary(id="team-8", name="HR", organization_id=None),
        )
    )


def test_a_team_is_understood() -> None:
    team = decoded(operations.get_team(V2, None), {"team": {**TEAM, **NEW}})
    assert team == Team(
        id="team-7",
        name="Finance",
        created_at=datetime(2026, 7, 1, 12, tzinfo=UTC),
        organization_id="org-1",
        slack_team_id="T1",
        discovery_mode=TeamDiscoveryMode.AUTO,
    )
    least = decoded(operations.get_team(V2, None), {"team": {"id": "t", "name": "n"}})
    assert least == Team(id="t", name="n")
    nulls = dict.fromkeys(("organization_id", "slack_team_id"))
    assert decoded(operations.get_team(V2, None), {"team": {**TEAM, **nulls}}).slack_team_id is None


def test_a_discovery_mode_of_tomorrow_is_kept() -> None:
    team = decoded(operations.get_team(V2, None), {"team": {**TEAM, "discovery_mode": "never"}})
    assert team.discovery_mode == "never"
    assert not team.discovery_mode.is_known


def test_members_are_understood() -> None:
    least = {"id": "user-2", "email": "bob@example.test", "name": None}
    body = {"members": [{**MEMBER, **NEW}, least], "total": 7, "limit": 2, "offset": 0}
    assert decoded(list_members(), body) == Page(
        (
            TeamMember(
                id="user-1",
                email="ann@example.test",
                name="Ann",
                role="admin",
                inherited_from_org=True,
            ),
            TeamMember(id="user-2", email="bob@example.test"),
        ),
        7,
    )


def test_a_profile_is_understood() -> None:
    call = operations.get_profile(V1)
    assert decoded(call, {"profile": {**PROFILE, **NEW}}) == Profile(
        id="user-1", email="ann@example.test", name="Ann", team_id="team-7"
    )
    least = {"id": "user-1", "email": "ann@example.test", "name": None, "teamId": None}
    assert decoded(call, {"profile": least}) == Profile(id="user-1", email="ann@example.test")


@pytest.mark.parametrize(
    ("call", "member", "whole", "required"),
    [
        (operations.list_teams(V2), "teams", TEAM, ["id", "name"]),
        (operations.get_team(V2, None), "team", TEAM, ["id", "name"]),
        (list_members(), "members", MEMBER, ["id", "email"]),
        (operations.get_profile(V2), "profile", PROFILE, ["id", "email"]),
    ],
)
def test_without_its_identity_an_answer_is_not_understood(
    call: Call[Any], member: str, whole: dict[str, object], required: list[str]
) -> None:
    many = member.endswith("s")
    for name in required:
        lacking = {each: value for each, value in whole.items() if each != name}
        with pytest.raises(DecodeProblem) as caught:
            decoded(call, {member: [lacking] if many else lacking})
        place = f"$.{member}[0].{name}" if many else f"$.{member}.{name}"
        assert caught.value.problems == (f"required field missing @ {place}",)
    with pytest.raises(DecodeProblem, match=member):
        decoded(call, {})
