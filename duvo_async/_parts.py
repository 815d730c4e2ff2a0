"""Parts of a file, as HTTP asks for them and says them (RFC 9110, 14). Nothing here awaits."""

from collections.abc import Mapping
from re import compile as regex

from attrs import frozen

_WHOLE = 200
_PARTIAL = 206


@frozen
class Version:
    """What is known of a file that has come in part, to tell it from a later one.

    Attributes:
        etag: The strong entity tag. None when there is none.
        total: All of its bytes. None when they are not known.
    """

    etag: str | None = None
    total: int | None = None


@frozen
class Part:
    """What a response brings.

    Attributes:
        start: With which byte of the file it begins.
        version: Which file it is of.
    """

    start: int
    version: Version


def asking(received: int, version: Version) -> Mapping[str, str]:
    """Ask for the rest of a file; of another file than it was, for all.

    Args:
        received: How many bytes are here.
        version: Which file they are of.

    Returns:
        The headers. None of them where there is no rest, or nothing tells files apart.
    """
    if not received or version.etag is None:
        return {}
    return {"Range": f"bytes={received}-", "If-Range": version.etag}


def offered(
    status: int, headers: Mapping[str, str], received: int, version: Version
) -> Part | None:
    """Understand what a response brings.

    Args:
        status: Its status.
        headers: Its headers; names in any case.
        received: How many bytes are here.
        version: Which file they are of.

    Returns:
        The part: the whole file, or the rest. None for what was not asked for.
    """
    etag = _strong(headers)
    if status == _WHOLE:
        # What is encoded is another file here than there, of another length.
        encoded = headers.get("content-encoding", "identity").lower() != "identity"
        return Part(0, Version() if encoded else Version(etag, _length(headers)))
    found = _RANGE.fullmatch(headers.get("content-range", ""))
    if status != _PARTIAL or found is None or not asking(received, version):
        return None
    start, end, total = int(found[1]), int(found[2]), int(found[3])
    same = etag in {None, version.etag} and version.total in {None, total}
    rest = start == received and end + 1 == total
    return Part(start, Version(version.etag, total)) if same and rest else None


_STRONG = regex(r'"[^"]*"')
_RANGE = regex(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_COUNT = regex(r"[0-9]{1,18}")


def _length(headers: Mapping[str, str]) -> int | None:
    length = headers.get("content-length", "")
    return int(length) if _COUNT.fullmatch(length) else None


def _strong(headers: Mapping[str, str]) -> str | None:
    etag = headers.get("etag", "")
    return etag if _STRONG.fullmatch(etag) else None
