"""The operations on the files of a team."""

import posixpath

from attrs import frozen

from duvo_async.emulator.exchange import ApiError, Response, json_response, origin, timestamp
from duvo_async.emulator.routing import Call, Route
from duvo_async.emulator.sandboxes import BadPathError
from duvo_async.emulator.storage import Storage
from duvo_async.emulator.team_files import TeamFile, TeamFiles, check_path, guess_kind
from duvo_async.emulator.validation import Field, filled_text, text

_RENAME = {
    "relativePath": Field(filled_text, required=True),
    "newFilenameOnly": Field(filled_text, required=True),
}
_CREATE_UPLOAD_URL = {
    "fileName": Field(filled_text, required=True),
    "contentType": Field(filled_text, required=True),
}
_UPDATE_CONTENT = {"content": Field(text, required=True)}


@frozen
class FileOperations:
    """The operations on the files of a team.

    Attributes:
        files: The files.
        storage: What their bytes come and go through.
        max_text_bytes: The largest file that is shown as text.
    """

    files: TeamFiles
    storage: Storage
    max_text_bytes: int

    def routes(self) -> tuple[Route, ...]:
        """Where they are found."""
        files = "/v2/teams/{team_id}/files"
        return (
            Route("GET", files, self.list_files),
            Route("PATCH", files, self.rename, body=_RENAME),
            Route(
                "POST",
                f"{files}/create-upload-url",
                self.create_upload_url,
                body=_CREATE_UPLOAD_URL,
            ),
            Route("GET", f"{files}/download-url/{{*}}", self.get_download_url),
            Route("GET", f"{files}/content/{{*}}", self.get_content),
            Route("PUT", f"{files}/content/{{*}}", self.update_content, body=_UPDATE_CONTENT),
            Route("DELETE", f"{files}/{{*}}", self.delete),
        )

    def list_files(self, _: Call) -> Response:
        """Lists all files, by path."""
        return json_response(200, {"files": [file.as_listed() for file in self.files.all()]})

    def rename(self, call: Call) -> Response:
        """Gives a file another name; its folder and its extension stay."""
        body = call.body
        file = self._find(body["relativePath"])
        if "/" in body["newFilenameOnly"]:
            raise ApiError(400, "body.newFilenameOnly must be a name without a folder")
        folder, name = posixpath.split(file.path)
        extension = posixpath.splitext(name)[1]
        path = _checked(posixpath.join(folder, body["newFilenameOnly"] + extension))
        if path != file.path and self.files.find(path) is not None:
            raise ApiError(400, f"there is a file at {path} already")
        self.files.move(file, path, call.now)
        return json_response(200, {"success": True})

    def create_upload_url(self, call: Call) -> Response:
        """Gives a URL that takes the bytes of one file."""
        body = call.body
        path = _checked(body["fileName"])
        if not body["contentType"].isascii() or not body["contentType"].isprintable():
            raise ApiError(400, "body.contentType must be able to stand in a header")
        target = self.storage.sign_team_upload(path, body["contentType"], call.now)
        data = {
            "signedUrl": origin(call.request) + target,
            "expiresAt": timestamp(call.now + self.storage.ttl),
            "filePath": path,
        }
        return json_response(200, data)

    def get_download_url(self, call: Call) -> Response:
        """Gives a URL that serves the bytes of one file."""
        target = self.storage.sign_download(self._find(call.params["*"]).path, call.now)
        data = {
            "url": origin(call.request) + target,
            "expiresAt": timestamp(call.now + self.storage.download_ttl),
        }
        return json_response(200, data)

    def get_content(self, call: Call) -> Response:
        """Shows a text file's content."""
        file = self._find(call.params["*"])
        if file.content.size > self.max_text_bytes:
            raise ApiError(400, f"only a file of {self.max_text_bytes} bytes at most is shown")
        try:
            content = file.content.location.read_bytes().decode()
        except UnicodeDecodeError as error:
            raise ApiError(400, f"{file.path} is no text in UTF-8") from error
        kind = guess_kind(file.path)
        inferred = {} if kind is None else {"contentType": kind}
        return json_response(200, {"content": content, "path": file.path, **inferred})

    def update_content(self, call: Call) -> Response:
        """Replaces a file's content by a text."""
        content = call.body["content"].encode()
        file = self._find(call.params["*"])
        self.files.put(file.path, file.content_type, self.files.store.add(content), call.now)
        return json_response(200, {"success": True})

    def delete(self, call: Call) -> Response:
        """Deletes a file."""
        self.files.remove(self._find(call.params["*"]))
        return json_response(200, {"success": True})

    def _find(self, path: str) -> TeamFile:
        file = self.files.find(path)
        if file is None:
            raise ApiError(404, f"there is no file at {path}")
        return file


def _checked(path: str) -> str:
    try:
        check_path(path)
    except BadPathError as error:
        raise ApiError(400, str(error)) from error
    return path
