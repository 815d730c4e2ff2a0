"""Sandboxes: make them, and put files into them."""

import os
from collections.abc import AsyncGenerator

from duvo_async import _operations
from duvo_async._callbacks import OnProgress
from duvo_async._inputs import Files, UploadSource
from duvo_async._items import AsyncItems
from duvo_async._pacing import Lane
from duvo_async._places import WORKSPACE, remote_path
from duvo_async._reading import CHUNK_SIZE
from duvo_async._services import Services
from duvo_async.filling import CONCURRENCY
from duvo_async.models import (
    Sandbox,
    SandboxFile,
    SandboxFileType,
    UploadedFile,
    UploadOutcome,
    UploadUrl,
)
from duvo_async.uploading import Manner


class AsyncSandboxes:
    """The sandboxes of the key's team.

    Every call raises an `APIError` when it does not end well; methods name what they raise beyond
    that. A sandbox that has expired is a `NotFoundError`.
    """

    def __init__(self, services: Services) -> None:
        self._session = services.session
        self._uploader = services.uploader
        self._filler = services.filler

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
        self,
        sandbox_id: str,
        source: UploadSource,
        *,
        path: str | None = None,
        on_progress: OnProgress | None = None,
        chunk_size: int = CHUNK_SIZE,
    ) -> UploadedFile:
        """Put a file into a sandbox.

        Up to 10 MB go to the API itself (API reference, "Upload Files to a Sandbox"), more to a
        presigned URL, a new one for each attempt. Files are read as they are sent. An upload is
        given up when the network takes no byte for 60 s, however long it takes in all.

        Args:
            sandbox_id: The sandbox.
            source: A path; bytes; a file that is open for reading bytes, which is read from where
                it stands to its end and left open; or an iterable or async iterable of bytes. What
                cannot be read again is copied first, to memory up to 1 MiB, else to a temporary
                file. A plain iterable is read in another thread, with `Duvo` in the caller's.
            path: Where it goes; a relative path is below `/workspace`. None takes the file's name.
            on_progress: Is told how far it has come, with an `UploadProgress`: when an attempt
                begins, after each block but the last, and when the file has arrived. It may be
                asynchronous. None tells nobody.
            chunk_size: The bytes of a block; 262,144 by default.

        Returns:
            Where it went, and its size.

        Raises:
            UploadSourceError: The file is missing, a directory, cannot be read, cannot be read
                again for another attempt, or changed while it was read.
            ValueError: There is neither a path nor a name, or the path leaves its folder.
            Exception: What `on_progress` raised.
            TypeError: The source is none of the things that can be uploaded.
        """
        manner = Manner(on_progress=on_progress, chunk_size=chunk_size)
        return await self._uploader.upload_to_sandbox(sandbox_id, source, path, manner)

    async def upload_many(  # noqa: PLR0913 - what is sent, where and how
        self,
        sandbox_id: str,
        sources: Files,
        *,
        to: str = WORKSPACE,
        concurrency: int = CONCURRENCY,
        on_progress: OnProgress | None = None,
        fail_fast: bool = False,
        chunk_size: int = CHUNK_SIZE,
    ) -> tuple[UploadOutcome, ...]:
        """Put files, folders and what matches patterns into a sandbox.

        Several are sent at once, and small files do not wait behind large ones. The requests leave
        a part of the key's budget to other calls, as the starts of a fan-out do. One file's trouble
        never ends the others, unless the key is refused or the sandbox is gone: then no more is
        sent, and the rest has the same error.

        Args:
            sandbox_id: The sandbox.
            sources: Paths of files, folders or patterns such as `in/**/*.pdf`, or what `upload`
                takes. A folder keeps its name and what is below it, hidden files and linked ones
                included; `.` stands for its contents. What matches a pattern keeps its path below
                the pattern's fixed part. In a mapping, where each goes: a file to that path, the
                contents of a folder and what matches a pattern below it.
            to: The folder for relative paths, itself below `/workspace` if it is relative.
            concurrency: How many files are sent at once; 8 by default.
            on_progress: As in `upload`, for each file. None tells nobody.
            fail_fast: Whether the first error ends the others and is raised.
            chunk_size: As in `upload`.

        Returns:
            An outcome for each file, in the order of the sources, those of a folder by name. A
            missing file, a pattern without a match, and what in a folder cannot be read has an
            outcome with an error; an empty folder has none.

        Raises:
            ValueError: Two files would go to one path, or a path is no place for a file; nothing
                was sent.
            TypeError: `sources` is a single one, or something in it cannot be uploaded; nothing was
                sent.
            Exception: What `on_progress` raised, or, with `fail_fast`, what went wrong first.
        """
        return await self._filler.upload(
            sandbox_id,
            sources,
            to,
            Manner(on_progress=on_progress, chunk_size=chunk_size, lane=Lane.START),
            concurrency=concurrency,
            fail_fast=fail_fast,
        )

    async def sync(  # noqa: PLR0913 - what is sent, where and how
        self,
        sandbox_id: str,
        folder: str | os.PathLike[str],
        *,
        to: str = WORKSPACE,
        concurrency: int = CONCURRENCY,
        on_progress: OnProgress | None = None,
        fail_fast: bool = False,
        chunk_size: int = CHUNK_SIZE,
    ) -> tuple[UploadOutcome, ...]:
        """Put into a sandbox what it lacks of a folder, or has at another size.

        Files go where `upload_many` puts them. What has changed and kept its size is not noticed,
        since the API tells sizes only; what is only in the sandbox stays there.

        Args:
            sandbox_id: The sandbox.
            folder: The folder.
            to: As in `upload_many`.
            concurrency: As in `upload_many`.
            on_progress: As in `upload_many`; is told nothing of files that are there.
            fail_fast: As in `upload_many`.
            chunk_size: As in `upload_many`.

        Returns:
            An outcome for each file of the folder, by name; `skipped` says that it was there.

        Raises:
            UploadSourceError: It is no folder.
            ValueError: The path `to` is no place for a folder.
            Exception: What `on_progress` raised, or, with `fail_fast`, what went wrong first.
        """
        return await self._filler.sync(
            sandbox_id,
            folder,
            to,
            Manner(on_progress=on_progress, chunk_size=chunk_size, lane=Lane.START),
            concurrency=concurrency,
            fail_fast=fail_fast,
        )

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

    def files(
        self,
        sandbox_id: str,
        path: str = WORKSPACE,
        recursive: bool = False,  # noqa: FBT001, FBT002 - the documented name
    ) -> AsyncItems[SandboxFile]:
        """List a directory of a sandbox: `async for file in duvo.sandboxes.files(sandbox_id)`.

        Args:
            sandbox_id: The sandbox.
            path: The directory.
            recursive: Whether to list the directories in it as well, each with a request.

        Returns:
            An async iterable of its files and directories; a directory comes before what is in it.
        """
        call = _operations.list_files(self._session.routes, sandbox_id, path=path)

        async def batches() -> AsyncGenerator[tuple[SandboxFile, ...], None]:
            entries = await self._session.call(call)
            yield entries
            waiting = _directories(entries) if recursive else []
            listed = {path}
            while waiting:
                folder = waiting.pop()
                if folder in listed:  # else a folder that lists itself would have no end
                    continue
                listed.add(folder)
                below = _operations.list_files(self._session.routes, sandbox_id, path=folder)
                entries = await self._session.call(below)
                yield entries
                waiting += _directories(entries)

        return AsyncItems(batches)


def _directories(entries: tuple[SandboxFile, ...]) -> list[str]:
    """Find the directories; the first comes last, for a stack."""
    return [entry.path for entry in reversed(entries) if entry.type == SandboxFileType.DIR]
