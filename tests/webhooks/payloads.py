"""The names and bodies of events, written down a second time, apart from the package."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from duvo_async import WebhookPayloadError
from duvo_async.webhooks import (
    BuildPublishedEvent,
    CaseClaimedEvent,
    CaseCompletedEvent,
    CaseCreatedEvent,
    ConnectionActionRequiredEvent,
    ConnectionUpdatedEvent,
    HumanRequestCreatedEvent,
    HumanRequestRespondedEvent,
    RunCompletedEvent,
    RunFailedEvent,
    RunFileCreatedEvent,
    RunInterruptedEvent,
    RunMessageCreatedEvent,
    RunPausedEvent,
    RunStartedEvent,
    RunToolCallCompletedEvent,
    WebhookEvent,
    parse,
)
from tests.webhooks.posting import RUN_ID

Facts = dict[str, Any]

# Written down a second time, apart from the package: the names of a workspace's webhooks.
DOTTED: dict[str, type[WebhookEvent]] = {
    "run.started": RunStartedEvent,
    "run.paused": RunPausedEvent,
    "run.completed": RunCompletedEvent,
    "run.failed": RunFailedEvent,
    "run.interrupted": RunInterruptedEvent,
    "run.message.created": RunMessageCreatedEvent,
    "run.tool_call.completed": RunToolCallCompletedEvent,
    "run.file.created": RunFileCreatedEvent,
    "human_request.created": HumanRequestCreatedEvent,
    "human_request.responded": HumanRequestRespondedEvent,
    "queue.case.created": CaseCreatedEvent,
    "queue.case.claimed": CaseClaimedEvent,
    "queue.case.completed": CaseCompletedEvent,
    "connection.updated": ConnectionUpdatedEvent,
    "connection.action_required": ConnectionActionRequiredEvent,
    "assignment.build.published": BuildPublishedEvent,
}
NAMES = {
    **DOTTED,
    **{name.replace(".", "_"): kind for name, kind in DOTTED.items()},
    "human_request": HumanRequestCreatedEvent,
}
DOCUMENTED = {
    "event": "human_request_created",
    "run_id": RUN_ID,
    "request_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "title": "Approve the invoice?",
    "description": "Invoice 4711 is over the limit.",
    "created_at": "2026-01-15T12:00:00.000Z",
}


def parsed(body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> WebhookEvent:
    return parse(json.dumps(body).encode(), headers)


def problems_of(body: bytes | str) -> tuple[str, ...]:
    with pytest.raises(WebhookPayloadError) as caught:
        parse(body)
    return caught.value.problems
