"""Webhooks: what the API tells by itself, checked and typed.

`parse` and `verify` work with any framework; `WebhookReceiver` receives, in a web application of
yours or by itself. It is loaded when it is first used, since it needs a server.
"""

from typing import TYPE_CHECKING

from duvo_async.webhooks.events import (
    BuildPublishedEvent,
    CaseClaimedEvent,
    CaseCompletedEvent,
    CaseCreatedEvent,
    CaseEvent,
    ConnectionActionRequiredEvent,
    ConnectionEvent,
    ConnectionUpdatedEvent,
    HumanRequestCreatedEvent,
    HumanRequestRespondedEvent,
    RunCompletedEvent,
    RunEvent,
    RunFailedEvent,
    RunFileCreatedEvent,
    RunInterruptedEvent,
    RunMessageCreatedEvent,
    RunPausedEvent,
    RunStartedEvent,
    RunToolCallCompletedEvent,
    UnknownEvent,
    WebhookEvent,
)
from duvo_async.webhooks.headers import Body, Headers
from duvo_async.webhooks.intake import Receipt
from duvo_async.webhooks.parsing import parse
from duvo_async.webhooks.signature import Secrets, sign, verify

if TYPE_CHECKING:
    from duvo_async.webhooks.receiver import WebhookReceiver

__all__ = [
    "Body",
    "BuildPublishedEvent",
    "CaseClaimedEvent",
    "CaseCompletedEvent",
    "CaseCreatedEvent",
    "CaseEvent",
    "ConnectionActionRequiredEvent",
    "ConnectionEvent",
    "ConnectionUpdatedEvent",
    "Headers",
    "HumanRequestCreatedEvent",
    "HumanRequestRespondedEvent",
    "Receipt",
    "RunCompletedEvent",
    "RunEvent",
    "RunFailedEvent",
    "RunFileCreatedEvent",
    "RunInterruptedEvent",
    "RunMessageCreatedEvent",
    "RunPausedEvent",
    "RunStartedEvent",
    "RunToolCallCompletedEvent",
    "Secrets",
    "UnknownEvent",
    "WebhookEvent",
    "WebhookReceiver",
    "parse",
    "sign",
    "verify",
]


def __getattr__(name: str) -> object:
    if name == "WebhookReceiver":
        from duvo_async.webhooks.receiver import WebhookReceiver  # noqa: PLC0415 - only when used

        return WebhookReceiver
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
