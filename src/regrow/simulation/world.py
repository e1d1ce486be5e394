"""The world: workers, a disk, a clock that jumps, and accidents, around the shipping coordinator.

Everything follows from the seed. The world holds the coordinator to its promises at every step and raises `Broken` when one fails:
  - nothing is started before all that it reads is on the disk, unless an accident took it away unseen;
  - no artifact has a digest other than that of a run without accidents;
  - no task is committed twice unless an accident took its artifact or what is made from it;
  - no attempt is started twice, and none of a round that a whole cut has behind it;
  - a cut names only artifacts that are there; what is deleted is not asked for again;
  - the run always ends, with the round and the results that the program means.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable

from regrow.coordinator import actions as asked
from regrow.coordinator import events as heard
from regrow.coordinator.actions import Action, Fail, Finish, Start
from regrow.coordinator.events import ArtifactsLost, Event, Receipt, WorkerLost
from regrow.coordinator.ledger import FORGOTTEN, RUNNING
from regrow.coordinator.machine import Machine
from regrow.coordinator.plan import Attempt, Task
from regrow.coordinator.policy import Limits
from regrow.simulation import accidents, verdicts
from regrow.simulation.broken import Broken
from regrow.simulation.disk import Disk
from regrow.simulation.luck import Counts, Luck
from regrow.simulation.meaning import Meaning
from regrow.simulation.waiting import what_waits

__all__ = ["World"]


class World:
    """One history."""

    TICK, SCAN = 2.0, 9.0
    detect_seconds = 3.0

    def __init__(
        self,
        seed: int,
        meaning: Meaning,
        luck: Luck,
        *,
        workers: int,
        limits: Limits | None = None,
        machine: Callable[..., Machine] = Machine,
        trace: Callable[[str], None] | None = None,
    ) -> None:
        self.rng = random.Random(seed)
        self.seed, self.meaning, self.luck, self.wanted_workers = seed, meaning, luck, workers
        self.limits = limits or Limits()
        self.machine_of, self.trace = machine, trace
        self.plan = meaning.plan
        self.disk = Disk(self.plan)
        self.expected = meaning.expected()
        self.now = 0.0
        self.counts = Counts()
        self.committed: Counter[Task] = Counter()
        self.ending: Finish | Fail | None = None
        self.accidents_left = luck.accidents
        self.machine: Machine
        self._heap: list[tuple[float, int, str, object]] = []
        self._sequence = 0
        self._real = 0
        """Entries of the heap from which something follows: all but ticks, scans and accidents."""
        self._names = 0
        self.epoch = 0
        self.alive: dict[str, bool] = {}
        """Workers -> whether they only check."""
        self.drained: set[str] = set()
        self._joining: Counter[bool] = Counter()
        self._answers: dict[Attempt, Receipt] = {}
        self._started: set[Attempt] = set()
        self._raised: Counter[Task] = Counter()
        self._moved = 0.0

    # The loop

    def run(self) -> Finish | Fail:
        """Let the history take its course. Raises Broken."""
        self._start_coordinator()
        steps_max = 3000 + 400 * len(self.expected) + 2000 * self.luck.accidents
        for name, seconds in (("tick", self.TICK), ("scan", self.SCAN), ("accident", self.luck.accident_seconds)):
            self.later(seconds, name, None)
        for _ in range(steps_max):
            if self.ending is not None:
                verdicts.check_end(self, self.ending)
                return self.ending
            self.now, _, kind, what = heapq.heappop(self._heap)
            self._step(kind, what)
        raise Broken(f"no end after {steps_max:,} steps{what_waits(self.machine)}")

    def later(self, seconds: float, kind: str, what: object) -> None:
        self._sequence += 1
        self._real += kind not in ("tick", "scan", "accident")
        heapq.heappush(self._heap, (self.now + seconds, self._sequence, kind, what))

    def _step(self, kind: str, what: object) -> None:
        if kind not in ("tick", "scan", "accident"):
            self._real -= 1
            self._moved = self.now
        if kind == "event":
            self._deliver_in(*what)  # type: ignore[misc]
        elif kind == "answer":
            self._answer(*what)  # type: ignore[misc]
        elif kind == "join":
            self._join(*what)  # type: ignore[misc]
        elif kind == "taken":
            accidents.take_drained(self, *what)  # type: ignore[misc]
        elif kind == "cut":
            self._cut_answers(*what)  # type: ignore[misc]
        elif kind == "resume":
            self._start_coordinator()
        elif kind == "tick":
            self.later(self.TICK, "tick", None)
            self._hire()
            self.deliver(heard.Tick())
            if not self._real and self.now - self._moved > 4 * self.SCAN + self.limits.checker_wait_seconds and not self.machine.ended:
                raise Broken(f"stands still since {self._moved:.1f}{what_waits(self.machine)}")
        elif kind == "scan":
            self.later(self.SCAN, "scan", None)
            known = sorted(self.disk.damaged)
            if known:
                self.deliver(ArtifactsLost(tuple(known), "not found by a scan"))
        elif kind == "accident":
            self.later(self.rng.expovariate(1 / self.luck.accident_seconds), "accident", None)
            if self.accidents_left > 0 and not self.machine.ended:
                self.accidents_left -= 1
                self.counts.accidents += 1
                accidents.happen(self, self.rng.choice(self.luck.kinds))

    def _deliver_in(self, epoch: int, event: Event) -> None:
        """Events for a coordinator that is gone reach nobody."""
        if epoch == self.epoch:
            self.deliver(event)

    def deliver(self, event: Event) -> None:
        if self.machine.ended:
            return
        self.counts.events += 1
        if self.trace:
            self.trace(f"{self.now:8.2f}  {event}")
        self._perform(self.machine.handle(event, self.now))

    # The coordinator

    def _start_coordinator(self) -> None:
        """A coordinator begins with what the disk holds; its workers are new ones."""
        self.epoch += 1
        self._answers.clear()
        self._started.clear()
        self.alive.clear()
        self._joining.clear()
        self.machine = self.machine_of(self.plan, self.limits, verify=self.luck.verify)
        if self.trace:
            held = f"{len(self.disk.artifacts)} artifacts, cuts {[cut.round for cut in self.disk.cuts()]}"
            self.trace(f"{self.now:8.2f}  a coordinator begins with {held}")
        self.disk.damaged.clear()
        self._perform(self.machine.begin(self.now, dict(self.disk.artifacts), list(self.disk.records), self.disk.cuts()))
        self._hire()

    def lose_coordinator(self, *, power: bool) -> None:
        self.counts.restarts += 1
        self.machine.ended = True
        self.epoch += 1
        if power:
            self.counts.losses += 1
            self.disk.lose_power(self.rng, self.rng.choice([0.0, 0.0, 0.5]))
        self.later(1.0, "resume", None)

    def _perform(self, actions: list[Action]) -> None:
        crash_at = -1
        if self.accidents_left > 0 and "coordinator" in self.luck.kinds and len(actions) > 1 and self.rng.random() < 0.002:
            crash_at = self.rng.randrange(len(actions))
        for place, action in enumerate(actions):
            if place == crash_at:
                self.accidents_left -= 1
                self.lose_coordinator(power=self.rng.random() < self.luck.power)
                return
            self.counts.actions += 1
            if self.trace:
                self.trace(f"              -> {action}")
            match action:
                case Start():
                    self._begin(action)
                case asked.Commit(attempt):
                    self._commit(attempt)
                case asked.Discard(attempt):
                    self._answers.pop(attempt, None)
                case asked.Forget(tasks):
                    self._forget(tasks)
                case asked.Record():
                    verdicts.check_record(self, action)
                    self.disk.records.append(action)
                case asked.MakeCut(round, tasks):
                    self._make_cut(round, tasks)
                case asked.DropCut(round):
                    self.disk.manifests.pop(round, None)
                case asked.Save():
                    self.send(self.luck.cut_seconds * self.rng.uniform(0.1, 3), heard.Saved())
                case asked.KeepAside(task):
                    raise Broken(f"attempts of {task} are said to differ")
                case asked.Replace(worker):
                    if self.alive.pop(worker, None) is not None:
                        self.send(0.1, WorkerLost(worker, "replaced"))
                case asked.Release(worker):
                    self.alive.pop(worker, None)
                case Finish() | Fail():
                    self._finish(action)
                case asked.Pause():
                    self.later(2.0, "resume", None)

    def send(self, seconds: float, event: Event) -> None:
        self.later(seconds, "event", (self.epoch, event))

    def _finish(self, action: Finish | Fail) -> None:
        if isinstance(action, Finish) and verdicts.missing_results(self, action.round):
            self.later(1.0, "resume", None)
        else:
            self.ending = action

    def _forget(self, tasks: tuple[Task, ...]) -> None:
        for task in tasks:
            there = self.disk.remove(task)
            if there and (held := [cut.round for cut in self.disk.cuts() if task in cut.tasks]):
                raise Broken(f"{task} is forgotten, and the cut of round {held[0]} holds it")
            if self.machine.ledger.standing(task) != FORGOTTEN:
                self.disk.damaged.add(task)  # lost, as the coordinator was told; rightly or not
            elif there or task in self.disk.damaged:
                self.disk.damaged.discard(task)
            else:
                raise Broken(f"{task} is forgotten and is not there")

    # Attempts

    def _begin(self, start: Start) -> None:
        task = start.attempt.task
        if start.worker not in self.alive and not self.disk.damaged:
            return
        if start.attempt in self._started:
            raise Broken(f"{start.attempt} is started twice")
        self._started.add(start.attempt)
        verdicts.check_floor(self, start)
        inbox, state, missing = self.disk.read(task, start.chain)
        unseen = [one for one in missing if one not in self.disk.damaged]
        if unseen:
            self.counts.unready_starts += 1
            raise Broken(f"{start.attempt} was started, but {unseen[0]} was not there")
        seconds = self.rng.uniform(0.5, 1.5) * (10 if self.rng.random() < self.luck.slow else 1)
        receipt = self.meaning.run(task, inbox, state, start.chain)
        if not missing and task in self.expected and receipt != self.expected[task]:
            raise Broken(f"{task} would be {receipt}, not {self.expected[task]}")
        if self.accidents_left > 0 and self.rng.random() < self.luck.frozen:
            self.send(seconds + self.detect_seconds, WorkerLost(start.worker, "frozen"))
            self.later(seconds + self.detect_seconds + self.rng.uniform(0, 20), "answer", (self.epoch, start, receipt, missing, True))
        else:
            self.later(seconds, "answer", (self.epoch, start, receipt, missing, False))

    def _answer(self, epoch: int, start: Start, receipt: Receipt, missing: list[Task], late: bool) -> None:
        """An attempt has come to its end."""
        if epoch != self.epoch or (start.worker not in self.alive and not late):
            return
        if late:
            self.alive.pop(start.worker, None)
        attempt = start.attempt
        if not missing and self.rng.random() < 0.5:
            missing = self.disk.read(attempt.task, start.chain)[2]
            unseen = [task for task in missing if task not in self.disk.damaged]
            run = self.machine.running.get(start.worker)
            if unseen and run is not None and run.attempt == attempt and not run.checks:
                needed = self.machine.ledger.standing(attempt.task) == RUNNING and attempt.task.round <= self.machine.ledger.end
                if needed:
                    raise Broken(f"{unseen[0]} was forgotten while {attempt} read it")
        if missing:
            self.deliver(heard.AttemptFailed(start.worker, attempt, "inputs", "an input is not there", tuple(missing)))
        elif self._raised[attempt.task] < self.meaning.raises.get(attempt.task, 0):
            self._raised[attempt.task] += 1
            self.deliver(heard.AttemptFailed(start.worker, attempt, "program", "ValueError"))
        else:
            self._answers[attempt] = receipt
            self.deliver(heard.AttemptDone(start.worker, attempt, receipt))

    def _commit(self, attempt: Attempt) -> None:
        task = attempt.task
        receipt = self._answers.pop(attempt, None)
        if receipt is None:
            raise Broken(f"{attempt} is committed without an answer")
        if task in self.expected and receipt != self.expected[task]:
            raise Broken(f"{task} is committed as {receipt}, not {self.expected[task]}")
        if self.committed[task] and not self.counts.losses:
            raise Broken(f"{task} is committed again, and nothing was lost")
        if task in self.disk.artifacts:
            raise Broken(f"{task} is committed over an artifact that is there")
        self.counts.commits += 1
        self.committed[task] += 1
        if self.accidents_left > 0 and self.rng.random() < self.luck.spoilt_commit:
            self.counts.losses += 1
            self.disk.damaged.add(task)
            self.send(0.0, ArtifactsLost((task,), "the file of the attempt was gone"))
        else:
            self.disk.add(task, receipt)

    # Cuts

    def _make_cut(self, round: int, tasks: tuple[Task, ...]) -> None:
        absent = [task for task in tasks if task not in self.disk.artifacts and task not in self.disk.damaged]
        if absent:
            raise Broken(f"the cut of round {round} names {absent[0]}, which is not there")
        self.later(self.luck.cut_seconds * self.rng.uniform(0.1, 3), "cut", (self.epoch, round, tasks))

    def _cut_answers(self, epoch: int, round: int, tasks: tuple[Task, ...]) -> None:
        if epoch != self.epoch or self.machine.ended:
            return
        why = "no space" if self.rng.random() < self.luck.cut_fails else self.disk.make_cut(round, tasks)
        if not why:
            self.counts.cuts += 1
        self.deliver(heard.CutFailed(round, why) if why else heard.CutMade(round))

    # Workers and accidents

    def _hire(self) -> None:
        """Somebody gives workers for those that are gone, sooner or later."""
        here = [worker for worker in self.alive if worker in self.machine.workers and worker not in self.drained]
        for checks, wanted in ((False, self.wanted_workers), (True, self.luck.checkers)):
            count = sum(self.alive[worker] == checks for worker in here) + self._joining[checks]
            for _ in range(wanted - count if not self.machine.ended else 0):
                self._joining[checks] += 1
                self.later(self.rng.choice([0.2, 1.0, 4.0]) * self.rng.random(), "join", (self.epoch, checks))

    def _join(self, epoch: int, checks: bool) -> None:
        if epoch != self.epoch or self.machine.ended:
            return
        self._joining[checks] -= 1
        self._names += 1
        name = f"{'check' if checks else 'worker'}-{self._names}"
        self.alive[name] = checks
        machine = f"machine-{self._names % self.luck.machines}" if self.luck.machines else ""
        self.deliver(heard.WorkerJoined(name, checks, machine=machine))
