"""The large world: 10^2 to 10^5 workers on machines in virtual time, around the shipping coordinator. One seed is one history.

RULES OF THE FILE
  - The coordinator is the one that ships, unchanged; it hears of things when an engine would, and not before.
  - An attempt costs opening its messages, reading, computing, writing, a second copy on another machine, and publishing.
  - An artifact lives on two machines, and in durable storage if a cut holds it (`holdings`).
  - A digest is made of the digests of all that was read: a wrong input would show in everything that follows.
  - Nothing here reads a clock or depends on the hash of a text: the same scenario and seed are the same history, everywhere.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np

from regrow.coordinator.actions import (
    Action,
    Commit,
    DropCut,
    Fail,
    Finish,
    Forget,
    KeepAside,
    MakeCut,
    Pause,
    Record,
    Release,
    Replace,
    Save,
    Start,
)
from regrow.coordinator.cuts import Cut
from regrow.coordinator.events import (
    ArtifactsLost,
    AttemptDone,
    AttemptFailed,
    CutMade,
    Event,
    Receipt,
    Saved,
    Tick,
    WorkerJoined,
    WorkerLost,
)
from regrow.coordinator.ledger import FORGOTTEN
from regrow.coordinator.machine import Machine
from regrow.coordinator.plan import Attempt, PhaseKey, Plan, Task
from regrow.coordinator.policy import Limits
from regrow.errors import DataError
from regrow.simulation import promises
from regrow.simulation.accounts import Tally, Under
from regrow.simulation.cluster import Cluster
from regrow.simulation.holdings import NOBODY, Holdings
from regrow.simulation.prices import prices, size_of
from regrow.simulation.scenario import Scenario
from regrow.simulation.world import Broken

__all__ = ["Fleet"]

TICK_SECONDS = 1.0
ROUNDS_KEPT = 4
"""Of older ones the world forgets what was in artifacts that are gone."""
STILL_SECONDS = 6 * 3600.0
SCAN_EVENTS = 10_000
SCAN_ALWAYS_BELOW = 1_000
CHANCES = 1 << 16
MASK = (1 << 64) - 1
METRICS = {"tasks": 1.0}


class Fleet:
    """One history of a scenario."""

    def __init__(
        self,
        scenario: Scenario,
        *,
        seconds: tuple[float, float] | None = None,
        machine: Callable[..., Machine] = Machine,
        trace: Callable[[str], None] | None = None,
    ) -> None:
        """seconds: stop at the second of these times, and count what is useful and paid from the first on only; small worlds are then
        scanned as seldom as large ones."""
        self.scenario, self.costs, self.faults = scenario, scenario.costs, scenario.faults
        self.rng = random.Random(scenario.seed)
        self.numbers = np.random.default_rng(scenario.seed)
        self.plan = Plan(scenario.program())
        self.cluster = Cluster(scenario.machines, self.rng)
        self.holdings = Holdings(self.plan)
        self.tally = Tally()
        self.now, self.epoch = 0.0, 0
        self.window = seconds
        self.trace = trace
        self.ending: Finish | Fail | None = None
        self.records: list[Record] = []
        self.manifests: dict[int, frozenset[Task]] = {}
        self.unheard = 0
        """Losses of artifacts of which the coordinator has not heard."""
        self._machine_of = machine
        self.machine: Machine
        self.under: dict[str, Under] = {}
        self._reading: dict[PhaseKey, int] = {}
        """Phase -> how many attempts of its tasks are under way, as the coordinator knows it."""
        self._answer: tuple[Attempt, Under, int] | None = None
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._sequence = 0
        self._paid_since = self._moved = 0.0
        self._chance = scenario.seed & (CHANCES - 1)
        self._luck = [self.rng.gauss(0.0, 1.0) for _ in range(CHANCES)]
        self._order = {name: place for place, name in enumerate(scenario.roles)}
        self._prices = prices(scenario)
        self._sizes = {role: size_of(scenario, role) for role in scenario.roles}
        self._scans_always = seconds is None and scenario.machines.count * scenario.machines.workers < SCAN_ALWAYS_BELOW

    # Time

    def later(self, seconds: float, what: Callable[..., None], *about: Any) -> None:
        """Let something happen."""
        self._sequence += 1
        heapq.heappush(self._heap, (self.now + seconds, self._sequence, what, about))

    def run(self, weather: Callable[[Fleet], None] | None = None) -> Tally:
        """Let the history take its course. Raises Broken."""
        self._begin()
        if weather is not None:
            weather(self)
        self.later(TICK_SECONDS, self._tick)
        until = math.inf if self.window is None else self.window[1]
        heap = self._heap
        while self.ending is None and self.now < until:
            self.now, _, what, about = heapq.heappop(heap)
            what(*about)
        self.pay()
        if self.window is not None:
            self.tally.useful_seconds += sum(self._within(under, self.now) for under in self.under.values())
        elif not isinstance(self.ending, Finish):
            raise Broken(f"the run ends with {self.ending}")
        self._scan()
        return self.tally

    def pay(self) -> None:
        """Every worker that is there is paid, until now."""
        since = max(self._paid_since, self.window[0] if self.window else 0.0)
        self.tally.paid_seconds += max(0.0, self.now - since) * len(self.cluster.home)
        self._paid_since = self.now

    def _within(self, under: Under, until: float) -> float:
        """How much of the useful seconds of an attempt lie in the time that counts."""
        if self.window is None:
            return under.useful
        whole = under.ends - under.began
        inside = max(0.0, min(until, under.ends) - max(self.window[0], under.began))
        return under.useful * inside / whole if whole else 0.0

    def _tick(self) -> None:
        self.later(TICK_SECONDS, self._tick)
        if self.under or not self._moved:
            self._moved = self.now
        elif self.now - self._moved > STILL_SECONDS:
            if not self.cluster.count:
                raise DataError(f"no machine is left since {self._moved:,.0f} s, and none comes", "[machines] replaced, or fewer losses")
            raise Broken(f"nothing is under way since {self._moved:,.0f} s, and there are {self.cluster.count:,} machines")
        self.deliver(Tick())

    # The coordinator

    def _begin(self) -> None:
        machines = self.scenario.machines
        self._start_coordinator()
        for _ in range(machines.count):
            self.come(self.cluster.add())

    def come(self, machine: int) -> None:
        """A machine is there: its workers are ready after a while."""
        for _ in range(self.scenario.machines.workers):
            self.later(self.costs.warm_seconds * (0.9 + 0.2 * self.rng.random()), self.join, machine, self.epoch)

    def join(self, machine: int, epoch: int) -> None:
        """A worker is ready, unless its machine is gone."""
        if epoch == self.epoch and self.cluster.here(machine):
            self.pay()
            self.deliver(WorkerJoined(self.cluster.hire(machine)))

    def _start_coordinator(self) -> None:
        limits = self.scenario.limits
        self.epoch += 1
        self.unheard = 0
        self.machine = self._machine_of(
            self.plan, Limits(cut_every_seconds=limits.cut_every_seconds, run_ahead_rounds=limits.run_ahead_rounds), verify=False
        )
        present = {task: self._receipt(task) for task in self.holdings.all_there()}
        self.holdings.damaged.clear()
        cuts = [Cut(round, tasks) for round, tasks in sorted(self.manifests.items())]
        self._perform(self.machine.begin(self.now, present, self.records, cuts))

    def lose_coordinator(self) -> None:
        """The coordinator is lost, and its workers end with it; the next one begins with what lies on machines and in storage."""
        self.tally.coordinators_lost += 1
        self.pay()
        self.epoch += 1
        self.machine.ended = True
        self.tally.spent_seconds += sum(self.now - under.began for under in self.under.values())
        self.under.clear()
        self._reading.clear()
        self.cluster.dismiss()
        self.later(self.faults.coordinator_seconds, self._resume)

    def _resume(self) -> None:
        self._start_coordinator()
        for machine in sorted(self.cluster.live()):
            self.come(machine)

    def tell(self, seconds: float, event: Event) -> None:
        """Let this coordinator hear of something, later."""
        self.later(seconds, self._tell, self.epoch, event)

    def _tell(self, epoch: int, event: Event) -> None:
        if epoch == self.epoch:
            self.deliver(event)

    def deliver(self, event: Event) -> None:
        """Let the coordinator hear of something, and hold it to its promises."""
        if self.machine.ended:
            return
        self.tally.events += 1
        if self.trace:
            self.trace(f"{self.now:10.2f}  {event}")
        self._perform(self.machine.handle(event, self.now))
        promises.progress(self.machine)
        if self._scans_always or self.tally.events % SCAN_EVENTS == 0:
            self._scan()

    def _scan(self) -> None:
        self.tally.scans += 1
        promises.scan(self.machine, self.holdings, bool(self.unheard or self.holdings.damaged))
        if self.tally.scans % 100 == 1 or not self._scans_always:
            known = sum(phase.size for phase in self.machine.ledger.phases.values()) + len(self.machine.workers)
            each = promises.bytes_of(self.machine) / max(1, known)
            self.tally.task_bytes_max = max(self.tally.task_bytes_max, each)

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            if self.trace:
                self.trace(f"                -> {action}")
            if isinstance(action, Start):
                self._start(action)
            elif isinstance(action, Commit):
                self._commit(action.attempt)
            else:
                self._perform_seldom(action)

    def _perform_seldom(self, action: Action) -> None:
        match action:
            case Forget(tasks):
                self._forget(tasks)
            case Record():
                if action.metrics.get("tasks") != self.plan.sizes[action.phase.role]:
                    raise Broken(f"{action.phase} is recorded with {action.metrics}")
                self.records.append(action)
                self.holdings.prune(action.phase.round - ROUNDS_KEPT)
            case MakeCut(round, tasks):
                size = sum(self._sizes[task.role] for task in tasks)
                seconds = self.costs.storage_delay_seconds + size / self.costs.storage_bandwidth / max(1, self.cluster.count)
                self.later(seconds, self._cut_made, self.epoch, round, tasks)
            case DropCut(round):
                dropped = self.manifests.pop(round, None)
                if dropped is not None:
                    self.holdings.let_go(dropped, self.manifests.values())
            case Save():
                self.tell(1.0, Saved())
            case Release(worker):
                self._end(worker)
            case KeepAside(task) | Replace(task):
                raise Broken(f"{task}: the coordinator finds fault, and there is none: {action}")
            case Finish() | Fail() | Pause():
                self._finish(action)

    def _finish(self, action: Finish | Fail | Pause) -> None:
        if not isinstance(action, Finish):
            raise Broken(f"the run ends with {action}")
        self.ending = action

    # Attempts

    def _start(self, start: Start) -> None:
        """A worker begins, if it is there."""
        attempt, worker = start.attempt, start.worker
        task = attempt.task
        role, round, partition = task
        self.tally.attempts += 1
        key = PhaseKey(role, round)
        self._reading[key] = self._reading.get(key, 0) + 1
        reads, missing, total = self.plan.inputs(key), [], 0
        for read in reads:
            shelf = self.holdings.shelf(read)
            total = (total * 31 + shelf.total) & MASK
            if shelf.count != len(shelf.there):
                missing += self.holdings.missing(read)
        for before in start.chain:
            owner = Task(role, before, partition)
            if not self.holdings.is_there(owner):
                missing.append(owner)
            total = (total * 31 + self.holdings.shelf(PhaseKey(role, before)).digests[partition]) & MASK
        if missing and not self.unheard and not self.holdings.damaged:
            raise Broken(f"{attempt} was started, and {missing[0]} is not there")
        machine = self.cluster.home.get(worker)
        if machine is None:
            return  # it is lost, and the coordinator has not heard
        price = self._prices[role]
        self._chance = (self._chance * 25_173 + 13_849) & (CHANCES - 1)
        computing = price.computing * math.exp(price.spread * self._luck[self._chance]) / self.cluster.speed[machine]
        reading = (price.messages if reads else 0.0) + (price.state if start.chain else 0.0)
        writing = price.writing
        if missing:
            computing = writing = 0.0
        ends = self.now + reading + computing + writing
        digest = (total * 0x9E3779B97F4A7C15 + self._order[role] * 0xD1B54A32D192ED03 + round * 0x94D049BB133111EB + partition) & MASK
        chain = (round,) if self.scenario.roles[role].state_bytes else ()
        under = Under(attempt, self.now, ends, computing, (digest ^ (digest >> 29)) * 0xBF58476D1CE4E5B9 & MASK, chain, missing)
        self.under[worker] = under
        self._sequence += 1
        heapq.heappush(self._heap, (ends, self._sequence, self.done, (worker, under)))

    def done(self, worker: str, under: Under) -> None:
        """An attempt has come to its end, unless its worker was lost or had to give it up."""
        if self.under.get(worker) is not under:
            return
        del self.under[worker]
        self._ends(under)
        if under.missing:
            self.deliver(AttemptFailed(worker, under.attempt, "inputs", "an input is not there", tuple(under.missing)))
            return
        self._answer = (under.attempt, under, self.cluster.home[worker])
        self.deliver(AttemptDone(worker, under.attempt, self._receipt_of(under)))
        self._answer = None

    def answer_late(self, epoch: int, worker: str, under: Under) -> None:
        """A worker that was frozen, and is long given up, wakes and answers: that is already decided."""
        if epoch == self.epoch:
            self.tally.late_answers += 1
            self.deliver(AttemptDone(worker, under.attempt, self._receipt_of(under)))

    def _receipt_of(self, under: Under) -> Receipt:
        return Receipt(f"{under.digest:016x}", under.chain, metrics=METRICS)

    def _receipt(self, task: Task) -> Receipt:
        """Of an artifact that is there."""
        chain = (task.round,) if self.scenario.roles[task.role].state_bytes else ()
        return Receipt(f"{self.holdings.shelf(PhaseKey(task.role, task.round)).digests[task.partition]:016x}", chain, metrics=METRICS)

    def _ends(self, under: Under) -> None:
        key = PhaseKey(under.attempt.task.role, under.attempt.task.round)
        self._reading[key] -= 1
        self.tally.spent_seconds += min(self.now, under.ends) - under.began

    def _end(self, worker: str) -> None:
        """A worker leaves, whatever it is at."""
        if worker in self.cluster.home:
            self.pay()
            self.cluster.leave(worker)
        under = self.under.pop(worker, None)
        if under is not None:
            self._ends(under)

    def _commit(self, attempt: Attempt) -> None:
        if self._answer is None or self._answer[0] != attempt:
            raise Broken(f"{attempt} is committed without an answer")
        _, under, machine = self._answer
        task = attempt.task
        shelf = self.holdings.shelf(PhaseKey(task.role, task.round))
        if shelf.there[task.partition]:
            raise Broken(f"{attempt} is committed over an artifact that is there")
        if shelf.ever[task.partition]:
            if shelf.digests[task.partition] != under.digest:
                raise Broken(f"{task} is committed with another digest than before")
            if not self.tally.artifacts_lost:
                raise Broken(f"{task} is committed again, and nothing was lost")
        self._chance = (self._chance * 25_173 + 13_849) & (CHANCES - 1)
        other = self.cluster.another(machine, self._chance / CHANCES)
        self.holdings.add(task, under.digest, machine, NOBODY if other is None else other)
        self.tally.commits += 1
        self.tally.useful_seconds += self._within(under, self.now)
        self.tally.committed_seconds += under.ends - under.began

    def _forget(self, tasks: tuple[Task, ...]) -> None:
        seen: set[tuple[str, int]] = set()
        for task in tasks:
            if task[:2] not in seen:
                seen.add(task[:2])
                self._forgotten(PhaseKey(task.role, task.round))
            if not self.holdings.remove(task):
                if task not in self.holdings.damaged:
                    raise Broken(f"{task} is forgotten and is not there")
                if self.machine.ledger.standing(task) == FORGOTTEN:
                    self.holdings.damaged.discard(task)

    def _forgotten(self, key: PhaseKey) -> None:
        """Nobody may be at a task that reads what goes."""
        if self.unheard or self.holdings.damaged:
            return
        for reader in self.plan.read_by(key):
            if self._reading.get(reader) and reader.round <= self.machine.ledger.end:
                raise Broken(f"{key} is forgotten while {self._reading[reader]} tasks of {reader} read it")

    def _cut_made(self, epoch: int, round: int, tasks: tuple[Task, ...]) -> None:
        if epoch != self.epoch or self.machine.ended:
            return
        if all(self.holdings.is_there(task) for task in tasks):
            self.tally.cuts += 1
            self.manifests[round] = frozenset(tasks)
            self.holdings.hold(tasks)
        self.deliver(CutMade(round))

    # Losses

    def lose_worker(self, worker: str, seconds: float, *, wakes: float | None = None) -> None:
        """A worker is gone, and the coordinator hears of it so much later; wakes: it answers after so long all the same."""
        self.tally.workers_lost += 1
        self.pay()
        machine = self.cluster.leave(worker)
        self._lose(worker, seconds, wakes)
        self.later(seconds + self.scenario.machines.restart_seconds, self.join, machine, self.epoch)

    def lose_machine(self, machine: int) -> None:
        """A machine is gone, with its workers and its copies; another comes, or not."""
        self.tally.machines_lost += 1
        self.pay()
        for worker in self.cluster.remove(machine):
            self.tally.workers_lost += 1
            self._lose(worker, self.faults.detect_seconds, None)
        machines = self.scenario.machines
        if not self.faults.trace and self.rng.random() < machines.replaced:
            self.later(self.rng.expovariate(1 / max(1e-9, machines.replace_seconds)), self._replace)

    def _replace(self) -> None:
        self.come(self.cluster.add())

    def _lose(self, worker: str, seconds: float, wakes: float | None) -> None:
        under = self.under.pop(worker, None)
        self.later(seconds, self._hear_lost, self.epoch, worker, under)
        if under is not None and wakes is not None:
            self.later(wakes, self.answer_late, self.epoch, worker, under)

    def _hear_lost(self, epoch: int, worker: str, under: Under | None) -> None:
        if epoch == self.epoch:
            run = self.machine.running.get(worker)
            if under is not None:
                self._ends(under)
            elif run is not None:  # it was started after it was gone
                self._reading[PhaseKey(run.attempt.task.role, run.attempt.task.round)] -= 1
            self.deliver(WorkerLost(worker, "taken away"))

    def lose_copies(self, machines: list[int]) -> None:
        """What was on these machines alone is lost; what somebody else has is copied again."""
        self.lose_artifacts(self.holdings.lose_machines(machines), self.faults.detect_seconds)
        size = 4 * max(self._sizes.values())
        self.later(self.faults.detect_seconds + size / self.costs.network_bandwidth, self._copy_again)

    def _copy_again(self) -> None:
        if self.cluster.count:
            self.tally.copies_again += self.holdings.copy_again(np.asarray(self.cluster.live(), dtype=np.int32), self.numbers)

    def lose_artifacts(self, tasks: list[Task], seconds: float) -> None:
        """These artifacts are lost, and the coordinator hears of it so much later."""
        lost = [task for task in tasks if self.holdings.remove(task)]
        if lost:
            self.tally.artifacts_lost += len(lost)
            self.holdings.damaged.update(lost)
            self.unheard += 1
            self.later(seconds, self._hear_of_artifacts, self.epoch, lost)

    def _hear_of_artifacts(self, epoch: int, lost: list[Task]) -> None:
        if epoch == self.epoch:
            self.unheard -= 1
            still = tuple(task for task in lost if task in self.holdings.damaged)  # others were missed, and made again, meanwhile
            if still:
                self.deliver(ArtifactsLost(still, "with the machines that held them"))
