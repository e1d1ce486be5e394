"""Large worlds: the world itself holds the coordinator to its promises at every step (see `regrow.simulation.promises`)."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regrow.coordinator import keeping
from regrow.coordinator.actions import Action
from regrow.coordinator.crew import Crew
from regrow.coordinator.cuts import Cuts
from regrow.coordinator.events import AttemptDone
from regrow.coordinator.keeping import Keeping
from regrow.coordinator.machine import Machine
from regrow.coordinator.plan import PhaseKey
from regrow.coordinator.queue import Queue
from regrow.coordinator.retention import Retention
from regrow.errors import DataError, RegrowError
from regrow.program import Role
from regrow.simulation import holdings, losing
from regrow.simulation.compare import REGROW, compare, simulated
from regrow.simulation.fleet import Fleet
from regrow.simulation.formulas import Assumptions
from regrow.simulation.like import Costed, like
from regrow.simulation.losing import lose_copies, lose_machine
from regrow.simulation.outcome import Outcome, digest_of, run_scenario, settled
from regrow.simulation.prices import prices
from regrow.simulation.scenario import Bounds, Costs, Faults, Holds, Machines, Scenario, Work, read_scenario
from regrow.simulation.weather import weather

SCENARIOS = Path(__file__).parents[2] / "scenarios"
QUIET = Faults()
MEASURED = {"cpu_seconds", "events_per_second", "peak_memory_bytes"}


def exchange(workers: int = 40, *, rounds: int = 4, faults: Faults = QUIET, seed: int = 1, **machines: Any) -> Scenario:
    """Two roles that read each other's last round, on machines of four workers."""
    work = Work(2 * workers, 20.0, {"odd": -1}, message_bytes=1e6, fan_out=10, state_bytes=1e6)
    given = {"count": workers // 4, "workers": 4, "zones": 2, "speed_spread": 0.1} | machines
    roles = {"even": work, "odd": replace(work, reads={"even": -1})}
    return Scenario(rounds, roles, Machines(**given), Costs(), faults, Bounds(60.0), Holds(), seed)


def run(scenario: Scenario) -> Outcome:
    return run_scenario(scenario, "the command that repeats it")


def facts(outcome: Outcome) -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(outcome).items() if name not in MEASURED}


# Whatever happens


CHAOS = read_scenario(SCENARIOS / "chaos.toml")


@functools.cache
def chaos(seed: int) -> Outcome:
    """Of the scenario in which everything goes wrong."""
    return run(settled(CHAOS, seed=seed))


@pytest.mark.parametrize("block", range(4))
def test_everything_goes_wrong_and_the_digest_is_that_of_a_quiet_world(block: int) -> None:
    quiet = run(replace(CHAOS, faults=Faults()))
    assert (quiet.workers_lost, quiet.artifacts_lost) == (0, 0)
    for seed in range(100 + 4 * block, 104 + 4 * block):
        assert chaos(seed).digest == quiet.digest, f"regrow simulate run scenarios/chaos.toml --seed {seed}"


@pytest.mark.slow
def test_forty_more_seeds() -> None:
    assert len({run(settled(CHAOS, seed=seed)).digest for seed in range(1000, 1040)}) == 1


@pytest.mark.slow
def test_ten_thousand_workers() -> None:
    faults = Faults(worker_per_hour=0.24, machine_per_hour=0.24, frozen=0.2, notice=0.5)
    outcome = run(exchange(10_000, rounds=2, faults=faults))
    assert outcome.workers_lost > 100
    assert outcome.tasks == 80_000
    assert outcome.task_bytes_max < 1024
    assert outcome.peak_memory_bytes < 2e9


def test_all_kinds_of_accidents_happen() -> None:
    seen = [chaos(seed) for seed in range(100, 106)]
    names = ("frozen", "notices", "late_answers", "zones_lost", "artifacts_lost", "copies_again", "coordinators_lost", "cuts")
    for name in (*names, "disputes", "powers_lost"):
        assert sum(getattr(outcome, name) for outcome in seen) > 0, name


