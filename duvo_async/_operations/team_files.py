"""What is sent about a team's files, and what the answers mean."""

import unicodedata
from pathlib import PurePosixPath

from duvo_async._converter import DecodeProblem
from duvo_async._operations._fields import (
    body,
    delete,
    done,
    filled,
    get,
    is_web_address,
    one,
    page,
    patch,
    post,
    text,
)
from duvo_async._protocol import Call, Page, Request, Response, encoded
from duvo_async._routes import Routes, tail
from duvo_async.models import TeamFile, TeamFileDownloadUrl, TeamFileUploadUrl


def list_team_files(routes: Routes) -> Call[Page[TeamFile]]:
    """List the team's files; there is one page."""
    return Call(get(routes.files()), page("files", TeamFile))


def create_team_file_upload_url(
    routes: Routes, *, name: str, content_type: str, idempotency_key: str | None
) -> Call[TeamFileUploadUrl]:
    """Ask for a presigned URL that takes a new file."""
    place = _printable("name", name)
    tail("name", place)  # a name that leads elsewhere is none
    fields = {"fileName": place, "contentType": _header("content_type", content_type)}
    read = body(TeamFileUploadUrl)

    def decode(response: Response) -> TeamFileUploadUrl:
        url = read(response)
        if not is_web_address(url.upload_url):
            raise DecodeProblem(("expected an http or https URL @ $.signedUrl",))
        return url

    return Call(post(routes.file_upload_url(), fields, idempotency_key), decode)


def create_team_file_download_url(routes: Routes, path: str) -> Call[TeamFileDownloadUrl]:
    """Ask for a presigned URL that gives a file."""
    read = body(TeamFileDownloadUrl)

    def decode(response: Response) -> TeamFileDownloadUrl:
        url = read(response)
        if not is_web_address(url.url):
            raise DecodeProblem(("expected an http or https URL @ $.url",))
        return url

    return Call(get(routes.file_download_url(path)), decode)


def read_team_file(routes: Routes, path: str) -> Call[str]:
    """Read a file as text."""
    return Call(get(routes.file_content(path)), one("content", str))


def write_team_file(
    routes: Routes, path: str, *, content: str, idempotency_key: str | None
) -> Call[None]:
    """Put another text into a file."""
    request = Request(
        method="PUT",
        path=routes.file_content(path),
        body=encoded({"content": text("text", content)}),
        idempotency_key=idempotency_key,
    )
    return Call(request, done)


def rename_team_file(
    routes: Routes, path: str, *, name: str, idempotency_key: str | None
) -> Call[None]:
    """Give a file another name where it is; the API keeps the suffix that it has."""
    place = routes.files()
    tail("path", path)
    stem = _printable("name", name).removesuffix(PurePosixPath(path).suffix)
    if not stem.strip(". ") or "/" in stem or "\\" in stem:
        raise ValueError(f"name {name!r} is not the name of a file")
    changes = {"relativePath": path.removeprefix("/"), "newFilenameOnly": stem}
    return Call(patch(place, changes, idempotency_key), done)


def delete_team_file(routes: Routes, path: str, *, idempotency_key: str | None) -> Call[None]:
    """Delete a file."""
    return Call(delete(routes.file(path), idempotency_key), done)


def _printable(name: str, value: str) -> str:
    """Check for a text on one line that is text indeed."""
    if any(unicodedata.category(each) in {"Cc", "Cs"} for each in filled(name, value)):
        raise ValueError(f"{name} {value!r} has characters that cannot be sent")
    return value


def _header(name: str, value: str) -> str:
    """Check for a text that can stand in a header."""
    if not (filled(name, value).isascii() and value.isprintable()):
        raise ValueError(f"{name} {value!r} must be printable ASCII")
    return value
