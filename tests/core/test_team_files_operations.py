import json
from datetime import UTC, datetime
from typing import Any

import pytest

from duvo_async import (
    TeamFile,
    TeamFileDownloadUrl,
    TeamFileMetadata,
    TeamFileUploadUrl,
    UnsupportedOperation,
)
from duvo_async import _operations as operations
from duvo_async._converter import DecodeProblem
from duvo_async._protocol import Call, Page, Response
from duvo_async._routes import Routes

V1 = Routes("v1")
V2 = Routes("v2", "team-7")
FILES = "/v2/teams/team-7/files"
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
SIGNED = "https://s.test/b/a.csv?X-Signature=hush"


def list_files(routes: Routes = V2) -> Call[Any]:
    return operations.list_team_files(routes)


def upload_url(routes: Routes = V2, **given: Any) -> Call[Any]:  # noqa: ANN401
    fields: dict[str, Any] = {"name": "a.csv", "content_type": "text/csv", "idempotency_key": "k"}
    return operations.create_team_file_upload_url(routes, **{**fields, **given})


def download_url(routes: Routes = V2, path: Any = "in/a b.csv") -> Call[Any]:  # noqa: ANN401
    return operations.create_team_file_download_url(routes, path)


def read(routes: Routes = V2, path: Any = "in/a b.csv") -> Call[Any]:  # noqa: ANN401
    return operations.read_team_file(routes, path)


def write(routes: Routes = V2, path: Any = "in/a b.csv", content: Any = "x") -> Call[Any]:  # noqa: ANN401
    return operations.write_team_file(routes, path, content=content, idempotency_key="k")


def rename(routes: Routes = V2, path: Any = "in/a b.csv", name: Any = "c") -> Call[Any]:  # noqa: ANN401
    return operations.rename_team_file(routes, path, name=name, idempotency_key="k")


def delete(routes: Routes = V2, path: Any = "in/a b.csv") -> Call[Any]:  # noqa: ANN401
    return operations.delete_team_file(routes, path, idempotency_key="k")


def body_of(call: Call[Any]) -> Any:  # noqa: ANN401 - JSON
    assert isinstance(call.request.body, bytes)
    return json.loads(call.request.body)


def decoded(call: Call[Any], body: object) -> Any:  # noqa: ANN401 - a model
    data = json.dumps(body).encode()
    return call.decode(Response(status=200, reason="OK", headers={}, body=data))


# --- what is sent --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "method", "path"),
    [
        (list_files, "GET", FILES),
        (upload_url, "POST", f"{FILES}/create-upload-url"),
        (download_url, "GET", f"{FILES}/download-url/in/a%20b.csv"),
        (read, "GET", f"{FILES}/content/in/a%20b.csv"),
        (write, "PUT", f"{FILES}/content/in/a%20b.csv"),
        (rename, "PATCH", FILES),
        (delete, "DELETE", f"{FILES}/in/a%20b.csv"),
    ],
)
def test_each_operation_has_its_place_in_v2_only(make: Any, method: str, path: str) -> None:  # noqa: ANN401
    request = make().request
    assert (request.method, request.path, request.query) == (method, path, ())
    assert request.idempotency_key == (None if method == "GET" else "k")
    assert make(Routes("v2")).request.path == path.replace("team-7", "{team_id}")
    with pytest.raises(UnsupportedOperation, match="files of a team"):
        make(V1)


def test_bodies_have_the_names_of_the_api() -> None:
    assert body_of(upload_url()) == {"fileName": "a.csv", "contentType": "text/csv"}
    assert body_of(write(content="päper\n")) == {"content": "päper\n"}
    assert body_of(write(content="")) == {"content": ""}
    assert body_of(rename(path="/in/a b.csv")) == {
        "relativePath": "in/a b.csv",
        "newFilenameOnly": "c",
    }


