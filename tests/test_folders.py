"""Which files folders, patterns and lists of them stand for, and where each goes."""

import io
import sys
from pathlib import Path
from typing import Any

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


def paths(files: Any, to: str = ".") -> list[str]:  # noqa: ANN401 - whatever can be given
    """Where files go, below the workspace; all of them can be read."""
    planned = plan(files, to)
    assert [each for each in planned if each.error is not None] == []
    assert [Path(each.label).stat().st_size for each in planned if each.regular] == [
        each.size for each in planned if each.regular
    ]
    return [str(each.path).removeprefix("/workspace/") for each in planned]


def only(files: Any) -> Planned:  # noqa: ANN401 - whatever can be given
    (planned,) = plan(files, ".")
    return planned


# --- folders -------------------------------------------------------------------------------------

TREE = ("in/b.csv", "in/a/deep/x.csv", "in/a/y.csv", "in/.hidden", "in/.git/config", "in/B.csv")
IN_ORDER = ["in/.git/config", "in/.hidden", "in/B.csv", "in/a/deep/x.csv", "in/a/y.csv", "in/b.csv"]


@pytest.mark.parametrize("folder", ["in", "in/", "./in", "in/.", "../here/in", "in/a/../../in"])
def test_a_folder_keeps_its_name_and_its_tree(here: Path, folder: str) -> None:
    make(here, TREE)
    assert paths([folder]) == IN_ORDER
    assert paths([here / folder]) == IN_ORDER


@pytest.mark.parametrize("folder", [".", "./", "a/..", "../here/."])
def test_the_folder_one_is_in_stands_for_its_contents(here: Path, folder: str) -> None:
    make(here, TREE)
    (here / "a").mkdir()
    expected = ["here/" + path for path in IN_ORDER] if folder == "../here/." else IN_ORDER
    assert paths([folder]) == expected


