"""What the API says of operations that will end, and of starts that it only accepts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from duvo_async.emulator import Response
    from tests.emulator.conftest import Api

NOBODY = "5f0c1d3e-8a57-4b0e-9a52-d0a7e8a4b6c1"
NAMES = ("deprecation", "sunset", "link")


def announced(response: Response) -> dict[str, str]:
    return {name: response.headers[name] for name in NAMES if name in response.headers}


def test_nothing_is_announced_at_first(api: Api) -> None:
    assert announced(api.get("/v1/runs")) == {}


@pytest.mark.parametrize(
    "at", [1_700_000_000.9, 1_700_000_000, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)]
)
def test_times_are_written_as_each_header_has_them(api: Api, at: float | datetime) -> None:
    api.emulator.announce("GET", "/v1/runs", deprecation=at, sunset=at, link="http://docs.test/x")
    assert announced(api.get("/v1/runs?limit=1")) == {
        "deprecation": "@1700000000",
        "sunset": "Tue, 14 Nov 2023 22:13:20 GMT",
        "link": '<http://docs.test/x>; rel="deprecation"',
    }


def test_texts_stay_as_they_are(api: Api) -> None:
    api.emulator.announce("GET", "/v1/runs", deprecation="true", sunset="soon")
    assert announced(api.get("/v1/runs")) == {"deprecation": "true", "sunset": "soon"}


@pytest.mark.parametrize("template", ["/v1/runs/{run_id}", "/v1/runs/{*}", f"/v1/runs/{NOBODY}"])
def test_all_answers_of_the_operation_say_it(api: Api, template: str) -> None:
    api.emulator.announce("get", template, deprecation="true")
    path = f"/v1/runs/{NOBODY}"
    for response in (api.get(path), api.get(f"{path}?x=y"), api.send("GET", path)):
        assert response.status >= 400
        assert announced(response) == {"deprecation": "true"}


def test_other_operations_do_not_say_it(api: Api) -> None:
    api.emulator.announce("GET", "/v1/runs", deprecation="true")
    team = f"/v2/teams/{api.emulator.team_id}/runs"
    for response in (api.post("/v1/runs"), api.get(f"/v1/runs/{NOBODY}"), api.get(team)):
        assert announced(response) == {}


def test_the_last_announcement_counts(api: Api) -> None:
    api.emulator.announce("GET", "/v1/runs", deprecation="true", sunset="soon")
    api.emulator.announce("GET", "/v1/runs", sunset="later")
    assert announced(api.get("/v1/runs")) == {"sunset": "later"}
    api.emulator.announce("GET", "/v1/runs")
    assert announced(api.get("/v1/runs")) == {}


@pytest.mark.parametrize("accepts_202", [True, False])
def test_a_start_may_be_accepted_only(make_api: Callable[..., Api], *, accepts_202: bool) -> None:
    api = make_api(accepts_202=accepts_202)
    agent_id = api.emulator.add_agent([])
    for path in ("/v1/runs", f"/v2/teams/{api.emulator.team_id}/runs"):
        response = api.post(path, {"agent_id": agent_id})
        assert response.status == (202 if accepts_202 else 201)
        assert api.status(response.json()["run"]["id"]) == "completed"
