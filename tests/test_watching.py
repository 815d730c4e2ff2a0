"""The one task that looks how runs are getting on, in memory and on virtual time."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

import pytest
from attrs import define, evolve, field

from duvo_async import (
    APIConnectionError,
    APIStatusError,
    AsyncDuvo,
    ClientClosedError,
    ConfigurationError,
    HumanRequestPending,
    NotFoundError,
    RateLimitError,
    RetryPolicy,
    Run,
    RunOutcome,
    RunStatus,
)
from duvo_async._pacing import Budget
from duvo_async._protocol import Request, Response
from duvo_async._schedule import Schedule
from duvo_async._session import Session
from duvo_async._transport import TransportError
from duvo_async._turns import Turns
from duvo_async.auth import ApiKey
from duvo_async.client import client_over
from duvo_async.credentials import Secret
from duvo_async.emulator import AskApproval, Emulator, Finish, Say, Sleep
from duvo_async.emulator import Request as EmulatorRequest
from duvo_async.settings import Settings
from tests.support.in_memory import InMemoryTransport, client_of
from tests.support.virtual_time import VirtualTimeLoop, wall_clock

pytestmark = pytest.mark.anyio
_MISSING = "550e8400-e29b-41d4-a716-446655440000"


def in_memory_loop() -> VirtualTimeLoop:
    return VirtualTimeLoop(grace=0)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"debug": True, "loop_factory": in_memory_loop}


async def let_through(_: Request) -> Response | None:
    return None


@define
class Wire:
    """What was asked and when, and what is answered in the API's place."""

    rule: Callable[[Request], Awaitable[Response | None]] = let_through
    asked: list[tuple[float, Request]] = field(factory=list[tuple[float, Request]])

    async def __call__(self, request: Request) -> Response | None:
        self.asked.append((now(), request))
        return await self.rule(request)

    def lists(self) -> list[float]:
        return [at for at, request in self.asked if is_list(request)]

    def reads(self, run_id: str = "") -> list[float]:
        return [at for at, request in self.asked if is_read(request, run_id)]


def is_list(request: Request) -> bool:
    return request.method == "GET" and request.path == "/v1/runs"


def is_read(request: Request, run_id: str = "") -> bool:
    return request.method == "GET" and request.path.startswith(f"/v1/runs/{run_id}")


def now() -> float:
    return asyncio.get_running_loop().time()


def reply(status: int, body: object = None, **headers: str) -> Response:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status=status, reason="", headers=named, body=text)


@pytest.fixture
async def core() -> AsyncIterator[Emulator]:
    emulator = Emulator(clock=wall_clock, seed=1)
    yield emulator
    emulator.close()
    await asyncio.sleep(0)
    assert [task for task in asyncio.all_tasks() if "duvo" in task.get_name()] == []


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def duvo(core: Emulator, wire: Wire) -> AsyncIterator[AsyncDuvo]:
    async with client_of(core, fault=wire) as client:
        yield client


async def started(duvo: AsyncDuvo, core: Emulator, *seconds: float) -> list[Run]:
    """Start runs that take so many seconds each."""
    return [await duvo.runs.start(core.add_agent([Sleep(each)])) for each in seconds]


async def ended(waits: list["asyncio.Task[Run]"]) -> list[object]:
    return [*await asyncio.gather(*waits, return_exceptions=True)]


def wait_for(duvo: AsyncDuvo, *runs: Run | str) -> list["asyncio.Task[Run]"]:
    return [asyncio.create_task(duvo.runs.wait(run)) for run in runs]


def timers() -> list[asyncio.TimerHandle]:
    scheduled: list[asyncio.TimerHandle] = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined] # noqa: SLF001
    return [handle for handle in scheduled if not handle.cancelled()]


async def nothing_is_left(duvo: AsyncDuvo, tasks: set["asyncio.Task[Any]"]) -> None:
    """No task, no timer, no run and no turn of a client's that waits for nothing."""
    for _ in range(5):
        await asyncio.sleep(0)
    assert duvo._services.watcher.runs == 0  # noqa: SLF001
    assert asyncio.all_tasks() <= tasks
    assert timers() == []
    turns = duvo._session.turns  # noqa: SLF001
    assert turns.budget._under_way == {}  # noqa: SLF001
    assert not any(turns._lines)  # noqa: SLF001


