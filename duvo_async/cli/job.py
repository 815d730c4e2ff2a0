"""The main job as the command does it: upload, start, wait, and print what the run says."""

import asyncio
import signal

from attrs import define, field, frozen

from duvo_async import (
    AsyncDuvo,
    AuthenticationError,
    CredentialsError,
    HumanAnswer,
    HumanRequestPending,
    Message,
    NotFoundError,
    Run,
    WaitTimeout,
)
from duvo_async._places import WORKSPACE
from duvo_async.cli.answers import Answers
from duvo_async.cli.uploads import look_at
from duvo_async.cli.views import View
from duvo_async.settings import APIVersion

_PAUSE = 2.0
"""Seconds between two looks at the messages of a run that goes on."""
COMPLETED, FAILED, UNAUTHENTICATED, NOT_FOUND, ANSWER_NEEDED = range(5)
INTERRUPTED = 128 + signal.SIGINT


@frozen
class Settings:
    """Which agent or run of which API.

    Attributes:
        agent_id: The agent to start a run of. None to go on with a run.
        run_id: The run to go on with. None to start one.
        api_key: None leaves it to the environment.
        base_url: None leaves it to the environment.
        api_version: None leaves it to the base URL.
        team_id: None leaves it to the environment.
    """

    agent_id: str | None = None
    run_id: str | None = None
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    api_version: APIVersion | None = None
    team_id: str | None = None

    @property
    def local(self) -> bool:
        """Whether the API is this process's own, which ends with the command."""
        return self.base_url is not None

    def client(self) -> AsyncDuvo:
        """Make a client of that API."""
        return AsyncDuvo(
            self.api_key,
            base_url=self.base_url,
            api_version=self.api_version,
            team_id=self.team_id,
            budget="" if self.local else None,  # an API of this process's own is nobody else's
        )


@define
class Job:
    """What the user asked for, and the run once there is one."""

    settings: Settings
    files: tuple[str, ...]
    message: str | None
    timeout: float | None
    answers: Answers
    view: View
    run: Run | None = None

    def perform(self) -> int:
        """Do the job.

        Returns:
            The exit code.

        Raises:
            DuvoError: It could not be done.
            ValueError: An argument is wrong.
        """
        try:
            run = asyncio.run(_perform(self))
        except KeyboardInterrupt:
            return _interrupted(self)
        return COMPLETED if run.succeeded else FAILED

    def failed(self, error: Exception) -> None:
        """Say what went wrong."""
        self.view.failed(error, self.run)

    def unread(self) -> None:
        """Say what becomes of the run when nobody reads any more what is printed."""
        if self.run is not None and not self.run.is_terminal and not self.settings.local:
            self.view.note(f"run {self.run.id} goes on")


def exit_code(error: BaseException) -> int:
    """Choose the exit code for an error."""
    match error:
        case AuthenticationError() | CredentialsError():
            return UNAUTHENTICATED
        case NotFoundError():
            return NOT_FOUND
        case HumanRequestPending():
            return ANSWER_NEEDED
        case _:
            return FAILED


def _interrupted(job: Job) -> int:
    run = job.run
    if run is not None and not run.is_terminal and not job.settings.local:
        if job.view.wants_stopped(run):
            asyncio.run(_stop(job.settings, run.id))
            job.view.note(f"run {run.id} was stopped")
        else:
            job.view.note(f"run {run.id} goes on")
    job.view.interrupted()
    return INTERRUPTED


async def _stop(settings: Settings, run_id: str) -> None:
    async with settings.client() as duvo:
        await duvo.runs.stop(run_id)


async def _perform(job: Job) -> Run:
    async with job.settings.client() as duvo:
        job.run = await _begin(duvo, job)
        job.view.status(job.run)
        return await _follow(duvo, job, job.run)


async def _begin(duvo: AsyncDuvo, job: Job) -> Run:
    run_id, agent_id = job.settings.run_id, job.settings.agent_id
    if run_id is not None:
        if job.message is not None:
            await duvo.runs.post_message(run_id, job.message)
        return await duvo.runs.get(run_id)
    sandbox_id = await _upload(duvo, job) if job.files else None
    return await duvo.runs.start(agent_id or "", message=job.message, sandbox_id=sandbox_id)


async def _upload(duvo: AsyncDuvo, job: Job) -> str:
    extent = await look_at(job.files, WORKSPACE, strict=True)
    sandbox = await duvo.sandboxes.create()
    with job.view.uploading(extent) as show:
        outcomes = await duvo.sandboxes.upload_many(
            sandbox.sandbox_id, job.files, fail_fast=True, on_progress=show
        )
    job.view.uploaded(outcomes)
    return sandbox.sandbox_id


async def _follow(duvo: AsyncDuvo, job: Job, run: Run) -> Run:
    transcript = _Transcript(duvo, run.id, job.view)

    async def updated(now: Run) -> None:
        job.run = now
        await transcript.catch_up()  # what led to the new status comes before it
        job.view.status(now)

    async def answer(pending: HumanRequestPending) -> HumanAnswer | None:
        # What the run has said so far is what the person decides on.
        await transcript.catch_up()
        return job.answers(pending)

    follower = asyncio.create_task(transcript.follow())
    try:
        ended = await duvo.runs.wait(
            run, timeout=job.timeout, on_human_request=answer, on_update=updated
        )
    except WaitTimeout:
        await transcript.catch_up()  # what it has said by now, it may not say again
        raise
    finally:
        follower.cancel()
        # Should reading along have failed, what it missed is caught up with, or fails, below.
        await asyncio.gather(follower, return_exceptions=True)
    await transcript.catch_up()
    job.view.ended(ended)
    return ended


class _Transcript:
    """Prints a run's messages, each once."""

    def __init__(self, duvo: AsyncDuvo, run_id: str, view: View) -> None:
        self._duvo = duvo
        self._run_id = run_id
        self._view = view
        self._shown = 0

    async def follow(self) -> None:
        """Print messages as they come, for as long as this is left to run.

        Not with `messages(follow=True)`, which reads the run as well: the wait does that already.
        """
        while True:
            await asyncio.sleep(_PAUSE)
            await self.catch_up()

    async def catch_up(self) -> None:
        """Print what there is."""
        while True:
            page = await self._duvo.runs.messages_page(self._run_id, offset=self._shown)
            for position, message in enumerate(page.messages, page.offset):
                self._show(position, message)
            if not page.messages or self._shown >= page.total:
                return

    def _show(self, position: int, message: Message) -> None:
        if position >= self._shown:
            self._view.message(message)
            self._shown = position + 1
