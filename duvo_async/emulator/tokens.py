"""The clients that may get access tokens, and the tokens that they got."""

from collections.abc import Collection
from secrets import compare_digest

from attrs import define, field, frozen

from duvo_async.emulator.ids import Ids


@frozen
class Client:
    """A program that gets tokens in its own name.

    Attributes:
        id: Its id.
        secret: What it proves that with.
        scopes: The scopes that its tokens may have.
    """

    id: str
    secret: str = field(repr=False)
    scopes: tuple[str, ...]


@frozen
class Token:
    """What an access token is good for.

    Attributes:
        scopes: Its scopes.
        expires_at: When it ends, in Unix seconds.
    """

    scopes: frozenset[str]
    expires_at: float


@define
class Tokens:
    """All clients and all tokens.

    Attributes:
        ids: Where the tokens come from.
        issued: How many tokens were issued.
    """

    ids: Ids
    issued: int = 0
    _clients: dict[str, Client] = field(factory=dict[str, Client])
    _tokens: dict[str, Token] = field(factory=dict[str, Token], repr=False)

    def make_credentials(self) -> tuple[str, str]:
        """Makes the id and the secret of another client."""
        number = len(self._clients)
        client_id = f"dvc_{self.ids.token('client', number)}"
        # Without the encoding that OAuth asks for these characters become others on the way.
        return client_id, f"dvs_{self.ids.token('client secret', number)}+/%3D"

    def add_client(self, client: Client) -> None:
        """Takes in a client."""
        self._clients[client.id] = client

    def find_client(self, client_id: str, secret: str) -> Client | None:
        """The client of that id; None when there is none or the secret is another."""
        client = self._clients.get(client_id)
        given = secret.encode(errors="surrogateescape")
        known = client is not None and compare_digest(given, client.secret.encode())
        return client if known else None

    def issue(self, scopes: Collection[str], expires_at: float) -> str:
        """Makes a token."""
        self.issued += 1
        text = f"dvt_{self.ids.secret('access token', self.issued).hex()}"
        self._tokens[text] = Token(frozenset(scopes), expires_at)
        return text

    def find(self, text: str, now: float) -> Token | None:
        """The token of that text; None when it never was or has expired."""
        token = self._tokens.get(text)
        return token if token is not None and now < token.expires_at else None

    def expire_all(self) -> None:
        """Ends all tokens that were issued so far."""
        self._tokens.clear()
