"""Uploading a file: choose the way, send it, again if need be."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from http import HTTPStatus
from typing import TypeAlias
from urllib.parse import urlsplit
from uuid import uuid4

from attrs import define, frozen

from duvo_async import _operations
from duvo_async._bodies import ByteStream, multipart
from duvo_async._callbacks import invoke
from duvo_async._pacing import Lane
from duvo_async._places import remote_path
from duvo_async._protocol import Call, Request
from duvo_async._reading import CHUNK_SIZE, Source
from duvo_async._session import Session, keyed
from duvo_async._sources import UploadSource, check_source, content_type, name_of, opening
from duvo_async.errors import APIError, APIStatusError, PayloadTooLargeError
from duvo_async.models import UploadedFile, UploadProgress, UploadUrl
from duvo_async.settings import check_count

OnProgress: TypeAlias = Callable[[UploadProgress], object]
"""Is told how far a file has come. It may be asynchronous."""

DIRECT_LIMIT = 10_000_000
"""Bytes that the API takes in one request (API reference, "Upload Files to a Sandbox": 10 MB)."""
_PASSING = frozenset({"ExpiredToken", "RequestTimeout"})
"""What storages call a URL that has expired and a pause that was too long, with status 400."""


@frozen(kw_only=True)
class Manner:
    """How files are sent.

    Attributes:
        on_progress: Is told how far each has come. None tells nobody.
        chunk_size: Bytes that are given to the network at a time.
        lane: What the requests are for.
    """

    on_progress: OnProgress | None = None
    chunk_size: int = CHUNK_SIZE
    lane: Lane = Lane.CALL

    def __attrs_post_init__(self) -> None:
        """Check what the caller gave."""
        check_count("chunk_size", self.chunk_size)
        if self.on_progress is not None and not callable(self.on_progress):
            raise TypeError("on_progress must be a function")


class HandlerFailed(Exception):  # noqa: N818 - it is not what anybody gets to see
    """What `on_progress` raised, which is no file's trouble: it ends the call.

    Attributes:
        error: What it raised.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


