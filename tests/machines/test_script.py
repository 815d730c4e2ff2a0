"""The script in a real Redis: it decides as `Budget` does, for all processes at once."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import TypeAlias

import pytest
import redis as redis_package
from attrs import define, field

from duvo_async._pacing import Budget, Lane
from duvo_async._protocol import Window
from duvo_async._redis.script import SOURCE, Ask, Kind, Report, Verdict, Wishes, verdict, words
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.once  # the script is no Python

CALL, START, POLL = Lane
LIMIT = 300
PLAIN = Wishes(0.0, 0.0, 0)
EPOCH = 1024.0
Client: TypeAlias = "redis_package.Redis"


@define(eq=False)
class Script:
    """The script, with a clock of the test's."""

    client: Client
    now: float = EPOCH

    def __call__(
        self, asks: Sequence[Ask] = (), reports: Sequence[Report] = (), wishes: Wishes = PLAIN
    ) -> Verdict:
        said = words(wishes, asks, reports, self.now, self.now)
        return verdict(self.client.eval(SOURCE, 1, "duvo:{test}", *said))

    def spend(self, lane: Lane, wishes: Wishes = PLAIN) -> int:
        """Send all that may be sent now, and let it end without telling."""
        said = self([Ask(lane, hurried=True)] * 400, wishes=wishes)
        sent = sum(said.granted)
        self(reports=[Report(Kind.ENDED, said.window)] * sent, wishes=wishes)
        return sent


@pytest.fixture
def script(redis: RedisServer) -> Iterator[Script]:
    with redis_package.Redis(port=redis.port) as client:
        yield Script(client)


@define(eq=False)
class Pair:
    """The script and a `Budget`, which are told the same."""

    script: Script
    budget: Budget
    wishes: Wishes
    starts_until: float = 0.0
    sent: dict[int, tuple[int, float, Lane]] = field(factory=dict[int, tuple[int, float, Lane]])
    reports: list[Report] = field(factory=list[Report])

    def ask(self, lane: Lane, *, hurried: bool, starts_wait: bool) -> None:
        """Ask both."""
        now = self.script.now
        if starts_wait:
            self.starts_until = now + 10
        waiting = now < self.starts_until
        expected = self.budget.acquire(lane, now, starts_wait=waiting, hurried=hurried)
        wishes = Wishes(self.wishes.reserve, self.wishes.share, 0, starts_wait=starts_wait)
        said = self.script([Ask(lane, hurried)], self.reports, wishes)
        self.reports = []
        assert sum(said.granted) == (expected == 0)
        assert max(said.waits) == pytest.approx(expected, abs=0.0011)
        if expected == 0:
            self.sent[self.budget.number] = said.window, now, lane
        elif lane is START:
            self.starts_until = now + 10

    def end(self, number: int, told: Window | None, *, sent: bool = True) -> None:
        """Let a request end."""
        window, _, lane = self.sent.pop(number)
        if not sent:
            self.budget.refund(number)
            kind = Kind.UNPOLLED if lane is POLL else Kind.UNSENT
            self.reports.append(Report(kind, window))
        elif told is None:
            self.budget.release(number)
            self.reports.append(Report(Kind.ENDED, window))
        else:
            self.budget.observe(told, self.script.now, number)
            self.reports.append(Report(Kind.TOLD, window, told, self.script.now))

    def end_some(self, random: Random) -> None:
        """Let some requests end, in whatever way, and those that are old in any case."""
        now = self.script.now
        for number, (_, at, _) in tuple(self.sent.items()):
            if random.random() < 0.4 or now - at > 150:
                left = random.choice([0, 1, 30, 100, 250, 300])
                told = Window(LIMIT, left, random.choice([0.2, 1.0, 20.0, 59.0, 60.0, 500.0]))
                self.end(number, random.choice([told, told, None]), sent=random.random() < 0.9)


