"""What can be started, oldest round first: the oldest round is what the others wait for."""

from __future__ import annotations

import heapq

from regrow.coordinator.ledger import READY, Ledger
from regrow.coordinator.plan import Task

__all__ = ["Queue"]


class Queue:
    """Tasks that are READY. An entry may be out of date: whether it still holds is asked when it is taken."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._heap: list[tuple[int, int, int, Task]] = []
        self._aside: list[Task] = []
        """Tasks that failed for good in a round that may never have happened."""

    @property
    def waiting(self) -> bool:
        """Whether anything is in the queue."""
        return bool(self._heap)

    def push(self, task: Task, *, parked: bool = False) -> None:
        """A task is READY; parked: but is not to be run before it is known that its round happens."""
        if parked:
            self._aside.append(task)
        else:
            heapq.heappush(self._heap, (task.round, self.ledger.plan.order[task.role], task.partition, task))

    def take_aside(self) -> None:
        """Queue the tasks whose rounds are known to happen by now."""
        if self._aside:
            undecided, aside = self.ledger.first_undecided(), self._aside
            self._aside = []
            for task in aside:
                self.push(task, parked=task.round > undecided)

    def pop(self) -> Task | None:
        """The next task that can really be started."""
        while self._heap:
            task = heapq.heappop(self._heap)[-1]
            if task.round > self.ledger.end or self.ledger.standing(task) != READY:
                continue
            if self.ledger.startable(task):
                return task
            self.ledger.move(task, "inputs lost")
        return None
