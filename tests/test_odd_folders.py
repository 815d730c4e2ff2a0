"""Folders as they are: odd names, links, pipes, and what cannot be read."""

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from duvo_async import UploadSourceError
from duvo_async._planning import Planned, plan
from tests.support.files import make


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def paths(planned: list[Planned]) -> list[str]:
    return [str(each.path).removeprefix("/workspace/") for each in planned if each.error is None]


def reasons(planned: list[Planned]) -> dict[str, str]:
    """Why what cannot be read cannot be read."""
    found: dict[str, str] = {}
    for each in planned:
        if each.error is not None:
            assert isinstance(each.error, UploadSourceError)
            start = f"cannot read {each.label}: "
            assert str(each.error).startswith(start)
            found[each.label] = str(each.error).removeprefix(start)
    return found


# --- names ---------------------------------------------------------------------------------------

ODD = [
    "-rf",
    ".dot",
    "...",
    "a\\b",
    "back`tick",
    "do$llar",
    "per%20cent",
    "two words",
    "~",
    "ünï",
    "墨.csv",
    "😀",
]


def test_odd_names_are_kept(here: Path) -> None:
    make(here, [f"in/{name}" for name in ODD])
    expected = [f"in/{name}" for name in sorted(ODD)]
    assert paths(plan(["in"], ".")) == expected
    assert paths(plan(["in/*"], ".")) == [name.removeprefix("in/") for name in expected]
    assert paths(plan([f"in/{name}" for name in ODD], ".")) == ODD


BAD = ["line\nbreak", "tab\t", "bell\x07", "caf\udce9.csv"]


@pytest.mark.parametrize("bad", BAD)
def test_a_name_that_cannot_be_sent_is_that_files_trouble(here: Path, bad: str) -> None:
    make(here, {f"in/{name}": b"" for name in ("a", bad, "z")})
    for source, found in (("in", ["in/a", "in/z"]), ("in/*", ["a", "z"])):
        planned = plan([source], ".")
        assert paths(planned) == found
        assert len(planned) == 3
        assert "characters that cannot be sent" in reasons(planned)[f"in/{bad}"]
        assert [each.path for each in planned if each.error is not None] == [None]


@pytest.mark.parametrize("bad", BAD)
def test_a_folder_whose_name_cannot_be_sent_is_left_out(here: Path, bad: str) -> None:
    make(here, {f"in/{name}": b"" for name in ("a", f"{bad}/b", "z")})
    planned = plan(["in"], ".")
    assert paths(planned) == ["in/a", "in/z"]
    assert list(reasons(planned)) == [f"in/{bad}"]


@pytest.mark.parametrize("bad", BAD)
def test_with_a_place_of_its_own_any_name_will_do(here: Path, bad: str) -> None:
    make(here, {bad: b"", f"in{bad}/a": b""})
    assert paths(plan({"x": bad, "in": f"in{bad}"}, ".")) == ["x", "in/a"]
    planned = plan([bad, f"in{bad}"], ".")
    assert list(reasons(planned)) == [bad, f"in{bad}"]
    assert [each.path for each in planned] == [None, None]


# --- links ---------------------------------------------------------------------------------------


def test_a_link_stands_for_what_it_leads_to(here: Path, tmp_path: Path) -> None:
    make(tmp_path / "outside", {"x": b"four", "sub/y": b""})
    (here / "in").mkdir()
    (here / "in/file").symlink_to("../../outside/x")
    (here / "in/folder").symlink_to(tmp_path / "outside")
    planned = plan(["in"], ".")
    assert paths(planned) == ["in/file", "in/folder/sub/y", "in/folder/x"]
    assert [each.size for each in planned] == [4, 0, 4]
    assert all(each.regular for each in planned)
    assert paths(plan(["in/*"], ".")) == ["file", "folder/sub/y", "folder/x"]


def test_a_link_that_is_given_gives_its_name(here: Path) -> None:
    make(here, ["in/x"])
    (here / "folder").symlink_to("in")
    (here / "file").symlink_to("in/x")
    assert paths(plan(["folder", "file"], ".")) == ["folder/x", "file"]


def test_two_links_to_one_folder_are_two_folders(here: Path) -> None:
    make(here, ["real/x"])
    (here / "in").mkdir()
    for name in ("one", "two"):
        (here / "in" / name).symlink_to("../real")
    assert paths(plan(["in"], ".")) == ["in/one/x", "in/two/x"]


def test_a_link_that_leads_nowhere_is_an_error(here: Path) -> None:
    make(here, ["in/a", "in/z"])
    (here / "in/gone").symlink_to("nowhere")
    for source, found in (("in", ["in/a", "in/z"]), ("in/*", ["a", "z"]), ("in/**", ["a", "z"])):
        planned = plan([source], ".")
        assert paths(planned) == found
        assert reasons(planned) == {"in/gone": "No such file or directory"}
    assert reasons(plan(["in/gone"], ".")) == {"in/gone": "No such file or directory"}


