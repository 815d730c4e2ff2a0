import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from unittest.mock import Mock

import pytest
from attrs import evolve, fields
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from duvo_async import (
    APIStatusError,
    BadRequestError,
    NotFoundError,
    RateLimit,
    RateLimitError,
    ServerError,
)
from duvo_async._bodies import ByteStream, multipart
from duvo_async._protocol import (
    Call,
    Request,
    Response,
    Window,
    failure,
    json_body,
    rate_limit,
    request_id,
    retry_after,
    server_time,
    window,
)
from duvo_async.errors import class_for_status
from tests.support.bodies import json_values
from tests.support.properties import unhurried

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
DATE = "Wed, 01 Jul 2026 12:00:00 GMT"
REQUEST = Request(method="POST", path="/v1/runs", body=b"{}", idempotency_key="key-1")


def response(status: int, body: object = b"", reason: str = "", **headers: str) -> Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, reason=reason, headers=CIMultiDict(names), body=data)


def failed(*args: Any, attempts: int = 1, **headers: Any) -> APIStatusError:  # noqa: ANN401
    error = failure(REQUEST, response(*args, **headers), attempts)
    assert error is not None
    return error


def test_a_request_with_a_key_is_the_same_otherwise() -> None:
    every = Request(
        "PATCH",
        "/v1/x",
        (("a", "b"),),
        b"{}",
        "text/plain",
        "first",
        7.0,
        "https://s/x",
        only_reads=True,
        sink=Mock(),
    )
    assert all(getattr(every, each.name) != each.default for each in fields(Request))
    assert every.with_key("second") == evolve(every, idempotency_key="second")


# --- what went wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
@pytest.mark.parametrize("body", [b"", {"error": "x"}, b"<html>"])
def test_success_is_no_failure(status: int, body: object) -> None:
    assert failure(REQUEST, response(status, body), 1) is None


@pytest.mark.parametrize("status", [*range(100, 200), *range(300, 600)])
def test_every_other_status_has_its_error(status: int) -> None:
    error = failed(status)
    assert type(error) is class_for_status(status)
    assert error.status == status


def test_an_error_knows_its_call() -> None:
    error = failed(400, attempts=3)
    assert (error.method, error.path, error.idempotency_key) == ("POST", "/v1/runs", "key-1")
    assert error.attempts == 3


@pytest.mark.parametrize(
    ("body", "facts"),
    [
        ({"error": "Bad Request", "message": "no agent"}, ("Bad Request", "no agent", None, None)),
        ({"error": "Not found"}, ("Not found", None, None, None)),
        (
            {"code": "c", "message": "m", "request_id": "req-1", "details": {"a": [1]}},
            ("c", "m", "req-1", {"a": [1]}),
        ),
        ({"code": "c", "error": "e", "message": "m"}, ("c", "m", None, None)),
        ({"code": "c"}, ("c", None, None, None)),
        ({"message": "m"}, (None, "m", None, None)),
        ({"error": {"code": "c", "message": "m"}}, ("c", "m", None, None)),
        (
            {"error": {"code": "c", "message": "m", "request_id": "req-1", "details": [1]}},
            ("c", "m", "req-1", [1]),
        ),
        ({"error": {"code": "c"}, "request_id": "req-1"}, ("c", None, "req-1", None)),
        ({"error": {"code": "c"}, "message": "m"}, ("c", "m", None, None)),
        ({"error": {}}, (None, None, None, None)),
        ({"code": "", "message": ""}, (None, None, None, None)),
        ({"code": 7, "message": ["m"], "request_id": 1}, (None, None, None, None)),
        ({"error": ["c"], "message": {"a": 1}}, (None, None, None, None)),
        ({"error": None, "message": None, "details": None}, (None, None, None, None)),
        ({"details": "words"}, (None, None, None, "words")),
        ({}, (None, None, None, None)),
        ([], (None, None, None, None)),
        ([{"error": "e"}], (None, None, None, None)),
        ("words", (None, None, None, None)),
        (None, (None, None, None, None)),
        (7, (None, None, None, None)),
        (b"", (None, None, None, None)),
        (b"<html><body>502</body></html>", (None, None, None, None)),
        (b'{"error": "cut', (None, None, None, None)),
        (b"\xff\xfe\x00", (None, None, None, None)),
    ],
)
def test_the_facts_of_an_error_body(
    body: object, facts: tuple[str | None, str | None, str | None, object]
) -> None:
    error = failed(400, body)
    assert (error.code, error.message, error.request_id, error.details) == facts


