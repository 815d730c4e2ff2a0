from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from duvo_async.emulator import ReadFile

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from duvo_async.emulator import Response, StartedRun, Step
    from tests.emulator.conftest import Api


def code(response: Response) -> str | None:
    assert response.headers["content-type"] == "application/xml"
    return ET.fromstring(response.body).findtext("Code")  # noqa: S314 - the emulator's own


def test_an_upload_url_tells_where_the_file_will_be(make_api: Callable[..., Api]) -> None:
    api = make_api(upload_url_ttl=60.0)
    response = api.post(f"/v1/sandboxes/{api.create_sandbox()}/upload-urls", {"path": "a/b.csv"})
    data = response.json()
    assert response.status == 200
    assert data["path"] == "/workspace/a/b.csv"
    assert data["expires_in_seconds"] == 60
    assert data["upload_url"].startswith("http://emulator.test/storage/")
    assert set(data) == {"path", "expires_in_seconds", "upload_url"}


@pytest.mark.parametrize("path", ["a.csv", "\u00e9 \u2713/100%?x=1#y&z+.csv"])
@pytest.mark.parametrize("data", [b"", b"\x00\r\n" * 1000])
def test_the_bytes_of_a_put_become_the_file(api: Api, path: str, data: bytes) -> None:
    read: list[bytes] = []

    def script(_: StartedRun) -> Generator[Step, Any, None]:
        read.append((yield ReadFile(path)))

    sandbox_id = api.create_sandbox()
    response = api.put(api.create_upload_url(sandbox_id, path), data)
    assert (response.status, response.body) == (200, b"")
    assert api.status(api.start(script, sandbox_id=sandbox_id)) == "completed"
    assert read == [data]


def test_a_url_is_good_until_it_expires(api: Api) -> None:
    target = api.create_upload_url(api.create_sandbox(), "a.csv")
    api.clock.advance(899.5)
    assert api.put(target, b"abc").status == 200
    api.clock.advance(0.5)
    response = api.put(target, b"abc")
    assert (response.status, code(response)) == (403, "AccessDenied")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a.csv", "b.csv"),
        ("a.csv", "%61.csv"),
        ("Expires=1", "Expires=2"),
        ("%2F", "/"),
        ("%7E", "~"),
        ("%2c", "%2C"),
        ("+", "%20"),
        ("%21", "!"),
        ("&X-Storage-Signature=", "&X-Storage-Signature=0"),
        ("&X-Storage-Signature=", "&x="),
        ("?X-Storage", "?a=b&X-Storage"),
    ],
)
def test_a_url_must_be_sent_as_it_was_given(api: Api, old: str, new: str) -> None:
    sandbox_id = api.create_sandbox()
    target = api.create_upload_url(sandbox_id, "a.csv")
    assert old in target
    response = api.put(target.replace(old, new, 1), b"abc")
    assert (response.status, code(response)) == (403, "SignatureDoesNotMatch")
    assert api.files(sandbox_id) == []


def test_a_url_of_another_emulator_is_refused(make_api: Callable[..., Api]) -> None:
    one, two = make_api(), make_api()
    assert two.put(one.create_upload_url(one.create_sandbox(), "a.csv"), b"").status == 403


@pytest.mark.parametrize("target", ["/storage/", "/storage/a", "/storage/a?x=y"])
def test_a_made_up_url_is_refused(api: Api, target: str) -> None:
    assert api.put(target, b"abc").status == 403


@pytest.mark.parametrize(
    ("headers", "status", "error"),
    [
        ({"content-length": "3", "authorization": "Bearer x"}, 400, "InvalidArgument"),
        ({"content-length": "3", "cookie": "a=b"}, 400, "InvalidArgument"),
        ({}, 411, "MissingContentLength"),
        ({"transfer-encoding": "chunked"}, 411, "MissingContentLength"),
        ({"content-length": "-3"}, 411, "MissingContentLength"),
        ({"content-length": "4"}, 400, "IncompleteBody"),
        ({"content-length": "2"}, 400, "IncompleteBody"),
    ],
)
def test_storage_wants_its_own_headers(
    api: Api, headers: dict[str, str], status: int, error: str
) -> None:
    sandbox_id = api.create_sandbox()
    response = api.put(api.create_upload_url(sandbox_id, "a.csv"), b"abc", headers)
    assert (response.status, code(response)) == (status, error)
    assert api.files(sandbox_id) == []


def test_storage_takes_put_only(api: Api) -> None:
    target = api.create_upload_url(api.create_sandbox(), "a.csv")
    response = api.post(target, b"abc")
    assert (response.status, code(response)) == (405, "MethodNotAllowed")
    assert response.headers["allow"] == "PUT"


def test_an_expired_sandbox_takes_no_file(make_api: Callable[..., Api]) -> None:
    api = make_api(sandbox_ttl=10.0)
    target = api.create_upload_url(api.create_sandbox(), "a.csv")
    api.clock.advance(10)
    response = api.put(target, b"abc")
    assert (response.status, code(response)) == (404, "NoSuchBucket")


def test_a_path_that_was_taken_meanwhile_is_refused(api: Api) -> None:
    sandbox_id = api.create_sandbox()
    target = api.create_upload_url(sandbox_id, "a")
    api.upload(sandbox_id, "a/b.txt", b"b")
    response = api.put(target, b"abc")
    assert (response.status, code(response)) == (409, "OperationAborted")


def test_storage_is_no_part_of_the_limit(make_api: Callable[..., Api]) -> None:
    api = make_api(requests_per_minute=2)
    target = api.create_upload_url(api.create_sandbox(), "a.csv")
    response = api.put(target, b"abc")
    assert response.status == 200
    assert "x-ratelimit-limit" not in response.headers
    assert "date" in response.headers
    assert "x-request-id" in response.headers
    assert api.emulator.requests[-1].method == "PUT"


def test_files_are_kept_on_disk_until_the_end(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sandbox_id = api.create_sandbox()
    target = api.create_upload_url(sandbox_id, "a.csv")
    api.put(target, b"one")
    api.put(target, b"three")
    api.put(target, b"abc", {"content-length": "4"})
    api.upload(sandbox_id, "b.csv", b"b")
    contents = sorted(file.read_bytes() for file in tmp_path.glob("*/*"))
    assert contents == [b"b", b"three"]
    api.emulator.close()
    assert list(tmp_path.iterdir()) == []


def test_a_length_of_many_digits_is_none(api: Api) -> None:
    url = api.create_upload_url(api.create_sandbox(), "a.txt")
    assert api.put(url, b"a", {"content-length": "9" * 5000}).status == 411