def test_one_seed_is_one_history_under_every_hash_seed() -> None:
    code = (
        "import sys, dataclasses; from pathlib import Path\n"
        "from regrow.simulation.outcome import run_scenario, settled; from regrow.simulation.scenario import read_scenario\n"
        f"found = run_scenario(settled(read_scenario(Path({str(SCENARIOS / 'chaos.toml')!r})), seed=8), '')\n"
        f"print({{k: v for k, v in dataclasses.asdict(found).items() if k not in {MEASURED!r}}}.__repr__())"
    )
    said = {
        subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    }
    assert len({tuple(sorted(eval(line).items())) for line in said}) == 1


# Particular worlds


def lose(world: Fleet, machines: list[int]) -> None:
    """These machines go at once."""
    for machine in machines:
        lose_machine(world, machine)
    lose_copies(world, machines)


def test_the_coordinator_knows_who_is_on_which_machine() -> None:
    fleet = Fleet(exchange(16, rounds=2))

    def compare_tables(world: Fleet) -> None:
        assert {worker: world.machine.crew.machines[worker] for worker in world.cluster.home} == {
            worker: f"machine-{machine}" for worker, machine in world.cluster.home.items()
        }
        assert len(set(world.machine.crew.machines.values())) == 4

    fleet.run(lambda world: world.later(30.0, compare_tables, world))


def test_the_loss_of_machines_one_by_one_loses_no_artifact() -> None:
    fleet = Fleet(exchange(80, replace_seconds=10.0))

    def one_by_one(world: Fleet) -> None:
        for number in range(15):
            world.later(30.0 + 15.0 * number, lambda: lose(world, world.cluster.live()[:1]))

    tally = fleet.run(one_by_one)
    assert (tally.machines_lost, tally.artifacts_lost) == (15, 0)
    assert tally.copies_again > 100
    assert tally.commits == 1280


def test_a_whole_zone_takes_both_copies_and_what_is_needed_is_made_again() -> None:
    fleet = Fleet(exchange(40, rounds=5))

    def all_of_a_zone(world: Fleet) -> None:
        lose(world, [machine for machine in world.cluster.live() if world.cluster.zone[machine] == 0])

    tally = fleet.run(lambda world: world.later(150.0, all_of_a_zone, world))
    assert tally.artifacts_lost > 10
    assert tally.commits > 5 * 160


def test_a_cut_is_a_third_copy(tmp_path: Path) -> None:
    found = holdings.Holdings(Fleet(exchange(8)).plan)
    [first, second, *_] = found.plan.each_task(found.plan.phases(0)[0])
    for task in (first, second):
        found.add(found.shelf(PhaseKey(*task[:2])), task, 5, 1, 2)
    found.hold([first])
    assert found.lose_machines([1, 2]) == [second]
    assert (found.far, found.shelf(PhaseKey(*first[:2])).far) == (1, 1)
    found.copy_again(np.asarray([3, 4], dtype=np.int32), np.random.default_rng(1))
    assert found.far == 0


def test_what_is_in_storage_alone_is_read_at_the_pace_of_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losing, "_copy_again", lambda fleet: None)
    seconds = []
    for bandwidth in (1e9, 1e5):
        fleet = Fleet(replace(exchange(40), limits=Bounds(1.0, 1)))
        fleet.attempts.prices = prices(replace(fleet.scenario, costs=Costs(storage_bandwidth=bandwidth)))
        fleet.run(lambda world: world.later(260.0, lambda: lose(world, world.cluster.live()[1:])))
        assert fleet.tally.cuts
        seconds.append(fleet.now)
    assert seconds[1] > seconds[0] + 10


def test_what_begins_on_a_machine_takes_its_cores_from_those_at_work_there() -> None:
    """Each loss holds up three others, by what beginning again takes, all together: the same tasks, later."""
    lossy = exchange(faults=Faults(worker_per_hour=20.0), rounds=2, speed_spread=0.0)
    free = run(lossy)
    costly = run(replace(lossy, costs=replace(lossy.costs, start_cpu_seconds=6.0)))
    assert (costly.digest, costly.tasks) == (free.digest, free.tasks)
    assert costly.workers_lost > 10
    assert costly.hours > free.hours
    assert costly.redone > free.redone


