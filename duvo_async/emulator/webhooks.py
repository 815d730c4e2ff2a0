"""Webhooks on their way out: what is due when, what is sent, and what became of it."""

import hashlib
import heapq
import hmac
import itertools
import json
from collections.abc import Callable, Iterator, Mapping

from attrs import define, evolve, field, frozen

from duvo_async.emulator.ids import Ids
from duvo_async.emulator.webhook_faults import WebhookFaults

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
        ids: What the faults are drawn from.
        faults: Gives what goes wrong with the events that are posted now.
        deliveries: The attempts that were made and are to be kept, oldest first.
        lost: How many events were lost.
    """

    ids: Ids
    faults: Callable[[], WebhookFaults] = WebhookFaults
    lost: int = 0
    deliveries: list[Delivery] = field(factory=list[Delivery])
    _waiting: list[tuple[float, int, Webhook]] = field(factory=list[tuple[float, int, Webhook]])
    _count: Iterator[int] = field(factory=itertools.count)
    _posted: int = 0

    def post(self, url: str, body: Mapping[str, object], at: float) -> None:
        """Takes in an event for one receiver, and has it suffer the faults that there are.

        Args:
            url: Where to post it.
            body: What to post, as JSON.
            at: When it happened, in Unix seconds.
        """
        chance = self.ids.secret("webhook fault", self._posted)
        self._posted += 1
        delays = self.faults().delays(chance)
        self.lost += not delays
        for delay in delays:
            self.add(Webhook(url, body, at + delay))

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

    def record(self, webhook: Webhook, status: int | None, now: float, *, keep: bool) -> None:
        """Takes in how an attempt ended; no answer and a 5xx lead to another attempt.

        Args:
            webhook: The attempt.
            status: The status of the answer; None when there was no answer.
            now: When it ended, in Unix seconds.
            keep: Whether to keep it among the deliveries.
        """
        if keep:
            event = str(webhook.body["event"])
            self.deliveries.append(Delivery(webhook.url, event, webhook.body, status, now))
        if (status is None or status >= 500) and webhook.retries < len(RETRY_DELAYS):
            due = now + RETRY_DELAYS[webhook.retries]
            self.add(evolve(webhook, due=due, retries=webhook.retries + 1))


def sign(webhook: Webhook, now: float, secret: str) -> tuple[bytes, dict[str, str]]:
    """Gives the body of an attempt in bytes, and the headers that prove who made it and when.

    Args:
        webhook: The attempt.
        now: When it is made, in Unix seconds.
        secret: What only the API and the receiver know.
    """
    body, moment = json.dumps(webhook.body).encode(), str(int(now))
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return body, {
        "Content-Type": "application/json",
        "X-Duvo-Timestamp": moment,
        "X-Duvo-Signature": f"sha256={digest}",
    }
