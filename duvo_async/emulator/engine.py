"""Plays the scripts of all runs, lazily: each step happens at its due time, seen or not."""

import heapq
import itertools
import logging
from collections.abc import Callable, Iterator

from attrs import define, field, frozen

from duvo_async.emulator.agents import Agent, Agents
from duvo_async.emulator.answers import Answer
from duvo_async.emulator.herald import Herald
from duvo_async.emulator.ids import Ids
from duvo_async.emulator.run_list import RunList
from duvo_async.emulator.runs import RESUMABLE, TERMINAL, HumanRequest, Run
from duvo_async.emulator.sandboxes import WORKSPACE, BadPathError, Sandbox
from duvo_async.emulator.script import (
    AskApproval,
    AskQuestions,
    CallTool,
    Finish,
    ListFiles,
    ReadFile,
    Say,
    Sleep,
    StartedRun,
    Step,
)

_EVENTS = {
    "completed": "run_completed",
    "failed": "run_failed",
    "interrupted": "run_interrupted",
}
_logger = logging.getLogger(__name__)


@frozen
class Start:
    """What a run is started with.

    Attributes:
        agent_id: The agent that is to run.
        message: The first message; None for none.
        sandbox: The run's files; None for none.
        webhook_url: Where its events go; None for nowhere.
        source: Who starts it.
        user_id: The person who starts it; None for none.
        case_id: The case that it is to work on; None for none.
        queue_id: The queue of that case.
        queue_name: The name of that queue.
        case_title: The title of that case.
    """

    agent_id: str
    message: str | None = None
    sandbox: Sandbox | None = None
    webhook_url: str | None = None
    source: str = "api"
    user_id: str | None = None
    case_id: str | None = None
    queue_id: str | None = None
    queue_name: str | None = None
    case_title: str | None = None


