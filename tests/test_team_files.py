"""The files of a team, over the emulator and real sockets."""

import hashlib
import io
import os
import tracemalloc
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from duvo_async import (
    AsyncDuvo,
    BadRequestError,
    DownloadProgress,
    DownloadTargetError,
    Duvo,
    NotFoundError,
    UnsupportedOperation,
    UploadProgress,
    UploadSourceError,
)
from duvo_async.emulator import Emulator
from duvo_async.resources.files import AsyncFiles
from tests.support.files import sparse
from tests.support.generations import blocking_client_of, client_of

TEXT = b"id,total\n7,12.50\n"
MUCH = os.urandom(3_000_000)


@pytest.fixture
async def duvo(emulator: Emulator) -> AsyncIterator[AsyncDuvo]:
    async with client_of(emulator, "v2") as client:
        yield client


@pytest.fixture
def served() -> Iterator[Emulator]:
    with Emulator(requests_per_minute=100_000) as running:
        yield running


async def paths(files: AsyncFiles) -> list[str]:
    return [file.path async for file in files.list()]


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


# --- there and back ------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", TEXT, MUCH], ids=["empty", "small", "large"])
@pytest.mark.anyio
async def test_a_file_comes_back_as_it_went(
    data: bytes, emulator: Emulator, duvo: AsyncDuvo, tmp_path: Path
) -> None:
    there = await duvo.files.upload(data, name="in/päper & ink.csv")
    assert (there.path, there.size_bytes) == ("in/päper & ink.csv", len(data))
    here = await duvo.files.download(there.path, tmp_path)
    assert (here.path, here.size_bytes) == (tmp_path / "päper & ink.csv", len(data))
    assert here.path.read_bytes() == data
    assert names(tmp_path) == [here.path.name]
    assert [request.method for request in emulator.requests] == ["POST", "PUT", "GET", "GET"]


@pytest.mark.anyio
async def test_fifty_megabytes_come_and_go_in_constant_memory(
    duvo: AsyncDuvo, tmp_path: Path
) -> None:
    source = sparse(tmp_path / "large.bin", 50_000_000)
    with source.open("r+b") as file:
        for place in range(0, 50_000_000, 1_000_000):
            file.seek(place)
            file.write(os.urandom(16))
    tracemalloc.start()
    try:
        await duvo.files.upload(source)
        here = await duvo.files.download("large.bin", tmp_path / "copy.bin")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16_000_000
    with source.open("rb") as there, here.path.open("rb") as copy:
        assert (
            hashlib.file_digest(copy, "sha256").digest()
            == hashlib.file_digest(there, "sha256").digest()
        )


@pytest.mark.anyio
async def test_a_file_has_its_own_name_and_type(
    emulator: Emulator, duvo: AsyncDuvo, tmp_path: Path
) -> None:
    (tmp_path / "orders.csv").write_bytes(TEXT)
    assert (await duvo.files.upload(tmp_path / "orders.csv")).path == "orders.csv"
    await duvo.files.upload(io.BytesIO(TEXT), name="b", content_type="text/x-b")
    files = [file async for file in duvo.files.list()]
    assert [(file.path, file.size_bytes) for file in files] == [
        ("b", len(TEXT)),
        ("orders.csv", len(TEXT)),
    ]
    kinds = [file.metadata.mimetype for file in files if file.metadata is not None]
    assert kinds == ["text/x-b", "text/csv"]
    puts = [request for request in emulator.requests if request.method == "PUT"]
    assert [put.headers["content-type"] for put in puts] == ["text/csv", "text/x-b"]
    assert not any("authorization" in put.headers for put in puts)


@pytest.mark.anyio
async def test_progress_is_told_both_ways(duvo: AsyncDuvo, tmp_path: Path) -> None:
    up: list[UploadProgress] = []
    down: list[DownloadProgress] = []
    await duvo.files.upload(MUCH, name="a", on_progress=up.append, chunk_size=1_000_000)
    assert [(each.path, each.sent, each.finished) for each in up] == [
        ("a", 0, False),
        ("a", 1_000_000, False),
        ("a", 2_000_000, False),
        ("a", 3_000_000, True),
    ]

    async def note(progress: DownloadProgress) -> None:
        down.append(progress)

    await duvo.files.download("a", tmp_path, on_progress=note)
    assert down[0] == DownloadProgress(path="a", received=0, total=None, attempt=1, finished=False)
    assert down[-1] == DownloadProgress(
        path="a", received=3_000_000, total=3_000_000, attempt=1, finished=True
    )
    between = [each.received for each in down[1:-1]]
    assert len(between) >= 5
    assert between == sorted(set(between))
    assert all(each.total == 3_000_000 and not each.finished for each in down[1:-1])
    assert all(later - sooner >= 262_144 for sooner, later in pairwise([0, *between]))


