"""Where the ids come from: chance, or a seed that makes them the same every time."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from secrets import token_bytes
from uuid import UUID

from attrs import frozen


@frozen
class Ids:
    """Makes ids, each for a kind of thing and the numbers that tell it from others of its kind.

    With a seed an id depends on nothing else, so it does not matter what was made before it.

    Attributes:
        seed: What the ids are drawn from; None for chance.
    """

    seed: int | None = None

    def secret(self, kind: str, *numbers: int) -> bytes:
        """32 bytes."""
        if self.seed is None:
            return token_bytes(32)
        return sha256(repr((self.seed, kind, *numbers)).encode()).digest()

    def uuid(self, kind: str, *numbers: int) -> str:
        """A UUID in the form of version 4."""
        return str(UUID(bytes=self.secret(kind, *numbers)[:16], version=4))

    def token(self, kind: str, *numbers: int) -> str:
        """32 hexadecimal digits."""
        return self.secret(kind, *numbers)[:16].hex()

    def api_key(self) -> str:
        """A key for callers, in the API's form."""
        return f"dv_{urlsafe_b64encode(self.secret('api key')[:24]).decode()}"
