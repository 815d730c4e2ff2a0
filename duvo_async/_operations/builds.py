"""What is sent about builds, and what the answers mean."""

from collections.abc import Mapping, Sequence
from functools import partial

from duvo_async._converter import unstructure
from duvo_async._operations._fields import (
    filled,
    get,
    ids,
    kept,
    one,
    or_null,
    page,
    patch,
    post,
    text,
    whole,
)
from duvo_async._protocol import Call, Page, Request, encoded
from duvo_async._routes import Routes
from duvo_async.models import JSON, NOT_GIVEN, Build, BuildConfig, NotGiven

MAX_BUILDS = 100
"""Builds a page (API reference, "listAgentRevisions")."""

_revision_name = partial(filled, most=80)
_revision_description = partial(text, most=500)
"""The longest that they may be (API reference, "updateRevision" and "promoteRevision")."""


def list_builds(routes: Routes, agent_id: str, *, limit: int, offset: int) -> Call[Page[Build]]:
    """Read a page of an agent's builds."""
    query = {
        "limit": whole("page_size", limit, least=1, most=MAX_BUILDS),
        "offset": whole("offset", offset, least=0),
    }
    return Call(get(routes.builds(agent_id), query), page("builds", Build))


def create_build(  # noqa: PLR0913 - the fields of the body
    routes: Routes,
    agent_id: str,
    *,
    name: str,
    config: BuildConfig | Mapping[str, JSON] | None,
    handover_target_ids: Sequence[str] | None,
    source_build_id: str | None,
    idempotency_key: str | None,
) -> Call[Build]:
    """Make a build."""
    fields = {
        "name": filled("name", name),
        "config": None if config is None else config_json("config", config),
        "handover_target_ids": or_null(ids)("handover_target_ids", handover_target_ids),
        "source_build_id": or_null(filled)("source_build_id", source_build_id),
    }
    return Call(post(routes.builds(agent_id), fields, idempotency_key), one("build", Build))


def get_build(routes: Routes, agent_id: str, build_id: str) -> Call[Build]:
    """Read a build."""
    return Call(get(routes.build(agent_id, build_id)), one("build", Build))


def update_build(  # noqa: PLR0913 - the fields of the body
    routes: Routes,
    build_id: str,
    *,
    config: BuildConfig | Mapping[str, JSON] | NotGiven,
    handover_target_ids: Sequence[str] | NotGiven,
    revision_name: str | NotGiven | None,
    revision_description: str | NotGiven | None,
    idempotency_key: str | None,
) -> Call[Build]:
    """Change what is given of a build."""
    changes = {
        "config": config if config is NOT_GIVEN else config_json("config", config),
        "handoverTargetIds": kept("handover_target_ids", handover_target_ids, ids),
        "revision_name": kept("revision_name", revision_name, or_null(_revision_name)),
        "revision_description": kept(
            "revision_description", revision_description, or_null(_revision_description)
        ),
    }
    return Call(
        patch(routes.build_changes(build_id), changes, idempotency_key), one("build", Build)
    )


def promote_build(
    routes: Routes,
    build_id: str,
    *,
    revision_name: str | None,
    revision_description: str | NotGiven | None,
    idempotency_key: str | None,
) -> Call[bool]:
    """Make a build the live one."""
    fields: dict[str, object] = {}
    if revision_name is not None:
        fields["revision_name"] = _revision_name("revision_name", revision_name)
    if revision_description is not NOT_GIVEN:
        check = or_null(_revision_description)
        fields["revision_description"] = check("revision_description", revision_description)
    request = Request(
        method="POST",
        path=routes.promote(build_id),
        body=encoded(fields),
        idempotency_key=idempotency_key,
    )
    return Call(request, one("success", bool))


def config_json(name: str, config: BuildConfig | Mapping[str, JSON]) -> JSON:
    """Write a configuration as JSON, with all that it had when it was read."""
    if not isinstance(config, (BuildConfig, Mapping)):
        kind = type(config).__name__
        raise TypeError(f"{name} must be a BuildConfig or a mapping, not {kind}")
    return unstructure(config)
