"""The type of a JSON value, for the fields whose shape is the user's own."""

from typing import TypeAlias

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | float | bool | None"
"""Any value that JSON can hold."""
