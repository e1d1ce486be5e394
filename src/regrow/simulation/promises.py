"""What the coordinator has promised, held against a large world while it runs.

After every event, at a cost that does not grow with the world: an idle worker never waits while a task is ready. At every action (see
`fleet`): one commit for a task unless its artifact was lost, never two digests, nothing starts without its inputs, and none of them is
forgotten meanwhile. At every full scan: the ledger says of each artifact what the world says; tasks that run are run by somebody, those
that are ready are in the queue; whoever is idle is known to be; and what is remembered is bounded by workers and tasks.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING

import numpy as np

from regrow.coordinator.ledger import NAMES, PRESENT, READY, RUNNING
from regrow.coordinator.machine import Machine
from regrow.simulation.broken import Broken

if TYPE_CHECKING:
    from regrow.simulation.cluster import Cluster
    from regrow.simulation.holdings import Holdings

__all__ = ["bytes_of", "nobody_is_forgotten", "progress", "scan"]

_attempt, _task, _phase = attrgetter("attempt"), itemgetter(0), itemgetter(slice(2))
"""Of an attempt under way; of an attempt; of a task: at the pace of C, there are 10^5."""
MANY = 500
"""From so many on numpy counts quicker."""
IS_PRESENT = bytes(int(standing == PRESENT) for standing in range(256))


def progress(machine: Machine) -> None:
    """Whoever is idle would have been given what is ready. Raises Broken."""
    if machine.crew.idle and machine.queue.waiting and machine.memory.allowed is None and machine.disputes.open is None:
        raise Broken(f"{next(iter(machine.crew.idle))} is idle, and a task is ready")


def scan(machine: Machine, holdings: Holdings, unknown: bool) -> None:
    """Look at everything. `unknown`: artifacts were lost of which the coordinator has not heard. Raises Broken."""
    ledger = machine.ledger
    runs = machine.running.values()
    attempts = [run.attempt for run in runs if not run.checks] if machine.checks.wanted else map(_attempt, runs)
    running = Counter(map(_phase, map(_task, attempts)))
    for key, phase in ledger.phases.items():
        counts = _counts(phase.standing)
        if counts != phase.counts:
            raise Broken(f"{key} counts {phase.counts}, and has {counts}")
        if phase.counts[RUNNING] > running[key] and machine.disputes.open is None:  # a run that will fail gives nothing back
            raise Broken(f"{phase.counts[RUNNING]} tasks of {key} run, but {running[key]} attempts are under way")
        if phase.counts[READY] and key.round <= ledger.end and not machine.queue.waiting:
            raise Broken(f"{phase.counts[READY]} tasks of {key} are ready and nobody knows")
        shelf = holdings.shelves.get(key)
        known = phase.standing.translate(IS_PRESENT)
        if not unknown and shelf is not None and known != shelf.there:
            at = next(at for at in range(phase.size) if known[at] != shelf.there[at])
            raise Broken(f"{key}.{at} is {NAMES[phase.standing[at]]}, and the world has {'one' if shelf.there[at] else 'none'}")
        if phase.counts[RUNNING]:
            for read in machine.plan.inputs(key):
                if not unknown and not holdings.complete(read):
                    raise Broken(f"tasks of {key} run, and not all of {read} is there")


def nobody_is_forgotten(machine: Machine, cluster: Cluster, under: Mapping[str, object]) -> None:
    """Whoever is there and at nothing is known to be idle, unless there is notice. Raises Broken."""
    if len(cluster.home) == len(under):
        return
    forgotten = [
        worker for worker in cluster.home.keys() - under.keys() if worker not in machine.crew.idle and worker not in cluster.draining
    ]
    if forgotten:
        worker = min(forgotten)
        run = machine.crew.running.get(worker)
        known = "does not know it" if worker not in machine.workers else f"has it at {run.attempt}" if run else "does not count on it"
        raise Broken(f"{worker} is idle, and the coordinator {known}")


def _counts(standing: bytearray) -> list[int]:
    """How many tasks have each standing."""
    if len(standing) < MANY:
        return [standing.count(one) for one in range(len(NAMES))]
    return list(np.bincount(np.frombuffer(standing, np.uint8), minlength=len(NAMES)).tolist())


def bytes_of(machine: Machine) -> int:
    """About how much the coordinator remembers: what it keeps for workers, attempts, tasks and cuts."""
    each = 64 + 8  # a digest, and where it is
    phases = sum(each * phase.size + sys.getsizeof(phase.standing) + 16 * phase.size for phase in machine.ledger.phases.values())
    cuts = sum(64 * len(cut.tasks) for cut in machine.cuts.made) + (64 * len(machine.cuts.making.tasks) if machine.cuts.making else 0)
    crew = 400 * (len(machine.crew.workers) + len(machine.crew.running)) + 100 * len(machine.keeping.redone)
    return phases + cuts + crew