# --- what it costs -------------------------------------------------------------------------------


async def test_a_finished_run_that_a_list_shows_costs_no_read_of_its_own(
    core: Emulator, duvo: AsyncDuvo, wire: Wire
) -> None:
    runs = await started(duvo, core, *[30.0] * 50)
    assert all(run.succeeded for run in await asyncio.gather(*wait_for(duvo, *runs)))
    assert len(wire.lists()) <= 20
    assert len(wire.reads()) <= 1  # the first was alone for a moment
    assert now() < 34


async def test_hundreds_of_runs_are_looked_at_with_one_request_for_a_hundred(
    core: Emulator, duvo: AsyncDuvo, wire: Wire
) -> None:
    runs = await started(duvo, core, *[120.0] * 250)
    begin, cost = now(), len(wire.asked)
    await asyncio.gather(*wait_for(duvo, *runs))
    assert len(wire.asked) - cost < 3 * (now() - begin) / 2 + 20
    assert max(len(wire.reads(run.id)) for run in runs) <= 2


async def test_a_request_seen_in_a_list_costs_one_read(
    core: Emulator, duvo: AsyncDuvo, wire: Wire
) -> None:
    runs = await started(duvo, core, *[100.0] * 10)
    asks = await duvo.runs.start(core.add_agent([Sleep(20), AskApproval("Post?"), Say("done")]))
    waits = wait_for(duvo, *runs)
    with pytest.raises(HumanRequestPending, match=r"Post\?"):
        await duvo.runs.wait(asks)
    assert len(wire.reads(asks.id)) == 1
    assert 20 <= now() < 24
    await asyncio.gather(*waits)


async def test_a_run_of_somebody_else_is_read_once(
    core: Emulator, duvo: AsyncDuvo, wire: Wire
) -> None:
    agent = core.add_agent([Sleep(60)])
    theirs = [core.start_run(agent) for _ in range(10)]
    assert all(run.succeeded for run in await asyncio.gather(*wait_for(duvo, *theirs)))
    assert [len(wire.reads(run_id)) for run_id in theirs[1:]] == [1] * 9
    assert 60 <= now() < 64


async def test_a_lone_run_is_read_without_the_list(
    core: Emulator, duvo: AsyncDuvo, wire: Wire
) -> None:
    (run,) = await started(duvo, core, 60.0)
    await duvo.runs.wait(run)
    assert wire.lists() == []
    assert 50 < len(wire.reads(run.id)) < 70


# --- what is waited for --------------------------------------------------------------------------


async def test_a_run_is_waited_for_by_its_id_and_as_it_was_at_any_time(
    core: Emulator, duvo: AsyncDuvo
) -> None:
    fresh, stale, by_id = await started(duvo, core, 50.0, 50.0, 50.0)
    await asyncio.sleep(30)
    known = await duvo.runs.get(stale.id)
    runs = await asyncio.gather(*wait_for(duvo, fresh, known, stale, by_id.id))
    assert [run.id for run in runs] == [fresh.id, stale.id, stale.id, by_id.id]
    assert all(run.succeeded for run in runs)
    assert 50 <= now() < 53


async def test_a_run_that_ended_long_ago_is_known_at_once(core: Emulator, duvo: AsyncDuvo) -> None:
    runs = await started(duvo, core, *[5.0] * 3)
    await asyncio.sleep(100)
    assert all(run.succeeded for run in await asyncio.gather(*wait_for(duvo, *runs)))
    assert now() < 103
    done = await duvo.runs.get(runs[0].id)
    assert (await duvo.runs.wait(done)).succeeded
    assert now() < 104


async def test_a_run_that_a_message_resumed_is_waited_for(core: Emulator, duvo: AsyncDuvo) -> None:
    others = wait_for(duvo, *await started(duvo, core, 90.0, 90.0))
    run = await duvo.runs.execute(core.add_agent([Finish("interrupted"), Sleep(30), Say("again")]))
    assert run.status == "interrupted"
    await duvo.runs.post_message(run.id, "go on")
    assert (await duvo.runs.wait(run)).succeeded
    assert 30 <= now() < 35
    await asyncio.gather(*others)