@pytest.mark.parametrize(
    ("status", "body", "reason", "said"),
    [
        (400, {"error": "Bad Request", "message": "no agent"}, "", "400 Bad Request: no agent"),
        (400, {"error": "Bad Request"}, "Ignored", "400 Bad Request"),
        (502, b"<html>", "Bad Gateway", "502 Bad Gateway (the body has no error"),
        (502, b"", "Bad Gateway", "502 Bad Gateway (the body is empty)"),
        (418, b"", "", "418 no reason given"),
        (400, [], "Bad Request", "400 Bad Request (the body has no error"),
    ],
)
def test_an_error_says_the_most_that_is_known(
    status: int, body: object, reason: str, said: str
) -> None:
    assert str(failed(status, body, reason)).startswith(f"POST /v1/runs: {said}")


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 399])
def test_a_redirect_points_to_the_base_url(status: int) -> None:
    error = failed(status, b"", "Found", Location="https://other.test/?token=hunter2")
    assert type(error) is APIStatusError
    assert "redirected" in str(error)
    assert "base URL" in str(error)
    assert "hunter2" not in str(error)


def test_the_body_of_a_proxy_is_not_quoted() -> None:
    assert "hunter2" not in str(failed(502, b"<html>hunter2</html>"))


@pytest.mark.parametrize(
    ("header", "body", "found"),
    [
        ("req-header", {"request_id": "req-body"}, "req-header"),
        ("", {"request_id": "req-body"}, "req-body"),
        (None, {"request_id": "req-body"}, "req-body"),
        ("req-header", b"<html>", "req-header"),
        (None, b"", None),
        ("", b"", None),
    ],
)
def test_the_request_id_is_the_headers_or_the_bodys(
    header: str | None, body: object, found: str | None
) -> None:
    headers: dict[str, Any] = {} if header is None else {"X-Request-Id": header}
    assert failed(500, body, **headers).request_id == found


@pytest.mark.parametrize("name", ["x-request-id", "X-Request-ID", "X-REQUEST-ID"])
def test_headers_have_names_in_any_case(name: str) -> None:
    assert request_id(response(200, **{name: "req-1"})) == "req-1"


def test_an_error_carries_retry_after() -> None:
    assert failed(429, retry_after="7").retry_after == 7.0
    assert failed(503, Retry_After="7").retry_after == 7.0
    assert failed(429).retry_after is None
    assert isinstance(failed(429), RateLimitError)


@unhurried
@given(status=st.integers(300, 599), body=st.binary(max_size=60) | json_values)
def test_any_error_body_makes_an_error(status: int, body: object) -> None:
    error = failed(status, body)
    assert error.status == status
    for fact in (error.code, error.message, error.request_id):
        assert fact is None or (isinstance(fact, str) and fact)
    assert str(error).startswith(f"POST /v1/runs: {status} ")


@pytest.mark.parametrize("depth", [1_000, 200_000])
def test_a_deep_error_body_makes_an_error(depth: int) -> None:
    assert isinstance(failed(400, b"[" * depth + b"]" * depth), BadRequestError)
    assert isinstance(failed(404, b'{"error":' * depth + b"1" + b"}" * depth), NotFoundError)
    assert isinstance(failed(500, b"9" * depth), ServerError)


