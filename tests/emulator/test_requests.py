"""What any request must be, whichever operation it is for."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest

from duvo_async.emulator import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Api

NOBODY = "5f0c1d3e-8a57-4b0e-9a52-d0a7e8a4b6c1"


def test_health_answers(api: Api) -> None:
    assert api.get("/v1/health").status == 200


@pytest.mark.parametrize("value", [None, "", "dv_key", "Bearer", "Bearer wrong", "Basic dv_key"])
def test_a_request_needs_the_key(make_api: Callable[..., Api], value: str | None) -> None:
    headers = {} if value is None else {"Authorization": value}
    api = make_api(api_key="dv_key")
    response = api.emulator.handle(Request("GET", "/v1/health", headers=headers))
    assert response.status == 401
    assert response.json()["error"] == "invalid_token"
    assert "x-ratelimit-limit" not in response.headers


def test_the_scheme_is_read_in_any_case(make_api: Callable[..., Api]) -> None:
    request = Request("GET", "/v1/health", headers={"Authorization": "bearer dv_key"})
    assert make_api(api_key="dv_key").emulator.handle(request).status == 200


def test_a_key_is_made_up_when_none_is_given(make_api: Callable[..., Api]) -> None:
    one, two = make_api().emulator.api_key, make_api().emulator.api_key
    assert one.startswith("dv_")
    assert len(one) == 35
    assert one != two


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/run", "/v2/runs", "/v1/health/", "/v1/runs//stop"]
)
def test_an_unknown_path_is_not_found(api: Api, path: str) -> None:
    response = api.get(path)
    assert response.status == 404
    assert response.json()["error"] == "not_found"


def test_another_method_is_not_allowed(api: Api) -> None:
    response = api.call("DELETE", f"/v1/runs/{NOBODY}/messages")
    assert response.status == 405
    assert response.headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/v1/runs/17"),
        ("GET", "/v1/runs/17/messages"),
        ("POST", "/v1/runs/17/stop"),
        ("POST", f"/v1/runs/{NOBODY}/human-requests/17/respond"),
    ],
)
def test_an_id_in_the_path_must_be_a_uuid(api: Api, method: str, target: str) -> None:
    response = api.call(method, target)
    assert response.status == 400
    assert "path.r" in response.json()["message"]


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/v1/health"),
        ("GET", f"/v1/runs/{NOBODY}"),
        ("GET", f"/v1/runs/{NOBODY}/messages"),
        ("POST", f"/v1/runs/{NOBODY}/stop"),
        ("POST", "/v1/sandboxes"),
        ("GET", "/v1/sandboxes/x/files"),
    ],
)
def test_an_operation_without_a_body_takes_none(api: Api, method: str, target: str) -> None:
    assert api.call(method, target, {}).status == 400


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/v1/runs"),
        ("GET", f"/v1/runs/{NOBODY}"),
        ("GET", f"/v1/runs/{NOBODY}/messages"),
        ("POST", "/v1/sandboxes"),
        ("GET", "/v1/sandboxes/x/files"),
    ],
)
def test_an_unknown_query_parameter_is_refused(api: Api, method: str, target: str) -> None:
    response = api.call(method, f"{target}?page=2")
    assert response.status == 400
    assert "query.page" in response.json()["message"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=51",
        "limit=",
        "limit=x",
        "limit=1.5",
        "limit=1&limit=2",
        "limit=\u0663",
        "offset=-1",
        "offset=x",
        "offset=1e3",
    ],
)
def test_a_bad_page_is_refused(api: Api, query: str) -> None:
    run_id = api.start()
    response = api.get(f"/v1/runs/{run_id}/messages?{query}")
    assert response.status == 400
    assert f"query.{query.partition('=')[0]}" in response.json()["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"agent_id": NaN}', b"\xff"])
def test_a_body_must_be_a_json_object(api: Api, body: bytes) -> None:
    response = api.post("/v1/runs", body, headers={"content-type": "application/json"})
    assert response.status == 400
    assert response.json()["error"] == "invalid_request"


def test_a_body_may_nest_too_deeply(api: Api) -> None:
    kind = {"content-type": "application/json"}
    assert api.post("/v1/runs", b"[" * 100_000, headers=kind).status == 400


def test_a_json_body_must_be_declared(api: Api) -> None:
    body = b'{"agent_id": "%s"}' % api.emulator.demo_agent_id.encode()
    assert api.post("/v1/runs", body).status == 415
    kind = {"content-type": "application/json; charset=utf-8"}
    assert api.post("/v1/runs", body, headers=kind).status == 201


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("agent_id", "17"),
        ("agent_id", 17),
        ("agent_id", None),
        ("message", None),
        ("message", 1),
        ("message", "\ud800"),
        ("sandbox_id", None),
        ("sandbox_id", ["x"]),
        ("webhook_url", None),
        ("webhook_url", "hook"),
        ("webhook_url", "http://a b"),
        ("webhook_url", "http://[::1"),
        ("human_request_webhook_url", "http://hook"),
    ],
)
def test_a_start_with_a_bad_field_names_it(api: Api, field: str, value: object) -> None:
    body = {"agent_id": api.emulator.demo_agent_id, field: value}
    response = api.post("/v1/runs", body)
    assert response.status == 400
    assert f"body.{field}" in response.json()["message"]


def test_a_required_field_is_missed_by_name(api: Api) -> None:
    response = api.post("/v1/runs", {"message": "hi"})
    assert response.status == 400
    assert "body.agent_id" in response.json()["message"]


@pytest.mark.parametrize("body", [{"message": ""}, {"message": None}, {}, {"message": "x", "a": 1}])
def test_a_message_must_have_text(api: Api, body: object) -> None:
    assert api.post(f"/v1/runs/{api.start()}/messages", body).status == 400


@pytest.mark.parametrize("body", [{"path": ""}, {"path": 1}, {}, {"path": "x", "size": 1}])
def test_an_upload_url_needs_a_path(api: Api, body: object) -> None:
    assert api.post(f"/v1/sandboxes/{api.create_sandbox()}/upload-urls", body).status == 400


def test_every_response_has_an_id_and_the_time_of_the_clock(api: Api) -> None:
    one, two = api.get("/v1/health"), api.get("/nothing")
    assert one.headers["x-request-id"] != two.headers["x-request-id"]
    for response in (one, two):
        assert parsedate_to_datetime(response.headers["date"]).timestamp() == api.clock.now


def test_every_answered_request_is_recorded(api: Api) -> None:
    api.post("/v1/sandboxes?x=%20", headers={"Idempotency-Key": "once"})
    api.emulator.handle(Request("GET", "/v1/health"))
    refused, unauthorized = api.emulator.requests
    assert (refused.method, refused.path, refused.query) == ("POST", "/v1/sandboxes", "x=%20")
    assert (refused.status, refused.at, refused.idempotency_key) == (400, api.clock.now, "once")
    assert refused.headers["host"] == "emulator.test"
    assert (unauthorized.status, unauthorized.idempotency_key) == (401, None)


def test_requests_need_not_be_recorded(make_api: Callable[..., Api]) -> None:
    api = make_api(keeps_requests=False)
    one, two = api.get("/v1/health"), api.get("/v1/health")
    assert one.headers["x-request-id"] != two.headers["x-request-id"]
    assert not api.emulator.requests
    api.emulator.keeps_requests = True
    api.get("/v1/runs")
    assert [each.path for each in api.emulator.requests] == ["/v1/runs"]


@pytest.mark.parametrize("config", ["1e999", "-1e999", "[" * 101 + "]" * 101])
def test_what_no_answer_could_show_is_refused(api: Api, config: str) -> None:
    body = f'{{"name": "a", "build": {{"name": "b", "config": {config}}}}}'.encode()
    headers = {"content-type": "application/json"}
    response = api.call("POST", "/v1/agents", body, headers)
    assert response.status == 400
    assert "no JSON" in response.json()["message"] or "deep" in response.json()["message"]


def test_a_host_that_is_no_text_breaks_no_header(api: Api) -> None:
    host = {"host": 'a"b\udcff', "authorization": "Bearer wrong"}
    response = api.emulator.handle(Request("GET", "/v1/health", headers=host))
    assert response.status == 401
    assert "http://a%22b%FF/" in response.headers["www-authenticate"]
