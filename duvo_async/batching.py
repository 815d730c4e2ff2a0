"""Cases by the hundred: inputs of any number, and a request for each hundred of them."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Protocol, TypeVar
from uuid import uuid4

from attrs import evolve, fields_dict

from duvo_async import _operations
from duvo_async._inputs import Inputs, batched, check_inputs
from duvo_async._operations import MAX_CASES
from duvo_async._pacing import Lane
from duvo_async._protocol import Call
from duvo_async._session import Session
from duvo_async.errors import APIError
from duvo_async.models import Case, CaseDeletion, CaseFilter, CaseReprocessing, CaseUpdate, NewCase

_R = TypeVar("_R", CaseDeletion, CaseReprocessing, CaseUpdate)
_T = TypeVar("_T")


class AskBulk(Protocol[_T]):
    """Makes the call that does something to cases of a queue."""

    def __call__(
        self,
        *,
        case_ids: Sequence[str | Case] | None,
        all_matching: CaseFilter | None,
        idempotency_key: str | None,
    ) -> Call[_T]:
        """Choose the cases by their ids, a hundred at most, or by a filter."""
        ...


async def created(
    session: Session,
    queue_id: str,
    cases: Inputs[NewCase | Mapping[str, Any] | str],
    idempotency_key: str | None,
) -> AsyncGenerator[tuple[Case, ...], None]:
    """Make cases, one request after the other; nothing is read or sent ahead of who takes them.

    Args:
        session: Makes the calls.
        queue_id: The queue.
        cases: What is to be made.
        idempotency_key: What the keys of the requests begin with. None makes it up.
    """
    key = str(uuid4()) if idempotency_key is None else idempotency_key
    done = 0
    try:
        async with aclosing(batched(cases, MAX_CASES)) as batches:
            async for batch in batches:
                call = _operations.create_cases(
                    session.routes,
                    queue_id,
                    batch,
                    first=done,
                    idempotency_key=f"{key}-{done // MAX_CASES}",
                )
                made = await session.call(call, Lane.START)
                done += len(made)
                yield made
    except Exception as error:
        _tell(
            error,
            f"{done} cases had been created before. To create the rest, and none twice, repeat "
            f"the call with all of them and idempotency_key={key!r}",
        )
        raise


async def changed(  # noqa: PLR0913 - which cases, and how
    session: Session,
    ask: AskBulk[_R],
    *,
    case_ids: Inputs[str | Case] | None,
    all_matching: CaseFilter | None,
    idempotency_key: str | None,
    nothing: _R,
) -> _R:
    """Do something to cases, and add up what the API tells of it.

    Args:
        session: Makes the calls.
        ask: Makes the call for some of them.
        case_ids: Their ids, a request for each hundred. None where a filter chooses them.
        all_matching: The filter. None where ids choose them.
        idempotency_key: With a filter, the key of the request; with ids, what the keys of the
            requests begin with. None makes it up.
        nothing: What is told of no cases.

    Returns:
        The sum.
    """
    if case_ids is None or all_matching is not None:
        some = None if case_ids is None else ()
        return await session.call(
            ask(case_ids=some, all_matching=all_matching, idempotency_key=idempotency_key)
        )
    check_inputs("case_ids", case_ids)
    check_key(session, idempotency_key)
    key = str(uuid4()) if idempotency_key is None else idempotency_key
    total, done = nothing, 0
    try:
        async with aclosing(batched(case_ids, MAX_CASES)) as batches:
            async for batch in batches:
                part = f"{key}-{done // MAX_CASES}"
                call = ask(case_ids=batch, all_matching=None, idempotency_key=part)
                total = _sum(total, await session.call(call, Lane.START))
                done += len(batch)
    except Exception as error:
        _tell(
            error,
            f"It had been done with the first {done} cases before. To do it with the rest, repeat "
            f"the call with all of them and idempotency_key={key!r}",
        )
        raise
    return total


def check_key(session: Session, idempotency_key: str | None) -> None:
    """Check what the keys of many requests are to begin with.

    Raises:
        ValueError: It is empty, or was given to a light client, which has it for one request.
        TypeError: It is not a string.
    """
    if idempotency_key is not None:
        if not isinstance(idempotency_key, str):
            raise TypeError(
                f"idempotency_key must be a string, not {type(idempotency_key).__name__}"
            )
        if not idempotency_key.strip():
            raise ValueError("idempotency_key must not be empty")
    elif session.options.idempotency_key is not None:
        raise ValueError(
            "the idempotency_key of with_options() is for one request, and this may make many: "
            "give the call its own"
        )


def _tell(error: Exception, advice: str) -> None:
    """Say with an error how far it went."""
    if isinstance(error, APIError):
        error.advice = advice  # in place of the key of the one request
    else:
        error.add_note(advice)


def _sum(first: _R, second: _R) -> _R:
    names = fields_dict(type(first))
    return evolve(first, **{name: getattr(first, name) + getattr(second, name) for name in names})
