"""Cases by the hundred: lazily, in order, each once, whatever happens on the way."""

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from attrs import frozen

from duvo_async import (
    APIConnectionError,
    AsyncDuvo,
    AsyncItems,
    Case,
    Duvo,
    NewCase,
    NotFoundError,
    ResponseDecodeError,
    RetryPolicy,
    ServerError,
)
from duvo_async.emulator import Emulator
from duvo_async.mirrors import Cases, Queues
from duvo_async.resources.cases import AsyncCases
from duvo_async.resources.queues import AsyncQueues
from duvo_async.settings import APIVersion
from tests.support.proxy import Fault, Proxy, proxied
from tests.support.stub import answer, serve
from tests.support.virtual_time import wall_clock

pytestmark = pytest.mark.anyio
VERSIONS: tuple[APIVersion, ...] = ("v1", "v2")


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> APIVersion:
    found: APIVersion = request.param
    return found


@frozen
class Rig:
    """A queue, its cases, the proxy that they are made through, and the emulator behind that."""

    emulator: Emulator
    proxy: Proxy
    cases: AsyncCases
    queue: str

    def titles(self) -> list[str]:
        """What there is in the queue, oldest first."""
        return titles_in(self.emulator, self.queue)

    def keys(self) -> list[str | None]:
        """The idempotency keys of the requests that came."""
        posts = self.proxy.requests("POST", "/cases")
        return [each.headers.get("Idempotency-Key") for each in posts]


@pytest.fixture
async def rig(_no_leaked_tasks: None, version: APIVersion) -> AsyncIterator[Rig]:
    async with (
        Emulator(clock=wall_clock, requests_per_minute=None) as emulator,
        proxied(emulator.url) as proxy,
        AsyncDuvo(emulator.api_key, base_url=proxy.url, api_version=version) as duvo,
    ):
        session = duvo._session  # noqa: SLF001 - its calls
        queue = await AsyncQueues(session).create("Invoices")
        yield Rig(emulator, proxy, AsyncCases(session), queue.id)


def numbers(count: int) -> list[str]:
    return [f"Invoice {number}" for number in range(count)]


def titles_in(emulator: Emulator, queue: str) -> list[str]:
    return [entry.title for entry in emulator.cases(queue)]


async def seen_of(items: AsyncItems[Case]) -> list[str]:
    return [case.title async for case in items]


async def take(items: AsyncItems[Case], seen: list[str]) -> None:
    async for case in items:
        seen.append(case.title)  # noqa: PERF401 - it may end half-way


@pytest.mark.parametrize(
    ("count", "requests"), [(0, 0), (1, 1), (99, 1), (100, 1), (101, 2), (1234, 13)]
)
@pytest.mark.parametrize("kind", ["list", "generator", "async generator"])
async def test_cases_are_made_by_the_hundred_in_their_order(
    rig: Rig, kind: str, count: int, requests: int
) -> None:
    async def later() -> AsyncIterator[str]:
        for title in numbers(count):
            yield title

    inputs: dict[str, Any] = {
        "list": numbers(count),
        "generator": (title for title in numbers(count)),
        "async generator": later(),
    }
    made = rig.cases.create_many(rig.queue, inputs[kind])
    assert await seen_of(made) == rig.titles() == numbers(count)
    assert len(rig.keys()) == len(set(rig.keys())) == requests


async def test_cases_of_every_form_are_made(rig: Rig) -> None:
    new: list[NewCase | dict[str, Any] | str] = [
        "plain",
        {"title": "mapping", "data": "d", "priority": "high"},
        NewCase(title="model", data="e", labels={"region": "EU"}),
    ]
    made = [case async for case in rig.cases.create_many(rig.queue, new)]
    assert [case.title for case in made] == ["plain", "mapping", "model"]
    assert [label.value for label in made[2].labels] == ["EU"]
    assert [(entry.data, entry.priority) for entry in rig.emulator.cases(rig.queue)] == [
        ("", "none"),
        ("d", "high"),
        ("e", "none"),
    ]


async def test_pages_are_hundreds(rig: Rig) -> None:
    pages = [len(page) async for page in rig.cases.create_many(rig.queue, numbers(250)).pages()]
    assert pages == [100, 100, 50]


async def test_nothing_is_read_or_sent_ahead(rig: Rig) -> None:
    read = 0

    def endless() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield f"Invoice {read}"

    taken = 0
    items = rig.cases.create_many(rig.queue, endless())
    assert (read, rig.keys()) == (0, [])
    async for _ in items:
        taken += 1
        assert read == len(rig.keys()) * 100 == (taken + 99) // 100 * 100
        if taken == 150:
            break
    assert (read, len(rig.keys())) == (200, 2)


async def test_leaving_early_makes_no_more(rig: Rig) -> None:
    pages = rig.cases.create_many(rig.queue, numbers(1000)).pages()
    await anext(pages)
    await pages.aclose()
    assert rig.titles() == numbers(100)


