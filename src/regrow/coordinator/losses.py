"""Lost artifacts: what must be run again to have them, or what reads them.

RULES OF THE FILE
  - A task that is wanted again becomes WAITING, and so does every forgotten task whose artifact it reads, back to artifacts that exist:
    those of a cut, or the fixed data under round 0.
  - After `want` nothing waits for a forgotten artifact. `retention` never forgets what a waiting task reads; together that is why a
    run cannot come to stand still.
  - Phases are walked once, never reader by reader: 10^4 tasks that read 10^4 others cost 10^4 steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from regrow.coordinator.ledger import FORGOTTEN, PRESENT, Ledger
from regrow.coordinator.plan import PhaseKey, Task

__all__ = ["want", "want_phase"]


def want(ledger: Ledger, tasks: Iterable[Task]) -> list[Task]:
    """Make these tasks, as far as they are forgotten or waiting, possible again; returns those that were FORGOTTEN and are WAITING now."""
    again: list[Task] = []
    walked: set[PhaseKey] = set()
    stack = []

    def ask(task: Task) -> None:
        if ledger.standing(task) == FORGOTTEN:
            ledger.move(task, "needed again")
            ledger.touch(PhaseKey(task.role, task.round))
            again.append(task)
            stack.append(task)

    for task in tasks:
        if ledger.standing(task) == FORGOTTEN:
            ask(task)
        elif ledger.standing(task) < PRESENT:
            stack.append(task)
    while stack:
        task = stack.pop()
        for read in _reads(ledger, task, walked):
            ask(read)
    return again


def want_phase(ledger: Ledger, key: PhaseKey) -> list[Task]:
    """`want` all tasks of a phase. Where nothing that they read is forgotten, which is seen by looking at phases, nothing is done."""
    reads, plan = ledger.plan.inputs(key), ledger.plan
    if ledger.phases[key].done:
        return []
    if plan.states[key.role] or ledger.phases[key].counts[FORGOTTEN]:
        return want(ledger, plan.tasks(key))
    before = plan.previous(key)
    rounds: set[int] = set()
    if before is not None:
        kept = ledger.phases.get(before)
        rounds = {before.round} if kept is None else {before.round, *(round for chain in kept.chains.kinds for round in chain)}
    held = [(key.role, round) for round in rounds]
    if any((phase := ledger.find(read)) is None or phase.counts[FORGOTTEN] for read in (*reads, *held)):
        return want(ledger, plan.tasks(key))
    for read in reads if before is None else (*reads, before):
        ledger.touch(read)
    return []


def _reads(ledger: Ledger, task: Task, walked: set[PhaseKey]) -> Iterator[Task]:
    """The tasks whose artifacts a task reads; what all tasks of its phase read is named only once."""
    key, plan = PhaseKey(task.role, task.round), ledger.plan
    if key not in walked:
        walked.add(key)
        for read in plan.inputs(key):
            ledger.touch(read)
            yield from plan.tasks(read)
        for role in plan.roles[key.role].states:
            owners = PhaseKey(role, plan.newest(role, key.round))
            ledger.touch(owners)
            for owner in plan.tasks(owners):
                yield owner
                yield from _state(ledger, owner)
    before = plan.previous(key)
    if before is not None:
        ledger.touch(before)
        yield from _state(ledger, Task(before.role, before.round, task.partition))


def _state(ledger: Ledger, owner: Task) -> Iterator[Task]:
    """The tasks whose artifacts hold the state after a task; the task itself if that is unknown."""
    chain = ledger.chain_after(owner)
    for round in (owner.round,) if chain is None else chain:
        yield Task(owner.role, round, owner.partition)
