"""What a world that stands still waits for: said in the message of a promise that is broken."""

from __future__ import annotations

from collections.abc import Collection

from regrow.coordinator.ledger import NAMES, PRESENT, READY, RUNNING, WAITING, Ledger, Phase
from regrow.coordinator.machine import Machine
from regrow.coordinator.plan import PhaseKey, Task

__all__ = ["some", "what_waits"]

NAMED = 3
"""So many of a kind are named, and the others counted."""


def what_waits(machine: Machine) -> str:
    """The phases that are open and not done, oldest first, what each waits for, and whom the coordinator knows."""
    ledger, crew = machine.ledger, machine.crew
    undone = sorted((phase for key, phase in ledger.phases.items() if key.round <= ledger.end and not phase.done), key=_place)
    told = [_phase(ledger, phase) for phase in undone[:NAMED]] or ["every open task is done"]
    more = [f"and {len(undone) - NAMED:,} phases more"] if len(undone) > NAMED else []
    known = f"the coordinator knows {len(crew.workers):,} workers: idle {some(crew.idle)}; at work {some(crew.running)}"
    return "".join(f"\n        {line}" for line in (*told, *more, known))


def some(names: Collection[str]) -> str:
    """How many there are, and the first of them."""
    first = ", ".join(name for name, _ in zip(names, range(NAMED), strict=False))
    return f"{len(names):,}" + (f" ({first}{', ...' if len(names) > NAMED else ''})" if names else "")


def _place(phase: Phase) -> tuple[int, str]:
    return phase.key.round, phase.key.role


def _phase(ledger: Ledger, phase: Phase) -> str:
    counts = ", ".join(f"{phase.counts[one]:,} {NAMES[one]}" for one in (WAITING, READY, RUNNING) if phase.counts[one])
    waiting = phase.standing.find(WAITING)
    why = _why(ledger, Task(*phase.key, waiting)) if waiting >= 0 else ""
    return f"{phase.key.role} of round {phase.key.round}: {counts}{why}"


def _why(ledger: Ledger, task: Task) -> str:
    """What a waiting task waits for."""
    for read in ledger.plan.inputs(PhaseKey(task.role, task.round)):
        phase = ledger.find(read)
        if phase is None:
            return f"; {task} reads {read.role} of round {read.round}, which is not open"
        if not phase.present:
            at = next(at for at, standing in enumerate(phase.standing) if standing != PRESENT)
            return f"; {task} reads {Task(*read, at)}, which is {NAMES[phase.standing[at]]}"
    chain = ledger.chain_before(task)
    if chain is None:
        return f"; {task} goes on from a state that nobody has put out yet"
    for held in (Task(task.role, round, task.partition) for round in chain):
        if ledger.standing(held) != PRESENT:
            return f"; {task} goes on from the state in {held}, which is {NAMES[ledger.standing(held)]}"
    return f"; all that {task} reads is there"
