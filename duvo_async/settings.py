"""What a client is told: key, URL, team, time-outs. Only this file reads the environment."""

import os
from collections.abc import Mapping
from ipaddress import ip_address
from re import compile as regex
from typing import Literal, Self, TypeAlias, get_args
from urllib.parse import urlsplit

from attrs import field, frozen
from yarl import URL

from duvo_async.credentials import ClientCredentials, Secret, TokenSource, is_within
from duvo_async.errors import ConfigurationError, CredentialsError

APIVersion: TypeAlias = Literal["v1", "v2"]
"""A generation of the API's paths: flat, or scoped to a team."""

Credentials: TypeAlias = Secret | ClientCredentials | TokenSource
"""An API key, or what gives tokens."""

_OTHER_VERSION = regex(r"/v[0-9]+$")

DEFAULT_BASE_URL = "https://api.duvo.ai"
DEFAULT_TIMEOUT = 30.0
DEFAULT_CONNECT_TIMEOUT = 10.0
DEFAULT_MAX_RESPONSE_BYTES = 64 * 1024 * 1024
UNTOLD_PROCESSES = 10
"""As many processes are taken to share a budget in Redis when nobody says how many."""
MOST_SECONDS = 1e9
"""The longest time that can be asked for, some 30 years: what is longer is a mistake."""


@frozen(kw_only=True)
class Settings:
    """A client's settings, checked.

    Attributes:
        credentials: The API key, or what gives tokens.
        base_url: Where the API is, without its version and without a slash at the end.
        api_version: The generation of the API's paths.
        team_id: The team that v2 paths name. None for the only one that the credentials can act
            on.
        timeout: Seconds for one request.
        connect_timeout: Seconds for making a connection.
        requests_per_minute: The most that is sent in a minute. None for what the API allows.
        processes: How many processes use the key at the same time.
        budget: Where the Redis is in which they share its budget. None for nowhere.
        webhook_url: Where the API posts the events of runs that name no other place. None for
            nowhere.
        max_response_bytes: The largest body of an answer that is read, decompressed.
    """

    credentials: Credentials
    base_url: URL
    api_version: APIVersion
    team_id: str | None
    timeout: float
    connect_timeout: float
    requests_per_minute: int | None = None
    processes: int = 1
    budget: Secret | None = None
    webhook_url: str | None = field(default=None, repr=False)
    max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES

    @classmethod
    def resolve(  # noqa: PLR0913 - the settings of a client
        cls,
        *,
        api_key: str | None = None,
        auth: ClientCredentials | TokenSource | None = None,
        base_url: str | None = None,
        api_version: APIVersion | None = None,
        team_id: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        connect_timeout: float = DEFAULT_CONNECT_TIMEOUT,
        requests_per_minute: int | None = None,
        processes: int | None = None,
        budget: str | None = None,
        public_url: str | None = None,
        max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES,
        environ: Mapping[str, str] | None = None,
    ) -> Self:
        """Join what the caller said with the environment, and check it.

        Args:
            api_key: None takes `DUVO_API_KEY`.
            auth: Credentials in the key's place. None takes, where there is no key,
                `DUVO_CLIENT_ID` and `DUVO_CLIENT_SECRET`.
            base_url: None takes `DUVO_API_BASE_URL`, then `DUVO_BASE_URL`, then production.
            api_version: None takes the version at the end of the base URL, else `v1`.
            team_id: None takes `DUVO_TEAM_ID`.
            timeout: Seconds.
            connect_timeout: Seconds.
            requests_per_minute: None for what the API allows.
            processes: How many processes use the key. None for 1, or 10 with a budget in Redis.
            budget: Where the Redis is in which they share its budget; empty for nowhere. None
                takes `DUVO_BUDGET_URL`, else it is nowhere.
            public_url: Where the API reaches a receiver of webhooks. None if it has none.
            max_response_bytes: The largest body of an answer, decompressed.
            environ: The environment. None takes the process's own.

        Returns:
            The settings.

        Raises:
            ConfigurationError: Something is missing or cannot work; `CredentialsError` when it is
                the key.
        """
        env = os.environ if environ is None else environ
        place, base_url = _place(base_url, env)
        if team_id is None:
            team_id = env.get("DUVO_TEAM_ID", "").strip() or None
        elif not isinstance(team_id, str):
            raise TypeError(f"team_id must be a string, not {type(team_id).__name__}")
        elif not team_id.strip():
            raise ConfigurationError("team_id must not be empty: leave it out to have it found")
        url, version = _base_url(place, base_url)
        credentials = _credentials(api_key, auth, env)
        shared = _budget(budget, credentials, env)
        known = credentials
        if isinstance(known, ClientCredentials):
            known = known.client_secret
        if isinstance(known, Secret) and is_within(known, url.raw_path):
            raise ConfigurationError(f"the base URL ({place}) must not hold the credentials")
        return cls(
            credentials=credentials,
            base_url=url,
            api_version=_version(api_version, version),
            team_id=team_id,
            timeout=check_seconds("timeout", timeout),
            connect_timeout=check_seconds("connect_timeout", connect_timeout),
            requests_per_minute=None
            if requests_per_minute is None
            else check_count("requests_per_minute", requests_per_minute),
            processes=_processes(processes, shared=shared is not None),
            budget=shared,
            webhook_url=None if public_url is None else _public_url(public_url),
            max_response_bytes=check_count("max_response_bytes", max_response_bytes),
        )

    @property
    def in_the_open(self) -> bool:
        """Whether credentials travel unencrypted beyond this machine."""
        return self.base_url.scheme == "http" and not _is_loopback(self.base_url.host or "")


