"""The operations on the labels of queues and cases."""

from attrs import frozen

from duvo_async.emulator.case_reading import LABEL, read_labels
from duvo_async.emulator.checks import integer, list_of
from duvo_async.emulator.exchange import ApiError, Response, json_response
from duvo_async.emulator.labels import Label
from duvo_async.emulator.queue_lookup import QueueLookup
from duvo_async.emulator.queues import Queue
from duvo_async.emulator.routing import Call, Route
from duvo_async.emulator.validation import (
    Field,
    check_empty,
    filled_text,
    read_integer,
    read_object,
    text,
    uuid,
)

_LABEL = {
    "key": Field(text),
    "value": Field(filled_text, required=True),
    "color_hue": Field(integer(0, 360)),
}
_ASSIGN = {"labels": Field(list_of(LABEL, 1, 50), required=True)}
_UNLINK = {"label_ids": Field(list_of(uuid, 1), required=True)}


@frozen
class LabelOperations:
    """The operations on the labels of queues and cases.

    Attributes:
        lookup: The queues and cases.
    """

    lookup: QueueLookup

    def routes(self) -> tuple[Route, ...]:
        """Where they are found."""
        of_queue = "/v2/queues/{queue_id}/labels"
        of_case = "/v2/queues/{queue_id}/cases/{case_id}/labels"
        page = frozenset({"limit", "offset"})
        return (
            Route("GET", of_queue, self.list_of_queue, page),
            Route("POST", of_queue, self.create),
            Route("PATCH", f"{of_queue}/{{label_id}}", self.update),
            Route("DELETE", f"{of_queue}/{{label_id}}", self.delete),
            Route("GET", of_case, self.list_of_case, page),
            Route("POST", of_case, self.assign),
            Route("POST", f"{of_case}/unlink", self.unlink),
        )

    def list_of_queue(self, call: Call) -> Response:
        """Shows a page of a queue's labels, each with the number of its cases."""
        check_empty(call.request)
        start, end = _read_page(call)
        labels = self.lookup.queue(call).labels.all()[start:end]
        return json_response(200, {"labels": [label.as_counted() for label in labels]})

    def create(self, call: Call) -> Response:
        """Makes a label that no case has; one that is there already stays as it is."""
        body = read_object(call.request, _LABEL)
        labels = self.lookup.queue(call).labels
        label = labels.ensure(body.get("key", ""), body["value"], body.get("color_hue"))
        return json_response(200, {"label": label.as_counted()})

    def update(self, call: Call) -> Response:
        """Changes a label, and with it what all its cases have."""
        body = read_object(call.request, _LABEL)
        queue = self.lookup.queue(call)
        label = _find(queue, call)
        if not queue.labels.rename(label, body.get("key", label.key), body["value"]):
            raise ApiError(409, "the queue has another label of that key and value")
        label.color_hue = body.get("color_hue", label.color_hue)
        return json_response(200, {"label": label.as_shown()})

    def delete(self, call: Call) -> Response:
        """Deletes a label, and takes it from all its cases."""
        check_empty(call.request)
        queue = self.lookup.queue(call)
        queue.remove_label(_find(queue, call), call.now)
        return json_response(200, {"success": True})

    def list_of_case(self, call: Call) -> Response:
        """Shows a page of a case's labels."""
        check_empty(call.request)
        start, end = _read_page(call)
        labels = self.lookup.case(call).labels[start:end]
        return json_response(200, {"labels": [label.as_shown() for label in labels]})

    def assign(self, call: Call) -> Response:
        """Gives a case labels, and shows all that it has now; missing ones are made."""
        labels = read_labels(read_object(call.request, _ASSIGN)["labels"])
        queue, case = self.lookup.queue(call), self.lookup.case(call)
        if queue.link(case, labels):
            queue.cases.change(case, call.now)
        return json_response(200, {"labels": [label.as_shown() for label in case.labels]})

    def unlink(self, call: Call) -> Response:
        """Takes labels from a case; those that it does not have don't matter."""
        ids = {each.lower() for each in read_object(call.request, _UNLINK)["label_ids"]}
        queue, case = self.lookup.queue(call), self.lookup.case(call)
        if queue.unlink(case, [label for label in case.labels if label.id in ids]):
            queue.cases.change(case, call.now)
        return json_response(200, {"success": True})


def _read_page(call: Call) -> tuple[int, int]:
    limit = read_integer(call.query, "limit", 1000, 1, 1000)
    offset = read_integer(call.query, "offset", 0, 0)
    return offset, offset + limit


def _find(queue: Queue, call: Call) -> Label:
    label = queue.labels.find(call.params["label_id"])
    if label is None:
        raise ApiError(404, "the queue has no such label")
    return label
