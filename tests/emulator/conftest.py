from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attrs import define

from duvo_async.emulator import Emulator, Request, Response
from tests.support.described import check_answer
from tests.support.queue_api import QueueApi

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from duvo_async.emulator import Script


HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run on one Python what is said of the emulator: all else uses it on the others."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.once)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@define
class Clock:
    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@define
class Api:
    """Calls an emulator without sockets, with a good key."""

    emulator: Emulator
    clock: Clock

    def call(
        self,
        method: str,
        target: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        path, _, query = target.partition("?")
        known = {"authorization": f"Bearer {self.emulator.api_key}", "host": "emulator.test"}
        if body is not None and not isinstance(body, bytes):
            known["content-type"] = "application/json"
            body = json.dumps(body).encode()
        request = Request(method, path, query, {**known, **(headers or {})}, body or b"")
        response = self.emulator.handle(request)
        if path.startswith(("/v1/", "/v2/")):
            check_answer(request, response)
        return response

    def get(self, target: str, headers: Mapping[str, str] | None = None) -> Response:
        return self.call("GET", target, headers=headers)

    def post(
        self, target: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        return self.call("POST", target, body, headers)

    def start(self, script: Script = (), **fields: object) -> str:
        agent_id = self.emulator.add_agent(script)
        response = self.post("/v1/runs", {"agent_id": agent_id, **fields})
        assert response.status == 201, response.body
        run_id: str = response.json()["run"]["id"]
        return run_id

    def run(self, run_id: str) -> dict[str, Any]:
        run: dict[str, Any] = self.get(f"/v1/runs/{run_id}").json()["run"]
        return run

    def status(self, run_id: str) -> str:
        return str(self.run(run_id)["status"])

    def pending(self, run_id: str) -> dict[str, Any]:
        pending: dict[str, Any] = self.get(f"/v1/runs/{run_id}").json()["pending_human_request"]
        return pending

    def respond(self, run_id: str, body: object) -> Response:
        request_id = self.pending(run_id)["id"]
        return self.post(f"/v1/runs/{run_id}/human-requests/{request_id}/respond", body)

    def messages(self, run_id: str) -> list[dict[str, Any]]:
        page = self.get(f"/v1/runs/{run_id}/messages?limit=50").json()
        messages: list[dict[str, Any]] = page["messages"]
        return messages

    def texts(self, run_id: str) -> list[str]:
        return [each["text_content"] for each in self.messages(run_id) if each["type"] == "text"]

    def create_sandbox(self) -> str:
        sandbox_id: str = self.post("/v1/sandboxes").json()["sandbox_id"]
        return sandbox_id

    def upload(self, sandbox_id: str, path: str, data: bytes) -> Response:
        return self.post_form(sandbox_id, [("file", data), ("path", path.encode())])

    def post_form(
        self, sandbox_id: str, parts: list[tuple[str, bytes]], **headers: str
    ) -> Response:
        body = b"".join(
            b'--limit\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
            % (name.encode(), data)
            for name, data in parts
        )
        kind = {"content-type": "multipart/form-data; boundary=limit"}
        target = f"/v1/sandboxes/{sandbox_id}/files"
        return self.post(target, body + b"--limit--\r\n", headers={**kind, **headers})

    def create_upload_url(self, sandbox_id: str, path: str) -> str:
        response = self.post(f"/v1/sandboxes/{sandbox_id}/upload-urls", {"path": path})
        url: str = response.json()["upload_url"]
        return url.removeprefix("http://emulator.test")

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Response:
        """Sends what is given and nothing else."""
        path, _, query = target.partition("?")
        return self.emulator.handle(Request(method, path, query, headers or {}, body))

    def put(self, target: str, data: bytes, headers: Mapping[str, str] | None = None) -> Response:
        path, _, query = target.partition("?")
        length = {"content-length": str(len(data))} if headers is None else headers
        return self.emulator.handle(Request("PUT", path, query, length, data))

    def files(self, sandbox_id: str, path: str = "/workspace") -> list[dict[str, Any]]:
        response = self.get(f"/v1/sandboxes/{sandbox_id}/files?path={path}")
        files: list[dict[str, Any]] = response.json()["files"]
        return files


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_api(clock: Clock) -> Iterator[Callable[..., Api]]:
    made: list[Emulator] = []

    def make(**settings: Any) -> Api:  # noqa: ANN401 - any of the emulator's settings
        made.append(Emulator(clock=clock, **settings))
        return Api(made[-1], clock)

    yield make
    for emulator in made:
        emulator.close()


@pytest.fixture
def api(make_api: Callable[..., Api]) -> Api:
    return make_api()


@pytest.fixture
def queue(api: Api) -> QueueApi:
    return QueueApi.create(api)
