"""The command that takes webhooks on this machine: what it shows, checks and passes on."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.error import HTTPError

import pytest
from aiohttp import ClientSession, web
from attrs import define, evolve, field

from duvo_async import AsyncDuvo
from duvo_async.cli.listen import Deliveries, Documents, Listening, Place, listen
from duvo_async.emulator import Emulator
from duvo_async.webhooks import Receipt, WebhookReceiver, forwarding, parse, sign
from duvo_async.webhooks.forwarding import (
    MOST_WAITING,
    Forwarded,
    Forwarder,
    ForwardingReceiver,
    end_to_end,
)
from duvo_async.webhooks.signature import PREFIX, SIGNATURE_HEADER, TIMESTAMP_HEADER, TOLERANCE
from tests.support.shell import COMMAND, environment, shell
from tests.support.stub import answer, hang_up, serve
from tests.webhooks.posting import RUN_ID, SECRET, post, warnings_in, written

AT = 1_750_000_000.0
NEVER = Forwarded(reason="the command ended")


def at_noon() -> float:
    return AT


@define
class Held:
    """An answer that is held back until it may go."""

    came: asyncio.Event = field(factory=asyncio.Event)
    may_go: asyncio.Event = field(factory=asyncio.Event)

    async def __call__(self, _: web.Request) -> web.StreamResponse:
        self.came.set()
        await self.may_go.wait()
        return web.Response()


@define
class Heard:
    """What an audience was told."""

    arrivals: list[tuple[int, bool]] = field(factory=list[tuple[int, bool]])
    outcomes: list[tuple[str | None, Forwarded]] = field(factory=list[tuple[str | None, Forwarded]])
    _news: asyncio.Event = field(factory=asyncio.Event)

    def arrived(self, receipt: Receipt, *, forwarding: bool) -> None:
        self.arrivals.append((receipt.status, forwarding))

    def forwarded(self, receipt: Receipt, at: float, outcome: Forwarded) -> None:
        assert at > 0
        assert receipt.event is not None
        self.outcomes.append((receipt.event.id, outcome))
        self._news.set()

    async def all_of(self, outcomes: int) -> None:
        """Wait until so many were passed on."""
        while len(self.outcomes) < outcomes:
            self._news.clear()
            await self._news.wait()


# --- what is shown ----------------------------------------------------------------------------


def taken(event: str = "run_completed", *, repeated: bool = False, **facts: object) -> Receipt:
    return Receipt(200, parse(written(event, **facts)), repeated=repeated)


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TZ", "UTC")
    import time  # noqa: PLC0415 - the zone is read now

    time.tzset()
    return "15:06:40"


@pytest.mark.usefixtures("noon")
@pytest.mark.parametrize(
    ("receipt", "line"),
    [
        (taken(status="completed"), f"200 run_completed {RUN_ID} completed"),
        (taken(), f"200 run_completed {RUN_ID} -"),
        (taken(repeated=True), f"200 run_completed {RUN_ID} - repeated"),
        (taken("queue.case.created"), "200 queue.case.created - -"),
        (taken("run.dreamt", status="asleep"), f"200 run.dreamt {RUN_ID} -"),
        (Receipt(401, reason="signature_missing: no"), "401 signature_missing: no"),
        (Receipt(503, reason="1 waits"), "503 1 waits"),
        (Receipt(413), "413 -"),
    ],
)
def test_a_delivery_is_a_line(
    receipt: Receipt, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Deliveries(checked=True, clock=at_noon).arrived(receipt, forwarding=False)
    assert capsys.readouterr() == (f"15:06:40 {line}\n", "")


@pytest.mark.usefixtures("noon")
def test_what_is_not_checked_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    view = Deliveries(checked=False, clock=at_noon)
    view.arrived(taken(), forwarding=False)
    view.arrived(Receipt(400, reason="no"), forwarding=False)
    assert capsys.readouterr().out == (
        f"15:06:40 200 run_completed {RUN_ID} - (not checked)\n15:06:40 400 no\n"
    )


@pytest.mark.usefixtures("noon")
@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (Forwarded(204), f"forwarded: 204 run_completed {RUN_ID} -"),
        (Forwarded(reason="gone"), f"not forwarded: run_completed {RUN_ID} - (gone)"),
    ],
)
def test_a_forward_is_a_line(
    outcome: Forwarded, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Deliveries(checked=True, clock=at_noon).forwarded(taken(), AT, outcome)
    assert capsys.readouterr().out == f"15:06:40 {line}\n"


@pytest.mark.usefixtures("noon")
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\x1b[31mred", "\ufffd[31mred"),
        ("a\r\n15:06:41 200 b", "a\ufffd 15:06:41 200 b"),
        ("a\u2028b\u202ec\x9bd", "a b\ufffdc\ufffdd"),
        ("a\tb\x00", "a b\ufffd"),
        ("", "-"),
        ("x" * 5000, "x" * 300),
    ],
)
def test_what_is_received_moves_no_cursor_and_makes_no_line(
    name: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    view = Deliveries(checked=True, clock=at_noon)
    view.arrived(taken(name), forwarding=False)
    view.arrived(taken(run_id=name or "-"), forwarding=False)
    view.arrived(Receipt(400, reason=name), forwarding=False)
    view.forwarded(taken("e", run_id="r"), AT, Forwarded(reason=name))
    assert capsys.readouterr().out.split("\n") == [
        f"15:06:40 200 {shown} {RUN_ID} -",
        f"15:06:40 200 run_completed {shown} -",
        f"15:06:40 400 {shown}",
        f"15:06:40 not forwarded: e r - ({shown})",
        "",
    ]


def test_a_delivery_is_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    body = {"event": "run_failed", "id": "e\n1", "run_id": RUN_ID, "status": "failed", "x": [1.5]}
    event = parse(json.dumps(body))
    view = Documents(checked=True, clock=at_noon)
    view.arrived(Receipt(200, event, repeated=True), forwarding=False)
    text = capsys.readouterr().out
    assert text.count("\n") == 1
    assert json.loads(text) == {
        "at": "2025-06-15T15:06:40+00:00",
        "status": 200,
        "event": "run_failed",
        "id": "e\n1",
        "run_id": RUN_ID,
        "run_status": "failed",
        "repeated": True,
        "checked": True,
        "reason": None,
        "body": body,
        "forwarded": None,
    }


def test_a_refusal_is_a_document_of_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    view = Documents(checked=False, clock=at_noon)
    view.arrived(Receipt(400, reason="no"), forwarding=False)
    view.arrived(taken(), forwarding=False)
    refused, other = map(json.loads, capsys.readouterr().out.splitlines())
    assert list(refused) == list(other)
    assert {name: value for name, value in refused.items() if value is not None} == {
        "at": "2025-06-15T15:06:40+00:00",
        "status": 400,
        "repeated": False,
        "checked": False,
        "reason": "no",
    }


def test_a_forwarded_delivery_is_one_document_too(capsys: pytest.CaptureFixture[str]) -> None:
    view = Documents(checked=True, clock=at_noon)
    view.arrived(taken(), forwarding=True)
    assert capsys.readouterr().out == ""
    view.forwarded(taken(), AT - 60, Forwarded(502))
    view.forwarded(taken(), AT - 60, NEVER)
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["at"] for each in documents] == ["2025-06-15T15:05:40+00:00"] * 2
    assert [each["forwarded"] for each in documents] == [
        {"status": 502, "reason": None},
        {"status": None, "reason": "the command ended"},
    ]


@pytest.mark.parametrize("odd", ["1e999", "-1e999", '["\\ud800", 1e999]'])
def test_a_document_is_json_whatever_came(odd: str, capsys: pytest.CaptureFixture[str]) -> None:
    event = parse(f'{{"event": "e", "x": {odd}}}')
    Documents(checked=True).arrived(Receipt(200, event), forwarding=False)

    def refuse(constant: str) -> None:
        pytest.fail(constant)

    document = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert (document["event"], document["body"]) == ("e", None)


@pytest.mark.parametrize("checked", [True, False])
@pytest.mark.parametrize("place", [None, "http://there.test/x"])
def test_the_start_says_where_and_how(
    place: str | None, capsys: pytest.CaptureFixture[str], *, checked: bool
) -> None:
    Documents(checked=checked).opened("http://127.0.0.1:8000/", place)
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith("listening on http://127.0.0.1:8000/ until Ctrl-C\n")
    assert "webhook_url=http://127.0.0.1:8000/" in errors
    assert "needs a public URL" in errors
    assert ("signatures are not checked: DUVO_WEBHOOK_SECRET" in errors) is not checked
    assert ("forwarded to http://there.test/x" in errors) is (place is not None)


def test_the_help_names_the_defaults_and_the_safer_way_for_secrets() -> None:
    helps = {each.name: getattr(each, "help", "") for each in listen.params}
    assert SIGNATURE_HEADER in helps["header"]
    assert TIMESTAMP_HEADER in helps["timestamp_header"]
    assert PREFIX in helps["prefix"]
    assert f"{TOLERANCE:g}" in helps["tolerance"]
    assert "DUVO_WEBHOOK_SECRET" in helps["secrets"]
    assert "seen by other users" in helps["secrets"]


# --- what is passed on ------------------------------------------------------------------------


def test_headers_of_one_connection_stay_behind() -> None:
    class Both:
        def items(self) -> list[tuple[str, str]]:
            return [
                ("Host", "hook.test"),
                ("content-length", "7"),
                ("Connection", "close, X-Mine ,x-other"),
                ("X-MINE", "1"),
                ("X-Other", "2"),
                ("Keep-Alive", "timeout=5"),
                ("Transfer-Encoding", "chunked"),
                ("TE", "trailers"),
                ("Trailer", "X"),
                ("Upgrade", "h2c"),
                ("Proxy-Authorization", "Basic eA=="),
                ("Proxy-Authenticate", "Basic"),
                ("Proxy-Connection", "close"),
                ("Expect", "100-continue"),
                ("Content-Type", "application/json"),
                ("X-Duvo-Signature", "sha256=00"),
                ("X-Twice", "a"),
                ("X-Twice", "b"),
                ("Authorization", "Bearer x"),
            ]

    assert end_to_end(Both()) == [
        ("Content-Type", "application/json"),
        ("X-Duvo-Signature", "sha256=00"),
        ("X-Twice", "a"),
        ("X-Twice", "b"),
        ("Authorization", "Bearer x"),
    ]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://hook.test/", "begin with"),
        ("hook.test/x", "begin with"),
        ("/x", "begin with"),
        ("", "begin with"),
        ("http:///x", "begin with"),
        ("http://[::1/x", "cannot be read"),
        ("http://hook.test:99999/", "cannot be read"),
        ("http://geheim@hook.test/", "user or password"),
        ("http://a:geheim@hook.test/", "user or password"),
        ("https://:geheim@hook.test/", "user or password"),
    ],
)
def test_a_url_to_forward_to_is_checked_and_not_repeated(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        Forwarder(url)
    assert "geheim" not in str(caught.value)


def test_the_query_of_a_url_is_not_shown() -> None:
    assert Forwarder("https://hook.test:1/a%20b?key=geheim#x").place == "https://hook.test:1/a%20b"


@asynccontextmanager
async def relaying(
    url: str,
    secret: str | None = SECRET,
    **settings: Any,  # noqa: ANN401 - the receiver's
) -> AsyncIterator[tuple[ForwardingReceiver, Heard]]:
    heard = Heard()
    async with (
        Forwarder(url) as forwarder,
        ForwardingReceiver(secret, heard, forwarder, **settings) as receiver,
    ):
        yield receiver, heard


@pytest.mark.anyio
@pytest.mark.usefixtures("_no_leaked_tasks")
class TestForwarding:
    async def test_a_delivery_goes_on_as_it_came(self) -> None:
        body = b'{"event": "run_completed",\n "run_id": "\xc3\xbc", "x": 1.50}'
        headers = sign(body, SECRET) | {
            "Content-Type": "application/json; x=1",
            "User-Agent": "Duvo/1",
            "X-Umlaut": "ü",
        }
        async with (
            serve(answer(202)) as there,
            relaying(f"{there.url}/a%2Fb?c=%20d") as (here, heard),
            ClientSession(skip_auto_headers=["Accept", "Accept-Encoding"]) as client,
            client.post(here.url + "other?q", data=body, headers=headers) as reply,
        ):
            assert reply.status == 200
            await heard.all_of(1)
        (asked,) = there.asked
        assert (asked.method, asked.raw_path, asked.body) == ("POST", "/a%2Fb?c=%20d", body)
        host = there.url.removeprefix("http://")
        own = {"Host": host, "Content-Length": str(len(body)), "Connection": "close"}
        assert dict(asked.headers) == headers | own

    async def test_nothing_is_added_to_what_came_without_headers(self) -> None:
        async with serve(answer()) as there, relaying(there.url, None) as (here, heard):
            here.receive(written(), {})
            await heard.all_of(1)
        assert set(there.asked[0].headers) == {"Host", "Content-Length", "Connection"}

    async def test_repeated_deliveries_go_on_and_refused_ones_do_not(self) -> None:
        async with serve(answer(204)) as there, relaying(there.url, max_body_bytes=100) as rig:
            here, heard = rig
            bodies = [written(id="1"), b"no event", written(x="y" * 100), written(id="1")]
            statuses = [await post(here.url, each) for each in bodies]
            statuses.append(await post(here.url, written(id="1"), secret="wrong"))
            await heard.all_of(2)
        assert statuses == [200, 400, 413, 200, 401]
        assert heard.arrivals == [
            (200, True),
            (400, False),
            (413, False),
            (200, True),
            (401, False),
        ]
        assert heard.outcomes == [("1", Forwarded(204))] * 2
        assert [each.body for each in there.asked] == [written(id="1")] * 2

    async def test_forwards_go_in_order_one_at_a_time(self) -> None:
        under_way = 0

        async def slowly(_: web.Request) -> web.StreamResponse:
            nonlocal under_way
            assert under_way == 0
            under_way += 1
            await asyncio.sleep(20 - len(there.asked))
            under_way -= 1
            return web.Response(status=200 + len(there.asked))

        async with serve(slowly) as there, relaying(there.url, None) as (here, heard):
            for number in range(5):
                here.receive(written(id=str(number)), {})
            await heard.all_of(5)
        assert heard.outcomes == [(str(number), Forwarded(201 + number)) for number in range(5)]

    async def test_a_redirect_is_an_answer(self) -> None:
        moved = answer(307, Location="/elsewhere")
        async with serve(moved) as there, relaying(there.url, None) as (here, heard):
            here.receive(written(), {})
            await heard.all_of(1)
        assert heard.outcomes == [(None, Forwarded(307))]
        assert len(there.asked) == 1

    async def test_cookies_are_not_kept(self) -> None:
        async with (
            serve(answer(Set_Cookie="a=b")) as there,
            relaying(there.url.replace("127.0.0.1", "localhost"), None) as (here, heard),
        ):
            for _ in range(2):
                here.receive(written(), {})
            await heard.all_of(2)
        assert "Cookie" not in there.asked[1].headers

    @pytest.mark.parametrize(
        ("failure", "reason"),
        [
            (hang_up, "Server disconnected"),
            (answer(500, X_Bad="a" * 9000), "no HTTP answer: Got more than 8190 bytes .*"),
        ],
    )
    async def test_a_failed_forward_ends_nothing(
        self, failure: Callable[[web.Request], Awaitable[web.StreamResponse]], reason: str
    ) -> None:
        async with (
            serve(failure, answer()) as there,
            relaying(f"{there.url}/?key=geheim", None) as (here, heard),
        ):
            for number in "12":
                here.receive(written(id=number), {})
            await heard.all_of(2)
        (first, failed), second = heard.outcomes
        assert (first, failed.status) == ("1", None)
        assert re.fullmatch(reason, failed.reason or "", re.DOTALL)
        assert "geheim" not in str(failed.reason)
        assert second == ("2", Forwarded(200))

    async def test_an_answer_that_does_not_come_is_not_waited_for(self) -> None:
        held = Held()
        async with (
            serve(held, answer()) as there,
            relaying(there.url, None) as (here, heard),
        ):
            for number in "12":
                here.receive(written(id=number), {})
            await heard.all_of(2)
            held.may_go.set()
        assert heard.outcomes == [
            ("1", Forwarded(reason="no answer within 30 s")),
            ("2", Forwarded(200)),
        ]

    async def test_nobody_there_is_a_failed_forward(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as held:
            port = held.getsockname()[1]
        async with relaying(f"http://127.0.0.1:{port}/", None) as (here, heard):
            here.receive(written(), {})
            await heard.all_of(1)
        ((_, outcome),) = heard.outcomes
        assert outcome.status is None
        assert f"Cannot connect to host 127.0.0.1:{port}" in str(outcome.reason)

    async def test_what_cannot_wait_is_answered_503_and_is_new_when_it_comes_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert MOST_WAITING == 1000
        monkeypatch.setattr(forwarding, "MOST_WAITING", 7)
        held = Held()
        async with serve(held) as there, relaying(there.url, None) as (here, heard):
            here.receive(written(id="first"), {})
            await held.came.wait()
            for number in range(7):
                assert here.receive(written(id=str(number)), {}).status == 200
            refused = here.receive(written(id="late"), {})
            assert refused == Receipt(503, reason="too many deliveries wait to be forwarded")
            assert heard.arrivals[-1] == (503, False)
            held.may_go.set()
            await heard.all_of(8)
            again = here.receive(written(id="late"), {})
            assert (again.status, again.repeated) == (200, False)
            await heard.all_of(9)
        order = ["first", *map(str, range(7)), "late"]
        assert heard.outcomes == [(each, Forwarded(200)) for each in order]

    async def test_what_waits_is_bounded_in_bytes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(forwarding, "MOST_BYTES", 2 * len(written(id="1")))
        held = Held()
        async with serve(held) as there, relaying(there.url, None) as (here, heard):
            here.receive(written(id="1"), {})
            await held.came.wait()  # it is on its way, and waits no longer
            statuses = [here.receive(written(id=name), {}).status for name in "234"]
            assert statuses == [200, 200, 503]
            held.may_go.set()
            await heard.all_of(3)
            assert here.receive(written(id="4"), {}).status == 200
            await heard.all_of(4)
        assert heard.outcomes == [(name, Forwarded(200)) for name in "1234"]

    async def test_the_end_waits_for_what_goes_quickly(self) -> None:
        async with serve(answer()) as there, relaying(there.url, None) as (here, heard):
            for number in "123":
                here.receive(written(id=number), {})
        assert heard.outcomes == [(number, Forwarded(200)) for number in "123"]

    async def test_the_end_tells_what_was_not_forwarded(self) -> None:
        held = Held()
        async with serve(held) as there:
            async with relaying(there.url, None) as (here, heard):
                for number in "123":
                    here.receive(written(id=number), {})
                await held.came.wait()
                begun = asyncio.get_running_loop().time()
            assert asyncio.get_running_loop().time() - begun == pytest.approx(5, abs=1)
            held.may_go.set()
        assert heard.outcomes == [(number, NEVER) for number in "123"]

    async def test_a_refusal_is_shown_and_not_logged(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        heard = Heard()
        async with ForwardingReceiver(SECRET, heard) as receiver:
            assert await post(receiver.url, written(), secret=None) == 401
            assert await post(receiver.url, written()) == 200
        assert heard.arrivals == [(401, False), (200, False)]
        assert warnings_in(caplog) == []


# --- the command in this process --------------------------------------------------------------

NOWHERE = Place("127.0.0.1", 0, None, {}, None)


@define
class Shown(Deliveries):
    """A view that says where it listens."""

    url: "asyncio.Future[str]"
    lines: list[str] = field(factory=list[str])
    printed: asyncio.Event = field(factory=asyncio.Event)
    trouble: list[OSError] = field(factory=list[OSError])

    def __attrs_post_init__(self) -> None:
        super().__init__(checked=True, clock=at_noon)

    def opened(self, url: str, place: str | None) -> None:
        self.url.set_result(f"{url} {place}")

    def _line(self, text: str) -> None:
        if self.trouble:
            raise self.trouble[0]
        self.lines.append(text.partition(" ")[2])
        self.printed.set()


@asynccontextmanager
async def listening(
    place: Place = NOWHERE,
) -> AsyncIterator[tuple[str, Shown, "asyncio.Task[None]"]]:
    loop = asyncio.get_running_loop()
    view, over = Shown(loop.create_future()), loop.create_future()
    task = asyncio.create_task(Listening(place, view).listen(over))
    try:
        yield (await view.url).partition(" ")[0], view, task
    finally:
        over.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.anyio
@pytest.mark.usefixtures("_no_leaked_tasks")
class TestListening:
    async def test_a_run_of_the_emulator_is_a_line(
        self, emulator: Emulator, duvo: AsyncDuvo
    ) -> None:
        async with listening() as (url, view, _):
            run = await duvo.runs.start(emulator.add_agent([]), webhook_url=url)
            await view.printed.wait()
        assert view.lines == [f"200 run_completed {run.id} completed"]

    async def test_deliveries_are_checked_as_they_are_said_to_be(self) -> None:
        how: dict[str, Any] = {"header": "S", "timestamp_header": None}
        place = evolve(NOWHERE, secrets=("new", "old"), settings=how)
        async with listening(place) as (url, view, _):
            for secret in ("new", "old", "wrong"):
                headers = sign(written(), secret, **how)
                await post(url, written(), secret=None, **headers)
            await post(url, written(), secret="new")
        assert [line.split(":")[0] for line in view.lines] == [
            f"200 run_completed {RUN_ID} -",
            f"200 run_completed {RUN_ID} - repeated",
            "401 signature_mismatch",
            "401 signature_missing",
        ]

    async def test_what_is_taken_goes_on_and_the_answer_is_a_line(self) -> None:
        async with serve(answer(418)) as there:
            async with listening(evolve(NOWHERE, forward=there.url)) as (url, view, _):
                await post(url, written(), secret=None)
            assert (await view.url).endswith(f" {there.url}")
        assert view.lines == [
            f"200 run_completed {RUN_ID} -",
            f"forwarded: 418 run_completed {RUN_ID} -",
        ]

    async def test_what_cannot_be_printed_ends_it_and_is_answered(self) -> None:
        async with listening() as (url, view, task):
            view.trouble.append(BrokenPipeError())
            assert await post(url, written(), secret=None) == 200
            with pytest.raises(BrokenPipeError):
                await task

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"forward": "http://a:b@hook.test"}, "user or password"),
            ({"secrets": ("",)}, "secret must not be empty"),
            ({"secrets": ("s",), "settings": {"tolerance": -1.0}}, "tolerance must be 0 s or more"),
        ],
    )
    async def test_what_is_wrong_is_said_before_it_listens(
        self, changes: dict[str, Any], reason: str
    ) -> None:
        loop = asyncio.get_running_loop()
        view = Shown(loop.create_future())
        with pytest.raises(ValueError, match=reason):
            await Listening(evolve(NOWHERE, **changes), view).listen(loop.create_future())
        assert not view.url.done()

    async def test_every_address_is_one_to_listen_on(self) -> None:
        receiver = WebhookReceiver(None, host="")
        try:
            async with receiver:
                assert receiver.url.startswith("http://")
        finally:
            await receiver.__aexit__()  # it listens, although it could not be entered


def test_a_secret_is_not_in_what_a_place_looks_like() -> None:
    assert "geheim" not in repr(evolve(NOWHERE, secrets=("geheim",)))


# --- the command as it is called --------------------------------------------------------------


def say(url: str, body: bytes, headers: dict[str, str]) -> int:
    request = urllib.request.Request(url, body, headers)  # noqa: S310 - our own listener
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310 - as above
            return int(reply.status)
    except HTTPError as error:
        return error.code


@contextmanager
def started(*words: str, **env: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, "listen", "--port", "0", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(None) | env,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            yield process, process.stderr.readline().split()[2]
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("words", "env", "number"),
    [
        (("--secret", "ge heim"), {}, signal.SIGINT),
        (("--json",), {"DUVO_WEBHOOK_SECRET": "ge heim"}, signal.SIGTERM),
    ],
)
def test_it_prints_and_checks_deliveries_until_it_is_told_to_end(
    words: tuple[str, ...], env: dict[str, str], number: signal.Signals
) -> None:
    with started(*words, **env) as (process, url):
        statuses = [
            say(url, written(), sign(written(), "ge heim")),
            say(url, written(), sign(written(), "ge")),
        ]
        process.send_signal(number)
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, statuses) == (0, [200, 401])
    first, second = output.splitlines()
    if "--json" in words:
        assert (json.loads(first)["checked"], json.loads(second)["status"]) == (True, 401)
    else:
        assert first.endswith(f" 200 run_completed {RUN_ID} -")
        assert " 401 signature_mismatch: " in second
    assert "Traceback" not in errors
    assert "heim" not in output + errors


def test_no_timestamp_is_an_empty_name() -> None:
    words = ("--timestamp-header", "", "--header", "S", "--tolerance", "1")
    with started(*words, DUVO_WEBHOOK_SECRET=SECRET) as (_, url):
        signed = sign(written(), SECRET, header="S", timestamp_header=None)
        assert say(url, written(), signed) == 200


@pytest.mark.parametrize("prefix", ["", "v1="])
def test_what_stands_before_the_signature_can_be_said(prefix: str) -> None:
    with started("--prefix", prefix, DUVO_WEBHOOK_SECRET=SECRET) as (_, url):
        assert say(url, written(), sign(written(), SECRET, prefix=prefix)) == 200
        assert say(url, written(), sign(written(), SECRET)) == 401


def test_nobody_reading_ends_it_quietly() -> None:
    with started() as (process, url):
        assert process.stdout is not None
        process.stdout.close()
        assert say(url, written(), {}) == 200
        assert process.wait(30) == 1
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_a_port_in_use_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        done = shell("listen", "--port", str(port))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: cannot listen on 127.0.0.1, port {port}: ")
    assert "address already in use" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_wrong_url_is_one_line_without_it() -> None:
    done = shell("listen", "--port", "0", "--forward", "http://a:geheim@hook.test/")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "duvo-async: the URL to forward to must not hold a user or password\n"
