"""The disk of the world: committed artifacts, records, and cuts. It outlives coordinators, and holds only what it was told to."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from regrow.coordinator.actions import Record
from regrow.coordinator.cuts import Cut
from regrow.coordinator.events import Receipt
from regrow.coordinator.plan import PhaseKey, Plan, Task

__all__ = ["Disk"]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A durable cut, and how many records were durable with it."""

    cut: Cut
    digests: dict[Task, str]
    records: int


class Disk:
    """Artifacts by task; of each phase also their number and sum, so that a reader of all of them need not walk over all."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.artifacts: dict[Task, Receipt] = {}
        self.records: list[Record] = []
        self.manifests: dict[int, Manifest] = {}
        self.damaged: set[Task] = set()
        """Artifacts that were lost by accident and have not been committed again."""
        self.peak = 0
        self._numbers: Counter[PhaseKey] = Counter()
        self._sums: Counter[PhaseKey] = Counter()

    def add(self, task: Task, receipt: Receipt) -> None:
        """Publish an artifact."""
        key = PhaseKey(task.role, task.round)
        self.artifacts[task] = receipt
        self.damaged.discard(task)
        self._numbers[key] += 1
        self._sums[key] += int(receipt.digest, 16)
        self.peak = max(self.peak, len(self.artifacts))

    def remove(self, task: Task) -> bool:
        """Delete an artifact, if it is there."""
        receipt = self.artifacts.pop(task, None)
        if receipt is None:
            return False
        key = PhaseKey(task.role, task.round)
        self._numbers[key] -= 1
        self._sums[key] -= int(receipt.digest, 16)
        return True

    def damage(self, tasks: Iterable[Task]) -> list[Task]:
        """Lose artifacts by accident."""
        gone = [task for task in tasks if self.remove(task)]
        self.damaged.update(gone)
        return gone

    # Reading, as a worker does

    def read(self, task: Task, chain: tuple[int, ...]) -> tuple[list[object], list[int], list[Task]]:
        """The inbox and the state of a task, and what is missing of them."""
        key, inbox, missing = PhaseKey(task.role, task.round), [], []
        for read in self.plan.inputs(key):
            inbox.append((self._numbers[read], self._sums[read]))
            if self._numbers[read] != self.plan.roles[read.role].partitions:
                missing += [one for one in self.plan.tasks(read) if one not in self.artifacts]
        for role in self.plan.roles[task.role].states:
            for owner in self.plan.tasks(PhaseKey(role, self.plan.newest(role, task.round))):
                state, lost = self._state(owner, self.artifacts[owner].chain if owner in self.artifacts else (owner.round,))
                inbox.append(tuple(state))  # type: ignore[arg-type]
                missing += lost
        state, lost = self._state(task, chain)
        return list(inbox), state, [*missing, *lost]

    def _state(self, owner: Task, chain: tuple[int, ...]) -> tuple[list[int], list[Task]]:
        parts = [Task(owner.role, round, owner.partition) for round in chain]
        lost = [part for part in parts if part not in self.artifacts]
        return [int(self.artifacts[part].digest, 16) for part in parts if part in self.artifacts], lost

    # Cuts

    def make_cut(self, round: int, tasks: Iterable[Task]) -> str:
        """Make a cut durable; returns why it could not be done, or ""."""
        wanted = list(tasks)
        missing = [task for task in wanted if task not in self.artifacts]
        if missing:
            return f"{missing[0]} is not there"
        digests = {task: self.artifacts[task].digest for task in wanted}
        self.manifests[round] = Manifest(Cut(round, frozenset(wanted)), digests, len(self.records))
        return ""

    def cuts(self) -> list[Cut]:
        """All manifests, whole or not."""
        return [self.manifests[round].cut for round in sorted(self.manifests)]

    def lose_power(self, rng: random.Random, spared: float) -> None:
        """What no whole cut holds is gone, but for a share that happened to reach the disk; records too."""
        whole = [manifest for manifest in self.manifests.values() if all(task in self.artifacts for task in manifest.cut.tasks)]
        safe = set().union(*(manifest.cut.tasks for manifest in whole))
        self.damage([task for task in sorted(self.artifacts) if task not in safe and rng.random() >= spared])
        durable = max((manifest.records for manifest in whole), default=0)
        del self.records[rng.choice([durable, rng.randint(durable, max(durable, len(self.records)))]) :]
