"""Parts of files: what is asked for, and what of an answer can be used."""

import pytest

from duvo_async._parts import Part, Version, asking, offered

KNOWN = Version('"e1"', 100)
REST = {"etag": '"e1"', "content-range": "bytes 40-99/100", "content-length": "60"}


@pytest.mark.parametrize(
    ("received", "version", "headers"),
    [
        (0, Version(), {}),
        (0, KNOWN, {}),
        (40, Version(None, 100), {}),
        (40, KNOWN, {"Range": "bytes=40-", "If-Range": '"e1"'}),
        (40, Version('"e1"', None), {"Range": "bytes=40-", "If-Range": '"e1"'}),
    ],
)
def test_the_rest_is_asked_for_where_files_can_be_told_apart(
    received: int, version: Version, headers: dict[str, str]
) -> None:
    assert asking(received, version) == headers


@pytest.mark.parametrize(
    ("headers", "version"),
    [
        ({}, Version()),
        ({"content-length": "100"}, Version(None, 100)),
        ({"content-length": "100", "etag": '"e2"'}, Version('"e2"', 100)),
        ({"content-length": "100", "etag": 'W/"e2"'}, Version(None, 100)),
        ({"content-length": "100", "etag": "e2"}, Version(None, 100)),
        ({"content-length": "100", "etag": '"'}, Version(None, 100)),
        ({"content-length": "-1"}, Version()),
        ({"content-length": "9" * 99}, Version()),
        ({"content-length": "100", "etag": '"e2"', "content-encoding": "gzip"}, Version()),
        ({"content-length": "1", "content-encoding": "identity"}, Version(None, 1)),
    ],
)
def test_a_whole_file_begins_at_its_beginning(headers: dict[str, str], version: Version) -> None:
    assert offered(200, headers, 0, Version()) == Part(0, version)
    assert offered(200, headers, 40, KNOWN) == Part(0, version)


def test_the_rest_goes_on_where_the_file_is() -> None:
    assert offered(206, REST, 40, KNOWN) == Part(40, KNOWN)
    unnamed = {"content-range": "bytes 40-99/100"}  # If-Range has seen to it
    assert offered(206, unnamed, 40, KNOWN) == Part(40, KNOWN)
    assert offered(206, REST, 40, Version('"e1"', None)) == Part(40, KNOWN)


@pytest.mark.parametrize(
    ("status", "change"),
    [
        (204, {}),
        (202, {}),
        (206, {"etag": '"e2"'}),
        (206, {"content-range": "bytes 39-99/100"}),
        (206, {"content-range": "bytes 41-99/100"}),
        (206, {"content-range": "bytes 0-99/100"}),
        (206, {"content-range": "bytes 40-98/100"}),
        (206, {"content-range": "bytes 40-100/101"}),
        (206, {"content-range": "bytes 40-99/*"}),
        (206, {"content-range": "bytes */100"}),
        (206, {"content-range": ""}),
        (206, {"content-range": "items 40-99/100"}),
    ],
)
def test_another_part_is_of_no_use(status: int, change: dict[str, str]) -> None:
    assert offered(status, {**REST, **change}, 40, KNOWN) is None


def test_a_part_that_nobody_asked_for_is_of_no_use() -> None:
    assert offered(206, REST, 40, Version(None, 100)) is None
    assert offered(206, {**REST, "content-range": "bytes 0-99/100"}, 0, KNOWN) is None
