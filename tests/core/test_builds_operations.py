import json
from datetime import UTC, datetime
from typing import Any

import pytest

from duvo_async import (
    NOT_GIVEN,
    Build,
    BuildConfig,
    BuildData,
    Schedule,
    ScheduleFrequency,
)
from duvo_async import _operations as operations
from duvo_async._converter import DecodeProblem, structure
from duvo_async._protocol import Call, Page, Response
from duvo_async._routes import Routes

V1 = Routes("v1")
V2 = Routes("v2", "team-7")
NOON = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
CONFIG: dict[str, Any] = {"version": "v2", "data": {"input": "go", "plugins": None}}
UPDATES: dict[str, Any] = {
    "config": CONFIG,
    "handover_target_ids": ("agent-2", "agent-3"),
    "revision_name": None,
    "revision_description": None,
}


def list_builds(routes: Routes = V1, agent_id: str = "agent-1", **given: Any) -> Call[Any]:  # noqa: ANN401
    return operations.list_builds(routes, agent_id, **{"limit": 100, "offset": 0, **given})


def create_build(routes: Routes = V1, agent_id: str = "agent-1", **given: Any) -> Call[Any]:  # noqa: ANN401
    fields: dict[str, Any] = {
        "name": "Second",
        "config": None,
        "handover_target_ids": None,
        "source_build_id": None,
        "idempotency_key": None,
    }
    return operations.create_build(routes, agent_id, **{**fields, **given})


def get_build(
    routes: Routes = V1, agent_id: str = "agent-1", build_id: str = "build-1"
) -> Call[Any]:
    return operations.get_build(routes, agent_id, build_id)


def update_build(routes: Routes = V1, build_id: str = "build-1", **given: Any) -> Call[Any]:  # noqa: ANN401
    fields: dict[str, Any] = dict.fromkeys(UPDATES, NOT_GIVEN)
    return operations.update_build(routes, build_id, **{**fields, "idempotency_key": None, **given})


def promote_build(routes: Routes = V1, build_id: str = "build-1", **given: Any) -> Call[Any]:  # noqa: ANN401
    fields: dict[str, Any] = {
        "revision_name": None,
        "revision_description": NOT_GIVEN,
        "idempotency_key": None,
    }
    return operations.promote_build(routes, build_id, **{**fields, **given})


def body_of(call: Call[Any]) -> Any:  # noqa: ANN401 - JSON
    assert isinstance(call.request.body, bytes)
    return json.loads(call.request.body)


def decoded(call: Call[Any], body: object) -> Any:  # noqa: ANN401 - a model
    data = json.dumps(body).encode()
    return call.decode(Response(status=200, reason="OK", headers={}, body=data))


# --- what is sent --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "method", "v1", "v2"),
    [
        (list_builds, "GET", "/v1/agents/agent-1/revisions", "/v2/agents/agent-1/revisions"),
        (create_build, "POST", "/v1/agents/agent-1/revisions", "/v2/agents/agent-1/revisions"),
        (get_build, "GET", "/v1/revisions/build-1", "/v2/agents/agent-1/revisions/build-1"),
        (
            lambda routes: update_build(routes, config=CONFIG),
            "PATCH",
            "/v1/revisions/build-1",
            "/v2/revisions/build-1",
        ),
        (promote_build, "POST", "/v1/revisions/build-1/promote", "/v2/revisions/build-1/promote"),
    ],
)
def test_each_operation_has_its_place_in_both_generations(
    make: Any,  # noqa: ANN401 - makes a call
    method: str,
    v1: str,
    v2: str,
) -> None:
    assert (make(V1).request.method, make(V1).request.path) == (method, v1)
    assert (make(V2).request.method, make(V2).request.path) == (method, v2)


def test_a_page_is_asked_for() -> None:
    assert list_builds(limit=7, offset=21).request.query == (("limit", "7"), ("offset", "21"))


def test_a_build_is_made_of_its_name_alone() -> None:
    assert body_of(create_build()) == {"name": "Second"}