async def test_all_who_wait_for_a_run_are_told(core: Emulator, duvo: AsyncDuvo) -> None:
    run, _ = await started(duvo, core, 20.0, 60.0)
    updates: list[str] = []
    followed: list[str] = []

    async def follow() -> None:
        followed.extend([each.status async for each in duvo.runs.watch(run)])

    waits = wait_for(duvo, run, run.id, run)
    follower = asyncio.create_task(follow())
    await duvo.runs.wait(run, on_update=lambda each: updates.append(each.status))
    assert all(each.succeeded for each in await asyncio.gather(*waits))
    await follower
    assert updates[-1] == followed[-1] == "completed"
    assert now() < 23


async def test_one_of_several_may_leave(core: Emulator, duvo: AsyncDuvo) -> None:
    (run,) = await started(duvo, core, 20.0)
    first, second, third = wait_for(duvo, run, run, run)
    await asyncio.sleep(5)
    second.cancel()
    assert (await first).succeeded
    assert (await third).succeeded
    assert second.cancelled()


# --- trouble with the list -----------------------------------------------------------------------


@pytest.mark.parametrize("status", [403, 404, 405])
async def test_a_list_that_is_refused_is_not_asked_for_again(
    status: int, core: Emulator, duvo: AsyncDuvo, wire: Wire
) -> None:
    async def refuse(request: Request) -> Response | None:
        return reply(status, {"error": "no"}) if is_list(request) else None

    wire.rule = refuse
    runs = await started(duvo, core, *[150.0] * 10)
    assert all(run.succeeded for run in await asyncio.gather(*wait_for(duvo, *runs)))
    assert len(wire.lists()) == 1
    assert now() < 156
    more = await started(duvo, core, *[10.0] * 3)
    await asyncio.gather(*wait_for(duvo, *more))
    assert len(wire.lists()) <= 2  # when nobody waits, what was known of the list is forgotten


@pytest.mark.parametrize(
    "garbage", [reply(500), reply(200, b"<html>"), reply(200, {"runs": []}), None]
)
async def test_a_list_that_is_broken_rests_for_a_minute(
    garbage: Response | None, core: Emulator, duvo: AsyncDuvo, wire: Wire
) -> None:
    broken = True

    async def rule(request: Request) -> Response | None:
        if not (broken and is_list(request)):
            return None
        if garbage is None:
            raise TransportError("the line is dead", sent=True)
        return garbage

    wire.rule = rule
    runs = await started(duvo, core, *[200.0] * 10)
    waits = wait_for(duvo, *runs)
    await asyncio.sleep(30)
    assert len(wire.lists()) == 5  # the retry policy's
    given_up = wire.lists()[-1]
    assert all(len(wire.reads(run.id)) > 10 for run in runs)
    broken = False
    await asyncio.sleep(60)
    assert given_up + 60 <= wire.lists()[5] < given_up + 62
    reads = len(wire.reads())
    assert all(run.succeeded for run in await asyncio.gather(*waits))
    assert len(wire.reads()) - reads < 10
    assert now() < 205


def altered(core: Emulator, change: Callable[[dict[str, str]], object]) -> Wire:
    """A list that understands its query differently."""

    async def rule(request: Request) -> Response | None:
        if not is_list(request):
            return None
        query = dict(request.query)
        change(query)
        key = {"authorization": f"Bearer {core.api_key}"}
        given = core.handle(EmulatorRequest("GET", request.path, urlencode(query), key, b""))
        return Response(status=given.status, reason="", headers=given.headers, body=given.body)

    return Wire(rule)


@pytest.mark.parametrize(
    "change",
    [
        lambda query: query.update(sort_order="desc"),
        lambda query: query.pop("since"),
    ],
)
async def test_a_list_that_does_not_do_what_it_is_asked_is_not_used(
    change: Callable[[dict[str, str]], object], core: Emulator
) -> None:
    wire = altered(core, change)
    old = core.start_run(core.add_agent([Sleep(1)]))
    await asyncio.sleep(100)
    async with client_of(core, fault=wire) as duvo:
        runs = await started(duvo, core, 20.0)
        await asyncio.sleep(0.5)
        runs += await started(duvo, core, *[20.0] * 5)
        waited = await asyncio.gather(*wait_for(duvo, *runs))
    assert all(run.succeeded for run in waited)
    assert old not in {run.id for run in waited}
    assert len(wire.lists()) == 1
    assert now() < 125


