"""Who is there, and who is at what.

RULES OF THE FILE
  - A worker and an attempt are identities that are used once: an answer from an attempt that is not under way is already decided.
  - A worker runs one attempt at a time. One that drains, or that is being replaced, finishes it and gets nothing more.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from regrow.coordinator.checks import Checks
from regrow.coordinator.plan import Attempt, Task

__all__ = ["Crew", "Running"]


@dataclass(slots=True)
class Running:
    """An attempt under way."""

    attempt: Attempt
    began: float
    checks: bool = False
    backup: bool = False


class Crew:
    """The workers and their attempts. Workers that only check are in `checks` as well."""

    def __init__(self, checks: Checks) -> None:
        self.workers: dict[str, float] = {}
        """Worker -> when it joined."""
        self.running: dict[str, Running] = {}
        """Worker -> its attempt, oldest attempt first."""
        self.idle: OrderedDict[str, float] = OrderedDict()
        """Those who can take a task, longest wait first -> when they joined. (The first of a plain dict is found by walking over all
        that were taken out before it.)"""
        self.machines: dict[str, str] = {}
        """Worker -> the machine on which it is or was, where there are several: what it made lies there even when it is gone."""
        self._machines_max = 0
        """With more than these, it is time to see which of them matter (`tidy`)."""
        self.leaving: set[str] = set()
        self.backups: set[Task] = set()
        self._checks = checks
        self._attempts: dict[Task, int] = {}
        """Tasks that were given to a second worker while one was at them -> how many are. Of the others, which are all but a few,
        nothing is kept: one worker is at each."""

    @property
    def slots(self) -> int:
        """The number of workers that run tasks for the first time."""
        return len(self.workers) - len(self._checks.workers)

    def idle_of_all(self) -> list[str]:
        """Everybody who is idle, those who only check at the end."""
        return [*self.idle, *(worker for worker, idle in self._checks.workers.items() if idle)]

    def others_at_work(self, worker: str) -> int:
        """How many others are at an attempt."""
        return len(self.running) - (worker in self.running)

    def join(self, worker: str, now: float, *, checks: bool, machine: str = "") -> None:
        """A worker is ready."""
        if worker in self.workers:
            raise ValueError(f"worker {worker} joined twice")
        self.workers[worker] = now
        if machine:
            self.machines[worker] = machine
        if checks:
            self._checks.workers[worker] = True
        else:
            self.idle[worker] = now

    def tidy(self, phases: Iterable[Sequence[str | None]]) -> None:
        """Forget the machines of those who are gone, once nothing is remembered that they made.

        phases: who made what, of each phase that is remembered. All of it is looked through, but only after as many have joined.
        """
        if len(self.machines) <= self._machines_max:
            return
        matter: set[str | None] = set(self.workers)
        looked_through = 0
        for makers in phases:
            matter.update(makers)
            looked_through += len(makers)
        for worker in self.machines.keys() - matter:
            del self.machines[worker]
        self._machines_max = 2 * len(self.machines) + looked_through

    def start(self, worker: str, run: Running) -> None:
        """A worker begins an attempt."""
        self.running[worker] = run
        self.idle.pop(worker, None)
        if worker in self._checks.workers:
            self._checks.workers[worker] = False
        if run.backup:
            self.backups.add(run.attempt.task)
            self._attempts[run.attempt.task] = self._attempts.get(run.attempt.task, 1) + 1
        elif self._attempts and not run.checks and run.attempt.task in self._attempts:
            self._attempts[run.attempt.task] += 1  # what the first of two has made was lost before the second was done

    def ended(self, worker: str) -> Running | None:
        """A worker is no longer at its attempt, which is returned."""
        run = self.running.pop(worker, None)
        if run is not None and self._attempts and not run.checks and run.attempt.task in self._attempts:
            task = run.attempt.task
            self._attempts[task] -= 1
            if not self._attempts[task]:
                del self._attempts[task]
            if run.backup:
                self.backups.discard(task)
        return run

    def others_at(self, task: Task) -> bool:
        """Whether anybody else is at a task, repeating it left out, now that one attempt of it has ended."""
        return task in self._attempts

    def rest(self, worker: str) -> None:
        """A worker has nothing to do."""
        if worker in self.leaving or worker not in self.workers:
            return
        if worker in self._checks.workers:
            self._checks.workers[worker] = True
        else:
            self.idle[worker] = self.workers[worker]

    def retire(self, worker: str) -> None:
        """A worker gets nothing more."""
        self.leaving.add(worker)
        self.idle.pop(worker, None)
        if worker in self._checks.workers:
            self._checks.workers[worker] = False

    def leave(self, worker: str) -> None:
        """A worker is gone."""
        self.workers.pop(worker, None)
        self.idle.pop(worker, None)
        self.leaving.discard(worker)
        self._checks.workers.pop(worker, None)
