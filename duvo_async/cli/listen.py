"""The command that takes webhooks on this machine: shows them, checks them, passes them on."""

import asyncio
import json
import signal
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from time import time
from typing import TYPE_CHECKING, Any

import click
from attrs import define, field, frozen

from duvo_async.cli.job import COMPLETED
from duvo_async.cli.output import Output, json_text, printable
from duvo_async.cli.work import finish

if TYPE_CHECKING:
    # Loaded only when it is used, since it needs a server.
    from duvo_async.webhooks import Receipt
    from duvo_async.webhooks.forwarding import Forwarded

_LONGEST = 300
"""Characters of a received text that are shown: one may be a megabyte long."""


class Deliveries(Output):
    """A line for each delivery, and one for what became of passing it on.

    Args:
        checked: Whether signatures are checked.
        clock: Gives the time in Unix seconds.
    """

    def __init__(self, *, checked: bool, clock: Callable[[], float] = time) -> None:
        self._checked = checked
        self._clock = clock

    def opened(self, url: str, place: str | None) -> None:
        """Say where deliveries are taken, where they are passed on, and how to have some."""
        self.note(f"listening on {url} until Ctrl-C")
        self.note(
            f"start runs with webhook_url={url} where the API is `duvo-async emulate`; the real "
            "API needs a public URL, such as a tunnel's, that leads here"
        )
        if not self._checked:
            self.note("signatures are not checked: DUVO_WEBHOOK_SECRET is not set")
        if place is not None:
            self.note(f"deliveries that are taken are forwarded to {place}")

    def arrived(self, receipt: "Receipt", *, forwarding: bool) -> None:  # noqa: ARG002 - for others
        """Print what became of a delivery."""
        words = [str(receipt.status), *_described(receipt)]
        if receipt.taken and not self._checked:
            words.append("(not checked)")
        self._say(*words)

    def forwarded(self, receipt: "Receipt", at: float, outcome: "Forwarded") -> None:  # noqa: ARG002 - as above
        """Print what became of passing a delivery on."""
        if outcome.status is None:
            self._say("not forwarded:", *_described(receipt), f"({_short(outcome.reason)})")
        else:
            self._say(f"forwarded: {outcome.status}", *_described(receipt))

    def failed(self, error: Exception) -> None:
        """Say what went wrong."""
        self._trouble(f"duvo-async: {error}")

    def _say(self, *words: str) -> None:
        moment = datetime.fromtimestamp(self._clock(), UTC).astimezone()
        self._line(" ".join([f"{moment:%H:%M:%S}", *words]))


class Documents(Deliveries):
    """A JSON document for each delivery, on a line of its own."""

    def arrived(self, receipt: "Receipt", *, forwarding: bool) -> None:
        """Print the document, unless there will be more to say."""
        if not forwarding:
            self._document(receipt, self._clock(), None)

    def forwarded(self, receipt: "Receipt", at: float, outcome: "Forwarded") -> None:
        """Print the document."""
        self._document(receipt, at, {"status": outcome.status, "reason": outcome.reason})

    def _document(
        self, receipt: "Receipt", at: float, forwarded: Mapping[str, object] | None
    ) -> None:
        event = receipt.event
        document = {
            "at": datetime.fromtimestamp(at, UTC),
            "status": receipt.status,
            "event": None if event is None else event.name,
            "id": None if event is None else event.id,
            "run_id": getattr(event, "run_id", None),
            "run_status": getattr(event, "status", None),
            "repeated": receipt.repeated,
            "checked": self._checked,
            "reason": receipt.reason,
            "body": None if event is None else _written_again(event.body),
            "forwarded": forwarded,
        }
        click.echo(json_text(document))


@frozen
class Place:
    """Where deliveries come, how they are checked, and where they go.

    Attributes:
        host: The address to listen on.
        port: The port.
        secrets: The webhook secrets. None believes everybody.
        settings: What else `verify` is told.
        forward: The URL to pass deliveries on to. None passes nothing on.
    """

    host: str
    port: int
    secrets: tuple[str, ...] | None = field(repr=False)
    settings: Mapping[str, Any]
    forward: str | None


