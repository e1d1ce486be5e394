"""The attempts of a large world: what each costs, what it puts out, and what is held against the coordinator when it begins and ends.

RULES OF THE FILE
  - An attempt costs opening its messages, reading, computing, writing, a second copy on another machine, and publishing.
  - A digest is made of the digests of all that was read: a wrong input would show in everything that follows.
  - What all tasks of a phase have in common is looked up once (`Desk`): there are 10^5 of them.
"""

from __future__ import annotations

import math
import random
from array import array
from collections import Counter
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from regrow.coordinator.actions import Start
from regrow.coordinator.events import AttemptDone, AttemptFailed, Event, Receipt
from regrow.coordinator.machine import Machine
from regrow.coordinator.plan import Attempt, PhaseKey, Plan, Task
from regrow.simulation.accounts import Tally
from regrow.simulation.agenda import Agenda
from regrow.simulation.broken import Broken
from regrow.simulation.cluster import Cluster
from regrow.simulation.holdings import NOBODY, Holdings, Shelf
from regrow.simulation.prices import Price, prices, size_of
from regrow.simulation.scenario import Scenario
from regrow.simulation.waiting import what_waits

__all__ = ["Attempts", "Under"]

CHANCES = 1 << 16
MASK = (1 << 64) - 1
METRICS = {"tasks": 1.0}
VAIN_MAX = 10
"""So often one task may be begun without its inputs, if nothing is lost meanwhile: the first time tells what is missing."""
FLIPPED = 1 << 17


@dataclass(slots=True)
class Desk:
    """What all tasks of a phase have in common.

    reads       the artifacts of the phases that they read
    ground      where their digests begin
    under_way   how many attempts of them are, as the coordinator knows it
    """

    key: PhaseKey
    price: Price
    ground: int
    chain: tuple[int, ...]
    shelf: Shelf
    reads: tuple[Shelf, ...]
    under_way: int = 0


@dataclass(slots=True, eq=False)
class Under:
    """An attempt under way: when it began, when it will end, and how much of that is work that counts."""

    worker: str
    attempt: Attempt
    desk: Desk
    began: float
    ends: float
    useful: float
    digest: int
    missing: list[Task]


class Fleet(Protocol):
    """The world in which attempts are made."""

    rng: random.Random
    numbers: np.random.Generator
    machine: Machine
    plan: Plan
    cluster: Cluster
    holdings: Holdings
    tally: Tally
    agenda: Agenda
    now: float
    epoch: int
    unheard: int

    def deliver(self, event: Event) -> None:
        """Let the coordinator hear of something now."""

    def within(self, under: Under, until: float) -> float:
        """How much of the useful seconds of an attempt lie in the time that counts."""


