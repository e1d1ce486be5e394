"""What can be started, oldest round first: the oldest round is what the others wait for.

Within a phase, a worker gets partitions first that it did last, or that its machine did: much of what such a task reads is there.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Mapping, Sequence

from regrow.coordinator.ledger import READY, WAITING, Ledger, Phase
from regrow.coordinator.plan import PhaseKey, Task

__all__ = ["Queue"]

MANY = 16
"""Where fewer than one in so many tasks of a phase wait, it is not worth while to look who did which of them last."""

Place = tuple[int, int]
"""A round, and the place of a role among the roles."""


class Made:
    """The partitions of a phase by who did them last: a chain for each, through an array."""

    __slots__ = ("_after", "_first")

    def __init__(self, makers: Sequence[str | None]) -> None:
        self._first: dict[str, int] = {}
        self._after = array("l", (-1,)) * len(makers)
        for partition in range(len(makers) - 1, -1, -1):
            maker = makers[partition]
            if maker is not None:
                self._after[partition] = self._first.get(maker, -1)
                self._first[maker] = partition

    def take(self, maker: str) -> int:
        """The smallest of a maker that was not taken yet; -1 if there is none."""
        partition = self._first.get(maker, -1)
        if partition >= 0:
            self._first[maker] = self._after[partition]
        return partition


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

    def __init__(self, ledger: Ledger, machines: Mapping[str, str]) -> None:
        """machines: worker -> its machine, where there are several."""
        self.ledger, self._machines = ledger, machines
        self._places: list[Place] = []
        """A heap of the phases that have entries."""
        self._ready: dict[Place, Ready] = {}
        self._made: dict[Place, tuple[Made, Made | None]] = {}
        """Of phases whose tasks are not all begun: by workers, and by machines."""
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

    def pop(self, worker: str) -> tuple[Phase, Task, tuple[int, ...]] | None:
        """The next task that can really be started, with its phase and the rounds that hold the state from which it goes on.

        Of the oldest phase, one that this worker did last, or its machine, if such a one is known to wait; else the smallest.
        """
        ledger, asked = self.ledger, None
        while self._places:
            place = self._places[0]
            ready = self._ready[place]
            key, phase = ready.key, ledger.phases.get(ready.key)
            if phase is None or not phase.counts[READY] or key.round > ledger.end:
                self._empty(place, phase)
                continue
            partition = -1 if place is asked else self._made_by(place, phase, worker)
            if partition < 0:
                asked, partition = place, ready.pop()
                if not ready.fresh and not ready.again:
                    self._empty(place, phase)
            if phase.standing[partition] != READY:
                continue
            chain = ledger.state(phase.before, partition)
            if chain is not None and ledger.inputs_complete(key):
                return phase, Task(key.role, key.round, partition), chain
            ledger.move_in(phase, partition, "inputs lost")
        return None

    def _empty(self, place: Place, phase: Phase | None) -> None:
        """Of the oldest phase nothing waits any more, for now."""
        heapq.heappop(self._places)
        del self._ready[place]
        if phase is None or not phase.counts[WAITING]:
            self._made.pop(place, None)

    def _made_by(self, place: Place, phase: Phase, worker: str) -> int:
        """A partition that a worker did last, or its machine, and that was not taken yet; -1 if none is known."""
        made = self._made.get(place)
        if made is None:
            before = self.ledger.phases.get(phase.before) if phase.before is not None else None
            if before is None or MANY * phase.counts[READY] < phase.size:
                return -1
            machines = [self._machines.get(maker) if maker else None for maker in before.makers] if self._machines else None
            made = self._made[place] = Made(before.makers), Made(machines) if machines else None
        partition = made[0].take(worker)
        return partition if partition >= 0 or made[1] is None else made[1].take(self._machines.get(worker, ""))
