import json
from datetime import UTC, datetime
from typing import Any

import pytest

from duvo_async import (
    NOT_GIVEN,
    Label,
    Queue,
    QueueAgents,
    QueueConsumer,
    QueueDeletion,
    QueueProblem,
    QueueProducer,
)
from duvo_async import _operations as operations
from duvo_async._converter import DecodeProblem
from duvo_async._protocol import Call, Page, Response
from duvo_async._routes import Routes

V1 = Routes("v1")
V2 = Routes("v2", "team-7")
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def create_queue(routes: Routes = V1, **given: Any) -> Call[Any]:  # noqa: ANN401
    fields: dict[str, Any] = {
        "name": "Invoices",
        "description": None,
        "folder_id": None,
        "automation_id": None,
        "idempotency_key": None,
    }
    return operations.create_queue(routes, **{**fields, **given})


def list_queues(routes: Routes = V1, **given: Any) -> Call[Any]:  # noqa: ANN401
    fields: dict[str, Any] = {"automation_id": None, "limit": 250, "offset": 0}
    return operations.list_queues(routes, **{**fields, **given})


def update_queue(routes: Routes = V1, **given: Any) -> Call[Any]:  # noqa: ANN401
    names = ("name", "description", "folder_id")
    fields: dict[str, Any] = dict.fromkeys(names, NOT_GIVEN)
    fields["idempotency_key"] = None
    return operations.update_queue(routes, "queue-1", **{**fields, **given})


def create_label(routes: Routes = V1, **given: Any) -> Call[Any]:  # noqa: ANN401
    fields: dict[str, Any] = {
        "value": "EU",
        "key": "",
        "color_hue": None,
        "idempotency_key": None,
    }
    return operations.create_queue_label(routes, "queue-1", **{**fields, **given})


def update_label(routes: Routes = V1, **given: Any) -> Call[Any]:  # noqa: ANN401
    fields: dict[str, Any] = {
        "value": "EU",
        "key": NOT_GIVEN,
        "color_hue": NOT_GIVEN,
        "idempotency_key": None,
    }
    return operations.update_queue_label(routes, "queue-1", "label-1", **{**fields, **given})


def list_labels(routes: Routes = V1, **given: Any) -> Call[Any]:  # noqa: ANN401
    page: dict[str, Any] = {"limit": 1000, "offset": 0}
    return operations.list_queue_labels(routes, "queue-1", **{**page, **given})


CALLS: dict[str, tuple[Any, str, str, str]] = {
    "create": (create_queue, "POST", "/v1/queues", "/v2/teams/team-7/queues"),
    "list": (list_queues, "GET", "/v1/queues", "/v2/teams/team-7/queues"),
    "get": (
        lambda r: operations.get_queue(r, "queue-1"),
        "GET",
        "/v1/queues/queue-1",
        "/v2/queues/queue-1",
    ),
    "update": (
        lambda r: update_queue(r, name="n"),
        "PATCH",
        "/v1/queues/queue-1",
        "/v2/queues/queue-1",
    ),
    "delete": (
        lambda r: operations.delete_queue(r, "queue-1", idempotency_key=None),
        "DELETE",
        "/v1/queues/queue-1",
        "/v2/queues/queue-1",
    ),
    "agents": (
        lambda r: operations.list_queue_agents(r, "queue-1"),
        "GET",
        "/v1/queues/queue-1/agents",
        "/v2/queues/queue-1/agents",
    ),
    "list labels": (
        list_labels,
        "GET",
        "/v1/queues/queue-1/labels",
        "/v2/queues/queue-1/labels",
    ),
    "create label": (
        create_label,
        "POST",
        "/v1/queues/queue-1/labels",
        "/v2/queues/queue-1/labels",
    ),
    "update label": (
        update_label,
        "PATCH",
        "/v1/queues/queue-1/labels/label-1",
        "/v2/queues/queue-1/labels/label-1",
    ),
    "delete label": (
        lambda r: operations.delete_queue_label(r, "queue-1", "label-1", idempotency_key=None),
        "DELETE",
        "/v1/queues/queue-1/labels/label-1",
        "/v2/queues/queue-1/labels/label-1",
    ),
}


def body_of(call: Call[Any]) -> Any:  # noqa: ANN401 - JSON
    assert isinstance(call.request.body, bytes)
    return json.loads(call.request.body)


def decoded(call: Call[Any], body: object, status: int = 200) -> Any:  # noqa: ANN401
    text = json.dumps(body).encode()
    return call.decode(Response(status=status, reason="", headers={}, body=text))


# --- what is sent --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
def test_an_operation_has_a_method_and_a_path(name: str) -> None:
    make, method, v1, v2 = CALLS[name]
    first, second = make(V1).request, make(V2).request
    assert (first.method, first.path) == (method, v1)
    assert (second.method, second.path) == (method, v2)
    assert (first.query, first.body) == (second.query, second.body)
    assert first.mutates is (method != "GET")


