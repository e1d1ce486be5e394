"""Where the artifacts of a large world are: on two machines each, and in durable storage if a cut holds them.

An artifact is lost when neither a machine nor a cut has it. The loss of one machine therefore loses nothing: the copies that were on it
are made again elsewhere after a while. Kept by phase, in arrays: a machine that is lost is looked for in all of them at the pace of numpy.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import cast

import numpy as np
import numpy.typing as npt

from regrow.coordinator.plan import PhaseKey, Plan, Task

__all__ = ["Holdings", "Shelf"]

NOBODY = -1
Machines = npt.NDArray[np.int32]


class Shelf:
    """The artifacts of one phase.

    there       partition -> 1 if the artifact exists as far as anybody can know: it was committed, and not forgotten or lost
    home, other two machines for each partition; NOBODY: no copy there. For all partitions at once, the same numbers: `homes`
    durable     partition -> 1 if a cut holds it
    digests     of what was committed last, also if it is gone
    ever        partition -> 1 if it was ever committed
    """

    __slots__ = ("count", "digests", "durable", "ever", "far", "home", "homes", "key", "other", "there", "total")

    def __init__(self, key: PhaseKey, size: int) -> None:
        self.key = key
        self.there = bytearray(size)
        self.count = 0
        self.total = 0
        """The sum of the digests of those that are there."""
        self.far = 0
        """How many are in durable storage alone: to read them costs more."""
        self.home, self.other = array("i", [NOBODY]) * size, array("i", [NOBODY]) * size
        self.homes: tuple[Machines, Machines] = (np.frombuffer(self.home, np.int32), np.frombuffer(self.other, np.int32))
        self.durable = bytearray(size)
        self.digests: list[int] = [0] * size
        self.ever = bytearray(size)


class Holdings:
    """All artifacts."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.shelves: dict[PhaseKey, Shelf] = {}
        self._find = cast(Callable[[tuple[str, int]], Shelf | None], self.shelves.get)
        self.damaged: set[Task] = set()
        """Lost by accident, and not committed again."""
        self.peak = self.count = self.far = 0

    def shelf(self, key: PhaseKey) -> Shelf:
        """The artifacts of a phase."""
        found = self.shelves.get(key)
        if found is None:
            found = self.shelves[key] = Shelf(key, self.plan.sizes[key.role])
        return found

    def add(self, shelf: Shelf, task: Task, digest: int, machine: int, other: int) -> None:
        """An artifact of a phase is committed: one copy on a machine, one on another."""
        partition = task.partition
        shelf.there[partition] = 1
        shelf.count += 1
        shelf.total += digest
        shelf.digests[partition] = digest
        shelf.ever[partition] = 1
        shelf.home[partition], shelf.other[partition] = machine, other
        self.count += 1
        if self.count > self.peak:
            self.peak = self.count
        if self.damaged:
            self.damaged.discard(task)

    def remove(self, task: Task) -> bool:
        """An artifact is no more; returns whether it was there."""
        shelf, partition = self._find(task[:2]), task.partition
        if shelf is None or not shelf.there[partition]:
            return False
        shelf.there[partition] = 0
        shelf.count -= 1
        shelf.total -= shelf.digests[partition]
        if shelf.far and shelf.home[partition] == shelf.other[partition] == NOBODY:
            shelf.far -= 1
            self.far -= 1
        shelf.home[partition] = shelf.other[partition] = NOBODY
        self.count -= 1
        return True

    def complete(self, key: PhaseKey) -> bool:
        """Whether all artifacts of a phase are there."""
        shelf = self.shelves.get(key)
        return shelf is not None and shelf.count == len(shelf.there)

    def is_held(self, task: Task) -> bool:
        """Whether an artifact is there and a cut holds it."""
        shelf, partition = self._find(task[:2]), task.partition
        return shelf is not None and bool(shelf.durable[partition]) and bool(shelf.there[partition])

    def is_there(self, task: Task) -> bool:
        """Whether an artifact is there."""
        shelf = self._find(task[:2])
        return shelf is not None and bool(shelf.there[task.partition])

    def missing(self, key: PhaseKey) -> list[Task]:
        """The artifacts of a phase that are not there."""
        shelf = self.shelf(key)
        return [] if shelf.count == len(shelf.there) else [task for task in self.plan.each_task(key) if not shelf.there[task.partition]]

    # Machines

    def lose_machines(self, gone: Iterable[int]) -> list[Task]:
        """These machines are gone: returns the artifacts that nobody has any more. Those that one machine still has need `copy_again`."""
        machines, lost = np.asarray(sorted(gone), dtype=np.int32), []
        for key, shelf in self.shelves.items():
            if not shelf.count:
                continue
            home, other = shelf.homes
            hit, hit_other = np.isin(home, machines), np.isin(other, machines)
            home[hit] = other[hit_other] = NOBODY
            alone = np.flatnonzero((hit | hit_other) & (home == NOBODY) & (other == NOBODY))
            lost += [Task(*key, int(at)) for at in alone if shelf.there[at] and not shelf.durable[at]]
        self._count_far()
        return lost

    def _count_far(self) -> None:
        for shelf in self.shelves.values():
            home, other = shelf.homes
            held = np.frombuffer(shelf.there, np.uint8) & np.frombuffer(shelf.durable, np.uint8)
            shelf.far = int(np.count_nonzero((home == NOBODY) & (other == NOBODY) & (held == 1))) if shelf.count else 0
        self.far = sum(shelf.far for shelf in self.shelves.values())

    def is_far(self, shelf: Shelf, partition: int) -> bool:
        """Whether an artifact that is there is in durable storage alone."""
        return shelf.home[partition] == shelf.other[partition] == NOBODY

    def copy_again(self, machines: npt.NDArray[np.int32], rng: np.random.Generator) -> int:
        """Every artifact that has one copy, or only a durable one, gets others on these machines; returns how many copies were made.

        Two copies are on two machines: who would have both gives one to the next machine; if there is no other, there is no second copy.
        """
        made = 0
        for shelf in self.shelves.values():
            there = np.frombuffer(shelf.there, dtype=np.uint8) == 1
            for mine, other in (shelf.homes, shelf.homes[::-1]) if shelf.count else ():
                lacks = np.flatnonzero((mine == NOBODY) & there)
                places = rng.integers(len(machines), size=len(lacks))
                places += machines[places] == other[lacks]
                chosen = machines[places % len(machines)]
                mine[lacks] = np.where(chosen == other[lacks], NOBODY, chosen)
                made += len(lacks)
        self._count_far()
        return made

    # Cuts

    def hold(self, tasks: Iterable[Task]) -> None:
        """A cut holds these."""
        for task in tasks:
            self.shelf(PhaseKey(task.role, task.round)).durable[task.partition] = 1

    def let_go(self, dropped: Iterable[Task], kept: Iterable[frozenset[Task]]) -> None:
        """A cut is dropped; others are kept."""
        others = list(kept)
        for task in dropped:
            if not any(task in tasks for tasks in others):
                self.shelf(PhaseKey(task.role, task.round)).durable[task.partition] = 0

    def hold_only(self, kept: Iterable[frozenset[Task]]) -> None:
        """Cuts hold these, and nothing else."""
        for shelf in self.shelves.values():
            shelf.durable = bytearray(len(shelf.durable))
        for tasks in kept:
            self.hold(tasks)

    def prune(self, oldest: int) -> None:
        """Forget phases of which nothing is left, from before a round."""
        for key in [key for key, shelf in self.shelves.items() if key.round < oldest and not shelf.count]:
            del self.shelves[key]

    def all_there(self) -> Iterator[Task]:
        """All artifacts that are there."""
        for key, shelf in self.shelves.items():
            if shelf.count:
                yield from (task for task in self.plan.each_task(key) if shelf.there[task.partition])
