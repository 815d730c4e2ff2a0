"""One call: authorize, pace, send, decipher, retry."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from copy import copy
from time import monotonic, time
from typing import TypeVar

from attrs import define, evolve, field

from duvo_async import _operations, _protocol
from duvo_async._blotting import blotted, headers_without, plain
from duvo_async._converter import DecodeProblem, GoneProblem
from duvo_async._deprecation import Deprecations
from duvo_async._options import Options, keyed
from duvo_async._pacing import Lane
from duvo_async._protocol import Call, Request, Response, Window
from duvo_async._recording import current
from duvo_async._retry import Retrying, RetryPolicy
from duvo_async._routes import TEAM, Routes, segment
from duvo_async._single_flight import SingleFlight
from duvo_async._transport import Transport, TransportError
from duvo_async._turns import Limits, Turns
from duvo_async.auth import Auth
from duvo_async.credentials import Secret
from duvo_async.errors import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    ConfigurationError,
    NotFoundError,
    RateLimitError,
    ResponseDecodeError,
)
from duvo_async.models import RateLimit
from duvo_async.settings import Settings

_T = TypeVar("_T")
_logger = logging.getLogger("duvo_async")
_PAUSE = 1.0
"""Seconds to pause after a 429 that does not say for how long, and the most that is added to a
pause, so that processes which were told the same do not come back at once."""
_NO_HEADERS: Mapping[str, str] = {}
_FOREIGN_HEADERS: Mapping[str, str] = {"User-Agent": _protocol.USER_AGENT}


class Session:
    """Makes the calls of one client.

    Args:
        settings: Where the API is, and time-outs.
        transport: Sends requests.
        auth: The credentials.
        retry: How often to repeat.
        turns: Lets requests go when the key's budget allows.
        random: Gives numbers from 0 to 1.

    Attributes:
        routes: Where the operations live.
        retry: How often to repeat.
        turns: Lets requests go when the key's budget allows.
        auth: The credentials.
        random: Gives numbers from 0 to 1.
        options: What it adds to each request.
    """

    def __init__(  # noqa: PLR0913 - the parts of a call
        self,
        settings: Settings,
        transport: Transport,
        auth: Auth,
        retry: RetryPolicy,
        turns: Turns,
        *,
        random: Callable[[], float] = random.random,
    ) -> None:
        self.routes: Routes = Routes(settings.api_version, settings.team_id)
        self.retry: RetryPolicy = retry
        self.turns: Turns = turns
        self.random: Callable[[], float] = random
        self.options: Options = Options()
        self._transport = transport
        self.auth: Auth = auth
        self._limits = Limits(settings.requests_per_minute, settings.processes)
        turns.join(self._limits)
        self._heard = _Heard()
        self._team: SingleFlight[str] = SingleFlight(self._find_team)

    def with_options(self, options: Options, retry: RetryPolicy | None = None) -> "Session":
        """Make a session with other options that shares all else with this one.

        Args:
            options: The options.
            retry: How often to repeat. None for as this one does.

        Returns:
            The session, which need not be closed.
        """
        light = copy(self)
        light.options = options
        light.retry = retry or self.retry
        return light

    @property
    def clock_offset(self) -> float:
        """The server's Unix time less the loop's time, in seconds, as the last response told it.

        This machine's before the first.
        """
        date, at = self._heard.date
        sent_at = _protocol.http_date(date)
        return time() - monotonic() if sent_at is None else sent_at.timestamp() - at

    @property
    def rate_limit(self) -> RateLimit | None:
        """What the last response said of the key's budget. None before the first."""
        # Made when somebody asks, as is the offset of the clock: each response pays for what it
        # does.
        return self._heard.window and _protocol.rate_limit(*self._heard.window)

    async def call(self, call: Call[_T], lane: Lane = Lane.CALL) -> _T:
        """Make a call, repeating it while that is safe and makes sense.

        Args:
            call: What to send and how to read the answer.
            lane: What it is for.

        Returns:
            What the answer means.

        Raises:
            APIError: It did not end well.
        """
        request = call.request
        if request.method != "GET" or request.idempotency_key is not None:
            request = keyed(self.options.keyed(request))
            call = Call(request, call.decode)
        failures: _Failures | None = None  # most calls have none
        while True:
            try:
                return await self.attempt(call, failures.attempts if failures else 1, lane)
            except APIError as error:
                failures = failures or self._failures(repeatable=request.repeatable)
                if (delay := failures.delay_after(error)) is None:
                    raise
            await asyncio.sleep(delay)

    async def retrying(
        self,
        attempt: Callable[[int], Awaitable[_T]],
        *,
        repeatable: bool,
    ) -> _T:
        """Repeat something while that is safe and makes sense.

        Args:
            attempt: Does it once; gets the number of the attempt, from 1.
            repeatable: Whether doing it twice is safe.

        Returns:
            What the attempt that succeeded gave.

        Raises:
            APIError: The last attempt's.
        """
        failures = self._failures(repeatable=repeatable)
        while True:
            try:
                return await attempt(failures.attempts)
            except APIError as error:
                if (delay := failures.delay_after(error)) is None:
                    raise
            await asyncio.sleep(delay)

    async def attempt(
        self,
        call: Call[_T],
        attempts: int = 1,
        lane: Lane = Lane.CALL,
        turn: int | None = None,
    ) -> _T:
        """Send a call's request once.

        Args:
            call: What to send and how to read the answer.
            attempts: The number of this attempt, from 1.
            lane: What it is for.
            turn: The turn that it was given already. None waits for one.

        Returns:
            What the answer means.

        Raises:
            APIError: It did not end well.
        """
        request = call.request
        if self.options.timeout is not None:
            request = self.options.timed(request)
        if self.routes.team_id is None and TEAM in request.path:
            if self._heard.team is None and turn is not None:
                self.turns.refund(turn)  # to find the team takes a turn, and may fail
                turn = None
            request = await self._placed(request)
        response, sent_as = await self._send(request, attempts, lane, turn)
        error = _protocol.failure(request, response, attempts)
        if error is not None and sent_as is not None and await self.auth.refused(sent_as, error):
            response, _ = await self._send(request, attempts, lane, None)
            error = _protocol.failure(request, response, attempts)
        if error is not None:
            if isinstance(error, RateLimitError) and request.signed_url is None:
                self._pause(error)
            raise error
        try:
            return call.decode(response)
        except DecodeProblem as problem:
            raise _undecoded(problem, request, response, attempts) from None

    def keep_share(self, share: float) -> None:
        """Have a part of each window kept for polls while starts wait."""
        self.turns.keep_share(self._limits, share)

    async def close(self) -> None:
        """Give back the connections."""
        self.turns.leave(self._limits)
        try:
            await self._transport.close()
        finally:
            await self.turns.close()

    def _failures(self, *, repeatable: bool) -> "_Failures":
        return _Failures(Retrying(self.retry, self.random), repeatable)

    async def _placed(self, request: Request) -> Request:
        """Complete a path that names a team which nobody told."""
        if self._heard.no_team is not None:
            raise ConfigurationError(self._heard.no_team)
        if self._heard.team is None:
            try:
                self._heard.team = segment("team_id", await self._team.join())
            except APIError as error:
                error.may_have_been_done = False  # as what was asked for was not sent
                error.idempotency_key = request.idempotency_key
                raise
        return evolve(request, path=request.path.replace(TEAM, self._heard.team))

    async def _find_team(self) -> str:
        teams = (await self.call(_operations.list_teams(self.routes))).items
        if len(teams) == 1:
            return teams[0].id
        known = ", ".join(f"{each.id} ({each.name})" for each in teams) or "none"
        self._heard.no_team = (
            "API v2 needs to know the team: pass team_id= or set DUVO_TEAM_ID. These credentials "
            f"can act on: {known}"
        )
        raise ConfigurationError(self._heard.no_team)

    async def _send(
        self, request: Request, attempts: int, lane: Lane, turn: int | None
    ) -> tuple[Response, Secret | None]:
        """Send a request when its turn has come; tell with what credentials."""
        of_api, loop = request.signed_url is None, asyncio.get_running_loop()
        started = loop.time()
        if of_api and not turn:
            turn = self.turns.take(lane, started)
            if not turn:
                turn = await self.turns.wait(lane)
                started = loop.time()
        try:
            authorization = None
            if of_api and (authorization := self.auth.fixed) is None:
                authorization = await self.auth.authorization()
                started = loop.time()
            response = await self._transport.send(request, _headers(request), authorization)
        except TransportError as error:
            _log(request, str(error), attempts, started, None)
            failure = (_too_large if error.too_large else _without_answer)(error, request, attempts)
        else:
            if _logger.isEnabledFor(logging.DEBUG):
                known_by = plain(_protocol.request_id(response) or "none", self.auth.redact)
                _log(request, response.status, attempts, started, known_by)
            if turn:
                response = self.received(request, response, turn, loop.time(), attempts)
                turn = None  # which is released
            return response, authorization
        finally:
            if turn:
                self.turns.release(turn)
        # Raised outside of the handler, so that nothing hangs on it that knows the URL.
        raise failure

    def received(
        self, request: Request, response: Response, turn: int, now: float, attempts: int = 1
    ) -> Response:
        """Take note of what every response of the API says; its request has ended.

        Args:
            request: What was asked.
            response: What came back.
            turn: The turn that the request was given.
            now: The running loop's time.
            attempts: The number of this attempt, from 1.

        Returns:
            The response, with no credentials in it.
        """
        heard, headers = self._heard, response.headers
        reading = _protocol.window(headers)
        self.turns.release(turn, reading, now)
        if reading is not None:
            heard.window = reading, headers
        if (date := headers.get("date")) is not None:
            heard.date = date, now
        if (recording := current.get()) is not None:
            recording.note(response, attempts)
        if "deprecation" in headers or "sunset" in headers:
            heard.deprecations.heed(request, headers_without(headers, self.auth.redact))
        if response.status >= 300:  # noqa: PLR2004 - what HTTP does not call success
            return blotted(response, self.auth.redact)
        return response

    def _pause(self, error: RateLimitError) -> None:
        seconds = _PAUSE if error.retry_after is None else error.retry_after
        self.turns.pause(min(seconds, self.retry.max_retry_after) + self.random() * _PAUSE)


