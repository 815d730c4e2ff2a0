"""The authorization server: how it is found, and how a client gets a token (OAuth 2)."""

from base64 import b64decode
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_plus

from attrs import frozen

from duvo_async.emulator.exchange import Request, Response, json_response, origin
from duvo_async.emulator.scopes import SCOPES
from duvo_async.emulator.tokens import Client, Tokens

_RESOURCE_PATH = "/.well-known/oauth-protected-resource"
_SERVER_PATH = "/.well-known/oauth-authorization-server/login"
_TOKEN_PATH = "/login/oauth/token"  # noqa: S105 - a path
_NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}


class LoginError(Exception):
    """A refusal, which becomes a response as OAuth has it.

    Attributes:
        response: The response that says so.
    """

    def __init__(
        self, status: int, code: str, description: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(description)
        data = {"error": code, "error_description": description}
        headers = {**_NO_STORE, **(headers or {})}
        self.response: Response = json_response(status, data).with_headers(headers)


def resource_metadata(request: Request) -> str:
    """The URL where the API says which authorization server it trusts."""
    return origin(request) + _RESOURCE_PATH


@frozen
class Login:
    """The authorization server, and what the API says of it. Its issuer's URL has a path.

    Attributes:
        tokens: The clients that it knows, and the tokens.
    """

    tokens: Tokens

    def owns(self, path: str) -> bool:
        """Whether a path is its own, not the API's."""
        return path.startswith(("/.well-known/", "/login/"))

    def answer(self, request: Request, now: float, ttl: float) -> Response:
        """Answers a request.

        Args:
            request: The request.
            now: The time, in Unix seconds.
            ttl: Seconds until a new token expires.
        """
        try:
            return self._operate(request, now, ttl)
        except LoginError as error:
            return error.response

    def _operate(self, request: Request, now: float, ttl: float) -> Response:
        if request.path == _TOKEN_PATH:
            _check_method(request, "POST")
            return self._give_token(request, now, ttl)
        document = _DOCUMENTS.get(request.path)
        if document is None:
            raise LoginError(404, "not_found", "there is nothing at this path")
        _check_method(request, "GET")
        return json_response(200, document(request))

    def _give_token(self, request: Request, now: float, ttl: float) -> Response:
        form = _read_form(request)
        client = self.tokens.find_client(*_read_credentials(request, form))
        if client is None:
            raise _invalid_client("the client is unknown or its secret is another")
        if "grant_type" not in form:
            raise LoginError(400, "invalid_request", "grant_type is required")
        if form["grant_type"] != "client_credentials":
            raise LoginError(400, "unsupported_grant_type", "client_credentials is the only one")
        for name in ("audience", "resource"):
            if form.get(name, origin(request)) != origin(request):
                raise LoginError(400, "invalid_target", f"{name} must be {origin(request)}")
        scopes = _read_scopes(form, client)
        data = {
            "access_token": self.tokens.issue(scopes, now + ttl),
            "token_type": "Bearer",
            "expires_in": int(ttl),
            "scope": " ".join(scopes),
        }
        return json_response(200, data).with_headers(_NO_STORE)


def _check_method(request: Request, method: str) -> None:
    if request.method != method:
        message = f"this path takes {method}"
        raise LoginError(405, "invalid_request", message, {"allow": method})


def _describe_resource(request: Request) -> Mapping[str, object]:
    return {
        "resource": origin(request),
        "authorization_servers": [f"{origin(request)}/login"],
        "scopes_supported": SCOPES,
        "bearer_methods_supported": ["header"],
    }


def _describe_server(request: Request) -> Mapping[str, object]:
    return {
        "issuer": f"{origin(request)}/login",
        "token_endpoint": origin(request) + _TOKEN_PATH,
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "scopes_supported": SCOPES,
    }


def _read_form(request: Request) -> dict[str, str]:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded" or request.query:
        message = "the parameters must be in a body of application/x-www-form-urlencoded"
        raise LoginError(400, "invalid_request", message)
    try:
        pairs = parse_qsl(request.body.decode(), errors="strict")
    except ValueError as error:
        raise LoginError(400, "invalid_request", "the body must be UTF-8") from error
    if len(dict(pairs)) != len(pairs):
        raise LoginError(400, "invalid_request", "a parameter must be given once")
    return dict(pairs)


def _read_credentials(request: Request, form: Mapping[str, str]) -> tuple[str, str]:
    """The client's id and secret, from the header or from the form."""
    header = request.headers.get("authorization")
    if header is None:
        if "client_id" not in form or "client_secret" not in form:
            raise _invalid_client("the client's id and secret are missing")
        return form["client_id"], form["client_secret"]
    if "client_secret" in form:
        raise LoginError(400, "invalid_request", "the client must identify itself in one way")
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise _invalid_client("the Authorization header must be of the scheme Basic")
    try:
        text = b64decode(encoded, validate=True).decode()
    except ValueError as error:
        raise _invalid_client("the Authorization header is not as Basic has it") from error
    client_id, _, secret = (unquote_plus(part) for part in text.partition(":"))
    if form.get("client_id", client_id) != client_id:
        raise LoginError(400, "invalid_request", "client_id is another than in the header")
    return client_id, secret


def _read_scopes(form: Mapping[str, str], client: Client) -> tuple[str, ...]:
    wanted = form["scope"].split(" ") if "scope" in form else client.scopes
    if not set(wanted) <= set(client.scopes):
        raise LoginError(400, "invalid_scope", f"the client may have: {' '.join(client.scopes)}")
    return tuple(scope for scope in client.scopes if scope in wanted)


def _invalid_client(description: str) -> LoginError:
    challenge = {"www-authenticate": 'Basic realm="login"'}
    return LoginError(401, "invalid_client", description, challenge)


_DOCUMENTS = {_RESOURCE_PATH: _describe_resource, _SERVER_PATH: _describe_server}
