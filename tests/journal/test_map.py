"""A fan-out with a journal: what was done is not done again, what was not is done."""

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import aclosing
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest

from duvo_async import (
    AsyncDuvo,
    ClientClosedError,
    Duvo,
    JournalError,
    NotFoundError,
    RetryPolicy,
    RunOutcome,
    WaitTimeout,
)
from duvo_async._journal_file import Entry, JournalFile, News
from duvo_async._protocol import Request, Response
from duvo_async._transport import TransportError
from duvo_async.emulator import AskApproval, Emulator, Finish, Say, Sleep, StartedRun, Step
from tests.support.in_memory import client_of
from tests.support.virtual_time import wall_clock

pytestmark = pytest.mark.anyio

MESSAGES = [f"message {number}" for number in range(20)]
ONCE = RetryPolicy(retries=0)


def as_told(run: StartedRun) -> Generator[Step, Any, None]:
    """Do what the message says."""
    match run.message:
        case "ask":
            yield AskApproval("Post?")
        case "fail":
            yield Finish("failed")
        case _:
            yield Sleep(30)
            yield Say("done")


@pytest.fixture
def api() -> Emulator:
    return Emulator(clock=wall_clock, requests_per_minute=None)


@pytest.fixture
def agent(api: Emulator) -> str:
    return api.add_agent(as_told)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "batch.journal"


def starts(api: Emulator) -> list[str]:
    """Give the keys of the starts that came."""
    return [
        each.idempotency_key or ""
        for each in api.requests
        if each.method == "POST" and each.path.endswith("/runs")
    ]


async def outcomes_of(
    duvo: AsyncDuvo,
    agent: str,
    messages: Sequence[str | None],
    path: Path,
    **how: Any,  # noqa: ANN401 - as map takes them
) -> dict[int, RunOutcome]:
    found = [each async for each in duvo.runs.map(agent, messages, journal=path, **how)]
    assert len({each.index for each in found}) == len(found)
    return {each.index: each for each in found}


async def begun(
    duvo: AsyncDuvo,
    agent: str,
    path: Path,
    **how: Any,  # noqa: ANN401 - as above
) -> list[RunOutcome]:
    """Leave a fan-out after its first outcomes."""
    async with aclosing(duvo.runs.map(agent, MESSAGES, journal=path, **how).pages()) as pages:
        return list(await anext(pages))


async def read(pages: AsyncIterator[Sequence[RunOutcome]], into: list[RunOutcome]) -> None:
    async for page in pages:
        into += page


async def test_what_has_ended_is_told_again_and_asks_the_api_nothing(
    api: Emulator, agent: str, path: Path
) -> None:
    async with client_of(api) as duvo:
        first = await outcomes_of(duvo, agent, ["fail", None, *MESSAGES], path)
    asked = len(api.requests)
    async with client_of(api) as duvo:
        again = await outcomes_of(duvo, agent, ["fail", None, *MESSAGES], path)
    assert again == first
    assert [again[index].succeeded for index in range(3)] == [False, True, True]
    assert len(api.requests) == asked


async def test_left_in_the_middle_it_goes_on_where_it_stood(
    api: Emulator, agent: str, path: Path
) -> None:
    async with client_of(api) as duvo:
        early = await begun(duvo, agent, path, max_outstanding=7)
    assert 0 < len(early) <= 7
    before = len(starts(api))
    assert before < len(MESSAGES)
    async with client_of(api) as duvo:
        outcomes = await outcomes_of(duvo, agent, MESSAGES, path)
    assert all(outcomes[index].succeeded for index in range(len(MESSAGES)))
    assert [outcomes[each.index].run for each in early] == [each.run for each in early]
    assert len(starts(api)) == len(set(starts(api))) == len(MESSAGES)


async def test_a_key_is_on_the_disk_before_its_start_is_sent(
    api: Emulator, agent: str, path: Path, tmp_path: Path
) -> None:
    seen = 0

    async def look(request: Request) -> Response | None:
        nonlocal seen
        if request.method == "POST":
            # A copy, as the file is somebody's: what it would be if the process died here.
            for suffix in ("", "-wal"):
                copyfile(f"{path}{suffix}", f"{tmp_path / 'copy'}{suffix}")
            copy = sqlite3.connect(tmp_path / "copy")
            keys = {row[0] for row in copy.execute("SELECT idempotency_key FROM input")}
            copy.close()
            assert request.idempotency_key in keys
            seen += 1
        return None

    async with client_of(api, fault=look) as duvo:
        await outcomes_of(duvo, agent, MESSAGES, path)
    assert seen == len(MESSAGES)


