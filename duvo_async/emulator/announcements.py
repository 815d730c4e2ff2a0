"""What the API announces of its operations: that they are deprecated, and when they end."""

from collections.abc import Mapping
from datetime import datetime
from email.utils import formatdate
from typing import TypeAlias
from urllib.parse import unquote

from attrs import define, field, frozen

from duvo_async.emulator.exchange import Request
from duvo_async.emulator.routing import match

Moment: TypeAlias = float | datetime | str
"""A time as Unix seconds or a datetime; or the very text of a header."""


@frozen
class Announcement:
    """What is announced of one operation.

    Attributes:
        method: Its HTTP method, in capitals.
        template: Its path, perhaps with parameters as segments in braces.
        headers: What its answers carry.
    """

    method: str
    template: str
    headers: Mapping[str, str]

    def is_for(self, request: Request) -> bool:
        """Whether a request is for the operation."""
        if request.method != self.method:
            return False
        path = [unquote(segment) for segment in request.path.split("/")]
        return match(self.template.split("/"), path) is not None


@define
class Announcements:
    """All announcements; of several for one operation the last one counts."""

    _all: dict[tuple[str, str], Announcement] = field(
        factory=dict[tuple[str, str], Announcement], init=False
    )

    def add(self, announcement: Announcement) -> None:
        """Takes in an announcement, in place of an older one for the same operation."""
        self._all[announcement.method, announcement.template] = announcement

    def headers(self, request: Request) -> dict[str, str]:
        """The headers that the answer to a request carries."""
        found: dict[str, str] = {}
        for announcement in self._all.values():
            if announcement.is_for(request):
                found |= announcement.headers
        return found


def deprecation_header(moment: Moment) -> str:
    """The value of the header Deprecation: a time as RFC 9745 writes it."""
    return moment if isinstance(moment, str) else f"@{int(_seconds(moment))}"


def sunset_header(moment: Moment) -> str:
    """The value of the header Sunset: a time as HTTP writes it."""
    return moment if isinstance(moment, str) else formatdate(_seconds(moment), usegmt=True)


def _seconds(moment: float | datetime) -> float:
    return moment.timestamp() if isinstance(moment, datetime) else moment