class Uploader:
    """Puts files into sandboxes.

    Args:
        session: Makes the calls.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def upload(
        self, sandbox_id: str, source: UploadSource, path: str | None, manner: Manner
    ) -> UploadedFile:
        """Put a file into a sandbox (see `AsyncSandboxes.upload`)."""
        check_source(source)
        target = remote_path(path, name_of(source))  # before anything is read
        try:
            async with opening(source) as opened:
                return await self.send(sandbox_id, opened, target, manner)
        except HandlerFailed as failed:
            raise failed.error from None

    async def send(
        self, sandbox_id: str, source: Source, path: str, manner: Manner
    ) -> UploadedFile:
        """Put what is open into a sandbox.

        Args:
            sandbox_id: The sandbox.
            source: The file; it stays open.
            path: Where it goes.
            manner: How it is sent.

        Returns:
            Where it went, and its size.

        Raises:
            APIError: It did not arrive, or nobody knows; it says which.
            UploadSourceError: It cannot be read.
            HandlerFailed: `on_progress` raised something.
        """
        file = _File(source, path, manner)
        try:
            uploaded = await self._send(sandbox_id, file)
        except APIError as error:
            error.may_have_been_done = file.may_be_there
            fate = "may have arrived" if file.may_be_there else "did not arrive"
            error.advice = f"{path} {fate} in sandbox {sandbox_id}; to upload it again does no harm"
            raise
        await file.tell(source.size, finished=True)
        return uploaded

    async def _send(self, sandbox_id: str, file: "_File") -> UploadedFile:
        if file.source.size <= DIRECT_LIMIT:
            try:
                return await self._post(sandbox_id, file)
            except PayloadTooLargeError:
                pass  # a limit below the documented one
        return await self._put(sandbox_id, file)

    async def _post(self, sandbox_id: str, file: "_File") -> UploadedFile:
        form = multipart(file.body(), path=file.path, boundary=uuid4().hex)
        call = _operations.upload_file(self._session.routes, sandbox_id, form)
        request = keyed(call.request)

        async def post(_: int) -> UploadedFile:
            await file.begin()
            return await self._attempt(Call(request, call.decode), file)

        return await self._session.retrying(post, repeatable=True)

    async def _put(self, sandbox_id: str, file: "_File") -> UploadedFile:
        ask = _operations.create_upload_url(
            self._session.routes, sandbox_id, path=file.path, idempotency_key=None
        )

        async def put() -> UploadedFile:
            await file.begin()
            # A new idempotency key each time, because a new URL is wanted each time.
            url = await self._session.attempt(
                Call(keyed(ask.request), ask.decode), file.attempt, lane=file.manner.lane
            )
            return await self._attempt(_to_storage(url, file.body()), file)

        async def put_afresh(_: int) -> UploadedFile:
            try:
                return await put()
            except APIStatusError as error:
                if not _is_stale(error):
                    raise
            return await put()

        return await self._session.retrying(put_afresh, repeatable=True)

    async def _attempt(self, call: Call[UploadedFile], file: "_File") -> UploadedFile:
        try:
            return await self._session.attempt(call, file.attempt, lane=file.manner.lane)
        except APIError as error:
            file.may_be_there = file.may_be_there or error.may_have_been_done
            raise


@define
class _File:
    """A file on its way.

    Attributes:
        source: Where it is read.
        path: Where it goes.
        manner: How it is sent.
        attempt: The number of this attempt, from 1.
        may_be_there: Whether an attempt that did not end well may have brought it there.
    """

    source: Source
    path: str
    manner: Manner
    attempt: int = 0
    may_be_there: bool = False

    def body(self) -> ByteStream:
        """Give it as the body of a request."""
        one_block = self.source.size <= self.manner.chunk_size
        return ByteStream(
            size=self.source.size,
            content_type=content_type(self.path),
            blocks=self._blocks,
            data=self.source.data if one_block else None,
        )

    async def begin(self) -> None:
        """Begin another attempt."""
        self.attempt += 1
        await self.tell(0)

    async def tell(self, sent: int, *, finished: bool = False) -> None:
        """Tell how far it has come."""
        if self.manner.on_progress is not None:
            progress = UploadProgress(
                path=self.path,
                sent=sent,
                total=self.source.size,
                attempt=self.attempt,
                finished=finished,
            )
            try:
                await invoke(self.manner.on_progress, progress)
            except (Exception, asyncio.CancelledError) as error:
                task = asyncio.current_task()
                if isinstance(error, asyncio.CancelledError) and task and task.cancelling():
                    raise
                raise HandlerFailed(error) from None

    async def _blocks(self) -> AsyncGenerator[bytes | memoryview, None]:
        sent = 0
        async with aclosing(self.source.blocks(self.manner.chunk_size)) as blocks:
            async for block in blocks:
                yield block
                sent += len(block)
                if sent < self.source.size:  # the end is told when the file has arrived
                    await self.tell(sent)


def _to_storage(url: UploadUrl, body: ByteStream) -> Call[UploadedFile]:
    """Send a file to a presigned URL. The storage's answer says nothing that is not known."""
    place = urlsplit(url.upload_url)
    request = Request(
        method="PUT",
        path=f"{place.hostname}{place.path}",
        body=body,
        signed_url=url.upload_url,
    )
    return Call(request, lambda _: UploadedFile(path=url.path, size_bytes=body.size))


def _is_stale(error: APIStatusError) -> bool:
    """Tell whether a storage refused a URL that it may have taken earlier, or another one."""
    if error.method != "PUT":
        return False
    passing = error.status == HTTPStatus.BAD_REQUEST and error.code in _PASSING
    return error.status == HTTPStatus.FORBIDDEN or passing
