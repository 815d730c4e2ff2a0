"""Runs of Duvo agents in Airflow: an operator that needs no worker while its run goes on.

Copy this file to where Airflow finds your plugins and DAGs. It goes by `DUVO_API_KEY` and the other
variables of duvo-async, in the workers and in the triggerer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowFailException
from airflow.sdk import BaseOperator
from airflow.triggers.base import BaseTrigger, TriggerEvent

from duvo_async import AsyncDuvo, Duvo, DuvoError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from airflow.sdk import Context


class DuvoRunOperator(BaseOperator):
    """Starts a run of an agent, waits for its end in the triggerer, and returns the run's id.

    A task that is tried again finds the run that it has started, as its idempotency key is made of
    the DAG run, the task and its map index. So a run that failed is not started again by a retry:
    that takes another run of the DAG.

    Args:
        agent_id: The agent.
        message: What to tell it. None tells nothing.
        **options: Those of every operator.
    """

    template_fields: Sequence[str] = ("agent_id", "message")

    def __init__(self, *, agent_id: str, message: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.agent_id = agent_id
        self.message = message

    def execute(self, context: Context) -> None:
        """Start the run, and leave the worker to others."""
        task = context["ti"]
        key = f"{task.dag_id}/{task.run_id}/{task.task_id}/{task.map_index}"
        with Duvo() as duvo:
            run = duvo.runs.start(self.agent_id, message=self.message, idempotency_key=key)
        self.log.info("run %s was started", run.id)
        self.defer(trigger=DuvoRunTrigger(run.id), method_name="ended")

    def ended(self, context: Context, event: dict[str, Any]) -> str:  # noqa: ARG002 - Airflow gives it
        """Take the run's end."""
        if event.get("error"):
            raise AirflowFailException(f"run {event['run_id']}: {event['error']}")
        if event["status"] != "completed":
            raise AirflowFailException(f"run {event['run_id']} ended as {event['status']}")
        return event["run_id"]


class DuvoRunTrigger(BaseTrigger):
    """Waits for a run, together with all other triggers of this process.

    A triggerer that ends leaves the run alone, and another one waits on. While the run waits for a
    person it is waited for, too: answer it in Duvo, or with `duvo-async run --resume RUN_ID --ask`.

    Args:
        run_id: The run.
    """

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Tell how to make it anew."""
        return f"{__name__}.{type(self).__name__}", {"run_id": self.run_id}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait."""
        event: dict[str, Any] = {"run_id": self.run_id}
        try:
            async with shared_client as duvo:
                async for run in duvo.runs.watch(self.run_id):
                    event["status"] = str(run.status)
                    if run.pending_human_request is not None:
                        self.log.info("it waits for a person: %s", run.pending_human_request.title)
        except DuvoError as error:
            event["error"] = f"{type(error).__name__}: {error}"
        yield TriggerEvent(event)


class SharedClient:
    """The client of this process, for as long as anybody uses it.

    All waits of a client share one watcher and one budget of requests.
    """

    def __init__(self) -> None:
        self._client: AsyncDuvo | None = None
        self._users = 0

    async def __aenter__(self) -> AsyncDuvo:
        """Have the client."""
        self._users += 1
        if self._client is None:
            self._client = AsyncDuvo()
        return self._client

    async def __aexit__(self, *_: object) -> None:
        """Close it after the last one."""
        self._users -= 1
        if self._users == 0 and self._client is not None:
            client, self._client = self._client, None
            await client.close()


shared_client = SharedClient()
