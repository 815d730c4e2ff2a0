"""Forms with files, to the letter of RFC 7578 and byte for byte."""

from email.message import Message
from email.parser import HeaderParser

from duvo_async.emulator.exchange import ApiError, Request


def boundary(request: Request) -> bytes | None:
    """The boundary between the parts of a form; None when the request carries no form."""
    header = Message()
    header["content-type"] = request.headers.get("content-type", "")
    found = header.get_boundary()
    is_form = header.get_content_type() == "multipart/form-data"
    return found.encode("latin-1", "replace") if is_form and found else None


def read_form(request: Request, names: frozenset[str]) -> dict[str, bytes]:
    """Reads a form that has each of these parts exactly once and no other.

    Raises:
        ApiError: 415 when it is no form, 400 for everything else; the message names the part.
    """
    separator = boundary(request)
    if separator is None:
        raise ApiError(415, "the body must have the content type multipart/form-data")
    parts: dict[str, bytes] = {}
    for name, content in _split(request.body, separator):
        if name not in names:
            raise ApiError(400, f"form.{name} is not a known part")
        if name in parts:
            raise ApiError(400, f"form.{name} must be given once")
        parts[name] = content
    for name in sorted(names - parts.keys()):
        raise ApiError(400, f"form.{name} is required")
    return parts


def _split(body: bytes, separator: bytes) -> list[tuple[str, bytes]]:
    _, *parts = (b"\r\n" + body).split(b"\r\n--" + separator)
    if not parts or not parts.pop().startswith(b"--"):
        raise ApiError(400, "the form is incomplete")
    return [_read_part(part) for part in parts]


def _read_part(part: bytes) -> tuple[str, bytes]:
    head, blank, content = part.partition(b"\r\n\r\n")
    headers = HeaderParser().parsestr(head.strip().decode("utf-8", "replace"))
    name = headers.get_param("name", header="content-disposition")
    if not blank or not isinstance(name, str):
        raise ApiError(400, "a part of the form has no name")
    return name, content
