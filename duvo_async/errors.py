"""Everything that goes wrong, and the facts about it.

    DuvoError
    ├── ConfigurationError              (also a ValueError) the client was told something impossible
    │   └── CredentialsError            there is no API key, or it cannot be one
    ├── ClientClosedError               a call on a client after close()
    ├── UnsupportedOperation            the client's generation of the API has no such operation
    ├── UploadSourceError               (also a ValueError) what should be uploaded cannot be read
    ├── DownloadTargetError             (also a ValueError) what is downloaded cannot be put there
    ├── JournalError                    the journal of a fan-out cannot be used: path
    ├── DurableRunError                 a workflow did not get to its run's end: workflow_id
    ├── APIError                        a call that did not end well: method, path, idempotency_key
    │   ├── APIConnectionError          no answer came
    │   ├── APITimeoutError             (also a TimeoutError) no answer came in time
    │   ├── ResponseDecodeError         an answer came that does not say what it should
    │   └── APIStatusError              the answer is an error: status, code, message, request_id …
    │       ├── BadRequestError             400
    │       ├── AuthenticationError         401
    │       ├── PermissionDeniedError       403
    │       ├── NotFoundError               404
    │       ├── ConflictError               409
    │       ├── PayloadTooLargeError        413
    │       ├── UnprocessableEntityError    422
    │       ├── RateLimitError              429
    │       └── ServerError                 5xx
    │           └── BadGatewayError         502
    ├── RunError                        about a run: run, run_id
    │   ├── RunFailed                   it ended without completing
    │   ├── HumanRequestPending         it waits for a person
    │   └── WaitTimeout                 (also a TimeoutError) it did not end in the time given
    └── WebhookError                    (also a ValueError) a delivery that is not to be believed
        ├── WebhookVerificationError    it is not signed as it should be: check
        └── WebhookPayloadError         it is no event: problems

`DuvoDeprecationWarning` is a warning, told once an endpoint that the API is going to drop, and
`DuvoSecurityWarning` one that the key travels where others can read it.

Wrong arguments are plain `ValueError` and `TypeError`, raised before anything is sent. Every error
pickles. None holds an API key or the signature of a presigned URL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias, TypeVar

if TYPE_CHECKING:
    from duvo_async.models import JSON, HumanRequest, Run

_E = TypeVar("_E", bound="DuvoError")

WebhookCheck: TypeAlias = Literal[
    "signature_missing",
    "signature_malformed",
    "signature_mismatch",
    "timestamp_missing",
    "timestamp_malformed",
    "timestamp_too_old",
    "timestamp_in_future",
]
"""What is checked of a webhook's delivery."""


