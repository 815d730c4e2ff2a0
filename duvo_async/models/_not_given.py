"""The difference between "leave it as it is" and null."""

from enum import Enum
from typing import Final, Literal, TypeAlias


class _NotGiven(Enum):
    """What was not said, where None would say null. It is false."""

    NOT_GIVEN = "NOT_GIVEN"

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "NOT_GIVEN"


NotGiven: TypeAlias = Literal[_NotGiven.NOT_GIVEN]
"""The type of `NOT_GIVEN`."""

NOT_GIVEN: Final = _NotGiven.NOT_GIVEN
"""Stands for what was not said, where None would say null. It is false."""
