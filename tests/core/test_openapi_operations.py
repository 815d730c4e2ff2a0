"""Holds the operations beyond runs and sandboxes against the vendor's document, where it is."""

import inspect
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from duvo_async import NOT_GIVEN, BuildConfig, Case, CaseFilter, NewBuild, NewCase
from duvo_async import _operations as operations
from duvo_async._converter import DecodeProblem, structure, unstructure
from duvo_async._protocol import Call, Page, Response
from duvo_async._routes import Routes
from tests.core.test_openapi import FOLDER, checker
from tests.support.bodies import json_values
from tests.support.contract import translated
from tests.support.properties import unhurried

pytestmark = pytest.mark.no_cover
needs_the_document = pytest.mark.skipif(not FOLDER, reason="DUVO_OPENAPI_DIR is not set")
V1, V2 = Routes("v1"), Routes("v2", "0f4a1f5e-5d3c-4a61-9a0b-0d9b2f3c4d5e")
A, B = "7c9e6679-7425-40de-944b-e07fc1f90ae7", "9b2d6a50-93b5-4c84-b5f5-7e0a4b6d1c22"
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
CONFIG: dict[str, Any] = {
    "version": "v2",
    "data": {
        "models": {
            "agent": {"model": "claude-opus-4-8"},
            "browsing": {"provider": "google", "model": "gemini-2.5-pro"},
        },
        "input": "Do it",
    },
}
LABELS = {"month": ["7", "8"], "": "urgent"}
CASE = NewCase(title="t", data="d", labels=LABELS, priority="high")
FILTER = CaseFilter(
    status=["pending", "claimed"],
    priority="high",
    search="x",
    labels=LABELS,
    created_at_from=NOON,
    updated_at_from=NOON,
)
SCHEDULE = {"frequency": "daily", "timezone": "UTC", "enabled": True}
WHOLE_SCHEDULE = {
    **SCHEDULE,
    "time": "07:00",
    "day": "monday",
    "day_of_month": 3,
    "cron": "0 7 * * *",
    "recurring": True,
}
PART = {"limit": 7, "offset": 3}
CASES = {
    **PART,
    "sort_by": "updated_at",
    "sort_order": "asc",
}


@frozen
class Typed:
    """A function, the name of what it stands for, and what it is called with."""

    operation: str
    ids: tuple[Any, ...] = ()
    least: Mapping[str, Any] = {}
    most: Mapping[str, Any] = {}


