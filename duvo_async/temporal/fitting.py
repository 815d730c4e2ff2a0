"""Answers that come as JSON, held against the request that they are for."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from duvo_async.models import HumanAnswer, HumanRequest

GivenAnswer: TypeAlias = HumanAnswer | bool | Mapping[str, str | Sequence[str]]
"""What `request.approve()` and its like give; or True or False for an approval, and a mapping of
each question's text to its answer for questions."""


def fitted(request: HumanRequest, given: GivenAnswer) -> HumanAnswer:
    """Insist that an answer fits a request.

    Args:
        request: The request.
        given: The answer.

    Returns:
        The answer as the API takes it.

    Raises:
        ValueError: It is for another request, or does not fit this one's type or questions.
        TypeError: It is no answer.
    """
    if isinstance(given, bool):
        return request.approve() if given else request.deny()
    if not isinstance(given, HumanAnswer):
        return request.answer(given)
    if given.request_id != request.id:
        raise ValueError(f"the answer is for request {given.request_id}, not {request.id}")
    if given.answers is None:
        return request.approve() if given.approved else request.deny()
    # Chosen labels were joined, and are checked one by one.
    offered = {
        each.question: [option.label for option in each.options]
        for each in request.questions
        if each.multi_select
    }
    return request.answer(
        {text: _chosen(said, offered.get(text, ())) for text, said in given.answers.items()}
    )


def _chosen(text: str, offered: Sequence[str]) -> str | list[str]:
    """Take joined labels apart. One may have a comma in it."""
    for label in offered:
        rest = text.removeprefix(f"{label},")
        if rest == text:
            continue
        others = _chosen(rest, [each for each in offered if each != label])
        if isinstance(others, list):
            return [label, *others]
    return [text] if text in offered else text
