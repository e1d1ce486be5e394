"""Who does what next: idle workers get the oldest work, those that check repeat tasks, and slow tasks get a second attempt.

RULES OF THE FILE
  - A task is started only when everything that it reads is there (`queue` and `checks` see to it).
  - A second attempt is given only when nothing else is to be done: it takes no worker from anybody.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from itertools import takewhile

from regrow.coordinator.actions import Action, Start, Tell
from regrow.coordinator.budgets import Budgets
from regrow.coordinator.checks import Checks
from regrow.coordinator.crew import Crew, Running
from regrow.coordinator.ledger import RUNNING, Ledger
from regrow.coordinator.memory import Memory
from regrow.coordinator.plan import Attempt, Task
from regrow.coordinator.policy import (
    Limits,
    Pace,
    backup_due,
    backups_allowed,
    finish_or_hand_back,
    more_partitions,
    pick_worker,
    usual_seconds,
)
from regrow.coordinator.queue import Queue

__all__ = ["Assigning"]


class Assigning:
    """Gives work to workers."""

    def __init__(self, ledger: Ledger, crew: Crew, queue: Queue, checks: Checks, budgets: Budgets, memory: Memory, limits: Limits) -> None:
        self.ledger, self.crew, self.queue, self.checks, self.budgets, self.limits = ledger, crew, queue, checks, budgets, limits
        self.memory = memory
        self._lives: deque[float] = deque(maxlen=20)
        """How long the workers lived that were taken away last."""
        self._advised: set[str] = set()
        self._paces: dict[str, Pace] = {name: Pace() for name in ledger.plan.roles}

    def ended(self, run: Running, now: float) -> None:
        """An attempt has come to its end: so long does a task of this role take."""
        if not run.checks:
            self._paces[run.attempt.task.role].add(now - run.began)

    def advise(self, run: Running, lived: float, now: float) -> Iterator[Action]:
        """A worker that lived so long was taken away from an attempt: say so, once for each role, if its tasks are too long for that."""
        self._lives.append(lived)
        role = run.attempt.task.role
        if role not in self._advised:
            due, why = more_partitions(self._paces[role].quantile(0.5) or now - run.began, self._lives, self.limits)
            if due:
                self._advised.add(role)
                yield Tell("advice", {"role": role, "why": why})

    def finishes(self, run: Running, now: float, notice_seconds: float | None) -> tuple[bool, str]:
        """Whether a worker that will be taken away finishes what it does."""
        notice = self.limits.notice_seconds if notice_seconds is None else notice_seconds
        return finish_or_hand_back(now - run.began, self._paces[run.attempt.task.role], notice)

    def assign(self, now: float) -> Iterator[Action]:
        """Give work to those who are idle."""
        if self.memory.allowed is not None:
            yield from self.memory.widen(now, self.crew.slots)
        if self.checks.queue:
            yield from self._assign_checks(now)
        self.queue.take_aside()
        idle, running, ledger, budgets = self.crew.idle, self.crew.running, self.ledger, self.budgets
        held: list[Task] = []
        while idle and self.memory.room(len(running)) and (found := self.queue.pop(next(iter(idle)))) is not None:
            phase, task, chain = found
            before = None if phase.before is None else ledger.phases.get(phase.before)
            last = None if before is None else before.makers[task.partition]
            cause = budgets.trouble(task)
            worker, why = pick_worker(idle, budgets.avoid(task), budgets.losses(task), last) if cause else pick_worker(idle, (), 0, last)
            if worker is None:
                held.append(task)
                continue
            if cause:
                yield Tell("task redone", {"task": str(task), "worker": worker, "cause": cause, "why": why})
            ledger.move_in(phase, task.partition, "started")
            attempt = Attempt(task, ledger.next_number_in(phase, task.partition))
            self.crew.start(worker, Running(attempt, now))
            yield Start(worker, attempt, chain)
        for task in held:
            self.queue.push(task)

    def _assign_checks(self, now: float) -> Iterator[Action]:
        free = [worker for worker, idle in self.checks.workers.items() if idle]
        alone = self.checks.alone_since
        if not self.checks.workers and alone is not None and now - alone >= self.limits.checker_wait_seconds:
            free = list(self.crew.idle)[: len(self.checks.queue)]
        for worker in free:
            if not self.memory.room(len(self.crew.running)):
                return
            task = self.checks.next()
            if task is not None:
                yield self._start(worker, task, now, checks=True)

    def back_up(self, now: float) -> Iterator[Action]:
        """Give a slow task to an idle worker as well: the first that commits wins, and both would write the same."""
        allowed = backups_allowed(self.crew.slots, self.limits)
        if not self.crew.idle or len(self.crew.backups) >= allowed or self.queue.waiting or not self.memory.room(len(self.crew.running)):
            return
        for run in self._slow(now):
            if not self.crew.idle or len(self.crew.backups) >= allowed:
                return
            task = run.attempt.task
            if run.checks or task in self.crew.backups or self.ledger.standing(task) != RUNNING or task.round > self.ledger.end:
                continue
            due, why = backup_due(now - run.began, self._paces[task.role], len(self.crew.backups), self.crew.slots, self.limits)
            if due and self.ledger.startable(task):
                worker = next(reversed(self.crew.idle))
                yield Tell("backup attempt", {"task": str(task), "worker": worker, "why": why})
                self.checks.hold(task)
                yield self._start(worker, task, now, backup=True)

    def _slow(self, now: float) -> list[Running]:
        """The attempts that take longer than is usual for their role, oldest first; what began too late for that is not looked at."""
        at_work = {phase.key.role for phase in self.ledger.phases.values() if phase.counts[RUNNING]}
        usual = {role: seconds for role in at_work if (seconds := usual_seconds(self._paces[role], self.limits)) is not None}
        shortest = min(usual.values(), default=math.inf)
        long_ago = takewhile(lambda run: now - run.began > shortest, self.crew.running.values())  # those that follow began later
        return [run for run in long_ago if now - run.began > usual.get(run.attempt.task.role, math.inf)]

    def third_attempt(self, worker: str, task: Task, now: float) -> Iterator[Action]:
        """Let a worker decide whom to blame for attempts that differ."""
        yield Tell("third attempt", {"task": str(task), "worker": worker})
        yield self._start(worker, task, now, checks=True)

    def _start(self, worker: str, task: Task, now: float, *, checks: bool = False, backup: bool = False) -> Start:
        attempt = Attempt(task, self.ledger.next_number(task))
        self.crew.start(worker, Running(attempt, now, checks, backup))
        return Start(worker, attempt, self.ledger.chain_before(task) or ())
