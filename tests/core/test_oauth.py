"""What is asked of an authorization server, and what its answers mean."""

import copy
import json
import pickle
from base64 import b64decode
from math import inf
from typing import Any, cast
from urllib.parse import parse_qs, unquote_plus

import pytest
from attrs import evolve
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from duvo_async import (
    AuthenticationError,
    BadRequestError,
    ClientCredentials,
    ConfigurationError,
    CredentialsError,
    ServerError,
)
from duvo_async._converter import DecodeProblem
from duvo_async._discovery import (
    Resource,
    TokenServer,
    given_server,
    read_resource,
    read_server,
    resource_request,
    server_request,
)
from duvo_async._oauth import failure, read_token, spellings, token_request
from duvo_async._protocol import Request, Response
from duvo_async.credentials import flaw, guarded_url
from tests.support.properties import unhurried

API = URL("https://api.duvo.ai")
LOGIN = "https://login.duvo.ai/"
SECRET = "s-3 'crét".replace("é", "e")


def client(**settings: Any) -> ClientCredentials:  # noqa: ANN401 - as tests say
    return ClientCredentials("client-7", SECRET, **settings)


def written(facts: object) -> bytes:
    return json.dumps(facts).encode()


# --- credentials ---------------------------------------------------------------------------------


def test_credentials_are_a_value() -> None:
    assert client(scopes="a b") == client(scopes=["a", "b"]) == copy.copy(client(scopes=("a", "b")))
    assert hash(client()) == hash(client())
    assert client() != ClientCredentials("client-7", "another")
    assert evolve(client(), scopes="a") == client(scopes="a")
    with pytest.raises(FrozenInstanceError):
        cast("Any", client()).client_id = "other"


def test_credentials_show_no_secret() -> None:
    assert SECRET not in repr(client())
    assert "client-7" in repr(client())
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(client())
    with pytest.raises(TypeError, match="copied"):
        copy.deepcopy(client())


@pytest.mark.parametrize("given", ["", " ", "\n", "a\n", "a\x00", "caf\u00e9", "a\u200b"])
@pytest.mark.parametrize("name", ["client_id", "client_secret"])
def test_an_id_and_a_secret_are_printable(name: str, given: str) -> None:
    with pytest.raises(CredentialsError, match=name) as caught:
        ClientCredentials(**cast("Any", {"client_id": "i", "client_secret": "s", name: given}))
    assert given not in str(caught.value) or not given.strip()


@pytest.mark.parametrize("given", [None, 7, b"secret", ["secret"]])
@pytest.mark.parametrize("name", ["client_id", "client_secret"])
def test_an_id_and_a_secret_are_texts(name: str, given: object) -> None:
    with pytest.raises(TypeError, match=f"{name} must be a string") as caught:
        ClientCredentials(**cast("Any", {"client_id": "i", "client_secret": "s", name: given}))
    assert "secret'" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "scopes"),
    [
        ("", ()),
        ("  ", ()),
        ("runs:read", ("runs:read",)),
        (" runs:read  runs:write ", ("runs:read", "runs:write")),
        (["runs:read", "runs:read"], ("runs:read",)),
        (iter(["a", "b"]), ("a", "b")),
        (["!#$[]~"], ("!#$[]~",)),
    ],
)
def test_scopes_are_one_text_or_several(given: Any, scopes: tuple[str, ...]) -> None:  # noqa: ANN401 - both
    assert client(scopes=given).scopes == scopes


@pytest.mark.parametrize("given", [[""], ["a b"], ['a"'], ["a\\b"], ["\u00e9"], ["a\n"]])
def test_a_scope_is_as_the_standard_says(given: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="is no scope"):
        client(scopes=given)


@pytest.mark.parametrize("given", [None, 7, b"runs:read", [7], [b"runs:read"]])
def test_scopes_are_texts(given: object) -> None:
    with pytest.raises(TypeError, match="scopes must be strings"):
        client(scopes=given)


@pytest.mark.parametrize(
    "url",
    [
        "https://login.duvo.ai/oauth/token",
        "https://login.duvo.ai:8443/oauth/token?tenant=7",
        "http://127.0.0.1:8080/token",
        "http://localhost/token",
        "http://[::1]:1/token",
    ],
)
def test_secrets_may_go_where_nobody_listens(url: str) -> None:
    assert client(token_url=url).token_url == url
    assert str(guarded_url(url)) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "login.duvo.ai/oauth/token",
        "/oauth/token",
        "https://",
        "https://login.duvo.ai/oauth token",
        "https://login.duvo.ai/token\n",
        "https://[::1/token",
        "http://login.duvo.ai/oauth/token",
        "http://127.0.0.1.else.where/token",
        "ftp://login.duvo.ai/oauth/token",
        "https://me:hidden@login.duvo.ai/token",
        "https://login.duvo.ai/token#part",
    ],
)
def test_secrets_go_nowhere_else(url: str) -> None:
    with pytest.raises(ConfigurationError, match="token_url must") as caught:
        client(token_url=url)
    assert "hidden" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize("audience", ["", " ", "https://api\n"])
