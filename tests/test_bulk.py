"""Many files into a sandbox: all that can be given arrives, and has its outcome."""

import asyncio
import io
import os
import resource
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from duvo_async import (
    AsyncDuvo,
    ConflictError,
    RetryPolicy,
    UploadProgress,
    UploadSourceError,
)
from duvo_async.emulator import Emulator
from tests.support.files import LARGE, Host, client_of, held, make, places, sparse
from tests.support.stub import answer

pytestmark = pytest.mark.anyio


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
async def sandbox_id(duvo: AsyncDuvo) -> str:
    return (await duvo.sandboxes.create()).sandbox_id


def _blocks(*blocks: bytes) -> Iterator[bytes]:
    yield from blocks


async def _async_blocks(*blocks: bytes) -> AsyncIterator[bytes]:
    for block in blocks:
        await asyncio.sleep(0)
        yield block


# --- what arrives --------------------------------------------------------------------------------


async def test_all_kinds_of_sources_arrive(
    emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str, here: Path
) -> None:
    make(here, ["in/.hidden", "in/sub/x.pdf", "in/two words.csv", "-odd", "docs/a.pdf"])
    (here / "in/hollow").mkdir()
    (here / "empty").touch()
    sources = {
        "tree": "in",
        "flat/odd": Path("-odd"),
        "pdf": "**/*.pdf",
        "none": "empty",
        "bytes": b"bytes",
        "array": bytearray(b"array"),
        "view": memoryview(b"view"),
        "open": io.BytesIO(b"open"),
        "list": [b"li", b"st"],
        "generator": _blocks(b"gene", b"rator"),
        "async generator": _async_blocks(b"async ", b"generator"),
        "large": sparse(here / "large"),
    }
    outcomes = await duvo.sandboxes.upload_many(sandbox_id, sources)
    expected = {
        "tree/.hidden": b"in/.hidden",
        "tree/sub/x.pdf": b"in/sub/x.pdf",
        "tree/two words.csv": b"in/two words.csv",
        "flat/odd": b"-odd",
        "pdf/docs/a.pdf": b"docs/a.pdf",
        "pdf/in/sub/x.pdf": b"in/sub/x.pdf",
        "none": b"",
        **{name: name.encode() for name in ("bytes", "array", "view", "open", "list")},
        **{name: name.encode() for name in ("generator", "async generator")},
        "large": bytes(LARGE),
    }
    assert await held(emulator, duvo, sandbox_id) == expected
    assert places(outcomes) == [*expected]
    assert [each.index for each in outcomes] == [*range(len(expected))]
    assert [each.file.size_bytes for each in outcomes if each.file is not None] == [
        len(content) for content in expected.values()
    ]
    assert [each.source for each in outcomes[:4]] == [
        "in/.hidden",
        "in/sub/x.pdf",
        "in/two words.csv",
        "-odd",
    ]
    assert all(each.succeeded and each.error is None and not each.skipped for each in outcomes)
    assert [each.raise_for_error() for each in outcomes] == [each.file for each in outcomes]


async def test_odd_names_arrive(
    emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str, here: Path
) -> None:
    names = ["-rf", ".dot", "...", "a\\b", "per%20cent", "two  words", "ünï", "墨", 'quo"te', "a;b"]
    make(here, [f"in dir/{name}" for name in names])
    (here / "in dir/large%2F").symlink_to(sparse(here / "zeros"))
    outcomes = await duvo.sandboxes.upload_many(sandbox_id, ["in dir"])
    found = await held(emulator, duvo, sandbox_id)
    assert sorted(found) == sorted(f"in dir/{name}" for name in [*names, "large%2F"])
    assert places(outcomes) == sorted(found)
    assert [found[f"in dir/{name}"] for name in names] == [
        f"in dir/{name}".encode() for name in names
    ]


async def test_an_empty_folder_has_no_outcome(
    emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str, here: Path
) -> None:
    (here / "empty/nested").mkdir(parents=True)
    asked = len(emulator.requests)
    assert await duvo.sandboxes.upload_many(sandbox_id, ["empty"]) == ()
    assert await duvo.sandboxes.upload_many(sandbox_id, []) == ()
    assert await duvo.sandboxes.upload_many(sandbox_id, {}) == ()
    assert len(emulator.requests) == asked


