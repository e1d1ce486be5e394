"""The machines of a large world, and the workers on them. A machine and a worker are identities that are used once."""

from __future__ import annotations

import math
import random

from regrow.simulation.scenario import Machines

__all__ = ["Cluster"]


class Cluster:
    """Who is where.

    zone, speed     of every machine there ever was
    slow            machines that are slow for a while
    workers         machine -> its workers, as long as it is there
    home            worker -> its machine, as long as the worker is there
    draining        workers that are there and have notice
    """

    def __init__(self, machines: Machines, rng: random.Random) -> None:
        self.machines, self._rng = machines, rng
        self.zone: list[int] = []
        self.speed: list[float] = []
        self.slow: set[int] = set()
        self.workers: dict[int, list[str]] = {}
        self.home: dict[str, int] = {}
        self.draining: set[str] = set()
        self._live: list[int] = []
        self._place: dict[int, int] = {}
        self._names = 0

    @property
    def count(self) -> int:
        """How many machines are there."""
        return len(self._live)

    def add(self) -> int:
        """A machine comes; its workers do when they are ready (`hire`)."""
        machine = len(self.zone)
        self.zone.append(machine % self.machines.zones)
        self.speed.append(math.exp(self._rng.gauss(0.0, self.machines.speed_spread)) if self.machines.speed_spread else 1.0)
        self.workers[machine] = []
        self._place[machine] = len(self._live)
        self._live.append(machine)
        return machine

    def hire(self, machine: int) -> str:
        """A worker begins on a machine."""
        self._names += 1
        worker = f"w{self._names}"
        self.workers[machine].append(worker)
        self.home[worker] = machine
        return worker

    def leave(self, worker: str) -> int:
        """A worker is gone; returns its machine."""
        machine = self.home.pop(worker)
        self.workers[machine].remove(worker)
        self.draining.discard(worker)
        return machine

    def remove(self, machine: int) -> list[str]:
        """A machine is gone; returns the workers that were on it."""
        workers = self.workers.pop(machine)
        for worker in workers:
            del self.home[worker]
            self.draining.discard(worker)
        place, last = self._place.pop(machine), self._live.pop()
        if last != machine:
            self._live[place] = last
            self._place[last] = place
        return workers

    def dismiss(self) -> None:
        """All workers end, with the coordinator that they belong to."""
        self.home.clear()
        self.draining.clear()
        for workers in self.workers.values():
            workers.clear()

    def here(self, machine: int) -> bool:
        """Whether a machine is there."""
        return machine in self._place

    def live(self) -> list[int]:
        """The machines that are there."""
        return self._live

    def any(self, drawn: float) -> int:
        """The machine that a number from 0 to 1 stands for."""
        return self._live[int(drawn * len(self._live))]

    def another(self, machine: int, drawn: float) -> int | None:
        """A machine other than this one, for a number from 0 to 1; None if there is no other."""
        place = int(drawn * len(self._live))
        if self._live[place] == machine:
            place = (place + 1) % len(self._live)
        return self._live[place] if self._live[place] != machine else None
