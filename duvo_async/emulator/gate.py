"""Who is let in to the emulated API, and what is announced to them."""

from collections.abc import Iterable
from secrets import compare_digest

from attrs import define, field

from duvo_async.emulator.announcements import (
    Announcement,
    Announcements,
    Moment,
    deprecation_header,
    sunset_header,
)
from duvo_async.emulator.exchange import ApiError, Request
from duvo_async.emulator.login import Login, resource_metadata
from duvo_async.emulator.scopes import SCOPES, needed_scope
from duvo_async.emulator.tokens import Client, Tokens
from duvo_async.emulator.trouble import Trouble


def _text(given: str | None) -> str:
    return given or ""  # a random one follows as soon as the seed is known


@define(kw_only=True, eq=False)
class Gate(Trouble):
    """The part of the API that looks at who is calling. Its methods may be called from any thread.

    Attributes:
        client_id: The id of the OAuth client that there is from the start; None for a random one.
        client_secret: That client's secret; None for a random one.
        token_ttl: Seconds until an access token expires. It may be set at any time.
    """

    client_id: str = field(default=None, converter=_text)
    client_secret: str = field(default=None, converter=_text, repr=False)
    token_ttl: float = 3600.0
    _tokens: Tokens = field(init=False, repr=False)
    _login: Login = field(init=False, repr=False)
    _announcements: Announcements = field(factory=Announcements, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Makes the first client."""
        super().__attrs_post_init__()
        self._tokens = Tokens(self._ids)
        self._login = Login(self._tokens)
        client_id, client_secret = self._tokens.make_credentials()
        self.client_id = self.client_id or client_id
        self.client_secret = self.client_secret or client_secret
        self._tokens.add_client(Client(self.client_id, self.client_secret, SCOPES))

    @property
    def tokens_issued(self) -> int:
        """How many access tokens were issued."""
        with self._lock:
            return self._tokens.issued

    def add_client(self, scopes: Iterable[str] | None = None) -> tuple[str, str]:
        """Adds an OAuth client, and gives its id and its secret.

        Args:
            scopes: The scopes that its tokens may have; None for all.

        Raises:
            ValueError: There is no such scope.
        """
        granted = SCOPES if scopes is None else tuple(scopes)
        for scope in granted:
            if scope not in SCOPES:
                raise ValueError(f"{scope!r} is none of the scopes: {', '.join(SCOPES)}")
        with self._lock:
            client_id, client_secret = self._tokens.make_credentials()
            self._tokens.add_client(Client(client_id, client_secret, granted))
        return client_id, client_secret

    def expire_tokens(self) -> None:
        """Ends all access tokens that were issued so far."""
        with self._lock:
            self._tokens.expire_all()

    def announce(
        self,
        method: str,
        template: str,
        *,
        deprecation: Moment | None = None,
        sunset: Moment | None = None,
        link: str | None = None,
    ) -> None:
        """Has all answers of an operation from now on say that it is deprecated.

        Args:
            method: The operation's HTTP method.
            template: Its path, with or without a generation's parameters filled in: a segment in
                braces stands for any, and a last one `{*}` for one or more.
            deprecation: Since when, as Unix seconds or a datetime, or the header's text; None for
                no such header.
            sunset: When it ends, given in the same ways.
            link: The URL of what there is to read about it; None for no such header.
        """
        headers: dict[str, str] = {}
        if deprecation is not None:
            headers["deprecation"] = deprecation_header(deprecation)
        if sunset is not None:
            headers["sunset"] = sunset_header(sunset)
        if link is not None:
            headers["link"] = f'<{link}>; rel="deprecation"'
        with self._lock:
            self._announcements.add(Announcement(method.upper(), template, headers))

    def _admit(self, request: Request, now: float) -> None:
        """Lets a request pass that has the API key, or a token that is good for it.

        Raises:
            ApiError: 401 when it has neither, 403 when the token lacks the scope.
        """
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        metadata = f'resource_metadata="{resource_metadata(request)}"'
        if scheme.lower() != "bearer" or not bearer:
            challenge = {"www-authenticate": f"Bearer {metadata}"}
            raise ApiError(401, "an API key or an access token is required", challenge)
        given = bearer.encode(errors="surrogateescape")
        if compare_digest(given, self.api_key.encode()):
            return
        token = self._tokens.find(bearer, now)
        if token is None:
            challenge = {"www-authenticate": f'Bearer error="invalid_token", {metadata}'}
            raise ApiError(401, "the API key or the access token is wrong or expired", challenge)
        scope = needed_scope(request.method, request.path)
        if scope is not None and scope not in token.scopes:
            error = f'Bearer error="insufficient_scope", scope="{scope}", {metadata}'
            raise ApiError(403, f"the token lacks the scope {scope}", {"www-authenticate": error})
