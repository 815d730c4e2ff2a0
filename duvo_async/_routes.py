"""Where each operation lives: the only file that knows v1 from v2.

v1 is flat; v2 puts what belongs to a team below `/teams/{team}`.
"""

from urllib.parse import quote

from attrs import frozen

from duvo_async.settings import APIVersion


@frozen
class Routes:
    """The paths of one generation of the API.

    Attributes:
        version: The generation.
        team_id: The team that v2 paths name. None with v1.
    """

    version: APIVersion
    team_id: str | None = None

    def health(self) -> str:
        """Say whether the API is up."""
        return f"/{self.version}/health"

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

    def sandboxes(self) -> str:
        """Make sandboxes."""
        return f"/{self.version}/sandboxes"

    def sandbox_files(self, sandbox_id: str) -> str:
        """A sandbox's files."""
        return f"{self.sandboxes()}/{segment('sandbox_id', sandbox_id)}/files"

    def upload_urls(self, sandbox_id: str) -> str:
        """Presigned URLs for a sandbox's files."""
        return f"{self.sandboxes()}/{segment('sandbox_id', sandbox_id)}/upload-urls"

    def _team(self) -> str:
        if self.version == "v1":
            return "/v1"
        return f"/{self.version}/teams/{segment('team_id', self.team_id)}"


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
    if not value.strip() or "/" in value or "\\" in value or value in {".", ".."}:
        raise ValueError(f"{name} {value!r} is not an id")
    return quote(value, safe="")
