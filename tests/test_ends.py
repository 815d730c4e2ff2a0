"""Clients that nobody closed, and the ends of processes."""

import gc
import os
import subprocess
import sys
import textwrap
import threading
import tracemalloc
import warnings

import pytest

from duvo_async import ClientClosedError, Duvo
from duvo_async.emulator import Emulator, Sleep
from tests.support.shell import environment


def script(emulator: Emulator, program: str, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run a program that uses an emulator; it must come to an end."""
    agent = emulator.add_agent([Sleep(3600)])
    head = "import asyncio, atexit, gc, os, sys, threading\nfrom duvo_async import *\n"
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, *options, "-c", head + textwrap.dedent(program)],
        env=environment(emulator) | {"AGENT": agent},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_client_that_nobody_closed_is_told_of_once_and_its_thread_ends() -> None:
    before = set(threading.enumerate())
    with Emulator() as emulator:
        before = set(threading.enumerate())
        duvo = Duvo(emulator.api_key, base_url=emulator.url)
        light = duvo.with_options(timeout=5)
        assert light.health()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del duvo
            gc.collect()
            assert caught == []  # the light one is left
            del light
            gc.collect()
        (warning,) = caught
        assert warning.category is ResourceWarning
        assert "unclosed blocking client: use it in a with statement" in str(warning.message)
        assert set(threading.enumerate()) == before


def test_tracemalloc_tells_where_it_was_made() -> None:
    with Emulator() as emulator:
        tracemalloc.start(20)
        try:
            duvo = Duvo(emulator.api_key, base_url=emulator.url)
            duvo.health()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                del duvo
                gc.collect()
            found = tracemalloc.get_object_traceback(caught[0].source)
        finally:
            tracemalloc.stop()
    assert found is not None
    assert any(frame.filename == __file__ for frame in found)


def test_one_that_was_closed_or_never_used_is_not_told_of() -> None:
    with Emulator() as emulator, warnings.catch_warnings():
        warnings.simplefilter("error")
        with Duvo(emulator.api_key, base_url=emulator.url) as duvo:
            duvo.health()
        Duvo(emulator.api_key, base_url=emulator.url)
        del duvo
        gc.collect()


ENDS = {
    "at the end": "duvo = Duvo(); print(duvo.health())",
    "in a function": """
        def main():
            duvo = Duvo()
            print(duvo.health())
        main()
    """,
    "in a cycle": """
        class Keeper: pass
        keeper = Keeper(); keeper.me = keeper; keeper.duvo = Duvo()
        print(keeper.duvo.health())
    """,
    "in atexit": "duvo = Duvo(); duvo.health(); atexit.register(lambda: print(duvo.health()))",
    "begun in atexit": """
        duvo = Duvo()
        def last():
            try:
                print(duvo.health())
            except ClientClosedError as error:  # 3.12.0 and 3.12.1 start no thread so late
                print("can't create new thread" in str(error))
        atexit.register(last)
    """,
    "in a daemon thread": """
        duvo = Duvo()
        run_id = duvo.runs.start(os.environ["AGENT"]).id
        done = threading.Event()
        def work():
            duvo.health(); done.set()
            try:
                duvo.runs.wait(run_id)
            except ClientClosedError:
                pass
        threading.Thread(target=work, daemon=True).start()
        print(done.wait(30))
    """,
    "in a running loop": """
        async def main():
            duvo = Duvo()
            print(duvo.health())
        asyncio.run(main())
    """,
    "after sys.exit": "duvo = Duvo(); print(duvo.health()); sys.exit(0)",
    "an asynchronous one": """
        async def main():
            async with AsyncDuvo() as duvo:
                print(await duvo.health())
        asyncio.run(main())
    """,
}


@pytest.mark.parametrize("program", ENDS.values(), ids=list(ENDS))
def test_no_end_of_the_interpreter_hangs_or_complains(program: str) -> None:
    with Emulator() as emulator:
        done = script(emulator, program)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
    assert done.stderr == ""


def test_a_thread_that_cannot_be_started_fails_the_call_and_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_left(_: object) -> None:
        raise RuntimeError("can't start new thread")

    with Emulator() as emulator, Duvo(emulator.api_key, base_url=emulator.url) as duvo:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", none_left)
            for _ in range(2):
                with pytest.raises(ClientClosedError, match="can't start new thread"):
                    duvo.health()
        assert duvo.health()  # there are threads again


def test_development_mode_shows_the_warning_and_nothing_else() -> None:
    with Emulator() as emulator:
        done = script(emulator, ENDS["in a function"], "-W", "always::ResourceWarning")
    assert done.stderr.count("ResourceWarning: unclosed") == 1
    assert "ResourceWarning: unclosed blocking client" in done.stderr
    assert "Event loop is closed" not in done.stderr


def calls(duvo: Duvo, run_id: str, count: int, wrong: list[object]) -> None:
    for _ in range(count):
        run = duvo.runs.get(run_id)
        if run.id != run_id:
            wrong.append(run)


def shared_by_threads(count: int) -> None:
    """Have 32 threads make so many calls each on one client."""
    with Emulator(requests_per_minute=None, keeps_requests=False) as emulator:
        ids = [emulator.start_run(emulator.demo_agent_id) for _ in range(32)]
        wrong: list[object] = []
        how = {"base_url": emulator.url, "requests_per_minute": 10_000_000}
        with Duvo(emulator.api_key, **how) as duvo:  # type: ignore[arg-type] # one of each
            threads = [
                threading.Thread(target=calls, args=(duvo, each, count, wrong)) for each in ids
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            budget = duvo._mirrored._session.turns.budget  # noqa: SLF001 - nothing else tells
            assert not budget._under_way  # noqa: SLF001 - as above
            assert budget.number == 32 * count
    assert wrong == []


def test_threads_share_a_client() -> None:
    shared_by_threads(10)


@pytest.mark.long
def test_threads_share_a_client_for_long() -> None:
    shared_by_threads(500)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_neither_hangs_nor_takes_its_parents_client_down() -> None:
    program = """
        duvo = Duvo()
        duvo.health()
        if (child := os.fork()) == 0:
            try:
                duvo.health()
            except ClientClosedError as error:
                print("used before a fork" in str(error), flush=True)
            del duvo
            gc.collect()
            sys.exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(code, duvo.health())
        duvo.close()
    """
    with Emulator() as emulator:
        done = script(emulator, program, "-W", "ignore::DeprecationWarning")
    assert done.stdout == "True\n0 True\n"
    assert done.stderr == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_an_asynchronous_client_is_one_processs() -> None:
    program = """
        async def child(duvo):
            try:
                await duvo.health()
            except ConfigurationError as error:
                print("another event loop" in str(error), flush=True)
            async with AsyncDuvo() as own:
                print(await own.health(), flush=True)

        async def main():
            async with AsyncDuvo() as duvo:
                await duvo.health()
                if (pid := os.fork()) == 0:
                    asyncio.run(child(duvo))
                    os._exit(0)
                print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), await duvo.health())

        asyncio.run(main())
    """
    with Emulator() as emulator:
        done = script(emulator, program, "-W", "ignore::DeprecationWarning")
    assert done.stdout == "True\nTrue\n0 True\n", done.stderr
    assert done.stderr == ""