async def test_a_run_that_no_list_shows_is_read_singly(core: Emulator) -> None:
    hidden: set[str] = set()

    async def rule(request: Request) -> Response | None:
        if not is_list(request):
            return None
        key = {"authorization": f"Bearer {core.api_key}"}
        query = urlencode(request.query)
        given = core.handle(EmulatorRequest("GET", request.path, query, key, b""))
        body = json.loads(given.body)
        body["data"] = [row for row in body["data"] if row["id"] not in hidden]
        return evolve(reply(200, body), headers=given.headers)

    wire = Wire(rule)
    async with client_of(core, fault=wire) as duvo:
        runs = await started(duvo, core, *[40.0] * 10)
        hidden.add(runs[4].id)
        assert all(run.succeeded for run in await asyncio.gather(*wait_for(duvo, *runs)))
    assert len(wire.reads(runs[4].id)) > 20
    assert len(wire.reads(runs[5].id)) == 0
    assert now() < 43


# --- trouble with a run --------------------------------------------------------------------------


async def test_a_run_that_is_gone_fails_its_own_waiters_only(
    core: Emulator, duvo: AsyncDuvo
) -> None:
    gone, *others = await started(duvo, core, *[30.0] * 6)
    lost = wait_for(duvo, gone, gone)
    waits = wait_for(duvo, *others)
    await asyncio.sleep(10)
    core.delete_run(gone.id)
    first, second = await ended(lost)
    assert isinstance(first, NotFoundError)
    assert isinstance(second, NotFoundError)
    assert first is not second
    assert str(first) == str(second)
    assert now() < 15
    assert all(run.succeeded for run in await asyncio.gather(*waits))


async def test_polls_that_fail_back_off_before_they_are_reported(
    core: Emulator, duvo: AsyncDuvo, wire: Wire
) -> None:
    async def fail(request: Request) -> Response | None:
        if is_read(request):
            raise TransportError("the line is dead", sent=True)
        return None

    (run,) = await started(duvo, core, 100.0)
    wire.rule = fail
    (error,) = await ended(wait_for(duvo, run))
    assert isinstance(error, APIConnectionError)
    times = wire.reads(run.id)
    assert len(times) == error.attempts == 5
    gaps = [after - before for before, after in pairwise(times)]
    assert all(0 < gap <= 0.5 * 2**n + 0.3 for n, gap in enumerate(gaps))
    assert sum(gaps) > 1


@pytest.mark.parametrize("answers", [[reply(500)], [reply(200, b"?")], [reply(503), reply(200, 7)]])
async def test_polls_that_fail_for_a_moment_end_no_wait(
    answers: list[Response], core: Emulator, duvo: AsyncDuvo, wire: Wire
) -> None:
    left = answers * 2

    async def stumble(request: Request) -> Response | None:
        return left.pop() if left and is_read(request) else None

    (run,) = await started(duvo, core, 20.0)
    wire.rule = stumble
    assert (await duvo.runs.wait(run)).succeeded
    assert left == []
    assert now() < 23


async def test_failures_are_forgotten_with_the_next_good_answer(
    core: Emulator, duvo: AsyncDuvo, wire: Wire
) -> None:
    count = 0

    async def stumble(request: Request) -> Response | None:
        nonlocal count
        count += is_read(request)
        return reply(502) if is_read(request) and count % 4 else None  # three of four fail

    (run,) = await started(duvo, core, 60.0)
    wire.rule = stumble
    assert (await duvo.runs.wait(run)).succeeded
    assert count > 30


async def test_a_401_ends_the_wait_at_once(core: Emulator, duvo: AsyncDuvo, wire: Wire) -> None:
    async def refuse(_: Request) -> Response | None:
        return reply(401, {"error": "unauthorized"})

    (run,) = await started(duvo, core, 60.0)
    wire.rule = refuse
    (error,) = await ended(wait_for(duvo, run))
    assert isinstance(error, APIStatusError)
    assert error.status == 401
    assert len(wire.reads(run.id)) == 1


