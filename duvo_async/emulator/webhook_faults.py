"""What goes wrong with webhooks on request: some are lost, some come twice, some come late."""

import math
from collections.abc import Iterable

from attrs import field, frozen, validators


def _span(given: Iterable[float]) -> tuple[float, float]:
    least, most = given
    if not 0 <= least <= most < math.inf:  # false for NaN, too
        raise ValueError("delay must be two finite numbers from 0 on, the smaller one first")
    return least, most


_share = validators.and_(validators.ge(0.0), validators.le(1.0))


@frozen(kw_only=True)
class WebhookFaults:
    """How badly events are delivered. Each receiver of an event has its own luck with it.

    Give it to an `Emulator`, or set it there at any time: it counts for the events from then on.
    What becomes of an event is drawn from the emulator's seed and the event's place among all that
    were for some receiver, so the same seed and the same events lead to the same faults.

    Attributes:
        lost: The share of events that are never posted, from 0 to 1.
        repeated: The share of the others that are posted once more, after another delay and with
            the same body. An attempt that failed is tried again in either case.
        delay: The least and the most seconds from an event to its post, uniform between them.
            Events come in another order when this is more than there is between them.
    """

    lost: float = field(default=0.0, validator=_share)
    repeated: float = field(default=0.0, validator=_share)
    delay: tuple[float, float] = field(default=(0.0, 0.0), converter=_span)

    def delays(self, chance: bytes) -> tuple[float, ...]:
        """After how many seconds an event is posted, for each time that it is.

        Args:
            chance: 32 bytes that are different for each event.
        """
        lost, repeated, first, second = (_fraction(chance[at : at + 8]) for at in (0, 8, 16, 24))
        if lost < self.lost:
            return ()
        once = self._between(first)
        return (once, once + self._between(second)) if repeated < self.repeated else (once,)

    def _between(self, fraction: float) -> float:
        least, most = self.delay
        return least + fraction * (most - least)


def _fraction(chance: bytes) -> float:
    """A number from 0 on and below 1, also when rounded: as many bits as a float has room for."""
    return (int.from_bytes(chance) >> 11) / (1 << 53)
