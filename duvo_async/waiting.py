"""Waiting for runs: look again until they end, and bring a person's answer when they ask."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from random import random
from typing import Self, TypeAlias, TypeVar

from attrs import define

from duvo_async import _operations
from duvo_async._callbacks import invoke
from duvo_async._protocol import Call, Response, server_time
from duvo_async._schedule import poll_interval
from duvo_async._session import Session
from duvo_async.errors import (
    BadRequestError,
    ConflictError,
    HumanRequestPending,
    NotFoundError,
    RateLimitError,
    WaitTimeout,
)
from duvo_async.models import AnsweredHumanRequest, HumanAnswer, Run
from duvo_async.settings import check_seconds

_T = TypeVar("_T")

OnHumanRequest: TypeAlias = Callable[
    [HumanRequestPending], HumanAnswer | Awaitable[HumanAnswer | None] | None
]
"""Answers a run's request; None means "raise it". It may be asynchronous."""
OnUpdate: TypeAlias = Callable[[Run], object]
"""Is told of a run's new status. It may be asynchronous; what it returns does not matter."""

_REMEMBERED_ANSWERS = 10_000


@define
class _Wait:
    """One wait for one run.

    Attributes:
        run_id: The run.
        timeout: Seconds that the caller gives it. None for ever.
        deadline: When they are over, on the loop's clock. None for never.
        known: The run as the caller knew it. None when the caller knew its id.
        seen: The run as it was last read. None before the first time.
    """

    run_id: str
    timeout: float | None
    deadline: float | None
    known: Run | None
    seen: Run | None = None

    @classmethod
    def begin(cls, run: str | Run, timeout: float | None) -> Self:
        """Start the clock."""
        deadline = None if timeout is None else asyncio.get_running_loop().time() + timeout
        if isinstance(run, Run):
            return cls(run.id, timeout, deadline, run)
        return cls(run, timeout, deadline, None)

    def has_news(self, run: Run) -> bool:
        """Remember the run; tell whether it says something new."""
        before, self.seen = self.seen, run
        return before is None or _news(before) != _news(run)

    async def limited(self, work: Awaitable[_T]) -> _T:
        """Await something, until time is up."""
        scope = asyncio.timeout_at(self.deadline)
        try:
            async with scope:
                return await work
        except TimeoutError:
            if self.timeout is None or not scope.expired():
                raise
        # Raised outside of the handler: what was cut short would hang on it, down to aiohttp's
        # frames, which know the key.
        last = self.seen or self.known
        raise WaitTimeout(self.run_id, run=last, timeout=self.timeout)


def check_wait(timeout: float | None, **handlers: object) -> None:
    """Refuse what cannot be waited for, before anything is sent.

    Args:
        timeout: Seconds, or None.
        handlers: The functions to be called, by their arguments' names, or None.

    Raises:
        ValueError: The time is not positive.
        TypeError: It is no number, or a handler cannot be called.
    """
    if timeout is not None:
        check_seconds("timeout", timeout)
    for name, handler in handlers.items():
        if handler is not None and not callable(handler):
            raise TypeError(f"{name} must be a function, not {type(handler).__name__}")


def _news(run: Run) -> tuple[str, str | None]:
    return run.status, run.pending_human_request.id if run.pending_human_request else None


