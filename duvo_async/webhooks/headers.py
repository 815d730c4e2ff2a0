"""Headers as any framework has them. No I/O."""

from collections.abc import Iterable
from typing import Protocol


class Headers(Protocol):
    """Headers of a request: a dict, or what aiohttp, Starlette, Flask or Django have."""

    def items(self) -> Iterable[tuple[str, str]]:
        """Give each name with its value."""
        ...


def values_of(headers: Headers, name: str) -> tuple[str, ...]:
    """Find the values of a header, whatever the case of its name."""
    wanted = name.lower()
    return tuple(
        value
        for each, value in headers.items()
        if isinstance(each, str) and isinstance(value, str) and each.lower() == wanted
    )
