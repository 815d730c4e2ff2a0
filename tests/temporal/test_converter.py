"""The SDK's models as payloads: what was written once can be read for good."""

import json
from typing import Any

import pytest
from temporalio.converter import DataConverter

from duvo_async import (
    AnsweredHumanRequest,
    HumanAnswer,
    Run,
    StopResult,
)
from duvo_async.temporal import (
    AnswerRequest,
    DurableRun,
    StartRun,
    StopRun,
    UploadFiles,
    WaitForRun,
    data_converter,
)
from duvo_async.temporal.fitting import GivenAnswer
from tests.support.durable import NOON, RUN

CONVERTER = data_converter.payload_converter
# What this version writes. Never change a line: add one when a field is added.
GOLDEN: list[tuple[object, str]] = [
    (
        RUN,
        (
            '{"agent_id":"a1","build_id":"b1","completed_at":null,'
            '"created_at":"2026-07-01T12:00:00+00:00","human_in_the_loop_enabled":true,"id":"r1",'
            '"pending_human_request":{"created_at":"2026-07-01T12:00:00+00:00","description":null,'
            '"id":"q1","questions":[{"header":null,"multi_select":false,"options":[{"description":null,'
            '"label":"A"}],"question":"Book?"},{"header":null,"multi_select":true,"options":[],'
            '"question":"Why?"}],"title":"Which?","type":"question"},"sandbox_id":null,"source":"api",'
            '"started_at":"2026-07-01T12:00:00+00:00","status":"waiting",'
            '"updated_at":"2026-07-01T12:00:00+00:00"}'
        ),
    ),
    (
        DurableRun(agent_id="a1", message="m", files=("x.csv",), timeout=3.0),
        (
            '{"agent_id":"a1","files":["x.csv"],"heartbeat_timeout":60.0,"idempotency_key":null,'
            '"message":"m","on_cancel":"stop","sandbox_id":null,"timeout":3.0,"webhook_url":null}'
        ),
    ),
    (
        StartRun(agent_id="a1", idempotency_key="k"),
        (
            '{"agent_id":"a1","idempotency_key":"k","message":null,"sandbox_id":null,'
            '"webhook_url":null}'
        ),
    ),
    (
        UploadFiles(files=("x.csv", "y"), idempotency_key="k"),
        '{"files":["x.csv","y"],"idempotency_key":"k","sandbox_id":null}',
    ),
    (WaitForRun(run_id="r1", asked="q1"), '{"answered":null,"asked":"q1","run_id":"r1"}'),
    (
        AnswerRequest(
            run_id="r1",
            answer=HumanAnswer(request_id="q1", answers={"Book?": "A"}),
            idempotency_key="k",
        ),
        (
            '{"answer":{"answers":{"Book?":"A"},"approved":null,"request_id":"q1"},'
            '"idempotency_key":"k","run_id":"r1"}'
        ),
    ),
    (StopRun(run_id="r1", idempotency_key="k"), '{"idempotency_key":"k","run_id":"r1"}'),
    (StopResult(success=True), '{"message":null,"success":true}'),
    (
        AnsweredHumanRequest(
            id="q1",
            run_id="r1",
            title="Which?",
            description=None,
            response="A",
            responded_at=NOON,
            created_at=NOON,
        ),
        (
            '{"created_at":"2026-07-01T12:00:00+00:00","description":null,"id":"q1",'
            '"responded_at":"2026-07-01T12:00:00+00:00","response":"A","run_id":"r1",'
            '"title":"Which?"}'
        ),
    ),
]


def read(text: str, kind: Any) -> Any:  # noqa: ANN401 - any type
    (payload,) = CONVERTER.to_payloads([None])
    payload.metadata["encoding"] = b"json/plain"
    payload.data = text.encode()
    return CONVERTER.from_payloads([payload], [kind])[0]


@pytest.mark.parametrize(("model", "text"), GOLDEN, ids=[type(each).__name__ for each, _ in GOLDEN])
def test_models_are_json_that_stays(model: object, text: str) -> None:
    (payload,) = CONVERTER.to_payloads([model])
    assert payload.metadata["encoding"] == b"json/plain"
    assert payload.data.decode() == text
    assert read(text, type(model)) == model


@pytest.mark.parametrize(("model", "text"), GOLDEN, ids=[type(each).__name__ for each, _ in GOLDEN])
def test_what_a_later_version_added_is_left_out(model: object, text: str) -> None:
    later = json.loads(text) | {"of_a_later_version": [1]}
    assert read(json.dumps(later), type(model)) == model


def test_what_has_a_default_may_be_missing() -> None:
    assert read('{"agent_id":"a1"}', DurableRun) == DurableRun(agent_id="a1")
    assert read('{"run_id":"r1"}', WaitForRun) == WaitForRun(run_id="r1")


def test_a_word_that_is_not_known_yet_is_accepted() -> None:
    document = json.loads(GOLDEN[0][1]) | {"status": "pondering"}
    assert read(json.dumps(document), Run).status == "pondering"


@pytest.mark.parametrize("value", [[RUN], {"run": RUN}, None, "text", 7, [1, "a"], b"bytes"])
def test_what_is_around_models_is_as_ever(value: object) -> None:
    kinds: dict[type, Any] = {list: list[Run], dict: dict[str, Run], type(None): Run | None}
    kind = kinds.get(type(value)) if "r1" in repr(value) or value is None else None
    payloads = CONVERTER.to_payloads([value])
    assert CONVERTER.from_payloads(payloads, None if kind is None else [kind]) == [value]


def test_all_else_is_written_as_without_it() -> None:
    values = [{"b": 1, "a": [NOON]}, b"bytes", None, 1.5]
    theirs = DataConverter.default.payload_converter.to_payloads(values)
    assert CONVERTER.to_payloads(values) == theirs


def test_what_is_no_model_says_why_and_not_what_it_was() -> None:
    with pytest.raises(
        TypeError, match=r"no StopRun: required field missing @ \$\.run_id"
    ) as failed:
        read('{"idempotency_key":"secret"}', StopRun)
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("true", True),
        ('{"Book?":"A"}', {"Book?": "A"}),
        ('{"Book?":["A","B"]}', {"Book?": ["A", "B"]}),
        (
            '{"request_id":"q1","approved":true,"answers":null}',
            HumanAnswer(request_id="q1", approved=True),
        ),
    ],
)
def test_an_answer_is_read_as_what_it_is(text: str, answer: object) -> None:
    found = read(text, GivenAnswer)
    assert found == answer
    assert type(found) is type(answer)


def test_a_run_that_cannot_be_is_refused_where_it_is_made() -> None:
    wrong: Any = "perhaps"
    with pytest.raises(ValueError, match="on_cancel"):
        DurableRun(agent_id="a1", on_cancel=wrong)
    with pytest.raises(TypeError, match="put it in a list"):
        DurableRun(agent_id="a1", files="x.csv")
    with pytest.raises(ValueError, match="timeout"):
        DurableRun(agent_id="a1", timeout=0)
    with pytest.raises(ValueError, match="heartbeat_timeout"):
        DurableRun(agent_id="a1", heartbeat_timeout=-1)
