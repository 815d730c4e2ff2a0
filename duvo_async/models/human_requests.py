"""Human requests: what a run asks a person, and the person's answer."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from attrs import field, frozen

from duvo_async.models._open_enum import OpenEnum


class HumanRequestType(OpenEnum):
    """Kinds of human requests."""

    APPROVAL = "approval"
    QUESTION = "question"


@frozen(kw_only=True)
class QuestionOption:
    """One of the answers that a question offers.

    Attributes:
        label: The answer itself.
        description: What choosing it means. None when the API does not say.
    """

    label: str
    description: str | None = None


@frozen(kw_only=True)
class Question:
    """A question to a person.

    Attributes:
        question: Its text, under which the answer is sent.
        header: A short title. None when it has none.
        options: The answers to choose from; empty when any text will do.
        multi_select: Whether several options may be chosen.
    """

    question: str
    header: str | None = None
    options: tuple[QuestionOption, ...] = ()
    multi_select: bool = False


@frozen(kw_only=True)
class HumanAnswer:
    """What a person said to one request: `approved` or `answers`, never both.

    Made by `HumanRequest.approve`, `HumanRequest.deny` and `HumanRequest.answer`.

    Attributes:
        request_id: The request that it answers.
        approved: True or False for an approval. None for questions.
        answers: The answer to each question's text; several chosen labels are joined with commas
            (API documentation, "Respond to Human Request"). None for an approval.
    """

    request_id: str
    approved: bool | None = None
    answers: Mapping[str, str] | None = None


@frozen(kw_only=True)
class HumanRequest:
    """What a run waits for a person to say.

    Attributes:
        id: The request's UUID.
        title: What it is about, in a line.
        description: More about it. None when there is no more.
        created_at: When the run asked.
        type: An approval (yes or no) or questions.
        questions: The questions; empty for an approval.
    """

    id: str
    title: str
    description: str | None
    created_at: datetime
    type: HumanRequestType
    questions: tuple[Question, ...] = field(default=())

    def approve(self) -> HumanAnswer:
        """Say yes.

        Returns:
            The answer, for `runs.answer` or an `on_human_request` handler to send.

        Raises:
            ValueError: The request asks questions.
        """
        return self._decide(approved=True)

    def deny(self) -> HumanAnswer:
        """Say no.

        Returns:
            The answer, for `runs.answer` or an `on_human_request` handler to send.

        Raises:
            ValueError: The request asks questions.
        """
        return self._decide(approved=False)

    def answer(self, answers: Mapping[str, str | Sequence[str]]) -> HumanAnswer:
        """Answer the questions.

        Args:
            answers: For the text of every question its answer: a text or the label of an option; a
                sequence of labels where several may be chosen.

        Returns:
            The answer, for `runs.answer` or an `on_human_request` handler to send.

        Raises:
            ValueError: The request is an approval, a question is missing or unknown, an answer is
                empty or not among the options, or several were chosen where one may be.
            TypeError: The answers are no mapping, or one is neither a text nor a sequence of texts.
        """
        if self.type == HumanRequestType.APPROVAL:
            raise ValueError(f"{self.title!r} asks for approval: use approve() or deny()")
        if not isinstance(answers, Mapping):
            raise TypeError("answers must map each question's text to its answer")
        by_text = {question.question: question for question in self.questions}
        if unknown := [text for text in answers if text not in by_text]:
            raise ValueError(f"{self.title!r} has no question {unknown[0]!r}: it has {[*by_text]}")
        if missing := [text for text in by_text if text not in answers]:
            raise ValueError(f"{self.title!r} also asks {missing[0]!r}: answer every question")
        chosen = {text: _choose(by_text[text], answer) for text, answer in answers.items()}
        return HumanAnswer(request_id=self.id, answers=chosen)

    def _decide(self, *, approved: bool) -> HumanAnswer:
        if self.type == HumanRequestType.QUESTION:
            raise ValueError(f"{self.title!r} asks questions: use answer({{question: answer}})")
        return HumanAnswer(request_id=self.id, approved=approved)


@frozen(kw_only=True)
class AnsweredHumanRequest:
    """A human request after it was answered.

    Attributes:
        id: The request's UUID.
        run_id: The run that asked.
        title: What it was about.
        description: More about it. None when there is no more.
        response: The answer as the API recorded it. None when it recorded none.
        responded_at: When it was answered. None when the API does not say.
        created_at: When the run asked.
    """

    id: str
    run_id: str
    title: str
    description: str | None
    response: str | None
    responded_at: datetime | None
    created_at: datetime


def joined(answer: str | Sequence[str]) -> str:
    """Put an answer into the form in which the API takes it.

    Args:
        answer: A text, or the labels that were chosen.

    Returns:
        The text; several labels are joined with commas.

    Raises:
        ValueError: The answer is empty.
        TypeError: It is neither a text nor a sequence of texts.
    """
    labels = [answer] if isinstance(answer, str) else answer
    # Annotations do not stop a caller: a number must not reach the API as its repr.
    if not isinstance(labels, Sequence) or not all(isinstance(label, str) for label in labels):
        raise TypeError(f"an answer is a text or a sequence of texts, not {answer!r}")
    if not labels or not all(label.strip() for label in labels):
        raise ValueError("an answer must not be empty")
    return ",".join(labels)


def _choose(question: Question, answer: str | Sequence[str]) -> str:
    text = joined(answer)
    labels = [answer] if isinstance(answer, str) else list(answer)
    if len(labels) > 1 and not question.multi_select:
        raise ValueError(f"{question.question!r} takes one answer, not {labels}")
    offered = [option.label for option in question.options]
    if offered and (unknown := [label for label in labels if label not in offered]):
        raise ValueError(
            f"{unknown[0]!r} is not an option of {question.question!r}: choose from {offered}"
        )
    if len(set(labels)) < len(labels):
        raise ValueError(f"{question.question!r}: an option was chosen twice in {labels}")
    return text
