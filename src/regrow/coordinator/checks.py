"""Checking that the program is deterministic: in rounds 0 and 1 one partition of every role is run again, twice; or everything.

RULES OF THE FILE
  - Repeating is done by workers that only check: fresh processes under another hash seed.
  - What an unverified task reads is kept until it has been repeated; a lost input is rebuilt for it. So is what it put out: if the
    second attempt differs, a person wants to see where.
  - A run that has nothing else left waits for its checks; if no such worker is there for a while, any worker may repeat.
"""

from __future__ import annotations

from regrow.coordinator.ledger import Ledger
from regrow.coordinator.plan import PhaseKey, Task

__all__ = ["Checks"]

CHECKED_ROUNDS = 2


class Checks:
    """The tasks that are to be repeated, and the workers that do nothing else."""

    def __init__(self, ledger: Ledger, *, wanted: bool, everything: bool = False) -> None:
        self.ledger, self.wanted, self.everything = ledger, wanted, everything
        self.unverified: set[Task] = set()
        self.kept: set[PhaseKey] = set()
        """Phases that unverified tasks read, and their own."""
        self.queue: list[Task] = []
        self.workers: dict[str, bool] = {}
        """Workers that only check, and whether each is idle."""
        self._seen: set[Task] = set()
        self.released = False
        """Whether those who only check were let go: what is replayed afterwards was checked when it was made first."""
        self._held: set[Task] = set()
        """Tasks of which a second attempt is under way: what they read and put out is kept, so that one that differs can be judged."""
        self.alone_since: float | None = None
        """Since when the run has waited for nothing but a worker that checks."""

    def choose(self, task: Task) -> None:
        """Decide whether a committed task will be repeated."""
        if not self.wanted or self.released:
            return
        chosen = self.everything or (task.round < CHECKED_ROUNDS and task.partition == self.ledger.plan.sizes[task.role] // 2)
        if chosen and task not in self._seen:
            self._seen.add(task)
            self.unverified.add(task)
            self.queue += [task, task]  # the second time it has another past: what counts its calls is found
            self._note_kept()

    def hold(self, task: Task) -> None:
        """A second attempt of a task begins."""
        self._held.add(task)
        self._note_kept()

    @property
    def holding(self) -> bool:
        """Whether a second attempt of some task is under way."""
        return bool(self._held)

    def let_go(self, task: Task) -> bool:
        """No attempt of a task is under way any more; returns whether one was held."""
        if task not in self._held:
            return False
        self._held.discard(task)
        self._note_kept()
        return True

    def next(self) -> Task | None:
        """A task that can be repeated now, taken off the queue."""
        for place, task in enumerate(self.queue):
            if self.ledger.startable(task):
                return self.queue.pop(place)
        return None

    def give_back(self, task: Task) -> None:
        """The attempt to repeat a task came to nothing."""
        if task in self.unverified:
            self.queue.append(task)

    def verified(self, task: Task) -> None:
        """A task came out the same; once it was repeated as often as it is to be, what it reads may go."""
        if task in self.queue:
            return
        self.unverified.discard(task)
        self._note_kept()

    def over(self) -> bool:
        """Whether nothing is left to check, now or later. Roles that run last are checked if the run ends as early as that."""
        return not self.unverified and (not self.wanted or min(self.ledger.floor, self.ledger.end) >= CHECKED_ROUNDS)

    def drop_after(self, end: int) -> None:
        """Rounds after the end never happened."""
        self.unverified = {task for task in self.unverified if task.round <= end}
        self.queue = [task for task in self.queue if task in self.unverified]
        self._note_kept()

    def _note_kept(self) -> None:
        plan, keys = self.ledger.plan, {PhaseKey(task.role, task.round) for task in self.unverified | self._held}
        before = {found for key in keys if (found := plan.previous(key)) is not None}
        owners = {PhaseKey(role, plan.newest(role, key.round)) for key in keys for role in plan.roles[key.role].states}
        self.kept = {read for key in keys for read in plan.inputs(key)} | before | owners | keys
        for key in self.kept:
            self.ledger.touch(key)
