"""What is sent about queues, and what the answers mean."""

from duvo_async._operations._fields import (
    body,
    delete,
    filled,
    get,
    kept,
    one,
    or_null,
    page,
    patch,
    post,
    text,
    whole,
)
from duvo_async._protocol import Call, Page
from duvo_async._routes import Routes
from duvo_async.models import NotGiven, Queue, QueueAgents, QueueDeletion

MAX_QUEUES = 250
"""Queues a page (API reference, "List Queues")."""
_LONGEST_NAME = 100
_LONGEST_DESCRIPTION = 500


def create_queue(  # noqa: PLR0913 - the fields of the body
    routes: Routes,
    *,
    name: str,
    description: str | None,
    folder_id: str | None,
    automation_id: str | None,
    idempotency_key: str | None,
) -> Call[Queue]:
    """Make a queue."""
    fields = {
        "name": _name("name", name),
        "description": _description("description", description),
        "folder_id": or_null(filled)("folder_id", folder_id),
        "automation_id": or_null(filled)("automation_id", automation_id),
    }
    return Call(post(routes.queues(), fields, idempotency_key), one("queue", Queue))


def get_queue(routes: Routes, queue_id: str) -> Call[Queue]:
    """Read a queue."""
    return Call(get(routes.queue(queue_id)), one("queue", Queue))


def list_queues(
    routes: Routes, *, automation_id: str | None, limit: int, offset: int
) -> Call[Page[Queue]]:
    """Read a page of the list of queues."""
    query = {
        "limit": whole("limit", limit, least=1, most=MAX_QUEUES),
        "offset": whole("offset", offset, least=0),
        "automation_id": or_null(filled)("automation_id", automation_id),
    }
    return Call(get(routes.queues(), query), page("queues", Queue))


def update_queue(  # noqa: PLR0913 - the fields of the body
    routes: Routes,
    queue_id: str,
    *,
    name: str | NotGiven,
    description: str | NotGiven | None,
    folder_id: str | NotGiven | None,
    idempotency_key: str | None,
) -> Call[Queue]:
    """Change a queue."""
    changes = {
        "name": kept("name", name, _name),
        "description": kept("description", description, _description),
        "folder_id": kept("folder_id", folder_id, or_null(filled)),
    }
    return Call(patch(routes.queue(queue_id), changes, idempotency_key), one("queue", Queue))


def delete_queue(
    routes: Routes, queue_id: str, *, idempotency_key: str | None
) -> Call[QueueDeletion]:
    """Delete a queue with its cases."""
    return Call(delete(routes.queue(queue_id), idempotency_key), body(QueueDeletion))


def list_queue_agents(routes: Routes, queue_id: str) -> Call[QueueAgents]:
    """Read which agents use a queue."""
    return Call(get(routes.queue_agents(queue_id)), body(QueueAgents))


def _name(name: str, value: str) -> str:
    return filled(name, value, most=_LONGEST_NAME)


def _description(name: str, value: str | None) -> str | None:
    return None if value is None else text(name, value, most=_LONGEST_DESCRIPTION)
