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

Who does what: `ledger` remembers, `retention` says what is kept, `losses` what is run again, `cuts` and `checks` keep their own
small books, `crew` knows the workers, `queue` what can be started, `opening` which rounds there are, `policy` holds the small decisions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from regrow.coordinator.actions import Action, Commit, Discard, DropCut, Fail, Finish, MakeCut, Pause, Record, Replace, Start, Tell
from regrow.coordinator.checks import Checks
from regrow.coordinator.crew import Crew, Running
from regrow.coordinator.cuts import Cut, Cuts
from regrow.coordinator.events import (
    ArtifactsLost,
    AttemptDone,
    AttemptFailed,
    CutFailed,
    CutMade,
    Event,
    Receipt,
    StopAsked,
    Tick,
    WorkerDraining,
    WorkerJoined,
    WorkerLost,
)
from regrow.coordinator.ledger import PRESENT, RUNNING, Ledger
from regrow.coordinator.losses import want
from regrow.coordinator.opening import Rounds
from regrow.coordinator.plan import Attempt, PhaseKey, Plan, Task
from regrow.coordinator.policy import Limits, Pace, backup_due, failed_for_good, pick_worker
from regrow.coordinator.queue import Queue
from regrow.coordinator.retention import Retention

__all__ = ["Machine"]


