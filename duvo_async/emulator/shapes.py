"""What the API shows of each thing, as JSON Schemas."""

from collections.abc import Mapping

from duvo_async.emulator.cases import PRIORITIES
from duvo_async.emulator.validation import Schema, boolean, moment, text, uuid

COUNT: Schema = {"type": "integer", "minimum": 0}
TEXT, FLAG, ID, MOMENT = text.schema, boolean.schema, uuid.schema, moment.schema


def or_none(schema: Schema) -> Schema:
    """The schema of null or what another describes."""
    return {"anyOf": [schema, {"type": "null"}]}


def many(schema: Schema) -> Schema:
    """The schema of a list of what another describes."""
    return {"type": "array", "items": schema}


def shape(optional: Mapping[str, Schema] | None = None, /, **required: Schema) -> Schema:
    """The schema of an object of these properties, and no other.

    Args:
        optional: Those that may be missing; None for none.
        required: Those that are always there.
    """
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def extended(
    schema: Schema, optional: Mapping[str, Schema] | None = None, **more: Schema
) -> Schema:
    """The schema of an object that has some properties beside those of another."""
    known = {name: schema["properties"][name] for name in schema["required"]}
    left = {name: each for name, each in schema["properties"].items() if name not in known}
    return shape({**left, **(optional or {})}, **known, **more)


def one_of(*words: str) -> Schema:
    """The schema of one of some words."""
    return {"enum": list(words)}


_MAYBE_TEXT, _MAYBE_ID, _MAYBE_MOMENT = or_none(TEXT), or_none(ID), or_none(MOMENT)
_TIMES = {"created_at": MOMENT, "updated_at": MOMENT}
_PERSON = {"id": ID, "name": TEXT, "email": TEXT}
_NAMED = shape(id=ID, name=TEXT)
_CONFIG = or_none({"type": "object"})  # as whoever made the build has sent it

_RUN = shape(
    id=ID,
    agent_id=ID,
    build_id=ID,
    status=TEXT,
    source=TEXT,
    started_at=_MAYBE_MOMENT,
    completed_at=_MAYBE_MOMENT,
    **_TIMES,
)
_QUESTION = shape(
    {"header": TEXT, "options": many(shape({"description": TEXT}, label=TEXT))},
    question=TEXT,
    multi_select=FLAG,
)
_REQUEST = {"id": TEXT, "title": TEXT, "description": _MAYBE_TEXT, "created_at": MOMENT}
_MESSAGE = shape(
    {
        "text_content": TEXT,
        "tool_call": shape(id=TEXT, name=TEXT, arguments={"type": "object"}),
        "tool_result": shape({"result": {}, "error": {}}, tool_call_id=TEXT),
    },
    id=TEXT,
    type=one_of("text", "tool_call", "tool_result"),
    role=one_of("user", "assistant", "tool"),
    timestamp=MOMENT,
)
_BUILD = shape(
    id=ID,
    copilot_id=ID,
    agent_id=ID,
    name=TEXT,
    revision_name=_MAYBE_TEXT,
    revision_description=_MAYBE_TEXT,
    config=_CONFIG,
    status=one_of("draft", "live", "historic"),
    revision_number=COUNT,
    parent_build_id=_MAYBE_ID,
    created_by=ID,
    created_by_name=TEXT,
    **_TIMES,
)
_AGENT = shape(
    id=ID,
    name=TEXT,
    slack_enabled=FLAG,
    microsoft_teams_enabled=FLAG,
    agentic_memory_enabled=FLAG,
    team_id=ID,
    thread_id=_MAYBE_ID,
    folder_id=_MAYBE_ID,
    automation_id=_MAYBE_ID,
    created_by=shape(**_PERSON),
    updated_by=shape(**_PERSON),
    **_TIMES,
)
_SCHEDULE = shape(
    id=ID,
    build_id=ID,
    agent_id=ID,
    user_id=ID,
    enabled=FLAG,
    frequency=TEXT,
    timezone=TEXT,
    time=_MAYBE_TEXT,
    day=_MAYBE_TEXT,
    day_of_month=or_none(COUNT),
    cron=_MAYBE_TEXT,
    recurring=or_none(FLAG),
    source=_MAYBE_TEXT,
    task=_MAYBE_TEXT,
    auto_disabled_at=_MAYBE_MOMENT,
    auto_disabled_reason=_MAYBE_TEXT,
    consecutive_missing_connection_failures=COUNT,
    first_missing_connection_failure_at=_MAYBE_MOMENT,
    last_missing_connection_failure_at=_MAYBE_MOMENT,
    user_name=TEXT,
    user_email=TEXT,
    **_TIMES,
)
_LABEL = shape(id=ID, key=TEXT, value=TEXT, color_hue=COUNT)
_CASE = shape(
    {"search_match_data_snippet": shape(before=TEXT, match=TEXT, after=TEXT)},
    id=ID,
    queue_id=ID,
    title=TEXT,
    data=TEXT,
    status=one_of("pending", "completed", "failed"),
    priority=one_of(*PRIORITIES),
    display_status=TEXT,
    claimed_at=_MAYBE_MOMENT,
    claimed_by_run_id=_MAYBE_ID,
    completed_at=_MAYBE_MOMENT,
    postponed_to=_MAYBE_MOMENT,
    created_by_user_id=_MAYBE_ID,
    created_by_user_name=_MAYBE_TEXT,
    created_by_user_email=_MAYBE_TEXT,
    agent_run_status=_MAYBE_TEXT,
    agent_run_user_id=_MAYBE_ID,
    pending_human_request_id=_MAYBE_TEXT,
    pending_approval_batch_id=_MAYBE_ID,
    pending_approval_assignee_user_ids=many(ID),
    approval_approved_count=COUNT,
    approval_rejected_count=COUNT,
    eval_summary={"type": "null"},
    labels=many(_LABEL),
    **_TIMES,
)
_CONFLICT = {"has_conflict": FLAG, "conflicting_agents": many(_NAMED)}

