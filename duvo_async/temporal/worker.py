"""A worker: the process that does what durable runs need done."""

import asyncio
from datetime import timedelta
from math import inf
from types import TracebackType
from typing import TYPE_CHECKING, Self

from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from duvo_async.errors import ConfigurationError
from duvo_async.settings import check_count, check_seconds
from duvo_async.temporal.activities import DuvoActivities
from duvo_async.temporal.converter import DuvoPayloadConverter
from duvo_async.temporal.workflow import DuvoRunWorkflow, starts_queue

if TYPE_CHECKING:
    from duvo_async.client import AsyncDuvo

TASK_QUEUE = "duvo"
MAX_CONCURRENT_ACTIVITIES = 2000
STARTS_PER_SECOND = 4.0
"""Of the 300 requests a minute that the API allows at first, a fifth is left to all else."""
MAX_CACHED_WORKFLOWS = 100
GRACE = 10.0
SETTLES = 0.1
"""Seconds until Temporal's threads have let go: a Python that ends before may crash."""
_STARTS_AT_ONCE = 32


class DuvoWorker:
    """Workers of the two task queues, made by `duvo_worker`: `await worker.run()`.

    As a context, `async with worker`, it works until the context is left.

    Args:
        workers: The workers.
    """

    def __init__(self, *workers: Worker) -> None:
        self._workers = workers
        self._over = asyncio.Event()
        self._group = asyncio.TaskGroup()

    async def run(self) -> None:
        """Work until `shutdown` is called, or the caller is cancelled. It works once.

        Waits end at once, and are gone on with by other workers, or when there is one again. Starts
        and uploads are given their time to end. The runs themselves go on.

        Raises:
            RuntimeError: The server cannot be worked for, or a worker failed.
        """
        working = [asyncio.create_task(worker.run()) for worker in self._workers]
        told = asyncio.create_task(self._over.wait())
        try:
            await asyncio.wait([*working, told], return_when=asyncio.FIRST_COMPLETED)
        finally:
            ending = [asyncio.create_task(worker.shutdown()) for worker in self._workers]
            ended = await asyncio.gather(*working, return_exceptions=True)
            for task in (told, *ending):  # those of a worker that failed might never end
                task.cancel()
            await asyncio.gather(told, *ending, return_exceptions=True)
            await asyncio.sleep(SETTLES)
        for problem in ended:
            if problem is not None:
                raise problem

    def shutdown(self) -> None:
        """Have `run` return when the work has ended."""
        self._over.set()

    async def __aenter__(self) -> Self:
        """Begin to work. A worker that fails cancels what is done in the context."""
        await self._group.__aenter__()
        self._group.create_task(self.run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the work, as `run` does.

        Raises:
            RuntimeError: The server cannot be worked for, or a worker failed.
        """
        self.shutdown()
        if not isinstance(error, asyncio.CancelledError):
            kind = error = traceback = None  # it is the caller's, and no part of a group
        try:
            await self._group.__aexit__(kind, error, traceback)
        except BaseExceptionGroup as failed:
            problem = failed.exceptions[0]
        else:
            return
        raise problem


def duvo_worker(  # noqa: PLR0913 - the settings of a worker
    temporal_client: Client,
    duvo: "AsyncDuvo",
    *,
    task_queue: str = TASK_QUEUE,
    max_concurrent_activities: int = MAX_CONCURRENT_ACTIVITIES,
    starts_per_second: float = STARTS_PER_SECOND,
    grace: float = GRACE,
    max_cached_workflows: int = MAX_CACHED_WORKFLOWS,
) -> DuvoWorker:
    """Make a worker for durable runs. Any number of them can work on the same queue.

    Args:
        temporal_client: The client of Temporal, made with this module's `data_converter`.
        duvo: The client that makes all calls. It is not closed.
        task_queue: The queue of the workflows, waits and answers; starts and uploads have one of
            their own, `<task_queue>-starts`.
        max_concurrent_activities: How many runs this worker waits for at once, with the answers
            that it sends; 2,000 by default. The others are waited for as there is room.
        starts_per_second: How many starts and uploads are begun in a second, by all workers of
            the queue together; 4 by default, for the 300 requests a minute that the API allows at
            first. All workers should be told the same. An upload takes more requests than one; the
            client keeps to its budget in any case, and this says where the others queue: at the
            server.
        grace: Seconds that starts and uploads are given to end when the worker ends; 10 by default.
        max_cached_workflows: How many workflows are kept in memory, at 60 KB each; 100 by default.
            One that waits has nothing to do, and its short history is read again when it has.

    Returns:
        The worker, which does nothing yet.

    Raises:
        ConfigurationError: The client of Temporal has no converter for the SDK's models.
        ValueError: A number is not positive, or `max_cached_workflows` is negative.
    """
    if not issubclass(temporal_client.data_converter.payload_converter_class, DuvoPayloadConverter):
        raise ConfigurationError(
            "the client of Temporal cannot convert the SDK's models: make it with "
            "data_converter=duvo_async.temporal.data_converter"
        )
    check_count("max_concurrent_activities", max_concurrent_activities)
    if not 0 < starts_per_second < inf:
        raise ValueError(f"starts_per_second must be a positive number, not {starts_per_second!r}")
    check_seconds("grace", grace)
    if max_cached_workflows < 0:
        raise ValueError(f"max_cached_workflows must be 0 or more, not {max_cached_workflows}")
    does = DuvoActivities(duvo)
    return DuvoWorker(
        Worker(
            temporal_client,
            task_queue=task_queue,
            workflows=[DuvoRunWorkflow],
            activities=[does.wait, does.answer, does.stop],
            workflow_runner=RUNNER,
            max_concurrent_activities=max_concurrent_activities,
            max_cached_workflows=max_cached_workflows,
        ),
        Worker(
            temporal_client,
            task_queue=starts_queue(task_queue),
            activities=[does.start, does.upload],
            max_concurrent_activities=_STARTS_AT_ONCE,
            max_task_queue_activities_per_second=starts_per_second,
            graceful_shutdown_timeout=timedelta(seconds=grace),
        ),
    )


RUNNER = SandboxedWorkflowRunner(
    # Our modules are the same in all workflows: their classes are, and a workflow costs little.
    SandboxRestrictions.default.with_passthrough_modules("duvo_async", "attr", "attrs", "cattrs")
)
