import json
from datetime import UTC, datetime
from typing import Any

import pytest

from duvo_async import NOT_GIVEN, Schedule, ScheduleFrequency, Weekday
from duvo_async import _operations as operations
from duvo_async._converter import DecodeProblem
from duvo_async._protocol import Call, Page, Response
from duvo_async._routes import Routes

V1 = Routes("v1")
V2 = Routes("v2", "team-7")
NOON = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
FIELDS: dict[str, Any] = {
    "enabled": False,
    "frequency": ScheduleFrequency.MONTHLY,
    "time": "09:30",
    "timezone": "Europe/Prague",
    "day": Weekday.FRIDAY,
    "day_of_month": 31,
    "cron": "0 9 * * *",
    "recurring": False,
}
NULLABLE = ["time", "day", "day_of_month", "cron", "recurring"]


def list_schedules(routes: Routes = V1, agent_id: str = "agent-1") -> Call[Any]:
    return operations.list_schedules(routes, agent_id)


def create_schedule(routes: Routes = V1, agent_id: str = "agent-1", **given: Any) -> Call[Any]:  # noqa: ANN401
    fields: dict[str, Any] = {
        **dict.fromkeys(NULLABLE),
        "frequency": "daily",
        "timezone": "UTC",
        "enabled": True,
        "idempotency_key": None,
    }
    return operations.create_schedule(routes, agent_id, **{**fields, **given})


def update_schedule(
    routes: Routes = V1,
    agent_id: str = "agent-1",
    schedule_id: str = "schedule-1",
    **given: Any,  # noqa: ANN401
) -> Call[Any]:
    fields: dict[str, Any] = {**dict.fromkeys(FIELDS, NOT_GIVEN), "idempotency_key": None}
    return operations.update_schedule(routes, agent_id, schedule_id, **{**fields, **given})


def disable_schedule(routes: Routes) -> Call[Any]:
    return update_schedule(routes, enabled=False)


def delete_schedule(routes: Routes = V1, schedule_id: str = "schedule-1") -> Call[None]:
    return operations.delete_schedule(routes, "agent-1", schedule_id, idempotency_key="key-1")


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
        (list_schedules, "GET", ""),
        (create_schedule, "POST", ""),
        (disable_schedule, "PATCH", "/schedule-1"),
        (delete_schedule, "DELETE", "/schedule-1"),
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
        assert request.path == f"/{routes.version}/agents/agent-1/schedules{tail}"
        assert request.query == ()


def test_a_schedule_is_made_of_what_it_needs() -> None:
    sent = {"enabled": True, "frequency": "daily", "timezone": "UTC"}
    assert body_of(create_schedule()) == sent


def test_a_schedule_is_made_with_all_that_is_given() -> None:
    call = create_schedule(**FIELDS, idempotency_key="key-1")
    assert body_of(call) == {**FIELDS, "frequency": "monthly", "day": "friday"}
    assert call.request.idempotency_key == "key-1"


def test_an_update_sends_what_is_given() -> None:
    assert body_of(update_schedule(**FIELDS)) == FIELDS
    for name, value in FIELDS.items():
        assert body_of(update_schedule(**{name: value})) == {name: value}
    for name in NULLABLE:
        nothing: dict[str, Any] = {name: None}
        assert body_of(update_schedule(**nothing)) == nothing


def test_a_frequency_of_tomorrow_is_sent_as_it_is() -> None:
    assert body_of(update_schedule(frequency="yearly")) == {"frequency": "yearly"}
    frequency = ScheduleFrequency("yearly")
    assert body_of(create_schedule(frequency=frequency))["frequency"] == "yearly"


