"""What a typed call costs beside others: `python -m benchmarks.calls`.

CPU time of this process, by turns; the server is a process of its own. The unit is a call written
by hand on raw aiohttp, untyped, without retries, pacing and errors; the control is the same again.
"""

import argparse
import asyncio
import gc
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.util import find_spec
from math import inf
from time import perf_counter, process_time
from typing import Any

from benchmarks import table
from benchmarks.answers import AGENT_ID
from benchmarks.clients import AUTHORIZATION, KEY, Client, clients, ids, models
from benchmarks.generated import generated
from benchmarks.rounds import CONTROL, RAW, Spent, by_turns, frozen_heap, ratio
from benchmarks.stub import stats, stub
from benchmarks.table import Row
from duvo_async import AsyncDuvo, Duvo

OURS = "duvo_async"
CALLS: dict[str, Callable[[Client], Callable[[], Any]]] = {
    "get a run": lambda client: client.get,
    "start a run": lambda client: client.start,
    "a page of 50 messages": lambda client: client.page,
}
MOST = {("get a run", 1): 1.00, ("get a run", 100): 1.05, ("a page of 50 messages", 1): 1.10}
MOST_OF_A_PEER = 0.15
MOST_OF_REQUESTS, MOST_OF_TWIN = 0.35, 1.5
NOISE = 0.07
ROUNDS, EACH = 30, 200


def rows(*, rounds: int = ROUNDS, each: int = EACH) -> Iterable[Row]:
    """Measure.

    Args:
        rounds: How many turns each client has.
        each: How many calls a turn has.

    Yields:
        The figures.
    """
    with stub() as url, generated() as package:
        if not all(map(find_spec, ("httpx", "pydantic", "openai", "openapi_python_client"))):
            print("some are missing: pip install 'duvo-async[benchmarks]'", file=sys.stderr)
        for name in CALLS:
            for at_once in (1, 100):
                begun, before = perf_counter(), stats(url).cpu
                spent = asyncio.run(_compared(url, package, name, rounds, each, at_once))
                busy = (stats(url).cpu - before) / (perf_counter() - begun)
                yield from _of_call(name, at_once, spent)
                yield Row("calls", f"server's CPU ÷ time: {name}, {at_once} at once", busy, 0.9)
        yield from _of_blocking(url, rounds, each // 2)
        yield Row("calls", "blocks that outlive a call", asyncio.run(_left(url)), most=0.01)


async def _compared(  # noqa: PLR0913, PLR0917 - what is compared, and how
    url: str, package: str | None, name: str, rounds: int, each: int, at_once: int
) -> Spent:
    async with clients(url, package) as found:
        calls = {who: CALLS[name](client) for who, client in found.items()}
        return await by_turns(calls, rounds=rounds, each=max(each, at_once), at_once=at_once)


def _of_call(name: str, at_once: int, spent: Spent) -> Iterable[Row]:
    what = f"{name}, {at_once} at once"
    for who in spent:
        if who == RAW:
            continue
        value = ratio(spent, who, RAW, CONTROL)
        if who == CONTROL:
            yield Row("calls", f"control ÷ raw aiohttp: {what}", value, 1 + NOISE, 1 - NOISE)
        else:
            most = MOST.get((name, at_once), inf) if who == OURS else inf
            yield Row("calls", f"{who} ÷ raw aiohttp: {what}", value, most)
    bounded = (name, at_once) == ("get a run", 100)
    for who in spent:
        if who not in {RAW, CONTROL, OURS}:
            value = ratio(spent, OURS, who)
            yield Row("calls", f"{OURS} ÷ {who}: {what}", value, MOST_OF_A_PEER if bounded else inf)


def _of_blocking(url: str, rounds: int, each: int) -> Iterable[Row]:
    """Compare the blocking client with its asynchronous twin and with requests."""
    runs = ids()

    def spend(call: Callable[[], object]) -> float:
        begun = process_time()
        for _ in range(each):
            call()
        return (process_time() - begun) / each

    async def twin(duvo: AsyncDuvo) -> float:
        begun = process_time()
        for _ in range(each):
            await duvo.runs.get(next(runs))
        return (process_time() - begun) / each

    by_requests = _with_requests(url)
    spent: dict[str, list[float]] = {"Duvo": [], "AsyncDuvo": [], "requests + pydantic": []}
    with asyncio.Runner() as runner, Duvo(KEY, base_url=url) as duvo:
        other = AsyncDuvo(KEY, base_url=url)
        for number in range(rounds + 1):
            with frozen_heap():
                turn = [spend(lambda: duvo.runs.get(next(runs))), runner.run(twin(other))]
                turn.append(spend(by_requests) if by_requests else inf)
            if number:  # the first one warms up
                for name, seconds in zip(spent, turn, strict=True):
                    spent[name].append(seconds)
        runner.run(other.close())
    value = ratio(spent, "Duvo", "AsyncDuvo")
    yield Row("calls", "Duvo ÷ AsyncDuvo: get a run", value, MOST_OF_TWIN)
    if by_requests:
        value = ratio(spent, "Duvo", "requests + pydantic")
        yield Row("calls", "Duvo ÷ requests + pydantic: get a run", value, MOST_OF_REQUESTS)


def _with_requests(url: str) -> Callable[[], object] | None:
    """Read a run with requests and pydantic. None when these are not installed."""
    if not (find_spec("requests") and find_spec("pydantic")):
        return None
    session: Any = import_module("requests").Session()
    session.headers.update(AUTHORIZATION)
    answer, _ = models(import_module("pydantic").BaseModel)
    runs = ids()
    return lambda: answer.model_validate_json(session.get(f"{url}/v1/runs/{next(runs)}").content)


async def _left(url: str, calls: int = 2000) -> float:
    """Count the blocks of memory that are left of a call."""
    async with AsyncDuvo(KEY, base_url=url) as duvo:
        runs = ids()
        for _ in range(calls):  # until what is remembered on purpose is
            await duvo.runs.get(next(runs))
            await duvo.runs.start(AGENT_ID)
        gc.collect()
        before = sys.getallocatedblocks()
        for _ in range(calls):
            await duvo.runs.get(next(runs))
            await duvo.runs.start(AGENT_ID)
        gc.collect()
        return (sys.getallocatedblocks() - before) / (2 * calls)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--calls", type=int, default=EACH, help="in a round")
    options = parser.parse_args()
    table.printed(rows(rounds=options.rounds, each=options.calls))


if __name__ == "__main__":
    main()