FAULTS = [
    Fault(kind="lose", method="POST", path="/cases"),
    Fault(kind="cut", method="POST", path="/cases", after=0.5),
    Fault(kind="cut", method="POST", path="/cases"),
    Fault(kind="answer", method="POST", path="/cases", status=503),
    Fault(kind="answer", method="POST", path="/cases", status=429, headers={"Retry-After": "1"}),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.kind} {fault.status}")
async def test_each_case_exists_once_after_faults(rig: Rig, fault: Fault) -> None:
    calm = Fault(kind="none", method="POST", path="/cases")
    rig.proxy.faults.extend([calm, fault, calm, calm, fault, fault])
    assert await seen_of(rig.cases.create_many(rig.queue, numbers(450))) == numbers(450)
    assert rig.titles() == numbers(450)
    assert len(rig.keys()) == 8
    assert len(set(rig.keys())) == 5


@pytest.mark.no_cover
@pytest.mark.once
@pytest.mark.parametrize("version", ["v2"], indirect=True)
async def test_25000_cases_are_250_requests_and_each_exists_once(rig: Rig) -> None:
    calm = Fault(kind="none", method="POST", path="/cases")
    rig.proxy.faults.extend([fault for each in FAULTS[:3] for fault in (calm, each)])
    titles = (f"Invoice {number}" for number in range(25_000))
    assert await seen_of(rig.cases.create_many(rig.queue, titles)) == numbers(25_000)
    assert rig.titles() == numbers(25_000)
    assert (len(rig.keys()), len(set(rig.keys()))) == (253, 250)


async def test_a_repeated_call_goes_on_where_it_failed(rig: Rig) -> None:
    calm, lost = (Fault(kind=kind, method="POST", path="/cases") for kind in ("none", "lose"))
    rig.proxy.faults.extend([calm, calm, *[lost] * 20])
    made: list[str] = []
    with pytest.raises(APIConnectionError, match="200 cases had been created before") as caught:
        await take(rig.cases.create_many(rig.queue, numbers(350), idempotency_key="march"), made)
    assert "idempotency_key='march'" in str(caught.value)
    assert made == numbers(200)
    rig.proxy.faults.clear()
    again = rig.cases.create_many(rig.queue, numbers(350), idempotency_key="march")
    assert await seen_of(again) == numbers(350)
    assert rig.titles() == numbers(350)
    assert {*rig.keys()} == {f"march-{number}" for number in range(4)}


async def test_a_key_that_was_made_up_is_told(rig: Rig) -> None:
    refused = Fault(kind="answer", method="POST", path="/cases", status=501)
    rig.proxy.faults.extend([Fault(kind="none", method="POST", path="/cases"), refused])
    with pytest.raises(ServerError) as caught:
        await seen_of(rig.cases.create_many(rig.queue, numbers(150)))
    assert caught.value.idempotency_key is not None
    made_up = caught.value.idempotency_key.removesuffix("-1")
    assert f"idempotency_key={made_up!r}" in str(caught.value)
    again = rig.cases.create_many(rig.queue, numbers(150), idempotency_key=made_up)
    assert await seen_of(again) == rig.titles() == numbers(150)


async def test_each_iteration_makes_its_own_cases(rig: Rig) -> None:
    items = rig.cases.create_many(rig.queue, ["a"])
    assert await seen_of(items) == await seen_of(items) == ["a"]
    assert rig.titles() == ["a", "a"]


@pytest.mark.parametrize("wrong", ["", "t" * 501, 7, {"title": "t", "colour": "red"}])
async def test_a_wrong_case_fails_with_its_index_before_its_hundred(
    rig: Rig,
    wrong: Any,  # noqa: ANN401 - no case
) -> None:
    new = [*numbers(242), wrong, *numbers(58)]
    made: list[str] = []
    with pytest.raises((ValueError, TypeError), match="case 242: ") as caught:
        await take(rig.cases.create_many(rig.queue, new), made)
    assert "200 cases had been created before" in caught.value.__notes__[0]
    assert made == rig.titles() == numbers(200)
    assert len(rig.keys()) == 2


async def test_what_reading_the_cases_raises_is_raised(rig: Rig) -> None:
    def broken() -> Iterator[str]:
        yield from numbers(130)
        raise OSError("the file is gone")

    with pytest.raises(OSError, match="the file is gone") as caught:
        await seen_of(rig.cases.create_many(rig.queue, broken()))
    assert "100 cases had been created before" in caught.value.__notes__[0]
    assert rig.titles() == numbers(100)


async def test_an_unknown_queue_fails(rig: Rig) -> None:
    with pytest.raises(NotFoundError, match="0 cases had been created before"):
        await seen_of(rig.cases.create_many("00000000-0000-4000-8000-000000000000", ["a"]))


