"""A request as any framework has it: its headers, and its body as it came. No I/O."""

from collections.abc import Iterable
from typing import Protocol, TypeAlias

Body: TypeAlias = bytes | bytearray | memoryview | str
"""The body of a request."""


class Headers(Protocol):
    """Headers of a request: a dict, or what aiohttp, Starlette, Flask or Django have."""

    def items(self) -> Iterable[tuple[str, str]]:
        """Give each name with its value."""
        ...


def as_bytes(body: Body) -> bytes:
    """Give a body in bytes.

    Raises:
        TypeError: It is none.
    """
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")
    if not isinstance(body, (bytes, bytearray, memoryview)):
        raise TypeError(f"body must be bytes or text, not {type(body).__name__}")
    return bytes(body)


def values_of(headers: Headers, name: str) -> tuple[str, ...]:
    """Find the values of a header, whatever the case of its name."""
    wanted = name.lower()
    return tuple(
        value
        for each, value in headers.items()
        if isinstance(each, str) and isinstance(value, str) and each.lower() == wanted
    )
