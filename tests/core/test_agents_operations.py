import json
from datetime import UTC, datetime
from typing import Any

import pytest

from duvo_async import (
    NOT_GIVEN,
    Agent,
    AgentEditor,
    AgentIntegration,
    AgentOverview,
    AgentReference,
    Build,
    NewAgent,
    NewBuild,
    ScheduleFrequency,
    UserTriggers,
)
from duvo_async import _operations as operations
from duvo_async._converter import DecodeProblem, structure
from duvo_async._protocol import Call, Response
from duvo_async._routes import Routes
from duvo_async.models import BuildConfig

V1 = Routes("v1")
V2 = Routes("v2", "team-7")
NOON = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
CONFIG: dict[str, Any] = {"version": "v2", "data": {"input": "go", "plugins": ["p"], "files": None}}


def list_agents(routes: Routes = V1, **given: Any) -> Call[Any]:  # noqa: ANN401
    fields: dict[str, Any] = {
        "include_schedules": False,
        "automation_id": None,
        "limit": 100,
        "offset": 0,
    }
    return operations.list_agents(routes, **{**fields, **given})


def create_agent(routes: Routes = V1, **given: Any) -> Call[Any]:  # noqa: ANN401
    fields: dict[str, Any] = {
        "name": "Clerk",
        "build": None,
        "source_build_id": None,
        "thread_id": None,
        "automation_id": None,
        "idempotency_key": None,
    }
    return operations.create_agent(routes, **{**fields, **given})


def get_agent(routes: Routes = V1) -> Call[Any]:
    return operations.get_agent(routes, "agent-1")


def update_agent(routes: Routes = V1, agent_id: str = "agent-1", **given: Any) -> Call[Any]:  # noqa: ANN401
    fields: dict[str, Any] = dict.fromkeys(UPDATES, NOT_GIVEN)
    return operations.update_agent(routes, agent_id, **{**fields, "idempotency_key": None, **given})


def rename_agent(routes: Routes) -> Call[Any]:
    return update_agent(routes, name="Bookkeeper")


def delete_agent(routes: Routes = V1, idempotency_key: str | None = None) -> Call[None]:
    return operations.delete_agent(routes, "agent-1", idempotency_key=idempotency_key)


UPDATES: dict[str, Any] = {
    "name": "Bookkeeper",
    "slack_enabled": True,
    "microsoft_teams_enabled": False,
    "agentic_memory_enabled": True,
    "thread_id": None,
    "pinned": False,
}


def body_of(call: Call[Any]) -> Any:  # noqa: ANN401 - JSON
    assert isinstance(call.request.body, bytes)
    return json.loads(call.request.body)


def decoded(call: Call[Any], body: object) -> Any:  # noqa: ANN401 - a model
    data = json.dumps(body).encode()
    return call.decode(Response(status=200, reason="OK", headers={}, body=data))


# --- what is sent --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "method", "v1", "v2"),
    [
        (list_agents, "GET", "/v1/agents", "/v2/teams/team-7/agents"),
        (create_agent, "POST", "/v1/agents", "/v2/teams/team-7/agents"),
        (get_agent, "GET", "/v1/agents/agent-1", "/v2/agents/agent-1"),
        (
            lambda r: update_agent(r, pinned=True),
            "PATCH",
            "/v1/agents/agent-1",
            "/v2/agents/agent-1",
        ),
        (delete_agent, "DELETE", "/v1/agents/agent-1", "/v2/agents/agent-1"),
    ],
)
def test_each_operation_has_its_place_in_both_generations(
    make: Any,  # noqa: ANN401 - makes a call
    method: str,
    v1: str,
    v2: str,
) -> None:
    assert (make(V1).request.method, make(V1).request.path) == (method, v1)
    assert (make(V2).request.method, make(V2).request.path) == (method, v2)


@pytest.mark.parametrize(
    ("given", "query"),
    [
        ({}, {"limit": "100", "offset": "0"}),
        ({"limit": 1, "offset": 7}, {"limit": "1", "offset": "7"}),
        (
            {"include_schedules": True, "automation_id": "automation-1"},
            {
                "include_schedules": "true",
                "automation_id": "automation-1",
                "limit": "100",
                "offset": "0",
            },
        ),
    ],
)
def test_the_list_is_asked_for(given: dict[str, Any], query: dict[str, str]) -> None:
    assert dict(list_agents(**given).request.query) == query
    assert list_agents(**given).request.body is None


def test_an_agent_is_made_of_its_name_alone() -> None:
    assert body_of(create_agent()) == {"name": "Clerk"}


@pytest.mark.parametrize("config", [CONFIG, structure(CONFIG, BuildConfig)])
def test_an_agent_is_made_with_all_that_is_given(config: Any) -> None:  # noqa: ANN401
    call = create_agent(
        build=NewBuild(name="First", config=config),
        source_build_id="build-0",
        thread_id="thread-1",
        automation_id="automation-1",
        idempotency_key="key-1",
    )
    assert body_of(call) == {
        "name": "Clerk",
        "build": {"name": "First", "config": CONFIG},
        "source_build_id": "build-0",
        "thread_id": "thread-1",
        "automation_id": "automation-1",
    }
    assert call.request.idempotency_key == "key-1"