@pytest.mark.parametrize("config", [CONFIG, structure(CONFIG, BuildConfig)])
def test_a_build_is_made_with_all_that_is_given(config: Any) -> None:  # noqa: ANN401
    call = create_build(
        config=config,
        handover_target_ids=("agent-2",),
        source_build_id="build-1",
        idempotency_key="key-1",
    )
    assert body_of(call) == {
        "name": "Second",
        "config": CONFIG,
        "handover_target_ids": ["agent-2"],
        "source_build_id": "build-1",
    }
    assert call.request.idempotency_key == "key-1"


def test_an_update_sends_what_is_given() -> None:
    sent = {
        "config": CONFIG,
        "handoverTargetIds": ["agent-2", "agent-3"],
        "revision_name": None,
        "revision_description": None,
    }
    assert body_of(update_build(**UPDATES)) == sent
    for (name, value), (field, written) in zip(UPDATES.items(), sent.items(), strict=True):
        assert body_of(update_build(**{name: value})) == {field: written}
    assert body_of(update_build(config=structure(CONFIG, BuildConfig))) == {"config": CONFIG}
    assert body_of(update_build(handover_target_ids=[])) == {"handoverTargetIds": []}
    texts: dict[str, Any] = {"revision_name": "n" * 80, "revision_description": "d" * 500}
    assert body_of(update_build(**texts)) == texts
    assert body_of(update_build(revision_description="")) == {"revision_description": ""}


def test_a_promotion_sends_what_is_given() -> None:
    assert body_of(promote_build()) == {}
    texts: dict[str, Any] = {"revision_name": "n" * 80, "revision_description": "d" * 500}
    assert body_of(promote_build(**texts)) == texts
    assert body_of(promote_build(revision_description=None)) == {"revision_description": None}


def test_the_key_of_a_call_is_sent() -> None:
    assert update_build(config=CONFIG, idempotency_key="k").request.idempotency_key == "k"
    assert promote_build(idempotency_key="k").request.idempotency_key == "k"


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "given", "error", "text"),
    [
        (list_builds, {"limit": 0}, ValueError, "page_size must be at least 1 and at most 100"),
        (list_builds, {"limit": 101}, ValueError, "page_size must be at least 1 and at most 100"),
        (list_builds, {"limit": True}, TypeError, "page_size must be a whole number"),
        (list_builds, {"offset": -1}, ValueError, "offset must be at least 0"),
        (list_builds, {"agent_id": ""}, ValueError, "agent_id '' is not an id"),
        (create_build, {"agent_id": "a/b"}, ValueError, "agent_id 'a/b' is not an id"),
        (create_build, {"name": " "}, ValueError, "name must not be empty"),
        (create_build, {"config": "v2"}, TypeError, "config must be a BuildConfig or a mapping"),
        (create_build, {"config": {"data": float("inf")}}, ValueError, "JSON"),
        (create_build, {"config": {"data": {1, 2}}}, TypeError, "JSON"),
        (
            create_build,
            {"handover_target_ids": "agent-2"},
            TypeError,
            "handover_target_ids must be a sequence of ids, not str",
        ),
        (
            create_build,
            {"handover_target_ids": ["a", " "]},
            ValueError,
            r"handover_target_ids\[1\] must not be empty",
        ),
        (create_build, {"source_build_id": ""}, ValueError, "source_build_id must not be empty"),
        (get_build, {"agent_id": ".."}, ValueError, "agent_id '..' is not an id"),
        (get_build, {"build_id": ""}, ValueError, "build_id '' is not an id"),
        (update_build, {}, ValueError, "nothing to change: give at least one of config"),
        (update_build, {"build_id": "", "config": CONFIG}, ValueError, "build_id '' is not an id"),
        (update_build, {"config": None}, TypeError, "config must be a BuildConfig or a mapping"),
        (update_build, {"config": [CONFIG]}, TypeError, "config must be a BuildConfig or a"),
        (update_build, {"handover_target_ids": None}, TypeError, "must be a sequence of ids"),
        (update_build, {"revision_name": ""}, ValueError, "revision_name must not be empty"),
        (update_build, {"revision_name": "n" * 81}, ValueError, "at most 80 characters, not 81"),
        (update_build, {"revision_description": "d" * 501}, ValueError, "at most 500 characters"),
        (update_build, {"revision_description": 7}, TypeError, "must be a string, not int"),
        (promote_build, {"build_id": "a/b"}, ValueError, "build_id 'a/b' is not an id"),
        (promote_build, {"revision_name": " "}, ValueError, "revision_name must not be empty"),
        (promote_build, {"revision_name": "n" * 81}, ValueError, "at most 80 characters, not 81"),
        (promote_build, {"revision_description": "d" * 501}, ValueError, "at most 500 characters"),
    ],
)
def test_a_wrong_argument_is_refused(
    make: Any,  # noqa: ANN401 - makes a call
    given: dict[str, Any],
    error: type[Exception],
    text: str,
) -> None:
    with pytest.raises(error, match=text):
        make(**given)


