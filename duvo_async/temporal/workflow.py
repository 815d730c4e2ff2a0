"""The workflow of one run, from its start to its end.

Its code is replayed over what happened: it does nothing but decide, and what it decides may only
change by way of `workflow.patched`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    RetryState,
    TimeoutError,  # noqa: A004 - Temporal's, of an activity
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    from duvo_async.errors import WaitTimeout
    from duvo_async.models import AnsweredHumanRequest, HumanAnswer, HumanRequest, Run, StopResult
    from duvo_async.temporal.activities import DuvoActivities
    from duvo_async.temporal.data import (
        AnswerRequest,
        DurableRun,
        StartRun,
        StopRun,
        UploadFiles,
        WaitForRun,
        asked_by,
        without_request,
    )
    from duvo_async.temporal.failures import failure_of
    from duvo_async.temporal.fitting import GivenAnswer, fitted

_A = TypeVar("_A")
_R = TypeVar("_R")

MEMO = "run"
"""Under which a workflow's memo shows the run as it last was."""
STALE = "StaleRequest"
"""The type of the failure of an answer that comes too late."""
_STARTS = "-starts"
_RETRIES = RetryPolicy(
    initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=60)
)
_CALL = timedelta(days=1)
"""For a call that cannot be made. The API does not remember idempotency keys for ever."""
_ANSWER = timedelta(minutes=10)
"""The same for an answer, for which somebody waits."""
_EVER = timedelta(days=3650)


def starts_queue(task_queue: str) -> str:
    """Tell the task queue of the starts and uploads, which has a rate of its own."""
    return task_queue + _STARTS


