"""Cases, over real sockets, in both generations of paths."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest

from duvo_async import (
    AsyncDuvo,
    BadRequestError,
    CaseDeletion,
    CaseFilter,
    CaseReprocessing,
    CaseUpdate,
    ConflictError,
    Duvo,
    NewCase,
    NotFoundError,
    RetryPolicy,
)
from duvo_async.emulator import AskApproval, Emulator, Say
from duvo_async.mirrors import Cases, Queues
from duvo_async.resources.cases import AsyncCases
from duvo_async.resources.queues import AsyncQueues
from duvo_async.settings import APIVersion
from tests.support.proxy import Fault, proxied
from tests.support.virtual_time import wall_clock

pytestmark = pytest.mark.anyio
VERSIONS: tuple[APIVersion, ...] = ("v1", "v2")
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> APIVersion:
    found: APIVersion = request.param
    return found


@pytest.fixture
async def emulator(_no_leaked_tasks: None) -> AsyncIterator[Emulator]:
    async with Emulator(clock=wall_clock, requests_per_minute=None) as running:
        yield running


@pytest.fixture
async def duvo(emulator: Emulator, version: APIVersion) -> AsyncIterator[AsyncDuvo]:
    async with AsyncDuvo(emulator.api_key, base_url=emulator.url, api_version=version) as client:
        yield client


@pytest.fixture
def cases(duvo: AsyncDuvo) -> AsyncCases:
    return AsyncCases(duvo._session)  # noqa: SLF001 - its calls


@pytest.fixture
async def queue(duvo: AsyncDuvo) -> str:
    return (await AsyncQueues(duvo._session).create("Invoices")).id  # noqa: SLF001 - its calls


async def trigger(duvo: AsyncDuvo, queue: str, agent_id: str) -> None:
    await duvo.request(
        "POST",
        f"/agents/{agent_id}/case-triggers",
        json={"case_queue_id": queue, "enabled": True},
    )


def titles_in(emulator: Emulator, queue: str) -> list[str]:
    return [entry.title for entry in emulator.cases(queue)]


# --- one by one ----------------------------------------------------------------------------------


async def test_a_case_is_made_and_read(
    cases: AsyncCases, queue: str, emulator: Emulator, version: APIVersion
) -> None:
    case = await cases.create(
        queue, "Invoice 7", data="12 EUR", labels={"region": "EU"}, priority="high"
    )
    assert (case.title, case.data, case.priority) == ("Invoice 7", "12 EUR", "high")
    assert [(label.key, label.value) for label in case.labels] == [("region", "EU")]
    history = await cases.get(case.id)
    assert history.case == case
    assert [event.type for event in history.events] == ["created"]
    assert {record.path.split("/")[1] for record in emulator.requests} == {version}


async def test_a_case_is_made_once_with_a_key(
    cases: AsyncCases, queue: str, emulator: Emulator
) -> None:
    first = await cases.create(queue, "Invoice 7", idempotency_key="key-1")
    assert await cases.create(queue, "Invoice 7", idempotency_key="key-1") == first
    assert titles_in(emulator, queue) == ["Invoice 7"]


async def test_a_case_is_deleted(cases: AsyncCases, queue: str) -> None:
    case = await cases.create(queue, "Invoice 7")
    assert await cases.delete(case.id) == CaseDeletion(deleted_count=1)
    with pytest.raises(NotFoundError):
        await cases.get(case.id)


async def test_the_runs_of_a_case_and_what_they_said(
    cases: AsyncCases, queue: str, duvo: AsyncDuvo, emulator: Emulator
) -> None:
    agent_id = emulator.add_agent((Say("one"), Say("two"), AskApproval("Pay?")))
    await trigger(duvo, queue, agent_id)
    case = await cases.create(queue, "Invoice 7")
    await cases.get(case.id)  # which lets the trigger have it
    (run,) = [run async for run in cases.runs(case.id)]
    assert (run.agent_id, run.case_queue_item_id) == (agent_id, case.id)
    assert run.pending_human_request_title == "Pay?"
    shown = (await cases.get(case.id)).case
    assert (shown.claimed_by_run_id, shown.display_status) == (run.id, "needs_input")
    said = await cases.recent_messages(case.id, run.id)
    assert [message.text_content for message in said] == ["one", "two"]
    (last,) = await cases.recent_messages(case.id, run.id, limit=1)
    assert last.text_content == "two"
    assert (await cases.delete(case.id)).interrupted_run_ids == (run.id,)


async def test_a_case_without_runs_has_none(cases: AsyncCases, queue: str) -> None:
    case = await cases.create(queue, "Invoice 7")
    assert [run async for run in cases.runs(case.id)] == []


async def test_labels_are_given_listed_and_taken(cases: AsyncCases, queue: str) -> None:
    case = await cases.create(queue, "Invoice 7", labels=["urgent"])
    await cases.labels.assign(queue, case.id, {"region": ["EU", "US"]})
    labels = [label async for label in cases.labels.list(queue, case.id, page_size=1)]
    assert {(label.key, label.value) for label in labels} == {
        ("", "urgent"),
        ("region", "EU"),
        ("region", "US"),
    }
    given = await cases.labels.assign(queue, case.id, labels)
    assert {label.id for label in given} == {label.id for label in labels}
    await cases.labels.unlink(queue, case.id, [labels[0].id, labels[1]])
    assert [label async for label in cases.labels.list(queue, case.id)] == labels[2:]


# --- lists ---------------------------------------------------------------------------------------


async def some_cases(cases: AsyncCases, queue: str) -> dict[str, str]:
    """Make a few cases, and give the id of each by its title."""
    new: list[NewCase | dict[str, Any]] = [
        NewCase(title="a", data="red apple", labels={"region": "EU"}, priority="high"),
        {"title": "b", "data": "green apple", "labels": {"region": "US"}, "priority": "medium"},
        NewCase(title="c", labels={"region": ["EU", "US"], "": "urgent"}),
        {"title": "d"},
    ]
    made = {case.title: case.id async for case in cases.create_many(queue, new)}
    await cases.update_status(queue, "failed", [made["b"]])
    await cases.update_status(queue, "completed", [made["d"]])
    return made


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({}, "dcba"),
    ({"sort_order": "asc"}, "abcd"),
    ({"sort_by": "updated_at", "sort_order": "asc"}, "acbd"),
    ({"status": "failed"}, "b"),
    ({"status": ["failed", "completed"]}, "db"),
    ({"priority": "high"}, "a"),
    ({"priority": ["high", "medium"]}, "ba"),
    ({"search": "APPLE"}, "ba"),
    ({"limit": 3}, "dcb"),
]


@pytest.mark.parametrize(("given", "found"), FILTERS)
async def test_cases_are_listed_by_what_they_are(
    cases: AsyncCases, queue: str, given: dict[str, Any], found: str
) -> None:
    await some_cases(cases, queue)
    for find in (cases.list, cases.search):
        for size in (100, 1):
            listed = [case.title async for case in find(queue, page_size=size, **given)]
            assert "".join(listed) == found


async def test_cases_are_listed_by_their_times(cases: AsyncCases, queue: str) -> None:
    case = await cases.create(queue, "a")
    for name in ("created_at_from", "updated_at_from"):
        for find in (cases.list, cases.search):
            then: dict[str, Any] = {name: case.created_at}
            later: dict[str, Any] = {name: case.created_at + timedelta(seconds=1)}
            assert [each.id async for each in find(queue, **then)] == [case.id]
            assert [each.id async for each in find(queue, **later)] == []


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({"region": "EU"}, "ca"),
        ({"region": ["EU", "US"]}, "cba"),
        ({"region": "US", "": "urgent"}, "c"),
        (["urgent"], "c"),
        ({"region": "nowhere"}, ""),
    ],
)
async def test_cases_are_searched_by_their_labels(
    cases: AsyncCases,
    queue: str,
    labels: Any,  # noqa: ANN401 - labels
    found: str,
) -> None:
    await some_cases(cases, queue)
    assert "".join([case.title async for case in cases.search(queue, labels=labels)]) == found


async def test_a_search_shows_where_it_found_it(cases: AsyncCases, queue: str) -> None:
    await cases.create(queue, "a", data="a red apple pie")
    (case,) = [case async for case in cases.search(queue, search="apple")]
    assert case.search_match_data_snippet is not None
    assert case.search_match_data_snippet.match == "apple"


async def test_a_search_has_no_key_and_is_repeated(emulator: Emulator, version: APIVersion) -> None:
    lost = Fault(kind="lose", method="POST", path="/cases/search")
    async with (
        proxied(emulator.url, lost) as proxy,
        AsyncDuvo(emulator.api_key, base_url=proxy.url, api_version=version) as duvo,
    ):
        cases = AsyncCases(duvo._session)  # noqa: SLF001 - its calls
        queue = (await AsyncQueues(duvo._session).create("Invoices")).id  # noqa: SLF001 - its calls
        case = await cases.create(queue, "a")
        assert [each.id async for each in cases.search(queue)] == [case.id]
        searches = proxy.requests("POST", "/cases/search")
        assert [each.headers.get("Idempotency-Key") for each in searches] == [None, None]


async def test_a_search_takes_no_key_of_a_light_client(
    duvo: AsyncDuvo, cases: AsyncCases, queue: str
) -> None:
    made = [case.id async for case in cases.create_many(queue, ["a", "b", "c"])]
    light = AsyncCases(duvo.with_options(idempotency_key="key-1")._session)  # noqa: SLF001 - its calls
    assert [case.id async for case in light.search(queue, page_size=1)] == made[::-1]


async def test_wrong_arguments_of_a_list_fail_at_once(cases: AsyncCases) -> None:
    with pytest.raises(ValueError, match="status must not be empty"):
        cases.list("queue-1", status=[])
    with pytest.raises(ValueError, match="labels must not be empty"):
        cases.search("queue-1", labels={})
    with pytest.raises(ValueError, match="is not an id"):
        cases.runs("a/b")
    with pytest.raises(ValueError, match="is not an id"):
        cases.labels.list("queue-1", "")


# --- many at a time ------------------------------------------------------------------------------


@pytest.mark.parametrize("chosen", ["ids", "cases", "iterator", "async iterator"])
async def test_hundreds_of_ids_are_one_request_each(
    cases: AsyncCases, queue: str, emulator: Emulator, chosen: str
) -> None:
    made = [case async for case in cases.create_many(queue, map(str, range(250)))]

    async def ids() -> AsyncIterator[str]:
        for case in made:
            yield case.id

    inputs: dict[str, Any] = {
        "ids": [case.id for case in made],
        "cases": made,
        "iterator": iter([case.id for case in made]),
        "async iterator": ids(),
    }
    before = len(emulator.requests)
    assert await cases.update_priority(queue, "high", inputs[chosen]) == CaseUpdate(
        updated_count=250
    )
    sent = emulator.requests[before:]
    assert [record.path.rpartition("/")[2] for record in sent] == ["bulk-update-priority"] * 3
    assert len({record.idempotency_key for record in sent}) == 3
    assert {entry.priority for entry in emulator.cases(queue)} == {"high"}


async def test_what_is_told_of_the_hundreds_is_added_up(
    cases: AsyncCases, queue: str, duvo: AsyncDuvo, emulator: Emulator
) -> None:
    await trigger(duvo, queue, emulator.add_agent((AskApproval("Pay?"),)))
    made = [case.id async for case in cases.create_many(queue, map(str, range(150)))]
    runs = {(await cases.get(made[index])).case.claimed_by_run_id for index in (0, 149)}
    ids = [*made, UNKNOWN]
    assert await cases.update_priority(queue, "high", ids) == CaseUpdate(
        updated_count=150, skipped_count=1
    )
    stopped = await cases.update_status(queue, "completed", ids)
    assert (stopped.updated_count, stopped.skipped_count) == (150, 1)
    assert runs - {None} <= set(stopped.interrupted_run_ids)
    assert await cases.reprocess_many(queue, ids) == CaseReprocessing(
        reprocessed_count=150, skipped_count=1
    )
    assert (await cases.delete_many(queue, ids)).deleted_count == 150
    assert emulator.cases(queue) == ()


async def test_no_ids_do_nothing(cases: AsyncCases, queue: str, emulator: Emulator) -> None:
    await cases.create(queue, "a")
    before = len(emulator.requests)
    assert await cases.delete_many(queue, []) == CaseDeletion(deleted_count=0)
    assert await cases.reprocess_many(queue, iter(())) == CaseReprocessing(reprocessed_count=0)
    assert await cases.update_status(queue, "failed", ()) == CaseUpdate(updated_count=0)
    assert await cases.update_priority(queue, "high", set()) == CaseUpdate(updated_count=0)
    assert len(emulator.requests) == before
    assert titles_in(emulator, queue) == ["a"]


async def test_neither_ids_nor_a_filter_change_nothing(
    cases: AsyncCases, queue: str, emulator: Emulator
) -> None:
    await cases.create(queue, "a")
    before = len(emulator.requests)
    wrong: list[dict[str, Any]] = [
        {},
        {"all_matching": CaseFilter()},
        {"all_matching": CaseFilter(status=[])},
        {"case_ids": [UNKNOWN], "all_matching": CaseFilter(everything=True)},
        {"case_ids": [], "all_matching": CaseFilter(everything=True)},
    ]
    for which in wrong:
        with pytest.raises(ValueError, match=r"give case_ids|no condition|status must not"):
            await cases.delete_many(queue, **which)
    for single in (UNKNOWN, 7):
        with pytest.raises(TypeError, match="case_ids must be"):
            await cases.delete_many(queue, single)  # type: ignore[arg-type] # as it may come
    assert len(emulator.requests) == before
    assert titles_in(emulator, queue) == ["a"]


async def test_a_filter_chooses_what_a_search_finds(
    cases: AsyncCases, queue: str, emulator: Emulator
) -> None:
    made = await some_cases(cases, queue)
    chosen = CaseFilter(labels={"region": "EU"})
    before = len(emulator.requests)
    assert await cases.update_priority(queue, "medium", all_matching=chosen) == CaseUpdate(
        updated_count=2
    )
    assert len(emulator.requests) - before == 1
    changed = [case.title async for case in cases.list(queue, priority="medium")]
    assert changed == ["c", "b", "a"]
    deleted = await cases.delete_many(queue, all_matching=CaseFilter(search="apple"))
    assert deleted == CaseDeletion(deleted_count=2)
    assert {entry.id for entry in emulator.cases(queue)} == {made["c"], made["d"]}


async def test_everything_is_chosen_by_saying_so(
    cases: AsyncCases, queue: str, emulator: Emulator
) -> None:
    await some_cases(cases, queue)
    everything = CaseFilter(everything=True)
    assert await cases.update_status(queue, "pending", all_matching=everything) == CaseUpdate(
        updated_count=2, skipped_count=2
    )
    assert await cases.delete_many(queue, all_matching=everything) == CaseDeletion(deleted_count=4)
    assert emulator.cases(queue) == ()


async def test_a_queue_is_cleared(cases: AsyncCases, queue: str, emulator: Emulator) -> None:
    await some_cases(cases, queue)
    assert await cases.clear(queue) == CaseDeletion(deleted_count=4)
    assert emulator.cases(queue) == ()


async def test_cases_are_worked_on_again_by_the_agent_that_is_named(
    cases: AsyncCases, queue: str, duvo: AsyncDuvo, emulator: Emulator
) -> None:
    case = await cases.create(queue, "a")
    with pytest.raises(ConflictError):
        await cases.reprocess_many(queue, [case.id], agent_id=UNKNOWN)
    agent_id = emulator.add_agent((Say("done"),))
    await trigger(duvo, queue, agent_id)
    assert await cases.reprocess_many(queue, [case.id], agent_id=agent_id) == CaseReprocessing(
        reprocessed_count=1
    )


async def test_a_failure_among_the_hundreds_says_how_far_it_went(
    cases: AsyncCases, queue: str, emulator: Emulator
) -> None:
    made = [case.id async for case in cases.create_many(queue, map(str, range(150)))]
    with pytest.raises(BadRequestError) as caught:
        await cases.delete_many(queue, [*made[:100], "no id"], idempotency_key="key-1")
    assert "with the first 100 cases before" in str(caught.value)
    assert "idempotency_key='key-1'" in str(caught.value)
    assert len(emulator.cases(queue)) == 50
    with pytest.raises(ValueError, match="must not be empty") as refused:
        await cases.delete_many(queue, [*made[:100], ""])
    assert "with the first 100 cases before" in refused.value.__notes__[0]


async def test_a_key_for_many_requests_is_the_calls_own(duvo: AsyncDuvo, queue: str) -> None:
    light = AsyncCases(duvo.with_options(idempotency_key="key-1")._session)  # noqa: SLF001 - its calls
    with pytest.raises(ValueError, match="give the call its own"):
        light.create_many(queue, ["a"])
    with pytest.raises(ValueError, match="give the call its own"):
        await light.delete_many(queue, [UNKNOWN])
    await light.delete_many(queue, all_matching=CaseFilter(everything=True))


async def test_a_call_repeated_with_its_key_is_done_once(
    cases: AsyncCases, queue: str, emulator: Emulator
) -> None:
    made = [case.id async for case in cases.create_many(queue, map(str, range(150)))]
    first = await cases.delete_many(queue, made, idempotency_key="key-1")
    assert await cases.delete_many(queue, made, idempotency_key="key-1") == first
    keys = {record.idempotency_key for record in emulator.requests if "bulk" in record.path}
    assert keys == {"key-1-0", "key-1-1"}


# --- blocking ------------------------------------------------------------------------------------


@pytest.fixture
def faces(version: APIVersion) -> Iterator[tuple[Cases, str]]:
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
        yield Cases(bridge, AsyncCases(session)), queue.id


def test_cases_block_too(faces: tuple[Cases, str]) -> None:
    cases, queue = faces
    case = cases.create(queue, "a", data="apple")
    assert [each.id for each in cases.list(queue)] == [case.id]
    assert [each.id for each in cases.search(queue, search="apple")] == [case.id]
    assert cases.get(case.id).case.id == case.id
    assert list(cases.runs(case.id)) == []
    with pytest.raises(NotFoundError):
        cases.recent_messages(case.id, UNKNOWN)
    (label,) = cases.labels.assign(queue, case.id, ["urgent"])
    assert [each.id for each in cases.labels.list(queue, case.id)] == [label.id]
    cases.labels.unlink(queue, case.id, [label])
    assert cases.update_priority(queue, "high", (each for each in [case.id])).updated_count == 1
    everything = CaseFilter(everything=True)
    assert cases.update_status(queue, "failed", all_matching=everything).updated_count == 1
    with pytest.raises(ConflictError):
        cases.reprocess_many(queue, [case.id])
    assert cases.delete_many(queue, [case.id]).deleted_count == 1
    assert cases.clear(queue).deleted_count == 0
    with pytest.raises(NotFoundError):
        cases.delete(case.id)
