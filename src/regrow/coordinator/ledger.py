"""Which tasks are done and which artifacts exist: the memory of the coordinator.

RULES OF THE FILE
  - A task's standing changes only by `move`, `move_in` and `move_all`, along TRANSITIONS. What is not in the table raises.
  - Of a task that is well nothing is kept but some bytes in arrays of its phase: there are millions. What happens for each event looks a
    phase up once, by the first two fields of the task, and hands it on: what ends in `_in` is told the phase.
  - The ledger knows nothing of workers and attempts: only that a task is being run, or not.
  - What may be forgotten is decided in `retention`, and what is run again in `losses`.

A task is WAITING until everything that it reads is committed, READY until a worker takes it, RUNNING until an attempt
commits; then its artifact is PRESENT, and FORGOTTEN as soon as nobody will read it. Losing an artifact that somebody will read
makes its task WAITING again, and so on back through what that task reads, until artifacts are met that exist: those of the
newest cut, or the fixed data under round 0.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from regrow.coordinator.actions import Record
from regrow.coordinator.chains import Chains
from regrow.coordinator.cuts import Cut
from regrow.coordinator.events import Receipt
from regrow.coordinator.plan import PhaseKey, Plan, Task

__all__ = ["FORGOTTEN", "NAMES", "PRESENT", "READY", "RUNNING", "TRANSITIONS", "WAITING", "Cut", "Ledger", "Phase"]

WAITING, READY, RUNNING, PRESENT, FORGOTTEN = range(5)
NAMES = ("waiting", "ready", "running", "present", "forgotten")

TRANSITIONS: Mapping[tuple[int, str], int] = {
    (WAITING, "inputs complete"): READY,
    (READY, "inputs lost"): WAITING,
    (READY, "started"): RUNNING,
    (RUNNING, "attempt ended"): READY,
    (RUNNING, "committed"): PRESENT,
    (PRESENT, "no longer needed"): FORGOTTEN,
    (PRESENT, "artifact lost"): WAITING,
    (FORGOTTEN, "needed again"): WAITING,
    (WAITING, "no longer needed"): FORGOTTEN,
    (READY, "no longer needed"): FORGOTTEN,
    (WAITING, "found on disk"): PRESENT,
    (FORGOTTEN, "found on disk"): PRESENT,
}


@dataclass(slots=True)
class Phase:
    """The standing of all tasks of one role in one round. All lists are by partition.

    before      the phase whose state it goes on from
    counts      how many tasks have each standing
    chains      the rounds whose artifacts hold its state after this task
    stateful    whether some partition may have a state
    numbers     of the newest attempt; 0 if there was none
    makers      the worker whose attempt was committed
    """

    key: PhaseKey
    before: PhaseKey | None
    standing: bytearray
    counts: list[int]
    digests: list[str | None]
    chains: Chains
    numbers: array[int]
    makers: list[str | None]
    metrics: dict[int, Mapping[str, float]] = field(default_factory=dict)
    stateful: bool = False
    holds: bool = False
    stop: bool = False
    recorded: bool = False

    @staticmethod
    def of(key: PhaseKey, before: PhaseKey | None, standing: int, size: int) -> Phase:
        """A phase of so many tasks, all of one standing, that were never tried."""
        counts = [0] * len(NAMES)
        counts[standing] = size
        none: list[str | None] = [None]
        return Phase(key, before, bytearray([standing]) * size, counts, none * size, Chains(size), array("l", (0,)) * size, none * size)

    @property
    def size(self) -> int:
        """The number of tasks."""
        return len(self.standing)

    @property
    def present(self) -> bool:
        """Whether every artifact of the phase exists."""
        return self.counts[PRESENT] == len(self.standing)

    @property
    def done(self) -> bool:
        """Whether every task of the phase is done and none is wanted again."""
        return self.counts[PRESENT] + self.counts[FORGOTTEN] == len(self.standing)


NOTHING: Mapping[str, float] = {}


class Ledger:
    """All phases that matter.

    floor       the oldest round that was never complete: the phases of the rounds below are recorded
    opened      the phases of rounds below this exist
    end         the last round, as far as is known
    live        role -> rounds whose artifacts somebody may still read; those of other phases are forgotten, or kept for a cut,
                or hold a part of a state
    undone      phases of numbered rounds that wait for one of their tasks
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.phases: dict[PhaseKey, Phase] = {}
        self.find = cast(Callable[[tuple[str, int]], Phase | None], self.phases.get)
        """The phase of a task: find(task[:2]); a plain tuple is as good a key as a PhaseKey, and quicker made."""
        self.floor = 0
        self.opened = 0
        self.end = plan.rounds - 1
        self.live: dict[str, set[int]] = {name: set() for name in plan.roles}
        self.undone: set[PhaseKey] = set()
        self._oldest: list[int | None] = []
        """The oldest round in `undone`; empty: look again."""
        self._numbers_pruned = 0

    # Phases

    def open_phase(self, key: PhaseKey, standing: int = WAITING) -> Phase:
        """The phase, made if it is new."""
        phase = self.phases.get(key)
        if phase is None:
            phase = Phase.of(key, self.plan.previous(key), standing, self.plan.sizes[key.role])
            if standing == FORGOTTEN:
                phase.recorded, phase.stateful = True, True
            self.phases[key] = phase
            self._note_done(phase)
            self.touch(key)
        return phase

    def touch(self, key: PhaseKey) -> None:
        """Somebody may read the artifacts of this phase: look at it again when something may be forgotten."""
        if key in self.phases:
            self.live[key.role].add(key.round)

    def standing(self, task: Task) -> int:
        """The standing of a task; one whose phase is unknown is long forgotten."""
        phase = self.find(task[:2])
        return FORGOTTEN if phase is None else phase.standing[task[2]]

    def move(self, task: Task, why: str) -> None:
        """Change the standing of a task along the table."""
        self.move_in(self.find(task[:2]) or self.open_phase(PhaseKey(task.role, task.round), FORGOTTEN), task.partition, why)

    def move_in(self, phase: Phase, partition: int, why: str) -> None:
        """Change the standing of a task of a phase along the table."""
        now = phase.standing[partition]
        after = TRANSITIONS.get((now, why))
        if after is None:
            raise _no_way(f"{Task(*phase.key, partition)}", now, why)
        phase.standing[partition] = after
        counts = phase.counts
        counts[now] -= 1
        counts[after] += 1
        if (after >= PRESENT) != (now >= PRESENT) and counts[WAITING] + counts[READY] + counts[RUNNING] <= 1:
            self._note_done(phase)

    def move_all(self, phase: Phase, why: str) -> None:
        """Change the standing of all tasks of a phase, which is the same, along the table."""
        now = phase.counts.index(phase.size)
        after = TRANSITIONS.get((now, why))
        if after is None:
            raise _no_way(f"{phase.key}", now, why)
        phase.standing[:] = bytes([after]) * phase.size
        phase.counts[now], phase.counts[after] = 0, phase.size
        self._note_done(phase)

    def _note_done(self, phase: Phase) -> None:
        self._oldest.clear()
        if phase.done or phase.key.round > self.end or phase.key.role in self.plan.last:
            self.undone.discard(phase.key)
        else:
            self.undone.add(phase.key)

    def complete(self, key: PhaseKey) -> bool:
        """Whether every artifact of a phase exists."""
        phase = self.phases.get(key)
        return phase is not None and phase.present

    def done(self, key: PhaseKey) -> bool:
        """Whether a phase is done; one that was done and is no longer remembered is, too."""
        phase = self.phases.get(key)
        return key.round < self.floor if phase is None else phase.done

    def next_number(self, task: Task) -> int:
        """A number for an attempt that no attempt of the task had before."""
        phase = self.find(task[:2]) or self.open_phase(PhaseKey(task.role, task.round), FORGOTTEN)
        return self.next_number_in(phase, task.partition)

    def next_number_in(self, phase: Phase, partition: int) -> int:
        """A number for an attempt that no attempt of the task had before."""
        number = (phase.numbers[partition] or self._numbers_pruned) + 1
        phase.numbers[partition] = number
        return number

    def prune(self, oldest: int) -> None:
        """Drop the memory of phases from before a round, as far as it says nothing about the present."""
        for key in [key for key in self.phases if key.round < self.plan.newest(key.role, oldest)]:
            phase = self.phases[key]
            if phase.done and not phase.counts[PRESENT] and key.round not in self.live[key.role] and not self._goes_on(key):
                self._numbers_pruned = max(self._numbers_pruned, max(phase.numbers))
                del self.phases[key]

    def _goes_on(self, key: PhaseKey) -> bool:
        """Whether tasks wait that go on from the state of a phase, or from knowing that it has none."""
        after = self.phases.get(following) if (following := self.plan.following(key)) else None
        return after is not None and not after.done

    def undone_before(self, round: int) -> bool:
        """Whether a task of a round <= this one is wanted again."""
        return any(key.round <= round for key in self.undone)

    # Readiness

    def inputs_complete(self, key: PhaseKey) -> bool:
        """Whether all messages that a phase reads are committed, and, for one that runs last, all states."""
        if self.undone and self.plan.states[key.role]:
            return False
        for read in self.plan.inputs(key):
            phase = self.phases.get(read)
            if phase is None or phase.counts[PRESENT] != len(phase.standing):
                return False
        return True

    def chain_before(self, task: Task) -> tuple[int, ...] | None:
        """The rounds that hold the state from which a task goes on; None if that is unknown."""
        before = self.plan.previous(PhaseKey(task.role, task.round))
        return () if before is None else self.chain_after(Task(before.role, before.round, task.partition))

    def chain_after(self, task: Task) -> tuple[int, ...] | None:
        """The rounds that hold the state of a partition after a task; None while that is unknown."""
        phase = self.find(task[:2])
        return None if phase is None else phase.chains[task.partition]

    def state(self, before: PhaseKey | None, partition: int) -> tuple[int, ...] | None:
        """The rounds that hold the state of a partition after a phase (None: there is none yet), if all of it can be read; else None."""
        if before is None:
            return ()
        phase = self.phases.get(before)
        chain = None if phase is None else phase.chains[partition]
        for round in chain or ():
            held = phase if round == before.round else self.find((before.role, round))
            if held is None or held.standing[partition] != PRESENT:
                return None
        return chain

    def all_can_start(self, phase: Phase) -> bool:
        """Whether all tasks of a phase wait, and the previous states of all can be read, as far as that is seen without asking each."""
        if phase.counts[WAITING] != phase.size:
            return False
        before = None if phase.before is None else self.phases.get(phase.before)
        if before is None:
            return phase.before is None
        rounds = {round for chain in before.chains.kinds for round in chain}
        there = all((held := self.find((phase.key.role, round))) is not None and held.present for round in rounds)
        return there and before.chains.complete

    def startable(self, task: Task) -> bool:
        """Whether everything that a task reads is there."""
        key = PhaseKey(task.role, task.round)
        return self.inputs_complete(key) and self.state(self.plan.previous(key), task.partition) is not None

    def maker(self, task: Task) -> str | None:
        """The worker whose attempt was committed, if that is known."""
        phase = self.find(task[:2])
        return None if phase is None else phase.makers[task.partition]

    def oldest_undone(self) -> int | None:
        """The oldest round of which a task is wanted again, or not done yet."""
        if not self._oldest:
            self._oldest.append(min((key.round for key in self.undone), default=None))
        return self._oldest[0]

    # Commits

    def commit_in(self, phase: Phase, partition: int, receipt: Receipt, why: str = "committed", maker: str | None = None) -> None:
        """Note an artifact that exists from now on, and by whom it was made."""
        self.move_in(phase, partition, why)
        phase.digests[partition] = receipt.digest
        phase.chains[partition] = receipt.chain
        phase.makers[partition] = maker
        if receipt.chain:
            phase.stateful = True
        if receipt.holds:
            phase.holds = True
        if receipt.stop:
            phase.stop = True
        if receipt.metrics and not phase.recorded:
            phase.metrics[partition] = receipt.metrics

    def record(self, phase: Phase) -> Record:
        """The record of a phase that is complete for the first time."""
        total: dict[str, float] = {}
        for partition in range(phase.size) if phase.metrics else ():
            for name, value in phase.metrics.get(partition, NOTHING).items():
                total[name] = total.get(name, 0) + value
        phase.recorded = True
        phase.metrics.clear()
        return Record(phase.key, total, phase.stop, not phase.stateful, phase.holds)

    # The end

    def first_undecided(self) -> int:
        """The smallest round that may still turn out to be the last one."""
        if not self.plan.stoppers:
            return self.end
        for round in range(self.floor, self.end):
            for role in self.plan.stoppers:
                phase = self.phases.get(PhaseKey(role, round))
                if self.plan.newest(role, round) == round and (phase is None or not phase.recorded):
                    return round
        return self.end

    def shorten(self, end: int) -> None:
        """The run ends with this round: later ones never happened."""
        self.end = end
        self.opened = min(self.opened, end + 1)
        self.undone = {key for key in self.undone if key.round <= end}
        self._oldest.clear()


def _no_way(what: str, now: int, why: str) -> ValueError:
    return ValueError(f"{what} is {NAMES[now]}: {why}?")
