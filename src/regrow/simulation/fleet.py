"""The large world: 10^2 to 10^5 workers on machines in virtual time, around the shipping coordinator. One seed is one history.

RULES OF THE FILE
  - The coordinator is the one that ships, unchanged; it hears of things when an engine would, and not before.
  - What an attempt costs and puts out stands in `attempts`, where an artifact lies in `holdings`, what is lost in `losing`, and when in
    `weather`.
  - Nothing here reads a clock or depends on the hash of a text: the same scenario and seed are the same history, everywhere.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np

from regrow.coordinator import actions as asked
from regrow.coordinator.actions import Action, Commit, Fail, Finish, Record, Start
from regrow.coordinator.cuts import Cut
from regrow.coordinator.events import CutFailed, CutMade, Event, Receipt, Saved, Tick, WorkerDraining, WorkerJoined
from regrow.coordinator.ledger import FORGOTTEN
from regrow.coordinator.machine import Machine
from regrow.coordinator.plan import PhaseKey, Plan, Task
from regrow.coordinator.policy import Limits
from regrow.errors import DataError
from regrow.simulation import promises
from regrow.simulation.accounts import Tally
from regrow.simulation.agenda import Agenda
from regrow.simulation.attempts import METRICS, Attempts, Under
from regrow.simulation.broken import Broken
from regrow.simulation.cluster import Cluster
from regrow.simulation.holdings import Holdings
from regrow.simulation.scenario import Scenario
from regrow.simulation.waiting import some, what_waits

__all__ = ["Fleet"]

TICK_SECONDS = 1.0
ROUNDS_KEPT = 4
"""Of older ones the world forgets what was in artifacts that are gone."""
VAIN_SECONDS, VAIN_TASKS = 3600.0, 20.0
"""A world in which nothing is done for so long, and so many times what a task and a replacement take, is given up."""
STILL_SECONDS, STILL_LOSSES = 60.0, 10.0
"""With workers that are at nothing, all of them, for so long, and so many times what it takes to hear of a loss, it stands still."""
SCAN_EVENTS = 10_000
SCAN_ALWAYS_BELOW = 1_000


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
        self.attempts = Attempts(self, scenario)
        self.agenda = Agenda()
        self._paid_since = self._moved = self._committed = 0.0
        self._seen = 0
        """Commits, when it was looked last."""
        slowest = max(work.seconds for work in scenario.roles.values())
        once = slowest + scenario.machines.replace_seconds + self.faults.coordinator_seconds + self.costs.warm_seconds
        self._patience = VAIN_SECONDS + VAIN_TASKS * once
        hears = max(self.faults.detect_seconds, self.faults.frozen_detect_seconds)
        self._patience_still = STILL_SECONDS + STILL_LOSSES * hears + (self.faults.notice_seconds if self.faults.notice else 0.0)
        self._scans_always = seconds is None and scenario.machines.places < SCAN_ALWAYS_BELOW

    # Time

    def later(self, seconds: float, what: Callable[..., None], *about: Any) -> None:
        """Let something happen."""
        self.agenda.put(self.now + seconds, what, about)

    def run(self, weather: Callable[[Fleet], None] | None = None) -> Tally:
        """Let the history take its course. Raises Broken."""
        self._begin()
        if weather is not None:
            weather(self)
        self.later(TICK_SECONDS, self._tick)
        until = math.inf if self.window is None else self.window[1]
        take = self.agenda.take
        while self.ending is None and self.now < until:
            self.now, _, what, about = take()
            what(*about)
        self.pay()
        if self.window is not None:
            self.tally.useful_seconds += sum(self.within(under, self.now) for under in self.attempts.under.values())
        elif not isinstance(self.ending, Finish):
            raise Broken(f"the run ends with {self.ending}")
        self._scan()
        return self.tally

    def pay(self) -> None:
        """Every worker that is there is paid, until now."""
        since = max(self._paid_since, self.window[0] if self.window else 0.0)
        self.tally.paid_seconds += max(0.0, self.now - since) * len(self.cluster.home)
        self._paid_since = self.now

    def within(self, under: Under, until: float) -> float:
        """How much of the useful seconds of an attempt lie in the time that counts."""
        if self.window is None:
            return under.useful
        whole = under.ends - under.began
        inside = max(0.0, min(until, under.ends) - max(self.window[0], under.began))
        return under.useful * inside / whole if whole else 0.0

    def _tick(self) -> None:
        self.later(TICK_SECONDS, self._tick)
        self._watch()
        self.deliver(Tick())

    def _watch(self) -> None:
        """A world in which nothing goes on any more would go on for ever. Raises Broken, or DataError if that is the scenario's."""
        if self.tally.commits > self._seen:
            self._seen, self._committed = self.tally.commits, self.now
        if self.attempts.under or not self.cluster.home:
            self._moved = self.now
        if self.now - self._moved > self._patience_still:
            here = f"workers that are there: {some(self.cluster.home)}"
            raise Broken(f"the run stands still: nobody is at anything since {self._moved:,.1f} s; {here}{what_waits(self.machine)}")
        if self.now - self._committed <= self._patience:
            return
        if not self.cluster.count:
            raise DataError(f"no machine is left, nothing was done since {self._committed:,.0f} s", "[machines] replaced, or fewer losses")
        raise DataError(
            f"nothing was done since {self._committed:,.0f} s: what is begun is lost before it ends", "shorter tasks, or fewer losses"
        )

    # The coordinator

    def _begin(self) -> None:
        machines = self.scenario.machines
        self._start_coordinator()
        for _ in range(machines.count):
            self.come(self.cluster.add())

    def come(self, machine: int) -> None:
        """A machine is there: its workers are ready after a while."""
        machines = self.scenario.machines
        for _ in range(machines.workers - (machines.vacant if machine == machines.count - 1 else 0)):
            self.begin(machine, 0.0)

    def begin(self, machine: int, seconds: float) -> None:
        """A worker begins on a machine after so long, and is ready after a while; its place is paid from now on."""
        self.later(seconds + self.costs.warm_seconds * (0.9 + 0.2 * self.rng.random()), self._join, machine, self.epoch, self.now)

    def _join(self, machine: int, epoch: int, since: float) -> None:
        """A worker is ready, unless its machine is gone, or there is no coordinator: the next one has workers of its own."""
        if epoch == self.epoch and self.cluster.here(machine) and not self.machine.ended:
            self.pay()
            self.tally.paid_seconds += max(0.0, self.now - max(since, self.window[0] if self.window else 0.0))
            self.deliver(WorkerJoined(self.cluster.hire(machine), machine=f"machine-{machine}"))

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
        self._end_workers()

    def _end_workers(self) -> None:
        self.pay()
        self.epoch += 1
        self.machine.ended = True
        self.attempts.lose_all()
        self.cluster.dismiss()
        self.later(self.faults.coordinator_seconds, self._resume)

    def _resume(self) -> None:
        self._start_coordinator()
        for machine in sorted(self.cluster.live()):
            self.come(machine)

    def drain(self, machine: int) -> None:
        """The workers of a machine have notice: they finish what they are at, or hand it back, and get nothing more."""
        for worker in list(self.cluster.workers[machine]):
            self.cluster.draining.add(worker)
            self.deliver(WorkerDraining(worker, "notice", self.faults.notice_seconds))

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
        if self.machine.ended:
            return
        promises.progress(self.machine)
        if self._scans_always or self.tally.events % SCAN_EVENTS == 0:
            self._scan()

    def _scan(self) -> None:
        self.tally.scans += 1
        promises.scan(self.machine, self.holdings, bool(self.unheard or self.holdings.damaged))
        if not self.machine.ended:
            promises.nobody_is_forgotten(self.machine, self.cluster, self.attempts.under)
        if self.tally.scans % 100 == 1 or not self._scans_always:
            known = sum(phase.size for phase in self.machine.ledger.phases.values()) + len(self.machine.workers)
            each = promises.bytes_of(self.machine) / max(1, known)
            self.tally.task_bytes_max = max(self.tally.task_bytes_max, each)

    def _perform(self, actions: list[Action]) -> None:
        start, commit = self.attempts.start, self.attempts.commit
        for action in actions:
            if self.trace:
                self.trace(f"                -> {action}")
            if isinstance(action, Start):
                start(action)
            elif isinstance(action, Commit):
                commit(action.attempt)
            else:
                self._perform_seldom(action)

    def _perform_seldom(self, action: Action) -> None:
        match action:
            case asked.Forget(tasks):
                self._forget(tasks)
            case Record():
                if action.metrics.get("tasks") != self.plan.sizes[action.phase.role]:
                    raise Broken(f"{action.phase} is recorded with {action.metrics}")
                self.records.append(action)
                self.holdings.prune(action.phase.round - ROUNDS_KEPT)
                self.attempts.tidy()
            case asked.MakeCut(round, tasks):
                size = sum(self.attempts.sizes[task.role] for task in tasks)
                seconds = self.costs.storage_delay_seconds + size / self.costs.storage_bandwidth / max(1, self.cluster.count)
                self.later(seconds, self._cut_made, self.epoch, round, tasks)
            case asked.DropCut(round):
                dropped = self.manifests.pop(round, None)
                if dropped is not None:
                    self.holdings.let_go(dropped, self.manifests.values())
            case asked.Save():
                self.tell(1.0, Saved())
            case asked.Release(worker):
                self._let_go(worker)
            case asked.KeepAside(task) | Fail(task=Task() as task) if task in self.attempts.flipped:
                if isinstance(action, Fail):
                    self._go_back(task)
            case asked.KeepAside() | asked.Replace():
                raise Broken(f"the coordinator finds fault, and there is none: {action}")
            case Finish() | Fail() | asked.Pause():
                self._finish(action)

    def _finish(self, action: Finish | Fail | asked.Pause) -> None:
        if not isinstance(action, Finish):
            raise Broken(f"the run ends with {action}")
        self.ending = action

    def _go_back(self, task: Task) -> None:
        """Attempts of a task differed, and the run has failed for it: it is resumed as runs are, from a cut from before that round."""
        self.tally.disputes += 1
        self.manifests = {round: tasks for round, tasks in self.manifests.items() if round < task.round}
        back = max(self.manifests, default=-1)
        for newer in [one for one in self.holdings.all_there() if one.round > back]:
            self.holdings.remove(newer)
        self.holdings.hold_only(self.manifests.values())
        self.records = [record for record in self.records if record.phase.round <= back]
        self._end_workers()

    def _let_go(self, worker: str) -> None:
        """A worker leaves, whatever it is at."""
        if worker in self.cluster.home:
            self.pay()
            self.cluster.leave(worker)
        self.attempts.give_up(worker)

    # Artifacts

    def _receipt(self, task: Task) -> Receipt:
        """Of an artifact that is there."""
        digest = self.holdings.shelf(PhaseKey(task.role, task.round)).digests[task.partition]
        return Receipt(f"{digest:016x}", self.attempts.chain(task.role, task.round), metrics=METRICS)

    def _forget(self, tasks: tuple[Task, ...]) -> None:
        seen: set[tuple[str, int]] = set()
        for task in tasks:
            if task[:2] not in seen:
                seen.add(task[:2])
                self._forgotten(PhaseKey(task.role, task.round))
            if self.holdings.is_held(task):
                held = next(round for round, tasks in sorted(self.manifests.items()) if task in tasks)
                raise Broken(f"{task} is forgotten, and the cut of round {held} holds it")
            if not self.holdings.remove(task):
                if task not in self.holdings.damaged:
                    raise Broken(f"{task} is forgotten and is not there")
                if self.machine.ledger.standing(task) == FORGOTTEN:
                    self.holdings.damaged.discard(task)

    def _forgotten(self, key: PhaseKey) -> None:
        """Nobody may be at a task that reads what goes."""
        if self.unheard or self.holdings.damaged or self.machine.disputes.open is not None:
            return
        for reader in self.plan.read_by(key):
            if (readers := self.attempts.under_way(reader)) and reader.round <= self.machine.ledger.end:
                raise Broken(f"{key} is forgotten while {readers} tasks of {reader} read it")

    def _cut_made(self, epoch: int, round: int, tasks: tuple[Task, ...]) -> None:
        if epoch != self.epoch or self.machine.ended:
            return
        missing = [task for task in tasks if not self.holdings.is_there(task)]
        if missing:
            unseen = [task for task in missing if task not in self.holdings.damaged]
            if unseen:
                raise Broken(f"{unseen[0]} is forgotten, and the cut of round {round} that is made holds it")
            self.deliver(CutFailed(round, f"{missing[0]} is not there"))
            return
        self.tally.cuts += 1
        self.manifests[round] = frozenset(tasks)
        self.holdings.hold(tasks)
        self.deliver(CutMade(round))