@pytest.mark.parametrize(
    "make",
    [
        create_queue,
        lambda **given: update_queue(name="n", **given),
        lambda **given: operations.delete_queue(V1, "queue-1", **given),
        create_label,
        update_label,
        lambda **given: operations.delete_queue_label(V1, "queue-1", "label-1", **given),
    ],
)
def test_a_change_carries_its_key(make: Any) -> None:  # noqa: ANN401
    assert make(idempotency_key="key-1").request.idempotency_key == "key-1"


def test_a_new_queue_has_what_is_given() -> None:
    assert body_of(create_queue()) == {"name": "Invoices"}
    given: dict[str, Any] = {
        "name": "n" * 100,
        "description": "d" * 500,
        "folder_id": "folder-1",
        "automation_id": "automation-1",
    }
    assert body_of(create_queue(**given)) == given


def test_a_page_of_queues_is_asked_for() -> None:
    assert list_queues().request.query == (("limit", "250"), ("offset", "0"))
    query = list_queues(automation_id="a-1", limit=1, offset=9).request.query
    assert query == (("limit", "1"), ("offset", "9"), ("automation_id", "a-1"))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "New"},
        {"description": None},
        {"description": ""},
        {"folder_id": None},
        {"name": "New", "description": "d", "folder_id": "f"},
    ],
)
def test_a_queue_is_changed_in_what_is_given(changes: dict[str, Any]) -> None:
    assert body_of(update_queue(**changes)) == changes


def test_a_new_label_has_what_is_given() -> None:
    assert body_of(create_label()) == {"value": "EU"}
    assert body_of(create_label(key="region", color_hue=0)) == {
        "key": "region",
        "value": "EU",
        "color_hue": 0,
    }


def test_a_label_is_changed_in_what_is_given() -> None:
    assert body_of(update_label()) == {"value": "EU"}
    assert body_of(update_label(key="", color_hue=360)) == {
        "key": "",
        "value": "EU",
        "color_hue": 360,
    }


def test_a_page_of_labels_is_asked_for() -> None:
    assert list_labels(limit=7, offset=3).request.query == (("limit", "7"), ("offset", "3"))


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "given", "error", "text"),
    [
        (create_queue, {"name": ""}, ValueError, "name must not be empty"),
        (create_queue, {"name": " "}, ValueError, "name must not be empty"),
        (create_queue, {"name": "n" * 101}, ValueError, "at most 100 characters, not 101"),
        (create_queue, {"name": None}, TypeError, "name must be a string"),
        (create_queue, {"description": "d" * 501}, ValueError, "at most 500 characters"),
        (create_queue, {"description": 7}, TypeError, "description must be a string"),
        (create_queue, {"folder_id": ""}, ValueError, "folder_id must not be empty"),
        (create_queue, {"automation_id": ""}, ValueError, "automation_id must not be empty"),
        (list_queues, {"limit": 0}, ValueError, "limit must be at least 1 and at most 250"),
        (list_queues, {"limit": 251}, ValueError, "limit must be at least 1 and at most 250"),
        (list_queues, {"offset": -1}, ValueError, "offset must be at least 0"),
        (list_queues, {"automation_id": " "}, ValueError, "automation_id must not be empty"),
        (update_queue, {}, ValueError, "nothing to change"),
        (update_queue, {"name": None}, TypeError, "name must be a string"),
        (update_queue, {"name": ""}, ValueError, "name must not be empty"),
        (update_queue, {"name": "n" * 101}, ValueError, "at most 100"),
        (update_queue, {"description": "d" * 501}, ValueError, "at most 500"),
        (update_queue, {"folder_id": ""}, ValueError, "folder_id must not be empty"),
        (create_label, {"value": ""}, ValueError, "value must not be empty"),
        (create_label, {"key": None}, TypeError, "key must be a string"),
        (create_label, {"color_hue": 361}, ValueError, "at most 360"),
        (create_label, {"color_hue": -1}, ValueError, "at least 0"),
        (update_label, {"value": ""}, ValueError, "value must not be empty"),
        (update_label, {"key": None}, TypeError, "key must be a string"),
        (update_label, {"color_hue": 1.5}, TypeError, "whole number"),
        (list_labels, {"limit": 1001}, ValueError, "at most 1000"),
        (list_labels, {"offset": -1}, ValueError, "at least 0"),
    ],
)
def test_what_cannot_be_is_refused(
    make: Any,  # noqa: ANN401
    given: dict[str, Any],
    error: type[Exception],
    text: str,
) -> None:
    with pytest.raises(error, match=text):
        make(**given)


@pytest.mark.parametrize("wrong", ["", " ", "a/b", ".."])
def test_an_id_stays_in_its_place(wrong: str) -> None:
    for make in (
        lambda: operations.get_queue(V2, wrong),
        lambda: operations.list_queue_agents(V2, wrong),
        lambda: operations.delete_queue_label(V2, "queue-1", wrong, idempotency_key=None),
    ):
        with pytest.raises(ValueError, match="is not an id"):
            make()


# --- what the answers mean -----------------------------------------------------------------------

