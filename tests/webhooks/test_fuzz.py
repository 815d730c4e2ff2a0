"""Whatever is delivered, it is an event or refused."""

import json
import pickle
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from duvo_async import WebhookError, WebhookVerificationError
from duvo_async.webhooks import (
    Receipt,
    UnknownEvent,
    WebhookEvent,
    WebhookReceiver,
    parse,
    sign,
    verify,
)
from tests.support.properties import unhurried
from tests.webhooks.posting import SECRET

# Surrogates and NUL are in `characters()`, and too rare there.
texts = st.text(st.characters() | st.sampled_from("\ud800\udfff\0\ufeff."), max_size=20)
numbers = (
    st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([10**4000, -(10**4000), 1e308, -0.0, 2**64])
)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
NAMES = [
    "human_request",
    "human_request_created",
    "human_request.responded",
    "run_completed",
    "run.failed",
    "run.message.created",
    "run.tool_call.completed",
    "run.file.created",
    "queue.case.created",
    "connection.updated",
    "assignment.build.published",
]
FACTS = [
    "id",
    "run_id",
    "agent_id",
    "status",
    "created_at",
    "message_id",
    "tool_call_id",
    "tool_name",
    "file_id",
    "path",
    "request_id",
    "title",
    "description",
    "case_id",
    "queue_id",
    "connection_id",
    "build_id",
    "run",
    "data",
    "type",
    "name",
    "body",
]
moments = st.datetimes(timezones=st.none() | st.timezones()).map(lambda each: each.isoformat())
facts = st.dictionaries(st.sampled_from(FACTS), values | moments, max_size=6)
events = st.builds(
    lambda name, run, body, data: {"event": name, **run, **body, **data},
    st.sampled_from(NAMES) | texts,
    st.sampled_from([{}, {"run_id": "r"}, {"run": {"id": "r"}}]),
    facts,
    st.just({}) | st.fixed_dictionaries({"data": facts}),
)
as_text = st.builds(json.dumps, values | events, ensure_ascii=st.booleans())
bodies = (
    st.binary()
    | texts
    | as_text
    | as_text.map(lambda each: each.encode("utf-8", "surrogatepass"))
    | as_text.map(lambda each: each.encode("utf-16", "surrogatepass"))
    | st.builds(lambda text, cut: text[:cut], as_text, st.integers(0, 50))
)
as_bytes = bodies.map(
    lambda each: each.encode("utf-8", "surrogatepass") if isinstance(each, str) else each
)
names = texts | st.sampled_from(
    ["X-Duvo-Signature", "x-duvo-signature", "X-Duvo-Timestamp", "Webhook-Id", "X-DUVO-TIMESTAMP"]
)
digests = st.binary(min_size=30, max_size=34).map(lambda each: f"sha256={each.hex()}")
contents = texts | digests | st.integers().map(str) | st.lists(digests, max_size=20).map(",".join)
headers = st.dictionaries(names, contents, max_size=5)


@unhurried
@given(bodies, st.none() | headers)
@example('{"event": "\ud800", "id": "\udfff\0"}', None)
@example(b'{"event": "run_failed", "run_id": "r", "created_at": "0001-01-01T00:00:00+14:00"}', {})
def test_anything_is_an_event_or_refused(body: bytes | str, headers: dict[str, str] | None) -> None:
    try:
        event = parse(body, headers)
    except WebhookError:
        return
    assert isinstance(event, WebhookEvent)
    assert event == event  # noqa: PLR0124 - comparing does not fail
    assert hash(event) == hash(parse(body, headers))
    assert repr(event)


@unhurried
@given(events)
def test_a_body_is_kept_as_it_was(body: dict[str, Any]) -> None:
    try:
        event = parse(json.dumps(body))
    except WebhookError as error:
        assert "run_id" in str(error)  # noqa: PT017 - all else is optional
        return
    assert event.body == body
    assert event.name == body["event"]
    assert pickle.loads(pickle.dumps(event)).body == body  # noqa: S301 - our own


@unhurried
@given(st.dictionaries(texts, values, max_size=6), texts)
def test_an_unknown_event_is_kept_as_it_was(more: dict[str, Any], name: str) -> None:
    body = {**more, "event": f"some.{name}"}
    event = parse(json.dumps(body))
    assert type(event) is UnknownEvent
    assert event.body == body


@unhurried
@given(bodies, headers, st.sampled_from(["sha256=", "", "v1="]), st.booleans())
def test_anything_is_verified_or_refused(
    body: bytes | str,
    headers: dict[str, str],
    prefix: str,
    timed: bool,  # noqa: FBT001 - drawn
) -> None:
    how: dict[str, Any] = {} if timed else {"timestamp_header": None}
    with pytest.raises(WebhookVerificationError):
        verify(body, headers, SECRET, prefix=prefix, **how)
    verify(body, sign(body, SECRET, prefix=prefix, **how), SECRET, prefix=prefix, **how)


@unhurried
@given(as_bytes, headers)
def test_nobody_gets_past_a_receiver_with_a_secret(body: bytes, headers: dict[str, str]) -> None:
    receipt = WebhookReceiver(SECRET).receive(body, headers)
    assert (receipt.status, receipt.event, receipt.repeated) == (401, None, False)
    assert receipt.reason


@unhurried
@given(as_bytes, headers, st.booleans())
def test_what_is_delivered_is_taken_or_refused(
    body: bytes,
    headers: dict[str, str],
    signed: bool,  # noqa: FBT001 - drawn
) -> None:
    receiver = WebhookReceiver(SECRET if signed else None)
    headers = sign(body, SECRET) if signed else headers
    first, second = (receiver.receive(body, headers) for _ in range(2))
    if first.taken:
        event = parse(body, headers)
        assert first == Receipt(200, event)
        assert second == Receipt(200, event, repeated=True)
    else:
        assert first == second
        assert (first.status, first.event) == (400, None)
        assert first.reason
