"""Calls an emulator about one queue, without sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duvo_async.emulator import CaseEntry, Response, Script
    from tests.emulator.conftest import Api


@define
class QueueApi:
    """A queue of an emulator, and the calls that tests make about it."""

    api: Api
    id: str

    @classmethod
    def create(cls, api: Api, name: str = "Invoices", **fields: object) -> QueueApi:
        path = f"/v2/teams/{api.emulator.team_id}/queues"
        response = api.post(path, {"name": name, **fields})
        assert response.status == 201, response.body
        return cls(api, response.json()["queue"]["id"])

    @property
    def path(self) -> str:
        return f"/v2/queues/{self.id}"

    def add(self, *titles: str, **fields: object) -> list[str]:
        """Creates cases in one request, and gives their ids."""
        body = {"cases": [{"title": title, **fields} for title in titles]}
        response = self.api.post(f"{self.path}/cases", body)
        assert response.status == 201, response.body
        return [case["id"] for case in response.json()["added_cases"]]

    def page(self, query: str = "") -> dict[str, Any]:
        response = self.api.get(f"{self.path}/cases?{query}")
        assert response.status == 200, response.body
        return response.json()

    def titles(self, query: str = "sort_order=asc") -> list[str]:
        return [case["title"] for case in self.page(query)["cases"]]

    def search(self, **body: object) -> dict[str, Any]:
        response = self.api.post(f"{self.path}/cases/search", body)
        assert response.status == 200, response.body
        return response.json()

    def found(self, **body: object) -> list[str]:
        return [case["title"] for case in self.search(sort_order="asc", **body)["cases"]]

    def case(self, case_id: str) -> dict[str, Any]:
        case: dict[str, Any] = self.api.get(f"/v2/cases/{case_id}").json()["case"]
        return case

    def events(self, case_id: str) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = self.api.get(f"/v2/cases/{case_id}").json()["events"]
        return events

    def history(self, case_id: str) -> list[str]:
        return [event["type"] for event in self.events(case_id)]

    def runs(self, case_id: str) -> list[dict[str, Any]]:
        runs: list[dict[str, Any]] = self.api.get(f"/v2/cases/{case_id}/runs").json()["runs"]
        return runs

    def bulk(self, operation: str, body: Mapping[str, object]) -> Response:
        return self.api.post(f"{self.path}/cases/bulk-{operation}", body)

    def entries(self) -> tuple[CaseEntry, ...]:
        return self.api.emulator.cases(self.id)

    def states(self) -> list[str]:
        return [entry.display_status for entry in self.entries()]

    def trigger(self, script: Script = (), **fields: object) -> tuple[str, str]:
        """Has a new agent work the queue off, and gives the ids of the agent and its trigger."""
        agent_id = self.api.emulator.add_agent(script)
        body = {"case_queue_id": self.id, "enabled": True, **fields}
        response = self.api.post(f"/v2/agents/{agent_id}/case-triggers", body)
        assert response.status == 201, response.body
        return agent_id, response.json()["case_trigger"]["id"]

    def update_trigger(self, trigger: tuple[str, str], **fields: object) -> dict[str, Any]:
        agent_id, trigger_id = trigger
        path = f"/v2/agents/{agent_id}/case-triggers/{trigger_id}"
        response = self.api.call("PATCH", path, fields)
        assert response.status == 200, response.body
        shown: dict[str, Any] = response.json()["case_trigger"]
        return shown
