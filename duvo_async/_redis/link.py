"""The connection to Redis: the only file that imports redis."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from urllib.parse import urlsplit

from duvo_async._redis.script import DIGEST, SOURCE, Word
from duvo_async.credentials import Secret
from duvo_async.errors import ConfigurationError

PATIENCE: Final = 1.0
"""Seconds in which Redis must answer; one that takes longer holds up more than it keeps."""


_LEFT_BEHIND: list[object] = []
"""What is another process's to close."""


class LinkError(Exception):
    """Redis cannot be asked. The text says why, and holds no password."""


class Link:
    """A connection to Redis, made when it is first needed, in the running loop.

    Args:
        url: Where Redis is.
        name: The name of the budget.
    """

    def __init__(self, url: Secret, name: str) -> None:
        self._url = url
        self._name = name
        self._redis: Any = None  # whose own annotations leave much unsaid

    async def ask(self, words: Sequence[Word]) -> object:
        """Have the script decide.

        Args:
            words: What it is told.

        Returns:
            What it says.

        Raises:
            LinkError: Redis cannot be asked.
        """
        import redis.exceptions as trouble  # noqa: PLC0415 - only for those who have a budget there

        try:
            async with asyncio.timeout(PATIENCE):
                client = self._connected()
                try:
                    return await client.evalsha(DIGEST, 1, self._name, *words)
                except trouble.NoScriptError:  # it is new, or was restarted
                    return await client.eval(SOURCE, 1, self._name, *words)
        except (trouble.RedisError, OSError) as error:  # of which TimeoutError is one
            await self._dropped()
            raise LinkError(_described(error)) from None

    async def publish(self, channel: str, message: bytes) -> None:
        """Tell all who listen.

        Raises:
            LinkError: Redis cannot be reached.
        """
        import redis.exceptions as trouble  # noqa: PLC0415 - as above

        try:
            async with asyncio.timeout(PATIENCE):
                await self._connected().publish(channel, message)
        except (trouble.RedisError, OSError) as error:
            await self._dropped()
            raise LinkError(_described(error)) from None

    @asynccontextmanager
    async def listening(self, channel: str) -> AsyncGenerator[AsyncGenerator[bytes, None], None]:
        """Hear what is told to all who listen.

        Yields:
            The messages, without end.

        Raises:
            LinkError: Redis cannot be reached any more.
        """
        import redis.exceptions as trouble  # noqa: PLC0415 - as above

        try:
            async with self._connected().pubsub(ignore_subscribe_messages=True) as pubsub:
                await pubsub.subscribe(channel)
                yield _messages(pubsub)
        except (trouble.RedisError, OSError) as error:
            await self._dropped()
            raise LinkError(_described(error)) from None

    async def close(self) -> None:
        """Give back the connection; the next question makes another one."""
        await self._dropped()

    def forget(self) -> None:
        """Leave the connection to the process that this one was forked from."""
        if self._redis is not None:
            _LEFT_BEHIND.append(self._redis)
            self._redis = None

    def _connected(self) -> Any:  # noqa: ANN401 - as said above
        if self._redis is None:
            from redis import asyncio as redis  # noqa: PLC0415 - as above
            from redis.asyncio.retry import Retry  # noqa: PLC0415
            from redis.backoff import NoBackoff  # noqa: PLC0415

            kind: Any = redis.Redis
            self._redis = kind.from_url(
                self._url.reveal(),
                socket_connect_timeout=PATIENCE,
                socket_timeout=None,  # a listener may hear nothing for hours
                retry=Retry(NoBackoff(), 0),
                health_check_interval=0,
            )
        return self._redis

    async def _dropped(self) -> None:
        client, self._redis = self._redis, None
        if client is not None:
            with suppress(Exception):  # what is broken already cannot be closed better
                await client.aclose()


async def _messages(pubsub: Any) -> AsyncGenerator[bytes, None]:  # noqa: ANN401 - redis's own
    async for message in pubsub.listen():
        if isinstance(message.get("data"), bytes):
            yield message["data"]


def check_installed() -> None:
    """Insist on the package.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        import redis.asyncio  # noqa: F401, PLC0415 # pyright: ignore[reportUnusedImport] - whether it can be
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "redis":
            raise
        raise ConfigurationError(
            'a budget in Redis needs more: python -m pip install "duvo-async[redis]"'
        ) from None


def place(url: Secret) -> str:
    """Tell where Redis is, with no password."""
    parts = urlsplit(url.reveal())
    host = parts.hostname or parts.path
    return host if parts.port is None else f"{host}:{parts.port}"


def _described(error: Exception) -> str:
    text = str(error).partition("\n")[0]
    kind = "TimeoutError" if isinstance(error, TimeoutError) else type(error).__name__
    return f"{kind}: {text}" if text else kind
