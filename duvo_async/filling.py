"""Filling sandboxes: files, folders and patterns, all of them or what is not there yet."""

import os
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path, PurePosixPath
from typing import cast
from uuid import uuid4

from attrs import evolve

from duvo_async import _operations
from duvo_async._callbacks import invoke
from duvo_async._inputs import Files
from duvo_async._pacing import Lane
from duvo_async._places import WORKSPACE, folders_above
from duvo_async._planning import Planned, plan
from duvo_async._session import Session
from duvo_async._sources import can_wait, check_path, opening
from duvo_async._threads import apart
from duvo_async.bulk import Batch
from duvo_async.errors import UploadSourceError
from duvo_async.models import SandboxFileType, UploadOutcome
from duvo_async.settings import check_count
from duvo_async.uploading import Manner, Uploader

CONCURRENCY = 8
"""Files that are sent at once, unless the caller says otherwise."""


class Filler:
    """Puts many files into a sandbox.

    Args:
        session: Makes the calls.
        uploader: Sends one file.
    """

    def __init__(self, session: Session, uploader: Uploader) -> None:
        self._session = session
        self._uploader = uploader

    async def upload(  # noqa: PLR0913 - the parts of one call
        self,
        sandbox_id: str,
        files: Files,
        to: str,
        manner: Manner,
        *,
        concurrency: int,
        fail_fast: bool,
    ) -> tuple[UploadOutcome, ...]:
        """Put files into a sandbox (see `AsyncSandboxes.upload_many`)."""
        check_count("concurrency", concurrency)
        planned = await _plan(files, to)
        batch = Batch(self._uploader, sandbox_id, planned, manner, fail_fast=fail_fast)
        return await batch.run(concurrency)

    async def sync(  # noqa: PLR0913 - the parts of one call
        self,
        sandbox_id: str,
        folder: str | os.PathLike[str],
        to: str,
        manner: Manner,
        *,
        concurrency: int,
        fail_fast: bool,
    ) -> tuple[UploadOutcome, ...]:
        """Put what it lacks of a folder into a sandbox (see `AsyncSandboxes.sync`)."""
        check_count("concurrency", concurrency)
        if not isinstance(folder, (str, os.PathLike)):
            raise TypeError(f"folder must be a path, not {type(folder).__name__}")
        if not os.fspath(folder) or not await apart(Path(folder).is_dir):
            raise UploadSourceError(f"{os.fspath(folder)!r} is no folder")
        planned = await _plan([folder], to)
        folders = await apart(lambda: folders_above(each.path or "" for each in planned))
        there = await self._sizes(sandbox_id, folders)
        batch = Batch(self._uploader, sandbox_id, planned, manner, fail_fast=fail_fast)
        for index, each in enumerate(planned):
            if each.error is None and there.get(each.path or "") == each.size:
                batch.skip(index)
        return await batch.run(concurrency)

    async def fill(
        self,
        files: Files,
        sandbox_id: str | None,
        manner: Manner,
        *,
        idempotency_key: str | None = None,
    ) -> str:
        """Put files into a sandbox, all of which are looked at before anything is sent.

        Args:
            files: The files.
            sandbox_id: The sandbox. None makes one.
            manner: How they are sent.
            idempotency_key: Calls with the same key fill the same new sandbox. None makes a key.

        Returns:
            The sandbox's id.

        Raises:
            UploadSourceError: One of them is missing or cannot be read.
            ValueError: Two files would go to one path, or a path is no place for a file.
            TypeError: `files` is a single file, or something in it cannot be uploaded.
            APIError: One of them did not arrive.
        """
        planned = await _plan(files, WORKSPACE)
        await apart(partial(_check, planned))
        async with AsyncExitStack() as stack:
            for index, each in enumerate(planned):
                if not each.regular and can_wait(each.source):
                    opened = await stack.enter_async_context(opening(each.source))
                    planned[index] = evolve(each, source=opened)
            if sandbox_id is None:
                # Its own in any case: the key of a light client is for the start of the run.
                key = str(uuid4()) if idempotency_key is None else idempotency_key
                ask = _operations.create_sandbox(self._session.routes, idempotency_key=key)
                sandbox_id = (await self._session.call(ask)).sandbox_id
            batch = Batch(self._uploader, sandbox_id, planned, manner, fail_fast=True)
            await batch.run(CONCURRENCY)
        return sandbox_id

    async def _sizes(self, sandbox_id: str, wanted: set[str]) -> dict[str, int]:
        """Read the sizes of what is in these folders, as far as they are there."""
        # From the top, where a sandbox that is gone differs from a folder that is not there yet.
        top = WORKSPACE if WORKSPACE in wanted else "/"
        sizes: dict[str, int] = {}
        wanted.discard(top)
        folders = [top]
        while folders:
            call = _operations.list_files(self._session.routes, sandbox_id, path=folders.pop())
            for entry in await self._session.call(call, Lane.START):
                path = str(PurePosixPath(entry.path))
                if entry.type == SandboxFileType.DIR and path in wanted:
                    wanted.remove(path)  # each once, whatever the API says of it
                    folders.append(path)
                elif entry.type == SandboxFileType.FILE:
                    sizes[path] = entry.size_bytes
        return sizes


async def _plan(files: Files, to: str) -> list[Planned]:
    single = isinstance(files, (str, bytes, bytearray, memoryview, os.PathLike))
    if single or callable(getattr(files, "read", None)):
        raise TypeError("files must be a list or a mapping, not a single file")
    # An iterable of the caller's is read where the caller's code belongs.
    given = await invoke(_listed, files)
    return await apart(partial(plan, cast("Files", given), to))


def _listed(files: Files) -> object:
    return cast("object", files) if isinstance(files, Mapping) else list(files)


def _check(planned: Sequence[Planned]) -> None:
    """Find out whether all files can be opened."""
    for each in planned:
        if each.error is not None:
            raise each.error
        if each.regular:
            check_path(Path(each.label))
