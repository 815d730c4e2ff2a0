"""Where in a sandbox files go."""

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from duvo_async._places import WORKSPACE, folders_above, remote_folder, remote_path
from tests.support.properties import unhurried

FOLDERS = st.sampled_from([WORKSPACE, "/", "/data", "/workspace/in"])
SEGMENTS = st.text(st.characters(codec="utf-8", exclude_characters="/"), max_size=5)
PATHS = st.lists(SEGMENTS | st.sampled_from([".", "..", "", " ", "~", "-x", "a\\b", ".a"])).map(
    "/".join
)


def _as_file(path: str, folder: str = WORKSPACE) -> str:
    return remote_path(path, "", folder)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("a.csv", "/workspace/a.csv"),
        ("in/a.csv", "/workspace/in/a.csv"),
        ("./in//a.csv", "/workspace/in/a.csv"),
        ("/data/a.csv", "/data/a.csv"),
        (".hidden", "/workspace/.hidden"),
        ("-rf", "/workspace/-rf"),
        ("~/a", "/workspace/~/a"),
        ("two words", "/workspace/two words"),
        (" a ", "/workspace/ a "),
        ("a\\b", "/workspace/a\\b"),
        ("...", "/workspace/..."),
        ("a..b", "/workspace/a..b"),
        ("päper/墨.csv", "/workspace/päper/墨.csv"),
        ("*.csv", "/workspace/*.csv"),
    ],
)
@pytest.mark.parametrize("place_of", [_as_file, remote_folder])
def test_a_path_is_below_the_workspace_unless_it_is_absolute(
    path: str, place: str, place_of: Callable[[str], str]
) -> None:
    assert place_of(path) == place


@pytest.mark.parametrize(
    ("path", "folder", "place"),
    [
        ("a", "/data", "/data/a"),
        ("/workspace/a", "/data", "/workspace/a"),
        ("a", "/", "/a"),
    ],
)
@pytest.mark.parametrize("place_of", [_as_file, remote_folder])
def test_the_folder_is_for_relative_paths(
    path: str, folder: str, place: str, place_of: Callable[[str, str], str]
) -> None:
    assert place_of(path, folder) == place


@pytest.mark.parametrize("path", ["//data/a", "//workspace/a", "///workspace/a"])
@pytest.mark.parametrize("place_of", [_as_file, remote_folder])
def test_a_place_has_one_spelling(path: str, place_of: Callable[[str], str]) -> None:
    assert place_of(path) == "/" + path.lstrip("/")


def test_without_a_path_the_name_is_taken() -> None:
    assert remote_path(None, "a.csv") == "/workspace/a.csv"
    assert remote_path(None, "a.csv", "/data") == "/data/a.csv"
    assert remote_path("b.csv", "a.csv") == "/workspace/b.csv"


@pytest.mark.parametrize("path", [".", "./", "in/", "/data/"])
def test_a_folder_may_end_in_a_slash(path: str) -> None:
    assert remote_folder(path) == str(PurePosixPath(WORKSPACE, path))


@pytest.mark.parametrize("path", ["", " ", "\u00a0", "\u3000 "])
def test_a_path_is_not_blank(path: str) -> None:
    with pytest.raises(ValueError, match=r"no name of its own: give path="):
        remote_path(path, "the name")
    with pytest.raises(ValueError, match=r"no name of its own: give path="):
        remote_path(None, path)
    with pytest.raises(ValueError, match="must name a folder"):
        remote_folder(path)


@pytest.mark.parametrize("path", ["a/", "/", "//", ".", "./", "in/.//"])
def test_a_file_is_no_folder(path: str) -> None:
    with pytest.raises(ValueError, match="must name a file"):
        _as_file(path)


@pytest.mark.parametrize("path", ["..", "../a", "a/..", "a/../b", "/..", "/workspace/../etc/a"])
@pytest.mark.parametrize("place_of", [_as_file, remote_folder])
def test_no_path_leads_up(path: str, place_of: Callable[[str], str]) -> None:
    with pytest.raises(ValueError, match=r"without '\.\.'"):
        place_of(path)


@pytest.mark.parametrize(
    "path", ["a\0b", "a\nb", "a\rb", "\ta", "a\x1b[31m", "a\x7f", "a\x85b", "caf\udce9", "\ud800"]
)
@pytest.mark.parametrize("place_of", [_as_file, remote_folder])
def test_control_characters_and_what_is_no_text_are_refused(
    path: str, place_of: Callable[[str], str]
) -> None:
    with pytest.raises(ValueError, match="characters that cannot be sent") as caught:
        place_of(path)
    assert str(caught.value).isprintable()
    str(caught.value).encode()


@pytest.mark.parametrize("path", [b"a", 7, PurePosixPath("a")])
@pytest.mark.parametrize("place_of", [_as_file, remote_folder])
def test_a_path_is_a_string(path: object, place_of: Callable[[str], str]) -> None:
    with pytest.raises(TypeError, match="path must be a string"):
        place_of(cast("str", path))


@pytest.mark.parametrize("place_of", [_as_file, remote_folder])
@unhurried
@given(path=PATHS, folder=FOLDERS)
@example(path="../a", folder=WORKSPACE)
@example(path="/a", folder=WORKSPACE)
@example(path="a", folder="/")
def test_a_place_is_absolute_and_where_it_was_wanted(
    place_of: Callable[[str, str], str], path: str, folder: str
) -> None:
    try:
        place = place_of(path, folder)
    except ValueError:
        return
    parts = PurePosixPath(place).parts
    assert place.startswith("/")
    assert ".." not in parts
    assert place_of(place, "/elsewhere") == place
    place.encode()
    if not path.startswith("/"):
        assert PurePosixPath(place).is_relative_to(folder)


@unhurried
@given(path=PATHS, folder=FOLDERS)
def test_what_is_a_place_for_a_file_is_one_for_a_folder(path: str, folder: str) -> None:
    try:
        place = _as_file(path, folder)
    except ValueError:
        return
    assert remote_folder(path, folder) == place
    assert remote_folder(path + "/", folder) == place


def test_the_folders_above_paths_are_all_those_that_lead_there() -> None:
    assert folders_above([]) == set()
    assert folders_above(["/a/b/c", "/a/b/d", "/a/e/f/g", "/h"]) == {"/a", "/a/b", "/a/e", "/a/e/f"}