def test_lost_machines_that_are_never_replaced_leave_slower_worlds_that_end() -> None:
    quiet, fewer = (run(exchange(40, faults=Faults(machine_per_hour=rate), replaced=0.0)) for rate in (0.0, 4.0))
    assert fewer.machines_lost > 1
    assert fewer.hours > quiet.hours
    assert fewer.digest == quiet.digest
    with pytest.raises(DataError, match="no machine is left"):
        run(exchange(40, faults=Faults(machine_per_hour=60.0), replaced=0.0))


def test_a_world_in_which_workers_live_shorter_than_tasks_says_so() -> None:
    with pytest.raises(DataError, match="what is begun is lost before it ends"):
        run(exchange(4, rounds=1, faults=Faults(worker_per_hour=1800.0)))


def test_a_trace_is_replayed(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("".join(f"0,add,m{i}\n" for i in range(5)) + "60000,remove,m1\n61000,remove,m2\n90000,add,m9\n")
    scenario = settled(exchange(40, faults=Faults(trace=str(trace), trace_scale=2)))
    assert scenario.machines.count == 10
    outcome = run(scenario)
    assert (outcome.machines_lost, outcome.workers_lost) == (4, 16)
    assert outcome.digest == run(exchange(40)).digest


def test_slow_machines_get_backup_attempts() -> None:
    told: list[str] = []
    Fleet(exchange(40, faults=Faults(slow_per_hour=4.0, slow_factor=10.0)), trace=told.append).run(weather)
    assert any("backup attempt" in line for line in told)


# Who watches


def forgets_too_early(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Retention, "kept_for", lambda self, key, undecided: "" if self.ledger.phases[key].done else "not done")


def lets_workers_idle(patch: pytest.MonkeyPatch) -> None:
    pop = Queue.pop

    def lazy(self: Queue, worker: str) -> object:
        return None if self._places and len(self._ready[self._places[0]].fresh) == 3 else pop(self, worker)

    patch.setattr(Queue, "pop", lazy)


def forgets_idle_workers(patch: pytest.MonkeyPatch) -> None:
    rest, calls = Crew.rest, itertools.count(1)
    patch.setattr(Crew, "rest", lambda self, worker: rest(self, worker) if next(calls) % 50 else None)


def forgets_workers_that_hand_nothing_back(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Machine, "_give_back", lambda self, run, *, parked=False: None)


def makes_nothing_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Retention, "needed", lambda self, tasks: [])
    patch.setattr(keeping, "want", lambda ledger, tasks: [])


def does_not_hear_of_losses(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Keeping, "lose", lambda self, lost, cause: iter(()))


def forgets_what_cuts_hold(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Cuts, "pins", lambda self, task: False)
    patch.setattr(Cuts, "pin_some", lambda self, phase: False)


def accepts_any_digest(patch: pytest.MonkeyPatch) -> None:
    """What is answered is what was known, whatever it is; what the attempt wrote is committed as it is."""
    done = Machine._done

    def trusting(self: Machine, event: AttemptDone, now: float, actions: list[Action]) -> None:
        phase = self.ledger.find(event.attempt.task[:2])
        known = None if phase is None else phase.digests[event.attempt.task.partition]
        done(self, event if known is None else replace(event, receipt=replace(event.receipt, digest=known)), now, actions)

    patch.setattr(Machine, "_done", trusting)


