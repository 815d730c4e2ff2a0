"""Credentials that a server repeats: blotted out of all that is shown of its answer."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from attrs import evolve

from duvo_async._converter import DecodeProblem
from duvo_async._protocol import Response, encoded, parse_json
from duvo_async.models import JSON

Redact: TypeAlias = Callable[[bytes], bytes]
"""Blots credentials out of bytes."""


def blotted(response: Response, redact: Redact) -> Response:
    """Blot credentials out of an answer, however its JSON writes them.

    Args:
        response: The answer.
        redact: Knows the credentials.

    Returns:
        The answer without them; the names of its headers are lower-cased.
    """
    try:
        # As texts: JSON may write a slash, a plus and a quote in several ways.
        body = encoded(_blotted(parse_json(response.body), redact))
    except (DecodeProblem, ValueError):  # it is no JSON, or holds what cannot be written again
        body = response.body
    return evolve(
        response,
        reason=plain(response.reason, redact),
        headers=headers_without(response.headers, redact),
        body=redact(body),
    )


def headers_without(headers: Mapping[str, str], redact: Redact) -> Mapping[str, str]:
    """Blot credentials out of headers; their names are lower-cased."""
    return {name.lower(): plain(value, redact) for name, value in headers.items()}


def plain(text: str, redact: Redact) -> str:
    """Blot credentials out of a text."""
    return redact(text.encode(errors="surrogatepass")).decode(errors="replace")


def _blotted(value: JSON, redact: Redact) -> JSON:
    if isinstance(value, str):
        return plain(value, redact)
    if isinstance(value, list):
        return [_blotted(each, redact) for each in value]
    if isinstance(value, dict):
        return {plain(name, redact): _blotted(each, redact) for name, each in value.items()}
    return value