# --- Retry-After ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("1", 1.0),
        ("120", 120.0),
        (" 5 ", 5.0),
        ("0.25", 0.25),
        ("007", 7.0),
        ("999999999", 999_999_999.0),
        (DATE, 0.0),
        ("Wed, 01 Jul 2026 12:00:30 GMT", 30.0),
        ("Wed, 01 Jul 2026 13:00:00 GMT", 3_600.0),
        ("Wed, 01 Jul 2026 14:00:30 +0200", 30.0),
        ("Wed, 01 Jul 2026 12:00:30 -0000", 30.0),
        ("Wed, 01 Jul 2026 11:00:00 GMT", 0.0),
        ("Wednesday, 01-Jul-26 12:00:30 GMT", 30.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float) -> None:
    assert retry_after({"retry-after": text, "date": DATE}) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "soon",
        "-1",
        "-0.5",
        "+5",
        "1e3",
        "0x10",
        "5s",
        "5, 6",
        "nan",
        "inf",
        "٣",
        "1.",
        ".5",
        "Wed",
        "Wed, 99 Jul 2026 12:00:00 GMT",
        "Wed, 01 Jul 2026 25:00:00 GMT",
        "Wed, 01 Jul 2026 12:00:00 +9999",
    ],
)
def test_any_other_retry_after_is_none(text: str) -> None:
    assert retry_after({"retry-after": text, "date": DATE}) is None


@pytest.mark.parametrize("text", ["1000000000", "99999999999", "9" * 40])
def test_a_huge_retry_after_is_still_a_request_to_wait(text: str) -> None:
    asked = retry_after({"retry-after": text, "date": DATE})
    assert asked is not None
    assert asked >= 10**9


ABSURD_DATES = [
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Mon, 01 Jan 99999999999 00:00:00 GMT",
    "Mon, 01 Jan 2026 00:00:00 +99999999999999",
    "Mon, 99999999999 Jan 2026 00:00:00 GMT",
    "Mon, 01 Jan 2026 99999999999:00:00 GMT",
    "Mon, 01 Jan 0000 00:00:00 GMT",
    "Mon, 01 Jan 2026 00:00:00 +2400",
    ",",
    "GMT",
    "1 2 3 4 5",
]


@pytest.mark.parametrize("text", ABSURD_DATES)
def test_an_absurd_date_is_no_trouble(text: str) -> None:
    asked = retry_after({"retry-after": text, "date": DATE})
    assert asked is None or asked >= 0
    assert retry_after({"retry-after": DATE, "date": text}) is not None
    headers = {**LIMITS, "x-ratelimit-reset": "1782907200", "date": text}
    reading = window(headers)
    assert reading is not None
    assert rate_limit(reading, headers).remaining == 250


def test_without_retry_after_nothing_is_asked() -> None:
    assert retry_after({"date": DATE}) is None


@unhurried
@given(seconds=st.integers(-(10**6), 10**6))
def test_a_date_is_compared_with_the_servers_own_clock(seconds: int) -> None:
    moment = format_datetime(NOON + timedelta(seconds=seconds), usegmt=True)
    assert retry_after({"retry-after": moment, "date": DATE}) == max(0, seconds)


header_texts = st.text(st.characters(codec="latin-1"), max_size=30) | st.from_regex(
    r"(Mon, )?[0-9]{1,12} Jan [0-9]{1,12}( [0-9]{1,12}:[0-9]{2}(:[0-9]{2})?( [+-]?[0-9]{4,20})?)?",
    fullmatch=True,
)


@unhurried
@example(text="1 Jan 3000000000 0:0", date=DATE)
@example(text="1 Jan 2026 0:0 +3000000000000", date=DATE)
@given(text=header_texts, date=header_texts)
def test_any_retry_after_is_seconds_or_none(text: str, date: str) -> None:
    asked = retry_after({"retry-after": text, "date": date})
    assert asked is None or 0 <= asked < float("inf")


# --- the server's time ---------------------------------------------------------------------------


def test_the_server_tells_its_time() -> None:
    assert server_time({"date": DATE}) == NOON
    assert server_time(CIMultiDict(Date=DATE)) == NOON


@pytest.mark.parametrize("headers", [{}, {"date": ""}, {"date": "noon"}])
def test_without_its_time_this_machines_is_taken(headers: dict[str, str]) -> None:
    before = datetime.now(UTC)
    assert before <= server_time(headers) <= datetime.now(UTC)


