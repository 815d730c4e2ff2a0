"""A folder and its copy in a sandbox: what is sent again, and how the copy is looked at."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from duvo_async import (
    AsyncDuvo,
    BadRequestError,
    ConflictError,
    NotFoundError,
    UploadedFile,
    UploadProgress,
    UploadSourceError,
)
from duvo_async.emulator import Emulator
from tests.support.files import Host, client_of, held, make
from tests.support.stub import answer

pytestmark = pytest.mark.anyio

TREE = ("in/a", "in/deep/er/b", "in/deep/c", "in/z")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a tree."""
    monkeypatch.chdir(make(tmp_path, TREE))
    return tmp_path


@pytest.fixture
async def sandbox_id(duvo: AsyncDuvo) -> str:
    return (await duvo.sandboxes.create()).sandbox_id


def listings(emulator: Emulator) -> list[str]:
    return [
        request.query
        for request in emulator.requests
        if request.method == "GET" and request.path.endswith("/files")
    ]


def sent(emulator: Emulator) -> int:
    """How many files were sent; all of them are small."""
    return sum(
        request.method == "POST" and request.path.endswith("/files")
        for request in emulator.requests
    )


# --- sync ----------------------------------------------------------------------------------------


async def test_where_nothing_is_all_of_it_goes(
    emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str, here: Path
) -> None:
    outcomes = await duvo.sandboxes.sync(sandbox_id, here / "in")
    assert await held(emulator, duvo, sandbox_id) == {name: name.encode() for name in TREE}
    assert [each.path for each in outcomes] == [f"/workspace/{name}" for name in sorted(TREE)]
    assert [each.index for each in outcomes] == [0, 1, 2, 3]
    assert all(each.succeeded and not each.skipped for each in outcomes)
    assert listings(emulator)[0] == "path=/workspace"


async def test_what_is_there_is_skipped(
    emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str, here: Path
) -> None:
    first = await duvo.sandboxes.sync(sandbox_id, "in")
    told: list[UploadProgress] = []
    (here / "in/deep/c").write_bytes(b"longer than before")
    make(here, ["in/new"])
    outcomes = await duvo.sandboxes.sync(sandbox_id, "in", on_progress=told.append)
    assert [each.skipped for each in outcomes] == [True, False, True, False, True]
    assert [each.path for each in outcomes if not each.skipped] == [
        "/workspace/in/deep/c",
        "/workspace/in/new",
    ]
    assert {each.path for each in told} == {"/workspace/in/deep/c", "/workspace/in/new"}
    assert all(each.succeeded and each.error is None for each in outcomes)
    assert outcomes[0].file == UploadedFile(path="/workspace/in/a", size_bytes=4)
    assert outcomes[0].raise_for_error() == first[0].file
    found = await held(emulator, duvo, sandbox_id)
    assert found["in/deep/c"] == b"longer than before"
    assert sent(emulator) == 6


async def test_a_second_time_nothing_is_sent(
    emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str, here: Path
) -> None:
    (here / "in/empty").touch()
    await duvo.sandboxes.sync(sandbox_id, here / "in")
    outcomes = await duvo.sandboxes.sync(sandbox_id, here / "in")
    assert [each.skipped for each in outcomes] == [True] * 5
    assert sent(emulator) == 5


async def test_a_change_that_keeps_the_size_is_not_noticed(
    emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str, here: Path
) -> None:
    await duvo.sandboxes.sync(sandbox_id, "in")
    (here / "in/a").write_bytes(b"IN/A")
    outcomes = await duvo.sandboxes.sync(sandbox_id, "in")
    assert all(each.skipped for each in outcomes)
    assert (await held(emulator, duvo, sandbox_id))["in/a"] == b"in/a"


async def test_what_is_only_in_the_sandbox_stays(
    emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str, here: Path
) -> None:
    await duvo.sandboxes.upload_many(sandbox_id, {"in/extra": b"1", "in/x/y": b"2", "top": b"3"})
    outcomes = await duvo.sandboxes.sync(sandbox_id, here / "in")
    assert len(outcomes) == 4
    found = await held(emulator, duvo, sandbox_id)
    assert found.keys() == {*TREE, "in/extra", "in/x/y", "top"}


