"""Uploading a file: choose the way, send it, again if need be."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from uuid import uuid4

from attrs import define, frozen

from duvo_async import _operations
from duvo_async._bodies import ByteStream, multipart
from duvo_async._callbacks import HandlerFailed, OnProgress, tell
from duvo_async._inputs import UploadSource
from duvo_async._options import keyed
from duvo_async._pacing import Lane
from duvo_async._places import remote_path
from duvo_async._protocol import Call
from duvo_async._reading import CHUNK_SIZE, Source
from duvo_async._session import Session
from duvo_async._sources import check_source, content_type, name_of, opening
from duvo_async._storage import is_stale, sending
from duvo_async.errors import APIError, APIStatusError, PayloadTooLargeError
from duvo_async.models import TeamFileUploadUrl, UploadedFile, UploadProgress, UploadUrl
from duvo_async.settings import check_count

DIRECT_LIMIT = 10_000_000
"""Bytes that the API takes in one request (API reference, "Upload Files to a Sandbox": 10 MB)."""


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


@frozen(kw_only=True)
class Place:
    """Where a file goes.

    Attributes:
        path: What it is called there.
        where: Where that is, in words.
        content_type: The media type that it is sent with.
        ask: Asks for a presigned URL.
        direct: Sends it to the API itself, in a form. None where that cannot be.
        remark: What else to know when it did not arrive.
    """

    path: str
    where: str
    content_type: str
    ask: Call[UploadUrl] | Call[TeamFileUploadUrl]
    direct: Callable[[ByteStream], Call[UploadedFile]] | None = None
    remark: str = ""


class Uploader:
    """Puts files into sandboxes and among a team's files.

    Args:
        session: Makes the calls.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def in_sandbox(self, sandbox_id: str, path: str) -> Place:
        """Name a place in a sandbox."""
        routes = self._session.routes
        ask = _operations.create_upload_url(routes, sandbox_id, path=path, idempotency_key=None)
        return Place(
            path=path,
            where=f"in sandbox {sandbox_id}",
            content_type=content_type(path),
            ask=ask,
            direct=partial(_operations.upload_file, routes, sandbox_id),
            remark="; to upload it again does no harm",
        )

    async def upload_to_sandbox(
        self, sandbox_id: str, source: UploadSource, path: str | None, manner: Manner
    ) -> UploadedFile:
        """Put a file into a sandbox (see `AsyncSandboxes.upload`)."""
        check_source(source)
        target = remote_path(path, name_of(source))  # before anything is read
        return await self._upload(source, self.in_sandbox(sandbox_id, target), manner)

    async def upload_to_team(
        self, source: UploadSource, name: str | None, media_type: str | None, manner: Manner
    ) -> UploadedFile:
        """Put a file among the team's files (see `AsyncFiles.upload`)."""
        check_source(source)
        called = name_of(source) if name is None else name
        if not called:
            raise ValueError("what is uploaded has no name of its own: give name=")
        kind = content_type(called) if media_type is None else media_type
        ask = _operations.create_team_file_upload_url(
            self._session.routes, name=called, content_type=kind, idempotency_key=None
        )
        place = Place(path=called, where="among the team's files", content_type=kind, ask=ask)
        return await self._upload(source, place, manner)

    async def send(self, source: Source, place: Place, manner: Manner) -> UploadedFile:
        """Send what is open.

        Args:
            source: The file; it stays open.
            place: Where it goes.
            manner: How it is sent.

        Returns:
            Where it went, and its size.

        Raises:
            APIError: It did not arrive, or nobody knows; it says which.
            UploadSourceError: It cannot be read.
            HandlerFailed: `on_progress` raised something.
        """
        file = _File(source, place, manner)
        try:
            uploaded = await self._send(file)
        except APIError as error:
            error.may_have_been_done = file.may_be_there
            fate = "may have arrived" if file.may_be_there else "did not arrive"
            error.advice = f"{place.path} {fate} {place.where}{place.remark}"
            raise
        await file.tell(source.size, finished=True)
        return uploaded

    async def _upload(self, source: UploadSource, place: Place, manner: Manner) -> UploadedFile:
        try:
            async with opening(source) as opened:
                return await self.send(opened, place, manner)
        except HandlerFailed as failed:
            raise failed.error from None

    async def _send(self, file: "_File") -> UploadedFile:
        if file.place.direct is not None and file.source.size <= DIRECT_LIMIT:
            try:
                return await self._post(file, file.place.direct)
            except PayloadTooLargeError:
                pass  # a limit below the documented one
        return await self._put(file)

    async def _post(
        self, file: "_File", direct: Callable[[ByteStream], Call[UploadedFile]]
    ) -> UploadedFile:
        call = direct(multipart(file.body(), path=file.place.path, boundary=uuid4().hex))
        request = keyed(call.request)

        async def post(_: int) -> UploadedFile:
            await file.begin()
            return await self._attempt(Call(request, call.decode), file)

        return await self._session.retrying(post, repeatable=True)

    async def _put(self, file: "_File") -> UploadedFile:
        async def put() -> UploadedFile:
            await file.begin()
            url = await self._ask(file)
            arrived = UploadedFile(path=url.path, size_bytes=file.source.size)
            # The storage's answer says nothing that is not known.
            call = Call(sending(url.upload_url, file.body()), lambda _: arrived)
            return await self._attempt(call, file)

        async def put_afresh(_: int) -> UploadedFile:
            try:
                return await put()
            except APIStatusError as error:
                if not is_stale(error):
                    raise
            return await put()

        return await self._session.retrying(put_afresh, repeatable=True)

    async def _ask(self, file: "_File") -> UploadUrl | TeamFileUploadUrl:
        # A new idempotency key each time, because a new URL is wanted each time.
        ask: Call[UploadUrl | TeamFileUploadUrl] = Call(
            keyed(file.place.ask.request), file.place.ask.decode
        )
        return await self._session.attempt(ask, file.attempt, lane=file.manner.lane)

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
        place: Where it goes.
        manner: How it is sent.
        attempt: The number of this attempt, from 1.
        may_be_there: Whether an attempt that did not end well may have brought it there.
    """

    source: Source
    place: Place
    manner: Manner
    attempt: int = 0
    may_be_there: bool = False

    def body(self) -> ByteStream:
        """Give it as the body of a request."""
        one_block = self.source.size <= self.manner.chunk_size
        return ByteStream(
            size=self.source.size,
            content_type=self.place.content_type,
            blocks=self._blocks,
            data=self.source.data if one_block else None,
        )

    async def begin(self) -> None:
        """Begin another attempt."""
        self.attempt += 1
        await self.tell(0)

    async def tell(self, sent: int, *, finished: bool = False) -> None:
        """Tell how far it has come."""
        progress = UploadProgress(
            path=self.place.path,
            sent=sent,
            total=self.source.size,
            attempt=self.attempt,
            finished=finished,
        )
        await tell(self.manner.on_progress, progress)

    async def _blocks(self) -> AsyncGenerator[bytes | memoryview, None]:
        sent = 0
        async with aclosing(self.source.blocks(self.manner.chunk_size)) as blocks:
            async for block in blocks:
                yield block
                sent += len(block)
                if sent < self.source.size:  # the end is told when the file has arrived
                    await self.tell(sent)
