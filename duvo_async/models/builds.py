"""Builds: the revisions of an agent's configuration."""

from collections.abc import Mapping
from datetime import datetime

from attrs import frozen

from duvo_async.models._json import JSON
from duvo_async.models.build_configs import BuildConfig
from duvo_async.models.schedules import Schedule


@frozen(kw_only=True)
class Build:
    """A revision of an agent's configuration. New runs use the one that is live.

    Attributes:
        id: The build's UUID.
        agent_id: UUID of the agent.
        name: Its name.
        revision_name: What somebody called this revision. None when nobody did.
        revision_description: What somebody said about it. None when nobody did.
        config: The configuration. None when it has none.
        status: The API's word for whether it is live, a draft or an old one. None when it does not
            say.
        revision_number: The number of the revision. None when it has none.
        parent_build_id: UUID of the build that it was made from. None when it was made anew.
        created_by: Who made it. None when the API does not say.
        created_by_name: The name of who made it. None when the API does not say.
        created_at: When it was made. None when the API does not say.
        updated_at: When it last changed. None when the API does not say.
        schedules: The agent's schedules, of those the key's owner may see. None when the API did
            not send them.
    """

    id: str
    agent_id: str
    name: str
    revision_name: str | None = None
    revision_description: str | None = None
    config: BuildConfig | None = None
    status: str | None = None
    revision_number: int | None = None
    parent_build_id: str | None = None
    created_by: str | None = None
    created_by_name: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    schedules: tuple[Schedule, ...] | None = None


@frozen(kw_only=True)
class NewBuild:
    """The first build of an agent that is to be made.

    Attributes:
        name: Its name.
        config: Its configuration: one that was read from another build, or JSON.
    """

    name: str
    config: BuildConfig | Mapping[str, JSON]