async def test_a_start_whose_answer_was_lost_is_sent_again_with_its_key(
    api: Emulator, agent: str, path: Path
) -> None:
    async def lose(request: Request) -> Response | None:
        if request.method == "POST":
            sent.append(request.idempotency_key)
            raise TransportError("the connection broke")
        return None

    sent: list[str | None] = []
    async with client_of(api, fault=lose, retry=ONCE) as duvo:
        lost = await outcomes_of(duvo, agent, ["a", "b"], path)
    for outcome in lost.values():
        assert "The run may have started all the same" in str(outcome.error)
        assert repr(sent[outcome.index]) in str(outcome.error)
    async with client_of(api) as duvo:
        outcomes = await outcomes_of(duvo, agent, ["a", "b"], path)
    assert all(each.succeeded for each in outcomes.values())
    assert starts(api) == sent


async def test_what_had_not_ended_is_done_again(api: Emulator, agent: str, path: Path) -> None:
    messages = ["ask", "slow", "x"]
    async with client_of(api) as duvo:
        first = await outcomes_of(duvo, agent, messages, path, timeout=10)
    assert first[0].human_request is not None
    assert isinstance(first[1].error, WaitTimeout)
    async with client_of(api) as duvo:
        again = await outcomes_of(
            duvo,
            agent,
            messages,
            path,
            on_human_request=lambda pending: pending.request.approve(),
        )
    assert all(each.succeeded for each in again.values())
    assert {each.run_id for each in again.values()} == {each.run_id for each in first.values()}
    assert len(starts(api)) == len(messages)


async def test_a_wrong_message_is_an_outcome_and_no_start(
    api: Emulator, agent: str, path: Path
) -> None:
    messages: list[Any] = ["a", "", 7, "b\ud800", "c"]
    for _ in range(2):
        async with client_of(api) as duvo:
            outcomes = await outcomes_of(duvo, agent, messages, path)
        assert [index for index in range(5) if outcomes[index].succeeded] == [0, 4]
    assert len(starts(api)) == 2


async def test_a_message_that_was_wrong_may_be_mended(
    api: Emulator, agent: str, path: Path
) -> None:
    async with client_of(api) as duvo:
        await outcomes_of(duvo, agent, ["a", "", "c"], path)
        outcomes = await outcomes_of(duvo, agent, ["a", "b", "c"], path)
    assert all(each.succeeded for each in outcomes.values())
    assert len(starts(api)) == 3


async def test_given_keys_are_kept_and_insisted_on(api: Emulator, agent: str, path: Path) -> None:
    async with client_of(api) as duvo:
        await outcomes_of(duvo, agent, ["a", "b"], path, idempotency_keys=["k1", "k2"])
        assert sorted(starts(api)) == ["k1", "k2"]
        await outcomes_of(duvo, agent, ["a", "b"], path)  # as they are known
        with pytest.raises(JournalError, match="the key at position 1 is not the one that it has"):
            await outcomes_of(duvo, agent, ["a", "b"], path, idempotency_keys=["k1", "k3"])
    assert len(starts(api)) == 2


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        (["a", "x", "c"], "the message at position 1 is not the one that it has"),
        (["a", "b"], "it has 3, and here are 2"),
        (["a", "b", "c", "d"], "it has 3, and here are more"),
    ],
)
async def test_other_inputs_are_refused(
    api: Emulator, agent: str, path: Path, messages: list[str], text: str
) -> None:
    async with client_of(api) as duvo:
        await outcomes_of(duvo, agent, ["a", "b", "c"], path)
        with pytest.raises(JournalError, match=text) as caught:
            await outcomes_of(duvo, agent, messages, path)
    assert caught.value.path == str(path)
    assert len(starts(api)) == 3


