"""Runs: one execution of an assignment."""

from datetime import datetime
from typing import Self

from attrs import frozen

from duvo_async.errors import HumanRequestPending, RunFailed
from duvo_async.models._open_enum import OpenEnum
from duvo_async.models.evaluations import Evaluation
from duvo_async.models.human_requests import HumanRequest


class RunStatus(OpenEnum):
    """What a run is doing. A word that this SDK does not know is accepted and is not terminal."""

    NOT_STARTED = "not_started"
    PENDING = "pending"
    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    STOPPED = "stopped"
    CANCELED = "canceled"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether a run in this status has ended (a message may still resume some of them)."""
        return self in _TERMINAL


# The API's documents disagree on the last words (API reference: "stopped", retry guidance:
# "canceled", monitoring guide: "interrupted"), so that all of them count.
_TERMINAL = frozenset(
    {
        RunStatus.COMPLETED,
        RunStatus.FAILED,
        RunStatus.INTERRUPTED,
        RunStatus.STOPPED,
        RunStatus.CANCELED,
        RunStatus.CANCELLED,
    }
)


@frozen(kw_only=True)
class Run:
    """One execution of an assignment, as the API described it at one moment.

    Attributes:
        id: The run's UUID.
        agent_id: UUID of the assignment.
        build_id: UUID of the build that it runs.
        status: What it is doing.
        source: What started it, for example `api`. None when the API does not say.
        sandbox_id: The sandbox with its files. None when it has none.
        started_at: When it began to work. None before that.
        completed_at: When it ended. None before that.
        created_at: When it was asked for.
        updated_at: When it last changed.
        human_in_the_loop_enabled: Whether it may ask a person.
        pending_human_request: What it waits for a person to say. None when it waits for nobody, or
            when the API did not send it.
    """

    id: str
    agent_id: str
    build_id: str
    status: RunStatus
    source: str | None
    sandbox_id: str | None
    started_at: datetime | None
    completed_at: datetime | None
    created_at: datetime
    updated_at: datetime
    human_in_the_loop_enabled: bool
    pending_human_request: HumanRequest | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended."""
        return self.status.is_terminal

    @property
    def succeeded(self) -> bool:
        """Whether it completed."""
        return self.status == RunStatus.COMPLETED

    def raise_for_status(self) -> Self:
        """Insist that the run completed.

        Returns:
            The run itself, so that the call can end a chain.

        Raises:
            RunFailed: In any status but `completed`, unfinished ones included.
        """
        if not self.succeeded:
            raise RunFailed(self)
        return self


@frozen(kw_only=True)
class FollowedRun:
    """A run as a list of runs shows it, as far as those who wait for runs read it.

    Attributes:
        id: The run's UUID.
        agent_id: UUID of the assignment.
        build_id: UUID of the build that it runs.
        status: What it is doing.
        started_at: When it began to work. None before that.
        completed_at: When it ended. None before that.
        created_at: When it was asked for.
        updated_at: When it last changed.
        source: What started it, for example `api`. None when the API does not say.
        title: What the API calls it. None when it has no name.
    """

    id: str
    agent_id: str
    build_id: str
    status: RunStatus
    started_at: datetime | None
    completed_at: datetime | None
    created_at: datetime
    updated_at: datetime
    source: str | None = None
    title: str | None = None


@frozen(kw_only=True)
class RunSummary(FollowedRun):
    """A run as a list of runs shows it.

    Attributes:
        id: The run's UUID.
        agent_id: UUID of the assignment.
        build_id: UUID of the build that it runs.
        status: What it is doing.
        started_at: When it began to work. None before that.
        completed_at: When it ended. None before that.
        created_at: When it was asked for.
        updated_at: When it last changed.
        source: What started it, for example `api`. None when the API does not say.
        title: What the API calls it. None when it has no name.
        run_number: Its number among the runs of its agent. None when the API does not say.
        agent_name: The agent's name. None when the API does not say.
        user_id: UUID of the person whose run it is. None when it is nobody's.
        case_queue_item_id: UUID of the case that it works on. None when it works on none.
        case_title: That case's title. None when it works on none.
        case_queue_id: UUID of the queue that has the case. None when it works on none.
        case_queue_name: That queue's name. None when it works on none.
        postponed_to: When its case is to be taken up again. None when it is not postponed.
        submitted_prompt_count: How many messages people gave it. None when the API does not say.
        eval_summaries: How its work was judged. None when it was not.
    """

    run_number: int | None = None
    agent_name: str | None = None
    user_id: str | None = None
    case_queue_item_id: str | None = None
    case_title: str | None = None
    case_queue_id: str | None = None
    case_queue_name: str | None = None
    postponed_to: datetime | None = None
    submitted_prompt_count: int | None = None
    eval_summaries: Evaluation | None = None


@frozen(kw_only=True)
class RunOutcome:
    """What became of one of many runs.

    Attributes:
        index: The position of its input, from 0.
        run_id: The run's UUID. None when it was not started.
        run: The run as it was last seen. None when it never was.
        human_request: What it waits for a person to say. None when it waits for nobody.
        error: What went wrong with starting it, waiting for it or answering it. None when it has
            ended, in whatever status, or waits for a person.
    """

    index: int
    run_id: str | None
    run: Run | None
    human_request: HumanRequest | None = None
    error: Exception | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the run completed."""
        return self.error is None and self.run is not None and self.run.succeeded

    def raise_for_status(self) -> Run:
        """Insist that the run completed.

        Returns:
            The run.

        Raises:
            HumanRequestPending: It waits for a person.
            RunFailed: It ended in another status.
            Exception: What went wrong instead.
        """
        if self.error is not None:
            raise self.error
        if self.run is None:
            raise AssertionError("an outcome has a run or an error")  # pragma: no cover
        if self.human_request is not None:
            raise HumanRequestPending(self.run, self.human_request)
        return self.run.raise_for_status()


@frozen(kw_only=True)
class StopResult:
    """What the API said to a request to stop a run.

    Attributes:
        success: Whether the API accepted it. Stopping a run that is not running does nothing.
        message: The API's explanation. None when it gave none.
    """

    success: bool
    message: str | None = None