def run_some(seeds: int) -> None:
    for seed in range(seeds):
        run(settled(CHAOS, seed=seed))


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (forgets_too_early, "is forgotten while|the run stands still: nobody is at anything since .* reads docs.*which is forgotten"),
        (lets_workers_idle, "is idle, and a task is ready"),
        (forgets_idle_workers, "is idle, and the coordinator does not count on it"),
        (forgets_workers_that_hand_nothing_back, "run, but .* attempts are under way"),
        (makes_nothing_again, "the run stands still: nobody is at anything since .* which is forgotten.*the coordinator knows .* idle"),
        (does_not_hear_of_losses, "is begun again and again: 11 times .* is not there"),
        (
            forgets_what_cuts_hold,
            r"is forgotten, and the cut of round \d that is made holds it|is forgotten, and the cut of round \d holds it",
        ),
        (accepts_any_digest, "another digest than (one )?before"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_coordinator_with_a_fault_is_found_out(
    monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None], words: str
) -> None:
    """The run ends, says what is wrong, and with which command that is seen again: of a few seeds at the latest."""
    plant(monkeypatch)
    with pytest.raises(RegrowError, match=f"(?s)a promise is broken.*({words}).*repeat it: the command that repeats it"):
        run_some(10)


def test_what_must_hold_at_the_end_names_the_command_that_repeats_it() -> None:
    with pytest.raises(RegrowError, match="repeat it: the command that repeats it"):
        run(replace(exchange(20, faults=Faults(worker_per_hour=20.0)), holds=Holds(goodput_min=0.999)))


def test_a_flipped_bit_is_named_and_the_run_goes_on_from_before_it() -> None:
    faults = Faults(artifact_per_hour=600.0, flipped=1.0)
    fleet = Fleet(replace(exchange(20, rounds=3, faults=faults), limits=Bounds(20.0)))

    def flips_for_a_while(world: Fleet) -> None:
        weather(world)
        world.later(200.0, lambda: setattr(world.attempts, "_flips", 0.0))

    tally = fleet.run(flips_for_a_while)
    assert tally.disputes
    assert digest_of(fleet) == run(exchange(20, rounds=3)).digest


# Beside others


def test_regrow_beside_others_as_the_lecture_has_it() -> None:
    rows = {row.system: row.goodput for row in compare([400], {"lecture": 1.2e-3})}
    assert rows[REGROW] > 0.98
    assert rows[REGROW] > rows["MPI + checkpoints"] > rows["Pregel"]


def test_what_is_simulated_follows_the_formula_of_tasks_without_barriers() -> None:
    """Goodput = 1 / (1 + commit / task + rate (task / 2 + detection + fetching)), whatever the number of workers."""
    given, rate = Assumptions(regrow_commit_seconds=3.0), 2.0
    expected = 1 / (1 + 3 / 60 + rate / 3600 * (60 / 2 + given.regrow_detect_seconds + given.fetch_seconds))
    assert simulated(200, rate, given) == pytest.approx(expected, abs=0.005)


def test_nothing_begins_on_a_machine_that_is_gone() -> None:
    scenario = exchange()
    fleet = Fleet(replace(scenario, costs=replace(scenario.costs, start_cpu_seconds=1.0)))
    machine = fleet.cluster.add()
    fleet.attempts.hold_up(machine)
    fleet.cluster.remove(machine)
    fleet.attempts.hold_up(machine)
    assert fleet.tally.spent_seconds == 1.0


def test_a_job_planned_with_one_worker_more_has_them_on_machines_as_full() -> None:
    costed = Costed.__new__(Costed)
    costed.rounds, costed.seconds, costed.workers, costed.restart_seconds, costed.start_cpu_seconds = 4, 8.0, 4, 0.03, 0.5
    roles = {"work": Role(32, reads={"work": -1})}
    scenarios = {workers: like(costed, roles, workers=workers, loss_per_hour=400.0, rounds=40) for workers in (8, 11, 12, 13)}
    assert [s.machines.places for s in scenarios.values()] == [8, 11, 12, 13]
    assert {s.machines.workers for s in scenarios.values()} == {4}
    assert run_scenario(scenarios[13], "").workers == 13
    fleet = Fleet(scenarios[13])
    assert fleet.run(weather).workers_lost
    *full, last = fleet.cluster.workers.values()
    assert max(map(len, full)) <= 4
    assert len(last) <= 1, "who is lost begins anew where it was, and the last machine has one place"
