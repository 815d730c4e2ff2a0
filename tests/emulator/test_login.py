"""OAuth 2: how a client finds the authorization server, gets a token and uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from tests.support.file_api import ORIGIN
from tests.support.token_client import GRANT, SCOPES, TOKEN, Client, check_refused, encoded

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Api


@pytest.fixture
def client(api: Api) -> Client:
    return Client(api, api.emulator.client_id, api.emulator.client_secret)


def test_the_api_names_its_authorization_server(api: Api) -> None:
    host = {"host": "emulator.test"}
    response = api.send("GET", "/.well-known/oauth-protected-resource", host)
    data = response.json()
    assert data["resource"] == ORIGIN
    assert data["authorization_servers"] == [f"{ORIGIN}/login"]
    assert " ".join(data["scopes_supported"]) == SCOPES
    assert data["bearer_methods_supported"] == ["header"]


def test_the_authorization_server_names_its_token_endpoint(api: Api) -> None:
    host = {"host": "emulator.test"}
    data = api.send("GET", "/.well-known/oauth-authorization-server/login", host).json()
    assert data["issuer"] == f"{ORIGIN}/login"
    assert data["token_endpoint"] == ORIGIN + TOKEN
    assert data["grant_types_supported"] == ["client_credentials"]
    methods = ["client_secret_basic", "client_secret_post"]
    assert data["token_endpoint_auth_methods_supported"] == methods
    assert data["response_types_supported"] == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/.well-known/oauth-authorization-server", 404),
        ("GET", "/login/.well-known/oauth-authorization-server", 404),
        ("GET", "/login/oauth/token/", 404),
        ("POST", "/.well-known/oauth-protected-resource", 405),
        ("GET", TOKEN, 405),
    ],
)
def test_other_places_say_so(api: Api, method: str, path: str, status: int) -> None:
    response = api.send(method, path)
    assert response.status == status
    assert ("allow" in response.headers) == (status == 405)


def test_a_token_is_given_for_the_secret_in_the_header(client: Client) -> None:
    response = client.ask({**GRANT, "audience": ORIGIN, "scope": "runs:write runs:read"})
    data = response.json()
    assert data == {
        "access_token": data["access_token"],
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "runs:read runs:write",
    }
    assert response.status == 200
    assert response.headers["cache-control"] == "no-store"
    assert client.api.emulator.tokens_issued == 1


def test_a_token_is_given_for_the_secret_in_the_form(client: Client) -> None:
    form = {**GRANT, "client_id": client.id, "client_secret": client.secret}
    response = client.ask(form, headers={})
    assert (response.status, response.json()["scope"]) == (200, SCOPES)


def test_the_id_may_be_in_both_places(client: Client) -> None:
    assert client.ask({**GRANT, "client_id": client.id}).status == 200
    check_refused(client.ask({**GRANT, "client_id": "another"}), 400, "invalid_request")


def test_the_secret_may_be_in_one_place_only(client: Client) -> None:
    form = {**GRANT, "client_id": client.id, "client_secret": client.secret}
    check_refused(client.ask(form), 400, "invalid_request")


def test_what_is_in_the_header_is_form_encoded_first(make_api: Callable[..., Api]) -> None:
    api = make_api(client_id="a:b \u00e9", client_secret="c%d+:")
    client = Client(api, "a:b \u00e9", "c%d+:")
    assert client.ask(GRANT).status == 200
    check_refused(client.ask(GRANT, encoded("a:b \u00e9:c%d+:")), 401, "invalid_client")


def test_a_random_secret_shows_whether_it_was_encoded(client: Client) -> None:
    plain = encoded(f"{client.id}:{client.secret}")
    check_refused(client.ask(GRANT, plain), 401, "invalid_client")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Basic"},
        {"authorization": "Basic ###"},
        {"authorization": "Basic /w=="},
        {"authorization": "Bearer x"},
        encoded("nobody:x"),
        encoded("nobody"),
    ],
)
def test_an_unknown_client_is_refused(client: Client, headers: dict[str, str]) -> None:
    response = client.ask(GRANT, headers)
    check_refused(response, 401, "invalid_client")
    assert response.headers["www-authenticate"].startswith("Basic ")
    assert client.api.emulator.tokens_issued == 0


def test_a_wrong_secret_is_refused(client: Client) -> None:
    check_refused(client.ask(GRANT, encoded(f"{client.id}:x")), 401, "invalid_client")
    form = {**GRANT, "client_id": client.id, "client_secret": ""}
    check_refused(client.ask(form, {}), 401, "invalid_client")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ("grant_type=client_credentials&scope=runs:read&scope=runs:read", "invalid_request"),
        ("grant_type=client_credentials&x=%ff", "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({**GRANT, "scope": "runs:delete"}, "invalid_scope"),
        ({**GRANT, "scope": "runs:read  runs:write"}, "invalid_scope"),
        ({**GRANT, "audience": "http://other.test"}, "invalid_target"),
        ({**GRANT, "audience": f"{ORIGIN}/"}, "invalid_target"),
        ({**GRANT, "resource": "http://other.test"}, "invalid_target"),
    ],
)
def test_a_bad_form_is_refused(client: Client, form: dict[str, str] | str, error: str) -> None:
    check_refused(client.ask(form), 400, error)


def test_a_parameter_without_a_value_is_none(client: Client) -> None:
    assert client.ask({**GRANT, "scope": "", "audience": "", "x": "y"}).json()["scope"] == SCOPES


def test_the_parameters_belong_into_a_form(client: Client) -> None:
    kind = {**client.basic, "content-type": "application/json"}
    check_refused(client.ask(GRANT, kind), 400, "invalid_request")
    target = f"{TOKEN}?{urlencode(GRANT)}"
    check_refused(client.api.send("POST", target, client.basic), 400, "invalid_request")


def test_a_token_opens_the_api_until_it_expires(client: Client) -> None:
    token = client.token()
    client.api.clock.advance(3599.5)
    assert client.call(token).status == 200
    client.api.clock.advance(0.5)
    response = client.call(token)
    assert (response.status, response.json()["error"]) == (401, "invalid_token")
    metadata = f'resource_metadata="{ORIGIN}/.well-known/oauth-protected-resource"'
    challenge = f'Bearer error="invalid_token", {metadata}'
    assert response.headers["www-authenticate"] == challenge


def test_the_lifetime_may_change_at_any_time(client: Client) -> None:
    older = client.token()
    client.api.emulator.token_ttl = 10.5
    assert client.ask(GRANT).json()["expires_in"] == 10
    newer = client.token()
    client.api.clock.advance(10.5)
    assert [client.call(token).status for token in (older, newer)] == [200, 401]


def test_all_tokens_can_be_expired_at_once(client: Client) -> None:
    older = [client.token() for _ in range(2)]
    client.api.emulator.expire_tokens()
    newer = client.token()
    assert [client.call(token).status for token in (*older, newer)] == [401, 401, 200]
    assert client.api.emulator.tokens_issued == 3
    assert client.api.get("/v1/health").status == 200


def test_no_credentials_are_told_where_to_get_some(api: Api) -> None:
    response = api.send("GET", "/v1/health", {"host": "emulator.test"})
    assert response.status == 401
    metadata = f'resource_metadata="{ORIGIN}/.well-known/oauth-protected-resource"'
    assert response.headers["www-authenticate"] == f"Bearer {metadata}"


def test_tokens_are_no_part_of_the_limit(make_api: Callable[..., Api]) -> None:
    api = make_api(requests_per_minute=1)
    client = Client(api, api.emulator.client_id, api.emulator.client_secret)
    tokens = [client.token() for _ in range(3)]
    api.send("GET", "/.well-known/oauth-protected-resource")
    assert [client.call(token).status for token in tokens] == [200, 429, 429]
    paths = [each.path for each in api.emulator.requests]
    assert paths[:4] == [TOKEN] * 3 + ["/.well-known/oauth-protected-resource"]
    assert "x-ratelimit-limit" not in client.ask(GRANT).headers


def test_the_credentials_come_from_the_seed(make_api: Callable[..., Api]) -> None:
    one, two, three = (make_api(seed=seed).emulator for seed in (7, 7, 8))
    assert (one.client_id, one.client_secret) == (two.client_id, two.client_secret)
    assert one.client_id != three.client_id
    assert one.client_secret not in repr(one)
    assert one.add_client() == two.add_client() != three.add_client()
    given = make_api(seed=7, client_id="me", client_secret="mine").emulator
    assert (given.client_id, given.client_secret) == ("me", "mine")


def test_the_tokens_come_from_the_seed(make_api: Callable[..., Api]) -> None:
    tokens: list[str] = []
    for seed in (7, 7, 8):
        emulator = (api := make_api(seed=seed)).emulator
        tokens.append(Client(api, emulator.client_id, emulator.client_secret).token())
    assert tokens[0] == tokens[1] != tokens[2]
