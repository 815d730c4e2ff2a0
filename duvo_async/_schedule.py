"""When to look at a waiting run again. No I/O."""

from collections.abc import Callable

_SHARE_OF_AGE = 0.02
_SHORTEST = 1.0
_LONGEST = 10.0
_JITTER = 0.1


def poll_interval(age: float, random: Callable[[], float]) -> float:
    """Decide how long to leave a run alone.

    A young run is looked at often and an old one rarely, so that the delay in noticing its end
    stays small beside its length: 2 % of its age, at least 1 s and at most 10 s, with 10 % of
    jitter to either side.

    Args:
        age: Seconds since the run was made; a negative age counts as none.
        random: Gives numbers from 0 to 1.

    Returns:
        Seconds until the next look.
    """
    interval = min(max(age * _SHARE_OF_AGE, _SHORTEST), _LONGEST)
    return interval * (1 + _JITTER * (2 * random() - 1))