class DuvoError(Exception):
    """Anything that this SDK raises, apart from wrong arguments and cancellation."""

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by facts, since the constructors of subclasses take other arguments."""
        return _restore, (type(self), self.args, self.__dict__.copy())


def _restore(kind: type[_E], args: tuple[object, ...], facts: dict[str, object]) -> _E:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(facts)
    return error


class DuvoDeprecationWarning(DeprecationWarning):
    """The API announces the end of an endpoint that was used.

    It is logged too, since Python shows no `DeprecationWarning` that arises outside of a script.
    """


class DuvoSecurityWarning(UserWarning):
    """The client was told to send its credentials in the open: over `http://` beyond loopback."""


class ConfigurationError(DuvoError, ValueError):
    """The client was told something that cannot work: a key, a URL, a time-out."""


class CredentialsError(ConfigurationError):
    """There is no API key, or it cannot be one; or a client that no authorization server knows."""


class ClientClosedError(DuvoError):
    """A call on a client that is closed, is closed meanwhile, or cannot start its thread."""


class UnsupportedOperation(DuvoError):  # noqa: N818 - a state of affairs of the API
    """The client's generation of the API has no such operation. Nothing was sent.

    Attributes:
        operation: What was asked for.
        version: The generation that has it.
    """

    def __init__(self, operation: str, *, version: str) -> None:
        super().__init__(
            f"{operation}: only API {version} has this; make the client with "
            f"api_version={version!r}"
        )
        self.operation = operation
        self.version = version


class UploadSourceError(DuvoError, ValueError):
    """What should be uploaded is missing, cannot be read, or changed while it was read."""


class DownloadTargetError(DuvoError, ValueError):
    """What is downloaded cannot be put where it should go, or there is something already."""


class JournalError(DuvoError):
    """The journal of a fan-out cannot be used: it is in use, of another fan-out, or not writable.

    Attributes:
        path: Where it is.
    """

    def __init__(self, text: str, *, path: str) -> None:
        super().__init__(text)
        self.path = path


class DurableRunError(DuvoError):
    """A workflow that waited for a run was cancelled or ended, or failed for a reason of its own.

    Attributes:
        workflow_id: The workflow's id. None when it is not known.
    """

    def __init__(self, text: str, *, workflow_id: str | None) -> None:
        super().__init__(text)
        self.workflow_id = workflow_id


class APIError(DuvoError):
    """A call to the API that did not end well.

    Attributes:
        method: The HTTP method.
        path: The path that was asked for; for a presigned URL its host and path.
        idempotency_key: The key that was sent, with which a mutating call can be repeated without
            being done twice. None for calls that had none.
        attempts: How many requests were sent for this call.
        may_have_been_done: Whether the API may have done, in any of the attempts, what it was
            asked, although this error came of it.
        advice: What to know or do about it. None for what goes without saying more.
    """

    advice: str | None = None

    def __init__(  # noqa: PLR0913 - an error's facts
        self,
        text: str,
        *,
        method: str,
        path: str,
        idempotency_key: str | None = None,
        attempts: int = 1,
        may_have_been_done: bool = True,
    ) -> None:
        super().__init__(text)
        self.method = method
        self.path = path
        self.idempotency_key = idempotency_key
        self.attempts = attempts
        self.may_have_been_done = may_have_been_done

    def __str__(self) -> str:
        """Say what was asked, what came back and what to do."""
        tries = f" ({self.attempts} attempts)" if self.attempts > 1 else ""
        return f"{self.method} {self.path}: {super().__str__()}{tries}{self._advice()}"

    def _advice(self) -> str:
        if self.advice is not None:
            return f". {self.advice}"
        if self.idempotency_key is None or not self.may_have_been_done:
            return ""
        # In both generations a run is what is started there.
        started = self.method == "POST" and self.path.endswith("/runs")
        what = "The run may have started" if started else "It may have been done"
        return (
            f". {what} all the same; to repeat it without doing it twice pass "
            f"idempotency_key={self.idempotency_key!r}"
        )


class APIConnectionError(APIError):
    """No answer came: the host was not found or refused, or the connection broke."""


class APITimeoutError(APIError, TimeoutError):
    """No answer came within the client's time-out."""


class ResponseDecodeError(APIError):
    """An answer came that does not say what the API documents.

    Attributes:
        problems: What is wrong with it, each with its JSON path, for example
            `required field missing @ $.run.id`.
        request_id: The API's id of the request. None when it gave none.
    """

    def __init__(  # noqa: PLR0913 - an error's facts
        self,
        problems: tuple[str, ...],
        *,
        method: str,
        path: str,
        idempotency_key: str | None = None,
        attempts: int = 1,
        request_id: str | None = None,
    ) -> None:
        suffix = f" [request id {request_id}]" if request_id else ""
        super().__init__(
            f"the answer could not be understood: {'; '.join(problems)}{suffix}",
            method=method,
            path=path,
            idempotency_key=idempotency_key,
            attempts=attempts,
        )
        self.problems = problems
        self.request_id = request_id


class APIStatusError(APIError):
    """The API answered with an error.

    Attributes:
        status: The HTTP status.
        code: The API's word for the error. None when the body had none.
        message: The API's explanation. None when the body had none.
        request_id: The API's id of the request, for its support. None when it gave none.
        details: More facts from the body. None when there were none.
        retry_after: Seconds after which the API asks to be asked again. None when it did not say.
    """

    _hint: ClassVar[str] = ""

    def __init__(  # noqa: PLR0913 - an error's facts
        self,
        *,
        status: int,
        reason: str,
        method: str,
        path: str,
        code: str | None = None,
        message: str | None = None,
        request_id: str | None = None,
        details: JSON = None,
        retry_after: float | None = None,
        idempotency_key: str | None = None,
        attempts: int = 1,
    ) -> None:
        said = ": ".join(dict.fromkeys(filter(None, (code, message)))) or reason
        suffix = f" [request id {request_id}]" if request_id else ""
        super().__init__(
            f"{status} {said}{suffix}",
            method=method,
            path=path,
            idempotency_key=idempotency_key,
            attempts=attempts,
            may_have_been_done=status >= _FIRST_SERVER_ERROR,
        )
        self.status = status
        self.code = code
        self.message = message
        self.request_id = request_id
        self.details = details
        self.retry_after = retry_after

    def _advice(self) -> str:
        # A presigned URL is the only place that is named by its host, and was sent no key.
        hint = f". {self._hint}" if self._hint and self.path.startswith("/") else ""
        return hint + super()._advice()


