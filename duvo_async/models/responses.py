"""What came with an answer: its status, headers and how often it was asked for."""

from collections.abc import Mapping
from typing import Generic, TypeVar

from attrs import field, frozen

_T = TypeVar("_T")


@frozen(kw_only=True)
class APIResponse(Generic[_T]):
    """A call's value, and what the response said beside it.

    A call that makes several requests, as `runs.execute` does, shows the last one. Polls are made
    for all waits of a client together and are no part of any call.

    Attributes:
        value: What the call returned.
        status: The HTTP status. None when the call made no request.
        headers: The response's headers; names in any case.
        request_id: The API's id of the request, for its support. None when it gave none.
        attempts: How many times the request was sent until it was answered; 0 for no request.
    """

    value: _T
    status: int | None
    headers: Mapping[str, str] = field(repr=False)
    request_id: str | None
    attempts: int