TYPED: dict[str, Typed] = {
    "find_runs": Typed(
        "listRuns",
        least={"limit": 100, "offset": 0},
        most={
            **PART,
            "status": "needs_attention",
            "agent_id": A,
            "user_id": A,
            "case_queue_id": A,
            "source": "api",
            "search": "x",
            "has_issues": True,
            "issue_severity": "low",
            "since": NOON,
            "digest_id": A,
            "sort_order": "asc",
        },
    ),
    "list_agents": Typed(
        "listAgents",
        least={"limit": 100, "offset": 0, "include_schedules": False},
        most={**PART, "include_schedules": True, "automation_id": A},
    ),
    "create_agent": Typed(
        "createAgent",
        least={"name": "n"},
        most={
            "name": "n",
            "build": NewBuild(name="b", config=CONFIG),
            "source_build_id": A,
            "thread_id": A,
            "automation_id": A,
        },
    ),
    "get_agent": Typed("getAgent", (A,)),
    "update_agent": Typed(
        "updateAgent",
        (A,),
        {"thread_id": None},
        {
            "name": "n",
            "slack_enabled": True,
            "microsoft_teams_enabled": False,
            "agentic_memory_enabled": True,
            "thread_id": A,
            "pinned": True,
        },
    ),
    "delete_agent": Typed("deleteAgent", (A,)),
    "list_builds": Typed("listAgentRevisions", (A,), {"limit": 1, "offset": 0}, PART),
    "create_build": Typed(
        "createRevision",
        (A,),
        {"name": "n"},
        {"name": "n", "config": CONFIG, "handover_target_ids": [B], "source_build_id": B},
    ),
    "get_build": Typed("getRevision", (A, B)),
    "update_build": Typed(
        "updateRevision",
        (B,),
        {"revision_name": None},
        {
            "config": structure(CONFIG, BuildConfig),
            "handover_target_ids": [A],
            "revision_name": "r",
            "revision_description": "d",
        },
    ),
    "promote_build": Typed(
        "promoteRevision",
        (B,),
        {},
        {"revision_name": "r", "revision_description": None},
    ),
    "list_schedules": Typed("listAgentSchedules", (A,)),
    "create_schedule": Typed("createSchedule", (A,), SCHEDULE, WHOLE_SCHEDULE),
    "update_schedule": Typed("updateSchedule", (A, B), {"time": None}, WHOLE_SCHEDULE),
    "delete_schedule": Typed("deleteSchedule", (A, B)),
    "list_case_triggers": Typed("listAgentCaseTriggers", (A,)),
    "create_case_trigger": Typed(
        "createAgentCaseTrigger",
        (A,),
        {"queue_id": B, "enabled": True},
        {"queue_id": B, "enabled": True, "concurrency": 1},
    ),
    "get_case_trigger": Typed("getAgentCaseTrigger", (A, B)),
    "update_case_trigger": Typed(
        "updateAgentCaseTrigger",
        (A, B),
        {"concurrency": None},
        {"queue_id": B, "enabled": False, "concurrency": 1},
    ),
    "delete_case_trigger": Typed("deleteAgentCaseTrigger", (A, B)),
    "find_case_trigger_conflicts": Typed("previewAgentCaseTriggerConflicts", (A, B)),
    "list_queues": Typed(
        "listQueues", least={"limit": 250, "offset": 0}, most={**PART, "automation_id": A}
    ),
    "create_queue": Typed(
        "createQueue",
        least={"name": "n"},
        most={"name": "n", "description": "d", "folder_id": A, "automation_id": B},
    ),
    "get_queue": Typed("getQueue", (A,)),
    "update_queue": Typed(
        "updateQueue",
        (A,),
        {"description": None},
        {"name": "n", "description": "d", "folder_id": B},
    ),
    "delete_queue": Typed("deleteQueue", (A,)),
    "list_queue_agents": Typed("listQueueAgents", (A,)),
    "list_queue_labels": Typed("listQueueLabels", (A,), {"limit": 1000, "offset": 0}, PART),
    "create_queue_label": Typed(
        "createQueueLabel",
        (A,),
        {"value": "v", "key": ""},
        {"value": "v", "key": "k", "color_hue": 360},
    ),
    "update_queue_label": Typed(
        "updateQueueLabel", (A, B), {"value": "v"}, {"value": "v", "key": "", "color_hue": 0}
    ),
    "delete_queue_label": Typed("deleteQueueLabel", (A, B)),
    "list_case_labels": Typed("listCaseLabels", (A, B), {"limit": 1, "offset": 0}, PART),
    "assign_case_labels": Typed(
        "assignCaseLabels", (A, B), {"labels": ["urgent"]}, {"labels": LABELS}
    ),
    "unlink_case_labels": Typed("unlinkCaseLabels", (A, B), {"label_ids": [A]}),
    "create_case": Typed("createCases", (A, CASE)),
    "create_cases": Typed("createCases", (A, [CASE, "t"]), {"first": 0}),
    "get_case": Typed("getCase", (A,)),
    "list_cases": Typed(
        "listCases",
        (A,),
        {"limit": 100, "offset": 0},
        {
            **CASES,
            "status": ["pending", "failed"],
            "priority": "high",
            "search": "x",
            "created_at_from": NOON,
            "updated_at_from": NOON,
        },
    ),
    "search_cases": Typed(
        "searchCases",
        (A,),
        {"matching": CaseFilter(), "limit": 100, "offset": 0},
        {**CASES, "matching": FILTER},
    ),
    "delete_case": Typed("deleteCase", (A,)),
    "clear_cases": Typed("clearQueueCases", (A,)),
    "list_case_runs": Typed("listCaseRuns", (A,)),
    "list_recent_messages": Typed("listCaseRunRecentMessages", (A, B), {}, {"limit": 10}),
    "bulk_delete_cases": Typed(
        "bulkDeleteCases", (A,), {"case_ids": [A, B]}, {"all_matching": FILTER}
    ),
    "bulk_reprocess_cases": Typed(
        "bulkReprocessCases",
        (A,),
        {"case_ids": [A]},
        {"all_matching": CaseFilter(everything=True), "agent_id": B},
    ),
    "bulk_update_status": Typed(
        "bulkUpdateCaseStatus",
        (A,),
        {"case_ids": [A], "status": "failed"},
        {"all_matching": FILTER, "status": "pending"},
    ),
    "bulk_update_priority": Typed(
        "bulkUpdateCasePriority",
        (A,),
        {"case_ids": [A], "priority": "none"},
        {"all_matching": FILTER, "priority": "high"},
    ),
    "list_teams": Typed("listMyTeams"),
    "get_team": Typed("getTeam", (None,)),
    "list_members": Typed(
        "listTeamMembers", (A,), {"limit": 100, "offset": 0}, {**PART, "search": "x"}
    ),
    "get_profile": Typed("getProfile"),
    "list_team_files": Typed("listFiles"),
    "create_team_file_upload_url": Typed(
        "createFileUploadUrl", least={"name": "a b.csv", "content_type": "text/csv"}
    ),
    "create_team_file_download_url": Typed("getFileDownloadUrl", ("in/a b.csv",)),
    "read_team_file": Typed("getFileContent", ("in/a b.csv",)),
    "write_team_file": Typed("updateFileContent", ("in/a b.csv",), {"content": ""}),
    "rename_team_file": Typed("renameFile", ("in/a.csv",), {"name": "b.csv"}),
    "delete_team_file": Typed("deleteFile", ("in/a b.csv",)),
}
ELSEWHERE = {*operations.runs.__dict__, *operations.sandboxes.__dict__, "any_request"}
SECOND_ONLY = re.compile(r"Teams?$|Members$|Files?(UploadUrl|DownloadUrl|Content)?$")
TYPES = {"CaseSort", "Data", "Params", "SortOrder"}
UNTYPED = {
    "moveAgent", "listAgentMemoryFiles", "getAgentMemoryFile", "listAgentSuggestions",
    "consumeAgentSuggestion", "rejectAgentSuggestion", "listRevisionIntegrations",
    "attachRevisionIntegrations", "removeRevisionIntegration",
    "listRevisionIntegrationConnections", "pinRevisionIntegrationConnection",
    "unpinRevisionIntegrationConnection", "getRevisionCaseQueueSetup",
    "listRevisionIntegrationQueues", "replaceRevisionIntegrationQueues", "listRevisionSecrets",
    "attachRevisionSecret", "detachRevisionSecret", "listRevisionLogins", "attachRevisionLogin",
    "detachRevisionLogin", "getEvalRubrics", "createEvalRubric", "replaceEvalRubrics",
    "updateEvalRubric", "deleteEvalRubric", "bulkDelegateCases", "bulkRetryCases",
}  # fmt: skip
"""What is left to `request()` of the nouns that have typed calls."""
NOUNS = re.compile(
    r"/v2/(teams/\{\w+\}/)?(agents|revisions|queues|cases|runs|sandboxes|files)(/|$)"
)


