"""Many durable runs, and their outcomes."""

from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from duvo_async import (
    AsyncDuvo,
    BadRequestError,
    DurableRunError,
    HumanAnswer,
    HumanRequestPending,
    RunOutcome,
    RunStatus,
)
from duvo_async.emulator import AskApproval, Emulator, Say, Script, Sleep, StartedRun, Step
from duvo_async.temporal import (
    DurableRun,
    DuvoRunWorkflow,
    DuvoWorker,
    duvo_worker,
    following,
    run_many,
)
from tests.support.patience import limited

pytestmark = pytest.mark.anyio

FOREVER = [Sleep(1e6)]


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_LONGEST", 0.2)


@pytest.fixture
async def worker(temporal: Client, duvo: AsyncDuvo, queue: str) -> AsyncIterator[DuvoWorker]:
    async with duvo_worker(temporal, duvo, task_queue=queue, starts_per_second=1000) as working:
        yield working


def echo(run: StartedRun) -> Generator[Step, object, None]:
    """Does what it is told."""
    if run.message == "ask":
        yield AskApproval("Post?")
    if run.message == "wait":
        yield from FOREVER
    yield Say("Done.")


async def outcomes(
    temporal: Client,
    emulator: Emulator,
    queue: str,
    items: Any,  # noqa: ANN401 - right ones and wrong ones
    *,
    script: Script = echo,
    **how: Any,  # noqa: ANN401 - as run_many takes them
) -> dict[int, RunOutcome]:
    given = {"agent_id": emulator.add_agent(script), "batch_id": queue, "task_queue": queue, **how}
    found = [each async for each in run_many(temporal, items=items, **given)]
    by_index = {each.index: each for each in found}
    assert len(by_index) == len(found), "an input has two outcomes"
    return by_index


@limited
@pytest.mark.usefixtures("worker")
async def test_each_message_has_one_outcome(
    temporal: Client, emulator: Emulator, queue: str
) -> None:
    found = await outcomes(temporal, emulator, queue, ["a", None, "b"])
    assert sorted(found) == [0, 1, 2]
    assert all(each.succeeded and each.run_id for each in found.values())


@limited
@pytest.mark.usefixtures("worker")
async def test_messages_are_read_as_there_is_room(
    temporal: Client, emulator: Emulator, queue: str
) -> None:
    at_once: list[int] = []

    async def messages() -> AsyncIterator[str]:
        for number in range(6):
            query = f"WorkflowId STARTS_WITH '{queue}/' AND ExecutionStatus = 'Running'"
            at_once.append(len([each async for each in temporal.list_workflows(query)]))
            yield str(number)

    found = await outcomes(temporal, emulator, queue, messages(), max_outstanding=2)
    assert sorted(found) == [*range(6)]
    assert max(at_once) <= 2


@limited
async def test_a_batch_is_gone_on_with_where_it_stands(
    temporal: Client, duvo: AsyncDuvo, emulator: Emulator, queue: str
) -> None:
    agent_id = emulator.add_agent(echo)
    how: dict[str, Any] = {"agent_id": agent_id, "batch_id": queue, "task_queue": queue}
    async with duvo_worker(temporal, duvo, task_queue=queue, starts_per_second=1000):
        async for outcome in run_many(temporal, items=["a", "ask", "a"], **how):
            assert outcome.index in {0, 1, 2}
            break  # as if the process was killed
    async with duvo_worker(temporal, duvo, task_queue=queue, starts_per_second=1000):
        found = {
            each.index: each
            async for each in run_many(
                temporal, items=["a", "ask", "a", "a"], on_human_request=approve, **how
            )
        }
    assert sorted(found) == [0, 1, 2, 3]
    assert all(each.succeeded for each in found.values())
    starts = [each for each in emulator.requests if each.method == "POST" and "runs" in each.path]
    assert len({each.headers["idempotency-key"] for each in starts}) >= 4
    assert len([run async for run in duvo.runs.list()]) == 4


def approve(pending: HumanRequestPending) -> HumanAnswer:
    return pending.request.approve()


