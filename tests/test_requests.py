"""Any request, light clients, what comes beside a value, endings announced, the team found."""

import asyncio
import json
import logging
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import frozen

from duvo_async import (
    APIResponse,
    APITimeoutError,
    AsyncDuvo,
    BadRequestError,
    ConfigurationError,
    Duvo,
    DuvoDeprecationWarning,
    NotFoundError,
    ResponseDecodeError,
    RetryPolicy,
    Run,
    ServerError,
)
from duvo_async.emulator import Emulator
from tests.support.annotated import Annotated
from tests.support.stub import (
    AGENT_ID,
    RUN_ID,
    Stub,
    answer,
    hang_up,
    run_answer,
    run_body,
    serve,
)

pytestmark = pytest.mark.anyio

KEY = "dv_a_key_that_must_never_be_seen"
STARTED = answer(201, {"run": run_body("pending")})
OK = answer(200, {"ok": True})


def client(stub: Stub, **settings: Any) -> AsyncDuvo:  # noqa: ANN401 - as tests say
    return AsyncDuvo(KEY, base_url=stub.url, **settings)


# --- any request -----------------------------------------------------------------------------


async def test_any_request_is_a_call_like_the_others() -> None:
    async with serve(answer(503), hang_up, OK) as stub, client(stub) as duvo:
        found = await duvo.request("post", "/v2/skills", json={"name": "é", "none": None})
    assert found == {"ok": True}
    (asked, *others) = stub.asked
    assert len(others) == 2
    assert asked.method == "POST"
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    assert asked.headers["Content-Type"] == "application/json"
    assert json.loads(asked.body) == {"name": "é", "none": None}
    assert len({each.headers["Idempotency-Key"] for each in stub.asked}) == 1


async def test_a_key_of_ones_own_and_no_key_for_reading() -> None:
    async with serve(OK) as stub, client(stub) as duvo:
        await duvo.request("DELETE", "/v1/things/1", idempotency_key="mine")
        await duvo.request("GET", "/v1/things")
    assert [each.headers.get("Idempotency-Key") for each in stub.asked] == ["mine", None]


@pytest.mark.parametrize(
    ("path", "params", "sent"),
    [
        ("/v1/a", None, "/v1/a"),
        ("a/b", {"q": "x y&z"}, "/v2/a/b?q=x+y%26z"),
        ("/v1/a?b=1", {"c": 2}, "/v1/a?b=1&c=2"),
        ("/v1/a%2Fb", {"n": None, "t": True, "f": 1.5}, "/v1/a%2Fb?t=true&f=1.5"),
        ("/v1/é", {"many": ["a", "b", None]}, "/v1/%C3%A9?many=a&many=b"),
        (
            "/v1/a",
            {"at": datetime(2026, 7, 1, 12, tzinfo=UTC)},
            "/v1/a?at=2026-07-01T12:00:00.000Z",
        ),
        ("/v2/teams/{team_id}/skills", None, "/v2/teams/team-7/skills"),
    ],
)
async def test_a_path_and_its_query(path: str, params: Mapping[str, Any] | None, sent: str) -> None:
    async with (
        serve(OK) as stub,
        client(stub, api_version="v2", team_id="team-7") as duvo,
    ):
        await duvo.request("GET", path, params=params)
    assert stub.asked[0].raw_path.replace("%3A", ":") == sent


async def test_a_whole_url_of_the_apis_own_is_taken() -> None:
    async with serve(OK) as stub, client(stub) as duvo:
        await duvo.request("GET", f"{stub.url}/v1/next?cursor=a%2Bb")
    assert stub.asked[0].raw_path == "/v1/next?cursor=a%2Bb"


