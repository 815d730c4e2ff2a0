"""Runs of the emulator, waited for by workflows of a real Temporal server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from pathlib import Path
from typing import Any, TypeAlias, cast

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import ApplicationError, CancelledError

from duvo_async import (
    AnsweredHumanRequest,
    AsyncDuvo,
    BadRequestError,
    DurableRunError,
    HumanRequest,
    RetryPolicy,
    Run,
    RunStatus,
    UploadSourceError,
    WaitTimeout,
)
from duvo_async.emulator import (
    AskApproval,
    AskQuestions,
    Emulator,
    ListFiles,
    Option,
    Question,
    Say,
    Script,
    Sleep,
    StartedRun,
)
from duvo_async.temporal import DurableRun, DuvoRunWorkflow, duvo_worker, error_of
from duvo_async.temporal.fitting import GivenAnswer
from tests.support.patience import eventually, limited

pytestmark = pytest.mark.anyio

Handle: TypeAlias = WorkflowHandle[DuvoRunWorkflow, Run]
Start: TypeAlias = Callable[..., Any]
FOREVER = [Sleep(1e6)]
YES, NO = True, False


@pytest.fixture
async def start(
    temporal: Client, duvo: AsyncDuvo, emulator: Emulator, queue: str
) -> AsyncIterator[Start]:
    """Start a workflow for a run of a script, with a worker that goes on with it."""

    async def start(script: Script = FOREVER, **durable: object) -> Handle:
        return await temporal.start_workflow(
            DuvoRunWorkflow.run,
            DurableRun(**cast("Any", {"agent_id": emulator.add_agent(script), **durable})),
            id=queue,
            task_queue=queue,
        )

    async with duvo_worker(temporal, duvo, task_queue=queue, starts_per_second=1000):
        yield start


async def asked(handle: Handle) -> HumanRequest:
    return await eventually(lambda: handle.query(DuvoRunWorkflow.pending_request))


async def started(handle: Handle) -> Run:
    return await eventually(lambda: handle.query(DuvoRunWorkflow.last_seen))


async def refusal(answering: Awaitable[object]) -> ApplicationError:
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await answering
    assert isinstance(failed.value.cause, ApplicationError)
    return failed.value.cause


async def failure(handle: Handle) -> Exception:
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    return error_of(failed.value, workflow_id=handle.id)


async def answer(
    handle: Handle, request_id: str, answer: GivenAnswer
) -> AnsweredHumanRequest | None:
    return await handle.execute_update(DuvoRunWorkflow.answer, args=[request_id, answer])


def sent(emulator: Emulator, method: str, end: str) -> list[Any]:
    return [each for each in emulator.requests if each.method == method and each.path.endswith(end)]


@limited
async def test_a_run_ends_with_what_it_is(start: Start) -> None:
    told: list[str | None] = []

    def script(run: StartedRun) -> Iterator[Say]:
        told.append(run.message)
        yield Say("Done.")

    handle = await start(script, message="Post them.")
    run = await handle.result()
    assert run == (await handle.query(DuvoRunWorkflow.last_seen))
    assert run.status is RunStatus.COMPLETED
    assert told == ["Post them."]


@limited
async def test_what_it_asks_is_shown_and_answered(start: Start) -> None:
    handle = await start([AskApproval("Post?"), Say("Posted.")])
    request = await asked(handle)
    assert request.title == "Post?"
    memo = await (await handle.describe()).memo()
    assert memo["run"]["pending_human_request"]["title"] == "Post?"
    answered = await answer(handle, request.id, request.approve())
    assert answered is not None
    assert answered.id == request.id
    assert await handle.query(DuvoRunWorkflow.pending_request) is None
    assert (await handle.result()).succeeded
    memo = await (await handle.describe()).memo()
    assert memo["run"]["status"] == "completed"
    assert memo["run"]["pending_human_request"] is None


@limited
async def test_one_question_after_the_other_is_answered_with_plain_values(start: Start) -> None:
    books = Question("Books?", options=[Option("A"), Option("B")], multi_select=True)
    handle = await start([AskApproval("Post?"), AskQuestions("Which?", [books])])
    request = await asked(handle)
    await answer(handle, request.id, YES)
    request = await eventually(lambda: handle.query(DuvoRunWorkflow.pending_request))
    assert request.title == "Which?"
    answered = await answer(handle, request.id, {"Books?": ["A", "B"]})
    assert answered is not None
    assert answered.response is not None
    assert "A,B" in answered.response
    assert (await handle.result()).succeeded


@limited
async def test_answers_that_do_not_fit_are_refused_and_leave_no_trace(start: Start) -> None:
    handle = await start([AskApproval("Post?")])
    request = await asked(handle)
    stale = await refusal(answer(handle, "another", YES))
    assert stale.type == "StaleRequest"
    assert "another" in stale.message
    unfit = await refusal(answer(handle, request.id, {"Post?": "yes"}))
    assert unfit.type == "ValueError"
    events = [event.event_type async for event in handle.fetch_history_events()]
    assert EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED not in events


@limited
async def test_nothing_is_answered_before_anything_is_asked(start: Start) -> None:
    handle = await start()
    assert (await refusal(answer(handle, "any", YES))).type == "StaleRequest"


@limited
async def test_of_two_answers_at_once_one_is_refused(start: Start, emulator: Emulator) -> None:
    handle = await start([AskApproval("Post?")])
    request = await asked(handle)
    both = [answer(handle, request.id, request.approve()) for _ in range(2)]
    results = await asyncio.gather(*both, return_exceptions=True)
    assert sum(isinstance(each, WorkflowUpdateFailedError) for each in results) == 1
    assert len(sent(emulator, "POST", "/respond")) == 1


@limited
async def test_an_answer_that_is_known_already_is_given_once(
    start: Start, emulator: Emulator
) -> None:
    handle = await start([AskApproval("Post?"), *FOREVER])
    request = await asked(handle)
    emulator.drop(done=True, path="/respond")  # the client sends it again, with its key
    assert await answer(handle, request.id, YES)
    keys = {each.headers["idempotency-key"] for each in sent(emulator, "POST", "/respond")}
    assert len(keys) == 1


@limited
async def test_an_answer_that_is_given_elsewhere_is_noticed(start: Start, duvo: AsyncDuvo) -> None:
    handle = await start([AskApproval("Post?"), *FOREVER])
    request = await asked(handle)
    run = await started(handle)
    await duvo.runs.respond(run.id, request.id, approved=True)

    async def forgotten() -> bool:
        return await handle.query(DuvoRunWorkflow.pending_request) is None

    await eventually(forgotten)


@limited
async def test_who_is_slower_than_somebody_elsewhere_hears_so(
    start: Start, duvo: AsyncDuvo, emulator: Emulator
) -> None:
    handle = await start([AskApproval("Post?"), *FOREVER])
    request = await asked(handle)
    run = await started(handle)
    await duvo.runs.respond(run.id, request.id, approved=False)
    emulator.fail(409, path="/respond")
    assert await answer(handle, request.id, YES) is None


@limited
async def test_an_answer_that_the_api_refuses_leaves_the_question_open(
    start: Start, emulator: Emulator
) -> None:
    handle = await start([AskApproval("Post?")])
    request = await asked(handle)
    emulator.fail(400, path="/respond")
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await answer(handle, request.id, YES)
    assert isinstance(error_of(failed.value), BadRequestError)
    assert (await asked(handle)) == request
    await answer(handle, request.id, NO)
    assert (await handle.result()).is_terminal


@limited
async def test_it_is_told_to_stop(start: Start) -> None:
    handle = await start()
    assert (await handle.execute_update(DuvoRunWorkflow.stop)).success
    assert (await handle.result()).status is RunStatus.STOPPED


@limited
async def test_it_is_told_to_stop_what_is_not_started(start: Start, emulator: Emulator) -> None:
    emulator.fail(400, path="/runs", method="POST")
    handle = await start()
    stopping = asyncio.gather(handle.execute_update(DuvoRunWorkflow.stop), return_exceptions=True)
    assert isinstance(await failure(handle), BadRequestError)
    assert isinstance((await stopping)[0], Exception)


@limited
@pytest.mark.parametrize("script", [FOREVER, [AskApproval("Post?")]], ids=["working", "asking"])
@pytest.mark.parametrize(("on_cancel", "status"), [("stop", "stopped"), ("leave", None)])
async def test_a_cancelled_workflow_stops_its_run_or_leaves_it(
    on_cancel: str, status: str | None, script: Script, start: Start, duvo: AsyncDuvo
) -> None:
    handle = await start(script, on_cancel=on_cancel)
    run = await started(handle)
    if script is not FOREVER:
        await asked(handle)
    await handle.cancel()
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    assert isinstance(failed.value.cause, CancelledError)
    now = await duvo.runs.get(run.id)
    assert now.status == status if status else not now.is_terminal


@limited
@pytest.mark.parametrize(("on_cancel", "left"), [("stop", [RunStatus.STOPPED]), ("leave", [])])
async def test_a_start_that_is_under_way_becomes_known_if_it_is_to_be_stopped(
    on_cancel: str, left: list[RunStatus], temporal: Client, emulator: Emulator, queue: str
) -> None:
    emulator.fail(503, path="/runs", method="POST")
    async with (
        AsyncDuvo(emulator.api_key, base_url=emulator.url, retry=RetryPolicy(retries=0)) as duvo,
        duvo_worker(temporal, duvo, task_queue=queue, starts_per_second=1000),
    ):
        handle = await temporal.start_workflow(
            DuvoRunWorkflow.run,
            DurableRun(agent_id=emulator.add_agent(FOREVER), on_cancel=on_cancel),  # type: ignore[arg-type] # a parameter
            id=queue,
            task_queue=queue,
        )

        async def failed() -> bool:
            return bool(emulator.requests)

        await eventually(failed)  # Temporal will have it tried again
        await handle.cancel()
        assert isinstance(await failure(handle), DurableRunError)
        assert [run.status async for run in duvo.runs.list()] == left


@limited
async def test_a_start_that_fails_says_why(start: Start) -> None:
    error = await failure(await start(agent_id="no-uuid"))
    assert isinstance(error, BadRequestError)
    assert error.status == 400
    assert isinstance(await failure(await start(agent_id="", sandbox_id=None)), ValueError)


@limited
async def test_a_key_that_is_replaced_is_waited_for_and_none_is_kept(
    start: Start, emulator: Emulator
) -> None:
    emulator.fail(401, method="GET")
    handle = await start([Say("Done.")])
    assert (await handle.result()).succeeded
    history = await handle.fetch_history()
    assert "AuthenticationError" in str(history.events)  # as the failure of the first attempt
    assert emulator.api_key not in str(history.events)


@limited
async def test_files_of_the_worker_are_there_when_it_starts(
    start: Start, tmp_path: Path, emulator: Emulator
) -> None:
    (tmp_path / "orders.csv").write_text("id\n7\n")
    seen: list[object] = []

    def script(_: StartedRun) -> Generator[ListFiles, object, None]:
        seen.append((yield ListFiles("/workspace")))

    handle = await start(script, files=[str(tmp_path / "orders.csv")])
    assert (await handle.result()).succeeded
    assert "orders.csv" in str(seen)
    assert len(sent(emulator, "POST", "/sandboxes")) == 1


@limited
async def test_files_that_are_missing_start_nothing(start: Start, emulator: Emulator) -> None:
    assert isinstance(await failure(await start(files=["missing.csv"])), UploadSourceError)
    assert not sent(emulator, "POST", "/runs")


@limited
async def test_time_runs_out_and_the_run_goes_on(start: Start, duvo: AsyncDuvo) -> None:
    error = await failure(await start(timeout=0.5))
    assert isinstance(error, WaitTimeout)
    assert error.timeout == 0.5
    assert error.run is not None
    assert not (await duvo.runs.get(error.run_id)).is_terminal


@limited
async def test_a_workflow_that_is_started_anew_finds_its_run(
    start: Start, temporal: Client, emulator: Emulator
) -> None:
    handle = await start()
    run = await started(handle)
    await handle.terminate()
    agent_id = run.agent_id
    again = await temporal.start_workflow(
        DuvoRunWorkflow.run, DurableRun(agent_id=agent_id), id=handle.id, task_queue=handle.id
    )
    assert (await started(again)).id == run.id
    own = await temporal.start_workflow(
        DuvoRunWorkflow.run,
        DurableRun(agent_id=agent_id, idempotency_key="own"),
        id=f"{handle.id}-2",
        task_queue=handle.id,
    )
    assert (await started(own)).id != run.id
    keys = [each.headers["idempotency-key"] for each in sent(emulator, "POST", "/runs")]
    assert keys == [keys[0], keys[0], "own"]


@limited
async def test_a_worker_that_ends_leaves_its_waits_to_the_next(
    temporal: Client, duvo: AsyncDuvo, emulator: Emulator, queue: str
) -> None:
    agent_id = emulator.add_agent([AskApproval("Post?")])
    async with duvo_worker(temporal, duvo, task_queue=queue, starts_per_second=1000):
        handle = await temporal.start_workflow(
            DuvoRunWorkflow.run, DurableRun(agent_id=agent_id), id=queue, task_queue=queue
        )
        request = await asked(handle)
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    async with duvo_worker(temporal, duvo, task_queue=queue, starts_per_second=1000):
        await answer(handle, request.id, request.approve())
        assert (await handle.result()).succeeded
    assert len(sent(emulator, "POST", "/runs")) == 1
