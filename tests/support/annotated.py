"""A class of a user's whose annotations are texts."""

from __future__ import annotations

from attrs import frozen


@frozen
class Annotated:
    """A model with a default."""

    ok: bool
    number: int = 7
    kind: str = "none"
