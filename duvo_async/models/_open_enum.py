"""A string enumeration that outlives the version of the API that it was written for."""

from enum import StrEnum
from typing import Any, Self


class OpenEnum(StrEnum):
    """A `StrEnum` that accepts values it does not know.

    An unknown value becomes a member-like object that compares and hashes as its string, so that a
    word which the API adds tomorrow neither fails to decode nor gets lost.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_ = value.upper()
        unknown._value_ = value
        return unknown

    @classmethod
    def read(cls, value: str) -> Self:
        """Do what calling the class does, in a third of the time for the words that it knows.

        Args:
            value: A word of the API's.

        Returns:
            The member, or one made of a word that this version has no name for.
        """
        known: Any = cls._value2member_map_.get(value)
        return cls(value) if known is None else known

    @property
    def is_known(self) -> bool:
        """Whether this version of the SDK has a name for the value."""
        return self._value_ in type(self)._value2member_map_
