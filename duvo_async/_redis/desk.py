"""What one event loop has to tell Redis, and to ask it: all of it at once."""

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Final

from attrs import define, evolve, field

from duvo_async._redis.link import Link
from duvo_async._redis.script import Ask, Report, Verdict, Wishes, verdict, words

if TYPE_CHECKING:
    import asyncio

MOST_TOLD: Final = 500
"""Reports in one question, and those that are kept for a Redis that does not answer."""


@define(eq=False)
class Asked:
    """A request that may go as far as this process is concerned.

    Attributes:
        turn: Waits.
        number: Its number.
        ask: What Redis is asked for.
    """

    turn: "asyncio.Future[int]"
    number: int
    ask: Ask


@define(eq=False)
class Desk:
    """What is to be said.

    Attributes:
        link: Leads to Redis.
        asked: Those who ask.
        reports: What became of requests.
        quiet_until: Until when nothing should be sent, on the loop's clock.
        greets: Whether Redis is to be asked even if there is nothing to ask.
        task: Asks. None when there is nothing to say.
    """

    link: Link
    asked: list[Asked] = field(factory=list[Asked])
    reports: list[Report] = field(factory=list[Report])
    quiet_until: float = -inf
    greets: bool = False
    task: "asyncio.Task[None] | None" = None

    @property
    def has_to_ask(self) -> bool:
        """Whether there is more than what became of requests."""
        return bool(self.asked or self.greets)

    async def ask(
        self, asked: Sequence[Asked], wishes: Wishes, now: float, clock: float | None
    ) -> Verdict:
        """Say all, and hear what Redis decides. What could not be said is not said again.

        Args:
            asked: Those who ask.
            wishes: What the process wants.
            now: The loop's time.
            clock: The time that all processes have. None for Redis's own.

        Raises:
            LinkError: Redis cannot be asked.
            ValueError: Its answer cannot be read.
        """
        # Whether a question that failed was heard is not known: to repeat it might count twice.
        reports, self.reports = self.reports[:MOST_TOLD], self.reports[MOST_TOLD:]
        wishes = evolve(wishes, quiet=max(0.0, self.quiet_until - now))
        self.quiet_until, self.greets = -inf, False
        asks = [each.ask for each in asked]
        return verdict(await self.link.ask(words(wishes, asks, reports, now, clock)))