def _credentials(
    api_key: str | None, auth: ClientCredentials | TokenSource | None, env: Mapping[str, str]
) -> Credentials:
    if auth is not None:
        if api_key is not None:
            raise ConfigurationError("give api_key or auth: one of them")
        if isinstance(auth, str) or not (isinstance(auth, ClientCredentials) or callable(auth)):
            raise TypeError("auth must be ClientCredentials or a callable that returns a token")
        return auth
    client_id = env.get("DUVO_CLIENT_ID", "")
    client_secret = env.get("DUVO_CLIENT_SECRET", "")
    if api_key is None and not env.get("DUVO_API_KEY", "") and (client_id or client_secret):
        if not (client_id and client_secret):
            raise CredentialsError("set both DUVO_CLIENT_ID and DUVO_CLIENT_SECRET, or neither")
        return ClientCredentials(client_id, client_secret)
    return Secret(_api_key(api_key, env))


def _api_key(given: str | None, env: Mapping[str, str]) -> str:
    key = given if given is not None else env.get("DUVO_API_KEY", "")
    if not isinstance(key, str):
        raise TypeError(f"api_key must be a string, not {type(key).__name__}")
    name = "api_key" if given is not None else "DUVO_API_KEY"
    if not key.strip():
        raise CredentialsError("no API key: pass api_key= or set DUVO_API_KEY")
    # The characters that a bearer token may have in a header (RFC 9110, 5.5): the error says where
    # the trouble is, never what the key is.
    for position, character in enumerate(key):
        if not character.isascii() or not character.isprintable() or character == " ":
            what = "a newline" if character in "\r\n" else "a character that no header can hold"
            raise CredentialsError(f"{name} has {what} at position {position}: was it cut right?")
    return key


def _place(given: str | None, env: Mapping[str, str]) -> tuple[str, str]:
    """Find the base URL, and what to call it in an error."""
    if given is not None:
        return "base_url", given
    for name in ("DUVO_API_BASE_URL", "DUVO_BASE_URL"):
        if text := env.get(name):
            return name, text
    return "base_url", DEFAULT_BASE_URL


