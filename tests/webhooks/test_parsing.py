"""Bytes of a delivery to an event: every name, every fact, and what is no event."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from duvo_async import RunStatus, WebhookError, WebhookPayloadError
from duvo_async.webhooks import (
    CaseEvent,
    ConnectionEvent,
    HumanRequestCreatedEvent,
    RunEvent,
    RunFailedEvent,
    RunPausedEvent,
    RunStartedEvent,
    UnknownEvent,
    WebhookEvent,
    parse,
)
from tests.webhooks.payloads import DOCUMENTED, DOTTED, NAMES, Facts, parsed, problems_of
from tests.webhooks.posting import RUN_ID

RUN_FACTS: Facts = {"agent_id": "a-1", "status": "running"}
OPTIONAL: dict[str, Facts] = {
    "run.completed": RUN_FACTS,
    "run.message.created": {**RUN_FACTS, "message_id": "m-1"},
    "run.tool_call.completed": {**RUN_FACTS, "tool_call_id": "t-1", "tool_name": "search"},
    "run.file.created": {**RUN_FACTS, "file_id": "f-1", "path": "/out.csv"},
    "human_request.created": {**RUN_FACTS, "request_id": "q", "title": "t", "description": "d"},
    "human_request.responded": {**RUN_FACTS, "request_id": "q"},
    "queue.case.created": {"case_id": "c-1", "queue_id": "q-1"},
    "connection.updated": {"connection_id": "n-1"},
    "assignment.build.published": {"agent_id": "a-1", "build_id": "b-1"},
    "some.day": {"run_id": RUN_ID},
}
EACH_OPTIONAL = [(name, fact) for name, facts in OPTIONAL.items() for fact in facts]


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["event", "type"])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_gives_its_class(name: str, key: str) -> None:
    event = parsed({key: name, "run_id": RUN_ID})
    assert type(event) is NAMES[name]
    assert event.name == name


@pytest.mark.parametrize("name", ["run.exploded", "RUN.COMPLETED", "run completed", "", "\0"])
def test_an_unknown_name_is_an_event_with_all_of_its_body(name: str) -> None:
    body = {"event": name, "run_id": RUN_ID, "more": [1, {"a": None}]}
    event = parsed(body)
    assert event == UnknownEvent(name=name, run_id=RUN_ID)
    assert event.body == body


def test_an_unknown_event_needs_no_run() -> None:
    assert parsed({"type": "some.day"}) == UnknownEvent(name="some.day")
    assert parsed({"type": "some.day", "run_id": 7}) == UnknownEvent(name="some.day")


def test_event_goes_before_type() -> None:
    assert parsed({"type": "run.failed", "event": "a"}) == UnknownEvent(name="a")


@pytest.mark.parametrize("key", ["event", "type"])
def test_a_name_at_the_top_goes_before_one_in_data(key: str) -> None:
    event = parsed({key: "a", "data": {"event": "b", "type": "c"}})
    assert event == UnknownEvent(name="a")


@pytest.mark.parametrize("name", [None, 7, True, ["run.completed"], {"name": "run.completed"}])
def test_a_name_is_text(name: object) -> None:
    assert problems_of(json.dumps({"event": name})) == ("no name of an event @ $.event",)
    assert problems_of(json.dumps({"type": name})) == ("no name of an event @ $.event",)


def test_an_event_has_a_name() -> None:
    with pytest.raises(WebhookPayloadError) as caught:
        parse(b"{}")
    assert str(caught.value) == "the body is no event: no name of an event @ $.event"
    assert isinstance(caught.value, WebhookError)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(("name", "kind"), DOTTED.items())
def test_a_class_stands_below_the_one_for_what_it_is_about(
    name: str, kind: type[WebhookEvent]
) -> None:
    bases = {"run": RunEvent, "human_request": RunEvent, "queue": CaseEvent}
    bases |= {"connection": ConnectionEvent, "assignment": WebhookEvent}
    assert issubclass(kind, bases[name.partition(".")[0]])


# --- facts ---------------------------------------------------------------------------------------


def test_the_documented_body_is_read_field_by_field() -> None:
    event = parsed(DOCUMENTED)
    assert isinstance(event, HumanRequestCreatedEvent)
    assert event.name == "human_request_created"
    assert event.run_id == RUN_ID
    assert event.request_id == "0f8fad5b-d9cb-469f-a165-70867728950e"
    assert event.title == "Approve the invoice?"
    assert event.description == "Invoice 4711 is over the limit."
    assert event.created_at == datetime(2026, 1, 15, 12, tzinfo=UTC)
    assert (event.id, event.agent_id, event.status) == (None, None, None)
    assert event.body == DOCUMENTED


def at_the_top(facts: Facts) -> Facts:
    return facts


def in_data(facts: Facts) -> Facts:
    return {"data": facts}


@pytest.mark.parametrize("place", [at_the_top, in_data])
@pytest.mark.parametrize(("name", "facts"), OPTIONAL.items())
def test_facts_are_found_at_the_top_and_in_data(name: str, facts: Facts, place: Any) -> None:  # noqa: ANN401 - one of two functions
    event = parsed({"event": name, **place({"run_id": RUN_ID, **facts})})
    assert {fact: getattr(event, fact) for fact in facts} == facts
    assert getattr(event, "run_id", RUN_ID) == RUN_ID


@pytest.mark.parametrize("place", [at_the_top, in_data])
def test_a_run_may_be_an_object_with_an_id(place: Any) -> None:  # noqa: ANN401 - as above
    event = parsed({"event": "run.failed", **place({"run": {"id": RUN_ID, "status": "x"}})})
    assert event == RunFailedEvent(name="run.failed", run_id=RUN_ID)


def test_the_top_goes_before_data_and_a_run_id_before_a_run() -> None:
    body = {"event": "run.paused", "run_id": "top", "data": {"run_id": "x", "run": {"id": "y"}}}
    assert parsed(body) == RunPausedEvent(name="run.paused", run_id="top")
    data = {"run_id": "inner", "run": {"id": "y"}}
    event = parsed({"event": "run.paused", "data": data})
    assert event == RunPausedEvent(name="run.paused", run_id="inner")


@pytest.mark.parametrize("data", [None, 7, "text", [{"run_id": "x"}]])
def test_data_that_is_no_object_is_left_alone(data: object) -> None:
    event = parsed({"event": "run.paused", "run_id": RUN_ID, "data": data})
    assert event == RunPausedEvent(name="run.paused", run_id=RUN_ID)
    assert event.body["data"] == data


@pytest.mark.parametrize("wrong", [7, 1.5, True, [], {}, {"id": "x"}, None])
@pytest.mark.parametrize(("name", "fact"), EACH_OPTIONAL)
def test_an_optional_fact_of_a_wrong_type_is_none_and_stays_in_the_body(
    name: str, fact: str, wrong: object
) -> None:
    body = {"event": name, **({} if fact == "run_id" else {"run_id": RUN_ID}), fact: wrong}
    event = parsed(body)
    assert type(event) is NAMES.get(name, UnknownEvent)
    assert getattr(event, fact) is None
    assert event.body == body


@pytest.mark.parametrize("wrong", ["yesterday", "", "2026-13-01T00:00:00Z", 1_700_000_000, [], {}])
def test_a_moment_that_is_none_is_left_in_the_body(wrong: object) -> None:
    event = parsed({"event": "a", "created_at": wrong})
    assert event.created_at is None
    assert event.body["created_at"] == wrong


def test_unknown_fields_are_kept() -> None:
    body = {"event": "connection.updated", "team": "t", "data": {"deep": [{"x": 1.5}]}, "n": None}
    assert parsed(body).body == body


@pytest.mark.parametrize("word", ["completed", "dreaming", ""])
def test_a_status_may_be_a_word_of_tomorrow(word: str) -> None:
    event = parsed({"event": "run.started", "run_id": RUN_ID, "status": word})
    assert isinstance(event, RunStartedEvent)
    assert event.status == RunStatus(word)
    assert event.status == word


RUN_NAMES = [name for name, kind in NAMES.items() if issubclass(kind, RunEvent)]


@pytest.mark.parametrize("name", RUN_NAMES)
def test_an_event_of_a_run_says_which(name: str) -> None:
    missing = ("required field missing @ $.run_id",)
    without: list[Facts] = [{}, {"run_id": None}, {"run": {}}, {"run": RUN_ID}, {"data": {}}]
    for facts in without:
        assert problems_of(json.dumps({"event": name, **facts})) == missing


@pytest.mark.parametrize(
    ("wrong", "kind"), [(7, "a number"), (True, "a boolean"), ([], "an array"), ({}, "an object")]
)
def test_a_run_is_named_by_text(wrong: object, kind: str) -> None:
    body = json.dumps({"event": "run.completed", "run_id": wrong})
    assert problems_of(body) == (f"expected a string, not {kind} @ $.run_id",)


@pytest.mark.parametrize("name", [name for name in DOTTED if name not in RUN_NAMES])
def test_an_event_of_no_run_needs_only_its_name(name: str) -> None:
    assert parsed({"event": name}) == DOTTED[name](name=name)
