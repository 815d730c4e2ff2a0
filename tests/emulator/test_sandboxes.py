from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from duvo_async.emulator import ListFiles, ReadFile

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from duvo_async.emulator import StartedRun, Step
    from tests.emulator.conftest import Api


def test_a_sandbox_is_made_with_its_expiry(make_api: Callable[..., Api]) -> None:
    response = make_api(sandbox_ttl=90.5).post("/v1/sandboxes")
    data = response.json()
    assert response.status == 201
    assert data == {"sandbox_id": data["sandbox_id"], "expires_at": "2023-11-14T22:14:50.500Z"}


def test_a_new_sandbox_has_an_empty_workspace(api: Api) -> None:
    response = api.get(f"/v1/sandboxes/{api.create_sandbox()}/files")
    assert (response.status, response.json()) == (200, {"files": []})


@pytest.mark.parametrize("age", [0.0, 3600.0])
def test_an_unknown_or_expired_sandbox_is_not_found(api: Api, age: float) -> None:
    sandbox_id = api.create_sandbox() if age else "sbx_unknown"
    api.clock.advance(age)
    agent_id = api.emulator.add_agent([])
    assert api.get(f"/v1/sandboxes/{sandbox_id}/files").status == 404
    assert api.upload(sandbox_id, "a.txt", b"a").status == 404
    assert api.post(f"/v1/sandboxes/{sandbox_id}/upload-urls", {"path": "a"}).status == 404
    assert api.post("/v1/runs", {"agent_id": agent_id, "sandbox_id": sandbox_id}).status == 404


def test_a_sandbox_lives_until_its_expiry(api: Api) -> None:
    sandbox_id = api.create_sandbox()
    api.clock.advance(3599.9)
    run_id = api.start([ListFiles()], sandbox_id=sandbox_id)
    assert api.run(run_id)["sandbox_id"] == sandbox_id


def test_a_listing_shows_one_directory(api: Api) -> None:
    sandbox_id = api.create_sandbox()
    for path in ("b.txt", "/workspace/a/x.txt", "a/deep/y.txt", "c d/z"):
        assert api.upload(sandbox_id, path, b"123").status == 201
    assert api.files(sandbox_id) == [
        {"name": "a", "path": "/workspace/a", "type": "dir", "size_bytes": 0},
        {"name": "b.txt", "path": "/workspace/b.txt", "type": "file", "size_bytes": 3},
        {"name": "c d", "path": "/workspace/c d", "type": "dir", "size_bytes": 0},
    ]
    inner = [each["path"] for each in api.files(sandbox_id, "/workspace/a")]
    assert inner == ["/workspace/a/deep", "/workspace/a/x.txt"]
    for path in ("a", "a/", "./a/deep/..", "/workspace//a", "//workspace/a"):
        assert api.files(sandbox_id, path) == api.files(sandbox_id, "/workspace/a")
    assert [each["name"] for each in api.files(sandbox_id, "c%20d")] == ["z"]
    assert [each["name"] for each in api.files(sandbox_id, "c+d")] == ["z"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("nothing", 404),
        ("a.txt", 404),
        ("/", 400),
        ("..", 400),
        ("/etc", 400),
        ("/workspaces", 400),
    ],
)
def test_only_a_directory_of_the_workspace_is_listed(api: Api, path: str, status: int) -> None:
    sandbox_id = api.create_sandbox()
    api.upload(sandbox_id, "a.txt", b"a")
    assert api.get(f"/v1/sandboxes/{sandbox_id}/files?path={path}").status == status


def test_a_direct_upload_takes_its_parts_in_any_order(api: Api) -> None:
    sandbox_id = api.create_sandbox()
    parts = [("file", b"\r\n\x00--limi\n\r"), ("path", b"dir/../a.bin")]
    for order in (parts, parts[::-1]):
        response = api.post_form(sandbox_id, order)
        assert response.status == 201
        assert response.json() == {"path": "/workspace/a.bin", "size_bytes": 11}


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n--\r\n", bytes(range(256)) * 300])
def test_a_direct_upload_keeps_every_byte(api: Api, data: bytes) -> None:
    read: list[bytes] = []

    def script(_: StartedRun) -> Generator[Step, Any, None]:
        read.append((yield ReadFile("a.bin")))

    sandbox_id = api.create_sandbox()
    api.upload(sandbox_id, "a.bin", data)
    assert api.status(api.start(script, sandbox_id=sandbox_id)) == "completed"
    assert read == [data]


