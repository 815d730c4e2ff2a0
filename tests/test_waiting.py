"""Waiting for a run, on virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from duvo_async import (
    APIConnectionError,
    AsyncDuvo,
    BadRequestError,
    HumanAnswer,
    HumanRequestPending,
    NotFoundError,
    RateLimitError,
    ResponseDecodeError,
    RetryPolicy,
    Run,
    RunStatus,
    WaitTimeout,
)
from duvo_async.emulator import AskApproval, Emulator, Finish, Say, Sleep
from tests.support.stub import (
    REQUEST_ID,
    RUN_ID,
    Stub,
    answer,
    answered,
    approval,
    hang_up,
    run_answer,
    serve,
)

pytestmark = pytest.mark.anyio


def client(stub: Stub, **settings: RetryPolicy) -> AsyncDuvo:
    return AsyncDuvo("dv_key", base_url=stub.url, **settings)  # type: ignore[arg-type] # a retry


def now() -> float:
    return asyncio.get_running_loop().time()


def reads(emulator: Emulator) -> int:
    return sum(request.method == "GET" for request in emulator.requests)


async def test_the_end_is_known_soon_and_costs_few_requests(
    emulator: Emulator, duvo: AsyncDuvo
) -> None:
    run = await duvo.runs.start(emulator.add_agent([Sleep(90), Say("done")]))
    ended = await duvo.runs.wait(run)
    assert ended.succeeded
    assert ended.id == run.id
    assert 90 <= now() < 92.2  # 1.5 % of its age, and 10 % of jitter
    assert reads(emulator) <= 90


@pytest.mark.no_cover
async def test_an_old_run_is_left_alone_for_longer(emulator: Emulator, duvo: AsyncDuvo) -> None:
    await duvo.runs.execute(emulator.add_agent([Sleep(3600)]))
    assert 3600 <= now() < 3611
    assert reads(emulator) < 560  # 1 s apart at first, 10 s later


@pytest.mark.parametrize(
    "status", ["completed", "failed", "interrupted", "stopped", "canceled", "cancelled"]
)
async def test_every_terminal_status_ends_the_wait(
    status: str, emulator: Emulator, duvo: AsyncDuvo
) -> None:
    run = await duvo.runs.execute(emulator.add_agent([Finish(status)]))
    assert run.status == status
    assert run.is_terminal


async def test_an_unknown_status_is_polled_on() -> None:
    pondering = run_answer("pondering")
    async with serve(pondering, run_answer("completed")) as stub, client(stub) as duvo:
        seen: list[RunStatus] = []
        await duvo.runs.wait(RUN_ID, on_update=lambda run: seen.append(run.status))
    assert seen == ["pondering", "completed"]


async def test_a_waiting_run_without_a_request_is_polled_on() -> None:
    async with serve(run_answer("waiting"), run_answer("completed")) as stub, client(stub) as duvo:
        assert (await duvo.runs.wait(RUN_ID)).succeeded


async def test_a_pending_request_is_raised_with_the_run(
    emulator: Emulator, duvo: AsyncDuvo
) -> None:
    run = await duvo.runs.start(emulator.add_agent([AskApproval("Post?"), Say("posted")]))
    with pytest.raises(HumanRequestPending, match=r"Post\?") as caught:
        await duvo.runs.wait(run.id)
    pending = caught.value
    assert pending.run_id == pending.run.id == run.id
    assert pending.run.status == "waiting"
    assert pending.request == pending.run.pending_human_request
    await duvo.runs.answer(pending, pending.request.approve())
    assert (await duvo.runs.wait(pending.run)).succeeded


async def _later(pending: HumanRequestPending) -> HumanAnswer:
    await asyncio.sleep(5)
    return pending.request.approve()


@pytest.mark.parametrize("handler", [lambda pending: pending.request.approve(), _later])
async def test_a_handler_answers(
    handler: Callable[[HumanRequestPending], HumanAnswer | Awaitable[HumanAnswer]],
    emulator: Emulator,
    duvo: AsyncDuvo,
) -> None:
    agent = emulator.add_agent([AskApproval("One?"), AskApproval("Two?"), Say("done")])
    run = await duvo.runs.execute(agent, on_human_request=handler)
    assert run.succeeded
    assert sum(request.path.endswith("/respond") for request in emulator.requests) == 2


async def test_a_handler_may_leave_it_to_others(emulator: Emulator, duvo: AsyncDuvo) -> None:
    with pytest.raises(HumanRequestPending):
        await duvo.runs.execute(
            emulator.add_agent([AskApproval("Post?")]), on_human_request=lambda _: None
        )


async def test_a_handler_must_return_an_answer(emulator: Emulator, duvo: AsyncDuvo) -> None:
    with pytest.raises(TypeError, match="on_human_request must return"):
        await duvo.runs.execute(
            emulator.add_agent([AskApproval("Post?")]),
            on_human_request=lambda _: True,  # type: ignore[arg-type, return-value] # the mistake
        )


async def test_a_handlers_own_error_reaches_the_caller(emulator: Emulator, duvo: AsyncDuvo) -> None:
    def fail(_: HumanRequestPending) -> None:
        raise LookupError("nobody is in")

    with pytest.raises(LookupError, match="nobody is in"):
        await duvo.runs.execute(emulator.add_agent([AskApproval("Post?")]), on_human_request=fail)


async def test_a_request_just_answered_is_not_raised_again() -> None:
    waiting = run_answer("waiting", approval())
    async with (
        serve(waiting, answered(), waiting, waiting, run_answer("completed")) as stub,
        client(stub) as duvo,
    ):
        with pytest.raises(HumanRequestPending) as caught:
            await duvo.runs.wait(RUN_ID)
        await duvo.runs.answer(caught.value, caught.value.request.approve())
        assert (await duvo.runs.wait(RUN_ID)).succeeded


async def test_another_request_after_an_answered_one_is_raised() -> None:
    other = "6fa459ea-ee8a-3ca4-894e-db77e160355e"
    async with (
        serve(answered(), run_answer("waiting", approval(other))) as stub,
        client(stub) as duvo,
    ):
        await duvo.runs.respond(RUN_ID, REQUEST_ID, approved=True)
        with pytest.raises(HumanRequestPending) as caught:
            await duvo.runs.wait(RUN_ID)
    assert caught.value.request.id == other


async def test_an_answer_that_did_not_arrive_is_asked_for_again() -> None:
    waiting = run_answer("waiting", approval())
    async with (
        serve(answer(400), waiting) as stub,
        client(stub) as duvo,
    ):
        with pytest.raises(BadRequestError):
            await duvo.runs.respond(RUN_ID, REQUEST_ID, approved=True)
        with pytest.raises(HumanRequestPending):
            await duvo.runs.wait(RUN_ID)


async def test_somebody_else_may_answer_first() -> None:
    waiting = run_answer("waiting", approval())
    async with (
        serve(waiting, answer(409), run_answer("running"), run_answer("completed")) as stub,
        client(stub) as duvo,
    ):
        run = await duvo.runs.wait(
            RUN_ID, on_human_request=lambda pending: pending.request.approve()
        )
    assert run.succeeded


async def test_a_refused_answer_to_a_standing_request_is_an_error() -> None:
    waiting = run_answer("waiting", approval())
    async with serve(waiting, answer(400), waiting) as stub, client(stub) as duvo:
        with pytest.raises(BadRequestError):
            await duvo.runs.wait(RUN_ID, on_human_request=lambda pending: pending.request.approve())


async def test_a_time_out_has_the_last_run_and_stops_nothing(
    emulator: Emulator, duvo: AsyncDuvo
) -> None:
    run = await duvo.runs.start(emulator.add_agent([Sleep(1000)]))
    with pytest.raises(WaitTimeout) as caught:
        await duvo.runs.wait(run, timeout=30)
    assert now() == pytest.approx(30, abs=0.1)
    error = caught.value
    assert error.run is not None
    assert (error.run.status, error.run_id, error.timeout) == ("running", run.id, 30)
    assert isinstance(error, TimeoutError)
    assert error.__cause__ is error.__context__ is None  # aiohttp's frames would know the key
    assert (await duvo.runs.wait(error.run)).succeeded


async def test_a_time_out_before_anything_is_known() -> None:
    async with serve(hang_up) as stub, client(stub) as duvo:
        with pytest.raises(WaitTimeout) as caught:
            await duvo.runs.wait(RUN_ID, timeout=0.001)
    assert caught.value.run is None


async def test_a_time_out_cuts_a_handler_short(emulator: Emulator, duvo: AsyncDuvo) -> None:
    agent = emulator.add_agent([AskApproval("Post?")])

    async def ponder(_: HumanRequestPending) -> None:
        await asyncio.sleep(3600)

    with pytest.raises(WaitTimeout) as caught:
        await duvo.runs.execute(agent, timeout=60, on_human_request=ponder)
    assert caught.value.run is not None
    assert caught.value.run.status == "waiting"
    assert now() == pytest.approx(60, abs=0.1)


async def test_a_time_out_of_the_callers_own_is_left_alone(
    emulator: Emulator, duvo: AsyncDuvo
) -> None:
    run = await duvo.runs.start(emulator.add_agent([Sleep(1000)]))
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(10):
            await duvo.runs.wait(run, timeout=500)
    assert not isinstance(caught.value, WaitTimeout)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
async def test_a_time_out_must_be_positive(timeout: float, duvo: AsyncDuvo) -> None:
    with pytest.raises(ValueError, match="timeout"):
        await duvo.runs.wait(RUN_ID, timeout=timeout)


async def test_cancelling_the_wait_lets_the_run_go_on(emulator: Emulator, duvo: AsyncDuvo) -> None:
    run = await duvo.runs.start(emulator.add_agent([Sleep(100)]))
    wait = asyncio.create_task(duvo.runs.wait(run))
    await asyncio.sleep(10)
    wait.cancel()
    with pytest.raises(asyncio.CancelledError):
        await wait
    assert (await duvo.runs.wait(run)).succeeded


async def test_a_run_that_is_gone_is_not_found(emulator: Emulator, duvo: AsyncDuvo) -> None:
    run = await duvo.runs.start(emulator.add_agent([Sleep(100)]))
    wait = asyncio.create_task(duvo.runs.wait(run))
    await asyncio.sleep(10)
    emulator.delete_run(run.id)
    with pytest.raises(NotFoundError):
        await wait


async def test_two_waits_on_one_run_answer_it_once(emulator: Emulator, duvo: AsyncDuvo) -> None:
    run = await duvo.runs.start(emulator.add_agent([AskApproval("Post?"), Say("done")]))
    together = asyncio.Barrier(2)

    async def decide(pending: HumanRequestPending) -> HumanAnswer:
        await together.wait()
        return pending.request.approve()

    waits = (duvo.runs.wait(run, on_human_request=decide) for _ in range(2))
    assert all(ended.succeeded for ended in await asyncio.gather(*waits))


async def test_an_answer_whose_receipt_is_unreadable_was_given() -> None:
    waiting = run_answer("waiting", approval())
    async with (
        serve(answer(200, b"?"), waiting, run_answer("completed")) as stub,
        client(stub) as duvo,
    ):
        with pytest.raises(ResponseDecodeError):
            await duvo.runs.respond(RUN_ID, REQUEST_ID, approved=True)
        assert (await duvo.runs.wait(RUN_ID)).succeeded


async def test_429s_do_not_end_the_following_of_messages() -> None:
    none: dict[str, object] = {"messages": [], "total": 0, "limit": 50, "offset": 0}
    slow_down = answer(429, {"error": "rate_limited"})
    async with (
        serve(
            *[slow_down] * 12, answer(200, none), run_answer("completed"), answer(200, none)
        ) as stub,
        client(stub) as duvo,
    ):
        assert [message async for message in duvo.runs.messages(RUN_ID, follow=True)] == []
    assert len(stub.asked) == 15


async def test_execute_checks_its_arguments_before_it_sends_anything(
    emulator: Emulator, duvo: AsyncDuvo
) -> None:
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("", {}),
        (emulator.demo_agent_id, {"timeout": 0}),
        (emulator.demo_agent_id, {"timeout": "900"}),
        (emulator.demo_agent_id, {"message": ""}),
        (emulator.demo_agent_id, {"webhook_url": "nonsense"}),
        (emulator.demo_agent_id, {"idempotency_key": 7}),
    ]
    for agent, arguments in wrong:
        with pytest.raises((ValueError, TypeError)):
            await duvo.runs.execute(agent, files={"x": b"1"}, **arguments)
    assert not emulator.requests


@pytest.mark.parametrize("pending", [RUN_ID, None, 7])
async def test_what_is_answered_must_be_a_request(pending: Any, duvo: AsyncDuvo) -> None:  # noqa: ANN401 - wrong ones
    with pytest.raises(TypeError, match="pending must be"):
        await duvo.runs.answer(pending, HumanAnswer(request_id="r", approved=True))


async def test_429s_do_not_end_a_wait() -> None:
    slow_down = answer(429, {"error": "rate_limited"})
    many = [slow_down] * 12
    async with serve(*many, run_answer("completed")) as stub, client(stub) as duvo:
        assert (await duvo.runs.wait(RUN_ID)).succeeded
    assert len(stub.asked) == 13


async def test_a_429_that_asks_for_too_much_patience_ends_a_wait() -> None:
    async with serve(answer(429, retry_after="4000")) as stub, client(stub) as duvo:
        with pytest.raises(RateLimitError):
            await duvo.runs.wait(RUN_ID)


async def test_trouble_that_outlasts_the_retries_ends_a_wait() -> None:
    async with serve(run_answer(), hang_up) as stub, client(stub) as duvo:
        with pytest.raises(APIConnectionError, match=RUN_ID):
            await duvo.runs.wait(RUN_ID)
    assert len(stub.asked) > 5  # aiohttp adds repetitions on connections that were kept


async def test_updates_come_when_something_changes(emulator: Emulator, duvo: AsyncDuvo) -> None:
    agent = emulator.add_agent([Sleep(20), AskApproval("1?"), AskApproval("2?"), Sleep(20)])
    seen: list[Run] = []
    await duvo.runs.execute(
        agent, on_update=seen.append, on_human_request=lambda pending: pending.request.approve()
    )
    statuses = [run.status for run in seen]
    assert statuses == ["pending", "running", "waiting", "waiting", "running", "completed"]


async def test_updates_may_be_awaited(emulator: Emulator, duvo: AsyncDuvo) -> None:
    seen: list[str] = []

    async def note(run: Run) -> None:
        await asyncio.sleep(0)
        seen.append(run.status)

    await duvo.runs.execute(emulator.add_agent([Say("hi")]), on_update=note)
    assert seen == ["pending", "completed"]


async def test_watch_gives_each_change(emulator: Emulator, duvo: AsyncDuvo) -> None:
    run = await duvo.runs.start(emulator.add_agent([Sleep(5), AskApproval("?"), Finish("failed")]))
    seen: list[str] = []
    async for current in duvo.runs.watch(run):
        seen.append(current.status)
        if current.pending_human_request:
            await duvo.runs.answer(current, current.pending_human_request.approve())
    assert seen == ["running", "waiting", "failed"]


async def test_watch_times_out(emulator: Emulator, duvo: AsyncDuvo) -> None:
    run = await duvo.runs.start(emulator.add_agent([Sleep(500)]))
    with pytest.raises(WaitTimeout) as caught:
        async for _ in duvo.runs.watch(run, timeout=20):
            pass
    assert caught.value.run is not None
    assert now() == pytest.approx(20, abs=0.1)


async def test_following_messages_gives_each_once_until_the_end(
    emulator: Emulator, duvo: AsyncDuvo
) -> None:
    steps = [step for n in range(130) for step in (Say(str(n)), Sleep(n % 3))]
    run = await duvo.runs.start(emulator.add_agent([*steps, Say("last")]), message="go")
    said = [message.text_content async for message in duvo.runs.messages(run.id, follow=True)]
    assert said == ["go", *map(str, range(130)), "last"]


async def test_messages_without_following_end_with_what_there_is(
    emulator: Emulator, duvo: AsyncDuvo
) -> None:
    run = await duvo.runs.start(
        emulator.add_agent([*(Say(str(n)) for n in range(120)), Sleep(1000), Say("later")])
    )
    messages = duvo.runs.messages(run.id)
    assert [message.text_content async for message in messages] == [*map(str, range(120))]
    assert [len(page) async for page in messages.pages()] == [50, 50, 20]
    small = [len(page) async for page in duvo.runs.messages(run.id, page_size=7).pages()]
    assert small == [7] * 17 + [1]
    page = await duvo.runs.messages_page(run.id, limit=5, offset=118)
    assert (page.total, page.limit, page.offset) == (120, 5, 118)
    assert [message.text_content for message in page.messages] == ["118", "119"]


async def test_answers_are_checked_against_what_is_asked(
    emulator: Emulator, duvo: AsyncDuvo
) -> None:
    runs = [await duvo.runs.start(emulator.add_agent([AskApproval(f"{n}?")])) for n in range(2)]
    first, second = [await duvo.runs.get(run.id) for run in runs]
    assert first.pending_human_request is not None
    with pytest.raises(ValueError, match="the answer is for request"):
        await duvo.runs.answer(second, first.pending_human_request.approve())
    with pytest.raises(ValueError, match="waits for nobody"):
        await duvo.runs.answer(runs[0], first.pending_human_request.approve())
    assert not [request for request in emulator.requests if request.path.endswith("/respond")]


async def test_a_message_resumes_an_interrupted_run(emulator: Emulator, duvo: AsyncDuvo) -> None:
    run = await duvo.runs.execute(emulator.add_agent([Finish("interrupted"), Say("again")]))
    assert run.status == "interrupted"
    message = await duvo.runs.post_message(run.id, "go on")
    assert (message.role, message.text_content) == ("user", "go on")
    assert (await duvo.runs.wait(run)).succeeded


async def test_stop(emulator: Emulator, duvo: AsyncDuvo) -> None:
    run = await duvo.runs.start(emulator.add_agent([Sleep(1000)]))
    assert (await duvo.runs.stop(run.id)).success
    assert (await duvo.runs.wait(run)).status == "stopped"