def test_an_update_sends_what_is_given() -> None:
    assert body_of(update_agent(**UPDATES)) == UPDATES
    for name, value in UPDATES.items():
        assert body_of(update_agent(**{name: value})) == {name: value}


def test_the_key_of_a_call_is_sent() -> None:
    assert update_agent(name="n", idempotency_key="key-1").request.idempotency_key == "key-1"
    assert delete_agent(idempotency_key="key-1").request.idempotency_key == "key-1"
    assert delete_agent().request.body is None


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "given", "error", "text"),
    [
        (
            list_agents,
            {"include_schedules": "true"},
            TypeError,
            "include_schedules must be True or",
        ),
        (list_agents, {"include_schedules": None}, TypeError, "include_schedules must be True"),
        (list_agents, {"automation_id": " "}, ValueError, "automation_id must not be empty"),
        (list_agents, {"automation_id": 7}, TypeError, "automation_id must be a string"),
        (list_agents, {"limit": 0}, ValueError, "page_size must be at least 1 and at most 100"),
        (list_agents, {"limit": 101}, ValueError, "page_size must be at least 1 and at most 100"),
        (list_agents, {"limit": "9"}, TypeError, "page_size must be a whole number"),
        (list_agents, {"offset": -1}, ValueError, "offset must be at least 0"),
        (create_agent, {"name": ""}, ValueError, "name must not be empty"),
        (create_agent, {"name": None}, TypeError, "name must be a string"),
        (create_agent, {"thread_id": ""}, ValueError, "thread_id must not be empty"),
        (create_agent, {"source_build_id": 1}, TypeError, "source_build_id must be a string"),
        (create_agent, {"automation_id": "\n"}, ValueError, "automation_id must not be empty"),
        (create_agent, {"build": CONFIG}, TypeError, "build must be a NewBuild, not dict"),
        (
            create_agent,
            {"build": NewBuild(name=" ", config=CONFIG)},
            ValueError,
            "build.name must not be empty",
        ),
        (
            create_agent,
            {"build": NewBuild(name="First", config="v2")},  # type: ignore[arg-type] # a mistake
            TypeError,
            "build.config must be a BuildConfig or a mapping, not str",
        ),
        (
            create_agent,
            {"build": NewBuild(name="First", config={"data": float("nan")})},
            ValueError,
            "JSON",
        ),
        (update_agent, {}, ValueError, "nothing to change: give at least one of name, slack"),
        (update_agent, {"name": None}, TypeError, "name must be a string"),
        (update_agent, {"name": " "}, ValueError, "name must not be empty"),
        (update_agent, {"slack_enabled": None}, TypeError, "slack_enabled must be True or False"),
        (update_agent, {"microsoft_teams_enabled": 1}, TypeError, "microsoft_teams_enabled must"),
        (update_agent, {"agentic_memory_enabled": "no"}, TypeError, "agentic_memory_enabled must"),
        (update_agent, {"pinned": None}, TypeError, "pinned must be True or False"),
        (update_agent, {"thread_id": ""}, ValueError, "thread_id must not be empty"),
        (update_agent, {"agent_id": "a/b", "pinned": True}, ValueError, "agent_id 'a/b' is not an"),
    ],
)
def test_a_wrong_argument_is_refused(
    make: Any,  # noqa: ANN401 - makes a call
    given: dict[str, Any],
    error: type[Exception],
    text: str,
) -> None:
    with pytest.raises(error, match=text):
        make(**given)


# --- what the answers mean -----------------------------------------------------------------------

BARE: dict[str, Any] = {"id": "agent-1", "name": "Clerk"}
FULL = {
    **BARE,
    "slack_enabled": True,
    "microsoft_teams_enabled": False,
    "agentic_memory_enabled": None,
    "team_id": "team-7",
    "thread_id": "thread-1",
    "folder_id": "folder-1",
    "automation_id": "automation-1",
    "created_at": "2026-07-01T12:00:00.000Z",
    "updated_at": "2026-07-01T12:00:00Z",
    "created_by": {"id": "user-1", "name": None, "email": "ada@duvo.test"},
    "updated_by": {"id": "user-2"},
}
KNOWN: dict[str, Any] = {
    **FULL,
    "created_at": NOON,
    "updated_at": NOON,
    "created_by": AgentEditor(id="user-1", email="ada@duvo.test"),
    "updated_by": AgentEditor(id="user-2"),
}
BUILD = {"id": "build-1", "agent_id": "agent-1", "name": "First"}
SCHEDULE = {
    "id": "schedule-1",
    "agent_id": "agent-1",
    "enabled": True,
    "frequency": "daily",
    "timezone": "UTC",
}
SURROUNDINGS = {
    "pinned_at": "2026-07-01T12:00:00Z",
    "last_run_at": "2026-07-01T12:00:00Z",
    "latest_build": {**BUILD, "schedules": [SCHEDULE]},
    "integration_configs": [
        {
            "id": "i",
            "integration_id": "service-1",
            "integration_type": "mail",
            "integration_name": "Mail",
            "created_at": "2026-07-01T12:00:00Z",
            "icon_url": None,
            "is_connected": True,
            "linked_queue_names": ["In"],
        }
    ],
    "user_triggers": {"slack_mention": True, "slack_channel": False, "teams_mention": False},
    "case_trigger_enabled": True,
    "case_trigger_has_conflict": True,
    "case_trigger_conflicting_agents": [{"id": "agent-2", "name": "Rival"}],
    "case_queue_name": "In",
}


