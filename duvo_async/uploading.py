"""Uploading: choose the way, open the files, send them, again if need be."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from typing import TypeAlias, cast
from urllib.parse import urlsplit

from duvo_async import _operations
from duvo_async._protocol import ByteStream, Call, FileForm, Request
from duvo_async._session import Session, keyed
from duvo_async._sources import Source, UploadSource, open_source, remote_path
from duvo_async.errors import PermissionDeniedError
from duvo_async.models import UploadedFile, UploadUrl

Files: TypeAlias = Iterable[UploadSource] | Mapping[str, UploadSource]
"""Several things to upload; a mapping says where each goes."""

DIRECT_LIMIT = 10_000_000
"""Bytes that the API takes in one request (API reference, "Upload Files to a Sandbox": 10 MB)."""
_SLOWEST_UPLOAD = 64 * 1024
"""Bytes a second below which a direct upload is given up."""


class Uploader:
    """Puts files into sandboxes.

    Args:
        session: Makes the calls.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def upload(self, sandbox_id: str, source: UploadSource, path: str | None) -> UploadedFile:
        """Put a file into a sandbox (see `AsyncSandboxes.upload`)."""
        async with AsyncExitStack() as stack:
            opened, target = await _open(stack, source, path)
            return await self._send(sandbox_id, opened, target)

    async def fill(
        self, files: Files, sandbox_id: str | None, *, idempotency_key: str | None = None
    ) -> str:
        """Put files into a sandbox, all of which are looked at before anything is sent.

        Args:
            files: The files; a mapping says where each goes.
            sandbox_id: The sandbox. None makes one.
            idempotency_key: Calls with the same key fill the same new sandbox. None makes a key.

        Returns:
            The sandbox's id.

        Raises:
            UploadSourceError: As in `upload`.
            ValueError: As in `upload`, or two files would go to one path.
            TypeError: As in `upload`, or `files` is a single file.
        """
        if isinstance(files, (str, bytes, os.PathLike)):
            raise TypeError("files must be a list or a mapping, not a single file")
        async with AsyncExitStack() as stack:
            wanted: dict[str, UploadSource | Source] = {}
            for path, source in _with_paths(files):
                ready, target = await _open(stack, source, path)
                if target in wanted:
                    raise ValueError(f"two files would go to {target}: say where with a mapping")
                wanted[target] = ready
                if isinstance(source, (str, os.PathLike)) and ready.can_reopen:
                    # It was there. A process cannot keep any number of files open until their turn.
                    await ready.close()
                    wanted[target] = source
            if sandbox_id is None:
                ask = _operations.create_sandbox(
                    self._session.routes, idempotency_key=idempotency_key
                )
                sandbox_id = (await self._session.call(ask)).sandbox_id
            for target, file in wanted.items():
                if isinstance(file, Source):
                    await self._send(sandbox_id, file, target)
                else:
                    await self.upload(sandbox_id, file, target)
        return sandbox_id

    async def _send(self, sandbox_id: str, source: Source, path: str) -> UploadedFile:
        if source.size > DIRECT_LIMIT:
            return await self._send_presigned(sandbox_id, source, path)
        form = FileForm(
            path=path,
            filename=path.rpartition("/")[2],
            content_type=source.content_type,
            data=await source.read(),
        )
        timeout = self._session.timeout + source.size / _SLOWEST_UPLOAD
        routes = self._session.routes
        return await self._session.call(
            _operations.upload_file(routes, sandbox_id, form, timeout=timeout)
        )

    async def _send_presigned(self, sandbox_id: str, source: Source, path: str) -> UploadedFile:
        body = ByteStream(size=source.size, content_type=source.content_type, blocks=source.blocks)
        ask = _operations.create_upload_url(
            self._session.routes, sandbox_id, path=path, idempotency_key=None
        )

        async def put(attempt: int) -> UploadedFile:
            # A new idempotency key each time, because a new URL is wanted each time.
            url = await self._session.attempt(Call(keyed(ask.request), ask.decode), attempt)
            return await self._session.attempt(_put(url, body), attempt)

        async def put_afresh(attempt: int) -> UploadedFile:
            try:
                return await put(attempt)
            except PermissionDeniedError as error:
                if error.method != "PUT":
                    raise
                # The storage refuses a URL that has expired; another one may do.
                return await put(attempt + 1)

        return await self._session.retrying(put_afresh, repeatable=True)


def _with_paths(files: Files) -> Iterator[tuple[str | None, UploadSource]]:
    if isinstance(files, Mapping):
        yield from cast("Mapping[str, UploadSource]", files).items()
    else:
        for source in files:
            yield None, source


async def _open(
    stack: AsyncExitStack, source: UploadSource, path: str | None
) -> tuple[Source, str]:
    opened = await open_source(source)
    stack.push_async_callback(opened.close)
    return opened, remote_path(path, opened.name)


def _put(url: UploadUrl, body: ByteStream) -> Call[UploadedFile]:
    place = urlsplit(url.upload_url)
    request = Request(
        method="PUT",
        path=f"{place.hostname}{place.path}",
        body=body,
        signed_url=url.upload_url,
    )
    return Call(request, lambda _: UploadedFile(path=url.path, size_bytes=body.size))
