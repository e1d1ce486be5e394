"""What follows when artifacts are lost, and when a cut is due, made or failed.

RULES OF THE FILE
  - A loss is answered whatever its depth: what somebody will read is made again, what nobody will read stays forgotten.
  - A cut that has lost an artifact is over at once, and another is due.
  - A cut is asked for when its round is complete and everything in it is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from regrow.coordinator.actions import Action, DropCut, Forget, MakeCut, Tell
from regrow.coordinator.cuts import Cut
from regrow.coordinator.ledger import PRESENT
from regrow.coordinator.losses import want
from regrow.coordinator.opening import Rounds
from regrow.coordinator.plan import PhaseKey, Task
from regrow.coordinator.retention import Retention

__all__ = ["Keeping"]


class Keeping:
    """The artifacts and cuts of a run, as events change them."""

    def __init__(self, retention: Retention, rounds: Rounds) -> None:
        self.retention, self.rounds = retention, rounds
        self.ledger, self.cuts = retention.ledger, retention.cuts
        self.redone: dict[Task, float] = {}
        """Artifacts that were committed more than once -> when last."""

    # Losses

    def is_news(self, task: Task, since: float) -> bool:
        """Whether the loss of an artifact that an attempt of that time missed has not been mended meanwhile."""
        return task not in self.redone or self.redone[task] < since

    def lose(self, lost: Iterable[Task], cause: str) -> Iterator[Action]:
        """These artifacts exist no more: run again what is needed to have them."""
        ledger = self.ledger
        gone = [task for task in dict.fromkeys(lost) if ledger.standing(task) == PRESENT]
        if not gone:
            return
        needed = set(self.retention.needed(gone))
        for task in gone:
            ledger.move(task, "artifact lost" if task in needed else "no longer needed")
            ledger.touch(PhaseKey(task.role, task.round))
        broken = self.cuts.lose(set(gone))
        again = want(ledger, sorted(needed))
        facts = {"artifacts": [str(task) for task in gone], "cause": cause, "tasks_again": len(again) + len(needed)}
        yield Tell("artifacts lost", facts | ({"cuts_dropped": [cut.round for cut in broken]} if broken else {}))
        yield from (DropCut(cut.round) for cut in broken)
        yield Forget(tuple(gone))  # what is left of a broken one must not stand in the way of a new one
        self.rounds.try_phases({PhaseKey(task.role, task.round) for task in (*needed, *again)})
        self.retention.due = True
        for cut in broken:
            yield from self.retention.forget(sorted(cut.tasks))

    # Cuts

    def cut(self, now: float) -> Iterator[Action]:
        """Want a cut when it is time; ask for it when its round is complete."""
        ledger, cuts = self.ledger, self.cuts
        if cuts.due(now):
            self._choose_round()
        round = cuts.pending
        if round is None or cuts.making is not None or not round < ledger.floor <= ledger.end or ledger.undone_before(round):
            return
        whole = self.retention.remembers(round)
        tasks = self.retention.cut_tasks(round) if whole else frozenset()
        missing = sorted(task for task in tasks if ledger.standing(task) != PRESENT)
        if cuts.behind and (missing or not whole):  # only a part of that round is made again: no cut can be made of it
            cuts.pending, cuts.last = None, now
            self.retention.due = True
            return
        if again := want(ledger, missing):  # after a restart: nobody has asked for them yet
            self.rounds.try_phases({PhaseKey(task.role, task.round) for task in again})
            return
        cuts.begin(Cut(round, tasks))
        self.retention.due = True
        yield MakeCut(round, tuple(sorted(tasks)))

    def _choose_round(self) -> None:
        """Want a cut of the newest round that is open; while older ones are made again, of the oldest of those.

        So a long replay has cuts of its own, and whoever loses artifacts all the time does not hold the run up.
        """
        ledger, cuts = self.ledger, self.cuts
        newest = cuts.made[-1].round if cuts.made else -1
        undone = ledger.oldest_undone()
        behind = undone is not None and undone < ledger.floor
        round = undone if undone is not None and behind else ledger.opened - 1
        if newest < round < ledger.end:
            cuts.pending, cuts.behind = round, behind

    def last_cut(self) -> Iterator[Action]:
        """A cut of the newest complete round, if everything that it holds is there: the run is about to pause."""
        ledger, cuts = self.ledger, self.cuts
        round = min(ledger.floor, ledger.end) - 1
        newest = cuts.made[-1].round if cuts.made else -1
        if cuts.making is not None or round <= newest or ledger.undone_before(round):
            return
        tasks = self.retention.cut_tasks(round)
        if all(ledger.standing(task) == PRESENT for task in tasks):
            cuts.begin(Cut(round, tasks))
            yield MakeCut(round, tuple(sorted(tasks)))

    def cut_answered(self, round: int, now: float, *, success: bool) -> Iterator[Action]:
        """The engine has made a cut, or could not."""
        cuts = self.cuts
        if cuts.making is None or cuts.making.round != round:
            if success:
                yield DropCut(round)
            return
        new, over = cuts.finish(now, success=success)
        yield from (DropCut(cut.round) for cut in over)
        if new is not None:
            yield Tell("cut made", {"round": new.round, "artifacts": len(new.tasks)})
        for cut in over:
            yield from self.retention.forget(sorted(cut.tasks))
        if new is not None and len(cuts.made) > 1:
            self._prune(cuts.made[0].round)

    def _prune(self, oldest: int) -> None:
        self.ledger.prune(oldest)
        for task in [task for task in self.redone if task.round < oldest]:
            del self.redone[task]
