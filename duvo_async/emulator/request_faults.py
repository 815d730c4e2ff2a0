"""What goes wrong with requests because a test wants it to."""

import json
from collections.abc import Mapping

from attrs import define, field, frozen

from duvo_async.emulator.exchange import Request, Response

DROPPED = 0
"""The status of an answer that never comes: the connection is closed in its place."""


@frozen(kw_only=True)
class RequestFault:
    """What happens to the requests that fit.

    Attributes:
        method: The HTTP method; None for any.
        path: How the path ends; None for any.
        answer: What is answered; with the status `DROPPED` the connection is closed.
        done: Whether what is asked for is done all the same.
    """

    method: str | None
    path: str | None
    answer: Response
    done: bool = False

    def fits(self, request: Request) -> bool:
        """Whether it happens to a request."""
        return self.method in {None, request.method} and request.path.endswith(self.path or "")


@define
class RequestFaults:
    """The faults that are still to happen, each with how often."""

    _waiting: list[tuple[RequestFault, int]] = field(factory=list[tuple[RequestFault, int]])

    def add(self, fault: RequestFault, times: int) -> None:
        """Has a fault happen to so many requests.

        Raises:
            ValueError: It is to happen less than once.
        """
        if times < 1:
            raise ValueError(f"times must be at least 1, not {times}")
        self._waiting.append((fault, times))

    def take(self, request: Request) -> RequestFault | None:
        """The first fault that fits a request; it happens once less from then on."""
        for position, (fault, times) in enumerate(self._waiting):
            if fault.fits(request):
                self._waiting[position : position + 1] = [(fault, times - 1)] if times > 1 else []
                return fault
        return None

    def clear(self) -> None:
        """Has none of them happen any more."""
        self._waiting.clear()


def failure(
    status: int, body: object, headers: Mapping[str, str] | None, retry_after: int | None
) -> Response:
    """An answer that is no success.

    Args:
        status: The HTTP status.
        body: Bytes or text as they are, all else as JSON.
        headers: More headers.
        retry_after: Seconds, for the header Retry-After; None for no such header.

    Raises:
        ValueError: It is none, or no answer could hold it.
    """
    if not isinstance(status, int) or not 300 <= status <= 599:
        raise ValueError(f"a failure's status is an integer from 300 to 599, not {status!r}")
    if retry_after is not None and (not isinstance(retry_after, int) or retry_after < 0):
        raise ValueError(f"retry_after is a whole number of seconds, not {retry_after!r}")
    for name, text in (headers or {}).items():
        if not isinstance(name, str) or not isinstance(text, str) or "\n" in name + text:
            raise ValueError(f"a header is a line of text, not {name!r}: {text!r}")
    wait = {} if retry_after is None else {"retry-after": str(retry_after)}
    if isinstance(body, str | bytes):
        kind, content = "text/html", body.encode() if isinstance(body, str) else body
    else:
        kind, content = "application/json", json.dumps(body).encode()
    return Response(status, {"content-type": kind, **wait, **(headers or {})}, content)
