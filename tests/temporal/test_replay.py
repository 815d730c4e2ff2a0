"""Histories that versions wrote, replayed by this one: what was decided is decided again.

`python -m tests.support.record_histories tests/temporal/histories/VERSION` records more.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from duvo_async import Run
from duvo_async.temporal import DuvoRunWorkflow, data_converter
from duvo_async.temporal.worker import RUNNER
from tests.support.patience import limited

pytestmark = pytest.mark.anyio

FOLDER = Path(__file__).parent / "histories"
HISTORIES = sorted(FOLDER.glob("*/*.json"))
NAMES = [f"{path.parent.name}-{path.stem}" for path in HISTORIES]
RUNNERS = {
    "ours": RUNNER,
    "any worker's": SandboxedWorkflowRunner(),
    "no sandbox": UnsandboxedWorkflowRunner(),
}


async def replay(path: Path, runner: WorkflowRunner, **changes: str) -> None:
    text = path.read_text("utf-8")  # noqa: ASYNC240 - nothing else goes on
    for old, new in changes.items():
        text = text.replace(old, new)
    with ThreadPoolExecutor(1) as threads:  # its own would be left
        replayer = Replayer(
            workflows=[DuvoRunWorkflow],
            namespace="default",
            data_converter=data_converter,
            workflow_runner=runner,
            workflow_task_executor=threads,
        )
        await replayer.replay_workflow(WorkflowHistory.from_json(path.stem, text))


def test_there_are_histories_of_all_that_can_happen() -> None:
    for version in FOLDER.iterdir():
        names = {path.stem for path in version.glob("*.json")}
        assert names >= {"plain", "answered", "stopped", "cancelled", "failed"}


@limited
@pytest.mark.parametrize("runner", RUNNERS.values(), ids=RUNNERS)
@pytest.mark.parametrize("path", HISTORIES, ids=NAMES)
async def test_a_history_is_replayed(path: Path, runner: WorkflowRunner) -> None:
    await replay(path, runner)


@limited
async def test_a_replay_would_tell_of_a_change() -> None:
    path = next(path for path in HISTORIES if path.stem == "plain")
    with pytest.raises(NondeterminismError):
        await replay(path, RUNNER, duvo_wait="duvo_look")


@limited
@pytest.mark.parametrize("path", [path for path in HISTORIES if path.stem == "answered"])
async def test_a_result_that_was_written_once_is_a_run(path: Path) -> None:
    text = path.read_text("utf-8")  # noqa: ASYNC240 - as above
    history = WorkflowHistory.from_json(path.stem, text)
    completed = history.events[-1].workflow_execution_completed_event_attributes
    (run,) = await data_converter.decode(completed.result.payloads, [Run])
    assert isinstance(run, Run)
    assert run.succeeded
