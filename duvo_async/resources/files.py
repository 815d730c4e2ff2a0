"""The files that a team keeps: bring them there, fetch them, change them."""

import os

from duvo_async import _operations
from duvo_async._callbacks import OnProgress
from duvo_async._inputs import UploadSource
from duvo_async._items import AsyncItems
from duvo_async._paging import unpaged
from duvo_async._reading import CHUNK_SIZE
from duvo_async._services import Services
from duvo_async._sources import content_type as guess
from duvo_async.downloading import Downloader, OnDownload
from duvo_async.models import (
    DownloadedFile,
    TeamFile,
    TeamFileDownloadUrl,
    TeamFileUploadUrl,
    UploadedFile,
)
from duvo_async.uploading import Manner


class AsyncFiles:
    """The files of the client's team. Only API v2 has them.

    Every call raises an `APIError` when it does not end well, and `UnsupportedOperation` when the
    client is of API v1; methods name what they raise beyond that. A file that is not there is a
    `NotFoundError`.
    """

    def __init__(self, services: Services) -> None:
        self._session = services.session
        self._uploader = services.uploader
        self._downloader = Downloader(services.session)

    def list(self) -> AsyncItems[TeamFile]:
        """List the files: `async for file in duvo.files.list()`. They come with one request.

        Returns:
            An async iterable of the files.
        """
        return unpaged(self._session, _operations.list_team_files(self._session.routes))

    async def upload(
        self,
        source: UploadSource,
        *,
        name: str | None = None,
        content_type: str | None = None,
        on_progress: OnProgress | None = None,
        chunk_size: int = CHUNK_SIZE,
    ) -> UploadedFile:
        """Put a file among the team's files.

        It goes to a presigned URL, a new one for each attempt, and is read as it is sent. An upload
        is given up when the network takes no byte for 60 s, however long it takes in all.

        Args:
            source: What `duvo.sandboxes.upload` takes: a path, bytes, an open file, or an iterable
                of bytes.
            name: What it is called. None takes the file's name.
            content_type: Its media type. None guesses it from the name.
            on_progress: Is told how far it has come, with an `UploadProgress`: when an attempt
                begins, after each block but the last, and when the file has arrived. It may be
                asynchronous. None tells nobody.
            chunk_size: The bytes of a block; 262,144 by default.

        Returns:
            Where the API has put it, and its size.

        Raises:
            UploadSourceError: The file is missing, a directory, cannot be read, cannot be read
                again for another attempt, or changed while it was read.
            ValueError: There is no name, or it leads elsewhere.
            TypeError: The source is none of the things that can be uploaded.
            Exception: What `on_progress` raised.
        """
        manner = Manner(on_progress=on_progress, chunk_size=chunk_size)
        return await self._uploader.upload_to_team(source, name, content_type, manner)

    async def download(
        self,
        path: str,
        to: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        on_progress: OnDownload | None = None,
    ) -> DownloadedFile:
        """Fetch a file to this machine.

        It comes from a presigned URL, in constant memory, and appears under its name when all of it
        is here. Until then it is beside it, under a name that begins with `.duvo-`; what fails
        leaves nothing behind. After a broken connection, another attempt asks for what is missing,
        with a new URL; where the storage does not know parts, or has another file by now, for all.
        A download is given up when no byte comes for 60 s, however long it takes in all.

        Args:
            path: Where among the team's files it is, as `list` gives it.
            to: Where it goes. In a folder that exists it gets the last part of `path` as its name,
                with underscores for characters that could lead elsewhere or that Windows refuses.
            overwrite: Whether it may take the place of another file; False by default.
            on_progress: Is told how far it has come, with a `DownloadProgress`: when an attempt
                begins, every 262,144 bytes or so, and when the file is in its place. It may be
                asynchronous. None tells nobody.

        Returns:
            Where it is, and its size.

        Raises:
            DownloadTargetError: It cannot be written, or there is another file and `overwrite` is
                not said.
            ValueError: `path` is not the path of a file, or `to` is empty.
            Exception: What `on_progress` raised.
        """
        return await self._downloader.download(path, to, on_progress, overwrite=overwrite)

    async def read_text(self, path: str) -> str:
        """Read a file as text (API reference, "getFileContent").

        Args:
            path: Where among the team's files it is.

        Returns:
            What is in it, read as UTF-8.

        Raises:
            ValueError: `path` is not the path of a file.
        """
        return await self._session.call(_operations.read_team_file(self._session.routes, path))

    async def write_text(self, path: str, text: str, *, idempotency_key: str | None = None) -> None:
        """Put another text into a file (API reference, "updateFileContent").

        Args:
            path: Where among the team's files it is.
            text: What will be in it, as UTF-8.
            idempotency_key: Calls with the same key write once. None makes a key for this call.

        Raises:
            ValueError: `path` is not the path of a file.
        """
        await self._session.call(
            _operations.write_team_file(
                self._session.routes, path, content=text, idempotency_key=idempotency_key
            )
        )

    async def rename(self, path: str, name: str, *, idempotency_key: str | None = None) -> None:
        """Give a file another name where it is.

        The API keeps the suffix that the file has (API reference, "renameFile").

        Args:
            path: Where among the team's files it is.
            name: The name, with the same suffix or without one.
            idempotency_key: Calls with the same key rename once. None makes a key for this call.

        Raises:
            ValueError: `path` is not the path of a file, or `name` is not a name.
        """
        await self._session.call(
            _operations.rename_team_file(
                self._session.routes, path, name=name, idempotency_key=idempotency_key
            )
        )

    async def delete(self, path: str, *, idempotency_key: str | None = None) -> None:
        """Delete a file.

        Args:
            path: Where among the team's files it is.
            idempotency_key: Calls with the same key delete once. None makes a key for this call.

        Raises:
            ValueError: `path` is not the path of a file.
        """
        await self._session.call(
            _operations.delete_team_file(
                self._session.routes, path, idempotency_key=idempotency_key
            )
        )

    async def create_upload_url(
        self, name: str, *, content_type: str | None = None, idempotency_key: str | None = None
    ) -> TeamFileUploadUrl:
        """Ask for a presigned URL, for a program that uploads by itself.

        Send the bytes to it with PUT, a Content-Length and the same Content-Type, without the API
        key. `upload` does all of it.

        Args:
            name: What the file is called.
            content_type: Its media type. None guesses it from the name.
            idempotency_key: Calls with the same key make one URL. None makes a key for this call.

        Returns:
            The URL, where the file will be, and until when the URL is good.

        Raises:
            ValueError: The name is empty or leads elsewhere.
        """
        return await self._session.call(
            _operations.create_team_file_upload_url(
                self._session.routes,
                name=name,
                content_type=guess(name) if content_type is None else content_type,
                idempotency_key=idempotency_key,
            )
        )

    async def create_download_url(self, path: str) -> TeamFileDownloadUrl:
        """Ask for a presigned URL, for a program that downloads by itself.

        GET it without the API key. `download` does all of it.

        Args:
            path: Where among the team's files it is.

        Returns:
            The URL, and until when it is good.

        Raises:
            ValueError: `path` is not the path of a file.
        """
        return await self._session.call(
            _operations.create_team_file_download_url(self._session.routes, path)
        )