@pytest.mark.parametrize(
    "path",
    [
        "https://elsewhere.test/v1/runs",
        "//elsewhere.test/v1/runs",
        "http://127.0.0.1:1/v1/runs",
        "https://user:pass@api.duvo.ai/v1/runs",
        "/v1/../admin",
        "/v1/%2e%2e/admin",
        "/v1/runs/%2e%2e%2fadmin",
        "/v1/runs/..%5Cadmin",
        "/v1/.",
        "/v1/a b",
        "/v1/a\nb",
        "/v1/a#b",
        "http://[::1",
        "cases:bulk/x",
        "/v1/a?team={team_id}",
    ],
)
async def test_what_leads_elsewhere_is_refused(path: str) -> None:
    async with serve(OK) as stub, client(stub) as duvo:
        with pytest.raises(ValueError, match="path"):
            await duvo.request("GET", path)
    assert stub.asked == []


async def test_below_a_base_path_a_url_stays_below_it() -> None:
    async with serve(OK) as stub, AsyncDuvo(KEY, base_url=f"{stub.url}/duvo") as duvo:
        await duvo.request("GET", f"{stub.url}/duvo/v1/a")
        await duvo.request("GET", "/v1/b")
        with pytest.raises(ValueError, match="another host"):
            await duvo.request("GET", f"{stub.url}/duvotoo/v1/a")
    assert [each.path for each in stub.asked] == ["/duvo/v1/a", "/duvo/v1/b"]


@pytest.mark.parametrize(
    ("given", "kind", "body"),
    [
        ({"data": b"\x00\xff"}, "application/octet-stream", b"\x00\xff"),
        ({"data": "é"}, "text/plain; charset=utf-8", "é".encode()),
        ({"data": {"a": "1 2", "b": "&"}}, "application/x-www-form-urlencoded", b"a=1+2&b=%26"),
        ({"json": ["a", {"b": 1}]}, "application/json", b'["a",{"b":1}]'),
        (
            {"data": b"1.10", "content_type": "application/json"},
            "application/json",
            b"1.10",
        ),
    ],
)
async def test_bodies(given: dict[str, Any], kind: str, body: bytes) -> None:
    async with serve(OK) as stub, client(stub) as duvo:
        await duvo.request("PUT", "/v1/a", **given)
    assert stub.asked[0].headers["Content-Type"] == kind
    assert stub.asked[0].body == body


@frozen
class Wrapped:
    run: Run


@dataclass
class Flag:
    ok: bool


async def test_an_answer_is_read_as_wanted() -> None:
    async with serve(run_answer()) as stub, client(stub) as duvo:
        path = f"/v1/runs/{RUN_ID}"
        assert (await duvo.request("GET", path, cast_to=Wrapped)).run.id == RUN_ID
        assert json.loads(await duvo.request("GET", path, cast_to=bytes))["run"]["id"] == RUN_ID
        assert RUN_ID in await duvo.request("GET", path, cast_to=str)
        with pytest.raises(ResponseDecodeError, match=r"required field missing @ \$\.ok"):
            await duvo.request("GET", path, cast_to=Flag)
    async with serve(answer(204), OK, answer(200, b"<p>")) as stub, client(stub) as duvo:
        assert await duvo.request("DELETE", "/v1/a") is None
        assert await duvo.request("GET", "/v1/a", cast_to=Flag) == Flag(ok=True)
        with pytest.raises(ResponseDecodeError, match="is not JSON"):
            await duvo.request("GET", "/v1/a")


async def test_a_class_whose_annotations_are_texts_is_read() -> None:
    async with serve(OK) as stub, client(stub) as duvo:
        assert await duvo.request("GET", "/v1/a", cast_to=Annotated) == Annotated(ok=True)


async def test_credentials_that_are_repeated_are_blotted_out_however_they_are_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    token = 'ya29/ab+cd"=='
    said = (
        '{"code": "x", "message": "no \\"ya29\\/ab\\u002bcd\\"==", "details": ["ya29/ab+cd\\"=="]}'
    )
    told = answer(400, said, X_Request_Id=token)
    async with serve(told) as stub, AsyncDuvo(token, base_url=stub.url) as duvo:
        with pytest.raises(BadRequestError) as failed:
            await duvo.runs.get(RUN_ID)
    error = failed.value
    assert token not in repr(vars(error)) + str(error) + caplog.text
    assert error.details == ["[API key]"]
    assert error.request_id == "[API key]"


