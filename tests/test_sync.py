"""The blocking client: a mirror, threads, handlers, interruptions."""

import asyncio
import inspect
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from duvo_async import (
    AsyncDuvo,
    AsyncItems,
    ClientClosedError,
    ConfigurationError,
    Duvo,
    HumanAnswer,
    HumanRequestPending,
    Items,
    NotFoundError,
    Run,
    WaitTimeout,
)
from duvo_async.emulator import AskApproval, Emulator, Say, Sleep
from duvo_async.mirrors import Runs


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(requests_per_minute=100_000) as running:
        yield running


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_of(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whose loop the client has: uvloop's where it is installed."""
    name: str = request.param
    if name == "uvloop":
        pytest.importorskip("uvloop")
    else:
        monkeypatch.setitem(sys.modules, "uvloop", None)
    return name


@pytest.fixture
def duvo(emulator: Emulator, loop_of: str) -> Iterator[Duvo]:  # noqa: ARG001 - set up before
    with Duvo(emulator.api_key, base_url=emulator.url) as client:
        yield client


def _public(owner: type) -> dict[str, Any]:
    return {
        name: member
        for name, member in inspect.getmembers(owner)
        if not name.startswith("_") and callable(member)
    }


ONE_SIDED = {"mcp"}
"""What a blocking client has not: a session of the `mcp` package is asynchronous."""


def _faces(original: object, mirror: object) -> Iterator[tuple[type, type]]:
    yield type(original), type(mirror)
    for name, below in inspect.getmembers(original):
        is_resource = type(below).__module__.startswith("duvo_async.resources.")
        if is_resource and not name.startswith("_") and name not in ONE_SIDED:
            yield from _faces(below, getattr(mirror, name))


async def _running_loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def test_it_has_the_loop_that_is_installed(duvo: Duvo, loop_of: str) -> None:
    loop = duvo._bridge.run(_running_loop)  # noqa: SLF001 - nothing else tells
    modules = {base.__module__.partition(".")[0] for base in type(loop).__mro__}
    assert ("uvloop" in modules) == (loop_of == "uvloop")


def test_names_are_looked_up_in_threads_of_pythons(
    duvo: Duvo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that is forked would wait at its end for those that uvloop has by itself."""
    monkeypatch.setattr(socket, "getaddrinfo", Mock(return_value=["an address"]))
    monkeypatch.setattr(socket, "getnameinfo", Mock(return_value=("duvo.example", "https")))

    async def look_up() -> tuple[object, object]:
        loop = asyncio.get_running_loop()
        addresses = await loop.getaddrinfo("duvo.example", 443, type=socket.SOCK_STREAM)
        return addresses, await loop.getnameinfo(("192.0.2.1", 443), socket.NI_NAMEREQD)

    found = duvo._bridge.run(look_up)  # noqa: SLF001 - nothing else tells
    assert found == (["an address"], ("duvo.example", "https"))


def test_an_address_is_looked_up_in_no_thread(duvo: Duvo, loop_of: str) -> None:
    if loop_of == "asyncio":
        pytest.skip("asyncio's own loop has its own way")

    async def look_up() -> object:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(Mock(spec=ThreadPoolExecutor))  # which would do nothing
        return await loop.getaddrinfo("127.0.0.1", 443, type=socket.SOCK_STREAM)

    found = duvo._bridge.run(look_up)  # noqa: SLF001 - nothing else tells
    assert found == socket.getaddrinfo("127.0.0.1", 443, type=socket.SOCK_STREAM)


FACES = [*_faces(AsyncDuvo("k"), Duvo("k"))]


def test_the_faces_are_found() -> None:
    assert {"AsyncRuns", "AsyncSandboxes"} < {face.__name__ for face, _ in FACES}


@pytest.mark.parametrize(("original", "mirror"), FACES, ids=lambda face: face.__name__)
def test_the_mirror_is_complete(original: type, mirror: type) -> None:
    wanted, found = _public(original), _public(mirror)
    assert wanted.keys() == found.keys()
    for name, method in wanted.items():
        reflected = found[name]
        assert not inspect.iscoroutinefunction(reflected)
        assert (
            inspect.signature(reflected).parameters.keys()
            == inspect.signature(method).parameters.keys()
        )
        for parameter, value in inspect.signature(method).parameters.items():
            if name != "with_response":  # it gets a call of its own face
                assert inspect.signature(reflected).parameters[parameter] == value
        if method.__name__ != "close":
            assert _words(method.__doc__) == _words(reflected.__doc__)
        assert reflected.__name__ == name


def _words(text: str | None) -> list[str]:
    return [word for word in re.findall(r"\w+", text or "") if word != "async"]


def test_the_clients_have_the_same_attributes() -> None:
    names = [
        {name for name in dir(client) if not name.startswith("_")}
        for client in (AsyncDuvo("k"), Duvo("k"))
    ]
    assert names[0] - ONE_SIDED == names[1]


def test_the_clients_take_the_same_arguments_but_for_the_session() -> None:
    wanted = dict(inspect.signature(AsyncDuvo).parameters)
    del wanted["session"]  # an aiohttp session belongs to a loop that the caller has
    assert wanted == dict(inspect.signature(Duvo).parameters)


def test_iterators_are_mirrored(emulator: Emulator, duvo: Duvo) -> None:
    run = duvo.runs.execute(emulator.add_agent([Say(str(n)) for n in range(120)]))
    messages = duvo.runs.messages(run.id)
    assert isinstance(messages, Items)
    assert [message.text_content for message in messages] == [*map(str, range(120))]
    assert [len(page) for page in messages.pages()] == [50, 50, 20]
    assert [len(page) for page in duvo.runs.messages(run.id, limit=70).pages()] == [50, 20]
    with pytest.raises(ValueError, match="limit must be at least 1"):
        duvo.runs.messages(run.id, limit=0)
    assert next(iter(messages)).text_content == "0"
    assert [run.status for run in duvo.runs.watch(run)] == ["completed"]


def test_the_signature_of_an_iterator_speaks_of_items() -> None:
    for runs, kind in ((AsyncDuvo("k").runs, AsyncItems), (Duvo("k").runs, Items)):
        assert inspect.signature(runs.messages).return_annotation.__origin__ is kind


def test_a_page_costs_one_crossing(
    emulator: Emulator, duvo: Duvo, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = duvo.runs.execute(emulator.add_agent([Say(str(n)) for n in range(120)]))
    bridge = duvo._bridge  # noqa: SLF001 - counts its uses
    counted = Mock(side_effect=bridge.run)
    monkeypatch.setattr(type(bridge), "run", counted)
    assert len(list(duvo.runs.messages(run.id))) == 120
    assert counted.call_count == 5  # three pages, the end, and the closing


def test_a_handler_runs_in_the_calling_thread_and_may_use_the_client(
    emulator: Emulator, duvo: Duvo
) -> None:
    seen: list[tuple[int, Run]] = []

    def decide(pending: HumanRequestPending) -> HumanAnswer:
        seen.append((threading.get_ident(), duvo.runs.get(pending.run_id)))
        return pending.request.approve()

    updates: list[int] = []
    run = duvo.runs.execute(
        emulator.add_agent([AskApproval("Post?")]),
        on_human_request=decide,
        on_update=lambda _: updates.append(threading.get_ident()),
    )
    assert run.succeeded
    assert [(thread, run.status) for thread, run in seen] == [(threading.get_ident(), "waiting")]
    assert set(updates) == {threading.get_ident()}


async def _approve(pending: HumanRequestPending) -> HumanAnswer:
    await asyncio.sleep(0)
    return pending.request.approve()


def test_a_handler_may_be_asynchronous_here_too(emulator: Emulator, duvo: Duvo) -> None:
    agent = emulator.add_agent([AskApproval("Post?")])
    assert duvo.runs.execute(agent, on_human_request=_approve).succeeded


@pytest.mark.parametrize("kind", [LookupError, StopIteration, HumanRequestPending])
def test_a_handlers_error_reaches_the_caller(
    kind: type[Exception], emulator: Emulator, duvo: Duvo
) -> None:
    def fail(pending: HumanRequestPending) -> HumanAnswer:
        raise pending if kind is HumanRequestPending else kind("nobody is in")

    wanted = RuntimeError if kind is StopIteration else kind
    with pytest.raises(wanted):
        duvo.runs.execute(emulator.add_agent([AskApproval("Post?")]), on_human_request=fail)


def test_errors_are_the_same(emulator: Emulator, duvo: Duvo) -> None:
    with pytest.raises(NotFoundError):
        duvo.runs.get("550e8400-e29b-41d4-a716-446655440000")
    with pytest.raises(ValueError, match="run_id"):
        duvo.runs.get("a/b")
    run = duvo.runs.start(emulator.add_agent([Sleep(3600)]))
    with pytest.raises(WaitTimeout) as caught:
        duvo.runs.wait(run, timeout=0.05)
    assert caught.value.run_id == run.id
    with pytest.raises(ConfigurationError):
        Duvo("")


def test_many_threads_share_a_client(emulator: Emulator, duvo: Duvo) -> None:
    agent = emulator.add_agent([AskApproval("Post?")])
    threads: set[int] = set()

    def approve(pending: HumanRequestPending) -> HumanAnswer:
        threads.add(threading.get_ident())
        return pending.request.approve()

    with ThreadPoolExecutor(16) as pool:
        runs = pool.map(lambda _: duvo.runs.execute(agent, on_human_request=approve), range(64))
    assert len({run.id for run in runs if run.succeeded}) == 64
    assert threading.get_ident() not in threads


def test_it_works_inside_a_running_loop(emulator: Emulator, duvo: Duvo) -> None:
    async def cell() -> Run:
        return duvo.runs.execute(emulator.add_agent([Say("hi")]))

    assert asyncio.run(cell()).succeeded


def test_a_closed_client_says_so(emulator: Emulator) -> None:
    duvo = Duvo(emulator.api_key, base_url=emulator.url)
    messages = duvo.runs.messages(duvo.runs.execute(emulator.add_agent([Say("hi")])).id)
    duvo.close()
    duvo.close()
    with pytest.raises(ClientClosedError):
        duvo.health()
    with pytest.raises(ClientClosedError):
        list(messages)


def test_closing_ends_the_calls_of_other_threads(emulator: Emulator) -> None:
    duvo = Duvo(emulator.api_key, base_url=emulator.url)
    run = duvo.runs.start(emulator.add_agent([Sleep(3600)]))
    waiting = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        wait = pool.submit(duvo.runs.wait, run, on_update=lambda _: waiting.set())
        assert waiting.wait(30)
        duvo.close()
        with pytest.raises(ClientClosedError):
            wait.result(30)


def test_a_handler_may_close_the_client(emulator: Emulator) -> None:
    duvo = Duvo(emulator.api_key, base_url=emulator.url)

    def close(_: HumanRequestPending) -> None:
        duvo.close()

    with pytest.raises(ClientClosedError):
        duvo.runs.execute(emulator.add_agent([AskApproval("Post?")]), on_human_request=close)


def test_a_client_may_be_collected_in_its_own_loop(emulator: Emulator) -> None:
    duvo = Duvo(emulator.api_key, base_url=emulator.url)
    duvo.health()
    (thread,) = [each for each in threading.enumerate() if each.name == "duvo-async"]
    bridge = duvo._bridge  # noqa: SLF001 - reaches its loop

    async def close() -> None:
        bridge.close()  # as its finalizer would

    with suppress(ClientClosedError):  # whichever is faster
        bridge.run(close)
    thread.join(30)
    assert not thread.is_alive()


def test_an_iterator_may_be_collected_in_the_loop(emulator: Emulator, duvo: Duvo) -> None:
    messages = iter(duvo.runs.messages(duvo.runs.execute(emulator.add_agent([Say("hi")])).id))
    assert next(messages).text_content == "hi"
    kept = [messages]
    del messages

    async def collect() -> None:
        kept.clear()

    duvo._bridge.run(collect)  # noqa: SLF001 - reaches its loop
    assert duvo.health()


@pytest.mark.filterwarnings("ignore:unclosed blocking client:ResourceWarning")
def test_what_a_client_made_keeps_it_alive(emulator: Emulator) -> None:
    def runs() -> Runs:
        return Duvo(emulator.api_key, base_url=emulator.url).runs

    agent = emulator.add_agent([Say("hi")])
    run = Duvo(emulator.api_key, base_url=emulator.url).runs.execute(agent)
    assert run.succeeded
    assert [message.text_content for message in runs().messages(run.id)] == ["hi"]


def test_an_interruption_as_the_loop_starts_loses_nothing(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Duvo(emulator.api_key, base_url=emulator.url) as duvo:
        ready = duvo._bridge._loop._ready  # noqa: SLF001 - where the thread waits
        with monkeypatch.context() as patch:
            patch.setattr(ready, "wait", Mock(side_effect=KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                duvo.health()
        assert duvo.health()


def test_an_interruption_as_a_call_is_handed_over_takes_it_back(
    emulator: Emulator, duvo: Duvo, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = duvo._bridge._loop  # noqa: SLF001 - where calls are handed over
    hand_over = loop.post
    release = threading.Event()

    def busy() -> None:
        release.wait(30)

    def interrupted(target: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
        hand_over(target, function)
        if function.__name__ == "start":
            raise KeyboardInterrupt
        release.set()

    duvo.health()
    hand_over(loop.started(), busy)
    monkeypatch.setattr(loop, "post", interrupted)
    with pytest.raises(KeyboardInterrupt):
        duvo.runs.start(emulator.demo_agent_id)
    monkeypatch.undo()
    assert duvo.health()
    assert {request.method for request in emulator.requests} == {"GET"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_after_a_fork_a_child_is_told_to_make_its_own(emulator: Emulator) -> None:
    program = """
        import sys
        duvo, unused = Duvo(), Duvo()
        duvo.health()
        if (child := os.fork()) == 0:
            try:
                duvo.health()
            except ClientClosedError as error:
                print(error, flush=True)
            with unused, Duvo() as own:
                print(unused.health() and own.health(), flush=True)
            sys.exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), duvo.health())
        duvo.close()
    """
    with _script(emulator, program, "-W", "ignore") as process:
        output, _ = process.communicate(timeout=30)
    told, own, parent = output.splitlines()
    assert "used before a fork" in told
    assert (own, parent) == ("True", "0 True")


def test_a_client_that_was_never_used_has_no_thread() -> None:
    before = threading.active_count()
    duvo = Duvo("dv_key")
    assert threading.active_count() == before
    duvo.close()


@contextmanager
def _script(emulator: Emulator, body: str, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a program that uses the emulator, with warnings as errors; it ends with the test."""
    program = "import os\nfrom duvo_async import *\n" + textwrap.dedent(body)
    environment = {
        **os.environ,
        "DUVO_API_KEY": emulator.api_key,
        "DUVO_API_BASE_URL": emulator.url,
        "AGENT": emulator.add_agent([Sleep(3600)]),
    }
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-W", "error", *options, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()  # one that hangs would hang the tests


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize(
    "call",
    [
        "duvo.runs.wait(run, on_update=lambda _: print('ready', flush=True))",
        "[print('ready', flush=True) for _ in duvo.runs.watch(run)]",
        "duvo.runs.wait(run, on_update=lambda _: (print('ready', flush=True), time.sleep(60)))",
        "os.mkfifo('pipe'); print('ready', flush=True); duvo.sandboxes.upload('sandbox', 'pipe')",
    ],
    ids=["in a wait", "in an iterator", "in a handler", "in reading a pipe that nobody writes"],
)
def test_ctrl_c_ends_a_call_which_cleans_up(
    call: str, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    program = f"""
        import asyncio, time
        with Duvo() as duvo:
            run = duvo.runs.start(os.environ["AGENT"])
            try:
                {call}
            except KeyboardInterrupt:
                async def tasks():
                    return [task for task in asyncio.all_tasks() if "wait" in repr(task.get_coro())]
                print(duvo._bridge.run(tasks) == [], duvo.health(), flush=True)
    """
    with _script(emulator, program) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=30)
    assert output == ("True True\n", "")
    assert process.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_a_signal_that_interrupts_no_wait_is_noticed_all_the_same(emulator: Emulator) -> None:
    # As one does that comes just before the wait; here it comes to another thread.
    program = """
        import signal, threading
        def strike():
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        with Duvo() as duvo:
            run = duvo.runs.start(os.environ["AGENT"])
            threading.Timer(0.5, strike).start()
            try:
                duvo.runs.wait(run)
            except KeyboardInterrupt:
                print("noticed")
    """
    with _script(emulator, program) as process:
        output = process.communicate(timeout=30)
    assert output == ("noticed\n", "")


@pytest.mark.parametrize(
    "ending",
    ["", "del duvo", "import sys; sys.exit(0)", "duvo.close()", "print(next(iter(items)))"],
)
def test_a_program_that_forgets_to_close_comes_to_its_end(ending: str, emulator: Emulator) -> None:
    program = f"""
        duvo = Duvo()
        run = duvo.runs.start(os.environ["AGENT"])
        items = duvo.runs.watch(run)
        {ending}
    """
    with _script(emulator, program) as process:
        _, errors = process.communicate(timeout=30)
    assert errors == ""
    assert process.returncode == 0
