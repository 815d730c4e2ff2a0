"""What workflows and activities are given: one object each, so that it can have more fields later.

Histories outlive versions: a field that is added needs a default, and none may change its meaning.
"""

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

from attrs import Attribute, evolve, field, frozen
from attrs.validators import in_

from duvo_async.models import HumanAnswer, Run
from duvo_async.settings import check_seconds

OnCancel: TypeAlias = Literal["stop", "leave"]
"""What becomes of a run whose workflow is cancelled."""

HEARTBEAT_TIMEOUT = 60.0
"""Seconds after which a worker that is not heard of is taken for dead."""


def _seconds(_: object, attribute: "Attribute[Any]", value: float | None) -> None:
    if value is not None:
        check_seconds(attribute.name, value)


def _paths(files: Iterable[str]) -> tuple[str, ...]:
    if isinstance(files, str):
        raise TypeError("files must be many, not one str: put it in a list")
    return tuple(files)


@frozen(kw_only=True)
class DurableRun:
    """A run that is started and waited for by a workflow, `DuvoRunWorkflow`.

    It is kept in the workflow's history, in the open unless the client of Temporal has a codec.

    Attributes:
        agent_id: The assignment's UUID.
        message: What to tell it at its start. None tells it nothing.
        sandbox_id: A sandbox with files for it, which `files` are put into. None gives it none, or
            a new one if there are files.
        files: Paths of files, folders and patterns on the worker's disk, to be uploaded before the
            start. Empty uploads nothing.
        webhook_url: Where the API posts the run's events. None posts them to the `public_url` of
            the worker's client, if it has one.
        idempotency_key: Workflows with the same key start one run. None makes one of the workflow's
            namespace and id, so that a workflow that is retried or reset finds the run that there
            is. So does another one that is given its id later, for as long as the API remembers
            keys: it needs a key of its own to start a run anew.
        on_cancel: What becomes of the run when the workflow is cancelled: `stop` stops it, `leave`
            lets it go on. `stop` by default, for which a start that is under way, or waits for its
            turn, is made all the same: else a run might go on that nobody knows.
        timeout: Seconds to wait for the run, from its start. Then the workflow fails with a
            `WaitTimeout`, and the run goes on. None, by default, waits for ever.
        heartbeat_timeout: Seconds after which a worker that is not heard of is taken for dead, and
            another one goes on; 60 by default. A cancellation reaches a worker in as many.

    Raises:
        ValueError: A time is not positive, or `on_cancel` is another word.
        TypeError: `files` is a single text, or a time is no number.
    """

    agent_id: str
    message: str | None = None
    sandbox_id: str | None = None
    files: tuple[str, ...] = field(default=(), converter=_paths)
    webhook_url: str | None = None
    idempotency_key: str | None = None
    on_cancel: OnCancel = field(default="stop", validator=in_(("stop", "leave")))
    timeout: float | None = field(default=None, validator=_seconds)
    heartbeat_timeout: float = field(default=HEARTBEAT_TIMEOUT, validator=_seconds)


@frozen(kw_only=True)
class UploadFiles:
    """What the activity `upload` is given.

    Attributes:
        files: Paths of files, folders and patterns on the worker's disk.
        idempotency_key: The key with which a sandbox is made. It is made once.
        sandbox_id: The sandbox that they are put into. None makes one.
    """

    files: tuple[str, ...]
    idempotency_key: str
    sandbox_id: str | None = None


@frozen(kw_only=True)
class StartRun:
    """What the activity `start` is given.

    Attributes:
        agent_id: The assignment's UUID.
        idempotency_key: The key with which the run is started. It is started once.
        message: What to tell it. None tells it nothing.
        sandbox_id: A sandbox with files for it. None gives it none.
        webhook_url: Where the API posts the run's events. None leaves that to the client.
    """

    agent_id: str
    idempotency_key: str
    message: str | None = None
    sandbox_id: str | None = None
    webhook_url: str | None = None


@frozen(kw_only=True)
class WaitForRun:
    """What the activity `wait` is given.

    Attributes:
        run_id: The run's UUID.
        asked: The request that it is known to wait for. None when it waits for nobody.
        answered: A request that was answered, which the API may show for a moment longer. None when
            there is none.
    """

    run_id: str
    asked: str | None = None
    answered: str | None = None


@frozen(kw_only=True)
class AnswerRequest:
    """What the activity `answer` is given.

    Attributes:
        run_id: The run's UUID.
        answer: The answer, which names the request.
        idempotency_key: The key with which it is sent. It is given once.
    """

    run_id: str
    answer: HumanAnswer
    idempotency_key: str


@frozen(kw_only=True)
class StopRun:
    """What the activity `stop` is given.

    Attributes:
        run_id: The run's UUID.
        idempotency_key: The key with which it is stopped.
    """

    run_id: str
    idempotency_key: str


def asked_by(run: Run) -> str | None:
    """Tell which request a run waits for."""
    request = run.pending_human_request
    return None if request is None else request.id


def without_request(run: Run, answered: str | None) -> Run:
    """Take a request out of a run that was answered, and that the API may still show."""
    if answered is None or asked_by(run) != answered:
        return run
    return evolve(run, pending_human_request=None)
