"""Errors as Temporal keeps them, and as they were."""

from typing import Any

import pytest
from temporalio.api.failure.v1 import Failure
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError, TerminatedError

from duvo_async import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    ConfigurationError,
    ConflictError,
    DurableRunError,
    NotFoundError,
    RateLimitError,
    ResponseDecodeError,
    ServerError,
    UploadSourceError,
    WaitTimeout,
)
from duvo_async.temporal import data_converter, error_of
from duvo_async.temporal.failures import failure_of
from tests.support.durable import RUN


def status(kind: Any, status: int, **facts: Any) -> APIError:  # noqa: ANN401 - any facts
    error: APIError = kind(
        status=status, reason="Oh", method="GET", path="/v1/runs/r1", request_id="req_1", **facts
    )
    return error


CALL: Any = {"method": "GET", "path": "/v1/runs/r1"}
PASSING: list[Exception] = [
    status(RateLimitError, 429, retry_after=86_400.0),
    status(ServerError, 503, details={"code": ["x"]}),
    status(AuthenticationError, 401, attempts=2),
    APIConnectionError("refused", **CALL),
    APITimeoutError("late", **CALL),
    ResponseDecodeError(("expected a string @ $.id", "more"), **CALL),
    ClientClosedError("closed"),
]
LASTING: list[Exception] = [
    status(BadRequestError, 400, code="invalid_request", message="no", idempotency_key="k"),
    status(NotFoundError, 404),
    status(ConflictError, 409),
    ConfigurationError("impossible"),
    UploadSourceError("missing.csv"),
    WaitTimeout("r1", run=RUN, timeout=3.0),
    WaitTimeout("r1", run=None, timeout=3.0),
    ValueError("agent_id must not be empty"),
    TypeError("no text"),
]


def kept(error: Exception) -> Exception:
    """Send an error to Temporal and back, as the failure of a workflow."""
    failure, converter = Failure(), data_converter.payload_converter
    data_converter.failure_converter.to_failure(failure_of(error), converter, failure)
    again = Failure.FromString(failure.SerializeToString())
    cause = data_converter.failure_converter.from_failure(again, converter)
    return error_of(WorkflowFailureError(cause=cause), workflow_id="w1")


@pytest.mark.parametrize("error", [*PASSING, *LASTING], ids=repr)
def test_errors_come_back_as_they_were(error: Exception) -> None:
    found = kept(error)
    assert type(found) is type(error)
    assert str(found) == str(error)
    assert found.args == error.args
    assert vars(found) == vars(error)


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    assert not failure_of(error).non_retryable


@pytest.mark.parametrize("error", LASTING, ids=repr)
def test_what_repeating_cannot_mend_is_not(error: Exception) -> None:
    assert failure_of(error).non_retryable


def test_the_api_is_left_alone_for_as_long_as_it_asks() -> None:
    delay = failure_of(PASSING[0]).next_retry_delay
    assert delay is not None
    assert delay.total_seconds() == 86_400
    assert failure_of(PASSING[1]).next_retry_delay is None


@pytest.mark.parametrize(
    "cause",
    [
        TerminatedError("ended by an operator"),
        ApplicationError("strange", type="SomethingElse"),
        ApplicationError("of no type"),
        ApplicationError("a name of ours that is no error", type="Literal"),
    ],
)
def test_what_is_not_the_sdks_is_a_durable_run_error(cause: Exception) -> None:
    error = error_of(WorkflowFailureError(cause=cause), workflow_id="w1")
    assert isinstance(error, DurableRunError)
    assert error.workflow_id == "w1"
    assert str(cause) in str(error)


@pytest.mark.parametrize("details", [(), ("text",), ({"args": 1, "facts": 2},), ({"facts": {}},)])
def test_details_that_are_not_ours_do_no_harm(details: tuple[Any, ...]) -> None:
    cause = ApplicationError("gone", *details, type="NotFoundError", non_retryable=True)
    error = error_of(WorkflowUpdateFailedError(cause))
    assert isinstance(error, DurableRunError)
    assert "gone" in str(error)
