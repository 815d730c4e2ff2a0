"""Where the runs of a fan-out come from: runs that there are, or inputs to start them with."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final, TypeVar, cast
from uuid import uuid4

from duvo_async._callbacks import invoke
from duvo_async._inputs import Inputs, numbered
from duvo_async._options import keyed
from duvo_async._pacing import Lane
from duvo_async._protocol import Call
from duvo_async._session import Session
from duvo_async.errors import ClientClosedError
from duvo_async.fanout import Batch
from duvo_async.models import Run
from duvo_async.watching import Watcher

if TYPE_CHECKING:
    from duvo_async.journaling import Journal

_T = TypeVar("_T")

_AT_ONCE = 32
"""Runs that are being started; inputs are read no further ahead."""
_END: Final = object()


class Given:
    """Runs that there are.

    Args:
        runs: The runs or their ids.
        check: Raises for what is no run.
    """

    def __init__(self, runs: Inputs[Run | str], check: Callable[[Run | str], object]) -> None:
        self._runs = runs
        self._check = check
        self.busy: bool = False

    async def feed(self, batch: Batch) -> None:
        """Add the runs."""
        if isinstance(self._runs, AsyncIterable):
            async for index, run in _numbered(self._runs, batch):
                self._check(run)
                batch.add(index, run)
            return
        # What is wrong among them is found before anything is sent.
        runs = [run async for _, run in _numbered(self._runs, batch)]
        for run in runs:
            self._check(run)
        for index, run in enumerate(runs):
            batch.add(index, run)

    async def end(self, *, lose_none: bool) -> None:
        """Add no more."""

    async def close(self) -> None:
        """Keep nothing."""


class Starts:
    """Runs that are started, each with an input of its own.

    Args:
        session: Makes the calls.
        watcher: Leaves the budget to the starts.
        messages: What to tell each run. None among them tells nothing.
        idempotency_keys: A key for each. None makes them.
        call: Makes the call that starts a run with a message, a key and a webhook URL.
        webhook_url: Where the API posts the events of the runs. None for nowhere.
        max_outstanding: How many runs may be started and not ended. None for any number.
        journal: Keeps what is started and how it ends, and knows what was. None keeps nothing.
    """

    def __init__(  # noqa: PLR0913 - what runs are started with
        self,
        session: Session,
        watcher: Watcher,
        messages: Inputs[str | None],
        idempotency_keys: Inputs[str] | None,
        call: Callable[[str | None, str | None, str | None], Call[Run]],
        *,
        webhook_url: str | None,
        max_outstanding: int | None,
        journal: "Journal | None",
    ) -> None:
        self._session = session
        self._watcher = watcher
        self._messages = messages
        self._keys = idempotency_keys
        self._call = call
        self._webhook_url = webhook_url
        self._max_outstanding = max_outstanding
        self._journal = journal
        self._tasks: set[asyncio.Task[None]] = set()
        self._sent: set[asyncio.Task[None]] = set()
        self._room: asyncio.Future[None] | None = None
        self._read = 0
        # Others may have a length that costs a query, or never ends.
        self._total = len(messages) if isinstance(messages, (list, tuple, range)) else -1

    @property
    def busy(self) -> bool:
        """Whether runs are being started."""
        return bool(self._tasks)

    async def feed(self, batch: Batch) -> None:
        """Read the inputs, and start a run with each."""
        keys = None if self._keys is None else _numbered(self._keys, batch)
        if self._journal is not None:
            await self._journal.open()
            batch.on_end = self._journal.ended
        self._watcher.add_starter(self._to_start)
        try:
            await self._make_room(batch)
            async for index, message in _numbered(self._messages, batch):
                self._read = index + 1
                key = None if keys is None else await _next_key(keys, index)
                await self._take(batch, index, message, key)
                await self._make_room(batch)
            self._total = self._read
            if self._journal is not None:
                await self._journal.complete(self._read)
        finally:
            self._watcher.remove_starter(self._to_start)

    async def end(self, *, lose_none: bool) -> None:
        """Start no more; wait for the starts that were sent if none may be lost sight of."""
        for task in self._tasks - (self._sent if lose_none else set()):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Write what is left of the journal."""
        if self._journal is not None:
            await self._journal.close()

    def _to_start(self) -> float:
        """Guess how many starts are still to come: of an unknown number, as many as there were."""
        rest = self._read if self._total < 0 else max(0, self._total - self._read)
        return rest + len(self._tasks)

    async def _make_room(self, batch: Batch) -> None:
        most = self._max_outstanding
        while len(self._tasks) >= _AT_ONCE or (
            most is not None and len(self._tasks) + batch.outstanding >= most
        ):
            self._room = asyncio.get_running_loop().create_future()
            batch.on_room = self._ring
            await self._room

    def _ring(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    async def _take(self, batch: Batch, index: int, message: str | None, key: str | None) -> None:
        """Go on with an input from where it stands, which for a new one is the beginning."""
        own_key = key is not None
        key = str(uuid4()) if key is None else key
        try:
            call = self._keyed_call(message, key, self._webhook_url)
        except Exception as error:  # noqa: BLE001 - one input's trouble never ends the others
            batch.add_failure(index, error)
            return
        if self._journal is None:
            self._begin(batch, index, call)
            return
        entry = await self._journal.enter(
            index, message, key, webhook_url=self._webhook_url, own_key=own_key
        )
        if entry.run is not None:
            batch.add_ended(index, entry.run)
        elif entry.run_id is not None:
            batch.add(index, entry.run_id)
        else:
            call = self._keyed_call(message, entry.idempotency_key, entry.webhook_url)
            self._begin(batch, index, call)

    def _keyed_call(self, message: str | None, key: str, webhook_url: str | None) -> Call[Run]:
        call = self._call(message, key, webhook_url)
        return Call(keyed(call.request), call.decode)

    def _begin(self, batch: Batch, index: int, call: Call[Run]) -> None:
        task = asyncio.create_task(self._start(batch, index, call))
        self._tasks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._sent.discard(task)
            self._ring()
            batch.ring()

        task.add_done_callback(ended)

    async def _start(self, batch: Batch, index: int, call: Call[Run]) -> None:
        sent = False
        try:
            turn: int | None = await self._session.turns.wait(Lane.START)
            task = asyncio.current_task()
            if task is not None:
                self._sent.add(task)
            sent = True

            def attempt(number: int) -> Awaitable[Run]:
                nonlocal turn
                given, turn = turn, None
                return self._session.attempt(call, number, lane=Lane.START, turn=given)

            run = await self._session.retrying(attempt, repeatable=True)
        except asyncio.CancelledError:
            text = _cut_off(call, sent=sent, kept=self._journal is not None)
            batch.add_failure(index, ClientClosedError(text))
            raise
        except Exception as error:  # noqa: BLE001 - one input's trouble never ends the others
            batch.add_failure(index, error)
        else:
            if self._journal is not None:
                self._journal.started(index, run.id)
            batch.add(index, run)


def _cut_off(call: Call[Run], *, sent: bool, kept: bool) -> str:
    """Say what became of a start that the client's end cut off."""
    if not sent:
        return "the client was closed before the run was started"
    how = (
        "go on with the journal"
        if kept
        else f"pass idempotency_key={call.request.idempotency_key!r}"
    )
    return (
        "the client was closed while the run was being started. It may have started; to start it "
        f"without doing it twice {how}"
    )


async def _next_key(keys: AsyncIterator[tuple[int, str]], index: int) -> str:
    async for _, key in keys:
        return key
    raise ValueError(f"idempotency_keys ended after {index}, before the messages did")


def _numbered(inputs: Inputs[_T], batch: Batch) -> AsyncIterator[tuple[int, _T]]:
    """Read inputs one by one, those of a blocking caller in his thread."""
    if isinstance(inputs, (list, tuple, AsyncIterable)) or not batch.blocking:
        return numbered(inputs)
    return _in_step(inputs, batch)


async def _in_step(inputs: Iterable[_T], batch: Batch) -> AsyncIterator[tuple[int, _T]]:
    index = 0
    started = await batch.in_step(lambda: invoke(iter, inputs))
    iterator = cast("Iterator[object]", started)
    while (value := await batch.in_step(lambda: invoke(_step, iterator))) is not _END:
        yield index, value  # type: ignore[misc] # what the iterator gives
        index += 1


def _step(iterator: Iterator[object]) -> object:
    return next(iterator, _END)
