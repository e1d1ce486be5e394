"""A scenario, run: what came of it, whether what must hold did, and how to repeat it."""

from __future__ import annotations

import dataclasses
import resource
import time
from hashlib import blake2b
from pathlib import Path

from regrow.collector import calm
from regrow.coordinator.plan import PhaseKey
from regrow.errors import RegrowError
from regrow.simulation.broken import Broken
from regrow.simulation.fleet import Fleet
from regrow.simulation.scenario import Scenario
from regrow.simulation.traces import read_trace
from regrow.simulation.weather import first_machines, weather

__all__ = ["Outcome", "run_scenario", "settled"]


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a history. Everything up to `digest` follows from scenario and seed; the rest was measured.

    goodput     useful worker-seconds (computing of attempts that were committed) / paid worker-seconds
    redone      worker-seconds of attempts that came to nothing / worker-seconds of attempts
    digest      of what the last round has put out: the same for every seed, and without any loss
    """

    seed: int
    rounds: int
    workers: int
    tasks: int
    hours: float
    goodput: float
    redone: float
    events: int
    attempts: int
    workers_lost: int
    machines_lost: int
    zones_lost: int
    frozen: int
    notices: int
    late_answers: int
    artifacts_lost: int
    copies_again: int
    coordinators_lost: int
    powers_lost: int
    disputes: int
    cuts: int
    peak_artifacts: int
    task_bytes_max: float
    scans: int
    digest: str
    cpu_seconds: float
    events_per_second: float
    peak_memory_bytes: int


def settled(scenario: Scenario, *, seed: int | None = None, rounds: int | None = None) -> Scenario:
    """A scenario with another seed or other rounds; with a trace, it begins with as many machines as the trace does."""
    machines = scenario.machines
    if scenario.faults.trace:
        count = first_machines(read_trace(Path(scenario.faults.trace))) * scenario.faults.trace_scale
        machines = dataclasses.replace(machines, count=count)
    return dataclasses.replace(
        scenario, machines=machines, seed=scenario.seed if seed is None else seed, rounds=scenario.rounds if rounds is None else rounds
    )


def run_scenario(scenario: Scenario, repeat: str) -> Outcome:
    """Run a scenario to its end. Raises RegrowError with the command that repeats it, if anything does not hold."""
    began = time.process_time()
    fleet = Fleet(scenario)
    try:
        with calm():
            fleet.run(weather)
    except Broken as broken:
        raise RegrowError(f"a promise is broken after {fleet.now:,.1f} s: {broken}", f"repeat it: {repeat}") from broken
    except (ArithmeticError, ValueError, LookupError, AssertionError) as error:
        why = f"the coordinator fails after {fleet.now:,.1f} s: {type(error).__name__}: {error}"
        raise RegrowError(why, f"repeat it: {repeat}") from error
    outcome = _outcome(fleet, time.process_time() - began)
    _hold(scenario, outcome, repeat)
    return outcome


def _outcome(fleet: Fleet, cpu_seconds: float) -> Outcome:
    tally, scenario = fleet.tally, fleet.scenario
    return Outcome(
        seed=scenario.seed,
        rounds=scenario.rounds,
        workers=scenario.machines.places,
        tasks=sum(len(range(0, scenario.rounds, work.every)) * work.partitions for work in scenario.roles.values()),
        hours=fleet.now / 3600,
        goodput=tally.useful_seconds / max(1e-9, tally.paid_seconds),
        redone=1 - _committed_share(fleet),
        events=tally.events,
        attempts=tally.attempts,
        workers_lost=tally.workers_lost,
        machines_lost=tally.machines_lost,
        zones_lost=tally.zones_lost,
        frozen=tally.frozen,
        notices=tally.notices,
        late_answers=tally.late_answers,
        artifacts_lost=tally.artifacts_lost,
        copies_again=tally.copies_again,
        coordinators_lost=tally.coordinators_lost,
        powers_lost=tally.powers_lost,
        disputes=tally.disputes,
        cuts=tally.cuts,
        peak_artifacts=fleet.holdings.peak,
        task_bytes_max=tally.task_bytes_max,
        scans=tally.scans,
        digest=digest_of(fleet),
        cpu_seconds=cpu_seconds,
        events_per_second=tally.events / max(1e-9, cpu_seconds),
        peak_memory_bytes=1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    )


def _committed_share(fleet: Fleet) -> float:
    return min(1.0, fleet.tally.committed_seconds / max(1e-9, fleet.tally.spent_seconds))


def digest_of(fleet: Fleet) -> str:
    """A hash over what every role put out last."""
    last = fleet.scenario.rounds - 1
    sums = [sum(fleet.holdings.shelf(PhaseKey(role, fleet.plan.newest(role, last))).digests) for role in fleet.plan.roles]
    return blake2b(repr(sums).encode(), digest_size=16).hexdigest()


def _hold(scenario: Scenario, outcome: Outcome, repeat: str) -> None:
    holds = scenario.holds
    for good, what in (
        (outcome.goodput >= holds.goodput_min, f"goodput {outcome.goodput:.4f}, must be at least {holds.goodput_min}"),
        (outcome.hours <= holds.hours_max, f"{outcome.hours:.2f} hours, must be at most {holds.hours_max}"),
        (outcome.redone <= holds.redone_share_max, f"{outcome.redone:.4f} of the work redone, must be at most {holds.redone_share_max}"),
        (
            outcome.task_bytes_max <= holds.task_bytes_max,
            f"{outcome.task_bytes_max:.0f} bytes for each worker and task, must be at most {holds.task_bytes_max:.0f}",
        ),
    ):
        if not good:
            raise RegrowError(f"seed {scenario.seed}: {what}", f"repeat it: {repeat}")