@define
class Listening:
    """The command: where it listens and where it prints."""

    place: Place
    view: Deliveries
    _over: "asyncio.Future[None] | None" = None

    def perform(self) -> int:
        """Listen until Ctrl-C or SIGTERM.

        Returns:
            The exit code.

        Raises:
            ValueError: An argument is wrong.
            OSError: What is to be shown cannot be printed.
        """
        with suppress(KeyboardInterrupt):
            asyncio.run(self._perform())
        return COMPLETED

    async def listen(self, over: "asyncio.Future[None]") -> None:
        """Listen until something is over, which is also the case when nothing can be printed."""
        from duvo_async.webhooks.forwarding import (  # noqa: PLC0415 - loaded only when it is used
            Forwarder,
            ForwardingReceiver,
        )

        self._over, place = over, self.place
        forwarder = None if place.forward is None else Forwarder(place.forward)
        receiver = ForwardingReceiver(
            place.secrets, self, forwarder, host=place.host, port=place.port, **place.settings
        )
        async with AsyncExitStack() as stack:
            if forwarder is not None:
                await stack.enter_async_context(forwarder)
            try:
                await stack.enter_async_context(receiver)
            except OSError as error:
                where = f"{place.host}, port {place.port}"
                raise click.ClickException(f"cannot listen on {where}: {error.strerror}") from error
            self.view.opened(receiver.url, None if forwarder is None else forwarder.place)
            await over

    def arrived(self, receipt: "Receipt", *, forwarding: bool) -> None:
        """Show what became of a delivery."""
        self._show(partial(self.view.arrived, receipt, forwarding=forwarding))

    def forwarded(self, receipt: "Receipt", at: float, outcome: "Forwarded") -> None:
        """Show what became of passing a delivery on."""
        self._show(partial(self.view.forwarded, receipt, at, outcome))

    def failed(self, error: Exception) -> None:
        """Say what went wrong."""
        self.view.failed(error)

    def unread(self) -> None:
        """Leave it at that: nothing goes on."""

    async def _perform(self) -> None:
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(signal.SIGTERM, _end, over)
        await self.listen(over)

    def _show(self, show: Callable[[], None]) -> None:
        try:
            show()
        except OSError as error:
            if self._over is not None and not self._over.done():
                self._over.set_exception(error)


class _Secret(click.types.StringParamType):
    """A secret, which may have spaces in it."""

    def split_envvar_value(self, rv: str) -> tuple[str]:
        return (rv,)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="The port to listen on; 0 takes a free one.",
)
@click.option("--forward", metavar="URL", help="Post what is taken to this URL, as it came.")
@click.option(
    "--secret",
    "secrets",
    type=_Secret(),
    multiple=True,
    envvar="DUVO_WEBHOOK_SECRET",
    metavar="S",
    help="The webhook secret; repeat it while it is being changed. Better set DUVO_WEBHOOK_SECRET: "
    "what is on a command line is seen by other users of the machine.",
)
@click.option("--header", metavar="NAME", help="The signature's header, if not X-Duvo-Signature.")
@click.option(
    "--timestamp-header",
    metavar="NAME",
    help="The timestamp's header, if not X-Duvo-Timestamp; '' if there is none.",
)
@click.option(
    "--prefix",
    metavar="TEXT",
    help="What stands before the signature, if not sha256=; '' for nothing.",
)
@click.option("--tolerance", type=float, metavar="S", help="Seconds of age to accept, if not 300.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document a delivery.")
def listen(  # noqa: PLR0913 - the command's options
    *,
    host: str,
    port: int,
    forward: str | None,
    secrets: tuple[str, ...],
    header: str | None,
    timestamp_header: str | None,
    prefix: str | None,
    tolerance: float | None,
    as_json: bool,
) -> int:
    """Take webhooks on this machine, and print and check them, until Ctrl-C.

    Without a secret nothing is checked. With --forward each delivery that was taken is posted on,
    one after the other, and the answer's status is printed.
    """
    given = {
        "header": header,
        "timestamp_header": timestamp_header,
        "prefix": prefix,
        "tolerance": tolerance,
    }
    settings: dict[str, Any] = {name: each for name, each in given.items() if each is not None}
    if timestamp_header == "":
        settings["timestamp_header"] = None
    view = (Documents if as_json else Deliveries)(checked=bool(secrets))
    return finish(Listening(Place(host, port, secrets or None, settings, forward), view))


def _described(receipt: "Receipt") -> list[str]:
    """Say in words what a delivery was, or why it was refused."""
    event = receipt.event
    if event is None:
        return [_short(receipt.reason)]
    words = [event.name, getattr(event, "run_id", None), getattr(event, "status", None)]
    return [*(_short(word) for word in words), *(["repeated"] if receipt.repeated else [])]


def _short(text: object) -> str:
    """Keep a received text in its line, and short."""
    return "-" if text is None else " ".join(printable(str(text)[:_LONGEST]).split()) or "-"


def _written_again(body: Mapping[str, object]) -> Mapping[str, object] | None:
    """Give what JSON can write: a number such as 1e999 is read, and cannot be written."""
    try:
        json.dumps(body, allow_nan=False)
    except (ValueError, RecursionError):
        return None
    return body


def _end(over: "asyncio.Future[None]") -> None:
    if not over.done():
        over.set_result(None)
