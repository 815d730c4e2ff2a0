"""Where each operation lives: the only file that knows v1 from v2.

v1 is flat; v2 puts what belongs to a team below `/teams/{team}`, and names an agent's builds below
the agent. What only one of them has raises `UnsupportedOperation`.
"""

from re import compile as regex
from urllib.parse import quote

from attrs import frozen

from duvo_async.errors import UnsupportedOperation
from duvo_async.settings import APIVersion

TEAM = "{team_id}"
"""Stands in a path for a team that is not known yet. No quoted path has braces."""

_PLAIN = regex(r"[0-9A-Za-z_-]+")
"""An id that needs no quoting, as those of the API do not."""
_VERSIONED = regex(r"/(v[0-9]+|\.well-known)(/|$)")


@frozen
class Routes:
    """The paths of one generation of the API.

    Attributes:
        version: The generation.
        team_id: The team that v2 paths name. None when it is not known, and with v1.
    """

    version: APIVersion
    team_id: str | None = None

    # --- runs ---------------------------------------------------------------------------------

    def health(self) -> str:
        """Say whether the API is up: one place for both generations."""
        return "/v1/health"

    def runs(self) -> str:
        """Start and list runs."""
        return f"{self._team()}/runs"

    def run(self, run_id: str) -> str:
        """One run."""
        return f"/{self.version}/runs/{segment('run_id', run_id)}"

    def messages(self, run_id: str) -> str:
        """A run's messages."""
        return f"{self.run(run_id)}/messages"

    def respond(self, run_id: str, request_id: str) -> str:
        """The answer to a run's human request."""
        return f"{self.run(run_id)}/human-requests/{segment('request_id', request_id)}/respond"

    def stop(self, run_id: str) -> str:
        """Stop a run."""
        return f"{self.run(run_id)}/stop"

    # --- sandboxes ----------------------------------------------------------------------------

    def sandboxes(self) -> str:
        """Make sandboxes."""
        return f"/{self.version}/sandboxes"

    def sandbox_files(self, sandbox_id: str) -> str:
        """A sandbox's files."""
        return f"{self.sandboxes()}/{segment('sandbox_id', sandbox_id)}/files"

    def upload_urls(self, sandbox_id: str) -> str:
        """Presigned URLs for a sandbox's files."""
        return f"{self.sandboxes()}/{segment('sandbox_id', sandbox_id)}/upload-urls"

    # --- agents and their builds --------------------------------------------------------------

    def agents(self) -> str:
        """Make and list agents."""
        return f"{self._team()}/agents"

    def agent(self, agent_id: str) -> str:
        """One agent."""
        return f"/{self.version}/agents/{segment('agent_id', agent_id)}"

    def builds(self, agent_id: str) -> str:
        """Make and list an agent's builds."""
        return f"{self.agent(agent_id)}/revisions"

    def build(self, agent_id: str, build_id: str) -> str:
        """One build, to be read."""
        below = f"/revisions/{segment('build_id', build_id)}"
        agent = self.agent(agent_id)  # checked in v1 too, whose path goes without
        return f"/{self.version}{below}" if self.version == "v1" else f"{agent}{below}"

    def build_changes(self, build_id: str) -> str:
        """One build, to be changed."""
        return f"/{self.version}/revisions/{segment('build_id', build_id)}"

    def promote(self, build_id: str) -> str:
        """Make a build the one that new runs use."""
        return f"{self.build_changes(build_id)}/promote"

    def schedules(self, agent_id: str) -> str:
        """Make and list an agent's schedules."""
        return f"{self.agent(agent_id)}/schedules"

    def schedule(self, agent_id: str, schedule_id: str) -> str:
        """One schedule."""
        return f"{self.schedules(agent_id)}/{segment('schedule_id', schedule_id)}"

    def case_triggers(self, agent_id: str) -> str:
        """Make and list an agent's case triggers."""
        return f"{self.agent(agent_id)}/case-triggers"

    def case_trigger(self, agent_id: str, trigger_id: str) -> str:
        """One case trigger."""
        return f"{self.case_triggers(agent_id)}/{segment('trigger_id', trigger_id)}"

    def case_trigger_conflicts(self, agent_id: str) -> str:
        """What a case trigger would conflict with."""
        return f"{self.case_triggers(agent_id)}/conflict-preview"

    # --- queues and their cases ---------------------------------------------------------------

    def queues(self) -> str:
        """Make and list queues."""
        return f"{self._team()}/queues"

    def queue(self, queue_id: str) -> str:
        """One queue."""
        return f"/{self.version}/queues/{segment('queue_id', queue_id)}"

    def queue_agents(self, queue_id: str) -> str:
        """The agents that fill a queue, and those that work it off."""
        return f"{self.queue(queue_id)}/agents"

    def labels(self, queue_id: str) -> str:
        """Make and list a queue's labels."""
        return f"{self.queue(queue_id)}/labels"

    def label(self, queue_id: str, label_id: str) -> str:
        """One label."""
        return f"{self.labels(queue_id)}/{segment('label_id', label_id)}"

    def cases(self, queue_id: str) -> str:
        """Make, list and clear a queue's cases."""
        return f"{self.queue(queue_id)}/cases"

    def search_cases(self, queue_id: str) -> str:
        """Search a queue's cases."""
        return f"{self.cases(queue_id)}/search"

    def bulk_cases(self, queue_id: str, action: str) -> str:
        """Do something to many cases of a queue: `action` is a word of the API's."""
        return f"{self.cases(queue_id)}/bulk-{action}"

    def case(self, case_id: str) -> str:
        """One case."""
        return f"/{self.version}/cases/{segment('case_id', case_id)}"

    def case_runs(self, case_id: str) -> str:
        """The runs of a case."""
        return f"{self.case(case_id)}/runs"

    def case_run_messages(self, case_id: str, run_id: str) -> str:
        """The last messages of a case's run."""
        return f"{self.case_runs(case_id)}/{segment('run_id', run_id)}/recent-messages"

    def case_labels(self, queue_id: str, case_id: str) -> str:
        """Give and list a case's labels."""
        return f"{self.cases(queue_id)}/{segment('case_id', case_id)}/labels"

    def unlink_case_labels(self, queue_id: str, case_id: str) -> str:
        """Take labels from a case."""
        return f"{self.case_labels(queue_id, case_id)}/unlink"

    # --- teams and their files ----------------------------------------------------------------

    def profile(self) -> str:
        """Whose credentials these are."""
        return f"/{self.version}/profile"

    def teams(self) -> str:
        """List the teams that the credentials can act on."""
        self._only_v2("teams")
        return "/v2/teams"

    def team(self, team_id: str | None) -> str:
        """One team; None for the client's own."""
        self._only_v2("teams")
        return self._team() if team_id is None else f"/v2/teams/{segment('team_id', team_id)}"

    def members(self, team_id: str | None) -> str:
        """A team's members; None for the client's own team."""
        return f"{self.team(team_id)}/members"

    def files(self) -> str:
        """List and rename the team's files."""
        self._only_v2("files of a team")
        return f"{self._team()}/files"

    def file(self, path: str) -> str:
        """One file of the team's, to be deleted."""
        return f"{self.files()}/{tail('path', path)}"

    def file_upload_url(self) -> str:
        """Signed URLs for new files of the team's."""
        return f"{self.files()}/create-upload-url"

    def file_download_url(self, path: str) -> str:
        """A signed URL for a file of the team's."""
        return f"{self.files()}/download-url/{tail('path', path)}"

    def file_content(self, path: str) -> str:
        """The text of a file of the team's."""
        return f"{self.files()}/content/{tail('path', path)}"

    # --- the rest -----------------------------------------------------------------------------

    def mcp(self) -> str:
        """Talk to the MCP server."""
        return f"/{self.version}/mcp"

    def of_any(self, path: str) -> str:
        """Complete a path of the caller's own: one without a version is of this generation.

        `{team_id}` in it stands for the team.
        """
        path = path if path.startswith("/") else f"/{path}"
        path = path if _VERSIONED.match(path) else f"/{self.version}{path}"
        return (
            path if self.team_id is None else path.replace(TEAM, segment("team_id", self.team_id))
        )

    def _team(self) -> str:
        if self.version == "v1":
            return "/v1"
        team = TEAM if self.team_id is None else segment("team_id", self.team_id)
        return f"/{self.version}/teams/{team}"

    def _only_v2(self, what: str) -> None:
        if self.version != "v2":
            raise UnsupportedOperation(what, version="v2")


