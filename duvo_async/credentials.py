"""Who is calling: what a user gives for it."""

from collections.abc import Awaitable, Callable, Iterable
from re import compile as regex
from typing import NoReturn, TypeAlias
from urllib.parse import unquote

from attrs import Attribute, field, frozen
from yarl import URL

from duvo_async.errors import ConfigurationError, CredentialsError

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_SHORTEST = 12
_SCOPE = regex(r"[!#-\[\]-~]+")


@frozen
class Secret:
    """A text that shows in no repr, no traceback and no pickle."""

    _text: str = field(repr=False)

    def __reduce__(self) -> NoReturn:
        """Refuse to be written anywhere."""
        raise TypeError("credentials cannot be pickled or copied: make a new client instead")

    def reveal(self) -> str:
        """Give the text, to be used at once and kept nowhere."""
        return self._text


def is_within(secret: Secret, path: str) -> bool:
    """Tell whether a secret stands in a path, in whatever encoding.

    One that is shorter than any that is given out is not looked for: it is a test's, and stands in
    words.
    """
    text = secret.reveal()
    return len(text) >= _SHORTEST and text in unquote(path)


TokenSource: TypeAlias = Callable[[], str | Awaitable[str]]
"""Gives the bearer token for a request."""


def flaw(text: str) -> str | None:
    """Find what keeps a text from being a bearer token.

    Args:
        text: The text.

    Returns:
        What is wrong and where, and nothing of the text. None when nothing is.
    """
    if not text.strip():
        return "nothing in it"
    for position, character in enumerate(text):
        if not character.isascii() or not character.isprintable() or character == " ":
            what = "a newline" if character in "\r\n" else "a character that no header can hold"
            return f"{what} at position {position}"
    return None


def guarded_url(text: str) -> URL:
    """Read the URL of a place that may be sent secrets.

    Args:
        text: The URL.

    Returns:
        The URL.

    Raises:
        ValueError: Others could listen there, or it is no such URL. The error does not quote it.
    """
    try:
        url = URL(text)
        host = url.host
    except ValueError:
        raise ValueError("must be a URL, https://host/path") from None
    if not host or any(character.isspace() for character in text):
        raise ValueError("must be a URL, https://host/path")
    if url.scheme != "https" and not (url.scheme == "http" and host in _LOOPBACK):
        raise ValueError("must begin with https://, since secrets are sent there")
    if url.user is not None or url.password is not None:
        raise ValueError("must not hold a user or password")
    if url.fragment:
        raise ValueError("must not have a fragment")
    return url


def _secret(text: str | Secret) -> Secret:
    return text if isinstance(text, Secret) else Secret(text)


def _scopes(given: str | Iterable[str]) -> tuple[str, ...]:
    if isinstance(given, str):
        given = given.split()
    if isinstance(given, bytes) or not isinstance(given, Iterable):
        raise TypeError(f"scopes must be strings, not {type(given).__name__}")
    scopes = tuple(dict.fromkeys(given))
    for scope in scopes:
        if not isinstance(scope, str):
            raise TypeError(f"scopes must be strings, not {type(scope).__name__}")
        if not _SCOPE.fullmatch(scope):
            raise ConfigurationError(
                f"{scope!r} is no scope: one is printable ASCII without spaces, quotes and "
                "backslashes"
            )
    return scopes


def _given(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {type(value).__name__}")
    if not value.strip():
        raise CredentialsError(f"{name} must not be empty")
    for position, character in enumerate(value):
        if not character.isascii() or not character.isprintable():
            what = "a newline" if character in "\r\n" else "a character that it cannot have"
            raise CredentialsError(f"{name} has {what} at position {position}: was it cut right?")


def _text(_: object, attribute: "Attribute[str]", value: str) -> None:
    _given(attribute.name, value)


def _hidden_text(_: object, attribute: "Attribute[Secret]", value: Secret) -> None:
    _given(attribute.name, value.reveal())


def _text_or_none(_: object, attribute: "Attribute[str | None]", value: str | None) -> None:
    if value is not None:
        _given(attribute.name, value)


def _url_or_none(_: object, attribute: "Attribute[str | None]", value: str | None) -> None:
    if value is None:
        return
    if not isinstance(value, str):
        raise TypeError(f"{attribute.name} must be a string, not {type(value).__name__}")
    try:
        guarded_url(value)
    except ValueError as error:
        raise ConfigurationError(f"{attribute.name} {error}") from None


@frozen
class ClientCredentials:
    """OAuth 2 client credentials, for which an authorization server gives tokens.

    The client asks for a token on its first call, keeps it for all calls, and renews it before it
    expires and when the API refuses it.

    Args:
        client_id: The client's id.
        client_secret: The client's secret. It shows in no repr, and cannot be pickled.
        scopes: What the tokens shall be good for, as one string with spaces between or as several,
            such as `"runs:read runs:write"`. Empty, the default, asks for none, and the
            authorization server grants what it grants by itself.
        token_url: Where tokens are asked for: `https`, or `http` on this machine. None, the
            default, asks the API for its authorization server, and that one for the place
            (RFC 9728 and RFC 8414), once.
        audience: What the tokens shall be good at. None, the default, is the resource that the API
            names in the same answer; with a `token_url`, for which it is not asked, the origin of
            the client's base URL, `https://api.duvo.ai`.

    Raises:
        ConfigurationError: Something cannot work; `CredentialsError` when it is the id or secret.
    """

    client_id: str = field(validator=_text)
    client_secret: Secret = field(converter=_secret, repr=False, validator=_hidden_text)
    scopes: tuple[str, ...] = field(default=(), converter=_scopes, kw_only=True)
    token_url: str | None = field(default=None, validator=_url_or_none, kw_only=True)
    audience: str | None = field(default=None, validator=_text_or_none, kw_only=True)
