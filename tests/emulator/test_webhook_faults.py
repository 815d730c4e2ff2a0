from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from attrs.exceptions import FrozenInstanceError

from duvo_async.emulator import WebhookFaults

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Api

HOOK = "http://hook.test/"
NOW = 1_700_000_000
MANY = 500


def complete(api: Api, count: int) -> list[str]:
    """Has runs complete, one event each, and gives their ids."""
    agent_id = api.emulator.add_agent([])
    run_ids = [api.emulator.start_run(agent_id) for _ in range(count)]
    api.emulator.advance()
    return run_ids


@pytest.fixture
def subscribed(make_api: Callable[..., Api]) -> Callable[..., Api]:
    def make(**settings: Any) -> Api:  # noqa: ANN401 - any of the emulator's settings
        api = make_api(**settings)
        api.emulator.subscribe(HOOK, ["run.completed"])
        return api

    return make


def arrivals(api: Api) -> list[str]:
    """The runs whose events are due by now, in the order of their arrival."""
    return [str(each.body["run_id"]) for each in api.emulator.take_webhooks()]


def places(api: Api, count: int) -> list[int]:
    """The places, among so many events, of those that arrive."""
    run_ids = complete(api, count)
    return [run_ids.index(run_id) for run_id in arrivals(api)]


@pytest.mark.parametrize("name", ["lost", "repeated"])
@pytest.mark.parametrize("share", [-0.01, 1.01, math.nan, math.inf])
def test_a_share_is_from_0_to_1(name: str, share: float) -> None:
    faults: dict[str, Any] = {name: share}
    with pytest.raises(ValueError, match=name):
        WebhookFaults(**faults)


@pytest.mark.parametrize(
    "delay", [(-1, 0), (2, 1), (0, math.inf), (math.nan, 1), (0, math.nan), (1,), (1, 2, 3)]
)
def test_a_delay_is_two_finite_numbers(delay: Any) -> None:  # noqa: ANN401 - the point of it
    with pytest.raises(ValueError, match=r"delay|values to unpack"):
        WebhookFaults(delay=delay)


def test_the_bounds_are_fine() -> None:
    faults = WebhookFaults(lost=1, repeated=0, delay=(3, 3))
    assert (faults.lost, faults.repeated, faults.delay) == (1, 0, (3, 3))
    name = "lost"
    with pytest.raises(FrozenInstanceError):
        setattr(faults, name, 0.5)


def test_nothing_goes_wrong_unasked(subscribed: Callable[..., Api]) -> None:
    api = subscribed()
    assert api.emulator.webhook_faults == WebhookFaults()
    assert places(api, MANY) == list(range(MANY))
    assert api.emulator.events_lost == 0


def test_lost_events_are_counted_and_appear_nowhere(subscribed: Callable[..., Api]) -> None:
    api = subscribed(webhook_faults=WebhookFaults(lost=1.0))
    complete(api, 3)
    assert api.emulator.take_webhooks() == []
    assert api.emulator.advance() is None
    assert (api.emulator.deliveries, api.emulator.events_lost) == ((), 3)


def test_events_of_a_run_are_lost_as_well(make_api: Callable[..., Api]) -> None:
    api = make_api(webhook_faults=WebhookFaults(lost=1.0))
    api.start(webhook_url=HOOK)
    assert api.emulator.take_webhooks() == []
    assert api.emulator.events_lost == 1


def test_a_share_of_the_events_is_lost(subscribed: Callable[..., Api]) -> None:
    api = subscribed(seed=7, webhook_faults=WebhookFaults(lost=0.3))
    left = places(api, MANY)
    assert len(left) + api.emulator.events_lost == MANY
    assert 0.25 * MANY < api.emulator.events_lost < 0.35 * MANY


def test_a_seed_decides_what_is_lost(subscribed: Callable[..., Api]) -> None:
    faults = WebhookFaults(lost=0.5)
    apis = [subscribed(seed=seed, webhook_faults=faults) for seed in (7, 7, 8, None, None)]
    one, same, *others = (tuple(places(api, 100)) for api in apis)
    assert one == same
    assert len({one, *others}) == 4


def test_what_becomes_of_an_event_depends_on_its_place_only(
    subscribed: Callable[..., Api],
) -> None:
    faults = WebhookFaults(lost=0.5)
    always = places(subscribed(seed=7, webhook_faults=faults), 40)
    api = subscribed(seed=7)
    assert places(api, 20) == list(range(20))
    api.emulator.webhook_faults = faults
    api.create_sandbox()
    assert places(api, 20) == [place - 20 for place in always if place >= 20]


