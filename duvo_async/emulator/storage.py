"""The object storage behind presigned URLs: a host of its own manners, which speaks XML."""

import hmac
from html import escape
from typing import Self
from urllib.parse import parse_qs, quote, unquote

from attrs import define, field

from duvo_async.emulator.contents import Draft
from duvo_async.emulator.exchange import Request, Response
from duvo_async.emulator.sandboxes import OccupiedPathError, Sandbox, Sandboxes

_PREFIX = "/storage/"
_SIGNATURE = "&X-Storage-Signature="
# A client that decodes and encodes the URL anew writes these characters in another way.
_SCOPE = "X-Storage-Scope=put%2Fone%7Efile%2c+%21"


class StorageError(Exception):
    """A refusal, which becomes an XML response.

    Attributes:
        response: The response that says so.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'.encode()
        self.response: Response = Response(status, {"content-type": "application/xml"}, body)


@define
class Upload:
    """A file on its way into a sandbox. Left as a context unfinished, it leaves nothing behind."""

    sandbox: Sandbox
    path: str
    length: int
    _draft: Draft

    def write(self, chunk: bytes) -> None:
        """Takes the next bytes."""
        self._draft.write(chunk)

    def finish(self) -> Response:
        """Puts the file in place, if all its bytes came and its place is still free."""
        if self._draft.size != self.length:
            message = f"{self._draft.size} of {self.length} bytes came"
            return StorageError(400, "IncompleteBody", message).response
        try:
            self.sandbox.check_free(self.path)
        except OccupiedPathError as error:
            return StorageError(409, "OperationAborted", str(error)).response
        self.sandbox.put(self.path, self._draft.keep())
        return Response(200)

    def __enter__(self) -> Self:
        """Gives the upload itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Deletes what came, unless the upload was finished."""
        self._draft.__exit__()


@define
class Storage:
    """Signs upload URLs and takes what is sent to them.

    Attributes:
        sandboxes: Where the files go.
        ttl: Seconds for which a URL is good.
        secret: What the URLs are signed with.
    """

    sandboxes: Sandboxes
    ttl: float
    secret: bytes = field(repr=False)

    def owns(self, path: str) -> bool:
        """Whether a path is the storage's, not the API's."""
        return path.startswith(_PREFIX)

    def sign(self, sandbox_id: str, path: str, now: float) -> str:
        """The path and query of a URL that takes the bytes of one file."""
        target = f"{_PREFIX}{sandbox_id}{quote(path)}"
        query = f"X-Storage-Expires={now + self.ttl!r}&{_SCOPE}"
        return f"{target}?{query}{_SIGNATURE}{self._sign(target, query)}"

    def open(self, request: Request, now: float) -> Upload:
        """Begins an upload; of the request all but the body is looked at.

        Raises:
            StorageError: The URL or the headers are not what was agreed.
        """
        if request.method != "PUT":
            error = StorageError(405, "MethodNotAllowed", "this URL takes PUT only")
            error.response = error.response.with_headers({"allow": "PUT"})
            raise error
        for name in ("authorization", "cookie"):
            if name in request.headers:
                raise StorageError(400, "InvalidArgument", f"{name} does not belong here")
        self._verify(request, now)
        length = request.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()):
            raise StorageError(411, "MissingContentLength", "Content-Length is required")
        sandbox_id, _, path = unquote(request.path.removeprefix(_PREFIX)).partition("/")
        sandbox = self.sandboxes.find(sandbox_id, now)
        if sandbox is None:
            raise StorageError(404, "NoSuchBucket", "the sandbox has expired")
        return Upload(sandbox, f"/{path}", int(length), self.sandboxes.store.draft())

    def _sign(self, path: str, query: str) -> str:
        message = f"{path}?{query}".encode(errors="surrogateescape")
        return hmac.new(self.secret, message, "sha256").hexdigest()

    def _verify(self, request: Request, now: float) -> None:
        query, _, signature = request.query.partition(_SIGNATURE)
        signed = self._sign(request.path, query)
        if not hmac.compare_digest(signed.encode(), signature.encode(errors="surrogateescape")):
            raise StorageError(403, "SignatureDoesNotMatch", "the URL is not as it was signed")
        if now >= float(parse_qs(query)["X-Storage-Expires"][0]):
            raise StorageError(403, "AccessDenied", "the URL has expired")
