"""What is held against the coordinator of a small world: when a task is started, a phase recorded, and at the end."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from regrow.coordinator.actions import Fail, Finish, Record, Start
from regrow.coordinator.events import Receipt
from regrow.coordinator.machine import Machine
from regrow.coordinator.plan import PhaseKey, Plan, Task
from regrow.simulation.broken import Broken
from regrow.simulation.disk import Disk
from regrow.simulation.meaning import Meaning

__all__ = ["check_end", "check_floor", "check_record", "missing_results"]


class World(Protocol):
    """What is looked at."""

    plan: Plan
    meaning: Meaning
    expected: dict[Task, Receipt]
    committed: Counter[Task]
    disk: Disk
    machine: Machine


def check_floor(world: World, start: Start) -> None:
    """A rebuild never goes below a whole cut (but for what is to be repeated, or attempted twice)."""
    cuts, run = world.machine.cuts, world.machine.running[start.worker]
    if not cuts.made or run.checks or world.machine.checks.kept:
        return
    newest = cuts.made[-1]
    if start.attempt.task.round <= newest.round and all(task in world.disk.artifacts for task in newest.tasks):
        raise Broken(f"{start.attempt} is run again, although the cut of round {newest.round} is whole")


def check_record(world: World, record: Record) -> None:
    """A phase is recorded once, and with what its tasks have put out."""
    if any(old.phase == record.phase for old in world.disk.records):
        raise Broken(f"{record.phase} is recorded twice")
    tasks = world.plan.tasks(record.phase)
    if record.phase.round <= world.meaning.end:
        total = sum(world.expected[task].metrics["sum"] for task in tasks)
        if record.metrics != {"tasks": len(tasks), "sum": total}:
            raise Broken(f"{record.phase} is recorded with {record.metrics}, not with {len(tasks)}, {total}")


def missing_results(world: World, round: int) -> list[Task]:
    """Results that an accident took away unseen, of a run that is said to be over."""
    keys = [PhaseKey(role, world.plan.newest(role, round)) for role in world.plan.roles if role in world.meaning.holds]
    missing = [task for key in keys for task in world.plan.tasks(key) if task not in world.disk.artifacts]
    unseen = [task for task in missing if task not in world.disk.damaged]
    if unseen:
        raise Broken(f"the run ends and its result {unseen[0]} is not there")
    return missing


def check_end(world: World, ending: Finish | Fail) -> None:
    """A run ends with the round that its program means, and with everything done; or with an error that is the program's."""
    hopeless = [task for task, times in world.meaning.raises.items() if times >= 2 and task.round <= world.meaning.end]
    if isinstance(ending, Fail):
        if ending.kind != "program" or not hopeless:
            raise Broken(f"the run fails: {ending.reason}")
        return
    if ending.round != world.meaning.end:
        raise Broken(f"the run ends with round {ending.round}, not {world.meaning.end}")
    never = [task for task in world.expected if not world.committed[task]]
    if never:
        raise Broken(f"{never[0]} was never done")