class BadRequestError(APIStatusError):
    """400: the API did not accept what was sent."""


class AuthenticationError(APIStatusError):
    """401: the API key or token is missing, wrong or expired."""

    _hint = "Check the API key (DUVO_API_KEY or api_key=), or what auth= gives"


class PermissionDeniedError(APIStatusError):
    """403: the key may not do this."""

    _hint = "The key lacks a scope, or a policy of the workspace forbids it"


class NotFoundError(APIStatusError):
    """404: there is no such thing, or it belongs to another team."""


class ConflictError(APIStatusError):
    """409: it does not fit the state in which the thing is."""


class PayloadTooLargeError(APIStatusError):
    """413: the body is larger than the API takes."""


class UnprocessableEntityError(APIStatusError):
    """422: the API understood what was sent and cannot do it."""


class RateLimitError(APIStatusError):
    """429: the key's requests for this window are spent."""

    _hint = "Several processes may be using the same key"


class ServerError(APIStatusError):
    """5xx: the API failed."""


class BadGatewayError(ServerError):
    """502: something between here and the API failed."""


class RunError(DuvoError):
    """Something to know about a run.

    Attributes:
        run_id: The run's id.
    """

    def __init__(self, text: str, *, run_id: str) -> None:
        super().__init__(text)
        self.run_id = run_id


class RunFailed(RunError):  # noqa: N818 - a name that users rely on
    """A run did not complete.

    Attributes:
        run: The run.
    """

    def __init__(self, run: Run) -> None:
        state = "ended as" if run.is_terminal else "has not ended, it is"
        super().__init__(f"run {run.id} {state} {run.status}", run_id=run.id)
        self.run = run


class HumanRequestPending(RunError):  # noqa: N818 - it is a state of affairs, not a mistake
    """A run waits for a person's approval or answer.

    It is data as much as an error: give it to `runs.answer` with one of the answers that its
    request makes, then wait for its run again.

    Attributes:
        run: The run, as it was when it asked.
        request: What it asks.
    """

    def __init__(self, run: Run, request: HumanRequest) -> None:
        way = (
            "answer(pending, pending.request.answer({question: answer}))"
            if request.questions
            else "answer(pending, pending.request.approve()) or deny()"
        )
        super().__init__(
            f"run {run.id} waits for a person ({request.title!r}): use runs.{way}, "
            "or give wait() an on_human_request handler",
            run_id=run.id,
        )
        self.run = run
        self.request = request


class WaitTimeout(RunError, TimeoutError):  # noqa: N818 - a name that users rely on
    """A run did not end in the time given. The run itself goes on.

    Attributes:
        run: What was last known of the run. None when nothing was known yet.
        timeout: The seconds that were given.
    """

    def __init__(self, run_id: str, *, run: Run | None, timeout: float) -> None:
        state = f"it is {run.status}" if run else "nothing is known of it yet"
        super().__init__(
            f"run {run_id} did not end within {timeout:g} s: {state}. It goes on; wait for it "
            "again or stop it",
            run_id=run_id,
        )
        self.run = run
        self.timeout = timeout


class WebhookError(DuvoError, ValueError):
    """A webhook's delivery that is not to be believed."""


class WebhookVerificationError(WebhookError):
    """A delivery that is not signed as it should be.

    Attributes:
        check: The check that it failed: `signature_missing`, `signature_malformed`,
            `signature_mismatch`, `timestamp_missing`, `timestamp_malformed`, `timestamp_too_old` or
            `timestamp_in_future`.
    """

    def __init__(self, check: WebhookCheck, message: str) -> None:
        super().__init__(message)
        self.check = check


class WebhookPayloadError(WebhookError):
    """A delivery whose body is no event.

    Attributes:
        problems: What is wrong, each with its JSON path.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(f"the body is no event: {'; '.join(problems)}")
        self.problems = problems


_BY_STATUS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    413: PayloadTooLargeError,
    422: UnprocessableEntityError,
    429: RateLimitError,
    502: BadGatewayError,
}
_FIRST_SERVER_ERROR = 500


def class_for_status(status: int) -> type[APIStatusError]:
    """Find the class of error for an HTTP status.

    Args:
        status: The status.

    Returns:
        The class of its own where it has one, `ServerError` for the other 5xx, else
        `APIStatusError`.
    """
    fallback = ServerError if status >= _FIRST_SERVER_ERROR else APIStatusError
    return _BY_STATUS.get(status, fallback)
