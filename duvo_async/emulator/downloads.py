"""Files on their way out of the object storage: whole or a range, never whole in memory."""

import re
from collections.abc import Iterator
from email.utils import formatdate
from typing import BinaryIO, Self

from attrs import define

from duvo_async.emulator.exchange import Request, Response
from duvo_async.emulator.storage_errors import StorageError
from duvo_async.emulator.team_files import TeamFile

_CHUNK = 1 << 18
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


@define
class Download:
    """A file on its way out. Leave it as a context, or its file stays open.

    Attributes:
        head: The response without its body.
        length: How many bytes the body has.
    """

    head: Response
    length: int
    _file: BinaryIO

    def chunks(self) -> Iterator[bytes]:
        """Gives the body; it can be read once."""
        left = self.length
        while left and (chunk := self._file.read(min(left, _CHUNK))):
            left -= len(chunk)
            yield chunk

    def whole(self) -> Response:
        """The response with its body, which must fit into memory."""
        return Response(self.head.status, self.head.headers, b"".join(self.chunks()))

    def __enter__(self) -> Self:
        """Gives the download itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the file."""
        self._file.close()


def open_download(file: TeamFile, request: Request) -> Download:
    """Begins to serve a file, or the range of it that is asked for.

    Raises:
        StorageError: 412 when it must be another version of the file, 416 when it ends before the
            range.
    """
    headers = request.headers
    if headers.get("if-match", file.etag) not in {file.etag, "*"}:
        raise StorageError(412, "PreconditionFailed", "the file is another version")
    size = file.content.size
    is_same = headers.get("if-range", file.etag) == file.etag
    wanted = _read_range(headers.get("range", ""), size) if is_same else None
    start, end = wanted or (0, size)
    head = {
        "content-type": file.content_type,
        "content-length": str(end - start),
        "accept-ranges": "bytes",
        "etag": file.etag,
        "last-modified": formatdate(file.updated_at, usegmt=True),
    }
    if wanted is not None:
        head["content-range"] = f"bytes {start}-{end - 1}/{size}"
    opened = file.content.location.open("rb")
    opened.seek(start)
    return Download(Response(200 if wanted is None else 206, head), end - start, opened)


def _read_range(header: str, size: int) -> tuple[int, int] | None:
    """The first byte and the one after the last; None for all of them.

    As servers do, it overlooks what it can't read, several ranges at once included.
    """
    found = _RANGE.fullmatch(header)
    first, last = found.groups() if found else ("", "")
    if not (first or last) or (first and last and int(first) > int(last)):
        return None
    if first:
        start, end = int(first), min(int(last) + 1, size) if last else size
    else:
        start, end = max(size - int(last), 0), size
    if start >= size:
        message = f"the file has {size} bytes"
        raise StorageError(416, "InvalidRange", message, {"content-range": f"bytes */{size}"})
    return start, end