async def test_only_the_folders_that_files_go_to_are_listed(
    emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str, here: Path
) -> None:
    names = [*(f"other{number}/sub/x" for number in range(20)), "in/unrelated/x"]
    await duvo.sandboxes.upload_many(sandbox_id, dict.fromkeys(names, b"1"))
    await duvo.sandboxes.sync(sandbox_id, here / "in")
    assert listings(emulator) == ["path=/workspace", "path=/workspace/in"]
    await duvo.sandboxes.sync(sandbox_id, here / "in")
    assert sorted(listings(emulator)[2:]) == [
        "path=/workspace",
        "path=/workspace/in",
        "path=/workspace/in/deep",
        "path=/workspace/in/deep/er",
    ]


@pytest.mark.parametrize("to", ["not/there/yet", "/workspace/not/there/yet/"])
async def test_the_place_may_not_be_there_yet(
    emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str, here: Path, to: str
) -> None:
    for skipped in (False, True):
        outcomes = await duvo.sandboxes.sync(sandbox_id, here / "in/deep", to=to)
        assert [each.path for each in outcomes] == [
            "/workspace/not/there/yet/deep/c",
            "/workspace/not/there/yet/deep/er/b",
        ]
        assert [each.skipped for each in outcomes] == [skipped] * 2
    assert listings(emulator)[0] == "path=/workspace"


async def test_the_folder_one_is_in_is_its_contents(
    emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str, here: Path
) -> None:
    await duvo.sandboxes.sync(sandbox_id, ".")
    assert sorted(await held(emulator, duvo, sandbox_id)) == sorted(TREE)
    outcomes = await duvo.sandboxes.sync(sandbox_id, here / "in/..")
    assert [each.skipped for each in outcomes] == [True] * 4


async def test_outside_of_the_workspace_it_is_the_api_that_says(
    duvo: AsyncDuvo, sandbox_id: str, here: Path
) -> None:
    with pytest.raises(BadRequestError, match="/workspace"):
        await duvo.sandboxes.sync(sandbox_id, here / "in", to="/data")


async def test_outside_of_the_workspace_it_is_looked_at_from_the_top(here: Path) -> None:
    entries = {
        "/": [("data", "dir", 0), ("etc", "dir", 0), ("workspace", "dir", 0)],
        "/data": [("in", "dir", 0)],
        "/data/in": [("a", "file", 4), ("deep", "dir", 0), ("odd", "socket", 4)],
        "/data/in/deep": [("c", "file", 1)],
    }
    asked: list[str] = []

    class Listing(Host):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            if request.method != "GET":
                return await super().answer(request)
            asked.append(request.query["path"])
            return answer(
                200,
                {
                    "files": [
                        {
                            "name": name,
                            "path": f"{asked[-1].rstrip('/')}/{name}",
                            "type": kind,
                            "size_bytes": size,
                        }
                        for name, kind, size in entries[asked[-1]]
                    ]
                },
            )

    host = Listing()
    async with client_of(host) as duvo:
        outcomes = await duvo.sandboxes.sync("sbx", here / "in", to="/data")
    assert asked == [*entries]
    assert sorted(host.taken) == ["/data/in/deep/c", "/data/in/deep/er/b", "/data/in/z"]
    assert [each.skipped for each in outcomes] == [True, False, False, False]


async def test_a_sandbox_that_is_gone_is_not_found(
    duvo: AsyncDuvo, sandbox_id: str, here: Path
) -> None:
    (here / "empty").mkdir()
    await asyncio.sleep(4000)
    for folder in ("in", "empty"):
        with pytest.raises(NotFoundError):
            await duvo.sandboxes.sync(sandbox_id, here / folder)


async def test_what_cannot_be_read_has_its_outcome(
    emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str, here: Path
) -> None:
    (here / "in/gone").symlink_to("nowhere")
    (here / "in/caf\udce9").touch()
    for skipped in (False, True):
        outcomes = await duvo.sandboxes.sync(sandbox_id, "in")
        failed = [each for each in outcomes if each.error is not None]
        assert [each.source for each in failed] == ["in/caf\udce9", "in/gone"]
        assert all(isinstance(each.error, UploadSourceError) for each in failed)
        assert not any(each.skipped or each.succeeded for each in failed)
        assert sum(each.skipped for each in outcomes) == 4 * skipped
    assert sent(emulator) == 4