# --- the rate limit ------------------------------------------------------------------------------

LIMITS = {"x-ratelimit-limit": "300", "x-ratelimit-remaining": "250", "x-ratelimit-reset": "30"}


def limits(prefix: str, limit: str, remaining: str, reset: str) -> dict[str, str]:
    return {
        f"{prefix}limit": limit,
        f"{prefix}remaining": remaining,
        f"{prefix}reset": reset,
        "date": DATE,
    }


@pytest.mark.parametrize("prefix", ["x-ratelimit-", "ratelimit-", "X-RateLimit-", "RateLimit-"])
@pytest.mark.parametrize(
    ("told", "reading"),
    [
        (("300", "299", "60"), Window(300, 299, 60.0)),
        (("300", "0", "0"), Window(300, 0, 0.0)),
        (("1", "1", "1"), Window(1, 1, 1.0)),
        (("300", "299", str(int(NOON.timestamp()) + 45)), Window(300, 299, 45.0)),
        (("300", "299", str(int(NOON.timestamp()))), Window(300, 299, 0.0)),
        (("300", "299", str(int(NOON.timestamp()) - 45)), Window(300, 299, 0.0)),
        (("300", "299", "999999999"), Window(300, 299, 999_999_999.0)),
        (("300", "299", "1000000000"), Window(300, 299, 0.0)),
        (("300", "301", "60"), Window(300, 300, 60.0)),
        (("300, 300;w=60", "299", "60"), Window(300, 299, 60.0)),
    ],
)
def test_a_window_is_read_in_both_spellings(
    prefix: str, told: tuple[str, str, str], reading: Window
) -> None:
    assert window(CIMultiDict(limits(prefix, *told))) == reading


@pytest.mark.parametrize("prefix", ["x-ratelimit-", "ratelimit-"])
@pytest.mark.parametrize(
    "told",
    [
        ("0", "0", "60"),
        ("", "299", "60"),
        ("300", "", "60"),
        ("300", "299", ""),
        ("-300", "299", "60"),
        ("300", "-1", "60"),
        ("300", "299", "-60"),
        ("many", "few", "soon"),
        ("nan", "nan", "nan"),
        ("٣٠٠", "299", "60"),
        ("300", "299", "Wed, 01 Jul 2026 12:00:30 GMT"),
    ],
)
def test_a_window_that_makes_no_sense_is_none(prefix: str, told: tuple[str, str, str]) -> None:
    assert window(limits(prefix, *told)) is None


@pytest.mark.parametrize("missing", LIMITS)
def test_a_window_needs_all_of_its_headers(missing: str) -> None:
    assert window(LIMITS) is not None
    assert window({name: text for name, text in LIMITS.items() if name != missing}) is None


def test_without_headers_there_is_no_window() -> None:
    assert window({}) is None


def test_the_documented_family_goes_first_and_the_other_stands_in() -> None:
    first = limits("x-ratelimit-", "300", "10", "20")
    second = limits("ratelimit-", "100", "50", "40")
    assert window({**first, **second}) == Window(300, 10, 20.0)
    assert window({**first, **second, "x-ratelimit-reset": "?"}) == Window(100, 50, 40.0)
    assert window({**first, **second, "x-ratelimit-limit": "0"}) == Window(100, 50, 40.0)


@pytest.mark.parametrize(
    "told",
    [
        ("9" * 40, "9" * 40, "60"),
        ("300", "9" * 40, "60"),
        ("300", "299", "9" * 40),
        ("300", "299", "1782907245000"),
    ],
)
def test_absurd_numbers_are_no_trouble(told: tuple[str, str, str]) -> None:
    headers = limits("x-ratelimit-", *told)
    reading = window(headers)
    if reading is not None:
        assert 0 <= reading.remaining <= reading.limit
        assert rate_limit(reading, headers).reset_at > NOON