SHAPES: Mapping[str, Schema] = {
    "Refusal": shape(error=TEXT, message=TEXT),
    "Run": extended(_RUN, sandbox_id=_MAYBE_TEXT, human_in_the_loop_enabled=FLAG),
    "ListedRun": extended(
        _RUN,
        title=TEXT,
        run_number=COUNT,
        agent_name=TEXT,
        user_id=_MAYBE_ID,
        case_queue_item_id=_MAYBE_ID,
        case_queue_id=_MAYBE_ID,
        case_queue_name=_MAYBE_TEXT,
        case_title=_MAYBE_TEXT,
        postponed_to=_MAYBE_MOMENT,
        submitted_prompt_count=COUNT,
    ),
    "PendingRequest": shape(
        {"questions": many(_QUESTION)}, type=one_of("approval", "question"), **_REQUEST
    ),
    "AnsweredRequest": shape(
        run_id=ID, response=_MAYBE_TEXT, responded_at=_MAYBE_MOMENT, **_REQUEST
    ),
    "Message": _MESSAGE,
    "CaseMessage": extended(_MESSAGE, runtime=TEXT, raw_message=shape(session_id=ID, uuid=ID)),
    "Sandbox": shape(sandbox_id=TEXT, expires_at=MOMENT),
    "Entry": shape(name=TEXT, path=TEXT, type=one_of("file", "dir"), size_bytes=COUNT),
    "Build": _BUILD,
    "Agent": _AGENT,
    "ListedAgent": extended(
        _AGENT,
        pinned_at=_MAYBE_MOMENT,
        last_run_at=_MAYBE_MOMENT,
        latest_build=or_none(extended(_BUILD, {"schedules": many(_SCHEDULE)})),
        integration_configs=many({}),
        user_triggers={"type": "object", "additionalProperties": FLAG},
        case_trigger_enabled=FLAG,
        case_trigger_has_conflict=FLAG,
        case_trigger_conflicting_agents=many(_NAMED),
        case_queue_name=_MAYBE_TEXT,
    ),
    "Schedule": _SCHEDULE,
    "Queue": shape(
        id=ID,
        name=TEXT,
        description=_MAYBE_TEXT,
        folder_id=_MAYBE_ID,
        automation_id=_MAYBE_ID,
        team_id=ID,
        created_at=MOMENT,
        has_approvals=FLAG,
    ),
    "Consumer": shape(
        {"concurrency_limit": COUNT},
        agent_id=ID,
        agent_name=TEXT,
        case_trigger_enabled=FLAG,
        is_handover_target=FLAG,
        problems=many(TEXT),
        at_concurrency_limit=FLAG,
    ),
    "Case": _CASE,
    "CaseEvent": shape(
        id=ID,
        case_queue_item_id=ID,
        agent_run_id=_MAYBE_ID,
        human_request_id=_MAYBE_TEXT,
        type=TEXT,
        reason=_MAYBE_TEXT,
        created_at=MOMENT,
        agent_id=_MAYBE_ID,
        agent_name=_MAYBE_TEXT,
        user_id=_MAYBE_ID,
        user_name=_MAYBE_TEXT,
        user_email=_MAYBE_TEXT,
        human_request_title=_MAYBE_TEXT,
    ),
    "CaseRun": shape(
        id=ID,
        case_queue_item_id=ID,
        agent_id=ID,
        agent_name=TEXT,
        status=TEXT,
        source=TEXT,
        created_at=MOMENT,
        started_at=_MAYBE_MOMENT,
        completed_at=_MAYBE_MOMENT,
        claimed_at=MOMENT,
        has_pending_human_request=FLAG,
        pending_human_request_title=_MAYBE_TEXT,
        evaluation=shape(passed=COUNT, total=COUNT, status=TEXT),
        user_id=_MAYBE_ID,
        user_name=_MAYBE_TEXT,
        user_email=_MAYBE_TEXT,
    ),
    "Label": _LABEL,
    "CountedLabel": extended(_LABEL, case_count=COUNT),
    "Conflict": shape(**_CONFLICT),
    "CaseTrigger": shape(
        id=ID,
        agent_id=ID,
        case_queue_id=ID,
        case_queue_name=TEXT,
        user_id=ID,
        enabled=FLAG,
        concurrency=or_none(COUNT),
        creator_display_name=TEXT,
        can_disable=FLAG,
        **_TIMES,
        **_CONFLICT,
    ),
    "File": shape(
        id=ID,
        name=TEXT,
        path=TEXT,
        metadata=shape(mimetype=TEXT, size=COUNT),
        **_TIMES,
    ),
    "Team": shape(
        id=ID,
        name=TEXT,
        organization_id=_MAYBE_ID,
        created_at=MOMENT,
        slack_team_id=_MAYBE_TEXT,
        discovery_mode=TEXT,
    ),
    "ListedTeam": shape(id=ID, name=TEXT, organization_id=_MAYBE_ID),
    "Member": shape(role=TEXT, inheritedFromOrg=FLAG, **_PERSON),
    "Profile": shape(teamId=ID, **_PERSON),
}
"""The schemas by name."""
