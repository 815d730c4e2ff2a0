"""The operations on the builds of agents, which the API's paths call revisions."""

from attrs import frozen

from duvo_async.emulator.agent_operations import find_agent
from duvo_async.emulator.agents import Agents, Build
from duvo_async.emulator.build_config import any_config, completed, new_config
from duvo_async.emulator.checks import list_of, or_null, text_of
from duvo_async.emulator.exchange import ApiError, Response, json_response
from duvo_async.emulator.generations import both
from duvo_async.emulator.parameters import page
from duvo_async.emulator.routing import Call, Route
from duvo_async.emulator.validation import (
    Field,
    filled_text,
    uuid,
)

_CREATE = {
    "name": Field(filled_text, required=True),
    "config": Field(new_config),
    "handover_target_ids": Field(list_of(uuid)),
    "source_build_id": Field(uuid),
}
_UPDATE = {
    "config": Field(any_config),
    "handoverTargetIds": Field(list_of(uuid)),
    "revision_name": Field(or_null(text_of(1, 80))),
    "revision_description": Field(or_null(text_of(0, 500))),
}
_PROMOTE = {
    "revision_name": Field(text_of(1, 80)),
    "revision_description": Field(or_null(text_of(0, 500))),
}


@frozen
class BuildOperations:
    """The operations on builds. Targets of handovers are taken, and never shown by the API.

    Attributes:
        agents: The agents, who have the builds.
    """

    agents: Agents

    def routes(self) -> tuple[Route, ...]:
        """Where they are found in both generations, which have a single build in other places."""
        builds, build = "/v2/agents/{agent_id}/revisions", "/v2/revisions/{build_id}"
        return (
            Route("GET", f"{builds}/{{build_id}}", self.get),
            Route("GET", "/v1/revisions/{build_id}", self.get),
            *both(
                (
                    Route("GET", builds, self.list_builds, page(20, 100)),
                    Route("POST", builds, self.create, body=_CREATE),
                    Route("PATCH", build, self.update, body=_UPDATE),
                    Route("POST", f"{build}/promote", self.promote, body=_PROMOTE),
                )
            ),
        )

    def list_builds(self, call: Call) -> Response:
        """Shows a page of an agent's builds, newest first."""
        limit, offset = call.query["limit"], call.query["offset"]
        found = find_agent(self.agents, call).builds[::-1]
        builds = [build.as_shown() for build in found[offset : offset + limit]]
        data = {"builds": builds, "total": len(found), "limit": limit, "offset": offset}
        return json_response(200, data)

    def create(self, call: Call) -> Response:
        """Makes a build: a draft, unless it is the agent's first, which is live at once."""
        body = call.body
        agent = find_agent(self.agents, call)
        source = body.get("source_build_id")
        if source is not None:
            source = self._get(source).id
        config = completed(body["config"]) if "config" in body else None
        build = self.agents.add_build(agent, body["name"], config, call.now, source)
        return json_response(201, {"build": build.as_shown(), "agent": {"id": agent.id}})

    def get(self, call: Call) -> Response:
        """Shows a build."""
        build = self._find(call)
        agent_id = call.params.get("agent_id", build.agent_id)
        if build.agent_id != agent_id:
            raise ApiError(404, "the agent has no such build")
        return json_response(200, {"build": build.as_shown()})

    def update(self, call: Call) -> Response:
        """Changes what the body has of a build."""
        body = call.body
        build = self._find(call)
        if "config" in body:
            build.config = completed(body["config"])
        _describe(build, body)
        build.updated_at = call.now
        return json_response(200, {"build": build.as_shown()})

    def promote(self, call: Call) -> Response:
        """Makes a build the one that new runs of its agent name."""
        body = call.body
        build = self._find(call)
        agent = self.agents.find(build.agent_id)
        if agent is None or agent.live is build:
            raise ApiError(409, "the build is live already")
        self.agents.promote(agent, build, call.now)
        _describe(build, body)
        return json_response(200, {"success": True})

    def _find(self, call: Call) -> Build:
        return self._get(call.params["build_id"])

    def _get(self, build_id: str) -> Build:
        build = self.agents.find_build(build_id.lower())
        if build is None:
            raise ApiError(404, "there is no such build")
        return build


def _describe(build: Build, body: dict[str, str | None]) -> None:
    build.revision_name = body.get("revision_name", build.revision_name)
    build.revision_description = body.get("revision_description", build.revision_description)
