"""The coordinator: `handle(event, now) -> actions`. It decides who does what next, and nothing else.

RULES OF THE ROOM
  - Nothing here waits, reads a clock, or touches a file: time is an argument, and actions are values.
  - A worker and an attempt are identities that are used once. An answer from an attempt that is no longer under way is
    therefore "already decided": what it wrote is thrown away, and no state is needed for it.
  - A lost worker costs its attempts and nothing more, without limit. A task that raises is tried once more in another
    process and then fails the run. The two budgets never mix.
  - Actions are performed in their order. Commit comes before every Start that reads what it publishes, Record before the Forget
    of what it makes superfluous.
  - What happens in a round that may turn out never to have happened cannot fail the run before that is decided.

Who does what: `ledger` remembers, `retention` says what is kept, `losses` what is run again, `keeping` what follows for artifacts
and cuts; `cuts` and `checks` keep their own small books; `crew` knows the workers, `queue` what can be started, `opening` which
rounds there are, `budgets` what went wrong, `memory` how many may run at a time, `disputes` who is to blame when attempts differ,
`pausing` how a run ends for now; `assigning` gives out the work, and `policy` holds the small decisions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from regrow.coordinator.actions import Action, Commit, Discard, DropCut, Fail, Finish, Pause, Record, Release, Replace, Tell
from regrow.coordinator.assigning import Assigning
from regrow.coordinator.budgets import Budgets
from regrow.coordinator.checks import Checks
from regrow.coordinator.crew import Crew, Running
from regrow.coordinator.cuts import Cut, Cuts
from regrow.coordinator.disputes import Disputes
from regrow.coordinator.events import (
    ArtifactsLost,
    AttemptDone,
    AttemptFailed,
    CutFailed,
    CutMade,
    Event,
    Receipt,
    Saved,
    StopAsked,
    Tick,
    WorkerDraining,
    WorkerJoined,
    WorkerLost,
)
from regrow.coordinator.keeping import Keeping
from regrow.coordinator.ledger import PRESENT, RUNNING, Ledger, Phase
from regrow.coordinator.memory import Memory
from regrow.coordinator.opening import Rounds
from regrow.coordinator.pausing import Pausing
from regrow.coordinator.plan import Plan, Task
from regrow.coordinator.policy import Limits
from regrow.coordinator.queue import Queue
from regrow.coordinator.retention import Retention

__all__ = ["Machine"]


class Machine:
    """The state of one run. `begin` once, then `handle` for every event, until `ended`."""

    def __init__(self, plan: Plan, limits: Limits | None = None, *, verify: bool = True, verify_all: bool = False) -> None:
        self.plan = plan
        self.limits = limits or Limits()
        self.ended = False
        self._without_workers: float | None = 0.0
        """Since when there are no workers; None: it was told."""
        self.ledger = Ledger(plan)
        self.cuts = Cuts(self.limits.cut_every_seconds)
        self.checks = Checks(self.ledger, wanted=verify or verify_all, everything=verify_all)
        self.crew = Crew(self.checks)
        self.retention = Retention(self.ledger, self.cuts, self.checks)
        self.queue = Queue(self.ledger, self.crew.machines)
        self.rounds = Rounds(self.ledger, self.queue, self.limits.run_ahead_rounds)
        self.keeping = Keeping(self.retention, self.rounds)
        self.pausing = Pausing(self.keeping, self.limits)
        self.budgets = Budgets(self.ledger, self.limits)
        self.memory = Memory(self.limits)
        self.disputes = Disputes(self.ledger, self.crew)
        self.assigning = Assigning(self.ledger, self.crew, self.queue, self.checks, self.budgets, self.memory, self.limits)
        self._handlers = {
            WorkerJoined: self._joined,
            WorkerDraining: self._draining,
            WorkerLost: self._lost,
            AttemptDone: self._done,
            AttemptFailed: self._failed,
            ArtifactsLost: self._artifacts_lost,
            CutMade: self._cut_made,
            CutFailed: self._cut_failed,
            Saved: self._saved,
            StopAsked: self._stop_asked,
            Tick: self._tick,
        }

    @property
    def workers(self) -> dict[str, float]:
        """Worker -> when it joined."""
        return self.crew.workers

    @property
    def running(self) -> dict[str, Running]:
        """Worker -> the attempt that it is at."""
        return self.crew.running

    @property
    def finishing(self) -> bool:
        """Whether the last round is known and complete, and only the roles that run last are left."""
        return self.rounds.finishing

    # The two verbs

    def begin(
        self,
        now: float,
        present: Mapping[Task, Receipt] | None = None,
        records: Iterable[Record] = (),
        cuts: Iterable[Cut] = (),
    ) -> list[Action]:
        """Start from nothing, or from what an earlier coordinator left: artifacts, records of complete phases, cuts."""
        actions: list[Action] = list(self.rounds.restore(present or {}, records))
        whole = {task for task in present or {} if self.ledger.standing(task) == PRESENT}
        actions.extend(DropCut(cut.round) for cut in self.cuts.restore(cuts, whole, now))
        actions.extend(self.rounds.advance())
        self._without_workers = now
        self._advance(now, actions)
        return actions

    def handle(self, event: Event, now: float) -> list[Action]:
        """What to do about an event. Raises ValueError, and changes nothing, for one that cannot be."""
        if self.ended:
            return []
        handler = self._handlers.get(type(event))
        if handler is None:
            raise ValueError(f"{event!r} is no event")
        actions: list[Action] = []
        handler(event, now, actions)  # type: ignore[operator]
        if not self.ended:
            self._advance(now, actions)
        return actions

    # Workers

    def _joined(self, event: WorkerJoined, now: float, actions: list[Action]) -> None:
        self.crew.join(event.worker, now, checks=event.checks, machine=event.machine)
        self.crew.tidy(phase.makers for phase in self.ledger.phases.values())
        cpu = self.disputes.joined(event.worker, event.environment)
        facts = {"worker": event.worker, "workers": len(self.workers), "checks": event.checks}
        actions.append(Tell("worker joined", facts | ({"another_cpu": cpu} if cpu else {})))

    def _draining(self, event: WorkerDraining, now: float, actions: list[Action]) -> None:
        if event.worker not in self.workers:
            return
        run = self.running.get(event.worker)
        finishes, why = self.assigning.finishes(run, now, event.notice_seconds) if run else (True, "it is idle")
        actions.append(Tell("worker draining", {"worker": event.worker, "cause": event.cause, "why": why}))
        self.crew.retire(event.worker)
        if run is None:
            self._leave(event.worker, actions)
        elif not finishes:
            self._free(event.worker, actions)
            actions += [Release(event.worker), Discard(run.attempt)]
            self.budgets.handed_back(run.attempt.task, why)
            self._give_back(run)

    def _leave(self, worker: str, actions: list[Action]) -> None:
        """A drained worker has nothing left to do."""
        self.crew.leave(worker)
        actions.append(Tell("worker left", {"worker": worker, "workers": len(self.workers)}))

    def _lost(self, event: WorkerLost, now: float, actions: list[Action]) -> None:
        if event.worker not in self.workers:
            return
        lived = now - self.workers[event.worker]
        others, run = self.crew.others_at_work(event.worker), self._end_attempt(event.worker)
        self.crew.leave(event.worker)
        facts = {"worker": event.worker, "cause": event.cause, "workers": len(self.workers)}
        actions.append(Tell("worker lost", facts | {"kind": event.kind} | ({"attempt": str(run.attempt)} if run else {})))
        if run is None:
            self.memory.other_loss()
            return
        actions.append(Discard(run.attempt))
        task, parked = run.attempt.task, False
        if event.kind == "crash" and self._undecided(run):
            parked = self._count_failure(task, event.worker, event.cause, actions)
        elif event.kind in ("memory", "killed"):
            self._suspect_memory(event, task, others, now, actions)
        else:
            self.memory.other_loss()
        if event.kind in ("loss", "killed"):
            actions.extend(self.assigning.advise(run, lived, now))
        if event.kind != "crash" and not run.checks and self.ledger.standing(task) == RUNNING:
            self.budgets.lost(task, event.cause)
        self._give_back(run, parked=parked)

    def _suspect_memory(self, event: WorkerLost, task: Task, others: int, now: float, actions: list[Action]) -> None:
        """A worker was killed for memory; or perhaps it was."""
        if event.kind == "memory":
            found = self.memory.killed(task, others, now, event.cause)
        else:
            found = self.memory.suspect(task, others, len(self.workers), now, event)
        self._extend(actions, found)

    def _extend(self, actions: list[Action], more: Iterable[Action]) -> None:
        """Add actions; one that ends the run does so."""
        for action in more:
            if isinstance(action, Pause):
                self._end(action, actions)
            else:
                actions.append(action)

    def _end_attempt(self, worker: str) -> Running | None:
        """A worker is no longer at its attempt, which is returned."""
        run = self.crew.ended(worker)
        if run is not None and self.checks.holding and not self.crew.others_at(run.attempt.task) and self.checks.let_go(run.attempt.task):
            self.retention.due = True
        return run

    def _give_back(self, run: Running, *, parked: bool = False) -> None:
        """An attempt ended without a commit: its task can be taken again, unless another attempt is still under way."""
        task = run.attempt.task
        if run.checks:
            self.checks.give_back(task)
        elif self.ledger.standing(task) == RUNNING and not self.crew.others_at(task):
            self.ledger.move(task, "attempt ended")
            self.queue.push(task, parked=parked)

    def _free(self, worker: str, actions: list[Action]) -> None:
        """A worker has ended its attempt; it is idle again, or leaves if it drains."""
        self._end_attempt(worker)
        if worker in self.crew.leaving:
            self._leave(worker, actions)
        else:
            self.crew.rest(worker)

    # Attempts

    def _done(self, event: AttemptDone, now: float, actions: list[Action]) -> None:
        run = self.running.get(event.worker)
        if run is None or run.attempt != event.attempt:
            actions.append(Discard(event.attempt))
            return
        self._free(event.worker, actions)
        task, receipt = event.attempt.task, event.receipt
        phase = self.ledger.find(task[:2])
        known = None if phase is None else phase.digests[task.partition]
        self.assigning.ended(run, now)
        if self.disputes.open is not None and self.disputes.open.task == task and run.checks:
            self._extend(actions, self.disputes.add(event.attempt, event.worker, receipt.digest))
            self._end(self.disputes.verdict(), actions)
        elif known is not None and known != receipt.digest:
            if self.disputes.open is None:
                actions.extend(self.disputes.begin(event.attempt, event.worker, known, receipt.digest))
            actions.append(Discard(event.attempt))
        elif run.checks:
            actions.append(Discard(event.attempt))
            self._repeated(task, actions)
        elif phase is None or task.round > self.ledger.end or phase.standing[task.partition] != RUNNING:
            actions.append(Discard(event.attempt))
        else:
            self._commit(phase, event, now, actions)

    def _commit(self, phase: Phase, event: AttemptDone, now: float, actions: list[Action]) -> None:
        task, receipt = event.attempt.task, event.receipt
        actions.append(Commit(event.attempt))
        if phase.digests[task.partition] is not None:
            self.keeping.redone[task] = now
        self.ledger.commit_in(phase, task.partition, receipt, maker=event.worker)
        self.budgets.committed(task)
        self.memory.committed(task)
        self.checks.choose(task)
        if receipt.stop and task.round < self.ledger.end:
            self._shorten(task, actions)
        if phase.done:
            self.retention.due = True
            actions.extend(self.rounds.phase_done(phase))
        if phase.present:
            self.rounds.phase_present(phase.key)
        self.rounds.let_state_on(task)

    def _shorten(self, task: Task, actions: list[Action]) -> None:
        """A task has said that the run ends with its round: later rounds never happened."""
        self.ledger.shorten(task.round)
        self.checks.drop_after(task.round)
        if self.cuts.pending is not None and self.cuts.pending >= task.round:
            self.cuts.pending = None
        actions.append(Tell("stop", {"task": str(task), "last_round": task.round}))

    def _repeated(self, task: Task, actions: list[Action]) -> None:
        if task in self.checks.unverified:
            self.checks.verified(task)
            self.retention.due = True
            actions.append(Tell("task repeated", {"task": str(task), "same": True}))

    def _failed(self, event: AttemptFailed, now: float, actions: list[Action]) -> None:
        run = self.running.get(event.worker)
        if run is None or run.attempt != event.attempt:
            return
        others = self.crew.others_at_work(event.worker)
        self._free(event.worker, actions)
        actions.append(Discard(event.attempt))
        task, parked = event.attempt.task, False
        if event.kind == "environment":
            self._end(Pause(event.cause), actions)
        elif event.kind == "prepared":
            self._end(Fail("prepared", event.cause), actions)
        elif event.kind == "memory":
            self.budgets.handed_back(task, event.cause)
            self._extend(actions, self.memory.killed(task, others, now, event.cause))
        elif event.kind == "handed back":
            self.budgets.handed_back(task, event.cause)
        elif event.kind in ("program", "data"):
            if event.kind == "program" and event.worker in self.workers:
                self.crew.retire(event.worker)
                actions.append(Replace(event.worker))
            parked = self._undecided(run) and self._count_failure(task, event.worker, event.cause, actions, data=event.kind == "data")
        elif event.kind == "inputs" and self.ledger.startable(task) and not self._known(event.lost):
            parked = self._count_failure(task, event.worker, f"nothing that it reads is lost, yet: {event.cause}", actions)
        self._give_back(run, parked=parked)
        if event.kind == "inputs":
            lost = [found for found in event.lost if self.keeping.is_news(found, run.began)]
            actions.extend(self.keeping.lose(lost, event.cause))

    def _undecided(self, run: Running) -> bool:
        """Whether it matters how an attempt ends: not if another one has won already."""
        return run.checks or self.ledger.standing(run.attempt.task) == RUNNING

    def _known(self, tasks: Iterable[Task]) -> bool:
        """Whether any of these artifacts exists as far as is known."""
        return any(self.ledger.standing(task) == PRESENT for task in tasks)

    def _count_failure(self, task: Task, worker: str, cause: str, actions: list[Action], *, data: bool = False) -> bool:
        """Note that a task raised. Returns whether it is set aside until it is known whether its round happens at all."""
        failure, aside, why = self.budgets.failed(task, worker, cause, data=data)
        actions.append(Tell("attempt failed", {"task": str(task), "worker": worker, "cause": cause, "then": why}))
        if failure is not None:
            self._end(failure, actions)
        return aside

    # Artifacts and cuts

    def _artifacts_lost(self, event: ArtifactsLost, now: float, actions: list[Action]) -> None:
        actions.extend(self.keeping.lose(event.tasks, event.cause))

    def _cut_made(self, event: CutMade, now: float, actions: list[Action]) -> None:
        actions.extend(self.keeping.cut_answered(event.round, now, success=True))
        self.pausing.saved()

    def _cut_failed(self, event: CutFailed, now: float, actions: list[Action]) -> None:
        actions.append(Tell("cut failed", {"round": event.round, "cause": event.cause}))
        actions.extend(self.keeping.cut_answered(event.round, now, success=False))
        self.pausing.saved()

    def _saved(self, event: Saved, now: float, actions: list[Action]) -> None:
        if event.cause:
            actions.append(Tell("not durable", {"cause": event.cause}))
        self.pausing.saved()

    # The end

    def _advance(self, now: float, actions: list[Action]) -> None:
        """What follows of itself: what nobody needs goes, the end, a due cut, work for the idle."""
        if self.retention.due:
            actions.extend(self.retention.sweep())
        if self.disputes.open is not None:
            self._settle(now, actions)
            return
        if self.pausing.since is not None:
            self._extend(actions, self.pausing.advance(now, len(self.running)))
            return
        if self.ledger.floor > self.ledger.end and self._over(now):
            self._end(Finish(self.ledger.end), actions)
            return
        if self.checks.workers and self.checks.over():
            self._release_checkers(actions)
        if self.cuts.pending is not None or self.cuts.due(now):
            actions.extend(self.keeping.cut(now))
        if self.crew.idle or self.checks.queue or self.memory.allowed is not None:
            actions.extend(self.assigning.assign(now))

    def _settle(self, now: float, actions: list[Action]) -> None:
        """Attempts differ: nothing is begun but the third one, which says who is to blame."""
        task = self.disputes.open.task if self.disputes.open else None
        if task is None or any(run.checks and run.attempt.task == task for run in self.running.values()):
            return
        worker, pays = self.disputes.third() if self.pausing.since is None else (None, False)
        if worker is not None:
            actions.extend(self.assigning.third_attempt(worker, task, now))
        elif not pays:
            self._end(self.disputes.verdict(), actions)

    def _release_checkers(self, actions: list[Action]) -> None:
        """Those who only check are idle for good."""
        self.checks.released = True
        for worker in [worker for worker, idle in self.checks.workers.items() if idle]:
            actions.append(Release(worker))
            self._leave(worker, actions)

    def _over(self, now: float) -> bool:
        """Whether everything is done and checked."""
        if not self.rounds.finished():
            return False
        if self.checks.unverified and self.checks.alone_since is None:
            self.checks.alone_since = now
        return not self.checks.unverified

    def _end(self, action: Finish | Fail | Pause, actions: list[Action]) -> None:
        if not self.ended:
            self.ended = True
            actions.append(action)

    def _tick(self, event: Tick, now: float, actions: list[Action]) -> None:
        if self.pausing.since is None and self.disputes.open is None:
            actions.extend(self.assigning.back_up(now))
        if self.crew.slots:
            self._without_workers = now
        elif self._without_workers is not None and now - self._without_workers >= self.limits.workers_wait_seconds:
            self._without_workers = None
            actions.append(Tell("waiting for workers", {}))

    def _stop_asked(self, event: StopAsked, now: float, actions: list[Action]) -> None:
        actions.extend(self.pausing.ask(now, event.cause, len(self.running)))
