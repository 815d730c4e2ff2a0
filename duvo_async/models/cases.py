"""Cases: the items of work in a queue."""

from collections.abc import Collection
from datetime import datetime

from attrs import frozen

from duvo_async.models._open_enum import OpenEnum
from duvo_async.models.evaluations import Evaluation
from duvo_async.models.labels import Label, Labels


class CaseStatus(OpenEnum):
    """What became of a case."""

    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"


class CaseDisplayStatus(OpenEnum):
    """Where a case stands, in more words than its status."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    NEEDS_INPUT = "needs_input"
    POSTPONED = "postponed"
    COMPLETED = "completed"
    FAILED = "failed"


class CasePriority(OpenEnum):
    """Which cases are worked off first."""

    NONE = "none"
    MEDIUM = "medium"
    HIGH = "high"


@frozen(kw_only=True)
class MatchSnippet:
    """Where the data of a case has what was searched for.

    Attributes:
        before: What stands before it.
        match: What was found.
        after: What stands after it.
    """

    before: str
    match: str
    after: str


@frozen(kw_only=True)
class Case:
    """An item of work in a queue, as the API described it at one moment.

    Attributes:
        id: The case's UUID.
        queue_id: UUID of the queue that it is in.
        title: Its title.
        status: What became of it.
        created_at: When it was made.
        updated_at: When it last changed.
        data: What an agent is to know of it; empty for nothing.
        priority: How urgent it is.
        display_status: Where it stands. None when the API does not say.
        labels: Its labels.
        claimed_at: When a run took it. None when none has it.
        claimed_by_run_id: UUID of that run. None when none has it.
        completed_at: When it was completed. None before that.
        postponed_to: When it is to be taken up again. None when it is not postponed.
        created_by_user_id: UUID of the person who made it. None when the API does not say.
        created_by_user_name: The person's name. None when the API does not say.
        created_by_user_email: The person's e-mail address. None when the API does not say.
        agent_run_status: What its run is doing. None when it has none.
        agent_run_user_id: UUID of the person whose run that is. None when the API does not say.
        pending_human_request_id: UUID of the request that its run waits for. None for none.
        pending_approval_batch_id: UUID of the approvals that it waits for. None for none.
        pending_approval_assignee_user_ids: UUIDs of the people who are to approve it.
        approval_approved_count: How many have approved it.
        approval_rejected_count: How many have rejected it.
        eval_summary: How the work on it was judged. None when it was not.
        search_match_data_snippet: Where its data has what was searched for. None when that is not
            there, or nothing was searched for.
    """

    id: str
    queue_id: str
    title: str
    status: CaseStatus
    created_at: datetime
    updated_at: datetime
    data: str = ""
    priority: CasePriority = CasePriority.NONE
    display_status: CaseDisplayStatus | None = None
    labels: tuple[Label, ...] = ()
    claimed_at: datetime | None = None
    claimed_by_run_id: str | None = None
    completed_at: datetime | None = None
    postponed_to: datetime | None = None
    created_by_user_id: str | None = None
    created_by_user_name: str | None = None
    created_by_user_email: str | None = None
    agent_run_status: str | None = None
    agent_run_user_id: str | None = None
    pending_human_request_id: str | None = None
    pending_approval_batch_id: str | None = None
    pending_approval_assignee_user_ids: tuple[str, ...] = ()
    approval_approved_count: int = 0
    approval_rejected_count: int = 0
    eval_summary: Evaluation | None = None
    search_match_data_snippet: MatchSnippet | None = None


@frozen(kw_only=True)
class NewCase:
    """A case that is to be made.

    Attributes:
        title: Its title, of 500 characters at most (API reference, "Create Cases").
        data: What an agent is to know of it. None for nothing.
        labels: Its labels, 50 at most; the queue's missing ones are made. A mapping has for each
            key its value or values; a sequence has values without a key, or labels of other cases.
        priority: How urgent it is. None for not at all.
    """

    title: str
    data: str | None = None
    labels: Labels = ()
    priority: CasePriority | str | None = None


@frozen(kw_only=True)
class CaseFilter:
    """Which cases of a queue are meant: those that fit all that is given.

    Attributes:
        status: One of `pending`, `claimed`, `completed`, `failed`, `needs_input` and `postponed`,
            or several of them. None for any.
        priority: One of `none`, `medium` and `high`, or several of them. None for any.
        search: What their title or data has. None for anything.
        labels: For each key its value, or the values of which they have one. None for any.
        created_at_from: The earliest time at which they were made. None for any.
        updated_at_from: The earliest time at which they last changed. None for any.
        everything: True for all cases of the queue, which must be said: a filter that has no
            condition is refused where it chooses what is changed.
    """

    status: str | Collection[str] | None = None
    priority: str | Collection[str] | None = None
    search: str | None = None
    labels: Labels | None = None
    created_at_from: datetime | None = None
    updated_at_from: datetime | None = None
    everything: bool = False


@frozen(kw_only=True)
class CaseDeletion:
    """What a deletion of cases did.

    Attributes:
        deleted_count: How many cases were deleted.
        interrupted_run_ids: UUIDs of the runs that were working on them.
    """

    deleted_count: int
    interrupted_run_ids: tuple[str, ...] = ()


@frozen(kw_only=True)
class CaseReprocessing:
    """What a reprocessing of cases did.

    Attributes:
        reprocessed_count: How many cases wait for a run again.
        skipped_count: How many were left as they are.
    """

    reprocessed_count: int
    skipped_count: int = 0


@frozen(kw_only=True)
class CaseUpdate:
    """What a change of many cases did.

    Attributes:
        updated_count: How many cases were changed.
        skipped_count: How many were left as they are.
        interrupted_run_ids: UUIDs of the runs that were working on them.
    """

    updated_count: int
    skipped_count: int = 0
    interrupted_run_ids: tuple[str, ...] = ()
