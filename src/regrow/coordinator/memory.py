"""Workers that were killed for memory: fewer attempts at a time, and in the end a pause with the figures.

RULES OF THE FILE
  - A loss for memory is no loss like others: the same attempts at the same time would be killed again. Half as many run then, down to one.
  - A task that is killed for memory while it runs alone is given up after the second time: more memory is for somebody else to give.
  - A task that is killed by nobody knows whom, three times in a row while its neighbours live, is suspected to be killed for memory, unless
    it is known to take little: it runs alone. Any other loss, and any commit of the task, ends the suspicion: then somebody takes workers
    away, and that is no fault.
  - After a while without such a loss one more may run.
"""

from __future__ import annotations

from collections.abc import Iterator

from regrow.coordinator.actions import Action, Pause, Tell
from regrow.coordinator.events import WorkerLost
from regrow.coordinator.plan import Task
from regrow.coordinator.policy import Limits

__all__ = ["Memory"]


class Memory:
    """How many attempts may be under way at a time; None: as many as there are workers."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.allowed: int | None = None
        self._since = 0.0
        self._alone: dict[Task, int] = {}
        self._streak: tuple[Task | None, int] = (None, 0)

    def killed(self, task: Task, others: int, now: float, figures: str) -> Iterator[Action]:
        """A worker was killed for memory while it was at a task and so many others were at theirs."""
        if others:
            yield from self._narrow(max(1, (others + 1) // 2), now, f"{task} was killed for memory ({figures})")
            return
        self._alone[task] = self._alone.get(task, 0) + 1
        yield from self._narrow(1, now, f"{task} was killed for memory while it ran alone ({figures})")
        if self._alone[task] >= self.limits.memory_losses_alone_max:
            yield Pause(
                f'role "{task.role}", partition {task.partition}, round {task.round} was killed for memory {self._alone[task]} times '
                f"while it ran alone: {figures}"
            )

    def suspect(self, task: Task, others: int, neighbours: int, now: float, lost: WorkerLost) -> Iterator[Action]:
        """A worker was killed by nobody knows whom while it was at a task, with so many others at theirs, and so many living."""
        if lost.held_bytes is not None and lost.held_bytes < self.limits.suspicious_bytes:
            self.other_loss()
            return
        last, times = self._streak
        times = times + 1 if last == task and neighbours else 1
        self._streak = (task, times if neighbours else 0)
        if times >= self.limits.suspicious_losses and neighbours:
            self._streak = (task, 0)
            figures = f"suspected: {times} times in a row {lost.cause}, the only one of {neighbours + 1} workers"
            yield from self.killed(task, others if self.allowed != 1 else 0, now, figures)

    def other_loss(self) -> None:
        """Somebody takes workers away: no task is suspected."""
        self._streak = (None, 0)

    def committed(self, task: Task) -> None:
        """A task is done."""
        if self._alone:
            self._alone.pop(task, None)
        if self._streak[0] == task:
            self._streak = (None, 0)

    def _narrow(self, allowed: int, now: float, why: str) -> Iterator[Action]:
        self._since = now
        self.allowed = allowed if self.allowed is None else min(self.allowed, allowed)
        yield Tell("fewer at a time", {"attempts": self.allowed, "why": why})

    def widen(self, now: float, slots: int) -> Iterator[Action]:
        """Let one more run if it has been calm for a while."""
        if self.allowed is None or now - self._since < self.limits.memory_calm_seconds:
            return
        self._since = now
        self.allowed += 1
        if self.allowed >= slots:
            self.allowed = None
        yield Tell("more at a time", {"attempts": self.allowed or slots})

    def room(self, running: int) -> bool:
        """Whether one more attempt may begin."""
        return self.allowed is None or running < self.allowed
