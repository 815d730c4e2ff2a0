"""Errors on their way through Temporal, and what they were before."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, cast

from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from duvo_async import errors
from duvo_async._converter import DecodeProblem, structure, unstructure
from duvo_async._retry import is_transient
from duvo_async.errors import (
    APIError,
    APIStatusError,
    AuthenticationError,
    ClientClosedError,
    DurableRunError,
    DuvoError,
    ResponseDecodeError,
)
from duvo_async.models import HumanRequest, Run

_MODELS: Mapping[str, Any] = {"run": Run, "request": HumanRequest}
"""The facts of errors that are models, by their names."""
_ARGUMENTS: Mapping[str, type[Exception]] = {"ValueError": ValueError, "TypeError": TypeError}


def failure_of(error: Exception) -> ApplicationError:
    """Make the failure of an activity.

    Args:
        error: What went wrong: one of the SDK's errors, or a wrong argument.

    Returns:
        What Temporal keeps: the error's class, text and facts. It is tried again if that may help.
    """
    asked = error.retry_after if isinstance(error, APIStatusError) else None
    return ApplicationError(
        str(error),
        {"args": list(error.args), "facts": unstructure(vars(error))},
        type=type(error).__name__,
        non_retryable=not _may_pass(error),
        next_retry_delay=None if asked is None else timedelta(seconds=asked),
    )


def _may_pass(error: Exception) -> bool:
    # A key is replaced, and an answer understood by the next version, while the workflow waits.
    passing = (AuthenticationError, ClientClosedError, ResponseDecodeError)
    return isinstance(error, passing) or (isinstance(error, APIError) and is_transient(error))


def error_of(
    failure: WorkflowFailureError | WorkflowUpdateFailedError, *, workflow_id: str | None = None
) -> Exception:
    """Tell what made a durable run fail, or an answer to it.

    Args:
        failure: What Temporal's client raised for the workflow's result, or for an update.
        workflow_id: The workflow's id, for the error. None when it is not known.

    Returns:
        The SDK's error with its facts, as the activity met it, or the `ValueError` or `TypeError`
        of a wrong argument; else a `DurableRunError`.
    """
    for cause in _causes(failure):
        if isinstance(cause, ApplicationError) and (error := _restored(cause)) is not None:
            return error
    *_, last = _causes(failure)
    return DurableRunError(str(last) or type(last).__name__, workflow_id=workflow_id)


def _causes(failure: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = failure
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _restored(failure: ApplicationError) -> Exception | None:
    name = failure.type or ""
    kind = _ARGUMENTS.get(name) or getattr(errors, name, None)
    if not isinstance(kind, type) or not issubclass(kind, (DuvoError, ValueError, TypeError)):
        return None
    kept = cast("dict[str, Any]", failure.details[0] if failure.details else {})
    try:
        args = tuple(kept["args"])
        facts = {name: _fact(name, each) for name, each in kept["facts"].items()}
    except (AttributeError, KeyError, TypeError, DecodeProblem):
        return None  # it is not ours
    error = kind.__new__(kind, *args)
    error.args = args
    vars(error).update(facts)
    return error


def _fact(name: str, value: Any) -> Any:  # noqa: ANN401 - any fact
    if value is None:
        return None
    if name in _MODELS:
        return structure(value, _MODELS[name])
    return tuple(value) if name == "problems" else value
