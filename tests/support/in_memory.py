"""A client joined to the emulator's core without sockets, and everything drawn from a seed."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeAlias
from urllib.parse import urlencode

from attrs import define

from duvo_async import AsyncDuvo, RetryPolicy
from duvo_async._hints import HintSource, Peers
from duvo_async._pacing import Budget
from duvo_async._protocol import Request, Response
from duvo_async._session import Session
from duvo_async._transport import TransportError
from duvo_async._turns import Turns
from duvo_async.auth import ApiKey
from duvo_async.client import client_over
from duvo_async.credentials import Secret
from duvo_async.emulator import Emulator
from duvo_async.emulator import Request as EmulatorRequest
from duvo_async.settings import Settings

Fault: TypeAlias = Callable[[Request], Awaitable[Response | None]]
"""Answers in the API's place, raises, or gives None to let the request through."""


async def _no_fault(_: Request) -> Response | None:
    return None


@define
class InMemoryTransport:
    """Hands requests to an emulator that shares the process.

    Attributes:
        emulator: Answers.
        fault: What may happen to a request before it gets there.
    """

    emulator: Emulator
    fault: Fault = _no_fault
    closed: bool = False

    async def send(
        self, request: Request, headers: Mapping[str, str], authorization: Secret | None
    ) -> Response:
        if self.closed:
            raise TransportError("the transport is closed", sent=False)
        await asyncio.sleep(0)  # as on the network, others go on meanwhile
        if (answer := await self.fault(request)) is not None:
            return answer
        assert request.body is None or isinstance(request.body, bytes)
        known = dict(headers)
        if authorization is not None:
            known["authorization"] = authorization.reveal()
        if request.body is not None:
            known["content-type"] = "application/json"
        given = self.emulator.handle(
            EmulatorRequest(
                request.method, request.path, urlencode(request.query), known, request.body or b""
            )
        )
        return Response(status=given.status, reason="", headers=given.headers, body=given.body)

    async def close(self) -> None:
        self.closed = True


@asynccontextmanager
async def client_of(  # noqa: PLR0913 - what a client is made of
    emulator: Emulator,
    *,
    seed: int = 0,
    budget: Budget | None = None,
    retry: RetryPolicy | None = None,
    fault: Fault = _no_fault,
    requests_per_minute: int | None = None,
    processes: int = 1,
    webhooks: HintSource | None = None,
    turns: Turns | None = None,
    peers: Peers | None = None,
) -> AsyncIterator[AsyncDuvo]:
    """Make a client of an emulator, with a budget of its own unless it is given turns."""
    settings = Settings.resolve(
        api_key=emulator.api_key,
        base_url="http://emulator.test",
        requests_per_minute=requests_per_minute,
        processes=processes,
        public_url=None if webhooks is None else "https://hook.test/",
        environ={},
    )
    session = Session(
        settings,
        InMemoryTransport(emulator, fault),
        ApiKey(Secret(emulator.api_key)),
        retry or RetryPolicy(),
        turns or Turns(budget or Budget()),
        random=random.Random(seed).random,  # noqa: S311 - jitter
    )
    async with client_over(settings, session, webhooks, peers) as client:
        yield client
