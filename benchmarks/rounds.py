"""Comparing by turns: what disturbs one disturbs them all."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from random import Random
from statistics import median
from time import process_time

RAW, CONTROL = "raw aiohttp", "control"
"""What all are compared with, and the same once more: what it differs from 1 by is noise."""

Call = Callable[[], Awaitable[object]]
Spent = Mapping[str, Sequence[float]]
"""CPU seconds of one call, in each round."""


async def cpu(call: Call, calls: int, at_once: int) -> float:
    """Measure the CPU seconds of one call."""
    begun = process_time()
    for _ in range(calls // at_once):
        if at_once == 1:
            await call()
        else:
            await asyncio.gather(*(call() for _ in range(at_once)))
    return (process_time() - begun) / calls


async def by_turns(calls: Mapping[str, Call], *, rounds: int, each: int, at_once: int) -> Spent:
    """Let all calls take turns.

    Args:
        calls: The calls.
        rounds: How many turns each has.
        each: How many calls a turn has.
        at_once: How many of them are under way at a time.

    Returns:
        What they spent.
    """
    spent: dict[str, list[float]] = {name: [] for name in calls}
    # In any order: whoever comes after itself finds its own things in the processor's caches.
    order, random = list(calls), Random(0)  # noqa: S311 - an order
    for call in calls.values():
        await cpu(call, 2 * at_once, at_once)  # warms up
    with frozen_heap():
        for _ in range(rounds):
            random.shuffle(order)
            for name in order:
                spent[name].append(await cpu(calls[name], each, at_once))
    return spent


@contextmanager
def frozen_heap() -> Generator[None, None, None]:
    """Keep the collector from what was made before, which is the same for all."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def ratio(spent: Spent, name: str, *units: str) -> float:
    """Give the median over the rounds of what one spent, in units of the mean of others."""
    means = [sum(each) / len(units) for each in zip(*(spent[unit] for unit in units), strict=True)]
    return float(median(one / unit for one, unit in zip(spent[name], means, strict=True)))