async def test_relative_places_are_below_to(
    emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str, here: Path
) -> None:
    make(here, ["in/a", "b"])
    await duvo.sandboxes.upload_many(sandbox_id, ["in", "b"], to="data")
    await duvo.sandboxes.upload_many(sandbox_id, {"c": "b"}, to="/workspace/data/")
    assert sorted(await held(emulator, duvo, sandbox_id)) == ["data/b", "data/c", "data/in/a"]


async def test_sources_may_be_any_iterable(
    emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str, here: Path
) -> None:
    make(here, ["a", "b"])
    outcomes = await duvo.sandboxes.upload_many(sandbox_id, (name for name in ("b", "a")))
    assert places(outcomes) == ["b", "a"]
    assert sorted(await held(emulator, duvo, sandbox_id)) == ["a", "b"]


async def test_open_files_stay_open(duvo: AsyncDuvo, sandbox_id: str, here: Path) -> None:
    make(here, [f"{number}" for number in range(30)])
    files = [(here / f"{number}").open("rb") for number in range(30)]
    try:
        outcomes = await duvo.sandboxes.upload_many(sandbox_id, files)
        assert places(outcomes) == [str(number) for number in range(30)]
        assert not any(file.closed for file in files)
    finally:
        for file in files:
            file.close()


async def test_files_are_opened_as_their_turn_comes(
    duvo: AsyncDuvo, sandbox_id: str, here: Path
) -> None:
    for number in range(160):
        sparse(here / f"{number:03}", 300_000 if number < 150 else LARGE)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, before[1]))
    try:
        outcomes = await duvo.sandboxes.upload_many(sandbox_id, [here])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert [each.error for each in outcomes] == [None] * 160


# --- what is refused before anything is sent -----------------------------------------------------


@pytest.mark.parametrize("files", ["a", b"a", bytearray(b"a"), memoryview(b"a"), Path("a"), 7])
async def test_a_single_source_is_no_list(
    emulator: Emulator,
    duvo: AsyncDuvo,
    here: Path,
    files: Any,  # noqa: ANN401 - the mistakes
) -> None:
    make(here, ["a"])
    with pytest.raises(TypeError):
        await duvo.sandboxes.upload_many("sbx", files)
    assert not emulator.requests


@pytest.mark.parametrize(
    ("files", "settings", "kind"),
    [
        (["a/x", "b/x"], {}, ValueError),
        ({"../x": "a/x"}, {}, ValueError),
        (["a", b"no name"], {}, ValueError),
        (["a", 7], {}, TypeError),
        (["a"], {"to": "../elsewhere"}, ValueError),
        (["a"], {"to": Path("x")}, TypeError),
        (["a"], {"concurrency": 0}, ValueError),
        (["a"], {"concurrency": True}, TypeError),
        (["a"], {"concurrency": "8"}, TypeError),
        (["a"], {"chunk_size": 0}, ValueError),
        (["a"], {"on_progress": 7}, TypeError),
    ],
)
async def test_mistakes_are_found_before_anything_is_sent(  # noqa: PLR0913, PLR0917 - fixtures
    emulator: Emulator,
    duvo: AsyncDuvo,
    here: Path,
    files: Any,  # noqa: ANN401 - the mistakes
    settings: dict[str, Any],
    kind: type[Exception],
) -> None:
    make(here, ["a/x", "b/x"])
    with pytest.raises(kind):
        await duvo.sandboxes.upload_many("sbx", files, **settings)
    assert not emulator.requests


# --- what goes wrong with one of them ------------------------------------------------------------


