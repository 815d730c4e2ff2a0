"""The operations on cases."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

from attrs import frozen

from duvo_async.emulator.case_desk import CaseDesk
from duvo_async.emulator.case_list import CaseSelection
from duvo_async.emulator.case_reading import (
    CREATE,
    QUERY,
    SEARCH,
    read_drafts,
    read_listed,
    read_searched,
)
from duvo_async.emulator.cases import Case, CaseEvent
from duvo_async.emulator.exchange import ApiError, Response, json_response
from duvo_async.emulator.parameters import an_integer
from duvo_async.emulator.queue_lookup import QueueLookup
from duvo_async.emulator.queues import Queue
from duvo_async.emulator.routing import Call, Route
from duvo_async.emulator.runs import Run

_MOST_RUNS = 50


@frozen
class CaseOperations:
    """The operations on cases.

    Attributes:
        desk: The cases, and the runs that work them off.
        lookup: Finds the queues and cases that paths name.
    """

    desk: CaseDesk
    lookup: QueueLookup

    def routes(self) -> tuple[Route, ...]:
        """Where they are found."""
        cases, case = "/v2/queues/{queue_id}/cases", "/v2/cases/{case_id}"
        messages = f"{case}/runs/{{run_id}}/recent-messages"
        return (
            Route("GET", cases, self.list_cases, QUERY),
            Route("POST", cases, self.create, body=CREATE),
            Route("DELETE", cases, self.clear),
            Route("POST", f"{cases}/search", self.search, body=SEARCH),
            Route("GET", case, self.get),
            Route("DELETE", case, self.delete),
            Route("GET", f"{case}/runs", self.list_runs),
            Route("GET", messages, self.list_messages, {"limit": an_integer(3, 1, 10)}),
        )

    def list_cases(self, call: Call) -> Response:
        """Shows a page of a queue's cases, newest first unless it is asked otherwise."""
        return _show_page(self.lookup.queue(call), read_listed(call.query))

    def search(self, call: Call) -> Response:
        """Does the same for a selection in a body, which knows labels, too."""
        selection = read_searched(call.body)
        return _show_page(self.lookup.queue(call), selection)

    def create(self, call: Call) -> Response:
        """Makes cases, which are pending until the next request."""
        drafts = read_drafts(call.body)
        queue = self.lookup.queue(call)
        cases = self.desk.add(queue, drafts, call.now)
        return json_response(201, {"added_cases": [case.as_shown() for case in cases]})

    def clear(self, call: Call) -> Response:
        """Deletes all cases of a queue; the live runs that have them end."""
        queue = self.lookup.queue(call)
        cases = queue.cases.all()
        interrupted = self.desk.remove(queue, cases, call.now)
        data = {"success": True, "deletedCount": len(cases), "interruptedRunIds": interrupted}
        return json_response(200, data)

    def get(self, call: Call) -> Response:
        """Shows a case and what happened to it, oldest first; nobody is asked in batches."""
        case = self.lookup.case(call)
        data = {"case": case.as_shown(), "events": case.events_as_shown(), "approvalBatches": []}
        return json_response(200, data)

    def delete(self, call: Call) -> Response:
        """Deletes a case; the live run that has it ends."""
        case = self.lookup.case(call)
        queue = self.lookup.queue_of(case.queue_id)
        interrupted = self.desk.remove(queue, [case], call.now)
        return json_response(200, {"success": True, "interruptedRunIds": interrupted})

    def list_runs(self, call: Call) -> Response:
        """Shows the latest runs that took a case, newest first."""
        case = self.lookup.case(call)
        runs = [case.show_run(run, event.at) for run, event in self._runs(case)]
        return json_response(200, {"runs": runs[:_MOST_RUNS]})

    def list_messages(self, call: Call) -> Response:
        """Shows what a run that took a case said and called last, the newest at the end."""
        limit = call.query["limit"]
        case, run_id = self.lookup.case(call), call.params["run_id"]
        run = next((run for run, _ in self._runs(case) if run.id == run_id), None)
        if run is None:
            raise ApiError(404, "the case has no such run")
        recent = [message for message in run.messages if _is_telling(message)][-limit:]
        return json_response(200, {"messages": [_show_message(run, each) for each in recent]})

    def _runs(self, case: Case) -> list[tuple[Run, CaseEvent]]:
        """The runs that took a case, newest first, without those that are deleted."""
        taken = [(event.run, event) for event in reversed(case.events) if event.type == "claimed"]
        return [
            (run, event)
            for run, event in taken
            if run is not None and self.desk.engine.find(run.id) is run
        ]


def _show_page(queue: Queue, selection: CaseSelection) -> Response:
    page, total = queue.cases.select(selection)
    data = {
        "cases": [case.as_found(selection.filter.text) for case in page],
        "total": total,
        "limit": selection.limit,
        "offset": selection.offset,
    }
    return json_response(200, data)


def _is_telling(message: Mapping[str, Any]) -> bool:
    return message["role"] == "assistant" and message["type"] in {"text", "tool_call"}


def _show_message(run: Run, message: Mapping[str, Any]) -> Mapping[str, Any]:
    origin = {"session_id": run.id, "uuid": str(uuid5(UUID(run.id), message["id"]))}
    return {**message, "runtime": "terminal-agent", "raw_message": origin}
