"""Telling the user, once an endpoint, that the API is going to drop it."""

import logging
import sys
import warnings
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from re import IGNORECASE
from re import compile as regex

from attrs import define, field

from duvo_async._protocol import Request, http_date, unix_moment
from duvo_async._routes import endpoint
from duvo_async.errors import DuvoDeprecationWarning

_logger = logging.getLogger("duvo_async")
_PACKAGE = str(Path(__file__).parent)
_LINK = regex(r'<(https?://[^<>\s"]{1,500})>\s*;[^,]*rel="?(deprecation|sunset)\b', IGNORECASE)


@define
class Deprecations:
    """What the API announced, and who was told of it."""

    _told: set[tuple[str, str]] = field(factory=set[tuple[str, str]])

    def heed(self, request: Request, headers: Mapping[str, str]) -> None:
        """Warn of the endpoint's end if a response announces it, unless that was done before.

        Args:
            request: What was asked.
            headers: The response's headers.
        """
        place = (request.method, endpoint(request.path))
        if place in self._told:
            return
        self._told.add(place)
        text = notice(" ".join(place), headers)
        _logger.warning("%s", text)
        warnings.warn(text, DuvoDeprecationWarning, stacklevel=frames_of_ours())


def notice(place: str, headers: Mapping[str, str]) -> str:
    """Say what the headers announce (RFC 9745, RFC 8594).

    Args:
        place: What is going to end.
        headers: A response's headers.

    Returns:
        The sentence, with the dates and the link that were given.
    """
    since = _date(headers.get("deprecation", ""))
    until = _date(headers.get("sunset", ""))
    link = _LINK.search(headers.get("link", ""))
    return (
        f"the API announces the end of {place}: deprecated"
        + (f" from {since:%Y-%m-%d}" if since else "")
        + (f", gone after {until:%Y-%m-%d}" if until else "")
        + (f"; see {link[1]}" if link else "")
    )


def _date(text: str) -> datetime | None:
    text = text.strip()
    return unix_moment(text.removeprefix("@")) if text.startswith("@") else http_date(text)


def frames_of_ours() -> int:
    """Count the frames up to the user's own, so that the warning names a line of theirs."""
    level, frame = 1, sys._getframe(1)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - there is no other way
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    return level
