"""Histories in virtual time: the world itself holds the coordinator to its promises at every step (see `regrow.simulation.world`)."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

import pytest

from regrow.coordinator.actions import Fail, Finish
from regrow.coordinator.crew import Crew
from regrow.coordinator.cuts import Cuts
from regrow.coordinator.plan import Plan, Task
from regrow.coordinator.policy import Limits
from regrow.coordinator.retention import Retention
from regrow.program import Role, Roles
from regrow.simulation.broken import Broken
from regrow.simulation.histories import history, run_seed
from regrow.simulation.luck import Luck
from regrow.simulation.meaning import Meaning
from regrow.simulation.speed import Timed
from regrow.simulation.world import World


@pytest.mark.parametrize("block", range(10))
def test_everything_goes_wrong_and_the_results_are_those_of_a_quiet_run(block: int) -> None:
    for seed in range(30 * block, 30 * (block + 1)):
        run_seed(seed)


@pytest.mark.slow
def test_two_hundred_more_histories() -> None:
    for seed in range(100_000, 100_200):
        run_seed(seed)


def test_the_histories_are_full_of_accidents() -> None:
    seen: Counter[str] = Counter()
    endings: Counter[type] = Counter()
    for seed in range(60):
        world = run_seed(seed)
        seen.update({name: count > 0 for name, count in asdict(world.counts).items()})
        endings[type(world.ending)] += 1
        seen["on machines"] += len(set(world.machine.crew.machines.values())) > 1
    assert seen["losses"] > 18
    assert seen["restarts"] > 18
    assert seen["cuts"] > 12
    assert seen["unready_starts"] == 0
    assert seen["on machines"] > 18
    assert endings[Fail] > 0
    assert endings[Finish] > 48


def test_one_seed_is_one_history() -> None:
    lines: list[list[str]] = [[], []]
    for told in lines:
        history(8, trace=told.append).run()
    assert lines[0] == lines[1]
    assert len(lines[0]) > 100


def test_a_history_that_breaks_a_promise_says_how_to_repeat_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Retention, "kept_for", lambda self, key, undecided: "" if self.ledger.phases[key].done else "not done")
    with pytest.raises(Broken, match=r"repeat it with: python -m regrow\.simulation 5"):
        run_seed(5)


def run_seeds(count: int) -> None:
    for seed in range(count):
        run_seed(seed)


def test_what_a_cut_holds_and_is_forgotten_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cuts, "pins", lambda self, task: False)
    monkeypatch.setattr(Cuts, "pin_some", lambda self, phase: False)
    with pytest.raises(Broken, match=r"is forgotten, and the cut of round \d+ holds it|which is not there"):
        run_seeds(60)


def test_a_history_that_stands_still_says_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Crew, "rest", lambda self, worker: None)
    with pytest.raises(Broken, match=r"(?s)stands still since .* waiting.*the coordinator knows .* workers: idle 0"):
        run_seed(5)


# The disk


def exchange(rounds: int, keeps: tuple[float, float]) -> Meaning:
    """Two roles that read each other and keep states."""
    roles = {"docs": Role(6, reads={"words": -1}), "words": Role(5, reads={"docs": 0}), "judge": Role(1, reads={"words": 0}, every=3)}
    return Meaning(Plan(Roles(rounds, **roles)), {"docs": keeps, "words": (1.0, 0.0)}, frozenset({"words"}))


@pytest.mark.parametrize("cut_seconds", [0.0, 8.0])
@pytest.mark.parametrize("keeps", [(1.0, 0.0), (0.2, 0.0)], ids=["always", "seldom"])
def test_the_disk_does_not_grow_with_the_rounds(keeps: tuple[float, float], cut_seconds: float) -> None:
    peaks = []
    for rounds in (40, 400):
        world = World(
            1, exchange(rounds, keeps), Luck(cut_seconds=3.0, verify=False), workers=4, limits=Limits(cut_every_seconds=cut_seconds)
        )
        world.run()
        peaks.append(world.disk.peak)
    assert peaks[1] <= 1.5 * peaks[0]  # ten times the rounds see rarer coincidences, and no more
    assert peaks[1] <= (4 if cut_seconds == 0 else 8) * 12


def test_what_is_kept_without_cuts_is_what_somebody_will_read() -> None:
    world = World(1, exchange(60, (1.0, 0.0)), Luck(verify=False), workers=4, limits=Limits(cut_every_seconds=0))
    world.run()
    assert set(world.disk.artifacts) == {Task("words", 59, part) for part in range(5)}


def test_the_coordinator_does_not_remember_rounds_from_before_its_cuts() -> None:
    world = World(1, exchange(400, (1.0, 0.0)), Luck(verify=False), workers=4, limits=Limits(cut_every_seconds=5))
    world.run()
    assert len(world.machine.ledger.phases) < 120


# Particular worlds


def quiet_commits(world: World) -> None:
    world.run()
    assert set(world.committed.values()) == {1}
    assert set(world.committed) == set(world.expected)


def test_a_quiet_run_does_every_task_once() -> None:
    quiet_commits(World(1, exchange(10, (0.3, 0.3)), Luck(), workers=3))


def test_losing_workers_and_coordinators_does_nothing_twice_that_was_committed() -> None:
    luck = Luck(
        accidents=60, accident_seconds=1.0, power=0.0, frozen=0.05, slow=0.05, kinds=("worker", "drain", "all workers", "coordinator")
    )
    world = World(3, exchange(25, (0.3, 0.3)), luck, workers=6)
    quiet_commits(world)
    assert world.counts.restarts > 5


def test_a_hundred_workers_of_which_one_is_lost_every_moment() -> None:
    roles = {"docs": Role(150, reads={"words": -1}), "words": Role(120, reads={"docs": 0})}
    meaning = Meaning(Plan(Roles(6, **roles)), {"docs": (1.0, 0.0)}, frozenset({"words"}))
    world = World(1, meaning, Luck(accidents=400, accident_seconds=0.05, kinds=("worker", "worker", "artifacts")), workers=100)
    world.run()
    assert world.counts.accidents > 200


def test_a_run_without_any_worker_that_checks_is_checked_by_the_others() -> None:
    world = World(1, exchange(3, (1.0, 0.0)), Luck(checkers=0), workers=2)
    world.run()
    assert not world.machine.checks.unverified


def test_power_lost_again_and_again_goes_on_from_the_newest_cut() -> None:
    luck = Luck(accidents=8, accident_seconds=30.0, power=1.0, cut_seconds=0.1, kinds=("coordinator",), verify=False)
    world = World(5, exchange(60, (1.0, 0.0)), luck, workers=8, limits=Limits(cut_every_seconds=2))
    world.run()
    assert world.counts.restarts >= 2
    assert world.counts.commits < 1.5 * len(world.expected)


def test_artifacts_that_are_deleted_all_the_time_do_not_hold_a_run_up() -> None:
    luck = Luck(accidents=10**6, accident_seconds=25.0, cut_seconds=0.2, verify=False, kinds=("everything",))
    world = World(2, exchange(60, (0.3, 0.3)), luck, workers=8, limits=Limits(cut_every_seconds=2))
    world.run()
    assert world.counts.accidents >= 2, "it was held up by none"
    assert world.counts.commits < 4 * len(world.expected)


def test_no_event_costs_a_walk_over_all_tasks() -> None:
    """Events of large worlds cost about what those of small ones cost (a generous bound: machines differ)."""

    each = []
    for partitions in (200, 4000):
        roles = {"docs": Role(partitions, reads={"words": -1}), "words": Role(partitions, reads={"docs": 0})}
        meaning = Meaning(Plan(Roles(2, **roles)), {"docs": (1.0, 0.0)}, frozenset({"words"}))
        world = World(1, meaning, Luck(accidents=5, kinds=("worker",)), workers=partitions // 4, machine=Timed)
        world.run()
        assert isinstance(world.machine, Timed)
        each.append(world.machine.seconds / world.machine.events)
    assert each[1] < 4 * each[0]