def make(routes: Routes, name: str, *, whole: bool) -> Call[Any]:
    """Call a function, with NOT_GIVEN or None for what is not given."""
    typed, function = TYPED[name], getattr(operations, name)
    fields = dict(typed.most if whole and typed.most else typed.least)
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.name not in fields:
            optional = "NOT_GIVEN" in str(parameter.annotation)
            fields[parameter.name] = NOT_GIVEN if optional else None
    call: Call[Any] = function(routes, *typed.ids, **fields)
    return call


# --- the document ----------------------------------------------------------------------------


@cache
def described() -> dict[str, tuple[str, str, dict[str, Any]]]:
    document = json.loads((Path(FOLDER or "") / "v2.openapi.json").read_text())
    return {
        operation["operationId"]: (
            method,
            path,
            {
                **operation,
                "parameters": [*methods.get("parameters", []), *operation.get("parameters", [])],
            },
        )
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method != "parameters" and operation.get("operationId")
    }


def validate(value: object, schema: Any) -> None:  # noqa: ANN401 - JSON
    jsonschema.Draft202012Validator(translated(schema), format_checker=checker).validate(value)


def closed(schema: Any) -> Any:  # noqa: ANN401 - JSON
    """Rule out the fields that a schema does not name."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: closed(each) for name, each in schema.items()}
    return {"additionalProperties": False, **plain} if "properties" in schema else plain


@needs_the_document
def test_every_operation_is_here_or_left_to_request() -> None:
    public = {name for name in operations.__all__ if callable(getattr(operations, name))}
    assert public - ELSEWHERE - TYPES == set(TYPED)
    typed = {each.operation for each in TYPED.values()}
    of_nouns = {name for name, (_, path, _) in described().items() if NOUNS.match(path)}
    base = {
        "startRun", "getRun", "listRunMessages", "postRunMessage", "respondToHumanRequest",
        "stopRun", "createSandbox", "createSandboxUploadUrl", "listSandboxFiles",
        "uploadSandboxFile",
    }  # fmt: skip
    assert of_nouns - typed - base == UNTYPED


# --- requests --------------------------------------------------------------------------------

each_call = pytest.mark.parametrize("name", TYPED)
least_and_most = pytest.mark.parametrize("whole", [False, True], ids=["least", "most"])


@needs_the_document
@each_call
def test_the_path_is_the_documented_one(name: str) -> None:
    request = make(V2, name, whole=False).request
    method, template, operation = described()[TYPED[name].operation]
    assert request.method == method.upper()
    pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template))
    match = re.fullmatch(pattern.replace(r"\{\*\}", "(?P<tail>.+)"), request.path)
    assert match is not None, request.path
    schemas = {each["name"]: each["schema"] for each in operation["parameters"]}
    for parameter, text in match.groupdict().items():
        validate(unquote(text), schemas.get(parameter, {}))


@each_call
def test_v1_is_flat_and_else_the_same(name: str) -> None:
    second = make(V2, name, whole=False).request.path
    if SECOND_ONLY.search(TYPED[name].operation):
        with pytest.raises(Exception, match="only API v2"):
            make(V1, name, whole=False)
        return
    first = make(V1, name, whole=False).request.path
    if name == "get_build":
        assert first == f"/v1/revisions/{B}"
    else:
        assert first == re.sub(r"^/v2(/teams/[^/]+)?", "/v1", second)


@needs_the_document
@least_and_most
@each_call
def test_the_query_is_as_documented(name: str, *, whole: bool) -> None:
    request = make(V2, name, whole=whole).request
    parameters = described()[TYPED[name].operation][2].get("parameters", [])
    known = {each["name"]: each for each in parameters if each["in"] == "query"}
    asked = dict(request.query)
    assert len(asked) == len(request.query)
    assert {each for each, about in known.items() if about.get("required")} <= set(asked)
    for parameter, text in asked.items():
        schema = known[parameter]["schema"]
        validate(int(text) if schema["type"] in {"integer", "number"} else text, schema)


@needs_the_document
@least_and_most
@each_call
def test_the_body_is_as_documented(name: str, *, whole: bool) -> None:
    request = make(V2, name, whole=whole).request
    body = described()[TYPED[name].operation][2].get("requestBody")
    if body is None:
        assert request.body is None
        return
    assert isinstance(request.body, bytes)
    validate(json.loads(request.body), closed(body["content"]["application/json"]["schema"]))


# --- answers ---------------------------------------------------------------------------------

moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - Z below
    lambda moment: f"{moment.isoformat()}Z"
)


def examples(  # noqa: PLR0911 - the words of JSON Schema
    schema: dict[str, Any], name: str = ""
) -> st.SearchStrategy[Any]:
    """Make values of a schema, unknown fields added."""
    if schema.get("nullable"):
        return st.none() | examples({**schema, "nullable": False}, name)
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return st.one_of(*(examples(each, name) for each in schema[several]))
    if "allOf" in schema:
        return st.tuples(*(examples(each) for each in schema["allOf"])).map(merged)
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        return objects(schema)
    if kind == "array":
        return st.lists(examples(schema["items"]), max_size=2)
    if kind == "string":
        return texts(schema, name)
    if kind in {"integer", "number"}:
        return st.integers(max(0, schema.get("minimum", 0)), min(schema.get("maximum", 99), 10**6))
    return st.booleans() if kind == "boolean" else json_values


def merged(parts: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}


def objects(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    fields = {each: examples(about, each) for each, about in schema.get("properties", {}).items()}
    required = {each: fields[each] for each in schema.get("required", [])}
    optional = {each: about for each, about in fields.items() if each not in required}
    new = st.dictionaries(st.just("new_field"), json_values, max_size=1)
    return st.builds(lambda more, known: {**more, **known}, new,
                     st.fixed_dictionaries(required, optional=optional))  # fmt: skip


def texts(schema: dict[str, Any], name: str) -> st.SearchStrategy[str]:
    moment = schema.get("format") == "date-time" or name.endswith("_at") or name == "expiresAt"
    if moment or name in {"postponed_to", "timestamp"}:
        return moments
    return {
        "uuid": st.uuids().map(str),
        "uri": st.integers(0).map("https://storage.test/a?X-Signature={}".format),
        "email": st.just("a@b.test"),
    }.get(schema.get("format", ""), st.text(min_size=schema.get("minLength", 0), max_size=6))


def kept(ours: Any, theirs: Any) -> int:  # noqa: ANN401 - JSON
    """Insist that what the model has of an answer is what the answer has; count what there is."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return sum(kept(ours[name], theirs[name]) for name in ours.keys() & theirs.keys())
    if isinstance(ours, list) and isinstance(theirs, list):
        assert len(ours) == len(theirs)
        return 1 + sum(map(kept, ours, theirs))
    if isinstance(theirs, str) and isinstance(ours, str) and ours != theirs:
        assert datetime.fromisoformat(ours) == datetime.fromisoformat(theirs)
    elif theirs is not None:  # which may be read as nothing at all
        assert ours == theirs
    return 1


