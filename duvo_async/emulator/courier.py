"""Posts webhooks when they are due, whether or not anyone makes a request."""

import asyncio
import contextlib

from aiohttp import ClientError, ClientSession, ClientTimeout
from attrs import define, field

from duvo_async.emulator.core import Core
from duvo_async.emulator.webhooks import Webhook

_LOOK = 0.02
"""Seconds between two looks at the clock while webhooks may come: an injected clock may jump."""

_TIMEOUT = ClientTimeout(total=30)


@define
class Courier:
    """Takes the webhooks of a core to their receivers, each as soon as it is due.

    Attributes:
        core: The emulated API.
        session: Where the posts go out.
    """

    core: Core
    session: ClientSession
    _awake: asyncio.Event = field(factory=asyncio.Event)

    def wake(self) -> None:
        """Has the courier look for webhooks at once; call it when something may have changed."""
        self._awake.set()

    async def run(self) -> None:
        """Goes on until it is cancelled; posts under way are cancelled then, too."""
        loop = asyncio.get_running_loop()
        # What a test does to the emulator makes no request, and may happen in another thread.
        self.core.attend(lambda: loop.call_soon_threadsafe(self.wake))
        try:
            await self._deliver()
        finally:
            self.core.attend(None)

    async def _deliver(self) -> None:
        async with asyncio.TaskGroup() as posts:
            while True:
                self._awake.clear()
                for webhook in self.core.take_webhooks():
                    posts.create_task(self._post(webhook))
                pause = _LOOK if self.core.expects_webhooks() else None
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._awake.wait()

    async def _post(self, webhook: Webhook) -> None:
        body, headers = self.core.signed(webhook)
        try:
            request = self.session.post(
                webhook.url, data=body, headers=headers, timeout=_TIMEOUT, allow_redirects=False
            )
            async with request as response:
                status: int | None = response.status
        except (ClientError, OSError, ValueError):  # the last for a host that no name can have
            status = None
        self.core.record_delivery(webhook, status)
        self.wake()
