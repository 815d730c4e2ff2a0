"""Queues: where cases wait for runs, and the agents that put them there and work them off."""

from datetime import datetime

from attrs import frozen

from duvo_async.models._open_enum import OpenEnum


@frozen(kw_only=True)
class Queue:
    """A queue of cases.

    Attributes:
        id: The queue's UUID.
        name: Its name.
        created_at: When it was made.
        description: What it is for. None when it has no description.
        folder_id: UUID of the folder that it is in. None when it is in none.
        automation_id: UUID of the automation that it belongs to. None when it belongs to none.
        team_id: The team that has it. None when the API does not say.
        has_approvals: Whether people are asked to approve its cases.
    """

    id: str
    name: str
    created_at: datetime
    description: str | None = None
    folder_id: str | None = None
    automation_id: str | None = None
    team_id: str | None = None
    has_approvals: bool = False


@frozen(kw_only=True)
class QueueDeletion:
    """What went with a queue.

    Attributes:
        deleted_case_count: How many cases it had.
        interrupted_run_ids: UUIDs of the runs that were working on them.
    """

    deleted_case_count: int
    interrupted_run_ids: tuple[str, ...] = ()


class QueueProblem(OpenEnum):
    """What may be wrong with how an agent uses a queue."""

    MULTIPLE_TRIGGERS = "multiple_triggers"
    PRODUCER_CONSUMER_MIX = "producer_consumer_mix"


@frozen(kw_only=True)
class QueueProducer:
    """An agent that puts cases into a queue.

    Attributes:
        agent_id: The agent's UUID.
        agent_name: Its name.
        case_trigger_enabled: Whether cases of some queue start runs of it.
        case_trigger_queue_name: That queue's name. None when there is none.
        problems: What may be wrong with it.
    """

    agent_id: str
    agent_name: str
    case_trigger_enabled: bool = False
    case_trigger_queue_name: str | None = None
    problems: tuple[QueueProblem, ...] = ()


@frozen(kw_only=True)
class QueueConsumer:
    """An agent that works the cases of a queue off.

    Attributes:
        agent_id: The agent's UUID.
        agent_name: Its name.
        case_trigger_enabled: Whether the queue's cases start runs of it.
        is_handover_target: Whether other agents hand cases over to it.
        problems: What may be wrong with it.
        concurrency_limit: How many cases it works on at a time. None when the API does not say.
        at_concurrency_limit: Whether it does so now. None when the API does not say.
    """

    agent_id: str
    agent_name: str
    case_trigger_enabled: bool = False
    is_handover_target: bool = False
    problems: tuple[QueueProblem, ...] = ()
    concurrency_limit: int | None = None
    at_concurrency_limit: bool | None = None


@frozen(kw_only=True)
class QueueAgents:
    """The agents that use a queue.

    Attributes:
        queue_name: The queue's name.
        producers: Those that put cases into it.
        consumers: Those that work its cases off.
    """

    queue_name: str
    producers: tuple[QueueProducer, ...] = ()
    consumers: tuple[QueueConsumer, ...] = ()