class Attempts:
    """Who is at what."""

    def __init__(self, fleet: Fleet, scenario: Scenario) -> None:
        self.fleet = fleet
        self.under: dict[str, Under] = {}
        """Worker -> its attempt, as it is and not as the coordinator knows it."""
        self.sizes = {role: size_of(scenario, role) for role in scenario.roles}
        """Bytes of what a task of a role puts out."""
        self._desks: dict[tuple[str, int], Desk] = {}
        self._answer: Under | None = None
        self.flipped: set[Task] = set()
        """Tasks of which an attempt has put out something else than another one."""
        self._flips = scenario.faults.flipped
        self._vain: Counter[Task] = Counter()
        """Attempts that found an input missing, by task, since so many artifacts were lost:"""
        self._vain_since = 0
        self._luck = array("d", fleet.numbers.standard_normal(CHANCES).tobytes())
        self._chance = scenario.seed & (CHANCES - 1)
        self._order = {name: place for place, name in enumerate(scenario.roles)}
        self.prices = prices(scenario)
        self._start_cpu = scenario.costs.start_cpu_seconds
        self._stateful = {name: work.state_bytes > 0 for name, work in scenario.roles.items()}

    def _desk(self, role: str, round: int) -> Desk:
        key = PhaseKey(role, round)
        shelf, reads = self._shelves(key)
        ground = self._order[role] * 0xD1B54A32D192ED03 + round * 0x94D049BB133111EB
        desk = self._desks[key] = Desk(key, self.prices[role], ground, self.chain(role, round), shelf, reads)
        return desk

    def _shelves(self, key: PhaseKey) -> tuple[Shelf, tuple[Shelf, ...]]:
        holdings = self.fleet.holdings
        return holdings.shelf(key), tuple(holdings.shelf(read) for read in self.fleet.plan.inputs(key))

    def chain(self, role: str, round: int) -> tuple[int, ...]:
        """Where the state of a partition lies after a task."""
        return (round,) if self._stateful[role] else ()

    def tidy(self) -> None:
        """Old artifacts were forgotten: so is what nobody is at."""
        for key, desk in list(self._desks.items()):
            if desk.under_way:
                desk.shelf, desk.reads = self._shelves(desk.key)
            else:
                del self._desks[key]

    def under_way(self, key: PhaseKey) -> int:
        """How many attempts of a phase are under way, as the coordinator knows it."""
        desk = self._desks.get(key)
        return 0 if desk is None else desk.under_way

    # An attempt

    def start(self, start: Start) -> None:
        """A worker begins, if it is there."""
        fleet, attempt, worker = self.fleet, start.attempt, start.worker
        role, round, partition = attempt.task
        fleet.tally.attempts += 1
        desk = self._desks.get(attempt.task[:2]) or self._desk(role, round)
        desk.under_way += 1
        total, missing = self._read(desk, start)
        if missing and not fleet.unheard and not fleet.holdings.damaged:
            raise Broken(f"{attempt} was started, and {missing[0]} is not there")
        machine = fleet.cluster.home.get(worker)
        if machine is None:
            return  # it is lost, and the coordinator has not heard
        price = desk.price
        self._chance = (self._chance * 25_173 + 13_849) & (CHANCES - 1)
        computing = price.computing * math.exp(price.spread * self._luck[self._chance]) / fleet.cluster.speed[machine]
        reading = (price.messages if desk.reads else 0.0) + (price.state if start.chain else 0.0)
        if fleet.holdings.far:
            reading += self._from_storage(desk, start)
        writing = price.writing
        if missing:
            computing = writing = 0.0
        ends = fleet.now + reading + computing + writing
        digest = (total * 0x9E3779B97F4A7C15 + desk.ground + partition) & MASK
        digest = (digest ^ (digest >> 29)) * 0xBF58476D1CE4E5B9 & MASK
        under = self.under[worker] = Under(worker, attempt, desk, fleet.now, ends, computing, digest, missing)
        fleet.agenda.put(ends, self.done, (under,))

    def _read(self, desk: Desk, start: Start) -> tuple[int, list[Task]]:
        """The digest of all that an attempt reads, and what of it is not there."""
        holdings, total = self.fleet.holdings, 0
        missing: list[Task] = []
        for shelf in desk.reads:
            total = (total * 31 + shelf.total) & MASK
            if shelf.count != len(shelf.there):
                missing += holdings.missing(shelf.key)
        role, _, partition = start.attempt.task
        for before in start.chain:
            held = holdings.shelf(PhaseKey(role, before))
            if not held.there[partition]:
                missing.append(Task(role, before, partition))
            total = (total * 31 + held.digests[partition]) & MASK
        return total, missing

    def _from_storage(self, desk: Desk, start: Start) -> float:
        """What an attempt waits longer because some of what it reads is in durable storage alone."""
        role, _, partition = start.attempt.task
        seconds = sum(desk.price.far[shelf.key.role] * shelf.far / len(shelf.there) for shelf in desk.reads if shelf.far)
        for before in start.chain:
            held = self.fleet.holdings.shelf(PhaseKey(role, before))
            if held.far and self.fleet.holdings.is_far(held, partition):
                seconds += desk.price.far_state
        return seconds

    def done(self, under: Under) -> None:
        """An attempt has come to its end, unless its worker was lost or had to give it up."""
        worker = under.worker
        if self.under.get(worker) is not under or self.fleet.now < under.ends:
            return
        del self.under[worker]
        self.account(under)
        if under.missing:
            self._began_in_vain(under)
            self.fleet.deliver(AttemptFailed(worker, under.attempt, "inputs", "an input is not there", tuple(under.missing)))
            return
        self._answer = under
        flipped = self._flips and self._flip(under)
        self.fleet.deliver(AttemptDone(worker, under.attempt, _receipt(under)))
        self._answer = None
        if flipped and self.fleet.machine.disputes.open is None:
            raise Broken(f"{under.attempt} has put out another digest than one before, and the coordinator accepts it")

    def _flip(self, under: Under) -> bool:
        """A bit is flipped, now and then, in what an attempt puts out that the coordinator can compare with an earlier one."""
        machine, task = self.fleet.machine, under.attempt.task
        phase = machine.ledger.find(task[:2])
        if phase is None or phase.digests[task.partition] is None or machine.disputes.open is not None:
            return False
        if self.fleet.rng.random() >= self._flips:
            return False
        under.digest ^= FLIPPED
        self.flipped.add(task)
        return True

    def _began_in_vain(self, under: Under) -> None:
        """A coordinator that has heard what is missing lets nobody begin before it is there."""
        task, lost = under.attempt.task, self.fleet.tally.artifacts_lost
        if lost != self._vain_since:
            self._vain_since = lost
            self._vain.clear()
        self._vain[task] += 1
        if self._vain[task] > VAIN_MAX:
            told = f"{self._vain[task]} times {under.missing[0]}, which it reads, is not there, and nothing else was lost"
            raise Broken(f"{task} is begun again and again: {told}{what_waits(self.fleet.machine)}")

    def hold_up(self, machine: int) -> None:
        """A worker begins on a machine, and takes its cores from those that are at work there."""
        fleet = self.fleet
        if not fleet.cluster.here(machine):
            return  # it was lost meanwhile: nothing begins there
        fleet.tally.spent_seconds += self._start_cpu
        others = [under for worker in fleet.cluster.workers.get(machine, ()) if (under := self.under.get(worker)) is not None]
        for under in others:
            under.ends += self._start_cpu / len(others)
            fleet.agenda.put(under.ends, self.done, (under,))

    def answer_late(self, epoch: int, under: Under) -> None:
        """A worker that was frozen, and is long given up, wakes and answers: that is already decided."""
        if epoch == self.fleet.epoch:
            self.fleet.tally.late_answers += 1
            self.fleet.deliver(AttemptDone(under.worker, under.attempt, _receipt(under)))

    def account(self, under: Under) -> None:
        """An attempt has ended, however it did, and the coordinator hears of it."""
        under.desk.under_way -= 1
        self.fleet.tally.spent_seconds += min(self.fleet.now, under.ends) - under.began

    def never_began(self, task: Task) -> None:
        """The coordinator hears that nobody was at this task: its worker was gone when it was told to begin."""
        self._desks[task[:2]].under_way -= 1

    def give_up(self, worker: str) -> None:
        """A worker leaves, whatever it is at."""
        under = self.under.pop(worker, None)
        if under is not None:
            self.account(under)

    def lose_all(self) -> None:
        """All workers end, with their coordinator."""
        self.fleet.tally.spent_seconds += sum(self.fleet.now - under.began for under in self.under.values())
        self.under.clear()
        self._desks.clear()
        self._vain.clear()

    def commit(self, attempt: Attempt) -> None:
        """What an attempt has put out is published. Raises Broken where that cannot be."""
        fleet, under = self.fleet, self._answer
        if under is None or under.attempt != attempt:
            raise Broken(f"{attempt} is committed without an answer")
        shelf, partition = under.desk.shelf, attempt.task.partition
        if shelf.there[partition]:
            raise Broken(f"{attempt} is committed over an artifact that is there")
        if shelf.ever[partition]:
            if shelf.digests[partition] != under.digest:
                raise Broken(f"{attempt.task} is committed with another digest than before")
            if not fleet.tally.artifacts_lost and not fleet.tally.disputes:
                raise Broken(f"{attempt.task} is committed again, and nothing was lost")
        machine = fleet.cluster.home[under.worker]
        self._chance = (self._chance * 25_173 + 13_849) & (CHANCES - 1)
        other = fleet.cluster.another(machine, self._chance / CHANCES)
        fleet.holdings.add(shelf, attempt.task, under.digest, machine, NOBODY if other is None else other)
        tally = fleet.tally
        tally.commits += 1
        tally.useful_seconds += fleet.within(under, fleet.now)
        tally.committed_seconds += under.ends - under.began


def _receipt(under: Under) -> Receipt:
    return Receipt(f"{under.digest:016x}", under.desk.chain, metrics=METRICS)
