"""Any request from the shell, as `gh api` makes them of GitHub's."""

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from math import isfinite
from pathlib import Path
from re import compile as regex
from typing import Any

import click
from attrs import frozen

from duvo_async import JSON, AsyncDuvo
from duvo_async.cli.asking import Results
from duvo_async.cli.output import json_text, on_terminal, printable

_KEY = regex(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART = regex(r"\[([^\[\]]*)\]")
_NUMBER = regex(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORDS: dict[str, JSON] = {"true": True, "false": False, "null": None}


@frozen(kw_only=True)
class Ask:
    """A request.

    Attributes:
        method: Its method. None is POST where there is something to send, else GET.
        path: Its path.
        fields: Its fields, nested.
        body: Its body as it is. None where the fields are the body, or the query.
        include: Whether the status and the headers of the answer are shown.
    """

    method: str | None
    path: str
    fields: dict[str, JSON]
    body: bytes | None
    include: bool

    async def perform(self, duvo: AsyncDuvo, view: Results) -> None:
        """Make the request, and print the answer as it came."""
        sends = bool(self.fields) or self.body is not None
        method = (self.method or ("POST" if sends else "GET")).upper()
        in_query = method in {"GET", "HEAD", "DELETE"} or self.body is not None
        is_json = self.body is not None and _is_json(self.body)
        answer = await duvo.with_response(
            duvo.request,
            method,
            self.path,
            params=_flat(self.fields) if in_query else None,
            json=None if in_query else self.fields or None,
            data=self.body,
            content_type="application/json" if is_json else None,
            cast_to=bytes,
        )
        if self.include:
            view.say(f"HTTP {answer.status}")
            for name, value in answer.headers.items():
                view.say(f"{name}: {value}")
            view.say("")
        _print(answer.value)


def parse_fields(texts: Sequence[str], typed: Sequence[str]) -> dict[str, JSON]:
    """Put fields together: `a=1`, `a[b]=1` for an object, `a[]=1` for an array.

    Args:
        texts: Those whose values are texts.
        typed: Those whose values may be true, false, null, a number, or `@FILE` for what is in a
            file (`@-` for the standard input).

    Raises:
        click.BadParameter: One is no field, or does not go together with those before.
    """
    fields: dict[str, JSON] = {}
    for option, given, read in (("-f", texts, str), ("-F", typed, _typed)):
        for text in given:
            name, equals, value = text.partition("=")
            found = _KEY.fullmatch(name)
            if not equals or found is None:
                raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint=option)
            try:
                _put(fields, [found[1], *_PART.findall(found[2])], read(value))
            except (TypeError, AttributeError):
                raise click.BadParameter(
                    f"{name!r} does not go together with the fields before it", param_hint=option
                ) from None
    return fields


def read_input(path: str) -> bytes:
    """Read a body: a file, or `-` for the standard input.

    Raises:
        click.BadParameter: It cannot be read.
    """
    try:
        if path != "-":
            return Path(path).read_bytes()
        if sys.stdin is None:
            raise click.BadParameter("there is no standard input")
        return sys.stdin.buffer.read()
    except OSError as error:
        raise click.BadParameter(f"cannot read {path}: {error.strerror}") from error


def _put(fields: dict[str, Any], names: list[str], value: JSON) -> None:
    """Set a nested field; an empty name adds to an array, unless its last object lacks the name."""
    here: Any = fields
    for name, below in zip(names, [*names[1:], None], strict=True):
        fresh = value if below is None else [] if below == "" else {}
        if name == "":
            last = here[-1] if here else None
            if not below or not isinstance(last, dict) or below in last:
                here.append(fresh)
            here = here[-1]
        elif below is None:
            if name in here:
                raise TypeError(name)
            here[name] = fresh
        else:
            here = here.setdefault(name, fresh)
            if isinstance(here, list) is not (below == ""):
                raise TypeError(name)


def _typed(text: str) -> JSON:
    if text.startswith("@"):
        return read_input(text[1:]).decode(errors="replace")
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBER.fullmatch(text):  # what JSON takes: 007 and 1_000 are texts
        with suppress(ValueError):  # more digits than Python reads
            number: int | float = json.loads(text)
            return number if isinstance(number, int) or isfinite(number) else text
    return text


def _flat(fields: dict[str, JSON]) -> dict[str, Any]:
    for name, value in fields.items():
        if isinstance(value, dict) or (
            isinstance(value, list) and any(isinstance(each, (dict, list)) for each in value)
        ):
            raise click.UsageError(f"{name!r} is nested, which a query cannot be")
    return fields


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _print(body: bytes) -> None:
    """Print an answer: as it came for programs, to be read on a terminal."""
    if not on_terminal():
        if sys.stdout is None:  # nobody wants to see it
            return
        sys.stdout.flush()
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
        return
    try:
        text = json_text(json.loads(body), indent=2)
    except (ValueError, RecursionError):
        text = body.decode(errors="replace")
    click.echo(printable(text))
