"""Calls an emulator about agents and their builds, without sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define

if TYPE_CHECKING:
    from tests.emulator.conftest import Api

INPUT: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief.", "type": "message"},
    {
        "role": "user",
        "content": [
            {"type": "input_text", "text": "Reconcile these."},
            {"type": "input_image", "detail": "low", "url": None},
            {"type": "input_file", "file_id": "f-1"},
        ],
    },
]
MODELS: dict[str, Any] = {
    "agent": {"model": "d1-max"},
    "browsing": {"provider": "anthropic", "model": "claude-haiku-4-5"},
}
LEAST_CONFIG: dict[str, Any] = {
    "version": "v2",
    "data": {"models": MODELS, "input": "Reconcile these."},
}
FULL_CONFIG: dict[str, Any] = {
    "version": "v2",
    "data": {
        "models": MODELS,
        "input": INPUT,
        "files": ["a.csv"],
        "skills": [],
        "plugins": None,
        "subAgents": ["5f0c1d3e-8a57-4b0e-9a52-d0a7e8a4b6c1"],
        "options": {
            "browserProvider": "browser-use",
            "evaluationSchemaId": "e-1",
            "benchmarkExpectedOutcomes": [{"description": "d", "criteria": "c"}],
            "anything": {"else": [1]},
        },
    },
}
OLD_CONFIG: dict[str, Any] = {
    "version": "v1",
    "data": {
        "model": "gpt-4o",
        "temperature": 0.5,
        "max_output_tokens": 1000,
        "top_p": None,
        "store": False,
        "tools": [{"type": "web"}],
        "input": INPUT,
        "text": {"format": {"type": "json_object"}},
        "files": None,
        "skills": ["s"],
    },
}


@define
class AgentApi:
    """Calls about one agent, which was made by a request."""

    api: Api
    id: str

    @classmethod
    def create(cls, api: Api, name: str = "Clerk", **fields: object) -> AgentApi:
        response = api.post("/v1/agents", {"name": name, **fields})
        assert response.status == 201, response.body
        return cls(api, response.json()["agent"]["id"])

    @classmethod
    def create_built(cls, api: Api, config: object = LEAST_CONFIG) -> AgentApi:
        return cls.create(api, build={"name": "First", "config": config})

    @property
    def path(self) -> str:
        return f"/v2/agents/{self.id}"

    def add_build(self, name: str = "Next", **fields: object) -> dict[str, Any]:
        response = self.api.post(f"{self.path}/revisions", {"name": name, **fields})
        assert response.status == 201, response.body
        build: dict[str, Any] = response.json()["build"]
        return build

    def builds(self, query: str = "") -> list[dict[str, Any]]:
        response = self.api.get(f"{self.path}/revisions?{query}")
        assert response.status == 200, response.body
        builds: list[dict[str, Any]] = response.json()["builds"]
        return builds

    def add_schedule(self, **fields: object) -> dict[str, Any]:
        body = {"enabled": True, "frequency": "hourly", "timezone": "Europe/Prague", **fields}
        response = self.api.post(f"{self.path}/schedules", body)
        assert response.status == 200, response.body
        return response.json()
