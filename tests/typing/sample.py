"""A user's program, for the type checkers: it is checked, never run."""

from collections.abc import Callable
from typing import assert_type

from duvo_async import (
    AnsweredHumanRequest,
    AsyncDuvo,
    AsyncItems,
    Duvo,
    HumanAnswer,
    HumanRequest,
    HumanRequestPending,
    Items,
    Message,
    RateLimit,
    Run,
    RunStatus,
    SandboxFile,
    UploadedFile,
)
from duvo_async.webhooks import (
    CaseCreatedEvent,
    Receipt,
    RunFailedEvent,
    UnknownEvent,
    WebhookEvent,
    WebhookReceiver,
    parse,
)


def decide(pending: HumanRequestPending) -> HumanAnswer | None:
    assert_type(pending.request, HumanRequest)
    return pending.request.approve()


async def decide_later(pending: HumanRequestPending) -> HumanAnswer | None:
    return pending.request.answer({"Which?": ["A", "B"], "Why?": "because"})


async def asynchronous() -> None:
    async with AsyncDuvo("dv_key", timeout=5) as duvo:
        assert_type(duvo.rate_limit, RateLimit | None)
        run = await duvo.runs.execute("agent", files=["a.csv", b"bytes"], on_human_request=decide)
        run = await duvo.runs.wait(run, on_human_request=decide_later, on_update=print)
        assert_type(run, Run)
        assert_type(run.status, RunStatus)
        assert_type(duvo.runs.messages(run.id), AsyncItems[Message])
        async for message in duvo.runs.messages(run.id, follow=True):
            assert_type(message, Message)
        async for file in duvo.sandboxes.files("sandbox"):
            assert_type(file, SandboxFile)


async def webhooks() -> None:
    receiver = WebhookReceiver("secret")

    @receiver.on_event
    async def every(event: WebhookEvent) -> int:
        return len(event.name)

    assert_type(await every(UnknownEvent(name="a")), int)

    @receiver.on_event(RunFailedEvent, CaseCreatedEvent)
    def some(event: RunFailedEvent | CaseCreatedEvent) -> str:
        return event.name

    assert_type(some(CaseCreatedEvent(name="a")), str)

    @receiver.on_event(RunFailedEvent)  # type: ignore[arg-type]
    def other(event: CaseCreatedEvent) -> None:
        assert event.name

    async with receiver, AsyncDuvo(webhooks=receiver, public_url=receiver.url) as duvo:
        assert_type(receiver.receive(b"", {}), Receipt)
        await duvo.runs.execute("agent")
    with receiver, Duvo(webhooks=receiver):
        assert_type(parse("{}", {"a": "b"}), WebhookEvent)


def blocking() -> None:
    with Duvo("dv_key", timeout=5) as duvo:
        assert_type(duvo.health(), bool)
        run = duvo.runs.execute("agent", files={"a.csv": b"bytes"}, on_human_request=decide)
        run = duvo.runs.wait(run.id, timeout=5, on_human_request=decide_later)
        assert_type(run, Run)
        assert_type(duvo.runs.get("run"), Run)
        assert_type(duvo.runs.answer(run, HumanAnswer(request_id="r")), AnsweredHumanRequest)
        assert_type(duvo.runs.messages(run.id), Items[Message])
        for message in duvo.runs.messages(run.id):
            assert_type(message, Message)
        assert_type(duvo.sandboxes.upload("sandbox", "a.csv", path="b"), UploadedFile)
        duvo.runs.get(7)  # type: ignore[arg-type]
        duvo.runs.get("run", limit=1)  # type: ignore[call-arg]
        duvo.runs.wait("run", timeout="5")  # type: ignore[arg-type]


fetch: Callable[[Duvo], Run] = lambda duvo: duvo.runs.get("run")  # noqa: E731 - a type to check
