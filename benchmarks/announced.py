"""The fan-out with webhooks: what the client makes of them, lost, late and forged ones too."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from random import Random
from unittest.mock import patch

from attrs import frozen

from benchmarks.trials import Trial, drawn
from duvo_async._protocol import Request, Response
from duvo_async._schedule import Schedule
from duvo_async.emulator import WebhookFaults
from duvo_async.webhooks import WebhookReceiver
from tests.support.deliveries import delivering

_FORGED = 1000
_FORGED_SECONDS = 60


@frozen(kw_only=True)
class Announced:
    """Lets the client do as it does, with webhooks.

    Attributes:
        lost: The share of the deliveries that are lost.
        forged: Whether a thousand forgeries a second come for a minute, to a receiver that believes
            anybody.
        outstanding: How many runs go on at once. None for as many as can be started.
        looks: The part of each window that is kept for looking while starts wait. None lets the
            client choose.
    """

    lost: float = 0.0
    forged: bool = False
    outstanding: int | None = None
    looks: float | None = None

    async def __call__(self, trial: Trial) -> None:
        """Play a trial."""
        emulator = trial.emulator
        emulator.webhook_faults = WebhookFaults(lost=self.lost)
        secret = None if self.forged else emulator.webhook_secret
        receiver = WebhookReceiver(secret, clock=emulator.clock)
        async with delivering(emulator, receiver) as wake, AsyncExitStack() as stack:

            async def note(_: Request) -> Response | None:
                wake()
                return None

            duvo = await stack.enter_async_context(trial.client(note, webhooks=receiver))
            if self.looks is not None:
                share: Callable[[Schedule, int, float], float] = _fixed(self.looks)
                stack.enter_context(patch.object(Schedule, "share", share))
            if self.forged:
                forger = asyncio.create_task(_forge(trial, receiver))
                stack.push_async_callback(asyncio.wait, [forger])
            await trial.map(duvo, max_outstanding=self.outstanding)


def _fixed(share: float) -> Callable[[Schedule, int, float], float]:
    def fixed(_: Schedule, limit: int, to_start: float) -> float:  # noqa: ARG001 - as the client's
        return share

    return fixed


async def _forge(trial: Trial, receiver: WebhookReceiver) -> None:
    """Say of runs drawn at random that they have ended."""
    chance = drawn(trial.case.seed, "forged")
    await asyncio.sleep(1)
    for _ in range(_FORGED_SECONDS * 10):
        await asyncio.sleep(0.1)
        for _ in range(_FORGED // 10):
            receiver.receive(_forgery(trial, chance), {})


def _forgery(trial: Trial, chance: Random) -> bytes:
    run_id = chance.choice(trial.run_ids)
    return b'{"event":"run_completed","run_id":"%s","status":"completed"}' % run_id.encode()
