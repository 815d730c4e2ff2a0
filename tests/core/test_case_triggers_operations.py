import json
from datetime import UTC, datetime
from typing import Any

import pytest

from duvo_async import NOT_GIVEN, AgentReference, CaseTrigger, CaseTriggerConflicts
from duvo_async import _operations as operations
from duvo_async._converter import DecodeProblem
from duvo_async._protocol import Call, Page, Response
from duvo_async._routes import Routes

V1 = Routes("v1")
V2 = Routes("v2", "team-7")
NOON = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)


def list_case_triggers(routes: Routes = V1, agent_id: str = "agent-1") -> Call[Any]:
    return operations.list_case_triggers(routes, agent_id)


def create_case_trigger(routes: Routes = V1, agent_id: str = "agent-1", **given: Any) -> Call[Any]:  # noqa: ANN401
    fields: dict[str, Any] = {
        "queue_id": "queue-1",
        "enabled": True,
        "concurrency": None,
        "idempotency_key": None,
    }
    return operations.create_case_trigger(routes, agent_id, **{**fields, **given})


def get_case_trigger(routes: Routes = V1, trigger_id: str = "trigger-1") -> Call[Any]:
    return operations.get_case_trigger(routes, "agent-1", trigger_id)


def update_case_trigger(
    routes: Routes = V1,
    agent_id: str = "agent-1",
    trigger_id: str = "trigger-1",
    **given: Any,  # noqa: ANN401
) -> Call[Any]:
    fields: dict[str, Any] = {
        "queue_id": NOT_GIVEN,
        "enabled": NOT_GIVEN,
        "concurrency": NOT_GIVEN,
        "idempotency_key": None,
    }
    return operations.update_case_trigger(routes, agent_id, trigger_id, **{**fields, **given})


def disable_case_trigger(routes: Routes) -> Call[Any]:
    return update_case_trigger(routes, enabled=False)


def delete_case_trigger(routes: Routes = V1, trigger_id: str = "trigger-1") -> Call[None]:
    return operations.delete_case_trigger(routes, "agent-1", trigger_id, idempotency_key="key-1")


def find_conflicts(routes: Routes = V1, queue_id: str = "queue-1") -> Call[Any]:
    return operations.find_case_trigger_conflicts(routes, "agent-1", queue_id)


def body_of(call: Call[Any]) -> Any:  # noqa: ANN401 - JSON
    assert isinstance(call.request.body, bytes)
    return json.loads(call.request.body)


def decoded(call: Call[Any], body: object) -> Any:  # noqa: ANN401 - a model
    data = json.dumps(body).encode()
    return call.decode(Response(status=200, reason="OK", headers={}, body=data))


# --- what is sent --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "method", "tail"),
    [
        (list_case_triggers, "GET", ""),
        (create_case_trigger, "POST", ""),
        (get_case_trigger, "GET", "/trigger-1"),
        (disable_case_trigger, "PATCH", "/trigger-1"),
        (delete_case_trigger, "DELETE", "/trigger-1"),
        (find_conflicts, "GET", "/conflict-preview"),
    ],
)
def test_each_operation_has_its_place_in_both_generations(
    make: Any,  # noqa: ANN401 - makes a call
    method: str,
    tail: str,
) -> None:
    for routes in (V1, V2):
        request = make(routes).request
        assert request.method == method
        assert request.path == f"/{routes.version}/agents/agent-1/case-triggers{tail}"


def test_conflicts_are_asked_for_by_the_queue() -> None:
    assert find_conflicts().request.query == (("case_queue_id", "queue-1"),)


def test_a_trigger_is_made_for_any_number_of_runs_or_one() -> None:
    assert body_of(create_case_trigger()) == {"case_queue_id": "queue-1", "enabled": True}
    call = create_case_trigger(enabled=False, concurrency=1, idempotency_key="key-1")
    assert body_of(call) == {"case_queue_id": "queue-1", "enabled": False, "concurrency": 1}
    assert call.request.idempotency_key == "key-1"


def test_an_update_sends_what_is_given() -> None:
    assert body_of(update_case_trigger(queue_id="queue-2")) == {"case_queue_id": "queue-2"}
    assert body_of(update_case_trigger(enabled=False)) == {"enabled": False}
    assert body_of(update_case_trigger(concurrency=1)) == {"concurrency": 1}
    assert body_of(update_case_trigger(concurrency=None)) == {"concurrency": None}


