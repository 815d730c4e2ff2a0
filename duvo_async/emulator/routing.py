"""Finds the operation that a request is for."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias
from urllib.parse import unquote

from attrs import field, frozen

from duvo_async.emulator.exchange import ApiError, Request, Response
from duvo_async.emulator.multipart import read_form
from duvo_async.emulator.parameters import Parameter, Parameters, read_query
from duvo_async.emulator.validation import Field, check_empty, read_object, uuid


@frozen
class Call:
    """A request on its way to its operation.

    Attributes:
        request: The request.
        params: The path's parameters, decoded; those that are UUIDs are in lower case.
        query: The values of all parameters of the query that the operation knows.
        body: The fields of the body.
        form: The parts of the form.
        now: The time, in Unix seconds.
    """

    request: Request
    params: dict[str, str]
    query: dict[str, Any]
    body: dict[str, Any]
    form: dict[str, bytes]
    now: float


Operation: TypeAlias = Callable[[Call], Response]

TAIL = "{*}"
"""The last segment of a template that stands for one or more."""


@frozen
class Route:
    """Where an operation is found.

    Attributes:
        method: Its HTTP method.
        template: Its path, with each parameter as a segment in braces. The last one may be `{*}`,
            which stands for one or more segments, the names of folders and a file.
        operation: The operation.
        query: The query parameters that it knows.
        body: The fields of the JSON object that it takes; None for none.
        form: The parts of the form that it takes; none for no form.
    """

    method: str
    template: str
    operation: Operation
    query: Parameters = field(factory=dict[str, Parameter])
    body: Mapping[str, Field] | None = None
    form: frozenset[str] = field(default=frozenset[str]())

    @cached_property
    def segments(self) -> list[str]:
        """The segments of the template."""
        return self.template.split("/")

    def read(self, request: Request, params: Mapping[str, str], now: float) -> Call:
        """Reads all that the operation is to know of a request.

        Raises:
            ApiError: 400 or 415; the message names what is wrong.
        """
        query = read_query(request, self.query)
        params = _read_params(params)
        form = read_form(request, self.form) if self.form else {}
        body = {} if self.body is None else read_object(request, self.body)
        if self.body is None and not self.form:
            check_empty(request)
        return Call(request, dict(params), query, body, form, now)

    def match(self, path: Sequence[str]) -> dict[str, str] | None:
        """The parameters in the decoded segments of a path; None when it is another path."""
        return match(self.segments, path)


@frozen
class RouteTable:
    """Routes by how their paths begin: a request has to be held against few of them.

    Attributes:
        routes: All of them.
    """

    routes: tuple[Route, ...]

    def near(self, request: Request) -> Sequence[Route]:
        """The routes among which there is the one for a request, if there is any."""
        path = (unquote(segment) for segment in request.path.split("/", 3)[1:3])
        return self._by_beginning.get(tuple(path), ())

    @cached_property
    def _by_beginning(self) -> Mapping[tuple[str, ...], Sequence[Route]]:
        found: dict[tuple[str, ...], list[Route]] = {}
        for route in self.routes:
            found.setdefault(tuple(route.segments[1:3]), []).append(route)
        return found


def match(template: Sequence[str], path: Sequence[str]) -> dict[str, str] | None:
    """The parameters in the decoded segments of a path; None when it is another path.

    Args:
        template: The segments of the route's template.
        path: The segments of the path, each decoded.
    """
    params: dict[str, str] = {}
    if template[-1] == TAIL:
        template, path, tail = template[:-1], path[: len(template) - 1], path[len(template) - 1 :]
        # Segments are told apart before they are decoded, so none can lead elsewhere.
        if not tail or any("/" in name or name in {"", ".", ".."} for name in tail):
            return None
        params["*"] = "/".join(tail)
    if len(template) != len(path):
        return None
    for name, segment in zip(template, path, strict=True):
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
            return route.operation(route.read(request, params, now))
    allowed = ", ".join(route.method for route, _ in matches)
    raise ApiError(405, f"{request.path} takes {allowed}", {"allow": allowed})


def is_uuid(name: str) -> bool:
    """Whether a parameter of the path is a UUID."""
    return name.endswith("_id") and name != "sandbox_id"


def _read_params(params: Mapping[str, str]) -> dict[str, str]:
    """The parameters, with all ids but those of sandboxes being UUIDs."""
    return {
        name: _read_id(name, value) if is_uuid(name) else value for name, value in params.items()
    }


def _read_id(name: str, value: str) -> str:
    if complaint := uuid(value):
        raise ApiError(400, f"path.{name} must be {complaint}")
    return value.lower()
