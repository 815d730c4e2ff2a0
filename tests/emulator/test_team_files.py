"""The files of a team: in through signed URLs, listed, renamed, edited and deleted."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import pytest

from tests.support.file_api import ORIGIN, FileApi

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.emulator.conftest import Api

NOBODY = "5f0c1d3e-8a57-4b0e-9a52-d0a7e8a4b6c1"


@pytest.fixture
def files(api: Api) -> FileApi:
    return FileApi(api)


def test_a_team_has_no_files_at_first(files: FileApi) -> None:
    assert files.entries() == []


def test_an_upload_url_tells_where_the_file_will_be(make_api: Callable[..., Api]) -> None:
    files = FileApi(make_api(upload_url_ttl=60.0))
    data = files.create_upload_url("a/b c.csv", "text/csv").json()
    assert data["filePath"] == "a/b c.csv"
    assert data["expiresAt"] == "2023-11-14T22:14:20.000Z"
    assert data["signedUrl"].startswith(f"{ORIGIN}/storage/")


@pytest.mark.parametrize("path", ["a.csv", "b/\u00e9 \u2713/100%?x=1#y&z+%2F.csv"])
@pytest.mark.parametrize("data", [b"", b"\x00\r\n" * 1000])
def test_the_bytes_of_a_put_become_the_file(files: FileApi, path: str, data: bytes) -> None:
    assert files.upload(path, data, 'text/csv; x="+"').status == 200
    (listed,) = files.entries()
    moment = "2023-11-14T22:13:20.000Z"
    assert (listed["path"], listed["name"]) == (path, path.rpartition("/")[2])
    assert (listed["created_at"], listed["updated_at"]) == (moment, moment)
    assert listed["metadata"] == {"mimetype": 'text/csv; x="+"', "size": len(data)}
    assert files.fetch(files.download_target(path)).body == data


def test_another_upload_to_the_path_replaces_the_bytes(files: FileApi) -> None:
    files.upload("a.csv", b"one")
    (older,) = files.entries()
    files.api.clock.advance(1)
    files.upload("a.csv", b"three", "text/csv")
    (newer,) = files.entries()
    assert (newer["id"], newer["created_at"]) == (older["id"], older["created_at"])
    assert newer["updated_at"] > older["updated_at"]
    assert newer["metadata"] == {"mimetype": "text/csv", "size": 5}


def test_a_folder_is_but_a_part_of_a_name(files: FileApi) -> None:
    files.upload("b/c", b"")
    files.upload("b", b"")
    files.upload("a", b"")
    assert files.paths() == ["a", "b", "b/c"]
    assert len({each["id"] for each in files.entries()}) == 3


@pytest.mark.parametrize("path", ["/a", "a/", "a//b", ".", "a/../b", "..", "a\0"])
def test_a_path_without_detours_is_wanted(files: FileApi, path: str) -> None:
    assert files.create_upload_url(path).status == 400


@pytest.mark.parametrize("kind", ["text/plain\r\nx: y", "caf\u00e9/x"])
def test_a_content_type_must_suit_a_header(files: FileApi, kind: str) -> None:
    assert files.create_upload_url("a", kind).status == 400


@pytest.mark.parametrize(
    "headers",
    [{}, {"content-type": "text/csv"}, {"content-type": "text/plain; charset=utf-8"}],
)
def test_the_content_type_is_part_of_the_signature(files: FileApi, headers: dict[str, str]) -> None:
    target = files.upload_target("a.txt", "text/plain")
    response = files.api.put(target, b"abc", {"content-length": "3", **headers})
    assert response.status == 403
    assert b"<Code>SignatureDoesNotMatch</Code>" in response.body
    assert files.entries() == []


def test_an_upload_url_serves_no_bytes(files: FileApi) -> None:
    files.upload("a.txt", b"abc")
    response = files.fetch(files.upload_target("a.txt"))
    assert (response.status, response.headers["allow"]) == (405, "PUT")


def test_an_incomplete_upload_leaves_the_older_file(files: FileApi) -> None:
    files.upload("a.txt", b"old")
    headers = {"content-length": "9", "content-type": "text/plain"}
    assert files.api.put(files.upload_target("a.txt"), b"new", headers).status == 400
    assert files.fetch(files.download_target("a.txt")).body == b"old"


def test_a_file_is_renamed_in_its_folder_with_its_extension(files: FileApi) -> None:
    files.upload("x/a.tar.gz", b"abc")
    (older,) = files.entries()
    files.api.clock.advance(1)
    response = files.rename("x/a.tar.gz", "b.c")
    assert (response.status, response.json()) == (200, {"success": True})
    (newer,) = files.entries()
    assert (newer["path"], newer["name"]) == ("x/b.c.gz", "b.c.gz")
    assert (newer["id"], newer["metadata"]) == (older["id"], older["metadata"])
    assert newer["updated_at"] > older["updated_at"]
    assert files.fetch(files.download_target("x/b.c.gz")).body == b"abc"


def test_a_file_may_keep_its_name(files: FileApi) -> None:
    files.upload("a.txt", b"abc")
    assert files.rename("a.txt", "a").status == 200
    assert files.paths() == ["a.txt"]


@pytest.mark.parametrize("name", ["b", "x/b", "..", ".", "", "b\0"])
def test_a_bad_name_is_refused(files: FileApi, name: str) -> None:
    files.upload("a", b"a")
    files.upload("b", b"b")
    assert files.rename("a", name).status == 400
    assert files.paths() == ["a", "b"]


def test_a_text_is_read_and_written(files: FileApi) -> None:
    files.upload("x/\u00e9.json", b"\xef\xbb\xbf\xe2\x9c\x93\r\n", "application/x-own")
    target = files.at("x/\u00e9.json")
    data = files.api.get(target).json()
    expected = {"content": "\ufeff\u2713\r\n", "path": "x/\u00e9.json"}
    assert data == {**expected, "contentType": "application/json"}
    assert files.api.call("PUT", target, {"content": ""}).json() == {"success": True}
    assert files.api.get(target).json()["content"] == ""
    (listed,) = files.entries()
    assert listed["metadata"] == {"mimetype": "application/x-own", "size": 0}


def test_an_unknown_extension_has_no_content_type(files: FileApi) -> None:
    files.upload("http:a.b.duvo", b"")
    assert files.api.get(files.at("http:a.b.duvo")).json() == {
        "content": "",
        "path": "http:a.b.duvo",
    }


@pytest.mark.parametrize("data", [b"\xff", b"x" * 11])
def test_only_short_texts_are_shown(make_api: Callable[..., Api], data: bytes) -> None:
    files = FileApi(make_api(max_direct_bytes=10))
    files.upload("a.txt", data)
    assert files.api.get(files.at("a.txt")).status == 400


def test_a_file_is_deleted_once(files: FileApi) -> None:
    for path in ("content/a b", "create-upload-url"):
        files.upload(path, b"abc")
        target = files.at(path, "")
        assert files.api.call("DELETE", target).json() == {"success": True}
        assert files.api.call("DELETE", target).status == 404
    assert files.entries() == []


@pytest.mark.parametrize(
    "tail", ["a%2Fb", "..", "%2e%2e", "a/../a/b", "a/%2E/b", "a//b", "/a/b", "a/b/", ""]
)
def test_a_path_is_split_before_it_is_decoded(files: FileApi, tail: str) -> None:
    files.upload("a/b", b"abc")
    for method, kind in (("GET", "content/"), ("GET", "download-url/"), ("DELETE", "")):
        assert files.api.call(method, f"{files.base}/{kind}{tail}").status in {404, 405}
    assert files.paths() == ["a/b"]


def test_a_segment_is_decoded_once(files: FileApi) -> None:
    files.upload("a%2Fb", b"abc")
    assert files.api.get(f"{files.base}/content/a%252Fb").json()["path"] == "a%2Fb"


def test_a_file_that_is_not_there_is_not_found(files: FileApi) -> None:
    for kind in ("content", "download-url"):
        assert files.api.get(files.at("a", kind)).status == 404
    assert files.api.call("PUT", files.at("a"), {"content": ""}).status == 404
    assert files.rename("a", "b").status == 404


@pytest.mark.parametrize(
    ("method", "tail", "body"),
    [
        ("PATCH", "", {"relativePath": "a"}),
        ("PATCH", "", {"relativePath": "a", "newFilenameOnly": 1}),
        ("PATCH", "", {"relativePath": "", "newFilenameOnly": "b"}),
        ("POST", "/create-upload-url", {"fileName": "a"}),
        ("POST", "/create-upload-url", {"fileName": "a", "contentType": ""}),
        ("POST", "/create-upload-url", {"fileName": "a", "contentType": "a", "size": 1}),
        ("PUT", "/content/a", {}),
        ("PUT", "/content/a", {"content": None}),
        ("GET", "", {}),
        ("GET", "/content/a", {}),
        ("GET", "?page=1", None),
        ("DELETE", "/a?force=1", None),
    ],
)
def test_a_bad_request_is_refused(files: FileApi, method: str, tail: str, body: object) -> None:
    files.upload("a", b"abc")
    assert files.api.call(method, files.base + tail, body).status == 400
    assert files.paths() == ["a"]


def test_another_team_has_no_files(files: FileApi) -> None:
    files.upload("a", b"abc")
    other = f"/v2/teams/{files.api.emulator.add_team('Other')}/files"
    assert files.api.get(other).json() == {"files": []}
    for team in (other, f"/v2/teams/{NOBODY}/files"):
        assert files.api.get(f"{team}/content/a").status == 404
        assert files.api.call("DELETE", f"{team}/a").status == 404
    assert files.api.get(f"/v2/teams/{NOBODY}/files").status == 404
    assert files.paths() == ["a"]


def test_the_first_generation_knows_no_files(files: FileApi) -> None:
    assert files.api.get("/v1/files").status == 404


def test_deleted_bytes_are_gone(
    files: FileApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for data in (b"one", b"two"):
        files.upload("a", data)
    files.upload("b", b"three")
    files.api.call("DELETE", files.at("b", ""))
    assert [file.read_bytes() for file in tmp_path.glob("*/*")] == [b"two"]
    files.api.call("PUT", files.at("a"), {"content": "four"})
    assert [file.read_bytes() for file in tmp_path.glob("*/*")] == [b"four"]


def test_one_seed_makes_the_same_files(make_api: Callable[..., Api]) -> None:
    one, two = FileApi(make_api(seed=7)), FileApi(make_api(seed=7))
    for files in (one, two):
        files.upload("a", b"abc")
    assert one.entries() == two.entries()
    assert one.download_target("a") == two.download_target("a")
