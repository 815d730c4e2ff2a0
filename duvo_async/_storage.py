"""Presigned URLs: what is asked of a storage, and how it refuses one that is no longer good."""

from http import HTTPStatus
from urllib.parse import urlsplit

from duvo_async._bodies import ByteStream, Sink
from duvo_async._protocol import Request
from duvo_async.errors import APIStatusError

_PASSING = frozenset({"ExpiredToken", "RequestTimeout"})
"""What storages call a URL that has expired and a pause that was too long, with status 400."""


def sending(url: str, body: ByteStream) -> Request:
    """Make a request that sends a file to a presigned URL."""
    return Request(method="PUT", path=_shown(url), body=body, signed_url=url)


def fetching(url: str, sink: Sink) -> Request:
    """Make a request that fetches a file from a presigned URL."""
    return Request(method="GET", path=_shown(url), sink=sink, signed_url=url)


def by_storage(error: APIStatusError) -> bool:
    """Tell whether it was a storage that said so: only it is named by its host."""
    return not error.path.startswith("/")


def is_stale(error: APIStatusError) -> bool:
    """Tell whether a storage refused a URL that it may have taken earlier, or another one."""
    passing = error.status == HTTPStatus.BAD_REQUEST and error.code in _PASSING
    return by_storage(error) and (error.status == HTTPStatus.FORBIDDEN or passing)


def _shown(url: str) -> str:
    place = urlsplit(url)
    return f"{place.hostname}{place.path}"