def test_the_folder_above_stands_for_its_contents(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(here, TREE)
    monkeypatch.chdir(here / "in")
    assert paths([".."]) == IN_ORDER


def test_in_an_empty_folder_there_is_nothing(here: Path) -> None:
    (here / "empty/nested").mkdir(parents=True)
    assert paths(["empty", ".", "empty/*"]) == []


def test_any_depth_is_walked(here: Path) -> None:
    depth = sys.getrecursionlimit() + 100
    folders = [here]
    for _ in range(depth):
        folders.append(folders[-1] / "d")
        folders[-1].mkdir()
    (folders[-1] / "x").touch()
    try:
        assert paths(["d"]) == ["d/" * depth + "x"]
    finally:  # which nothing else gets away
        (folders[-1] / "x").unlink()
        for folder in reversed(folders[1:]):
            folder.rmdir()


def test_files_are_regular_and_have_a_size(here: Path) -> None:
    make(here, {"in/x": b"four"})
    assert only(["in"]) == Planned("in/x", "/workspace/in/x", "in/x", regular=True, size=4)
    assert only(["in/x"]) == Planned("in/x", "/workspace/x", "in/x", regular=True, size=4)


# --- the same file more than once ----------------------------------------------------------------


@pytest.mark.parametrize("again", ["in", "./in/", "../here/in", Path("in")])
def test_a_folder_that_is_given_twice_counts_once(here: Path, again: str | Path) -> None:
    make(here, ["in/a/x", "in/b"])
    assert paths(["in", again]) == ["in/a/x", "in/b"]
    assert paths([again, here / "in", again]) == ["in/a/x", "in/b"]


@pytest.mark.parametrize("again", ["a", "./a", Path("a")])
def test_a_file_that_is_given_twice_counts_once(here: Path, again: str | Path) -> None:
    make(here, ["a"])
    assert paths(["a", again]) == ["a"]
    assert paths([again, again]) == ["a"]
    assert paths([again, here / "a"]) == ["a"]


def test_a_file_in_a_folder_and_by_itself_counts_once(here: Path) -> None:
    make(here, ["a", "b"])
    assert paths([".", "a"]) == ["a", "b"]
    assert paths(["b", "."]) == ["b", "a"]


@pytest.mark.parametrize("pattern", ["*", "**", "**/*"])
def test_a_folder_and_its_pattern_count_once(here: Path, pattern: str) -> None:
    make(here, ["in/a/x", "in/b"])
    assert paths({"to": "in", "./to": f"in/{pattern}"}) == ["to/a/x", "to/b"]


def test_a_files_own_place_and_the_one_in_its_folder_are_two(here: Path) -> None:
    make(here, ["in/a"])
    assert paths(["in", "in/a"]) == ["in/a", "a"]


@pytest.mark.parametrize(
    "sources",
    [
        ["a/x", "b/x"],
        ["a/x", "b/*"],
        ["a/*", "b/*"],
        {"to": "a", "to/": "b"},
        {"to/x": "a/x", "to": "b"},
        {"x": "a/x", "./x": "b/x"},
        {"x": b"1", "/workspace/x": "a/x"},
        {"x": b"1", "./x": b"2"},
    ],
)
def test_two_files_to_one_place_are_refused(here: Path, sources: Any) -> None:  # noqa: ANN401
    make(here, ["a/x", "b/x"])
    with pytest.raises(ValueError, match=r"two files would go to /workspace/(to/)?x: say where"):
        plan(sources, ".")


@pytest.mark.parametrize(
    "sources",
    [
        {"x": "a/x", "x/y": "b/x"},
        {"x/y/z": "a/x", "x": "b/x"},
        {"to": "a/x", "to/": "b"},
        {"x": b"1", "x/y": b"2"},
    ],
)
def test_a_file_in_a_folders_place_is_refused(here: Path, sources: Any) -> None:  # noqa: ANN401
    make(here, ["a/x", "b/x"])
    with pytest.raises(ValueError, match=r"/workspace/(x|to) would be a file and a folder"):
        plan(sources, ".")


def test_two_open_files_of_one_name_are_refused() -> None:
    files = [io.BytesIO(content) for content in (b"1", b"2")]
    for file in files:
        file.name = str(b"x.csv", "ascii")  # a string of its own, as a form's files have
    with pytest.raises(ValueError, match=r"two files would go to /workspace/x\.csv"):
        plan(files, ".")


# --- patterns ------------------------------------------------------------------------------------

ALL = [
    "in/.git/config",
    "in/.hidden",
    "in/B.csv",
    "in/a/deep/x.csv",
    "in/a/y.csv",
    "in/b.csv",
]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("in/*.csv", ["B.csv", "b.csv"]),
        ("./in/*.csv", ["B.csv", "b.csv"]),
        ("in/[a-c].csv", ["b.csv"]),
        ("in/?.csv", ["B.csv", "b.csv"]),
        ("in/**/*.csv", ["B.csv", "a/deep/x.csv", "a/y.csv", "b.csv"]),
        ("**/*.csv", ["in/B.csv", "in/a/deep/x.csv", "in/a/y.csv", "in/b.csv"]),
        ("*/a/*.csv", ["in/a/y.csv"]),
        ("in/a/*.csv", ["y.csv"]),
        ("in/*/*.csv", ["a/y.csv"]),
        ("in/*/deep", ["a/deep/x.csv"]),
        ("in/*", [path.removeprefix("in/") for path in ALL]),
        ("in/**", [path.removeprefix("in/") for path in ALL]),
        ("in/**/*", [path.removeprefix("in/") for path in ALL]),
        ("*", ALL),
        ("**", ALL),
        ("i*", ALL),
        ("../here/in/a/*.csv", ["y.csv"]),
    ],
)
def test_what_matches_keeps_its_path_below_the_fixed_part(
    here: Path, pattern: str, expected: list[str]
) -> None:
    make(here, ALL)
    assert sorted(paths([pattern])) == expected
    assert sorted(paths([here / pattern])) == expected
    assert sorted(paths({"to": pattern})) == [f"to/{path}" for path in expected]


def test_matches_come_by_name(here: Path) -> None:
    make(here, ALL)
    assert paths(["in/*"]) == [
        ".git/config",
        ".hidden",
        "B.csv",
        "a/deep/x.csv",
        "a/y.csv",
        "b.csv",
    ]


@pytest.mark.parametrize("name", ["report[1].csv", "a*b", "what?", "[draft]", "**"])
def test_a_file_may_look_like_a_pattern(here: Path, name: str) -> None:
    make(here, [name, "report1.csv", "aXb", "whatX", "d"])
    assert paths([name]) == [name]
    assert paths([Path(name)]) == [name]


def test_a_folder_may_look_like_a_pattern(here: Path) -> None:
    make(here, ["[in]/a", "i/b"])
    assert paths(["[in]"]) == ["[in]/a"]


