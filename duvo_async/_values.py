"""Values of which each call makes some."""

from typing import TYPE_CHECKING

# To type checkers they are frozen. To make a frozen object takes three times as long, as each field
# goes past a `__setattr__` that refuses everybody else.
if TYPE_CHECKING:
    from attrs import frozen as value
else:
    from attrs import define as value

__all__ = ["value"]
