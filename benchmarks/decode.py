"""What it costs to make models of JSON: `python -m benchmarks.decode`.

CPU time of this process, by turns, in units of `json.loads` of the same bytes.
"""

import argparse
import json
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.util import find_spec
from time import process_time
from typing import Any

from benchmarks import table
from benchmarks.answers import HEADERS, MESSAGES, PAGE, RUN, RUN_ID, encoded
from benchmarks.clients import models
from benchmarks.rounds import CONTROL, frozen_heap, ratio
from benchmarks.table import Row
from duvo_async import _json
from duvo_async._operations import get_run, list_messages
from duvo_async._protocol import Call, Response
from duvo_async._routes import Routes

LOADS = "json.loads"
ROUNDS, EACH = 30, 200


def rows(*, rounds: int = ROUNDS, each: int = EACH) -> Iterable[Row]:
    """Measure.

    Args:
        rounds: How many turns each has.
        each: How many bodies a turn has.

    Yields:
        The figures.
    """
    routes = Routes("v1")
    calls: dict[str, tuple[Call[Any], object]] = {
        "a run": (get_run(routes, RUN_ID), {"run": RUN}),
        "a page of 50 messages": (
            list_messages(routes, RUN_ID, limit=PAGE, offset=0),
            MESSAGES,
        ),
    }
    for index, (name, (call, value)) in enumerate(calls.items()):
        ways = _ways(call, encoded(value), index)
        spent: dict[str, list[float]] = {way: [] for way in ways}
        for decode in ways.values():
            decode()  # which makes the decoders
        with frozen_heap():
            for number in range(rounds):
                for way in list(ways)[:: 1 if number % 2 else -1]:
                    spent[way].append(_spend(ways[way], each))
        for way in ways:
            if way != LOADS:
                value_ = ratio(spent, way, LOADS, CONTROL)
                what = "control" if way == CONTROL else way
                yield Row("decode", f"{what} ÷ json.loads: {name}", value_)


def _ways(call: Call[Any], body: bytes, index: int) -> dict[str, Callable[[], object]]:
    response = Response(status=200, reason="OK", headers=HEADERS, body=body)
    ways: dict[str, Callable[[], object]] = {
        LOADS: lambda: json.loads(body),
        "duvo_async": lambda: call.decode(response),
        CONTROL: lambda: json.loads(body),
        "duvo_async, JSON alone": lambda: _json.read_json(body),
    }
    if find_spec("pydantic"):
        model = models(import_module("pydantic").BaseModel)[index]
        ways["pydantic, model_validate_json"] = lambda: model.model_validate_json(body)
        ways["json.loads + pydantic"] = lambda: model.model_validate(json.loads(body))
    return ways


def _spend(way: Callable[[], object], each: int) -> float:
    begun = process_time()
    for _ in range(each):
        way()
    return process_time() - begun


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    table.printed(rows(rounds=options.rounds))


if __name__ == "__main__":
    main()
