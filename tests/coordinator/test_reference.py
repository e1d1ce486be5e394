"""The coordinator against a tiny reference, written from the page and not from the code.

What the page says of an attempt: it starts on a worker that is there and at nothing, when all that its task reads is committed and
exists; the first to be done is committed; the answer of one that is not under way is thrown away; a lost worker costs its attempts,
an exception a second try and then the run; what is lost is done again; what somebody will read stays; nobody idles while there is work.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from regrow.coordinator.actions import Action, Commit, Fail, Finish, Forget, Replace, Start
from regrow.coordinator.events import (
    ArtifactsLost,
    AttemptDone,
    AttemptFailed,
    Event,
    Receipt,
    Tick,
    WorkerDraining,
    WorkerJoined,
    WorkerLost,
)
from regrow.coordinator.machine import Machine
from regrow.coordinator.plan import Attempt, Plan, Task
from regrow.coordinator.policy import Limits
from regrow.program import Role, Roles

ROUNDS = 4
PARTS = {"a": 3, "b": 2, "c": 2}
READS = {"a": [("c", -1)], "b": [("a", 0)], "c": [("b", 0), ("a", -1)]}
ALL = [Task(role, round, part) for round in range(ROUNDS) for role in PARTS for part in range(PARTS[role])]
FINAL = [task for task in ALL if task.role == "c" and task.round == ROUNDS - 1]


def inputs(task: Task) -> list[Task]:
    read = [(role, task.round + offset) for role, offset in READS[task.role] if task.round + offset >= 0]
    return [Task(role, round, part) for role, round in read for part in range(PARTS[role])]


class Reference(RuleBasedStateMachine):
    """What is there, who is at what, and what has gone wrong."""

    @initialize()
    def begin(self) -> None:
        roles = {role: Role(PARTS[role], reads=dict(READS[role])) for role in PARTS}
        self.machine = Machine(Plan(Roles(ROUNDS, **roles)), Limits(cut_every_seconds=0), verify=False)
        self.time = 0.0
        self.there: set[Task] = set()
        self.ever: set[Task] = set()
        self.idle: set[str] = set()
        self.busy: dict[str, Attempt] = {}
        self.leaving: set[str] = set()
        self.stale: list[tuple[str, Attempt]] = []
        self.raised: dict[Task, int] = {}
        self.seen: set[Attempt] = set()
        self.over: Action | None = None
        self.names = 0
        self.expect(self.machine.begin(0.0))

    def wanted(self) -> set[Task]:
        """What must still be run: what never was, results that are not there, and what those read, as far as it is not there."""
        found: set[Task] = set()
        stack = [task for task in ALL if task not in self.ever or (task in FINAL and task not in self.there)]
        while stack:
            task = stack.pop()
            if task not in found:
                found.add(task)
                stack += [read for read in inputs(task) if read not in self.there]
        return found

    def tell(self, event: Event, commits: tuple[Attempt, ...] = ()) -> None:
        self.time += 1
        self.expect(self.machine.handle(event, self.time), commits)

    def expect(self, actions: list[Action], commits: tuple[Attempt, ...] = ()) -> None:
        for action in actions:
            match action:
                case Commit(attempt):
                    assert attempt in commits
                    self.there.add(attempt.task)
                    self.ever.add(attempt.task)
                    self.raised.pop(attempt.task, None)
                case Start(worker, attempt):
                    assert worker in self.idle
                    assert attempt not in self.seen
                    assert set(inputs(attempt.task)) <= self.there
                    self.idle.remove(worker)
                    self.busy[worker] = attempt
                    self.seen.add(attempt)
                case Forget(tasks):
                    gone = self.there & set(tasks)  # the others were lost before
                    self.there -= gone
                    assert not self.wanted() & gone
                case Replace(worker):
                    self.idle.discard(worker)
                    self.leaving.add(worker)
                case Finish() | Fail():
                    self.over = action

    def at(self, choice: int) -> tuple[str, Attempt]:
        return sorted(self.busy.items())[choice % len(self.busy)]

    def release(self, worker: str) -> None:
        del self.busy[worker]
        if worker not in self.leaving:
            self.idle.add(worker)

    running = precondition(lambda self: self.over is None and self.busy)
    going = precondition(lambda self: self.over is None)

    @going
    @rule()
    def join(self) -> None:
        self.names += 1
        self.idle.add(f"w{self.names}")
        self.tell(WorkerJoined(f"w{self.names}"))

    @running
    @rule(choice=st.integers(0, 9))
    def finish_attempt(self, choice: int) -> None:
        worker, attempt = self.at(choice)
        self.release(worker)
        missing = attempt.task in self.wanted()
        may = () if attempt.task in self.there else (attempt,)
        self.tell(AttemptDone(worker, attempt, Receipt(str(attempt.task), holds=attempt.task.role == "c")), may)
        assert attempt.task in self.ever
        if missing:
            assert attempt.task in self.there or attempt.task not in self.wanted()
        self.stale.append((worker, attempt))

    @running
    @rule(choice=st.integers(0, 9))
    def lose_worker(self, choice: int) -> None:
        worker, attempt = self.at(choice)
        del self.busy[worker]
        self.tell(WorkerLost(worker, "killed"))
        self.stale.append((worker, attempt))

    @running
    @rule(choice=st.integers(0, 9))
    def drain(self, choice: int) -> None:
        worker, _ = self.at(choice)
        self.leaving.add(worker)
        self.tell(WorkerDraining(worker))

    @running
    @rule(choice=st.integers(0, 9))
    def raise_error(self, choice: int) -> None:
        worker, attempt = self.at(choice)
        if attempt.task not in self.wanted():
            return
        self.release(worker)
        self.idle.discard(worker)
        self.raised[attempt.task] = self.raised.get(attempt.task, 0) + 1
        self.tell(AttemptFailed(worker, attempt, "program", "ValueError"))
        assert isinstance(self.over, Fail) == (self.raised[attempt.task] >= 2)

    @precondition(lambda self: self.over is None and self.stale)
    @rule(choice=st.integers(0, 9))
    def answer_late(self, choice: int) -> None:
        worker, attempt = self.stale[choice % len(self.stale)]
        self.tell(AttemptDone(worker, attempt, Receipt("late")))

    @going
    @rule(choice=st.integers(0, 50), count=st.integers(1, 4))
    def lose_artifacts(self, choice: int, count: int) -> None:
        there = sorted(self.there)
        gone = [there[(choice + i) % len(there)] for i in range(min(count, len(there)))]
        self.there -= set(gone)
        self.tell(ArtifactsLost(tuple(gone), "removed"))

    @rule()
    def tick(self) -> None:
        """After the end nothing is asked for any more."""
        before = self.over
        self.tell(Tick())
        assert before in (None, self.over)

    @invariant()
    def nobody_idles_while_there_is_work(self) -> None:
        if self.over is None and self.idle:
            at = {attempt.task for attempt in self.busy.values()}
            oldest = min((task.round for task in ALL if task not in self.ever), default=ROUNDS)
            for task in self.wanted() - at:
                assert task.round > oldest or not set(inputs(task)) <= self.there, f"{task} could be run"

    @invariant()
    def the_run_ends_when_nothing_is_wanted_any_more(self) -> None:
        assert isinstance(self.over, Fail) or isinstance(self.over, Finish) == (not self.wanted())


TestReference = Reference.TestCase
TestReference.settings = settings(
    max_examples=100, stateful_step_count=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
