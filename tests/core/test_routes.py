from collections.abc import Callable
from typing import Any, cast
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duvo_async._routes import Routes, segment
from tests.support.properties import unhurried

V1 = Routes("v1")
V2 = Routes("v2", "team-7")

PATHS: list[tuple[Callable[[Routes], str], str, str]] = [
    (lambda r: r.health(), "/v1/health", "/v2/health"),
    (lambda r: r.runs(), "/v1/runs", "/v2/teams/team-7/runs"),
    (lambda r: r.run("r-1"), "/v1/runs/r-1", "/v2/runs/r-1"),
    (lambda r: r.messages("r-1"), "/v1/runs/r-1/messages", "/v2/runs/r-1/messages"),
    (lambda r: r.stop("r-1"), "/v1/runs/r-1/stop", "/v2/runs/r-1/stop"),
    (
        lambda r: r.respond("r-1", "q-2"),
        "/v1/runs/r-1/human-requests/q-2/respond",
        "/v2/runs/r-1/human-requests/q-2/respond",
    ),
    (lambda r: r.sandboxes(), "/v1/sandboxes", "/v2/sandboxes"),
    (lambda r: r.sandbox_files("s-3"), "/v1/sandboxes/s-3/files", "/v2/sandboxes/s-3/files"),
    (
        lambda r: r.upload_urls("s-3"),
        "/v1/sandboxes/s-3/upload-urls",
        "/v2/sandboxes/s-3/upload-urls",
    ),
]

WITH_IDS: list[Callable[[str], str]] = [
    V1.run,
    V1.messages,
    V1.stop,
    V1.sandbox_files,
    V1.upload_urls,
    lambda text: V1.respond(text, "q"),
    lambda text: V1.respond("r", text),
    lambda text: Routes("v2", text).runs(),
]


@pytest.mark.parametrize(("route", "v1", "v2"), PATHS)
def test_each_operation_has_its_path_in_both_generations(
    route: Callable[[Routes], str], v1: str, v2: str
) -> None:
    assert route(V1) == v1
    assert route(V2) == v2


def test_every_route_is_listed_above() -> None:
    public = {name for name in vars(Routes) if name[0] != "_" and callable(getattr(Routes, name))}
    assert len(public) == len(PATHS)


def test_v1_paths_name_no_team() -> None:
    assert Routes("v1", "team-7").runs() == "/v1/runs"


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("plain-ID_1.2~", "plain-ID_1.2~"),
        ("a b", "a%20b"),
        ("a?b=c&d", "a%3Fb%3Dc%26d"),
        ("a#b", "a%23b"),
        ("%2e%2e", "%252e%252e"),
        ("%2F", "%252F"),
        ("a;b:c@d", "a%3Bb%3Ac%40d"),
        ("a+b", "a%2Bb"),
        ("é", "%C3%A9"),
        ("a\nb", "a%0Ab"),
        ("\x00", "%00"),
        ("...", "..."),
    ],
)
@pytest.mark.parametrize("route", WITH_IDS)
def test_an_id_is_quoted(route: Callable[[str], str], text: str, quoted: str) -> None:
    assert quoted in route(text).split("/")


@pytest.mark.parametrize("text", ["", " ", "\t\n", ".", "..", "/", "a/b", "../runs", "\\", "a\\b"])
@pytest.mark.parametrize("route", WITH_IDS)
def test_what_could_leave_its_place_in_the_path_is_refused(
    route: Callable[[str], str], text: str
) -> None:
    with pytest.raises(ValueError, match="is not an id"):
        route(text)


@pytest.mark.parametrize("value", [None, 7, 1.5, True, b"r-1", ["r-1"], object()])
@pytest.mark.parametrize("route", WITH_IDS[:-1])
def test_an_id_that_is_no_text_is_refused(route: Callable[[Any], str], value: object) -> None:
    with pytest.raises(TypeError, match="must be a string, not"):
        route(value)


@pytest.mark.parametrize("value", ["", 7])
@pytest.mark.parametrize(
    ("route", "name"),
    [
        (V1.run, "run_id"),
        (V1.sandbox_files, "sandbox_id"),
        (lambda text: V1.respond("r", text), "request_id"),
        (lambda text: Routes("v2", text).runs(), "team_id"),
    ],
)
def test_a_refusal_names_the_argument(
    route: Callable[[Any], str], name: str, value: object
) -> None:
    with pytest.raises((TypeError, ValueError), match=name):
        route(value)


@unhurried
@given(st.text())
def test_a_segment_is_one_segment_or_refused(text: str) -> None:
    try:
        quoted = segment("run_id", text)
    except ValueError:
        return
    assert unquote(quoted) == text
    assert quoted.isascii()
    assert not set(quoted) & set("/\\?# ")
    assert quoted not in {"", ".", ".."}


@unhurried
@given(st.text(st.characters(codec="utf-8", exclude_characters="/\\"), min_size=3))
def test_no_id_without_a_slash_is_lost(text: str) -> None:
    if text.strip():
        assert unquote(segment("run_id", text)) == text


@unhurried
@given(st.one_of(st.none(), st.integers(), st.binary(), st.lists(st.text())))
def test_a_segment_is_made_of_text_only(value: object) -> None:
    with pytest.raises(TypeError):
        segment("run_id", cast("str", value))
