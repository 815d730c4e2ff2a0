"""What happened to a case: its events, the approvals that it waited for, and its runs."""

from datetime import datetime

from attrs import frozen

from duvo_async.models._open_enum import OpenEnum
from duvo_async.models.cases import Case
from duvo_async.models.evaluations import Evaluation
from duvo_async.models.runs import RunStatus


@frozen(kw_only=True)
class CaseEvent:
    """Something that happened to a case.

    Attributes:
        id: The event's UUID.
        type: The API's word for what it was.
        created_at: When it happened.
        case_queue_item_id: UUID of the case. None when the API does not say.
        agent_run_id: UUID of the run that did it. None when no run did.
        agent_id: UUID of that run's agent. None when no run did it.
        agent_name: That agent's name. None when no run did it.
        human_request_id: UUID of the request to a person. None when there was none.
        human_request_title: The request's title. None when there was none.
        reason: Why it happened. None when the API does not say.
        user_id: UUID of the person who did it. None when no person did.
        user_name: The person's name. None when no person did it, or the API does not say.
        user_email: The person's e-mail address. None as for the name.
    """

    id: str
    type: str
    created_at: datetime
    case_queue_item_id: str | None = None
    agent_run_id: str | None = None
    agent_id: str | None = None
    agent_name: str | None = None
    human_request_id: str | None = None
    human_request_title: str | None = None
    reason: str | None = None
    user_id: str | None = None
    user_name: str | None = None
    user_email: str | None = None


class ApprovalDecision(OpenEnum):
    """What a person said to an approval."""

    APPROVED = "approved"
    REJECTED = "rejected"


@frozen(kw_only=True)
class ApprovalRow:
    """One person's part of a batch of approvals.

    Attributes:
        id: The row's UUID.
        assignee_user_id: UUID of the person who is asked.
        prompt: What the person is asked.
        assignee_name: The person's name. None when the API does not say.
        assignee_email: The person's e-mail address. None when the API does not say.
        decision: What was said. None as long as nothing was.
        responded_at: When it was said. None as long as nothing was.
        responded_by_user_id: UUID of the person who said it. None as long as nobody did.
        responded_by_name: That person's name. None as long as nobody did.
        responded_by_email: That person's e-mail address. None as long as nobody did.
        cancelled_at: When it was called off. None when it was not.
        cancellation_reason: Why it was called off. None when it was not, or for no reason.
    """

    id: str
    assignee_user_id: str
    prompt: str
    assignee_name: str | None = None
    assignee_email: str | None = None
    decision: ApprovalDecision | None = None
    responded_at: datetime | None = None
    responded_by_user_id: str | None = None
    responded_by_name: str | None = None
    responded_by_email: str | None = None
    cancelled_at: datetime | None = None
    cancellation_reason: str | None = None


@frozen(kw_only=True)
class ApprovalBatch:
    """Approvals that a case waits for, or waited for.

    Attributes:
        id: The batch's UUID.
        agent_run_id: UUID of the run that asked.
        title: What it is about.
        created_at: When the run asked.
        case_queue_item_id: UUID of the case. None when the API does not say.
        resolved_at: When the last person had answered. None before that.
        cancelled_at: When it was called off. None when it was not.
        cancellation_reason: Why it was called off. None when it was not, or for no reason.
        rows: Who is asked, and what was said.
    """

    id: str
    agent_run_id: str
    title: str
    created_at: datetime
    case_queue_item_id: str | None = None
    resolved_at: datetime | None = None
    cancelled_at: datetime | None = None
    cancellation_reason: str | None = None
    rows: tuple[ApprovalRow, ...] = ()


@frozen(kw_only=True)
class CaseHistory:
    """A case and what happened to it.

    Attributes:
        case: The case.
        events: What happened to it.
        approval_batches: The approvals that it waits for, or waited for.
    """

    case: Case
    events: tuple[CaseEvent, ...] = ()
    approval_batches: tuple[ApprovalBatch, ...] = ()


@frozen(kw_only=True)
class CaseRun:
    """A run that took a case, or had it handed over.

    Attributes:
        id: The run's UUID.
        agent_id: UUID of its agent.
        status: What it is doing.
        created_at: When it was asked for.
        agent_name: The agent's name. None when the API does not say.
        case_queue_item_id: UUID of the case. None when the API does not say.
        source: What started it. None when the API does not say.
        started_at: When it began to work. None before that.
        completed_at: When it ended. None before that.
        claimed_at: When it took the case. None when the API does not say.
        has_pending_human_request: Whether it waits for a person.
        pending_human_request_title: What it asks. None when it waits for nobody.
        evaluation: How its work was judged. None when the API does not say.
        user_id: UUID of the person whose run it is. None when the API does not say.
        user_name: The person's name. None when the API does not say.
        user_email: The person's e-mail address. None when the API does not say.
    """

    id: str
    agent_id: str
    status: RunStatus
    created_at: datetime
    agent_name: str | None = None
    case_queue_item_id: str | None = None
    source: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    claimed_at: datetime | None = None
    has_pending_human_request: bool = False
    pending_human_request_title: str | None = None
    evaluation: Evaluation | None = None
    user_id: str | None = None
    user_name: str | None = None
    user_email: str | None = None
