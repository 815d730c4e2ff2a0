"""What an error shows to whom."""

import traceback
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parents[1]


def said_by(error: BaseException) -> str:
    """All that an error says, and what led to it."""
    texts: list[str] = []
    for each in _chain(error):
        texts += [str(each), repr(each), repr(vars(each)), *getattr(each, "__notes__", [])]
        texts += traceback.format_exception(each)
    return "\n".join(texts)


def told_by(error: BaseException, *, entrances: bool = True) -> str:
    """All that an error says, in whatever way it is looked at: the variables with it.

    Args:
        error: The error.
        entrances: Whether the variables of the functions count that a test has called itself,
            and has given what is in them.
    """
    seen = [text for each in _chain(error) for text in _variables(each, entrances=entrances)]
    return "\n".join([said_by(error), *seen])


def _chain(error: BaseException) -> Iterator[BaseException]:
    each: BaseException | None = error
    while each is not None:
        yield each
        each = each.__cause__ or each.__context__


def _variables(error: BaseException, *, entrances: bool) -> Iterator[str]:
    called_by_test = False
    for frame, _ in traceback.walk_tb(error.__traceback__):
        in_test = Path(frame.f_code.co_filename).is_relative_to(HERE)  # where all is known
        if not in_test and (entrances or not called_by_test):
            yield from (_shown(value) for value in frame.f_locals.values())
        called_by_test = in_test


def _shown(value: object) -> str:
    try:
        return repr(value)
    except AttributeError as error:  # it was never finished
        return str(error)