def test_more_losses_are_the_same_ones_and_others(subscribed: Callable[..., Api]) -> None:
    few, many = (
        places(subscribed(seed=7, webhook_faults=WebhookFaults(lost=share, repeated=share)), 100)
        for share in (0.2, 0.5)
    )
    assert set(many) < set(few)


def test_faults_may_be_set_at_any_time(subscribed: Callable[..., Api]) -> None:
    api = subscribed()
    kept = complete(api, 1)
    api.emulator.webhook_faults = WebhookFaults(lost=1.0)
    complete(api, 1)
    api.emulator.webhook_faults = WebhookFaults()
    kept += complete(api, 1)
    assert arrivals(api) == kept
    assert api.emulator.events_lost == 1


def test_a_delayed_event_is_posted_within_its_span(subscribed: Callable[..., Api]) -> None:
    api = subscribed(seed=7, webhook_faults=WebhookFaults(delay=(5, 10)))
    complete(api, MANY)
    api.clock.advance(4.9)
    assert api.emulator.take_webhooks() == []
    assert api.emulator.expects_webhooks()
    api.clock.advance(5.1)
    delays = [each.due - NOW for each in api.emulator.take_webhooks()]
    assert len(delays) == MANY
    assert 5 <= min(delays) < 5.1
    assert 9.9 < max(delays) <= 10
    assert api.emulator.expects_webhooks() is False


def test_delays_bring_events_into_another_order(subscribed: Callable[..., Api]) -> None:
    api = subscribed(seed=7, webhook_faults=WebhookFaults(delay=(0, 60)))
    run_ids = complete(api, 50)
    api.clock.advance(60)
    arrived = arrivals(api)
    assert sorted(arrived) == sorted(run_ids)
    assert arrived != run_ids


def test_a_fixed_delay_keeps_the_order(subscribed: Callable[..., Api]) -> None:
    api = subscribed(webhook_faults=WebhookFaults(delay=(3, 3)))
    run_ids = complete(api, 50)
    api.clock.advance(3)
    assert arrivals(api) == run_ids


def test_a_repeated_event_comes_again_after_another_delay(subscribed: Callable[..., Api]) -> None:
    api = subscribed(seed=7, webhook_faults=WebhookFaults(repeated=1.0, delay=(5, 10)))
    complete(api, 1)
    api.clock.advance(20)
    first, second = api.emulator.take_webhooks()
    assert first.body == second.body
    assert first.retries == second.retries == 0
    assert 5 <= first.due - NOW <= 10
    assert 5 <= second.due - first.due <= 10
    assert round(first.due - NOW, 3) != round(second.due - first.due, 3)


def test_a_share_of_the_events_is_repeated(subscribed: Callable[..., Api]) -> None:
    api = subscribed(seed=7, webhook_faults=WebhookFaults(repeated=0.3))
    arrived = places(api, MANY)
    assert set(arrived) == set(range(MANY))
    assert 0.25 * MANY < len(arrived) - MANY < 0.35 * MANY


def test_shares_are_independent(subscribed: Callable[..., Api]) -> None:
    api = subscribed(seed=7, webhook_faults=WebhookFaults(lost=0.5, repeated=0.5))
    arrived = places(api, MANY)
    left = MANY - api.emulator.events_lost
    assert len(set(arrived)) == left
    assert 0.4 * left < len(arrived) - left < 0.6 * left


def test_a_repeated_event_is_tried_again_each_time(subscribed: Callable[..., Api]) -> None:
    api = subscribed(webhook_faults=WebhookFaults(repeated=1.0))
    complete(api, 1)
    first, second = api.emulator.take_webhooks()
    api.emulator.record_delivery(first, None)
    api.emulator.record_delivery(second, 500)
    api.clock.advance(1)
    again = api.emulator.take_webhooks()
    assert [(each.body, each.retries) for each in again] == [(first.body, 1)] * 2
    assert [each.status for each in api.emulator.deliveries] == [None, 500]


def test_each_receiver_has_its_own_luck(make_api: Callable[..., Api]) -> None:
    api = make_api(seed=7, webhook_faults=WebhookFaults(lost=0.5))
    for url in (HOOK, "http://other.test/"):
        api.emulator.subscribe(url, ["run.completed"])
    complete(api, 50)
    webhooks = api.emulator.take_webhooks()
    mine = {each.body["id"] for each in webhooks if each.url == HOOK}
    others = {each.body["id"] for each in webhooks if each.url != HOOK}
    assert mine - others
    assert others - mine
    assert len(webhooks) + api.emulator.events_lost == 100
