"""The hedging machine: plays, and what holds whatever happens."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from coordinator.rewrite import agree
from regrow.errors import UsageError
from regrow.serving.hedging import Hedging, Policy
from regrow.serving.moves import Abandoned, Answered, Asked, Cancel, Failed, Joined, Left, Lost, Start, Wake, Woken, Won
from regrow.serving.pace import Costs, Paces
from serving.stage import played

PLAYS = sorted((Path(__file__).parent / "plays").glob("*.txt"))


@pytest.mark.parametrize("path", PLAYS, ids=lambda path: path.stem)
def test_the_play_goes_as_written(path: Path) -> None:
    agree(path, played(path.read_text()))


policies = some.builds(
    Policy,
    mode=some.sampled_from(["hedge", "hedge", "hedge", "race", "all", "off"]),
    copies=some.integers(1, 4),
    attempts_max=some.integers(1, 4),
    extra=some.sampled_from([0.0, 0.1, 0.5]),
    saved_max=some.sampled_from([0.0, 1.0, 20.0]),
    saved_first=some.sampled_from([0.0, 1.0, 5.0]),
    owed_max=some.sampled_from([0.0, 1.0, 10.0]),
)


class World:
    """A machine under arbitrary events, and its books: every attempt that runs, and where."""

    def __init__(self, policy: Policy, replicas: int, luck: int) -> None:
        self.machine, self.policy, self.now = Hedging(policy, luck), policy, 0.0
        self.running: dict[tuple[int, int], str] = {}
        self.asked: dict[int, list[str]] = {}
        self.wakes: dict[int, float] = {}
        self.ended: dict[int, object] = {}
        self.deadlines: dict[int, float] = {}
        self.there = {f"r{i}" for i in range(replicas)}
        for name in sorted(self.there):
            self.tell(Joined(name))

    def tell(self, event: object) -> None:
        for action in self.machine.handle(event, self.now):  # type: ignore[arg-type]
            match action:
                case Start(request, attempt, replica):
                    assert replica in self.there
                    assert replica not in self.asked[request], "never twice the same replica"
                    assert attempt == len(self.asked[request])
                    self.asked[request].append(replica)
                    self.running[request, attempt] = replica
                case Cancel(request, attempt):
                    del self.running[request, attempt]  # it ran, and was cancelled once
                case Wake(request, at):
                    assert at <= self.deadlines[request]
                    self.wakes[request] = at
                case Won(request, attempt):
                    assert (request, attempt) not in self.running
                    self.end(request, action)
                case Lost(request):
                    self.end(request, action)

    def end(self, request: int, action: object) -> None:
        assert request not in self.ended, "a request ends once"
        self.ended[request] = action
        self.wakes.pop(request, None)

    def ask(self, deadline: float, units: float) -> None:
        request = len(self.asked)
        self.asked[request], self.deadlines[request] = [], self.now + deadline
        self.tell(Asked(request, self.now + deadline, units))

    def step(self, draw: some.DrawFn) -> None:
        self.now += draw(some.sampled_from([0.0, 0.001, 0.02, 0.3]))
        for request, at in list(self.wakes.items()):
            if at <= self.now:
                self.tell(Woken(request))
        what = draw(some.sampled_from(["ask", "ask", "answer", "answer", "fail", "abandon", "leave", "late"]))
        if what == "ask":
            self.ask(draw(some.sampled_from([0.003, 0.05, 1.0])), draw(some.sampled_from([1.0, 10.0])))
        elif what == "leave":
            name = draw(some.sampled_from(sorted(self.there) or ["r0"]))
            self.there.discard(name)
            self.tell(Left(name))
        elif what == "late" and self.asked:
            self.tell(Answered(draw(some.sampled_from(sorted(self.ended) or [len(self.asked)])), 0))
        elif self.running:
            request, attempt = draw(some.sampled_from(sorted(self.running)))
            if what == "abandon":
                self.tell(Abandoned(request))
                self.ended.setdefault(request, "abandoned")
                self.wakes.pop(request, None)
            else:
                del self.running[request, attempt]
                event = Answered(request, attempt) if what == "answer" else Failed(request, attempt, "x", draw(some.booleans()))
                self.tell(event)


@settings(max_examples=300, deadline=None)
@given(some.data(), policies, some.integers(0, 6), some.integers(0, 2**64))
def test_whatever_happens_the_rules_hold(data: some.DataObject, policy: Policy, replicas: int, luck: int) -> None:
    world = World(policy, replicas, luck)
    for _ in range(data.draw(some.integers(0, 40))):
        world.step(data.draw)
        machine, counts = world.machine, world.machine.counts
        for name, replica in machine.replicas.items():
            assert replica.outstanding == sum(1 for where in world.running.values() if where == name)
            assert replica.misses >= 0
        if policy.mode == "hedge":
            once = min(policy.saved_first, policy.saved_max) + policy.owed_max if policy.extra else 0.0
            assert counts.hedges <= once + policy.extra * counts.requests + 1e-9, "a share of the requests, and so many once"
            assert all(len(asked) <= policy.attempts_max for asked in world.asked.values())
        assert counts.attempts == sum(map(len, world.asked.values()))
    world.now += 10.0
    for request in list(world.wakes):
        world.tell(Woken(request))
    assert set(world.ended) == set(world.asked), "every request ends by its deadline"
    assert not world.running, "and leaves nothing running"
    counts = world.machine.counts
    assert counts.requests == counts.answered + counts.late + counts.lost + counts.abandoned
    assert counts.attempts == counts.answered + counts.failures + counts.cancelled


def one_after_the_other(luck: int, requests: int = 300) -> tuple[Hedging, list[str]]:
    """A machine that was asked so many times by one who waits for each answer, 0.5 s at most, and why requests were lost.

    Of a hundred replicas five hang, five take 200 ms, and the others 5 ms.
    """
    machine, now, lost = Hedging(luck=luck), 0.0, list[str]()
    takes = {str(i): math.inf if i < 5 else 0.2 if i < 10 else 0.005 for i in range(100)}
    for name in takes:
        machine.handle(Joined(name), now)
    for request in range(requests):
        ends, wake, over = dict[int, float](), math.inf, False
        event: object = Asked(request, now + 0.5)
        while not over:
            for action in machine.handle(event, now):  # type: ignore[arg-type]
                match action:
                    case Start(_, attempt, replica):
                        ends[attempt] = now + takes[replica]
                    case Wake(_, at):
                        wake = at
                    case Won():
                        over = True
                    case Lost(_, why):
                        over = True
                        lost.append(why)
            first = min(ends, key=ends.__getitem__)
            event = Answered(request, first) if ends[first] <= wake else Woken(request)
            now = min(ends[first], wake)
    return machine, lost


def test_whoever_asks_one_thing_after_the_other_loses_nothing_to_those_that_hang() -> None:
    beyond = 0
    for luck in range(1, 41):
        machine, lost = one_after_the_other(luck)
        assert not lost, (luck, lost)
        assert machine.counts.hedges <= 0.15 * machine.counts.requests
        beyond += machine.counts.beyond
    assert beyond, "nothing was saved up at times"


@pytest.mark.parametrize(("extra", "deadline"), [(0.1, 0.003), (0.1, 0.3), (0.0, 0.3)])
def test_where_all_hang_the_extra_attempts_are_a_tenth_in_the_long_run_and_none_where_none_are_wanted(
    extra: float, deadline: float
) -> None:
    machine, now = Hedging(Policy(extra=extra)), 0.0
    for i in range(20):
        machine.handle(Joined(f"r{i}"), now)
    for request in range(2_000):  # one after the other
        actions, until = machine.handle(Asked(request, now + deadline), now), now + deadline
        while not any(isinstance(action, Lost) for action in actions):
            now = next(action.at for action in reversed(actions) if isinstance(action, Wake))
            actions = machine.handle(Woken(request), now)
        assert now == pytest.approx(until)
    counts = machine.counts
    assert counts.late == 2_000
    assert counts.hedges <= (15 + 200 if extra else 0)
    assert (counts.beyond > 0) == bool(extra)


def test_the_same_luck_makes_the_same_choices() -> None:
    def story(luck: int) -> list[object]:
        machine = Hedging(luck=luck)
        for i in range(20):
            machine.handle(Joined(f"r{i}"), 0.0)
        return [machine.handle(Asked(i, 1.0), 0.0) for i in range(50)]

    assert story(3) == story(3)
    assert story(3) != story(4)


def test_choices_are_even_over_replicas_that_are_well() -> None:
    machine, seen = Hedging(luck=7), dict.fromkeys("abcde", 0)
    for name in seen:
        machine.handle(Joined(name), 0.0)
    for request in range(5_000):
        start, _ = machine.handle(Asked(request, 1.0), 0.0)
        assert isinstance(start, Start)
        seen[start.replica] += 1
        machine.handle(Answered(request, 0), 0.0)
    assert min(seen.values()) > 900


def test_a_miss_fades() -> None:
    machine = Hedging()
    machine.handle(Joined("a"), 0.0)
    machine.handle(Asked(0, 1.0), 0.0)
    machine.handle(Failed(0, 0, "refused"), 0.0)
    replica = machine.replicas["a"]
    assert [round(machine.misses(replica, now), 3) for now in (0.0, 10.0, 20.0)] == [1.0, 0.368, 0.135]
    machine.handle(Asked(1, 31.0), 30.0)
    machine.handle(Answered(1, 0), 30.0)
    assert machine.misses(replica, 30.0) == 0.0


def test_one_sick_replica_of_five_does_not_change_what_is_late() -> None:
    paces = Paces()
    for i in range(400):
        for name in "abcd":
            paces.add(name, 0.010 + 0.001 * (i % 10))
        paces.add("sick", 5.0)
    assert paces.late() == pytest.approx(0.019)


def test_while_little_is_known_the_sick_do_not_decide_what_is_late() -> None:
    paces = Paces()
    for i in range(100):
        paces.add(f"r{i}", 5.0 if i % 10 == 0 else 0.010 + 0.0001 * i)
    assert paces.late() == pytest.approx(4 * 0.015, rel=0.05)


def test_a_larger_request_is_given_more_time() -> None:
    costs = Costs()
    assert costs.of(1_000_000) == 1.0  # nobody knows yet
    for i in range(500):
        units = 10 * (1 + i % 20)
        costs.learn(units, 0.002 + 0.001 * units / 10)
    assert costs.of(400) / costs.of(200) == pytest.approx(0.042 / 0.022, rel=0.01)
    assert costs.of(1) == 0.5
    same = Costs()
    for _ in range(500):
        same.learn(7, 0.01)
    assert same.of(7) == same.of(700) == 1.0  # of one size nothing can be said of others


def test_a_policy_that_cannot_be_is_refused() -> None:
    for wrong in ({"mode": "tied"}, {"copies": 0}, {"extra": -1}, {"extra": float("nan")}, {"fade_seconds": 0}):
        with pytest.raises(UsageError):
            Policy(**wrong)  # type: ignore[arg-type]
