"""Schedules, over the emulator and real sockets."""

from collections.abc import AsyncIterator, Iterator

import pytest

from duvo_async import (
    AsyncDuvo,
    BadRequestError,
    Duvo,
    NotFoundError,
    ScheduleFrequency,
    Weekday,
)
from duvo_async.emulator import Emulator, Say
from duvo_async.mirrors import Schedules
from duvo_async.resources.schedules import AsyncSchedules
from tests.support.generations import GENERATIONS, blocking_client_of, client_of

NOBODY = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


@pytest.fixture(params=GENERATIONS)
async def duvo(emulator: Emulator, request: pytest.FixtureRequest) -> AsyncIterator[AsyncDuvo]:
    async with client_of(emulator, request.param) as client:
        yield client


@pytest.fixture
def served() -> Iterator[Emulator]:
    with Emulator(requests_per_minute=100_000) as running:
        yield running


@pytest.fixture(params=GENERATIONS)
def blocking(served: Emulator, request: pytest.FixtureRequest) -> Iterator[Duvo]:
    with blocking_client_of(served, request.param) as client:
        yield client


@pytest.fixture
def schedules(duvo: AsyncDuvo) -> AsyncSchedules:
    return duvo.agents.schedules


@pytest.fixture
def mirror(blocking: Duvo) -> Schedules:
    return blocking.agents.schedules


@pytest.fixture
def agent_id(emulator: Emulator) -> str:
    return emulator.add_agent([Say("hi")], "Clerk")


@pytest.mark.anyio
async def test_a_schedule_is_made_found_changed_and_deleted(
    schedules: AsyncSchedules, agent_id: str, emulator: Emulator
) -> None:
    made = await schedules.create(
        agent_id,
        frequency=ScheduleFrequency.WEEKLY,
        timezone="Europe/Prague",
        time="09:30",
        day=Weekday.FRIDAY,
        recurring=True,
    )
    assert made.agent_id == agent_id
    assert made.enabled is True
    assert made.frequency is ScheduleFrequency.WEEKLY
    assert made.timezone == "Europe/Prague"
    assert made.time == "09:30"
    assert made.day is Weekday.FRIDAY
    assert made.day_of_month is None
    assert made.recurring is True
    assert made.user_id == emulator.user_id
    assert made.created_at
    assert [each async for each in schedules.list(agent_id)] == [made]

    changed = await schedules.update(
        agent_id,
        made.id,
        frequency="monthly",
        day=None,
        day_of_month=31,
        enabled=False,
        timezone="UTC",
    )
    assert changed.frequency is ScheduleFrequency.MONTHLY
    assert changed.day is None
    assert changed.day_of_month == 31
    assert changed.enabled is False
    assert changed.timezone == "UTC"
    assert changed.time == "09:30"
    assert changed.recurring is True
    assert [each async for each in schedules.list(agent_id)] == [changed]

    await schedules.delete(agent_id, made.id)
    assert [each async for each in schedules.list(agent_id)] == []


@pytest.mark.anyio
async def test_all_schedules_come_with_one_request(
    schedules: AsyncSchedules, agent_id: str, emulator: Emulator
) -> None:
    for number in range(25):
        await schedules.create(
            agent_id, frequency="custom", timezone="UTC", cron=f"{number} 9 * * *", enabled=False
        )
    listed = schedules.list(agent_id)
    before = len(emulator.requests)
    assert len([each async for each in listed]) == 25
    assert len(emulator.requests) - before == 1
    assert [len(page) async for page in listed.pages()] == [25]


@pytest.mark.anyio
async def test_a_schedule_is_made_once_for_a_key(schedules: AsyncSchedules, agent_id: str) -> None:
    for _ in range(2):
        await schedules.create(
            agent_id, frequency="daily", timezone="UTC", idempotency_key="daily-1"
        )
    assert len([each async for each in schedules.list(agent_id)]) == 1


@pytest.mark.anyio
async def test_what_the_api_refuses_is_an_error(schedules: AsyncSchedules, agent_id: str) -> None:
    with pytest.raises(BadRequestError):
        await schedules.create(agent_id, frequency="yearly", timezone="UTC")
    with pytest.raises(NotFoundError):
        await schedules.create(NOBODY, frequency="daily", timezone="UTC")
    with pytest.raises(NotFoundError):
        await schedules.update(agent_id, NOBODY, enabled=False)
    with pytest.raises(NotFoundError):
        await schedules.delete(agent_id, NOBODY)
    with pytest.raises(NotFoundError):
        _ = [each async for each in schedules.list(NOBODY)]


@pytest.mark.anyio
async def test_a_wrong_argument_is_refused_before_anything_is_sent(
    schedules: AsyncSchedules, agent_id: str, emulator: Emulator
) -> None:
    before = len(emulator.requests)
    with pytest.raises(ValueError, match="day_of_month"):
        await schedules.create(agent_id, frequency="monthly", timezone="UTC", day_of_month=32)
    with pytest.raises(ValueError, match="nothing to change"):
        await schedules.update(agent_id, NOBODY)
    with pytest.raises(ValueError, match="agent_id '' is not an id"):
        schedules.list("")
    assert len(emulator.requests) == before


def test_the_blocking_face_does_the_same(mirror: Schedules, served: Emulator) -> None:
    agent_id = served.add_agent([Say("hi")], "Clerk")
    made = mirror.create(agent_id, frequency="hourly", timezone="UTC")
    assert mirror.update(agent_id, made.id, enabled=False).enabled is False
    assert [each.id for each in mirror.list(agent_id)] == [made.id]
    mirror.delete(agent_id, made.id)
    assert list(mirror.list(agent_id)) == []
