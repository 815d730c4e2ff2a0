"""The operations on teams, and on the person whom the API key stands for."""

from attrs import frozen

from duvo_async.emulator.exchange import ApiError, Response, json_response
from duvo_async.emulator.parameters import a_text, page
from duvo_async.emulator.routing import Call, Route
from duvo_async.emulator.teams import Team, Teams

_MEMBERS = {**page(50, 100), "search": a_text(1, 200, default="")}


@frozen
class TeamOperations:
    """The operations on teams.

    Attributes:
        teams: The teams.
    """

    teams: Teams

    def routes(self) -> tuple[Route, ...]:
        """Where they are found."""
        team = "/v2/teams/{team_id}"
        return (
            Route("GET", "/v2/teams", self.list_teams),
            Route("GET", team, self.get),
            Route("GET", f"{team}/members", self.list_members, _MEMBERS),
        )

    def list_teams(self, _: Call) -> Response:
        """Lists the teams that the key can act on."""
        teams = [team.as_listed() for team in self.teams.all()]
        return json_response(200, {"teams": teams})

    def get(self, call: Call) -> Response:
        """Shows a team."""
        return json_response(200, {"team": self._find(call).as_shown()})

    def list_members(self, call: Call) -> Response:
        """Shows a page of a team's members, in the order of their joining."""
        limit, offset = call.query["limit"], call.query["offset"]
        sought = call.query["search"].casefold()
        found = [
            member
            for member in self._find(call).members
            if sought in member.name.casefold() or sought in member.email.casefold()
        ]
        members = [member.as_member() for member in found[offset : offset + limit]]
        data = {"members": members, "total": len(found), "limit": limit, "offset": offset}
        return json_response(200, data)

    def _find(self, call: Call) -> Team:
        team = self.teams.find(call.params["team_id"])
        if team is None:
            raise ApiError(404, "there is no such team")
        return team


@frozen
class ProfileOperations:
    """The operation on the person whom the API key stands for.

    Attributes:
        teams: Knows the person.
    """

    teams: Teams

    def routes(self) -> tuple[Route, ...]:
        """Where it is found."""
        return (Route("GET", "/v2/profile", self.get),)

    def get(self, _: Call) -> Response:
        """Shows the person."""
        profile = self.teams.user.as_profile(self.teams.own.id)
        return json_response(200, {"profile": profile})