@pytest.mark.parametrize("told", [0, 1, 3])
async def test_another_number_of_cases_is_never_taken_for_success(told: int) -> None:
    case = {
        "id": "case-1",
        "queue_id": "queue-1",
        "title": "t",
        "status": "pending",
        "created_at": "2026-07-01T12:00:00Z",
        "updated_at": "2026-07-01T12:00:00Z",
    }
    async with (
        serve(answer(201, {"added_cases": [case] * told})) as stub,
        AsyncDuvo("key", base_url=stub.url) as duvo,
    ):
        cases = AsyncCases(duvo._session)  # noqa: SLF001 - its calls
        with pytest.raises(ResponseDecodeError, match=f"expected 2 cases, not {told}") as caught:
            await seen_of(cases.create_many("queue-1", ["a", "b"], idempotency_key="key-1"))
    assert caught.value.idempotency_key == "key-1-0"
    assert len(stub.asked) == 1


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        (("queue-1", "a title"), TypeError, "cases must be many, not one str"),
        (("queue-1", {"title": "a"}), TypeError, "cases must be many, not one dict"),
        (("queue-1", 7), TypeError, "cases must be an iterable, not int"),
        (("a/b", []), ValueError, "is not an id"),
    ],
)
async def test_wrong_arguments_fail_at_once(
    rig: Rig, given: tuple[Any, ...], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        rig.cases.create_many(*given)


@pytest.mark.parametrize(
    ("key", "error"), [("", ValueError), ("  ", ValueError), (7, TypeError), (b"key", TypeError)]
)
async def test_a_wrong_key_fails_at_once(
    rig: Rig,
    key: Any,  # noqa: ANN401 - no key
    error: type[Exception],
) -> None:
    with pytest.raises(error, match="idempotency_key"):
        rig.cases.create_many("queue-1", ["a"], idempotency_key=key)


@pytest.mark.usefixtures("_no_leaked_tasks")
async def test_cases_leave_a_part_of_the_budget_to_other_calls(version: APIVersion) -> None:
    async with (
        Emulator(clock=wall_clock, requests_per_minute=20) as emulator,
        AsyncDuvo(emulator.api_key, base_url=emulator.url, api_version=version) as duvo,
    ):
        session = duvo._session  # noqa: SLF001 - its calls
        queue = (await AsyncQueues(session).create("Invoices")).id
        made = await seen_of(AsyncCases(session).create_many(queue, numbers(3_000)))
        assert made == titles_in(emulator, queue) == numbers(3_000)
        assert 429 not in {record.status for record in emulator.requests}
        in_the_window = [
            record for record in emulator.requests if record.at - emulator.requests[0].at < 60
        ]
        assert len(in_the_window) == 18


# --- blocking ------------------------------------------------------------------------------------


@pytest.fixture
def faces(version: APIVersion) -> Iterator[tuple[Cases, str, Emulator]]:
    with (
        Emulator(requests_per_minute=None) as emulator,
        Duvo(
            emulator.api_key,
            base_url=emulator.url,
            api_version=version,
            retry=RetryPolicy(initial_delay=0, max_delay=0),
        ) as duvo,
    ):
        session = duvo._mirrored._session  # noqa: SLF001 - its calls
        bridge = duvo._bridge  # noqa: SLF001 - its loop
        queue = Queues(bridge, AsyncQueues(session)).create("Invoices")
        yield Cases(bridge, AsyncCases(session)), queue.id, emulator


def test_a_plain_iterable_is_read_in_the_callers_thread(
    faces: tuple[Cases, str, Emulator],
) -> None:
    cases, queue, emulator = faces
    threads: set[int] = set()

    def titles() -> Iterator[str]:
        for title in numbers(250):
            threads.add(threading.get_ident())
            yield title

    made = [case.title for case in cases.create_many(queue, titles())]
    assert made == titles_in(emulator, queue) == numbers(250)
    assert threads == {threading.get_ident()}


def test_an_iterable_may_use_the_same_client(faces: tuple[Cases, str, Emulator]) -> None:
    cases, queue, emulator = faces
    list(cases.create_many(queue, numbers(120)))
    copies = (f"Copy of {case.title}" for case in cases.list(queue, sort_order="asc", limit=120))
    assert len(list(cases.create_many(queue, copies))) == 120
    assert titles_in(emulator, queue)[120:] == [f"Copy of {title}" for title in numbers(120)]


def test_an_iterable_begins_in_the_callers_thread(faces: tuple[Cases, str, Emulator]) -> None:
    class Titles:
        def __iter__(self) -> Iterator[str]:
            threads.append(threading.get_ident())
            return iter(numbers(3))

    cases, queue, _ = faces
    threads: list[int] = []
    assert len(list(cases.create_many(queue, Titles()))) == 3
    assert threads == [threading.get_ident()]


def test_leaving_a_loop_early_makes_no_more(faces: tuple[Cases, str, Emulator]) -> None:
    cases, queue, emulator = faces
    for _ in cases.create_many(queue, numbers(1000)):
        break
    assert titles_in(emulator, queue) == numbers(100)
