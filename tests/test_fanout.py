"""Many runs at once, on virtual time: in memory, and over sockets where they matter."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextvars import ContextVar
from random import Random
from typing import Any

import pytest
from attrs import define, field

from duvo_async import (
    APIError,
    AsyncDuvo,
    ClientClosedError,
    ConfigurationError,
    Duvo,
    HumanAnswer,
    HumanRequestPending,
    NotFoundError,
    RetryPolicy,
    Run,
    RunFailed,
    RunOutcome,
    WaitTimeout,
)
from duvo_async._pacing import Budget
from duvo_async._protocol import Request, Response
from duvo_async._transport import TransportError
from duvo_async.emulator import AskApproval, Emulator, Finish, Say, Sleep, StartedRun, Step
from tests.support.in_memory import client_of
from tests.support.virtual_time import VirtualTimeLoop, wall_clock

pytestmark = pytest.mark.anyio
MISSING = "550e8400-e29b-41d4-a716-446655440000"


@pytest.fixture
async def core() -> AsyncIterator[Emulator]:
    """An emulator whose sockets nobody uses."""
    async with Emulator(clock=wall_clock, seed=1) as emulator:
        yield emulator


@pytest.fixture
async def fan(core: Emulator) -> AsyncIterator[AsyncDuvo]:
    """A client of it, in memory."""
    async with client_of(core) as client:
        yield client


def now() -> float:
    return asyncio.get_running_loop().time()


def sleeper(run: StartedRun) -> Generator[Step, Any, None]:
    """Sleep for as many seconds as the message says."""
    yield Sleep(float(run.message or 0))


def starts(emulator: Emulator) -> int:
    return sum(
        (request.method, request.path, request.status) == ("POST", "/v1/runs", 201)
        for request in emulator.requests
    )


def stops(emulator: Emulator) -> int:
    return sum(request.path.endswith("/stop") for request in emulator.requests)


# --- map -----------------------------------------------------------------------------------------


async def test_map_gives_an_outcome_for_each_message_as_they_end(
    core: Emulator, fan: AsyncDuvo
) -> None:
    agent = core.add_agent(sleeper)
    outcomes = [each async for each in fan.runs.map(agent, ["300", "100", "200"])]
    assert [each.index for each in outcomes] == [1, 2, 0]
    assert all(each.succeeded and each.run_id == each.run.id for each in outcomes if each.run)
    assert {each.raise_for_status().status for each in outcomes} == {"completed"}


async def test_messages_may_come_from_anywhere(core: Emulator, fan: AsyncDuvo) -> None:
    async def arriving() -> AsyncIterator[str | None]:
        for seconds in range(3):
            await asyncio.sleep(50)
            yield str(seconds)
        yield None

    agent = core.add_agent(sleeper)
    for messages in (iter(["0", "1", "2", None]), arriving(), ("0", "1", "2", None)):
        indices = [each.index async for each in fan.runs.map(agent, messages)]
        assert sorted(indices) == [0, 1, 2, 3]


async def test_messages_are_read_as_they_are_needed(core: Emulator, fan: AsyncDuvo) -> None:
    read: list[int] = []

    def endless() -> Iterator[str]:
        number = 0
        while True:
            read.append(number)
            yield "10"
            number += 1

    agent = core.add_agent(sleeper)
    outcomes = fan.runs.map(agent, endless(), max_outstanding=5).pages()
    for _ in range(10):
        await anext(outcomes)
    await outcomes.aclose()
    assert starts(core) <= len(read) <= starts(core) + 1
    assert len(read) <= 5 * 11


async def test_max_outstanding_is_kept(core: Emulator, fan: AsyncDuvo) -> None:
    running: list[int] = []
    most = [0]

    def counted(_: StartedRun) -> Generator[Step, Any, None]:
        running.append(1)
        most[0] = max(most[0], len(running))
        yield Sleep(30)
        running.pop()

    agent = core.add_agent(counted)
    outcomes = [each async for each in fan.runs.map(agent, ["x"] * 25, max_outstanding=4)]
    assert len(outcomes) == 25
    assert most == [4]


async def test_a_start_that_fails_is_an_outcome(core: Emulator, fan: AsyncDuvo) -> None:
    agent = core.add_agent(sleeper)
    messages: list[Any] = ["10", "", "20", 7]
    outcomes = {each.index: each async for each in fan.runs.map(agent, messages)}
    assert outcomes[0].succeeded
    assert outcomes[2].succeeded
    assert isinstance(outcomes[1].error, ValueError)
    assert isinstance(outcomes[3].error, TypeError)
    assert outcomes[1].run_id is None
    with pytest.raises(ValueError, match="message"):
        outcomes[1].raise_for_status()


async def test_an_unknown_agent_is_an_outcome_each(fan: AsyncDuvo) -> None:
    outcomes = [each async for each in fan.runs.map(MISSING, ["1", "2"])]
    assert [type(each.error) for each in outcomes] == [NotFoundError] * 2


async def test_messages_that_break_are_raised_after_the_outcomes(
    core: Emulator, fan: AsyncDuvo
) -> None:
    def breaking() -> Iterator[str]:
        yield "10"
        yield "20"
        raise LookupError("the file is gone")

    outcomes = fan.runs.map(core.add_agent(sleeper), breaking()).pages()
    assert [each.index for each in (*await anext(outcomes), *await anext(outcomes))] == [0, 1]
    with pytest.raises(LookupError, match="the file is gone"):
        await anext(outcomes)


async def test_keys_start_each_input_once(core: Emulator, fan: AsyncDuvo) -> None:
    agent = core.add_agent(sleeper)
    ids: set[str | None] = set()
    for _ in range(2):
        keys = (f"batch-{number}" for number in range(3))
        runs = fan.runs.map(agent, ["10"] * 3, idempotency_keys=keys)
        ids |= {each.run_id async for each in runs}
    assert len(ids) == 3
    asked = {request.idempotency_key for request in core.requests if request.method == "POST"}
    assert asked == {"batch-0", "batch-1", "batch-2"}


async def test_keys_must_be_as_many_as_the_messages(core: Emulator, fan: AsyncDuvo) -> None:
    agent = core.add_agent(sleeper)
    outcomes = fan.runs.map(agent, ["1", "2"], idempotency_keys=["one"]).pages()
    assert [each.index for each in await anext(outcomes)] == [0]
    with pytest.raises(ValueError, match="idempotency_keys ended after 1"):
        await anext(outcomes)


@pytest.mark.parametrize(
    ("error", "arguments"),
    [
        (TypeError, {"messages": "one message"}),
        (TypeError, {"messages": 7}),
        (TypeError, {"messages": ["x"], "idempotency_keys": "key"}),
        (TypeError, {"messages": ["x"], "max_outstanding": 2.0}),
        (ValueError, {"messages": ["x"], "max_outstanding": 0}),
        (ValueError, {"messages": ["x"], "timeout": 0}),
        (ValueError, {"messages": ["x"], "sandbox_id": ""}),
        (ValueError, {"agent_id": "", "messages": ["x"]}),
        (TypeError, {"messages": ["x"], "on_human_request": "yes"}),
    ],
)
async def test_wrong_arguments_fail_before_anything_is_sent(
    error: type[Exception], arguments: dict[str, Any], core: Emulator, fan: AsyncDuvo
) -> None:
    with pytest.raises(error):
        fan.runs.map(**{"agent_id": core.demo_agent_id, **arguments})
    assert not core.requests


async def test_no_run_is_needed(core: Emulator, fan: AsyncDuvo) -> None:
    assert [each async for each in fan.runs.map(core.demo_agent_id, [])] == []
    assert [each async for each in fan.runs.wait_many([])] == []
    assert not core.requests


# --- what becomes of them ------------------------------------------------------------------------


async def test_other_ends_are_outcomes_too(core: Emulator, fan: AsyncDuvo) -> None:
    agent = core.add_agent([Sleep(5), Finish("failed")])
    (outcome,) = [each async for each in fan.runs.map(agent, [None])]
    assert (outcome.error, outcome.succeeded) == (None, False)
    with pytest.raises(RunFailed):
        outcome.raise_for_status()


async def test_what_a_run_asks_is_its_outcome(core: Emulator, fan: AsyncDuvo) -> None:
    agent = core.add_agent([AskApproval("Post?"), Say("posted")])
    outcomes = [each async for each in fan.runs.map(agent, [None] * 3)]
    assert len(outcomes) == 3
    for outcome in outcomes:
        assert outcome.human_request is not None
        with pytest.raises(HumanRequestPending) as caught:
            outcome.raise_for_status()
        await fan.runs.answer(caught.value, caught.value.request.approve())
    ended = [each async for each in fan.runs.wait_many([each.run_id or "" for each in outcomes])]
    assert all(each.succeeded for each in ended)


async def test_a_handler_answers_while_others_go_on(core: Emulator, fan: AsyncDuvo) -> None:
    agent = core.add_agent([Sleep(5), AskApproval("Post?"), Say("posted")])
    quick = core.add_agent([Sleep(100)])
    asked: list[str] = []

    async def ponder(pending: HumanRequestPending) -> HumanAnswer:
        asked.append(pending.run_id)
        await asyncio.sleep(1000)
        return pending.request.approve()

    runs = [await fan.runs.start(each) for each in (agent, agent, quick)]
    order = [each.index async for each in fan.runs.wait_many(runs, on_human_request=ponder)]
    assert order[0] == 2
    assert sorted(order) == [0, 1, 2]
    assert sorted(asked) == sorted(run.id for run in runs[:2])
    assert now() < 1100  # they pondered at the same time


async def test_handlers_that_fail_or_decline_are_outcomes(core: Emulator, fan: AsyncDuvo) -> None:
    agent = core.add_agent([AskApproval("Post?")])

    def decide(pending: HumanRequestPending) -> None:
        if pending.run_id == runs[0].id:
            raise LookupError("nobody is in")

    runs = [await fan.runs.start(agent) for _ in range(2)]
    waits = fan.runs.wait_many(runs, on_human_request=decide)
    outcomes = {each.index: each async for each in waits}
    assert isinstance(outcomes[0].error, LookupError)
    assert outcomes[1].human_request is not None


async def test_a_handler_that_is_cancelled_is_an_outcome(core: Emulator, fan: AsyncDuvo) -> None:
    async def await_what_is_gone(_: HumanRequestPending) -> HumanAnswer:
        gone: asyncio.Future[HumanAnswer] = asyncio.get_running_loop().create_future()
        gone.cancel()
        return await gone

    agent = core.add_agent([AskApproval("Post?")])
    outcomes = fan.runs.map(agent, [None] * 2, on_human_request=await_what_is_gone)
    errors = [str(each.error) async for each in outcomes]
    assert errors == ["the caller's code raised CancelledError()"] * 2


async def test_messages_that_are_cancelled_are_told_of(core: Emulator, fan: AsyncDuvo) -> None:
    async def arriving() -> AsyncIterator[str]:
        yield "1"
        raise asyncio.CancelledError

    outcomes = fan.runs.map(core.add_agent(sleeper), arriving()).pages()
    assert len(await anext(outcomes)) == 1
    with pytest.raises(RuntimeError, match="CancelledError"):
        await anext(outcomes)


async def test_each_handler_has_a_context_of_its_own(core: Emulator, fan: AsyncDuvo) -> None:
    who: ContextVar[str] = ContextVar("who", default="nobody")
    seen: list[tuple[str, str]] = []

    async def decide(pending: HumanRequestPending) -> HumanAnswer:
        before = who.get()
        who.set(pending.run_id)
        await asyncio.sleep(10)
        seen.append((before, who.get()))
        return pending.request.approve()

    agent = core.add_agent([AskApproval("Post?")])
    runs = {each.run_id async for each in fan.runs.map(agent, [None] * 3, on_human_request=decide)}
    assert {before for before, _ in seen} == {"nobody"}
    assert {after for _, after in seen} == runs


@pytest.mark.no_cover
async def test_runs_that_asked_are_swept_again(core: Emulator, fan: AsyncDuvo) -> None:
    agent = core.add_agent([Sleep(5), AskApproval("Post?"), Sleep(900)])
    outcomes = fan.runs.map(
        agent, [None] * 50, on_human_request=lambda pending: pending.request.approve()
    )
    assert len([each async for each in outcomes]) == 50
    # A hundred to start and answer them, a read before and after, and a page every few seconds.
    assert len(core.requests) < 800


async def test_ended_runs_leave_no_deadline(core: Emulator, fan: AsyncDuvo) -> None:
    batches: list[Any] = []
    make = fan.runs._batch  # noqa: SLF001 - to look into it

    def kept(*args: Any) -> Any:  # noqa: ANN401 - as it takes and gives
        batches.append(make(*args))
        return batches[-1]

    fan.runs._batch = kept  # type: ignore[method-assign, assignment] # noqa: SLF001 - the same
    agent = core.add_agent(sleeper)
    outcomes = fan.runs.map(agent, ["900", *["1"] * 50], timeout=1000)
    left = [len(batches[0]._deadlines) async for _ in outcomes]  # noqa: SLF001 - the same
    assert left[-2:] == [1, 0]


async def test_handlers_run_in_the_callers_context(core: Emulator, fan: AsyncDuvo) -> None:
    who: ContextVar[str] = ContextVar("who", default="nobody")
    seen: list[str] = []

    def decide(pending: HumanRequestPending) -> HumanAnswer:
        seen.append(who.get())
        return pending.request.approve()

    who.set("the caller")
    agent = core.add_agent([AskApproval("Post?")])
    async for _ in fan.runs.map(agent, [None], on_human_request=decide):
        pass
    assert seen == ["the caller"]


async def test_each_run_has_its_own_deadline(core: Emulator, fan: AsyncDuvo) -> None:
    agent = core.add_agent(sleeper)
    runs = fan.runs.map(agent, ["10", "1000", "50"], timeout=100, max_outstanding=2)
    times: dict[int, float] = {}
    async for outcome in runs:
        times[outcome.index] = now()
        if outcome.index == 1:
            assert isinstance(outcome.error, WaitTimeout)
            assert outcome.run is not None
            assert outcome.run.status == "running"
        else:
            assert outcome.succeeded
    assert times[1] == pytest.approx(100, abs=0.1)


async def test_a_deadline_cuts_a_handler_short(core: Emulator, fan: AsyncDuvo) -> None:
    async def ponder(_: HumanRequestPending) -> None:
        await asyncio.sleep(3600)

    agent = core.add_agent([AskApproval("Post?")])
    (outcome,) = [
        each async for each in fan.runs.map(agent, [None], timeout=60, on_human_request=ponder)
    ]
    assert isinstance(outcome.error, WaitTimeout)
    assert now() == pytest.approx(60, abs=0.1)


# --- wait_many -----------------------------------------------------------------------------------


async def test_wait_many_takes_runs_and_ids_and_repetitions(core: Emulator, fan: AsyncDuvo) -> None:
    agent = core.add_agent(sleeper)
    run = await fan.runs.start(agent, message="30")
    other = await fan.runs.start(agent, message="10")
    outcomes = [each async for each in fan.runs.wait_many([run, other.id, run.id, run])]
    assert outcomes[0].index == 1
    assert sorted(each.index for each in outcomes) == [0, 1, 2, 3]
    assert all(each.succeeded for each in outcomes)


async def test_a_run_that_is_missing_ends_no_other(core: Emulator, fan: AsyncDuvo) -> None:
    run = await fan.runs.start(core.add_agent(sleeper), message="30")
    outcomes = {each.index: each async for each in fan.runs.wait_many([MISSING, run])}
    assert isinstance(outcomes[0].error, NotFoundError)
    assert (outcomes[0].run_id, outcomes[0].run) == (MISSING, None)
    assert outcomes[1].succeeded


@pytest.mark.parametrize("runs", [["good", ""], ["a/b"], [7], [None]])
async def test_wrong_ids_are_found_before_anything_is_sent(
    runs: list[Any], core: Emulator, fan: AsyncDuvo
) -> None:
    with pytest.raises((ValueError, TypeError)):
        async for _ in fan.runs.wait_many(runs):
            pass
    assert not core.requests


async def test_runs_may_arrive_while_others_are_waited_for(core: Emulator, fan: AsyncDuvo) -> None:
    agent = core.add_agent(sleeper)

    async def arriving() -> AsyncIterator[Run]:
        for _ in range(5):
            yield await fan.runs.start(agent, message="20")
            await asyncio.sleep(100)

    times: list[float] = []
    async for outcome in fan.runs.wait_many(arriving()):
        assert outcome.succeeded
        times.append(now())
    assert times[0] < 30
    assert len(times) == 5


# --- leaving -------------------------------------------------------------------------------------


async def test_leaving_early_lets_the_runs_go_on(core: Emulator, fan: AsyncDuvo) -> None:
    agent = core.add_agent(sleeper)
    async for outcome in fan.runs.map(agent, ["10", "1000", "1000"]):
        assert outcome.index == 0
        break
    await asyncio.sleep(1)
    before = len(core.requests)
    await asyncio.sleep(500)
    assert len(core.requests) == before  # nobody looks any more
    assert stops(core) == 0


async def test_leaving_early_stops_them_when_asked_to(core: Emulator, fan: AsyncDuvo) -> None:
    agent = core.add_agent(sleeper)
    ids: list[str] = []
    outcomes = fan.runs.map(agent, ["10", *["5000"] * 40], stop_on_exit=True).pages()
    ids += [each.run_id or "" for each in await anext(outcomes)]
    await outcomes.aclose()
    assert stops(core) == 40
    listed = [await fan.runs.get(ids[0])]
    assert listed[0].status == "completed"


async def test_a_run_whose_time_is_over_is_not_stopped(core: Emulator, fan: AsyncDuvo) -> None:
    async def linger(_: HumanRequestPending) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(5)

    outcomes = fan.runs.map(
        core.add_agent([AskApproval("Post?")]),
        [None],
        timeout=10,
        on_human_request=linger,
        stop_on_exit=True,
    ).pages()
    (outcome,) = await anext(outcomes)
    assert isinstance(outcome.error, WaitTimeout)
    await outcomes.aclose()  # its handler has not ended yet
    assert stops(core) == 0


async def test_closing_the_client_stops_them_too(core: Emulator) -> None:
    agent = core.add_agent(sleeper)
    async with client_of(core) as client:
        async for _ in client.runs.map(agent, ["10", *["5000"] * 5], stop_on_exit=True):
            break
    assert stops(core) == 5


async def test_a_start_on_its_way_is_not_lost_sight_of(core: Emulator) -> None:
    arrived, go = asyncio.Event(), asyncio.Event()

    async def hold(request: Request) -> Response | None:
        if request.path == "/v1/runs":
            arrived.set()
            await go.wait()
        return None

    agent = core.add_agent(sleeper)
    async with client_of(core, fault=hold) as client:
        outcomes = client.runs.map(agent, ["5000"], stop_on_exit=True).pages()
        step = asyncio.ensure_future(anext(outcomes))
        await arrived.wait()
        step.cancel()
        asyncio.get_running_loop().call_later(5, go.set)
        with pytest.raises(asyncio.CancelledError):
            await step
    assert (starts(core), stops(core)) == (1, 1)


async def test_closing_the_client_ends_the_iteration(core: Emulator) -> None:
    agent = core.add_agent(sleeper)
    errors: list[RunOutcome] = []

    async def follow(client: AsyncDuvo) -> None:
        async for outcomes in client.runs.map(agent, ["1000"] * 600).pages():
            errors.extend(outcomes)

    async with client_of(core) as client:
        following = asyncio.create_task(follow(client))
        await asyncio.sleep(30)
    with pytest.raises(ClientClosedError, match="before all inputs were read"):
        await following
    assert all(isinstance(each.error, ClientClosedError) for each in errors)
    assert sum(each.run is not None for each in errors) == starts(core)
    assert len(errors) > starts(core)  # those that waited for their turn are told of, too


async def test_closing_the_client_loses_no_input_that_was_read(core: Emulator) -> None:
    agent = core.add_agent(sleeper)
    outcomes: list[RunOutcome] = []

    async def follow(client: AsyncDuvo) -> None:
        async for each in client.runs.map(agent, ["1000"] * 20):
            outcomes.append(each)  # noqa: PERF401 - what came before an error counts

    async with client_of(core, requests_per_minute=5) as client:
        following = asyncio.create_task(follow(client))
        await asyncio.sleep(1.5)
    await following
    assert sorted(each.index for each in outcomes) == list(range(20))
    assert sum(each.run_id is not None for each in outcomes) == starts(core) < 6


async def test_cancelling_the_iteration_leaves_nothing_behind(
    core: Emulator, fan: AsyncDuvo
) -> None:
    agent = core.add_agent(sleeper)
    before = asyncio.all_tasks()

    async def follow() -> None:
        async for _ in fan.runs.map(agent, ["1000"] * 500):
            pass

    for seconds in (0, 0.5, 30, 61):
        following = asyncio.create_task(follow())
        await asyncio.sleep(seconds)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before
        assert fan._services.watcher.runs == 0  # noqa: SLF001 - the table is empty


async def test_closing_while_leaving_waits_for_the_stops(core: Emulator) -> None:
    agent = core.add_agent(sleeper)

    async def slow(_: Request) -> Response | None:
        await asyncio.sleep(1)
        return None

    async def follow(client: AsyncDuvo) -> None:
        async for _ in client.runs.map(agent, ["5000"] * 10, stop_on_exit=True):
            pass

    async with client_of(core, fault=slow) as client:
        following = asyncio.create_task(follow(client))
        await asyncio.sleep(30)
        for _ in range(2):  # as of somebody who is in a hurry
            following.cancel()
            await asyncio.sleep(0)
        await asyncio.gather(following, return_exceptions=True)
    assert stops(core) == 10


async def test_nothing_begins_on_a_client_that_is_closing(core: Emulator) -> None:
    agent = core.add_agent(sleeper)
    late: list[asyncio.Task[None]] = []

    async def follow() -> None:
        async for _ in client.runs.map(agent, ["5000"] * 3, stop_on_exit=True):
            pass

    async def begin_another(request: Request) -> Response | None:
        if request.path.endswith("/stop") and not late:
            late.append(asyncio.create_task(follow()))
            await asyncio.sleep(5)
        return None

    async with client_of(core, fault=begin_another) as client:
        following = asyncio.create_task(follow())
        await asyncio.sleep(30)
    await asyncio.gather(following, return_exceptions=True)
    with pytest.raises(ClientClosedError):
        await late[0]


async def test_leaving_begins_no_handlers(core: Emulator) -> None:
    agent = core.add_agent([Sleep(20), AskApproval("Post?"), Sleep(5000)])
    asked: list[str] = []

    async def slow(request: Request) -> Response | None:
        await asyncio.sleep(5 if request.path == "/v1/runs" and request.method == "POST" else 0)
        return None

    async def follow(client: AsyncDuvo) -> None:
        def decide(pending: HumanRequestPending) -> HumanAnswer:
            asked.append(pending.run_id)
            return pending.request.approve()

        outcomes = client.runs.map(
            agent, [None] * 40, stop_on_exit=True, on_human_request=decide, max_outstanding=36
        )
        async for _ in outcomes:
            pass

    async with client_of(core, fault=slow) as client:
        following = asyncio.create_task(follow(client))
        await asyncio.sleep(24)
        before = len(asked)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        assert client._services.watcher.runs == 0  # noqa: SLF001 - the table is empty
        await asyncio.sleep(100)
    assert len(asked) == before
    assert stops(core) == starts(core)


# --- trouble -------------------------------------------------------------------------------------


@define
class Trouble:
    """Answers some requests with an error, or not at all; loses some answers."""

    emulator: Emulator
    random: Random
    part: float
    down: tuple[float, float] = (0, 0)
    answered: dict[str, str] = field(factory=dict[str, str])

    async def __call__(self, _: Request) -> Response | None:
        await asyncio.sleep(self.random.uniform(0.01, 0.2))
        if self.down[0] <= now() < self.down[1]:
            raise TransportError("cannot connect", sent=False)
        if self.random.random() >= self.part:
            return None
        status = self.random.choice((500, 502, 503, 0))
        if not status:
            raise TransportError("the connection was closed before the answer came")
        return Response(status=status, reason="", headers={}, body=b"<html>")


@pytest.mark.no_cover
@pytest.mark.once
async def test_trouble_loses_no_outcome_and_starts_nothing_twice(core: Emulator) -> None:
    agent = core.add_agent(sleeper)
    random = Random(7)  # noqa: S311 - durations
    messages = [f"{random.lognormvariate(4, 1):.1f}" for _ in range(600)]
    trouble = Trouble(core, Random(8), 0.05, down=(100, 103))  # noqa: S311 - faults

    def remove_list() -> None:
        core.lists_runs = False

    asyncio.get_running_loop().call_later(150, remove_list)
    retry = RetryPolicy(retries=8)
    async with client_of(core, fault=trouble, retry=retry) as client:
        outcomes = [each async for each in client.runs.map(agent, messages)]
    assert sorted(each.index for each in outcomes) == list(range(600))
    assert [each for each in outcomes if not each.succeeded] == []
    assert len({each.run_id for each in outcomes}) == starts(core) == 600
    assert not [request for request in core.requests if request.status == 429]


async def test_trouble_that_lasts_is_an_outcome_each(core: Emulator) -> None:
    async def dead(_: Request) -> Response | None:
        raise TransportError("cannot connect", sent=False)

    async with client_of(core, fault=dead) as client:
        outcomes = [each async for each in client.runs.map(core.demo_agent_id, ["x"] * 20)]
    assert len(outcomes) == 20
    assert all(isinstance(each.error, APIError) for each in outcomes)


# --- figures -------------------------------------------------------------------------------------


async def lags(core: Emulator, runs: int) -> list[float]:
    """Wait for runs of lognormal durations; give how long after its end each was known."""
    random = Random(3)  # noqa: S311 - durations
    messages = [f"{90 * random.lognormvariate(0, 1):.3f}" for _ in range(runs)]
    found: list[float] = []
    async with client_of(core, budget=Budget(reserve=0)) as client:
        async for outcome in client.runs.map(core.add_agent(sleeper), messages):
            assert outcome.run is not None
            assert outcome.run.completed_at is not None
            found.append(wall_clock() - outcome.run.completed_at.timestamp())
    assert not [request for request in core.requests if request.status == 429]
    return found


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("runs", "mean"), [(100, 1.25), pytest.param(300, 3.0, marks=pytest.mark.once)]
)
async def test_the_ends_of_many_runs_are_known_soon(runs: int, mean: float, core: Emulator) -> None:
    found = await lags(core, runs)
    assert len(found) == runs
    assert sum(found) / runs < mean


@pytest.mark.no_cover
async def test_it_takes_a_request_for_a_hundred_runs(core: Emulator) -> None:
    await lags(core, 100)
    assert len(core.requests) < 100 + 700


@pytest.mark.no_cover
@pytest.mark.once
async def test_single_reads_stay_near_their_bound(core: Emulator) -> None:
    core.lists_runs = False
    found = await lags(core, 300)
    assert sum(found) / 300 < 1.2 * 21.2  # seconds that no policy of single reads can go below


async def test_one_seed_makes_one_log() -> None:
    async def log() -> list[tuple[str, str, str, int, float]]:
        async with Emulator(clock=wall_clock, seed=5) as emulator:
            begun = wall_clock()
            trouble = Trouble(emulator, Random(4), 0.02)  # noqa: S311 - faults
            async with client_of(emulator, fault=trouble) as client:
                agent = emulator.add_agent(sleeper)
                async for _ in client.runs.map(agent, [str(n * 7 % 90) for n in range(200)]):
                    pass
            return [
                (each.method, each.path, each.query, each.status, each.at - begun)
                for each in emulator.requests
            ]

    logs: list[list[tuple[str, str, str, int, float]]] = []

    def in_a_loop_of_its_own() -> None:
        with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(grace=0)) as runner:
            logs.append(runner.run(log()))

    for _ in range(2):
        thread = threading.Thread(target=in_a_loop_of_its_own)
        thread.start()
        await asyncio.to_thread(thread.join)
    assert len(logs[0]) > 200
    assert logs[0] == logs[1]


# --- over sockets --------------------------------------------------------------------------------


async def test_over_sockets(emulator: Emulator, duvo: AsyncDuvo) -> None:
    agent = emulator.add_agent(sleeper)
    outcomes = [each async for each in duvo.runs.map(agent, [str(n) for n in range(200)])]
    assert sorted(each.index for each in outcomes) == list(range(200))
    assert all(each.succeeded for each in outcomes)
    assert not [request for request in emulator.requests if request.status == 429]


@pytest.fixture
def blocking() -> Iterator[tuple[Emulator, Duvo]]:
    """A blocking client, on real time."""
    with Emulator() as emulator, Duvo(emulator.api_key, base_url=emulator.url) as client:
        yield emulator, client


def test_blocking_map(blocking: tuple[Emulator, Duvo]) -> None:
    emulator, client = blocking
    outcomes = list(client.runs.map(emulator.add_agent([Say("hi")]), ["a", "b", "c"]))
    assert sorted(each.index for each in outcomes) == [0, 1, 2]
    again = client.runs.wait_many([each.run_id or "" for each in outcomes])
    assert sum(each.succeeded for each in again) == 3


@pytest.mark.parametrize("way", ["handlers", "messages"])
def test_what_is_the_callers_runs_in_its_thread(way: str, blocking: tuple[Emulator, Duvo]) -> None:
    emulator, client = blocking
    here: list[bool] = []

    def approve(pending: HumanRequestPending) -> HumanAnswer:
        here.append(threading.current_thread() is threading.main_thread())
        assert client.runs.get(pending.run_id).status == "waiting"  # it may use the client
        return pending.request.approve()

    def messages() -> Iterator[str]:
        for _ in range(3):
            here.append(threading.current_thread() is threading.main_thread())
            assert client.health()
            yield "x"

    asks = [AskApproval("Post?")] if way == "handlers" else [Say("hi")]
    inputs: Callable[[], Any] = (lambda: ["x"] * 3) if way == "handlers" else messages
    outcomes = list(client.runs.map(emulator.add_agent(asks), inputs(), on_human_request=approve))
    assert all(each.succeeded for each in outcomes)
    assert here == [True] * 3


def test_closing_from_another_thread_loses_no_outcome(blocking: tuple[Emulator, Duvo]) -> None:
    emulator, client = blocking
    agent = emulator.add_agent(sleeper)
    found: list[RunOutcome] = []

    def follow() -> None:
        with contextlib.suppress(ClientClosedError):
            for page in client.runs.map(agent, ["0", *["1000"] * 4]).pages():
                found.extend(page)
                if len(found) == 1:
                    ready.set()

    ready = threading.Event()
    thread = threading.Thread(target=follow)
    thread.start()
    assert ready.wait(30)
    client.close()
    thread.join(30)
    assert {each.run_id is not None for each in found} == {True}
    assert len(found) == starts(emulator) == 5


def test_an_asynchronous_handler_may_not_block_its_own_loop(
    blocking: tuple[Emulator, Duvo],
) -> None:
    emulator, client = blocking

    async def approve(pending: HumanRequestPending) -> HumanAnswer:
        client.runs.get(pending.run_id)
        return pending.request.approve()

    with pytest.raises(ConfigurationError, match="plain function"):
        client.runs.execute(emulator.add_agent([AskApproval("Post?")]), on_human_request=approve)


def test_blocking_iteration_may_be_left(blocking: tuple[Emulator, Duvo]) -> None:
    emulator, client = blocking
    agent = emulator.add_agent(sleeper)
    for outcome in client.runs.map(agent, ["0", *["1000"] * 4], stop_on_exit=True):
        assert outcome.index == 0
        break
    assert stops(emulator) == 4
