"""How a client hears that it is worth looking at a run. No I/O."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

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
