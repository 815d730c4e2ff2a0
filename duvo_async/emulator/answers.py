"""Checks of a person's answers against what was asked."""

import json
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from duvo_async.emulator.exchange import ApiError
from duvo_async.emulator.script import AskApproval, AskQuestions, Question


@frozen
class Answer:
    """A person's answer.

    Attributes:
        value: What the script gets: a boolean, or a dict of question to answer.
        text: What the API shows.
    """

    value: object
    text: str


def read_answer(ask: AskApproval | AskQuestions, body: Mapping[str, Any]) -> Answer:
    """Reads the answer out of a body that has one of either kind.

    Raises:
        ApiError: 400 when it does not answer what was asked.
    """
    if isinstance(ask, AskApproval):
        if "approved" not in body:
            raise ApiError(400, "body.approved is required: an approval is asked for")
        return Answer(body["approved"], "approved" if body["approved"] else "denied")
    if "answers" not in body:
        raise ApiError(400, "body.answers is required: questions are asked")
    answers: dict[str, str] = body["answers"]
    _check_answers(ask.questions, answers)
    return Answer(answers, json.dumps(answers, ensure_ascii=False))


def _check_answers(questions: tuple[Question, ...], answers: Mapping[str, str]) -> None:
    known = {question.question for question in questions}
    for text in answers:
        if text not in known:
            raise ApiError(400, f"body.answers has an unknown question: {text}")
    for question in questions:
        answer = answers.get(question.question)
        if not answer:
            raise ApiError(400, f"body.answers needs an answer to: {question.question}")
        if question.options and not _is_choice(question, answer):
            raise ApiError(400, f"body.answers has no valid choice for: {question.question}")


def _is_choice(question: Question, answer: str) -> bool:
    labels = {option.label for option in question.options}
    return _is_list_of(labels, answer) if question.multi_select else answer in labels


def _is_list_of(labels: set[str], answer: str) -> bool:
    """Whether an answer is different labels, joined with commas; labels may have commas too."""
    answer = answer.strip()
    return answer in labels or any(
        rest.lstrip().startswith(",") and _is_list_of(labels - {label}, rest.lstrip()[1:])
        for label in labels
        if answer.startswith(label) and (rest := answer.removeprefix(label))
    )