QUEUE = {"id": "queue-1", "name": "Invoices", "created_at": "2026-07-01T12:00:00.000Z"}
FULL_QUEUE = {
    **QUEUE,
    "description": "d",
    "folder_id": "folder-1",
    "automation_id": "automation-1",
    "team_id": "team-7",
    "has_approvals": True,
}
LABEL = {"id": "label-1", "key": "region", "value": "EU", "color_hue": 200}


@pytest.mark.parametrize("name", ["create", "get", "update"])
def test_a_queue_is_understood(name: str) -> None:
    call = CALLS[name][0](V1)
    assert decoded(call, {"queue": FULL_QUEUE}, 201) == Queue(
        id="queue-1",
        name="Invoices",
        created_at=NOON,
        description="d",
        folder_id="folder-1",
        automation_id="automation-1",
        team_id="team-7",
        has_approvals=True,
    )
    minimal = Queue(id="queue-1", name="Invoices", created_at=NOON)
    assert decoded(call, {"queue": QUEUE}) == minimal
    assert decoded(call, {"queue": {**QUEUE, "new": 1}, "more": 2}) == minimal
    assert decoded(call, {"queue": dict.fromkeys(FULL_QUEUE) | QUEUE}) == minimal


@pytest.mark.parametrize("missing", QUEUE)
def test_a_queue_has_an_identity(missing: str) -> None:
    lacking = {name: value for name, value in QUEUE.items() if name != missing}
    with pytest.raises(DecodeProblem) as caught:
        decoded(operations.get_queue(V1, "queue-1"), {"queue": lacking})
    assert caught.value.problems == (f"required field missing @ $.queue.{missing}",)


def test_a_page_of_queues_is_understood() -> None:
    queue = Queue(id="queue-1", name="Invoices", created_at=NOON)
    body = {"queues": [QUEUE], "total": 7, "limit": 250, "offset": 0}
    assert decoded(list_queues(), body) == Page((queue,), 7)
    assert decoded(list_queues(), {"queues": []}) == Page((), None)
    with pytest.raises(DecodeProblem, match="queues"):
        decoded(list_queues(), {"total": 7})


def test_a_deletion_is_understood() -> None:
    call = CALLS["delete"][0](V1)
    body = {"success": True, "deleted_case_count": 3, "interrupted_run_ids": ["run-1"]}
    assert decoded(call, body) == QueueDeletion(
        deleted_case_count=3, interrupted_run_ids=("run-1",)
    )
    assert decoded(call, {"deleted_case_count": 0}) == QueueDeletion(deleted_case_count=0)
    with pytest.raises(DecodeProblem, match="deleted_case_count"):
        decoded(call, {"success": True})


def test_the_agents_of_a_queue_are_understood() -> None:
    call = CALLS["agents"][0](V1)
    agent = {"agent_id": "agent-1", "agent_name": "Clerk", "case_trigger_enabled": True}
    body = {
        "queue_name": "Invoices",
        "producers": [{**agent, "case_trigger_queue_name": "Mail", "problems": ["brand_new"]}],
        "consumers": [
            {
                **agent,
                "is_handover_target": True,
                "problems": ["multiple_triggers"],
                "concurrency_limit": 2,
                "at_concurrency_limit": True,
            }
        ],
    }
    assert decoded(call, body) == QueueAgents(
        queue_name="Invoices",
        producers=(
            QueueProducer(
                agent_id="agent-1",
                agent_name="Clerk",
                case_trigger_enabled=True,
                case_trigger_queue_name="Mail",
                problems=(QueueProblem("brand_new"),),
            ),
        ),
        consumers=(
            QueueConsumer(
                agent_id="agent-1",
                agent_name="Clerk",
                case_trigger_enabled=True,
                is_handover_target=True,
                problems=(QueueProblem.MULTIPLE_TRIGGERS,),
                concurrency_limit=2,
                at_concurrency_limit=True,
            ),
        ),
    )
    assert decoded(call, {"queue_name": "Invoices"}) == QueueAgents(queue_name="Invoices")
    with pytest.raises(DecodeProblem, match=r"\$.consumers\[0\].agent_id"):
        decoded(call, {"queue_name": "Invoices", "consumers": [{"agent_name": "Clerk"}]})


@pytest.mark.parametrize("name", ["create label", "update label"])
def test_a_label_is_understood(name: str) -> None:
    call = CALLS[name][0](V1)
    label = Label(id="label-1", key="region", value="EU", color_hue=200)
    assert decoded(call, {"label": LABEL}) == label
    assert decoded(call, {"label": {**LABEL, "new": 1}}) == label
    assert decoded(call, {"label": {"id": "l", "value": "v"}}) == Label(id="l", value="v")
    with pytest.raises(DecodeProblem, match=r"\$.label.value"):
        decoded(call, {"label": {"id": "l"}})


def test_a_page_of_labels_is_understood() -> None:
    label = Label(id="label-1", key="region", value="EU", color_hue=200, case_count=3)
    assert decoded(list_labels(), {"labels": [{**LABEL, "case_count": 3}]}) == Page((label,), None)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"success": true}'])
def test_a_deleted_label_says_nothing(body: bytes) -> None:
    call = CALLS["delete label"][0](V1)
    assert call.decode(Response(status=200, reason="", headers={}, body=body)) is None