@pytest.mark.parametrize("together", [1, 10])
async def test_a_429_pauses_everything_once_and_fails_no_run(
    together: int, core: Emulator, duvo: AsyncDuvo, wire: Wire
) -> None:
    spent = 1

    async def slow_down(_: Request) -> Response | None:
        nonlocal spent
        spent -= 1
        return reply(429, {"error": "rate_limited"}, retry_after="20") if spent >= 0 else None

    runs = await started(duvo, core, *[60.0] * together)
    wire.rule = slow_down
    waits = wait_for(duvo, *runs)
    await asyncio.sleep(40)
    refused = next(at for at, request in wire.asked if request.method == "GET")
    times = [at for at, _ in wire.asked if at > refused]
    assert refused + 20 <= min(times) < refused + 22.5
    assert all(run.succeeded for run in await asyncio.gather(*waits))
    assert now() < 64


async def test_a_429_that_asks_for_too_much_patience_ends_the_wait(
    core: Emulator, duvo: AsyncDuvo, wire: Wire
) -> None:
    async def slow_down(_: Request) -> Response | None:
        return reply(429, {"error": "rate_limited"}, retry_after="4000")

    (run,) = await started(duvo, core, 60.0)
    wire.rule = slow_down
    (error,) = await ended(wait_for(duvo, run))
    assert isinstance(error, RateLimitError)
    assert error.retry_after == 4000


async def test_many_429s_are_no_failures(core: Emulator, duvo: AsyncDuvo, wire: Wire) -> None:
    async def slow_down(request: Request) -> Response | None:
        return reply(429, {"error": "x"}) if is_read(request) and now() < 40 else None

    (run,) = await started(duvo, core, 60.0)
    wire.rule = slow_down
    assert (await duvo.runs.wait(run)).succeeded
    assert len(wire.reads()) > 15


async def test_a_mistake_of_the_watchers_own_reaches_all_who_wait(
    core: Emulator, duvo: AsyncDuvo, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = await started(duvo, core, *[60.0] * 5)
    waits = wait_for(duvo, *runs, runs[0])
    await asyncio.sleep(10)

    def stumble(*_: object) -> None:
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr(Schedule, "next", stumble)
    errors = await ended(waits)
    assert [type(error) for error in errors] == [ZeroDivisionError] * 6
    assert duvo._services.watcher.runs == 0  # noqa: SLF001
    monkeypatch.undo()
    assert (await duvo.runs.wait(runs[0])).succeeded


class Odd(Exception):  # noqa: N818 - not an error of ours
    """One that cannot be copied."""

    def __init__(self, *, why: str) -> None:
        super().__init__(why)


async def test_a_mistake_that_cannot_be_copied_reaches_both_who_wait_for_a_run(
    core: Emulator, duvo: AsyncDuvo, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await duvo.runs.start(core.add_agent([Sleep(60)]))
    waits = [asyncio.create_task(duvo.runs.wait(run)) for _ in range(2)]
    await asyncio.sleep(5)

    def stumble(*_: object) -> None:
        raise Odd(why="a mistake")

    monkeypatch.setattr(Schedule, "next", stumble)
    errors = await asyncio.gather(*waits, return_exceptions=True)
    assert [type(error) for error in errors] == [Odd, Odd]


async def test_a_watch_that_is_told_twice_before_it_looks_gives_both(
    core: Emulator, duvo: AsyncDuvo
) -> None:
    run = await duvo.runs.start(core.add_agent([Sleep(500)]))

    async def follow() -> list[str]:
        return [each.status async for each in duvo.runs.watch(run)]

    following = asyncio.create_task(follow())
    await asyncio.sleep(10)
    watcher = duvo._services.watcher  # noqa: SLF001 - an answer and a page that come together
    entry = watcher._schedule.entries[run.id]  # noqa: SLF001 - the same
    for status in (RunStatus.WAITING, RunStatus.COMPLETED):
        watcher._tell(entry, evolve(run, status=status))  # noqa: SLF001 - the same
    assert await following == ["running", "waiting", "completed"]


@pytest.mark.parametrize("name", ["saw_page", "saw_run"])
async def test_a_mistake_with_an_answer_reaches_who_waits(
    name: str, core: Emulator, duvo: AsyncDuvo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object) -> None:
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr(Schedule, name, stumble)
    runs = await started(duvo, core, *[60.0] * (3 if name == "saw_page" else 1))
    errors = await ended(wait_for(duvo, *runs))
    assert {type(error) for error in errors} == {ZeroDivisionError}


# --- leaving -------------------------------------------------------------------------------------


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(0.01, marks=pytest.mark.once),
        pytest.param(5.0, marks=pytest.mark.long),
        pytest.param(7.3, marks=pytest.mark.long),
    ],
)
async def test_ten_thousand_waits_cancelled_at_once_leave_nothing(
    rest: float, core: Emulator, duvo: AsyncDuvo
) -> None:
    (run,) = await started(duvo, core, 1000.0)
    before = asyncio.all_tasks()
    waits = wait_for(duvo, *(evolve(run, id=f"{run.id[:-5]}{n:05}") for n in range(10_000)))
    await asyncio.sleep(rest)
    assert duvo._services.watcher.runs > 9_900  # noqa: SLF001 - the API knows none of them but one
    for wait in waits:
        wait.cancel()
    kinds = {type(error) for error in await ended(waits)}
    assert asyncio.CancelledError in kinds <= {asyncio.CancelledError, NotFoundError}
    await nothing_is_left(duvo, before)


