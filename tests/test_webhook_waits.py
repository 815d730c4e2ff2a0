"""Waits that hear of their runs: in memory and on virtual time, over sockets where they matter."""

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from attrs import define, field

from duvo_async import (
    AsyncDuvo,
    ConfigurationError,
    Duvo,
    HumanRequestPending,
    RunFailed,
    RunOutcome,
)
from duvo_async._protocol import Request, Response
from duvo_async.emulator import AskApproval, Emulator, Finish, Say, Sleep, StartedRun, Step
from duvo_async.emulator import WebhookFaults as Faults
from duvo_async.webhooks import HumanRequestCreatedEvent, WebhookEvent, WebhookReceiver, sign
from tests.support.deliveries import delivering
from tests.support.in_memory import client_of
from tests.support.virtual_time import VirtualTimeLoop, wall_clock

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"debug": True, "loop_factory": lambda: VirtualTimeLoop(grace=0)}


def now() -> float:
    return asyncio.get_running_loop().time()


def sleeper(run: StartedRun) -> Generator[Step, Any, None]:
    """Sleep for as many seconds as the message says."""
    yield Sleep(float(run.message or 0))


@define
class Rig:
    """A client that hears of its runs, and what it asked for."""

    emulator: Emulator
    receiver: WebhookReceiver
    duvo: AsyncDuvo
    asked: list[tuple[float, Request]] = field(factory=list[tuple[float, Request]])
    down: list[bool] = field(factory=list[bool])

    def reads(self, run_id: str = "") -> list[float]:
        return [at for at, each in self.asked if each.method == "GET" and run_id in each.path]

    def forge(self, run_id: str, event: str = "run_completed") -> None:
        body = f'{{"event": "{event}", "run_id": "{run_id}", "status": "completed"}}'.encode()
        receipt = self.receiver.receive(body, sign(body, self.secret, now=wall_clock()))
        assert receipt.taken

    @property
    def secret(self) -> str:
        return self.emulator.webhook_secret

    async def trusting(self) -> None:
        """Let a few ends be announced."""
        agent_id = self.emulator.add_agent([Sleep(5), Finish()])
        for _ in range(8):
            await self.duvo.runs.execute(agent_id)


@asynccontextmanager
async def rigged(faults: Faults | None = None, **options: Any) -> AsyncIterator[Rig]:  # noqa: ANN401 - of any kind
    emulator = Emulator(clock=wall_clock, seed=1, webhook_faults=faults or Faults(), **options)
    receiver = WebhookReceiver(emulator.webhook_secret, clock=wall_clock)
    asked: list[tuple[float, Request]] = []
    down: list[bool] = []
    try:
        async with delivering(emulator, receiver) as wake:

            async def note(request: Request) -> Response | None:
                asked.append((now(), request))
                wake()
                if down and request.method == "GET":
                    return Response(status=503, reason="", headers={}, body=b"")
                return None

            async with client_of(emulator, fault=note, webhooks=receiver) as duvo:
                yield Rig(emulator, receiver, duvo, asked, down)
    finally:
        emulator.close()


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with rigged() as made:
        yield made


def lag(outcome: RunOutcome) -> float:
    assert outcome.run is not None
    assert outcome.run.completed_at is not None
    return wall_clock() - outcome.run.completed_at.timestamp()


# --- told at once ---------------------------------------------------------------------------------


@pytest.mark.parametrize("lists_runs", [True, False])
async def test_an_end_is_known_as_soon_as_it_is_announced(lists_runs: bool) -> None:  # noqa: FBT001
    async with rigged(lists_runs=lists_runs) as rig:
        agent_id = rig.emulator.add_agent([Sleep(1_234.5), Finish()])
        run = await rig.duvo.runs.execute(agent_id)
        assert run.succeeded
        assert now() == pytest.approx(1_234.5)


async def test_a_request_to_a_person_is_known_as_soon_as_it_is_announced(rig: Rig) -> None:
    agent_id = rig.emulator.add_agent([Sleep(1_234.5), AskApproval("Post?"), Say("Posted.")])
    with pytest.raises(HumanRequestPending) as caught:
        await rig.duvo.runs.execute(agent_id)
    assert now() == pytest.approx(1_234.5)
    await rig.duvo.runs.answer(caught.value, caught.value.request.approve())
    assert (await rig.duvo.runs.wait(caught.value.run)).succeeded
    assert now() == pytest.approx(1_234.5)


async def test_every_end_of_a_fan_out_is_known_at_once(rig: Rig) -> None:
    agent_id = rig.emulator.add_agent(sleeper)
    messages = [str(60 + 7 * n) for n in range(100)]
    lags = [lag(outcome) async for outcome in rig.duvo.runs.map(agent_id, messages)]
    assert len(lags) == 100
    assert max(lags) < 1.1  # hints lead to one look a second


