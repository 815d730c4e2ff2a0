"""Following the workflows of a batch: which have ended, and which wait for a person."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from json import dumps
from typing import Any, TypeAlias, TypeVar

from attrs import define, field
from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from duvo_async._callbacks import OnHumanRequest, invoke
from duvo_async._converter import structure
from duvo_async.errors import DurableRunError, HumanRequestPending
from duvo_async.models import HumanAnswer, HumanRequest, Run, RunOutcome
from duvo_async.temporal.data import DurableRun
from duvo_async.temporal.failures import error_of
from duvo_async.temporal.workflow import MEMO, STALE, DuvoRunWorkflow

_T = TypeVar("_T")
Handle: TypeAlias = WorkflowHandle[DuvoRunWorkflow, Run]

INPUT = "input"
"""Under which a workflow's memo says what it was started with."""
_SHORTEST = 0.1
_LONGEST = 5.0
"""Seconds between two lists: more and more as long as nothing happens."""
_MISSES = 2
"""Lists that a workflow must be missing from: a list may be older than the workflow."""
_AT_ONCE = 16
_PASSING = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.ABORTED,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.UNKNOWN,
    }
)

_logger = logging.getLogger("duvo_async")


@define(eq=False)
class Followed:
    """A workflow that has no outcome yet.

    Attributes:
        index: The position of its input.
        handle: The workflow.
        digest: Of what it should have been started with.
        ended: Whether it is known to have ended.
        missed: The lists that it was missing from.
        brought: The request that was brought to the handler last. None before any was.
    """

    index: int
    handle: Handle
    digest: str
    ended: bool = False
    missed: int = 0
    brought: str | None = None


