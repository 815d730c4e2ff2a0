"""The scopes of access tokens, and which of them an operation needs."""

import re
from urllib.parse import unquote

from attrs import frozen

SCOPES = (
    "runs:read",
    "runs:write",
    "queues:write",
    "approvals:write",
    "files:read",
    "sandboxes:write",
    "webhooks:manage",
    "mcp:call",
)
"""All scopes that there are."""

_BASE = re.compile(r"/v[12]/(teams/[^/]+/)?")


@frozen
class _Rule:
    """Which scopes the operations below a path need; None for none."""

    path: re.Pattern[str]
    reading: str | None
    writing: str | None


_RULES = tuple(
    _Rule(re.compile(path), reading, writing)
    for path, reading, writing in (
        (r"runs/[^/]+/human-requests/.*", "runs:read", "approvals:write"),
        (r"(cases/[^/]+/)?runs(/.*)?", "runs:read", "runs:write"),
        (r"sandboxes/[^/]+/files", "files:read", "sandboxes:write"),
        (r"sandboxes(/.*)?", None, "sandboxes:write"),
        (r"files(/.*)?", "files:read", None),
        (r"queues/[^/]+/cases/search", None, None),  # a POST that only reads
        (r"(queues|cases|agents/[^/]+/case-triggers)(/.*)?", None, "queues:write"),
        (r"webhooks?(-[^/]+)?(/.*)?", "webhooks:manage", "webhooks:manage"),
        (r"mcp", "mcp:call", "mcp:call"),
    )
)


def needed_scope(method: str, path: str) -> str | None:
    """The scope that a request needs; None when any token will do.

    Args:
        method: The HTTP method, in capitals.
        path: The path as on the wire.
    """
    tail = _BASE.sub("", unquote(path), count=1)
    for rule in _RULES:
        if rule.path.fullmatch(tail):
            return rule.reading if method in {"GET", "HEAD"} else rule.writing
    return None
