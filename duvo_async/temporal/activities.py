"""What workers do for workflows, on one client: thousands of waits share its watcher."""

import asyncio
from collections.abc import Generator
from contextlib import aclosing, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from duvo_async.errors import BadRequestError, ConflictError, DuvoError, NotFoundError
from duvo_async.models import AnsweredHumanRequest, Run, StopResult
from duvo_async.temporal.data import (
    AnswerRequest,
    StartRun,
    StopRun,
    UploadFiles,
    WaitForRun,
    asked_by,
    without_request,
)
from duvo_async.temporal.failures import failure_of

if TYPE_CHECKING:
    from duvo_async.client import AsyncDuvo

_BEATS = 3
"""How often a worker is heard of before it would be taken for dead."""
_AT_ONCE = timedelta(milliseconds=1)


class DuvoActivities:
    """The activities, for a worker of your own; `duvo_worker` makes one that has them.

    Each can be done again, by another worker: with the same argument it does nothing twice. An
    error of the SDK's is Temporal's `ApplicationError` with the class's name as its type.

    Args:
        duvo: The client that makes all calls. It is not closed.
    """

    def __init__(self, duvo: "AsyncDuvo") -> None:
        self._duvo = duvo

    @activity.defn(name="duvo_upload")
    async def upload(self, upload: UploadFiles) -> str:
        """Put files of the worker's disk into a sandbox.

        Args:
            upload: Which, and where.

        Returns:
            The sandbox's id.
        """
        with _carried_out():
            sandboxes, sandbox_id = self._duvo.sandboxes, upload.sandbox_id
            if sandbox_id is None:
                sandbox = await sandboxes.create(idempotency_key=upload.idempotency_key)
                sandbox_id = sandbox.sandbox_id
            outcomes = await sandboxes.upload_many(sandbox_id, upload.files, fail_fast=True)
            for outcome in outcomes:
                outcome.raise_for_error()
            return sandbox_id

    @activity.defn(name="duvo_start")
    async def start(self, start: StartRun) -> Run:
        """Start a run.

        Args:
            start: Of what, and with what.

        Returns:
            The run as it is at its start.
        """
        with _carried_out():
            return await self._duvo.runs.start(
                start.agent_id,
                message=start.message,
                sandbox_id=start.sandbox_id,
                webhook_url=start.webhook_url,
                idempotency_key=start.idempotency_key,
            )

    @activity.defn(name="duvo_wait")
    async def wait(self, wait: WaitForRun) -> Run:
        """Wait until a run has ended, asks something new, or no longer asks what it did.

        It beats as often as its heartbeat time-out wants. When its worker ends it fails, to be
        tried again by another.

        Args:
            wait: For which run, and what is known of it.

        Returns:
            The run. A request that was answered is not in it.
        """
        with _carried_out():
            async with aclosing(self._duvo.runs.watch(wait.run_id).pages()) as changes:
                async for (run,) in changes:
                    seen = without_request(run, wait.answered)
                    if run.is_terminal or asked_by(seen) != wait.asked:
                        return seen
        raise AssertionError("a run is watched to its end")  # pragma: no cover

    @activity.defn(name="duvo_answer")
    async def answer(self, answer: AnswerRequest) -> AnsweredHumanRequest | None:
        """Answer what a run asks a person.

        Args:
            answer: The answer, and to what.

        Returns:
            The request with its answer. None when the run no longer asks this, since the answer had
            been given before, or somebody else was faster.
        """
        given = answer.answer
        with _carried_out():
            try:
                return await self._duvo.runs.respond(
                    answer.run_id,
                    given.request_id,
                    approved=given.approved,
                    answers=given.answers,
                    idempotency_key=answer.idempotency_key,
                )
            except (BadRequestError, NotFoundError, ConflictError):
                run = await self._duvo.runs.get(answer.run_id)
                if asked_by(run) == given.request_id:
                    raise
            return None

    @activity.defn(name="duvo_stop")
    async def stop(self, stop: StopRun) -> StopResult:
        """Stop a run.

        Args:
            stop: Which.

        Returns:
            What the API said.
        """
        with _carried_out():
            return await self._duvo.runs.stop(stop.run_id, idempotency_key=stop.idempotency_key)


@contextmanager
def _carried_out() -> Generator[None, None, None]:
    """Let Temporal know that the worker lives, and what went wrong in its own terms."""
    try:
        with _beating():
            yield
    except asyncio.CancelledError:
        details = activity.cancellation_details()
        if details is None or not details.worker_shutdown:
            raise
        failure = ApplicationError(  # a cancellation would be the workflow's to see
            "the worker ends: another one goes on",
            type="WorkerEnds",
            next_retry_delay=_AT_ONCE,
            category=ApplicationErrorCategory.BENIGN,
        )
    except (DuvoError, ValueError, TypeError) as error:
        failure = failure_of(error)
    else:
        return
    raise failure from None  # the stack of what it was is nothing for the history


@contextmanager
def _beating() -> Generator[None, None, None]:
    """Send heartbeats, by a timer: a task would take ten times the memory."""
    timeout = activity.info().heartbeat_timeout
    if timeout is None:
        yield
        return
    loop, seconds = asyncio.get_running_loop(), timeout.total_seconds() / _BEATS

    def beat() -> None:
        activity.heartbeat()
        timers[0] = loop.call_later(seconds, beat)

    timers = [loop.call_later(seconds, beat)]
    try:
        yield
    finally:
        timers[0].cancel()