# --- what the answers mean -----------------------------------------------------------------------

BARE: dict[str, Any] = {"id": "build-1", "agent_id": "agent-1", "name": "First"}
SCHEDULE = {
    "id": "schedule-1",
    "agent_id": "agent-1",
    "enabled": True,
    "frequency": "daily",
    "timezone": "UTC",
}
FULL = {
    **BARE,
    "copilot_id": "agent-1",
    "revision_name": "r",
    "revision_description": "d",
    "config": CONFIG,
    "status": "live",
    "revision_number": 3.0,
    "parent_build_id": "build-0",
    "created_by": "user-1",
    "created_by_name": "Ada",
    "created_at": "2026-07-01T12:00:00.000Z",
    "updated_at": "2026-07-01T12:00:00Z",
    "schedules": [SCHEDULE],
}
ONE = [
    create_build(),
    get_build(),
    update_build(config=CONFIG),
]


@pytest.mark.parametrize("call", ONE)
def test_a_full_build_is_read(call: Call[Build]) -> None:
    assert decoded(call, {"build": FULL, "agent": {"id": "agent-1"}}) == Build(
        id="build-1",
        agent_id="agent-1",
        name="First",
        revision_name="r",
        revision_description="d",
        config=BuildConfig(version="v2", data=BuildData(input="go")),
        status="live",
        revision_number=3,
        parent_build_id="build-0",
        created_by="user-1",
        created_by_name="Ada",
        created_at=NOON,
        updated_at=NOON,
        schedules=(
            Schedule(
                id="schedule-1",
                agent_id="agent-1",
                enabled=True,
                frequency=ScheduleFrequency.DAILY,
                timezone="UTC",
            ),
        ),
    )


@pytest.mark.parametrize("call", ONE)
@pytest.mark.parametrize("nulls", [{}, dict.fromkeys(FULL), {"mood": 7}])
def test_a_bare_build_is_read(call: Call[Build], nulls: dict[str, object]) -> None:
    assert decoded(call, {"build": {**nulls, **BARE}, "weather": 7}) == Build(**BARE)


def test_a_page_of_builds_is_read() -> None:
    page = decoded(list_builds(), {"builds": [BARE], "total": 7, "limit": 100, "offset": 0})
    assert page == Page((Build(**BARE),), 7)


@pytest.mark.parametrize("success", [True, False])
def test_a_promotion_says_whether_it_was_done(*, success: bool) -> None:
    assert decoded(promote_build(), {"success": success}) is success


@pytest.mark.parametrize(
    ("call", "body", "problem"),
    [
        *((call, {}, "required field missing @ $.build") for call in ONE),
        *(
            (
                get_build(),
                {"build": {name: each for name, each in BARE.items() if name != lost}},
                f"required field missing @ $.build.{lost}",
            )
            for lost in BARE
        ),
        (
            get_build(),
            {"build": {**BARE, "config": {"version": "v2"}}},
            "required field missing @ $.build.config.data",
        ),
        (
            get_build(),
            {"build": {**BARE, "config": {"version": "v2", "data": {"files": [7]}}}},
            "expected a string, not a number @ $.build.config.data.files[0]",
        ),
        (list_builds(), {}, "required field missing @ $.builds"),
        (promote_build(), {}, "required field missing @ $.success"),
        (promote_build(), {"success": "yes"}, "expected a boolean, not a string @ $.success"),
    ],
)
def test_an_answer_that_lacks_something_cannot_be_read(
    call: Call[Any], body: object, problem: str
) -> None:
    with pytest.raises(DecodeProblem) as caught:
        decoded(call, body)
    assert any(problem in each for each in caught.value.problems), caught.value.problems
