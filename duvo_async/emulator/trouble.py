"""What a test makes happen to the emulated API: time that passes, requests that fail."""

from collections.abc import Mapping

from attrs import define, field

from duvo_async.emulator.exchange import Response
from duvo_async.emulator.request_faults import DROPPED, RequestFault, RequestFaults, failure
from duvo_async.emulator.stage import Stage

_LONGEST_JUMP = 1e9
"""Some 30 years: dates end."""


@define(kw_only=True, eq=False)
class Trouble(Stage):
    """The part of the API that is out of its clients' hands. All may be called from any thread."""

    _request_faults: RequestFaults = field(factory=RequestFaults, init=False, repr=False)

    def jump(self, seconds: float) -> None:
        """Goes forward in time: whatever would have happened meanwhile has happened.

        Scripts that sleep go on, sandboxes and URLs expire, the next window of requests begins. A
        client that waits sees it when it looks next, as a rule within a second.

        Args:
            seconds: How far.

        Raises:
            ValueError: It is back, or no time.
        """
        if not 0 <= seconds <= _LONGEST_JUMP:
            raise ValueError(f"seconds must be from 0 to {_LONGEST_JUMP:g}, not {seconds!r}")
        with self._lock:
            self._ahead += seconds
            self._advance()
            self._rouse()

    def fail(  # noqa: PLR0913 - what an answer is made of
        self,
        status: int = 500,
        *,
        times: int = 1,
        method: str | None = None,
        path: str | None = None,
        body: object = "<html>failed</html>",
        headers: Mapping[str, str] | None = None,
        retry_after: int | None = None,
    ) -> None:
        """Has the next requests that fit fail, with nothing done.

        Args:
            status: The HTTP status, from 300 to 599.
            times: How many of them.
            method: Those of this HTTP method; None for all.
            path: Those whose paths end so, such as `/runs`; None for all.
            body: What is answered: bytes or text as they are, all else as JSON.
            headers: More headers of the answer.
            retry_after: Seconds, for the header Retry-After; None for no such header.

        Raises:
            ValueError: An argument is out of range.
        """
        answer = failure(status, body, headers, retry_after)
        fault = RequestFault(method=method, path=path, answer=answer)
        with self._lock:
            self._request_faults.add(fault, times)

    def drop(
        self,
        *,
        times: int = 1,
        method: str | None = None,
        path: str | None = None,
        done: bool = False,
    ) -> None:
        """Has the connection be closed on the next requests that fit, in place of an answer.

        Args:
            times: How many of them.
            method: Those of this HTTP method; None for all.
            path: Those whose paths end so; None for all.
            done: Whether what they ask for is done, and only the answer is lost.

        Raises:
            ValueError: `times` is less than 1.
        """
        fault = RequestFault(method=method, path=path, answer=Response(DROPPED), done=done)
        with self._lock:
            self._request_faults.add(fault, times)

    def recover(self) -> None:
        """Has nothing more go wrong of what `fail` and `drop` began."""
        with self._lock:
            self._request_faults.clear()
