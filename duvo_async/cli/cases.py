"""Cases from a file: read row by row as they are created."""

import csv
import json
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO, cast

from duvo_async import JSON, AsyncDuvo, NewCase
from duvo_async.cli.asking import Results
from duvo_async.cli.inputs import InputError

_COLUMNS = ("title", "data", "labels", "priority")


async def create_cases(
    duvo: AsyncDuvo, view: Results, queue_id: str, path: str, idempotency_key: str | None
) -> None:
    """Create a case for each row of a file, and print each."""
    created = 0
    cases = duvo.cases.create_many(queue_id, read_cases(path), idempotency_key=idempotency_key)
    try:
        async for case in cases:
            created += 1
            if view.as_json:
                view.document(case)
            else:
                view.say(f"case {case.id} {case.title}")
    finally:
        view.note(f"{created} {'case' if created == 1 else 'cases'} created")


def read_cases(path: str) -> Iterator[NewCase]:
    """Read cases: CSV, JSON Lines or JSON by the file's name, else a title a line.

    Args:
        path: The file; `-` for the standard input, with a title or JSON Lines.

    Raises:
        InputError: The file cannot be read, or a row is no case; the error has its number.
    """
    suffix = Path(path).suffix.lower()
    reader = _READERS.get(suffix, _read_titles)
    with _opened(path) as file:
        for number, row in reader(file):
            try:
                yield _case(row)
            except (TypeError, ValueError) as error:
                raise InputError(
                    f"{path}, {_UNITS.get(suffix, 'line')} {number}: {error}"
                ) from None


@contextmanager
def _opened(path: str) -> Generator[TextIO, None, None]:
    try:
        if path == "-":
            yield cast("TextIO", sys.stdin)
        else:
            with Path(path).open(encoding="utf-8-sig", newline="") as file:
                yield file
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8") from None
    except csv.Error as error:
        raise InputError(f"{path}: {error}") from None


def _read_table(file: TextIO) -> Iterator[tuple[int, JSON]]:
    rows = csv.DictReader(file, strict=True)
    heads = rows.fieldnames or []
    if "title" not in heads or not set(heads) <= set(_COLUMNS):
        raise InputError(
            f"{file.name}: the first row must name columns out of {', '.join(_COLUMNS)}, and title"
        )
    for row in rows:
        if None in row or None in row.values():
            raise InputError(f"{file.name}, line {rows.line_num}: not as many cells as columns")
        found: dict[str, JSON] = {name: text for name, text in row.items() if text}
        if "labels" in found:
            found["labels"] = _labels(row["labels"])
        yield rows.line_num, found


def _labels(text: str) -> JSON:
    """Read `month=7; urgent`."""
    found: dict[str, JSON] = {}
    for each in filter(None, (part.strip() for part in text.split(";"))):
        key, equals, value = each.partition("=")
        values = found.setdefault(key.strip() if equals else "", [])
        cast("list[JSON]", values).append(value.strip() if equals else each)
    return found


def _read_lines(file: TextIO) -> Iterator[tuple[int, JSON]]:
    for number, line in enumerate(file, 1):
        if line.strip():
            yield number, _parsed(line, f"{file.name}, line {number}")


def _read_document(file: TextIO) -> Iterator[tuple[int, JSON]]:
    value = _parsed(file.read(), file.name)
    if isinstance(value, dict) and isinstance(value.get("cases"), list):
        value = value["cases"]
    if not isinstance(value, list):
        raise InputError(f"{file.name} has no array of cases")
    yield from enumerate(value, 1)


def _read_titles(file: TextIO) -> Iterator[tuple[int, JSON]]:
    for number, line in enumerate(file, 1):
        if line.strip():
            yield number, _parsed(line, "") if line.startswith("{") else line.strip()


def _parsed(text: str, place: str) -> JSON:
    try:
        value: JSON = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place}: not JSON: {error}".lstrip(": ")) from error
    return value


def _case(row: JSON) -> NewCase:
    if isinstance(row, str):
        return NewCase(title=row)
    if not isinstance(row, dict):
        raise TypeError("neither a title nor an object")
    if unknown := row.keys() - set(_COLUMNS):
        raise ValueError(f"unknown member {min(unknown)!r}: there are {', '.join(_COLUMNS)}")
    if not isinstance(row.get("title"), str):
        raise TypeError("title must be a string")
    return NewCase(**row)  # type: ignore[arg-type] # create_many checks the rest


_READERS: dict[str, Callable[[TextIO], Iterable[tuple[int, JSON]]]] = {
    ".csv": _read_table,
    ".jsonl": _read_lines,
    ".ndjson": _read_lines,
    ".json": _read_document,
}
_UNITS = {".json": "case"}
