"""The operations on many cases of a queue at a time."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from duvo_async.emulator.case_desk import CaseDesk
from duvo_async.emulator.case_reading import CHOOSE, read_filter
from duvo_async.emulator.cases import PRIORITIES, Case, CaseEvent
from duvo_async.emulator.checks import list_of, one_of
from duvo_async.emulator.exchange import ApiError, Response, json_response
from duvo_async.emulator.queue_lookup import QueueLookup
from duvo_async.emulator.queues import Queue
from duvo_async.emulator.routing import Call, Route
from duvo_async.emulator.validation import Field, uuid

_REPROCESS = {**CHOOSE, "agent_id": Field(uuid)}
_STATUS = Field(one_of(("pending", "completed", "failed")), required=True)
_UPDATE_STATUS = {**CHOOSE, "status": _STATUS}
_UPDATE_PRIORITY = {**CHOOSE, "priority": Field(one_of(PRIORITIES), required=True)}
_RETRY = {"case_ids": Field(list_of(uuid, 1, 100), required=True)}
_DELEGATE = {**_RETRY, "agent_id": Field(uuid, required=True)}
_DEPRECATED_AT = 1_775_001_600  # 2026-04-01
_REMOVED_AT = "Wed, 10 Jun 2026 00:00:00 GMT"


@frozen
class BulkOperations:
    """The operations on many cases of a queue at a time.

    Attributes:
        desk: The cases, and the runs that work them off.
        lookup: Finds the queues and cases that paths name.
    """

    desk: CaseDesk
    lookup: QueueLookup

    def routes(self) -> tuple[Route, ...]:
        """Where they are found."""
        cases = "/v2/queues/{queue_id}/cases"
        return (
            Route("POST", f"{cases}/bulk-delete", self.delete, body=CHOOSE),
            Route("POST", f"{cases}/bulk-reprocess", self.reprocess, body=_REPROCESS),
            Route("POST", f"{cases}/bulk-update-status", self.update_status, body=_UPDATE_STATUS),
            Route(
                "POST", f"{cases}/bulk-update-priority", self.update_priority, body=_UPDATE_PRIORITY
            ),
            Route("POST", f"{cases}/bulk-delegate", self.delegate, body=_DELEGATE),
            Route("POST", f"{cases}/bulk-retry", self.retry, body=_RETRY),
        )

    def delete(self, call: Call) -> Response:
        """Deletes cases; the live runs that have them end."""
        queue, cases, _ = self._choose(call, call.body)
        interrupted = self.desk.remove(queue, cases, call.now)
        return json_response(200, {"deletedCount": len(cases), "interruptedRunIds": interrupted})

    def reprocess(self, call: Call) -> Response:
        """Has cases wait for a new run of an agent, whatever became of them until now."""
        body = call.body
        queue, cases, skipped = self._choose(call, body)
        agent_id = self._check_consumer(queue, body.get("agent_id"))
        self.desk.interrupt(cases, call.now)
        for case in cases:
            event = CaseEvent("reprocessed", call.now, user=self.desk.queues.user)
            self.desk.reset(queue, case, event, agent_id)
        # The last two are the first one once more, under the names of older operations.
        names = ("reprocessedCount", "delegatedCount", "retriedCount")
        counts = dict.fromkeys(names, len(cases))
        return json_response(200, {**counts, "skippedCount": skipped})

    def update_status(self, call: Call) -> Response:
        """Gives cases a status; the live runs that have them end, but what they asked stays."""
        body = call.body
        queue, cases, skipped = self._choose(call, body)
        status: str = body["status"]
        others = [case for case in cases if case.state != status]
        interrupted = self.desk.interrupt(others, call.now, keeps_requests=True)
        for case in others:
            event = CaseEvent(status, call.now, user=self.desk.queues.user)
            if status == "pending":
                self.desk.reset(queue, case, event)
            else:
                self.desk.settle(queue, case, event, status)
        data = {
            "updatedCount": len(others),
            "skippedCount": skipped + len(cases) - len(others),
            "interruptedRunIds": interrupted,
        }
        return json_response(200, data)

    def update_priority(self, call: Call) -> Response:
        """Gives cases a priority, which only matters to those that wait for a run."""
        body = call.body
        queue, cases, skipped = self._choose(call, body)
        others = [case for case in cases if case.priority != body["priority"]]
        for case in others:
            case.priority = body["priority"]
            queue.cases.change(case, call.now)
            if case.ticket is not None:
                queue.waiting.add(case)
        skipped += len(cases) - len(others)
        return json_response(200, {"updatedCount": len(others), "skippedCount": skipped})

    def delegate(self, call: Call) -> Response:
        """Sends the caller on to `reprocess`, which takes the same body."""
        return self._redirect(call)

    def retry(self, call: Call) -> Response:
        """Sends the caller on to `reprocess`, which takes the same body."""
        return self._redirect(call)

    def _redirect(self, call: Call) -> Response:
        self.lookup.queue(call)
        target = f"{call.request.path.rpartition('/')[0]}/bulk-reprocess"
        headers = {
            "location": target,
            "deprecation": f"@{_DEPRECATED_AT}",
            "sunset": _REMOVED_AT,
            "link": f'<{target}>; rel="successor-version"',
        }
        return Response(308, headers)

    def _choose(self, call: Call, body: Mapping[str, Any]) -> tuple[Queue, Sequence[Case], int]:
        """The queue, the cases of it that a body chooses, and how many ids name none of them."""
        wants_all = body.get("all_matching", False)
        if wants_all == ("case_ids" in body):
            raise ApiError(400, "the body must have either case_ids or all_matching as true")
        queue = self.lookup.queue(call)
        if wants_all:
            return queue, list(queue.cases.matching(read_filter(body))), 0
        ids = dict.fromkeys(each.lower() for each in body["case_ids"])
        found = [self.desk.queues.find_case(case_id) for case_id in ids]
        cases = [case for case in found if case is not None and case.queue_id == queue.id]
        return queue, cases, len(ids) - len(cases)

    def _check_consumer(self, queue: Queue, agent_id: str | None) -> str | None:
        """The agent that is to run cases of a queue; None for any that claims them by itself."""
        triggers = self.desk.triggers.of_queue(queue.id)
        if agent_id is None:
            if not any(trigger.enabled for trigger in triggers):
                raise ApiError(409, "the queue has no agent that is triggered by its cases")
            return None
        if all(trigger.agent.id != agent_id.lower() for trigger in triggers):
            raise ApiError(409, "the agent is no consumer of the queue")
        return agent_id.lower()
