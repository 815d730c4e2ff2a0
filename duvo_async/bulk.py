"""Uploading many files: several at once, the small ones not behind the large ones."""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias, cast

from duvo_async._callbacks import HandlerFailed
from duvo_async._planning import Planned
from duvo_async._reading import Source, hold
from duvo_async._sources import open_path, opening
from duvo_async._threads import ReadAhead
from duvo_async.errors import (
    AuthenticationError,
    ClientClosedError,
    NotFoundError,
    PermissionDeniedError,
)
from duvo_async.models import UploadedFile, UploadOutcome
from duvo_async.uploading import DIRECT_LIMIT, Manner, Uploader

_AHEAD = 16
"""Small files that are opened ahead of their turn."""
_Turn: TypeAlias = tuple[int, Source | Exception]


class Batch:
    """Files on their way into one sandbox.

    Args:
        uploader: Sends one file.
        sandbox_id: The sandbox.
        planned: The files.
        manner: How they are sent.
        fail_fast: Whether the first that goes wrong ends it.
    """

    def __init__(
        self,
        uploader: Uploader,
        sandbox_id: str,
        planned: Sequence[Planned],
        manner: Manner,
        *,
        fail_fast: bool,
    ) -> None:
        self._uploader = uploader
        self._sandbox_id = sandbox_id
        self._planned = planned
        self._manner = manner
        self._fail_fast = fail_fast
        self._outcomes: list[UploadOutcome | None] = [None] * len(planned)
        self._small: ReadAhead[_Turn] | None = None
        self._large: deque[int] = deque()
        self._hopeless: Exception | None = None

    def skip(self, index: int) -> None:
        """Leave out a file that is there already."""
        each = self._planned[index]
        there = UploadedFile(path=each.path or "", size_bytes=each.size)
        self._conclude(index, file=there, skipped=True)

    async def run(self, concurrency: int) -> tuple[UploadOutcome, ...]:
        """Send the files, so many at once.

        Returns:
            An outcome for each.

        Raises:
            Exception: The first that went wrong, when that is to end it.
        """
        small = self._sort()
        if small:
            self._small = ReadAhead(_open_all(self._planned, small), _AHEAD, _discard)
        number = min(concurrency, len(small) + len(self._large))
        # Half of them see to the large files as long as there are any, so that neither kind waits
        # for the other: large ones take the wire, small ones the key's budget of requests.
        workers = [asyncio.create_task(self._work(index % 2 == 1)) for index in range(number)]
        try:
            await asyncio.gather(*workers)
        except HandlerFailed as failed:
            raise failed.error from None
        finally:
            if self._small is not None:
                self._small.close()
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        for index, outcome in enumerate(self._outcomes):
            if outcome is None:
                self._conclude(index, error=self._hopeless)
        return tuple(cast("list[UploadOutcome]", self._outcomes))

    def _sort(self) -> list[int]:
        """Put the files into two lines; give the small ones."""
        small: list[int] = []
        unknown: list[int] = []
        large: list[int] = []
        for index, each in enumerate(self._planned):
            if self._outcomes[index] is not None:
                continue
            if each.error is not None:
                self._conclude(index, error=each.error)
            elif not (each.regular or isinstance(each.source, (bytes, bytearray))):
                unknown.append(index)  # until it is opened, which may take its time
            elif each.size > DIRECT_LIMIT:
                large.append(index)
            else:
                small.append(index)
        self._large.extend(unknown + large)  # those that may be small come first
        return small

    async def _work(self, prefers_large: bool) -> None:  # noqa: FBT001 - of no one else's
        while self._hopeless is None and (turn := await self._next(prefers_large)):
            index, opened = turn
            try:
                file = await self._upload(self._planned[index], opened)
            except HandlerFailed:
                raise
            except Exception as error:  # noqa: BLE001 - one file's trouble never ends the others
                if _is_hopeless(error):
                    self._hopeless = error
                self._conclude(index, error=error)
            else:
                self._conclude(index, file=file)

    async def _next(self, prefers_large: bool) -> "tuple[int, Source | Exception | None] | None":  # noqa: FBT001
        if not (prefers_large and self._large) and self._small is not None:
            opened = await self._small.next(None)
            if opened is not None:
                return opened
        return (self._large.popleft(), None) if self._large else None

    async def _upload(self, each: Planned, opened: Source | Exception | None) -> UploadedFile:
        if isinstance(opened, Exception):
            raise opened
        if isinstance(each.source, Source):  # whoever opened it closes it
            return await self._send(each.source, each.path or "")
        async with opening(each.source if opened is None else opened) as source:
            return await self._send(source, each.path or "")

    async def _send(self, source: Source, path: str) -> UploadedFile:
        place = self._uploader.in_sandbox(self._sandbox_id, path)
        return await self._uploader.send(source, place, self._manner)

    def _conclude(
        self,
        index: int,
        *,
        file: UploadedFile | None = None,
        error: Exception | None = None,
        skipped: bool = False,
    ) -> None:
        each = self._planned[index]
        self._outcomes[index] = UploadOutcome(
            index=index,
            source=each.label,
            path=each.path,
            file=file,
            error=error,
            skipped=skipped,
        )
        if error is not None and self._fail_fast:
            arrived = sum(outcome is not None and outcome.succeeded for outcome in self._outcomes)
            error.add_note(f"{arrived} of {len(self._planned)} files had arrived before")
            raise error


def _open_all(planned: Sequence[Planned], indices: Iterable[int]) -> Iterator[_Turn]:
    for index in indices:
        source = planned[index].source
        try:
            if isinstance(source, (bytes, bytearray)):
                yield index, hold(source)
            else:
                yield index, open_path(Path(planned[index].label))
        except Exception as error:  # noqa: BLE001 - it is that file's
            yield index, error


def _discard(opened: _Turn) -> None:
    source = opened[1]
    if isinstance(source, Source):
        source.shut()


def _is_hopeless(error: Exception) -> bool:
    """Tell whether every other file would fare no better: the key is refused, the sandbox gone."""
    if isinstance(error, NotFoundError):
        return error.method != "PUT"  # which is a storage's
    refused = isinstance(error, PermissionDeniedError) and error.code == "insufficient_scope"
    return refused or isinstance(error, (AuthenticationError, ClientClosedError))
