"""How the object storage refuses a request: in XML, with codes of its own."""

from collections.abc import Mapping
from html import escape

from duvo_async.emulator.exchange import Response


class StorageError(Exception):
    """A refusal, which becomes an XML response.

    Attributes:
        response: The response that says so.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'.encode()
        kind = {"content-type": "application/xml"}
        self.response: Response = Response(status, {**kind, **(headers or {})}, body)
