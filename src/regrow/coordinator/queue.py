"""What can be started, oldest round first: the oldest round is what the others wait for."""

from __future__ import annotations

import heapq

from regrow.coordinator.ledger import READY, Ledger, Phase
from regrow.coordinator.plan import PhaseKey, Task

__all__ = ["Queue"]

Place = tuple[int, int]
"""A round, and the place of a role among the roles."""


class Ready:
    """Partitions of a phase, of which the smallest is taken first. Most come all at once: `fresh`, descending; others are a heap."""

    __slots__ = ("again", "fresh", "key")

    def __init__(self, key: PhaseKey) -> None:
        self.key = key
        self.fresh: list[int] = []
        self.again: list[int] = []

    def pop(self) -> int:
        """Take the smallest."""
        if not self.again or (self.fresh and self.fresh[-1] <= self.again[0]):
            return self.fresh.pop()
        return heapq.heappop(self.again)


class Queue:
    """Tasks that are READY, by phase. An entry may be out of date: that is asked when it is taken."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._places: list[Place] = []
        """A heap of the phases that have entries."""
        self._ready: dict[Place, Ready] = {}
        self._aside: list[Task] = []
        """Tasks that failed for good in a round that may never have happened."""

    @property
    def waiting(self) -> bool:
        """Whether anything is in the queue."""
        return bool(self._places)

    def push(self, task: Task, *, parked: bool = False) -> None:
        """A task is READY; parked: but is not to be run before it is known that its round happens."""
        if parked:
            self._aside.append(task)
        else:
            heapq.heappush(self._of(PhaseKey(task.role, task.round)).again, task.partition)

    def push_all(self, key: PhaseKey) -> None:
        """All partitions of a phase are READY."""
        self._of(key).fresh = list(range(self.ledger.plan.sizes[key.role] - 1, -1, -1))

    def _of(self, key: PhaseKey) -> Ready:
        place = (key.round, self.ledger.plan.order[key.role])
        if place not in self._ready:
            heapq.heappush(self._places, place)
            self._ready[place] = Ready(key)
        return self._ready[place]

    def take_aside(self) -> None:
        """Queue the tasks whose rounds are known to happen by now."""
        if self._aside:
            undecided, aside = self.ledger.first_undecided(), self._aside
            self._aside = []
            for task in aside:
                self.push(task, parked=task.round > undecided)

    def pop(self) -> tuple[Phase, Task, tuple[int, ...]] | None:
        """The next task that can really be started, with its phase and the rounds that hold the state from which it goes on."""
        ledger = self.ledger
        while self._places:
            place = self._places[0]
            ready = self._ready[place]
            key, partition = ready.key, ready.pop()
            if not ready.fresh and not ready.again:
                heapq.heappop(self._places)
                del self._ready[place]
            phase = ledger.phases.get(key)
            if phase is None or key.round > ledger.end or phase.standing[partition] != READY:
                continue
            chain = ledger.state(phase.before, partition)
            if chain is not None and ledger.inputs_complete(key):
                return phase, Task(key.role, key.round, partition), chain
            ledger.move_in(phase, partition, "inputs lost")
        return None