async def test_news_that_come_before_the_wait_are_not_lost(rig: Rig) -> None:
    await rig.trusting()
    agent_id = rig.emulator.add_agent([Sleep(1), Finish()])
    run = await rig.duvo.runs.start(agent_id)
    await asyncio.sleep(5)
    began = now()
    assert (await rig.duvo.runs.wait(run)).succeeded
    assert now() == pytest.approx(began)


async def test_a_hint_may_come_from_any_thread(rig: Rig) -> None:
    await rig.trusting()
    agent_id = rig.emulator.add_agent([Sleep(100), Finish()])
    run = await rig.duvo.runs.start(agent_id, webhook_url="https://elsewhere.test/")
    waiting = asyncio.create_task(rig.duvo.runs.wait(run))
    await asyncio.sleep(100)
    (hint,) = rig.receiver._hints  # noqa: SLF001
    thread = threading.Thread(target=hint, args=(run.id, False))
    thread.start()
    thread.join()
    assert (await waiting).succeeded
    assert now() < 8 * 5 + 102


# --- what is believed -----------------------------------------------------------------------------


async def test_no_event_ends_a_wait(rig: Rig) -> None:
    agent_id = rig.emulator.add_agent([Sleep(60), Finish("failed")])
    run = await rig.duvo.runs.start(agent_id)
    waiting = asyncio.create_task(rig.duvo.runs.wait(run))
    for event in ("run_completed", "run_failed", "human_request", "run.stopped"):
        await asyncio.sleep(10)
        rig.forge(run.id, event)
    ended = await waiting
    assert 60 <= now() <= 61
    with pytest.raises(RunFailed):
        ended.raise_for_status()


async def test_a_late_event_of_an_end_that_was_resumed_from_ends_nothing(rig: Rig) -> None:
    agent_id = rig.emulator.add_agent([Say("Done.")])
    first = await rig.duvo.runs.execute(agent_id)
    rig.emulator.webhook_faults = Faults(lost=1.0)
    await rig.duvo.runs.post_message(first.id, "And now the other one.")
    waiting = asyncio.create_task(rig.duvo.runs.wait(first.id))
    rig.forge(first.id)
    assert (await waiting).completed_at != first.completed_at


async def test_forgeries_of_a_run_cost_one_read_a_second() -> None:
    async with rigged() as rig:
        agent_id = rig.emulator.add_agent([Sleep(60), Finish()])
        run = await rig.duvo.runs.start(agent_id)
        waiting = asyncio.create_task(rig.duvo.runs.wait(run))
        for _ in range(600):
            await asyncio.sleep(0.1)
            for _ in range(100):
                rig.duvo._services.watcher.hint(run.id, False)  # noqa: FBT003, SLF001
        assert (await waiting).succeeded
        reads = rig.reads(run.id)
        assert 50 <= len(reads) <= 65
        assert min(later - earlier for earlier, later in pairwise(reads)) >= 0.9


async def test_forgeries_do_not_wear_out_a_wait_while_the_api_is_down(rig: Rig) -> None:
    run = await rig.duvo.runs.start(rig.emulator.add_agent([Sleep(20), Finish()]))
    waiting = asyncio.create_task(rig.duvo.runs.wait(run))
    rig.down.append(True)
    for _ in range(20):
        await asyncio.sleep(0.1)
        rig.duvo._services.watcher.hint(run.id, True)  # noqa: FBT003, SLF001
    assert 2 <= len(rig.reads(run.id)) <= 4
    rig.down.clear()
    assert (await waiting).succeeded


async def test_a_thousand_forgeries_a_second_hold_up_nobody() -> None:
    async with rigged() as rig:
        agent_id = rig.emulator.add_agent(sleeper)
        messages = [str(30 + n) for n in range(150)]
        run_ids: list[str] = []
        held_up: list[float] = []

        async def collect() -> list[RunOutcome]:
            return [outcome async for outcome in rig.duvo.runs.map(agent_id, messages)]

        async def forge() -> None:
            chance = Random(1)  # noqa: S311 - which runs
            hint = rig.duvo._services.watcher.hint  # noqa: SLF001
            for _ in range(600):
                await asyncio.sleep(0.1)
                for _ in range(100):
                    hint(chance.choice(run_ids), chance.random() < 0.5)

        async def call() -> None:
            for _ in range(29):  # the part of a window that is kept for calls
                await asyncio.sleep(1)
                began = now()
                await rig.duvo.runs.get(run_ids[0])
                held_up.append(now() - began)

        mapping = asyncio.create_task(collect())
        await asyncio.sleep(1)
        run_ids += [row.id async for row in rig.duvo.runs.list()]
        await asyncio.gather(forge(), call())
        collected = await mapping
        assert len(collected) == 150
        assert all(each.run is not None and each.run.succeeded for each in collected)
        assert max(held_up) < 0.001
        assert not [each for each in rig.emulator.requests if each.status == 429]


