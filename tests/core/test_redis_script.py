"""What Redis's script is told, and how its answers and the messages of other processes are read."""

import json
import zlib
from datetime import UTC, datetime

import pytest
from attrs import evolve

from duvo_async._hints import SeenPage
from duvo_async._pacing import Lane
from duvo_async._protocol import Window
from duvo_async._redis import pages
from duvo_async._redis.link import place
from duvo_async._redis.script import (
    CODES,
    SOURCE,
    Ask,
    Kind,
    Report,
    Verdict,
    Wishes,
    code_of,
    verdict,
    words,
)
from duvo_async.credentials import Secret
from duvo_async.models import RunStatus
from duvo_async.models.runs import FollowedRun

CALL, START, POLL = Lane
SECRET = b"of this key alone"
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
RUN = FollowedRun(
    id="run-1",
    agent_id="agent",
    build_id="build",
    status=RunStatus.COMPLETED,
    started_at=NOON,
    completed_at=NOON,
    created_at=NOON,
    updated_at=NOON,
)
PAGE = SeenPage(NOON, 100, (RUN, evolve(RUN, id="run-2", completed_at=None)), origin="there")


def test_each_kind_of_ask_has_a_code() -> None:
    kinds = [(CALL, False), (START, False), (POLL, False), (POLL, True)]
    assert [code_of(lane, hurried=hurried) for lane, hurried in kinds] == [*range(CODES)]
    assert code_of(CALL, hurried=True) == code_of(CALL, hurried=False)


def test_what_is_wanted_comes_before_what_became_of_requests() -> None:
    wishes = Wishes(0.1, 0.05, 4, starts_wait=True, quiet=2.5, away=7.0)
    asks = [Ask(CALL), Ask(POLL, hurried=True), Ask(START)]
    reports = [
        Report(Kind.TOLD, 17, Window(300, 200, 40.0), at=9.0),
        Report(Kind.ENDED, 18),
        Report(Kind.TOLD, 0, Window(300, 0, 0.5), at=8.0),
    ]
    told = [0, 17, 300, 200, 39.0, 1, 18, 0, 0, 0, 0, 0, 300, 0, 0.0]
    assert words(wishes, asks, reports, 10.0, None) == ["", 0.1, 0.05, 4, 1, 2.5, 7.0, "031", *told]
    assert words(Wishes(0, 0, 0), [], [], 10.0, 3.5) == [3.5, 0, 0, 0, 0, 0.0, -1.0, ""]


def test_an_answer_is_read() -> None:
    assert verdict(b"17 1500 1 0 0 250 0 0 2 1") == Verdict(
        17, 1.5, (1, 0, 0, 2), (0.0, 0.25, 0.0, 0.001)
    )


@pytest.mark.parametrize(
    "reply",
    [None, b"", b"OK", [1], 7, b"1 2", b"1" + b" 0" * 8, b"1" + b" 0" * 10, b"x" + b" 0" * 9],
)
def test_another_answer_is_none(reply: object) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        verdict(reply)


def test_the_script_has_the_constants_of_the_budget() -> None:
    head = SOURCE.splitlines()[0]
    assert head.startswith("local DEFAULT, WINDOW, FARTHEST,")
    assert "= 300, 60.0, 120.0, 30.0, 1.0, 300.0, 6," in head


# --- what others read ----------------------------------------------------------------------------


def test_a_page_comes_as_it_was_read() -> None:
    assert pages.read(pages.written(PAGE, SECRET), SECRET) == PAGE


def test_titles_stay_where_they_were_read() -> None:
    page = evolve(PAGE, rows=(evolve(RUN, title="Acme's payroll", source="api"),))
    message = pages.written(page, SECRET)
    assert b"payroll" not in zlib.decompress(message[32:])
    assert pages.read(message, SECRET) == evolve(PAGE, rows=(RUN,))


def test_a_page_of_a_hundred_is_small() -> None:
    rows = tuple(evolve(RUN, id=f"{number:032x}") for number in range(100))
    assert len(pages.written(evolve(PAGE, rows=rows), SECRET)) < 5_000


def test_who_does_not_know_the_key_is_not_believed() -> None:
    message = pages.written(PAGE, SECRET)
    assert pages.read(message, b"of another key") is None
    assert pages.read(pages.written(PAGE, b"of another key"), SECRET) is None
    for position in (0, 31, 32, len(message) - 1):
        changed = bytearray(message)
        changed[position] ^= 1
        assert pages.read(bytes(changed), SECRET) is None
    assert pages.read(b"", SECRET) is None


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b'{"since":1}', b"\xff"])
def test_what_a_later_version_says_is_left_alone(body: bytes) -> None:
    packed = zlib.compress(body)
    for each in (packed, body):
        assert pages.read(pages.signed(each, SECRET) + each, SECRET) is None


def test_what_a_later_version_adds_is_left_out() -> None:
    text = zlib.decompress(pages.written(PAGE, SECRET)[32:])
    added = zlib.compress(json.dumps({**json.loads(text), "mood": "good"}).encode())
    assert pages.read(pages.signed(added, SECRET) + added, SECRET) == PAGE


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:secret@cache.example:7000/3", "cache.example:7000"),
        ("rediss://user:secret@cache.example", "cache.example"),
        ("unix:///run/redis.sock?password=secret", "/run/redis.sock"),
    ],
)
def test_a_place_is_told_without_its_password(url: str, shown: str) -> None:
    assert place(Secret(url)) == shown