@pytest.mark.parametrize("pattern", ["*.pdf", "nowhere/*", "in/**/*.pdf", "in/b.csv/*", "[x]"])
def test_a_pattern_without_a_match_is_an_error(here: Path, pattern: str) -> None:
    make(here, ALL)
    planned = only([pattern])
    assert isinstance(planned.error, UploadSourceError)
    assert str(planned.error) == f"cannot read {pattern}: no file matches it"
    assert (planned.label, planned.path) == (pattern, None)


@pytest.mark.parametrize("pattern", ["a**b", "**b/x", "in/a**"])
def test_an_invalid_pattern_is_an_error(here: Path, pattern: str) -> None:
    make(here, ["aXb", "Xb/x", "in/aX", "good"])
    planned = plan([pattern, "good"], ".")
    assert isinstance(planned[0].error, UploadSourceError)
    assert (planned[0].label, planned[0].path) == (pattern, None)
    assert planned[1:] == plan(["good"], ".")


@pytest.mark.parametrize("text", ["a\0*", "x" * 5000 + "*", "nowhere", "x" * 5000, "\0", ""])
def test_what_is_no_path_is_an_error(here: Path, text: str) -> None:
    make(here, ["good"])
    planned = plan([text, "good"], ".")
    assert isinstance(planned[0].error, UploadSourceError)
    assert [each.path for each in planned] == [None, "/workspace/good"]


def test_a_pattern_does_not_lead_up_in_the_sandbox(here: Path) -> None:
    make(here, ["in/a", "b"])
    planned = only(["*/../b"])
    assert isinstance(planned.error, UploadSourceError)
    assert "without '..'" in str(planned.error)


# --- where they go -------------------------------------------------------------------------------


def test_a_mapping_says_where(here: Path) -> None:
    make(here, ["in/a", "in/sub/b", "x"])
    assert paths({"y": "x"}) == ["y"]
    assert paths({"deep/y": "x"}) == ["deep/y"]
    assert paths({"deep": "in"}) == ["deep/a", "deep/sub/b"]
    assert paths({"deep/": "in"}) == ["deep/a", "deep/sub/b"]
    assert paths({".": "in"}) == ["a", "sub/b"]
    assert paths({".": "in/*"}) == ["a", "sub/b"]
    assert paths({"/data": "in", "/x": "x"}) == ["/data/a", "/data/sub/b", "/x"]


def test_relative_places_are_below_a_folder(here: Path) -> None:
    make(here, ["in/a"])
    for to in ("data", "./data/", "/workspace/data"):
        assert paths(["in", "in/a", "in/*"][:2], to) == ["data/in/a", "data/a"]
        assert paths({"x": "in"}, to) == ["data/x/a"]
    assert paths(["in"], "/data") == ["/data/in/a"]
    assert paths({"/x": "in"}, "/data") == ["/x/a"]


@pytest.mark.parametrize("to", ["..", "", " ", "a/../b", "a\nb"])
def test_the_folder_must_be_one(here: Path, to: str) -> None:
    make(here, ["a"])
    with pytest.raises(ValueError, match="path"):
        plan(["a"], to)


@pytest.mark.parametrize("target", ["..", "../x", "", "x/../y", "a\nb", "caf\udce9"])
def test_a_place_in_a_mapping_must_be_one(here: Path, target: str) -> None:
    make(here, ["in/a", "b"])
    for source in ("in", "b", "in/*"):
        with pytest.raises(ValueError, match="path"):
            plan({target: source}, ".")


def test_sources_keep_their_order(here: Path) -> None:
    make(here, ["z", "in/b", "in/a", "c.txt", "b.txt"])
    named = io.BytesIO(b"1")
    named.name = "dir/named"
    assert paths(["z", "in", named, "*.txt"]) == [
        "z",
        "in/a",
        "in/b",
        "named",
        "b.txt",
        "c.txt",
    ]


def test_what_has_no_name_needs_a_place() -> None:
    for source in (b"1", io.BytesIO(b"1"), [b"1"], (block for block in [b"1"])):
        assert paths({"in/x": source}) == ["in/x"]
        with pytest.raises(ValueError, match="no name of its own"):
            plan([source], ".")


@pytest.mark.parametrize("source", [7, None, io.StringIO("text"), object()])
def test_what_cannot_be_uploaded_is_refused(here: Path, source: Any) -> None:  # noqa: ANN401
    make(here, ["a"])
    with pytest.raises(TypeError):
        plan(["a", source], ".")
