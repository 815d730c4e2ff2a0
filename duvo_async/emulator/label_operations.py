"""The operations on the labels of queues and cases."""

from collections.abc import Sequence

from attrs import frozen

from duvo_async.emulator.case_reading import LABEL, read_labels
from duvo_async.emulator.checks import integer, list_of
from duvo_async.emulator.exchange import ApiError, Response, json_response
from duvo_async.emulator.labels import Label
from duvo_async.emulator.parameters import page
from duvo_async.emulator.queue_lookup import QueueLookup
from duvo_async.emulator.queues import Queue
from duvo_async.emulator.routing import Call, Route
from duvo_async.emulator.validation import (
    Field,
    filled_text,
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
        return (
            Route("GET", of_queue, self.list_of_queue, page(1000, 1000)),
            Route("POST", of_queue, self.create, body=_LABEL),
            Route("PATCH", f"{of_queue}/{{label_id}}", self.update, body=_LABEL),
            Route("DELETE", f"{of_queue}/{{label_id}}", self.delete),
            Route("GET", of_case, self.list_of_case, page(1000, 1000)),
            Route("POST", of_case, self.assign, body=_ASSIGN),
            Route("POST", f"{of_case}/unlink", self.unlink, body=_UNLINK),
        )

    def list_of_queue(self, call: Call) -> Response:
        """Shows a page of a queue's labels, each with the number of its cases."""
        labels = _paged(self.lookup.queue(call).labels.all(), call)
        return json_response(200, {"labels": [label.as_counted() for label in labels]})

    def create(self, call: Call) -> Response:
        """Makes a label that no case has; one that is there already stays as it is."""
        body = call.body
        labels = self.lookup.queue(call).labels
        label = labels.ensure(body.get("key", ""), body["value"], body.get("color_hue"))
        return json_response(200, {"label": label.as_counted()})

    def update(self, call: Call) -> Response:
        """Changes a label, and with it what all its cases have."""
        body = call.body
        queue = self.lookup.queue(call)
        label = _find(queue, call)
        if not queue.labels.rename(label, body.get("key", label.key), body["value"]):
            raise ApiError(409, "the queue has another label of that key and value")
        label.color_hue = body.get("color_hue", label.color_hue)
        return json_response(200, {"label": label.as_shown()})

    def delete(self, call: Call) -> Response:
        """Deletes a label, and takes it from all its cases."""
        queue = self.lookup.queue(call)
        queue.remove_label(_find(queue, call), call.now)
        return json_response(200, {"success": True})

    def list_of_case(self, call: Call) -> Response:
        """Shows a page of a case's labels."""
        labels = _paged(self.lookup.case(call).labels, call)
        return json_response(200, {"labels": [label.as_shown() for label in labels]})

    def assign(self, call: Call) -> Response:
        """Gives a case labels, and shows all that it has now; missing ones are made."""
        labels = read_labels(call.body["labels"])
        queue, case = self.lookup.queue(call), self.lookup.case(call)
        if queue.link(case, labels):
            queue.cases.change(case, call.now)
        return json_response(200, {"labels": [label.as_shown() for label in case.labels]})

    def unlink(self, call: Call) -> Response:
        """Takes labels from a case; those that it does not have don't matter."""
        ids = {each.lower() for each in call.body["label_ids"]}
        queue, case = self.lookup.queue(call), self.lookup.case(call)
        if queue.unlink(case, [label for label in case.labels if label.id in ids]):
            queue.cases.change(case, call.now)
        return json_response(200, {"success": True})


def _paged(labels: Sequence[Label], call: Call) -> Sequence[Label]:
    return labels[call.query["offset"] :][: call.query["limit"]]


def _find(queue: Queue, call: Call) -> Label:
    label = queue.labels.find(call.params["label_id"])
    if label is None:
        raise ApiError(404, "the queue has no such label")
    return label
