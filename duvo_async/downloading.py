"""Downloading a file: fetch it, the rest of it if need be, and put it into its place."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import TypeAlias

from attrs import define, field

from duvo_async import _operations
from duvo_async._callbacks import HandlerFailed, tell
from duvo_async._drafts import Draft, open_draft
from duvo_async._parts import Version, asking, offered
from duvo_async._places import local_name
from duvo_async._protocol import Call
from duvo_async._session import Session
from duvo_async._storage import by_storage, fetching, is_stale
from duvo_async._threads import apart
from duvo_async.errors import APIStatusError
from duvo_async.models import DownloadedFile, DownloadProgress, TeamFileDownloadUrl

OnDownload: TypeAlias = Callable[[DownloadProgress], object]
"""Is told how far a file has come. It may be asynchronous."""

_TOLD = 256 * 1024
"""Bytes after which `on_progress` is told."""


class Downloader:
    """Brings a team's files to this machine.

    Args:
        session: Makes the calls.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def download(
        self,
        path: str,
        to: str | os.PathLike[str],
        on_progress: OnDownload | None,
        *,
        overwrite: bool,
    ) -> DownloadedFile:
        """Bring a file here (see `AsyncFiles.download`)."""
        ask = _operations.create_team_file_download_url(self._session.routes, path)
        if on_progress is not None and not callable(on_progress):
            raise TypeError("on_progress must be a function")
        opening = partial(open_draft, _place(to), local_name(path), overwrite=overwrite)
        draft = await apart(opening, Draft.drop)
        arrival = _Arrival(path, draft, on_progress)
        try:
            await self._fetch(ask, arrival)
            await draft.keep()
            await arrival.tell(finished=True)
        except HandlerFailed as failed:
            raise failed.error from None
        finally:
            await draft.discard()
        return DownloadedFile(path=draft.target, size_bytes=draft.size)

    async def _fetch(self, ask: Call[TeamFileDownloadUrl], arrival: "_Arrival") -> None:
        async def fetch() -> None:
            arrival.attempt += 1
            await arrival.tell()
            url = await self._session.attempt(ask, arrival.attempt)
            call = Call(fetching(url.url, arrival), lambda _: None)
            await self._session.attempt(call, arrival.attempt)

        async def fetch_afresh(_: int) -> None:
            try:
                return await fetch()
            except APIStatusError as error:
                beyond = error.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
                if beyond and by_storage(error):  # it has become shorter
                    arrival.restart()
                elif not is_stale(error):
                    raise
            return await fetch()

        await self._session.retrying(fetch_afresh, repeatable=True)


@define
class _Arrival:
    """A file on its way here: what a storage gives goes into a draft.

    Attributes:
        path: Where among the team's files it is.
        draft: Where it goes.
        on_progress: Is told how far it has come. None tells nobody.
        attempt: The number of this attempt, from 1.
    """

    path: str
    draft: Draft
    on_progress: OnDownload | None
    attempt: int = 0
    _version: Version = field(factory=Version)
    _told: int = 0

    def restart(self) -> None:
        """Forget what is here."""
        self.draft.restart()
        self._version = Version()
        self._told = 0

    def headers(self) -> Mapping[str, str]:
        """Ask for what is not here yet."""
        return asking(self.draft.size, self._version)

    def begin(self, status: int, headers: Mapping[str, str]) -> bool:
        """Hear what comes: the rest, or all of it."""
        part = offered(status, headers, self.draft.size, self._version)
        if part is None or part.start == 0:
            self.restart()
        if part is not None:
            self._version = part.version
        return part is not None

    async def write(self, block: bytes) -> None:
        """Take the next bytes."""
        await self.draft.write(block)
        size = self.draft.size
        if size - self._told >= _TOLD and size != self._version.total:
            await self.tell()  # the end is told when the file is in its place

    def end(self) -> bool:
        """Tell whether that was all."""
        return self._version.total in {None, self.draft.size}

    async def tell(self, *, finished: bool = False) -> None:
        """Tell how far it has come."""
        self._told = self.draft.size
        progress = DownloadProgress(
            path=self.path,
            received=self._told,
            total=self._told if finished else self._version.total,
            attempt=self.attempt,
            finished=finished,
        )
        await tell(self.on_progress, progress)


def _place(to: str | os.PathLike[str]) -> str:
    """Understand where a file goes."""
    if not isinstance(to, (str, os.PathLike)) or not isinstance(os.fspath(to), str):
        raise TypeError(f"to must be a path, not {type(to).__name__}")
    if not os.fspath(to):
        raise ValueError("to must not be empty: '.' is this folder")
    return os.fspath(to)