async def test_a_wait_cancelled_while_it_is_read_leaves_nothing(
    core: Emulator, duvo: AsyncDuvo, wire: Wire
) -> None:
    async def hang(request: Request) -> Response | None:
        if request.method == "GET":
            await asyncio.sleep(1000)
        return None

    wire.rule = hang
    runs = await started(duvo, core, *[60.0] * 3)
    before = asyncio.all_tasks()
    waits = wait_for(duvo, *runs, _MISSING)
    await asyncio.sleep(10)
    assert len(duvo._session.turns.budget._under_way) == 2  # noqa: SLF001 - a page and a run
    for wait in waits:
        wait.cancel()
    await ended(waits)
    await nothing_is_left(duvo, before)


async def test_a_wait_cancelled_while_the_budget_is_spent_leaves_nothing(
    core: Emulator, wire: Wire
) -> None:
    async with client_of(core, fault=wire, requests_per_minute=5) as duvo:
        runs = await started(duvo, core, *[200.0] * 4)
        before = asyncio.all_tasks()
        waits = wait_for(duvo, *runs)
        await asyncio.sleep(20)
        for wait in waits:
            wait.cancel()
        await ended(waits)
        await nothing_is_left(duvo, before)
        assert all(run.succeeded for run in await asyncio.gather(*wait_for(duvo, *runs)))


async def collect(duvo: AsyncDuvo, runs: list[Run], into: list[RunOutcome]) -> None:
    into.extend([outcome async for outcome in duvo.runs.wait_many(runs)])


async def follow(duvo: AsyncDuvo, run: Run, into: list[str]) -> None:
    async for each in duvo.runs.watch(run):
        into.append(each.status)  # noqa: PERF401 - what came before an error counts


@pytest.mark.parametrize("in_flight", [False, True])
async def test_closing_the_client_ends_all_waits(
    *, in_flight: bool, core: Emulator, duvo: AsyncDuvo, wire: Wire
) -> None:
    async def hang(request: Request) -> Response | None:
        if in_flight and request.method == "GET":
            await asyncio.sleep(1000)
        return None

    runs = await started(duvo, core, *[60.0] * 4)
    wire.rule = hang
    outcomes: list[RunOutcome] = []
    followed: list[str] = []
    before = asyncio.all_tasks()
    waits: list[asyncio.Task[Any]] = [*wait_for(duvo, runs[0], runs[0], _MISSING)]
    if not in_flight:
        waits.pop().cancel()
    waits.append(asyncio.create_task(follow(duvo, runs[1], followed)))
    collecting = asyncio.create_task(collect(duvo, runs[2:], outcomes))
    await asyncio.sleep(10)
    await duvo.close()
    errors = await asyncio.gather(*waits, return_exceptions=True)
    assert [type(error) for error in errors] == [ClientClosedError] * len(errors)
    assert runs[0].id in str(errors[0])
    await collecting
    assert {outcome.run_id for outcome in outcomes} == {run.id for run in runs[2:]}
    assert {type(outcome.error) for outcome in outcomes} == {ClientClosedError}
    assert now() < 11
    await nothing_is_left(duvo, before)
    with pytest.raises(ClientClosedError):
        await duvo.runs.wait(runs[0])
    async with client_of(core) as other:  # the runs went on
        assert all(run.succeeded for run in await asyncio.gather(*wait_for(other, *runs)))