@define
class Engine:
    """All agents and runs, and what happens to them when.

    Attributes:
        herald: Where the runs' events go.
        ids: Where all ids come from.
        agents: The agents.
        run_list: The runs by the time of their creation.
        on_change: Is told of each run that takes a status, and when it does.
    """

    herald: Herald
    ids: Ids
    agents: Agents
    run_list: RunList = field(factory=RunList)
    on_change: Callable[[Run, float], None] = lambda _run, _at: None
    _runs: dict[str, Run | None] = field(factory=dict[str, Run | None])
    _queue: list[tuple[float, int, Run]] = field(factory=list[tuple[float, int, Run]])
    _count: Iterator[int] = field(factory=itertools.count)
    _due_listeners: set[str] = field(factory=set[str])

    def find_agent(self, agent_id: str) -> Agent | None:
        """The agent of that id; None when it never was or is deleted."""
        return self.agents.find(agent_id)

    def start(self, start: Start, now: float) -> Run | None:
        """Starts a run, which is `pending` until the next `advance`.

        None for an unknown agent, and for one without a live build.
        """
        agent = self.agents.find(start.agent_id)
        if agent is None or agent.live is None:
            return None
        agent.last_run_at = now
        number = len(self._runs) + 1
        run_id = self.ids.uuid("run", number)
        sandbox_id = None if start.sandbox is None else start.sandbox.id
        run = Run(
            id=run_id,
            number=number,
            agent=agent,
            build_id=agent.live.id,
            title=start.message[:80] if start.message else f"Run {number}",
            source=start.source,
            sandbox=start.sandbox,
            webhook_url=start.webhook_url,
            created_at=now,
            updated_at=now,
            play=agent.player(StartedRun(run_id, start.message, sandbox_id)),
            ids=self.ids,
            herald=self.herald,
            user_id=start.user_id,
            case_id=start.case_id,
            queue_id=start.queue_id,
            queue_name=start.queue_name,
            case_title=start.case_title,
        )
        if start.message is not None:
            run.add_prompt(start.message, now)
        self._runs[run_id] = run
        self.run_list.add(run)
        self._wake(run, now)
        return run

    def find(self, run_id: str) -> Run | None:
        """The run of that id; None when it never was or is deleted."""
        return self._runs.get(run_id)

    def is_deleted(self, run_id: str) -> bool:
        """Whether there was a run of that id and it was deleted."""
        return run_id in self._runs and self._runs[run_id] is None

    def delete(self, run_id: str) -> None:
        """Deletes a run.

        Raises:
            KeyError: There is no such run.
        """
        run = self._runs[run_id]
        if run is None:
            raise KeyError(run_id)
        self._rest(run)
        self.run_list.remove(run)
        self._runs[run_id] = None

    def advance(self, now: float) -> None:
        """Plays all that is due, in the order of its due time."""
        while (due := self.next_due()) is not None and due <= now:
            _, _, run = heapq.heappop(self._queue)
            is_first = run.started_at is None
            if is_first:
                run.started_at = due
            if run.status != "running":
                self._take_status(run, "running", due)
            if is_first:
                run.tell_status("run.started", due)
            self._play(run, due)

    def next_due(self) -> float | None:
        """When the next step is due, in Unix seconds; None when nothing is."""
        while self._queue and self._queue[0][2].turn != self._queue[0][1]:
            heapq.heappop(self._queue)  # it was stopped, deleted or resumed meanwhile
        return self._queue[0][0] if self._queue else None

    def has_due_listener(self) -> bool:
        """Whether a step is due of a run whose events someone hears."""
        return bool(self._due_listeners) or (self.herald.waits() and self.next_due() is not None)

    def respond(self, run: Run, request: HumanRequest, answer: Answer, now: float) -> None:
        """Answers the request that a run waits for."""
        request.response = answer.text
        request.responded_at = now
        run.tell("human_request.responded", now, request_id=request.id)
        self._resume(run, answer.value, now)

    def post_message(self, run: Run, text: str, now: float) -> dict[str, object]:
        """Adds a person's message, resumes the run if it can be, and gives the message."""
        message = run.add_prompt(text, now)
        if run.status in RESUMABLE:
            run.unacknowledged = text
            self._resume(run, text if run.pending is None else None, now)
        return message

    def stop(self, run: Run, now: float, status: str = "stopped") -> bool:
        """Stops a run, which ends with that status; False when it had ended already."""
        if run.status in TERMINAL:
            return False
        self._rest(run)
        self._take_status(run, status, now)
        return True

    def _resume(self, run: Run, result: object, now: float) -> None:
        self._take_status(run, "running", now)
        run.result = result
        self._wake(run, now)

    def _wake(self, run: Run, at: float) -> None:
        run.turn = next(self._count)
        heapq.heappush(self._queue, (at, run.turn, run))
        if run.webhook_url is not None:
            self._due_listeners.add(run.id)

    def _rest(self, run: Run) -> None:
        run.turn = None
        self._due_listeners.discard(run.id)

    def _play(self, run: Run, at: float) -> None:
        """Plays steps until one takes time, waits for a person or ends the run."""
        self._rest(run)
        goes_on = True
        while goes_on:
            try:
                step = run.play.send(run.result)
                run.unacknowledged = None
                run.result = None
                goes_on = self._perform(run, step, at)
            except StopIteration:
                self._exhaust(run, at)
                return
            except (BadPathError, FileNotFoundError) as error:
                self._fail(run, error, at)
                return
            except Exception as error:
                _logger.exception("the script of run %s raised", run.id)
                self._fail(run, error, at)
                return

    def _perform(self, run: Run, step: Step, at: float) -> bool:
        """Performs one step; whether the next one follows at once."""
        match step:
            case Sleep():
                self._wake(run, at + step.seconds)
            case AskApproval() | AskQuestions():
                request = run.ask(step, at)
                self.on_change(run, at)
                self.herald.tell_receiver(run.webhook_url, request.as_event(), at)
            case Finish():
                self._finish(run, step.status, at)
            case _:
                run.result = _perform_instantly(run, step, at)
                return True
        return False

    def _finish(self, run: Run, status: str, at: float) -> None:
        self._take_status(run, status, at)
        if status in _EVENTS:
            body = {"event": _EVENTS[status], "run_id": run.id, "status": status}
            self.herald.tell_receiver(run.webhook_url, body, at)

    def _take_status(self, run: Run, status: str, at: float) -> None:
        run.take_status(status, at)
        self.on_change(run, at)

    def _exhaust(self, run: Run, at: float) -> None:
        if run.unacknowledged is not None:
            run.add_text(f"Noted: {run.unacknowledged}", at)
            run.unacknowledged = None
        self._finish(run, "completed", at)

    def _fail(self, run: Run, error: Exception, at: float) -> None:
        run.add_text(f"The run failed: {error}", at)
        self._finish(run, "failed", at)


def _perform_instantly(run: Run, step: Step, at: float) -> object:
    """Performs a step that takes no time, and gives its result for the script."""
    files = run.sandbox or Sandbox(WORKSPACE, at)
    match step:
        case Say():
            run.add_text(step.text, at)
        case CallTool():
            run.add_tool_call(step, at)
        case ReadFile():
            return files.read(step.path)
        case ListFiles():
            return files.entries(step.path)
        case _:
            raise TypeError(f"{step!r} is no step of a script")
    return None
