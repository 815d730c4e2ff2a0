"""Waiting for a budget that the processes of many machines share.

What one process may send by itself is decided first, then Redis is asked for all that may go, at
once. When Redis does not answer, each process goes by itself, narrowly, until it does.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextvars import Context
from math import inf

from duvo_async._pacing import Budget, Lane, margin_of
from duvo_async._protocol import Window
from duvo_async._redis.desk import MOST_TOLD, Asked, Desk
from duvo_async._redis.link import Link, LinkError
from duvo_async._redis.script import CODES, Ask, Kind, Report, Verdict, Wishes, code_of
from duvo_async._turns import Turns

_logger = logging.getLogger("duvo_async")
_TRY_AGAIN = 2.0
"""Seconds after which a Redis that did not answer is asked again, while anything is sent."""
_JITTER = 0.05
"""The most that is added to a poll's delay, so that no process is always the first to ask."""


class SharedTurns(Turns):
    """Gives requests their turn within a budget that is kept in Redis.

    Args:
        budget: What this process may send by itself.
        make_link: Makes a connection.
        place: Where Redis is, for the log.
        random: Gives numbers from 0 to 1.
        clock: The time that all processes have. None for Redis's own.
    """

    def __init__(
        self,
        budget: Budget,
        make_link: Callable[[], Link],
        place: str,
        random: Callable[[], float],
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(budget)
        self._make_link = make_link
        self._place = place
        self._random = random
        self._clock = clock
        self._desks: dict[asyncio.AbstractEventLoop, Desk] = {}
        self._processes = 1
        self._narrow_until = -inf
        self._failing = False
        self._answered_at = -inf
        self._held = [-inf] * CODES
        self._windows: dict[int, int] = {}

    @property
    def narrow(self) -> bool:
        """Whether this process goes by itself."""
        return self._narrow_until > -inf

    def take(self, lane: Lane, now: float) -> int:
        """Let a request be sent if it need not wait (see `Turns.take`)."""
        if not self.narrow:
            return 0  # Redis is asked first
        self._greet(now)
        return super().take(lane, now)

    async def wait(self, lane: Lane, *, hurried: bool = False) -> int:
        """Wait until a request may be sent (see `Turns.wait`)."""
        if self.narrow:
            self._greet(asyncio.get_running_loop().time())
        return await super().wait(lane, hurried=hurried)

    def release(self, number: int, window: Window | None = None, now: float = 0.0) -> None:
        """Say that a request has ended (see `Turns.release`)."""
        of = self._windows.pop(number, 0)
        if window is not None:
            self._report(Report(Kind.TOLD, of, window, now))
        elif of:
            self._report(Report(Kind.ENDED, of))
        super().release(number, window, now)

    def pause(self, seconds: float) -> None:
        """Send nothing for a while, in no process (see `Turns.pause`)."""
        super().pause(seconds)
        loop = asyncio.get_running_loop()
        if not self._failing and (desk := self._desks.get(loop)) is not None:
            desk.quiet_until, desk.greets = loop.time() + seconds, True
            self._begin(loop, desk)

    async def close(self) -> None:
        """Give back the connection of the running loop, when all is said."""
        desk = self._desks.pop(asyncio.get_running_loop(), None)
        if desk is None:
            return
        if desk.task is not None:
            await asyncio.wait([desk.task])
        await desk.link.close()

    def forget_others(self) -> None:
        """Begin anew after a fork (see `Turns.forget_others`)."""
        super().forget_others()
        for desk in self._desks.values():
            desk.link.forget()
        self._desks, self._windows = {}, {}

    def _agree(self) -> None:
        super()._agree()
        self._processes = self.budget.processes
        self._adapt()

    def _adapt(self) -> None:
        # Redis counts what the others send.
        self.budget.processes = self._processes if self.narrow else 1

    def _go(self, lane: Lane, now: float, *, hurried: bool) -> bool:
        return self.narrow and super()._go(lane, now, hurried=hurried)

    def _ask(self, lane: Lane, now: float, *, hurried: bool = False) -> float:
        held = self._held[code_of(lane, hurried=hurried)] - now
        if held > 0 and not self.narrow:
            return held
        return super()._ask(lane, now, hurried=hurried)

    def _grant(
        self,
        turn: "asyncio.Future[int]",
        lane: Lane,
        loop: asyncio.AbstractEventLoop,
        *,
        hurried: bool,
    ) -> None:
        if self.narrow:
            super()._grant(turn, lane, loop, hurried=hurried)
            return
        asked, its_loop = Asked(turn, self.budget.number, Ask(lane, hurried)), turn.get_loop()
        if its_loop is loop:
            self._put(loop, asked)
            return
        try:
            its_loop.call_soon_threadsafe(self._put, its_loop, asked)
        except RuntimeError:  # that loop has ended, and with it the one who waited
            self.budget.refund(asked.number)

    def _take_back(self, number: int) -> None:
        of, lane = self._windows.pop(number, 0), self.budget.refund(number)
        if of:
            self._report(Report(Kind.UNPOLLED if lane is Lane.POLL else Kind.UNSENT, of))

    def _put(self, loop: asyncio.AbstractEventLoop, asked: Asked) -> None:
        desk = self._desk(loop)
        desk.asked.append(asked)
        self._begin(loop, desk)

    def _report(self, report: Report) -> None:
        loop = asyncio.get_running_loop()
        desk = self._desks.get(loop)
        if desk is None:  # its last client was closed: what it sent is forgotten in a while
            return
        if not self._failing:
            desk.reports.append(report)
            self._begin(loop, desk)
        elif report.window and len(desk.reports) < MOST_TOLD:
            desk.reports.append(report)  # Redis may still know that it was sent

    def _desk(self, loop: asyncio.AbstractEventLoop) -> Desk:
        desk = self._desks.get(loop)
        if desk is None:
            for other in [each for each in self._desks if each.is_closed()]:
                del self._desks[other]
            desk = self._desks[loop] = Desk(self._make_link())
        return desk

    def _greet(self, now: float) -> None:
        """See whether Redis is back, when it is time to."""
        if now >= self._narrow_until:
            self._narrow_until = now + _TRY_AGAIN
            loop = asyncio.get_running_loop()
            desk = self._desk(loop)
            desk.greets = True
            self._begin(loop, desk)

    def _begin(self, loop: asyncio.AbstractEventLoop, desk: Desk) -> None:
        if desk.task is None:
            desk.task = loop.create_task(
                self._talk(loop, desk), name="duvo-async budget", context=Context()
            )

    async def _talk(self, loop: asyncio.AbstractEventLoop, desk: Desk) -> None:
        try:
            while desk.has_to_ask or (desk.reports and not self._failing):
                asked, desk.asked = desk.asked, []
                now, clock = loop.time(), None if self._clock is None else self._clock()
                try:
                    said = await desk.ask(asked, self._wishes(now), now, clock)
                except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever
                    self._fall(loop, asked, error)
                else:
                    self._heed(loop, asked, said)
                if not self._clients:  # the last one was closed while some of its calls waited
                    await desk.link.close()
        finally:
            desk.task = None

    def _wishes(self, now: float) -> Wishes:
        return Wishes(
            reserve=self.budget.reserve,
            share=self.budget.share,
            margin=margin_of(self._processes),
            starts_wait=bool(self._lines[Lane.START]),
            away=now - self._answered_at if self._answered_at > -inf else -1.0,
        )

    def _fall(
        self, loop: asyncio.AbstractEventLoop, asked: Sequence[Asked], error: Exception
    ) -> None:
        """Go by oneself from here on."""
        failed_before, self._failing = self._failing, True
        if not failed_before:
            why = str(error) if isinstance(error, LinkError) else type(error).__name__
            _logger.warning(
                "the Redis at %s, which keeps the key's budget, cannot be asked (%s): until it "
                "can, this process sends as one of %d that know nothing of each other",
                self._place,
                why,
                self._processes,
            )
        now = loop.time()
        if self._answered_at == -inf:
            self._answered_at = now  # what is sent from here on, Redis does not know
        with self._lock:
            self._narrow(now + _TRY_AGAIN)
            self._return(asked)
            self._admit(loop)

    def _heed(self, loop: asyncio.AbstractEventLoop, asked: Sequence[Asked], said: Verdict) -> None:
        """Do as Redis says."""
        if self._failing:
            self._failing = False
            _logger.info("the Redis at %s answers again", self._place)
        now = self._answered_at = loop.time()
        with self._lock:
            self._narrow(now + said.narrow if said.narrow else -inf)
            left, back = list(said.granted), list[Asked]()
            for each in asked:
                if left[each.ask.code] < 1:
                    back.append(each)
                    continue
                left[each.ask.code] -= 1
                self._windows[each.number] = said.window
                if each.turn.done():  # it was cancelled meanwhile
                    self._take_back(each.number)
                else:
                    each.turn.set_result(each.number)
            for code, wait in enumerate(said.waits):
                if wait:
                    late = _JITTER * self._random() if code >= Lane.POLL else 0.0
                    self._held[code] = now + wait + late
            self._return(back)
            self._admit(loop)

    def _narrow(self, until: float) -> None:
        self._narrow_until = until
        self._adapt()

    def _return(self, asked: Sequence[Asked]) -> None:
        """Let those wait on, before all others, who cannot go yet."""
        for each in reversed(asked):
            self.budget.refund(each.number)
            if not each.turn.done():
                line = self._lines[each.ask.lane]
                line[each.turn] = each.ask.hurried
                line.move_to_end(each.turn, last=False)
