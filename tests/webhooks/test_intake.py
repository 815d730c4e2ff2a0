"""What becomes of a delivery, and what is remembered of it."""

import json
from typing import Any

import pytest

from duvo_async.webhooks import (
    BuildPublishedEvent,
    CaseClaimedEvent,
    CaseCompletedEvent,
    CaseCreatedEvent,
    ConnectionActionRequiredEvent,
    ConnectionUpdatedEvent,
    HumanRequestCreatedEvent,
    HumanRequestRespondedEvent,
    Receipt,
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
    verify,
)
from duvo_async.webhooks.headers import Headers
from duvo_async.webhooks.intake import Intake, Seen, hint_of
from duvo_async.webhooks.signature import sign
from tests.webhooks.posting import SECRET, written

NOTHING: dict[str, str] = {}


def make_intake(most: int = 100) -> Intake:
    return Intake(None, Seen(most))


def take(intake: Intake, body: bytes, now: float = 0.0, headers: Headers = NOTHING) -> bool:
    """Take a delivery, and tell whether it is a new one."""
    receipt = intake.look(body, headers, now)
    assert receipt.status == 200
    assert receipt.taken
    assert receipt.event is not None
    if not receipt.repeated:
        intake.remember(receipt.event, body, now)
    return not receipt.repeated


def test_looking_remembers_nothing() -> None:
    intake = make_intake()
    receipts = [intake.look(written(), NOTHING, 0.0) for _ in range(2)]
    assert [each.repeated for each in receipts] == [False, False]
    assert len(intake.seen) == 0


def test_an_id_makes_a_repetition_whatever_the_rest_says_and_however_late() -> None:
    intake = make_intake()
    assert take(intake, written(id="e-1"))
    assert not take(intake, written(id="e-1"))
    assert not take(intake, written(id="e-1", more=1), now=1e12)
    assert take(intake, written(id="e-2"))


def test_an_id_that_is_of_a_thing_hides_no_other_event_of_it() -> None:
    intake = make_intake()
    for name in ("queue.case.created", "queue.case.claimed", "queue.case.completed"):
        assert take(intake, written(name, id="c-1"))
    assert take(intake, written("queue.case.claimed", id="c-1", created_at="2026-07-01T12:00:00Z"))
    assert take(intake, written("run.paused", id="w-1", run_id="r-1"))
    assert take(intake, written("run.paused", id="w-1", run_id="r-2"))
    assert not take(intake, written("run.paused", id="w-1", run_id="r-2"))


def test_an_empty_id_is_none() -> None:
    intake = make_intake()
    assert take(intake, written(id="", more=1))
    assert take(intake, written(id="", more=2))
    assert not take(intake, written(id="", more=2))


def test_a_body_without_an_id_is_the_same_event_for_ten_minutes() -> None:
    intake = make_intake()
    assert take(intake, written(), now=1000.0)
    assert not take(intake, written(), now=1000.0)
    assert not take(intake, written(), now=1599.999)  # which makes it no younger
    assert take(intake, written(), now=1600.0)
    assert not take(intake, written(), now=2199.0)
    assert len(intake.seen) == 1


def test_another_body_without_an_id_is_another_event() -> None:
    intake = make_intake()
    assert take(intake, written())
    assert take(intake, written() + b" ")
    assert take(intake, written(status="x"))


@pytest.mark.parametrize("own", [7, None, ["e-1"], {"id": "e-1"}])
def test_an_id_that_is_no_text_is_none(own: object) -> None:
    intake = make_intake()
    assert take(intake, written(id=own))
    assert not take(intake, written(id=own), now=599.0)
    assert take(intake, written(id=own, more=1))
    assert take(intake, written(id=own), now=600.0)


def test_an_id_is_never_taken_for_a_body() -> None:
    intake = make_intake()
    body = written()
    assert take(intake, body)
    assert take(intake, json.dumps({"event": "a", "id": body.decode()}).encode())


def test_an_id_in_data_makes_no_repetition() -> None:
    intake = make_intake()
    assert take(intake, written("run_started", data={"id": "r"}))
    assert take(intake, written("run_completed", data={"id": "r"}))


def test_a_lone_surrogate_may_be_an_id() -> None:
    intake = make_intake()
    assert take(intake, b'{"event": "a", "id": "\\ud800"}')
    assert not take(intake, b'{"event": "a", "id": "\\ud800", "more": 1}')