@pytest.mark.parametrize("told", [1, 2, -1])
@pytest.mark.anyio
async def test_what_a_handler_raises_ends_a_download(
    told: int, duvo: AsyncDuvo, tmp_path: Path
) -> None:
    await duvo.files.upload(MUCH, name="a")
    seen: list[DownloadProgress] = []

    def fail(progress: DownloadProgress) -> None:
        seen.append(progress)
        if len(seen) == told or (told < 0 and progress.finished):
            raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        await duvo.files.download("a", tmp_path, on_progress=fail)
    assert names(tmp_path) == (["a"] if told < 0 else [])


@pytest.mark.anyio
async def test_a_handler_is_a_function(duvo: AsyncDuvo, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="on_progress must be a function"):
        await duvo.files.download("a", tmp_path, on_progress=7)  # type: ignore[arg-type] # the mistake


# --- what cannot go there ------------------------------------------------------------------------


@pytest.mark.anyio
async def test_what_has_no_name_is_not_uploaded(emulator: Emulator, duvo: AsyncDuvo) -> None:
    with pytest.raises(ValueError, match="give name="):
        await duvo.files.upload(TEXT)
    for name in ("", "../a", "a/../b", "a\nb"):
        with pytest.raises(ValueError, match="name"):
            await duvo.files.upload(TEXT, name=name)
    with pytest.raises(TypeError, match="cannot upload"):
        await duvo.files.upload(7, name="a")  # type: ignore[arg-type] # the mistake
    with pytest.raises(UploadSourceError, match="nowhere"):
        await duvo.files.upload("nowhere.csv")
    assert not emulator.requests


# --- where a file comes to -----------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_file_goes_where_it_is_told(duvo: AsyncDuvo, tmp_path: Path) -> None:
    await duvo.files.upload(TEXT, name="in/a.csv")
    for to in (tmp_path / "b.csv", os.fspath(tmp_path / "c.csv")):
        assert (await duvo.files.download("in/a.csv", to)).path == Path(to)
    (tmp_path / "into").mkdir()
    here = await duvo.files.download("in/a.csv", f"{tmp_path}/into/")
    assert here.path == tmp_path / "into" / "a.csv"
    assert names(tmp_path) == ["b.csv", "c.csv", "into"]


