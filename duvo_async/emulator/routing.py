"""Finds the operation that a request is for."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TypeAlias
from urllib.parse import unquote

from attrs import field, frozen

from duvo_async.emulator import validation
from duvo_async.emulator.exchange import ApiError, Request, Response


@frozen
class Call:
    """A request on its way to its operation.

    Attributes:
        request: The request.
        params: The path's parameters, decoded; the `run_id` and `request_id` are UUIDs.
        query: The query's parameters, decoded; only those that the operation knows.
        now: The time, in Unix seconds.
    """

    request: Request
    params: dict[str, str]
    query: dict[str, str]
    now: float


Operation: TypeAlias = Callable[[Call], Response]


@frozen
class Route:
    """Where an operation is found.

    Attributes:
        method: Its HTTP method.
        template: Its path, with each parameter as a segment in braces.
        operation: The operation.
        query: The query parameters that it knows.
    """

    method: str
    template: str
    operation: Operation
    query: frozenset[str] = field(default=frozenset[str]())

    @cached_property
    def segments(self) -> list[str]:
        """The segments of the template."""
        return self.template.split("/")

    def match(self, path: Sequence[str]) -> dict[str, str] | None:
        """The parameters in the decoded segments of a path; None when it is another path."""
        if len(self.segments) != len(path):
            return None
        params: dict[str, str] = {}
        for name, segment in zip(self.segments, path, strict=True):
            if name.startswith("{") and segment:
                params[name.strip("{}")] = segment
            elif name != segment:
                return None
        return params


def dispatch(routes: Sequence[Route], request: Request, now: float) -> Response:
    """Has a request answered by its operation.

    Raises:
        ApiError: 404 for an unknown path, 405 for another method, 400 for a path or query that
            can't be read, and what the operation raises.
    """
    path = [unquote(segment) for segment in request.path.split("/")]
    matches = [(route, params) for route in routes if (params := route.match(path)) is not None]
    if not matches:
        raise ApiError(404, f"there is nothing at {request.path}")
    for route, params in matches:
        if route.method == request.method:
            query = validation.read_query(request, route.query)
            _check_uuids(params)
            return route.operation(Call(request, params, query, now))
    allowed = ", ".join(route.method for route, _ in matches)
    raise ApiError(405, f"{request.path} takes {allowed}", {"allow": allowed})


def _check_uuids(params: dict[str, str]) -> None:
    for name in ("run_id", "request_id"):
        if name in params and (complaint := validation.uuid(params[name])):
            raise ApiError(400, f"path.{name} must be {complaint}")
