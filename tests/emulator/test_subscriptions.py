from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from duvo_async.emulator import AskApproval, CallTool, Finish, ReadFile, Say, Sleep
from tests.support.agent_api import AgentApi

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.emulator.conftest import Api
    from tests.support.queue_api import QueueApi

HOOK = "http://hook.test/"
NOBODY = "5f0c1d3e-8a57-4b0e-9a52-d0a7e8a4b6c1"
START = "2023-11-14T22:13:20.000Z"


@pytest.fixture
def heard(api: Api) -> Api:
    """An API with a subscriber to all that happens."""
    api.emulator.subscribe(HOOK)
    return api


def bodies(api: Api) -> list[Mapping[str, object]]:
    return [each.body for each in api.emulator.take_webhooks()]


def names(api: Api) -> list[object]:
    return [body["event"] for body in bodies(api)]


def said(api: Api) -> list[tuple[object, dict[str, object]]]:
    """What the events tell beyond what all of them do."""
    common = {"id", "event", "created_at", "team_id"}
    return [
        (body["event"], {name: body[name] for name in body if name not in common})
        for body in bodies(api)
    ]


def test_a_run_is_told_from_its_start_to_its_end(heard: Api) -> None:
    script = [Say("hi"), CallTool("look_up"), AskApproval("Post?", "12 entries")]
    run_id = heard.start(script, message="go")
    told = said(heard)
    run = heard.run(run_id)
    status = {"run_id": run_id, "agent_id": run["agent_id"]}
    messages = [
        ("run.message.created", {"run_id": run_id, "message_id": each["id"]})
        for each in heard.messages(run_id)
    ]
    request_id = heard.pending(run_id)["id"]
    request = {"run_id": run_id, "request_id": request_id}
    assert told == [
        messages[0],
        ("run.started", {**status, "status": "running"}),
        *messages[1:],
        ("run.tool_call.completed", {"run_id": run_id, "tool_name": "look_up"}),
        ("run.paused", {**status, "status": "waiting"}),
        ("human_request.created", {**request, "title": "Post?", "description": "12 entries"}),
    ]
    assert len(messages) == 4
    heard.respond(run_id, {"approved": True})
    assert said(heard) == [
        ("human_request.responded", request),
        ("run.completed", {**status, "status": "completed"}),
    ]


def test_an_event_tells_what_all_of_them_do(heard: Api) -> None:
    heard.start([Sleep(30), Finish("failed")])
    heard.clock.advance(45)
    started, failed = heard.emulator.take_webhooks()
    assert (started.url, failed.url) == (HOOK, HOOK)
    assert (started.due, failed.due) == (1_700_000_000, 1_700_000_030)
    assert started.body["created_at"] == START
    assert failed.body == {
        "id": failed.body["id"],
        "event": "run.failed",
        "created_at": "2023-11-14T22:13:50.000Z",
        "team_id": heard.emulator.team_id,
        "run_id": failed.body["run_id"],
        "agent_id": failed.body["agent_id"],
        "status": "failed",
    }


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("completed", ["run.started", "run.completed"]),
        ("failed", ["run.started", "run.failed"]),
        ("waiting", ["run.started", "run.paused"]),
        ("interrupted", ["run.started"]),
        ("stopped", ["run.started"]),
        ("dreaming", ["run.started"]),
    ],
)
def test_a_status_is_told_if_there_is_an_event_for_it(
    heard: Api, status: str, expected: list[str]
) -> None:
    heard.start([Finish(status)])
    assert names(heard) == expected


def test_a_run_starts_once_and_may_complete_many_times(heard: Api) -> None:
    run_id = heard.start([Finish(), Sleep(1)])
    heard.emulator.advance()
    heard.post(f"/v1/runs/{run_id}/messages", {"message": "more"})
    heard.clock.advance(1)
    assert names(heard) == [
        "run.started",
        "run.completed",
        "run.message.created",
        "run.completed",
    ]


def test_a_script_that_fails_says_so_before_its_run_fails(heard: Api) -> None:
    heard.start([Say("hi"), ReadFile("nowhere.txt")])
    assert names(heard)[-2:] == ["run.message.created", "run.failed"]