async def test_what_cannot_be_read_does_not_stop_the_others(
    emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str, here: Path
) -> None:
    make(here, {f"in/{name}": b"1" for name in ("a", "line\nbreak", "caf\udce9", "z")})
    (here / "in/gone").symlink_to("nowhere")
    (here / "in/self").symlink_to("self")
    os.mkfifo(here / "in/pipe")
    outcomes = await duvo.sandboxes.upload_many(
        sandbox_id, ["missing", "in", "*.pdf", "/proc/self/mem"]
    )
    assert sorted(await held(emulator, duvo, sandbox_id)) == ["in/a", "in/z"]
    failed = {each.source: each for each in outcomes if not each.succeeded}
    odd = [f"in/{name}" for name in ("caf\udce9", "gone", "line\nbreak", "pipe", "self")]
    assert sorted(failed) == sorted(["missing", *odd, "*.pdf", "/proc/self/mem"])
    for outcome in failed.values():
        assert isinstance(outcome.error, UploadSourceError)
        assert (outcome.file, outcome.skipped) == (None, False)
        with pytest.raises(UploadSourceError):
            outcome.raise_for_error()
    assert failed["in/gone"].path == "/workspace/in/gone"
    assert failed["missing"].path is None
    assert [each.index for each in outcomes] == [*range(10)]


async def test_one_files_conflict_does_not_stop_the_others(
    emulator: Emulator, duvo: AsyncDuvo, sandbox_id: str, here: Path
) -> None:
    make(here, ["in/a", "in/b", "in/c"])
    await duvo.sandboxes.upload(sandbox_id, b"1", path="in/b/file in a directory")
    outcomes = await duvo.sandboxes.upload_many(sandbox_id, ["in"])
    assert places(outcomes) == ["in/a", None, "in/c"]
    assert isinstance(outcomes[1].error, ConflictError)
    assert len(await held(emulator, duvo, sandbox_id)) == 3


async def test_a_file_that_vanishes_is_that_files_trouble(here: Path) -> None:
    make(here, ["in/a"])
    for number in range(60):
        make(here, [f"in/b{number:02}"])
    sparse(here / "in/large")

    async def remove(_: str) -> None:
        for name in ("large", "b59"):
            (here / "in" / name).unlink(missing_ok=True)

    host = Host(before=remove)
    async with client_of(host) as duvo:
        outcomes = await duvo.sandboxes.upload_many("sbx", ["in"], concurrency=1)
    assert {each.source for each in outcomes if not each.succeeded} == {"in/b59", "in/large"}
    for each in outcomes[-2:]:
        assert isinstance(each.error, UploadSourceError)
        assert "No such file" in str(each.error)
    assert len(host.taken) == 60


@pytest.mark.parametrize("size", [0, 1, LARGE - 1, LARGE + 1])
async def test_a_file_that_changes_while_it_is_read_is_that_files_trouble(
    here: Path, size: int
) -> None:
    sparse(here / "a")
    make(here, ["b"])

    def change(progress: UploadProgress) -> None:
        if progress.path.endswith("/a") and progress.sent == 0:
            os.truncate(here / "a", size)

    async with client_of(Host()) as duvo:
        outcomes = await duvo.sandboxes.upload_many("sbx", ["."], on_progress=change)
    assert places(outcomes) == [None, "b"]
    assert isinstance(outcomes[0].error, UploadSourceError)
    assert f"changed while it was read: it had {LARGE:,} bytes" in str(outcomes[0].error)


async def test_a_file_that_changes_before_its_turn_goes_as_it_is_then(here: Path) -> None:
    sizes = {"grown": LARGE + 9, "shrunk": 9, "emptied": 0}
    for name in sizes:
        sparse(here / name)

    def change(progress: UploadProgress) -> None:
        if progress.path.endswith("first"):
            for name, size in sizes.items():
                os.truncate(here / name, size)

    async with client_of(Host()) as duvo:
        outcomes = await duvo.sandboxes.upload_many(
            "sbx", {"first": b"1", "rest": "."}, on_progress=change, concurrency=1
        )
    files = [outcome.raise_for_error() for outcome in outcomes[1:]]
    assert {file.path.rpartition("/")[2]: file.size_bytes for file in files} == sizes


