"""Losses in a large world: workers, machines with what lies on them, artifacts; and when the coordinator hears of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from regrow.coordinator.events import ArtifactsLost, WorkerLost
from regrow.coordinator.plan import Task
from regrow.simulation.attempts import Under

if TYPE_CHECKING:
    from regrow.simulation.fleet import Fleet

__all__ = ["lose_artifacts", "lose_copies", "lose_machine", "lose_worker"]


def lose_worker(fleet: Fleet, worker: str, seconds: float, *, wakes: float | None = None) -> None:
    """A worker is gone, and the coordinator hears of it so much later; wakes: it answers after so long all the same."""
    fleet.tally.workers_lost += 1
    fleet.pay()
    machine = fleet.cluster.leave(worker)
    _lose(fleet, worker, seconds, wakes)
    fleet.begin(machine, seconds + fleet.scenario.machines.restart_seconds)
    if fleet.costs.start_cpu_seconds:
        fleet.later(seconds + fleet.scenario.machines.restart_seconds, fleet.attempts.hold_up, machine)


def lose_machine(fleet: Fleet, machine: int) -> None:
    """A machine is gone, with its workers and its copies; another comes, or not."""
    fleet.tally.machines_lost += 1
    fleet.pay()
    for worker in fleet.cluster.remove(machine):
        fleet.tally.workers_lost += 1
        _lose(fleet, worker, fleet.faults.detect_seconds, None)
    machines = fleet.scenario.machines
    if not fleet.faults.trace and fleet.rng.random() < machines.replaced:
        fleet.later(fleet.rng.expovariate(1 / max(1e-9, machines.replace_seconds)), _replace, fleet)


def _replace(fleet: Fleet) -> None:
    fleet.come(fleet.cluster.add())


def _lose(fleet: Fleet, worker: str, seconds: float, wakes: float | None) -> None:
    under = fleet.attempts.under.pop(worker, None)
    fleet.later(seconds, _hear_lost, fleet, fleet.epoch, worker, under)
    if under is not None and wakes is not None:
        fleet.later(wakes, fleet.attempts.answer_late, fleet.epoch, under)


def _hear_lost(fleet: Fleet, epoch: int, worker: str, under: Under | None) -> None:
    if epoch != fleet.epoch:
        return
    run = fleet.machine.running.get(worker)
    if under is not None:
        fleet.attempts.account(under)
    elif run is not None:
        fleet.attempts.never_began(run.attempt.task)
    fleet.deliver(WorkerLost(worker, "taken away"))


def lose_copies(fleet: Fleet, machines: list[int]) -> None:
    """What was on these machines alone is lost; what somebody else has is copied again."""
    lose_artifacts(fleet, fleet.holdings.lose_machines(machines), fleet.faults.detect_seconds)
    size, costs = 4 * max(fleet.attempts.sizes.values()), fleet.costs
    seconds = size / costs.network_bandwidth
    if fleet.holdings.far:
        seconds = max(seconds, costs.storage_delay_seconds + size / costs.storage_bandwidth)
    fleet.later(fleet.faults.detect_seconds + seconds, _copy_again, fleet)


def _copy_again(fleet: Fleet) -> None:
    if fleet.cluster.count:
        fleet.tally.copies_again += fleet.holdings.copy_again(np.asarray(fleet.cluster.live(), dtype=np.int32), fleet.numbers)


def lose_artifacts(fleet: Fleet, tasks: list[Task], seconds: float) -> None:
    """These artifacts are lost, and the coordinator hears of it so much later."""
    lost = [task for task in tasks if fleet.holdings.remove(task)]
    if lost:
        fleet.tally.artifacts_lost += len(lost)
        fleet.holdings.damaged.update(lost)
        fleet.unheard += 1
        fleet.later(seconds, _hear_of_artifacts, fleet, fleet.epoch, lost)


def _hear_of_artifacts(fleet: Fleet, epoch: int, lost: list[Task]) -> None:
    if epoch == fleet.epoch:
        fleet.unheard -= 1
        still = tuple(task for task in lost if task in fleet.holdings.damaged)  # others were missed, and made again, meanwhile
        if still:
            fleet.deliver(ArtifactsLost(still, "with the machines that held them"))
