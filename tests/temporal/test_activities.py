"""What workers do, without a server of Temporal."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve
from temporalio.activity import ActivityCancellationDetails
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from duvo_async import AsyncDuvo, HumanAnswer, Run
from duvo_async.emulator import AskApproval, Emulator, Say, Sleep
from duvo_async.temporal import (
    AnswerRequest,
    DuvoActivities,
    StartRun,
    StopRun,
    UploadFiles,
    WaitForRun,
)
from tests.support.virtual_time import VirtualTimeLoop, wall_clock

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"debug": True, "loop_factory": VirtualTimeLoop}


@pytest.fixture
async def emulator(_no_leaked_tasks: None) -> AsyncIterator[Emulator]:
    async with Emulator(clock=wall_clock) as running:
        yield running


@pytest.fixture
def does(duvo: AsyncDuvo) -> DuvoActivities:
    return DuvoActivities(duvo)


def environment(heartbeat: float | None = 60.0) -> ActivityEnvironment:
    env = ActivityEnvironment()
    timeout = None if heartbeat is None else timedelta(seconds=heartbeat)
    env.info = replace(env.info, heartbeat_timeout=timeout)
    return env


async def wait(does: DuvoActivities, run: Run, **known: str | None) -> Run:
    return await environment().run(does.wait, WaitForRun(run_id=run.id, **known))


async def test_a_wait_is_heard_of_three_times_in_its_time_out(
    does: DuvoActivities, duvo: AsyncDuvo, emulator: Emulator
) -> None:
    run = await duvo.runs.start(emulator.add_agent([Sleep(600)]))
    env, beats = environment(60), []
    env.on_heartbeat = lambda *_: beats.append(asyncio.get_running_loop().time())
    begun = asyncio.get_running_loop().time()
    assert (await env.run(does.wait, WaitForRun(run_id=run.id))).succeeded
    took = asyncio.get_running_loop().time() - begun
    assert len(beats) == took // 20
    assert beats[:3] == [begun + 20, begun + 40, begun + 60]


async def test_without_a_time_out_nothing_is_sent(
    does: DuvoActivities, duvo: AsyncDuvo, emulator: Emulator
) -> None:
    run = await duvo.runs.start(emulator.add_agent([Sleep(600)]))
    env, beats = environment(None), []
    env.on_heartbeat = lambda *_: beats.append(1)
    await env.run(does.wait, WaitForRun(run_id=run.id))
    assert not beats


async def test_a_wait_ends_with_each_change_of_what_is_asked(
    does: DuvoActivities, duvo: AsyncDuvo, emulator: Emulator
) -> None:
    script = [AskApproval("One?"), Sleep(60), AskApproval("Two?"), Say("Done.")]
    run = await duvo.runs.start(emulator.add_agent(script))
    one = (await wait(does, run)).pending_human_request
    assert one is not None
    assert one.title == "One?"
    await duvo.runs.respond(run.id, one.id, approved=True)
    gone = await wait(does, run, asked=one.id)
    assert gone.pending_human_request is None
    two = (await wait(does, run, answered=one.id)).pending_human_request
    assert two is not None
    assert two.title == "Two?"
    await duvo.runs.respond(run.id, two.id, approved=True)
    assert (await wait(does, run, asked=two.id)).pending_human_request is None
    assert (await wait(does, run)).is_terminal


async def test_a_request_that_was_answered_and_is_still_shown_is_not_asked_again(
    does: DuvoActivities, duvo: AsyncDuvo, emulator: Emulator
) -> None:
    run = await duvo.runs.start(emulator.add_agent([AskApproval("One?")]))
    request = (await wait(does, run)).pending_human_request
    assert request is not None
    waiting = asyncio.create_task(wait(does, run, answered=request.id))
    await asyncio.sleep(300)
    assert not waiting.done()
    await duvo.runs.stop(run.id)
    assert (await waiting).is_terminal


async def test_a_wait_whose_worker_ends_is_for_another(
    does: DuvoActivities, duvo: AsyncDuvo, emulator: Emulator
) -> None:
    run = await duvo.runs.start(emulator.add_agent([Sleep(1e6)]))
    env = environment()
    waiting = asyncio.ensure_future(env.run(does.wait, WaitForRun(run_id=run.id)))
    await asyncio.sleep(60)
    env.cancel(cancellation_details=ActivityCancellationDetails(worker_shutdown=True))
    with pytest.raises(ApplicationError) as failed:
        await waiting
    assert not failed.value.non_retryable
    assert failed.value.type == "WorkerEnds"
    assert failed.value.next_retry_delay is not None
    assert failed.value.next_retry_delay < timedelta(seconds=1)


async def test_a_wait_that_is_cancelled_is_cancelled(
    does: DuvoActivities, duvo: AsyncDuvo, emulator: Emulator
) -> None:
    run = await duvo.runs.start(emulator.add_agent([Sleep(1e6)]))
    env = environment()
    waiting = asyncio.ensure_future(env.run(does.wait, WaitForRun(run_id=run.id)))
    await asyncio.sleep(60)
    env.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_start_that_is_made_again_starts_nothing_twice(
    does: DuvoActivities, emulator: Emulator
) -> None:
    start = StartRun(agent_id=emulator.add_agent([Say("x")]), idempotency_key="k")
    first, second = [await environment().run(does.start, start) for _ in range(2)]
    assert first.id == second.id


async def test_files_go_into_one_sandbox_however_often_they_are_sent(
    does: DuvoActivities, emulator: Emulator, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("1")
    upload = UploadFiles(files=(str(tmp_path / "a.csv"),), idempotency_key="k")
    first, second = [await environment().run(does.upload, upload) for _ in range(2)]
    assert first == second
    again = evolve(upload, sandbox_id=first)
    assert await environment().run(does.upload, again) == first
    created = [each for each in emulator.requests if each.path.endswith("/sandboxes")]
    assert len(created) == 2


async def test_an_answer_that_is_given_again_is_fine(
    does: DuvoActivities, duvo: AsyncDuvo, emulator: Emulator
) -> None:
    run = await duvo.runs.start(emulator.add_agent([AskApproval("One?"), Sleep(1e6)]))
    request = (await wait(does, run)).pending_human_request
    assert request is not None
    answer = AnswerRequest(run_id=run.id, answer=request.approve(), idempotency_key="k")
    first, second = [await environment().run(does.answer, answer) for _ in range(2)]
    assert first == second
    late = evolve(answer, idempotency_key="another")
    assert await environment().run(does.answer, late) is None


async def test_an_answer_to_nothing_fails(
    does: DuvoActivities, duvo: AsyncDuvo, emulator: Emulator
) -> None:
    run = await duvo.runs.start(emulator.add_agent([AskApproval("One?"), Sleep(1e6)]))
    request = (await wait(does, run)).pending_human_request
    assert request is not None
    misfit = HumanAnswer(request_id=request.id, answers={"One?": "yes"})
    answer = AnswerRequest(run_id=run.id, answer=misfit, idempotency_key="k")
    with pytest.raises(ApplicationError) as failed:
        await environment().run(does.answer, answer)
    assert failed.value.type == "BadRequestError"
    assert failed.value.non_retryable


async def test_a_run_is_stopped(does: DuvoActivities, duvo: AsyncDuvo, emulator: Emulator) -> None:
    run = await duvo.runs.start(emulator.add_agent([Sleep(1e6)]))
    assert (await environment().run(does.stop, StopRun(run_id=run.id, idempotency_key="k"))).success
    assert (await duvo.runs.get(run.id)).status == "stopped"
