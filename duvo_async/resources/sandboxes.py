"""Sandboxes: make them, and put files into them."""

from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from typing import cast
from urllib.parse import urlsplit

from duvo_async import _operations
from duvo_async._items import AsyncItems
from duvo_async._protocol import ByteStream, Call, FileForm, Request
from duvo_async._session import Session, keyed
from duvo_async._sources import WORKSPACE, Source, UploadSource, open_source, remote_path
from duvo_async.errors import PermissionDeniedError
from duvo_async.models import Sandbox, SandboxFile, UploadedFile, UploadUrl

DIRECT_LIMIT = 10_000_000
"""Bytes that the API takes in one request (API reference, "Upload Files to a Sandbox": 10 MB)."""
_SLOWEST_UPLOAD = 64 * 1024
"""Bytes a second below which a direct upload is given up."""


class AsyncSandboxes:
    """The sandboxes of the key's team.

    Every call raises an `APIError` when it does not end well; methods name what they raise beyond
    that. A sandbox that has expired is a `NotFoundError`.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def create(self, *, idempotency_key: str | None = None) -> Sandbox:
        """Make a sandbox.

        Args:
            idempotency_key: Calls with the same key make one sandbox. None makes a key for this
                call.

        Returns:
            The sandbox, with the time at which it expires.
        """
        return await self._session.call(
            _operations.create_sandbox(self._session.routes, idempotency_key=idempotency_key)
        )

    async def upload(
        self, sandbox_id: str, source: UploadSource, *, path: str | None = None
    ) -> UploadedFile:
        """Put a file into a sandbox.

        Up to 10 MB go to the API itself, more to a presigned URL, in blocks and without being held
        in memory.

        Args:
            sandbox_id: The sandbox.
            source: A path, bytes, or a file that is open for reading bytes, which is read from
                where it stands to its end and left open.
            path: Where it goes; a relative path is below `/workspace`. None takes the file's name.

        Returns:
            Where it went, and its size.

        Raises:
            UploadSourceError: The file is missing, a directory, cannot be read, or changed while
                it was read.
            ValueError: There is neither a path nor a name, or the path leaves its folder.
            TypeError: The source is none of the things that can be uploaded.
        """
        async with AsyncExitStack() as stack:
            opened, target = await _open(stack, source, path)
            return await self._send(sandbox_id, opened, target)

    async def create_upload_url(
        self, sandbox_id: str, path: str, *, idempotency_key: str | None = None
    ) -> UploadUrl:
        """Ask for a presigned URL, for a program that uploads by itself.

        Send the bytes to it with PUT and a Content-Length, without the API key. `upload` does all
        of it.

        Args:
            sandbox_id: The sandbox.
            path: Where the file will be; a relative path is below `/workspace`.
            idempotency_key: Calls with the same key make one URL. None makes a key for this call.

        Returns:
            The URL, and for how long it is good.

        Raises:
            ValueError: The path is empty or leaves its folder.
        """
        return await self._session.call(
            _operations.create_upload_url(
                self._session.routes,
                sandbox_id,
                path=remote_path(path, ""),
                idempotency_key=idempotency_key,
            )
        )

    def files(self, sandbox_id: str, path: str = WORKSPACE) -> AsyncItems[SandboxFile]:
        """List a directory of a sandbox: `async for file in duvo.sandboxes.files(sandbox_id)`.

        Args:
            sandbox_id: The sandbox.
            path: The directory.

        Returns:
            An async iterable of its files and directories.
        """
        call = _operations.list_files(self._session.routes, sandbox_id, path=path)

        async def batches() -> AsyncGenerator[tuple[SandboxFile, ...], None]:
            yield await self._session.call(call)

        return AsyncItems(batches)

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

    async def fill(
        self, files: Iterable[UploadSource] | Mapping[str, UploadSource], sandbox_id: str | None
    ) -> str:
        """Put files into a sandbox, all of which are opened before anything is sent.

        Args:
            files: The files; a mapping says where each goes.
            sandbox_id: The sandbox. None makes one.

        Returns:
            The sandbox's id.

        Raises:
            UploadSourceError: As in `upload`.
            ValueError: As in `upload`, or two files would go to one path.
            TypeError: As in `upload`, or `files` is a single file.
        """
        if isinstance(files, (str, bytes)):
            raise TypeError("files must be a list or a mapping, not a single file")
        async with AsyncExitStack() as stack:
            opened: dict[str, Source] = {}
            for path, source in _with_paths(files):
                ready, target = await _open(stack, source, path)
                if target in opened:
                    raise ValueError(f"two files would go to {target}: say where with a mapping")
                opened[target] = ready
            if sandbox_id is None:
                sandbox_id = (await self.create()).sandbox_id
            for target, ready in opened.items():
                await self._send(sandbox_id, ready, target)
        return sandbox_id


def _with_paths(
    files: Iterable[UploadSource] | Mapping[str, UploadSource],
) -> Iterator[tuple[str | None, UploadSource]]:
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