@limited
@pytest.mark.usefixtures("worker")
async def test_what_is_asked_is_answered_by_the_handler(
    temporal: Client, emulator: Emulator, queue: str
) -> None:
    asked: list[str] = []

    async def answer(pending: HumanRequestPending) -> HumanAnswer:
        asked.append(pending.run_id)
        return pending.request.deny()

    found = await outcomes(temporal, emulator, queue, ["ask", "a", "ask"], on_human_request=answer)
    assert sorted(found) == [0, 1, 2]
    assert sorted(asked) == sorted(str(found[index].run_id) for index in (0, 2))
    assert all(each.run and each.run.is_terminal for each in found.values())


@limited
@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("handler", [None, lambda _: None], ids=["none", "leaves it"])
async def test_what_nobody_answers_is_the_outcome_and_waits_on(
    handler: Any,  # noqa: ANN401 - a parameter
    temporal: Client,
    emulator: Emulator,
    queue: str,
) -> None:
    found = await outcomes(temporal, emulator, queue, ["ask"], on_human_request=handler)
    request = found[0].human_request
    assert request is not None
    with pytest.raises(HumanRequestPending):
        found[0].raise_for_status()
    handle = temporal.get_workflow_handle_for(DuvoRunWorkflow.run, f"{queue}/0")
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    await handle.execute_update(DuvoRunWorkflow.answer, args=[request.id, request.approve()])
    assert (await handle.result()).succeeded


@limited
@pytest.mark.usefixtures("worker")
async def test_the_trouble_of_one_is_its_own(
    temporal: Client, emulator: Emulator, queue: str
) -> None:
    def handler(pending: HumanRequestPending) -> Any:  # noqa: ANN401 - what is wrong
        raise LookupError(pending.run_id)

    found = await outcomes(temporal, emulator, queue, ["ask", "a"], on_human_request=handler)
    assert isinstance(found[0].error, LookupError)
    assert found[1].succeeded
    found = await outcomes(
        temporal, emulator, f"{queue}-2", ["ask"], task_queue=queue, on_human_request=lambda _: 7
    )
    assert isinstance(found[0].error, TypeError)


@limited
@pytest.mark.usefixtures("worker")
async def test_an_answer_that_does_not_fit_is_the_outcomes_error(
    temporal: Client, emulator: Emulator, queue: str
) -> None:
    def misfit(pending: HumanRequestPending) -> HumanAnswer:
        return HumanAnswer(request_id=pending.request.id, answers={"Post?": "yes"})

    found = await outcomes(temporal, emulator, queue, ["ask"], on_human_request=misfit)
    assert isinstance(found[0].error, DurableRunError)
    assert "asks for approval" in str(found[0].error)
    assert found[0].run is not None


@limited
@pytest.mark.usefixtures("worker")
async def test_an_answer_that_comes_second_does_no_harm(
    temporal: Client, emulator: Emulator, queue: str
) -> None:
    async def late(pending: HumanRequestPending) -> HumanAnswer:
        request = pending.request
        handle = temporal.get_workflow_handle_for(DuvoRunWorkflow.run, f"{queue}/0")
        await handle.execute_update(DuvoRunWorkflow.answer, args=[request.id, request.deny()])
        return request.approve()

    found = await outcomes(temporal, emulator, queue, ["ask"], on_human_request=late)
    assert found[0].error is None
    assert found[0].run is not None
    assert found[0].run.is_terminal


@limited
@pytest.mark.usefixtures("worker")
async def test_errors_of_starts_are_outcomes(
    temporal: Client, emulator: Emulator, queue: str
) -> None:
    found = await outcomes(temporal, emulator, queue, ["a", "b"], agent_id="no-uuid")
    assert all(isinstance(each.error, BadRequestError) for each in found.values())
    assert all(each.run_id is None for each in found.values())


@limited
@pytest.mark.usefixtures("worker")
async def test_a_workflow_that_is_ended_by_an_operator_is_an_error_with_its_run(
    temporal: Client, emulator: Emulator, queue: str
) -> None:
    def ended(_: HumanRequestPending) -> Any:  # noqa: ANN401 - it is awaited
        return temporal.get_workflow_handle(f"{queue}/0").terminate(reason="enough")

    found = await outcomes(temporal, emulator, queue, ["ask"], on_human_request=ended)
    # The handler gave no answer, and the outcome came first.
    assert found[0].human_request is not None
    found = await outcomes(temporal, emulator, queue, ["ask"], agent_id=found[0].run.agent_id)  # type: ignore[union-attr]
    assert isinstance(found[0].error, DurableRunError)
    assert found[0].error.workflow_id == f"{queue}/0"
    assert found[0].run is not None
    assert found[0].run.status is RunStatus.WAITING


