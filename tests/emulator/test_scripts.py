from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from duvo_async.emulator import (
    AskApproval,
    AskQuestions,
    CallTool,
    Finish,
    ListFiles,
    Question,
    ReadFile,
    Say,
    Sleep,
    StartedRun,
    Step,
)

if TYPE_CHECKING:
    from tests.emulator.conftest import Api

Play: TypeAlias = Generator[Step, Any, None]


def test_a_list_of_steps_serves_any_number_of_runs(api: Api) -> None:
    agent_id = api.emulator.add_agent(iter([Say("hi")]))
    for _ in range(2):
        run_id = api.post("/v1/runs", {"agent_id": agent_id}).json()["run"]["id"]
        assert api.texts(run_id) == ["hi"]


def test_runs_of_an_agent_share_its_build(api: Api) -> None:
    agent_id = api.emulator.add_agent([])
    runs = [api.post("/v1/runs", {"agent_id": agent_id}).json()["run"] for _ in range(2)]
    assert runs[0]["build_id"] == runs[1]["build_id"]
    assert runs[0]["id"] != runs[1]["id"]


def test_a_list_holds_steps_only(api: Api) -> None:
    with pytest.raises(TypeError, match="no step"):
        api.emulator.add_agent(["hi"])  # type: ignore[list-item]  # the fault that is tested


def test_a_callable_script_is_told_about_its_run(api: Api) -> None:
    told: list[StartedRun] = []

    def script(run: StartedRun) -> Play:
        told.append(run)
        yield Say("hi")

    sandbox_id = api.create_sandbox()
    run_id = api.start(script, message="go", sandbox_id=sandbox_id)
    bare_id = api.start(script)
    assert api.texts(bare_id) == ["hi"]
    assert told == [StartedRun(run_id, "go", sandbox_id), StartedRun(bare_id, None, None)]


def test_a_callable_script_gets_the_result_of_each_step(api: Api) -> None:
    got: list[Any] = []

    def script(_: StartedRun) -> Play:
        for step in (Say("hi"), CallTool("x"), Sleep(1), ReadFile("a.txt"), ListFiles()):
            result = yield step
            got.append(result)
        got.append((yield AskApproval("One?")))
        got.append((yield AskApproval("Two?")))
        got.append((yield AskQuestions("t", [Question("Who?")])))
        got.append((yield AskApproval("Three?")))
        got.append((yield Finish("interrupted")))

    sandbox_id = api.create_sandbox()
    api.upload(sandbox_id, "a.txt", b"abc")
    run_id = api.start(script, sandbox_id=sandbox_id)
    api.clock.advance(1)
    api.respond(run_id, {"approved": True})
    api.respond(run_id, {"approved": False})
    api.respond(run_id, {"answers": {"Who?": "me"}})
    api.post(f"/v1/runs/{run_id}/messages", {"message": "instead"})
    assert api.status(run_id) == "interrupted"
    api.post(f"/v1/runs/{run_id}/messages", {"message": "go on"})
    assert api.status(run_id) == "completed"
    nothing, tool, sleep, data, (entry,), *answers = got
    assert (nothing, tool, sleep, data) == (None, None, None, b"abc")
    assert (entry.name, entry.path, entry.type, entry.size_bytes) == (
        "a.txt",
        "/workspace/a.txt",
        "file",
        3,
    )
    assert answers == [True, False, {"Who?": "me"}, None, "go on"]


def test_a_callable_script_decides_after_a_denial(api: Api) -> None:
    def script(_: StartedRun) -> Play:
        approved = yield AskApproval("One?", denied=[Say("first one")])
        yield Say(f"one {approved}")
        approved = yield AskApproval("Two?")
        yield Say(f"two {approved}")

    run_id = api.start(script)
    api.respond(run_id, {"approved": False})
    api.respond(run_id, {"approved": False})
    assert api.texts(run_id) == ["first one", "one False", "two False"]


def test_a_listed_file_can_be_opened(api: Api) -> None:
    heads: list[bytes] = []

    def script(_: StartedRun) -> Play:
        directory, file = yield ListFiles()
        with pytest.raises(IsADirectoryError):
            directory.open()
        with file.open() as opened:
            heads.append(opened.read(2))

    sandbox_id = api.create_sandbox()
    api.upload(sandbox_id, "z.txt", b"zzz")
    api.upload(sandbox_id, "a/b.txt", b"b")
    assert api.status(api.start(script, sandbox_id=sandbox_id)) == "completed"
    assert heads == [b"zz"]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (ReadFile("a.txt"), "The run failed: no file at a.txt"),
        (ReadFile("../a.txt"), "The run failed: path must stay inside /workspace"),
        (ReadFile("/workspace"), "The run failed: path must name a file"),
        (ListFiles("/workspace/a"), "The run failed: no directory at /workspace/a"),
        (ListFiles("/"), "The run failed: path must stay inside /workspace"),
    ],
)
@pytest.mark.parametrize("has_sandbox", [True, False])
def test_a_missing_file_fails_the_run(
    api: Api, step: ReadFile | ListFiles, said: str, *, has_sandbox: bool
) -> None:
    fields = {"sandbox_id": api.create_sandbox()} if has_sandbox else {}
    run_id = api.start([step, Say("no")], **fields)
    assert api.status(run_id) == "failed"
    assert api.texts(run_id) == [said]


def test_a_run_without_a_sandbox_has_an_empty_workspace(api: Api) -> None:
    assert api.status(api.start([ListFiles()])) == "completed"


def test_a_run_keeps_its_files_when_the_sandbox_expires(api: Api) -> None:
    sandbox_id = api.create_sandbox()
    api.upload(sandbox_id, "a.txt", b"abc")
    run_id = api.start([Sleep(7200), ReadFile("a.txt")], sandbox_id=sandbox_id)
    api.clock.advance(7200)
    assert api.status(run_id) == "completed"


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), ValueError("bad")])
def test_a_script_that_raises_fails_its_run(
    api: Api, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def script(_: StartedRun) -> Play:
        yield Say("hi")
        raise error

    run_id = api.start(script)
    assert api.status(run_id) == "failed"
    assert api.texts(run_id) == ["hi", f"The run failed: {error}"]
    assert run_id in caplog.text


def test_a_script_that_yields_no_step_fails_its_run(api: Api) -> None:
    def script(_: StartedRun) -> Play:
        yield "hi"  # type: ignore[misc]  # the fault that is tested

    assert api.status(api.start(script)) == "failed"


def test_a_sleep_is_not_negative() -> None:
    with pytest.raises(ValueError, match="seconds"):
        Sleep(-1)
