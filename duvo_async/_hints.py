"""How a client hears of runs without looking itself. No I/O."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeAlias

from attrs import frozen

from duvo_async.models.runs import FollowedRun

Hint: TypeAlias = Callable[[str, bool], None]
"""Is told the id of a run, and whether it may be waiting for a person rather than have ended."""


class HintSource(Protocol):
    """Tells which runs are worth looking at, as a `duvo_async.webhooks.WebhookReceiver` does."""

    def subscribe(self, hint: Hint, /) -> Callable[[], None]:
        """Have somebody told, in any thread.

        Args:
            hint: Is told.

        Returns:
            Ends it.
        """
        ...


@frozen
class SeenPage:
    """A page of the list of runs, as somebody read it.

    Attributes:
        since: The moment from which on the list was read.
        offset: The rows that were left out.
        rows: Its rows.
        origin: Who read it.
    """

    since: datetime
    offset: int
    rows: tuple[FollowedRun, ...]
    origin: str = ""


Heard: TypeAlias = Callable[[SeenPage], None]
"""Is told what another process read."""


class Peers(Protocol):
    """The other processes that use the same key."""

    def tell(self, page: SeenPage, /) -> None:
        """Tell them what was read."""
        ...

    def listen(self, heard: Heard, /) -> None:
        """Have somebody told what they read, in the running loop, until this is closed."""
        ...

    async def close(self) -> None:
        """Hear and tell no more."""
        ...