@define
class _Failures:
    """What went wrong with a call so far.

    Attributes:
        repeatable: Whether doing it twice is safe.
        may_have_been_done: Whether any attempt may have done what was asked for.
    """

    _state: Retrying
    repeatable: bool
    may_have_been_done: bool = False

    @property
    def attempts(self) -> int:
        """The number of the attempt that is under way, from 1."""
        return self._state.attempts

    def delay_after(self, error: APIError) -> float | None:
        """Tell after how many seconds to try again. None to give up."""
        self.may_have_been_done = self.may_have_been_done or error.may_have_been_done
        error.may_have_been_done = self.may_have_been_done
        delay = self._state.delay(error, repeatable=self.repeatable)
        if delay is not None:
            _logger.debug("trying again in %.2f s: %s", delay, error)
        return delay


@define
class _Heard:
    """What the API told: common to a session and the light ones made of it."""

    window: tuple[Window, Mapping[str, str]] | None = None
    date: tuple[str, float] = "", 0.0
    team: str | None = None
    no_team: str | None = None
    deprecations: Deprecations = field(factory=Deprecations)


def _undecoded(
    problem: DecodeProblem, request: Request, response: Response, attempts: int
) -> APIError:
    if isinstance(problem, GoneProblem):
        return NotFoundError(
            status=response.status,
            reason=problem.problems[0],
            method=request.method,
            path=request.path,
            request_id=_protocol.request_id(response),
            attempts=attempts,
        )
    return ResponseDecodeError(
        problem.problems,
        method=request.method,
        path=request.path,
        idempotency_key=request.idempotency_key,
        attempts=attempts,
        request_id=_protocol.request_id(response),
    )


def _headers(request: Request) -> Mapping[str, str]:
    if request.signed_url is not None:
        return _FOREIGN_HEADERS
    if request.idempotency_key is None:
        return _NO_HEADERS
    return {"Idempotency-Key": request.idempotency_key}


def _too_large(error: TransportError, request: Request, attempts: int) -> APIError:
    return ResponseDecodeError(
        (f"{error} (max_response_bytes) @ $",),
        method=request.method,
        path=request.path,
        idempotency_key=request.idempotency_key,
        attempts=attempts,
    )


def _without_answer(error: TransportError, request: Request, attempts: int) -> APIError:
    kind = APITimeoutError if error.timed_out else APIConnectionError
    return kind(
        str(error),
        method=request.method,
        path=request.path,
        idempotency_key=request.idempotency_key,
        attempts=attempts,
        may_have_been_done=error.sent,
    )


def _log(
    request: Request, outcome: object, attempts: int, started: float, request_id: str | None
) -> None:
    if _logger.isEnabledFor(logging.DEBUG):
        _logger.debug(
            "%s %s -> %s, attempt %d, %.1f ms, request id %s",
            request.method,
            request.path,
            outcome,
            attempts,
            (asyncio.get_running_loop().time() - started) * 1000,
            request_id,
        )