async def test_inputs_that_ended_earlier_than_before_are_refused(
    api: Emulator, agent: str, path: Path
) -> None:
    async with client_of(api) as duvo:
        await begun(duvo, agent, path, max_outstanding=7)
        with pytest.raises(JournalError, match="and here are 2"):
            await outcomes_of(duvo, agent, MESSAGES[:2], path)


async def test_another_agent_sandbox_or_api_is_refused(
    api: Emulator, agent: str, path: Path
) -> None:
    async with client_of(api) as duvo:
        await outcomes_of(duvo, agent, ["a"], path)
        with pytest.raises(JournalError, match="its agent_id is"):
            await outcomes_of(duvo, api.add_agent(as_told), ["a"], path)
        with pytest.raises(JournalError, match="its sandbox_id is None, not 's'"):
            await outcomes_of(duvo, agent, ["a"], path, sandbox_id="s")
    async with AsyncDuvo("dv_key", base_url="https://elsewhere.test") as duvo:
        with pytest.raises(JournalError, match="its base_url is 'http://emulator"):
            await outcomes_of(duvo, agent, ["a"], path)
    assert len(starts(api)) == 1


async def test_a_start_whose_answer_was_lost_is_sent_again_as_it_was(
    api: Emulator, agent: str, path: Path
) -> None:
    async def lose(request: Request) -> Response | None:
        if request.method == "POST":
            sent.append((request.idempotency_key, request.body))
            if len(sent) == 1:
                raise TransportError("the connection broke")
        return None

    sent: list[tuple[str | None, object]] = []
    async with client_of(api, fault=lose, retry=ONCE) as duvo:
        one, two = "https://one.test/", "https://two.test/"
        first = await outcomes_of(duvo, agent, ["a"], path, webhook_url=one)
        assert first[0].run is None
        assert "pass idempotency_key" in str(first[0].error)
        pages = duvo.runs.map(agent, iter(["a", "b"]), journal=path, webhook_url=two).pages()
        with pytest.raises(JournalError, match="here are more"):
            await read(pages, [])
        again = await outcomes_of(duvo, agent, ["a"], path, webhook_url=two)
    assert again[0].succeeded
    assert sent[1:] == sent[:1]
    assert one in str(sent[0][1])


async def test_the_second_on_one_journal_is_told_so(api: Emulator, agent: str, path: Path) -> None:
    async with client_of(api) as duvo:
        async with aclosing(duvo.runs.map(agent, MESSAGES, journal=path).pages()) as pages:
            await anext(pages)
            with pytest.raises(JournalError, match="is in use by another process"):
                await outcomes_of(duvo, agent, MESSAGES, path)
        assert len(await outcomes_of(duvo, agent, MESSAGES, path)) == len(MESSAGES)


async def test_a_client_that_closes_keeps_what_it_knows(
    api: Emulator, agent: str, path: Path
) -> None:
    async with client_of(api) as duvo:
        messages = ["fail", *MESSAGES[1:]]
        pages = duvo.runs.map(agent, messages, journal=path, max_outstanding=7).pages()
        early = list(await anext(pages))
        await duvo.close()
        late: list[RunOutcome] = []
        with pytest.raises(ClientClosedError):
            await read(pages, late)
    left = [each for each in late if isinstance(each.error, ClientClosedError)]
    assert left
    async with client_of(api) as duvo:
        outcomes = await outcomes_of(duvo, agent, messages, path)
    assert all(outcomes[index].succeeded for index in range(1, len(messages)))
    assert {outcomes[each.index].run_id for each in early} == {each.run_id for each in early}
    assert len(set(starts(api))) == len(MESSAGES)


async def test_a_start_that_is_cut_off_names_its_key(api: Emulator, agent: str) -> None:
    arrived = asyncio.Event()

    async def hang(request: Request) -> Response | None:
        if request.method == "POST":
            arrived.set()
            await asyncio.get_running_loop().create_future()
        return None

    async with client_of(api, fault=hang) as duvo:
        pages = duvo.runs.map(agent, ["a"], idempotency_keys=["order-7"]).pages()
        first = asyncio.create_task(anext(pages))
        await arrived.wait()
        await duvo.close()
        (outcome,) = await first
        await pages.aclose()
    assert "It may have started" in str(outcome.error)
    assert "idempotency_key='order-7'" in str(outcome.error)


