"""The event loop of a blocking client, which is its own to choose."""

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
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
        """A loop that counts time as asyncio's do, and looks names up as they do.

        Clients share a budget across loops. And libuv looks names up in threads of its own, for
        which a forked child waits at its end, and crashes as they are not there.
        """

        def time(self) -> float:
            return monotonic()

        async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:  # noqa: ANN401 - as asyncio's
            look_up = partial(socket.getaddrinfo, host, port, **options)
            if _is_address(host) and isinstance(port, int):  # there is nothing to look up
                return look_up()
            return await self.run_in_executor(None, look_up)

        async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> Any:  # noqa: ANN401 - as above
            return await self.run_in_executor(None, socket.getnameinfo, sockaddr, flags)

    return Adapted


def _is_address(host: object) -> bool:
    if not isinstance(host, str):
        return False
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
