"""Which tasks are done and which artifacts exist: the memory of the coordinator.

RULES OF THE FILE
  - A task's standing changes only by `move`, along TRANSITIONS. What is not in the table raises.
  - The ledger knows nothing of workers and attempts: only that a task is being run, or not.
  - What must be kept is decided here alone (`Ledger.kept_for`), and it returns the reason.

A task is WAITING until everything that it reads is committed, READY until a worker takes it, RUNNING until an attempt
commits; then its artifact is PRESENT, and FORGOTTEN as soon as nobody will read it. Losing an artifact that somebody will read
makes its task WAITING again, and so on back through what that task reads, until artifacts are met that exist: those of the
newest cut, or the fixed data under round 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from regrow.coordinator.actions import Forget, Record
from regrow.coordinator.events import Receipt
from regrow.coordinator.plan import PhaseKey, Plan, Task

__all__ = ["FORGOTTEN", "PRESENT", "READY", "RUNNING", "TRANSITIONS", "WAITING", "Cut", "Ledger", "Phase"]

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
}


@dataclass(slots=True)
class Phase:
    """The standing of all tasks of one role in one round."""

    key: PhaseKey
    standing: bytearray
    digests: dict[int, str] = field(default_factory=dict)
    chains: dict[int, tuple[int, ...]] = field(default_factory=dict)
    metrics: dict[int, Mapping[str, float]] = field(default_factory=dict)
    holds: bool = False
    stop: bool = False
    recorded: bool = False
    counts: list[int] = field(default_factory=lambda: [0] * len(NAMES))
    """How many tasks have each standing."""

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


@dataclass(frozen=True, slots=True)
class Cut:
    """A round and the artifacts from which all later rounds can be made."""

    round: int
    tasks: frozenset[Task]


class Ledger:
    """All phases that matter, and what may be forgotten of them."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.phases: dict[PhaseKey, Phase] = {}
        self.floor = 0
        """The oldest round that was never complete."""
        self.opened = 0
        """Rounds below this are open: their phases exist."""
        self.end = plan.rounds - 1
        """The last round, as far as is known."""
        self.cuts: list[Cut] = []
        self.pending_cut: int | None = None
        self.unverified: set[Task] = set()
        """Tasks whose inputs must stay until they have been run a second time."""
        self._pinned: frozenset[Task] = frozenset()
        self._chained: Counter[PhaseKey] = Counter()
        """Phase -> how many partitions have their newest state in it, wholly or in part."""

    # Phases

    def open_phase(self, key: PhaseKey, standing: int = WAITING) -> Phase:
        """The phase, made if it is new."""
        phase = self.phases.get(key)
        if phase is None:
            phase = Phase(key, bytearray([standing]) * self.plan.roles[key.role].partitions)
            phase.counts[standing] = phase.size
            self.phases[key] = phase
        return phase

    def standing(self, task: Task) -> int:
        """The standing of a task; one whose phase is unknown is long forgotten."""
        phase = self.phases.get(PhaseKey(task.role, task.round))
        return FORGOTTEN if phase is None else phase.standing[task.partition]

    def move(self, task: Task, why: str) -> None:
        """Change the standing of a task along the table."""
        phase = self.open_phase(PhaseKey(task.role, task.round), FORGOTTEN)
        now = phase.standing[task.partition]
        if (now, why) not in TRANSITIONS:
            raise ValueError(f"{task} is {NAMES[now]}: {why}?")
        after = TRANSITIONS[now, why]
        phase.standing[task.partition] = after
        phase.counts[now] -= 1
        phase.counts[after] += 1

    def complete(self, key: PhaseKey) -> bool:
        """Whether every artifact of a phase exists."""
        phase = self.phases.get(key)
        return phase is not None and phase.present

    # Readiness

    def inputs_complete(self, key: PhaseKey) -> bool:
        """Whether all messages that a phase reads are committed."""
        return all(self.complete(read) for read in self.plan.inputs(key))

    def states_complete(self, key: PhaseKey) -> bool:
        """Whether the last states that a phase reads are committed (only roles that run last read any)."""
        return all(self.state_exists(task) for task in self._states_read(key))

    def _states_read(self, key: PhaseKey) -> Iterator[Task]:
        for role in self.plan.roles[key.role].states:
            yield from self.plan.tasks(PhaseKey(role, self.plan.newest(role, key.round)))

    def chain_before(self, task: Task) -> tuple[int, ...] | None:
        """The rounds that hold the state from which a task goes on; None if the task before is not done."""
        before = self.plan.previous(PhaseKey(task.role, task.round))
        return () if before is None else self.chain_after(Task(before.role, before.round, task.partition))

    def chain_after(self, task: Task) -> tuple[int, ...] | None:
        """The rounds that hold the state of a partition after a task; None while that is unknown."""
        phase = self.phases.get(PhaseKey(task.role, task.round))
        return None if phase is None else phase.chains.get(task.partition)

    def state_exists(self, task: Task) -> bool:
        """Whether the state after a task can be read."""
        chain = self.chain_after(task)
        return chain is not None and all(self.standing(Task(task.role, round, task.partition)) == PRESENT for round in chain)

    def can_start(self, task: Task) -> bool:
        """Whether a task's own previous state can be read."""
        before = self.plan.previous(PhaseKey(task.role, task.round))
        return before is None or self.state_exists(Task(before.role, before.round, task.partition))

    # Commits

    def commit(self, task: Task, receipt: Receipt) -> None:
        """Note a committed artifact."""
        self.move(task, "committed")
        phase = self.phases[PhaseKey(task.role, task.round)]
        phase.digests[task.partition] = receipt.digest
        phase.holds |= receipt.holds
        phase.stop |= receipt.stop
        if not phase.recorded:
            phase.metrics[task.partition] = receipt.metrics
        if task.partition not in phase.chains:
            self._chain(phase, task, receipt.chain)

    def _chain(self, phase: Phase, task: Task, chain: tuple[int, ...]) -> None:
        """Move the references that say in which artifacts the newest state of a partition lies."""
        before = self.plan.previous(phase.key)
        old = self.phases.get(before) if before else None
        for round in old.chains.get(task.partition, ()) if old else ():
            self._chained[PhaseKey(task.role, round)] -= 1
        for round in chain:
            self._chained[PhaseKey(task.role, round)] += 1
        phase.chains[task.partition] = chain

    def record(self, phase: Phase) -> Record:
        """The record of a phase that is complete for the first time."""
        total: dict[str, float] = {}
        for partition in range(phase.size):
            for name, value in phase.metrics.get(partition, {}).items():
                total[name] = total.get(name, 0) + value
        phase.recorded = True
        phase.metrics.clear()
        return Record(phase.key, total, phase.stop, not any(phase.chains.values()), phase.holds)

    # What must be kept

    def kept_for(self, key: PhaseKey) -> str:
        """Why a phase's artifacts must be kept; "" if nobody will read them."""
        phase = self.phases[key]
        if not phase.done:
            return "it is not complete"
        for reader in self.plan.read_by(key):
            if reader.round <= self.end and not ((found := self.phases.get(reader)) and found.done):
                return f"{reader.role} of round {reader.round} will read it"
        if self._needed_as_state(phase):
            return "it holds the newest state"
        if key.round >= self.plan.newest(key.role, self.first_undecided()):
            return "it may be the last round"
        if any(task.round in (key.round, key.round + 1) for task in self.unverified):
            return "a task that reads it will be checked"
        if self.pending_cut is not None and key.round >= self.plan.newest(key.role, self.pending_cut):
            return "it belongs to a pending cut"
        return ""

    def _needed_as_state(self, phase: Phase) -> bool:
        """Its rounds are in the chain of some partition; or the next task needs its receipt, which says what that chain is."""
        if self._chained[phase.key] > 0:
            return True
        following = self.plan.following(phase.key)
        if following is None or not any(phase.chains.values()):
            return False
        after = self.phases.get(following)
        return after is None or not after.done

    def first_undecided(self) -> int:
        """The smallest round that may still turn out to be the last one."""
        if not self.plan.stoppers:
            return self.end
        for round in range(self.floor, self.end):
            for role in self.plan.stoppers:
                key = PhaseKey(role, round)
                if self.plan.newest(role, round) == round and not ((phase := self.phases.get(key)) and phase.recorded):
                    return round
            if round >= self.opened:
                return round
        return self.end

    def forget(self, keys: Iterable[PhaseKey]) -> Iterator[Forget]:
        """Forget those of these phases that nobody will read and no cut pins."""
        for key in keys:
            phase = self.phases.get(key)
            if phase is None or not phase.counts[PRESENT] or self.kept_for(key):
                continue
            gone = tuple(task for task in self.plan.tasks(key) if phase.standing[task.partition] == PRESENT and task not in self._pinned)
            for task in gone:
                self.move(task, "no longer needed")
            if gone:
                yield Forget(gone)

    # Losses

    def want(self, tasks: Iterable[Task]) -> list[Task]:
        """Make tasks that are not PRESENT run again, and all that they read, back to artifacts that exist.

        Returns the tasks that were FORGOTTEN and are WAITING now.
        """
        again: list[Task] = []
        seen = set()
        stack = list(tasks)
        while stack:
            task = stack.pop()
            if task in seen:
                continue
            seen.add(task)
            standing = self.standing(task)
            if standing == FORGOTTEN:
                self.move(task, "needed again")
                again.append(task)
            if standing in (WAITING, READY, FORGOTTEN):
                stack.extend(self._read_tasks(task))
        return again

    def _read_tasks(self, task: Task) -> Iterator[Task]:
        """The tasks whose artifacts a task reads."""
        key = PhaseKey(task.role, task.round)
        for read in self.plan.inputs(key):
            yield from self.plan.tasks(read)
        for owner in self._states_read(key):
            yield from self._state_tasks(owner)
        before = self.plan.previous(key)
        if before is not None:
            yield from self._state_tasks(Task(before.role, before.round, task.partition))

    def _state_tasks(self, owner: Task) -> Iterator[Task]:
        """The tasks whose artifacts hold the state after a task; the task itself if that is unknown."""
        chain = self.chain_after(owner)
        rounds = (owner.round,) if chain is None else chain
        return (Task(owner.role, round, owner.partition) for round in rounds)

    # Cuts

    def pin(self, cuts: list[Cut]) -> None:
        """Keep exactly these cuts."""
        self.cuts = cuts
        self._pinned = frozenset().union(*(cut.tasks for cut in cuts))

    def cut_tasks(self, round: int) -> frozenset[Task]:
        """The artifacts of rounds <= round that later rounds may read, and those that hold each partition's newest state."""
        found: set[Task] = set()
        for role in self.plan.always:
            key = PhaseKey(role, self.plan.newest(role, round))
            read_later = any(reader.round > round for reader in self.plan.read_by(key))
            phase = self.phases[key]
            for task in self.plan.tasks(key):
                chain = phase.chains.get(task.partition, ())
                if read_later or phase.holds or chain:
                    found.add(task)
                found.update(Task(role, at, task.partition) for at in chain)
        return frozenset(task for task in found if self.standing(task) == PRESENT)

    def prune(self) -> None:
        """Drop the memory of phases from before the oldest cut that is kept."""
        if len(self.cuts) < 2:
            return
        oldest = self.cuts[0].round
        for key in [key for key, phase in self.phases.items() if key.round < oldest and not phase.counts[PRESENT] and phase.done]:
            if not self.plan.roles[key.role].every > 1 or self.plan.newest(key.role, oldest) != key.round:
                del self.phases[key]
                self._chained.pop(key, None)
