"""What the emulated API has, and what a test does to it without a request."""

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from threading import RLock

from attrs import define, field

from duvo_async.emulator.agents import Agents
from duvo_async.emulator.build_config import PLAIN_CONFIG
from duvo_async.emulator.case_desk import CaseDesk, make_desk
from duvo_async.emulator.cases import CaseEntry
from duvo_async.emulator.contents import ContentStore
from duvo_async.emulator.demo import demo_agent
from duvo_async.emulator.engine import Engine, Start
from duvo_async.emulator.exchange import RequestRecord
from duvo_async.emulator.herald import Herald
from duvo_async.emulator.ids import Ids
from duvo_async.emulator.sandboxes import Sandboxes
from duvo_async.emulator.script import Script, player
from duvo_async.emulator.storage import Storage
from duvo_async.emulator.team_files import TeamFiles
from duvo_async.emulator.teams import FOUNDED, Teams
from duvo_async.emulator.webhook_faults import WebhookFaults
from duvo_async.emulator.webhooks import Delivery, Outbox


def _text(given: str | None) -> str:
    return given or ""  # a random one follows as soon as the seed is known


def _nobody() -> None:
    """Is told when there is nobody to tell."""


@define(kw_only=True, eq=False)
class Stage:
    """The emulated API as a test sees it. All its methods may be called from any thread.

    Attributes:
        clock: Gives the time in Unix seconds. Nothing in the emulator knows another time.
        api_key: The key that callers must send; None for a random one.
        requests_per_minute: How many requests are answered in a window of 60 seconds; None for
            any number, and no headers about it.
        sandbox_ttl: Seconds until a sandbox expires.
        upload_url_ttl: Seconds until an upload URL expires.
        download_url_ttl: Seconds until a download URL expires.
        max_direct_bytes: The largest file, in bytes, that a direct upload takes.
        lists_runs: Whether runs can be listed; without it there is no such operation. It may be
            set at any time.
        accepts_202: Whether the start of a run is answered with 202 instead of 201.
        keeps_requests: Whether `requests` is kept, at about a kilobyte for each. It may be set at
            any time.
        keeps_deliveries: Whether `deliveries` is kept. It may be set at any time.
        webhook_secret: What webhooks are signed with; None for a random one. See
            `rotate_webhook_secret`.
        webhook_faults: How badly webhooks are delivered. It may be set at any time.
        seed: All ids are drawn from it, the random keys and secrets and the signatures of URLs
            included: the same requests at the same times are answered with the same bytes. None
            draws them at random.
    """

    clock: Callable[[], float] = time.time
    api_key: str = field(default=None, converter=_text, repr=False)
    requests_per_minute: int | None = 300
    sandbox_ttl: float = 3600.0
    upload_url_ttl: float = 900.0
    download_url_ttl: float = 900.0
    max_direct_bytes: int = 10_000_000
    lists_runs: bool = True
    accepts_202: bool = False
    keeps_requests: bool = True
    keeps_deliveries: bool = True
    webhook_secret: str = field(default=None, converter=_text, repr=False)
    webhook_faults: WebhookFaults = field(factory=WebhookFaults)
    seed: int | None = None
    _ahead: float = field(default=0.0, init=False, repr=False)
    _lock: AbstractContextManager[bool] = field(factory=RLock, init=False, repr=False)
    _store: ContentStore = field(factory=ContentStore, init=False, repr=False)
    _outbox: Outbox = field(init=False, repr=False)
    _herald: Herald = field(init=False, repr=False)
    _rouse: Callable[[], object] = field(default=_nobody, init=False, repr=False)
    _secrets: int = field(default=0, init=False, repr=False)
    _engine: Engine = field(init=False, repr=False)
    _sandboxes: Sandboxes = field(init=False, repr=False)
    _desk: CaseDesk = field(init=False, repr=False)
    _storage: Storage = field(init=False, repr=False)
    _teams: Teams = field(init=False, repr=False)
    _agents: Agents = field(init=False, repr=False)
    _requests: list[RequestRecord] = field(factory=list[RequestRecord], init=False, repr=False)
    _ids: Ids = field(init=False, repr=False)
    _demo_agent_id: str = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Puts the parts together."""
        self._ids = Ids(self.seed)
        self.api_key = self.api_key or self._ids.api_key()
        self.webhook_secret = self.webhook_secret or self._make_webhook_secret()
        self._sandboxes = Sandboxes(self._store, self.sandbox_ttl, self._ids)
        self._storage = Storage(
            self._sandboxes,
            TeamFiles(self._store, self._ids),
            self.upload_url_ttl,
            self.download_url_ttl,
            self._ids.secret("storage"),
        )
        self._teams = Teams(self._ids)
        self._outbox = Outbox(self._ids, lambda: self.webhook_faults)
        self._herald = Herald(self._ids, self._teams.own.id, self._outbox)
        self._agents = Agents(self._ids, self._teams, self._herald)
        self._engine = Engine(self._herald, self._ids, self._agents)
        self._desk = make_desk(self._engine, self._teams)
        self._demo_agent_id = self.add_agent(demo_agent)

    @property
    def demo_agent_id(self) -> str:
        """The id of the built-in agent, which reports on the files of its sandbox."""
        return self._demo_agent_id

    @property
    def team_id(self) -> str:
        """The id of the team that the API key belongs to."""
        return self._teams.own.id

    @property
    def user_id(self) -> str:
        """The id of the person whom the API key stands for."""
        return self._teams.user.id

    @property
    def requests(self) -> tuple[RequestRecord, ...]:
        """The requests that were answered, oldest first."""
        with self._lock:
            return tuple(self._requests)

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """The attempts to deliver webhooks that were made, oldest first."""
        with self._lock:
            return tuple(self._outbox.deliveries)

    @property
    def events_lost(self) -> int:
        """How many events `webhook_faults` kept from being posted, each receiver counted."""
        with self._lock:
            return self._outbox.lost

    def add_agent(self, script: Script, name: str | None = None) -> str:
        """Adds an agent with a live build and gives its id.

        Args:
            script: What it does in each run: steps, or a function that gets the `StartedRun` and
                yields steps, each `yield` giving the step's result.
            name: What the API calls it; None for its number.

        Raises:
            TypeError: One of the steps is no step.
        """
        with self._lock:
            agent = self._agents.add(player(script), FOUNDED, name)
            self._agents.equip(agent, "Build 1", PLAIN_CONFIG)
            return agent.id

    def add_team(self, name: str) -> str:
        """Adds a team, with nothing in it, that the API key can act on too, and gives its id."""
        with self._lock:
            return self._teams.add(name).id

    def add_member(self, name: str, email: str) -> str:
        """Adds a person to the API key's own team, and gives the person's id."""
        with self._lock:
            return self._teams.add_member(name, email).id

    def start_run(self, agent_id: str, message: str | None = None) -> str:
        """Starts a run as a schedule does, with no request made, and gives its id.

        Raises:
            KeyError: There is no such agent.
        """
        with self._lock:
            start = Start(agent_id, message, source="schedule")
            run = self._engine.start(start, self._advance())
            if run is None:
                raise KeyError(agent_id)
            self._rouse()
            return run.id

    def delete_run(self, run_id: str) -> None:
        """Makes the API forget a run: from now on it shows null in its place.

        Raises:
            KeyError: There is no such run.
        """
        with self._lock:
            self._engine.delete(run_id)
            self._desk.lose(run_id, self._now())
            self._rouse()

    def subscribe(self, url: str, events: Iterable[str] | None = None) -> str:
        """Has events of the whole workspace be posted from now on, and gives an id for that.

        Args:
            url: Where they are posted.
            events: The names of the events, such as `run.completed`; None for all.

        Raises:
            ValueError: There is no such event.
        """
        with self._lock:
            subscription_id = self._herald.subscribe(url, events)
            self._rouse()
            return subscription_id

    def unsubscribe(self, subscription_id: str) -> None:
        """Ends what `subscribe` began. Events from before that are on their way still come.

        Raises:
            KeyError: There is no such subscription.
        """
        with self._lock:
            self._herald.unsubscribe(subscription_id)

    def rotate_webhook_secret(self) -> str:
        """Has all posts from now on be signed with a new secret, and gives it."""
        with self._lock:
            self.webhook_secret = self._make_webhook_secret()
            return self.webhook_secret

    def attend(self, rouse: Callable[[], object] | None) -> None:
        """Has someone be told when webhooks may come though no request was made; None for nobody.

        Args:
            rouse: Is called in any thread, and must come back at once.
        """
        with self._lock:
            self._rouse = _nobody if rouse is None else rouse

    def cases(self, queue_id: str) -> tuple[CaseEntry, ...]:
        """The cases of a queue, oldest first.

        Raises:
            KeyError: There is no such queue.
        """
        with self._lock:
            self._advance()
            return self._desk.cases(queue_id)

    def advance(self) -> float | None:
        """Plays all runs up to now; gives when something is due next, None when nothing is."""
        with self._lock:
            self._advance()
            dues = (self._desk.next_due(), self._outbox.next_due())
            return min((due for due in dues if due is not None), default=None)

    def close(self) -> None:
        """Deletes the uploaded files. The emulator is of no use after this."""
        with self._lock:
            self._store.close()

    def _make_webhook_secret(self) -> str:
        number = self._secrets
        self._secrets += 1
        return f"whsec_{self._ids.secret('webhook secret', number).hex()}"

    def _advance(self) -> float:
        now = self._now()
        self._desk.advance(now)
        return now

    def _now(self) -> float:
        return self.clock() + self._ahead