async def test_a_folder_in_a_files_place_is_a_conflict(
    duvo: AsyncDuvo, sandbox_id: str, here: Path
) -> None:
    await duvo.sandboxes.upload(sandbox_id, b"1", path="in/a/in the way")
    outcomes = await duvo.sandboxes.sync(sandbox_id, here / "in")
    assert [type(each.error) for each in outcomes] == [ConflictError, *[type(None)] * 3]
    with pytest.raises(ConflictError):
        await duvo.sandboxes.sync(sandbox_id, here / "in", fail_fast=True)


@pytest.mark.parametrize(
    ("folder", "settings", "kind"),
    [
        ("in/a", {}, UploadSourceError),
        ("nowhere", {}, UploadSourceError),
        ("", {}, UploadSourceError),
        ("in/*", {}, UploadSourceError),
        ("\0", {}, UploadSourceError),
        (["in"], {}, TypeError),
        (b"in", {}, TypeError),
        ("in", {"to": ".."}, ValueError),
        ("in", {"concurrency": 0}, ValueError),
        ("in", {"chunk_size": 0}, ValueError),
    ],
)
@pytest.mark.usefixtures("here")
async def test_mistakes_are_found_before_anything_is_sent(
    emulator: Emulator,
    duvo: AsyncDuvo,
    folder: Any,  # noqa: ANN401 - the mistakes
    settings: dict[str, Any],
    kind: type[Exception],
) -> None:
    with pytest.raises(kind):
        await duvo.sandboxes.sync("sbx", folder, **settings)
    assert not emulator.requests


# --- listing -------------------------------------------------------------------------------------


async def test_folders_are_listed_before_what_is_in_them(
    emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str
) -> None:
    names = ["b/x", "b/a/y", "a", "c/z", "B/w", "d"]
    await duvo.sandboxes.upload_many(sandbox_id, dict.fromkeys(names, b"12"))
    files = [each async for each in duvo.sandboxes.files(sandbox_id, recursive=True)]
    assert [each.path.removeprefix("/workspace/") for each in files] == [
        "B",
        "a",
        "b",
        "c",
        "d",
        "B/w",
        "b/a",
        "b/x",
        "b/a/y",
        "c/z",
    ]
    assert [each.name for each in files if each.type == "dir"] == ["B", "b", "c", "a"]
    assert {each.size_bytes for each in files if each.type == "file"} == {2}
    assert listings(emulator) == [
        "path=/workspace",
        "path=/workspace/B",
        "path=/workspace/b",
        "path=/workspace/b/a",
        "path=/workspace/c",
    ]


async def test_each_folder_is_a_page(emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str) -> None:
    await duvo.sandboxes.upload_many(sandbox_id, {"a/b/c": b"", "d": b""})
    items = duvo.sandboxes.files(sandbox_id, recursive=True)
    pages = [[each.name for each in page] async for page in items.pages()]
    assert pages == [["a", "d"], ["b"], ["c"]]
    async for _ in items:
        break
    assert len(listings(emulator)) == 4
    below = [each.name async for each in duvo.sandboxes.files(sandbox_id, "/workspace/a", True)]  # noqa: FBT003 - the documented place
    assert below == ["b", "c"]


async def test_without_recursion_one_folder_is_listed(
    emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str
) -> None:
    await duvo.sandboxes.upload_many(sandbox_id, {"a/b": b"", "c": b""})
    assert [each.name async for each in duvo.sandboxes.files(sandbox_id)] == ["a", "c"]
    assert len(listings(emulator)) == 1


async def test_an_empty_sandbox_has_one_empty_page(duvo: AsyncDuvo, sandbox_id: str) -> None:
    items = duvo.sandboxes.files(sandbox_id, recursive=True)
    assert [page async for page in items.pages()] == [()]
    assert [each async for each in items] == []
