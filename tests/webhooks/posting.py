"""Deliveries as the API would send them, and the ways to get them to a receiver."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession

from duvo_async.webhooks import WebhookReceiver, sign

SECRET = "whsec_5f3a77"
RUN_ID = "550e8400-e29b-41d4-a716-446655440000"

Hints = list[tuple[str, bool]]
"""Ids of runs, and whether they may wait for a person."""


def written(event: str = "run_completed", **facts: object) -> bytes:
    """Write the body of an event, of a run unless the facts say otherwise."""
    return json.dumps({"event": event, "run_id": RUN_ID, **facts}).encode()


async def post(url: str, body: bytes, secret: str | None = SECRET, **headers: str) -> int:
    """Deliver a body, and tell the status of the answer. Header names have underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if secret is not None:
        named |= sign(body, secret)
    async with ClientSession() as client, client.post(url, data=body, headers=named) as answer:
        await answer.read()
        return answer.status


@asynccontextmanager
async def sending(
    url: str, data: bytes
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Write bytes to where a receiver listens, whatever they are, and hang up at the end."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(data)
        await writer.drain()
        yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Find what the SDK warned of."""
    return [
        each.getMessage()
        for each in caplog.records
        if each.name == "duvo_async" and each.levelno >= logging.WARNING
    ]


def collecting(hints: Hints) -> Callable[[str, bool], None]:
    """Make a hint that can be told from others."""
    return lambda run_id, waits: hints.append((run_id, waits))


def nowhere(receiver: WebhookReceiver) -> None:
    """Insist that it does not listen."""
    with pytest.raises(RuntimeError, match="the receiver does not listen by itself"):
        _ = receiver.url
