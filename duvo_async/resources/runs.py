"""Runs: start them, wait for them, talk with them."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from duvo_async import _operations
from duvo_async._callbacks import OnHumanRequest, OnProgress, OnUpdate, check_wait, invoke
from duvo_async._inputs import Files, Inputs, check_inputs
from duvo_async._items import AsyncItems
from duvo_async._operations import SortOrder
from duvo_async._options import keyed
from duvo_async._paging import check_limit, listed
from duvo_async._protocol import Call
from duvo_async._services import Services
from duvo_async.errors import HumanRequestPending
from duvo_async.models import (
    AnsweredHumanRequest,
    HumanAnswer,
    Message,
    MessagesPage,
    Run,
    RunOutcome,
    RunStatus,
    RunSummary,
    StopResult,
)
from duvo_async.settings import Settings, check_count

if TYPE_CHECKING:
    from duvo_async.fanout import Batch, Stop
    from duvo_async.journaling import Journal


class AsyncRuns:
    """The runs of the key's team.

    Every call raises an `APIError` when it does not end well; methods name what they raise beyond
    that.
    """

    def __init__(self, services: Services, settings: Settings) -> None:
        self._services = services
        self._session = services.session
        self._base_url, self._api_version = str(settings.base_url), settings.api_version
        self._default_webhook_url = settings.webhook_url

    async def start(
        self,
        agent_id: str,
        *,
        message: str | None = None,
        sandbox_id: str | None = None,
        webhook_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> Run:
        """Start a run of an assignment. It goes on by itself; `wait` tells when it has ended.

        Args:
            agent_id: The assignment's UUID.
            message: What to tell it at its start. None tells it nothing.
            sandbox_id: A sandbox with files for it. None gives it none.
            webhook_url: Where the API posts the run's events. None posts them to the client's
                `public_url`, if it has one.
            idempotency_key: Starts with the same key start one run. None makes a key for this call.

        Returns:
            The run as it is at its start.

        Raises:
            ValueError: An argument is empty.
        """
        return await self._session.call(
            _operations.start_run(
                self._session.routes,
                agent_id=agent_id,
                message=message,
                sandbox_id=sandbox_id,
                webhook_url=self._webhook_url(webhook_url),
                idempotency_key=idempotency_key,
            )
        )

    async def get(self, run_id: str) -> Run:
        """Read a run, with the request that it waits for.

        Args:
            run_id: The run's UUID.

        Returns:
            The run.

        Raises:
            NotFoundError: There is no such run, or no longer.
            ValueError: The id is empty or has a slash.
        """
        return await self._session.call(_operations.get_run(self._session.routes, run_id))

    def list(  # noqa: PLR0913 - the filters
        self,
        *,
        status: RunStatus | str | None = None,
        agent_id: str | None = None,
        user_id: str | None = None,
        case_queue_id: str | None = None,
        source: str | None = None,
        search: str | None = None,
        has_issues: bool | None = None,
        issue_severity: str | None = None,
        since: datetime | None = None,
        digest_id: str | None = None,
        sort_order: SortOrder | None = None,
        page_size: int = _operations.MAX_RUNS,
        limit: int | None = None,
    ) -> AsyncItems[RunSummary]:
        """List the team's runs: `async for run in duvo.runs.list(status="failed", limit=10)`.

        Args:
            status: Their status, or `needs_attention`. None for any.
            agent_id: UUID of their assignment. None for any.
            user_id: UUID of the person whose runs they are. None for anybody's that the key may
                see.
            case_queue_id: UUID of the queue whose cases they work on. None for any, or none.
            source: What started them, for example `api` or `schedule`. None for anything.
            search: What their title or their case's has. None for anything.
            has_issues: Whether their evaluation found issues. None for either.
            issue_severity: `critical`, `medium` or `low`: the severity of an issue that their
                evaluation found. None for any, or none.
            since: The earliest time at which they were asked for. None for any.
            digest_id: UUID of the digest that they are in. None for any, or none.
            sort_order: `asc` or `desc`, by the time at which they were asked for. None for the
                API's default, `desc`: the newest first (API reference, "List Runs").
            page_size: Runs to ask for at a time, at most 100 (as above).
            limit: The most runs to give. None for all.

        Returns:
            An async iterable of the runs, in the short form in which the API lists them.

        Raises:
            ValueError: An argument is empty or out of range.
        """
        ask = partial(
            _operations.find_runs,
            self._session.routes,
            status=status,
            agent_id=agent_id,
            user_id=user_id,
            case_queue_id=case_queue_id,
            source=source,
            search=search,
            has_issues=has_issues,
            issue_severity=issue_severity,
            since=since,
            digest_id=digest_id,
            sort_order=sort_order,
        )
        return listed(self._session, ask, page_size=page_size, limit=limit)

    async def wait(
        self,
        run: str | Run,
        *,
        timeout: float | None = None,
        on_human_request: OnHumanRequest | None = None,
        on_update: OnUpdate | None = None,
    ) -> Run:
        """Wait until a run has ended, whatever its status then.

        Cancelling the caller, or running out of time, ends the wait; the run itself goes on. While
        the API answers 429, the wait goes on too.

        Args:
            run: The run or its UUID.
            timeout: Seconds to wait in all. None waits for ever.
            on_human_request: Answers when the run asks a person: gets the `HumanRequestPending`,
                returns `pending.request.approve()`, `.deny()`, `.answer({…})`, or None to raise it.
                It may be asynchronous. None raises it. A request that this client has just answered
                is not raised again while the API still shows it.
            on_update: Is told the run when its status is first seen, each time that it changes, and
                when another request comes up. It may be asynchronous. None tells nobody.

        Returns:
            The run in its last status.

        Raises:
            HumanRequestPending: The run waits for a person, and no handler answered.
            WaitTimeout: Time ran out. It has the run as it was last seen.
            NotFoundError: There is no such run, or no longer.
            ValueError: The time-out is not positive, or the id is empty or has a slash.
        """
        check_wait(timeout, on_human_request=on_human_request, on_update=on_update)
        self._check_run(run)
        return await self._services.waits.until_ended(run, timeout, on_human_request, on_update)

    async def execute(  # noqa: PLR0913 - what start, upload and wait take
        self,
        agent_id: str,
        *,
        message: str | None = None,
        files: Files = (),
        sandbox_id: str | None = None,
        webhook_url: str | None = None,
        timeout: float | None = None,
        on_human_request: OnHumanRequest | None = None,
        on_update: OnUpdate | None = None,
        on_progress: OnProgress | None = None,
        idempotency_key: str | None = None,
    ) -> Run:
        """Upload files, start a run, and wait until it has ended.

        Args:
            agent_id: The assignment's UUID.
            message: What to tell it at its start. None tells it nothing.
            files: What to upload for it: files, folders and patterns, as `sandboxes.upload_many`
                takes them; a mapping says where each goes. Empty uploads nothing.
            sandbox_id: Where the files go. None makes a sandbox if there are files.
            webhook_url: Where the API posts the run's events. None posts them to the client's
                `public_url`, if it has one.
            timeout: Seconds to wait for the run once it is started. None waits for ever.
            on_human_request: As in `wait`.
            on_update: As in `wait`, and told the run as soon as it is started.
            on_progress: Is told how far each file has come, as in `sandboxes.upload`. None tells
                nobody.
            idempotency_key: Calls with the same key start one run. None makes a key for this call.

        Returns:
            The run in its last status.

        Raises:
            HumanRequestPending: As in `wait`.
            WaitTimeout: As in `wait`.
            UploadSourceError: A file is missing or cannot be read; nothing was started.
            ValueError: An argument is empty, or two files would go to one path.
        """
        check_wait(timeout, on_human_request=on_human_request, on_update=on_update)
        from duvo_async.uploading import Manner  # noqa: PLC0415 - loaded when it is used

        manner = Manner(on_progress=on_progress)

        def start(sandbox_id: str | None) -> Call[Run]:
            return _operations.start_run(
                self._session.routes,
                agent_id=agent_id,
                message=message,
                sandbox_id=sandbox_id,
                webhook_url=self._webhook_url(webhook_url),
                idempotency_key=idempotency_key,
            )

        keyed(start(sandbox_id).request)  # wrong arguments fail before files are sent
        if files:
            # A key of its own, so that a repeated call starts its run in the same sandbox.
            key = None if idempotency_key is None else f"{idempotency_key}-sandbox"
            sandbox_id = await self._services.filler.fill(
                files, sandbox_id, manner, idempotency_key=key
            )
        run = await self._session.call(start(sandbox_id))
        if on_update is not None:
            await invoke(on_update, run)
        return await self._services.waits.until_ended(
            run, timeout, on_human_request, on_update, seen=run
        )

    def watch(
        self,
        run: str | Run,
        *,
        timeout: float | None = None,
    ) -> AsyncItems[Run]:
        """Follow a run: `async for run in duvo.runs.watch(run_id)`.

        Args:
            run: The run or its UUID.
            timeout: Seconds from the first step to the run's end. None waits for ever.

        Returns:
            An async iterable that gives the run as it is now, again each time that its status
            changes or another human request comes up, and a last time when it has ended. Stepping
            through it raises `WaitTimeout` and `NotFoundError` as `wait` does.
        """
        check_wait(timeout)
        self._check_run(run)
        return AsyncItems(lambda: self._services.waits.changes(run, timeout))

    def wait_many(
        self,
        runs: Inputs[str | Run],
        *,
        timeout: float | None = None,
        on_human_request: OnHumanRequest | None = None,
    ) -> AsyncItems[RunOutcome]:
        """Wait for many runs: `async for outcome in duvo.runs.wait_many(runs)`.

        All waits of a client share its budget of requests: hundreds of runs are looked at with one
        request where the API lists runs.

        Args:
            runs: Runs or their UUIDs; any iterable or async iterable.
            timeout: Seconds to wait for each run, from when it was taken in. None waits for ever.
            on_human_request: As in `wait`. None leaves what a run asks to its outcome.

        Returns:
            An async iterable of one outcome for each run, in the order in which they end. One run's
            trouble never ends the others. Leaving it early ends the waits; the runs go on.

        Raises:
            ValueError: The time-out is not positive. An id that is empty or has a slash is found
                with the first step, before anything is sent.
            TypeError: `runs` cannot be iterated over.
        """
        check_wait(timeout, on_human_request=on_human_request)
        check_inputs("runs", runs)
        from duvo_async.starting import Given  # noqa: PLC0415 - as above

        return AsyncItems(
            lambda: self._batch(timeout, on_human_request).outcomes(Given(runs, self._check_run))
        )

    def map(  # noqa: PLR0913 - what start and wait_many take
        self,
        agent_id: str,
        messages: Inputs[str | None],
        *,
        sandbox_id: str | None = None,
        webhook_url: str | None = None,
        max_outstanding: int | None = None,
        timeout: float | None = None,
        on_human_request: OnHumanRequest | None = None,
        idempotency_keys: Inputs[str] | None = None,
        stop_on_exit: bool = False,
        journal: str | PathLike[str] | None = None,
    ) -> AsyncItems[RunOutcome]:
        """Start a run with each message, and wait for all: `async for outcome in duvo.runs.map(…)`.

        Runs are started as fast as the key's budget allows, with a part of it kept for seeing which
        have ended. Nothing is started before the first step.

        Args:
            agent_id: The assignment's UUID.
            messages: What to tell each run; any iterable or async iterable, of any length, read as
                runs are started. None among them tells nothing.
            sandbox_id: A sandbox for all of them. None gives them none.
            webhook_url: As in `start`.
            max_outstanding: How many runs may be started and without an outcome. None for any
                number.
            timeout: Seconds to wait for each run, from its start. None waits for ever.
            on_human_request: As in `wait`. None leaves what a run asks to its outcome.
            idempotency_keys: A key for each message, at least as many: with the same keys the same
                runs are started. None makes a key for each start.
            stop_on_exit: Whether to stop the runs that have not ended when the iteration is left
                early, or the client closed, which takes a request each. Else they go on.
            journal: A file that keeps each input's idempotency key before its start is sent, then
                its run, then how that ended. With the same file, agent and messages a process that
                was killed is gone on with: no run is started twice, and those that have ended are
                outcomes at once: failed and stopped ones too, such as those that `stop_on_exit`
                stopped. What has not ended is done again: starts that failed, questions that
                nobody answered, waits that took too long; `timeout` begins anew. A start whose
                answer was lost is sent again as it was, with its key, which does nothing twice
                for as long as the API remembers keys. It is one process's at a time; the messages
                are in it in the open, for its owner to read alone. None keeps nothing.

        Returns:
            An async iterable of one outcome for each message, in the order in which they end. An
            input whose start fails is an outcome with its error. Should reading the messages fail,
            that error is raised after the outcomes of those that were read.

        Raises:
            ValueError: An argument is empty or out of range.
            TypeError: `messages` is a string, or cannot be iterated over.
            JournalError: The journal is in use, of another agent or other messages, or cannot be
                written; as the outcomes are read, and nothing that it does not hold is started.
        """
        check_wait(timeout, on_human_request=on_human_request)
        check_inputs("messages", messages)
        if idempotency_keys is not None:
            check_inputs("idempotency_keys", idempotency_keys)
        if max_outstanding is not None:
            check_count("max_outstanding", max_outstanding)

        def start(message: str | None, key: str | None, webhook_url: str | None) -> Call[Run]:
            return _operations.start_run(
                self._session.routes,
                agent_id=agent_id,
                message=message,
                sandbox_id=sandbox_id,
                webhook_url=webhook_url,
                idempotency_key=key,
            )

        webhook_url = self._webhook_url(webhook_url)
        start(None, None, webhook_url)  # wrong arguments fail here
        stop = self.stop if stop_on_exit else None
        path = None if journal is None else _journal_path(journal)

        def outcomes() -> AsyncGenerator[Sequence[RunOutcome], None]:
            from duvo_async.starting import Starts  # noqa: PLC0415 - as above

            starts = Starts(
                self._session,
                self._services.watcher,
                messages,
                idempotency_keys,
                start,
                webhook_url=webhook_url,
                max_outstanding=max_outstanding,
                journal=None if path is None else self._journal(path, agent_id, sandbox_id),
            )
            return self._batch(timeout, on_human_request, stop).outcomes(starts)

        return AsyncItems(outcomes)

    def messages(
        self,
        run_id: str,
        *,
        follow: bool = False,
        page_size: int = _operations.MAX_PAGE_SIZE,
        limit: int | None = None,
    ) -> AsyncItems[Message]:
        """Read a run's messages: `async for message in duvo.runs.messages(run_id)`.

        Args:
            run_id: The run's UUID.
            follow: Whether to go on with new messages as they come, until the run has ended. False
                ends with the messages that there are.
            page_size: Messages to ask for at a time, at most 50 (API reference, "Get Run
                Messages").
            limit: The most messages of all. None for all that there are.

        Returns:
            An async iterable of the messages, oldest first, each once; its `pages()` gives them in
            batches.
        """
        _operations.list_messages(self._session.routes, run_id, limit=page_size, offset=0)  # checks
        check_limit(limit)
        return AsyncItems(
            lambda: self._message_batches(run_id, follow=follow, page_size=page_size, limit=limit)
        )

    async def messages_page(
        self, run_id: str, *, limit: int = _operations.MAX_PAGE_SIZE, offset: int = 0
    ) -> MessagesPage:
        """Read one page of a run's messages, oldest first.

        Args:
            run_id: The run's UUID.
            limit: Messages on the page, 1 to 50 (API reference, "Get Run Messages").
            offset: Messages to skip.

        Returns:
            The page, with the number of messages that the run has so far.

        Raises:
            ValueError: The limit or the offset is out of range.
        """
        return await self._session.call(
            _operations.list_messages(self._session.routes, run_id, limit=limit, offset=offset)
        )

    async def post_message(
        self, run_id: str, message: str, *, idempotency_key: str | None = None
    ) -> Message:
        """Say something to a run; it resumes one that is waiting, completed or interrupted.

        Args:
            run_id: The run's UUID.
            message: The text.
            idempotency_key: Posts with the same key say it once. None makes a key for this call.

        Returns:
            The message as the API keeps it.

        Raises:
            ValueError: The message is empty.
        """
        return await self._session.call(
            _operations.post_message(
                self._session.routes, run_id, message=message, idempotency_key=idempotency_key
            )
        )

    async def respond(
        self,
        run_id: str,
        request_id: str,
        *,
        approved: bool | None = None,
        answers: Mapping[str, str | Sequence[str]] | None = None,
        idempotency_key: str | None = None,
    ) -> AnsweredHumanRequest:
        """Answer a human request by its id; `answer` checks against the request as well.

        Args:
            run_id: The run's UUID.
            request_id: The request's UUID.
            approved: Yes or no, to an approval. None when `answers` is given.
            answers: For each question's text its answer, or the labels chosen, which are sent
                joined with commas (API reference, "Respond to Human Request"). None when `approved`
                is given.
            idempotency_key: Answers with the same key are given once. None makes a key for this
                call.

        Returns:
            The request with its answer.

        Raises:
            ValueError: Both or neither of `approved` and `answers` are given, or an answer is
                empty.
        """
        return await self._services.answers.respond(
            run_id,
            request_id,
            approved=approved,
            answers=answers,
            idempotency_key=idempotency_key,
        )

    async def answer(
        self,
        pending: HumanRequestPending | Run,
        answer: HumanAnswer,
        *,
        idempotency_key: str | None = None,
    ) -> AnsweredHumanRequest:
        """Answer the request that a run waits for.

        Args:
            pending: What `wait` raised, or a run with a `pending_human_request`.
            answer: Its request's `approve()`, `deny()` or `answer({…})`.
            idempotency_key: Answers with the same key are given once. None makes a key for this
                call.

        Returns:
            The request with its answer.

        Raises:
            ValueError: The run waits for nobody, or the answer is for another request.
        """
        return await self._services.answers.send(pending, answer, idempotency_key=idempotency_key)

    async def stop(self, run_id: str, *, idempotency_key: str | None = None) -> StopResult:
        """Stop a run. It does nothing to a run that is not running.

        Args:
            run_id: The run's UUID.
            idempotency_key: None makes a key for this call.

        Returns:
            What the API said.
        """
        return await self._session.call(
            _operations.stop_run(self._session.routes, run_id, idempotency_key=idempotency_key)
        )

    def _batch(
        self,
        timeout: float | None,
        on_human_request: OnHumanRequest | None,
        stop: "Stop | None" = None,
    ) -> "Batch":
        from duvo_async.fanout import Batch  # noqa: PLC0415 - as above

        return Batch(
            self._services.watcher,
            self._services.answers,
            timeout=timeout,
            on_human_request=on_human_request,
            stop=stop,
        )

    def _journal(self, path: Path, agent_id: str, sandbox_id: str | None) -> "Journal":
        # And SQLite with it.
        from duvo_async._journal_file import JournalBatch  # noqa: PLC0415
        from duvo_async.journaling import Journal  # noqa: PLC0415

        return Journal(path, JournalBatch(self._base_url, self._api_version, agent_id, sandbox_id))

    def _webhook_url(self, given: str | None) -> str | None:
        return self._default_webhook_url if given is None else given

    def _check_run(self, run: str | Run) -> None:
        self._session.routes.run(run.id if isinstance(run, Run) else run)  # checks the id

    async def _message_batches(
        self, run_id: str, *, follow: bool, page_size: int, limit: int | None
    ) -> AsyncGenerator[tuple[Message, ...], None]:
        offset = 0
        ended = not follow
        while limit is None or offset < limit:
            size = page_size if limit is None else min(page_size, limit - offset)
            call = _operations.list_messages(
                self._session.routes, run_id, limit=size, offset=offset
            )
            page = await (self._services.waits.patiently if follow else self._session.call)(call)
            if page.messages:
                offset += len(page.messages)
                yield page.messages
                if offset < page.total:
                    continue
            if ended:
                return
            # Once the run is seen to have ended, one more look finds what it said last.
            ended = await self._services.waits.pause(run_id)


def _journal_path(journal: str | PathLike[str]) -> Path:
    if not isinstance(journal, (str, PathLike)) or not isinstance(fspath(journal), str):
        raise TypeError(f"journal must be a path, not {type(journal).__name__}")
    if not fspath(journal):
        raise ValueError("journal must not be empty: leave it out to keep none")
    if "\0" in fspath(journal):
        raise ValueError("journal must be a path, which has no NUL in it")
    return Path(journal).absolute()  # where it is now, wherever the process goes meanwhile
