"""Which rounds there are: opening them, making their tasks ready, noting that they are complete, and coming back to them.

RULES OF THE FILE
  - A round is opened when it is at most `run_ahead` rounds beyond the oldest unfinished one: that bounds what is kept.
  - A phase that is opened wants what it reads: after a restart that may have been forgotten.
  - A phase is recorded once, when it is complete for the first time.
  - The roles that run last are opened when the last round is known and complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from regrow.coordinator.actions import Action, Record, Tell
from regrow.coordinator.events import Receipt
from regrow.coordinator.ledger import FORGOTTEN, PRESENT, WAITING, Ledger, Phase
from regrow.coordinator.losses import want, want_phase
from regrow.coordinator.plan import PhaseKey, Task
from regrow.coordinator.queue import Queue

__all__ = ["Rounds"]


class Rounds:
    """The rounds of a run."""

    def __init__(self, ledger: Ledger, queue: Queue, run_ahead: int) -> None:
        self.ledger, self.queue, self.plan, self.run_ahead = ledger, queue, ledger.plan, run_ahead
        self.finishing = False

    # Coming back

    def restore(self, present: Mapping[Task, Receipt], records: Iterable[Record]) -> Iterator[Action]:
        """Go on from what an earlier coordinator left. A phase that was complete and is not recorded is recorded now."""
        ledger = self.ledger
        stops = [task.round for task, receipt in present.items() if receipt.stop]
        for record in records:
            if record.phase.role in self.plan.roles:
                phase = ledger.open_phase(record.phase, FORGOTTEN)
                phase.stop, phase.holds, phase.stateful = record.stop, record.holds, not record.stateless
                if record.stateless:
                    phase.chains.fill(())
                if record.stop:
                    stops.append(record.phase.round)
        ledger.shorten(min([ledger.end, *stops]))
        for task, receipt in present.items():
            if task.role in self.plan.roles and task.partition < self.plan.roles[task.role].partitions:
                ledger.commit_in(ledger.open_phase(PhaseKey(task.role, task.round)), task.partition, receipt, "found on disk")
        opened = max((key.round for key in ledger.phases if key.role in self.plan.always and key.round <= ledger.end), default=-1) + 1
        for round in range(opened):
            for key in self.plan.phases(round):
                ledger.open_phase(key)
        ledger.opened = opened
        for phase in sorted(ledger.phases.values(), key=lambda phase: phase.key.round):
            if phase.done and not phase.recorded:
                yield ledger.record(phase)
        self._raise_floor()
        unfinished = sorted(key for key in ledger.phases if key.round <= ledger.end and ledger.phases[key].counts[WAITING])
        want(ledger, [task for key in unfinished for task in self.plan.tasks(key)])
        self.try_phases(ledger.phases)

    # Opening

    def advance(self) -> Iterator[Action]:
        """Open the rounds whose time has come, as often as one of them is complete at once (no role runs in it)."""
        ledger, before = self.ledger, self.ledger.floor
        while True:
            self._raise_floor()
            if ledger.opened > min(ledger.end, ledger.floor + self.run_ahead):
                break
            keys = self.plan.phases(ledger.opened)
            ledger.opened += 1
            self._open(keys)
        if ledger.floor > before:
            yield Tell("rounds complete", {"rounds": ledger.floor, "of": self.plan.rounds})
        if ledger.floor > ledger.end and not self.finishing:
            self.finishing = True
            self._open([PhaseKey(role, ledger.end) for role in self.plan.last])

    def _open(self, keys: list[PhaseKey]) -> None:
        for key in keys:
            self.ledger.open_phase(key)
        for key in keys:
            again = want_phase(self.ledger, key)
            self.try_phases({key, *(PhaseKey(task.role, task.round) for task in again)})

    def _raise_floor(self) -> None:
        ledger = self.ledger
        while ledger.floor < ledger.opened and all(ledger.phases[key].recorded for key in self.plan.phases(ledger.floor)):
            ledger.floor += 1

    # Tasks become ready

    def try_phases(self, keys: Iterable[PhaseKey]) -> None:
        """Make the waiting tasks of these phases ready, as far as all that they read is there."""
        for key in sorted(keys, key=lambda key: key.round):
            self._try_phase(key)

    def _try_phase(self, key: PhaseKey) -> None:
        phase = self.ledger.phases.get(key)
        if phase is None or key.round > self.ledger.end or not phase.counts[WAITING] or not self.ledger.inputs_complete(key):
            return
        if self.ledger.all_can_start(phase):
            self.ledger.move_all(phase, "inputs complete")
            self.queue.push_all(key)
            return
        for partition in range(phase.size):
            self._try_task(phase, partition)

    def _try_task(self, phase: Phase, partition: int) -> None:
        if phase.standing[partition] == WAITING and self.ledger.state(phase.before, partition) is not None:
            self.ledger.move_in(phase, partition, "inputs complete")
            self.queue.push(Task(*phase.key, partition))

    # Tasks are done

    def phase_done(self, phase: Phase) -> Iterator[Action]:
        """Every task of a phase is done."""
        if not phase.recorded:
            yield self.ledger.record(phase)
            yield from self.advance()

    def phase_present(self, key: PhaseKey) -> None:
        """Every artifact of a phase exists: its readers may go on."""
        for reader in self.plan.read_by(key):
            self._try_phase(reader)
        if self.finishing:
            self.try_phases([PhaseKey(role, self.ledger.end) for role in self.plan.last])

    def let_state_on(self, task: Task) -> None:
        """Let the tasks go on that wait for a state that lies in this artifact."""
        role, after, partition = task
        ledger = self.ledger
        for round in ledger.live[role]:
            if after < round <= ledger.end:
                phase = ledger.find((role, round))
                if phase is not None and phase.standing[partition] == WAITING and ledger.inputs_complete(phase.key):
                    self._try_task(phase, partition)

    # The end

    def finished(self) -> bool:
        """Whether the roles that run last are done and all results exist; what is missing of them is run again."""
        ledger = self.ledger
        if ledger.undone:
            return False
        last = [PhaseKey(role, ledger.end) for role in self.plan.last]
        if not all(ledger.phases[key].done for key in last):
            self.try_phases(last)
            return False
        missing = [task for task in self._final_tasks() if ledger.standing(task) != PRESENT]
        self.try_phases({PhaseKey(task.role, task.round) for task in (*missing, *want(ledger, missing))})
        return not missing

    def _final_tasks(self) -> Iterator[Task]:
        """The tasks whose artifacts hold the results."""
        for role in self.plan.roles:
            key = PhaseKey(role, self.plan.newest(role, self.ledger.end))
            if self.ledger.phases[key].holds:
                yield from self.plan.tasks(key)
