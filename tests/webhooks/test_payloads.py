"""Ids of events, what is no event, and events as values."""

import pickle
from typing import Any, cast

import pytest
from multidict import CIMultiDict

from duvo_async import WebhookPayloadError
from duvo_async.webhooks import (
    RunFailedEvent,
    RunPausedEvent,
    UnknownEvent,
    WebhookEvent,
    parse,
)
from tests.webhooks.payloads import DOCUMENTED, NAMES, Facts, parsed, problems_of
from tests.webhooks.posting import RUN_ID

# --- ids -----------------------------------------------------------------------------------------


def test_the_bodys_id_goes_before_the_headers() -> None:
    assert parsed({"event": "a", "id": "inner"}, {"Webhook-Id": "outer"}).id == "inner"


@pytest.mark.parametrize("name", ["Webhook-Id", "webhook-id", "WEBHOOK-ID"])
@pytest.mark.parametrize("body", [{"event": "a"}, {"event": "a", "id": 7}])
def test_the_headers_id_is_taken_if_the_body_has_none(body: Facts, name: str) -> None:
    assert parsed(body, {"X": "y", name: "outer"}).id == "outer"
    assert parsed(body, CIMultiDict({name: "outer"})).id == "outer"
    assert parsed(body, {}).id is None
    assert parsed(body).id is None


def test_the_id_in_data_is_of_what_it_is_about() -> None:
    body = {"type": "run.message.created", "data": {"id": "m-1", "run_id": RUN_ID}}
    assert parsed(body).id is None
    assert parsed(body, {"Webhook-Id": "outer"}).id == "outer"


# --- what is no event ----------------------------------------------------------------------------

NO_OBJECTS: dict[str, bytes | str] = {
    "empty": b"",
    "blank": " ",
    "text": b"event=run_completed",
    "cut": b'{"event": "a"',
    "more": b'{"event": "a"} {}',
    "array": b'[{"event": "a"}]',
    "string": b'"run_completed"',
    "number": b"7",
    "null": b"null",
    "NaN": b'{"event": "a", "x": NaN}',
    "Infinity": b'{"event": "a", "x": [Infinity]}',
    "-Infinity": b'{"event": "a", "x": {"y": -Infinity}}',
    "bad UTF-8": b'{"event": "a\xff"}',
    "cut UTF-8": '{"event": "a"}é'.encode()[:-1],
    "deep array": b'{"event": "a", "x": ' + b"[" * 200_000,
    "deep nest": b'{"event": "a", "x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "deep objects": b'{"x":' * 200_000,
    "huge number": b'{"event": "a", "x": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("kind", NO_OBJECTS)
def test_what_is_no_json_object_is_no_event(kind: str) -> None:
    assert problems_of(NO_OBJECTS[kind]) == ("no JSON object @ $",)


def test_a_number_that_json_allows_is_kept_however_large() -> None:
    body = {"event": "a", "x": 10**4000}
    assert parsed(body).body == body


def buffer(text: str) -> memoryview:
    return memoryview(text.encode())


def array(text: str) -> bytearray:
    return bytearray(text.encode())


@pytest.mark.parametrize("encode", [str, str.encode, buffer, array])
def test_bytes_and_text_are_read_alike(encode: Any) -> None:  # noqa: ANN401 - one of two functions
    event = parse(encode('{"event": "a", "id": "\u00e9\u2603\U0001f600"}'))
    assert event == UnknownEvent(name="a", id="\u00e9\u2603\U0001f600")


@pytest.mark.parametrize("body", [None, 7, {"event": "a"}])
def test_a_body_is_bytes_or_text(body: object) -> None:
    with pytest.raises(TypeError, match="body must be bytes or text, not"):
        parse(cast("Any", body))


# --- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*NAMES, "some.day"])
def test_an_event_is_a_value(name: str) -> None:
    body = {**DOCUMENTED, "event": name, "id": "e-1", "status": "dreaming"}
    event = parsed(body)
    again = parsed({**body, "unknown": 1})
    assert event == again
    assert hash(event) == hash(again)
    assert event != parsed({**body, "id": "e-2"})
    copy = pickle.loads(pickle.dumps(event))  # noqa: S301 - our own
    assert copy == event
    assert type(copy) is type(event)
    assert copy.body == body
    assert "Approve the invoice" not in repr(UnknownEvent(name="a", body=body))


def test_the_same_facts_of_another_kind_are_another_event() -> None:
    failed: WebhookEvent = RunFailedEvent(name="a", run_id="r")
    assert failed != RunPausedEvent(name="a", run_id="r")


def test_an_error_pickles() -> None:
    with pytest.raises(WebhookPayloadError) as caught:
        parse(b"[]")
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    assert type(copy) is WebhookPayloadError
    assert (str(copy), copy.problems) == (str(caught.value), ("no JSON object @ $",))