@pytest.mark.parametrize("faults", [Faults(repeated=1.0, delay=(0, 90)), Faults(lost=0.5)])
async def test_lost_late_and_repeated_events_change_no_outcome(faults: Faults) -> None:
    async with rigged(faults) as rig:
        agent_id = rig.emulator.add_agent(sleeper)
        messages = [str(n % 97) for n in range(150)]
        outcomes = [each async for each in rig.duvo.runs.map(agent_id, messages)]
        assert sorted(each.index for each in outcomes) == list(range(150))
        assert all(each.run is not None and each.run.succeeded for each in outcomes)


# --- looking less often ---------------------------------------------------------------------------


@pytest.mark.no_cover
async def test_before_ends_prove_to_be_announced_looking_goes_on_as_ever() -> None:
    reads: list[int] = []
    for webhooks in (True, False):
        async with rigged(Faults(lost=1.0)) as rig:
            agent_id = rig.emulator.add_agent(sleeper)
            if not webhooks:
                rig.duvo._services.watcher._unsubscribe = None  # noqa: SLF001 - as without any
            async for _ in rig.duvo.runs.map(agent_id, [str(9 * n) for n in range(60)]):
                pass
            reads.append(len(rig.reads()))
    assert reads[0] == reads[1]


async def test_while_ends_are_announced_others_are_looked_for_each_30_s(rig: Rig) -> None:
    await rig.trusting()
    before = len(rig.reads())
    agent_id = rig.emulator.add_agent([Sleep(3_000), Finish()])
    await rig.duvo.runs.execute(agent_id)
    assert 95 <= len(rig.reads()) - before <= 105


async def test_an_end_that_was_not_announced_is_found_within_30_s(rig: Rig) -> None:
    await rig.trusting()
    rig.emulator.webhook_faults = Faults(lost=1.0)
    agent_id = rig.emulator.add_agent([Sleep(100), Finish()])
    began = now()
    await rig.duvo.runs.execute(agent_id)
    assert 100 <= now() - began <= 130


@pytest.mark.no_cover
async def test_when_ends_are_announced_no_more_looking_is_as_frequent_as_before(rig: Rig) -> None:
    await rig.trusting()
    rig.emulator.webhook_faults = Faults(lost=1.0)
    agent_id = rig.emulator.add_agent([Sleep(100), Finish()])
    for _ in range(12):
        await rig.duvo.runs.execute(agent_id)
    began = now()
    await rig.duvo.runs.execute(agent_id)
    assert now() - began < 103


async def test_an_announcement_that_looking_was_faster_than_counts_too() -> None:
    async with rigged(Faults(delay=(3.0, 3.0))) as rig:
        agent_id = rig.emulator.add_agent([Sleep(20), Finish()])
        for _ in range(12):
            await rig.duvo.runs.execute(agent_id)
            await asyncio.sleep(5)
        assert rig.duvo._services.watcher._announced > 0.5  # noqa: SLF001


async def test_announcements_that_come_late_and_together_are_believed_no_longer_than_others() -> (
    None
):
    async with rigged(Faults(delay=(600.0, 600.0))) as rig:
        agent_id = rig.emulator.add_agent(sleeper)
        async for _ in rig.duvo.runs.map(agent_id, ["20"] * 100):
            pass
        await asyncio.sleep(700)
        rig.emulator.webhook_faults = Faults(lost=1.0)
        for _ in range(12):
            await rig.duvo.runs.execute(agent_id, message="100")
        began = now()
        await rig.duvo.runs.execute(agent_id, message="100")
        assert now() - began < 103


# --- where the events go --------------------------------------------------------------------------


async def test_runs_are_started_with_the_public_url_unless_they_name_another(rig: Rig) -> None:
    agent_id = rig.emulator.add_agent([Finish()])
    await rig.duvo.runs.start(agent_id)
    await rig.duvo.runs.execute(agent_id)
    async for _ in rig.duvo.runs.map(agent_id, ["a"]):
        pass
    await rig.duvo.with_options(timeout=5).runs.start(agent_id)
    await rig.duvo.runs.start(agent_id, webhook_url="https://other.test/1")
    await rig.duvo.runs.execute(agent_id, webhook_url="https://other.test/2")
    async for _ in rig.duvo.runs.map(agent_id, ["a"], webhook_url="https://other.test/3"):
        pass
    await asyncio.sleep(1)
    assert sorted(each.url for each in rig.emulator.deliveries) == [
        "https://hook.test/",
        "https://hook.test/",
        "https://hook.test/",
        "https://hook.test/",
        "https://other.test/1",
        "https://other.test/2",
        "https://other.test/3",
    ]


