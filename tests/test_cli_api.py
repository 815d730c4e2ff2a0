"""The commands that ask the API for one thing each: any request, runs, cases, agents, who."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from duvo_async import Duvo, RunStatus
from duvo_async.cli.api import parse_fields
from duvo_async.cli.cases import CaseFile
from duvo_async.cli.inputs import InputError
from duvo_async.emulator import AskApproval, AskQuestions, Emulator, Option, Question, Say
from tests.support.shell import piped, shell, terminal

pytestmark = pytest.mark.once

UNKNOWN = "550e8400-e29b-41d4-a716-446655440000"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(requests_per_minute=100_000) as running:
        yield running


@pytest.fixture
def duvo(emulator: Emulator) -> Iterator[Duvo]:
    with Duvo(emulator.api_key, base_url=emulator.url) as client:
        yield client


@pytest.fixture
def queue(duvo: Duvo) -> str:
    return duvo.queues.create("Invoices").id


# --- any request -----------------------------------------------------------------------------


def test_an_answer_is_printed_as_it_came(emulator: Emulator, duvo: Duvo) -> None:
    result = shell("api", "/profile", emulator=emulator)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.encode() == duvo.request("GET", "/v1/profile", cast_to=bytes)


def test_fields_are_the_body_or_the_query(emulator: Emulator) -> None:
    made = shell("api", "/queues", "-f", "name=7", "-F", "description=null", emulator=emulator)
    assert json.loads(made.stdout)["queue"]["name"] == "7"
    listed = shell("api", "get", "/queues", "-F", "limit=1", emulator=emulator)
    assert json.loads(listed.stdout)["limit"] == 1
    assert [(each.method, each.query) for each in emulator.requests] == [
        ("POST", ""),
        ("GET", "limit=1"),
    ]


@pytest.mark.parametrize("source", ["file", "-"])
def test_a_body_of_ones_own(emulator: Emulator, tmp_path: Path, source: str) -> None:
    body = json.dumps({"name": "From a file"})
    if source == "file":
        source = str(tmp_path / "body.json")
        Path(source).write_text(body, "utf-8")
    with piped("api", "POST", "/v1/queues", "--input", source, emulator=emulator) as process:
        output, errors = process.communicate(body, timeout=30)
    assert (process.returncode, errors) == (0, "")
    assert json.loads(output)["queue"]["name"] == "From a file"


def test_the_generation_and_the_team_are_chosen(emulator: Emulator) -> None:
    words = ("api", "/teams/{team_id}/queues", "--api-version", "v2")
    for more in ((), ("--team", emulator.team_id)):
        assert shell(*words, *more, emulator=emulator).returncode == 0
    asked = f"/v2/teams/{emulator.team_id}/queues"
    assert [each.path for each in emulator.requests] == ["/v2/teams", asked, asked]


def test_the_status_and_headers_are_shown(emulator: Emulator) -> None:
    result = shell("api", "-i", "/profile", emulator=emulator)
    head, _, body = result.stdout.partition("\n\n")
    assert head.startswith("HTTP 200\n")
    assert "content-type: application/json" in head.lower()
    assert json.loads(body)["profile"]


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("api", f"/runs/{UNKNOWN}", "-F", "x=1", "-f", "y=2"), 1, "405"),
        (("api", "GET", f"/queues/{UNKNOWN}"), 3, "404"),
        (("api", "https://elsewhere.test/v1/runs"), 1, "another host"),
        (("api", "a", "b", "c"), 1, "a method and a path"),
        (("api", "/a", "-f", "no field"), 1, "KEY=VALUE"),
        (("api", "GET", "/a", "-f", "a[b]=1"), 1, "nested"),
        (("api", "/a", "--input", "no such file"), 1, "cannot read"),
        (("runs", "get", UNKNOWN), 3, "404"),
        (("cases", "list", UNKNOWN), 3, "404"),
    ],
)
def test_what_went_wrong_is_said(
    emulator: Emulator, words: tuple[str, ...], code: int, text: str
) -> None:
    result = shell(*words, emulator=emulator)
    assert result.returncode == code
    assert text in result.stderr
    assert "Traceback" not in result.stderr


def test_without_a_key_it_says_so() -> None:
    for words in (("api", "/runs"), ("whoami",), ("agents", "list")):
        result = shell(*words)
        assert result.returncode == 2
        assert "DUVO_API_KEY" in result.stderr


def test_a_wrong_key_is_authentication(emulator: Emulator) -> None:
    key = {"DUVO_API_KEY": "dv_wrong_and_secret"}
    result = shell("whoami", emulator=emulator, env=key)
    assert result.returncode == 2
    assert "secret" not in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("texts", "typed", "fields"),
    [
        (["a=1", "b=true", "c="], [], {"a": "1", "b": "true", "c": ""}),
        (
            [],
            ["a=1", "b=true", "c=null", "d=1.5", "e=x"],
            {"a": 1, "b": True, "c": None, "d": 1.5, "e": "x"},
        ),
        (["a[b]=1", "a[c][d]=2"], [], {"a": {"b": "1", "c": {"d": "2"}}}),
        (["a[]=1", "a[]=2"], [], {"a": ["1", "2"]}),
        (["a[][b]=1"], ["a[][b]=2"], {"a": [{"b": "1"}, {"b": 2}]}),
        (["a[][b]=1", "a[][c]=2", "a[][b]=3"], [], {"a": [{"b": "1", "c": "2"}, {"b": "3"}]}),
        (["a[]=x", "a[][b]=1"], [], {"a": ["x", {"b": "1"}]}),
        (
            [],
            ["a=007", "b=1_0", "c= 7", "d=-2e3", f"e={'9' * 400}", "f=1e999"],
            {"a": "007", "b": "1_0", "c": " 7", "d": -2000.0, "e": int("9" * 400), "f": "1e999"},
        ),
        (["a=b=c"], ["n=nan", "i=inf"], {"a": "b=c", "n": "nan", "i": "inf"}),
    ],
)
def test_fields_nest(texts: list[str], typed: list[str], fields: dict[str, Any]) -> None:
    assert parse_fields(texts, typed) == fields


@pytest.mark.parametrize(
    "texts",
    [
        ["=1"],
        ["a"],
        ["a[=1"],
        ["a]=1"],
        ["a=1", "a=2"],
        ["a=1", "a[b]=2"],
        ["a[b]=1", "a[]=2"],
        ["a[]=1", "a[b]=2"],
    ],
)
def test_fields_that_make_no_sense_are_refused(texts: list[str]) -> None:
    with pytest.raises(click.BadParameter):
        parse_fields(texts, [])


def test_a_typed_field_may_be_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("a\nb", "utf-8")
    assert parse_fields([], [f"a=@{path}"]) == {"a": "a\nb"}


# --- runs ------------------------------------------------------------------------------------


def test_runs_are_listed_and_shown(emulator: Emulator, duvo: Duvo) -> None:
    agent = emulator.add_agent([Say("hi")], name="Bookkeeper")
    runs = [duvo.runs.execute(agent, message=f"Job {n}") for n in range(3)]
    plain = shell("runs", "list", "--limit", "2", "--agent", agent, emulator=emulator)
    assert (plain.returncode, plain.stderr) == (0, "")
    rows = [line.split("\t") for line in plain.stdout.splitlines()]
    assert [(row[0], row[1], row[4], row[5]) for row in rows] == [
        (run.id, "completed", "Bookkeeper", f"Job {n}") for n, run in ((2, runs[2]), (1, runs[1]))
    ]
    documents = shell("runs", "list", "--json", "--status", "completed", emulator=emulator)
    assert {json.loads(line)["id"] for line in documents.stdout.splitlines()} == {
        run.id for run in runs
    }
    one = shell("runs", "get", runs[0].id, emulator=emulator)
    assert f"agent      {agent}" in one.stdout
    assert (
        json.loads(shell("runs", "get", runs[0].id, "--json", emulator=emulator).stdout)["status"]
        == "completed"
    )


def test_messages_are_printed(emulator: Emulator, duvo: Duvo) -> None:
    run = duvo.runs.execute(emulator.add_agent([Say("hi"), Say("\x1b[31mthere")]), message="go")
    for follow in ((), ("--follow",)):
        result = shell("runs", "messages", run.id, *follow, emulator=emulator)
        assert result.stdout == "user: go\nassistant: hi\nassistant: \ufffd[31mthere\n"
    documents = shell("runs", "messages", run.id, "--json", emulator=emulator).stdout
    assert [json.loads(line)["role"] for line in documents.splitlines()] == [
        "user",
        "assistant",
        "assistant",
    ]


@pytest.mark.parametrize(("option", "status"), [("--approve", "completed"), ("--deny", "stopped")])
def test_an_approval_is_answered(emulator: Emulator, duvo: Duvo, option: str, status: str) -> None:
    from duvo_async.emulator import Finish  # noqa: PLC0415 - of this test alone

    agent = emulator.add_agent([AskApproval("Post?", denied=[Finish("stopped")])])
    run = duvo.runs.start(agent)
    request = duvo.runs.get(run.id).pending_human_request
    assert request is not None
    other = shell("runs", "respond", run.id, UNKNOWN, option, emulator=emulator)
    assert (other.returncode, "does not wait for request" in other.stderr) == (1, True)
    unanswered = shell("runs", "respond", run.id, emulator=emulator)
    assert unanswered.returncode == 4
    result = shell("runs", "respond", run.id, request.id, option, emulator=emulator)
    assert result.returncode == 0
    assert "answered 'Post?'" in result.stdout
    assert duvo.runs.wait(run.id).status == RunStatus(status)
    late = shell("runs", "respond", run.id, option, emulator=emulator)
    assert (late.returncode, "does not wait for a person" in late.stderr) == (1, True)


def test_questions_are_answered(emulator: Emulator, duvo: Duvo) -> None:
    asked = AskQuestions("Which?", [Question("Book?", options=[Option("A"), Option("B")])])
    run = duvo.runs.start(emulator.add_agent([asked]))
    wrong = shell("runs", "respond", run.id, "--answer", "Book?=C", emulator=emulator)
    assert wrong.returncode == 1
    right = shell("runs", "respond", run.id, "--answer", "Book?=B", emulator=emulator)
    assert right.returncode == 0
    assert duvo.runs.wait(run.id).succeeded


def test_a_run_is_stopped(emulator: Emulator, duvo: Duvo) -> None:
    run = duvo.runs.start(emulator.add_agent([AskApproval("Post?")]))
    result = shell("runs", "stop", run.id, emulator=emulator)
    assert (result.returncode, "stopped" in result.stdout) == (0, True)
    assert duvo.runs.get(run.id).is_terminal


def test_runs_are_listed_since_a_time(emulator: Emulator, duvo: Duvo) -> None:
    run = duvo.runs.execute(emulator.add_agent([Say("hi")]))
    for since, found in (("2020-01-01T00:00:00Z", 1), ("2100-01-01T00:00+02:00", 0)):
        result = shell("runs", "list", "--since", since, emulator=emulator)
        assert (result.returncode, result.stdout.count(run.id)) == (0, found)
    wrong = shell("runs", "list", "--since", "yesterday", emulator=emulator)
    assert (wrong.returncode, "is not a time" in wrong.stderr) == (1, True)


def test_an_answer_is_a_document_too(emulator: Emulator, duvo: Duvo) -> None:
    run = duvo.runs.start(emulator.add_agent([AskApproval("Post?")]))
    result = shell("runs", "respond", run.id, "--approve", "--json", emulator=emulator)
    assert result.returncode == 0
    assert json.loads(result.stdout)["id"]


def test_a_document_says_what_the_api_says(emulator: Emulator, duvo: Duvo) -> None:
    text = "\x9b31m\u202e"
    run = duvo.runs.execute(emulator.add_agent([Say(text)]))
    document = shell("runs", "messages", run.id, "--json", emulator=emulator).stdout
    assert json.loads(document)["text_content"] == text
    assert text not in shell("runs", "messages", run.id, emulator=emulator).stdout


def test_an_id_in_a_table_is_whole(emulator: Emulator) -> None:
    agent = emulator.add_agent([], name="A bookkeeper with a name that is long " * 5)
    with terminal("agents", "list", emulator=emulator) as screen:
        screen.expect(f"{agent} ")
        assert screen.exit_code() == 0


# --- cases -----------------------------------------------------------------------------------

FILES = {
    "a.csv": "title,data,labels,priority\nOne,1,month=7; urgent,high\nTwo,,,\n",
    "a.jsonl": '{"title": "One", "data": "1", "labels": {"month": ["7"], "": ["urgent"]}, '
    '"priority": "high"}\n\n"Two"\n',
    "a.json": '{"cases": [{"title": "One", "data": "1", "labels": {"month": ["7"], '
    '"": ["urgent"]}, "priority": "high"}, "Two"]}',
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_file_becomes_cases(  # noqa: PLR0913, PLR0917 - fixtures
    emulator: Emulator, duvo: Duvo, queue: str, tmp_path: Path, name: str, mark: str
) -> None:
    (tmp_path / name).write_text(mark + FILES[name], "utf-8")
    result = shell("cases", "create", queue, "--from-file", str(tmp_path / name), emulator=emulator)
    assert (result.returncode, result.stderr) == (0, "2 cases created\n")
    first, second = duvo.cases.list(queue, sort_by="created_at", sort_order="asc")
    assert result.stdout == f"case {first.id} One\ncase {second.id} Two\n"
    assert (first.title, first.data, first.priority) == ("One", "1", "high")
    assert sorted((each.key, each.value) for each in first.labels) == [
        ("", "urgent"),
        ("month", "7"),
    ]
    assert (second.title, second.data, second.labels) == ("Two", "", ())


def test_titles_come_from_a_pipe_by_the_hundred(emulator: Emulator, queue: str) -> None:
    words = ("cases", "create", queue, "--from-file", "-", "--json", "--idempotency-key", "july")
    for _ in range(2):
        with piped(*words, emulator=emulator) as process:
            output, errors = process.communicate("".join(f"Case {n}\n" for n in range(250)), 60)
        assert (process.returncode, errors) == (0, "250 cases created\n")
        titles = [json.loads(line)["title"] for line in output.splitlines()]
        assert titles == [f"Case {n}" for n in range(250)]
    assert len(emulator.cases(queue)) == 250
    keys = [each.idempotency_key for each in emulator.requests if each.path.endswith("/cases")]
    assert keys == ["july-0", "july-1", "july-2"] * 2


def test_a_wrong_row_says_which_and_how_far_it_went(
    emulator: Emulator, queue: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(f'"{n}"\n' for n in range(100)) + '{"titel": "x"}\n', "utf-8")
    result = shell("cases", "create", queue, "--from-file", str(path), emulator=emulator)
    assert result.returncode == 1
    assert "100 cases created" in result.stderr
    assert f"{path}, line 101: unknown member 'titel'" in result.stderr
    assert len(emulator.cases(queue)) == 100


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.csv", "name,data\nx,y\n", "the first row must name columns"),
        ("a.csv", "title,title2\nx,y\n", "the first row must name columns"),
        ("a.csv", "title,data\nx\n", "line 2: not as many cells"),
        ("a.csv", "title,data\nx,y,z\n", "line 2: not as many cells"),
        ("a.csv", 'title\n"x\n', "a.csv"),
        ("a.csv", "title,data\n,y\n", "line 2: title must be a string"),
        ("a.jsonl", "{\n", "line 1: not JSON"),
        ("a.jsonl", "7\n", "line 1: neither a title nor an object"),
        ("a.json", "{}", "no array of cases"),
        ("a.json", '["a", 7]', "case 2: neither"),
        ("a.json", "[", "not JSON"),
    ],
)
def test_a_file_of_no_cases_is_refused(tmp_path: Path, name: str, text: str, problem: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(InputError, match=problem):
        list(CaseFile(str(tmp_path / name)))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8"):
        list(CaseFile(str(tmp_path / "a.txt")))
    with pytest.raises(InputError, match="cannot read"):
        list(CaseFile(str(tmp_path / "none")))


def test_cases_are_listed(emulator: Emulator, duvo: Duvo, queue: str) -> None:
    made = duvo.cases.create(queue, "One\twith\na tab", priority="high")
    result = shell("cases", "list", queue, "--status", "pending", emulator=emulator)
    assert result.stdout == f"{made.id}\tpending\thigh\tOne with a tab\n"
    none = shell("cases", "list", queue, "--status", "failed", emulator=emulator)
    assert (none.returncode, none.stdout) == (0, "")


# --- agents, who -----------------------------------------------------------------------------


def test_agents_are_listed_with_their_schedules(emulator: Emulator, duvo: Duvo) -> None:
    agent = emulator.add_agent([], name="Bookkeeper")
    duvo.agents.schedules.create(agent, frequency="daily", time="07:00", timezone="Europe/Prague")
    plain = shell("agents", "list", emulator=emulator).stdout.splitlines()
    assert any(line.startswith(f"{agent}\tBookkeeper") for line in plain)
    scheduled = shell("agents", "list", "--schedules", emulator=emulator).stdout
    assert "daily 07:00" in scheduled
    document = shell("agents", "list", "--json", "--limit", "1", emulator=emulator).stdout
    assert json.loads(document)["id"]
    with terminal("agents", "list", emulator=emulator) as screen:
        screen.expect("agent +name +last run")
        screen.expect("Bookkeeper")
        assert screen.exit_code() == 0


def test_who_am_i(emulator: Emulator) -> None:
    first = shell("whoami", emulator=emulator)
    assert f"API     {emulator.url}/v1" in first.stdout
    assert emulator.user_id in first.stdout
    document = json.loads(shell("whoami", "--json", emulator=emulator).stdout)
    assert (document["id"], document["api_version"]) == (emulator.user_id, "v1")
    assert document["teams"] == []


def test_the_team_that_is_chosen_is_marked(emulator: Emulator) -> None:
    words = ("whoami", "--api-version", "v2")
    assert f"team {emulator.team_id} Team 0 (chosen)\n" in shell(*words, emulator=emulator).stdout
    other = emulator.add_team("Another")
    undecided = shell(*words, emulator=emulator)
    assert f"team {other} Another\n" in undecided.stdout
    assert "(chosen)" not in undecided.stdout
    for option, env in (("--team", {}), (None, {"DUVO_TEAM_ID": other})):
        more = () if option is None else (option, other)
        chosen = shell(*words, *more, emulator=emulator, env=env)
        assert f"team {other} Another (chosen)\n" in chosen.stdout
        assert chosen.stdout.count("(chosen)") == 1
    document = json.loads(shell(*words, "--team", other, "--json", emulator=emulator).stdout)
    marks = {team["id"]: team["chosen"] for team in document["teams"]}
    assert marks == {emulator.team_id: False, other: True}
