"""What an access token is good for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.token_client import GRANT, SCOPES, Client, check_refused

if TYPE_CHECKING:
    from tests.emulator.conftest import Api


@pytest.fixture
def client(api: Api) -> Client:
    return Client(api, api.emulator.client_id, api.emulator.client_secret)


def test_another_client_may_have_fewer_scopes(api: Api) -> None:
    other = Client(api, *api.emulator.add_client(["runs:read", "files:read"]))
    assert other.ask(GRANT).json()["scope"] == "runs:read files:read"
    check_refused(other.ask({**GRANT, "scope": "runs:read runs:write"}), 400, "invalid_scope")
    assert Client(api, *api.emulator.add_client()).ask(GRANT).json()["scope"] == SCOPES
    with pytest.raises(ValueError, match="runs:delete"):
        api.emulator.add_client(["runs:delete"])


def test_a_token_without_the_scope_is_refused(client: Client) -> None:
    token = client.token(scope="runs:read")
    assert client.call(token, "GET", "/v1/runs").status == 200
    response = client.call(token, "POST", "/v1/runs")
    assert (response.status, response.json()["error"]) == (403, "insufficient_scope")
    challenge = response.headers["www-authenticate"]
    assert challenge.startswith('Bearer error="insufficient_scope", scope="runs:write", ')


NONE, ID = "", "5f0c1d3e-8a57-4b0e-9a52-d0a7e8a4b6c1"


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/v1/health", NONE),
        ("GET", "/v2/teams", NONE),
        ("GET", f"/v2/teams/{ID}", NONE),
        ("GET", f"/v2/teams/{ID}/agents", NONE),
        ("POST", f"/v2/teams/{ID}/agents", NONE),
        ("GET", f"/v2/teams/{ID}/runs", "runs:read"),
        ("POST", f"/v2/teams/{ID}/runs", "runs:write"),
        ("GET", "/v1/%72uns", "runs:read"),
        ("GET", f"/v2/runs/{ID}", "runs:read"),
        ("GET", f"/v2/runs/{ID}/messages", "runs:read"),
        ("POST", f"/v1/runs/{ID}/messages", "runs:write"),
        ("POST", f"/v2/runs/{ID}/stop", "runs:write"),
        ("POST", f"/v2/runs/{ID}/human-requests/{ID}/respond", "approvals:write"),
        ("GET", f"/v2/cases/{ID}/runs", "runs:read"),
        ("GET", f"/v2/cases/{ID}", NONE),
        ("DELETE", f"/v2/cases/{ID}", "queues:write"),
        ("GET", f"/v2/teams/{ID}/queues", NONE),
        ("POST", f"/v2/teams/{ID}/queues", "queues:write"),
        ("POST", f"/v1/queues/{ID}/cases", "queues:write"),
        ("POST", f"/v2/queues/{ID}/cases/search", NONE),
        ("POST", f"/v2/agents/{ID}/case-triggers", "queues:write"),
        ("PATCH", f"/v2/agents/{ID}", NONE),
        ("GET", f"/v2/teams/{ID}/files", "files:read"),
        ("GET", f"/v2/teams/{ID}/files/download-url/a/b", "files:read"),
        ("DELETE", f"/v2/teams/{ID}/files/a/b", NONE),
        ("POST", "/v2/sandboxes", "sandboxes:write"),
        ("POST", "/v1/sandboxes/x/upload-urls", "sandboxes:write"),
        ("GET", "/v1/sandboxes/x/files", "files:read"),
        ("POST", "/v2/mcp", "mcp:call"),
    ],
)
def test_an_operation_needs_one_scope_at_most(api: Api, method: str, path: str, scope: str) -> None:
    others = [each for each in SCOPES.split() if each != scope]
    for scopes, denied in (([scope] if scope else [], False), (others, bool(scope))):
        client = Client(api, *api.emulator.add_client(scopes))
        assert (client.call(client.token(), method, path).status == 403) == denied
