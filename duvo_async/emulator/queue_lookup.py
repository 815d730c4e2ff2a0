"""Finds the queues and cases that paths name."""

from attrs import frozen

from duvo_async.emulator.cases import Case
from duvo_async.emulator.exchange import ApiError
from duvo_async.emulator.queues import Queue, Queues
from duvo_async.emulator.routing import Call


@frozen
class QueueLookup:
    """Finds what a call's path names, or refuses the call.

    Attributes:
        queues: The queues and their cases.
    """

    queues: Queues

    def queue(self, call: Call) -> Queue:
        """The queue of the path.

        Raises:
            ApiError: 404 when there is none.
        """
        return self.queue_of(call.params["queue_id"])

    def queue_of(self, queue_id: str) -> Queue:
        """The queue of an id.

        Raises:
            ApiError: 404 when there is none.
        """
        queue = self.queues.find(queue_id.lower())
        if queue is None:
            raise ApiError(404, "there is no such queue")
        return queue

    def case(self, call: Call) -> Case:
        """The case of the path; when that names a queue, too, it is one of this queue.

        Raises:
            ApiError: 404 when there is none.
        """
        case = self.queues.find_case(call.params["case_id"])
        if case is None or call.params.get("queue_id", case.queue_id) != case.queue_id:
            raise ApiError(404, "there is no such case")
        return case