def test_a_run_that_is_stopped_tells_no_more(heard: Api) -> None:
    run_id = heard.start([Sleep(5)])
    heard.post(f"/v1/runs/{run_id}/stop")
    heard.clock.advance(10)
    assert names(heard) == ["run.started"]


def test_cases_are_told_from_their_creation_to_their_end(heard: Api, queue: QueueApi) -> None:
    first, second = queue.add("a", "b")
    wanted = ("queue.case.created", "queue.case.claimed", "queue.case.completed")
    agent_id, _ = queue.trigger()
    heard.get("/v1/health")
    assert queue.states() == ["completed"] * 2
    told = [(event, fields) for event, fields in said(heard) if event in wanted]
    assert told == [
        (event, {"case_id": case_id, "queue_id": queue.id})
        for event in wanted
        for case_id in (first, second)
    ]
    queue.bulk("reprocess", {"case_ids": [first], "agent_id": agent_id})
    assert [event for event in names(heard) if event in wanted] == list(wanted[1:])


def test_a_person_completes_a_case(heard: Api, queue: QueueApi) -> None:
    (case_id,) = queue.add("a")
    queue.bulk("update-status", {"case_ids": [case_id], "status": "failed"})
    assert names(heard) == ["queue.case.created"]
    queue.bulk("update-status", {"case_ids": [case_id], "status": "completed"})
    assert said(heard) == [("queue.case.completed", {"case_id": case_id, "queue_id": queue.id})]


def test_a_case_that_fails_is_not_completed(heard: Api, queue: QueueApi) -> None:
    queue.add("a")
    queue.trigger([Finish("failed")])
    assert "queue.case.completed" not in names(heard)
    assert queue.states() == ["failed"]


def test_builds_are_told_when_they_go_live(heard: Api) -> None:
    heard.emulator.add_agent([])
    assert names(heard) == []  # it was there before anyone listened
    agent = AgentApi.create_built(heard)
    (first,) = agent.builds()
    published = "assignment.build.published"
    assert said(heard) == [(published, {"agent_id": agent.id, "build_id": first["id"]})]
    draft = agent.add_build()
    assert names(heard) == []
    heard.post(f"/v2/revisions/{draft['id']}/promote", {})
    assert said(heard) == [(published, {"agent_id": agent.id, "build_id": draft["id"]})]


def test_a_subscriber_hears_only_what_it_wants(api: Api) -> None:
    wanted = ("run.completed", "run.started")
    api.emulator.subscribe(HOOK, (name for name in wanted))
    api.emulator.subscribe("http://other.test/", ["run.completed"])
    api.emulator.subscribe("http://deaf.test/", [])
    api.start([Say("hi")])
    heard = [(each.url, each.body["event"]) for each in api.emulator.take_webhooks()]
    assert heard == [
        (HOOK, "run.started"),
        (HOOK, "run.completed"),
        ("http://other.test/", "run.completed"),
    ]


@pytest.mark.parametrize("name", ["run_completed", "run.file.created", "connection.created", ""])
def test_an_unknown_event_cannot_be_subscribed_to(api: Api, name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}' is none of the events: run.started, "):
        api.emulator.subscribe(HOOK, ["run.completed", name])
    api.start()
    assert names(api) == []


def test_a_subscription_ends(api: Api) -> None:
    one = api.emulator.subscribe(HOOK, ["run.completed"])
    two = api.emulator.subscribe(HOOK, ["run.completed"])
    assert one != two
    api.start()
    api.emulator.advance()
    api.emulator.unsubscribe(one)
    assert len(bodies(api)) == 2  # both are on their way already
    api.start()
    assert len(bodies(api)) == 1
    api.emulator.unsubscribe(two)
    api.start()
    assert bodies(api) == []
    with pytest.raises(KeyError):
        api.emulator.unsubscribe(two)
    with pytest.raises(KeyError):
        api.emulator.unsubscribe(NOBODY)


