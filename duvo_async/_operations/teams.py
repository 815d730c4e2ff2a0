"""What is sent about teams, and what the answers mean."""

from duvo_async._operations._fields import filled, get, one, page, whole
from duvo_async._protocol import Call, Page
from duvo_async._routes import Routes
from duvo_async.models import Profile, Team, TeamMember, TeamSummary

MAX_MEMBERS = 100
"""Members a page (API reference, "listTeamMembers")."""
_LONGEST_SEARCH = 200
"""Characters that members are searched for with (the same)."""


def list_teams(routes: Routes) -> Call[Page[TeamSummary]]:
    """List the teams that the credentials can act on; there is one page."""
    return Call(get(routes.teams()), page("teams", TeamSummary))


def get_team(routes: Routes, team_id: str | None) -> Call[Team]:
    """Read a team; None for the client's own."""
    return Call(get(routes.team(team_id)), one("team", Team))


def list_members(
    routes: Routes, team_id: str | None, *, search: str | None, limit: int, offset: int
) -> Call[Page[TeamMember]]:
    """Read a page of a team's members; None for the client's own team."""
    query = {
        "limit": whole("limit", limit, least=1, most=MAX_MEMBERS),
        "offset": whole("offset", offset, least=0),
        "search": None if search is None else filled("search", search, most=_LONGEST_SEARCH),
    }
    return Call(get(routes.members(team_id), query), page("members", TeamMember))


def get_profile(routes: Routes) -> Call[Profile]:
    """Read whose credentials these are."""
    return Call(get(routes.profile()), one("profile", Profile))
