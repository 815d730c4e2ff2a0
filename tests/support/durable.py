"""A run that asks something, as durable runs keep it."""

from datetime import UTC, datetime

from duvo_async import HumanRequest, Question, QuestionOption, Run, RunStatus
from duvo_async.models import HumanRequestType

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
REQUEST = HumanRequest(
    id="q1",
    title="Which?",
    description=None,
    created_at=NOON,
    type=HumanRequestType.QUESTION,
    questions=(
        Question(question="Book?", header=None, options=(QuestionOption(label="A"),)),
        Question(question="Why?", multi_select=True),
    ),
)
RUN = Run(
    id="r1",
    agent_id="a1",
    build_id="b1",
    status=RunStatus.WAITING,
    source="api",
    sandbox_id=None,
    started_at=NOON,
    completed_at=None,
    created_at=NOON,
    updated_at=NOON,
    human_in_the_loop_enabled=True,
    pending_human_request=REQUEST,
)
