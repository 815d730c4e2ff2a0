"""What each operation answers with when it succeeds, as JSON Schemas."""

from collections.abc import Mapping
from typing import TypeAlias

from duvo_async.emulator.shapes import (
    COUNT,
    FLAG,
    ID,
    MOMENT,
    TEXT,
    many,
    one_of,
    or_none,
    shape,
)
from duvo_async.emulator.validation import Schema

Answers: TypeAlias = Mapping[int, Schema | None]
"""The schemas of bodies by status; None for no body."""


def _the(name: str) -> Schema:
    """Refers to a schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def _page(of: str, name: str) -> Schema:
    return shape(**{of: many(_the(name))}, total=COUNT, limit=COUNT, offset=COUNT)


_DONE = shape(success=FLAG)
_INTERRUPTED = {"interruptedRunIds": many(ID)}
_MOVED: Answers = {308: None}
_AGENT = shape(agent=_the("Agent"), user_context=shape(pinned_at=or_none(MOMENT)))
_BUILD = shape(build=_the("Build"))
_TRIGGER = shape(case_trigger=_the("CaseTrigger"))
_STARTED = shape(run=_the("Run"))

_TEAM, _RUN, _SANDBOX = "/v2/teams/{team_id}", "/v2/runs/{run_id}", "/v2/sandboxes/{sandbox_id}"
_AGENT_PATH, _QUEUE, _CASE = "/v2/agents/{agent_id}", "/v2/queues/{queue_id}", "/v2/cases/{case_id}"
_CASES, _FILES = f"{_QUEUE}/cases", f"{_TEAM}/files"
_SCHEDULES, _TRIGGERS = f"{_AGENT_PATH}/schedules", f"{_AGENT_PATH}/case-triggers"
_LABELS, _CASE_LABELS = f"{_QUEUE}/labels", f"{_CASES}/{{case_id}}/labels"

OUTCOMES: Mapping[tuple[str, str], Answers] = {
    ("GET", "/v1/health"): {200: shape(status=one_of("ok"))},
    ("POST", f"{_TEAM}/runs"): {201: _STARTED, 202: _STARTED},
    ("GET", f"{_TEAM}/runs"): {200: shape(data=many(_the("ListedRun")), total=COUNT)},
    ("GET", _RUN): {
        200: shape(
            {"pending_human_request": or_none(_the("PendingRequest"))}, run=or_none(_the("Run"))
        )
    },
    ("GET", f"{_RUN}/messages"): {200: _page("messages", "Message")},
    ("POST", f"{_RUN}/messages"): {201: shape(message=_the("Message"))},
    ("POST", f"{_RUN}/human-requests/{{request_id}}/respond"): {
        200: shape(human_request=_the("AnsweredRequest"))
    },
    ("POST", f"{_RUN}/stop"): {200: shape({"message": TEXT}, success=FLAG)},
    ("POST", "/v2/sandboxes"): {201: _the("Sandbox")},
    ("POST", f"{_SANDBOX}/upload-urls"): {
        200: shape(upload_url=TEXT, path=TEXT, expires_in_seconds=COUNT)
    },
    ("GET", f"{_SANDBOX}/files"): {200: shape(files=many(_the("Entry")))},
    ("POST", f"{_SANDBOX}/files"): {201: shape(path=TEXT, size_bytes=COUNT)},
    ("GET", f"{_TEAM}/agents"): {200: _page("agents", "ListedAgent")},
    ("POST", f"{_TEAM}/agents"): {201: shape({"build": _the("Build")}, agent=_the("Agent"))},
    ("GET", _AGENT_PATH): {200: _AGENT},
    ("PATCH", _AGENT_PATH): {200: _AGENT},
    ("DELETE", _AGENT_PATH): {200: _DONE},
    ("GET", f"{_AGENT_PATH}/revisions"): {200: _page("builds", "Build")},
    ("POST", f"{_AGENT_PATH}/revisions"): {201: shape(build=_the("Build"), agent=shape(id=ID))},
    ("GET", f"{_AGENT_PATH}/revisions/{{build_id}}"): {200: _BUILD},
    ("GET", "/v1/revisions/{build_id}"): {200: _BUILD},
    ("PATCH", "/v2/revisions/{build_id}"): {200: _BUILD},
    ("POST", "/v2/revisions/{build_id}/promote"): {200: _DONE},
    ("GET", _SCHEDULES): {200: shape(schedules=many(_the("Schedule")))},
    ("POST", _SCHEDULES): {200: _the("Schedule")},
    ("PATCH", f"{_SCHEDULES}/{{schedule_id}}"): {200: _the("Schedule")},
    ("DELETE", f"{_SCHEDULES}/{{schedule_id}}"): {200: _DONE},
    ("GET", _TRIGGERS): {200: shape(case_triggers=many(_the("CaseTrigger")))},
    ("POST", _TRIGGERS): {201: _TRIGGER},
    ("GET", f"{_TRIGGERS}/conflict-preview"): {200: _the("Conflict")},
    ("GET", f"{_TRIGGERS}/{{trigger_id}}"): {200: _TRIGGER},
    ("PATCH", f"{_TRIGGERS}/{{trigger_id}}"): {200: _TRIGGER},
    ("DELETE", f"{_TRIGGERS}/{{trigger_id}}"): {200: _DONE},
    ("GET", f"{_TEAM}/queues"): {200: _page("queues", "Queue")},
    ("POST", f"{_TEAM}/queues"): {201: shape(queue=_the("Queue"))},
    ("GET", _QUEUE): {200: shape(queue=_the("Queue"))},
    ("PATCH", _QUEUE): {200: shape(queue=_the("Queue"))},
    ("DELETE", _QUEUE): {
        200: shape(success=FLAG, deleted_case_count=COUNT, interrupted_run_ids=many(ID))
    },
    ("GET", f"{_QUEUE}/agents"): {
        200: shape(queue_name=TEXT, producers=many({}), consumers=many(_the("Consumer")))
    },
    ("GET", _LABELS): {200: shape(labels=many(_the("CountedLabel")))},
    ("POST", _LABELS): {200: shape(label=_the("CountedLabel"))},
    ("PATCH", f"{_LABELS}/{{label_id}}"): {200: shape(label=_the("Label"))},
    ("DELETE", f"{_LABELS}/{{label_id}}"): {200: _DONE},
    ("GET", _CASE_LABELS): {200: shape(labels=many(_the("Label")))},
    ("POST", _CASE_LABELS): {200: shape(labels=many(_the("Label")))},
    ("POST", f"{_CASE_LABELS}/unlink"): {200: _DONE},
    ("GET", _CASES): {200: _page("cases", "Case")},
    ("POST", _CASES): {201: shape(added_cases=many(_the("Case")))},
    ("DELETE", _CASES): {200: shape(success=FLAG, deletedCount=COUNT, **_INTERRUPTED)},
    ("POST", f"{_CASES}/search"): {200: _page("cases", "Case")},
    ("POST", f"{_CASES}/bulk-delete"): {200: shape(deletedCount=COUNT, **_INTERRUPTED)},
    ("POST", f"{_CASES}/bulk-reprocess"): {
        200: shape(
            reprocessedCount=COUNT, delegatedCount=COUNT, retriedCount=COUNT, skippedCount=COUNT
        )
    },
    ("POST", f"{_CASES}/bulk-update-status"): {
        200: shape(updatedCount=COUNT, skippedCount=COUNT, **_INTERRUPTED)
    },
    ("POST", f"{_CASES}/bulk-update-priority"): {
        200: shape(updatedCount=COUNT, skippedCount=COUNT)
    },
    ("POST", f"{_CASES}/bulk-delegate"): _MOVED,
    ("POST", f"{_CASES}/bulk-retry"): _MOVED,
    ("GET", _CASE): {
        200: shape(case=_the("Case"), events=many(_the("CaseEvent")), approvalBatches=many({}))
    },
    ("DELETE", _CASE): {200: shape(success=FLAG, **_INTERRUPTED)},
    ("GET", f"{_CASE}/runs"): {200: shape(runs=many(_the("CaseRun")))},
    ("GET", f"{_CASE}/runs/{{run_id}}/recent-messages"): {
        200: shape(messages=many(_the("CaseMessage")))
    },
    ("GET", _FILES): {200: shape(files=many(_the("File")))},
    ("PATCH", _FILES): {200: _DONE},
    ("POST", f"{_FILES}/create-upload-url"): {
        200: shape(signedUrl=TEXT, expiresAt=MOMENT, filePath=TEXT)
    },
    ("GET", f"{_FILES}/download-url/{{*}}"): {200: shape(url=TEXT, expiresAt=MOMENT)},
    ("GET", f"{_FILES}/content/{{*}}"): {
        200: shape({"contentType": TEXT}, content=TEXT, path=TEXT)
    },
    ("PUT", f"{_FILES}/content/{{*}}"): {200: _DONE},
    ("DELETE", f"{_FILES}/{{*}}"): {200: _DONE},
    ("GET", "/v2/teams"): {200: shape(teams=many(_the("ListedTeam")))},
    ("GET", _TEAM): {200: shape(team=_the("Team"))},
    ("GET", f"{_TEAM}/members"): {200: _page("members", "Member")},
    ("GET", "/v2/profile"): {200: shape(profile=_the("Profile"))},
}
"""The answers by method and path, those of the first generation being the same."""