async def test_a_disk_that_takes_no_more_starts_no_more(
    api: Emulator, agent: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = JournalFile.write
    writes = 0

    def write(self: JournalFile, *what: Any) -> None:  # noqa: ANN401 - as it takes them
        nonlocal writes
        writes += 1
        if writes > 5:
            raise JournalError("the disk is full", path=str(self.path))
        whole(self, *what)

    monkeypatch.setattr(JournalFile, "write", write)
    outcomes: list[RunOutcome] = []
    async with client_of(api) as duvo:
        with pytest.raises(JournalError, match="the disk is full"):
            await read(duvo.runs.map(agent, MESSAGES, journal=path).pages(), outcomes)
    assert 0 < len(outcomes) == len(starts(api)) < len(MESSAGES)
    assert all(each.succeeded for each in outcomes)


async def test_an_end_that_cannot_be_kept_is_told_after_the_outcomes(
    api: Emulator, agent: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = JournalFile.write

    def write(
        self: JournalFile, entries: list[Entry], news: list[News], inputs: int | None = None
    ) -> None:
        if any(each.run is not None for each in news):
            raise JournalError("the disk is full", path=str(self.path))
        whole(self, entries, news, inputs)

    monkeypatch.setattr(JournalFile, "write", write)
    outcomes: list[RunOutcome] = []
    async with client_of(api) as duvo:
        with pytest.raises(JournalError, match="the disk is full"):
            await read(duvo.runs.map(agent, ["a", "b"], journal=path).pages(), outcomes)
    assert len(outcomes) == 2
    assert all(each.succeeded for each in outcomes)


async def test_more_entries_than_are_read_at_once(
    api: Emulator, agent: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("duvo_async.journaling._READ_AT_ONCE", 3)
    async with client_of(api) as duvo:
        await begun(duvo, agent, path, max_outstanding=7)
        first = await outcomes_of(duvo, agent, MESSAGES, path)
        assert await outcomes_of(duvo, agent, MESSAGES, path) == first
    assert len(starts(api)) == len(MESSAGES)


@pytest.mark.parametrize("wrong", [7, b"bytes", "", "a\0b"])
async def test_a_path_must_be_one(api: Emulator, agent: str, wrong: Any) -> None:  # noqa: ANN401 - it is wrong
    async with client_of(api) as duvo:
        with pytest.raises((TypeError, ValueError), match="journal must"):
            duvo.runs.map(agent, ["a"], journal=wrong)


async def test_a_run_that_is_gone_is_an_outcome(api: Emulator, agent: str, path: Path) -> None:
    async with client_of(api) as duvo:
        await begun(duvo, agent, path, timeout=0.5)
    with JournalFile(path) as file:
        known = next(each for each in file.entries() if each.run is None and each.run_id)
        database = file._database  # noqa: SLF001 - to put there what no longer is
        database.execute("UPDATE input SET run_id = ? WHERE position = ?", (agent, known.position))
    async with client_of(api) as duvo:
        outcomes = await outcomes_of(duvo, agent, MESSAGES, path)
    assert isinstance(outcomes[known.position].error, NotFoundError)


def test_the_blocking_client_keeps_one_too(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with Emulator(requests_per_minute=None) as emulator:
        agent = emulator.add_agent([Say("done")])
        with Duvo(emulator.api_key, base_url=emulator.url) as duvo:
            first = {each.run_id for each in duvo.runs.map(agent, iter(["a", "b"]), journal=path)}
            again = {each.run_id for each in duvo.runs.map(agent, iter(["a", "b"]), journal=path)}
    assert again == first
    assert len(first) == 2


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    with Emulator(requests_per_minute=None) as emulator:
        agent = emulator.add_agent([Say("done")])
        with Duvo(emulator.api_key, base_url=emulator.url) as duvo:
            assert list(duvo.runs.map(agent, ["a"], journal=tmp_path / "j"))
            key = emulator.api_key.encode()
    assert stat.S_IMODE((tmp_path / "j").stat().st_mode) == 0o600
    assert key not in (tmp_path / "j").read_bytes()
