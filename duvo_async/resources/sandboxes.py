"""Sandboxes: make them, and put files into them."""

from collections.abc import AsyncGenerator

from duvo_async import _operations
from duvo_async._items import AsyncItems
from duvo_async._session import Session
from duvo_async._sources import WORKSPACE, UploadSource, remote_path
from duvo_async.models import Sandbox, SandboxFile, UploadedFile, UploadUrl
from duvo_async.uploading import Uploader


class AsyncSandboxes:
    """The sandboxes of the key's team.

    Every call raises an `APIError` when it does not end well; methods name what they raise beyond
    that. A sandbox that has expired is a `NotFoundError`.
    """

    def __init__(self, session: Session, uploader: Uploader) -> None:
        self._session = session
        self._uploader = uploader

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
        return await self._uploader.upload(sandbox_id, source, path)

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
