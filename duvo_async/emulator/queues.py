"""The queues and their cases, by their ids."""

from collections.abc import Collection, Mapping

from attrs import define, field, frozen

from duvo_async.emulator.case_list import CaseList
from duvo_async.emulator.cases import Case, CaseEvent
from duvo_async.emulator.exchange import timestamp
from duvo_async.emulator.ids import Ids
from duvo_async.emulator.labels import Label, Labels
from duvo_async.emulator.teams import User
from duvo_async.emulator.waiting_cases import WaitingCases


@frozen
class CaseDraft:
    """A case that is to be created.

    Attributes:
        title: Its title.
        data: Its data.
        priority: Its priority.
        labels: Its labels, each a key and a value.
    """

    title: str
    data: str = ""
    priority: str = "none"
    labels: tuple[tuple[str, str], ...] = ()


@define(eq=False)
class Queue:
    """One queue.

    Attributes:
        id: The queue's id.
        team_id: Its team.
        name: Its name.
        description: What it is for; None for nothing.
        folder_id: The folder that it is in; None for none.
        automation_id: The automation that it belongs to; None for none.
        created_at: When it was created, in Unix seconds.
        labels: Its labels.
        cases: Its cases.
        waiting: Those of its cases that wait for a run.
    """

    id: str
    team_id: str
    name: str
    description: str | None
    folder_id: str | None
    automation_id: str | None
    created_at: float
    labels: Labels
    cases: CaseList = field(factory=CaseList)
    waiting: WaitingCases = field(factory=WaitingCases)

    def as_shown(self) -> Mapping[str, object]:
        """How the API shows it."""
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "folder_id": self.folder_id,
            "automation_id": self.automation_id,
            "team_id": self.team_id,
            "created_at": timestamp(self.created_at),
            "has_approvals": False,
        }

    def link(self, case: Case, named: tuple[tuple[str, str], ...]) -> bool:
        """Gives a case labels, of which missing ones are made; whether that changed the case."""
        labels = [self.labels.ensure(key, value) for key, value in named]
        new = [label for label in dict.fromkeys(labels) if label not in case.labels]
        for label in new:
            label.case_count += 1
        case.labels = (*case.labels, *new)
        return bool(new)

    def unlink(self, case: Case, labels: Collection[Label]) -> bool:
        """Takes labels from a case; whether that changed the case."""
        gone = [label for label in case.labels if label in labels]
        for label in gone:
            label.case_count -= 1
        case.labels = tuple(label for label in case.labels if label not in labels)
        return bool(gone)

    def remove_label(self, label: Label, now: float) -> None:
        """Leaves out a label, and takes it from all its cases."""
        self.labels.remove(label)
        for case in self.cases.all() if label.case_count else ():
            if self.unlink(case, (label,)):
                self.cases.change(case, now)


@define
class Queues:
    """All queues and cases.

    Attributes:
        ids: Where their ids come from.
        team_id: The team that has them.
        user: The person who creates the cases.
    """

    ids: Ids
    team_id: str
    user: User
    _queues: dict[str, Queue] = field(factory=dict[str, Queue])
    _cases: dict[str, Case] = field(factory=dict[str, Case])
    _queues_made: int = 0
    _cases_made: int = 0

    def all(self) -> list[Queue]:
        """All queues, oldest first."""
        return list(self._queues.values())

    def find(self, queue_id: str) -> Queue | None:
        """The queue of that id; None when there is none."""
        return self._queues.get(queue_id)

    def find_case(self, case_id: str) -> Case | None:
        """The case of that id, in whatever queue; None when there is none."""
        return self._cases.get(case_id)

    def is_taken(self, name: str) -> bool:
        """Whether a queue has that name."""
        return any(queue.name == name for queue in self._queues.values())

    def create(
        self,
        name: str,
        now: float,
        *,
        description: str | None = None,
        folder_id: str | None = None,
        automation_id: str | None = None,
    ) -> Queue:
        """Makes an empty queue."""
        number = self._queues_made
        self._queues_made += 1
        queue_id, labels = self.ids.uuid("queue", number), Labels(self.ids, number)
        queue = Queue(
            queue_id, self.team_id, name, description, folder_id, automation_id, now, labels
        )
        self._queues[queue_id] = queue
        return queue

    def remove(self, queue: Queue) -> None:
        """Leaves out a queue without cases."""
        del self._queues[queue.id]

    def add_case(self, queue: Queue, draft: CaseDraft, now: float) -> Case:
        """Makes a case, which waits for a run."""
        number = self._cases_made
        self._cases_made += 1
        case_id = self.ids.uuid("case", number)
        case = Case(
            id=case_id,
            number=number,
            queue_id=queue.id,
            title=draft.title,
            data=draft.data,
            priority=draft.priority,
            creator=self.user,
            created_at=now,
            updated_at=now,
            events=[CaseEvent("created", now, user=self.user)],
        )
        queue.link(case, draft.labels)
        queue.cases.add(case)
        queue.waiting.add(case)
        self._cases[case_id] = case
        return case

    def remove_case(self, queue: Queue, case: Case) -> None:
        """Leaves out a case."""
        queue.unlink(case, case.labels)
        queue.waiting.remove(case)
        queue.cases.remove(case)
        del self._cases[case.id]
