"""What the API tells by webhook: a class for each kind of event.

    WebhookEvent                  name, id, created_at, body
    ├── RunEvent                  run_id, agent_id, status
    │   ├── RunStartedEvent, RunPausedEvent, RunCompletedEvent, RunFailedEvent, RunInterruptedEvent
    │   ├── RunMessageCreatedEvent, RunToolCallCompletedEvent, RunFileCreatedEvent
    │   └── HumanRequestCreatedEvent, HumanRequestRespondedEvent
    ├── CaseEvent                 case_id, queue_id
    │   └── CaseCreatedEvent, CaseClaimedEvent, CaseCompletedEvent
    ├── ConnectionEvent           connection_id
    │   └── ConnectionUpdatedEvent, ConnectionActionRequiredEvent
    ├── BuildPublishedEvent       agent_id, build_id
    └── UnknownEvent              run_id, if it has one

The API documents the bodies of a run's own webhooks ("Human-in-the-Loop Webhook", monitoring guide)
and only the names of a workspace's. So a run's event always has its `run_id`; what else it may have
is None where it was not sent, and `body` has all that was.
"""

from collections.abc import Mapping
from datetime import datetime

from attrs import field, frozen

from duvo_async.models import JSON, RunStatus


@frozen(kw_only=True)
class WebhookEvent:
    """Something that the API tells.

    Attributes:
        name: The event's name as the API spelled it, such as `run_completed` or `run.completed`.
        id: The event's id, the same when it is delivered again. None where none was sent.
        created_at: When it happened. None where that was not sent.
        body: All that was sent. It is no part of equality.
    """

    name: str
    id: str | None = None
    created_at: datetime | None = None
    body: Mapping[str, JSON] = field(factory=dict[str, JSON], repr=False, eq=False)


@frozen(kw_only=True)
class RunEvent(WebhookEvent):
    """Something that happened to a run.

    Attributes:
        run_id: The run's UUID.
        agent_id: UUID of its assignment. None where it was not sent.
        status: What the run was doing when this was sent. It may do something else by now:
            `runs.get` tells. None where it was not sent.
    """

    run_id: str
    agent_id: str | None = None
    status: RunStatus | None = None


@frozen(kw_only=True)
class RunStartedEvent(RunEvent):
    """A run has begun to work."""


@frozen(kw_only=True)
class RunPausedEvent(RunEvent):
    """A run waits for a person."""


@frozen(kw_only=True)
class RunCompletedEvent(RunEvent):
    """A run has done its work."""


@frozen(kw_only=True)
class RunFailedEvent(RunEvent):
    """A run could not do its work."""


@frozen(kw_only=True)
class RunInterruptedEvent(RunEvent):
    """A run was interrupted."""


@frozen(kw_only=True)
class RunMessageCreatedEvent(RunEvent):
    """A run said something, or was told something.

    Attributes:
        message_id: UUID of the message. None where it was not sent.
    """

    message_id: str | None = None


@frozen(kw_only=True)
class RunToolCallCompletedEvent(RunEvent):
    """A run has used a tool.

    Attributes:
        tool_call_id: The call's id. None where it was not sent.
        tool_name: The tool's name. None where it was not sent.
    """

    tool_call_id: str | None = None
    tool_name: str | None = None


@frozen(kw_only=True)
class RunFileCreatedEvent(RunEvent):
    """A run has made a file.

    Attributes:
        file_id: The file's id. None where it was not sent.
        path: Where it is. None where that was not sent.
    """

    file_id: str | None = None
    path: str | None = None


@frozen(kw_only=True)
class HumanRequestCreatedEvent(RunEvent):
    """A run asks a person; `runs.get` has the whole request.

    Attributes:
        request_id: UUID of the request. None where it was not sent.
        title: What it is about. None where that was not sent.
        description: The request in full. None where there is none.
    """

    request_id: str | None = None
    title: str | None = None
    description: str | None = None


@frozen(kw_only=True)
class HumanRequestRespondedEvent(RunEvent):
    """A person has answered a run's request.

    Attributes:
        request_id: UUID of the request. None where it was not sent.
    """

    request_id: str | None = None


@frozen(kw_only=True)
class CaseEvent(WebhookEvent):
    """Something that happened to a case.

    Attributes:
        case_id: The case's UUID. None where it was not sent.
        queue_id: UUID of its queue. None where it was not sent.
    """

    case_id: str | None = None
    queue_id: str | None = None


@frozen(kw_only=True)
class CaseCreatedEvent(CaseEvent):
    """A case came into a queue."""


@frozen(kw_only=True)
class CaseClaimedEvent(CaseEvent):
    """Somebody took a case to work on it."""


@frozen(kw_only=True)
class CaseCompletedEvent(CaseEvent):
    """A case is done."""


@frozen(kw_only=True)
class ConnectionEvent(WebhookEvent):
    """Something that happened to a connection to another system.

    Attributes:
        connection_id: The connection's id. None where it was not sent.
    """

    connection_id: str | None = None


@frozen(kw_only=True)
class ConnectionUpdatedEvent(ConnectionEvent):
    """A connection was changed."""


@frozen(kw_only=True)
class ConnectionActionRequiredEvent(ConnectionEvent):
    """A connection needs somebody, for example to sign in again."""


@frozen(kw_only=True)
class BuildPublishedEvent(WebhookEvent):
    """A build of an assignment was published.

    Attributes:
        agent_id: UUID of the assignment. None where it was not sent.
        build_id: UUID of the build. None where it was not sent.
    """

    agent_id: str | None = None
    build_id: str | None = None


@frozen(kw_only=True)
class UnknownEvent(WebhookEvent):
    """An event that this version of the SDK has no class for; `body` has all of it.

    Attributes:
        run_id: UUID of the run that it is about. None where none was sent.
    """

    run_id: str | None = None
