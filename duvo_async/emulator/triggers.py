"""Case triggers: which agent works off which queue, and how the API shows it."""

from collections.abc import Callable, Iterable, Mapping

from attrs import define, field

from duvo_async.emulator.agents import Agent
from duvo_async.emulator.exchange import timestamp
from duvo_async.emulator.ids import Ids
from duvo_async.emulator.queues import Queue
from duvo_async.emulator.teams import User


@define(eq=False)
class Trigger:
    """A case trigger. Times are in Unix seconds.

    Attributes:
        id: The trigger's id.
        agent: The agent that it starts.
        queue: The queue whose cases it claims.
        user: The person who created it.
        enabled: Whether it claims any case; else only those that are assigned to its agent.
        concurrency: How many of its runs may be live at a time; None for any number.
        created_at: When it was created.
        updated_at: When it last changed.
        live: How many of its runs are live.
    """

    id: str
    agent: Agent
    queue: Queue
    user: User
    enabled: bool
    concurrency: int | None
    created_at: float
    updated_at: float
    live: int = 0

    @property
    def is_full(self) -> bool:
        """Whether it may start no more runs for now."""
        return self.concurrency is not None and self.live >= self.concurrency

    def as_shown(self, rivals: Iterable[Agent]) -> Mapping[str, object]:
        """How the API shows it.

        Args:
            rivals: The other agents that claim cases of its queue.
        """
        return {
            "id": self.id,
            "agent_id": self.agent.id,
            "case_queue_id": self.queue.id,
            "case_queue_name": self.queue.name,
            "user_id": self.user.id,
            "enabled": self.enabled,
            "concurrency": self.concurrency,
            "created_at": timestamp(self.created_at),
            "updated_at": timestamp(self.updated_at),
            "creator_display_name": self.user.name,
            "can_disable": True,
            **show_conflict(rivals),
        }

    def as_consumer(self, *, has_rivals: bool) -> Mapping[str, object]:
        """How the API shows its agent among those of its queue."""
        limit = {} if self.concurrency is None else {"concurrency_limit": self.concurrency}
        return {
            "agent_id": self.agent.id,
            "agent_name": self.agent.name,
            "case_trigger_enabled": self.enabled,
            "is_handover_target": False,
            "problems": ["multiple_triggers"] if has_rivals else [],
            **limit,
            "at_concurrency_limit": self.is_full,
        }


def show_conflict(rivals: Iterable[Agent]) -> Mapping[str, object]:
    """How the API shows that other agents claim cases of the same queue, or that none do."""
    agents = [{"id": agent.id, "name": agent.name} for agent in rivals]
    return {"has_conflict": bool(agents), "conflicting_agents": agents}


@define
class Triggers:
    """All case triggers, one for an agent at most.

    Attributes:
        ids: Where their ids come from.
        user: The person who creates them.
        find_agent: Gives the agent of an id; None when it is deleted.
    """

    ids: Ids
    user: User
    find_agent: Callable[[str], Agent | None]
    _by_agent: dict[str, Trigger] = field(factory=dict[str, Trigger])
    _made: int = 0

    def of_agent(self, agent_id: str) -> Trigger | None:
        """The trigger of an agent; None when it has none."""
        return self._by_agent.get(agent_id)

    def of_queue(self, queue_id: str) -> list[Trigger]:
        """The triggers of a queue, oldest first, without those of agents that are deleted."""
        for trigger in tuple(self._by_agent.values()):
            if self.find_agent(trigger.agent.id) is None:
                self.remove(trigger)
        return [each for each in self._by_agent.values() if each.queue.id == queue_id]

    def rivals(self, agent_id: str, queue_id: str) -> list[Agent]:
        """The agents other than this one that claim cases of a queue by themselves."""
        others = [each for each in self.of_queue(queue_id) if each.agent.id != agent_id]
        return [each.agent for each in others if each.enabled]

    def create(
        self, agent: Agent, queue: Queue, now: float, *, enabled: bool, concurrency: int | None
    ) -> Trigger:
        """Makes the trigger of an agent that has none."""
        trigger_id = self.ids.uuid("case trigger", self._made)
        self._made += 1
        trigger = Trigger(trigger_id, agent, queue, self.user, enabled, concurrency, now, now)
        self._by_agent[agent.id] = trigger
        return trigger

    def remove(self, trigger: Trigger) -> None:
        """Leaves out a trigger; its live runs go on."""
        self._by_agent.pop(trigger.agent.id, None)
