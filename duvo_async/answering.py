"""Answering what runs ask: the endpoint, the checks, and the users' handlers."""

from collections.abc import Mapping, Sequence

from duvo_async import _operations
from duvo_async._callbacks import OnHumanRequest, invoke
from duvo_async._protocol import Call, Response
from duvo_async._session import Session
from duvo_async.errors import BadRequestError, ConflictError, HumanRequestPending, NotFoundError
from duvo_async.models import AnsweredHumanRequest, HumanAnswer, Run

_REMEMBERED_ANSWERS = 10_000


class Answers:
    """The answers that one client gives.

    Args:
        session: Makes the calls.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        # Requests that this client answered: the API may show them for a moment longer.
        self._given: dict[str, None] = {}

    def wanted(self, run: Run) -> bool:
        """Tell whether a run asks what this client has not answered."""
        request = run.pending_human_request
        return request is not None and request.id not in self._given

    async def respond(
        self,
        run_id: str,
        request_id: str,
        *,
        approved: bool | None,
        answers: Mapping[str, str | Sequence[str]] | None,
        idempotency_key: str | None,
    ) -> AnsweredHumanRequest:
        """Answer a request, and remember that it was answered."""
        call = _operations.respond(
            self._session.routes,
            run_id,
            request_id,
            approved=approved,
            answers=answers,
            idempotency_key=idempotency_key,
        )

        def decode(response: Response) -> AnsweredHumanRequest:
            # It was answered, even should what the API says of it be unreadable.
            self._remember(request_id)
            return call.decode(response)

        return await self._session.call(Call(call.request, decode))

    def _remember(self, request_id: str) -> None:
        self._given[request_id] = None
        if len(self._given) > _REMEMBERED_ANSWERS:
            del self._given[next(iter(self._given))]

    async def bring(self, run: Run, on_human_request: OnHumanRequest | None) -> None:
        """Have the user's handler answer what a run asks, and send its answer.

        Raises:
            HumanRequestPending: There is no handler, or it left the request to others.
            TypeError: It gave something else than an answer.
        """
        request = run.pending_human_request
        if request is None:
            raise AssertionError("asked for an answer to nothing")  # pragma: no cover
        pending = HumanRequestPending(run, request)
        answer = None if on_human_request is None else await invoke(on_human_request, pending)
        if answer is None:
            raise pending
        if not isinstance(answer, HumanAnswer):
            raise TypeError(
                "on_human_request must return request.approve(), request.deny(), "
                f"request.answer({{…}}) or None, not {answer!r}"
            )
        if not self.wanted(run):
            return  # another wait of this client has answered meanwhile
        try:
            await self.send(pending, answer)
        except (BadRequestError, NotFoundError, ConflictError):
            # Somebody else may have been faster. Then the run no longer asks this.
            now = await self._session.call(_operations.get_run(self._session.routes, run.id))
            if news(now) == news(run) and self.wanted(now):
                raise

    async def send(
        self,
        pending: HumanRequestPending | Run,
        answer: HumanAnswer,
        *,
        idempotency_key: str | None = None,
    ) -> AnsweredHumanRequest:
        """Send an answer to the request that it was made for (see `AsyncRuns.answer`)."""
        if not isinstance(pending, (HumanRequestPending, Run)):
            raise TypeError(
                f"pending must be a HumanRequestPending or a Run, not {type(pending).__name__}"
            )
        if not isinstance(answer, HumanAnswer):
            raise TypeError(
                "answer must be request.approve(), request.deny() or request.answer({…}), "
                f"not {answer!r}"
            )
        run = pending if isinstance(pending, Run) else pending.run
        request = run.pending_human_request if isinstance(pending, Run) else pending.request
        if request is None:
            raise ValueError(f"run {run.id} waits for nobody: it is {run.status}")
        if answer.request_id != request.id:
            raise ValueError(
                f"the answer is for request {answer.request_id}, but run {run.id} asks {request.id}"
            )
        return await self.respond(
            run.id,
            request.id,
            approved=answer.approved,
            answers=answer.answers,
            idempotency_key=idempotency_key,
        )


def news(run: Run) -> tuple[str, str | None]:
    """Tell what matters to those who follow a run."""
    return run.status, run.pending_human_request.id if run.pending_human_request else None
