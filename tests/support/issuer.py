"""An API and the authorization server that gives tokens for it, in one, as a test wants them."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from math import inf
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, unquote_plus

from aiohttp import web
from attrs import define, field

from duvo_async import AsyncDuvo, ClientCredentials
from tests.support.stub import again, answer, run_answer

CLIENT_ID = "client-7"
CLIENT_SECRET = 'se+cr%et: "never" seen\\/'
"""With what basic authentication, forms and JSON each write in a way of their own."""

Answer: TypeAlias = web.Response | Callable[[web.Request], Awaitable[web.StreamResponse]]


def credentials(secret: str = CLIENT_SECRET, **settings: Any) -> ClientCredentials:  # noqa: ANN401 - as tests say
    """Make credentials."""
    return ClientCredentials(CLIENT_ID, secret, **settings)


def _now() -> float:
    return asyncio.get_running_loop().time()


@define
class Issuer:
    """The servers.

    Attributes:
        url: Where they are.
        life: Seconds that a token lives.
        takes: Seconds that a token takes.
        metadata: Changes to what the API says of itself; None for a member takes it away.
        server_metadata: The same of the authorization server.
        troubles: What requests for tokens are answered first; None for as they should be.
        api_troubles: The same for calls.
        forms: The requests for tokens, as they were read.
        headers: Their headers.
        paths: The paths that were asked for, calls included.
        tokens: The tokens that were given, each with the time at which it expires.
        calls: The tokens that calls had.
        asked: Set when a token has been asked for.
        called: Set when a call has come.
    """

    url: str = ""
    life: float | None = 3600
    takes: float = 0
    metadata: Mapping[str, object] = {}
    server_metadata: Mapping[str, object] = {}
    troubles: list[Answer | None] = field(factory=list[Answer | None])
    api_troubles: list[Answer | None] = field(factory=list[Answer | None])
    forms: list[dict[str, str]] = field(factory=list[dict[str, str]])
    headers: list[Mapping[str, str]] = field(factory=list[Mapping[str, str]])
    paths: list[str] = field(factory=list[str])
    tokens: dict[str, float] = field(factory=dict[str, float])
    calls: list[str] = field(factory=list[str])
    asked: asyncio.Event = field(factory=asyncio.Event)
    called: asyncio.Event = field(factory=asyncio.Event)

    def revoke(self) -> None:
        """Let no token be good any more."""
        for token in self.tokens:
            self.tokens[token] = -inf

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.paths.append(request.path)
        if request.path == "/.well-known/oauth-protected-resource":
            servers = [f"{self.url}/"]
            return _joined({"resource": self.url, "authorization_servers": servers}, self.metadata)
        if request.path == "/.well-known/oauth-authorization-server":
            known = {"issuer": f"{self.url}/", "token_endpoint": f"{self.url}/oauth/token"}
            return _joined(known, self.server_metadata)
        if request.path == "/oauth/token":
            return await self._grant(request)
        return await self._call(request)

    async def _grant(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(request.headers.copy())
        self.forms.append(dict(parse_qsl((await request.read()).decode(), strict_parsing=True)))
        self.asked.set()
        if self.takes:
            await asyncio.sleep(self.takes)
        if (trouble := self.troubles.pop(0) if self.troubles else None) is not None:
            return again(trouble) if isinstance(trouble, web.Response) else await trouble(request)
        if self._client(request) != (CLIENT_ID, CLIENT_SECRET):
            return answer(401, {"error": "invalid_client"})
        token = f"token-{len(self.tokens) + 1}-that-nobody-may-see"
        self.tokens[token] = _now() + (inf if self.life is None else self.life)
        body: dict[str, object] = {"access_token": token, "token_type": "Bearer"}
        if self.life is not None:
            body["expires_in"] = self.life
        return answer(200, body)

    def _client(self, request: web.Request) -> tuple[str, str]:
        kind, _, pair = request.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            name, _, secret = b64decode(pair).decode().partition(":")
            return unquote_plus(name), unquote_plus(secret)
        form = self.forms[-1]
        return form.get("client_id", ""), form.get("client_secret", "")

    async def _call(self, request: web.Request) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.calls.append(token)
        self.called.set()
        if (trouble := self.api_troubles.pop(0) if self.api_troubles else None) is not None:
            return again(trouble) if isinstance(trouble, web.Response) else await trouble(request)
        if self.tokens.get(token, -inf) <= _now():
            return answer(401, {"error": "invalid_token", "message": f"{token} is not good"})
        return again(run_answer())


def _joined(known: Mapping[str, object], changes: Mapping[str, object]) -> web.Response:
    body = {**known, **changes}
    return answer(200, {name: value for name, value in body.items() if value is not None})


@asynccontextmanager
async def issue(**settings: object) -> AsyncIterator[Issuer]:
    """Run them."""
    issuer = Issuer(**settings)  # type: ignore[arg-type] # as tests say
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", issuer.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        issuer.url = f"http://{host}:{port}"
        yield issuer
    finally:
        await runner.cleanup()


def client(issuer: Issuer, **settings: Any) -> AsyncDuvo:  # noqa: ANN401 - as tests say
    """Make a client."""
    return AsyncDuvo(**{"auth": credentials(), "base_url": issuer.url, **settings})
