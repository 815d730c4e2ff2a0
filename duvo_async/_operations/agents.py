"""What is sent about agents, and what the answers mean."""

from datetime import datetime

from attrs import evolve, frozen

from duvo_async._converter import structure
from duvo_async._operations._fields import (
    delete,
    done,
    filled,
    flag,
    get,
    kept,
    or_null,
    page,
    patch,
    post,
    whole,
)
from duvo_async._operations.builds import config_json
from duvo_async._protocol import Call, Page, Response, member, parse_json
from duvo_async._routes import Routes
from duvo_async.models import JSON, Agent, AgentOverview, Build, NewAgent, NewBuild, NotGiven

MAX_AGENTS = 100
"""Agents a page (API reference, "listAgents")."""

_optional = or_null(filled)


def list_agents(
    routes: Routes,
    *,
    include_schedules: bool,
    automation_id: str | None,
    limit: int,
    offset: int,
) -> Call[Page[AgentOverview]]:
    """Read a page of the list of agents."""
    query = {
        "include_schedules": flag("include_schedules", include_schedules) or None,
        "automation_id": _optional("automation_id", automation_id),
        "limit": whole("page_size", limit, least=1, most=MAX_AGENTS),
        "offset": whole("offset", offset, least=0),
    }
    return Call(get(routes.agents(), query), page("agents", AgentOverview))


def create_agent(  # noqa: PLR0913 - the fields of the body
    routes: Routes,
    *,
    name: str,
    build: NewBuild | None,
    source_build_id: str | None,
    thread_id: str | None,
    automation_id: str | None,
    idempotency_key: str | None,
) -> Call[NewAgent]:
    """Make an agent, with its first build if there is one."""
    fields = {
        "name": filled("name", name),
        "build": None if build is None else _build_json(build),
        "source_build_id": _optional("source_build_id", source_build_id),
        "thread_id": _optional("thread_id", thread_id),
        "automation_id": _optional("automation_id", automation_id),
    }
    return Call(post(routes.agents(), fields, idempotency_key), _new_agent)


def _build_json(build: NewBuild) -> JSON:
    if not isinstance(build, NewBuild):
        raise TypeError(f"build must be a NewBuild, not {type(build).__name__}")
    return {
        "name": filled("build.name", build.name),
        "config": config_json("build.config", build.config),
    }


def _new_agent(response: Response) -> NewAgent:
    agent = member(response.body, "agent", NewAgent)
    build = _beside(response, "build")
    return evolve(agent, build=None if build is None else structure(build, Build, "$.build"))


def get_agent(routes: Routes, agent_id: str) -> Call[Agent]:
    """Read an agent."""
    return Call(get(routes.agent(agent_id)), _agent)


def update_agent(  # noqa: PLR0913 - the fields of the body
    routes: Routes,
    agent_id: str,
    *,
    name: str | NotGiven,
    slack_enabled: bool | NotGiven,
    microsoft_teams_enabled: bool | NotGiven,
    agentic_memory_enabled: bool | NotGiven,
    thread_id: str | NotGiven | None,
    pinned: bool | NotGiven,
    idempotency_key: str | None,
) -> Call[Agent]:
    """Change what is given of an agent."""
    changes = {
        "name": kept("name", name, filled),
        "slack_enabled": kept("slack_enabled", slack_enabled, flag),
        "microsoft_teams_enabled": kept("microsoft_teams_enabled", microsoft_teams_enabled, flag),
        "agentic_memory_enabled": kept("agentic_memory_enabled", agentic_memory_enabled, flag),
        "thread_id": kept("thread_id", thread_id, or_null(filled)),
        "pinned": kept("pinned", pinned, flag),
    }
    return Call(patch(routes.agent(agent_id), changes, idempotency_key), _agent)


def delete_agent(routes: Routes, agent_id: str, *, idempotency_key: str | None) -> Call[None]:
    """Delete an agent."""
    return Call(delete(routes.agent(agent_id), idempotency_key), done)


@frozen(kw_only=True)
class _UserContext:
    """What an agent is to the key's owner."""

    pinned_at: datetime | None = None


def _agent(response: Response) -> Agent:
    agent = member(response.body, "agent", Agent)
    context = _beside(response, "user_context")
    if context is None:
        return agent
    return evolve(agent, pinned_at=structure(context, _UserContext, "$.user_context").pinned_at)


def _beside(response: Response, name: str) -> JSON:
    value = parse_json(response.body)
    return value.get(name) if isinstance(value, dict) else None
