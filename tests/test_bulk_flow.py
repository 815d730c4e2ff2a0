"""Many files at once: how many, in which order, at what pace, and when it is over."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from duvo_async import (
    APIConnectionError,
    APIStatusError,
    AsyncDuvo,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    RetryPolicy,
    UploadSourceError,
)
from duvo_async.emulator import Emulator
from tests.support.files import Host, client_of, make, places, sparse
from tests.support.stub import answer, hang_up
from tests.support.virtual_time import wall_clock

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
async def _settled(_no_leaked_tasks: None) -> AsyncIterator[None]:
    yield
    await asyncio.sleep(20)  # virtual: answers that nobody waits for are given


def many(folder: Path, number: int) -> Path:
    return make(folder, [f"{index:04}" for index in range(number)])


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110 - on virtual time, which goes on when all else rests
        await asyncio.sleep(0.01)


# --- how many at once ----------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 3, 8, 20])
async def test_so_many_are_sent_at_once(tmp_path: Path, concurrency: int) -> None:
    full = asyncio.Event()

    async def wait_for_the_others(_: str) -> None:
        if host.under_way == concurrency:
            full.set()
        await full.wait()
        await asyncio.sleep(0.1)

    host = Host(before=wait_for_the_others)
    async with client_of(host) as duvo:
        outcomes = await duvo.sandboxes.upload_many(
            "sbx", [many(tmp_path / "in", 30)], concurrency=concurrency
        )
    assert all(each.succeeded for each in outcomes)
    assert host.most == concurrency


async def test_large_files_count_among_them(tmp_path: Path) -> None:
    async def linger(_: str) -> None:
        await asyncio.sleep(0.1)

    for number in range(6):
        sparse(many(tmp_path / "in", 12) / f"large{number}")
    host = Host(before=linger)
    async with client_of(host) as duvo:
        await duvo.sandboxes.upload_many("sbx", [tmp_path / "in"], concurrency=4)
    assert host.most == 4
    assert len(host.taken) == 18


async def test_one_at_a_time_goes_in_order(tmp_path: Path) -> None:
    host = Host()
    async with client_of(host) as duvo:
        outcomes = await duvo.sandboxes.upload_many("sbx", [many(tmp_path, 40)], concurrency=1)
    assert host.most == 1
    assert host.taken == [each.path for each in outcomes]


async def test_with_more_at_once_than_files_there_are_no_more(tmp_path: Path) -> None:
    host = Host()
    async with client_of(host) as duvo:
        outcomes = await duvo.sandboxes.upload_many(
            "sbx", [many(tmp_path / "in", 2)], concurrency=10_000
        )
    assert places(outcomes) == ["in/0000", "in/0001"]


# --- two lines -----------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["large", "small"])
async def test_small_files_do_not_wait_behind_large_ones(tmp_path: Path, first: str) -> None:
    released = asyncio.Event()

    async def stall(path: str) -> None:
        if "large" in path:
            await released.wait()

    (tmp_path / "large").mkdir()
    for number in range(8):
        sparse(tmp_path / "large" / str(number))
    many(tmp_path / "small", 20)
    host = Host(before=stall)
    sources = [tmp_path / "large", tmp_path / "small"]
    async with client_of(host) as duvo:
        sending = asyncio.create_task(
            duvo.sandboxes.upload_many("sbx", sources if first == "large" else sources[::-1])
        )
        await until(lambda: len(host.taken) == 20 or sending.done())
        assert {path.split("/")[2] for path in host.taken} == {"small"}
        assert not sending.done()
        released.set()
        outcomes = await sending
    assert len(places(outcomes)) == 28
    assert None not in places(outcomes)


async def test_large_files_do_not_wait_behind_small_ones(tmp_path: Path) -> None:
    released = asyncio.Event()

    async def stall(path: str) -> None:
        if "small" in path:
            await released.wait()

    many(tmp_path / "small", 20)
    (tmp_path / "zzz").mkdir()
    for number in range(6):
        sparse(tmp_path / "zzz" / str(number))
    host = Host(before=stall)
    async with client_of(host) as duvo:
        sending = asyncio.create_task(duvo.sandboxes.upload_many("sbx", [tmp_path]))
        await until(lambda: len(host.taken) == 6 or sending.done())
        assert not [path for path in host.taken if "small" in path]
        released.set()
        await sending
    assert len(host.taken) == 26


async def test_large_files_go_on_when_the_requests_are_spent(tmp_path: Path) -> None:
    for number in range(4):
        sparse(many(tmp_path, 60) / f"large{number}")
    async with (
        Emulator(clock=wall_clock, requests_per_minute=30) as emulator,
        AsyncDuvo(emulator.api_key, base_url=emulator.url) as duvo,
    ):
        sandbox = await duvo.sandboxes.create()
        outcomes = await duvo.sandboxes.upload_many(sandbox.sandbox_id, [tmp_path])
    assert all(each.succeeded for each in outcomes)
    window = [request for request in emulator.requests if request.at < emulator.requests[0].at + 60]
    assert sum(request.method == "PUT" for request in window) == 4
    assert 429 not in {request.status for request in emulator.requests}


# --- pace ----------------------------------------------------------------------------------------


@pytest.mark.no_cover
async def test_many_files_leave_requests_to_others(tmp_path: Path) -> None:
    async with (
        Emulator(clock=wall_clock, requests_per_minute=300) as emulator,
        AsyncDuvo(emulator.api_key, base_url=emulator.url) as duvo,
    ):
        sandbox = await duvo.sandboxes.create()
        sending = asyncio.create_task(
            duvo.sandboxes.upload_many(sandbox.sandbox_id, [many(tmp_path, 400)])
        )
        await asyncio.sleep(20)
        in_first_window = len(emulator.requests)
        for _ in range(20):
            await duvo.health()
        calls = [request for request in emulator.requests if request.path.endswith("/health")]
        assert not sending.done()
        assert 250 < in_first_window <= 271
        assert max(call.at for call in calls) - emulator.requests[0].at < 40
        outcomes = await sending
    assert all(each.succeeded for each in outcomes)
    assert {request.status for request in emulator.requests} == {200, 201}
    assert len(emulator.requests) == 421


# --- when nothing helps --------------------------------------------------------------------------

HOPELESS: list[tuple[int, str, type[APIStatusError]]] = [
    (404, "not_found", NotFoundError),
    (401, "invalid_token", AuthenticationError),
    (403, "insufficient_scope", PermissionDeniedError),
]


@pytest.mark.parametrize(("status", "code", "kind"), HOPELESS)
async def test_when_nothing_helps_no_more_is_sent(
    tmp_path: Path, status: int, code: str, kind: type[APIStatusError]
) -> None:
    async def refuse(_: str) -> web.Response | None:
        refused = len(host.asked) > 20
        return answer(status, {"error": code, "message": "no"}) if refused else None

    host = Host(before=refuse)
    (tmp_path / "missing").symlink_to("nowhere")
    async with client_of(host) as duvo:
        outcomes = await duvo.sandboxes.upload_many("sbx", [many(tmp_path, 1000)])
    assert len(outcomes) == 1001
    assert len(host.asked) <= 20 + 8
    assert sum(each.succeeded for each in outcomes) == 20
    errors = [each.error for each in outcomes if each.error is not None]
    assert sum(isinstance(error, UploadSourceError) for error in errors) == 1
    assert sum(isinstance(error, kind) for error in errors) == 980
    assert len({id(error) for error in errors}) <= 1 + 8
    assert [each.index for each in outcomes] == [*range(1001)]


@pytest.mark.parametrize(("status", "code", "kind"), HOPELESS)
async def test_a_url_that_is_refused_helps_no_large_file(
    tmp_path: Path, status: int, code: str, kind: type[APIStatusError]
) -> None:
    class Refusing(Host):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            self.asked.append(request.path)
            return answer(status, {"error": code, "message": "no"})

    for number in range(30):
        sparse(tmp_path / str(number))
    host = Refusing()
    async with client_of(host) as duvo:
        outcomes = await duvo.sandboxes.upload_many("sbx", [tmp_path])
    assert len(host.asked) <= 8
    assert all(isinstance(each.error, kind) for each in outcomes)


@pytest.mark.parametrize("status", [404, 403])
async def test_a_storage_that_refuses_one_file_gets_the_others(tmp_path: Path, status: int) -> None:
    async def refuse(path: str) -> web.Response | None:
        return answer(status) if path.endswith("/1") else None

    make(tmp_path / "in", ["0"])
    for name in ("1", "2"):
        sparse(tmp_path / "in" / name)
    async with client_of(Host(before=refuse)) as duvo:
        outcomes = await duvo.sandboxes.upload_many("sbx", [tmp_path / "in"], concurrency=1)
    assert places(outcomes) == ["in/0", None, "in/2"]


async def test_an_expired_sandbox_ends_it(
    emulator: Emulator, duvo: AsyncDuvo, tmp_path: Path
) -> None:
    sandbox = await duvo.sandboxes.create()
    await asyncio.sleep(4000)
    outcomes = await duvo.sandboxes.upload_many(sandbox.sandbox_id, [many(tmp_path, 1000)])
    assert {type(each.error) for each in outcomes} == {NotFoundError}
    assert len(emulator.requests) <= 1 + 8


@pytest.mark.parametrize(("status", "kind"), [(400, BadRequestError), (409, ConflictError)])
async def test_other_refusals_are_each_files_own(
    tmp_path: Path, status: int, kind: type[APIStatusError]
) -> None:
    async def refuse(path: str) -> web.Response | None:
        return answer(status) if path[-1] in "05" else None

    host = Host(before=refuse)
    async with client_of(host) as duvo:
        outcomes = await duvo.sandboxes.upload_many("sbx", [many(tmp_path, 20)])
    assert [each.index for each in outcomes if isinstance(each.error, kind)] == [0, 5, 10, 15]
    assert len(host.taken) == 16


async def test_a_connection_that_breaks_is_each_files_own(tmp_path: Path) -> None:
    class Breaking(Host):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            if len(self.asked) < 3:
                self.asked.append("")
                return await hang_up(request)
            return await super().answer(request)

    async with client_of(Breaking(), RetryPolicy(retries=0)) as duvo:
        outcomes = await duvo.sandboxes.upload_many("sbx", [many(tmp_path, 20)])
    failed = [each.error for each in outcomes if each.error is not None]
    assert [type(error) for error in failed] == [APIConnectionError] * 3


# --- at the first error --------------------------------------------------------------------------


async def test_the_first_error_may_end_it(tmp_path: Path) -> None:
    async def refuse(path: str) -> web.Response | None:
        if path.endswith("0030"):
            return answer(409, {"error": "conflict", "message": "taken"})
        if path[-4:] > "0030":
            await asyncio.sleep(10)
        return None

    host = Host(before=refuse)
    async with client_of(host) as duvo:
        with pytest.raises(ConflictError) as caught:
            await duvo.sandboxes.upload_many("sbx", [many(tmp_path, 500)], fail_fast=True)
        assert asyncio.get_running_loop().time() < 10
    assert caught.value.__notes__ == ["30 of 500 files had arrived before"]
    assert f"/workspace/{tmp_path.name}/0030 did not arrive in sandbox sbx" in str(caught.value)
    assert len(host.asked) <= 30 + 8
    assert len(host.taken) == 30


async def test_a_file_that_cannot_be_read_ends_it_before_anything_is_sent(tmp_path: Path) -> None:
    host = Host()
    many(tmp_path, 5)
    async with client_of(host) as duvo:
        with pytest.raises(UploadSourceError, match="No such file") as caught:
            await duvo.sandboxes.upload_many(
                "sbx", [tmp_path, tmp_path / "missing"], fail_fast=True
            )
    assert caught.value.__notes__ == ["0 of 6 files had arrived before"]
    assert not host.asked


async def test_a_file_that_vanishes_ends_it(tmp_path: Path) -> None:
    async def remove(_: str) -> None:
        (tmp_path / "0039").unlink(missing_ok=True)

    async with client_of(Host(before=remove)) as duvo:
        with pytest.raises(UploadSourceError, match="No such file") as caught:
            await duvo.sandboxes.upload_many(
                "sbx", [many(tmp_path, 40)], fail_fast=True, concurrency=1
            )
    assert caught.value.__notes__ == ["39 of 40 files had arrived before"]
