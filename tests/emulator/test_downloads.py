"""Signed URLs that serve the bytes of a file."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession
from yarl import URL

from duvo_async.emulator import Emulator
from tests.support.file_api import ORIGIN, FileApi

if TYPE_CHECKING:
    from collections.abc import Callable

    from duvo_async.emulator import Response
    from tests.emulator.conftest import Api, Clock

DATA = b"0123456789"


@pytest.fixture
def files(api: Api) -> FileApi:
    files = FileApi(api)
    files.upload("a/b c.csv", DATA, "text/csv")
    return files


@pytest.fixture
def target(files: FileApi) -> str:
    return files.download_target("a/b c.csv")


def code(response: Response) -> bytes:
    assert response.headers["content-type"] == "application/xml"
    return response.body.partition(b"<Code>")[2].partition(b"</Code>")[0]


def test_a_download_url_tells_when_it_expires(make_api: Callable[..., Api]) -> None:
    files = FileApi(make_api(download_url_ttl=60.0))
    files.upload("a", b"abc")
    data = files.api.get(files.at("a", "download-url")).json()
    assert data["expiresAt"] == "2023-11-14T22:14:20.000Z"
    assert data["url"].startswith(f"{ORIGIN}/storage/")
    assert set(data) == {"url", "expiresAt"}


def test_the_url_serves_the_file(files: FileApi, target: str) -> None:
    response = files.fetch(target)
    assert (response.status, response.body) == (200, DATA)
    assert response.headers["content-type"] == "text/csv"
    assert response.headers["content-length"] == "10"
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["last-modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert {"date", "x-request-id", "etag"} <= set(response.headers)
    assert "x-ratelimit-limit" not in response.headers
    assert "content-range" not in response.headers
    record = files.api.emulator.requests[-1]
    assert (record.method, record.status) == ("GET", 200)


def test_a_url_is_good_until_it_expires(files: FileApi, target: str) -> None:
    files.api.clock.advance(899.5)
    assert files.fetch(target).status == 200
    files.api.clock.advance(0.5)
    response = files.fetch(target)
    assert (response.status, code(response)) == (403, b"AccessDenied")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("b%20c", "b+c"),
        ("b%20c.csv", "d.csv"),
        ("Expires=1", "Expires=2"),
        ("%2F", "/"),
        ("=get", "=put"),
        ("&X-Storage-Signature=", "&X-Storage-Signature=0"),
    ],
)
def test_a_url_must_be_sent_as_it_was_given(
    files: FileApi, target: str, old: str, new: str
) -> None:
    assert old in target
    response = files.fetch(target.replace(old, new, 1))
    assert (response.status, code(response)) == (403, b"SignatureDoesNotMatch")


@pytest.mark.parametrize("name", ["Authorization", "Cookie"])
def test_no_key_belongs_to_storage(files: FileApi, target: str, name: str) -> None:
    response = files.fetch(target, {name: "x"})
    assert (response.status, code(response)) == (400, b"InvalidArgument")


@pytest.mark.parametrize("method", ["PUT", "HEAD", "POST", "DELETE"])
def test_a_download_url_takes_get_only(files: FileApi, target: str, method: str) -> None:
    response = files.api.send(method, target)
    assert (response.status, code(response)) == (405, b"MethodNotAllowed")
    assert response.headers["allow"] == "GET"


def test_a_file_that_was_deleted_meanwhile_is_not_found(files: FileApi, target: str) -> None:
    files.api.call("DELETE", files.at("a/b c.csv", ""))
    response = files.fetch(target)
    assert (response.status, code(response)) == (404, b"NoSuchKey")


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("0-0", 0, 1),
        ("0-9", 0, 10),
        ("3-5", 3, 6),
        ("3-", 3, 10),
        ("9-99", 9, 10),
        ("-4", 6, 10),
        ("-99", 0, 10),
    ],
)
def test_a_range_is_served(files: FileApi, target: str, wanted: str, start: int, end: int) -> None:
    response = files.fetch(target, {"Range": f"bytes={wanted}"})
    assert (response.status, response.body) == (206, DATA[start:end])
    assert response.headers["content-range"] == f"bytes {start}-{end - 1}/10"
    assert response.headers["content-length"] == str(end - start)


@pytest.mark.parametrize("wanted", ["10-", "99-100", "-0"])
def test_a_range_beyond_the_end_is_refused(files: FileApi, target: str, wanted: str) -> None:
    response = files.fetch(target, {"Range": f"bytes={wanted}"})
    assert (response.status, code(response)) == (416, b"InvalidRange")
    assert response.headers["content-range"] == "bytes */10"


@pytest.mark.parametrize("wanted", ["bytes=", "bytes=-", "bytes=5-3", "bytes=0-1,3-4", "lines=1-2"])
def test_a_range_that_says_nothing_is_overlooked(files: FileApi, target: str, wanted: str) -> None:
    response = files.fetch(target, {"Range": wanted})
    assert (response.status, response.body) == (200, DATA)


def test_a_range_may_insist_on_one_version(files: FileApi, target: str) -> None:
    etag = files.fetch(target).headers["etag"]
    part = {"Range": "bytes=2-3"}
    assert files.fetch(target, {**part, "If-Range": etag}).body == DATA[2:4]
    assert files.fetch(target, {**part, "If-Match": etag}).body == DATA[2:4]
    assert files.fetch(target, {**part, "If-Match": "*"}).body == DATA[2:4]
    files.upload("a/b c.csv", b"abcdef")
    whole = files.fetch(target, {**part, "If-Range": etag})
    assert (whole.status, whole.body) == (200, b"abcdef")
    refused = files.fetch(target, {**part, "If-Match": etag})
    assert (refused.status, code(refused)) == (412, b"PreconditionFailed")


def test_an_empty_file_is_served(files: FileApi) -> None:
    files.upload("empty", b"")
    target = files.download_target("empty")
    response = files.fetch(target)
    assert (response.status, response.body, response.headers["content-length"]) == (200, b"", "0")
    assert files.fetch(target, {"Range": "bytes=0-"}).status == 416


@pytest.mark.anyio
async def test_a_file_is_streamed_over_the_wire(clock: Clock) -> None:
    data = DATA * 300_000
    async with Emulator(clock=clock) as emulator, ClientSession() as client:
        headers = {"Authorization": f"Bearer {emulator.api_key}"}
        base = f"{emulator.url}/v2/teams/{emulator.team_id}/files"
        body = {"fileName": "a~b c.bin", "contentType": "application/x"}
        async with client.post(f"{base}/create-upload-url", json=body, headers=headers) as response:
            upload = URL((await response.json())["signedUrl"], encoded=True)
        async with client.put(
            upload, data=BytesIO(data), headers={"Content-Type": "application/x"}
        ) as put:
            assert put.status == 200
        path = URL(f"{base}/download-url/a~b%20c.bin", encoded=True)
        async with client.get(path, headers=headers) as response:
            target = URL((await response.json())["url"], encoded=True)
        async with client.get(target) as response:
            assert response.headers.getall("Content-Length") == [str(len(data))]
            assert response.headers.getall("Date") == ["Tue, 14 Nov 2023 22:13:20 GMT"]
            assert response.content_type == "application/x"
            assert await response.read() == data
        async with client.get(target, headers={"Range": "bytes=-5"}) as response:
            assert (response.status, await response.read()) == (206, data[-5:])
        async with client.get(target) as response:  # and leaves in the middle
            assert await response.content.readexactly(10) == DATA
        async with client.get(f"{emulator.url}/v1/health", headers=headers) as response:
            assert response.status == 200