def test_an_audience_is_printable(audience: str) -> None:
    with pytest.raises(ConfigurationError, match="audience"):
        client(audience=audience)


@pytest.mark.parametrize("name", ["token_url", "audience"])
def test_other_settings_are_texts(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} must be a string"):
        client(**{name: 7})


@pytest.mark.parametrize("token", ["dv_1", "a.b-c~d+e/f==", "!"])
def test_a_token_that_a_header_can_hold(token: str) -> None:
    assert flaw(token) is None


# --- discovery -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resource", "url"),
    [
        ("https://api.duvo.ai", "https://api.duvo.ai/.well-known/oauth-protected-resource"),
        ("https://api.duvo.ai:443/", "https://api.duvo.ai/.well-known/oauth-protected-resource"),
        ("https://a.b/duvo/eu", "https://a.b/.well-known/oauth-protected-resource/duvo/eu"),
        ("https://a.b/d%2Fo/", "https://a.b/.well-known/oauth-protected-resource/d%2Fo"),
        ("http://127.0.0.1:80", "http://127.0.0.1/.well-known/oauth-protected-resource"),
    ],
)
def test_an_api_is_asked_at_its_well_known_place(resource: str, url: str) -> None:
    request = resource_request(URL(resource))
    assert (request.method, request.signed_url) == ("GET", url)
    assert request.path == url.partition("://")[2]
    assert request.body is None


def test_an_api_is_not_asked_where_others_could_answer() -> None:
    with pytest.raises(ConfigurationError, match="token_url="):
        resource_request(URL("http://api.duvo.ai"))


@pytest.mark.parametrize("resource", ["https://api.duvo.ai", "https://api.duvo.ai/"])
def test_an_api_names_its_authorization_server(resource: str) -> None:
    body = written({"resource": resource, "authorization_servers": [LOGIN, "https://other.ai"]})
    assert read_resource(body, API) == Resource(resource, LOGIN)


@pytest.mark.parametrize(
    "changes",
    [
        {"resource": "https://api.duvo.ai/v1"},
        {"resource": "https://api.duvo.ai.else.where"},
        {"resource": "HTTPS://API.DUVO.AI"},
        {"resource": 7},
        {"resource": ""},
        {"authorization_servers": LOGIN},
        {"authorization_servers": []},
        {"authorization_servers": [None]},
        {"authorization_servers": ["http://login.duvo.ai"]},
        {"authorization_servers": ["login.duvo.ai"]},
    ],
)
def test_another_resource_or_no_server_is_refused(changes: dict[str, object]) -> None:
    facts = {"resource": str(API), "authorization_servers": [LOGIN], **changes}
    with pytest.raises(DecodeProblem):
        read_resource(written(facts), API)


@pytest.mark.parametrize(
    ("issuer", "url"),
    [
        (LOGIN, "https://login.duvo.ai/.well-known/oauth-authorization-server"),
        ("https://a.b", "https://a.b/.well-known/oauth-authorization-server"),
        ("https://a.b/t/7", "https://a.b/.well-known/oauth-authorization-server/t/7"),
        ("https://a.b:8443/t/", "https://a.b:8443/.well-known/oauth-authorization-server/t"),
    ],
)
def test_an_authorization_server_is_asked_at_its_well_known_place(issuer: str, url: str) -> None:
    assert server_request(issuer).signed_url == url


METADATA = {"issuer": LOGIN, "token_endpoint": f"{LOGIN}oauth/token"}
RESOURCE = Resource(str(API), LOGIN)


@pytest.mark.parametrize(
    ("methods", "takes_basic"),
    [
        (None, True),
        (["client_secret_basic", "client_secret_post"], True),
        (["client_secret_post", "client_secret_basic"], True),
        (["client_secret_post"], False),
        (["private_key_jwt", "client_secret_post"], False),
    ],
)
def test_how_clients_say_who_they_are(methods: list[str] | None, takes_basic: bool) -> None:  # noqa: FBT001 - an expectation
    facts = {**METADATA, "token_endpoint_auth_methods_supported": methods}
    server = read_server(written(facts), RESOURCE)
    assert server == TokenServer(URL(f"{LOGIN}oauth/token"), str(API), takes_basic=takes_basic)


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://login.duvo.ai"},
        {"issuer": "https://else.where/"},
        {"issuer": None},
        {"token_endpoint": None},
        {"token_endpoint": "http://login.duvo.ai/oauth/token"},
        {"token_endpoint": "https://me@login.duvo.ai/oauth/token"},
        {"token_endpoint": "https://login.duvo.ai/oauth/token#x"},
        {"token_endpoint_auth_methods_supported": ["private_key_jwt"]},
        {"token_endpoint_auth_methods_supported": []},
    ],
)
def test_another_server_or_no_safe_place_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(DecodeProblem):
        read_server(written({**METADATA, **changes}), RESOURCE)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"<html>", b'"text"', b"[" * 10**5])