@pytest.mark.parametrize("call", [get_agent(), update_agent(pinned=True)])
def test_a_full_agent_is_read(call: Call[Agent]) -> None:
    context = {"pinned_at": "2026-07-01T12:00:00Z"}
    agent = decoded(call, {"agent": FULL, "user_context": context})
    assert agent == Agent(**{**KNOWN, "pinned_at": NOON})
    assert type(agent) is Agent


@pytest.mark.parametrize("call", [get_agent(), update_agent(pinned=True)])
@pytest.mark.parametrize(
    "context",
    [{}, {"user_context": None}, {"user_context": {}}, {"user_context": {"pinned_at": None}}],
)
def test_a_bare_agent_is_read(call: Call[Agent], context: dict[str, object]) -> None:
    assert decoded(call, {"agent": BARE, **context}) == Agent(id="agent-1", name="Clerk")


def test_an_agent_says_no_more_than_that_it_was_deleted() -> None:
    assert decoded(delete_agent(), {"success": True}) is None


def test_a_new_agent_is_read_with_its_build() -> None:
    agent = decoded(create_agent(), {"agent": FULL, "build": BUILD})
    build = Build(id="build-1", agent_id="agent-1", name="First")
    assert agent == NewAgent(**KNOWN, build=build)


@pytest.mark.parametrize("build", [{}, {"build": None}])
def test_a_new_agent_may_have_no_build(build: dict[str, object]) -> None:
    agent = decoded(create_agent(), {"agent": BARE, **build})
    assert agent == NewAgent(id="agent-1", name="Clerk", build=None)
    assert isinstance(agent, Agent)


def test_a_page_of_agents_is_read() -> None:
    page = decoded(list_agents(), {"agents": [{**FULL, **SURROUNDINGS}, BARE], "total": 9})
    full, bare = page.items
    assert page.total == 9
    assert bare == AgentOverview(id="agent-1", name="Clerk")
    assert full.integration_configs == (
        AgentIntegration(
            id="i",
            integration_id="service-1",
            integration_name="Mail",
            integration_type="mail",
            is_connected=True,
            linked_queue_names=("In",),
            created_at=NOON,
        ),
    )
    assert full.latest_build.schedules[0].frequency is ScheduleFrequency.DAILY
    assert full == AgentOverview(
        **{**KNOWN, "pinned_at": NOON},
        last_run_at=NOON,
        latest_build=full.latest_build,
        integration_configs=full.integration_configs,
        user_triggers=UserTriggers(slack_mention=True),
        case_trigger_enabled=True,
        case_trigger_has_conflict=True,
        case_trigger_conflicting_agents=(AgentReference(id="agent-2", name="Rival"),),
        case_queue_name="In",
    )


def test_null_is_as_good_as_nothing() -> None:
    nulls = dict.fromkeys((*FULL, *SURROUNDINGS))
    page = decoded(list_agents(), {"agents": [{**nulls, **BARE}]})
    assert page.items == (AgentOverview(id="agent-1", name="Clerk"),)
    assert page.total is None


def test_unknown_fields_are_ignored() -> None:
    assert decoded(get_agent(), {"agent": {**BARE, "mood": 1}, "weather": []}) == Agent(**BARE)
    assert decoded(create_agent(), {"agent": {**BARE, "mood": 1}}) == NewAgent(**BARE)
    page = decoded(list_agents(), {"agents": [{**BARE, "mood": 1}], "limit": 100})
    assert page.items == (AgentOverview(**BARE),)


@pytest.mark.parametrize(
    ("call", "body", "problem"),
    [
        (get_agent(), {}, "required field missing @ $.agent"),
        (get_agent(), {"agent": {"id": "a"}}, "required field missing @ $.agent.name"),
        (get_agent(), {"agent": {"name": "n"}}, "required field missing @ $.agent.id"),
        (get_agent(), {"agent": None}, "expected an object"),
        (get_agent(), [], "expected an object @ $"),
        (
            get_agent(),
            {"agent": BARE, "user_context": {"pinned_at": 7}},
            "expected a timestamp, not a number @ $.user_context.pinned_at",
        ),
        (create_agent(), {"agent": BARE, "build": {}}, "required field missing @ $.build.id"),
        (list_agents(), {"agents": [BARE, {"id": "a"}]}, "required field missing @ $.agents"),
        (list_agents(), {"total": 0}, "required field missing @ $.agents"),
    ],
)
def test_an_answer_that_lacks_something_cannot_be_read(
    call: Call[Any], body: object, problem: str
) -> None:
    with pytest.raises(DecodeProblem) as caught:
        decoded(call, body)
    assert any(problem in each for each in caught.value.problems)