class Machine:
    """The state of one run. `begin` once, then `handle` for every event, until `ended`."""

    def __init__(self, plan: Plan, limits: Limits | None = None, *, verify: bool = True) -> None:
        self.plan = plan
        self.limits = limits or Limits()
        self.ended = False
        self.stopping: float | None = None
        self.ledger = Ledger(plan)
        self.cuts = Cuts(self.limits.cut_every_seconds)
        self.checks = Checks(self.ledger, wanted=verify)
        self.crew = Crew(self.checks)
        self.retention = Retention(self.ledger, self.cuts, self.checks)
        self.queue = Queue(self.ledger)
        self.rounds = Rounds(self.ledger, self.queue, self.limits.run_ahead_rounds)
        self._losses: dict[Task, int] = {}
        self._failures: dict[Task, list[str]] = {}
        self._avoid: dict[Task, set[str]] = {}
        self._redone: dict[Task, float] = {}
        """Artifacts that were committed more than once -> when last: what was said of an earlier one does not count."""
        self._paces: dict[str, Pace] = {name: Pace() for name in plan.roles}
        self._reason_to_stop = ""
        self._handlers = {
            WorkerJoined: self._joined,
            WorkerDraining: self._draining,
            WorkerLost: self._lost,
            AttemptDone: self._done,
            AttemptFailed: self._failed,
            ArtifactsLost: self._artifacts_lost,
            CutMade: self._cut_made,
            CutFailed: self._cut_failed,
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
        self._advance(now, actions)
        return actions

    def handle(self, event: Event, now: float) -> list[Action]:
        """What to do about an event. Raises ValueError, and changes nothing, for one that cannot be."""
        if self.ended:
            return []
        actions: list[Action] = []
        self._handlers[type(event)](event, now, actions)  # type: ignore[operator]
        if not self.ended:
            self._advance(now, actions)
        return actions

    # Workers

    def _joined(self, event: WorkerJoined, now: float, actions: list[Action]) -> None:
        self.crew.join(event.worker, now, checks=event.checks)
        actions.append(Tell("worker joined", {"worker": event.worker, "workers": len(self.workers), "checks": event.checks}))

    def _draining(self, event: WorkerDraining, now: float, actions: list[Action]) -> None:
        if event.worker not in self.workers:
            return
        busy = event.worker in self.running
        actions.append(Tell("worker draining", {"worker": event.worker, "busy": busy}))
        self.crew.retire(event.worker)
        if not busy:
            self._leave(event.worker, actions)

    def _leave(self, worker: str, actions: list[Action]) -> None:
        """A drained worker has nothing left to do."""
        self.crew.leave(worker)
        actions.append(Tell("worker left", {"worker": worker, "workers": len(self.workers)}))

    def _lost(self, event: WorkerLost, now: float, actions: list[Action]) -> None:
        if event.worker not in self.workers:
            return
        run = self.crew.ended(event.worker)
        self.crew.leave(event.worker)
        facts = {"worker": event.worker, "cause": event.cause, "workers": len(self.workers)}
        actions.append(Tell("worker lost", facts | ({"attempt": str(run.attempt)} if run else {})))
        if run is None:
            return
        actions.append(Discard(run.attempt))
        if event.crashed:
            self._give_back(run, parked=self._count_failure(run.attempt.task, event.worker, event.cause, actions))
        else:
            self._losses[run.attempt.task] = self._losses.get(run.attempt.task, 0) + 1
            self._give_back(run)

    def _give_back(self, run: Running, *, parked: bool = False) -> None:
        """An attempt ended without a commit: its task can be taken again, unless another attempt is still under way."""
        task = run.attempt.task
        if run.checks:
            self.checks.give_back(task)
        elif self.ledger.standing(task) == RUNNING and not self.crew.under_way(task):
            self.ledger.move(task, "attempt ended")
            self.queue.push(task, parked=parked)

    def _free(self, worker: str, actions: list[Action]) -> None:
        """A worker has ended its attempt; it is idle again, or leaves if it drains."""
        self.crew.ended(worker)
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
        known = self.ledger.phases[PhaseKey(task.role, task.round)].digests.get(task.partition)
        if not run.checks:
            self._paces[task.role].add(now - run.began)
        if known is not None and known != receipt.digest:
            self._differs(task, known, receipt.digest, actions)
        elif run.checks:
            actions.append(Discard(event.attempt))
            self._repeated(task, actions)
        elif task.round > self.ledger.end or self.ledger.standing(task) != RUNNING:
            actions.append(Discard(event.attempt))
        else:
            self._commit(event.attempt, receipt, now, again=known is not None, actions=actions)

    def _commit(self, attempt: Attempt, receipt: Receipt, now: float, *, again: bool, actions: list[Action]) -> None:
        task = attempt.task
        actions.append(Commit(attempt))
        phase = self.ledger.commit(task, receipt)
        for forgetful in (self._losses, self._failures, self._avoid):
            forgetful.pop(task, None)
        if again:
            self._redone[task] = now
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

    def _differs(self, task: Task, known: str, found: str, actions: list[Action]) -> None:
        reason = (
            f'two attempts of role "{task.role}", partition {task.partition}, round {task.round} differ: digests {known} and {found}. '
            "The task read a clock, a random number of its own, the order of a set, or an input that changed"
        )
        self._end(Fail("nondeterministic", reason), actions)

    def _failed(self, event: AttemptFailed, now: float, actions: list[Action]) -> None:
        run = self.running.get(event.worker)
        if run is None or run.attempt != event.attempt:
            return
        self._free(event.worker, actions)
        actions.append(Discard(event.attempt))
        task, parked = event.attempt.task, False
        if event.kind == "environment":
            self._end(Pause(event.cause), actions)
        elif event.kind in ("program", "data"):
            if event.kind == "program" and event.worker in self.workers:
                self.crew.retire(event.worker)
                actions.append(Replace(event.worker))
            parked = self._count_failure(task, event.worker, event.cause, actions, data=event.kind == "data")
        self._give_back(run, parked=parked)
        if event.kind == "inputs":
            lost = [found for found in event.lost if self._redone.get(found, run.began - 1) < run.began]
            self._lose(lost, event.cause, actions)

    def _count_failure(self, task: Task, worker: str, cause: str, actions: list[Action], *, data: bool = False) -> bool:
        """Note that a task raised. Returns whether it is set aside until it is known whether its round happens at all."""
        self._failures.setdefault(task, []).append(cause)
        self._avoid.setdefault(task, set()).add(worker)
        over, why = (True, "refused the data") if data else failed_for_good(self._failures[task], self.limits)
        happens = task.round <= self.ledger.first_undecided()
        if over and not happens:
            why = "set aside: the run may end before this round"
        actions.append(Tell("attempt failed", {"task": str(task), "worker": worker, "cause": cause, "then": why}))
        if over and happens:
            where = f'role "{task.role}", partition {task.partition}, round {task.round} {why}'
            self._end(Fail("data", cause) if data else Fail("program", f"{where}\n{cause}"), actions)
        return over and not happens

    # Losses of artifacts

    def _artifacts_lost(self, event: ArtifactsLost, now: float, actions: list[Action]) -> None:
        self._lose(event.tasks, event.cause, actions)

    def _lose(self, lost: Iterable[Task], cause: str, actions: list[Action]) -> None:
        """These artifacts exist no more: run again what is needed to have them. Those that are forgotten anyway stay so."""
        ledger = self.ledger
        gone = [task for task in dict.fromkeys(lost) if ledger.standing(task) == PRESENT]
        if not gone:
            return
        needed = set(self.retention.needed(gone))
        for task in gone:
            ledger.move(task, "artifact lost" if task in needed else "no longer needed")
            ledger.touch(PhaseKey(task.role, task.round))
        broken = self.cuts.lose(set(gone))
        again = want(ledger, needed)
        facts = {"artifacts": [str(task) for task in gone], "cause": cause, "tasks_again": len(again) + len(needed)}
        actions.append(Tell("artifacts lost", facts | ({"cuts_dropped": [cut.round for cut in broken]} if broken else {})))
        actions.extend(DropCut(cut.round) for cut in broken)
        self.rounds.try_phases({PhaseKey(task.role, task.round) for task in (*needed, *again)})
        self.retention.due = True
        for cut in broken:
            actions.extend(self.retention.forget(sorted(cut.tasks)))

    # Cuts

    def _cut(self, now: float, actions: list[Action]) -> None:
        """Want a cut when it is time; ask for it when its round is complete and everything in it is there."""
        ledger, cuts = self.ledger, self.cuts
        if cuts.due(now) and ledger.opened - 1 < ledger.end:
            cuts.pending = ledger.opened - 1
        round = cuts.pending
        if round is None or cuts.making is not None or not round < ledger.floor <= ledger.end or ledger.undone_before(round):
            return
        tasks = self.retention.cut_tasks(round)
        cuts.begin(Cut(round, tasks))
        self.retention.due = True
        actions.append(MakeCut(round, tuple(sorted(tasks))))

    def _cut_made(self, event: CutMade, now: float, actions: list[Action]) -> None:
        self._cut_answered(event, now, actions)

    def _cut_failed(self, event: CutFailed, now: float, actions: list[Action]) -> None:
        actions.append(Tell("cut failed", {"round": event.round, "cause": event.cause}))
        self._cut_answered(event, now, actions)

    def _cut_answered(self, event: CutMade | CutFailed, now: float, actions: list[Action]) -> None:
        success = isinstance(event, CutMade)
        if self.cuts.making is None or self.cuts.making.round != event.round:
            if success:
                actions.append(DropCut(event.round))
            return
        new, over = self.cuts.finish(now, success=success)
        actions.extend(DropCut(cut.round) for cut in over)
        if new is not None:
            actions.append(Tell("cut made", {"round": new.round, "artifacts": len(new.tasks)}))
        for cut in over:
            actions.extend(self.retention.forget(sorted(cut.tasks)))
        if new is not None and len(self.cuts.made) > 1:
            self.ledger.prune(self.cuts.made[0].round)
            for task in [task for task in self._redone if task.round < self.cuts.made[0].round]:
                del self._redone[task]

    # The end

    def _advance(self, now: float, actions: list[Action]) -> None:
        """What follows of itself: what nobody needs goes, the end, a due cut, work for the idle."""
        if self.retention.due:
            actions.extend(self.retention.sweep())
        if self.stopping is not None:
            if not self.running or now - self.stopping >= self.limits.stop_wait_seconds:
                self._end(Pause(self._reason_to_stop), actions)
            return
        if self.ledger.floor > self.ledger.end and self._over(now):
            self._end(Finish(self.ledger.end), actions)
            return
        self._cut(now, actions)
        self._assign(now, actions)

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

    def _stop_asked(self, event: StopAsked, now: float, actions: list[Action]) -> None:
        if self.stopping is None:
            self.stopping = now
            self._reason_to_stop = event.cause
            actions.append(Tell("stop asked", {"cause": event.cause, "under_way": len(self.running)}))

    # Who does what next

    def _assign(self, now: float, actions: list[Action]) -> None:
        self._assign_checks(now, actions)
        self.queue.take_aside()
        held: list[Task] = []
        while self.crew.idle and (task := self.queue.pop()) is not None:
            worker, why = pick_worker(self.crew.idle, self._avoid.get(task, ()), self._losses.get(task, 0))
            if worker is None:
                held.append(task)
                continue
            if task in self._losses or task in self._failures:
                actions.append(Tell("task redone", {"task": str(task), "worker": worker, "why": why}))
            self.ledger.move(task, "started")
            self._start(worker, task, now, actions)
        for task in held:
            self.queue.push(task)

    def _start(self, worker: str, task: Task, now: float, actions: list[Action], *, checks: bool = False, backup: bool = False) -> None:
        attempt = Attempt(task, self.ledger.next_number(task))
        self.crew.start(worker, Running(attempt, now, checks, backup))
        actions.append(Start(worker, attempt, self.ledger.chain_before(task) or ()))

    def _assign_checks(self, now: float, actions: list[Action]) -> None:
        if not self.checks.queue:
            return
        free = [worker for worker, idle in self.checks.workers.items() if idle]
        alone = self.checks.alone_since
        if not self.checks.workers and alone is not None and now - alone >= self.limits.checker_wait_seconds:
            free = list(self.crew.idle)[: len(self.checks.queue)]
        for worker in free:
            task = self.checks.next()
            if task is not None:
                self._start(worker, task, now, actions, checks=True)

    def _tick(self, event: Tick, now: float, actions: list[Action]) -> None:
        """Give a slow task to an idle worker as well: the first that commits wins, and both would write the same."""
        if self.queue.waiting or self.stopping is not None:
            return
        for run in list(self.running.values()):
            if not self.crew.idle or now - run.began <= self.limits.backup_elapsed_seconds_min:
                return
            task = run.attempt.task
            if run.checks or task in self.crew.backups or self.ledger.standing(task) != RUNNING or task.round > self.ledger.end:
                continue
            due, why = backup_due(now - run.began, self._paces[task.role], len(self.crew.backups), self.crew.slots, self.limits)
            if due and self.rounds.startable(task):
                worker = next(reversed(self.crew.idle))
                actions.append(Tell("backup attempt", {"task": str(task), "worker": worker, "why": why}))
                self._start(worker, task, now, actions, backup=True)