def test_no_discovery_is_refused(body: bytes) -> None:
    with pytest.raises(DecodeProblem):
        read_resource(body, API)
    with pytest.raises(DecodeProblem):
        read_server(body, RESOURCE)


# --- asking for a token --------------------------------------------------------------------------

SERVER = TokenServer(URL(f"{LOGIN}oauth/token"), str(API))


def test_a_token_is_asked_for_with_basic_authentication() -> None:
    request, authorization = token_request(SERVER, client(scopes="runs:read runs:write"))
    assert (request.method, request.signed_url) == ("POST", f"{LOGIN}oauth/token")
    assert request.path == "login.duvo.ai/oauth/token"
    assert request.content_type == "application/x-www-form-urlencoded"
    assert request.body == (
        b"grant_type=client_credentials&scope=runs%3Aread+runs%3Awrite"
        b"&audience=https%3A%2F%2Fapi.duvo.ai"
    )
    assert authorization is not None
    kind, _, pair = authorization.reveal().partition(" ")
    assert kind == "Basic"
    assert b64decode(pair) == b"client-7:s-3+%27cret"


def test_a_token_is_asked_for_in_a_form() -> None:
    request, authorization = token_request(evolve(SERVER, takes_basic=False), client())
    assert authorization is None
    assert isinstance(request.body, bytes)
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["client_credentials"],
        "audience": ["https://api.duvo.ai"],
        "client_id": ["client-7"],
        "client_secret": [SECRET],
    }
    assert SECRET not in repr(request)
    assert "secret" not in repr(request)


def test_what_the_user_says_of_the_place_goes_first() -> None:
    base = URL("https://gate.way:8443/duvo")
    assert given_server(client(), base) is None
    url = "https://a.b/token?x=%2F"
    assert given_server(client(token_url=url), base) == TokenServer(
        URL(url), "https://gate.way:8443"
    )
    given = given_server(client(token_url=url, audience="urn:duvo"), base)
    assert given == TokenServer(URL(url), "urn:duvo")
    request, _ = token_request(SERVER, client(audience="urn:duvo"))
    assert isinstance(request.body, bytes)
    assert parse_qs(request.body.decode())["audience"] == ["urn:duvo"]


PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1).filter(
    lambda text: text.strip()
)


@unhurried
@given(PRINTABLE, PRINTABLE, st.booleans())
def test_any_id_and_secret_arrive(name: str, secret: str, takes_basic: bool) -> None:  # noqa: FBT001 - drawn
    server = evolve(SERVER, takes_basic=takes_basic)
    credentials = ClientCredentials(name, secret)
    request, authorization = token_request(server, credentials)
    if authorization is not None:
        pair = b64decode(authorization.reveal().removeprefix("Basic ")).decode()
        first, _, second = pair.partition(":")
        assert (unquote_plus(first), unquote_plus(second)) == (name, secret)
    else:
        assert isinstance(request.body, bytes)
        form = parse_qs(request.body.decode(), keep_blank_values=True)
        assert (form["client_id"], form["client_secret"]) == ([name], [secret])
    found = spellings(credentials)
    assert secret.encode() in found
    assert json.dumps(secret)[1:-1].encode() in found


# --- tokens --------------------------------------------------------------------------------------


def token_body(**changes: object) -> bytes:
    facts = {"access_token": "t-1", "token_type": "Bearer", "expires_in": 3600, **changes}
    return written({name: value for name, value in facts.items() if value is not None})


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER"])
def test_a_token_is_read(kind: str) -> None:
    token = read_token(token_body(token_type=kind), 100.0, 0.0)
    assert (token.text.reveal(), token.header.reveal()) == ("t-1", "Bearer t-1")
    assert "t-1" not in repr(token)


