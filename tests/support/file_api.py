"""The operations on the files of a team, as the emulator's tests call them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from attrs import define

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duvo_async.emulator import Response
    from tests.emulator.conftest import Api

ORIGIN = "http://emulator.test"


@define
class FileApi:
    """Calls an emulator about the files of its own team."""

    api: Api

    @property
    def base(self) -> str:
        return f"/v2/teams/{self.api.emulator.team_id}/files"

    def entries(self) -> list[dict[str, Any]]:
        files: list[dict[str, Any]] = self.api.get(self.base).json()["files"]
        return files

    def paths(self) -> list[str]:
        return [each["path"] for each in self.entries()]

    def at(self, path: str, kind: str = "content") -> str:
        """Where the operations of a kind on one file are; the kind may be empty."""
        folder = f"{self.base}/{kind}" if kind else self.base
        return f"{folder}/{quote(path)}"

    def create_upload_url(self, path: str, content_type: str = "text/plain") -> Response:
        body = {"fileName": path, "contentType": content_type}
        return self.api.post(f"{self.base}/create-upload-url", body)

    def upload_target(self, path: str, content_type: str = "text/plain") -> str:
        url: str = self.create_upload_url(path, content_type).json()["signedUrl"]
        return url.removeprefix(ORIGIN)

    def upload(self, path: str, data: bytes, content_type: str = "text/plain") -> Response:
        headers = {"content-length": str(len(data)), "content-type": content_type}
        return self.api.put(self.upload_target(path, content_type), data, headers)

    def download_target(self, path: str) -> str:
        url: str = self.api.get(self.at(path, "download-url")).json()["url"]
        return url.removeprefix(ORIGIN)

    def rename(self, path: str, name: str) -> Response:
        body = {"relativePath": path, "newFilenameOnly": name}
        return self.api.call("PATCH", self.base, body)

    def fetch(self, target: str, headers: Mapping[str, str] | None = None) -> Response:
        """Fetches a signed URL as one does who has no key."""
        return self.api.send("GET", target, headers)
