"""A program that gets access tokens from an emulator, in the emulator's own tests."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote_plus, urlencode

from attrs import define

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duvo_async.emulator import Response
    from tests.emulator.conftest import Api

TOKEN = "/login/oauth/token"
GRANT = {"grant_type": "client_credentials"}
SCOPES = (
    "runs:read runs:write queues:write approvals:write files:read sandboxes:write"
    " webhooks:manage mcp:call"
)


@define
class Client:
    """A program that asks an emulator for tokens."""

    api: Api
    id: str
    secret: str

    @property
    def basic(self) -> dict[str, str]:
        return encoded(f"{quote_plus(self.id)}:{quote_plus(self.secret)}")

    def ask(
        self, form: Mapping[str, str] | str, headers: Mapping[str, str] | None = None
    ) -> Response:
        kind = {"content-type": "application/x-www-form-urlencoded", "host": "emulator.test"}
        body = (form if isinstance(form, str) else urlencode(form)).encode()
        given = self.basic if headers is None else headers
        return self.api.send("POST", TOKEN, {**kind, **given}, body)

    def token(self, **form: str) -> str:
        response = self.ask({**GRANT, **form})
        assert response.status == 200, response.body
        token: str = response.json()["access_token"]
        return token

    def call(self, token: str, method: str = "GET", target: str = "/v1/health") -> Response:
        return self.api.call(method, target, headers={"authorization": f"Bearer {token}"})


def encoded(text: str) -> dict[str, str]:
    return {"authorization": f"Basic {b64encode(text.encode()).decode()}"}


def check_refused(response: Response, status: int, error: str) -> None:
    data = response.json()
    assert (response.status, data["error"]) == (status, error)
    assert set(data) == {"error", "error_description"}
    assert response.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in response.headers) == (status == 401)
