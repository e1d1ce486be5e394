"""What can be started, oldest round first: the oldest round is what the others wait for."""

from __future__ import annotations

import heapq

from regrow.coordinator.ledger import READY, Ledger
from regrow.coordinator.plan import PhaseKey, Task

__all__ = ["Queue"]

Place = tuple[int, int]
"""A round, and the place of a role among the roles."""


class Queue:
    """Tasks that are READY: heaps of partitions, by phase. An entry may be out of date: that is asked when it is taken."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._places: list[Place] = []
        """A heap of the phases that have entries."""
        self._ready: dict[Place, tuple[PhaseKey, list[int]]] = {}
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
            heapq.heappush(self._partitions(PhaseKey(task.role, task.round)), task.partition)

    def push_all(self, key: PhaseKey, ready: list[int]) -> None:
        """These partitions of a phase, ascending, are READY."""
        if ready:
            partitions = self._partitions(key)
            partitions.extend(ready)
            if len(partitions) > len(ready):
                heapq.heapify(partitions)

    def _partitions(self, key: PhaseKey) -> list[int]:
        place = (key.round, self.ledger.plan.order[key.role])
        if place not in self._ready:
            heapq.heappush(self._places, place)
            self._ready[place] = (key, [])
        return self._ready[place][1]

    def take_aside(self) -> None:
        """Queue the tasks whose rounds are known to happen by now."""
        if self._aside:
            undecided, aside = self.ledger.first_undecided(), self._aside
            self._aside = []
            for task in aside:
                self.push(task, parked=task.round > undecided)

    def pop(self) -> Task | None:
        """The next task that can really be started."""
        while self._places:
            place = self._places[0]
            key, partitions = self._ready[place]
            task = Task(key.role, key.round, heapq.heappop(partitions))
            if not partitions:
                heapq.heappop(self._places)
                del self._ready[place]
            if task.round > self.ledger.end or self.ledger.standing(task) != READY:
                continue
            if self.ledger.inputs_complete(key) and self.ledger.can_start(task):
                return task
            self.ledger.move(task, "inputs lost")
        return None
