"""Labels: what sorts the cases of a queue."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from attrs import frozen


@frozen(kw_only=True)
class Label:
    """A label of a queue, which any of its cases may have.

    Attributes:
        id: The label's UUID.
        value: What it says.
        key: What it says that of; empty for a label that is a value alone.
        color_hue: The hue in which it is shown, 0 to 360. None when the API does not say.
        case_count: How many cases have it. None when the API does not say, as in cases.
    """

    id: str
    value: str
    key: str = ""
    color_hue: int | None = None
    case_count: int | None = None


Labels: TypeAlias = Mapping[str, str | Sequence[str]] | Sequence[str | Label]
"""Labels to give or to look for: for each key its value or values; or values that have no key."""
