"""Who hears what happens: the subscribers of the workspace, and the receivers of single runs."""

from collections.abc import Iterable, Mapping

from attrs import define, field, frozen

from duvo_async.emulator.exchange import timestamp
from duvo_async.emulator.ids import Ids
from duvo_async.emulator.webhooks import Outbox

_BY_TIME = (
    "run.started",
    "run.paused",
    "run.completed",
    "run.failed",
    "run.message.created",
    "run.tool_call.completed",
    "human_request.created",
    "queue.case.claimed",
    "queue.case.completed",
)
"""The events that come about by themselves as time goes on."""

EVENTS = (
    *_BY_TIME,
    "human_request.responded",
    "queue.case.created",
    "assignment.build.published",
)
"""All events that can be subscribed to."""


@frozen
class Subscription:
    """A receiver of events.

    Attributes:
        url: Where they are posted.
        events: The names of those that it wants.
    """

    url: str
    events: frozenset[str]


@define
class Herald:
    """Tells what happens in a workspace to whoever listens.

    Attributes:
        ids: Where the ids of events and subscriptions come from.
        team_id: The team whose workspace it is.
        outbox: Where the events go.
        subscriptions: The receivers of the whole workspace's events, by id.
    """

    ids: Ids
    team_id: str
    outbox: Outbox
    subscriptions: dict[str, Subscription] = field(factory=dict[str, Subscription])
    _subscribed: int = 0
    _told: int = 0

    def subscribe(self, url: str, events: Iterable[str] | None) -> str:
        """Has events be posted from now on, all of them for None, and gives an id for that.

        Raises:
            ValueError: There is no such event.
        """
        wanted = frozenset(EVENTS if events is None else events)
        for event in wanted.difference(EVENTS):
            raise ValueError(f"{event!r} is none of the events: {', '.join(EVENTS)}")
        subscription_id = self.ids.uuid("webhook subscription", self._subscribed)
        self._subscribed += 1
        self.subscriptions[subscription_id] = Subscription(url, wanted)
        return subscription_id

    def unsubscribe(self, subscription_id: str) -> None:
        """Has no further events be posted.

        Raises:
            KeyError: There is no such subscription.
        """
        del self.subscriptions[subscription_id]

    def waits(self) -> bool:
        """Whether some subscriber wants events that come about by themselves as time goes on."""
        return any(not each.events.isdisjoint(_BY_TIME) for each in self.subscriptions.values())

    def tell(self, event: str, at: float, **fields: str | None) -> None:
        """Posts an event to the subscribers that want it.

        Args:
            event: Its name.
            at: When it happened, in Unix seconds.
            **fields: What there is to know of it.
        """
        if not self.subscriptions:
            return
        self._told += 1  # unwanted ones, too: who wants what is not to change an event's id
        urls = [each.url for each in self.subscriptions.values() if event in each.events]
        if not urls:
            return
        head = {
            "id": f"evt_{self.ids.token('webhook event', self._told)}",
            "event": event,
            "created_at": timestamp(at),
            "team_id": self.team_id,
        }
        for url in urls:
            self.outbox.post(url, {**head, **fields}, at)

    def tell_receiver(self, url: str | None, body: Mapping[str, object], at: float) -> None:
        """Posts an event of a run to the run's own receiver; None for none."""
        if url is not None:
            self.outbox.post(url, body, at)
