"""What must be kept, and why; everything else is forgotten at once.

RULES OF THE FILE
  - `kept_for` alone says why a phase's artifacts are kept. It looks at whole phases, because a reader reads them all.
  - A phase for which it finds no reason is released. Of its artifacts those stay that hold a part of a state that a later phase
    goes on from (`holds_state`), and those that a cut pins.
  - Only released phases, dropped cuts and nothing else make an artifact a candidate: no event looks at all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from regrow.coordinator.actions import Forget
from regrow.coordinator.checks import Checks
from regrow.coordinator.cuts import Cuts
from regrow.coordinator.ledger import PRESENT, RUNNING, Ledger
from regrow.coordinator.plan import PhaseKey, Task

__all__ = ["Retention"]


class Retention:
    """Decides which artifacts are forgotten."""

    def __init__(self, ledger: Ledger, cuts: Cuts, checks: Checks) -> None:
        self.ledger, self.cuts, self.checks, self.plan = ledger, cuts, checks, ledger.plan
        self.due = True
        """Whether something has happened after which a phase may be released."""

    # Reasons

    def kept_for(self, key: PhaseKey, undecided: int) -> str:
        """Why a phase's artifacts must be kept; "" if nobody will read them."""
        ledger, plan = self.ledger, self.plan
        phase = ledger.phases[key]
        if key.round > ledger.end:
            return ""
        if not phase.recorded:
            return "it is not complete"
        for reader in plan.read_by(key):
            if reader.round <= ledger.end and not ledger.done(reader):
                return f"{reader.role} of round {reader.round} will read it"
        following = plan.following(key)
        if phase.stateful and following is not None and following.round <= ledger.end and not ledger.done(following):
            return f"round {following.round} goes on from its state"
        if key.round >= plan.newest(key.role, undecided) and self.read_at_end(key):
            return "it may be the last round"
        pending = self.cuts.pending
        if pending is not None and key.round == plan.newest(key.role, pending) and any(self._in_cut(key, pending, undecided)):
            return "a cut will hold it"
        if key in self.checks.kept:
            return "a task that reads or made it will be repeated"
        if phase.counts[RUNNING]:
            return "one of its tasks is under way"
        return ""

    def read_at_end(self, key: PhaseKey) -> bool:
        """Whether a phase's artifacts matter if the run ends with its round."""
        return self.ledger.phases[key].holds or key.role in self.plan.read_at_end or key.role in self.plan.last

    def holds_state(self, task: Task, after: int = -1) -> bool:
        """Whether a live phase (of a round > after) goes on from a state that lies in this artifact."""
        phases = self.ledger.phases
        for round in self.ledger.live[task.role]:
            if round >= task.round and round > after and task.round in (phases[PhaseKey(task.role, round)].chains[task.partition] or ()):
                return True
        return False

    def _holds_states(self, role: str, round: int) -> bool:
        """Whether a live phase may go on from a state that lies in an artifact of this one."""
        phases = self.ledger.phases
        return any(at >= round and phases[PhaseKey(role, at)].chains.reach(round) for at in self.ledger.live[role])

    def needed(self, tasks: Iterable[Task]) -> list[Task]:
        """Those of these artifacts that somebody will read (being in a cut is no such reason)."""
        undecided = self.ledger.first_undecided()
        keys = {PhaseKey(task.role, task.round) for task in tasks}
        kept = {key for key in keys if self.kept_for(key, undecided)}
        return [task for task in tasks if PhaseKey(task.role, task.round) in kept or self.holds_state(task)]

    # Forgetting

    def sweep(self) -> Iterator[Forget]:
        """Release phases that nobody will read, and forget what they leave.

        Where a phase that was to be done again is not wanted any more, what it would read may not be wanted either: so again.
        """
        self.due = False
        released: list[PhaseKey] = []
        undecided, dropped = self.ledger.first_undecided(), True
        while dropped:
            dropped = False
            for role, rounds in self.ledger.live.items():
                for round in sorted(rounds, reverse=True):
                    key = PhaseKey(role, round)
                    if not self.kept_for(key, undecided):
                        dropped |= self._drop_undone(key)
                        if self.ledger.phases[key].done or round > self.ledger.end:
                            rounds.discard(round)
                            released.append(key)
        for key in reversed(released):
            if self._alone(key):
                self.ledger.move_all(self.ledger.phases[key], "no longer needed")
                yield Forget(tuple(self.plan.each_task(key)))
            else:
                yield from self.forget(self._left_by(key))

    def _drop_undone(self, key: PhaseKey) -> bool:
        """Tasks that were to be done again, and whose artifacts nobody will read now, are not to be."""
        phase, dropped = self.ledger.phases[key], False
        if phase.done or key.round > self.ledger.end:
            return False
        for task in self.plan.tasks(key):
            if phase.standing[task.partition] < RUNNING and not self.holds_state(task, after=key.round):
                self.ledger.move(task, "no longer needed")
                dropped = True
        return dropped

    def _alone(self, key: PhaseKey) -> bool:
        """Whether all artifacts of a phase exist, nothing needs any of them, and its states lie nowhere else: seen without asking each."""
        phase = self.ledger.phases[key]
        if not phase.present or phase.chains.beyond(key.round) or key.round in self.ledger.live[key.role]:
            return False
        return not self.cuts.pin_some(key) and not self._holds_states(*key)

    def _left_by(self, key: PhaseKey) -> Iterator[Task]:
        """The artifacts of a phase and those that its states lie in."""
        phase = self.ledger.phases[key]
        if phase.counts[PRESENT]:
            yield from self.plan.each_task(key)
        if phase.stateful and phase.chains.beyond(key.round):
            for partition, chain in phase.chains.known():
                for round in chain:
                    if round != key.round:
                        yield Task(key.role, round, partition)

    def forget(self, candidates: Iterable[Task]) -> Iterator[Forget]:
        """Forget those of these artifacts that exist and that nothing needs."""
        gone = []
        for task in candidates:
            ledger = self.ledger
            if ledger.standing(task) != PRESENT or task.round in ledger.live[task.role] or self.cuts.pins(task):
                continue
            if not self.holds_state(task):
                ledger.move(task, "no longer needed")
                gone.append(task)
        if gone:
            yield Forget(tuple(gone))

    # What a cut holds

    def remembers(self, round: int) -> bool:
        """Whether every role's newest phase of a round is remembered: those of rounds from before the cuts may be not."""
        return all(PhaseKey(role, self.plan.newest(role, round)) in self.ledger.phases for role in self.plan.always)

    def cut_tasks(self, round: int) -> frozenset[Task]:
        """The artifacts of rounds <= round that later rounds may read, and those that hold each partition's newest state."""
        found: set[Task] = set()
        undecided = self.ledger.first_undecided()
        for role in self.plan.always:
            key = PhaseKey(role, self.plan.newest(role, round))
            messages, states = self._in_cut(key, round, undecided)
            if messages or states:
                found.update(self.plan.tasks(key))
            if states:
                chains = self.ledger.phases[key].chains
                if chains.beyond(key.round):
                    found.update(Task(role, at, partition) for partition, chain in chains.known() for at in chain)
        return frozenset(found)

    def _in_cut(self, key: PhaseKey, round: int, undecided: int) -> tuple[bool, bool]:
        """Whether a cut of a round holds the artifacts of a role's newest phase: for their messages; and for states, wherever they lie."""
        phase = self.ledger.phases[key]
        read_later = any(reader.round > round for reader in self.plan.read_by(key))
        at_end = key.round == self.plan.newest(key.role, undecided) and self.read_at_end(key)
        following = self.plan.following(key)
        goes_on = phase.stateful and following is not None and following.round <= self.ledger.end
        return read_later, at_end or goes_on
