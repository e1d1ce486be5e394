"""The coordinator: `handle(event, now) -> actions`. It decides who does what next, and nothing else.

RULES OF THE FILE
  - Nothing here waits, reads a clock, or touches a file: time is an argument, and actions are values.
  - A worker and an attempt are identities that are used once. An answer from an attempt that is no longer under way is
    therefore "already decided": what it wrote is thrown away, and no state is needed for it.
  - A lost worker costs its attempts and nothing more, without limit. A task that raises is tried once more in another
    process and then fails the run. The two budgets never mix.
  - Actions are performed in their order. Commit comes before every Start that reads what it publishes.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from regrow.coordinator.actions import (
    Action,
    Commit,
    Discard,
    DropCut,
    Fail,
    Finish,
    MakeCut,
    Pause,
    Record,
    Replace,
    Start,
    Tell,
)
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
from regrow.coordinator.ledger import FORGOTTEN, PRESENT, READY, RUNNING, WAITING, Cut, Ledger, Phase
from regrow.coordinator.plan import Attempt, PhaseKey, Plan, Task
from regrow.coordinator.policy import Limits, Pace, backup_due, failed_for_good, pick_worker

__all__ = ["Machine"]


@dataclass(slots=True)
class Running:
    """An attempt under way."""

    attempt: Attempt
    began: float
    checks: bool = False
    backup: bool = False


class Machine:
    """The state of one run. `begin` once, then `handle` for every event, until `ended`."""

    def __init__(self, plan: Plan, limits: Limits | None = None, *, verify: bool = True) -> None:
        self.plan = plan
        self.limits = limits or Limits()
        self.ledger = Ledger(plan)
        self.ended = False
        self.finishing = False
        """Whether the last round is known and complete, and only the roles that run last are left."""
        self.stopping: float | None = None
        self.workers: dict[str, float] = {}
        self.running: dict[str, Running] = {}
        self._idle: dict[str, float] = {}
        self._checkers: dict[str, bool] = {}
        """Workers that only check, and whether each is idle."""
        self._draining: set[str] = set()
        self._ready: list[tuple[int, int, int, Task]] = []
        self._to_check: list[Task] = []
        self._numbers: dict[Task, int] = {}
        self._losses: dict[Task, int] = {}
        self._failures: dict[Task, list[str]] = {}
        self._avoid: dict[Task, set[str]] = {}
        self._paces: dict[str, Pace] = {name: Pace() for name in plan.roles}
        self._verify = verify
        self._last_cut: float = 0.0
        self._cutting: Cut | None = None
        self._reason_to_stop = ""
        self._handlers = {
            WorkerJoined: self._joined,
            WorkerDraining: self._is_draining,
            WorkerLost: self._lost,
            AttemptDone: self._done,
            AttemptFailed: self._failed,
            ArtifactsLost: self._artifacts_lost,
            CutMade: self._cut_made,
            CutFailed: self._cut_failed,
            StopAsked: self._stop_asked,
            Tick: self._tick,
        }

    # The two verbs

    def begin(
        self,
        now: float,
        present: Mapping[Task, Receipt] | None = None,
        records: Iterable[Record] = (),
        cuts: Iterable[Cut] = (),
    ) -> list[Action]:
        """Start from nothing, or from what an earlier coordinator left: artifacts, records of complete phases, cuts."""
        self._last_cut = now
        actions: list[Action] = []
        self._restore(present or {}, records, cuts)
        self._open_rounds(actions)
        self._rebuild((), "", actions)
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

    # Starting from what there is

    def _restore(self, present: Mapping[Task, Receipt], records: Iterable[Record], cuts: Iterable[Cut]) -> None:
        ledger = self.ledger
        for record in records:
            if record.phase.role not in self.plan.roles:
                continue
            phase = ledger.open_phase(record.phase, FORGOTTEN)
            phase.recorded, phase.stop, phase.holds = True, record.stop, record.holds
            if record.stateless:
                phase.chains = dict.fromkeys(range(phase.size), ())
            if record.stop:
                ledger.end = min(ledger.end, record.phase.round)
        for task, receipt in sorted(present.items(), key=lambda item: item[0].round):
            phase = ledger.open_phase(PhaseKey(task.role, task.round))
            if phase.standing[task.partition] == FORGOTTEN:
                ledger.move(task, "needed again")
            ledger.move(task, "inputs complete")
            ledger.move(task, "started")
            ledger.commit(task, receipt)
            if receipt.stop:
                ledger.end = min(ledger.end, task.round)
        rounds = [key.round for key in ledger.phases if key.role in self.plan.always]
        for round in range(max(rounds, default=-1) + 1):
            for key in self.plan.phases(round):
                ledger.open_phase(key)
            ledger.opened = round + 1
        ledger.pin([cut for cut in cuts if all(ledger.standing(task) == PRESENT for task in cut.tasks)][-2:])
        while ledger.floor < ledger.opened and self._round_recorded(ledger.floor):
            ledger.floor += 1

    def _round_recorded(self, round: int) -> bool:
        return all((phase := self.ledger.phases.get(key)) is not None and phase.recorded for key in self.plan.phases(round))

    # Workers

    def _joined(self, event: WorkerJoined, now: float, actions: list[Action]) -> None:
        if event.worker in self.workers:
            raise ValueError(f"worker {event.worker} joined twice")
        self.workers[event.worker] = now
        if event.checks:
            self._checkers[event.worker] = True
        else:
            self._idle[event.worker] = now
        actions.append(Tell("worker joined", {"worker": event.worker, "workers": len(self.workers), "checks": event.checks}))

    def _is_draining(self, event: WorkerDraining, now: float, actions: list[Action]) -> None:
        if event.worker not in self.workers:
            return
        self._draining.add(event.worker)
        self._idle.pop(event.worker, None)
        if event.worker in self._checkers:
            self._checkers[event.worker] = False
        actions.append(Tell("worker draining", {"worker": event.worker, "busy": event.worker in self.running}))
        if event.worker not in self.running:
            self._leave(event.worker, actions)

    def _leave(self, worker: str, actions: list[Action]) -> None:
        """A drained worker has nothing left to do."""
        del self.workers[worker]
        self._draining.discard(worker)
        self._checkers.pop(worker, None)
        actions.append(Tell("worker left", {"worker": worker, "workers": len(self.workers)}))

    def _lost(self, event: WorkerLost, now: float, actions: list[Action]) -> None:
        if event.worker not in self.workers:
            return
        del self.workers[event.worker]
        self._idle.pop(event.worker, None)
        self._draining.discard(event.worker)
        self._checkers.pop(event.worker, None)
        run = self.running.pop(event.worker, None)
        facts = {"worker": event.worker, "cause": event.cause, "workers": len(self.workers)}
        actions.append(Tell("worker lost", facts | ({"attempt": str(run.attempt)} if run else {})))
        if run is None:
            return
        actions.append(Discard(run.attempt))
        task = run.attempt.task
        if event.crashed:
            self._count_failure(task, event.worker, event.cause, actions)
        else:
            self._losses[task] = self._losses.get(task, 0) + 1
        self._give_back(run)

    def _give_back(self, run: Running) -> None:
        """An attempt ended without a commit: its task can be taken again, unless another attempt is still under way."""
        task = run.attempt.task
        if run.checks:
            self._to_check.append(task)
        elif self.ledger.standing(task) == RUNNING and not any(
            other.attempt.task == task and not other.checks for other in self.running.values()
        ):
            self.ledger.move(task, "attempt ended")
            self._push(task)

    def _free(self, worker: str, now: float, actions: list[Action]) -> Running | None:
        """The attempt that a worker was at, taken off it; the worker is idle again, or leaves if it drains."""
        run = self.running.pop(worker, None)
        if worker in self._draining:
            self._leave(worker, actions)
        elif worker in self._checkers:
            self._checkers[worker] = True
        elif worker in self.workers:
            self._idle[worker] = self.workers[worker]
        return run

    # Attempts

    def _done(self, event: AttemptDone, now: float, actions: list[Action]) -> None:
        run = self.running.get(event.worker)
        if run is None or run.attempt != event.attempt:
            actions.append(Discard(event.attempt))
            return
        self._free(event.worker, now, actions)
        task, receipt = event.attempt.task, event.receipt
        if not run.checks:
            self._paces[task.role].add(now - run.began)
        phase = self.ledger.phases[PhaseKey(task.role, task.round)]
        known = phase.digests.get(task.partition)
        if known is not None and known != receipt.digest:
            self._differs(task, known, receipt.digest, actions)
            return
        if run.checks or task.round > self.ledger.end or self.ledger.standing(task) != RUNNING:
            actions.append(Discard(event.attempt))
            self._checked(task, run, actions)
            return
        actions.append(Commit(event.attempt))
        self.ledger.commit(task, receipt)
        for forgetful in (self._losses, self._failures, self._avoid):
            forgetful.pop(task, None)
        self._choose_check(task)
        if receipt.stop and task.round < self.ledger.end:
            self._shorten(task, actions)
        if phase.done:
            self._phase_done(phase, now, actions)
        if phase.present:
            self._phase_present(phase.key)
        self._successor(task)

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
        self._free(event.worker, now, actions)
        actions.append(Discard(event.attempt))
        task = event.attempt.task
        if event.kind == "data":
            self._end(Fail("data", event.cause), actions)
        elif event.kind == "environment":
            self._end(Pause(event.cause), actions)
        elif event.kind == "program":
            self._count_failure(task, event.worker, event.cause, actions)
            if not self.ended:
                self._idle.pop(event.worker, None)
                actions.append(Replace(event.worker))
        self._give_back(run)
        if event.kind == "inputs" and (run.checks or self.ledger.standing(task) in (WAITING, READY)):
            self._rebuild(event.lost, event.cause, actions)

    def _count_failure(self, task: Task, worker: str, cause: str, actions: list[Action]) -> None:
        self._failures.setdefault(task, []).append(cause)
        self._avoid.setdefault(task, set()).add(worker)
        over, why = failed_for_good(self._failures[task], self.limits)
        actions.append(Tell("attempt failed", {"task": str(task), "worker": worker, "cause": cause, "then": why}))
        if over:
            where = f'role "{task.role}", partition {task.partition}, round {task.round} {why}'
            self._end(Fail("program", f"{where}\n{cause}"), actions)

    # Checking that the program is deterministic

    def _choose_check(self, task: Task) -> None:
        """In rounds 0 and 1 one partition of every role is run a second time."""
        chosen = task.round <= 1 and task.partition == self.plan.roles[task.role].partitions // 2
        if self._verify and chosen and task not in self.ledger.unverified and task not in self._to_check:
            self.ledger.unverified.add(task)
            self._to_check.append(task)

    def _checked(self, task: Task, run: Running, actions: list[Action]) -> None:
        if run.checks and task in self.ledger.unverified:
            self.ledger.unverified.discard(task)
            actions.append(Tell("task repeated", {"task": str(task), "same": True}))
            if not self.ledger.unverified:
                actions.extend(self.ledger.forget(list(self.ledger.phases)))

    # Phases and rounds

    def _phase_done(self, phase: Phase, now: float, actions: list[Action]) -> None:
        if not phase.recorded:
            actions.append(self.ledger.record(phase))
            self._advance_floor(now, actions)
        related = [phase.key, *self.plan.inputs(phase.key)]
        if (before := self.plan.previous(phase.key)) is not None:
            related.append(before)
            related.extend({PhaseKey(before.role, round) for chain in self._chains(before) for round in chain})
        actions.extend(self.ledger.forget(dict.fromkeys(related)))

    def _chains(self, key: PhaseKey) -> Iterable[tuple[int, ...]]:
        phase = self.ledger.phases.get(key)
        return set(phase.chains.values()) if phase else ()

    def _phase_present(self, key: PhaseKey) -> None:
        for reader in self.plan.read_by(key):
            self._try_phase(reader)
        if self.finishing:
            for role in self.plan.last:
                self._try_phase(PhaseKey(role, self.ledger.end))

    def _advance_floor(self, now: float, actions: list[Action]) -> None:
        ledger, before = self.ledger, self.ledger.floor
        while ledger.floor < ledger.opened and self._round_recorded(ledger.floor):
            ledger.floor += 1
        if ledger.floor == before:
            return
        actions.append(Tell("rounds complete", {"rounds": ledger.floor, "of": self.plan.rounds}))
        if ledger.pending_cut is not None and self._cutting is None and ledger.pending_cut < ledger.floor <= ledger.end:
            self._cutting = Cut(ledger.pending_cut, ledger.cut_tasks(ledger.pending_cut))
            actions.append(MakeCut(self._cutting.round, tuple(sorted(self._cutting.tasks))))
        self._open_rounds(actions)
        if self.plan.stoppers:
            actions.extend(ledger.forget([key for key in ledger.phases if before - 1 <= key.round < ledger.floor]))

    def _open_rounds(self, actions: list[Action]) -> None:
        ledger = self.ledger
        while ledger.opened <= min(ledger.end, ledger.floor + self.limits.run_ahead_rounds):
            keys = self.plan.phases(ledger.opened)
            for key in keys:
                ledger.open_phase(key)
            ledger.opened += 1
            if any(read.round < ledger.floor and not ledger.complete(read) for key in keys for read in self.plan.inputs(key)):
                self._rebuild((), "", actions)
            for key in keys:
                self._try_phase(key)

    def _try_phase(self, key: PhaseKey) -> None:
        """Make the waiting tasks of a phase ready if all that it reads is there."""
        phase = self.ledger.phases.get(key)
        if phase is None or key.round > self.ledger.end or not phase.counts[WAITING]:
            return
        if not self.ledger.inputs_complete(key) or not self.ledger.states_complete(key):
            return
        for task in self.plan.tasks(key):
            self._try_task(phase, task)

    def _try_task(self, phase: Phase, task: Task) -> None:
        if phase.standing[task.partition] == WAITING and self.ledger.can_start(task):
            self.ledger.move(task, "inputs complete")
            self._push(task)

    def _successor(self, task: Task) -> None:
        """Let the tasks go on that wait for this one's state."""
        after = self.plan.following(PhaseKey(task.role, task.round))
        while after is not None and (phase := self.ledger.phases.get(after)) is not None:
            if after.round <= self.ledger.end and self.ledger.inputs_complete(after):
                self._try_task(phase, Task(after.role, after.round, task.partition))
            after = self.plan.following(after)

    def _push(self, task: Task) -> None:
        heapq.heappush(self._ready, (task.round, self.plan.order[task.role], task.partition, task))

    def _shorten(self, task: Task, actions: list[Action]) -> None:
        """A task has said that the run ends with its round: later rounds never happened."""
        self.ledger.end = task.round
        actions.append(Tell("stop", {"task": str(task), "last_round": task.round}))

    # The end

    def _advance(self, now: float, actions: list[Action]) -> None:
        """What follows of itself: the end, a due cut, work for the idle."""
        if self.stopping is not None:
            if not self.running or now - self.stopping >= self.limits.stop_wait_seconds:
                self._end(Pause(self._reason_to_stop), actions)
            return
        if self.ledger.floor > self.ledger.end:
            self._finish(actions)
        if not self.ended:
            self._want_cut(now, actions)
            self._assign(now, actions)

    def _finish(self, actions: list[Action]) -> None:
        ledger = self.ledger
        if not self.finishing:
            self.finishing = True
            for role in self.plan.last:
                ledger.open_phase(PhaseKey(role, ledger.end))
            self._rebuild((), "", actions)
            for role in self.plan.last:
                self._try_phase(PhaseKey(role, ledger.end))
        last = [PhaseKey(role, ledger.end) for role in self.plan.last]
        if not all(ledger.phases[key].done for key in last) or ledger.unverified:
            return
        missing = [task for task in self._final_tasks() if ledger.standing(task) != PRESENT]
        if missing:
            self._rebuild(missing, "the results are made from them", actions)
        else:
            self._end(Finish(ledger.end), actions)

    def _final_tasks(self) -> Iterable[Task]:
        """The tasks whose artifacts hold the results."""
        for role in self.plan.roles:
            key = PhaseKey(role, self.plan.newest(role, self.ledger.end))
            if self.ledger.phases[key].holds:
                yield from self.plan.tasks(key)

    def _end(self, action: Finish | Fail | Pause, actions: list[Action]) -> None:
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
        held: list[tuple[int, int, int, Task]] = []
        while self._idle and self._ready:
            entry = heapq.heappop(self._ready)
            task = entry[-1]
            if not self._still_ready(task):
                continue
            worker, why = pick_worker(self._idle, self._avoid.get(task, ()), self._losses.get(task, 0))
            if worker is None:
                held.append(entry)
                continue
            if task in self._losses or task in self._failures:
                actions.append(Tell("task redone", {"task": str(task), "worker": worker, "why": why}))
            self.ledger.move(task, "started")
            self._start(worker, task, now, actions)
        for entry in held:
            heapq.heappush(self._ready, entry)

    def _still_ready(self, task: Task) -> bool:
        """Whether a task that was put in the queue can still be started: it may have been dropped, or its inputs lost."""
        if task.round > self.ledger.end or self.ledger.standing(task) != READY:
            return False
        if self.ledger.inputs_complete(PhaseKey(task.role, task.round)) and self.ledger.can_start(task):
            return True
        self.ledger.move(task, "inputs lost")
        return False

    def _start(self, worker: str, task: Task, now: float, actions: list[Action], *, checks: bool = False, backup: bool = False) -> None:
        number = self._numbers[task] = self._numbers.get(task, 0) + 1
        attempt = Attempt(task, number)
        self.running[worker] = Running(attempt, now, checks, backup)
        if checks:
            self._checkers[worker] = False
        else:
            del self._idle[worker]
        actions.append(Start(worker, attempt, self.ledger.chain_before(task) or ()))

    def _assign_checks(self, now: float, actions: list[Action]) -> None:
        for worker in [worker for worker, idle in self._checkers.items() if idle]:
            for place, task in enumerate(self._to_check):
                if self.ledger.standing(task) == PRESENT and self.ledger.inputs_complete(PhaseKey(task.role, task.round)):
                    del self._to_check[place]
                    self._start(worker, task, now, actions, checks=True)
                    break

    def _tick(self, event: Tick, now: float, actions: list[Action]) -> None:
        """Give a slow task to an idle worker as well: the first that commits wins, and both would write the same."""
        idle = list(self._idle)
        if self._ready or not idle or self.stopping is not None:
            return
        backups = sum(run.backup for run in self.running.values())
        twice = {run.attempt.task for run in self.running.values() if run.backup}
        for run in sorted(self.running.values(), key=lambda run: run.began):
            task = run.attempt.task
            if not idle or run.checks or task in twice or self.ledger.standing(task) != RUNNING:
                continue
            due, why = backup_due(now - run.began, self._paces[task.role], backups, len(self.workers), self.limits)
            if due:
                worker, backups = idle.pop(), backups + 1
                actions.append(Tell("backup attempt", {"task": str(task), "worker": worker, "why": why}))
                self._start(worker, task, now, actions, backup=True)

    # Cuts

    def _want_cut(self, now: float, actions: list[Action]) -> None:
        ledger, every = self.ledger, self.limits.cut_every_seconds
        if every > 0 and ledger.pending_cut is None and now - self._last_cut >= every and ledger.opened - 1 < ledger.end:
            ledger.pending_cut = ledger.opened - 1

    def _cut_made(self, event: CutMade, now: float, actions: list[Action]) -> None:
        ledger, cut = self.ledger, self._cutting
        self._cutting = None
        if cut is None or cut.round != event.round or ledger.pending_cut != event.round:
            actions.append(DropCut(event.round))
            return
        for old in ledger.cuts[:-1]:
            actions.append(DropCut(old.round))
        touched = {PhaseKey(task.role, task.round) for old in ledger.cuts[:-1] for task in old.tasks}
        ledger.pin([*ledger.cuts[-1:], cut])
        ledger.pending_cut, self._last_cut = None, now
        actions.append(Tell("cut made", {"round": event.round, "artifacts": len(cut.tasks)}))
        touched |= {key for key in ledger.phases if key.round <= event.round + 2}
        actions.extend(ledger.forget(sorted(touched)))
        ledger.prune()

    def _cut_failed(self, event: CutFailed, now: float, actions: list[Action]) -> None:
        self.ledger.pending_cut, self._cutting, self._last_cut = None, None, now
        actions.append(Tell("cut failed", {"round": event.round, "cause": event.cause}))
        actions.extend(self.ledger.forget(list(self.ledger.phases)))

    # Losses of artifacts

    def _artifacts_lost(self, event: ArtifactsLost, now: float, actions: list[Action]) -> None:
        self._rebuild(event.tasks, event.cause, actions)

    def _rebuild(self, lost: Iterable[Task], cause: str, actions: list[Action]) -> None:
        """Forget that these artifacts exist, and run again what is needed to have them, or what reads them."""
        ledger = self.ledger
        gone = [task for task in lost if ledger.standing(task) == PRESENT]
        if ledger.pending_cut is not None and any(task.round <= ledger.pending_cut for task in gone):
            ledger.pending_cut = None
        needed = {key for key in {PhaseKey(task.role, task.round) for task in gone} if ledger.kept_for(key)}
        for task in gone:
            ledger.move(task, "artifact lost" if PhaseKey(task.role, task.round) in needed else "no longer needed")
        broken = [cut for cut in ledger.cuts if not cut.tasks.isdisjoint(gone)]
        if broken:
            ledger.pin([cut for cut in ledger.cuts if cut not in broken])
            actions.extend(DropCut(cut.round) for cut in broken)
            self._last_cut = -self.limits.cut_every_seconds
        wanted = [task for task in lost if PhaseKey(task.role, task.round) in needed or task not in gone]
        wanted += [task for key, phase in ledger.phases.items() if phase.counts[WAITING] for task in self._waiting(phase, key)]
        again = ledger.want(wanted)
        facts = {
            "artifacts": [str(task) for task in gone],
            "cause": cause,
            "tasks_again": len(again) + sum(ledger.standing(task) == WAITING for task in gone),
        }
        if gone or again:
            actions.append(Tell("artifacts lost", facts | ({"cuts_dropped": [cut.round for cut in broken]} if broken else {})))
        for key in sorted({PhaseKey(task.role, task.round) for task in (*gone, *wanted, *again)}, key=lambda key: key.round):
            self._try_phase(key)

    def _waiting(self, phase: Phase, key: PhaseKey) -> Iterable[Task]:
        return (task for task in self.plan.tasks(key) if phase.standing[task.partition] == WAITING and key.round <= self.ledger.end)