@workflow.defn(name="DuvoRun")
class DuvoRunWorkflow:
    """Starts a run, waits for it, and brings the answers that people give it.

    Its argument is a `DurableRun`, its result the `Run` in its last status. What a run asks a
    person is shown by the query `pending_request` and by the workflow's memo, so that one list of
    workflows tells which of them wait for somebody; the update `answer` answers it. An answer that
    is given elsewhere, as in Duvo's own pages, is noticed.

    A workflow fails with what an activity failed with; `error_of` makes the SDK's error of it.
    """

    @workflow.init
    def __init__(self, durable: DurableRun) -> None:
        self._key = durable.idempotency_key or _key(workflow.info())
        self._heartbeat = timedelta(seconds=durable.heartbeat_timeout)
        self._run: Run | None = None
        self._answering: set[str] = set()
        self._answered: str | None = None
        self._over = False

    @workflow.run
    async def run(self, durable: DurableRun) -> Run:
        """Start the run, and wait until it has ended, whatever its status then.

        Args:
            durable: The run.

        Returns:
            The run in its last status.
        """
        # Not `finally`: there is nothing to await for in a workflow that a worker lets go.
        try:
            run = self._see(await self._start(durable))
            run = await self._wait(run, durable)
        except (Exception, asyncio.CancelledError) as error:
            if is_cancelled_exception(error) and self._run and durable.on_cancel == "stop":
                await self._stop(self._run.id)
            await self._finish()
            raise
        await self._finish()
        return run

    @workflow.query
    def pending_request(self) -> HumanRequest | None:
        """Show what the run waits for a person to say.

        Returns:
            The request. None when it waits for nobody.
        """
        return self._run.pending_human_request if self._run else None

    @workflow.query
    def last_seen(self) -> Run | None:
        """Show the run.

        Returns:
            The run as it was last seen: at its start, as it asked or was answered, or at its end.
            None when it is not started.
        """
        return self._run

    @workflow.update
    async def answer(self, request_id: str, answer: GivenAnswer) -> AnsweredHumanRequest | None:
        """Answer what the run asks.

        It is refused before it gets into the history if the run does not ask this, or somebody's
        answer is under way (an `ApplicationError` of the type `StaleRequest`), or if it does not
        fit the question (`ValueError`).

        Args:
            request_id: The request's id.
            answer: What `request.approve()` and its like give; or True or False for an approval,
                and a mapping of each question's text to its answer for questions.

        Returns:
            The request with its answer. None when the run no longer asks this, since the answer had
            been given before, or somebody else was faster elsewhere.
        """
        run, given = self._fitting(request_id, answer)
        self._answering.add(request_id)
        try:
            done = await self._do(
                DuvoActivities.answer,
                AnswerRequest(run_id=run.id, answer=given, idempotency_key=self._key_of(given)),
                within=_ANSWER,
            )
        finally:
            self._answering.remove(request_id)
        self._answered = request_id
        if self._run and asked_by(self._run) == request_id:
            self._see(without_request(self._run, request_id))
        return done

    @answer.validator
    def _check_answer(self, request_id: str, answer: GivenAnswer) -> None:
        self._fitting(request_id, answer)

    @workflow.update
    async def stop(self) -> StopResult:
        """Stop the run, as soon as it is started. The workflow ends with it.

        Returns:
            What the API said.
        """
        await workflow.wait_condition(lambda: self._run is not None or self._over)
        if self._run is None:
            raise ApplicationError("the run was not started", non_retryable=True)
        return await self._stop(self._run.id)

    # --- steps -----------------------------------------------------------------------------------

    async def _start(self, durable: DurableRun) -> Run:
        starting = asyncio.ensure_future(self._started(durable))
        if durable.on_cancel == "leave":
            return await starting
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            self._see(await starting)  # a run that is known can be stopped
            raise

    async def _started(self, durable: DurableRun) -> Run:
        sandbox_id = durable.sandbox_id
        if durable.files:
            key = f"{self._key}-sandbox"
            upload = UploadFiles(files=durable.files, idempotency_key=key, sandbox_id=sandbox_id)
            sandbox_id = await self._do(DuvoActivities.upload, upload, starts=True)
        start = StartRun(
            agent_id=durable.agent_id,
            idempotency_key=self._key,
            message=durable.message,
            sandbox_id=sandbox_id,
            webhook_url=durable.webhook_url,
        )
        return await self._do(DuvoActivities.start, start, starts=True)

    async def _finish(self) -> None:
        """Let those have their answers who are being answered."""
        self._over = True
        await workflow.wait_condition(workflow.all_handlers_finished)

    async def _wait(self, run: Run, durable: DurableRun) -> Run:
        begun = workflow.now()
        while not run.is_terminal:
            try:
                seen = await workflow.execute_activity_method(
                    DuvoActivities.wait,
                    WaitForRun(run_id=run.id, asked=asked_by(run), answered=self._answered),
                    start_to_close_timeout=_EVER,
                    schedule_to_close_timeout=_left(durable.timeout, begun),
                    heartbeat_timeout=self._heartbeat,
                    retry_policy=_RETRIES,
                )
            except ActivityError as error:
                if durable.timeout is None or not _out_of_time(error):
                    raise
                late = WaitTimeout(run.id, run=self._run, timeout=durable.timeout)
                raise failure_of(late) from None
            run = self._see(without_request(seen, self._answered))
        return run

    async def _stop(self, run_id: str) -> StopResult:
        stop = StopRun(run_id=run_id, idempotency_key=f"{self._key}-stop")
        return await self._do(DuvoActivities.stop, stop)

    async def _do(
        self,
        activity: Callable[[DuvoActivities, _A], Awaitable[_R]],
        argument: _A,
        *,
        within: timedelta = _CALL,
        starts: bool = False,
    ) -> _R:
        queue = workflow.info().task_queue
        return await workflow.execute_activity_method(
            activity,
            argument,
            task_queue=starts_queue(queue) if starts else queue,
            schedule_to_close_timeout=within,
            heartbeat_timeout=self._heartbeat,
            retry_policy=_RETRIES,
        )

    def _see(self, run: Run) -> Run:
        self._run = run
        workflow.upsert_memo({MEMO: run})
        return run

    def _fitting(self, request_id: str, answer: GivenAnswer) -> tuple[Run, HumanAnswer]:
        """Insist that an answer is one to what the run asks now."""
        run, request = self._run, self.pending_request()
        if run is None or request is None or request.id != request_id:
            asks = "nothing" if request is None else f"{request.id} ({request.title!r})"
            raise _stale(f"the run does not ask {request_id}: it asks {asks}")
        if request_id in self._answering:
            raise _stale(f"an answer to {request_id} is under way")
        return run, fitted(request, answer)

    def _key_of(self, answer: HumanAnswer) -> str:
        """Make the same key of the same answer: a refused one leaves the next a key of its own."""
        said = repr((answer.approved, sorted((answer.answers or {}).items())))
        return f"{self._key}-{answer.request_id}-{_digest(said)}"


def _left(timeout: float | None, begun: datetime) -> timedelta | None:
    if timeout is None:
        return None
    return max(begun + timedelta(seconds=timeout) - workflow.now(), timedelta(milliseconds=1))


def _out_of_time(error: ActivityError) -> bool:
    return isinstance(error.cause, TimeoutError) or error.retry_state == RetryState.TIMEOUT


def _key(info: workflow.Info) -> str:
    return f"temporal-{_digest(f'{info.namespace}/{info.workflow_id}')}"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]


def _stale(text: str) -> ApplicationError:
    return ApplicationError(text, type=STALE, non_retryable=True)