async def test_errors_are_those_of_every_call() -> None:
    problem = {"code": "invalid", "message": "No", "request_id": "r-1"}
    async with serve(answer(400, problem)) as stub, client(stub) as duvo:
        with pytest.raises(BadRequestError, match=r"PATCH /v1/a: 400 invalid: No"):
            await duvo.request("PATCH", "/v1/a", json={})


@pytest.mark.parametrize(
    "given",
    [
        {"method": "BREW"},
        {"method": "GET / HTTP/1.1\r\n"},
        {"method": None},
        {"path": None},
        {"params": {"a": object()}},
        {"params": {"a": b"xy"}},
        {"params": {1: "a"}},
        {"params": {"a": "\udc80"}},
        {"data": {"a": ["1"]}},
        {"content_type": "a\r\nb/c"},
        {"content_type": "json"},
        {"method": "GET", "idempotency_key": "a\nb"},
        {"json": {}, "data": b""},
        {"json": {"a": object()}},
        {"json": float("nan")},
        {"data": 7},
        {"cast_to": 7},
        {"cast_to": "Run"},
        {"timeout": 0},
        {"timeout": "1"},
        {"idempotency_key": "a\nb"},
    ],
)
async def test_arguments_that_cannot_work_are_refused(given: dict[str, Any]) -> None:
    async with serve(OK) as stub, client(stub) as duvo:
        with pytest.raises((TypeError, ValueError)):
            await duvo.request(**{"method": "POST", "path": "/v1/a", **given})
    assert stub.asked == []


async def test_a_time_out_of_its_own() -> None:
    async def never(_: object) -> Any:  # noqa: ANN401 - no answer
        await asyncio.Event().wait()

    none = RetryPolicy(retries=0)
    async with serve(never) as stub, client(stub, retry=none) as duvo:
        with pytest.raises(APITimeoutError):
            await duvo.request("GET", "/v1/a", timeout=0.01)
        with pytest.raises(APITimeoutError):
            await duvo.with_options(timeout=0.01).runs.get(RUN_ID)
        with pytest.raises(APITimeoutError):
            await duvo.with_options(timeout=0.01).with_options(retry=none).runs.get(RUN_ID)


# --- light clients ---------------------------------------------------------------------------


async def test_a_light_client_shares_connections_budget_and_waits() -> None:
    async with serve(run_answer()) as stub, client(stub) as duvo:
        light = duvo.with_options(retry=RetryPolicy(retries=0))
        assert type(light) is AsyncDuvo
        await light.runs.get(RUN_ID)
        await light.close()
        await duvo.runs.get(RUN_ID)
        assert light.rate_limit == duvo.rate_limit
        assert repr(light) == repr(duvo)


async def test_a_light_client_has_its_own_retries() -> None:
    async with serve(answer(503)) as stub, client(stub) as duvo:
        with pytest.raises(ServerError) as failed:
            await duvo.with_options(retry=RetryPolicy(retries=1, initial_delay=0.001)).runs.get("r")
    assert failed.value.attempts == len(stub.asked) == 2


async def test_a_light_client_gives_its_key_to_one_request() -> None:
    async with serve(STARTED) as stub, client(stub) as duvo:
        light = duvo.with_options(idempotency_key="order-7")
        await light.runs.start(AGENT_ID)
        await light.runs.start(AGENT_ID)  # the same again is what the key is for
        await light.runs.start(AGENT_ID, idempotency_key="its-own")
        with pytest.raises(ValueError, match="used for another request"):
            await light.runs.start(AGENT_ID, message="another")
        with pytest.raises(ValueError, match="used for another request"):
            await light.sandboxes.create()
    keys = [each.headers["Idempotency-Key"] for each in stub.asked]
    assert keys == ["order-7", "order-7", "its-own"]


