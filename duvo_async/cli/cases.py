"""Cases from a file: read row by row as they are created."""

import csv
import json
import sys
from asyncio import CancelledError
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO, cast
from uuid import uuid4

from attrs import frozen

from duvo_async import JSON, APIError, AsyncDuvo, NewCase
from duvo_async._operations import MAX_CASES
from duvo_async._operations.cases import case_fields
from duvo_async._threads import ReadAhead
from duvo_async.cli.asking import Results
from duvo_async.cli.inputs import InputError

_COLUMNS = ("title", "data", "labels", "priority")
_LONGEST_CELL = 2**31 - 1
"""Characters of a cell: what the csv module can be told at most, everywhere."""


async def create_cases(
    duvo: AsyncDuvo, view: Results, file: "CaseFile", queue_id: str, idempotency_key: str | None
) -> None:
    """Create a case for each row of a file, and print each."""
    key = str(uuid4()) if idempotency_key is None else idempotency_key
    advice = (
        "To create the rest, and none twice, repeat the command with the same rows up to there and "
        f"--idempotency-key {key}"
    )
    created = 0
    cases = duvo.cases.create_many(queue_id, _read_apart(file), idempotency_key=key)
    try:
        async for page in cases.pages():
            created += len(page)
            for case in page:
                if view.as_json:
                    view.document(case)
                else:
                    view.say(f"case {case.id} {case.title}")
    except (BrokenPipeError, CancelledError):
        view.note(advice)
        raise
    except APIError as error:
        error.advice = advice if created or error.may_have_been_done else None
        raise
    except Exception as error:
        error.__notes__ = [advice] if created else []  # they say it of the call
        raise
    finally:
        view.note(f"{created:,} {'case' if created == 1 else 'cases'} created")


@frozen
class CaseFile:
    """A file of cases.

    Attributes:
        path: Where it is; `-` for the standard input.
        kind: One of `KINDS`. None goes by the name: a title a line, where it says nothing.
    """

    path: str
    kind: str | None = None

    def __iter__(self) -> Iterator[NewCase]:
        """Read the cases.

        Raises:
            InputError: The file cannot be read, or a row is no case; the error has its number.
        """
        name = "standard input" if self.path == "-" else self.path
        suffix = Path(self.path).suffix.lower().removeprefix(".")
        kind = KINDS[self.kind or _SUFFIXES.get(suffix, suffix if suffix in KINDS else "lines")]
        with _opened(self.path, name) as file:
            for number, row in kind.rows(file, name):
                try:
                    case = _case(row)
                except (TypeError, ValueError) as error:
                    raise InputError(f"{name}, {kind.unit} {number}: {error}") from None
                yield case


async def _read_apart(file: CaseFile) -> AsyncGenerator[NewCase, None]:
    """Read in a thread, since a pipe may keep silent, for which nobody waits at the end."""
    ahead = ReadAhead(iter(file), MAX_CASES)
    try:
        while (case := await ahead.next(None)) is not None:
            yield case
    finally:
        ahead.close()


@contextmanager
def _opened(path: str, name: str) -> Generator[TextIO, None, None]:
    # Not sys.stdin itself: its encoding may be another, and no thread may hold its lock at the end.
    if path == "-" and sys.stdin is None:
        raise InputError("there is no standard input")
    source = sys.stdin.fileno() if path == "-" else path
    try:
        with open(source, encoding="utf-8-sig", newline="", closefd=path != "-") as file:
            yield file
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise InputError(f"{name} is not UTF-8") from None


def _table(file: TextIO, name: str) -> Iterator[tuple[int, JSON]]:
    csv.field_size_limit(_LONGEST_CELL)
    first = file.readline()
    delimiter = next((mark for mark in "\t;" if mark in first), ",")  # no column's name has them
    heads = next(csv.reader([first], delimiter=delimiter), list[str]())
    if "title" not in heads or not set(heads) <= set(_COLUMNS) or len(set(heads)) < len(heads):
        raise InputError(
            f"{name}: the first row must name columns out of {', '.join(_COLUMNS)}, and title"
        )
    rows = csv.reader(file, delimiter=delimiter, strict=True)
    while True:
        number = rows.line_num + 2  # where the row begins, after the one of the names
        try:
            cells = next(rows, None)
        except csv.Error as error:
            raise InputError(f"{name}, line {number}: {error}") from None
        if cells is None:
            return
        if cells:
            yield number, _row(heads, cells, f"{name}, line {number}")


def _row(heads: list[str], cells: list[str], place: str) -> JSON:
    if len(cells) != len(heads):
        raise InputError(f"{place}: not as many cells as columns")
    found: dict[str, JSON] = {head: text for head, text in zip(heads, cells, strict=True) if text}
    if "labels" in found:
        found["labels"] = _labels(cells[heads.index("labels")])
    return found


def _labels(text: str) -> JSON:
    """Read `month=7; urgent`."""
    found: dict[str, JSON] = {}
    for each in filter(None, (part.strip() for part in text.split(";"))):
        key, equals, value = each.partition("=")
        values = found.setdefault(key.strip() if equals else "", [])
        cast("list[JSON]", values).append(value.strip() if equals else each)
    return found


def _lines(file: TextIO, name: str) -> Iterator[tuple[int, JSON]]:
    for number, line in enumerate(file, 1):
        if line.strip():
            yield number, _parsed(line, f"{name}, line {number}")


def _document(file: TextIO, name: str) -> Iterator[tuple[int, JSON]]:
    value = _parsed(file.read(), name)
    if isinstance(value, dict) and isinstance(value.get("cases"), list):
        value = value["cases"]
    if not isinstance(value, list):
        raise InputError(f"{name} has no array of cases")
    yield from enumerate(value, 1)


def _titles(file: TextIO, _name: str) -> Iterator[tuple[int, JSON]]:
    for number, line in enumerate(file, 1):
        if line.strip():
            yield number, line.strip()


def _parsed(text: str, place: str) -> JSON:
    try:
        value: JSON = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place}: not JSON: {error}") from error
    return value


def _case(row: JSON) -> NewCase:
    if isinstance(row, str):
        row = {"title": row}
    if not isinstance(row, dict):
        raise TypeError("neither a title nor an object")
    if unknown := row.keys() - set(_COLUMNS):
        raise ValueError(f"unknown member {min(unknown)!r}: there are {', '.join(_COLUMNS)}")
    if not isinstance(row.get("title"), str):
        raise TypeError("title must be a string")
    data = row.get("data")
    if isinstance(data, (dict, list)):  # what an agent reads is text
        row = {**row, "data": json.dumps(data, ensure_ascii=False)}
    labels = row.get("labels")
    case = NewCase(**{**row, "labels": () if labels is None else labels})  # type: ignore[arg-type] # checked next
    case_fields(case)
    return case


@frozen
class _Kind:
    """A way to write cases.

    Attributes:
        rows: Reads the rows, each with its number.
        unit: What the numbers count.
    """

    rows: Callable[[TextIO, str], Iterable[tuple[int, JSON]]]
    unit: str = "line"


KINDS = {
    "csv": _Kind(_table),
    "jsonl": _Kind(_lines),
    "json": _Kind(_document, "case"),
    "lines": _Kind(_titles),
}
"""The ways to write cases, by their names, which are also what files' names end in."""
_SUFFIXES = {"tsv": "csv", "ndjson": "jsonl"}
