"""The command that works for durable runs, on Temporal."""

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any

import click
from attrs import define, field, frozen

from duvo_async.cli.job import COMPLETED, Settings
from duvo_async.cli.output import Output
from duvo_async.cli.work import finish


@frozen
class Place:
    """Which Temporal server to work for.

    Attributes:
        address: Its host and port.
        namespace: The namespace.
        tls: Whether to speak TLS.
        api_key: Its key. None sends none.
    """

    address: str
    namespace: str
    tls: bool
    api_key: str | None = field(repr=False)


@define
class Working:
    """The command: for whom it works and how."""

    place: Place
    task_queue: str
    limits: Mapping[str, Any]
    view: Output

    def perform(self) -> int:
        """Work until Ctrl-C or SIGTERM.

        Returns:
            The exit code.

        Raises:
            DuvoError: Something is not configured, or the extra is not installed.
            ValueError: An argument is wrong.
        """
        with suppress(KeyboardInterrupt):
            asyncio.run(self._perform())
        return COMPLETED

    def failed(self, error: Exception) -> None:
        """Say what went wrong."""
        self.view.note(f"duvo-async: {error}")

    def unread(self) -> None:
        """Leave it at that: nothing goes on."""

    async def _perform(self) -> None:
        import_module("duvo_async.temporal")  # without the extra it says so
        from temporalio.client import Client  # noqa: PLC0415 - an extra

        from duvo_async.temporal import data_converter, duvo_worker  # noqa: PLC0415 - needs it
        from duvo_async.temporal.worker import SETTLES  # noqa: PLC0415 - as above

        place, loop = self.place, asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(signal.SIGTERM, _end, over)
        async with Settings().client() as duvo:
            try:
                temporal = await Client.connect(
                    place.address,
                    namespace=place.namespace,
                    api_key=place.api_key,
                    tls=place.tls or place.api_key is not None,  # no key travels in the open
                    data_converter=data_converter,
                )
                async with duvo_worker(temporal, duvo, task_queue=self.task_queue, **self.limits):
                    self.view.note(f"working on the task queue {self.task_queue!r} until Ctrl-C")
                    await over
            except RuntimeError as error:
                await asyncio.sleep(SETTLES)
                raise click.ClickException(f"cannot work for {place.address}: {error}") from error


@click.command()
@click.option(
    "--address",
    default="localhost:7233",
    show_default=True,
    metavar="HOST:PORT",
    help="Where Temporal's server is.",
)
@click.option("--namespace", default="default", show_default=True, help="Its namespace.")
@click.option("--task-queue", default="duvo", show_default=True, help="The queue to work on.")
@click.option("--tls", is_flag=True, help="Speak TLS; so it does in any case if there is a key.")
@click.option(
    "--max-activities",
    type=click.IntRange(1),
    metavar="N",
    help="Wait for so many runs at once, if not 2000.",
)
@click.option(
    "--starts-per-second",
    type=float,
    metavar="N",
    help="Start so many runs in a second, with all workers of the queue, if not 4.",
)
def worker(  # noqa: PLR0913 - the command's options
    *,
    address: str,
    namespace: str,
    task_queue: str,
    tls: bool,
    max_activities: int | None,
    starts_per_second: float | None,
) -> int:
    """Work for durable runs on Temporal, until Ctrl-C or SIGTERM.

    Temporal's key is taken from TEMPORAL_API_KEY, Duvo's from DUVO_API_KEY. When it ends, the runs
    go on, and are waited for by other workers, or by the next one.
    """
    given = {
        "max_concurrent_activities": max_activities,
        "starts_per_second": starts_per_second,
    }
    limits = {name: each for name, each in given.items() if each is not None}
    place = Place(address, namespace, tls, os.environ.get("TEMPORAL_API_KEY") or None)
    return finish(Working(place, task_queue, limits, Output()))


def _end(over: "asyncio.Future[None]") -> None:
    if not over.done():
        over.set_result(None)
