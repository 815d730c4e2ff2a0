"""What one process read of the list of runs, told to all others that use the key. No I/O.

A message is signed with what only those have who know the credentials, as what it says of a run
ends waits for it.
"""

import hmac
import json
import zlib
from hashlib import sha256
from typing import Final

from attrs import evolve

from duvo_async._converter import DecodeProblem, structure, unstructure
from duvo_async._hints import SeenPage

_SIGNATURE: Final = sha256().digest_size
_QUICKLY: Final = 1


def written(page: SeenPage, secret: bytes) -> bytes:
    """Write a message.

    Args:
        page: What was read. Titles are left out: who waits for a run does not need them.
        secret: What all processes of the key have.
    """
    rows = tuple(evolve(row, title=None, source=None) for row in page.rows)
    text = json.dumps(unstructure(evolve(page, rows=rows)), separators=(",", ":"))
    body = zlib.compress(text.encode(), _QUICKLY)
    return signed(body, secret) + body


def read(message: bytes, secret: bytes) -> SeenPage | None:
    """Read a message.

    Returns:
        What it tells. None when it is none of ours, or of a version that is not known.
    """
    signature, body = message[:_SIGNATURE], message[_SIGNATURE:]
    if not hmac.compare_digest(signature, signed(body, secret)):
        return None
    try:
        return structure(json.loads(zlib.decompress(body)), SeenPage)
    except (DecodeProblem, ValueError, zlib.error):
        return None


def signed(body: bytes, secret: bytes) -> bytes:
    """Sign what follows."""
    return hmac.digest(secret, body, sha256)
