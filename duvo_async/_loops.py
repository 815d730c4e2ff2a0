"""The event loop of a blocking client, which is its own to choose."""

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Find uvloop, which brings the extra `speed`. None for asyncio's own loop.

    It takes a sixth off a blocking call. The loop of an asynchronous client is its application's.
    """
    try:
        from uvloop import Loop  # noqa: PLC0415 - loaded in the thread that it serves
    except (ImportError, RuntimeError):  # not installed; too late, as the interpreter ends
        return None

    class Adapted(Loop):
        """A loop that counts time as asyncio's do, and starts no threads of libuv's.

        Clients share a budget across loops; and for such threads a fork's child waits at its end.
        """

        def time(self) -> float:
            return monotonic()

        async def getaddrinfo(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as asyncio's
            return await self.run_in_executor(None, partial(socket.getaddrinfo, *args, **kwargs))

        async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> Any:  # noqa: ANN401 - as above
            return await self.run_in_executor(None, socket.getnameinfo, sockaddr, flags)

    return Adapted
