"""Any request that the API takes: for what has no call of its own."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias, cast
from urllib.parse import quote, unquote, urlencode

from yarl import URL

from duvo_async._converter import check_kind, structure, unstructure
from duvo_async._operations._fields import encodable, moment
from duvo_async._protocol import Call, Request, Response, encoded, parse_json
from duvo_async._routes import TEAM, Routes

Param: TypeAlias = str | int | float | bool | datetime | None
Params: TypeAlias = Mapping[str, Param | Sequence[Param]]
"""Names and values of a query: each of several values is sent, None is left out."""

Data: TypeAlias = bytes | str | Mapping[str, str]
"""A body that is no JSON: as it is, or the fields of a form."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_FORM = "application/x-www-form-urlencoded"


def any_request(  # noqa: PLR0913 - the parts of a request
    routes: Routes,
    base_url: URL,
    method: str,
    path: str,
    *,
    params: Params | None,
    json: object,
    data: Data | None,
    content_type: str | None,
    cast_to: Any,  # noqa: ANN401 - any class
    idempotency_key: str | None,
    timeout: float | None,
) -> Call[Any]:
    """Make any request; its answer is read as `cast_to` says."""
    if json is not None and data is not None:
        raise ValueError("give json or data: one of them")
    if not isinstance(method, str) or method.upper() not in _METHODS:
        raise ValueError(f"method must be one of {', '.join(sorted(_METHODS))}, not {method!r}")
    if cast_to not in {None, bytes, str}:
        check_kind(cast_to)
    below, query = _split(path, base_url)
    body, kind = _body(json, data)
    request = Request(
        method=method.upper(),
        path=routes.of_any(below),
        query=(*query, *_flat(params or {})),
        body=body,
        content_type=kind if content_type is None else _media_type(content_type),
        idempotency_key=idempotency_key,
        timeout=timeout,
    )
    return Call(request, lambda response: _read(response, cast_to))


def _split(path: str, base_url: URL) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Take a path, or a URL of the API's, apart; what leads elsewhere is refused."""
    if not isinstance(path, str):
        raise TypeError(f"path must be a string, not {type(path).__name__}")
    if any(character.isspace() or not character.isprintable() for character in path):
        raise ValueError("path must have no spaces or control characters: quote them")
    # No error quotes the text, which may hold what should be in no log.
    try:
        url = URL(path)
    except ValueError:
        raise ValueError("path cannot be read: is it /v2/…?") from None
    if url.scheme and not url.host:
        raise ValueError("path cannot be read: is it /v2/…?")
    if any(TEAM in each for each in url.query.values()):
        raise ValueError(f"{TEAM} stands for the team in the path alone, not in the query")
    if url.fragment or url.raw_path.startswith("//") or {".", ".."} & set(_segments(path)):
        raise ValueError("path must have no fragment, no dot segment and no empty host")
    below = url.raw_path
    if url.absolute:
        base = base_url.raw_path.rstrip("/")
        is_ours = bool(url.scheme) and url.origin() == base_url.origin()
        if not is_ours or not f"{below}/".startswith(f"{base}/"):
            raise ValueError("path leads to another host: only the API's own URLs are sent the key")
        if url.user is not None or url.password is not None:
            raise ValueError("path must hold no user or password")
        below = below.removeprefix(base)
    return below.replace(quote(TEAM), TEAM), tuple(url.query.items())


def _segments(path: str) -> list[str]:
    """Cut a path as a server may that decodes it first."""
    plain = unquote(path.partition("?")[0])
    return plain.replace("\\", "/").split("/")


def _flat(params: Params) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in params.items():
        if not isinstance(name, str):
            raise TypeError(f"params has the name {name!r}, which is no text")
        several = not isinstance(value, (str, bytes, bytearray)) and isinstance(value, Sequence)
        values = cast("Sequence[Param]", value) if several else (cast("Param", value),)
        pairs.extend((name, _word(name, each)) for each in values if each is not None)
    return pairs


def _word(name: str, value: Param) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return moment(value)
    if not isinstance(value, (str, int, float)):
        raise TypeError(f"params[{name!r}] must be text, a number or a time, not {value!r}")
    return encodable(name, str(value))


def _media_type(text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"content_type must be a string, not {type(text).__name__}")
    if not text.isascii() or not text.isprintable() or "/" not in text:
        raise ValueError(f"content_type {text!r} is no media type")
    return text


def _body(json: object, data: Data | None) -> tuple[bytes | None, str]:
    if json is not None:
        return encoded(unstructure(json)), "application/json"
    if data is None or isinstance(data, bytes):
        return data, "application/octet-stream"
    if isinstance(data, str):
        return data.encode(), "text/plain; charset=utf-8"
    if isinstance(data, Mapping):
        for name, value in data.items():
            if not isinstance(value, str):
                raise TypeError(f"data[{name!r}] must be text, not {type(value).__name__}")
        return urlencode(data).encode(), _FORM
    raise TypeError(f"data must be bytes, text or a mapping, not {type(data).__name__}")


def _read(response: Response, kind: Any) -> Any:  # noqa: ANN401 - as the caller wants it
    if kind is bytes:
        return response.body
    if kind is str:
        return response.body.decode(errors="replace")
    if kind is None:
        return parse_json(response.body) if response.body.strip() else None
    return structure(parse_json(response.body), kind)
