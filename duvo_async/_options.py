"""What completes a request before it is sent: the options of a light client, idempotency keys."""

from uuid import uuid4

from attrs import define, evolve

from duvo_async._protocol import Body, Request


@define
class Options:
    """What a light client says once for all of its requests.

    Attributes:
        timeout: Seconds for one attempt of one request. None for what the client was told.
        idempotency_key: The key of its one mutating request. None makes one for each.
    """

    timeout: float | None = None
    idempotency_key: str | None = None
    _first: tuple[str, str, Body] | None = None

    def timed(self, request: Request) -> Request:
        """Give a request the time-out, unless it has one of its own."""
        if self.timeout is None or request.timeout is not None:
            return request
        return evolve(request, timeout=self.timeout)

    def keyed(self, request: Request) -> Request:
        """Give a mutating request the key, unless it has one of its own.

        Raises:
            ValueError: It is another one than the first, which had the key already.
        """
        if self.idempotency_key is None or not request.mutates or request.idempotency_key:
            return request
        what = (request.method, request.path, request.body)
        if self._first is None:
            self._first = what
        if self._first != what:
            # The API would take it for the first one, and do nothing.
            raise ValueError(
                "the idempotency_key of with_options() was used for another request: it is for "
                "one call that makes one request"
            )
        return request.with_key(self.idempotency_key)


def keyed(request: Request) -> Request:
    """Give a mutating request its idempotency key, once for all of its attempts."""
    if request.idempotency_key is None:
        if not request.mutates:
            return request
        return request.with_key(str(uuid4()))
    # Stripped of nothing and quoted by nobody: what cannot stand in a header is the caller's error.
    key = request.idempotency_key
    if not isinstance(key, str):
        raise TypeError(f"idempotency_key must be a string, not {type(key).__name__}")
    if not key.isascii() or not key.isprintable() or not key.strip():
        raise ValueError("idempotency_key must be printable ASCII and not empty")
    return request
