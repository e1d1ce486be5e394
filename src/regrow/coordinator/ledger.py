"""Which tasks are done and which artifacts exist: the memory of the coordinator.

RULES OF THE FILE
  - A task's standing changes only by `move`, along TRANSITIONS. What is not in the table raises.
  - The ledger knows nothing of workers and attempts: only that a task is being run, or not.
  - What may be forgotten is decided in `retention`, and what is run again in `losses`.

A task is WAITING until everything that it reads is committed, READY until a worker takes it, RUNNING until an attempt
commits; then its artifact is PRESENT, and FORGOTTEN as soon as nobody will read it. Losing an artifact that somebody will read
makes its task WAITING again, and so on back through what that task reads, until artifacts are met that exist: those of the
newest cut, or the fixed data under round 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from regrow.coordinator.actions import Record
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
    """The standing of all tasks of one role in one round.

    before      the phase whose state it goes on from
    counts      how many tasks have each standing
    chains      partition -> the rounds whose artifacts hold its state after this task
    stateful    whether some partition may have a state
    numbers     partition -> attempts so far
    makers      partition -> the worker whose attempt was committed
    """

    key: PhaseKey
    before: PhaseKey | None
    standing: bytearray
    counts: list[int] = field(default_factory=lambda: [0] * len(NAMES))
    digests: dict[int, str] = field(default_factory=dict)
    chains: dict[int, tuple[int, ...]] = field(default_factory=dict)
    metrics: dict[int, Mapping[str, float]] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)
    makers: dict[int, str] = field(default_factory=dict)
    stateful: bool = False
    holds: bool = False
    stop: bool = False
    recorded: bool = False

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
        self.floor = 0
        self.opened = 0
        self.end = plan.rounds - 1
        self.live: dict[str, set[int]] = {name: set() for name in plan.roles}
        self.undone: set[PhaseKey] = set()
        self._numbers_pruned = 0

    # Phases

    def open_phase(self, key: PhaseKey, standing: int = WAITING) -> Phase:
        """The phase, made if it is new."""
        phase = self.phases.get(key)
        if phase is None:
            phase = Phase(key, self.plan.previous(key), bytearray([standing]) * self.plan.roles[key.role].partitions)
            phase.counts[standing] = phase.size
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
        phase = self.phases.get(PhaseKey(task.role, task.round))
        return FORGOTTEN if phase is None else phase.standing[task.partition]

    def move(self, task: Task, why: str) -> None:
        """Change the standing of a task along the table."""
        phase = self.open_phase(PhaseKey(task.role, task.round), FORGOTTEN)
        now = phase.standing[task.partition]
        after = TRANSITIONS.get((now, why))
        if after is None:
            raise ValueError(f"{task} is {NAMES[now]}: {why}?")
        phase.standing[task.partition] = after
        phase.counts[now] -= 1
        phase.counts[after] += 1
        if after >= PRESENT or now >= PRESENT:
            self._note_done(phase)

    def _note_done(self, phase: Phase) -> None:
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
        numbers = self.open_phase(PhaseKey(task.role, task.round), FORGOTTEN).numbers
        numbers[task.partition] = number = numbers.get(task.partition, self._numbers_pruned) + 1
        return number

    def prune(self, oldest: int) -> None:
        """Drop the memory of phases from before a round, as far as it says nothing about the present."""
        for key in [key for key in self.phases if key.round < self.plan.newest(key.role, oldest)]:
            phase = self.phases[key]
            if phase.done and not phase.counts[PRESENT] and key.round not in self.live[key.role] and not self._goes_on(key):
                self._numbers_pruned = max(self._numbers_pruned, max(phase.numbers.values(), default=0))
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
        if self.plan.roles[key.role].states and self.undone:
            return False
        return all(self.complete(read) for read in self.plan.inputs(key))

    def chain_before(self, task: Task) -> tuple[int, ...] | None:
        """The rounds that hold the state from which a task goes on; None if that is unknown."""
        own = self.phases.get(PhaseKey(task.role, task.round))
        before = self.plan.previous(PhaseKey(task.role, task.round)) if own is None else own.before
        if before is None:
            return ()
        phase = self.phases.get(before)
        return None if phase is None else phase.chains.get(task.partition)

    def chain_after(self, task: Task) -> tuple[int, ...] | None:
        """The rounds that hold the state of a partition after a task; None while that is unknown."""
        phase = self.phases.get(PhaseKey(task.role, task.round))
        return None if phase is None else phase.chains.get(task.partition)

    def can_start(self, task: Task) -> bool:
        """Whether a task's own previous state can be read."""
        chain = self.chain_before(task)
        if chain is None:
            return False
        for round in chain:
            phase = self.phases.get(PhaseKey(task.role, round))
            if phase is None or phase.standing[task.partition] != PRESENT:
                return False
        return True

    def startable(self, task: Task) -> bool:
        """Whether everything that a task reads is there."""
        return self.inputs_complete(PhaseKey(task.role, task.round)) and self.can_start(task)

    def digest(self, task: Task) -> str | None:
        """The digest of what a task put out, if it was ever done and is remembered."""
        phase = self.phases.get(PhaseKey(task.role, task.round))
        return None if phase is None else phase.digests.get(task.partition)

    def maker(self, task: Task) -> str | None:
        """The worker whose attempt was committed, if that is known."""
        phase = self.phases.get(PhaseKey(task.role, task.round))
        return None if phase is None else phase.makers.get(task.partition)

    def oldest_undone(self) -> int | None:
        """The oldest round of which a task is wanted again, or not done yet."""
        return min((key.round for key in self.undone), default=None)

    # Commits

    def commit(self, task: Task, receipt: Receipt, why: str = "committed") -> Phase:
        """Note an artifact that exists from now on."""
        self.move(task, why)
        phase = self.phases[PhaseKey(task.role, task.round)]
        phase.digests[task.partition] = receipt.digest
        phase.chains[task.partition] = receipt.chain
        phase.stateful |= bool(receipt.chain)
        phase.holds |= receipt.holds
        phase.stop |= receipt.stop
        if not phase.recorded:
            phase.metrics[task.partition] = receipt.metrics
        return phase

    def record(self, phase: Phase) -> Record:
        """The record of a phase that is complete for the first time."""
        total: dict[str, float] = {}
        for partition in range(phase.size):
            for name, value in phase.metrics.get(partition, {}).items():
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
