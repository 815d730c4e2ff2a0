"""What becomes of a delivery: refused, repeated or taken. No I/O, no clock; callers pass `now`."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable
from math import inf

from attrs import define, field, frozen

from duvo_async.errors import WebhookPayloadError, WebhookVerificationError
from duvo_async.webhooks.events import (
    HumanRequestCreatedEvent,
    RunCompletedEvent,
    RunFailedEvent,
    RunInterruptedEvent,
    RunPausedEvent,
    UnknownEvent,
    WebhookEvent,
)
from duvo_async.webhooks.headers import Headers
from duvo_async.webhooks.parsing import parse

SAME_BODY = 600.0
"""Seconds within which the same body without an id is the same event, at the least."""
OK, BAD_REQUEST, UNAUTHORIZED, UNAVAILABLE = 200, 400, 401, 503


@frozen
class Receipt:
    """What became of a delivery.

    Attributes:
        status: The HTTP status to answer with: 200 for a delivery that was taken, 400 for what is
            no event, 401 for what is not signed as it should be, 503 while too much is waiting for
            the handlers.
        event: The event. None for a delivery that was refused.
        repeated: Whether it had been delivered before, so that no handler gets it again.
        reason: What the trouble was, in words. None for none.
    """

    status: int
    event: WebhookEvent | None = None
    repeated: bool = False
    reason: str | None = None

    @property
    def taken(self) -> bool:
        """Whether it is a delivery to believe."""
        return self.status == OK


@define
class Seen:
    """The events that were taken, as far back as there is room to remember.

    Attributes:
        most: How many are remembered.
    """

    most: int
    _until: OrderedDict[bytes, float] = field(factory=OrderedDict[bytes, float])

    def __len__(self) -> int:
        """Count them."""
        return len(self._until)

    def has(self, key: bytes, now: float) -> bool:
        """Tell whether an event was taken before."""
        return now < self._until.get(key, -inf)

    def add(self, key: bytes, until: float) -> None:
        """Remember an event, and forget the one that was taken first if there is no room."""
        self._until[key] = until
        self._until.move_to_end(key)
        if len(self._until) > self.most:
            self._until.popitem(last=False)


@define
class Intake:
    """Looks at deliveries.

    Attributes:
        verify: Raises for what is not signed as it should be. None believes everything.
        seen: The events that were taken.
        same_body: Seconds within which the same body without an id is the same event.
    """

    verify: Callable[[bytes, Headers], None] | None
    seen: Seen
    same_body: float = SAME_BODY

    def look(self, body: bytes, headers: Headers, now: float) -> Receipt:
        """Look at a delivery, and remember nothing of it.

        Args:
            body: The body as it came.
            headers: The headers.
            now: Seconds, on a clock that only runs forward.
        """
        try:
            if self.verify is not None:
                self.verify(body, headers)
            event = parse(body, headers)
        except WebhookVerificationError as error:
            return Receipt(UNAUTHORIZED, reason=f"{error.check}: {error}")
        except WebhookPayloadError as error:
            return Receipt(BAD_REQUEST, reason=str(error))
        return Receipt(OK, event, repeated=self.has(event, body, now))

    def has(self, event: WebhookEvent, body: bytes, now: float) -> bool:
        """Tell whether an event was taken before."""
        return self.seen.has(_key(event, body), now)

    def remember(self, event: WebhookEvent, body: bytes, now: float) -> None:
        """Take an event: whatever comes of it later is a repetition."""
        # A run may well say the same thing again some day, in the same words.
        until = now + self.same_body if _own_id(event) is None else inf
        self.seen.add(_key(event, body), until)


def hint_of(event: WebhookEvent) -> tuple[str, bool] | None:
    """Find the run that an event makes worth looking at, and whether it may wait for a person."""
    match event:
        case HumanRequestCreatedEvent() | RunPausedEvent():
            return event.run_id, True
        case RunCompletedEvent() | RunFailedEvent() | RunInterruptedEvent():
            return event.run_id, False
        case UnknownEvent(run_id=str(run_id)):
            return run_id, False  # it may be of an end that has no class yet
        case _:
            return None


def _own_id(event: WebhookEvent) -> str | None:
    """Find an event's id in what is signed: whoever repeats a delivery can change its headers."""
    own = event.body.get("id")
    return own if isinstance(own, str) and own else None


def _key(event: WebhookEvent, body: bytes) -> bytes:
    own = _own_id(event)
    # No document says of what the id is: with these beside it, it is that of the event.
    whole = json.dumps(
        [event.name, own, event.body.get("created_at"), getattr(event, "run_id", "")]
    )
    what = b"b" + body if own is None else b"i" + whole.encode()
    return hashlib.blake2b(what, digest_size=16).digest()