def test_the_key_of_a_call_is_sent() -> None:
    call = update_schedule(enabled=True, idempotency_key="key-1")
    assert call.request.idempotency_key == "key-1"
    assert delete_schedule().request.idempotency_key == "key-1"


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("make", [create_schedule, update_schedule])
@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"frequency": " "}, ValueError, "frequency must not be empty"),
        ({"frequency": None}, TypeError, "frequency must be a string"),
        ({"timezone": ""}, ValueError, "timezone must not be empty"),
        ({"timezone": None}, TypeError, "timezone must be a string"),
        ({"enabled": 1}, TypeError, "enabled must be True or False"),
        ({"enabled": None}, TypeError, "enabled must be True or False"),
        ({"time": ""}, ValueError, "time must not be empty"),
        ({"time": 9}, TypeError, "time must be a string"),
        ({"day": " "}, ValueError, "day must not be empty"),
        ({"day": 1}, TypeError, "day must be a string"),
        ({"day_of_month": 0}, ValueError, "day_of_month must be at least 1 and at most 31, not 0"),
        ({"day_of_month": 32}, ValueError, "day_of_month must be at least 1 and at most 31"),
        ({"day_of_month": "1"}, TypeError, "day_of_month must be a whole number"),
        ({"cron": ""}, ValueError, "cron must not be empty"),
        ({"recurring": "no"}, TypeError, "recurring must be True or False"),
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
    with pytest.raises(ValueError, match="nothing to change: give at least one of enabled"):
        update_schedule()


def test_an_id_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"agent_id '\.\.' is not an id"):
        list_schedules(agent_id="..")
    with pytest.raises(ValueError, match="schedule_id 'a/b' is not an id"):
        update_schedule(schedule_id="a/b", enabled=True)
    with pytest.raises(ValueError, match="schedule_id '' is not an id"):
        delete_schedule(schedule_id="")


# --- what the answers mean -----------------------------------------------------------------------

BARE: dict[str, Any] = {
    "id": "schedule-1",
    "agent_id": "agent-1",
    "enabled": True,
    "frequency": "daily",
    "timezone": "UTC",
}
MOMENTS = [
    "auto_disabled_at",
    "first_missing_connection_failure_at",
    "last_missing_connection_failure_at",
    "created_at",
    "updated_at",
]
FULL: dict[str, Any] = {
    **BARE,
    "build_id": "build-1",
    "user_id": "user-1",
    "user_name": "Ada",
    "user_email": "ada@duvo.test",
    "time": "09:30",
    "day": "friday",
    "day_of_month": 31.0,
    "cron": "0 9 * * *",
    "source": "api",
    "task": "Reconcile",
    "recurring": True,
    "auto_disabled_reason": "a connection is missing",
    "consecutive_missing_connection_failures": 3,
    **dict.fromkeys(MOMENTS, "2026-07-01T12:00:00Z"),
}
ONE = [create_schedule(), update_schedule(enabled=True)]


@pytest.mark.parametrize("call", ONE)
def test_a_full_schedule_is_read(call: Call[Schedule]) -> None:
    known = {
        **FULL,
        "frequency": ScheduleFrequency.DAILY,
        "day": Weekday.FRIDAY,
        "day_of_month": 31,
        **dict.fromkeys(MOMENTS, NOON),
    }
    assert decoded(call, FULL) == Schedule(**known)


@pytest.mark.parametrize("call", ONE)
@pytest.mark.parametrize("more", [{}, dict.fromkeys(FULL), {"mood": 7}])
def test_a_bare_schedule_is_read(call: Call[Schedule], more: dict[str, object]) -> None:
    schedule = decoded(call, {**more, **BARE})
    assert schedule == Schedule(**BARE)
    assert schedule.consecutive_missing_connection_failures == 0


def test_words_of_tomorrow_are_read() -> None:
    schedule = decoded(create_schedule(), {**BARE, "frequency": "yearly", "day": "caturday"})
    assert schedule.frequency == "yearly"
    assert not schedule.frequency.is_known
    assert schedule.day == "caturday"


def test_all_schedules_are_read_at_once() -> None:
    page = decoded(list_schedules(), {"schedules": [FULL, BARE]})
    assert [each.time for each in page.items] == ["09:30", None]
    assert decoded(list_schedules(), {"schedules": []}) == Page(())


def test_a_schedule_says_no_more_than_that_it_was_deleted() -> None:
    assert decoded(delete_schedule(), {"success": True}) is None


@pytest.mark.parametrize("lost", BARE)
def test_an_answer_that_lacks_something_cannot_be_read(lost: str) -> None:
    body = {name: each for name, each in FULL.items() if name != lost}
    with pytest.raises(DecodeProblem, match=f"required field missing @ \\$.{lost}"):
        decoded(create_schedule(), body)
    with pytest.raises(DecodeProblem, match=rf"missing @ \$.schedules\[0\].{lost}"):
        decoded(list_schedules(), {"schedules": [body]})
    with pytest.raises(DecodeProblem, match=r"required field missing @ \$.schedules"):
        decoded(list_schedules(), body)