class Watcher:
    """Waits for the runs of one client.

    Args:
        session: Makes the calls.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        # Requests that this client answered: the API may show them for a moment longer.
        self._answered: dict[str, None] = {}

    async def wait(
        self,
        run: str | Run,
        *,
        timeout: float | None,
        on_human_request: OnHumanRequest | None,
        on_update: OnUpdate | None,
    ) -> Run:
        """Wait until a run ends (see `AsyncRuns.wait`)."""
        check_wait(timeout, on_human_request=on_human_request, on_update=on_update)
        waiting = _Wait.begin(run, timeout)
        return await waiting.limited(self._until_ended(waiting, on_human_request, on_update))

    async def _until_ended(
        self, waiting: _Wait, on_human_request: OnHumanRequest | None, on_update: OnUpdate | None
    ) -> Run:
        while True:
            current, age = await self._look(waiting.run_id)
            if waiting.has_news(current) and on_update is not None:
                await invoke(on_update, current)
            if current.is_terminal:
                return current
            if self._asks(current):
                await self._bring_answer(current, on_human_request)
            else:
                await asyncio.sleep(poll_interval(age, random))

    async def watch(
        self, run: str | Run, timeout: float | None
    ) -> AsyncGenerator[tuple[Run], None]:
        """Give a run each time that it says something new (see `AsyncRuns.watch`)."""
        waiting = _Wait.begin(run, timeout)
        # The time limit never spans a yield: the next step may be another task's.
        while True:
            current, age = await waiting.limited(self._look(waiting.run_id))
            if waiting.has_news(current):
                yield (current,)
            if current.is_terminal:
                return
            await waiting.limited(asyncio.sleep(poll_interval(age, random)))

    async def pause(self, run_id: str) -> bool:
        """Wait for as long as a run should be left alone.

        Returns:
            Whether the run had ended before.
        """
        run, age = await self._look(run_id)
        if not run.is_terminal:
            await asyncio.sleep(poll_interval(age, random))
        return run.is_terminal

    async def respond(
        self,
        run_id: str,
        request_id: str,
        *,
        approved: bool | None,
        answers: Mapping[str, str | Sequence[str]] | None,
        idempotency_key: str | None,
    ) -> AnsweredHumanRequest:
        """Answer a request, and remember that it was answered."""
        call = _operations.respond(
            self._session.routes,
            run_id,
            request_id,
            approved=approved,
            answers=answers,
            idempotency_key=idempotency_key,
        )

        def decode(response: Response) -> AnsweredHumanRequest:
            # It was answered, even should what the API says of it be unreadable.
            self._remember(request_id)
            return call.decode(response)

        return await self._session.call(Call(call.request, decode))

    def _remember(self, request_id: str) -> None:
        self._answered[request_id] = None
        if len(self._answered) > _REMEMBERED_ANSWERS:
            del self._answered[next(iter(self._answered))]

    def _asks(self, run: Run) -> bool:
        request = run.pending_human_request
        return request is not None and request.id not in self._answered

    async def _bring_answer(self, run: Run, on_human_request: OnHumanRequest | None) -> None:
        request = run.pending_human_request
        if request is None:
            raise AssertionError("asked for an answer to nothing")  # pragma: no cover
        pending = HumanRequestPending(run, request)
        answer = None if on_human_request is None else await invoke(on_human_request, pending)
        if answer is None:
            raise pending
        if not isinstance(answer, HumanAnswer):
            raise TypeError(
                "on_human_request must return request.approve(), request.deny(), "
                f"request.answer({{…}}) or None, not {answer!r}"
            )
        if not self._asks(run):
            return  # another wait of this client has answered meanwhile
        try:
            await self.answer(pending, answer)
        except (BadRequestError, NotFoundError, ConflictError):
            # Somebody else may have been faster. Then the run no longer asks this.
            now, _ = await self._look(run.id)
            if _news(now) == _news(run) and self._asks(now):
                raise

    async def answer(
        self,
        pending: HumanRequestPending | Run,
        answer: HumanAnswer,
        *,
        idempotency_key: str | None = None,
    ) -> AnsweredHumanRequest:
        """Send an answer to the request that it was made for (see `AsyncRuns.answer`)."""
        if not isinstance(pending, (HumanRequestPending, Run)):
            raise TypeError(
                f"pending must be a HumanRequestPending or a Run, not {type(pending).__name__}"
            )
        if not isinstance(answer, HumanAnswer):
            raise TypeError(
                "answer must be request.approve(), request.deny() or request.answer({…}), "
                f"not {answer!r}"
            )
        run = pending if isinstance(pending, Run) else pending.run
        request = run.pending_human_request if isinstance(pending, Run) else pending.request
        if request is None:
            raise ValueError(f"run {run.id} waits for nobody: it is {run.status}")
        if answer.request_id != request.id:
            raise ValueError(
                f"the answer is for request {answer.request_id}, but run {run.id} asks {request.id}"
            )
        return await self.respond(
            run.id,
            request.id,
            approved=answer.approved,
            answers=answer.answers,
            idempotency_key=idempotency_key,
        )

    async def _look(self, run_id: str) -> tuple[Run, float]:
        """Read a run and its age in seconds, by the server's clock."""
        get_run = _operations.get_run(self._session.routes, run_id)

        def decode(response: Response) -> tuple[Run, float]:
            run = get_run.decode(response)
            return run, (server_time(response.headers) - run.created_at).total_seconds()

        return await self.patiently(Call(get_run.request, decode))

    async def patiently(self, call: Call[_T]) -> _T:
        """Make a call that looks how a run is getting on.

        A 429 says that others spend the key's budget, which is no news of the run. The next look
        waits for its turn, unless the API asked for more patience than the retry policy has.
        """
        while True:
            try:
                return await self._session.call(call)
            except RateLimitError as error:
                if not self._session.retry.accepts(error.retry_after):
                    raise
            await asyncio.sleep(poll_interval(0, random))
