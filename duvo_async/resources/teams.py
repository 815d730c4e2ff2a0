"""Teams, who is in them, and whose credentials these are."""

from duvo_async import _operations
from duvo_async._items import AsyncItems
from duvo_async._paging import listed, unpaged
from duvo_async._protocol import Call, Page
from duvo_async._session import Session
from duvo_async.models import Profile, Team, TeamMember, TeamSummary


class AsyncTeams:
    """The teams that the credentials can act on. But for `profile`, only API v2 has them.

    Every call raises an `APIError` when it does not end well; methods name what they raise beyond
    that.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(self) -> AsyncItems[TeamSummary]:
        """List the teams: `async for team in duvo.teams.list()`.

        They come with one request. A team's key sees its own team only; a person's credentials see
        each team that the person is in (API reference, "listMyTeams").

        Returns:
            An async iterable of the teams.

        Raises:
            UnsupportedOperation: The client is of API v1.
        """
        return unpaged(self._session, _operations.list_teams(self._session.routes))

    async def get(self, team_id: str | None = None) -> Team:
        """Read a team.

        Args:
            team_id: The team's UUID. None for the client's own team.

        Returns:
            The team.

        Raises:
            UnsupportedOperation: The client is of API v1.
            ConfigurationError: The client was told no team, and its credentials can act on several.
        """
        return await self._session.call(_operations.get_team(self._session.routes, team_id))

    def members(
        self,
        team_id: str | None = None,
        *,
        search: str | None = None,
        page_size: int = _operations.MAX_MEMBERS,
        limit: int | None = None,
    ) -> AsyncItems[TeamMember]:
        """List a team's members: `async for member in duvo.teams.members()`.

        Args:
            team_id: The team's UUID. None for the client's own team.
            search: A part of a name or an e-mail address, in any case, of 200 characters at most
                (API reference, "listTeamMembers"). None for all members.
            page_size: The most members that are asked for at a time, from 1 to 100, which is the
                default (the same).
            limit: The most members of all. None for all that there are.

        Returns:
            An async iterable of the members.

        Raises:
            UnsupportedOperation: The client is of API v1.
            ConfigurationError: The client was told no team, and its credentials can act on several;
                it is raised where the members are read.
        """
        routes = self._session.routes

        def ask(*, limit: int, offset: int) -> Call[Page[TeamMember]]:
            return _operations.list_members(
                routes, team_id, search=search, limit=limit, offset=offset
            )

        return listed(self._session, ask, page_size=page_size, limit=limit)

    async def profile(self) -> Profile:
        """Read whose credentials these are; API v1 has it, too.

        Returns:
            The person whom the credentials stand for: of an API key, its owner.
        """
        return await self._session.call(_operations.get_profile(self._session.routes))
