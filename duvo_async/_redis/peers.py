"""The other processes that use the key: what one reads of the list of runs, all know."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context
from uuid import uuid4

from attrs import evolve

from duvo_async._hints import Heard, SeenPage
from duvo_async._redis import pages
from duvo_async._redis.link import Link, LinkError

_REST = 2.0
"""Seconds for which a Redis that cannot be reached is left alone."""
_MOST = 100
"""Messages that wait to be sent: later ones make earlier ones stale."""


class RedisPeers:
    """Tells the other processes what this client reads, and hears what they read.

    Args:
        make_link: Makes a connection.
        channel: Where the processes of one key talk.
        secret: What they have in common.
    """

    def __init__(self, make_link: Callable[[], Link], channel: str, secret: bytes) -> None:
        self._make_link = make_link
        self._channel = channel
        self._secret = secret
        self._origin = uuid4().hex
        self._to_tell: deque[SeenPage] = deque(maxlen=_MOST)
        self._teller: asyncio.Task[None] | None = None
        self._listener: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._links: list[Link] = []
        self._silent_until = 0.0

    def tell(self, page: SeenPage) -> None:
        """Tell what was read, when there is time for that."""
        loop = self._here()
        if loop.time() < self._silent_until:
            return
        self._to_tell.append(evolve(page, origin=self._origin))
        if self._teller is None:
            self._teller = loop.create_task(
                self._tell(self._links[0]), name="duvo-async peers", context=Context()
            )

    def listen(self, heard: Heard) -> None:
        """Have what others read told, in the running loop, until this is closed."""
        loop = self._here()
        if self._listener is None:
            self._listener = loop.create_task(
                self._listen(self._links, heard), name="duvo-async peers", context=Context()
            )

    async def close(self) -> None:
        """Hear and tell no more."""
        if self._loop is not asyncio.get_running_loop():
            return
        tasks = [each for each in (self._teller, self._listener) if each is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for link in self._links:
            await link.close()

    def _here(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # the client is used in another one now
            self._loop, self._teller, self._listener = loop, None, None
            self._links = [self._make_link(), self._make_link()]
            self._silent_until = 0.0
        return loop

    async def _tell(self, link: Link) -> None:
        try:
            while self._to_tell:
                page = self._to_tell.popleft()
                try:
                    await link.publish(self._channel, pages.written(page, self._secret))
                except LinkError:
                    self._to_tell.clear()
                    self._silent_until = asyncio.get_running_loop().time() + _REST
        finally:
            self._teller = None

    async def _listen(self, links: Sequence[Link], heard: Heard) -> None:
        try:
            while True:
                with suppress(LinkError):
                    await self._hear(links[-1], heard)
                await asyncio.sleep(_REST)
        finally:  # as the loop may end before anybody closes this
            for link in links:
                await link.close()

    async def _hear(self, link: Link, heard: Heard) -> None:
        async with link.listening(self._channel) as messages:
            async for message in messages:
                page = pages.read(message, self._secret)
                if page is not None and page.origin != self._origin:
                    heard(page)