def test_a_header_never_makes_a_signed_body_new() -> None:
    intake = Intake(lambda body, headers: verify(body, headers, SECRET), Seen(100))
    for body in (written(), written(id="e-1")):
        headers = sign(body, SECRET)
        assert take(intake, body, headers={**headers, "Webhook-Id": "1"})
        assert not take(intake, body, headers={**headers, "Webhook-Id": "2"})
        assert not take(intake, body, headers=headers)


def test_only_so_many_are_remembered_and_the_oldest_goes_first() -> None:
    intake = make_intake(most=3)
    for number in range(4):
        assert take(intake, written(id=f"e-{number}"))
        assert len(intake.seen) == min(number + 1, 3)
    assert [take(intake, written(id=f"e-{number}")) for number in (1, 2, 3)] == [False] * 3
    assert take(intake, written(id="e-0"))
    assert take(intake, written(id="e-1"))  # which e-0 put out
    assert len(intake.seen) == 3


def test_what_is_taken_again_is_young_again() -> None:
    intake = make_intake(most=2)
    one, two, three = (written(number=number) for number in (1, 2, 3))
    assert take(intake, one)
    assert take(intake, two, now=1.0)
    assert take(intake, one, now=600.0)
    assert take(intake, three, now=600.0)
    assert not take(intake, one, now=600.0)
    assert take(intake, two, now=600.5)


def test_one_is_the_least_that_is_remembered() -> None:
    intake = make_intake(most=1)
    assert [take(intake, written(id=each)) for each in "aabba"] == [True, False, True, False, True]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[]", "the body is no event: no JSON object @ $"),
        (b"{}", "the body is no event: no name of an event @ $.event"),
        (b'{"type": "run.failed"}', "the body is no event: required field missing @ $.run_id"),
    ],
)
def test_what_is_no_event_is_a_bad_request(body: bytes, reason: str) -> None:
    intake = make_intake()
    receipt = intake.look(body, NOTHING, 0.0)
    assert receipt == Receipt(400, reason=reason)
    assert not receipt.taken


def test_what_is_not_signed_is_unauthorized_and_not_remembered() -> None:
    intake = Intake(lambda body, headers: verify(body, headers, SECRET), Seen(100))
    forged = intake.look(written(), NOTHING, 0.0)
    assert forged == Receipt(
        401,
        reason="signature_missing: the delivery is not signed: it has no header X-Duvo-Signature",
    )
    assert not forged.taken
    assert len(intake.seen) == 0
    assert take(intake, written(), headers=sign(written(), SECRET))


def test_a_signature_is_looked_at_before_the_body() -> None:
    intake = Intake(lambda body, headers: verify(body, headers, SECRET), Seen(100))
    assert intake.look(b"[]", NOTHING, 0.0).status == 401
    assert intake.look(b"[]", sign(b"[]", SECRET), 0.0).status == 400


OF_A_RUN: dict[str, Any] = {"name": "a", "run_id": "r"}


@pytest.mark.parametrize(
    ("event", "hint"),
    [
        (HumanRequestCreatedEvent(**OF_A_RUN), ("r", True)),
        (RunPausedEvent(**OF_A_RUN), ("r", True)),
        (RunCompletedEvent(**OF_A_RUN), ("r", False)),
        (RunFailedEvent(**OF_A_RUN), ("r", False)),
        (RunInterruptedEvent(**OF_A_RUN), ("r", False)),
        (UnknownEvent(**OF_A_RUN), ("r", False)),
        (UnknownEvent(name="a"), None),
        (RunStartedEvent(**OF_A_RUN), None),
        (RunMessageCreatedEvent(**OF_A_RUN), None),
        (RunToolCallCompletedEvent(**OF_A_RUN), None),
        (RunFileCreatedEvent(**OF_A_RUN), None),
        (HumanRequestRespondedEvent(**OF_A_RUN), None),
        (CaseCreatedEvent(name="a"), None),
        (CaseClaimedEvent(name="a"), None),
        (CaseCompletedEvent(name="a"), None),
        (ConnectionUpdatedEvent(name="a"), None),
        (ConnectionActionRequiredEvent(name="a"), None),
        (BuildPublishedEvent(name="a"), None),
    ],
)
def test_a_hint_is_for_what_ends_a_wait(event: WebhookEvent, hint: tuple[str, bool] | None) -> None:
    assert hint_of(event) == hint