async def test_a_workspace_s_webhook_serves_as_well(rig: Rig) -> None:
    rig.emulator.subscribe("https://workspace.test/", ["run.completed"])
    agent_id = rig.emulator.add_agent([Sleep(1_234.5), Finish()])
    run_id = rig.emulator.start_run(agent_id)
    assert (await rig.duvo.runs.wait(run_id)).succeeded
    assert now() == pytest.approx(1_234.5)


def test_a_public_url_needs_a_receiver() -> None:
    with pytest.raises(ConfigurationError, match="give both"):
        AsyncDuvo("dv_x", public_url="https://hook.test/")


@pytest.mark.parametrize("url", ["", "hook.test", "ftp://hook.test/", "https://", "http://[::1"])
def test_a_public_url_must_be_one(url: str) -> None:
    receiver = WebhookReceiver("s")
    with pytest.raises(ConfigurationError, match="public_url"):
        AsyncDuvo("dv_x", webhooks=receiver, public_url=url)
    with pytest.raises(ConfigurationError, match="public_url"):
        Duvo("dv_x", webhooks=receiver, public_url=url)


def test_a_receiver_must_be_one() -> None:
    with pytest.raises(TypeError, match="webhooks must be a WebhookReceiver, not str"):
        AsyncDuvo("dv_x", webhooks="https://hook.test/")  # type: ignore[arg-type]


# --- lifetimes ------------------------------------------------------------------------------------


async def test_a_closed_client_is_told_no_more(rig: Rig) -> None:
    assert len(rig.receiver._hints) == 1  # noqa: SLF001
    await rig.duvo.close()
    assert not rig.receiver._hints  # noqa: SLF001


async def test_a_receiver_keeps_no_client_alive() -> None:
    receiver = WebhookReceiver(None)
    duvo = AsyncDuvo("dv_x", webhooks=receiver)
    watcher = weakref.ref(duvo._services.watcher)  # noqa: SLF001
    del duvo
    gc.collect()
    assert watcher() is None
    body = b'{"event": "run_completed", "run_id": "r"}'
    assert receiver.receive(body, {}).taken  # and nobody is told


async def test_hints_of_unknown_runs_are_kept_in_bounds(rig: Rig) -> None:
    for n in range(10_000):
        rig.duvo._services.watcher.hint(f"r{n}", False)  # noqa: FBT003, SLF001
    rig.duvo._services.watcher.hint("r" * 65, False)  # noqa: FBT003, SLF001
    assert len(rig.duvo._services.watcher._told) == 4_096  # noqa: SLF001
    await rig.trusting()
    assert len(rig.duvo._services.watcher._early) <= 4_096  # noqa: SLF001
    assert max(map(len, rig.duvo._services.watcher._early)) <= 64  # noqa: SLF001


# --- over sockets ---------------------------------------------------------------------------------


class TestOverSockets:
    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, object]]:
        return "asyncio", {"debug": True, "loop_factory": VirtualTimeLoop}

    async def test_the_emulator_tells_a_receiver_which_tells_a_wait(
        self, emulator: Emulator
    ) -> None:
        events: list[WebhookEvent] = []
        receiver = WebhookReceiver(emulator.webhook_secret, clock=wall_clock)
        receiver.on_event(events.append)
        async with (
            receiver,
            AsyncDuvo(
                emulator.api_key,
                base_url=emulator.url,
                webhooks=receiver,
                public_url=receiver.url,
            ) as duvo,
        ):
            agent_id = emulator.add_agent([Sleep(2), AskApproval("Post?"), Say("Posted.")])
            run = await duvo.runs.execute(
                agent_id, on_human_request=lambda pending: pending.request.approve()
            )
            assert run.succeeded
        names = [event.name for event in events]
        assert names == ["human_request_created", "run_completed"]
        (asked, _) = events
        assert isinstance(asked, HumanRequestCreatedEvent)
        assert asked.run_id == run.id


class TestBlocking:
    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    def test_a_receiver_in_a_thread_tells_a_blocking_client(self) -> None:
        with (
            Emulator() as emulator,
            WebhookReceiver(emulator.webhook_secret) as receiver,
            Duvo(
                emulator.api_key,
                base_url=emulator.url,
                webhooks=receiver,
                public_url=receiver.url,
            ) as duvo,
        ):
            told = threading.Event()
            receiver.on_event(lambda _: told.set())
            run = duvo.runs.execute(emulator.add_agent([Say("Done.")]))
            assert run.succeeded
            assert told.wait(30)