def _base_url(name: str, text: str) -> tuple[URL, APIVersion | None]:
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a string, not {type(text).__name__}")
    # No error quotes the URL: what is wrong with it may be a password or a signature in it.
    try:
        url = URL(text)
        host = url.host
    except ValueError:
        raise ConfigurationError(
            f"the base URL ({name}) cannot be read: is it http(s)://host?"
        ) from None
    if any(character.isspace() for character in text):
        raise ConfigurationError(f"the base URL ({name}) must not have spaces in it")
    if url.user is not None or url.password is not None:
        raise ConfigurationError(f"the base URL ({name}) must not hold a user or password")
    if url.scheme not in {"http", "https"} or not host:
        raise ConfigurationError(
            f"the base URL ({name}) must begin with http://host or https://host"
        )
    if url.query_string or url.fragment:
        raise ConfigurationError(f"the base URL ({name}) must not have a query or fragment")
    path = url.raw_path.rstrip("/")
    for version in get_args(APIVersion):
        if path.endswith(f"/{version}"):
            return url.with_path(path.removesuffix(f"/{version}"), encoded=True), version
    if _OTHER_VERSION.search(path):
        raise ConfigurationError(f"the base URL ({name}) must not end in a version but v1 and v2")
    return url.with_path(path, encoded=True), None


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, 6.3
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _processes(given: int | None, *, shared: bool) -> int:
    if given is None:
        return UNTOLD_PROCESSES if shared else 1
    return check_count("processes", given)


def _budget(given: str | None, credentials: Credentials, env: Mapping[str, str]) -> Secret | None:
    name = "DUVO_BUDGET_URL" if given is None else "budget"
    text = env.get(name, "") if given is None else given
    # No error quotes the URL: it may hold a password.
    if not isinstance(text, str):
        raise TypeError(f"budget must be a string, not {type(text).__name__}")
    if not text:
        return None
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        raise ConfigurationError(f"{name} cannot be read: is it redis://host:port?") from None
    complete = url.path.strip("/") if url.scheme == "unix" else url.hostname
    if url.scheme not in {"redis", "rediss", "unix"} or not complete:
        raise ConfigurationError(
            f"{name} must be where Redis is: redis://host:port, rediss://… or unix://path"
        )
    if not isinstance(credentials, (Secret, ClientCredentials)):
        raise ConfigurationError(
            f"{name} needs an API key or ClientCredentials: by them the processes know that they "
            "share one, which tokens of a callable do not tell"
        )
    return Secret(text)


def _public_url(text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"public_url must be a string, not {type(text).__name__}")
    try:
        url = URL(text)
    except ValueError:
        url = URL()
    spaces = any(character.isspace() for character in text)
    if spaces or url.scheme not in {"http", "https"} or not url.host:
        raise ConfigurationError("public_url must be where the API can post: https://host/path")
    return text


def _version(given: APIVersion | None, in_url: APIVersion | None) -> APIVersion:
    if given is not None and given not in get_args(APIVersion):
        raise ConfigurationError(
            f"api_version must be one of {get_args(APIVersion)}, not {given!r}"
        )
    if given and in_url and given != in_url:
        raise ConfigurationError(f"api_version is {given!r}, but the base URL ends in /{in_url}")
    return given or in_url or "v1"


def check_seconds(name: str, value: float) -> float:
    """Check a time.

    Args:
        name: The argument's name, for the error.
        value: Seconds.

    Returns:
        The seconds.

    Raises:
        ConfigurationError: They are not positive, or more than `MOST_SECONDS`.
        TypeError: They are no number.
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number of seconds, not {type(value).__name__}")
    if not 0 < value <= MOST_SECONDS:
        raise ConfigurationError(f"{name} must be a positive number of seconds, not {value!r}")
    return float(value)


def check_count(name: str, value: int) -> int:
    """Check a number of things.

    Args:
        name: The argument's name, for the error.
        value: How many.

    Returns:
        The number.

    Raises:
        ConfigurationError: It is less than 1.
        TypeError: It is no whole number.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if value < 1:
        raise ConfigurationError(f"{name} must be at least 1, not {value}")
    return value