def of_answer(value: Any, body: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Find what a result was made of: the body, or what it wraps."""
    inner = [each for name, each in body.items() if name not in {"new_field", "total"}]
    if isinstance(value, list):
        return next(each for each in inner if isinstance(each, list))
    if not isinstance(value, dict) or value.keys() & body.keys():
        return body
    wrapped = [each for each in inner if isinstance(each, dict)]
    return max(wrapped, key=lambda each: len(value.keys() & each.keys()), default=body)


@needs_the_document
@each_call
@settings(unhurried, max_examples=20)
@given(data=st.data())
def test_every_documented_answer_is_understood_without_loss(name: str, data: st.DataObject) -> None:
    call = make(V2, name, whole=False)
    answers = described()[TYPED[name].operation][2]["responses"]
    good = {int(status): each for status, each in answers.items() if status[0] == "2"}
    for status, answer in good.items():
        body = data.draw(examples(answer["content"]["application/json"]["schema"]))
        if name.startswith("create_case") and "added_cases" in body:
            wanted = 1 if name == "create_case" else 2
            body["added_cases"] = (body["added_cases"] * 2)[:wanted]
            if len(body["added_cases"]) != wanted:
                return  # of another number, there is another test
        result = call.decode(
            Response(status=status, reason="", headers={}, body=json.dumps(body).encode())
        )
        if result is None or isinstance(result, (bool, str)):
            continue
        value = unstructure(list(result.items) if isinstance(result, Page) else result)
        if isinstance(result, Case):
            value = [value]
        if isinstance(value, dict) and any(each.endswith("_count") for each in value):
            continue  # whose names differ: each has a test of its own
        assert kept(value, of_answer(value, body))


@needs_the_document
@each_call
def test_an_answer_without_its_member_is_no_answer(name: str) -> None:
    call = make(V2, name, whole=False)
    answers = described()[TYPED[name].operation][2]["responses"]
    ok = next(each for status, each in answers.items() if status[0] == "2")
    required = ok["content"]["application/json"]["schema"]["required"]
    if "success" in required:
        return  # the rest is nothing that a caller could not do without
    with pytest.raises(DecodeProblem, match=r"required field missing @ \$\."):
        call.decode(Response(status=200, reason="", headers={}, body=b"{}"))
