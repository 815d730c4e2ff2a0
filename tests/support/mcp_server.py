"""A real MCP server, made with the official package, behind what guards the API."""

import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from threading import Thread
from typing import Any, TypeAlias

import uvicorn
from attrs import define, field
from mcp.server import MCPServer

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@define
class Guard:
    """Lets those through who have a token, as the API does, and tells them of the budget."""

    app: Any
    tokens: set[str]
    seen: list[tuple[str, str, str]] = field(factory=list[tuple[str, str, str]])
    refusals: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        token = dict(scope["headers"]).get(b"authorization", b"").decode().removeprefix("Bearer ")
        self.seen.append((scope["method"], scope["path"], token))
        if token not in self.tokens:
            self.refusals += 1
            challenge = (b"www-authenticate", b'Bearer error="invalid_token"')
            await send({"type": "http.response.start", "status": 401, "headers": [challenge]})
            await send({"type": "http.response.body", "body": b""})
            return

        async def send_with_budget(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                budget = (b"limit", b"300"), (b"remaining", b"123"), (b"reset", b"30")
                more = [(b"ratelimit-" + name, value) for name, value in budget]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        await self.app(scope, receive, send_with_budget)


@contextmanager
def mcp_server(path: str, token: str) -> Iterator[tuple[str, Guard]]:
    server = MCPServer("Duvo")

    @server.tool()
    def double(number: int) -> int:
        """Doubles a number."""
        return number * 2

    guard = Guard(server.streamable_http_app(streamable_http_path=path), {token})
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        place.listen()
        host, port = place.getsockname()
        config = uvicorn.Config(guard, log_config=None, log_level="critical", ws="none")
        running = uvicorn.Server(config)
        thread = Thread(target=running.run, kwargs={"sockets": [place]})
        thread.start()
        try:
            yield f"http://{host}:{port}", guard
        finally:
            running.should_exit = True
            thread.join()