@pytest.mark.parametrize("given", [{"timeout": 0}, {"timeout": -1}, {"retry": 3}])
async def test_options_that_cannot_work_are_refused(given: dict[str, Any]) -> None:
    async with AsyncDuvo(KEY) as duvo:
        with pytest.raises((TypeError, ValueError)):
            duvo.with_options(**given)


# --- beside the value ------------------------------------------------------------------------


async def test_what_came_with_a_value() -> None:
    told = answer(200, {"run": run_body("running")}, X_Request_Id="req-7", X_More="1")
    async with serve(answer(503), told) as stub, client(stub) as duvo:
        found = await duvo.with_response(duvo.runs.get, RUN_ID)
    assert isinstance(found, APIResponse)
    assert found.value.id == RUN_ID
    assert (found.status, found.request_id, found.attempts) == (200, "req-7", 2)
    assert found.headers["x-more"] == found.headers["X-More"] == "1"


async def test_each_call_sees_its_own_response() -> None:
    answers = [answer(200, {"run": run_body("running")}, X_Request_Id=str(n)) for n in range(20)]
    async with serve(*answers) as stub, client(stub) as duvo:
        found = await asyncio.gather(
            *(duvo.with_response(duvo.runs.get, RUN_ID) for _ in range(20))
        )
    assert {each.request_id for each in found} == set(map(str, range(20)))


async def test_a_call_that_asks_nothing_has_nothing_beside() -> None:
    async def nothing(value: int) -> int:
        return value

    async with AsyncDuvo(KEY) as duvo:
        found = await duvo.with_response(nothing, value=7)
    assert (found.value, found.status, found.request_id, found.attempts) == (7, None, None, 0)
    assert dict(found.headers) == {}


async def test_what_is_no_call_has_no_response() -> None:
    async with AsyncDuvo(KEY) as duvo:
        takes_anything: Any = duvo.with_response
        with pytest.raises(TypeError, match="the call and its arguments"):
            await takes_anything(duvo.runs.get("r"))
        with pytest.raises(TypeError, match="a list is none"):
            await takes_anything(duvo.runs.list)
    with Duvo(KEY) as blocking:
        takes_anything = blocking.with_response
        with pytest.raises(TypeError, match="the call and its arguments"):
            takes_anything("runs.get")


def test_the_blocking_client_has_all_of_it() -> None:
    with Emulator() as emulator, Duvo(emulator.api_key, base_url=emulator.url) as duvo:
        agent = emulator.add_agent([])
        started = duvo.with_response(duvo.runs.start, agent, message="go")
        assert (started.status, started.attempts) == (201, 1)
        assert started.headers["content-type"] == "application/json"
        path = f"/runs/{started.value.id}"
        light = duvo.with_options(idempotency_key="mine", timeout=5)
        assert light.request("GET", path, cast_to=Wrapped).run.id == started.value.id
        light.request("POST", "/runs", json={"agent_id": agent})
        light.close()
        with pytest.raises(NotFoundError):
            duvo.request("GET", "/v1/nothing")
        assert emulator.requests[-2].idempotency_key == "mine"


# --- endings announced -----------------------------------------------------------------------


ENDING = {
    "Deprecation": "@1767225600",
    "Sunset": "Fri, 01 Jan 2027 00:00:00 GMT",
    "Link": '<https://docs.test/next>; rel="deprecation"; type="text/html"',
}