def test_a_link_that_leads_nowhere_is_an_error_by_its_whole_name_too(here: Path) -> None:
    make(here, ["one/a", "two/a"])
    (here / "one/gone").symlink_to("nowhere")
    (planned,) = plan(["*/gone"], ".")
    assert planned.error is not None  # whether the pattern finds it depends on the Python


def test_a_link_to_itself_is_an_error(here: Path) -> None:
    make(here, ["in/a"])
    (here / "in/self").symlink_to("self")
    planned = plan(["in"], ".")
    assert paths(planned) == ["in/a"]
    assert reasons(planned) == {"in/self": os.strerror(errno.ELOOP)}


CIRCLE = "it is a link to a folder that it is in"


@pytest.mark.parametrize(
    ("link", "target"),
    [("in/up", "."), ("in/up", "../in"), ("in/sub/up", ".."), ("in/sub/up", ".")],
)
def test_a_circle_is_an_error(here: Path, link: str, target: str) -> None:
    make(here, ["in/a", "in/sub/b"])
    (here / link).symlink_to(target)
    planned = plan(["in"], ".")
    assert paths(planned) == ["in/a", "in/sub/b"]
    assert reasons(planned) == {link: CIRCLE}
    assert planned[-1 if link == "in/up" else 2].path == f"/workspace/{link}"


@pytest.mark.parametrize("pattern", ["in/*", "in/**", "in/**/*", "*/*", "*/*/up", "in/sub/*"])
def test_a_pattern_goes_in_no_circle(here: Path, pattern: str) -> None:
    make(here, ["in/a", "in/sub/b"])
    (here / "in/sub/up").symlink_to("..")
    planned = plan([pattern], ".")
    assert set(reasons(planned).values()) == {CIRCLE}
    assert len(paths(planned)) <= 4


def test_a_circle_over_the_folder_above_ends(here: Path) -> None:
    make(here, ["in/a", "b"])
    (here / "in/up").symlink_to("..")
    planned = plan(["in"], ".")
    assert paths(planned) == ["in/a", "in/up/b"]
    assert reasons(planned) == {"in/up/in": CIRCLE}


def test_a_circle_of_two_ends(here: Path) -> None:
    make(here, ["one/a", "two/b"])
    (here / "one/other").symlink_to("../two")
    (here / "two/other").symlink_to("../one")
    planned = plan(["one"], ".")
    assert paths(planned) == ["one/a", "one/other/b"]
    assert reasons(planned) == {"one/other/other": CIRCLE}


# --- what is no file -----------------------------------------------------------------------------


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.fspath(path))


@pytest.mark.parametrize("put", [_pipe, _socket])
@pytest.mark.parametrize("source", ["in", "in/*", "in/**", "in/odd*"])
def test_in_a_folder_a_pipe_is_not_waited_for(
    here: Path, source: str, put: Callable[[Path], None]
) -> None:
    make(here, ["in/a", "in/odd-file"])
    put(Path("in/odd"))  # by a short name, which is all that a socket takes
    planned = plan([source], ".")
    assert reasons(planned) == {"in/odd": "it is no regular file"}
    assert all(each.regular for each in planned if each.error is None)


def test_a_pipe_that_is_given_is_read(here: Path) -> None:
    os.mkfifo(here / "pipe")
    (planned,) = plan(["pipe"], ".")
    assert (planned.path, planned.regular, planned.error) == ("/workspace/pipe", False, None)


# --- what cannot be read -------------------------------------------------------------------------


def _refuse(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = os.scandir

    def refusing(path: str) -> "os._ScandirIterator[str]":
        if Path(path) == Path(folder):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)


def test_a_folder_that_cannot_be_read_is_an_error(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(here, ["in/a", "in/locked/b", "in/z"])
    _refuse("in/locked", monkeypatch)
    for source in ("in", "./in"):
        planned = plan([source], ".")
        assert paths(planned) == ["in/a", "in/z"]
        assert reasons(planned) == {f"{source}/locked": "Permission denied"}
        assert planned[1].path == "/workspace/in/locked"
    assert reasons(plan(["in/locked"], ".")) == {"in/locked": "Permission denied"}
    assert reasons(plan(["in/*"], ".")) == {"in/locked": "Permission denied"}


def test_what_vanishes_while_its_folder_is_read_is_an_error(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(here, ["in/a", "in/b/x", "in/c"])
    scan = os.scandir

    def late(path: str) -> "os._ScandirIterator[str]":
        if path == "in/b":
            (here / "in/c").unlink()
        return scan(path)

    monkeypatch.setattr(os, "scandir", late)
    planned = plan(["in"], ".")
    assert paths(planned) == ["in/a", "in/b/x"]
    assert reasons(planned) == {"in/c": "No such file or directory"}