@pytest.mark.parametrize("seed", range(40))
def test_it_decides_as_a_budget_does(script: Script, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - a walk
    reserve, share = random.choice([0.0, 0.1]), random.choice([0.0, 0.03, 0.2])
    pair = Pair(script, Budget(reserve=reserve, share=share), Wishes(reserve, share, 0))
    for _ in range(250):
        script.now += random.choice([0.0, 0.0, 0.0625, 0.25, 2.0, 31.0, 61.0, 130.0])
        pair.end_some(random)
        for _ in range(random.choice([1, 1, 3, 40])):
            lane = random.choice([*Lane])
            hurried, starts_wait = random.random() < 0.3, random.random() < 0.1
            pair.ask(lane, hurried=lane is POLL and hurried, starts_wait=starts_wait)


def test_all_share_one_window(script: Script) -> None:
    first, second = script([Ask(CALL)] * 200), script([Ask(CALL)] * 200)
    assert (first.granted[0], second.granted[0]) == (200, 100)
    assert second.waits[0] == 60.0
    script.now += 60.0
    assert script([Ask(CALL)] * 400).granted[0] == 0  # they are under way, and may count again
    script([Ask(CALL)], [Report(Kind.ENDED, first.window)] * 300)
    script.now += 60.0
    assert script([Ask(CALL)] * 400).granted[0] == 300


def test_the_headers_say_when_the_window_ends_and_what_is_left(script: Script) -> None:
    of = script([Ask(CALL)]).window
    told = Report(Kind.TOLD, of, Window(LIMIT, 120, 17.0), script.now)
    said = script([Ask(CALL)] * 400, [told])
    assert (said.granted[0], said.waits[0]) == (120, 17.0)
    script.now += 17.0
    assert script([Ask(CALL)]).window == of + 1


def test_an_answer_is_as_old_as_it_is_when_it_is_told(script: Script) -> None:
    told = Report(Kind.TOLD, script([Ask(CALL)]).window, Window(LIMIT, 0, 17.0), script.now - 5)
    assert script([Ask(CALL)], [told]).waits[0] == 12.0


def test_an_answer_that_is_told_when_its_window_has_ended_says_nothing_of_this_one(
    script: Script,
) -> None:
    of = script([Ask(CALL)]).window
    stale = Report(Kind.TOLD, of, Window(LIMIT, 3, 17.0), script.now)
    script.now += 45
    script(reports=[Report(Kind.TOLD, 0, Window(LIMIT, 200, 20.0), script.now)])
    said = script([Ask(CALL)] * 400, [stale])
    assert said.granted[0] == 200
    assert said.waits[0] == 20.0


def test_the_lanes_are_those_of_one_process(script: Script) -> None:
    wishes = Wishes(0.1, 0.05, 0)
    assert script.spend(START, wishes) == 255
    assert script([Ask(START), Ask(POLL), Ask(CALL)], wishes=wishes).granted == (1, 0, 1, 0)
    assert script.spend(POLL, wishes) == 13
    assert script.spend(POLL, wishes) == script.spend(START, wishes) == 0
    assert script.spend(CALL, wishes) == 30


def test_starts_of_one_process_hold_the_polls_of_all_to_their_share(script: Script) -> None:
    wishes = Wishes(0.0, 0.05, 0)
    assert script.spend(POLL, wishes) == 300
    script.now += 60
    script(wishes=Wishes(0.0, 0.05, 0, starts_wait=True))
    assert script.spend(POLL, wishes) == 15
    script.now += 9
    assert script.spend(POLL, wishes) == 0
    script.now += 1  # nobody said for ten seconds that any were waiting
    assert script.spend(POLL, wishes) == 285


def test_the_greatest_share_counts_until_the_window_ends(script: Script) -> None:
    script(wishes=Wishes(0.0, 0.2, 0))
    assert script.spend(START, Wishes(0.0, 0.05, 0)) == 240
    script.now += 60
    assert script.spend(START, Wishes(0.0, 0.05, 0)) == 285


def test_polls_are_spread_over_all_processes(script: Script) -> None:
    granted = [script([Ask(POLL)]).granted[POLL] for _ in range(3)]
    assert granted == [1, 0, 0]
    assert script([Ask(POLL)]).waits[POLL] == pytest.approx(0.2, abs=0.0011)
    script.now += 0.21
    assert script([Ask(POLL)]).granted[POLL] == 1
    assert script([Ask(POLL, hurried=True)]).granted[POLL + 1] == 1


@pytest.mark.parametrize("told", [False, True])
def test_a_margin_is_left(script: Script, *, told: bool) -> None:
    if told:
        script(reports=[Report(Kind.TOLD, 0, Window(LIMIT, 300, 60.0), script.now)])
    assert script.spend(CALL, Wishes(0.0, 0.0, 20)) == 280
    assert script.spend(CALL, Wishes(0.0, 0.0, 20)) == 0


def test_the_margin_leaves_something_of_the_smallest(script: Script) -> None:
    script(reports=[Report(Kind.TOLD, 0, Window(5, 5, 60.0), script.now)])
    assert script.spend(CALL, Wishes(0.0, 0.0, 20)) == 3


def test_one_that_is_told_to_be_quiet_makes_all_quiet(script: Script) -> None:
    script(wishes=Wishes(0.0, 0.0, 0, quiet=7.0))
    assert script([Ask(lane) for lane in Lane]).waits == (7.0, 7.0, 7.0, 0.0)
    script(wishes=Wishes(0.0, 0.0, 0, quiet=2.0))
    assert script([Ask(CALL)]).waits[0] == 7.0
    script.now += 7
    assert script([Ask(CALL)]).granted[0] == 1


def test_what_a_dead_process_had_under_way_is_forgotten_in_a_while(script: Script) -> None:
    script([Ask(CALL)] * 100)
    for _ in range(5):
        script.now += 60
        assert script.spend(CALL) == 200
    script.now += 60
    assert script.spend(CALL) == 300


def test_at_once_where_nobody_asked_for_long(script: Script) -> None:
    script([Ask(CALL)] * 100)
    script.now += 361
    assert script.spend(CALL) == 300


@pytest.mark.parametrize("kind", Kind)
def test_an_end_counts_once(script: Script, kind: Kind) -> None:
    of = script([Ask(CALL)]).window
    told = Window(LIMIT, 299, 60.0) if kind is Kind.TOLD else None
    reports = [Report(kind, of, told, script.now)] * 50
    assert sum(script([Ask(CALL)] * 400, reports).granted) >= 299
    assert sum(script([Ask(CALL)]).granted) == 0


def test_requests_of_another_servers_windows_are_not_taken_for_its_own(script: Script) -> None:
    of = script([Ask(CALL)] * 10).window
    for other in (1, of - 6, of + 1):
        script(reports=[Report(Kind.UNSENT, other)] * 10)
    assert script.spend(CALL) == 290


# --- a server that forgot ------------------------------------------------------------------------


def test_a_server_that_is_new_to_all_is_believed(script: Script) -> None:
    assert script([Ask(CALL)]).narrow == 0
    script.now += 1
    assert script([Ask(CALL)], wishes=Wishes(0.0, 0.0, 0, away=1.0)).narrow == 0


def test_a_server_that_forgot_knows_nothing_until_the_next_window(script: Script) -> None:
    back = Wishes(0.0, 0.0, 0, away=20.0)
    said = script([Ask(CALL)] * 5, wishes=back)
    assert (said.narrow, said.granted[0]) == (60.0, 0)
    script.now += 10
    told = Report(Kind.TOLD, 0, Window(LIMIT, 50, 15.0), script.now)
    assert script([Ask(CALL)], [told]).narrow == 15.0
    script.now += 15
    assert script([Ask(CALL)]).granted[0] == 1


def test_nor_before_all_have_noticed(script: Script) -> None:
    told = Report(Kind.TOLD, 0, Window(LIMIT, 50, 3.0), script.now)
    assert script([], [told], Wishes(0.0, 0.0, 0, away=20.0)).narrow == 5.0
    script.now += 3
    assert script([Ask(CALL)]).narrow == 60.0
    script.now += 60
    assert script([Ask(CALL)]).narrow == 0


def test_one_that_was_away_for_longer_than_the_server_is_young_makes_all_narrow(
    script: Script,
) -> None:
    assert script([Ask(CALL)]).narrow == 0
    script.now += 3
    assert script([Ask(CALL)], wishes=Wishes(0.0, 0.0, 0, away=30.0)).narrow == 57.0
    assert script([Ask(CALL)]).narrow == 57.0


def test_one_that_comes_back_later_changes_nothing(script: Script) -> None:
    script([Ask(CALL)])
    script.now += 61
    assert script([Ask(CALL)], wishes=Wishes(0.0, 0.0, 0, away=300.0)).narrow == 0


def test_it_goes_by_the_servers_own_clock(script: Script) -> None:
    ask = words(PLAIN, [Ask(CALL)] * 400, [], 0.0, None)
    said = verdict(script.client.eval(SOURCE, 1, "duvo:{test}", *ask))
    assert said.granted[0] == 300
    seconds, _ = script.client.time()
    assert abs(said.window - seconds) <= 1
    assert 59.0 < said.waits[0] <= 60.0


def test_a_budget_that_nobody_asks_for_is_forgotten_after_a_day(script: Script) -> None:
    script([Ask(CALL)])
    assert 86_000 < script.client.ttl("duvo:{test}") <= 86_400
