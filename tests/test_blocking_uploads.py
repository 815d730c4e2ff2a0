"""Folders, patterns and iterables through the blocking client."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from duvo_async import Duvo, UploadProgress, UploadSourceError
from duvo_async.emulator import Emulator
from tests.support.files import LARGE, make, places, reader, sparse


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(requests_per_minute=100_000) as running:
        yield running


@pytest.fixture
def duvo(emulator: Emulator) -> Iterator[Duvo]:
    with Duvo(emulator.api_key, base_url=emulator.url) as client:
        yield client


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a tree."""
    monkeypatch.chdir(make(tmp_path, ["in/a", "in/deep/b", "in/c.pdf"]))
    return tmp_path


def held(emulator: Emulator, duvo: Duvo, sandbox_id: str | None) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    duvo.runs.execute(emulator.add_agent(reader(found)), sandbox_id=sandbox_id)
    return found


def test_folders_patterns_and_iterables_arrive(emulator: Emulator, duvo: Duvo, here: Path) -> None:
    here_thread = threading.get_ident()
    seen: list[UploadProgress] = []
    threads: dict[str, set[int]] = {"progress": set(), "blocks": set(), "sources": set()}

    def tell(progress: UploadProgress) -> None:
        threads["progress"].add(threading.get_ident())
        seen.append(progress)
        duvo.health()  # a handler may use the client

    def blocks() -> Iterator[bytes]:
        for _ in range(3):
            threads["blocks"].add(threading.get_ident())
            yield b"block"

    def names() -> Iterator[str]:
        for name in ("in", "in/*.pdf", "large"):
            threads["sources"].add(threading.get_ident())
            yield name

    sparse(here / "large")
    sandbox = duvo.sandboxes.create()
    outcomes = duvo.sandboxes.upload_many(sandbox.sandbox_id, names(), on_progress=tell)
    assert places(outcomes) == ["in/a", "in/c.pdf", "in/deep/b", "c.pdf", "large"]
    outcomes = duvo.sandboxes.upload_many(
        sandbox.sandbox_id, {"blocks": blocks()}, on_progress=tell
    )
    assert places(outcomes) == ["blocks"]
    assert threads == {name: {here_thread} for name in threads}
    assert sorted(each.path.rpartition("/")[2] for each in seen if each.finished) == [
        "a",
        "b",
        "blocks",
        "c.pdf",
        "c.pdf",
        "large",
    ]
    found = held(emulator, duvo, sandbox.sandbox_id)
    assert found.pop("large") == bytes(LARGE)
    assert found == {
        "in/a": b"in/a",
        "in/deep/b": b"in/deep/b",
        "in/c.pdf": b"in/c.pdf",
        "c.pdf": b"in/c.pdf",
        "blocks": b"block" * 3,
    }


def test_an_iterable_that_is_a_single_file_is_read_in_the_callers_thread(
    emulator: Emulator, duvo: Duvo
) -> None:
    threads: set[int] = set()

    def blocks() -> Iterator[bytes]:
        for _ in range(50):
            threads.add(threading.get_ident())
            yield bytes(100_000)

    sandbox = duvo.sandboxes.create()
    uploaded = duvo.sandboxes.upload(sandbox.sandbox_id, blocks(), path="x")
    assert uploaded.size_bytes == 5_000_000
    assert threads == {threading.get_ident()}
    assert held(emulator, duvo, sandbox.sandbox_id) == {"x": bytes(5_000_000)}


def test_a_folder_is_kept_in_step(emulator: Emulator, duvo: Duvo, here: Path) -> None:
    sandbox = duvo.sandboxes.create()
    first = duvo.sandboxes.sync(sandbox.sandbox_id, here / "in")
    (here / "in/a").write_bytes(b"longer")
    second = duvo.sandboxes.sync(sandbox.sandbox_id, here / "in")
    assert [each.skipped for each in first] == [False] * 3
    assert [each.skipped for each in second] == [False, True, True]
    listed = duvo.sandboxes.files(sandbox.sandbox_id, recursive=True)
    assert [each.path.removeprefix("/workspace/") for each in listed] == [
        "in",
        "in/a",
        "in/c.pdf",
        "in/deep",
        "in/deep/b",
    ]
    assert [len(page) for page in listed.pages()] == [1, 3, 1]
    assert held(emulator, duvo, sandbox.sandbox_id)["in/a"] == b"longer"


@pytest.mark.usefixtures("here")
def test_a_run_gets_its_files(emulator: Emulator, duvo: Duvo) -> None:
    found: dict[str, bytes] = {}
    told: list[UploadProgress] = []
    duvo.runs.execute(
        emulator.add_agent(reader(found)), files=["in", "in/*.pdf"], on_progress=told.append
    )
    assert sorted(found) == ["c.pdf", "in/a", "in/c.pdf", "in/deep/b"]
    assert sum(each.finished for each in told) == 4
    asked = len(emulator.requests)
    with pytest.raises(UploadSourceError, match="missing"):
        duvo.runs.execute(emulator.add_agent([]), files=["in", "missing"])
    assert len(emulator.requests) == asked


@pytest.mark.usefixtures("here")
def test_an_error_is_in_its_outcome(duvo: Duvo) -> None:
    def fail(_: UploadProgress) -> None:
        raise LookupError("mine")

    def failing() -> Iterator[bytes]:
        yield b"1"
        raise LookupError("also mine")

    sandbox = duvo.sandboxes.create()
    outcomes = duvo.sandboxes.upload_many(sandbox.sandbox_id, {"in": "in", "x": failing()})
    assert places(outcomes) == ["in/a", "in/c.pdf", "in/deep/b", None]
    assert isinstance(outcomes[3].error, UploadSourceError)
    assert isinstance(outcomes[3].error.__cause__, LookupError)
    with pytest.raises(LookupError, match="mine"):
        duvo.sandboxes.upload_many(sandbox.sandbox_id, ["in"], on_progress=fail)