def segment(name: str, value: str | None) -> str:
    """Make an id into one segment of a path, which it cannot leave.

    Args:
        name: The argument's name, for the error.
        value: The id.

    Returns:
        The id, quoted.

    Raises:
        ValueError: It is empty, has a slash, or is a dot segment: no id of the API is.
        TypeError: It is not a string.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {type(value).__name__}")
    if _PLAIN.fullmatch(value):
        return value
    if not value.strip() or "/" in value or "\\" in value or value in {".", ".."}:
        raise ValueError(f"{name} {value!r} is not an id")
    return quote(value, safe="")


def tail(name: str, path: str) -> str:
    """Make a file's path into the end of a path, which it cannot leave.

    Args:
        name: The argument's name, for the error.
        path: The file's path; a slash at its beginning says nothing.

    Returns:
        The path, its segments quoted.

    Raises:
        ValueError: It is empty, or has an empty or a dot segment.
        TypeError: It is not a string.
    """
    if not isinstance(path, str):
        raise TypeError(f"{name} must be a string, not {type(path).__name__}")
    segments = path.removeprefix("/").split("/")
    if not path.strip() or not {"", ".", ".."}.isdisjoint(segments):
        raise ValueError(f"{name} {path!r} is not the path of a file")
    return "/".join(quote(each, safe="") for each in segments)


def endpoint(path: str) -> str:
    """Tell what a path is of, whatever the ids in it: its words, in their places."""
    return "/".join(each if _WORD.fullmatch(each) else "{}" for each in path.split("/"))


_WORD = regex(r"v[0-9]+|[a-z]*(-[a-z]+)*")
