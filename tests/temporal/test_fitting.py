"""Answers held against requests."""

from datetime import UTC, datetime

import pytest

from duvo_async import HumanAnswer, HumanRequest, Question, QuestionOption
from duvo_async.models import HumanRequestType
from duvo_async.temporal.fitting import GivenAnswer, fitted

APPROVAL = HumanRequest(
    id="q1",
    title="Post?",
    description=None,
    created_at=datetime(2026, 7, 1, tzinfo=UTC),
    type=HumanRequestType.APPROVAL,
)
LABELS = ("A", "A,B", "B", "C")
QUESTIONS = HumanRequest(
    id="q2",
    title="Which?",
    description=None,
    created_at=datetime(2026, 7, 1, tzinfo=UTC),
    type=HumanRequestType.QUESTION,
    questions=(
        Question(
            question="Books?",
            options=tuple(QuestionOption(label=each) for each in LABELS),
            multi_select=True,
        ),
        Question(question="Why?"),
        Question(question="One?", options=(QuestionOption(label="A,B"),)),
    ),
)
REST = {"Why?": "so, because", "One?": "A,B"}


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        (True, APPROVAL.approve()),
        (False, APPROVAL.deny()),
        (APPROVAL.approve(), APPROVAL.approve()),
        (APPROVAL.deny(), APPROVAL.deny()),
    ],
)
def test_approvals_fit(given: GivenAnswer, answer: HumanAnswer) -> None:
    assert fitted(APPROVAL, given) == answer


@pytest.mark.parametrize("chosen", [["A"], ["A", "B"], ["C", "A"], ["A,B", "C"], ["B", "A", "C"]])
def test_answers_fit_as_they_are_and_as_they_were_joined(chosen: list[str]) -> None:
    answer = QUESTIONS.answer({"Books?": chosen, **REST})
    assert fitted(QUESTIONS, {"Books?": chosen, **REST}) == answer
    assert fitted(QUESTIONS, answer) == answer


@pytest.mark.parametrize(
    ("request_", "given", "reason"),
    [
        (APPROVAL, {"Post?": "yes"}, "asks for approval"),
        (APPROVAL, QUESTIONS.answer({"Books?": "A", **REST}), "for request q2, not q1"),
        (APPROVAL, HumanAnswer(request_id="q1", answers={"Post?": "yes"}), "asks for approval"),
        (QUESTIONS, True, "asks questions"),
        (QUESTIONS, HumanAnswer(request_id="q2", approved=True), "asks questions"),
        (QUESTIONS, HumanAnswer(request_id="q2"), "asks questions"),
        (QUESTIONS, {"Books?": "A"}, "also asks 'Why"),
        (QUESTIONS, {"Books?": "D", **REST}, "not an option"),
        (QUESTIONS, HumanAnswer(request_id="q2", answers={"Books?": "A,D", **REST}), "not an opt"),
        (QUESTIONS, HumanAnswer(request_id="q2", answers={"Books?": "", **REST}), "empty"),
        (QUESTIONS, HumanAnswer(request_id="q2", answers={**REST, "Else?": "A"}), "no question"),
    ],
)
def test_what_does_not_fit_is_refused(
    request_: HumanRequest, given: GivenAnswer, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        fitted(request_, given)
