from collections.abc import Callable
from typing import Any, TypeAlias, cast
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duvo_async import UnsupportedOperation
from duvo_async._routes import TEAM, Routes, endpoint, segment, tail
from tests.support.properties import unhurried

V1 = Routes("v1")
V2 = Routes("v2", "team-7")

Route: TypeAlias = Callable[[Routes], str]
OF_A_TEAM: list[tuple[Route, str]] = [
    (lambda r: r.runs(), "/runs"),
    (lambda r: r.agents(), "/agents"),
    (lambda r: r.queues(), "/queues"),
]
"""Where v2 names the team, and v1 nothing."""
ALIKE: list[tuple[Route, str]] = [
    (lambda r: r.run("r-1"), "/runs/r-1"),
    (lambda r: r.messages("r-1"), "/runs/r-1/messages"),
    (lambda r: r.stop("r-1"), "/runs/r-1/stop"),
    (lambda r: r.respond("r-1", "q-2"), "/runs/r-1/human-requests/q-2/respond"),
    (lambda r: r.sandboxes(), "/sandboxes"),
    (lambda r: r.sandbox_files("s-3"), "/sandboxes/s-3/files"),
    (lambda r: r.upload_urls("s-3"), "/sandboxes/s-3/upload-urls"),
    (lambda r: r.agent("a-1"), "/agents/a-1"),
    (lambda r: r.builds("a-1"), "/agents/a-1/revisions"),
    (lambda r: r.build_changes("b-2"), "/revisions/b-2"),
    (lambda r: r.promote("b-2"), "/revisions/b-2/promote"),
    (lambda r: r.schedules("a-1"), "/agents/a-1/schedules"),
    (lambda r: r.schedule("a-1", "s-2"), "/agents/a-1/schedules/s-2"),
    (lambda r: r.case_triggers("a-1"), "/agents/a-1/case-triggers"),
    (lambda r: r.case_trigger("a-1", "t-2"), "/agents/a-1/case-triggers/t-2"),
    (lambda r: r.case_trigger_conflicts("a-1"), "/agents/a-1/case-triggers/conflict-preview"),
    (lambda r: r.queue("q-1"), "/queues/q-1"),
    (lambda r: r.queue_agents("q-1"), "/queues/q-1/agents"),
    (lambda r: r.labels("q-1"), "/queues/q-1/labels"),
    (lambda r: r.label("q-1", "l-2"), "/queues/q-1/labels/l-2"),
    (lambda r: r.cases("q-1"), "/queues/q-1/cases"),
    (lambda r: r.search_cases("q-1"), "/queues/q-1/cases/search"),
    (lambda r: r.bulk_cases("q-1", "delete"), "/queues/q-1/cases/bulk-delete"),
    (lambda r: r.case("c-1"), "/cases/c-1"),
    (lambda r: r.case_runs("c-1"), "/cases/c-1/runs"),
    (lambda r: r.case_run_messages("c-1", "r-2"), "/cases/c-1/runs/r-2/recent-messages"),
    (lambda r: r.case_labels("q-1", "c-2"), "/queues/q-1/cases/c-2/labels"),
    (lambda r: r.unlink_case_labels("q-1", "c-2"), "/queues/q-1/cases/c-2/labels/unlink"),
    (lambda r: r.profile(), "/profile"),
    (lambda r: r.mcp(), "/mcp"),
    (lambda r: r.of_any("/runs/r"), "/runs/r"),
]
"""Where the generations differ in nothing but their names."""
PATHS: list[tuple[Route, str, str]] = [
    (lambda r: r.health(), "/v1/health", "/v1/health"),
    (lambda r: r.build("a-1", "b-2"), "/v1/revisions/b-2", "/v2/agents/a-1/revisions/b-2"),
    *((route, f"/v1{end}", f"/v2/teams/team-7{end}") for route, end in OF_A_TEAM),
    *((route, f"/v1{end}", f"/v2{end}") for route, end in ALIKE),
]

SECOND_ONLY: list[tuple[Route, str]] = [
    (lambda r: r.teams(), "/v2/teams"),
    (lambda r: r.team(None), "/v2/teams/team-7"),
    (lambda r: r.members("t-8"), "/v2/teams/t-8/members"),
    (lambda r: r.files(), "/v2/teams/team-7/files"),
    (lambda r: r.file("/in/a b.csv"), "/v2/teams/team-7/files/in/a%20b.csv"),
    (lambda r: r.file_upload_url(), "/v2/teams/team-7/files/create-upload-url"),
    (lambda r: r.file_download_url("a"), "/v2/teams/team-7/files/download-url/a"),
    (lambda r: r.file_content("a/%2F"), "/v2/teams/team-7/files/content/a/%252F"),
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
    assert len(public) == len(PATHS) + len(SECOND_ONLY)


@pytest.mark.parametrize(("route", "v2"), SECOND_ONLY)
def test_what_only_v2_has_says_so(route: Callable[[Routes], str], v2: str) -> None:
    assert route(V2) == v2
    with pytest.raises(UnsupportedOperation, match="api_version='v2'") as refused:
        route(V1)
    assert refused.value.version == "v2"


def test_a_team_that_is_not_known_yet_leaves_its_place() -> None:
    unknown = Routes("v2")
    assert unknown.runs() == f"/v2/teams/{TEAM}/runs"
    assert unknown.run("r-1") == "/v2/runs/r-1"
    assert TEAM not in unknown.run(TEAM)
    assert unknown.of_any(f"/v2/teams/{TEAM}/skills") == f"/v2/teams/{TEAM}/skills"
    assert V2.of_any(f"/teams/{TEAM}/skills") == "/v2/teams/team-7/skills"


@pytest.mark.parametrize(
    ("path", "complete"),
    [
        ("/v1/skills", "/v1/skills"),
        ("v3/skills", "/v3/skills"),
        ("skills", "/v2/skills"),
        ("/skills/v1", "/v2/skills/v1"),
        ("/v2skills", "/v2/v2skills"),
        ("/v2", "/v2"),
        ("/.well-known/x", "/.well-known/x"),
    ],
)
def test_a_path_without_a_version_is_of_the_clients_own(path: str, complete: str) -> None:
    assert V2.of_any(path) == complete


@pytest.mark.parametrize("path", ["", " ", "/", "//a", "a//b", "a/", ".", "a/../b", "..", "a/./b"])
def test_the_path_of_a_file_leads_nowhere_else(path: str) -> None:
    with pytest.raises(ValueError, match="is not the path of a file"):
        tail("path", path)


@unhurried
@given(st.text())
def test_the_path_of_a_file_stays_at_the_end_of_a_path(text: str) -> None:
    try:
        quoted = tail("path", text)
    except ValueError:
        return
    assert unquote(quoted) == text.removeprefix("/")
    assert not {"", ".", ".."} & set(quoted.split("/"))
    assert not set(quoted) & set("\\?# ")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v1/runs/550e8400-e29b-41d4-a716-446655440000", "/v1/runs/{}"),
        ("/v2/teams/t7/runs", "/v2/teams/{}/runs"),
        ("/v2/queues/Q/cases/bulk-delete", "/v2/queues/{}/cases/bulk-delete"),
        ("/v2/teams/t7/files/content/a%20b/c.txt", "/v2/teams/{}/files/content/{}/{}"),
    ],
)
def test_an_endpoint_is_its_words(path: str, words: str) -> None:
    assert endpoint(path) == words


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