async def test_a_storage_that_fails_for_one_file_does_not_stop_the_others(here: Path) -> None:
    make(here, {"a": b"", "c": b""})
    sparse(here / "b")
    tried: list[str] = []

    async def refuse(path: str) -> Any:  # noqa: ANN401 - an answer
        tried.append(path)
        return answer(500) if path.endswith("/b") else None

    async with client_of(Host(before=refuse), RetryPolicy(retries=2)) as duvo:
        outcomes = await duvo.sandboxes.upload_many("sbx", ["."])
    assert places(outcomes) == ["a", None, "c"]
    assert tried.count("/workspace/b") == 3
    assert outcomes[1].error is not None
    assert "500" in str(outcomes[1].error)
    assert "/workspace/b may have arrived in sandbox sbx" in str(outcomes[1].error)


# --- a run with files ----------------------------------------------------------------------------


async def test_a_run_gets_folders_and_patterns(
    emulator: Emulator, duvo: AsyncDuvo, here: Path
) -> None:
    make(here, ["in/a", "in/sub/b", "docs/c.pdf", "docs/d.txt"])
    agent = emulator.add_agent([])
    run = await duvo.runs.execute(agent, files=["in", "docs/*.pdf", "docs/d.txt"])
    assert run.sandbox_id is not None
    found = await held(emulator, duvo, run.sandbox_id)
    assert found == {
        "in/a": b"in/a",
        "in/sub/b": b"in/sub/b",
        "c.pdf": b"docs/c.pdf",
        "d.txt": b"docs/d.txt",
    }


async def test_a_run_gets_what_is_no_file(emulator: Emulator, duvo: AsyncDuvo, here: Path) -> None:
    make(here, ["in/a"])
    seen: list[UploadProgress] = []
    run = await duvo.runs.execute(
        emulator.add_agent([]),
        files={"x": _blocks(b"1", b"2"), "y": _async_blocks(b"3"), "z": b"4", "in": "in"},
        on_progress=seen.append,
    )
    assert run.sandbox_id is not None
    assert await held(emulator, duvo, run.sandbox_id) == {
        "x": b"12",
        "y": b"3",
        "z": b"4",
        "in/a": b"in/a",
    }
    assert sorted(each.path for each in seen if each.finished) == [
        "/workspace/in/a",
        "/workspace/x",
        "/workspace/y",
        "/workspace/z",
    ]


@pytest.mark.parametrize("bad", ["missing", "*.pdf", "in/gone", "in"])
async def test_a_file_that_cannot_be_read_starts_no_run(
    emulator: Emulator, duvo: AsyncDuvo, here: Path, bad: str
) -> None:
    make(here, ["a", "in/b"])
    (here / "in/gone").symlink_to("nowhere")
    with pytest.raises(UploadSourceError):
        await duvo.runs.execute(emulator.add_agent([]), files=["a", bad])
    assert not emulator.requests


async def test_what_fails_as_it_is_read_starts_no_run(
    emulator: Emulator, duvo: AsyncDuvo, here: Path
) -> None:
    def failing() -> Iterator[bytes]:
        yield b"1"
        raise LookupError("no more")

    make(here, ["a"])
    bad: Any
    for bad in (failing(), "/proc/self/mem"):
        with pytest.raises(UploadSourceError, match=r"no more|Input/output error"):
            await duvo.runs.execute(emulator.add_agent([]), files={"a": "a", "b": bad})
    assert not [request for request in emulator.requests if request.path.endswith("/runs")]


async def test_a_file_that_does_not_arrive_starts_no_run(
    emulator: Emulator, duvo: AsyncDuvo, here: Path
) -> None:
    make(here, ["a", "b"])
    sandbox = await duvo.sandboxes.create()
    await duvo.sandboxes.upload(sandbox.sandbox_id, b"", path="b/in the way")
    asked = len(emulator.requests)
    with pytest.raises(ConflictError) as caught:
        await duvo.runs.execute(
            emulator.add_agent([]), files=["a", "b"], sandbox_id=sandbox.sandbox_id
        )
    assert caught.value.__notes__[-1].endswith("of 2 files had arrived before")
    assert {request.path[-6:] for request in emulator.requests[asked:]} == {"/files"}