@pytest.mark.parametrize(
    ("path", "name", "stem"),
    [
        ("a.csv", "b", "b"),
        ("a.csv", "b.csv", "b"),
        ("in/a.csv", "b.tsv", "b.tsv"),
        ("a.tar.gz", "b.tar.gz", "b.tar"),
        ("a", "b.csv", "b.csv"),
        (".hidden", ".seen", ".seen"),
        ("a.csv", "v1.2", "v1.2"),
    ],
)
def test_a_file_keeps_its_suffix_and_gets_it_once(path: str, name: str, stem: str) -> None:
    assert body_of(rename(path=path, name=name))["newFilenameOnly"] == stem


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("make", [download_url, read, write, rename, delete])
@pytest.mark.parametrize("path", ["", " ", "/", "a//b", "../a", "a/..", "./a", "a/"])
def test_a_path_that_leads_elsewhere_is_refused(make: Any, path: str) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match="path"):
        make(path=path)
    with pytest.raises(TypeError, match="path must be a string"):
        make(path=7)


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"name": " "}, ValueError, "name must not be empty"),
        ({"name": 7}, TypeError, "name must be a string"),
        ({"name": "../a"}, ValueError, "name '../a' is not"),
        ({"name": "a\nb"}, ValueError, "characters that cannot be sent"),
        ({"name": "caf\udce9"}, ValueError, "characters that cannot be sent"),
        ({"content_type": ""}, ValueError, "content_type must not be empty"),
        ({"content_type": "text/csv\r\nX-A: b"}, ValueError, "must be printable ASCII"),
        ({"content_type": "täxt/csv"}, ValueError, "must be printable ASCII"),
        ({"content_type": 7}, TypeError, "content_type must be a string"),
    ],
)
def test_a_file_that_cannot_be_named_is_refused(
    given: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        upload_url(**given)


@pytest.mark.parametrize("name", ["", ".", "..", ".csv", "a/b", "a\\b", "../b", "a\nb"])
def test_a_new_name_is_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        rename(name=name)


def test_a_text_is_a_string() -> None:
    with pytest.raises(TypeError, match="text must be a string"):
        write(content=b"x")
    with pytest.raises(TypeError, match="name must be a string"):
        rename(name=None)


# --- what the answers mean -----------------------------------------------------------------------

FILE: dict[str, object] = {
    "id": "file-1",
    "name": "a.csv",
    "path": "in/a.csv",
    "created_at": "2026-07-01T12:00:00Z",
    "updated_at": "2026-07-01T12:00:00Z",
    "metadata": {"mimetype": "text/csv", "size": 12.0},
}
NEW = {"brand_new": [1]}


def test_files_are_understood() -> None:
    least = {"id": "file-2", "name": "b", "path": "b"}
    bare = {**least, "metadata": None}
    strange = {**FILE, "metadata": {"size": None, **NEW}, **NEW}
    page = decoded(list_files(), {"files": [FILE, least, bare, strange], **NEW})
    full = TeamFile(
        id="file-1",
        name="a.csv",
        path="in/a.csv",
        created_at=NOON,
        updated_at=NOON,
        metadata=TeamFileMetadata(mimetype="text/csv", size=12),
    )
    assert isinstance(page, Page)
    assert page.items[0] == full
    assert page.items[1] == page.items[2] == TeamFile(id="file-2", name="b", path="b")
    assert [file.size_bytes for file in page.items] == [12, None, None, None]
    with pytest.raises(DecodeProblem, match=r"\$\.files"):
        decoded(list_files(), {})


@pytest.mark.parametrize("name", ["id", "name", "path"])
def test_a_file_without_its_identity_is_not_understood(name: str) -> None:
    lacking = {each: value for each, value in FILE.items() if each != name}
    with pytest.raises(DecodeProblem) as caught:
        decoded(list_files(), {"files": [lacking]})
    assert caught.value.problems == (f"required field missing @ $.files[0].{name}",)


def test_urls_are_understood() -> None:
    told = {"signedUrl": SIGNED, "filePath": "a.csv", "expiresAt": "2026-07-01T12:00:00Z"}
    url = TeamFileUploadUrl(upload_url=SIGNED, path="a.csv", expires_at=NOON)
    assert decoded(upload_url(), {**told, **NEW}) == url
    assert decoded(upload_url(), {"signedUrl": SIGNED, "filePath": "a"}).expires_at is None
    told = {"url": SIGNED, "expiresAt": "2026-07-01T12:00:00Z"}
    assert decoded(download_url(), {**told, **NEW}) == TeamFileDownloadUrl(
        url=SIGNED, expires_at=NOON
    )
    assert decoded(download_url(), {"url": SIGNED}).expires_at is None
    assert "hush" not in repr([decoded(download_url(), told), url])


@pytest.mark.parametrize("call", [upload_url(), download_url()], ids=["upload", "download"])
@pytest.mark.parametrize("url", [None, 7, "", "a.csv", "ftp://s.test/a", "https:///a", "http://["])
def test_what_is_no_web_address_is_not_understood(call: Call[Any], url: object) -> None:
    body: dict[str, object] = {"signedUrl": url, "filePath": "a", "url": url}
    with pytest.raises(DecodeProblem) as caught:
        decoded(call, body)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("name", ["signedUrl", "filePath"])
def test_an_upload_url_lacks_nothing_that_is_needed(name: str) -> None:
    told = {"signedUrl": SIGNED, "filePath": "a.csv"}
    del told[name]
    with pytest.raises(DecodeProblem, match="required field missing"):
        decoded(upload_url(), told)
    with pytest.raises(DecodeProblem, match="required field missing"):
        decoded(download_url(), {})


def test_the_text_of_a_file_is_its_content() -> None:
    assert decoded(read(), {"content": "päper\n", "path": "a", **NEW}) == "päper\n"
    wrong: list[object] = [{"path": "a"}, {"content": None}, {"content": 7}, []]
    for body in wrong:
        with pytest.raises(DecodeProblem):
            decoded(read(), body)


@pytest.mark.parametrize("call", [write(), rename(), delete()], ids=["write", "rename", "delete"])
@pytest.mark.parametrize("body", [b'{"success":true}', b"", b"{}"])
def test_a_change_gives_nothing_back(call: Call[None], body: bytes) -> None:
    response = Response(status=200, reason="OK", headers={}, body=body)
    assert (call.decode(response), response.status) == (None, 200)
