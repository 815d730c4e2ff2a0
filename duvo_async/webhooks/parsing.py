"""Bytes of a delivery to an event. No I/O."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn, cast

from attrs import NOTHING, Attribute, fields

from duvo_async._converter import DecodeProblem, structure
from duvo_async.errors import WebhookPayloadError
from duvo_async.models import JSON
from duvo_async.webhooks.events import (
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
    UnknownEvent,
    WebhookEvent,
)
from duvo_async.webhooks.headers import Body, Headers, as_bytes, values_of

_ID_HEADER = "webhook-id"
"""Where an event's id may be besides its body (Standard Webhooks, "Webhook Headers")."""
_KINDS: dict[str, type[WebhookEvent]] = {
    "human_request": HumanRequestCreatedEvent,
    "human_request.created": HumanRequestCreatedEvent,
    "human_request.responded": HumanRequestRespondedEvent,
    "run.started": RunStartedEvent,
    "run.paused": RunPausedEvent,
    "run.completed": RunCompletedEvent,
    "run.failed": RunFailedEvent,
    "run.interrupted": RunInterruptedEvent,
    "run.message.created": RunMessageCreatedEvent,
    "run.tool_call.completed": RunToolCallCompletedEvent,
    "run.file.created": RunFileCreatedEvent,
    "queue.case.created": CaseCreatedEvent,
    "queue.case.claimed": CaseClaimedEvent,
    "queue.case.completed": CaseCompletedEvent,
    "connection.updated": ConnectionUpdatedEvent,
    "connection.action_required": ConnectionActionRequiredEvent,
    "assignment.build.published": BuildPublishedEvent,
}
# A run's own webhooks spell with underscores what a workspace's spell with dots.
_BY_SPELLING = {name.replace(".", "_"): kind for name, kind in _KINDS.items()}
_OF_THE_EVENT = ("id", "created_at")
_OF_THE_DELIVERY = frozenset({"name", "body"})


def parse(body: Body, headers: Headers | None = None) -> WebhookEvent:
    """Read an event. Check first, with `verify`, that it comes from the API.

    Args:
        body: The request's body as it came.
        headers: The request's headers, where the event's id may be if the body has none
            (`Webhook-Id`). None does without.

    Returns:
        The event, of the class for its name; an `UnknownEvent` for a name without a class. Names
        are the same with dots and underscores. What it is about is looked for in the body and in an
        object `data` of it.

    Raises:
        WebhookPayloadError: The body is no JSON object with the event's name as `event` or `type`,
            or is of a run and does not say which.
        TypeError: The body is neither bytes nor text.
    """
    whole = _read(as_bytes(body))
    members = _members(whole)
    name = whole.get("event", whole.get("type"))
    if not isinstance(name, str):
        raise WebhookPayloadError(("no name of an event @ $.event",))
    if headers is not None and not isinstance(members["id"], str):
        members["id"] = next(iter(values_of(headers, _ID_HEADER)), None)
    kind = _BY_SPELLING.get(name.replace(".", "_"), UnknownEvent)
    return kind(name=name, body=whole, **_facts(kind, members))


def _read(body: bytes) -> dict[str, JSON]:
    try:
        value = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):  # a deep nest of brackets is no event either
        value = None
    if not isinstance(value, dict):
        raise WebhookPayloadError(("no JSON object @ $",))
    return cast("dict[str, JSON]", value)


def _refuse(_: str) -> NoReturn:
    raise ValueError  # NaN and the like are no JSON


def _members(whole: Mapping[str, JSON]) -> dict[str, JSON]:
    """Gather what is said of the event itself and, in `data`, of what it is about."""
    data = whole.get("data")
    members = dict(data) if isinstance(data, dict) else {}
    members |= {name: value for name, value in whole.items() if value is not None}
    run = members.get("run")
    if members.get("run_id") is None and isinstance(run, dict):
        members["run_id"] = run.get("id")
    for name in _OF_THE_EVENT:  # in `data` they are of what it is about
        members[name] = whole.get(name)
    return members


def _facts(kind: type[WebhookEvent], members: Mapping[str, JSON]) -> dict[str, Any]:
    return {
        each.name: _fact(each, members.get(each.name))
        for each in fields(kind)
        if each.name not in _OF_THE_DELIVERY
    }


def _fact(attribute: "Attribute[Any]", value: JSON) -> object:
    required = attribute.default is NOTHING
    if value is None:
        if required:
            raise WebhookPayloadError((f"required field missing @ $.{attribute.name}",))
        return None
    try:
        return structure(value, cast("type[Any]", attribute.type), f"$.{attribute.name}")
    except DecodeProblem as problem:
        problems = problem.problems
    if required:
        raise WebhookPayloadError(problems)
    return None  # its form is not documented: `body` has it as it came
