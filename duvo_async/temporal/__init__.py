"""Durable runs: workflows on Temporal that start runs, wait for them and bring people's answers.

What has happened is kept by Temporal's server, so that a run goes on being waited for whatever
becomes of the processes that wait. It needs the extra `temporal`:
`python -m pip install "duvo-async[temporal]"`.

    temporal = await Client.connect("localhost:7233", data_converter=data_converter)
    async with AsyncDuvo() as duvo:
        await duvo_worker(temporal, duvo).run()

and in any other process

    run = await temporal.execute_workflow(
        DuvoRunWorkflow.run, DurableRun(agent_id=agent_id), id="invoice-7", task_queue="duvo"
    )
"""

import typing
from importlib.util import find_spec as _find_spec

from duvo_async._lazy import lazily as _lazily
from duvo_async.errors import ConfigurationError as _ConfigurationError

if _find_spec("temporalio") is None:
    raise _ConfigurationError(
        'duvo_async.temporal needs more: python -m pip install "duvo-async[temporal]"'
    )

if typing.TYPE_CHECKING:
    from duvo_async.temporal.activities import DuvoActivities
    from duvo_async.temporal.converter import DuvoPayloadConverter, data_converter
    from duvo_async.temporal.data import (
        AnswerRequest,
        DurableRun,
        StartRun,
        StopRun,
        UploadFiles,
        WaitForRun,
    )
    from duvo_async.temporal.failures import error_of
    from duvo_async.temporal.many import run_many
    from duvo_async.temporal.worker import DuvoWorker, duvo_worker
    from duvo_async.temporal.workflow import DuvoRunWorkflow
else:
    # Loaded as they are asked for: what a workflow imports is loaded anew in a sandbox, with this.
    __getattr__, __dir__ = _lazily(
        __name__,
        """
        activities: DuvoActivities
        converter: DuvoPayloadConverter data_converter
        data: AnswerRequest DurableRun StartRun StopRun UploadFiles WaitForRun
        failures: error_of
        many: run_many
        worker: DuvoWorker duvo_worker
        workflow: DuvoRunWorkflow
        """,
    )

__all__ = [
    "AnswerRequest",
    "DurableRun",
    "DuvoActivities",
    "DuvoPayloadConverter",
    "DuvoRunWorkflow",
    "DuvoWorker",
    "StartRun",
    "StopRun",
    "UploadFiles",
    "WaitForRun",
    "data_converter",
    "duvo_worker",
    "error_of",
    "run_many",
]