@define(eq=False)
class Batch:
    """The workflows of one call, and what became of them.

    Attributes:
        client: The client of Temporal.
        batch_id: What the workflows' ids begin with.
        on_human_request: Answers what runs ask. None leaves it to the outcomes.
        open: Those without an outcome, by the positions of their inputs.
        bell: Rings when there is something new.
    """

    client: Client
    batch_id: str
    on_human_request: OnHumanRequest | None
    open: dict[int, Followed] = field(factory=dict[int, Followed])
    bell: asyncio.Event = field(factory=asyncio.Event)
    _outcomes: list[RunOutcome] = field(factory=list[RunOutcome])
    _left: asyncio.Event = field(factory=asyncio.Event)
    _answering: "set[asyncio.Task[None]]" = field(factory=set["asyncio.Task[None]"])

    def handle(self, index: int) -> Handle:
        """Give the workflow of an input."""
        return self.client.get_workflow_handle_for(DuvoRunWorkflow.run, f"{self.batch_id}/{index}")

    def add(self, followed: Followed) -> None:
        """Follow a workflow."""
        self.open[followed.index] = followed

    def take(self) -> Sequence[RunOutcome]:
        """Take the new outcomes."""
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    async def room(self, most: int) -> None:
        """Wait until there is room for one more."""
        while len(self.open) >= most:
            self._left.clear()
            await self._left.wait()

    async def close(self) -> None:
        """End what the handlers do."""
        for task in self._answering:
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)

    async def follow(self) -> None:
        """Look how the workflows are getting on, for as long as it is not cancelled."""
        delay = _SHORTEST
        while True:
            known = len(self.open)
            waiting = [*self.open.values()]
            if waiting:
                running = await patiently(self._running)
                await self._judge(waiting, running)
            changed = len(self.open) != known
            delay = _SHORTEST if changed else min(delay * 1.5, _LONGEST)
            await asyncio.sleep(delay)

    async def _running(self) -> Mapping[int, WorkflowExecution]:
        prefix = f"{self.batch_id}/"
        query = f"WorkflowId STARTS_WITH '{prefix}' AND ExecutionStatus = 'Running'"
        found: dict[int, WorkflowExecution] = {}
        async for execution in self.client.list_workflows(query):
            number = execution.id.removeprefix(prefix)
            if number.isdecimal():
                found[int(number)] = execution
        return found

    async def _judge(
        self, waiting: Sequence[Followed], running: Mapping[int, WorkflowExecution]
    ) -> None:
        missing: list[Followed] = []
        for each in waiting:
            execution = running.get(each.index)
            if execution is None:
                each.missed += 1
                if each.ended or each.missed >= _MISSES:
                    missing.append(each)
            else:
                each.missed = 0
                await self._look(each, await execution.memo())
        room = asyncio.Semaphore(_AT_ONCE)

        async def settle(each: Followed) -> None:
            async with room:
                await patiently(lambda: self._settle(each))

        settled = await asyncio.gather(*map(settle, missing), return_exceptions=True)
        for problem in settled:
            if problem is not None:
                raise problem

    async def _settle(self, each: Followed) -> None:
        """Find what became of a workflow that no list shows as running."""
        try:
            description = await each.handle.describe()
        except RPCError as error:
            if not _is_gone(error):
                raise
            gone = DurableRunError("the workflow is no more", workflow_id=each.handle.id)
            self._finish(each, run=None, error=gone)
            return
        each.missed = 0
        memo = await description.memo()
        if self._is_another(each, memo) or description.status == WorkflowExecutionStatus.RUNNING:
            return
        try:
            self._finish(each, run=await each.handle.result())
        except WorkflowFailureError as failure:
            why = error_of(failure, workflow_id=each.handle.id)
            self._finish(each, run=_shown(memo), error=why)

    async def _look(self, each: Followed, memo: Mapping[str, Any]) -> None:
        """Look at the memo of a workflow that is running."""
        if self._is_another(each, memo):
            return
        run = _shown(memo)
        request = None if run is None else run.pending_human_request
        if run is None or request is None or request.id == each.brought:
            return
        each.brought = request.id
        if self.on_human_request is None:
            self._finish(each, run=run, human_request=request)
            return
        task = asyncio.create_task(self._bring(each, run, request, self.on_human_request))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _bring(
        self, each: Followed, run: Run, request: HumanRequest, on_human_request: OnHumanRequest
    ) -> None:
        try:
            answer = await invoke(on_human_request, HumanRequestPending(run, request))
            if answer is None:
                self._finish(each, run=run, human_request=request)
                return
            if not isinstance(answer, HumanAnswer):
                raise TypeError(f"on_human_request must return an answer or None, not {answer!r}")  # noqa: TRY301
            handle: Any = each.handle  # the types of its updates' arguments are not known
            given = [request.id, answer]
            await patiently(lambda: handle.execute_update(DuvoRunWorkflow.answer, args=given))
        except WorkflowUpdateFailedError as failure:
            cause = failure.cause
            if not isinstance(cause, ApplicationError) or cause.type != STALE:
                error = error_of(failure, workflow_id=each.handle.id)
                self._finish(each, run=run, error=error)
        except Exception as error:  # noqa: BLE001 - one run's trouble never ends the others
            if not _is_gone(error):
                self._finish(each, run=run, error=error)

    def _is_another(self, each: Followed, memo: Mapping[str, Any]) -> bool:
        if memo.get(INPUT) == each.digest:
            return False
        error = ValueError(
            f"workflow {each.handle.id!r} is of another agent or message: give this batch an id of "
            "its own"
        )
        self._finish(each, run=None, error=error)
        return True

    def _finish(
        self,
        each: Followed,
        *,
        run: Run | None,
        human_request: HumanRequest | None = None,
        error: Exception | None = None,
    ) -> None:
        if self.open.pop(each.index, None) is None:
            return
        outcome = RunOutcome(
            index=each.index,
            run_id=None if run is None else run.id,
            run=run,
            human_request=human_request,
            error=error,
        )
        self._outcomes.append(outcome)
        self._left.set()
        self.bell.set()


def digest_of(durable: DurableRun) -> str:
    """Tell one input from another, whatever else runs will be started with one day."""
    return sha256(dumps([durable.agent_id, durable.message]).encode()).hexdigest()[:32]


async def patiently(call: Callable[[], Awaitable[_T]]) -> _T:
    """Make a call to Temporal's server, again while it cannot be reached."""
    delay = _SHORTEST
    while True:
        try:
            return await call()
        except RPCError as error:
            if error.status not in _PASSING:
                raise
            _logger.warning("Temporal cannot be reached (%s): it is tried again", error.status.name)
        await asyncio.sleep(delay)
        delay = min(delay * 2, _LONGEST)


def _is_gone(error: Exception) -> bool:
    """Tell whether a workflow has ended, or there is none."""
    return isinstance(error, RPCError) and error.status == RPCStatusCode.NOT_FOUND


def _shown(memo: Mapping[str, Any]) -> Run | None:
    run = memo.get(MEMO)
    return None if run is None else structure(run, Run)
