"""All operations on queues, their cases and the triggers that have them worked off."""

from duvo_async.emulator.bulk_operations import BulkOperations
from duvo_async.emulator.case_desk import CaseDesk
from duvo_async.emulator.case_operations import CaseOperations
from duvo_async.emulator.label_operations import LabelOperations
from duvo_async.emulator.queue_lookup import QueueLookup
from duvo_async.emulator.queue_operations import QueueOperations
from duvo_async.emulator.routing import Route
from duvo_async.emulator.trigger_operations import TriggerOperations


def case_routes(desk: CaseDesk) -> tuple[Route, ...]:
    """Where they are found."""
    lookup = QueueLookup(desk.queues)
    return (
        *QueueOperations(desk, lookup).routes(),
        *LabelOperations(lookup).routes(),
        *CaseOperations(desk, lookup).routes(),
        *BulkOperations(desk, lookup).routes(),
        *TriggerOperations(desk, lookup).routes(),
    )