@pytest.mark.parametrize(
    "name", ["..\\..\\x", "C:\\x", "C:x", "a:b", "nul", ".. ", ". ", "-rf", "~", "x?y=1#z%2F"]
)
@pytest.mark.anyio
async def test_a_strange_name_stays_in_its_folder(
    name: str, duvo: AsyncDuvo, tmp_path: Path
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    await duvo.files.upload(TEXT, name=name)
    here = await duvo.files.download(name, tmp_path / "a" / "b")
    assert here.path.parent == tmp_path / "a" / "b"
    assert names(tmp_path / "a" / "b") == [here.path.name]
    assert names(tmp_path / "a") == ["b"]
    assert here.path.read_bytes() == TEXT


@pytest.mark.anyio
async def test_another_file_is_replaced_only_if_that_is_said(
    emulator: Emulator, duvo: AsyncDuvo, tmp_path: Path
) -> None:
    await duvo.files.upload(TEXT, name="a.csv")
    (tmp_path / "a.csv").write_bytes(b"mine")
    asked = len(emulator.requests)
    with pytest.raises(DownloadTargetError, match=r"a\.csv exists: overwrite=True replaces it"):
        await duvo.files.download("a.csv", tmp_path)
    assert len(emulator.requests) == asked
    assert (tmp_path / "a.csv").read_bytes() == b"mine"
    await duvo.files.download("a.csv", tmp_path, overwrite=True)
    assert (tmp_path / "a.csv").read_bytes() == TEXT
    assert names(tmp_path) == ["a.csv"]


@pytest.mark.anyio
async def test_a_link_is_replaced_and_not_followed(duvo: AsyncDuvo, tmp_path: Path) -> None:
    await duvo.files.upload(TEXT, name="a.csv")
    (tmp_path / "other").write_bytes(b"other")
    (tmp_path / "a.csv").symlink_to(tmp_path / "other")
    (tmp_path / "b.csv").symlink_to(tmp_path / "nowhere")
    for name in ("a.csv", "b.csv"):
        with pytest.raises(DownloadTargetError, match="exists"):
            await duvo.files.download("a.csv", tmp_path / name)
        await duvo.files.download("a.csv", tmp_path / name, overwrite=True)
        assert not (tmp_path / name).is_symlink()
    assert (tmp_path / "other").read_bytes() == b"other"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.anyio
async def test_a_file_that_appears_meanwhile_is_not_replaced(
    links: bool,  # noqa: FBT001 - whether the file system has them
    duvo: AsyncDuvo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not links:

        def refuse(*_: object) -> None:
            raise PermissionError("no links here")

        monkeypatch.setattr(os, "link", refuse)
    await duvo.files.upload(TEXT, name="a.csv")
    assert (await duvo.files.download("a.csv", tmp_path / "free")).path.read_bytes() == TEXT

    def appear(_: DownloadProgress) -> None:
        (tmp_path / "a.csv").write_bytes(b"mine")

    with pytest.raises(DownloadTargetError, match="exists"):
        await duvo.files.download("a.csv", tmp_path, on_progress=appear)
    assert (tmp_path / "a.csv").read_bytes() == b"mine"
    assert names(tmp_path) == ["a.csv", "free"]


@pytest.mark.anyio
async def test_a_file_has_the_rights_of_any_new_file(duvo: AsyncDuvo, tmp_path: Path) -> None:
    await duvo.files.upload(TEXT, name="a.csv")
    here = await duvo.files.download("a.csv", tmp_path)
    (tmp_path / "new").touch()
    assert here.path.stat().st_mode == (tmp_path / "new").stat().st_mode


@pytest.mark.anyio
async def test_what_cannot_be_written_fails_before_anything_is_sent(
    emulator: Emulator, duvo: AsyncDuvo, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "a").mkdir()
    (tmp_path / "file").touch()
    wrong: Iterable[tuple[Path | str, str]] = (
        (tmp_path / "nowhere" / "a", "No such file"),
        (f"{tmp_path}/nowhere/", "is no folder"),
        (tmp_path / "file" / "a", "Not a directory"),
        (tmp_path / "b", "is a directory"),
        (tmp_path / ("x" * 300), "too long"),
        ("a\0b", "null"),
    )
    for to, text in wrong:
        with pytest.raises(DownloadTargetError, match=text):
            await duvo.files.download("a", to)
    with pytest.raises(ValueError, match="to must not be empty"):
        await duvo.files.download("a", "")
    for nothing in (None, 7, b"a"):
        with pytest.raises(TypeError, match="to must be a path"):
            await duvo.files.download("a", nothing)  # type: ignore[arg-type] # the mistake
    for path in ("", "../a", "a//b"):
        with pytest.raises(ValueError, match="path"):
            await duvo.files.download(path, tmp_path)
    assert not emulator.requests
    assert names(tmp_path) == ["a", "b", "file"]


@pytest.mark.anyio
async def test_a_full_disk_is_an_error_and_leaves_nothing(
    emulator: Emulator, duvo: AsyncDuvo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await duvo.files.upload(MUCH, name="a")

    class Full(io.BytesIO):
        def write(self, *_: object) -> int:
            raise OSError(28, "No space left on device")

    original = Path.open

    def opening(path: Path, mode: str = "r", **named: Any) -> Any:  # noqa: ANN401 - as it gives
        if mode == "xb":
            original(path, mode).close()
            return Full()
        return original(path, mode, **named)

    monkeypatch.setattr(Path, "open", opening)
    with pytest.raises(DownloadTargetError, match=r"cannot write .*/a: No space left") as caught:
        await duvo.files.download("a", tmp_path)
    assert isinstance(caught.value.__cause__, OSError)
    assert names(tmp_path) == []
    gets = [request for request in emulator.requests if "/storage/" in request.path]
    assert len([get for get in gets if get.method == "GET"]) <= 1  # it is no network's fault


@pytest.mark.anyio
async def test_a_file_that_is_not_there_is_not_found(
    emulator: Emulator, duvo: AsyncDuvo, tmp_path: Path
) -> None:
    for call in (
        duvo.files.download("nowhere", tmp_path),
        duvo.files.read_text("nowhere"),
        duvo.files.write_text("nowhere", "x"),
        duvo.files.rename("nowhere", "x"),
        duvo.files.delete("nowhere"),
        duvo.files.create_download_url("nowhere"),
    ):
        with pytest.raises(NotFoundError):
            await call
    assert names(tmp_path) == []
    assert len(emulator.requests) == 6


# --- text, names, deletion -----------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_text_is_read_and_written(duvo: AsyncDuvo) -> None:
    await duvo.files.upload("päper\n".encode(), name="in/a b.txt")
    assert await duvo.files.read_text("in/a b.txt") == "päper\n"
    await duvo.files.write_text("in/a b.txt", "墨\n")
    assert await duvo.files.read_text("/in/a b.txt") == "墨\n"
    await duvo.files.write_text("in/a b.txt", "")
    assert await duvo.files.read_text("in/a b.txt") == ""


@pytest.mark.anyio
async def test_what_is_no_text_is_the_apis_to_refuse(duvo: AsyncDuvo) -> None:
    await duvo.files.upload(b"\xff\xfe", name="a.bin")
    with pytest.raises(BadRequestError):
        await duvo.files.read_text("a.bin")


@pytest.mark.anyio
async def test_a_file_gets_another_name_and_keeps_its_suffix(duvo: AsyncDuvo) -> None:
    await duvo.files.upload(TEXT, name="in/a.csv")
    await duvo.files.rename("in/a.csv", "b")
    assert await paths(duvo.files) == ["in/b.csv"]
    await duvo.files.rename("in/b.csv", "c.csv")
    assert await paths(duvo.files) == ["in/c.csv"]
    with pytest.raises(ValueError, match="name"):
        await duvo.files.rename("in/c.csv", "../d")


@pytest.mark.anyio
async def test_a_file_is_deleted(emulator: Emulator, duvo: AsyncDuvo) -> None:
    await duvo.files.upload(TEXT, name="in/a.csv")
    await duvo.files.delete("in/a.csv", idempotency_key="once")
    assert emulator.requests[-1].idempotency_key == "once"
    assert await paths(duvo.files) == []


@pytest.mark.anyio
async def test_changes_have_keys(emulator: Emulator, duvo: AsyncDuvo) -> None:
    await duvo.files.upload(TEXT, name="a.csv")
    await duvo.files.write_text("a.csv", "x", idempotency_key="k1")
    await duvo.files.rename("a.csv", "b", idempotency_key="k2")
    await duvo.files.create_upload_url("c", idempotency_key="k3")
    await duvo.files.write_text("b.csv", "x")
    keys = [request.idempotency_key for request in emulator.requests[2:]]
    assert keys[:3] == ["k1", "k2", "k3"]
    assert keys[3] is not None


@pytest.mark.anyio
async def test_urls_are_for_other_programs(duvo: AsyncDuvo) -> None:
    up = await duvo.files.create_upload_url("a.csv")
    assert up.path == "a.csv"
    await duvo.files.upload(TEXT, name="a.csv")
    down = await duvo.files.create_download_url("a.csv")
    assert up.expires_at is not None
    assert down.expires_at is not None
    assert "Signature" in up.upload_url
    assert "Signature" in down.url
    assert "Signature" not in repr([up, down])


# --- the other generation, and the other face ----------------------------------------------------


@pytest.mark.anyio
async def test_v1_has_no_files(emulator: Emulator, tmp_path: Path) -> None:
    async with client_of(emulator, "v1") as duvo:
        with pytest.raises(UnsupportedOperation, match="files of a team"):
            duvo.files.list()
        for call in (
            duvo.files.upload(TEXT, name="a"),
            duvo.files.download("a", tmp_path),
            duvo.files.read_text("a"),
            duvo.files.write_text("a", "x"),
            duvo.files.rename("a", "b"),
            duvo.files.delete("a"),
            duvo.files.create_upload_url("a"),
            duvo.files.create_download_url("a"),
        ):
            with pytest.raises(UnsupportedOperation, match="files of a team"):
                await call
    assert not emulator.requests
    assert names(tmp_path) == []


def test_a_blocking_client_has_the_same(served: Emulator, tmp_path: Path) -> None:
    seen: list[UploadProgress | DownloadProgress] = []
    with blocking_client_of(served, "v2") as duvo:
        assert duvo.files.upload(iter([TEXT]), name="a.csv", on_progress=seen.append).path
        here = duvo.files.download("a.csv", tmp_path, on_progress=seen.append)
        assert here.path.read_bytes() == TEXT
        assert isinstance(seen[0], UploadProgress)
        assert isinstance(seen[-1], DownloadProgress)
        assert duvo.files.read_text("a.csv") == TEXT.decode()
        duvo.files.write_text("a.csv", "x")
        duvo.files.rename("a.csv", "b")
        assert [file.path for file in duvo.files.list()] == ["b.csv"]
        assert duvo.files.create_download_url("b.csv").url
        assert duvo.files.create_upload_url("c").path == "c"
        duvo.files.delete("b.csv")
        assert not list(duvo.files.list())


def test_a_handler_of_a_blocking_caller_may_use_the_client(
    served: Emulator, tmp_path: Path
) -> None:
    found: list[int] = []
    with blocking_client_of(served, "v2") as duvo:

        def look(_: DownloadProgress) -> None:
            found.append(len(list(duvo.files.list())))

        duvo.files.upload(TEXT, name="a")
        duvo.files.download("a", tmp_path, on_progress=look)
    assert found == [1, 1]


def test_a_blocking_client_of_v1_has_no_files(served: Emulator) -> None:
    with Duvo(served.api_key, base_url=served.url) as duvo, pytest.raises(UnsupportedOperation):
        duvo.files.list()
