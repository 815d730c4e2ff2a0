"""One script, three faces: async, blocking and the shell come to the same outcome."""

import asyncio
import json
import subprocess
from collections.abc import Callable, Generator, Iterator, Mapping

import pytest
from attrs import field, frozen

from duvo_async import (
    AsyncDuvo,
    Duvo,
    HumanAnswer,
    HumanRequestPending,
    HumanRequestType,
    Run,
    WaitTimeout,
)
from duvo_async.emulator import (
    AskApproval,
    AskQuestions,
    Emulator,
    Finish,
    Option,
    Question,
    Say,
    Script,
    Sleep,
    StartedRun,
    Step,
)
from tests.support.shell import COMMAND, environment, shell

pytestmark = [pytest.mark.once, pytest.mark.no_cover]

POST = (AskApproval("Post?", denied=(Say("not posted"), Finish("stopped"))), Say("posted"))
QUESTIONS = (
    Question("Which books?", options=(Option("A=1"), Option("B")), multi_select=True),
    Question("Whose?", options=(Option("ours"), Option("theirs"))),
    Question("Why?"),
)


def ask(_: StartedRun) -> Generator[Step, Mapping[str, str], None]:
    answers = yield AskQuestions("Before I start", QUESTIONS)
    yield Say(json.dumps(answers, sort_keys=True))


@frozen
class Case:
    """A script, what the user says to it, and what must come of it."""

    script: Script
    status: str
    said: tuple[str, ...] = ()
    approved: bool | None = None
    answers: Mapping[str, list[str]] = field(factory=dict[str, list[str]])
    timeout: float | None = None
    stopped: bool = False
    resumed_by: str | None = None

    def decide(self, pending: HumanRequestPending) -> HumanAnswer:
        request = pending.request
        if request.type == HumanRequestType.APPROVAL:
            return request.approve() if self.approved else request.deny()
        return request.answer(self.answers)


ANSWERS = {"Which books?": ["A=1", "B"], "Whose?": ["ours"], "Why?": ["1 + 1 = 2"]}
ECHO = json.dumps({"Which books?": "A=1,B", "Whose?": "ours", "Why?": "1 + 1 = 2"}, sort_keys=True)
CASES = {
    "completion": Case((Say("hi"), Say("there")), "completed", ("hi", "there")),
    "granted": Case(POST, "completed", ("posted",), approved=True),
    "denied": Case(POST, "stopped", ("not posted",), approved=False),
    "questions": Case(ask, "completed", (ECHO,), answers=ANSWERS),
    "failure": Case((Say("oh"), Finish("failed")), "failed", ("oh",)),
    "interruption": Case((Say("1"), Finish("interrupted"), Say("2")), "interrupted", ("1",)),
    "resumption": Case(
        (Say("1"), Finish("interrupted"), Say("2")),
        "completed",
        ("1", "go on", "2"),
        resumed_by="go on",
    ),
    "stop": Case((Say("1"), Sleep(3600)), "stopped", ("1",), stopped=True),
    "time-out": Case((Say("1"), Sleep(3600)), "WaitTimeout", ("1",), timeout=0.05),
}

Outcome = tuple[str, tuple[str, ...]]


async def _async(case: Case, emulator: Emulator, agent: str) -> Outcome:
    async with AsyncDuvo(emulator.api_key, base_url=emulator.url) as duvo:

        async def updated(run: Run) -> None:
            if case.stopped and run.status == "running":
                await duvo.runs.stop(run.id)

        run = await duvo.runs.start(agent)
        try:
            run = await duvo.runs.wait(
                run, timeout=case.timeout, on_human_request=case.decide, on_update=updated
            )
            if case.resumed_by:
                await duvo.runs.post_message(run.id, case.resumed_by)
                run = await duvo.runs.wait(run)
            status = str(run.status)
        except WaitTimeout as error:
            status = type(error).__name__
        said = [message.text_content async for message in duvo.runs.messages(run.id)]
    return status, tuple(text for text in said if text)


def through_async(case: Case, emulator: Emulator, agent: str) -> Outcome:
    return asyncio.run(_async(case, emulator, agent))


def through_blocking(case: Case, emulator: Emulator, agent: str) -> Outcome:
    with Duvo(emulator.api_key, base_url=emulator.url) as duvo:

        def updated(run: Run) -> None:
            if case.stopped and run.status == "running":
                duvo.runs.stop(run.id)

        run = duvo.runs.start(agent)
        try:
            run = duvo.runs.wait(
                run, timeout=case.timeout, on_human_request=case.decide, on_update=updated
            )
            if case.resumed_by:
                duvo.runs.post_message(run.id, case.resumed_by)
                run = duvo.runs.wait(run)
            status = str(run.status)
        except WaitTimeout as error:
            status = type(error).__name__
        said = [message.text_content for message in duvo.runs.messages(run.id)]
    return status, tuple(text for text in said if text)


def _options(case: Case) -> list[str]:
    words = [] if case.approved is None else ["--approve" if case.approved else "--deny"]
    words += [f"--answer={text}={each}" for text, chosen in case.answers.items() for each in chosen]
    return words + ([] if case.timeout is None else [f"--timeout={case.timeout}"])


def through_the_shell(case: Case, emulator: Emulator, agent: str) -> Outcome:
    with (
        subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, "run", agent, "--json", *_options(case)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(emulator),
            text=True,
        ) as process,
        Duvo(emulator.api_key, base_url=emulator.url) as other,
    ):
        if case.stopped:
            _stop(other, emulator)
        output, errors = process.communicate(timeout=30)
        document = json.loads(output)
        run = document["run"]
    if case.resumed_by:
        again = shell(
            "run", "--resume", run["id"], "--message", case.resumed_by, "--json", emulator=emulator
        )
        document, run = json.loads(again.stdout), json.loads(again.stdout)["run"]
        assert again.returncode == 0
    else:
        assert process.returncode == (0 if run["status"] == "completed" else 1), errors
    status = document["error"]["type"] if "error" in document else run["status"]
    said = (message["text_content"] for message in document["messages"])
    return status, tuple(text for text in said if text)


def _stop(other: Duvo, emulator: Emulator) -> None:
    """Stop the run that the command has started, once it is being read."""
    seen: list[str] = []
    while not seen:
        seen = [
            request.path.split("/")[3]
            for request in emulator.requests
            if request.method == "GET" and request.path.startswith("/v1/runs/")
        ]
        other.health()
    other.runs.stop(seen[0])


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(requests_per_minute=100_000) as running:
        yield running


@pytest.mark.parametrize("face", [through_async, through_blocking, through_the_shell])
@pytest.mark.parametrize("name", CASES)
def test_the_outcome_is_the_same(
    name: str, face: Callable[[Case, Emulator, str], Outcome], emulator: Emulator
) -> None:
    case = CASES[name]
    assert face(case, emulator, emulator.add_agent(case.script)) == (case.status, case.said)