@unhurried
@example({"date": "0 Jan 0 3000000000:0", "x-ratelimit-reset": "1782907200"})
@example({"date": "Fri, 31 Dec 9999 23:59:59 GMT"})
@given(st.dictionaries(st.sampled_from([*LIMITS, "date"]), header_texts | st.integers().map(str)))
def test_any_headers_make_a_window_or_none(changes: dict[str, str]) -> None:
    headers = {**LIMITS, "date": DATE, **changes}
    reading = window(headers)
    if reading is not None:
        assert 0 <= reading.remaining <= reading.limit
        assert 0 <= reading.reset_in < float("inf")
        assert rate_limit(reading, headers).limit == reading.limit


@pytest.mark.parametrize("reset_in", [0, 1, 59.5, 3_600])
def test_the_user_is_told_when_the_window_starts_anew(reset_in: float) -> None:
    assert rate_limit(Window(300, 299, reset_in), {"date": DATE}) == RateLimit(
        limit=300, remaining=299, reset_at=NOON + timedelta(seconds=reset_in)
    )


def test_the_users_reset_is_aware_and_utc() -> None:
    assert rate_limit(Window(300, 299, 1), {"date": DATE}).reset_at.tzinfo is UTC


# --- requests ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("key", [None, "key-1"])
def test_what_changes_something_is_repeated_only_with_a_key(method: str, key: str | None) -> None:
    request = Request(method=method, path="/v1/runs", idempotency_key=key)
    reads = method in {"GET", "HEAD"}
    assert request.mutates is not reads
    assert request.repeatable is (reads or key is not None)


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({}, b"{}"),
        ({"a": None}, b"{}"),
        ({"a": "x", "b": None}, b'{"a":"x"}'),
        ({"a": False, "b": 0, "c": "", "d": []}, b'{"a":false,"b":0,"c":"","d":[]}'),
        ({"a": {"b": None}}, b'{"a":{"b":null}}'),
        ({"a": "é€"}, '{"a":"é€"}'.encode()),
        ({"a": '"\\\n'}, b'{"a":"\\"\\\\\\n"}'),
    ],
)
def test_a_body_leaves_out_what_was_not_given(fields: dict[str, object], body: bytes) -> None:
    assert json_body(fields) == body


@unhurried
@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.none() | st.integers()))
def test_a_body_holds_all_that_was_given(fields: dict[str, object]) -> None:
    given_ones = {name: value for name, value in fields.items() if value is not None}
    assert json.loads(json_body(fields)) == given_ones


async def no_blocks() -> AsyncGenerator[bytes, None]:
    yield b""


@pytest.mark.parametrize(
    "value",
    [
        Request(method="PUT", path="s.test/a", signed_url="https://s.test/a?sig=hunter2"),
        Call(Request(method="PUT", path="s.test/a", signed_url="hunter2"), lambda _: None),
        ByteStream(size=7, content_type="text/plain", blocks=no_blocks, data=b"hunter2"),
        multipart(
            ByteStream(size=7, content_type="text/plain", blocks=no_blocks, data=b"hunter2"),
            path="hunter2",
            boundary="b",
        ),
        response(200, b"hunter2"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_repr_shows_a_signature_or_what_was_sent(value: object) -> None:
    assert "hunter2" not in repr(value)
    assert "hunter2" not in str(value)


def test_a_changed_request_hides_its_signature_too() -> None:
    request = evolve(REQUEST, signed_url="https://s.test/a?sig=hunter2")
    assert "hunter2" not in repr(request)
    assert request.signed_url == "https://s.test/a?sig=hunter2"


def test_a_failure_of_a_presigned_upload_shows_no_signature() -> None:
    request = Request(method="PUT", path="s.test/a", signed_url="https://s.test/a?sig=hunter2")
    error = failure(request, response(403, b"<Error/>", "Forbidden"), 1)
    assert error is not None
    assert "s.test/a" in str(error)
    assert "hunter2" not in f"{error} {error!r} {vars(error)}"


def test_a_stream_knows_its_size_before_it_is_read() -> None:
    stream = ByteStream(size=7, content_type="text/plain", blocks=no_blocks)
    assert Request(method="PUT", path="s.test/a", body=stream).body is stream
    assert stream.size == 7
