"""The emulator without I/O: takes a request as a value and gives the response as a value."""

from email.utils import formatdate

from attrs import define, field

from duvo_async.emulator.agent_operations import AgentOperations
from duvo_async.emulator.build_operations import BuildOperations
from duvo_async.emulator.case_routes import case_routes
from duvo_async.emulator.demo import demo_agent
from duvo_async.emulator.description import PATH as DESCRIPTION
from duvo_async.emulator.description import describe
from duvo_async.emulator.downloads import Download
from duvo_async.emulator.exchange import ApiError, Request, RequestRecord, Response, json_response
from duvo_async.emulator.file_operations import FileOperations
from duvo_async.emulator.gate import Gate
from duvo_async.emulator.generations import both, scoped
from duvo_async.emulator.limits import IdempotencyKeys, RateLimit
from duvo_async.emulator.list_operations import ListOperations
from duvo_async.emulator.routing import Call, Route, RouteTable, dispatch
from duvo_async.emulator.run_operations import RunOperations
from duvo_async.emulator.sandbox_operations import SandboxOperations
from duvo_async.emulator.schedule_operations import ScheduleOperations
from duvo_async.emulator.script import player
from duvo_async.emulator.storage import Upload
from duvo_async.emulator.storage_errors import StorageError
from duvo_async.emulator.team_operations import ProfileOperations, TeamOperations
from duvo_async.emulator.webhooks import Webhook, sign

_FORM_OVERHEAD = 64 * 1024


