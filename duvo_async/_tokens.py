"""Bearer tokens: those of late, and when one is refused."""

from collections import OrderedDict
from http import HTTPStatus

from duvo_async.credentials import Secret
from duvo_async.errors import APIStatusError

_REMEMBERED = 64
"""Tokens that a late answer may repeat."""


class Tokens:
    """The tokens of late, which servers may repeat."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def note(self, token: Secret) -> None:
        """Remember a token."""
        text = token.reveal().encode()
        self._known[text] = None
        self._known.move_to_end(text)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def redact(self, data: bytes) -> bytes:
        """Blot them out."""
        for token in sorted(self._known, key=len, reverse=True):  # one may hold another
            data = data.replace(token, b"[access token]")
        return data


def is_of_the_token(error: APIStatusError) -> bool:
    """Tell whether an error says that the token is no good, or no longer."""
    return error.status == HTTPStatus.UNAUTHORIZED and error.code == "invalid_token"
