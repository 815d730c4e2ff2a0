"""The one task of a client that looks how runs are getting on, for all who wait for them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from contextvars import Context
from datetime import timedelta
from math import inf
from threading import Lock
from typing import TypeVar
from weakref import WeakMethod

from attrs import evolve

from duvo_async import _operations
from duvo_async._entries import PAGE_SIZE, Entry, Listener, Page, Several
from duvo_async._hints import Hint, HintSource, Peers, SeenPage
from duvo_async._pacing import Lane
from duvo_async._retry import Retrying, is_transient
from duvo_async._schedule import Schedule
from duvo_async._session import Session
from duvo_async.errors import (
    APIError,
    APIStatusError,
    ClientClosedError,
    ConfigurationError,
    RateLimitError,
    ResponseDecodeError,
)
from duvo_async.models import Run, RunStatus
from duvo_async.models.runs import FollowedRun

_V = TypeVar("_V")

_AT_ONCE = 16
"""Requests under way; more would not be known of when the next is chosen."""
_LIST_REST = 60.0
"""Seconds without the list after failures that outlast the retry policy."""
_SECOND = timedelta(seconds=1)
_REMEMBERED = 4096
"""Hints of runs that nobody waits for yet, or any more."""
_LONGEST_ID = 64
_TRUST = 0.5
"""The part of the last ends that must have been announced, to look for the others less often."""
_RECENT = 0.1
"""What the last end counts for in that."""


class Watcher:
    """Looks at the waiting runs of one client; alive while there are any.

    Args:
        session: Makes the calls.
        hints: Tells which runs have news. None if nobody does.
        peers: The other processes that use the key. None when they are not known.
    """

    def __init__(
        self, session: Session, hints: HintSource | None = None, peers: Peers | None = None
    ) -> None:
        self._session = session
        self._peers = peers
        self._schedule: Schedule = Schedule(session.random)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._looks: set[asyncio.Task[None]] = set()
        self._bell: asyncio.Future[None] | None = None
        self._list_failures = 0
        self._starters: list[Callable[[], float]] = []
        self._leaves: set[Callable[[], Awaitable[None]]] = set()
        self._closed = False
        self._lock = Lock()
        self._told: dict[str, bool] = {}
        self._early: dict[str, bool] = {}
        self._unannounced: dict[str, None] = {}
        self._announced = 0.0
        self._unsubscribe: Callable[[], None] | None = None
        if hints is not None:
            self._unsubscribe = _subscribed(hints, self.hint)

    @property
    def runs(self) -> int:
        """How many runs are waited for."""
        return len(self._schedule.entries)

    def listen(self, run: str | Run, listener: Listener, seen_at: float | None = None) -> None:
        """Tell somebody how a run is, each time that it is seen, until that is enough.

        Args:
            run: The run or its id.
            listener: Who is told.
            seen_at: When the run was as it says, on the loop's clock. None takes the moment of its
                making for a run that has not changed since, and reads any other at once.
        """
        loop = self._here()
        run_id = run.id if isinstance(run, Run) else run
        entry = self._schedule.entries.get(run_id)
        if entry is not None:
            if isinstance(entry.listener, Several):
                entry.listener.listeners[listener] = None
            else:
                entry.listener = Several({entry.listener: None, listener: None})
            if seen_at == -inf:
                self._schedule.read_singly(entry)
                self._ring()
            return
        entry = Entry(run_id, listener)
        if isinstance(run, Run):
            entry.run = run
            entry.created = self._when_created(run)
            entry.seen_at = _seen_at(run, entry.created) if seen_at is None else seen_at
        self._schedule.add(entry)
        if self._told:
            self._take_told()
        if (waits := self._early.pop(run_id, None)) is not None:
            self._schedule.hint(entry, loop.time(), singly=waits)
        self._ring()
        if self._peers is not None:
            self._peers.listen(self._heard_page)
        if self._task is None:
            # In a context of its own: what one caller set in his is nothing to the others.
            self._task = loop.create_task(
                self._watch(), name="duvo-async watcher", context=Context()
            )

    def hint(self, run_id: str, waits: bool) -> None:  # noqa: FBT001 - its only caller has it
        """Hear, in any thread, that a run has news. It is read: others may say so, too.

        Args:
            run_id: Its id.
            waits: Whether it may wait for a person.
        """
        if len(run_id) > _LONGEST_ID:
            return  # it is none, and would be kept
        loop = self._loop
        if loop is not None and loop is _running_loop():
            self._take_hint(run_id, singly=waits)
            return
        with self._lock:
            idle = not self._told
            _remember(self._told, run_id, waits)
        if idle and loop is not None:
            with suppress(RuntimeError):  # it has ended, and its waits with it
                loop.call_soon_threadsafe(self._take_told)

    def forget(self, run_id: str, listener: Listener) -> None:
        """Tell somebody no more of a run."""
        entry = self._schedule.entries.get(run_id)
        if entry is None:
            return
        if isinstance(entry.listener, Several):
            entry.listener.listeners.pop(listener, None)
            if not entry.listener.listeners:
                self._remove(entry)
        elif entry.listener is listener:
            self._remove(entry)

    def listeners(self) -> list[Listener]:
        """Give all that wait for runs."""
        found: list[Listener] = []
        for entry in self._schedule.entries.values():
            listener = entry.listener
            found += listener.listeners if isinstance(listener, Several) else [listener]
        return found

    def add_starter(self, to_start: Callable[[], float]) -> None:
        """Leave most of the budget to somebody who starts runs.

        Args:
            to_start: Tells how many starts are still to come.
        """
        self._here()
        self._starters.append(to_start)
        self._share()

    def remove_starter(self, to_start: Callable[[], float]) -> None:
        """Take the budget back."""
        if to_start in self._starters:
            self._starters.remove(to_start)

    def at_close(self, leave: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        """Have something done before the client closes.

        Returns:
            Forgets it, when it was done before.
        """
        self._here()
        self._leaves.add(leave)
        return lambda: self._leaves.discard(leave)

    async def close(self) -> None:
        """End all waits with an error."""
        self._closed = True
        if self._unsubscribe is not None:
            self._unsubscribe()
        for leave in tuple(self._leaves):
            await leave()
        for entry in tuple(self._schedule.entries.values()):
            closed = ClientClosedError(
                f"the client was closed while run {entry.run_id} was waited for; the run goes on"
            )
            self._fail(entry, closed)
        ending = [task for task in (self._task, *self._looks) if task is not None]
        if self._loop is asyncio.get_running_loop():
            await asyncio.gather(*ending, return_exceptions=True)
        if self._peers is not None:
            await self._peers.close()

    def _here(self) -> asyncio.AbstractEventLoop:
        """Give the running loop, which must be the one that this client is used in."""
        if self._closed:
            raise ClientClosedError("this client is closed: make a new one")
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._schedule.entries and self._loop is not None and not self._loop.is_closed():
                raise ConfigurationError(
                    "this client waits for runs in another event loop that is still running: make "
                    "one client a loop, or use duvo_async.Duvo from several threads"
                )
            self._loop, self._task, self._looks, self._bell = loop, None, set(), None
            self._schedule, self._starters = Schedule(self._session.random), []
            self._leaves = set()
        return loop

    def _when_created(self, run: Run) -> float:
        """Give the moment in which a run was made; clocks that differ put none in the future."""
        moment = run.created_at.timestamp() - self._session.clock_offset
        return min(moment, asyncio.get_running_loop().time())

    def _remove(self, entry: Entry) -> None:
        self._schedule.remove(entry)
        if not self._schedule.entries and self._loop is not None and not self._loop.is_closed():
            for task in (self._task, *self._looks):
                if task is not None and task is not asyncio.current_task():
                    task.cancel()
            self._task = None

    def _tell(self, entry: Entry, run: Run) -> None:
        if self._schedule.entries.get(entry.run_id) is entry and entry.listener.told(run):
            self._remove(entry)
            if run.is_terminal and self._unsubscribe is not None:
                self._count_end(entry)

    def _take_told(self) -> None:
        """Take in what other threads told, or was told before there was a loop."""
        with self._lock:
            told, self._told = self._told, {}
        for run_id, waits in told.items():
            self._take_hint(run_id, singly=waits)

    def _take_hint(self, run_id: str, *, singly: bool) -> None:
        entry = self._schedule.entries.get(run_id)
        if entry is not None:
            self._schedule.hint(entry, asyncio.get_running_loop().time(), singly=singly)
            self._ring()
            return
        _remember(self._early, run_id, singly)
        if run_id in self._unannounced:  # looking was faster
            del self._unannounced[run_id]
            self._announced = min(1.0, self._announced + _RECENT)

    def _count_end(self, entry: Entry) -> None:
        """Learn whether ends are announced. Nobody is believed before he has been right."""
        self._announced += (entry.hinted - self._announced) * _RECENT
        if not entry.hinted:
            _remember(self._unannounced, entry.run_id, None)

    def _fail(self, entry: Entry, error: Exception) -> None:
        if self._schedule.entries.get(entry.run_id) is entry:
            self._remove(entry)
            entry.listener.failed(error)

    async def _watch(self) -> None:
        try:
            while self._schedule.entries:
                await self._step()
        except Exception as error:  # noqa: BLE001 - a mistake here must leave nobody waiting
            for entry in tuple(self._schedule.entries.values()):
                self._fail(entry, error)
        finally:
            self._session.keep_share(0.0)
            if self._task is asyncio.current_task():
                self._task = None

    async def _step(self) -> None:
        """Read what is to be read next, when it is due and its turn has come."""
        loop, turns = asyncio.get_running_loop(), self._session.turns
        self._schedule.relax(turns.budget.limit, relaxed=self._announced > _TRUST)
        look, delay = self._schedule.next(loop.time())
        if look is None or len(self._looks) >= _AT_ONCE:
            await self._rest(delay or inf)
            return
        self._share()
        limit = turns.budget.limit
        hurried = self._schedule.hurries(look, loop.time(), limit)
        if self._schedule.has_news(look) and not self._starters:
            hurried |= turns.budget.plenty(loop.time())
        turn = await turns.wait(Lane.POLL, hurried=hurried)
        look, _ = self._schedule.next(loop.time())  # there may be something better by now
        if look is None:
            turns.refund(turn)
            return
        self._schedule.began(look)
        self._spawn(look, turn)

    def _share(self) -> None:
        to_start = sum(each() for each in self._starters)
        limit = self._session.turns.budget.limit
        self._session.keep_share(self._schedule.share(limit, to_start))

    async def _rest(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._bell = loop.create_future()
        timer = None if seconds == inf else loop.call_later(seconds, self._ring)
        try:
            await self._bell
        finally:
            self._bell = None
            if timer is not None:
                timer.cancel()

    def _ring(self) -> None:
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)

    def _spawn(self, look: Entry | Page, turn: int) -> None:
        unused = [turn]  # taken out by the task, which may be cancelled before it begins
        task = asyncio.get_running_loop().create_task(self._look(look, unused), context=Context())
        self._looks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._looks.discard(task)
            if unused:
                self._session.turns.refund(turn)
            self._ring()

        task.add_done_callback(ended)

    async def _look(self, look: Entry | Page, unused: list[int]) -> None:
        turn = unused.pop()
        try:
            if isinstance(look, Page):
                await self._read_page(look, turn)
            else:
                await self._read_run(look, turn)
        except Exception as error:  # noqa: BLE001 - as in _watch
            all_entries = tuple(self._schedule.entries.values())
            for entry in all_entries if isinstance(look, Page) else (look,):
                self._fail(entry, error)

    async def _read_run(self, entry: Entry, turn: int) -> None:
        call = _operations.get_run(self._session.routes, entry.run_id)
        try:
            run = await self._session.attempt(call, entry.failures + 1, turn=turn)
        except APIError as error:
            failure = error
        else:
            now = asyncio.get_running_loop().time()
            self._schedule.saw_run(entry, run, self._when_created(run), now)
            self._tell(entry, run)
            return
        if self._schedule.entries.get(entry.run_id) is entry:
            self._run_failed(entry, failure)

    def _run_failed(self, entry: Entry, error: APIError) -> None:
        entry.failures += 1
        delay = self._patience(error, entry.failures)
        if delay is None:
            self._fail(entry, error)
        else:
            if isinstance(error, RateLimitError):
                entry.failures -= 1  # others spend the budget, which is no news of the run
            self._schedule.run_failed(entry, asyncio.get_running_loop().time() + delay)

    def _patience(self, error: APIError, failures: int) -> float | None:
        """Choose how long to leave alone what could not be read. None gives up."""
        policy = self._session.retry
        if isinstance(error, RateLimitError):
            return self._session.random() if policy.accepts(error.retry_after) else None
        if failures > policy.retries:
            return None
        if isinstance(error, ResponseDecodeError):
            return policy.initial_delay
        if not is_transient(error):
            return None
        return Retrying(policy, self._session.random, failures).delay(error, repeatable=True)

    async def _read_page(self, page: Page, turn: int) -> None:
        call = _operations.list_runs(
            self._session.routes, since=page.since, offset=page.offset, limit=PAGE_SIZE
        )
        try:
            rows = await self._session.attempt(call, turn=turn)
        except ConfigurationError:  # nobody knows of which team; runs are read without
            self._schedule.suspend_list(inf)
            return
        except APIError as error:
            failure = error
        else:
            self._list_failures = 0
            self._saw_page(page, rows)
            return
        self._list_failed(page, failure)

    def _saw_page(self, page: Page, rows: tuple[FollowedRun, ...]) -> None:
        now = asyncio.get_running_loop().time()
        if rows and not page.since - _SECOND <= rows[0].created_at <= rows[-1].created_at:
            self._schedule.suspend_list(inf)  # it is not in the order that was asked for
            return
        self._schedule.saw_page(page, rows, now)
        if self._peers is not None and rows:
            self._peers.tell(SeenPage(page.since, page.offset, rows))
        self._tell_of(rows)

    def _heard_page(self, page: SeenPage) -> None:
        """Take in what another process read."""
        loop = asyncio.get_running_loop()
        if self._loop is loop and self._schedule.entries:
            self._schedule.heard_page(page.since, page.offset, page.rows, loop.time())
            self._tell_of(page.rows)
            self._ring()

    def _tell_of(self, rows: Sequence[FollowedRun]) -> None:
        for row in rows:
            entry = self._schedule.entries.get(row.id)
            if entry is not None and entry.run is not None and row.status != RunStatus.WAITING:
                entry.run = _joined(entry.run, row)
                self._tell(entry, entry.run)

    def _list_failed(self, page: Page, error: APIError) -> None:
        now = asyncio.get_running_loop().time()
        self._list_failures += not isinstance(error, RateLimitError)
        delay = self._patience(error, self._list_failures)
        if delay is not None:
            self._schedule.page_failed(page, now + delay)
            return
        self._list_failures = 0
        refused = isinstance(error, APIStatusError) and not is_transient(error)
        self._schedule.suspend_list(inf if refused else now + _LIST_REST)


def _subscribed(hints: HintSource, hint: Hint) -> Callable[[], None]:
    """Have a method told for as long as its object lives: a client may be forgotten unclosed."""
    ended: list[Callable[[], None]] = []
    method = WeakMethod(hint, lambda _: ended and ended[0]())
    ended.append(hints.subscribe(lambda run_id, waits: (told := method()) and told(run_id, waits)))
    return ended[0]


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _remember(known: dict[str, _V], run_id: str, value: _V) -> None:
    if len(known) >= _REMEMBERED:
        del known[next(iter(known))]
    known[run_id] = value


def _seen_at(run: Run, created: float) -> float:
    untouched = run.updated_at - run.created_at < _SECOND
    return created if untouched and not run.is_terminal else -inf


def _joined(run: Run, row: FollowedRun) -> Run:
    """Bring a known run up to date with what a list shows of it."""
    if row.status == run.status and row.updated_at == run.updated_at:
        return run
    return evolve(
        run,
        status=row.status,
        started_at=row.started_at,
        completed_at=row.completed_at,
        updated_at=row.updated_at,
        pending_human_request=None,
    )