def test_a_subscriber_and_a_run_of_its_own_receiver_get_bodies_of_their_own(api: Api) -> None:
    api.emulator.subscribe(HOOK, ["human_request.created", "run.completed"])
    run_id = api.start([AskApproval("Post?")], webhook_url="http://run.test/")
    api.emulator.advance()
    request_id = api.pending(run_id)["id"]
    api.respond(run_id, {"approved": True})
    webhooks = api.emulator.take_webhooks()
    assert [each.body for each in webhooks if each.url == "http://run.test/"] == [
        {
            "event": "human_request_created",
            "run_id": run_id,
            "request_id": request_id,
            "title": "Post?",
            "description": None,
            "created_at": START,
        },
        {"event": "run_completed", "run_id": run_id, "status": "completed"},
    ]
    told = [each.body["event"] for each in webhooks if each.url == HOOK]
    assert told == ["human_request.created", "run.completed"]


def test_an_event_has_one_id_wherever_and_however_often_it_is_posted(api: Api) -> None:
    for url in (HOOK, "http://other.test/"):
        api.emulator.subscribe(url, ["run.completed"])
    api.start()
    first, second = api.emulator.take_webhooks()
    assert first.body["id"] == second.body["id"]
    api.emulator.record_delivery(first, 500)
    api.clock.advance(1)
    (again,) = api.emulator.take_webhooks()
    api.emulator.record_delivery(again, 204)
    ids = {each.body["id"] for each in api.emulator.deliveries}
    assert ids == {first.body["id"]}
    assert [each.event for each in api.emulator.deliveries] == ["run.completed"] * 2


def ids(api: Api, events: list[str] | None = None) -> dict[object, str]:
    api.emulator.subscribe(HOOK, events)
    api.start([Say("hi"), AskApproval("Post?")])
    return {body["event"]: str(body["id"]) for body in bodies(api)}


def test_the_ids_of_events_are_drawn_from_the_seed(make_api: Callable[..., Api]) -> None:
    one, same, *others = (ids(make_api(seed=seed)) for seed in (7, 7, 8, None, None))
    assert one == same
    drawn = [event_id for each in (one, *others) for event_id in each.values()]
    assert len(drawn) == len(set(drawn)) == 16
    assert all((each[:4], len(each)) == ("evt_", 36) for each in drawn)
    assert all(int(each[4:], 16) for each in drawn)
    assert ids(make_api(seed=7), ["run.paused"]) == {"run.paused": one["run.paused"]}


def test_subscriptions_are_drawn_from_the_seed(make_api: Callable[..., Api]) -> None:
    one, same, other = (make_api(seed=seed).emulator.subscribe(HOOK) for seed in (7, 7, 8))
    assert one == same != other


def test_nothing_is_kept_when_nobody_listens(api: Api, queue: QueueApi) -> None:
    queue.add("a")
    queue.trigger([Say("hi"), CallTool("x"), AskApproval("Post?")])
    api.emulator.advance()
    assert queue.states() == ["needs_input"]
    api.emulator.subscribe(HOOK)
    assert bodies(api) == []


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (None, True),
        (["run.completed", "queue.case.created"], True),
        (["queue.case.created", "human_request.responded"], False),
        ([], False),
    ],
)
def test_webhooks_are_expected_if_time_can_bring_what_is_wanted(
    api: Api, events: list[str] | None, *, expected: bool
) -> None:
    api.start([Sleep(60)])
    api.emulator.advance()
    assert api.emulator.expects_webhooks() is False
    subscription_id = api.emulator.subscribe(HOOK, events)
    assert api.emulator.expects_webhooks() is expected
    api.emulator.unsubscribe(subscription_id)
    assert api.emulator.expects_webhooks() is False


def test_no_webhooks_are_expected_of_a_run_that_rests(heard: Api) -> None:
    assert heard.emulator.expects_webhooks() is False
    heard.start([Finish()])
    assert heard.emulator.expects_webhooks() is True
    heard.emulator.advance()
    assert heard.emulator.expects_webhooks() is True  # they are there, and not taken yet
    assert names(heard) == ["run.started", "run.completed"]
    assert heard.emulator.expects_webhooks() is False


def test_webhooks_are_expected_of_a_case_that_will_be_claimed(api: Api, queue: QueueApi) -> None:
    queue.trigger()
    queue.add("a")
    assert api.emulator.expects_webhooks() is False
    api.emulator.subscribe(HOOK, ["queue.case.claimed"])
    assert api.emulator.expects_webhooks() is True
    assert names(api) == ["queue.case.claimed"]
    assert api.emulator.expects_webhooks() is False
