"""Webhooks on their way out: what is due when, and what became of it."""

import heapq
import itertools
from collections.abc import Iterator, Mapping

from attrs import define, evolve, field, frozen

RETRY_DELAYS = (1.0, 5.0, 30.0)
"""Seconds from a failed attempt to the next one; after the last there is no other."""


@frozen
class Webhook:
    """One attempt to deliver an event.

    Attributes:
        url: Where to post it.
        body: What to post, as JSON.
        due: When to post it, in Unix seconds.
        retries: How many attempts came before.
    """

    url: str
    body: Mapping[str, object]
    due: float
    retries: int = 0


@frozen
class Delivery:
    """An attempt that was made, for assertions.

    Attributes:
        url: Where the event was posted.
        event: The event's name.
        body: The JSON that was posted.
        status: The status of the answer; None when there was no answer.
        at: When the attempt ended, in Unix seconds of the emulator's clock.
    """

    url: str
    event: str
    body: Mapping[str, object]
    status: int | None
    at: float


@define
class Outbox:
    """The attempts to come and those that were made.

    Attributes:
        deliveries: The attempts that were made, oldest first.
    """

    deliveries: list[Delivery] = field(factory=list[Delivery])
    _waiting: list[tuple[float, int, Webhook]] = field(factory=list[tuple[float, int, Webhook]])
    _count: Iterator[int] = field(factory=itertools.count)

    def add(self, webhook: Webhook) -> None:
        """Takes in an attempt."""
        heapq.heappush(self._waiting, (webhook.due, next(self._count), webhook))

    def take(self, now: float) -> list[Webhook]:
        """Takes out what is due, oldest first."""
        due: list[Webhook] = []
        while self._waiting and self._waiting[0][0] <= now:
            due.append(heapq.heappop(self._waiting)[2])
        return due

    def next_due(self) -> float | None:
        """When the next attempt is due, in Unix seconds; None when there is none."""
        return self._waiting[0][0] if self._waiting else None

    def record(self, webhook: Webhook, status: int | None, now: float) -> None:
        """Notes how an attempt ended; no answer and a 5xx lead to another attempt."""
        event = str(webhook.body["event"])
        self.deliveries.append(Delivery(webhook.url, event, webhook.body, status, now))
        if (status is None or status >= 500) and webhook.retries < len(RETRY_DELAYS):
            due = now + RETRY_DELAYS[webhook.retries]
            self.add(evolve(webhook, due=due, retries=webhook.retries + 1))
