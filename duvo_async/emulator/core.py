"""The emulator without I/O: takes a request as a value and gives the response as a value."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from email.utils import formatdate
from secrets import compare_digest
from threading import RLock

from attrs import define, field

from duvo_async.emulator.contents import ContentStore
from duvo_async.emulator.demo import demo_agent
from duvo_async.emulator.engine import Engine, Start
from duvo_async.emulator.exchange import ApiError, Request, RequestRecord, Response, json_response
from duvo_async.emulator.ids import Ids
from duvo_async.emulator.limits import IdempotencyKeys, RateLimit
from duvo_async.emulator.list_operations import ListOperations
from duvo_async.emulator.routing import Call, Route, dispatch
from duvo_async.emulator.run_operations import RunOperations
from duvo_async.emulator.sandbox_operations import SandboxOperations
from duvo_async.emulator.sandboxes import Sandboxes
from duvo_async.emulator.script import Script
from duvo_async.emulator.storage import Storage, StorageError, Upload
from duvo_async.emulator.validation import check_empty
from duvo_async.emulator.webhooks import Delivery, Outbox, Webhook

_FORM_OVERHEAD = 64 * 1024


def _api_key(given: str | None) -> str:
    return given or ""  # a random one follows as soon as the seed is known


@define(kw_only=True, eq=False)
class Core:
    """The emulated API. All its methods may be called from any thread.

    It needs no sockets: give `handle` a request and get the response. Close it at the end.

    Attributes:
        clock: Gives the time in Unix seconds. Nothing in the emulator knows another time.
        api_key: The key that callers must send; None for a random one.
        requests_per_minute: How many requests are answered in a window of 60 seconds; None for
            any number, and no headers about it.
        sandbox_ttl: Seconds until a sandbox expires.
        upload_url_ttl: Seconds until an upload URL expires.
        max_direct_bytes: The largest file, in bytes, that a direct upload takes.
        lists_runs: Whether runs can be listed; without it there is no such operation. It may be
            set at any time.
        keeps_requests: Whether `requests` is kept, at about a kilobyte for each. It may be set at
            any time.
        seed: All ids are drawn from it, the random API key and the signatures of upload URLs
            included: the same requests at the same times are answered with the same bytes. None
            draws them at random.
    """

    clock: Callable[[], float] = time.time
    api_key: str = field(default=None, converter=_api_key, repr=False)
    requests_per_minute: int | None = 300
    sandbox_ttl: float = 3600.0
    upload_url_ttl: float = 900.0
    max_direct_bytes: int = 10_000_000
    lists_runs: bool = True
    keeps_requests: bool = True
    seed: int | None = None
    _lock: AbstractContextManager[bool] = field(factory=RLock, init=False, repr=False)
    _store: ContentStore = field(factory=ContentStore, init=False, repr=False)
    _outbox: Outbox = field(factory=Outbox, init=False, repr=False)
    _engine: Engine = field(init=False, repr=False)
    _storage: Storage = field(init=False, repr=False)
    _routes: tuple[Route, ...] = field(init=False, repr=False)
    _list_routes: tuple[Route, ...] = field(init=False, repr=False)
    _rate_limit: RateLimit = field(init=False, repr=False)
    _idempotency: IdempotencyKeys = field(factory=IdempotencyKeys, init=False, repr=False)
    _requests: list[RequestRecord] = field(factory=list[RequestRecord], init=False, repr=False)
    _answered: int = field(default=0, init=False, repr=False)
    _ids: Ids = field(init=False, repr=False)
    _demo_agent_id: str = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Puts the parts together."""
        self._ids = Ids(self.seed)
        self.api_key = self.api_key or self._ids.api_key()
        sandboxes = Sandboxes(self._store, self.sandbox_ttl, self._ids)
        self._engine = Engine(self._outbox, self._ids)
        self._storage = Storage(sandboxes, self.upload_url_ttl, self._ids.secret("storage"))
        self._rate_limit = RateLimit(self.requests_per_minute)
        self._routes = (
            Route("GET", "/v1/health", _health),
            *RunOperations(self._engine, sandboxes).routes(),
            *SandboxOperations(sandboxes, self._storage, self.max_direct_bytes).routes(),
        )
        self._list_routes = ListOperations(self._engine.run_list).routes()
        self._demo_agent_id = self._engine.add_agent(demo_agent)

    @property
    def demo_agent_id(self) -> str:
        """The id of the built-in agent, which reports on the files of its sandbox."""
        return self._demo_agent_id

    @property
    def requests(self) -> tuple[RequestRecord, ...]:
        """The requests that were answered, oldest first."""
        with self._lock:
            return tuple(self._requests)

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """The attempts to deliver webhooks that were made, oldest first."""
        with self._lock:
            return tuple(self._outbox.deliveries)

    @property
    def max_body_bytes(self) -> int:
        """The largest body that the API takes; of a larger one, one byte more than this will do."""
        return self.max_direct_bytes + _FORM_OVERHEAD

    def add_agent(self, script: Script) -> str:
        """Adds an agent and gives its id.

        Args:
            script: What it does in each run: steps, or a function that gets the `StartedRun` and
                yields steps, each `yield` giving the step's result.

        Raises:
            TypeError: One of the steps is no step.
        """
        with self._lock:
            return self._engine.add_agent(script)

    def start_run(self, agent_id: str, message: str | None = None) -> str:
        """Starts a run as a schedule does, with no request made, and gives its id.

        Raises:
            KeyError: There is no such agent.
        """
        with self._lock:
            start = Start(agent_id, message, source="schedule")
            run = self._engine.start(start, self._advance())
            if run is None:
                raise KeyError(agent_id)
            return run.id

    def delete_run(self, run_id: str) -> None:
        """Makes the API forget a run: from now on it shows null in its place.

        Raises:
            KeyError: There is no such run.
        """
        with self._lock:
            self._engine.delete(run_id)

    def handle(self, request: Request) -> Response:
        """Answers a request."""
        if not self._storage.owns(request.path):
            return self._answer_api(request)
        upload = self.open_upload(request)
        if isinstance(upload, Response):
            return upload
        with upload:
            upload.write(request.body)
            return self.finish_upload(request, upload)

    def takes_upload(self, request: Request) -> bool:
        """Whether a request is for `open_upload`, its body to be streamed."""
        return self._storage.owns(request.path)

    def open_upload(self, request: Request) -> Upload | Response:
        """Begins a presigned upload: gives what takes the bytes, or the refusal.

        Args:
            request: The request; its body is not looked at.
        """
        with self._lock:
            now = self._advance()
            try:
                return self._storage.open(request, now)
            except StorageError as error:
                return self._complete(request, error.response, now)

    def finish_upload(self, request: Request, upload: Upload) -> Response:
        """Answers a presigned upload after its last byte."""
        with self._lock:
            return self._complete(request, upload.finish(), self._advance())

    def advance(self) -> float | None:
        """Plays all runs up to now; gives when something is due next, None when nothing is."""
        with self._lock:
            self._advance()
            dues = (self._engine.next_due(), self._outbox.next_due())
            return min((due for due in dues if due is not None), default=None)

    def expects_webhooks(self) -> bool:
        """Whether time alone, without another request, can make a webhook due."""
        with self._lock:
            return self._outbox.next_due() is not None or self._engine.has_due_listener()

    def take_webhooks(self) -> list[Webhook]:
        """Takes the webhooks that are due; the caller posts each and tells `record_delivery`."""
        with self._lock:
            return self._outbox.take(self._advance())

    def record_delivery(self, webhook: Webhook, status: int | None) -> None:
        """Notes how the post of a webhook was answered; None for not at all."""
        with self._lock:
            self._outbox.record(webhook, status, self.clock())

    def close(self) -> None:
        """Deletes the uploaded files. The emulator is of no use after this."""
        with self._lock:
            self._store.close()

    def _advance(self) -> float:
        now = self.clock()
        self._engine.advance(now)
        return now

    def _answer_api(self, request: Request) -> Response:
        with self._lock:
            now = self._advance()
            try:
                self._authenticate(request)
            except ApiError as error:
                return self._complete(request, error.response, now)
            quota = self._rate_limit.take(now)
            response = _TOO_MANY if quota.exceeded else self._operate(request, now)
            return self._complete(request, response.with_headers(quota.headers), now)

    def _authenticate(self, request: Request) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        given = key.encode(errors="surrogateescape")
        if scheme.lower() != "bearer" or not compare_digest(given, self.api_key.encode()):
            raise ApiError(401, "the API key is missing or wrong", {"www-authenticate": "Bearer"})

    def _operate(self, request: Request, now: float) -> Response:
        try:
            self._check_size(request)
            response = self._idempotency.recall(request)
            if response is None:
                listing = self._list_routes if self.lists_runs else ()
                response = dispatch((*listing, *self._routes), request, now)
                self._idempotency.remember(request, response)
        except ApiError as error:
            return error.response
        return response

    def _check_size(self, request: Request) -> None:
        if len(request.body) > self.max_body_bytes:
            raise ApiError(413, f"a body must have {self.max_body_bytes} bytes at most")

    def _complete(self, request: Request, response: Response, now: float) -> Response:
        """Adds the headers that every response has, and notes the request."""
        if self.keeps_requests:
            self._requests.append(_record(request, response.status, now))
        self._answered += 1
        request_id = f"req_{self._ids.token('answer', self._answered)}"
        common = {"date": formatdate(now, usegmt=True), "x-request-id": request_id}
        return response.with_headers(common)


def _record(request: Request, status: int, now: float) -> RequestRecord:
    return RequestRecord(
        method=request.method,
        path=request.path,
        query=request.query,
        status=status,
        headers=request.headers,
        idempotency_key=request.headers.get("idempotency-key"),
        at=now,
    )


_TOO_MANY = ApiError(429, "too many requests").response


def _health(call: Call) -> Response:
    check_empty(call.request)
    return json_response(200, {"status": "ok"})
