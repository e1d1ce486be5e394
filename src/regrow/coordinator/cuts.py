"""Cuts: a round, and the artifacts from which all later rounds can be made, held in durable storage.

RULES OF THE FILE
  - One cut at a time: `pending` is a round for which a cut is wanted; `making` is the one of which the engine was asked.
  - The engine answers each MakeCut once. A cut that lost an artifact meanwhile is `spoilt`: its answer drops it, whatever it says,
    and until then no other is begun.
  - The two newest cuts are kept. What they hold is pinned, and so is what a cut in the making holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from regrow.coordinator.plan import Task

__all__ = ["KEPT", "Cut", "Cuts"]

KEPT = 2


@dataclass(frozen=True, slots=True)
class Cut:
    """A round and the artifacts from which all later rounds can be made."""

    round: int
    tasks: frozenset[Task]
    phases: frozenset[tuple[str, int]] = field(init=False, repr=False, compare=False)
    """The phases of which it holds artifacts: role and round."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "phases", frozenset(task[:2] for task in self.tasks))


class Cuts:
    """The cuts that are kept, and the one that is being made."""

    def __init__(self, every_seconds: float) -> None:
        self.every_seconds = every_seconds
        self.made: list[Cut] = []
        self.pending: int | None = None
        self.behind = False
        """Whether the pending cut is of a round that is being made again: if something of it is not made, it is given up."""
        self.making: Cut | None = None
        self.spoilt = False
        self.last = 0.0
        self.hurry = False
        """Whether a cut is due at once, because one was lost."""

    def due(self, now: float) -> bool:
        """Whether it is time to want a cut."""
        idle = self.every_seconds > 0 and self.pending is None and self.making is None
        return idle and (self.hurry or now - self.last >= self.every_seconds)

    def restore(self, cuts: Iterable[Cut], whole: Collection[Task], now: float) -> list[Cut]:
        """Go on with what an earlier coordinator left; returns the cuts that are of no use any more."""
        given = sorted(cuts, key=lambda cut: cut.round)
        self.made = [cut for cut in given if all(task in whole for task in cut.tasks)][-KEPT:]
        self.last = now
        return [cut for cut in given if cut not in self.made]

    def begin(self, cut: Cut) -> None:
        """The engine is asked to make this cut."""
        self.making, self.pending, self.spoilt, self.hurry = cut, None, False, False

    def finish(self, now: float, *, success: bool) -> tuple[Cut | None, list[Cut]]:
        """The engine has answered. Returns the new cut if it counts, and the cuts that are over."""
        cut, good = self.making, success and not self.spoilt
        if cut is None:
            return None, []
        self.making, self.last = None, now
        self.hurry |= self.spoilt
        over = [cut]
        if good:
            over = self.made[: -(KEPT - 1)]
            self.made = [*self.made[-(KEPT - 1) :], cut]
        return (cut if good else None), over

    def lose(self, gone: Collection[Task]) -> list[Cut]:
        """Artifacts are lost: returns the cuts that are no longer whole and therefore over."""
        broken = [cut for cut in self.made if not cut.tasks.isdisjoint(gone)]
        self.made = [cut for cut in self.made if cut not in broken]
        self.hurry |= bool(broken)
        if self.making is not None and not self.making.tasks.isdisjoint(gone):
            self.spoilt = True
        return broken

    def pins(self, task: Task) -> bool:
        """Whether a cut holds an artifact."""
        return any(task in cut.tasks for cut in self._holding())

    def pin_some(self, phase: tuple[str, int]) -> bool:
        """Whether a cut holds an artifact of a phase."""
        return any(phase in cut.phases for cut in self._holding())

    def _holding(self) -> list[Cut]:
        return self.made if self.making is None or self.spoilt else [*self.made, self.making]
