"""Who is calling: the credentials that go with each request."""

from inspect import isawaitable
from typing import Protocol

from duvo_async._retry import RetryPolicy
from duvo_async._tokens import Tokens, is_of_the_token
from duvo_async._transport import Transport
from duvo_async.credentials import ClientCredentials, Secret, TokenSource, flaw
from duvo_async.errors import APIStatusError, CredentialsError
from duvo_async.settings import Credentials, Settings


class Auth(Protocol):
    """Credentials."""

    @property
    def fixed(self) -> Secret | None:
        """What `authorization` always gives, where it does. None where it has to be asked."""
        ...

    async def authorization(self) -> Secret:
        """Give the value of the Authorization header."""
        ...

    async def refused(self, authorization: Secret, error: APIStatusError) -> bool:
        """Hear that the API answered with an error to a request that had this header.

        Args:
            authorization: What `authorization` gave for the request.
            error: The API's answer.

        Returns:
            Whether the request should be sent once more: the header is out of date, and the next
            one will be another.
        """
        ...

    def redact(self, data: bytes) -> bytes:
        """Blot the credentials out of what a server sent, should it repeat them."""
        ...


def make_auth(
    credentials: Credentials, settings: Settings, transport: Transport, retry: RetryPolicy
) -> Auth:
    """Make what answers for a client.

    Args:
        credentials: An API key, or what gives tokens.
        settings: Where the API is.
        transport: Sends requests for tokens.
        retry: How often to repeat these.

    Returns:
        The credentials at work.
    """
    if isinstance(credentials, Secret):
        return ApiKey(credentials)
    if isinstance(credentials, ClientCredentials):
        from duvo_async._token_auth import TokenAuth  # noqa: PLC0415 - loaded by whom it serves

        return TokenAuth(credentials, settings.base_url, transport, retry)
    return CallableAuth(credentials)


class ApiKey:
    """A workspace's API key, sent as a bearer token.

    Args:
        key: The key, already checked.
    """

    __slots__ = ("_key", "fixed")

    def __init__(self, key: Secret) -> None:
        self._key = key
        self.fixed: Secret = Secret(f"Bearer {key.reveal()}")

    async def authorization(self) -> Secret:
        """Give the value of the Authorization header."""
        return self.fixed

    async def refused(self, authorization: Secret, error: APIStatusError) -> bool:  # noqa: ARG002 - Auth's
        """Know of no other key."""
        return False

    def redact(self, data: bytes) -> bytes:
        """Blot the key out of what a server sent, should it repeat it."""
        return data.replace(self._key.reveal().encode(), b"[API key]")


class CallableAuth:
    """Tokens that the user's own callable gives, one for each request.

    Args:
        source: Gives them. It is called in the event loop and remembers the token itself; what it
            raises goes to the caller as it is.
    """

    __slots__ = ("_source", "_tokens")

    fixed = None

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._tokens = Tokens()

    async def authorization(self) -> Secret:
        """Give the value of the Authorization header.

        Raises:
            CredentialsError: The callable gave what is no token.
            TypeError: It gave no text.
        """
        given = self._source()
        text = await given if isawaitable(given) else given
        kind = type(text).__name__
        problem = flaw(text) if isinstance(text, str) else None
        if isinstance(text, str) and problem is None:
            self._tokens.note(Secret(text))
            return Secret(f"Bearer {text}")
        del given, text  # it may be a token all the same, and reports of errors show frames
        if problem is None:
            raise TypeError(f"auth() must return a string, not {kind}")
        raise CredentialsError(
            f"auth() gave what is no token: {problem}. Return the token alone, without 'Bearer'"
        )

    async def refused(self, authorization: Secret, error: APIStatusError) -> bool:
        """Have the request sent once more if the callable gives another token now."""
        return is_of_the_token(error) and await self.authorization() != authorization

    def redact(self, data: bytes) -> bytes:
        """Blot the tokens out of what a server sent, should it repeat one."""
        return self._tokens.redact(data)
