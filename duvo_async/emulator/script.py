"""Scripts: what an emulated agent does, step by step."""

from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, TypeAlias

from attrs import field, frozen, validators


@frozen
class StartedRun:
    """What a callable script is told about its run.

    Attributes:
        run_id: The run's id.
        message: The message that the run was started with; None when there was none.
        sandbox_id: The run's sandbox; None when it has none.
    """

    run_id: str
    message: str | None
    sandbox_id: str | None


@frozen
class Step:
    """One thing that an agent does; what there is to do are its subclasses here."""


@frozen
class Say(Step):
    """The agent says something.

    Attributes:
        text: The text of the message.
    """

    text: str


@frozen
class CallTool(Step):
    """The agent calls a tool: one message with the call, one with its result.

    Attributes:
        name: The tool's name.
        arguments: The arguments of the call, as JSON.
        result: What the tool gave, as JSON; not shown when there is an error.
        error: What went wrong; None when the call succeeded.
    """

    name: str
    arguments: Mapping[str, object] = field(factory=dict[str, object])
    result: object = None
    error: str | None = None


@frozen
class Sleep(Step):
    """The run stays `running` for a while.

    Attributes:
        seconds: How long, in seconds of the emulator's clock; infinity is for ever.
    """

    seconds: float = field(validator=validators.ge(0))


@frozen
class ReadFile(Step):
    """The agent reads a file of its sandbox; a callable script gets the bytes.

    The run fails when there is no such file. A run without a sandbox has an empty workspace.

    Attributes:
        path: The file's path; a relative one starts at `/workspace`.
    """

    path: str


@frozen
class ListFiles(Step):
    """The agent lists a directory of its sandbox; a callable script gets the `SandboxEntry`s.

    The run fails when there is no such directory. A run without a sandbox has an empty workspace.

    Attributes:
        path: The directory's path; a relative one starts at `/workspace`.
    """

    path: str = "/workspace"


@frozen
class Finish(Step):
    """The run takes a status and rests. The steps after it run when a message resumes the run.

    A message resumes `completed`, `interrupted` and `waiting`; a callable script gets its text.

    Attributes:
        status: The status that the run takes; any string, also one that the API doesn't know.
    """

    status: str = "completed"


def _steps(steps: Iterable[Step]) -> tuple[Step, ...]:
    return tuple(steps)


@frozen
class AskApproval(Step):
    """The run waits until a person approves or denies.

    A callable script gets True or False, or None when a message came instead. In a list of steps,
    an approval goes on with the next step, a denial runs `denied` in place of the rest, and a
    message in place of an answer approves nothing: the rest is left out.

    Attributes:
        title: What is to be approved.
        description: More about it; None for nothing.
        denied: The steps after a denial. When empty, a list of steps says that it was denied and
            completes, and a callable script decides for itself.
    """

    title: str
    description: str | None = None
    denied: tuple[Step, ...] = field(default=(), converter=_steps)


@frozen
class Option:
    """A predefined answer to a question.

    Attributes:
        label: The answer.
        description: What choosing it means; None for nothing.
    """

    label: str
    description: str | None = None


def _options(options: Iterable[Option]) -> tuple[Option, ...]:
    return tuple(options)


@frozen
class Question:
    """One question to a person.

    Attributes:
        question: The text of the question, by which it is answered.
        header: A short heading; None for none.
        options: The predefined answers; empty for free text.
        multi_select: Whether several options may be chosen.
    """

    question: str
    header: str | None = None
    options: tuple[Option, ...] = field(default=(), converter=_options)
    multi_select: bool = False


def _questions(questions: Iterable[Question]) -> tuple[Question, ...]:
    given = tuple(questions)
    if not given or len({each.question for each in given}) < len(given):
        raise ValueError("questions must be one or more, and all different")
    return given


@frozen
class AskQuestions(Step):
    """The run waits until a person answers some questions.

    A callable script gets a dict of question to answer, or None when a message came instead. In a
    list of steps, answers go on with the next step, and after a message the rest is left out.

    Attributes:
        title: What the questions are about.
        questions: The questions, at least one, all different.
        description: More about them; None for nothing.
    """

    title: str
    questions: tuple[Question, ...] = field(converter=_questions)
    description: str | None = None


Play: TypeAlias = Generator[Step, Any, None]
Script: TypeAlias = Iterable[Step] | Callable[[StartedRun], Play]
Player: TypeAlias = Callable[[StartedRun], Play]

_DENIED: tuple[Step, ...] = (Say("This was denied, so I stop here."), Finish("completed"))


def player(script: Script) -> Player:
    """Makes a script playable any number of times.

    Raises:
        TypeError: One of a list's steps is no step.
    """
    if callable(script):
        return lambda run: _supervise(script, run)
    steps = tuple(script)
    _check_steps(steps)
    return lambda _: _play(steps)


def _check_steps(steps: Iterable[object]) -> None:
    for step in steps:
        if not isinstance(step, Step):
            raise TypeError(f"{step!r} is no step of a script")


def _play(steps: Iterable[Step]) -> Play:
    for step in steps:
        result = yield step
        if isinstance(step, AskApproval) and result is False:
            yield from _play(step.denied or _DENIED)
            return
        if isinstance(step, AskApproval | AskQuestions) and result is None:
            return


def _supervise(script: Player, run: StartedRun) -> Play:
    """Adds the `denied` steps to a callable script's play, before it gets the False."""
    play = script(run)
    result: object = None
    while True:
        try:
            step = play.send(result)
        except StopIteration:
            return
        result = yield step
        if isinstance(step, AskApproval) and result is False:
            yield from _play(step.denied)
