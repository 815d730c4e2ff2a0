from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from duvo_async.emulator import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from duvo_async.emulator import Response
    from tests.emulator.conftest import Api


def limit_headers(response: Response) -> dict[str, str]:
    names = ("limit", "remaining", "reset")
    found = {name: response.headers[f"x-ratelimit-{name}"] for name in names}
    return {**found, "seconds": response.headers["ratelimit-reset"]}


def test_every_authenticated_response_tells_the_limit(api: Api) -> None:
    for index, target in enumerate(("/v1/health", "/nothing", "/v1/runs/17", "/v1/runs")):
        response = api.get(target)
        remaining = str(299 - index)
        assert limit_headers(response) == {
            "limit": "300",
            "remaining": remaining,
            "reset": "1700000060",
            "seconds": "60",
        }
        assert response.headers["ratelimit-limit"] == "300"
        assert response.headers["ratelimit-remaining"] == remaining
        assert "retry-after" not in response.headers


def test_the_window_lasts_sixty_seconds_from_its_first_request(
    make_api: Callable[..., Api],
) -> None:
    api = make_api(requests_per_minute=2)
    api.clock.advance(0.5)
    assert limit_headers(api.get("/v1/health"))["reset"] == "1700000061"
    api.clock.advance(30.25)
    assert api.get("/v1/health").status == 200
    response = api.get("/v1/health")
    assert response.status == 429
    assert response.json()["error"] == "rate_limited"
    assert response.headers["retry-after"] == "30"
    assert limit_headers(response) == {
        "limit": "2",
        "remaining": "0",
        "reset": "1700000061",
        "seconds": "30",
    }
    api.clock.advance(29.5)
    assert api.get("/v1/health").headers["retry-after"] == "1"
    api.clock.advance(0.25)
    response = api.get("/v1/health")
    assert response.status == 200
    assert limit_headers(response)["remaining"] == "1"


def test_a_refused_request_does_nothing(make_api: Callable[..., Api]) -> None:
    api = make_api(requests_per_minute=2)
    sandbox_id = api.create_sandbox()
    api.get("/v1/health")
    assert api.upload(sandbox_id, "a.txt", b"a").status == 429
    api.clock.advance(60)
    assert api.files(sandbox_id) == []


def test_a_wrong_key_uses_up_nothing(make_api: Callable[..., Api]) -> None:
    api = make_api(requests_per_minute=1)
    for _ in range(3):
        assert api.emulator.handle(Request("GET", "/v1/health")).status == 401
    assert api.get("/v1/health").status == 200


def test_there_may_be_no_limit(make_api: Callable[..., Api]) -> None:
    api = make_api(requests_per_minute=None)
    responses = [api.get("/v1/health") for _ in range(400)]
    assert {response.status for response in responses} == {200}
    assert not [name for name in responses[-1].headers if "ratelimit" in name]


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def test_a_repeated_request_is_answered_without_doing_it_again(api: Api) -> None:
    body = {"agent_id": api.emulator.add_agent([]), "message": "hi"}
    first = api.post("/v1/runs", body, headers=keyed("one"))
    run_id = first.json()["run"]["id"]
    assert api.status(run_id) == "completed"
    api.clock.advance(10)
    again = api.post("/v1/runs", body, headers=keyed("one"))
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert again.headers["x-ratelimit-remaining"] < first.headers["x-ratelimit-remaining"]
    other = api.post("/v1/runs", body, headers=keyed("two"))
    assert other.json()["run"]["id"] != run_id
    assert api.post("/v1/runs", body).json()["run"]["id"] != run_id


def test_a_message_is_posted_once_for_a_key(api: Api) -> None:
    run_id = api.start()
    for _ in range(2):
        api.post(f"/v1/runs/{run_id}/messages", {"message": "hi"}, headers=keyed("one"))
    assert api.texts(run_id) == ["hi", "Noted: hi"]


def test_a_key_belongs_to_one_request(api: Api) -> None:
    run_id = api.start()
    target = f"/v1/runs/{run_id}/messages"
    api.post(target, {"message": "hi"}, headers=keyed("one"))
    assert api.post(target, {"message": "ho"}, headers=keyed("one")).status == 409
    assert api.post(f"/v1/runs/{run_id}/stop", headers=keyed("one")).status == 409


def test_only_success_is_remembered(api: Api) -> None:
    target = f"/v1/runs/{api.start()}/messages"
    assert api.post(target, {}, headers=keyed("one")).status == 400
    assert api.post(target, {"message": "hi"}, headers=keyed("one")).status == 201


def test_a_form_may_be_sent_again_with_another_boundary(api: Api) -> None:
    target = f"/v1/sandboxes/{api.create_sandbox()}/files"

    def send(boundary: bytes, data: bytes) -> Response:
        head = b'--%s\r\nContent-Disposition: form-data; name="' % boundary
        parts = head + b'path"\r\n\r\na\r\n' + head + b'file"\r\n\r\n' + data
        kind = {"content-type": f"multipart/form-data; boundary={boundary.decode()}"}
        body = parts + b"\r\n--%s--\r\n" % boundary
        return api.post(target, body, headers={**kind, **keyed("one")})

    assert send(b"one", b"abc").status == 201
    assert send(b"two", b"abc").headers["idempotent-replayed"] == "true"
    assert send(b"one", b"abd").status == 409


def test_a_key_is_not_empty(api: Api) -> None:
    assert api.post("/v1/sandboxes", headers=keyed("")).status == 400


@pytest.mark.parametrize("key", ["one", ""])
def test_a_key_means_nothing_to_a_read(api: Api, key: str) -> None:
    assert api.post("/v1/sandboxes", headers=keyed("one")).status == 201
    response = api.get("/v1/health", headers=keyed(key))
    assert (response.status, response.json()) == (200, {"status": "ok"})
