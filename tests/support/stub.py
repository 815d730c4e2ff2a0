"""A server that answers what a test tells it to, and remembers what it was asked."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TypeAlias

from aiohttp import web
from attrs import define, field, frozen

from duvo_async import Run, RunStatus, RunSummary

NOW = datetime(2026, 1, 15, 12, 0, 0, tzinfo=UTC)
"""The stub's time, as its Date header says it."""
RUN_ID = "550e8400-e29b-41d4-a716-446655440000"
AGENT_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
REQUEST_ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


@frozen
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    raw_path: str
    headers: Mapping[str, str]
    body: bytes


Answer: TypeAlias = web.StreamResponse | Callable[[web.Request], Awaitable[web.StreamResponse]]


@define
class Stub:
    """The server.

    Attributes:
        url: Where it is.
        answers: What it says, in order; the last is said again and again.
        asked: What it was asked.
    """

    url: str = ""
    answers: list[Answer] = field(factory=list[Answer])
    asked: list[Asked] = field(factory=list[Asked])

    async def handle(self, request: web.Request) -> web.StreamResponse:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.asked.append(
            Asked(
                request.method,
                request.path,
                request.raw_path,
                request.headers.copy(),
                await request.read(),
            )
        )
        if isinstance(answer, web.StreamResponse):
            return again(answer)
        return await answer(request)


def again(answer: web.StreamResponse) -> web.Response:
    """Copy an answer, since a response object can be sent once."""
    assert isinstance(answer, web.Response)
    headers = {"Date": format_datetime(NOW, usegmt=True), **answer.headers}
    return web.Response(status=answer.status, body=answer.body, headers=headers)


def answer(status: int = 200, body: object = None, **headers: str) -> web.Response:
    """Make an answer; header names have underscores for dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is None or isinstance(body, bytes):
        return web.Response(status=status, body=body, headers=named)
    return web.Response(
        status=status,
        text=body if isinstance(body, str) else json.dumps(body),
        headers={"Content-Type": "application/json", **named},
    )


async def hang_up(request: web.Request) -> web.StreamResponse:
    """Close the connection without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@asynccontextmanager
async def serve(*answers: Answer) -> AsyncIterator[Stub]:
    """Run a stub."""
    stub = Stub(answers=list(answers))
    app = web.Application(client_max_size=2**30)
    app.router.add_route("*", "/{path:.*}", stub.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        stub.url = f"http://{host}:{port}"
        yield stub
    finally:
        await runner.cleanup()


def run_body(status: str = "running", **changes: object) -> dict[str, object]:
    """Write a run as the API does."""
    moment = "2026-01-15T12:00:00.000Z"
    return {
        "id": RUN_ID,
        "agent_id": AGENT_ID,
        "build_id": "16fd2706-8baf-433b-82eb-8c7fada847da",
        "status": status,
        "source": "api",
        "sandbox_id": None,
        "started_at": moment,
        "completed_at": None,
        "created_at": moment,
        "updated_at": moment,
        "human_in_the_loop_enabled": True,
        **changes,
    }


def run_answer(status: str = "running", pending: object = None, **changes: object) -> web.Response:
    """Answer with a run."""
    body: dict[str, object] = {"run": run_body(status, **changes)}
    if pending is not None:
        body["pending_human_request"] = pending
    return answer(200, body)


def approval(request_id: str = REQUEST_ID) -> dict[str, object]:
    """Write a pending approval as the API does."""
    return {
        "id": request_id,
        "title": "Post the entries?",
        "description": None,
        "created_at": "2026-01-15T12:00:00.000Z",
        "type": "approval",
    }


def answered(request_id: str = REQUEST_ID) -> web.Response:
    """Answer that a human request was answered."""
    record = {
        "id": request_id,
        "run_id": RUN_ID,
        "title": "Post the entries?",
        "description": None,
        "response": "approved",
        "responded_at": "2026-01-15T12:00:01.000Z",
        "created_at": "2026-01-15T12:00:00.000Z",
    }
    return answer(200, {"human_request": record})


def run_made(run_id: str, created: float, status: str = "running") -> Run:
    """Make a run as the SDK knows it, so many seconds after `NOW`."""
    moment = NOW + timedelta(seconds=created)
    return Run(
        id=run_id,
        agent_id=AGENT_ID,
        build_id="build-1",
        status=RunStatus(status),
        source="api",
        sandbox_id=None,
        started_at=None,
        completed_at=None,
        created_at=moment,
        updated_at=moment,
        human_in_the_loop_enabled=True,
    )


def row_made(run_id: str, created: float, status: str = "running") -> RunSummary:
    """Make what a list says of the same run."""
    moment = NOW + timedelta(seconds=created)
    return RunSummary(
        id=run_id,
        agent_id=AGENT_ID,
        build_id="build-1",
        status=RunStatus(status),
        started_at=None,
        completed_at=None,
        created_at=moment,
        updated_at=moment,
    )
