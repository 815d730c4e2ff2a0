"""Where tokens come from: what is asked of whom, and what the answers mean. Nothing awaits."""

from attrs import frozen
from yarl import URL

from duvo_async._converter import DecodeProblem
from duvo_async._protocol import Request, parse_json
from duvo_async.credentials import ClientCredentials, guarded_url
from duvo_async.errors import ConfigurationError
from duvo_async.models import JSON

_BASIC, _POST = "client_secret_basic", "client_secret_post"


@frozen
class Resource:
    """What the API says of who gives tokens for it.

    Attributes:
        audience: What it calls itself.
        issuer: The authorization server.
    """

    audience: str
    issuer: str


@frozen
class TokenServer:
    """Where tokens are asked for, and how.

    Attributes:
        url: The token endpoint.
        audience: What the tokens shall be good at.
        takes_basic: Whether the client's secret goes in the Authorization header, not in the form.
    """

    url: URL
    audience: str
    takes_basic: bool = True


def given_server(credentials: ClientCredentials, base_url: URL) -> TokenServer | None:
    """Tell where to ask for tokens, if the user said it."""
    if credentials.token_url is None:
        return None
    audience = credentials.audience or str(base_url.origin())
    return TokenServer(URL(credentials.token_url), audience)


def resource_request(base_url: URL) -> Request:
    """Ask the API who gives tokens for it (RFC 9728, 3.1).

    Raises:
        ConfigurationError: Anybody on the way could answer in its place.
    """
    try:
        resource = guarded_url(str(base_url))
    except ValueError:
        raise ConfigurationError(
            "the base URL is not https, so the API cannot be asked safely where tokens come from: "
            "give ClientCredentials a token_url="
        ) from None
    return asking("GET", _well_known(resource, "oauth-protected-resource"))


def read_resource(body: bytes, base_url: URL) -> Resource:
    """Read the API's answer (RFC 9728, 3.2 and 3.3).

    Raises:
        DecodeProblem: It names no authorization server, or is about another resource.
    """
    facts = facts_in(body)
    resource = text_in(facts, "resource")
    # Both spellings of an origin lead to the same document.
    if resource.removesuffix("/") != str(base_url).removesuffix("/"):
        raise DecodeProblem((f"expected {str(base_url)!r}, what was asked about, @ $.resource",))
    servers = facts.get("authorization_servers")
    issuer = servers[0] if isinstance(servers, list) and servers else None
    if not isinstance(issuer, str):
        raise DecodeProblem(("expected an authorization server @ $.authorization_servers[0]",))
    _guarded(issuer, "$.authorization_servers[0]")
    return Resource(resource, issuer)


def server_request(issuer: str) -> Request:
    """Ask an authorization server where it gives tokens (RFC 8414, 3.1)."""
    return asking("GET", _well_known(URL(issuer), "oauth-authorization-server"))


def read_server(body: bytes, resource: Resource) -> TokenServer:
    """Read the authorization server's answer (RFC 8414, 3.2 and 3.3).

    Raises:
        DecodeProblem: It is another server's, or names no place where secrets can be sent to.
    """
    facts = facts_in(body)
    if text_in(facts, "issuer") != resource.issuer:
        raise DecodeProblem((f"expected {resource.issuer!r}, who was asked, @ $.issuer",))
    url = _guarded(text_in(facts, "token_endpoint"), "$.token_endpoint")
    methods = facts.get("token_endpoint_auth_methods_supported")
    known = methods if isinstance(methods, list) else [_BASIC]
    if _BASIC not in known and _POST not in known:
        where = "$.token_endpoint_auth_methods_supported"
        raise DecodeProblem((f"expected {_BASIC} or {_POST} @ {where}",))
    return TokenServer(url, resource.audience, takes_basic=_BASIC in known)


def _well_known(url: URL, name: str) -> URL:
    path = url.raw_path.removesuffix("/")
    return url.with_path(f"/.well-known/{name}{path}", encoded=True)


def _guarded(text: str, where: str) -> URL:
    try:
        return guarded_url(text)
    except ValueError as error:
        raise DecodeProblem((f"it {error} @ {where}",)) from None


def asking(method: str, url: URL) -> Request:
    """Make a request to a place outside of the API."""
    port = "" if url.is_default_port() else f":{url.port}"
    path = f"{url.host_subcomponent}{port}{url.raw_path}"
    return Request(method=method, path=path, signed_url=str(url))


def facts_in(body: bytes) -> dict[str, JSON]:
    """Read the object that an answer is.

    Raises:
        DecodeProblem: It is none.
    """
    value = parse_json(body)
    if not isinstance(value, dict):
        raise DecodeProblem(("expected an object @ $",))
    return value


def text_in(facts: dict[str, JSON], name: str) -> str:
    """Read a member that there must be.

    Raises:
        DecodeProblem: It is missing or no text.
    """
    value = facts.get(name)
    if not isinstance(value, str) or not value:
        raise DecodeProblem((f"expected a string @ $.{name}",))
    return value
