"""The emulator's webhooks brought to a receiver without sockets, each at its time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import inf

from attrs import define, field

from duvo_async.emulator import Emulator
from duvo_async.webhooks import WebhookReceiver


@define
class Postman:
    """Brings webhooks while it runs.

    Attributes:
        emulator: Where they come from; on the running loop's time.
        receiver: Where they go.
    """

    emulator: Emulator
    receiver: WebhookReceiver
    _awake: asyncio.Event = field(factory=asyncio.Event)

    def wake(self) -> None:
        """Look again when the next is due: something may have changed."""
        self._awake.set()

    async def run(self) -> None:
        """Go on until it is cancelled."""
        while True:
            self._awake.clear()
            due = self._bring()
            pause = None if due == inf else max(0.0, due - self.emulator.clock())
            try:
                async with asyncio.timeout(pause):
                    await self._awake.wait()
            except TimeoutError:
                pass

    def _bring(self) -> float:
        while True:
            due = self.emulator.advance()
            webhooks = self.emulator.take_webhooks()
            for webhook in webhooks:
                receipt = self.receiver.receive(*self.emulator.signed(webhook))
                self.emulator.record_delivery(webhook, receipt.status)
            if not webhooks:
                return inf if due is None else due


@asynccontextmanager
async def delivering(
    emulator: Emulator, receiver: WebhookReceiver
) -> AsyncIterator[Callable[[], None]]:
    """Bring webhooks; gives what to call with each request."""
    postman = Postman(emulator, receiver)
    task = asyncio.create_task(postman.run())
    try:
        yield postman.wake
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
