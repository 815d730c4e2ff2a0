"""The object storage behind presigned URLs: a host of its own manners, which speaks XML."""

import hmac
import re
from typing import Protocol, Self
from urllib.parse import parse_qs, quote, unquote

from attrs import define, field, frozen

from duvo_async.emulator.contents import Content, Draft
from duvo_async.emulator.downloads import Download, open_download
from duvo_async.emulator.exchange import Request, Response
from duvo_async.emulator.sandboxes import OccupiedPathError, Sandbox, Sandboxes
from duvo_async.emulator.storage_errors import StorageError
from duvo_async.emulator.team_files import TeamFilePlace, TeamFiles

_PREFIX = "/storage/"
_LENGTH = re.compile(r"[0-9]{1,18}")
_TEAM_BUCKET = "team-files"
_SIGNATURE = "&X-Storage-Signature="
# A client that decodes and encodes the URL anew writes these characters in another way.
_PUT_SCOPE = "X-Storage-Scope=put%2Fone%7Efile%2c+%21"
_GET_SCOPE = "X-Storage-Scope=get%2Fone%7Efile%2c+%21"


class Place(Protocol):
    """Where an upload ends."""

    def check_free(self) -> None:
        """Checks that it can hold a file, perhaps instead of an older one.

        Raises:
            OccupiedPathError: It can't.
        """
        ...

    def put(self, content: Content, now: float, /) -> None:
        """Puts a file there."""
        ...


@frozen
class _SandboxPlace:
    sandbox: Sandbox
    path: str

    def check_free(self) -> None:
        self.sandbox.check_free(self.path)

    def put(self, content: Content, _now: float) -> None:
        self.sandbox.put(self.path, content)


@define
class Upload:
    """A file on its way in. Left as a context unfinished, it leaves nothing behind.

    Attributes:
        place: Where it ends.
        length: How many bytes it has.
        answer: What is answered in place of what would be; None for that.
    """

    place: Place
    length: int
    _draft: Draft
    answer: Response | None = None

    def write(self, chunk: bytes) -> None:
        """Takes the next bytes."""
        self._draft.write(chunk)

    def finish(self, now: float) -> Response:
        """Puts the file in place, if all its bytes came and its place is still free."""
        if self._draft.size != self.length:
            message = f"{self._draft.size} of {self.length} bytes came"
            return StorageError(400, "IncompleteBody", message).response
        try:
            self.place.check_free()
        except OccupiedPathError as error:
            return StorageError(409, "OperationAborted", str(error)).response
        self.place.put(self._draft.keep(), now)
        return Response(200)

    def __enter__(self) -> Self:
        """Gives the upload itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Deletes what came, unless the upload was finished."""
        self._draft.__exit__()


@define
class Storage:
    """Signs URLs for single files, takes what is sent to them and serves what is fetched there.

    Attributes:
        sandboxes: Where uploads go.
        files: Where other uploads go, and downloads come from.
        ttl: Seconds for which an upload URL is good.
        download_ttl: Seconds for which a download URL is good.
        secret: What the URLs are signed with.
    """

    sandboxes: Sandboxes
    files: TeamFiles
    ttl: float
    download_ttl: float
    secret: bytes = field(repr=False)

    def owns(self, path: str) -> bool:
        """Whether a path is the storage's, not the API's."""
        return path.startswith(_PREFIX)

    def sign(self, sandbox_id: str, path: str, now: float) -> str:
        """The path and query of a URL that takes the bytes of one file of a sandbox."""
        query = f"X-Storage-Expires={now + self.ttl!r}&{_PUT_SCOPE}"
        return self._signed(f"{_PREFIX}{sandbox_id}{quote(path)}", query)

    def sign_team_upload(self, path: str, content_type: str, now: float) -> str:
        """The path and query of a URL that takes the bytes of one file of the team.

        The content type is signed as well: whoever sends the bytes has to declare the same.
        """
        kind = f"X-Storage-Content-Type={quote(content_type, safe='')}"
        query = f"X-Storage-Expires={now + self.ttl!r}&{kind}&{_PUT_SCOPE}"
        return self._signed(f"{_PREFIX}{_TEAM_BUCKET}/{quote(path)}", query)

    def sign_download(self, path: str, now: float) -> str:
        """The path and query of a URL that serves the bytes of one file of the team."""
        query = f"X-Storage-Expires={now + self.download_ttl!r}&{_GET_SCOPE}"
        return self._signed(f"{_PREFIX}{_TEAM_BUCKET}/{quote(path)}", query)

    def open(self, request: Request, now: float) -> Upload | Download:
        """Begins an upload or a download; of the request all but the body is looked at.

        Raises:
            StorageError: The URL or the headers are not what was agreed.
        """
        signed = self._verify(request, now)
        method = signed["X-Storage-Scope"][0].partition("/")[0].upper()
        if request.method != method:
            message = f"this URL takes {method} only"
            raise StorageError(405, "MethodNotAllowed", message, {"allow": method})
        for name in ("authorization", "cookie"):
            if name in request.headers:
                raise StorageError(400, "InvalidArgument", f"{name} does not belong here")
        if method == "GET":
            return self._open_download(request)
        length = request.headers.get("content-length", "")
        if not _LENGTH.fullmatch(length):
            raise StorageError(411, "MissingContentLength", "Content-Length is required")
        place = self._find_place(request, signed.get("X-Storage-Content-Type"), now)
        return Upload(place, int(length), self.sandboxes.store.draft())

    def _open_download(self, request: Request) -> Download:
        file = self.files.find(_read_place(request)[1])
        if file is None:
            raise StorageError(404, "NoSuchKey", "the file is no longer there")
        return open_download(file, request)

    def _find_place(self, request: Request, signed: list[str] | None, now: float) -> Place:
        bucket, path = _read_place(request)
        if signed is None:
            sandbox = self.sandboxes.find(bucket, now)
            if sandbox is None:
                raise StorageError(404, "NoSuchBucket", "the sandbox has expired")
            return _SandboxPlace(sandbox, f"/{path}")
        if request.headers.get("content-type") != signed[0]:
            message = f"the URL was signed for the content type {signed[0]}"
            raise StorageError(403, "SignatureDoesNotMatch", message)
        return TeamFilePlace(self.files, path, signed[0])

    def _signed(self, path: str, query: str) -> str:
        return f"{path}?{query}{_SIGNATURE}{self._sign(path, query)}"

    def _sign(self, path: str, query: str) -> str:
        message = f"{path}?{query}".encode(errors="surrogateescape")
        return hmac.new(self.secret, message, "sha256").hexdigest()

    def _verify(self, request: Request, now: float) -> dict[str, list[str]]:
        """Gives what was signed, once it is certain that it was."""
        query, _, signature = request.query.partition(_SIGNATURE)
        expected = self._sign(request.path, query)
        if not hmac.compare_digest(expected.encode(), signature.encode(errors="surrogateescape")):
            raise StorageError(403, "SignatureDoesNotMatch", "the URL is not as it was signed")
        signed = parse_qs(query)
        if now >= float(signed["X-Storage-Expires"][0]):
            raise StorageError(403, "AccessDenied", "the URL has expired")
        return signed


def _read_place(request: Request) -> tuple[str, str]:
    """The bucket and the path in it that a URL names."""
    bucket, _, path = unquote(request.path.removeprefix(_PREFIX)).partition("/")
    return bucket, path
