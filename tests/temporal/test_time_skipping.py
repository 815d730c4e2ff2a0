"""Days at the server, moments here: the API asks to be left alone for one, and the workflow waits.

Only the time of Temporal's server is skipped, where no activity is under way. So what takes a day
is the pause before a wait is tried again, which is the server's timer.
"""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio.testing import WorkflowEnvironment

from duvo_async import AsyncDuvo
from duvo_async.emulator import AskApproval, Emulator, Say
from duvo_async.temporal import DurableRun, DuvoRunWorkflow, data_converter, duvo_worker
from tests.support.patience import eventually, limited

pytestmark = pytest.mark.anyio

DAY = 86_400


@pytest.fixture
async def skipping(time_skipping_program: str) -> AsyncIterator[WorkflowEnvironment]:
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=time_skipping_program, data_converter=data_converter
    ) as env:
        yield env


@limited
async def test_a_wait_is_put_off_for_a_day(
    skipping: WorkflowEnvironment, duvo: AsyncDuvo, emulator: Emulator, queue: str
) -> None:
    emulator.fail(503, method="GET", retry_after=DAY)
    async with duvo_worker(skipping.client, duvo, task_queue=queue, max_cached_workflows=0):
        handle = await skipping.client.start_workflow(
            DuvoRunWorkflow.run,
            DurableRun(agent_id=emulator.add_agent([Say("Done.")])),
            id=queue,
            task_queue=queue,
        )
        assert (await handle.result()).succeeded
    ended = await handle.describe()
    assert ended.close_time is not None
    assert ended.close_time - ended.start_time >= timedelta(days=1)


@limited
async def test_a_question_is_open_for_a_day(
    skipping: WorkflowEnvironment, duvo: AsyncDuvo, emulator: Emulator, queue: str
) -> None:
    async with duvo_worker(skipping.client, duvo, task_queue=queue, max_cached_workflows=0):
        handle = await skipping.client.start_workflow(
            DuvoRunWorkflow.run,
            DurableRun(agent_id=emulator.add_agent([AskApproval("Post?"), Say("Posted.")])),
            id=queue,
            task_queue=queue,
        )
        request = await eventually(lambda: handle.query(DuvoRunWorkflow.pending_request))
        emulator.fail(503, method="GET", retry_after=DAY)

        async def put_off() -> bool:
            described = (await handle.describe()).raw_description
            return any(each.attempt > 1 for each in described.pending_activities)

        await eventually(put_off)
        begun = await skipping.get_current_time()
        await skipping.sleep(DAY)
        assert await skipping.get_current_time() - begun >= timedelta(days=1)
        assert await handle.query(DuvoRunWorkflow.pending_request) == request
        await handle.execute_update(DuvoRunWorkflow.answer, args=[request.id, request.approve()])
        assert (await handle.result()).succeeded