# --- one loop after the other, and other people's contexts ---------------------------------------

_whose: ContextVar[str] = ContextVar("whose", default="nobody")


async def test_what_the_first_waiter_set_in_his_context_is_nothing_to_the_others(
    core: Emulator, duvo: AsyncDuvo, wire: Wire
) -> None:
    seen: set[str] = set()

    async def look(request: Request) -> Response | None:
        if request.method == "GET":
            seen.add(_whose.get())
        return None

    wire.rule = look
    runs = await started(duvo, core, *[20.0] * 3)
    token = _whose.set("the first")
    await asyncio.gather(*wait_for(duvo, *runs))
    (lone,) = await started(duvo, core, 5.0)
    await duvo.runs.wait(lone)
    _whose.reset(token)
    assert seen == {"nobody"}
    assert len(wire.reads()) > 0
    assert len(wire.lists()) > 0


@asynccontextmanager
async def served() -> AsyncIterator[tuple[Emulator, AsyncDuvo]]:
    core = Emulator(clock=wall_clock, seed=1)
    async with client_of(core) as duvo:
        yield core, duvo
    core.close()


def run_in(loop: asyncio.AbstractEventLoop, work: Awaitable[Any]) -> Any:  # noqa: ANN401
    async def main() -> Any:  # noqa: ANN401
        return await work

    return loop.run_until_complete(main())


def client_without_context(core: Emulator) -> AsyncDuvo:
    """A client that no loop closes with its generators."""
    settings = Settings.resolve(api_key=core.api_key, base_url="http://emulator.test", environ={})
    key, turns = ApiKey(Secret(core.api_key)), Turns(Budget())
    session = Session(settings, InMemoryTransport(core), key, RetryPolicy(), turns)
    return client_over(settings, session)


def test_a_client_is_used_in_one_loop_after_the_other() -> None:
    core = Emulator(clock=wall_clock, seed=1)
    duvo = client_without_context(core)
    abandoned: list[asyncio.Task[Run]] = []

    async def work(begin: float) -> list[Run]:
        await asyncio.sleep(begin)  # the emulator's clock does not go back
        abandoned.extend(wait_for(duvo, *await started(duvo, core, 5000.0, 5000.0)))
        runs = await asyncio.gather(*wait_for(duvo, *await started(duvo, core, 10.0, 10.0, 10.0)))
        assert not any(wait.done() for wait in abandoned[-2:])
        assert now() < begin + 13
        return [*runs]

    for n in range(3):
        with asyncio.Runner(loop_factory=in_memory_loop) as runner:
            assert all(run.succeeded for run in runner.run(work(100.0 * n)))
    assert [wait.cancelled() for wait in abandoned] == [True] * 6
    with asyncio.Runner(loop_factory=in_memory_loop) as runner:
        runner.run(duvo.close())
    core.close()


def test_a_client_is_not_used_in_two_loops_at_once() -> None:
    first, second = in_memory_loop(), in_memory_loop()
    serving = served()
    try:
        first.run_until_complete(_nothing())
        core, duvo = run_in(first, serving.__aenter__())
        run = run_in(first, duvo.runs.start(core.add_agent([Sleep(100)])))
        waiting = first.create_task(duvo.runs.wait(run))
        run_in(first, asyncio.sleep(5))
        with pytest.raises(ConfigurationError, match="another event loop"):
            run_in(second, duvo.runs.wait(run))
        assert run_in(first, waiting).succeeded  # and harmed nobody
        run_in(first, serving.__aexit__(None, None, None))
    finally:
        first.close()
        second.close()


async def _nothing() -> None:
    pass
