"""Where the answers to a run's human requests come from: the options, then the terminal."""

import signal
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Self

import click
from attrs import frozen
from rich.console import Console
from rich.prompt import Confirm, Prompt
from rich.text import Text

from duvo_async import HumanAnswer, HumanRequest, HumanRequestPending, HumanRequestType, Question
from duvo_async.cli.output import Output, printable


def decision(*, approve: bool, deny: bool) -> bool | None:
    """Read the options about approvals. None says nothing."""
    if approve and deny:
        raise click.UsageError("give --approve or --deny, not both")
    return approve if approve or deny else None


@frozen
class Answers:
    """What the command's options say to human requests.

    Attributes:
        approved: What to say to approvals. None says nothing.
        texts: The `--answer` options, as they were written.
        ask: Whether to ask at the terminal what they leave open.
        view: What must keep quiet meanwhile.
    """

    approved: bool | None
    texts: tuple[str, ...]
    ask: bool
    view: Output

    @classmethod
    def parse(
        cls, *, approved: bool | None, texts: tuple[str, ...], ask: bool, view: Output
    ) -> Self:
        """Check the options."""
        for text in texts:
            if "=" not in text.strip("="):
                raise click.BadParameter(f"{text!r} is not Q=A", param_hint="--answer")
        return cls(approved, texts, ask, view)

    def __call__(self, pending: HumanRequestPending) -> HumanAnswer | None:
        """Answer a request; None when nothing answers it."""
        request = pending.request
        if request.type == HumanRequestType.APPROVAL:
            if self.approved is not None:
                return request.approve() if self.approved else request.deny()
            return self._ask_approval(request) if self.ask else None
        found = self._found(request)
        missing = [each for each in request.questions if each.question not in found]
        if missing:
            asked = self._ask_questions(request, missing) if self.ask else None
            if asked is None:
                return None
            found |= asked
        return request.answer(found)

    def _found(self, request: HumanRequest) -> dict[str, list[str]]:
        """Find the answers among the options."""
        found: dict[str, list[str]] = {}
        for question in request.questions:
            # The question is known here, so that it may have an equals sign itself.
            prefix = f"{question.question}="
            answers = [text.removeprefix(prefix) for text in self.texts if text.startswith(prefix)]
            if answers:
                found[question.question] = answers
        return found

    def _ask_approval(self, request: HumanRequest) -> HumanAnswer | None:
        with self._prompting(request) as console, suppress(EOFError):
            approved = Confirm.ask("Approve?", console=console)
            return request.approve() if approved else request.deny()
        return None

    def _ask_questions(
        self, request: HumanRequest, questions: list[Question]
    ) -> dict[str, list[str]] | None:
        with self._prompting(request) as console, suppress(EOFError):
            return {each.question: _ask_one(console, each) for each in questions}
        return None

    @contextmanager
    def _prompting(self, request: HumanRequest) -> Generator[Console, None, None]:
        console = Console(stderr=True)
        with self.view.paused(), _plain_interrupts():
            console.print(Text(printable(request.title), style="bold"))
            if request.description:
                console.print(Text(printable(request.description)), soft_wrap=True)
            yield console


def _ask_one(console: Console, question: Question) -> list[str]:
    console.print(Text(printable(question.question)))
    labels = [option.label for option in question.options]
    for number, option in enumerate(question.options, 1):
        about = f": {option.description}" if option.description else ""
        console.print(Text(printable(f"  {number}. {option.label}{about}")))
    hint = "Numbers, with commas between" if question.multi_select else "Number"
    while True:
        text = Prompt.ask(hint if labels else "Answer", console=console).strip()
        chosen = _choice(text, labels, several=question.multi_select) if labels else [text]
        if chosen and all(chosen):
            return chosen


def _choice(text: str, labels: list[str], *, several: bool) -> list[str]:
    parts = [part.strip() for part in text.split(",")] if several else [text]
    numbers = [int(part) for part in parts if part.isdecimal()]
    if len(numbers) < len(parts) or not all(1 <= number <= len(labels) for number in numbers):
        return []
    return [labels[number - 1] for number in dict.fromkeys(numbers)]


@contextmanager
def _plain_interrupts() -> Generator[None, None, None]:
    """Let Ctrl-C end a prompt at once; asyncio's handler would wait for the loop, which waits."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
