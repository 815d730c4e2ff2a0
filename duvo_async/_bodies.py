"""Files as bodies: of requests, by themselves or in a form, and of responses.

Nothing here reads or writes them.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Protocol

from attrs import evolve, field, frozen


@frozen(kw_only=True)
class ByteStream:
    """A file as a body, read while it is sent.

    Attributes:
        size: How many bytes the body has, its head and tail included.
        content_type: Its media type.
        blocks: Starts reading the file from its beginning.
        data: The file itself, where it is so small that it is held in memory. None to read it.
        head: What comes before the file.
        tail: What comes after it.
    """

    size: int
    content_type: str
    blocks: Callable[[], AsyncGenerator[bytes | memoryview, None]]
    data: bytes | None = field(default=None, repr=False)
    head: bytes = field(default=b"", repr=False)
    tail: bytes = field(default=b"", repr=False)


class Sink(Protocol):
    """Takes the body of a successful response as it comes, so that it need not be held."""

    def headers(self) -> Mapping[str, str]:
        """Tell what to ask for, such as a part of a file."""
        ...

    def begin(self, status: int, headers: Mapping[str, str]) -> bool:
        """Hear what is going to come; tell whether it is what was asked for."""
        ...

    async def write(self, block: bytes) -> None:
        """Take the next bytes."""
        ...

    def end(self) -> bool:
        """Hear that nothing more comes; tell whether that is all."""
        ...


def multipart(file: ByteStream, *, path: str, boundary: str) -> ByteStream:
    """Put a file into a form with the two parts that the API wants, `path` and `file`.

    aiohttp's own form does not know its size when it reads as it sends.

    Args:
        file: The file.
        path: Where it goes.
        boundary: What separates the parts: nothing that could be in the file.

    Returns:
        The form (RFC 7578; names are escaped as browsers do, WHATWG HTML, "Multipart form data").
    """
    name = path.rpartition("/")[2]
    for character, escaped in (("\r", "%0D"), ("\n", "%0A"), ('"', "%22")):
        name = name.replace(character, escaped)
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="path"\r\n\r\n{path}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: {file.content_type}\r\n\r\n"
    ).encode()
    tail = f"\r\n--{boundary}--\r\n".encode()
    return evolve(
        file,
        size=len(head) + file.size + len(tail),
        content_type=f"multipart/form-data; boundary={boundary}",
        head=head,
        tail=tail,
    )
