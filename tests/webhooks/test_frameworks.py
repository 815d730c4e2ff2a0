"""Recipes for web frameworks, as somebody would write them, and run."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import pytest

from duvo_async import WebhookPayloadError, WebhookVerificationError
from duvo_async.webhooks import WebhookEvent, WebhookReceiver, parse, sign, verify
from tests.support.asgi import Application, deliver
from tests.webhooks.posting import RUN_ID, SECRET, written

Deliver: TypeAlias = Callable[[bytes, Mapping[str, str]], Awaitable[int]]
MakeApp: TypeAlias = Callable[[WebhookReceiver], Application]


# --- the recipes ---------------------------------------------------------------------------------


def starlette_by_hand(seen: list[WebhookEvent]) -> Application:
    pytest.importorskip("starlette")
    from starlette.applications import Starlette  # noqa: PLC0415 - if it is installed
    from starlette.requests import Request  # noqa: PLC0415
    from starlette.responses import Response  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    async def webhook(request: Request) -> Response:
        body = await request.body()
        try:
            verify(body, request.headers, SECRET)
            event = parse(body, request.headers)
        except WebhookVerificationError:
            return Response(status_code=401)
        except WebhookPayloadError:
            return Response(status_code=400)
        seen.append(event)
        return Response(status_code=200)

    return Starlette(routes=[Route("/duvo", webhook, methods=["POST"])])


def starlette_with_receiver(receiver: WebhookReceiver) -> Application:
    pytest.importorskip("starlette")
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.requests import Request  # noqa: PLC0415
    from starlette.responses import Response  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    async def webhook(request: Request) -> Response:
        receipt = receiver.receive(await request.body(), request.headers)
        return Response(receipt.reason, status_code=receipt.status)

    return Starlette(routes=[Route("/duvo", webhook, methods=["POST"])])


def fastapi_by_hand(seen: list[WebhookEvent]) -> Application:
    pytest.importorskip("fastapi")
    from fastapi import FastAPI, HTTPException, Request  # noqa: PLC0415

    app = FastAPI()

    async def webhook(request: Request) -> None:
        body = await request.body()
        try:
            verify(body, request.headers, SECRET)
            event = parse(body, request.headers)
        except WebhookVerificationError as error:
            raise HTTPException(401, error.check) from None
        except WebhookPayloadError as error:
            raise HTTPException(400, error.problems) from None
        seen.append(event)

    app.post("/duvo")(webhook)
    return app


def fastapi_with_receiver(receiver: WebhookReceiver) -> Application:
    pytest.importorskip("fastapi")
    from fastapi import FastAPI, Request, Response  # noqa: PLC0415

    app = FastAPI()

    async def webhook(request: Request) -> Response:
        receipt = receiver.receive(await request.body(), request.headers)
        return Response(receipt.reason, receipt.status)

    app.post("/duvo")(webhook)
    return app


def flask_by_hand(seen: list[WebhookEvent]) -> Any:  # noqa: ANN401 - a Flask application
    pytest.importorskip("flask")
    from flask import Flask, request  # noqa: PLC0415

    app = Flask(__name__)

    @app.post("/duvo")
    def webhook() -> tuple[str, int]:
        body = request.get_data()
        try:
            verify(body, request.headers, SECRET)
            event = parse(body, request.headers)
        except WebhookVerificationError as error:
            return error.check, 401
        except WebhookPayloadError as error:
            return str(error), 400
        seen.append(event)
        return "", 200

    return app


def flask_with_receiver(receiver: WebhookReceiver, seen: list[WebhookEvent]) -> Any:  # noqa: ANN401 - a Flask application
    pytest.importorskip("flask")
    from flask import Flask, request  # noqa: PLC0415

    app = Flask(__name__)

    @app.post("/duvo")
    def webhook() -> tuple[str, int]:
        receipt = receiver.receive(request.get_data(), request.headers)
        if receipt.event is not None and not receipt.repeated:
            seen.append(receipt.event)
        return receipt.reason or "", receipt.status

    return app


# --- what they do --------------------------------------------------------------------------------

ASKED = written("human_request_created", title="Pay \u20ac 4,711?")
SIGNED = 1_700_000_000
CASES = ["signed", "forged", "unsigned", "stale", "written again", "no event", "empty"]


def case_of(name: str) -> tuple[bytes, dict[str, str], int]:
    """Give what is delivered, signed just now, and the status of the answer."""
    cases = {
        "signed": (ASKED, sign(ASKED, SECRET), 200),
        "forged": (ASKED, sign(ASKED, "forged"), 401),
        "unsigned": (ASKED, {}, 401),
        "stale": (ASKED, sign(ASKED, SECRET, now=SIGNED), 401),
        "written again": (
            json.dumps(json.loads(ASKED), indent=1).encode(),
            sign(ASKED, SECRET),
            401,
        ),
        "no event": (b"[]", sign(b"[]", SECRET), 400),
        "empty": (b"", sign(b"", SECRET), 400),
    }
    return cases[name]


def titles(events: list[WebhookEvent]) -> list[object]:
    return [(each.name, each.body["run_id"], each.body["title"]) for each in events]


TAKEN = [("human_request_created", RUN_ID, "Pay \u20ac 4,711?")]


@pytest.mark.anyio
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("make", [starlette_by_hand, fastapi_by_hand])
async def test_asgi_by_hand(make: Callable[[list[WebhookEvent]], Application], case: str) -> None:
    seen: list[WebhookEvent] = []
    body, headers, status = case_of(case)
    assert await deliver(make(seen), body, headers) == status
    assert titles(seen) == TAKEN * (status == 200)


@pytest.mark.anyio
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("make", [starlette_with_receiver, fastapi_with_receiver])
async def test_asgi_with_a_receiver(make: MakeApp, case: str) -> None:
    seen: list[WebhookEvent] = []
    receiver = WebhookReceiver(SECRET)

    @receiver.on_event
    async def note(event: WebhookEvent) -> None:
        seen.append(event)

    app = make(receiver)
    body, headers, status = case_of(case)
    for _ in range(2):
        assert await deliver(app, body, headers) == status
    await receiver.drain()
    assert titles(seen) == TAKEN * (status == 200)


@pytest.mark.parametrize("case", CASES)
def test_flask_by_hand(case: str) -> None:
    seen: list[WebhookEvent] = []
    client = flask_by_hand(seen).test_client()
    body, headers, status = case_of(case)
    assert client.post("/duvo", data=body, headers=headers).status_code == status
    assert titles(seen) == TAKEN * (status == 200)


@pytest.mark.parametrize("case", CASES)
def test_flask_with_a_receiver(case: str) -> None:
    seen: list[WebhookEvent] = []
    hints: list[tuple[str, bool]] = []
    receiver = WebhookReceiver(SECRET)
    receiver.subscribe(lambda run_id, waits: hints.append((run_id, waits)))
    client = flask_with_receiver(receiver, seen).test_client()
    body, headers, status = case_of(case)
    for _ in range(2):
        assert client.post("/duvo", data=body, headers=headers).status_code == status
    assert titles(seen) == TAKEN * (status == 200)
    assert hints == [(RUN_ID, True)] * 2 * (status == 200)
