"""The emulator's sockets: bytes in, a value to the core, bytes out."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
from aiohttp import ClientSession, TCPConnector, web
from attrs import define, evolve
from yarl import URL

from duvo_async.emulator.core import Core
from duvo_async.emulator.courier import Courier
from duvo_async.emulator.downloads import Download
from duvo_async.emulator.exchange import Request, Response
from duvo_async.emulator.request_faults import DROPPED

_GRACE = 0.05
"""Seconds that a request under way gets at the end; to aiohttp, none would mean any number."""


@asynccontextmanager
async def serve(core: Core, host: str, port: int) -> AsyncGenerator[str]:
    """Serves a core and posts its webhooks while the context lasts; gives the URL.

    Args:
        core: The emulated API.
        host: The address to listen on.
        port: The port to listen on; 0 for any free one.
    """
    # A receiver may restart between two events, which a kept connection would not survive.
    async with ClientSession(connector=TCPConnector(force_close=True)) as session:
        courier = Courier(core, session)
        async with _running(courier), _listening(_Shell(core, courier), host, port) as url:
            yield url


@define
class _Shell:
    core: Core
    courier: Courier

    async def answer(self, incoming: web.Request) -> web.StreamResponse:
        path, _, query = incoming.raw_path.partition("?")
        headers = {name: ", ".join(incoming.headers.getall(name)) for name in incoming.headers}
        request = Request(incoming.method, path, query, headers)
        try:
            if self.core.is_transfer(request):
                response = await self._stream(incoming, request)
            else:
                body = await _read(incoming, self.core.max_body_bytes + 1)
                response = self.core.handle(evolve(request, body=body))
        except ConnectionError:  # the client left in the middle: nobody hears the answer
            return web.Response(status=400)
        self.courier.wake()
        if isinstance(response, web.StreamResponse):
            return response
        if response.status == DROPPED:
            return _hang_up(incoming)
        return web.Response(status=response.status, headers=response.headers, body=response.body)

    async def _stream(
        self, incoming: web.Request, request: Request
    ) -> Response | web.StreamResponse:
        transfer = self.core.open_transfer(request)
        if isinstance(transfer, Response):
            await _read(incoming, 0)
            return transfer
        with transfer:
            if isinstance(transfer, Download):
                return await _send(incoming, transfer)
            async for chunk in incoming.content.iter_any():
                transfer.write(chunk)
            return self.core.finish_upload(request, transfer)


def _hang_up(incoming: web.Request) -> web.StreamResponse:
    """Closes the connection; what is returned goes nowhere."""
    if incoming.transport is not None:
        incoming.transport.abort()
    return web.Response(status=500)


async def _send(incoming: web.Request, download: Download) -> web.StreamResponse:
    """Sends a file as fast as the client takes it."""
    response = web.StreamResponse(status=download.head.status, headers=download.head.headers)
    await response.prepare(incoming)
    for chunk in download.chunks():
        await response.write(chunk)
    await response.write_eof()
    return response


async def _read(incoming: web.Request, limit: int) -> bytes:
    """Reads a body to its end, so that the client hears the answer, but keeps no more than this."""
    body = bytearray()
    async for chunk in incoming.content.iter_any():
        body += chunk[: limit - len(body)]
    return bytes(body)


@asynccontextmanager
async def _running(courier: Courier) -> AsyncGenerator[None]:
    task = asyncio.create_task(courier.run())
    try:
        yield
    finally:
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([task])


@asynccontextmanager
async def _listening(shell: _Shell, host: str, port: int) -> AsyncGenerator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", shell.answer)
    # Object storage keeps the bytes as they come, so nothing is decompressed on the way.
    runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=_GRACE)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield str(URL.build(scheme="http", host=host, port=runner.addresses[0][1]))
    finally:
        with anyio.CancelScope(shield=True):
            await runner.cleanup()