@limited
@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("message", ["a", "wait"], ids=["ended", "running"])
async def test_a_batch_of_other_messages_is_not_mistaken_for_this(
    message: str, temporal: Client, emulator: Emulator, queue: str
) -> None:
    agent_id = emulator.add_agent(echo)
    await temporal.start_workflow(
        DuvoRunWorkflow.run,
        DurableRun(agent_id=agent_id, message=message),
        id=f"{queue}/0",
        task_queue=queue,
    )
    if message == "a":
        await temporal.get_workflow_handle(f"{queue}/0").result()
    found = await outcomes(temporal, emulator, queue, ["another"], agent_id=agent_id)
    assert isinstance(found[0].error, ValueError)
    assert f"{queue}/0" in str(found[0].error)


@limited
@pytest.mark.usefixtures("worker")
async def test_messages_that_break_off_do_so_after_what_was_read(
    temporal: Client, emulator: Emulator, queue: str
) -> None:
    def messages() -> Iterator[str]:
        yield "a"
        raise LookupError

    agent_id = emulator.add_agent(echo)
    found = aiter(run_many(temporal, agent_id, messages(), batch_id=queue, task_queue=queue))
    assert (await anext(found)).succeeded
    with pytest.raises(LookupError):
        await anext(found)


@limited
@pytest.mark.usefixtures("worker")
async def test_a_server_that_is_away_for_a_moment_is_waited_for(
    temporal: Client, emulator: Emulator, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED])
    listing, starting = temporal.list_workflows, temporal.start_workflow

    def list_workflows(query: str) -> Any:  # noqa: ANN401 - as theirs
        if status := next(failures, None):
            raise RPCError("away", status, b"")
        return listing(query)

    away = iter([RPCStatusCode.UNAVAILABLE])

    async def start_workflow(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as theirs
        if status := next(away, None):
            raise RPCError("away", status, b"")
        return await starting(*args, **kwargs)

    monkeypatch.setattr(temporal, "list_workflows", list_workflows)
    monkeypatch.setattr(temporal, "start_workflow", start_workflow)
    assert (await outcomes(temporal, emulator, queue, ["a"]))[0].succeeded


@limited
async def test_what_the_server_refuses_is_raised(
    temporal: Client, emulator: Emulator, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def list_workflows(_: str) -> Any:  # noqa: ANN401 - as theirs
        raise RPCError("no", RPCStatusCode.PERMISSION_DENIED, b"")

    monkeypatch.setattr(temporal, "list_workflows", list_workflows)
    with pytest.raises(RPCError, match="no"):
        await outcomes(temporal, emulator, queue, ["a"])


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"batch_id": ""}, ValueError),
        ({"batch_id": "it's"}, ValueError),
        ({"agent_id": ""}, ValueError),
        ({"items": "text"}, TypeError),
        ({"timeout": 0}, ValueError),
        ({"max_outstanding": 0}, ValueError),
        ({"on_human_request": 7}, TypeError),
        ({"on_cancel": "perhaps"}, ValueError),
    ],
)
def test_wrong_arguments_are_refused_at_once(wrong: dict[str, Any], kind: type[Exception]) -> None:
    right: dict[str, Any] = {"agent_id": "a", "items": ["m"], "batch_id": "b"}
    with pytest.raises(kind):
        run_many(None, **{**right, **wrong})  # type: ignore[arg-type] # nothing is sent


@limited
async def test_a_workflow_that_the_server_has_forgotten_is_an_error(
    temporal: Client, emulator: Emulator, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start_workflow(*_: object, **_more: object) -> None:
        raise WorkflowAlreadyStartedError(f"{queue}/0", "DuvoRun")

    monkeypatch.setattr(temporal, "start_workflow", start_workflow)
    found = await outcomes(temporal, emulator, queue, ["a"])
    assert isinstance(found[0].error, DurableRunError)
