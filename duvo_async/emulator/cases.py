"""A case: what it says, where it stands and what became of it, and how the API shows it."""

import re
from collections.abc import Mapping
from uuid import UUID, uuid5

from attrs import define, field, frozen

from duvo_async.emulator.exchange import optional_timestamp, timestamp
from duvo_async.emulator.labels import Label
from duvo_async.emulator.runs import HumanRequest, Run
from duvo_async.emulator.teams import User

PRIORITIES = ("none", "medium", "high")
_SETTLED = frozenset({"completed", "failed"})
_SNIPPET_MARGIN = 40
"""How many characters a search shows on either side of what it found."""

_LISTED_STATUSES = {"stopped": "interrupted", "canceled": "interrupted"}
"""Statuses of runs that lists of a case's runs have no word for."""


@frozen
class CaseEntry:
    """A case as it stands, for assertions.

    Attributes:
        id: The case's id.
        title: Its title.
        data: Its data.
        status: `pending`, `completed` or `failed`.
        priority: `none`, `medium` or `high`.
        display_status: The status in more words, such as `in_progress` and `needs_input`.
    """

    id: str
    title: str
    data: str
    status: str
    priority: str
    display_status: str


@frozen
class CaseEvent:
    """Something that happened to a case.

    Attributes:
        type: What it was.
        at: When it happened, in Unix seconds.
        run: The run that did it; None for none.
        request: The run's request to a person; None for none.
        reason: Why it happened; None for no particular reason.
        user: The person who did it; None for none.
    """

    type: str
    at: float
    run: Run | None = None
    request: HumanRequest | None = None
    reason: str | None = None
    user: User | None = None


@define(eq=False)
class Case:
    """One case. Times are in Unix seconds.

    Attributes:
        id: The case's id.
        number: Its place among all cases that ever were.
        queue_id: Its queue.
        title: Its title.
        data: What an agent is to know of it; empty for nothing.
        priority: Its priority.
        creator: Who created it.
        created_at: When it was created.
        updated_at: When it last changed.
        change: Tells its last change from all other changes in its queue.
        state: What the API calls its display status.
        ticket: Its place among the cases that wait for a run; None when it does not wait.
        assignee: The agent that is to run it; None for any of its queue's.
        run: The run that claimed it last; None when no run has a part in where it stands.
        claimed_at: When that run claimed it.
        completed_at: When it was completed; None while it is not.
        labels: Its labels.
        events: What happened to it, oldest first.
    """

    id: str
    number: int
    queue_id: str
    title: str
    data: str
    priority: str
    creator: User
    created_at: float
    updated_at: float
    change: int = 0
    state: str = "pending"
    ticket: int | None = None
    assignee: str | None = None
    run: Run | None = None
    claimed_at: float | None = None
    completed_at: float | None = None
    labels: tuple[Label, ...] = ()
    events: list[CaseEvent] = field(factory=list[CaseEvent])

    @property
    def status(self) -> str:
        """Its status in the API's few words."""
        return self.state if self.state in _SETTLED else "pending"

    def as_entry(self) -> CaseEntry:
        """How assertions see it."""
        return CaseEntry(self.id, self.title, self.data, self.status, self.priority, self.state)

    def as_shown(self) -> dict[str, object]:
        """How the API shows it."""
        run, creator = self.run, self.creator
        pending = None if run is None else run.pending
        return {
            "id": self.id,
            "queue_id": self.queue_id,
            "title": self.title,
            "data": self.data,
            "status": self.status,
            "priority": self.priority,
            "display_status": self.state,
            "claimed_at": optional_timestamp(self.claimed_at),
            "claimed_by_run_id": None if run is None else run.id,
            "completed_at": optional_timestamp(self.completed_at),
            "postponed_to": None,
            "created_at": timestamp(self.created_at),
            "updated_at": timestamp(self.updated_at),
            "created_by_user_id": creator.id,
            "created_by_user_name": creator.name,
            "created_by_user_email": creator.email,
            "agent_run_status": None if run is None else run.status,
            "agent_run_user_id": None,
            "pending_human_request_id": None if pending is None else pending.id,
            "pending_approval_batch_id": None,
            "pending_approval_assignee_user_ids": [],
            "approval_approved_count": 0,
            "approval_rejected_count": 0,
            "eval_summary": None,
            "labels": [label.as_shown() for label in self.labels],
        }

    def as_found(self, text: str) -> dict[str, object]:
        """How the API shows it in the results of a search."""
        found = re.search(re.escape(text), self.data, re.IGNORECASE) if text else None
        if found is None:
            return self.as_shown()
        start, end = found.span()
        snippet = {
            "before": self.data[max(start - _SNIPPET_MARGIN, 0) : start],
            "match": found.group(),
            "after": self.data[end : end + _SNIPPET_MARGIN],
        }
        return {**self.as_shown(), "search_match_data_snippet": snippet}

    def events_as_shown(self) -> list[Mapping[str, object]]:
        """How the API shows what happened to it."""
        return [self._show_event(place, event) for place, event in enumerate(self.events)]

    def _show_event(self, place: int, event: CaseEvent) -> Mapping[str, object]:
        run, request, user = event.run, event.request, event.user
        return {
            "id": str(uuid5(UUID(self.id), f"event {place}")),
            "case_queue_item_id": self.id,
            "agent_run_id": None if run is None else run.id,
            "human_request_id": None if request is None else request.id,
            "type": event.type,
            "reason": event.reason,
            "created_at": timestamp(event.at),
            "agent_id": None if run is None else run.agent.id,
            "agent_name": None if run is None else run.agent.name,
            "user_id": None if user is None else user.id,
            "user_name": None if user is None else user.name,
            "user_email": None if user is None else user.email,
            "human_request_title": None if request is None else request.ask.title,
        }

    def show_run(self, run: Run, claimed_at: float) -> Mapping[str, object]:
        """How the API shows a run that took it."""
        pending = run.pending
        return {
            "id": run.id,
            "case_queue_item_id": self.id,
            "agent_id": run.agent.id,
            "agent_name": run.agent.name,
            "status": _LISTED_STATUSES.get(run.status, run.status),
            "source": run.source,
            "created_at": timestamp(run.created_at),
            "started_at": optional_timestamp(run.started_at),
            "completed_at": optional_timestamp(run.completed_at),
            "claimed_at": timestamp(claimed_at),
            "has_pending_human_request": pending is not None,
            "pending_human_request_title": None if pending is None else pending.ask.title,
            "evaluation": {"passed": 0, "total": 0, "status": "unavailable"},
            "user_id": None,
            "user_name": None,
            "user_email": None,
        }