@define(kw_only=True, eq=False)
class Core(Gate):
    """The emulated API. All its methods may be called from any thread.

    It needs no sockets: give `handle` a request and get the response. Close it at the end.

    Attributes:
        clock: Gives the time in Unix seconds. Nothing in the emulator knows another time.
        api_key: The key that callers must send; None for a random one.
        requests_per_minute: How many requests are answered in a window of 60 seconds; None for
            any number, and no headers about it.
        sandbox_ttl: Seconds until a sandbox expires.
        upload_url_ttl: Seconds until an upload URL expires.
        download_url_ttl: Seconds until a download URL expires.
        max_direct_bytes: The largest file, in bytes, that a direct upload takes.
        lists_runs: Whether runs can be listed; without it there is no such operation. It may be
            set at any time.
        accepts_202: Whether the start of a run is answered with 202 instead of 201.
        keeps_requests: Whether `requests` is kept, at about a kilobyte for each. It may be set at
            any time.
        keeps_deliveries: Whether `deliveries` is kept. It may be set at any time.
        webhook_secret: What webhooks are signed with; None for a random one. See
            `rotate_webhook_secret`.
        webhook_faults: How badly webhooks are delivered. It may be set at any time.
        seed: All ids are drawn from it, the random keys and secrets and the signatures of URLs
            included: the same requests at the same times are answered with the same bytes. None
            draws them at random.
        client_id: The id of the OAuth client that there is from the start; None for a random one.
        client_secret: That client's secret; None for a random one.
        token_ttl: Seconds until an access token expires. It may be set at any time.
    """

    _routes: RouteTable = field(init=False, repr=False)
    _routes_without_list: RouteTable = field(init=False, repr=False)
    _rate_limit: RateLimit = field(init=False, repr=False)
    _idempotency: IdempotencyKeys = field(factory=IdempotencyKeys, init=False, repr=False)
    _answered: int = field(default=0, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Puts the operations together."""
        super().__attrs_post_init__()
        self._rate_limit = RateLimit(self.requests_per_minute)
        listing = scoped(both(ListOperations(self._engine.run_list).routes()), self._teams)
        routes = self._make_routes()
        self._routes = RouteTable((*listing, *routes))
        self._routes_without_list = RouteTable(routes)

    @property
    def max_body_bytes(self) -> int:
        """The largest body that the API takes; of a larger one, one byte more than this will do."""
        return self.max_direct_bytes + _FORM_OVERHEAD

    def handle(self, request: Request) -> Response:
        """Answers a request."""
        if not self._storage.owns(request.path):
            return self._answer_api(request)
        transfer = self.open_transfer(request)
        if isinstance(transfer, Response):
            return transfer
        with transfer:
            if isinstance(transfer, Download):
                return transfer.whole()
            transfer.write(request.body)
            return self.finish_upload(request, transfer)

    def is_transfer(self, request: Request) -> bool:
        """Whether a request is for `open_transfer`, its body or its answer's to be streamed."""
        return self._storage.owns(request.path)

    def open_transfer(self, request: Request) -> Upload | Download | Response:
        """Begins to serve a signed URL: gives what takes or gives the bytes, or the refusal.

        Args:
            request: The request; its body is not looked at.
        """
        with self._lock:
            now = self._advance()
            fault = self._request_faults.take(request)
            if fault is not None and not fault.done:  # a signed URL may be used again
                return self._complete(request, fault.answer, now)
            try:
                transfer = self._storage.open(request, now)
            except StorageError as error:
                response = error.response if fault is None else fault.answer
                return self._complete(request, response, now)
            if isinstance(transfer, Upload):
                transfer.answer = None if fault is None else fault.answer
            elif fault is not None:  # a download does nothing beside its answer
                with transfer:
                    return self._complete(request, fault.answer, now)
            else:
                transfer.head = self._complete(request, transfer.head, now)
            return transfer

    def finish_upload(self, request: Request, upload: Upload) -> Response:
        """Answers a presigned upload after its last byte."""
        with self._lock:
            now = self._advance()
            response = upload.finish(now)
            return self._complete(request, upload.answer or response, now)

    def expects_webhooks(self) -> bool:
        """Whether time alone, without another request, can make a webhook due."""
        with self._lock:
            return self._outbox.next_due() is not None or self._desk.has_due_listener()

    def take_webhooks(self) -> list[Webhook]:
        """Takes the webhooks that are due; the caller posts each and tells `record_delivery`."""
        with self._lock:
            return self._outbox.take(self._advance())

    def signed(self, webhook: Webhook) -> tuple[bytes, dict[str, str]]:
        """Gives what to post for a webhook now: the body as it is signed, and the headers."""
        with self._lock:
            # However far a test has jumped: who receives it has the time of the machine.
            return sign(webhook, self.clock(), self.webhook_secret)

    def record_delivery(self, webhook: Webhook, status: int | None) -> None:
        """Notes how the post of a webhook was answered; None for not at all."""
        with self._lock:
            keep = self.keeps_deliveries
            self._outbox.record(webhook, status, self._now(), keep=keep)

    def _make_routes(self) -> tuple[Route, ...]:
        """Where all operations are found but the one that can be switched off."""
        later = both(
            (
                *self._run_operations().routes(),
                *self._sandbox_operations().routes(),
                *ProfileOperations(self._teams).routes(),
                *AgentOperations(self._agents, self._desk.triggers, player(demo_agent)).routes(),
                *ScheduleOperations(self._agents).routes(),
                *case_routes(self._desk),
            )
        )
        return (
            Route("GET", "/v1/health", _health),
            *TeamOperations(self._teams).routes(),
            *scoped(self._file_operations().routes(), self._teams),
            *BuildOperations(self._agents).routes(),
            *scoped(later, self._teams),
        )

    def _run_operations(self) -> RunOperations:
        status = 202 if self.accepts_202 else 201
        return RunOperations(self._engine, self._sandboxes, self._teams.user, status)

    def _sandbox_operations(self) -> SandboxOperations:
        return SandboxOperations(self._sandboxes, self._storage, self.max_direct_bytes)

    def _file_operations(self) -> FileOperations:
        return FileOperations(self._storage.files, self._storage, self.max_direct_bytes)

    def _answer_api(self, request: Request) -> Response:
        with self._lock:
            fault = self._request_faults.take(request)
            if fault is None:
                return self._serve(request)
            if fault.done:
                self._serve(request)
            return self._complete(request, fault.answer, self._advance())

    def _serve(self, request: Request) -> Response:
        with self._lock:
            now = self._advance()
            if self._login.owns(request.path):
                response = self._login.answer(request, now, self.token_ttl)
                return self._complete(request, response, now)
            if request.path == DESCRIPTION:
                return self._complete(request, self._describe(request), now)
            try:
                self._admit(request, now)
            except ApiError as error:
                return self._complete(request, error.response, now)
            quota = self._rate_limit.take(now)
            response = _TOO_MANY if quota.exceeded else self._operate(request, now)
            return self._complete(request, response.with_headers(quota.headers), now)

    def _describe(self, request: Request) -> Response:
        if request.method != "GET":
            return ApiError(405, f"{DESCRIPTION} takes GET", {"allow": "GET"}).response
        return json_response(200, describe(self._served().routes))

    def _served(self) -> RouteTable:
        return self._routes if self.lists_runs else self._routes_without_list

    def _operate(self, request: Request, now: float) -> Response:
        try:
            self._check_size(request)
            response = self._idempotency.recall(request)
            if response is None:
                response = dispatch(self._served().near(request), request, now)
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
        return response.with_headers({**self._announcements.headers(request), **common})


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


def _health(_: Call) -> Response:
    """Tells that the API is there."""
    return json_response(200, {"status": "ok"})