async def test_the_end_of_an_endpoint_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        serve(answer(200, {"run": run_body("running")}, **ENDING)) as stub,
        client(stub) as duvo,
    ):
        with pytest.warns(DuvoDeprecationWarning) as warned:
            await duvo.runs.get(RUN_ID)
        (only,) = warned
        assert re.fullmatch(
            r"the API announces the end of GET /v1/runs/\{\}: deprecated from 2026-01-01, "
            r"gone after 2027-01-01; see https://docs.test/next",
            str(only.message),
        )
        assert only.filename == __file__
        with warnings.catch_warnings(record=True) as again:
            warnings.simplefilter("always")
            await duvo.runs.get(RUN_ID[::-1].upper())
            await duvo.with_options(timeout=9).runs.get(RUN_ID)
        assert again == []
        with pytest.warns(DuvoDeprecationWarning, match="GET /v1/skills"):
            await duvo.request("GET", "/v1/skills")
    logged = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert len(logged) == 2


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({"Deprecation": "true"}, ": deprecated$"),
        ({"Deprecation": "Thu, 01 Jan 2026 00:00:00 GMT"}, ": deprecated from 2026-01-01$"),
        ({"Sunset": "Fri, 01 Jan 2027 00:00:00 GMT"}, ": deprecated, gone after 2027-01-01$"),
        ({"Deprecation": "@99999999999999", "Sunset": "soon"}, ": deprecated$"),
        ({"Deprecation": "true", "Link": "<javascript:x>; rel=deprecation"}, ": deprecated$"),
        ({"Deprecation": "true", "Link": '<https://a.test/>; rel="next"'}, ": deprecated$"),
        (
            {
                "Deprecation": "true",
                "Link": '<https://a.test/>; rel="next", <https://b.test/>; rel=sunset',
            },
            "see https://b.test/$",
        ),
    ],
)
async def test_what_is_said_of_an_ending(headers: dict[str, str], text: str) -> None:
    async with serve(answer(200, {}, **headers)) as stub, client(stub) as duvo:
        with pytest.warns(DuvoDeprecationWarning, match=text):
            await duvo.request("GET", "/v1/a")


# --- the team --------------------------------------------------------------------------------


def teams(*names: str) -> Any:  # noqa: ANN401 - an answer
    listed = [{"id": f"id of {each}", "name": each, "organization_id": None} for each in names]
    return answer(200, {"teams": listed})


async def test_the_only_team_is_found_once_for_all_calls() -> None:
    async with (
        serve(teams("Finance"), STARTED) as stub,
        client(stub, api_version="v2") as duvo,
    ):
        await asyncio.gather(*(duvo.runs.start(AGENT_ID) for _ in range(20)))
        await duvo.with_options(timeout=9).runs.start(AGENT_ID)
        await duvo.request("GET", "/teams/{team_id}/skills")
    first, *others, last = stub.asked
    assert first.raw_path == "/v2/teams"
    assert {each.raw_path for each in others} == {"/v2/teams/id%20of%20Finance/runs"}
    assert last.raw_path == "/v2/teams/id%20of%20Finance/skills"
    assert len(others) == 21


async def test_paths_without_a_team_ask_for_none() -> None:
    async with serve(run_answer()) as stub, client(stub, api_version="v2") as duvo:
        await duvo.runs.get(RUN_ID)
    assert [each.path for each in stub.asked] == [f"/v2/runs/{RUN_ID}"]


async def test_what_was_not_sent_for_want_of_a_team_was_not_done() -> None:
    none = RetryPolicy(retries=0)
    async with (
        serve(answer(503)) as stub,
        client(stub, api_version="v2", retry=none) as duvo,
    ):
        with pytest.raises(ServerError) as failed:
            await duvo.runs.start(AGENT_ID, idempotency_key="order-7")
    assert failed.value.may_have_been_done is False
    assert failed.value.idempotency_key == "order-7"


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ((), "can act on: none"),
        (("A", "B"), r"team_id= or set DUVO_TEAM_ID.*id of A \(A\), id of B \(B\)"),
    ],
)
async def test_without_one_team_it_says_which_there_are(names: tuple[str, ...], text: str) -> None:
    async with serve(teams(*names)) as stub, client(stub, api_version="v2") as duvo:
        with pytest.raises(ConfigurationError, match=text):
            await duvo.runs.start(AGENT_ID)
        with pytest.raises(ConfigurationError):
            await asyncio.gather(*(duvo.runs.start(AGENT_ID) for _ in range(9)))
    assert {each.path for each in stub.asked} == {"/v2/teams"}
    assert len(stub.asked) == 1  # they are as they were
