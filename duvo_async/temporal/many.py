"""Many durable runs: a workflow for each, and their outcomes as they end."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from attrs import evolve
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from duvo_async._callbacks import OnHumanRequest, check_wait
from duvo_async._inputs import Inputs, check_inputs, numbered
from duvo_async._items import AsyncItems
from duvo_async.models import RunOutcome
from duvo_async.settings import check_count
from duvo_async.temporal.data import HEARTBEAT_TIMEOUT, DurableRun, OnCancel
from duvo_async.temporal.following import INPUT, Batch, Followed, digest_of, patiently
from duvo_async.temporal.worker import TASK_QUEUE
from duvo_async.temporal.workflow import DuvoRunWorkflow

MAX_OUTSTANDING = 1000
_UNUSABLE = "'\"\\"


def run_many(  # noqa: PLR0913 - what a durable run and `map` take
    temporal_client: Client,
    agent_id: str,
    items: Inputs[str | None],
    *,
    batch_id: str,
    task_queue: str = TASK_QUEUE,
    sandbox_id: str | None = None,
    webhook_url: str | None = None,
    on_cancel: OnCancel = "stop",
    timeout: float | None = None,
    heartbeat_timeout: float = HEARTBEAT_TIMEOUT,
    max_outstanding: int = MAX_OUTSTANDING,
    on_human_request: OnHumanRequest | None = None,
) -> AsyncItems[RunOutcome]:
    """Start a durable run with each message, and wait for all: `async for outcome in …`.

    Each has a workflow of its own, `<batch_id>/<index>`. With the same batch id, agent and messages
    the same workflows are found, wherever they stand: a process that was killed is gone on with by
    saying the same again, and those that have ended are outcomes at once, for as long as Temporal
    keeps them. Which have ended is seen by listing those that have not, a page for all of them.

    Args:
        temporal_client: The client of Temporal, made with this module's `data_converter`.
        agent_id: The assignment's UUID.
        items: What to tell each run; any iterable or async iterable, of any length, read as
            workflows are started. None among them tells nothing.
        batch_id: What the workflows' ids begin with; a name of its own for each batch. It has no
            quotes and no backslash.
        task_queue: The workers' queue; `duvo` by default.
        sandbox_id: A sandbox for all of them. None gives them none.
        webhook_url: As in `DurableRun`.
        on_cancel: As in `DurableRun`.
        timeout: Seconds to wait for each run, from its start. None waits for ever.
        heartbeat_timeout: As in `DurableRun`.
        max_outstanding: How many workflows may be started and without an outcome; 1,000 by
            default, which is a page of the list.
        on_human_request: Answers when a run asks a person: gets the `HumanRequestPending`, returns
            `pending.request.approve()`, `.deny()`, `.answer({…})`, or None to leave it to the
            outcome. It may be asynchronous. None leaves all to the outcomes: the workflow waits
            on, for an answer by its update.

    Returns:
        An async iterable of one outcome for each message, in the order in which they end. One
        run's trouble never ends the others; the error of a workflow that was cancelled or ended is
        a `DurableRunError`, and that of one which is of another agent or message a `ValueError`.
        Should reading the messages fail, that error is raised after the outcomes of those that were
        read. Leaving it early leaves the workflows and runs as they are. While Temporal's server
        cannot be reached it is tried again; what else it refuses is raised.

    Raises:
        ValueError: An argument is empty or out of range.
        TypeError: `items` is a string, or cannot be iterated over.
    """
    check_wait(timeout, on_human_request=on_human_request)
    check_inputs("items", items)
    check_count("max_outstanding", max_outstanding)
    if not batch_id or any(each in batch_id for each in _UNUSABLE):
        raise ValueError("batch_id must not be empty, and has no quotes and no backslash")
    if not agent_id:
        raise ValueError("agent_id must not be empty")
    durable = DurableRun(
        agent_id=agent_id,
        sandbox_id=sandbox_id,
        webhook_url=webhook_url,
        on_cancel=on_cancel,
        timeout=timeout,
        heartbeat_timeout=heartbeat_timeout,
    )

    def outcomes() -> AsyncGenerator[Sequence[RunOutcome], None]:
        batch = Batch(temporal_client, batch_id, on_human_request)
        return _Feed(batch, durable, items, task_queue, max_outstanding).outcomes()

    return AsyncItems(outcomes)


class _Feed:
    """Starts the workflows of a batch as there is room, and gives the outcomes."""

    def __init__(
        self,
        batch: Batch,
        durable: DurableRun,
        items: Inputs[str | None],
        task_queue: str,
        max_outstanding: int,
    ) -> None:
        self._batch = batch
        self._durable = durable
        self._items = items
        self._task_queue = task_queue
        self._max_outstanding = max_outstanding

    async def outcomes(self) -> AsyncGenerator[Sequence[RunOutcome], None]:
        """Give the outcomes as they come."""
        feeding = asyncio.create_task(self._feed())
        following = asyncio.create_task(self._batch.follow())
        tasks = (feeding, following)
        for task in tasks:
            task.add_done_callback(lambda _: self._batch.bell.set())
        try:
            while not (feeding.done() and not self._batch.open):
                self._batch.bell.clear()
                if following.done():
                    following.result()  # why it cannot be gone on
                if outcomes := self._batch.take():
                    yield outcomes
                else:
                    await self._batch.bell.wait()
            if outcomes := self._batch.take():
                yield outcomes
            feeding.result()  # why no more could be read
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._batch.close()

    async def _feed(self) -> None:
        async for index, message in numbered(self._items):
            await self._batch.room(self._max_outstanding)
            durable = evolve(self._durable, message=message)
            digest = digest_of(durable)
            followed = Followed(index, self._batch.handle(index), digest)
            followed.ended = not await self._start(followed, durable)
            self._batch.add(followed)

    async def _start(self, followed: Followed, durable: DurableRun) -> bool:
        """Start a workflow, unless there is one; tell whether it may be under way."""

        async def start() -> bool:
            try:
                await self._batch.client.start_workflow(
                    DuvoRunWorkflow.run,
                    durable,
                    id=followed.handle.id,
                    task_queue=self._task_queue,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    memo={INPUT: followed.digest},
                )
            except WorkflowAlreadyStartedError:
                return False
            return True

        return await patiently(start)