@pytest.mark.parametrize(
    ("life", "draw", "renew_at", "expires_at"),
    [
        (3600, 0.0, 3640.0, 3700.0),
        (3600, 1.0, 3580.0, 3700.0),
        ("3600", 0.5, 3610.0, 3700.0),
        (100, 0.0, 190.0, 200.0),
        (100.5, 0.0, 190.45, 200.5),
        (0, 1.0, 100.0, 100.0),
        (-5, 0.0, 100.0, 100.0),
        (None, 0.0, inf, inf),
        ("soon", 0.0, inf, inf),
        (True, 0.0, inf, inf),
        ({}, 0.0, inf, inf),
        ("nan", 0.0, inf, inf),
        ("inf", 0.0, inf, inf),
        (10**400, 0.0, inf, inf),
    ],
)
def test_a_token_is_renewed_before_it_expires(
    life: object, draw: float, renew_at: float, expires_at: float
) -> None:
    token = read_token(token_body(expires_in=life), 100.0, draw)
    assert token.renew_at == pytest.approx(renew_at)
    assert token.expires_at == pytest.approx(expires_at)


@unhurried
@given(st.floats(0, 1e9), st.floats(0, 1e9), st.floats(0, 1))
def test_a_token_is_used_for_most_of_its_life(asked_at: float, life: float, draw: float) -> None:
    token = read_token(token_body(expires_in=life), asked_at, draw)
    assert asked_at + life * 0.79 <= token.renew_at + 1e-6
    assert token.renew_at <= token.expires_at
    assert token.expires_at - token.renew_at <= 120 + 1e-6


@pytest.mark.parametrize(
    "body",
    [
        token_body(access_token=None),
        token_body(access_token=""),
        token_body(access_token=7),
        token_body(access_token="t 1"),
        token_body(access_token="t-1\n"),
        token_body(token_type=None),
        token_body(token_type="DPoP"),
        token_body(token_type=["Bearer"]),
        b"access_token=t-1&token_type=bearer",
        b'["t-1"]',
        b"",
    ],
)
def test_what_is_no_bearer_token_is_refused(body: bytes) -> None:
    with pytest.raises(DecodeProblem) as caught:
        read_token(body, 0.0, 0.0)
    assert "t-1" not in str(caught.value.problems)
    assert "t 1" not in str(caught.value.problems)


# --- errors --------------------------------------------------------------------------------------

ASKED = Request(method="POST", path="login.duvo.ai/oauth/token", signed_url=f"{LOGIN}oauth/token")


def response(status: int, facts: object = None, **headers: str) -> Response:
    body = facts if isinstance(facts, bytes) else b"" if facts is None else written(facts)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, reason="Reason", headers=named, body=body)


@pytest.mark.parametrize("status", [200, 201])
def test_success_is_no_error(status: int) -> None:
    assert failure(ASKED, response(status), 1) is None


@pytest.mark.parametrize(
    "answer",
    [
        response(401),
        response(401, b"<html>"),
        response(401, {"error": "invalid_client"}),
        response(400, {"error": "invalid_client", "error_description": "who?"}),
    ],
)
def test_an_unknown_client_is_the_users_mistake(answer: Response) -> None:
    error = failure(ASKED, answer, 1)
    assert isinstance(error, CredentialsError)
    assert str(error).startswith(f"POST login.duvo.ai/oauth/token: {answer.status} ")
    assert "DUVO_CLIENT_SECRET" in str(error)


def test_an_error_says_what_there_is_to_say() -> None:
    facts = {"error": "invalid_scope", "error_description": "not yours", "error_uri": "https://x"}
    error = failure(ASKED, response(400, facts, x_request_id="r-1", retry_after="9"), 3)
    assert isinstance(error, BadRequestError)
    assert (error.method, error.path, error.attempts) == ("POST", ASKED.path, 3)
    assert (error.code, error.message) == ("invalid_scope", "not yours")
    assert (error.request_id, error.retry_after) == ("r-1", 9)
    assert not error.may_have_been_done
    assert "scopes=" in str(error)
    assert "API key" not in str(error)


@pytest.mark.parametrize("facts", [None, b"<html>", [], {"error": 7, "error_description": []}])
def test_an_error_may_say_nothing(facts: object) -> None:
    error = failure(ASKED, response(503, facts), 1)
    assert isinstance(error, ServerError)
    assert (error.code, error.message) == (None, None)
    assert not error.may_have_been_done
    assert "503 Reason" in str(error)


@pytest.mark.parametrize("status", [302, 400, 404, 405])
def test_a_place_that_knows_no_tokens_is_the_wrong_one(status: int) -> None:
    assert "token_url=" in str(failure(ASKED, response(status, b"<html>"), 1))


def test_discovery_that_needs_a_key_is_not_the_clients_fault() -> None:
    asked = Request(method="GET", path="api.duvo.ai/.well-known/x", signed_url="https://x")
    error = failure(asked, response(401), 1)
    assert isinstance(error, AuthenticationError)
    assert "token_url=" in str(error)
    assert "API key" not in str(error)
