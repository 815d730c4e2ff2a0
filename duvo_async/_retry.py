"""Whether to try again, and when: a policy that never changes and the state of one call."""

from collections.abc import Callable

from attrs import Attribute, define, field, frozen

from duvo_async.errors import APIConnectionError, APIError, APIStatusError, APITimeoutError
from duvo_async.settings import MOST_SECONDS

_RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
_MOST_DOUBLINGS = 64
"""More would not change a delay, and would in the end overflow a float."""


def _not_negative(_: object, attribute: "Attribute[float]", value: float) -> None:
    if not 0 <= value <= MOST_SECONDS:
        raise ValueError(f"{attribute.name} must be a number that is not negative, not {value!r}")


def _whole(_: object, attribute: "Attribute[int]", value: int) -> None:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{attribute.name} must be a whole number, 0 or more, not {value!r}")


@frozen(kw_only=True)
class RetryPolicy:
    """How often and how patiently a call is repeated.

    Connection errors, time-outs and the statuses 408, 429, 500, 502, 503 and 504 are retried, a
    mutating call only with its idempotency key. The wait before retry *n* (from 0) is drawn evenly
    from 0 to `min(max_delay, initial_delay * 2**n)`: exponential backoff with full jitter.

    Attributes:
        retries: Repetitions after the first attempt. 0 tries once.
        initial_delay: Seconds, the most that is waited before the first retry.
        max_delay: Seconds, the most that is waited before any retry.
        max_retry_after: Seconds, the longest `Retry-After` that is waited for; a call whose answer
            asks for more fails at once with what it asked for.
    """

    retries: int = field(default=4, validator=_whole)
    initial_delay: float = field(default=0.5, validator=_not_negative)
    max_delay: float = field(default=8.0, validator=_not_negative)
    max_retry_after: float = field(default=120.0, validator=_not_negative)

    def accepts(self, retry_after: float | None) -> bool:
        """Tell whether a wait that the API asks for is not too long.

        Args:
            retry_after: Seconds. None when it asks for none.

        Returns:
            Whether to wait that long.
        """
        return retry_after is None or retry_after <= self.max_retry_after


@define
class Retrying:
    """The state of one call.

    Attributes:
        policy: What to go by.
        random: Gives numbers from 0 to 1.
        attempts: Requests sent so far.
    """

    policy: RetryPolicy
    random: Callable[[], float]
    attempts: int = 1

    def delay(self, error: APIError, *, repeatable: bool) -> float | None:
        """Decide what to do after a failed attempt.

        Args:
            error: Why it failed.
            repeatable: Whether the request may be sent again.

        Returns:
            Seconds to wait before the next attempt, which is counted. None to give up.
        """
        # Getting a token for the call may have taken as many attempts by itself.
        attempts = max(self.attempts, error.attempts)
        if not repeatable or not is_transient(error) or attempts > self.policy.retries:
            return None
        asked = error.retry_after if isinstance(error, APIStatusError) else None
        if not self.policy.accepts(asked):
            return None
        delay = self._backoff() if asked is None else asked + self._spread()
        self.attempts += 1
        return delay

    def _backoff(self) -> float:
        ceiling = min(self.policy.max_delay, self.policy.initial_delay * 2.0 ** self._doublings())
        return self.random() * ceiling

    def _doublings(self) -> int:
        return min(self.attempts - 1, _MOST_DOUBLINGS)

    def _spread(self) -> float:
        """Come a little later than asked, so that all who were asked do not come at once."""
        return self.random() * self.policy.initial_delay


def is_transient(error: APIError) -> bool:
    """Tell whether an error may pass by itself."""
    if isinstance(error, APIStatusError):
        return error.status in _RETRIED_STATUSES
    return isinstance(error, (APIConnectionError, APITimeoutError))
