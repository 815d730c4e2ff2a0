"""Clients in one process that stand for processes on many machines, on a virtual clock."""

import asyncio
import random
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from attrs import frozen

from duvo_async._pacing import Budget
from duvo_async._redis.link import Link
from duvo_async._redis.peers import RedisPeers
from duvo_async._redis.script import Word
from duvo_async._redis.turns import SharedTurns
from duvo_async.credentials import Secret
from tests.support.virtual_time import VirtualTimeLoop, wall_clock

_T = TypeVar("_T")

GRACE = 0.002
"""Real seconds for what Redis tells those who listen."""


class HeldLink(Link):
    """A connection to Redis that holds the virtual clock while Redis is asked."""

    async def ask(self, words: Sequence[Word]) -> object:
        return await _held(super().ask(words))

    async def publish(self, channel: str, message: bytes) -> None:
        await _held(super().publish(channel, message))


async def _held(asking: Awaitable[_T]) -> _T:
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualTimeLoop):
        return await asking
    loop.threads += 1
    try:
        return await asking
    finally:
        loop.threads -= 1


@frozen
class Key:
    """What the processes have in common.

    Attributes:
        url: Where Redis is.
        name: The name of the budget.
        secret: Signs what they tell each other.
    """

    url: str
    name: str = "duvo:{test}"
    secret: bytes = b"nobody else knows"

    def link(self) -> HeldLink:
        """Make a connection."""
        return HeldLink(Secret(self.url), self.name)

    def turns(self, *, reserve: float = 0.0, seed: int = 0) -> SharedTurns:
        """Let a process send; all processes have the clock of the loop."""
        chance = random.Random(seed).random  # noqa: S311 - jitter
        return SharedTurns(Budget(reserve=reserve), self.link, "here", chance, wall_clock)

    def peers(self) -> RedisPeers:
        """Let a process hear and tell."""
        return RedisPeers(self.link, f"{self.name}:pages", self.secret)
