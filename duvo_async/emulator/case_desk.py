"""Has the agents' runs work off the queues: what is claimed, settled and taken back when."""

from collections.abc import Iterable, Sequence

from attrs import define, field

from duvo_async.emulator.cases import Case, CaseEntry, CaseEvent
from duvo_async.emulator.engine import Engine, Start
from duvo_async.emulator.queues import CaseDraft, Queue, Queues
from duvo_async.emulator.runs import TERMINAL, HumanRequest, Run
from duvo_async.emulator.teams import Teams
from duvo_async.emulator.triggers import Trigger, Triggers

_EVENTS = {"claimed": "queue.case.claimed", "completed": "queue.case.completed"}


@define
class _Claim:
    """A case in the hands of a live run."""

    queue: Queue
    case: Case
    trigger: Trigger
    run: Run
    request: HumanRequest | None = None


@define
class CaseDesk:
    """Gives the cases that wait to new runs and follows those.

    Attributes:
        engine: The runs.
        queues: The cases.
        triggers: Which agents work off which queues.
    """

    engine: Engine
    queues: Queues
    triggers: Triggers
    _claims: dict[str, _Claim] = field(factory=dict[str, _Claim])
    _due: dict[str, float] = field(factory=dict[str, float])
    _stuck: set[str] = field(factory=set[str])

    def __attrs_post_init__(self) -> None:
        """Has the engine tell of every change of a run."""
        self.engine.on_change = self._follow

    def advance(self, now: float) -> None:
        """Plays all that is due, in the order of its due time; what ends makes room at once."""
        while self._stuck:  # the agent may have a live build by now
            self._due.setdefault(self._stuck.pop(), now)
        while (due := self.next_due()) is not None and due <= now:
            self._claim_due(due)
            self.engine.advance(due)

    def next_due(self) -> float | None:
        """When something is due next, in Unix seconds; None when nothing is."""
        dues = (self.engine.next_due(), *self._due.values())
        return min((due for due in dues if due is not None), default=None)

    def has_due_listener(self) -> bool:
        """Whether something is due of which someone hears."""
        return self.engine.has_due_listener() or (bool(self._due) and self.engine.herald.waits())

    def add(self, queue: Queue, drafts: Iterable[CaseDraft], now: float) -> list[Case]:
        """Makes cases, which are pending until the next advance."""
        cases = [self.queues.add_case(queue, draft, now) for draft in drafts]
        for case in cases:
            self._tell("queue.case.created", case, now)
        self.wake(queue, now)
        return cases

    def wake(self, queue: Queue, now: float) -> None:
        """Has the cases of a queue be claimed at the next advance: there is something new."""
        self._due.setdefault(queue.id, now)

    def reset(
        self, queue: Queue, case: Case, event: CaseEvent, agent_id: str | None = None
    ) -> None:
        """Has a case wait for a run, from now on or anew.

        Args:
            queue: Its queue.
            case: The case, which no live run has.
            event: What its history is to tell of this.
            agent_id: The agent that is to run it; None for any of its queue's.
        """
        case.assignee = agent_id
        self._change(queue, case, event, "pending")
        queue.waiting.add(case)
        self.wake(queue, event.at)

    def settle(self, queue: Queue, case: Case, event: CaseEvent, state: str) -> None:
        """Ends a case by a person's word.

        Args:
            queue: Its queue.
            case: The case, which no live run has.
            event: What its history is to tell of this.
            state: `completed` or `failed`.
        """
        queue.waiting.remove(case)
        self._change(queue, case, event, state)

    def interrupt(
        self, cases: Iterable[Case], now: float, *, keeps_requests: bool = False
    ) -> list[str]:
        """Interrupts the live runs that have these cases, and gives the ids of the runs.

        Args:
            cases: The cases.
            now: When it happens.
            keeps_requests: Whether a person may still answer what such a run asked for.
        """
        interrupted: list[str] = []
        for case in cases:
            if case.run is None:
                continue
            claim = self._claims.pop(case.run.id, None)
            if claim is not None:
                self._release(claim, now)
                request = claim.run.pending if keeps_requests else None
                self.engine.stop(claim.run, now, "interrupted")
                claim.run.pending = request
                interrupted.append(claim.run.id)
            case.run = case.claimed_at = None
        return interrupted

    def remove(self, queue: Queue, cases: Sequence[Case], now: float) -> list[str]:
        """Deletes cases and interrupts the live runs that have them, and gives those runs' ids."""
        interrupted = self.interrupt(cases, now)
        for case in reversed(cases):  # what is last in a list leaves it fastest
            self.queues.remove_case(queue, case)
        return interrupted

    def remove_queue(self, queue: Queue, now: float) -> list[str]:
        """Deletes a queue with all that it has, and gives the ids of the runs interrupted."""
        interrupted = self.remove(queue, queue.cases.all(), now)
        for trigger in self.triggers.of_queue(queue.id):
            self.triggers.remove(trigger)
        self.queues.remove(queue)
        self._due.pop(queue.id, None)
        return interrupted

    def cases(self, queue_id: str) -> tuple[CaseEntry, ...]:
        """The cases of a queue as they stand, oldest first.

        Raises:
            KeyError: There is no such queue.
        """
        queue = self.queues.find(queue_id)
        if queue is None:
            raise KeyError(queue_id)
        return tuple(case.as_entry() for case in queue.cases.all())

    def lose(self, run_id: str, now: float) -> None:
        """Fails the case of a run that is no more, if it has one."""
        claim = self._claims.pop(run_id, None)
        if claim is not None:
            self._end(claim, "failed", "the run was deleted", now)
            claim.case.run = None

    def _claim_due(self, now: float) -> None:
        for queue_id in [queue_id for queue_id, due in self._due.items() if due <= now]:
            at = self._due.pop(queue_id)
            triggers = self.triggers.of_queue(queue_id)
            while triggers:  # each in its turn, so that they share the cases
                triggers = [each for each in triggers if self._claim_next(each, at)]

    def _claim_next(self, trigger: Trigger, at: float) -> bool:
        """Starts a run with the case that comes first; False when there is none or no room."""
        if trigger.is_full:
            return False
        queue = trigger.queue
        case = queue.waiting.take(trigger.agent.id, unassigned=trigger.enabled)
        if case is None:
            return False
        run = self.engine.start(_start(trigger.agent.id, queue, case), at)
        if run is None:  # the agent has no live build
            queue.waiting.add(case)
            self._stuck.add(queue.id)
            return False
        self._claims[run.id] = _Claim(queue, case, trigger, run)
        trigger.live += 1
        case.run, case.claimed_at = run, at
        self._change(queue, case, CaseEvent("claimed", at, run), "in_progress")
        return True

    def _follow(self, run: Run, at: float) -> None:
        """Takes a case to where its run is."""
        claim = self._claims.get(run.id)
        if claim is None:
            return
        if run.status in TERMINAL:
            del self._claims[run.id]
            if run.status == "completed":
                self._end(claim, "completed", None, at)
            else:
                self._end(claim, "failed", f"the run ended as {run.status}", at)
        elif run.status == "waiting":
            claim.request = run.pending
            event = CaseEvent("needs_input", at, run, run.pending)
            self._change(claim.queue, claim.case, event, "needs_input")
        elif claim.case.state != "in_progress":
            event = CaseEvent("resumed", at, run, claim.request)
            self._change(claim.queue, claim.case, event, "in_progress")

    def _end(self, claim: _Claim, state: str, reason: str | None, at: float) -> None:
        self._release(claim, at)
        self._change(claim.queue, claim.case, CaseEvent(state, at, claim.run, reason=reason), state)

    def _release(self, claim: _Claim, at: float) -> None:
        claim.trigger.live -= 1
        self.wake(claim.trigger.queue, at)

    def _change(self, queue: Queue, case: Case, event: CaseEvent, state: str) -> None:
        case.events.append(event)
        case.completed_at = event.at if state == "completed" else None
        queue.cases.change(case, event.at, state)
        if event.type in _EVENTS:
            self._tell(_EVENTS[event.type], case, event.at)

    def _tell(self, event: str, case: Case, at: float) -> None:
        self.engine.herald.tell(event, at, case_id=case.id, queue_id=case.queue_id)


def _start(agent_id: str, queue: Queue, case: Case) -> Start:
    return Start(
        agent_id,
        f"{case.title}\n\n{case.data}" if case.data else case.title,
        source="case_queue",
        case_id=case.id,
        queue_id=queue.id,
        queue_name=queue.name,
        case_title=case.title,
    )


def make_desk(engine: Engine, teams: Teams) -> CaseDesk:
    """Makes the desk of a team that has no queues yet."""
    queues = Queues(engine.ids, teams.own.id, teams.user)
    return CaseDesk(engine, queues, Triggers(engine.ids, teams.user, engine.find_agent))
