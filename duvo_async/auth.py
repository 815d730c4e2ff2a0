"""Who is calling: the credentials that go with each request."""

from typing import Protocol

from duvo_async.settings import Secret


class Auth(Protocol):
    """Credentials."""

    async def authorization(self) -> Secret:
        """Give the value of the Authorization header."""
        ...

    def redact(self, data: bytes) -> bytes:
        """Blot the credentials out of what a server sent, should it repeat them."""
        ...


class ApiKey:
    """A workspace's API key, sent as a bearer token.

    Args:
        key: The key, already checked.
    """

    __slots__ = ("_header", "_key")

    def __init__(self, key: Secret) -> None:
        self._key = key
        self._header = Secret(f"Bearer {key.reveal()}")

    async def authorization(self) -> Secret:
        """Give the value of the Authorization header."""
        return self._header

    def redact(self, data: bytes) -> bytes:
        """Blot the key out of what a server sent, should it repeat it."""
        return data.replace(self._key.reveal().encode(), b"[API key]")