def test_the_key_of_a_call_is_sent() -> None:
    call = update_case_trigger(enabled=True, idempotency_key="key-1")
    assert call.request.idempotency_key == "key-1"
    assert delete_case_trigger().request.idempotency_key == "key-1"


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("make", [create_case_trigger, update_case_trigger])
@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"queue_id": " "}, ValueError, "queue_id must not be empty"),
        ({"queue_id": None}, TypeError, "queue_id must be a string"),
        ({"enabled": None}, TypeError, "enabled must be True or False"),
        ({"concurrency": 0}, ValueError, "concurrency must be at least 1 and at most 1, not 0"),
        ({"concurrency": 2}, ValueError, "concurrency must be at least 1 and at most 1, not 2"),
        ({"concurrency": True}, TypeError, "concurrency must be a whole number"),
        ({"agent_id": "", "enabled": True}, ValueError, "agent_id '' is not an id"),
    ],
)
def test_a_wrong_field_is_refused(
    make: Any,  # noqa: ANN401 - makes a call
    given: dict[str, Any],
    error: type[Exception],
    text: str,
) -> None:
    with pytest.raises(error, match=text):
        make(**given)


def test_an_update_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to change: give at least one of"):
        update_case_trigger()


def test_an_id_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"agent_id '\.\.' is not an id"):
        list_case_triggers(agent_id="..")
    with pytest.raises(ValueError, match="trigger_id 'a/b' is not an id"):
        get_case_trigger(trigger_id="a/b")
    with pytest.raises(ValueError, match="trigger_id '' is not an id"):
        update_case_trigger(trigger_id="", enabled=True)
    with pytest.raises(ValueError, match="trigger_id '' is not an id"):
        delete_case_trigger(trigger_id="")
    with pytest.raises(ValueError, match="queue_id must not be empty"):
        find_conflicts(queue_id="")


# --- what the answers mean -----------------------------------------------------------------------

BARE: dict[str, Any] = {
    "id": "trigger-1",
    "agent_id": "agent-1",
    "case_queue_id": "queue-1",
    "enabled": True,
}
FULL: dict[str, Any] = {
    **BARE,
    "case_queue_name": "In",
    "user_id": "user-1",
    "concurrency": 1.0,
    "created_at": "2026-07-01T12:00:00Z",
    "updated_at": "2026-07-01T12:00:00Z",
    "creator_display_name": "Ada",
    "can_disable": False,
    "has_conflict": True,
    "conflicting_agents": [{"id": "agent-2", "name": "Rival"}],
}
RIVALS = (AgentReference(id="agent-2", name="Rival"),)
ONE = [create_case_trigger(), get_case_trigger(), update_case_trigger(enabled=True)]


@pytest.mark.parametrize("call", ONE)
def test_a_full_trigger_is_read(call: Call[CaseTrigger]) -> None:
    known = {
        **FULL,
        "concurrency": 1,
        "created_at": NOON,
        "updated_at": NOON,
        "conflicting_agents": RIVALS,
    }
    assert decoded(call, {"case_trigger": FULL}) == CaseTrigger(**known)


@pytest.mark.parametrize("call", ONE)
@pytest.mark.parametrize("more", [{}, dict.fromkeys(FULL), {"mood": 7}])
def test_a_bare_trigger_is_read(call: Call[CaseTrigger], more: dict[str, object]) -> None:
    trigger = decoded(call, {"case_trigger": {**more, **BARE}, "weather": 7})
    assert trigger == CaseTrigger(**BARE)
    assert trigger.conflicting_agents == ()


def test_all_triggers_are_read_at_once() -> None:
    page = decoded(list_case_triggers(), {"case_triggers": [BARE]})
    assert page == Page((CaseTrigger(**BARE),))


def test_conflicts_are_read() -> None:
    body: dict[str, Any] = {"has_conflict": True, "conflicting_agents": FULL["conflicting_agents"]}
    found = CaseTriggerConflicts(has_conflict=True, conflicting_agents=RIVALS)
    assert decoded(find_conflicts(), {**body, "mood": 7}) == found
    none = CaseTriggerConflicts(has_conflict=False)
    assert decoded(find_conflicts(), {"has_conflict": False}) == none


def test_a_trigger_says_no_more_than_that_it_was_deleted() -> None:
    assert decoded(delete_case_trigger(), {"success": True}) is None


@pytest.mark.parametrize("lost", BARE)
def test_an_answer_that_lacks_something_cannot_be_read(lost: str) -> None:
    body = {name: each for name, each in FULL.items() if name != lost}
    with pytest.raises(DecodeProblem, match=f"required field missing @ \\$.case_trigger.{lost}"):
        decoded(get_case_trigger(), {"case_trigger": body})
    with pytest.raises(DecodeProblem, match=rf"missing @ \$.case_triggers\[0\].{lost}"):
        decoded(list_case_triggers(), {"case_triggers": [body]})


@pytest.mark.parametrize("call", [*ONE, list_case_triggers(), find_conflicts()])
def test_an_empty_answer_cannot_be_read(call: Call[Any]) -> None:
    with pytest.raises(DecodeProblem, match="required field missing"):
        decoded(call, {})
