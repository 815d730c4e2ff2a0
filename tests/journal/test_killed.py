"""A journalled fan-out whose process is killed again and again, at any moment."""

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest
from attrs import define, field

from duvo_async.emulator import Emulator, Finish, Request, Response, StartedRun
from tests.support.shell import COMMAND, environment

_PATIENCE = 60.0
"""Real seconds after which a process that does not end is given up."""


def at_once(run: StartedRun) -> Generator[Finish, None, None]:
    """End, the one way or the other."""
    yield Finish("failed" if (run.message or "").endswith("7") else "completed")


@define(kw_only=True, eq=False)
class Deadly(Emulator):
    """Kills a process by the last of so many requests, before or after what it asks for is done.

    Attributes:
        started: The runs that were started with each message.
    """

    started: Counter[str] = field(factory=Counter[str])
    _victim: int | None = None
    _left: int = 0
    _before: bool = False

    def aim(self, process: int, requests: int, *, before: bool) -> None:
        """Choose whom to kill, and when."""
        self._victim, self._left, self._before = process, requests, before

    def handle(self, request: Request) -> Response:
        self._left -= 1
        if self._left == 0 and self._before:
            self.kill()
        response = super().handle(request)
        if self._is_new_run(request, response):
            self.started[json.loads(request.body)["message"]] += 1
        if self._left == 0:
            self.kill()
        return response

    def kill(self) -> None:
        """Kill, unless it has been done."""
        victim, self._victim = self._victim, None
        if victim is not None:
            os.kill(victim, signal.SIGKILL)

    @staticmethod
    def _is_new_run(request: Request, response: Response) -> bool:
        starts = request.method == "POST" and request.path.endswith("/runs")
        return starts and response.status < 300 and "idempotent-replayed" not in response.headers


PROGRAM = """
import json, sys
from duvo_async import Duvo
agent, messages, journal = sys.argv[1:]
with Duvo() as duvo, open(messages) as lines:
    inputs = (line.rstrip() for line in lines)
    for outcome in duvo.runs.map(agent, inputs, journal=journal):
        print(json.dumps({"index": outcome.index, "status": outcome.run.status}), flush=True)
"""
"""Reads its inputs as it starts runs, and leaves all keys to the journal."""


def begin(emulator: Emulator, words: Sequence[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(  # noqa: S603 - our own command, or program
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(emulator),
        text=True,
    )


def kill_by_output(process: "subprocess.Popen[str]", lines: int) -> str:
    """Kill a process when it has printed so many lines, if it does; give them."""
    assert process.stdout is not None
    read = "".join(process.stdout.readline() for _ in range(lines))
    if read.count("\n") == lines:
        process.kill()
    return read


def kill_by_time(process: "subprocess.Popen[str]", seconds: float) -> None:
    """Kill a process after so many real seconds, if it takes so long."""
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()


@define
class Trial:
    """One fan-out, from its beginning to its end.

    Attributes:
        runs: How many there are.
        most_kills: How often to kill it.
        chance: Draws the moments.
        folder: Where its files are.
        program: Whether it is a program's, and not the command's.
        kills: How often it was killed.
    """

    runs: int
    most_kills: int
    chance: random.Random
    folder: Path
    program: bool = False
    kills: int = 0

    def go_through(self) -> None:
        """Run it, and go on with it for as long as it is killed."""
        messages = [f"message {number}" for number in range(self.runs)]
        (self.folder / "m.txt").write_text("\n".join(messages))
        journal = str(self.folder / "j")
        with Deadly(requests_per_minute=None) as emulator:
            agent = emulator.add_agent(at_once)
            file = str(self.folder / "m.txt")
            first = [*COMMAND, "map", agent, "--messages", file, "--journal", journal, "--json"]
            # Each of the two commands goes on; but only one begins.
            resume = [*COMMAND, "resume", journal, "--json"]
            if self.program:
                first = resume = [sys.executable, "-c", PROGRAM, agent, file, journal]
            words, code = first, -signal.SIGKILL
            out = err = ""
            while code == -signal.SIGKILL:
                code, out, err = self._live(emulator, words)
                words = first if self.chance.random() < 0.5 else resume
                if "were not read to their end" in err or "was begun with it" in err:
                    words, code = first, -signal.SIGKILL  # it was killed before it had begun
        assert (code, err) == (0 if self.program else 1, "")
        outcomes = [json.loads(line) for line in out.splitlines()]
        assert sorted(each["index"] for each in outcomes) == [*range(self.runs)]
        ended = {each["index"]: each["status"] for each in outcomes}
        assert all((ended[n] == "failed") == (n % 10 == 7) for n in ended)
        assert emulator.started == Counter(messages), "started twice, or forgotten"

    def _live(self, emulator: Deadly, words: Sequence[str]) -> tuple[int, str, str]:
        """Run the command once; give its exit code and output."""
        chance, read = self.chance, ""
        with begin(emulator, words) as process:
            if self.kills < self.most_kills:
                match chance.choice(("request", "request", "output", "time")):
                    case "request":
                        requests = chance.randint(1, self.runs // 8)
                        emulator.aim(process.pid, requests, before=chance.random() < 0.5)
                    case "output":
                        read = kill_by_output(process, chance.randint(1, self.runs // 2))
                    case _:
                        kill_by_time(process, chance.uniform(0, 2))
            out, err = process.communicate(timeout=_PATIENCE)
        if process.returncode == -signal.SIGKILL:
            self.kills += 1
        return process.returncode, read + out, err


@pytest.mark.no_cover
@pytest.mark.parametrize("program", [False, True])
def test_killed_at_random_moments_it_starts_nothing_twice_and_forgets_nothing(
    tmp_path: Path, *, program: bool
) -> None:
    trial = Trial(40, 4, random.Random(1), tmp_path, program)  # noqa: S311 - moments
    trial.go_through()
    assert trial.kills


@pytest.mark.long
def test_killed_two_hundred_times(tmp_path: Path) -> None:
    chance = random.Random(2)  # noqa: S311 - moments
    kills = trials = 0
    while kills < 200:
        folder = tmp_path / str(trials)
        folder.mkdir()
        trial = Trial(300, 200 - kills, chance, folder, program=trials % 2 == 1)
        trial.go_through()
        kills, trials = kills + trial.kills, trials + 1
    print(f"{kills} kills of {trials} fan-outs of 300 runs: started twice 0, forgotten 0")  # noqa: T201
