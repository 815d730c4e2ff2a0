"""What only bytes on a socket can do to the emulator."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duvo_async.emulator import Emulator
from tests.support.properties import unhurried

HEAD = b"POST /v1/runs HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer dv_raw_requests\r\n"
JSON = HEAD + b"Content-Type: application/json\r\n"
GET = b"GET /v1/health HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer dv_raw_requests\r\n\r\n"
LAST = GET.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n"
REQUESTS = {
    "nothing": b"",
    "no request line": b"\r\n\r\n\r\n",
    "half a line": b"GET /v1/hea",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "another version": b"GET /v1/health HTTP/9.9\r\n\r\n",
    "HTTP/0.9": b"GET /v1/health\r\n\r\n",
    "a method of nobody's": b"G\x00T /v1/health HTTP/1.1\r\nHost: h\r\n\r\n",
    "no path": b"GET  HTTP/1.1\r\nHost: h\r\n\r\n",
    "an absolute path": b"GET http://[::1/v1/health HTTP/1.1\r\nHost: h\r\n\r\n",
    "a path in Latin-1": b"GET /v1/\xe4\xff HTTP/1.1\r\nHost: h\r\n\r\n",
    "a long path": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
    "a long header": HEAD + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
    "many headers": HEAD + b"".join(b"X-%d: a\r\n" % each for each in range(5000)) + b"\r\n",
    "a header without a colon": HEAD + b"nothing\r\n\r\n",
    "a header that is folded": HEAD + b"X: a\r\n b\r\n\r\n",
    "a header with a NUL": HEAD + b"X: a\x00b\r\n\r\n",
    "two lengths": JSON + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}}",
    "a negative length": JSON + b"Content-Length: -1\r\n\r\n{}",
    "a length of words": JSON + b"Content-Length: two\r\n\r\n{}",
    "a huge length": JSON + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "less than its length": JSON + b"Content-Length: 100\r\n\r\n{}",
    "more than its length": JSON + b"Content-Length: 2\r\n\r\n{}{}{}",
    "a length and chunks": JSON
    + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a chunk of no size": JSON + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "no last chunk": JSON + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "a coding of nobody's": JSON + b"Transfer-Encoding: zip\r\n\r\n{}",
    "what claims to be packed": JSON + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    "100-continue": JSON + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    "another expectation": JSON + b"Expect: more\r\nContent-Length: 2\r\n\r\n{}",
    "an upgrade": HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "three at once": GET * 3,
    "one and nonsense": GET + b"\x00\x01\x02\r\n\r\n",
}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(api_key="dv_raw_requests", requests_per_minute=None) as running:
        yield running


@contextmanager
def connected(emulator: Emulator) -> Iterator[socket.socket]:
    place = urlsplit(emulator.url)
    assert place.hostname is not None
    with socket.create_connection((place.hostname, place.port or 0), timeout=30) as connection:
        yield connection


def rest(connection: socket.socket) -> bytes:
    """Read until the connection is closed."""
    blocks: list[bytes] = []
    with suppress(ConnectionError):  # it was closed in the middle of what was sent
        while block := connection.recv(65536):
            blocks.append(block)
    return b"".join(blocks)


def asked(emulator: Emulator, sent: bytes) -> bytes:
    """Give what comes back for requests of which the last one is to be the last."""
    with connected(emulator) as connection:
        connection.sendall(sent)
        return rest(connection)


def check(emulator: Emulator, sent: bytes) -> None:
    with connected(emulator) as connection:
        with suppress(ConnectionError):
            connection.sendall(sent)
        assert asked(emulator, LAST).startswith(b"HTTP/1.1 200 ")  # others do not have to wait
        with suppress(OSError):  # it is closed
            connection.shutdown(socket.SHUT_WR)
        answer = rest(connection)
    assert answer == b"" or re.match(rb"HTTP/\d\.\d [1-4]\d\d ", answer), answer[:200]
    assert asked(emulator, LAST).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("sent", REQUESTS.values(), ids=list(REQUESTS))
def test_bytes_are_answered_or_hung_up_on(emulator: Emulator, sent: bytes) -> None:
    check(emulator, sent)


def test_requests_in_a_row_are_each_answered(emulator: Emulator) -> None:
    assert asked(emulator, GET * 2 + LAST).count(b"HTTP/1.1 200 ") == 3


@settings(unhurried)
@given(st.binary() | st.tuples(st.sampled_from([HEAD, JSON]), st.binary()).map(b"".join))
def test_any_bytes_are(emulator: Emulator, sent: bytes) -> None:
    check(emulator, sent)
