"""The operations on sandboxes."""

from attrs import frozen

from duvo_async.emulator.exchange import ApiError, Response, json_response, origin, timestamp
from duvo_async.emulator.parameters import a_text
from duvo_async.emulator.routing import Call, Route
from duvo_async.emulator.sandboxes import (
    WORKSPACE,
    BadPathError,
    OccupiedPathError,
    Sandbox,
    Sandboxes,
    resolve_file,
)
from duvo_async.emulator.storage import Storage
from duvo_async.emulator.validation import Field, filled_text

_CREATE_UPLOAD_URL = {"path": Field(filled_text, required=True)}
_FILE = frozenset({"file", "path"})


@frozen
class SandboxOperations:
    """The operations on sandboxes.

    Attributes:
        sandboxes: The sandboxes.
        storage: Where presigned uploads go.
        max_direct_bytes: The largest file that a direct upload takes.
    """

    sandboxes: Sandboxes
    storage: Storage
    max_direct_bytes: int

    def routes(self) -> tuple[Route, ...]:
        """Where they are found."""
        sandbox = "/v2/sandboxes/{sandbox_id}"
        files = f"{sandbox}/files"
        return (
            Route("POST", "/v2/sandboxes", self.create),
            Route(
                "POST", f"{sandbox}/upload-urls", self.create_upload_url, body=_CREATE_UPLOAD_URL
            ),
            Route("GET", files, self.list_files, {"path": a_text(default=WORKSPACE)}),
            Route("POST", files, self.upload_file, form=_FILE),
        )

    def create(self, call: Call) -> Response:
        """Makes an empty sandbox."""
        sandbox = self.sandboxes.create(call.now)
        data = {"sandbox_id": sandbox.id, "expires_at": timestamp(sandbox.expires_at)}
        return json_response(201, data)

    def create_upload_url(self, call: Call) -> Response:
        """Gives a URL that takes the bytes of one file."""
        given = call.body["path"]
        sandbox = self._find(call)
        path = _free_path(sandbox, given)
        data = {
            "upload_url": origin(call.request) + self.storage.sign(sandbox.id, path, call.now),
            "path": path,
            "expires_in_seconds": self.storage.ttl,
        }
        return json_response(200, data)

    def list_files(self, call: Call) -> Response:
        """Lists one directory."""
        sandbox = self._find(call)
        try:
            entries = sandbox.entries(call.query["path"])
        except BadPathError as error:
            raise ApiError(400, f"query.path: {error}") from error
        except FileNotFoundError as error:
            raise ApiError(404, str(error)) from error
        files = [
            {"name": each.name, "path": each.path, "type": each.type, "size_bytes": each.size_bytes}
            for each in entries
        ]
        return json_response(200, {"files": files})

    def upload_file(self, call: Call) -> Response:
        """Takes a file out of a form."""
        form = call.form
        if len(form["file"]) > self.max_direct_bytes:
            raise ApiError(413, f"a direct upload takes {self.max_direct_bytes} bytes at most")
        sandbox = self._find(call)
        path = _free_path(sandbox, _read_text(form["path"]))
        content = self.sandboxes.store.add(form["file"])
        sandbox.put(path, content)
        return json_response(201, {"path": path, "size_bytes": content.size})

    def _find(self, call: Call) -> Sandbox:
        sandbox = self.sandboxes.find(call.params["sandbox_id"], call.now)
        if sandbox is None:
            raise ApiError(404, "there is no such sandbox, or it has expired")
        return sandbox


def _free_path(sandbox: Sandbox, path: str) -> str:
    try:
        resolved = resolve_file(path)
        sandbox.check_free(resolved)
    except BadPathError as error:
        raise ApiError(400, str(error)) from error
    except OccupiedPathError as error:
        raise ApiError(409, str(error)) from error
    return resolved


def _read_text(part: bytes) -> str:
    try:
        return part.decode()
    except UnicodeDecodeError as error:
        raise ApiError(400, "form.path must be UTF-8") from error
