"""What goes wrong in a large world, and when: losses at rates that a scenario states, or as a trace tells them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from regrow.simulation.losing import lose_artifacts, lose_copies, lose_machine, lose_worker
from regrow.simulation.traces import Step, read_trace

if TYPE_CHECKING:
    from regrow.simulation.fleet import Fleet

__all__ = ["weather"]

HOUR = 3600.0
TOGETHER_SECONDS = 0.5
"""Machines of a zone go within this time."""


def weather(fleet: Fleet) -> None:
    """Let everything happen to this world that its scenario states."""
    faults, machines = fleet.faults, fleet.scenario.machines
    each: list[tuple[float, Callable[[Fleet], None]]] = [
        (faults.worker_per_hour * machines.count * machines.workers, _worker),
        (faults.machine_per_hour * machines.count if not faults.trace else 0.0, _machine),
        (faults.zone_per_hour * machines.zones, _zone),
        (faults.slow_per_hour * machines.count, _slow),
        (faults.artifact_per_hour, _artifact),
        (faults.coordinator_per_hour, _coordinator),
        (faults.power_per_hour, _power),
    ]
    for per_hour, what in each:
        if per_hour > 0:
            _again(fleet, HOUR / per_hour, what)
    if faults.trace:
        steps = read_trace(Path(faults.trace))
        for seconds, change in steps:
            if seconds > 0:
                fleet.later(seconds, functools.partial(_step, fleet, change * faults.trace_scale))


def _again(fleet: Fleet, mean_seconds: float, what: Callable[[Fleet], None]) -> None:
    def happens() -> None:
        _again(fleet, mean_seconds, what)
        if not fleet.machine.ended:
            what(fleet)

    fleet.later(fleet.rng.expovariate(1 / mean_seconds), happens)


def _worker(fleet: Fleet) -> None:
    """One process is lost: killed, or frozen."""
    if not fleet.cluster.count:
        return
    workers = fleet.cluster.workers[fleet.cluster.any(fleet.rng.random())]
    machines = fleet.scenario.machines
    if not workers or (machines.vacant and fleet.rng.random() * machines.workers >= len(workers)):
        return  # of a machine that is not full fewer are lost, each as often as another
    worker = fleet.rng.choice(workers)
    faults = fleet.faults
    if fleet.rng.random() < faults.frozen:
        fleet.tally.frozen += 1
        lose_worker(fleet, worker, faults.frozen_detect_seconds, wakes=faults.frozen_detect_seconds + faults.frozen_seconds)
    else:
        lose_worker(fleet, worker, faults.detect_seconds)


def _machine(fleet: Fleet) -> None:
    """A machine goes, with or without notice."""
    if fleet.cluster.count:
        _take(fleet, fleet.cluster.any(fleet.rng.random()))


def _take(fleet: Fleet, machine: int) -> None:
    if fleet.rng.random() >= fleet.faults.notice:
        _gone(fleet, [machine])
        return
    fleet.tally.notices += 1
    fleet.drain(machine)
    fleet.later(fleet.faults.notice_seconds, _gone, fleet, [machine])


def _gone(fleet: Fleet, machines: list[int]) -> None:
    here = [machine for machine in machines if fleet.cluster.here(machine)]
    if here:
        for machine in here:
            lose_machine(fleet, machine)
        lose_copies(fleet, here)


def _zone(fleet: Fleet) -> None:
    """All machines of a zone go at once."""
    zone = fleet.rng.randrange(fleet.scenario.machines.zones)
    fleet.tally.zones_lost += 1
    _gone(fleet, [machine for machine in sorted(fleet.cluster.live()) if fleet.cluster.zone[machine] == zone])


def _slow(fleet: Fleet) -> None:
    """A machine becomes slow for a while."""
    if not fleet.cluster.count:
        return
    machine, cluster = fleet.cluster.any(fleet.rng.random()), fleet.cluster
    if machine in cluster.slow:
        return

    def recovers() -> None:
        cluster.slow.discard(machine)
        cluster.speed[machine] *= fleet.faults.slow_factor

    cluster.slow.add(machine)
    cluster.speed[machine] /= fleet.faults.slow_factor
    fleet.later(fleet.faults.slow_seconds, recovers)


def _artifact(fleet: Fleet) -> None:
    """An artifact is deleted or damaged, both copies; half of the time nobody notices before it is read."""
    shelves = [(key, shelf) for key, shelf in fleet.holdings.shelves.items() if shelf.count]
    if shelves:
        key, shelf = fleet.rng.choice(shelves)
        partition = fleet.rng.randrange(len(shelf.there))
        task = next(iter(fleet.plan.each_task(key)))._replace(partition=partition)
        if shelf.there[partition]:
            lose_artifacts(fleet, [task], fleet.rng.choice([fleet.faults.detect_seconds, 60.0]))


def _coordinator(fleet: Fleet) -> None:
    fleet.lose_coordinator()


def _power(fleet: Fleet) -> None:
    """All machines go at once, and the coordinator: what is in cuts is left."""
    fleet.tally.powers_lost += 1
    fleet.lose_coordinator()
    _gone(fleet, sorted(fleet.cluster.live()))


def _step(fleet: Fleet, change: int) -> None:
    """A step of a trace: so many machines come or go."""
    if change > 0:
        for _ in range(change):
            fleet.come(fleet.cluster.add())
        return
    live = sorted(fleet.cluster.live())
    for machine in fleet.rng.sample(live, k=min(len(live), -change)):
        _take(fleet, machine)


def first_machines(steps: list[Step]) -> int:
    """How many machines a trace begins with."""
    return sum(change for seconds, change in steps if seconds == 0)
