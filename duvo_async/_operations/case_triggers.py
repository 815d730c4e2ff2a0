"""What is sent about case triggers, and what the answers mean."""

from duvo_async._operations._fields import (
    body,
    delete,
    done,
    filled,
    flag,
    get,
    kept,
    one,
    or_null,
    page,
    patch,
    post,
    whole,
)
from duvo_async._protocol import Call, Page
from duvo_async._routes import Routes
from duvo_async.models import CaseTrigger, CaseTriggerConflicts, NotGiven


def list_case_triggers(routes: Routes, agent_id: str) -> Call[Page[CaseTrigger]]:
    """Read an agent's case triggers, all at once."""
    return Call(get(routes.case_triggers(agent_id)), page("case_triggers", CaseTrigger))


def create_case_trigger(  # noqa: PLR0913 - the fields of the body
    routes: Routes,
    agent_id: str,
    *,
    queue_id: str,
    enabled: bool,
    concurrency: int | None,
    idempotency_key: str | None,
) -> Call[CaseTrigger]:
    """Make a case trigger."""
    fields = {
        "case_queue_id": filled("queue_id", queue_id),
        "enabled": flag("enabled", enabled),
        "concurrency": or_null(_concurrency)("concurrency", concurrency),
    }
    request = post(routes.case_triggers(agent_id), fields, idempotency_key)
    return Call(request, one("case_trigger", CaseTrigger))


def get_case_trigger(routes: Routes, agent_id: str, trigger_id: str) -> Call[CaseTrigger]:
    """Read a case trigger."""
    path = routes.case_trigger(agent_id, trigger_id)
    return Call(get(path), one("case_trigger", CaseTrigger))


def update_case_trigger(  # noqa: PLR0913 - the fields of the body
    routes: Routes,
    agent_id: str,
    trigger_id: str,
    *,
    queue_id: str | NotGiven,
    enabled: bool | NotGiven,
    concurrency: int | NotGiven | None,
    idempotency_key: str | None,
) -> Call[CaseTrigger]:
    """Change what is given of a case trigger."""
    changes = {
        "case_queue_id": kept("queue_id", queue_id, filled),
        "enabled": kept("enabled", enabled, flag),
        "concurrency": kept("concurrency", concurrency, or_null(_concurrency)),
    }
    request = patch(routes.case_trigger(agent_id, trigger_id), changes, idempotency_key)
    return Call(request, one("case_trigger", CaseTrigger))


def delete_case_trigger(
    routes: Routes, agent_id: str, trigger_id: str, *, idempotency_key: str | None
) -> Call[None]:
    """Delete a case trigger."""
    return Call(delete(routes.case_trigger(agent_id, trigger_id), idempotency_key), done)


def find_case_trigger_conflicts(
    routes: Routes, agent_id: str, queue_id: str
) -> Call[CaseTriggerConflicts]:
    """Ask which other agents work off a queue."""
    query = {"case_queue_id": filled("queue_id", queue_id)}
    return Call(get(routes.case_trigger_conflicts(agent_id), query), body(CaseTriggerConflicts))


def _concurrency(name: str, value: int) -> int:
    # The API takes 1 or null so far (API reference, "createAgentCaseTrigger").
    return whole(name, value, least=1, most=1)
