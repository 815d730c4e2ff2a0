"""Holds the answers on team files against the vendor's document, where there is a copy of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.contract import Contract
from tests.support.file_api import FileApi

if TYPE_CHECKING:
    from tests.emulator.conftest import Api

FOLDER = os.environ.get("DUVO_OPENAPI_DIR", "")
FILES = "/v2/teams/{teamId}/files"
CONTENT, DOWNLOAD, FILE = f"{FILES}/content/{{*}}", f"{FILES}/download-url/{{*}}", f"{FILES}/{{*}}"
UPLOAD = f"{FILES}/create-upload-url"

pytestmark = pytest.mark.skipif(not FOLDER, reason="DUVO_OPENAPI_DIR is not set")


def use_files(contract: Contract) -> None:
    body = {"fileName": "a/b.csv", "contentType": "text/csv"}
    contract.call("POST", UPLOAD, body)
    contract.call("POST", UPLOAD, {})
    files = FileApi(contract.api)
    files.upload("a/b.csv", b"abc", "text/csv")
    files.upload("odd", b"\xff")
    assert len(contract.call("GET", FILES)["files"]) == 2
    contract.call("PATCH", FILES, {"relativePath": "odd", "newFilenameOnly": "even"})
    contract.call("PATCH", FILES, {})
    contract.ids["*"] = "a/b.csv"
    contract.call("GET", DOWNLOAD)
    contract.call("GET", CONTENT)
    contract.call("PUT", CONTENT, {"content": "x"})
    contract.call("PUT", CONTENT, {})
    contract.ids["*"] = "even"
    contract.call("GET", CONTENT)
    contract.call("PUT", CONTENT, {"content": "x"})
    contract.call("GET", CONTENT)
    contract.call("DELETE", FILE)


def miss_everything(contract: Contract) -> None:
    contract.ids["*"] = "none"
    contract.call("PATCH", FILES, {"relativePath": "none", "newFilenameOnly": "x"})
    contract.call("PUT", CONTENT, {"content": "x"})
    for method, template in (("GET", DOWNLOAD), ("GET", CONTENT), ("DELETE", FILE)):
        contract.call(method, template)


def test_every_answer_on_files_is_as_the_document_says(api: Api) -> None:
    contract = Contract.load(api, FOLDER)
    use_files(contract)
    miss_everything(contract)
    described = {
        (method.upper(), path)
        for path, methods in contract.paths.items()
        for method in methods
        if path.startswith(FILES)
    }
    assert contract.seen == described
    assert len(described) == 7
