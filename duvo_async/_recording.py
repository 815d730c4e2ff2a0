"""Keeping what a response said beside a call's value, for those few who want to know."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import iscoroutine
from types import MappingProxyType
from typing import TypeVar

from attrs import define

from duvo_async._protocol import Response, request_id
from duvo_async.models import APIResponse

_T = TypeVar("_T")


def check_call(call: object) -> None:
    """Insist on a call that is still to be made.

    Raises:
        TypeError: It is none, or was made already.
    """
    if not callable(call):
        if iscoroutine(call):
            call.close()  # else Python would say that nobody awaited it
        raise TypeError(
            "with_response() makes the call itself: give it the call and its arguments, as in "
            "with_response(duvo.runs.get, run_id)"
        )


@define
class Recording:
    """The last response that came while it was on."""

    _response: Response | None = None
    _attempts: int = 0

    def note(self, response: Response, attempts: int) -> None:
        """Keep a response in the place of the one before."""
        self._response, self._attempts = response, attempts

    def beside(self, value: _T) -> APIResponse[_T]:
        """Put a call's value together with its last response."""
        response = self._response
        return APIResponse(
            value=value,
            status=None if response is None else response.status,
            headers=MappingProxyType({}) if response is None else response.headers,
            request_id=None if response is None else request_id(response),
            attempts=self._attempts,
        )


# A context variable, so that it follows a call into the tasks that it makes and into the thread
# where a blocking client's calls run, and is nobody else's.
current: ContextVar[Recording | None] = ContextVar("duvo_async_recording", default=None)


@contextmanager
def recording() -> Generator[Recording, None, None]:
    """Record the responses of what is called inside."""
    recorded = Recording()
    token = current.set(recorded)
    try:
        yield recorded
    finally:
        current.reset(token)
