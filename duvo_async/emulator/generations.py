"""The two generations of the API's paths: the first is flat, the second is scoped to a team."""

from collections.abc import Iterable
from functools import wraps

from attrs import evolve

from duvo_async.emulator.exchange import ApiError, Response, json_response
from duvo_async.emulator.routing import Call, Operation, Route
from duvo_async.emulator.teams import Teams

_TEAM = "/teams/{team_id}"


def both(routes: Iterable[Route]) -> tuple[Route, ...]:
    """Adds to each route of the second generation the one of the first, which names no team."""
    return tuple(
        each
        for route in routes
        for each in (route, evolve(route, template=first_template(route.template)))
    )


def scoped(routes: Iterable[Route], teams: Teams) -> tuple[Route, ...]:
    """Has the routes that name a team tell the teams apart.

    Only the key's own team has anything: the lists of others are empty, and whatever else is asked
    of them or of unknown teams is refused as if it were not there.

    Args:
        routes: The routes; those that name no team stay as they are.
        teams: The teams.
    """
    return tuple(
        evolve(route, operation=_for_own_team(route.operation, teams))
        if _TEAM in route.template
        else route
        for route in routes
    )


def first_template(template: str) -> str:
    """The path that one of the second generation has in the first."""
    return template.replace(_TEAM, "", 1).replace("/v2/", "/v1/", 1)


def _for_own_team(operation: Operation, teams: Teams) -> Operation:
    @wraps(operation)
    def operate(call: Call) -> Response:
        team = teams.find(call.params["team_id"])
        if team is teams.own:
            return operation(call)
        if team is not None and call.request.method == "GET":
            return _emptied(operation(call))
        raise ApiError(404, "there is no such team, or nothing can be done in it")

    return operate


def _emptied(response: Response) -> Response:
    """The answer of an operation that lists, with nothing in its list."""
    data: dict[str, object] = response.json()
    lists: dict[str, object] = {name: [] for name, value in data.items() if isinstance(value, list)}
    if not lists:
        raise ApiError(404, "the team has no such thing")
    total = {"total": 0} if "total" in data else {}
    return json_response(response.status, {**data, **lists, **total})