@pytest.mark.parametrize(
    "names",
    [
        ["file"],
        ["path"],
        [],
        ["file", "path", "path"],
        ["file", "file", "path"],
        ["file", "path", "x"],
    ],
)
def test_a_direct_upload_has_each_part_once(api: Api, names: list[str]) -> None:
    sandbox_id = api.create_sandbox()
    response = api.post_form(sandbox_id, [(name, b"a.txt") for name in names])
    assert response.status == 400
    assert api.files(sandbox_id) == []


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"", "multipart/form-data", 415),
        (b"", "multipart/form-data; boundary=limit", 400),
        (b"--limit--\r\n", "multipart/form-data; boundary=limit", 400),
        (b"--limit\r\n\r\nx\r\n--limit--\r\n", "multipart/form-data; boundary=limit", 400),
        (b"--limit\r\nX: y\r\n\r\nx\r\n--limit--", "multipart/form-data; boundary=limit", 400),
    ],
)
def test_a_direct_upload_is_a_form(api: Api, body: bytes, kind: str, status: int) -> None:
    target = f"/v1/sandboxes/{api.create_sandbox()}/files"
    assert api.post(target, body, headers={"content-type": kind}).status == status


def test_a_form_cut_short_is_refused(api: Api) -> None:
    sandbox_id = api.create_sandbox()
    head = b'--limit\r\nContent-Disposition: form-data; name="'
    body = head + b'path"\r\n\r\na\r\n' + head + b'file"\r\n\r\nabc'
    kind = {"content-type": "multipart/form-data; boundary=limit"}
    assert api.post(f"/v1/sandboxes/{sandbox_id}/files", body, headers=kind).status == 400
    assert api.files(sandbox_id) == []


@pytest.mark.parametrize(
    "path", [b"", b"dir/", b"..", b"/etc/x", b"/workspace", b"a\x00b", b"\xff"]
)
def test_a_bad_path_is_refused(api: Api, path: bytes) -> None:
    sandbox_id = api.create_sandbox()
    assert api.post_form(sandbox_id, [("file", b"a"), ("path", path)]).status == 400
    if path and path != b"\xff":
        body = {"path": path.decode()}
        assert api.post(f"/v1/sandboxes/{sandbox_id}/upload-urls", body).status == 400


@pytest.mark.parametrize("path", ["a", "a/b.txt/c"])
def test_a_file_and_a_directory_cannot_share_a_path(api: Api, path: str) -> None:
    sandbox_id = api.create_sandbox()
    api.upload(sandbox_id, "a/b.txt", b"b")
    assert api.upload(sandbox_id, path, b"c").status == 409
    assert api.post(f"/v1/sandboxes/{sandbox_id}/upload-urls", {"path": path}).status == 409


def test_a_file_can_be_replaced(api: Api) -> None:
    sandbox_id = api.create_sandbox()
    api.upload(sandbox_id, "a.txt", b"old")
    api.upload(sandbox_id, "a.txt", b"newer")
    assert [each["size_bytes"] for each in api.files(sandbox_id)] == [5]


def test_a_direct_upload_has_a_limit(make_api: Callable[..., Api]) -> None:
    api = make_api(max_direct_bytes=1000)
    sandbox_id = api.create_sandbox()
    assert api.upload(sandbox_id, "a.txt", b"x" * 1000).status == 201
    for size in (1001, 1_000_000):
        response = api.upload(sandbox_id, "b.txt", b"x" * size)
        assert response.status == 413
        assert response.json()["error"] == "payload_too_large"
    assert [each["name"] for each in api.files(sandbox_id)] == ["a.txt"]
